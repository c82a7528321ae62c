#include "config/document.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#define CHUNK_BYTES ((size_t)1 << 20)
#define KEYS_CACHED 64u

/* Texts live in chunks, so that a node may point to its own while the array of nodes moves. */
struct bypeer_document_chunk {
    struct bypeer_document_chunk *next;
    size_t used, size;
    char bytes[];
};

struct anchor {
    char *name;
    uint32_t node;
    bool open; /* its subtree is not complete yet */
};

/* A mapping or sequence whose end has not come yet. */
struct frame {
    uint32_t node;
    uint32_t last;   /* its last child so far */
    const char *key; /* of a mapping: the key that waits for its value */
    uint32_t key_line;
    size_t anchor; /* index + 1 of its anchor, 0: none */
};

struct builder {
    struct bypeer_document document;
    struct bypeer_report *report;
    struct frame frames[BYPEER_DOCUMENT_DEPTH];
    unsigned depth;
    struct anchor anchors[BYPEER_DOCUMENT_ALIASES];
    size_t anchor_count, alias_count;
    const char *keys[KEYS_CACHED]; /* texts of recent keys, which repeat in every entry of a list */
};

static uint32_t mark_line(const yaml_mark_t *mark)
{
    return mark->line < UINT32_MAX ? (uint32_t)mark->line + 1 : UINT32_MAX;
}

static const char *document_keep(struct bypeer_document *document, const char *text, size_t length)
{
    struct bypeer_document_chunk *chunk = document->chunks;
    char *copy;

    if (!chunk || chunk->size - chunk->used <= length) {
        size_t size = length < CHUNK_BYTES ? CHUNK_BYTES : length + 1;

        chunk = malloc(sizeof(*chunk) + size);
        if (!chunk)
            return NULL;
        *chunk = (struct bypeer_document_chunk){.next = document->chunks, .size = size};
        document->chunks = chunk;
    }
    copy = chunk->bytes + chunk->used;
    memcpy(copy, text, length);
    copy[length] = '\0';
    chunk->used += length + 1;
    return copy;
}

static const char *builder_keep_key(struct builder *builder, const char *text, size_t length)
{
    size_t slot =
        (length * 31 + (length ? (unsigned char)text[0] * 7u + (unsigned char)text[length - 1] : 0)) % KEYS_CACHED;
    const char *cached = builder->keys[slot];

    if (cached && strlen(cached) == length && memcmp(cached, text, length) == 0)
        return cached;
    return builder->keys[slot] = document_keep(&builder->document, text, length);
}

/* The open mapping if what comes next is a key of it, else NULL. */
static struct frame *builder_awaits_key(struct builder *builder)
{
    struct frame *frame = builder->depth ? &builder->frames[builder->depth - 1] : NULL;
    const struct bypeer_document_node *nodes = builder->document.nodes;

    return frame && nodes && nodes[frame->node].kind == BYPEER_DOCUMENT_MAPPING && !frame->key ? frame : NULL;
}

/* Adds a node as the next child of the open mapping or sequence. Returns its index, or 0: out of memory. */
static uint32_t builder_add(struct builder *builder, struct bypeer_document_node node)
{
    struct bypeer_document *document = &builder->document;
    struct frame *frame = builder->depth ? &builder->frames[builder->depth - 1] : NULL;
    uint32_t index;

    if (document->count == document->capacity) {
        uint32_t capacity = document->capacity ? document->capacity * 2 : 256;
        struct bypeer_document_node *nodes;

        if (document->capacity > UINT32_MAX / 2)
            return 0;
        nodes = realloc(document->nodes, capacity * sizeof(*nodes));
        if (!nodes)
            return 0;
        document->nodes = nodes;
        document->capacity = capacity;
        if (!document->count)
            document->nodes[document->count++] = (struct bypeer_document_node){0};
    }
    index = document->count++;
    if (frame) {
        if (frame->key) {
            node.key = frame->key;
            node.line = frame->key_line;
            frame->key = NULL;
        }
        if (frame->last)
            document->nodes[frame->last].next = index;
        else
            document->nodes[frame->node].child = index;
        document->nodes[frame->node].count++;
        frame->last = index;
    } else {
        document->root = index;
    }
    document->nodes[index] = node;
    return index;
}

