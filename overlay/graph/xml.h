/*
 * XML texts that come from others: read by expat without document types, so that no entity is ever expanded. For the
 * formats of this folder only.
 */
#pragma once

#include <expat.h>
#include <stdbool.h>
#include <stddef.h>

#include "overlay/graph/attributes.h"

struct xml_reader {
    XML_Parser parser;
    char *why;      /* BYPEER_ATTRIBUTE_WHY bytes */
    int result;     /* 0, or what ended the reading */
    unsigned depth; /* elements that are open */
    bool has_text;  /* whether text is taken now; else only white space is legal */
    char *text;     /* what came since it was; NUL-terminated */
    size_t text_bytes;
};

struct xml_handler {
    /* An element starts; .depth counts those around it. attributes are pairs, NULL at the end. */
    void (*start)(struct xml_reader *reader, const char *name, const char **attributes);
    void (*end)(struct xml_reader *reader, const char *name);
};

/* Reads the text; the reader is the first member of the handlers' own struct. 0, -EINVAL with why, -ENOMEM. */
int bypeer_graph_xml_read(struct xml_reader *reader, const struct xml_handler *handler, const char *xml,
                          char why[static BYPEER_ATTRIBUTE_WHY]);
/* From a handler: ends the reading with -EINVAL and one line. */
__attribute__((format(printf, 2, 3))) void bypeer_xml_refuse(struct xml_reader *reader, const char *format, ...);
/* From a handler: ends the reading with -ENOMEM. */
void bypeer_xml_fail(struct xml_reader *reader);
/* The value of an attribute, NULL if it has none. */
const char *bypeer_xml_attribute(const char **attributes, const char *name);
/* "string", "int", "date". */
bool bypeer_attribute_type_read(enum bypeer_attribute_type *ret_type, const char *text);
/* A name of 1 to 40 letters and digits. */
bool bypeer_attribute_name_is_legal(const char *name);
/* Whether a value is one of its type. */
bool bypeer_attribute_value_is_legal(enum bypeer_attribute_type type, const char *value);
/* Whether a name stands for a field of the record itself. */
bool bypeer_attribute_is_reserved(const char *name);
