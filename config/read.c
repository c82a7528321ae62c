#include "config/read.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/value.h"

#define KEYS_MAX       16 /* that any section has */
#define PATH_MAX_BYTES 128

struct reader {
    struct bypeer_config *config;
    const struct bypeer_document *document;
    struct bypeer_report *report;
};

/* Which mapping is being read, for messages. */
struct place {
    const struct bypeer_schema_section *section;
    uint32_t entry;
    const struct bypeer_document_node *node;
    uint8_t *base;   /* structure that the keys' offsets count from */
    uint32_t *lines; /* one for each key */
};

static const struct bypeer_document_node *reader_node(const struct reader *reader, uint32_t index)
{
    return index ? &reader->document->nodes[index] : NULL;
}

static const char *place_path(const struct place *place, const char *key, char path[static PATH_MAX_BYTES])
{
    const char *dot = key ? "." : "";

    if (place->section->entry_bytes)
        snprintf(path, PATH_MAX_BYTES, "%s[%u]%s%.64s", place->section->name, place->entry, dot, key ? key : "");
    else
        snprintf(path, PATH_MAX_BYTES, "%s%s%.64s", place->section->name, dot, key ? key : "");
    return path;
}

static const char *kind_name(const struct bypeer_document_node *node)
{
    switch (node->kind) {
    case BYPEER_DOCUMENT_MAPPING:
        return "a mapping";
    case BYPEER_DOCUMENT_SEQUENCE:
        return "a list";
    default:
        return node->text ? "a single value" : "empty";
    }
}

static void reader_scalar(struct reader *reader, const struct place *place, const struct bypeer_schema_key *key,
                          const struct bypeer_document_node *node)
{
    char path[PATH_MAX_BYTES];
    char why[512];
    uint8_t *beside = key->beside_size ? place->base + key->beside_offset : NULL;

    if (node->kind != BYPEER_DOCUMENT_SCALAR || !node->text) {
        bypeer_report_add(reader->report, node->line, place_path(place, key->name, path),
                          "is %s; write one value%s%s, or leave the key out", kind_name(node),
                          key->example ? " such as " : "", key->example ? key->example : "");
        return;
    }
    if (bypeer_value_read(key, node->text, place->base + key->offset, beside, why, sizeof(why)) < 0) {
        bypeer_report_add(reader->report, node->line, place_path(place, key->name, path), "%s", why);
        return;
    }
    if (beside && key->type != BYPEER_SCHEMA_PREFIX)
        bypeer_value_set_integer(beside, key->beside_size, 1);
}

/* A list of scalars: into an array within the structure (numbers), or one of its own (interface addresses). */
static int reader_list(struct reader *reader, const struct place *place, const struct bypeer_schema_key *key,
                       const struct bypeer_document_node *node)
{
    char path[PATH_MAX_BYTES];
    char why[512];
    bool own = key->type == BYPEER_SCHEMA_INTERFACE;
    size_t element = own ? sizeof(struct bypeer_config_address) : key->size / key->entries;
    uint8_t *array = place->base + key->offset;
    uint32_t count = 0;

    if (node->kind == BYPEER_DOCUMENT_SCALAR && !node->text)
        return 0;
    if (node->kind != BYPEER_DOCUMENT_SEQUENCE) {
        bypeer_report_add(reader->report, node->line, place_path(place, key->name, path),
                          "is %s; write a list such as %s", kind_name(node), key->example);
        return 0;
    }
    if (node->count > key->entries) {
        bypeer_report_add(reader->report, node->line, place_path(place, key->name, path),
                          "has %u elements; use at most %u", node->count, key->entries);
        return 0;
    }
    if (node->count && own) {
        array = calloc(node->count, element);
        if (!array)
            return -ENOMEM;
        memcpy(place->base + key->offset, &array, sizeof(array));
    }
    for (uint32_t at = node->child; at; at = reader_node(reader, at)->next) {
        const struct bypeer_document_node *child = reader_node(reader, at);
        uint8_t *slot = array + count * element;

        if (child->kind != BYPEER_DOCUMENT_SCALAR || !child->text) {
            snprintf(why, sizeof(why), "holds an element that is %s; write a list such as %s", kind_name(child),
                     key->example);
        } else if (bypeer_value_read(key, child->text, slot, NULL, why, sizeof(why)) == 0) {
            uint32_t twice = 0;

            while (twice < count && memcmp(array + twice * element, slot, element) != 0)
                twice++;
            if (twice == count) {
                count++;
                continue;
            }
            memset(slot, 0, element);
            snprintf(why, sizeof(why), "holds %s twice; remove one", child->text);
        }
        bypeer_report_add(reader->report, child->line, place_path(place, key->name, path), "%s", why);
    }
    bypeer_value_set_integer(place->base + key->beside_offset, key->beside_size, count);
    return 0;
}

