#include "overlay/graph/search.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "overlay/graph/buffer.h"
#include "overlay/graph/xml.h"

enum search_kind { SEARCH_CLAUSE, SEARCH_AND, SEARCH_OR };

enum search_compare {
    SEARCH_EQUAL,
    SEARCH_NOT_EQUAL,
    SEARCH_LESS,
    SEARCH_GREATER,
    SEARCH_LESS_OR_EQUAL,
    SEARCH_GREATER_OR_EQUAL,
};

static const char *const search_compares[] = {
    [SEARCH_EQUAL] = "equal",     [SEARCH_NOT_EQUAL] = "notequal",        [SEARCH_LESS] = "less",
    [SEARCH_GREATER] = "greater", [SEARCH_LESS_OR_EQUAL] = "lessorequal", [SEARCH_GREATER_OR_EQUAL] = "greaterorequal",
};

/* One element. Those within an "and" or "or" follow it, up to .end. */
struct search_node {
    enum search_kind kind;
    uint32_t end; /* the number of the first that is not within it */
    enum bypeer_attribute_type type;
    enum search_compare compare;
    char name[BYPEER_ATTRIBUTE_NAME_MAX + 1];
    size_t value_at; /* in the texts */
};

struct bypeer_record_search {
    size_t count;
    struct search_node *nodes;
    char *texts;
};

struct search_reader {
    struct xml_reader xml; /* first: the handlers have its address */
    struct bypeer_buffer nodes, texts;
    uint32_t open[BYPEER_RECORD_SEARCH_DEPTH]; /* the elements around the present one */
    unsigned open_count;
};

static uint32_t search_count(const struct search_reader *reader)
{
    return (uint32_t)(reader->nodes.length / sizeof(struct search_node));
}

static struct search_node *search_node_at(struct search_reader *reader, uint32_t at)
{
    return &((struct search_node *)(void *)reader->nodes.bytes)[at];
}

/* The type of a field of the record that goes by this name. */
static enum bypeer_attribute_type search_field_type(const char *name)
{
    bool is_time = strcmp(name, "peercreationtime") == 0 || strcmp(name, "peerlastmodificationtime") == 0;
    return is_time ? BYPEER_ATTRIBUTE_DATE : BYPEER_ATTRIBUTE_STRING;
}

static bool search_read_clause(struct xml_reader *xml, struct search_node *node, const char **attributes)
{
    const char *name = bypeer_xml_attribute(attributes, "attrib"), *type = bypeer_xml_attribute(attributes, "type");
    const char *compare = bypeer_xml_attribute(attributes, "compare");
    if (name == NULL || !bypeer_attribute_name_is_legal(name)) {
        bypeer_xml_refuse(xml, "a clause's attrib has to be 1 to %d letters and digits", BYPEER_ATTRIBUTE_NAME_MAX);
        return false;
    }
    memcpy(node->name, name, strlen(name) + 1);
    if (type == NULL || !bypeer_attribute_type_read(&node->type, type)) {
        bypeer_xml_refuse(xml, "the clause of %s: its type has to be string, int or date", name);
        return false;
    }
    if (bypeer_attribute_is_reserved(name) && node->type != search_field_type(name)) {
        bypeer_xml_refuse(xml, "the clause of %s: its type has to be %s", name,
                          search_field_type(name) == BYPEER_ATTRIBUTE_DATE ? "date" : "string");
        return false;
    }
    node->compare = SEARCH_EQUAL;
    for (unsigned at = 0; compare && at < sizeof(search_compares) / sizeof(search_compares[0]); at++)
        if (strcmp(compare, search_compares[at]) == 0) {
            node->compare = (enum search_compare)at;
            compare = NULL;
        }
    if (compare)
        bypeer_xml_refuse(xml,
                          "the clause of %s: compare has to be equal, notequal, less, greater, lessorequal or "
                          "greaterorequal",
                          name);
    return compare == NULL;
}