/* Remembers the anchor of a node. Returns 0, or -EINVAL and -ENOMEM. *ret_anchor: index + 1. */
static int builder_anchor(struct builder *builder, const yaml_char_t *name, uint32_t node, uint32_t line, bool open,
                          size_t *ret_anchor)
{
    struct anchor *anchor;

    if (!name)
        return 0;
    if (builder->anchor_count == BYPEER_DOCUMENT_ALIASES) {
        bypeer_report_add(builder->report, line, NULL, "has more than %d anchors; write the values out",
                          BYPEER_DOCUMENT_ALIASES);
        return -EINVAL;
    }
    anchor = &builder->anchors[builder->anchor_count];
    *anchor = (struct anchor){strdup((const char *)name), node, open};
    if (!anchor->name)
        return -ENOMEM;
    *ret_anchor = ++builder->anchor_count;
    return 0;
}

static int builder_scalar(struct builder *builder, const yaml_event_t *event)
{
    const char *text = (const char *)event->data.scalar.value;
    size_t length = event->data.scalar.length;
    struct frame *frame = builder_awaits_key(builder);
    uint32_t line = mark_line(&event->start_mark);
    struct bypeer_document_node node = {.kind = BYPEER_DOCUMENT_SCALAR, .line = line};
    bool null = length == 0 && event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    size_t anchor = 0;
    uint32_t index;

    if (memchr(text, '\0', length)) {
        bypeer_report_add(builder->report, line, NULL, "a value holds a zero byte; remove it");
        return -EINVAL;
    }
    if (frame) {
        frame->key = builder_keep_key(builder, text, length);
        frame->key_line = line;
        return frame->key ? 0 : -ENOMEM;
    }
    if (!null) {
        node.text = document_keep(&builder->document, text, length);
        if (!node.text)
            return -ENOMEM;
    }
    index = builder_add(builder, node);
    if (!index)
        return -ENOMEM;
    return builder_anchor(builder, event->data.scalar.anchor, index, line, false, &anchor);
}

static int builder_open(struct builder *builder, const yaml_event_t *event, enum bypeer_document_kind kind,
                        const yaml_char_t *name)
{
    uint32_t line = mark_line(&event->start_mark);
    struct frame inner = {0};
    int error;

    if (builder_awaits_key(builder)) {
        bypeer_report_add(builder->report, line, NULL, "a list or mapping is no key; use a name");
        return -EINVAL;
    }
    if (builder->depth == BYPEER_DOCUMENT_DEPTH) {
        bypeer_report_add(builder->report, line, NULL, "is nested deeper than %d levels; no key needs that",
                          BYPEER_DOCUMENT_DEPTH);
        return -EINVAL;
    }
    inner.node = builder_add(builder, (struct bypeer_document_node){.kind = kind, .line = line});
    if (!inner.node)
        return -ENOMEM;
    error = builder_anchor(builder, name, inner.node, line, true, &inner.anchor);
    builder->frames[builder->depth++] = inner;
    return error;
}

static void builder_close(struct builder *builder)
{
    const struct frame *frame = &builder->frames[--builder->depth];

    if (frame->anchor)
        builder->anchors[frame->anchor - 1].open = false;
}