/* Values for the keys that the file leaves out. */
static void reader_defaults(struct reader *reader, const struct place *place, const uint32_t seen[static KEYS_MAX])
{
    const struct bypeer_schema_section *section = place->section;
    char path[PATH_MAX_BYTES];
    char why[512];

    for (unsigned i = 0; i < section->key_count; i++) {
        const struct bypeer_schema_key *key = &section->keys[i];

        if (seen[i])
            continue;
        if (key->required) {
            bypeer_report_add(reader->report, place->node ? place->node->line : 0, place_path(place, NULL, path),
                              "has no %s; add one such as %s: %s", key->name, key->name, key->example);
        } else if (key->fallback) {
            bypeer_value_read(key, key->fallback, place->base + key->offset, NULL, why, sizeof(why));
        }
    }
}

static int reader_mapping(struct reader *reader, const struct place *place)
{
    const struct bypeer_schema_section *section = place->section;
    const struct bypeer_document_node *node = place->node;
    uint32_t seen[KEYS_MAX] = {0}; /* line of each key */
    char path[PATH_MAX_BYTES];
    int error = 0;

    if (node && node->kind != BYPEER_DOCUMENT_MAPPING && (node->text || node->kind == BYPEER_DOCUMENT_SEQUENCE)) {
        bypeer_report_add(reader->report, node->line, place_path(place, NULL, path),
                          "is %s; write a mapping such as { %s: ... }", kind_name(node), section->keys[0].name);
        return 0;
    }
    for (uint32_t at = node ? node->child : 0; at && !error && !bypeer_report_full(reader->report);
         at = reader_node(reader, at)->next) {
        const struct bypeer_document_node *child = reader_node(reader, at);
        int i = bypeer_schema_find_key(section, child->key);

        if (i < 0) {
            const char *nearest = bypeer_schema_nearest_key(section, child->key);

            bypeer_report_add(reader->report, child->line, place_path(place, child->key, path),
                              nearest ? "unknown key; did you mean \"%s\"?"
                                      : "unknown key; see `bypeer config explain %s`",
                              nearest ? nearest : section->name);
            continue;
        }
        if (seen[i]) {
            bypeer_report_add(reader->report, child->line, place_path(place, child->key, path),
                              "is given twice, first in line %u; remove one", seen[i]);
            continue;
        }
        seen[i] = place->lines[i] = child->line;
        if (bypeer_schema_is_list(section->keys[i].type))
            error = reader_list(reader, place, &section->keys[i], child);
        else
            reader_scalar(reader, place, &section->keys[i], child);
    }
    if (!error)
        reader_defaults(reader, place, seen);
    return error;
}