static void search_start(struct xml_reader *xml, const char *name, const char **attributes)
{
    struct search_reader *reader = (struct search_reader *)xml;
    struct search_node node = {.value_at = reader->texts.length};
    if (xml->depth == 0) {
        if (strcmp(name, "peersearch") != 0)
            bypeer_xml_refuse(xml, "its root is %.40s: it has to be peersearch", name);
        return;
    }
    if (xml->has_text || (xml->depth == 1 && search_count(reader) > 0)) {
        bypeer_xml_refuse(xml,
                          xml->has_text ? "there is an element %.40s in a clause"
                                        : "peersearch holds one element: %.40s is another",
                          name);
        return;
    }
    if (strcmp(name, "and") == 0)
        node.kind = SEARCH_AND;
    else if (strcmp(name, "or") == 0)
        node.kind = SEARCH_OR;
    else if (strcmp(name, "clause") != 0) {
        bypeer_xml_refuse(xml, "%.40s is not expected here: only clause, and, or", name);
        return;
    } else if (!search_read_clause(xml, &node, attributes))
        return;
    if (reader->open_count == BYPEER_RECORD_SEARCH_DEPTH || search_count(reader) == BYPEER_RECORD_SEARCH_CLAUSES) {
        bypeer_xml_refuse(xml, "there are more than %d clauses, or more than %d within each other",
                          BYPEER_RECORD_SEARCH_CLAUSES, BYPEER_RECORD_SEARCH_DEPTH);
        return;
    }
    reader->open[reader->open_count++] = search_count(reader);
    if (bypeer_buffer_append(&reader->nodes, &node, sizeof(node)) < 0)
        bypeer_xml_fail(xml);
    xml->has_text = node.kind == SEARCH_CLAUSE;
    xml->text_bytes = 0;
}

/* In a pattern a backslash has to be followed by what it makes plain. */
static bool search_pattern_is_legal(const char *pattern)
{
    for (; *pattern; pattern++)
        if (*pattern == '\\' && (*++pattern == '\0' || strchr("*?\\", *pattern) == NULL))
            return false;
    return true;
}

static void search_end(struct xml_reader *xml, const char *name)
{
    struct search_reader *reader = (struct search_reader *)xml;
    if (xml->depth == 0) {
        if (search_count(reader) == 0)
            bypeer_xml_refuse(xml, "peersearch is empty: it holds one clause, and, or or");
        return;
    }
    struct search_node *node = search_node_at(reader, reader->open[--reader->open_count]);
    node->end = search_count(reader);
    if (node->kind != SEARCH_CLAUSE) {
        if (node + 1 == search_node_at(reader, node->end))
            bypeer_xml_refuse(xml, "an element %s is empty: it holds at least one clause, and, or or", name);
        return;
    }
    const char *value = xml->text_bytes > 0 ? xml->text : "";
    xml->has_text = false;
    if (node->type == BYPEER_ATTRIBUTE_STRING && !search_pattern_is_legal(value))
        bypeer_xml_refuse(xml, "the clause of %s: a backslash is followed by *, ? or another", node->name);
    else if (!bypeer_attribute_value_is_legal(node->type, value))
        bypeer_xml_refuse(xml, "the clause of %s: its value is not of its type", node->name);
    else if (bypeer_buffer_append(&reader->texts, value, xml->text_bytes) < 0 ||
             bypeer_buffer_append(&reader->texts, "", 1) < 0)
        bypeer_xml_fail(xml);
}

int bypeer_record_search_read(struct bypeer_record_search **ret_search, const char *xml,
                              char why[static BYPEER_ATTRIBUTE_WHY])
{
    static const struct xml_handler handler = {search_start, search_end};
    struct search_reader reader = {0};
    int result = bypeer_graph_xml_read(&reader.xml, &handler, xml, why);
    struct bypeer_record_search *search = result == 0 ? malloc(sizeof(*search)) : NULL;
    if (search == NULL) {
        bypeer_buffer_clear(&reader.nodes);
        bypeer_buffer_clear(&reader.texts);
        return result < 0 ? result : -ENOMEM;
    }
    search->count = search_count(&reader);
    search->nodes = (struct search_node *)(void *)reader.nodes.bytes;
    search->texts = (char *)reader.texts.bytes;
    *ret_search = search;
    return 0;
}

void bypeer_record_search_free(struct bypeer_record_search *search)
{
    if (search == NULL)
        return;
    free(search->nodes);
    free(search->texts);
    free(search);
}

/* Whether the order of two values, as of strcmp(), is what was asked for. */
static bool search_order_is(enum search_compare compare, int order)
{
    switch (compare) {
    case SEARCH_EQUAL:
        return order == 0;
    case SEARCH_NOT_EQUAL:
        return order != 0;
    case SEARCH_LESS:
        return order < 0;
    case SEARCH_GREATER:
        return order > 0;
    case SEARCH_LESS_OR_EQUAL:
        return order <= 0;
    case SEARCH_GREATER_OR_EQUAL:
        return order >= 0;
    }
    return false;
}

/* Behind the character that starts here: a code point of UTF-8. */
static const char *search_next(const char *text)
{
    do
        text++;
    while ((*text & 0xc0) == 0x80);
    return text;
}

/* Whether all of the text is as the pattern says. Of several stars only the last one is ever tried anew, since whatever
 * an earlier one could take in, it can take in, too. */
