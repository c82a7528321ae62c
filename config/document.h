/*
 * A YAML text as a tree that knows its lines.
 *
 * The subset that a configuration needs: one document of mappings with scalar keys, sequences and scalars. Anchors and
 * aliases are references to one subtree, never copies, so no text makes a tree larger than itself; there are at most
 * BYPEER_DOCUMENT_ALIASES of them. Nesting ends at BYPEER_DOCUMENT_DEPTH.
 *
 *   nodes, one array                     a mapping's or sequence's children are a list:
 *   [0] none                             child -> next -> next -> 0
 *   [1] root                             40 bytes a node: a member of a list (two keys, two values) takes 120 bytes
 *   ...                                  and its text
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "config/report.h"

#define BYPEER_DOCUMENT_DEPTH   8
#define BYPEER_DOCUMENT_ALIASES 1000

enum bypeer_document_kind { BYPEER_DOCUMENT_SCALAR, BYPEER_DOCUMENT_MAPPING, BYPEER_DOCUMENT_SEQUENCE };

struct bypeer_document_node {
    const char *key;  /* its key in a mapping, else NULL */
    const char *text; /* of a scalar; NULL: an empty plain one, YAML's null */
    uint32_t line;    /* of its key, or of itself if it has none; from 1 */
    uint32_t child;   /* index of the first child, 0: none */
    uint32_t next;    /* index of the next sibling, 0: none */
    uint32_t count;   /* children */
    enum bypeer_document_kind kind;
};

struct bypeer_document_chunk;

struct bypeer_document {
    struct bypeer_document_node *nodes;
    uint32_t count, capacity;
    uint32_t root; /* 0: the text is empty */
    struct bypeer_document_chunk *chunks;
};

/* Returns 0, -EINVAL (report says why) or -ENOMEM; *ret_document untouched on failure. */
int bypeer_document_parse(struct bypeer_document *ret_document, const char *text, size_t length,
                          struct bypeer_report *report);
void bypeer_document_free(struct bypeer_document *document);