static int reader_entries(struct reader *reader, int number, const struct bypeer_document_node *node)
{
    const struct bypeer_schema_section *section = &bypeer_schema[number];
    uint8_t *config = (uint8_t *)reader->config;
    uint8_t *array;
    uint32_t entry = 0;
    int error = 0;

    if (node->kind == BYPEER_DOCUMENT_SCALAR && !node->text)
        return 0;
    if (node->kind != BYPEER_DOCUMENT_SEQUENCE) {
        bypeer_report_add(reader->report, node->line, section->name,
                          "is %s; write a list, each entry beginning with - %s:", kind_name(node),
                          section->keys[0].name);
        return 0;
    }
    if (node->count > section->entries) {
        bypeer_report_add(reader->report, node->line, section->name, "has %u entries; at most %u are possible",
                          node->count, section->entries);
        return 0;
    }
    array = calloc(node->count ? node->count : 1, section->entry_bytes);
    reader->config->lines[number] = calloc(node->count ? node->count : 1, section->key_count * sizeof(uint32_t));
    if (!array || !reader->config->lines[number]) {
        free(array);
        return -ENOMEM;
    }
    memcpy(config + section->array_offset, &array, sizeof(array));
    memcpy(config + section->count_offset, &node->count, sizeof(node->count));
    for (uint32_t at = node->child; at && !error && !bypeer_report_full(reader->report);
         at = reader_node(reader, at)->next, entry++) {
        struct place place = {
            .section = section,
            .entry = entry,
            .node = reader_node(reader, at),
            .base = array + (size_t)entry * section->entry_bytes,
            .lines = reader->config->lines[number] + (size_t)entry * section->key_count,
        };

        /* origin is the first member of every entry's structure */
        memcpy(place.base, &place.node->line, sizeof(place.node->line));
        error = reader_mapping(reader, &place);
    }
    return error;
}

static int reader_section(struct reader *reader, int number, const struct bypeer_document_node *node)
{
    const struct bypeer_schema_section *section = &bypeer_schema[number];
    struct place place = {.section = section, .node = node, .base = (uint8_t *)reader->config};

    if (section->entry_bytes)
        return node ? reader_entries(reader, number, node) : 0;
    place.lines = reader->config->lines[number] = calloc(section->key_count, sizeof(uint32_t));
    return place.lines ? reader_mapping(reader, &place) : -ENOMEM;
}

int bypeer_config_read(struct bypeer_config *config, const struct bypeer_document *document,
                       struct bypeer_report *report)
{
    struct reader reader = {config, document, report};
    const struct bypeer_document_node *root = reader_node(&reader, document->root);
    const struct bypeer_document_node *sections[BYPEER_CONFIG_SECTIONS] = {NULL};
    int error = 0;

    if (root && root->kind != BYPEER_DOCUMENT_MAPPING && (root->text || root->kind == BYPEER_DOCUMENT_SEQUENCE)) {
        bypeer_report_add(report, root->line, NULL,
                          "the file is %s; write a mapping of sections such as node: and groups:", kind_name(root));
        return 0;
    }
    for (uint32_t at = root ? root->child : 0; at && !bypeer_report_full(report); at = reader_node(&reader, at)->next) {
        const struct bypeer_document_node *node = reader_node(&reader, at);
        int i = bypeer_schema_find_section(node->key);
        char quoted[BYPEER_VALUE_QUOTED];

        if (i < 0) {
            const char *nearest = bypeer_schema_nearest_section(node->key);

            bypeer_value_quote(quoted, node->key);
            bypeer_report_add(report, node->line, quoted,
                              nearest ? "unknown section; did you mean \"%s\"?"
                                      : "unknown section; see `bypeer config explain`%s",
                              nearest ? nearest : "");
        } else if (sections[i]) {
            bypeer_report_add(report, node->line, node->key, "is given twice, first in line %u; join the two",
                              sections[i]->line);
        } else {
            sections[i] = node;
        }
    }
    for (int i = 0; i < BYPEER_CONFIG_SECTIONS && !error; i++)
        error = reader_section(&reader, i, sections[i]);
    return error;
}

uint32_t bypeer_config_line(const struct bypeer_config *config, const char *section, uint32_t entry, const char *key)
{
    int number = bypeer_schema_find_section(section);
    int i = number < 0 ? number : bypeer_schema_find_key(&bypeer_schema[number], key);
    const uint32_t *lines = i < 0 ? NULL : config->lines[number];
    const uint8_t *array;
    uint32_t line = lines ? lines[(size_t)entry * bypeer_schema[number].key_count + (unsigned)i] : 0;

    if (!line && lines && bypeer_schema[number].entry_bytes) {
        memcpy(&array, (const uint8_t *)config + bypeer_schema[number].array_offset, sizeof(array));
        memcpy(&line, array + (size_t)entry * bypeer_schema[number].entry_bytes, sizeof(line));
    }
    return line;
}