static bool search_pattern_matches(const char *pattern, const char *text)
{
    const char *star = NULL, *resume = NULL;
    while (*text) {
        const char *plain = *pattern == '\\' ? pattern + 1 : pattern;
        if (*pattern == '*') {
            star = ++pattern;
            resume = text;
        } else if (*pattern == '?') {
            pattern++;
            text = search_next(text);
        } else if (*plain == *text) {
            pattern = plain + 1;
            text++;
        } else if (star) {
            pattern = star;
            resume = search_next(resume);
            text = resume;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == '\0';
}

/* The order of a text and a pattern that is taken literally. */
static int search_order_texts(const char *text, const char *pattern)
{
    for (; *text; text++, pattern++) {
        if (*pattern == '\\')
            pattern++;
        if (*text != *pattern)
            break;
    }
    return (uint8_t)*text - (uint8_t) * (*pattern == '\\' ? pattern + 1 : pattern);
}

/* Numbers of any length. */
static int search_order_numbers(const char *a, const char *b)
{
    a += strspn(a, "0");
    b += strspn(b, "0");
    size_t a_digits = strlen(a), b_digits = strlen(b);
    return a_digits != b_digits ? (a_digits < b_digits ? -1 : 1) : strcmp(a, b);
}

static bool search_time_matches(const struct search_node *node, const char *wanted, uint64_t time)
{
    uint64_t limit = 0;
    bypeer_date_read(&limit, wanted);
    return search_order_is(node->compare, (time > limit) - (time < limit));
}

static bool search_value_matches(const struct search_node *node, const char *wanted, const char *value)
{
    uint64_t time = 0;
    switch (node->type) {
    case BYPEER_ATTRIBUTE_STRING:
        if (node->compare == SEARCH_EQUAL || node->compare == SEARCH_NOT_EQUAL)
            return search_pattern_matches(wanted, value) == (node->compare == SEARCH_EQUAL);
        return search_order_is(node->compare, search_order_texts(value, wanted));
    case BYPEER_ATTRIBUTE_INT:
        return search_order_is(node->compare, search_order_numbers(value, wanted));
    case BYPEER_ATTRIBUTE_DATE:
        return bypeer_date_read(&time, value) == 0 && search_time_matches(node, wanted, time);
    }
    return false;
}

static bool search_field_matches(const struct search_node *node, const char *wanted, const struct bypeer_record *record)
{
    char guid[BYPEER_GUID_TEXT_BYTES];
    if (strcmp(node->name, "peercreationtime") == 0)
        return search_time_matches(node, wanted, record->created);
    if (strcmp(node->name, "peerlastmodificationtime") == 0)
        return search_time_matches(node, wanted, record->modified);
    if (strcmp(node->name, "peercreatorid") == 0)
        return search_value_matches(node, wanted, record->creator);
    if (strcmp(node->name, "peerlastmodifiedby") == 0)
        return record->modifier && search_value_matches(node, wanted, record->modifier);
    bypeer_guid_write(strcmp(node->name, "peerrecordid") == 0 ? &record->id : &record->type, guid);
    return search_value_matches(node, wanted, guid);
}

static bool search_clause_matches(const struct bypeer_record_search *search, const struct search_node *node,
                                  const struct bypeer_record *record, const struct bypeer_attributes *attributes)
{
    const char *wanted = search->texts + node->value_at;
    if (bypeer_attribute_is_reserved(node->name))
        return search_field_matches(node, wanted, record);
    for (size_t at = 0; attributes && at < attributes->count; at++)
        if (attributes->at[at].type == node->type && strcmp(attributes->at[at].name, node->name) == 0 &&
            search_value_matches(node, wanted, attributes->at[at].value))
            return true;
    return false;
}

/* Goes as deep as elements are nested, which reading limits. */
static bool search_node_matches(const struct bypeer_record_search *search, uint32_t number,
                                const struct bypeer_record *record, const struct bypeer_attributes *attributes)
{
    const struct search_node *node = &search->nodes[number];
    if (node->kind == SEARCH_CLAUSE)
        return search_clause_matches(search, node, record, attributes);
    bool decisive = node->kind == SEARCH_OR; /* one of these decides */
    for (uint32_t at = number + 1; at < node->end; at = search->nodes[at].end)
        if (search_node_matches(search, at, record, attributes) == decisive)
            return decisive;
    return !decisive;
}

bool bypeer_record_search_matches(const struct bypeer_record_search *search, const struct bypeer_record *record)
{
    struct bypeer_attributes *attributes = NULL;
    char why[BYPEER_ATTRIBUTE_WHY];
    if (record->attributes && bypeer_attributes_read(&attributes, record->attributes, why) < 0)
        return false;
    bool matches = search_node_matches(search, 0, record, attributes);
    free(attributes);
    return matches;
}
