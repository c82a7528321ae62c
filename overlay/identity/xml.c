#include "overlay/identity/xml.h"

#include <errno.h>
#include <expat.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WHY_BYTES 160
#define SEPARATOR ' ' /* between the name space and the name, as expat gives them */
#define DATATYPES "urn:schemas-microsoft-com:datatypes"

struct reader {
    XML_Parser parser;
    struct bypeer_xml *xml;
    unsigned depth;
    size_t room; /* of the text of the present child */
    bool is_short;
    char *why;
};

__attribute__((format(printf, 2, 3))) static void reader_refuse(struct reader *reader, const char *format, ...)
{
    va_list arguments;
    if (reader->why[0])
        return;
    va_start(arguments, format);
    vsnprintf(reader->why, WHY_BYTES, format, arguments);
    va_end(arguments);
    XML_StopParser(reader->parser, XML_FALSE);
}

/* The name without its name space. */
static const char *reader_name(const char *name)
{
    const char *separator = strrchr(name, SEPARATOR);
    return separator ? separator + 1 : name;
}

static void reader_begin_root(struct reader *reader, const char *name, const char **attributes)
{
    if (strlen(name) >= sizeof(reader->xml->root)) {
        reader_refuse(reader, "its root element has a name that is none of the platform's");
        return;
    }
    snprintf(reader->xml->root, sizeof(reader->xml->root), "%s", name);
    for (; attributes[0]; attributes += 2)
        if (strcmp(reader_name(attributes[0]), "VERSION") == 0 && strlen(attributes[1]) < sizeof(reader->xml->version))
            snprintf(reader->xml->version, sizeof(reader->xml->version), "%s", attributes[1]);
}

static void reader_begin_child(struct reader *reader, const char *name, const char **attributes)
{
    struct bypeer_xml *xml = reader->xml;
    if (xml->count == BYPEER_XML_CHILDREN_MAX || strlen(name) >= BYPEER_XML_NAME_MAX) {
        reader_refuse(reader, "it has more than %d elements, or one with a long name", BYPEER_XML_CHILDREN_MAX);
        return;
    }
    struct bypeer_xml_child *child = &xml->children[xml->count];
    *child = (struct bypeer_xml_child){.text = calloc(1, 1)};
    snprintf(child->name, sizeof(child->name), "%s", name);
    for (; attributes[0]; attributes += 2)
        if (strcmp(attributes[0], DATATYPES " dt") == 0)
            child->is_binary = strcmp(attributes[1], "bin.base64") == 0;
    reader->room = 1;
    xml->count++;
    if (!child->text) {
        reader->is_short = true;
        reader_refuse(reader, "memory is short");
    }
}

static void XMLCALL reader_begin(void *context, const char *name, const char **attributes)
{
    struct reader *reader = context;
    switch (reader->depth++) {
    case 0:
        reader_begin_root(reader, reader_name(name), attributes);
        break;
    case 1:
        reader_begin_child(reader, reader_name(name), attributes);
        break;
    default:
        reader_refuse(reader, "an element of it has elements of its own");
    }
}

static bool reader_is_space(char letter)
{
    return letter == ' ' || letter == '\t' || letter == '\n' || letter == '\r';
}

static void reader_trim(struct bypeer_xml_child *child)
{
    size_t start = 0;
    while (child->length > 0 && reader_is_space(child->text[child->length - 1]))
        child->length--;
    while (start < child->length && reader_is_space(child->text[start]))
        start++;
    child->length -= start;
    memmove(child->text, child->text + start, child->length);
    child->text[child->length] = '\0';
}

static void XMLCALL reader_end(void *context, const char *name)
{
    struct reader *reader = context;
    (void)name;
    if (--reader->depth == 1 && reader->xml->count > 0 && reader->xml->children[reader->xml->count - 1].text)
        reader_trim(&reader->xml->children[reader->xml->count - 1]);
}

static void XMLCALL reader_text(void *context, const char *text, int length)
{
    struct reader *reader = context;
    if (reader->depth != 2 || reader->xml->count == 0 || reader->why[0])
        return;
    struct bypeer_xml_child *child = &reader->xml->children[reader->xml->count - 1];
    if (child->length + (size_t)length >= reader->room) {
        /* By hand: what realloc() leaves behind may be secret. */
        size_t room = 2 * (child->length + (size_t)length) + 64;
        char *larger = malloc(room);
        if (!larger) {
            reader->is_short = true;
            reader_refuse(reader, "memory is short");
            return;
        }
        memcpy(larger, child->text, child->length);
        explicit_bzero(child->text, child->length);
        free(child->text);
        child->text = larger;
        reader->room = room;
    }
    memcpy(child->text + child->length, text, (size_t)length);
    child->length += (size_t)length;
    child->text[child->length] = '\0';
}

static void XMLCALL reader_type(void *context, const char *name, const char *system, const char *public, int internal)
{
    (void)name;
    (void)system;
    (void)public;
    (void)internal;
    reader_refuse(context, "it has a document type: leave that out");
}

