/*
 * The flat XML of the platform: one root element with an attribute VERSION, and children with text and no elements of
 * their own. Identity information, exports, invitations and group configurations are all of this form.
 *
 *   <PEERIDENTITYINFO VERSION="1.0"><IDC xmlns:dt="urn:…:datatypes" dt:dt="bin.base64">MIIC…</IDC></PEERIDENTITYINFO>
 *
 * Document types and entities of one's own are refused, so a text cannot grow when it is read.
 *
 * Threads: any.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BYPEER_XML_CHILDREN_MAX 24
#define BYPEER_XML_NAME_MAX     32

struct bypeer_xml_child {
    char name[BYPEER_XML_NAME_MAX];
    bool is_binary; /* dt:dt="bin.base64" */
    char *text;     /* NUL-terminated, without white space at its ends */
    size_t length;
};

struct bypeer_xml {
    char root[BYPEER_XML_NAME_MAX];
    char version[8];
    size_t count;
    struct bypeer_xml_child children[BYPEER_XML_CHILDREN_MAX];
};

/* Reads a text of at most maximum bytes. 0; -EBADMSG with one line in why; -ENOMEM. *ret_xml is to be released. */
int bypeer_xml_read(struct bypeer_xml *ret_xml, const char *text, size_t length, size_t maximum, char why[static 160]);
void bypeer_xml_release(struct bypeer_xml *xml); /* wipes the texts, which may be secret */
/* The only child of that name, NULL: none, or more than one. */
const struct bypeer_xml_child *bypeer_xml_find(const struct bypeer_xml *xml, const char *name);
/* The bytes that a child's base64 stands for, in memory that is to be freed by free(). 0, -EBADMSG, -ENOMEM. */
int bypeer_xml_bytes(const struct bypeer_xml_child *child, uint8_t **ret_bytes, size_t *ret_length);

/* Writing: begin, children in order, end. The text grows as needed; a failure is remembered until the end. */
struct bypeer_xml_writer {
    char *text;
    size_t length, room;
    bool has_failed;
    const char *root;
};

void bypeer_xml_begin(struct bypeer_xml_writer *ret_writer, const char *root, const char *version);
void bypeer_xml_put_text(struct bypeer_xml_writer *writer, const char *name, const char *text); /* escaped */
void bypeer_xml_put_bytes(struct bypeer_xml_writer *writer, const char *name, const uint8_t *bytes, size_t length);
/* The text, NUL-terminated, to be freed by free(). 0 or -ENOMEM. */
int bypeer_xml_end(struct bypeer_xml_writer *writer, char **ret_text);
