#include "overlay/graph/xml.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define XML_DEPTH_MAX 64

struct xml_user {
    struct xml_reader *reader;
    const struct xml_handler *handler;
};

void bypeer_xml_refuse(struct xml_reader *reader, const char *format, ...)
{
    va_list arguments;
    if (reader->result != 0)
        return;
    va_start(arguments, format);
    vsnprintf(reader->why, BYPEER_ATTRIBUTE_WHY, format, arguments);
    va_end(arguments);
    reader->result = -EINVAL;
    XML_StopParser(reader->parser, XML_FALSE);
}

void bypeer_xml_fail(struct xml_reader *reader)
{
    if (reader->result == 0)
        reader->result = -ENOMEM;
    XML_StopParser(reader->parser, XML_FALSE);
}

const char *bypeer_xml_attribute(const char **attributes, const char *name)
{
    for (; *attributes; attributes += 2)
        if (strcmp(attributes[0], name) == 0)
            return attributes[1];
    return NULL;
}

static void xml_start(void *context, const char *name, const char **attributes)
{
    struct xml_user *user = context;
    struct xml_reader *reader = user->reader;
    if (reader->depth == XML_DEPTH_MAX)
        bypeer_xml_refuse(reader, "elements are nested more than %d deep", XML_DEPTH_MAX);
    else if (reader->result == 0)
        user->handler->start(reader, name, attributes);
    reader->depth++;
}

static void xml_end(void *context, const char *name)
{
    struct xml_user *user = context;
    user->reader->depth--;
    if (user->reader->result == 0)
        user->handler->end(user->reader, name);
}

static void xml_text(void *context, const char *text, int length)
{
    struct xml_reader *reader = ((struct xml_user *)context)->reader;
    if (reader->result != 0)
        return;
    if (!reader->has_text) {
        for (int at = 0; at < length; at++)
            if (strchr(" \t\r\n", text[at]) == NULL) {
                bypeer_xml_refuse(reader, "there is text outside of a value");
                return;
            }
        return;
    }
    char *grown = realloc(reader->text, reader->text_bytes + (size_t)length + 1);
    if (grown == NULL) {
        bypeer_xml_fail(reader);
        return;
    }
    memcpy(grown + reader->text_bytes, text, (size_t)length);
    reader->text = grown;
    reader->text_bytes += (size_t)length;
    grown[reader->text_bytes] = '\0';
}

static void xml_doctype(void *context, const char *name, const char *system_id, const char *public_id, int has_subset)
{
    (void)name, (void)system_id, (void)public_id, (void)has_subset;
    bypeer_xml_refuse(((struct xml_user *)context)->reader, "it has a document type: leave it out");
}

int bypeer_graph_xml_read(struct xml_reader *reader, const struct xml_handler *handler, const char *xml,
                          char why[static BYPEER_ATTRIBUTE_WHY])
{
    struct xml_user user = {reader, handler};
    size_t length = strlen(xml);
    reader->why = why;
    if (length > INT32_MAX) {
        snprintf(why, BYPEER_ATTRIBUTE_WHY, "it has %zu bytes: shorten it", length);
        return -EINVAL;
    }
    reader->parser = XML_ParserCreate("UTF-8");
    if (reader->parser == NULL)
        return -ENOMEM;
    XML_SetUserData(reader->parser, &user);
    XML_SetElementHandler(reader->parser, xml_start, xml_end);
    XML_SetCharacterDataHandler(reader->parser, xml_text);
    XML_SetStartDoctypeDeclHandler(reader->parser, xml_doctype);
    if (XML_Parse(reader->parser, xml, (int)length, XML_TRUE) != XML_STATUS_OK && reader->result == 0) {
        enum XML_Error error = XML_GetErrorCode(reader->parser);
        reader->result = error == XML_ERROR_NO_MEMORY ? -ENOMEM : -EINVAL;
        snprintf(why, BYPEER_ATTRIBUTE_WHY, "it is no XML at byte %ld: %s",
                 (long)XML_GetCurrentByteIndex(reader->parser), XML_ErrorString(error));
    }
    XML_ParserFree(reader->parser);
    free(reader->text);
    reader->text = NULL;
    return reader->result;
}
