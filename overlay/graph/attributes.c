#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "overlay/graph/buffer.h"
#include "overlay/graph/xml.h"

/* What stands for a field of the record in a search, and so may not be in a record. */
static const char *const reserved_names[] = {
    "peerlastmodifiedby", "peercreatorid",  "peerlastmodificationtime",
    "peerrecordid",       "peerrecordtype", "peercreationtime",
};

bool bypeer_attribute_is_reserved(const char *name)
{
    for (unsigned at = 0; at < sizeof(reserved_names) / sizeof(reserved_names[0]); at++)
        if (strcmp(name, reserved_names[at]) == 0)
            return true;
    return false;
}

bool bypeer_attribute_name_is_legal(const char *name)
{
    size_t length = strspn(name, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");
    return length > 0 && length <= BYPEER_ATTRIBUTE_NAME_MAX && name[length] == '\0';
}

static const char *const attribute_types[] = {
    [BYPEER_ATTRIBUTE_STRING] = "string",
    [BYPEER_ATTRIBUTE_INT] = "int",
    [BYPEER_ATTRIBUTE_DATE] = "date",
};

bool bypeer_attribute_type_read(enum bypeer_attribute_type *ret_type, const char *text)
{
    for (unsigned at = 0; at < sizeof(attribute_types) / sizeof(attribute_types[0]); at++)
        if (strcmp(text, attribute_types[at]) == 0) {
            *ret_type = (enum bypeer_attribute_type)at;
            return true;
        }
    return false;
}

bool bypeer_attribute_value_is_legal(enum bypeer_attribute_type type, const char *value)
{
    uint64_t time;
    switch (type) {
    case BYPEER_ATTRIBUTE_STRING:
        return true;
    case BYPEER_ATTRIBUTE_INT:
        return *value != '\0' && value[strspn(value, "0123456789")] == '\0';
    case BYPEER_ATTRIBUTE_DATE:
        return bypeer_date_read(&time, value) == 0;
    }
    return false;
}

/* One that was found: its name and value follow each other in the texts. */
struct attribute_found {
    size_t name_at;
    enum bypeer_attribute_type type;
};

struct attributes_reader {
    struct xml_reader xml; /* first: the handlers have its address */
    struct bypeer_buffer texts, found;
};

static size_t attributes_count(const struct attributes_reader *reader)
{
    return reader->found.length / sizeof(struct attribute_found);
}

static void attributes_start(struct xml_reader *xml, const char *name, const char **attributes)
{
    struct attributes_reader *reader = (struct attributes_reader *)xml;
    if (xml->depth == 0) {
        if (strcmp(name, "attributes") != 0)
            bypeer_xml_refuse(xml, "its root is %.40s: it has to be attributes", name);
        return;
    }
    if (xml->depth != 1 || strcmp(name, "attribute") != 0) {
        bypeer_xml_refuse(xml, "%.40s is not expected here: attributes holds elements attribute", name);
        return;
    }
    const char *key = bypeer_xml_attribute(attributes, "name"), *type = bypeer_xml_attribute(attributes, "type");
    struct attribute_found found = {.name_at = reader->texts.length};
    if (key == NULL || !bypeer_attribute_name_is_legal(key))
        bypeer_xml_refuse(xml, "attribute %zu: its name has to be 1 to %d letters and digits",
                          attributes_count(reader) + 1, BYPEER_ATTRIBUTE_NAME_MAX);
    else if (bypeer_attribute_is_reserved(key))
        bypeer_xml_refuse(xml, "the name %s is reserved: take another", key);
    else if (type == NULL || !bypeer_attribute_type_read(&found.type, type))
        bypeer_xml_refuse(xml, "attribute %s: its type has to be string, int or date", key);
    else if (attributes_count(reader) == BYPEER_ATTRIBUTES_MAX)
        bypeer_xml_refuse(xml, "there are more than %d attributes", BYPEER_ATTRIBUTES_MAX);
    else if (bypeer_buffer_append(&reader->texts, key, strlen(key) + 1) < 0 ||
             bypeer_buffer_append(&reader->found, &found, sizeof(found)) < 0)
        bypeer_xml_fail(xml);
    xml->has_text = true;
    xml->text_bytes = 0;
}

static void attributes_end(struct xml_reader *xml, const char *name)
{
    struct attributes_reader *reader = (struct attributes_reader *)xml;
    (void)name;
    if (!xml->has_text)
        return;
    xml->has_text = false;
    struct attribute_found found;
    memcpy(&found, reader->found.bytes + reader->found.length - sizeof(found), sizeof(found));
    const char *value = xml->text_bytes > 0 ? xml->text : "";
    if (!bypeer_attribute_value_is_legal(found.type, value))
        bypeer_xml_refuse(xml, "attribute %s: its value is no %s", (const char *)reader->texts.bytes + found.name_at,
                          attribute_types[found.type]);
    else if (bypeer_buffer_append(&reader->texts, value, xml->text_bytes) < 0 ||
             bypeer_buffer_append(&reader->texts, "", 1) < 0)
        bypeer_xml_fail(xml);
}

/* One piece: the list, then the texts. */
static struct bypeer_attributes *attributes_make(const struct attributes_reader *reader)
{
    size_t count = attributes_count(reader);
    struct bypeer_attributes *attributes =
        malloc(sizeof(*attributes) + count * sizeof(attributes->at[0]) + reader->texts.length);
    if (attributes == NULL)
        return NULL;
    char *texts = (char *)&attributes->at[count];
    if (reader->texts.length > 0)
        memcpy(texts, reader->texts.bytes, reader->texts.length);
    attributes->count = count;
    for (size_t at = 0; at < count; at++) {
        struct attribute_found found;
        memcpy(&found, reader->found.bytes + at * sizeof(found), sizeof(found));
        const char *name = texts + found.name_at;
        attributes->at[at] = (struct bypeer_attribute){name, name + strlen(name) + 1, found.type};
    }
    return attributes;
}

int bypeer_attributes_read(struct bypeer_attributes **ret_attributes, const char *xml,
                           char why[static BYPEER_ATTRIBUTE_WHY])
{
    static const struct xml_handler handler = {attributes_start, attributes_end};
    struct attributes_reader reader = {0};
    int result = bypeer_graph_xml_read(&reader.xml, &handler, xml, why);
    struct bypeer_attributes *attributes = result == 0 ? attributes_make(&reader) : NULL;
    bypeer_buffer_clear(&reader.texts);
    bypeer_buffer_clear(&reader.found);
    if (result < 0)
        return result;
    if (attributes == NULL)
        return -ENOMEM;
    *ret_attributes = attributes;
    return 0;
}
