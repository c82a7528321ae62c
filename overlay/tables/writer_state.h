/* What the files of the writer share: writer.c (the whole), writer_links.c, writer_prefixes.c. */
#pragma once

#include <string.h>

#include "overlay/tables/exact_writer.h"
#include "overlay/tables/prefixes.h"
#include "overlay/tables/slots.h"
#include "overlay/tables/writer.h"

/* Prefix routes: sorted in private memory, seen by readers only through the tree of the last commit. */
struct bypeer_prefix_writer {
    struct bypeer_prefix *sorted;
    uint32_t capacity, used;
    struct bypeer_destination *routes;
    struct bypeer_pool pool; /* of routes */
    uint32_t *dropped;       /* slots that the present tree may still name: retired at the next commit */
    uint32_t dropped_count;
    struct bypeer_prefixes tree;
    struct bypeer_pool halves; /* slots 1 and 2: the tree's halves 0 and 1 */
};

struct bypeer_writer {
    struct bypeer_tables_header *header;
    uint64_t bytes;
    uint32_t layout;
    uint64_t token; /* newest grace period asked for */
    struct bypeer_tables_size size;
    struct bypeer_exact_writer destinations;
    struct bypeer_exact_writer ingresses;
    struct bypeer_slots_writer links;
    struct bypeer_slots_writer adjacencies;
    struct bypeer_slots_writer groups;
    struct bypeer_prefix_writer prefixes;
};

/* A destination as this generation's layout has it: what the layout does not know yet is zero, as readers expect. */
static inline struct bypeer_destination bypeer_writer_destination(const struct bypeer_writer *writer,
                                                                  const struct bypeer_destination *given)
{
    struct bypeer_destination destination = *given;
    memset(destination.reserved, 0, sizeof(destination.reserved));
#ifdef BYPEER_NEXT_LAYOUT
    if (writer->layout < 2)
        destination.expires_s = 0;
#else
    (void)writer;
#endif
    return destination;
}

int bypeer_prefix_writer_init(struct bypeer_prefix_writer *prefixes, struct bypeer_tables_header *header,
                              struct bypeer_destination *routes, uint32_t route_count, uint32_t capacity);
void bypeer_prefix_writer_free(struct bypeer_prefix_writer *prefixes);