int bypeer_xml_read(struct bypeer_xml *ret_xml, const char *text, size_t length, size_t maximum,
                    char why[static WHY_BYTES])
{
    memset(ret_xml, 0, sizeof(*ret_xml));
    why[0] = '\0';
    if (length > maximum) {
        snprintf(why, WHY_BYTES, "it is longer than %zu bytes", maximum);
        return -EBADMSG;
    }
    struct reader reader = {.parser = XML_ParserCreateNS(NULL, SEPARATOR), .xml = ret_xml, .why = why};
    if (!reader.parser)
        return -ENOMEM;
    XML_SetUserData(reader.parser, &reader);
    XML_SetElementHandler(reader.parser, reader_begin, reader_end);
    XML_SetCharacterDataHandler(reader.parser, reader_text);
    XML_SetStartDoctypeDeclHandler(reader.parser, reader_type);
    enum XML_Status status = XML_Parse(reader.parser, text, (int)length, 1);
    if (status != XML_STATUS_OK && !why[0])
        snprintf(why, WHY_BYTES, "it is no XML from line %lu on: %s",
                 (unsigned long)XML_GetCurrentLineNumber(reader.parser),
                 XML_ErrorString(XML_GetErrorCode(reader.parser)));
    XML_ParserFree(reader.parser);
    if (!why[0])
        return 0;
    bypeer_xml_release(ret_xml);
    return reader.is_short ? -ENOMEM : -EBADMSG;
}

void bypeer_xml_release(struct bypeer_xml *xml)
{
    for (size_t at = 0; at < xml->count; at++)
        if (xml->children[at].text) {
            explicit_bzero(xml->children[at].text, xml->children[at].length);
            free(xml->children[at].text);
        }
    xml->count = 0;
}

const struct bypeer_xml_child *bypeer_xml_find(const struct bypeer_xml *xml, const char *name)
{
    const struct bypeer_xml_child *found = NULL;
    for (size_t at = 0; at < xml->count; at++) {
        if (strcmp(xml->children[at].name, name) != 0)
            continue;
        if (found)
            return NULL;
        found = &xml->children[at];
    }
    return found;
}

int bypeer_xml_bytes(const struct bypeer_xml_child *child, uint8_t **ret_bytes, size_t *ret_length)
{
    size_t room = child->length / 4 * 3 + 3, length;
    const char *end;
    uint8_t *bytes = malloc(room);
    if (!bytes)
        return -ENOMEM;
    if (sodium_base642bin(bytes, room, child->text, child->length, " \t\r\n", &length, &end,
                          sodium_base64_VARIANT_ORIGINAL) != 0 ||
        end != child->text + child->length) {
        explicit_bzero(bytes, room);
        free(bytes);
        return -EBADMSG;
    }
    *ret_bytes = bytes;
    *ret_length = length;
    return 0;
}

static void writer_put(struct bypeer_xml_writer *writer, const char *text, size_t length)
{
    if (writer->has_failed)
        return;
    if (writer->length + length >= writer->room) {
        size_t room = 2 * (writer->length + length) + 256;
        char *larger = malloc(room);
        if (!larger) {
            writer->has_failed = true;
            return;
        }
        if (writer->text) {
            memcpy(larger, writer->text, writer->length);
            explicit_bzero(writer->text, writer->length);
        }
        free(writer->text);
        writer->text = larger;
        writer->room = room;
    }
    memcpy(writer->text + writer->length, text, length);
    writer->length += length;
    writer->text[writer->length] = '\0';
}

__attribute__((format(printf, 2, 3))) static void writer_print(struct bypeer_xml_writer *writer, const char *format,
                                                               ...)
{
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (length < 0 || (size_t)length >= sizeof(text))
        writer->has_failed = true;
    else
        writer_put(writer, text, (size_t)length);
}

void bypeer_xml_begin(struct bypeer_xml_writer *ret_writer, const char *root, const char *version)
{
    *ret_writer = (struct bypeer_xml_writer){.root = root};
    writer_print(ret_writer, "<%s VERSION=\"%s\" xmlns:dt=\"" DATATYPES "\">", root, version);
}

void bypeer_xml_put_text(struct bypeer_xml_writer *writer, const char *name, const char *text)
{
    writer_print(writer, "<%s>", name);
    for (; *text; text++) {
        const char *escape = *text == '&' ? "&amp;" : *text == '<' ? "&lt;" : *text == '>' ? "&gt;" : NULL;
        if (escape)
            writer_put(writer, escape, strlen(escape));
        else if (reader_is_space(*text) && *text != ' ')
            writer_print(writer, "&#%d;", *text); /* else a reader might fold it */
        else
            writer_put(writer, text, 1);
    }
    writer_print(writer, "</%s>", name);
}

void bypeer_xml_put_bytes(struct bypeer_xml_writer *writer, const char *name, const uint8_t *bytes, size_t length)
{
    size_t room = sodium_base64_encoded_len(length, sodium_base64_VARIANT_ORIGINAL);
    char *text = malloc(room);
    if (!text) {
        writer->has_failed = true;
        return;
    }
    sodium_bin2base64(text, room, bytes, length, sodium_base64_VARIANT_ORIGINAL);
    writer_print(writer, "<%s dt:dt=\"bin.base64\">", name);
    writer_put(writer, text, strlen(text));
    writer_print(writer, "</%s>", name);
    explicit_bzero(text, room);
    free(text);
}

int bypeer_xml_end(struct bypeer_xml_writer *writer, char **ret_text)
{
    writer_print(writer, "</%s>", writer->root);
    if (writer->has_failed) {
        if (writer->text)
            explicit_bzero(writer->text, writer->length);
        free(writer->text);
        return -ENOMEM;
    }
    *ret_text = writer->text;
    return 0;
}