static int builder_alias(struct builder *builder, const yaml_event_t *event)
{
    const char *name = (const char *)event->data.alias.anchor;
    uint32_t line = mark_line(&event->start_mark);
    struct bypeer_document_node node;
    size_t i = builder->anchor_count;

    /* The newest anchor of that name holds. */
    while (i && strcmp(builder->anchors[i - 1].name, name) != 0)
        i--;
    if (!i) {
        bypeer_report_add(builder->report, line, NULL, "*%s has no anchor; write &%s before the value it stands for",
                          name, name);
        return -EINVAL;
    }
    if (builder->anchors[i - 1].open) {
        bypeer_report_add(builder->report, line, NULL, "*%s stands inside &%s itself; write the value out", name, name);
        return -EINVAL;
    }
    if (++builder->alias_count > BYPEER_DOCUMENT_ALIASES) {
        bypeer_report_add(builder->report, line, NULL, "has more than %d aliases; write the values out",
                          BYPEER_DOCUMENT_ALIASES);
        return -EINVAL;
    }
    node = builder->document.nodes[builder->anchors[i - 1].node];
    node.next = 0;
    node.key = NULL;
    if (builder_awaits_key(builder)) {
        bypeer_report_add(builder->report, line, NULL, "*%s is no key; write the name out", name);
        return -EINVAL;
    }
    return builder_add(builder, node) ? 0 : -ENOMEM;
}

static int builder_event(struct builder *builder, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (builder->document.root) {
            bypeer_report_add(builder->report, mark_line(&event->start_mark), NULL,
                              "a second document begins here; keep one");
            return -EINVAL;
        }
        return 0;
    case YAML_SCALAR_EVENT:
        return builder_scalar(builder, event);
    case YAML_ALIAS_EVENT:
        return builder_alias(builder, event);
    case YAML_MAPPING_START_EVENT:
        return builder_open(builder, event, BYPEER_DOCUMENT_MAPPING, event->data.mapping_start.anchor);
    case YAML_SEQUENCE_START_EVENT:
        return builder_open(builder, event, BYPEER_DOCUMENT_SEQUENCE, event->data.sequence_start.anchor);
    case YAML_MAPPING_END_EVENT:
    case YAML_SEQUENCE_END_EVENT:
        builder_close(builder);
        return 0;
    default:
        return 0;
    }
}

static int builder_syntax(struct builder *builder, const yaml_parser_t *parser)
{
    const char *problem = parser->problem ? parser->problem : "cannot be read";
    const char *remedy = "check colons, brackets, quotes and indentation up to here";

    if (parser->error == YAML_MEMORY_ERROR)
        return -ENOMEM;
    if (parser->error == YAML_READER_ERROR)
        remedy = "save the file as UTF-8 without control characters";
    else if (strstr(problem, "cannot start any token"))
        remedy = "indent with spaces, not tabs, and quote values that begin with a special character";
    /* The reader's errors carry no mark of their own; the parser's is where it had read to. */
    bypeer_report_add(builder->report,
                      mark_line(parser->error == YAML_READER_ERROR ? &parser->mark : &parser->problem_mark), NULL,
                      "not YAML: %s; %s", problem, remedy);
    return -EINVAL;
}

static int builder_run(struct builder *builder, const char *text, size_t length)
{
    yaml_parser_t parser;
    yaml_event_t event;
    bool end = false;
    int error = 0;

    if (!yaml_parser_initialize(&parser))
        return -ENOMEM;
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, length);
    while (!error && !end) {
        if (!yaml_parser_parse(&parser, &event)) {
            error = builder_syntax(builder, &parser);
            break;
        }
        end = event.type == YAML_STREAM_END_EVENT;
        error = builder_event(builder, &event);
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    return error;
}

int bypeer_document_parse(struct bypeer_document *ret_document, const char *text, size_t length,
                          struct bypeer_report *report)
{
    struct builder *builder = calloc(1, sizeof(*builder));
    int error;

    if (!builder)
        return -ENOMEM;
    builder->report = report;
    error = builder_run(builder, text, length);
    for (size_t i = 0; i < builder->anchor_count; i++)
        free(builder->anchors[i].name);
    if (error)
        bypeer_document_free(&builder->document);
    else
        *ret_document = builder->document;
    free(builder);
    return error;
}

void bypeer_document_free(struct bypeer_document *document)
{
    struct bypeer_document_chunk *chunk = document->chunks;

    while (chunk) {
        struct bypeer_document_chunk *next = chunk->next;

        free(chunk);
        chunk = next;
    }
    free(document->nodes);
    *document = (struct bypeer_document){0};
}
