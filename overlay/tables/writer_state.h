/* What the files of the writer share: writer.c (the whole) and writer_*.c. */
#pragma once

#include <string.h>

#include "overlay/tables/exact_writer.h"
#include "overlay/tables/names_array.h"
#include "overlay/tables/names_build.h"
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

/* What became of an ID since the half in use was built. */
struct bypeer_names_change {
    struct bypeer_name_record record; /* .extra, .run and .dead are of no meaning */
    uint8_t more[BYPEER_NAME_ADDRESSES - 1][16];
    uint32_t stale; /* the record of the half in use that this replaces, plus 1; 0: none */
    uint8_t cloud;
    bool removed;
    bool fresh; /* since the rebuild under way has begun */
};

struct bypeer_names_build {
    bool begun, built;
    int result;
    bool gone[BYPEER_CLOUDS_MAX + 1]; /* clouds that were removed meanwhile */
    struct bypeer_names_array array;  /* the spare half */
    uint32_t spare;                   /* its slot in the pool */
    struct bypeer_names_source source;
    /* Where the IDs come from if there is no source: the half in use as of a serial, and the changes since. */
    struct bypeer_names_view from;
    struct bypeer_names_place half[BYPEER_CLOUDS_MAX + 1];
    uint32_t serial;
    struct bypeer_names_change *changes; /* by cloud, then ID */
    uint32_t change_count;
};

struct bypeer_names_writer {
    uint64_t *header_root;
    struct bypeer_names_view view;
    uint32_t capacity;
    uint32_t used[BYPEER_CLOUDS_MAX + 1]; /* IDs of each cloud */
    struct bypeer_names_root root;
    bool dirty;   /* readers have not seen all of this */
    bool crowded; /* the half in use has marked records side by side */
    struct bypeer_names_change *changes;
    uint32_t changes_max; /* twice the delta: removals count, too, until the next commit or swap */
    uint32_t *free;       /* numbers of unused changes */
    uint32_t *order;      /* numbers of changes, by cloud, then ID */
    uint32_t order_count;
    uint32_t puts; /* of these, those that are no removals: what the delta holds */
    uint32_t puts_max;
    struct bypeer_name_own *owns; /* by cloud, then ID */
    uint32_t own_counts[BYPEER_CLOUDS_MAX + 1];
    uint32_t owns_max;
    struct bypeer_pool halves; /* slots 1 and 2: arrays 0 and 1 */
    struct bypeer_pool deltas; /* slots 1 to 4: arrays 2 to 5 */
    struct bypeer_names_build build;
};

/* Where a slot of a session is on its way. */
enum bypeer_session_stage {
    BYPEER_SESSION_FRESH = 0, /* never used by this writer */
    BYPEER_SESSION_FREE,      /* used before */
    BYPEER_SESSION_TAKEN,
    BYPEER_SESSION_PUT,
    BYPEER_SESSION_RETIRED,
    BYPEER_SESSION_BLOCKED,
};

struct bypeer_sessions_writer {
    struct bypeer_wireguard_session *records;
    uint8_t *stages; /* enum bypeer_session_stage, by slot */
    uint32_t slots;
    uint32_t used; /* taken, put or blocked */
    struct bypeer_pool pool;
};

struct bypeer_relays_writer {
    struct bypeer_relay_record *records; /* capacity + 1 of them, by number */
    uint32_t *ports;
    uint32_t capacity, used;
    struct bypeer_pool pool;
};

/* Chains of rules and links. */
struct bypeer_group_parts_writer {
    struct bypeer_group_part *records;
    uint32_t capacity, used;
    struct bypeer_pool pool;
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
    struct bypeer_group_parts_writer group_parts;
    struct bypeer_prefix_writer prefixes;
    struct bypeer_slots_writer clouds;
    struct bypeer_names_writer names;
    struct bypeer_sessions_writer sessions;
    struct bypeer_relays_writer relays;
    struct bypeer_slots_writer link_limits, group_limits;
    struct {
        uint8_t address[16];
        uint16_t port;
    } endpoints[BYPEER_ENDPOINTS_MAX]; /* of WireGuard */
    uint32_t endpoint_count;
};

/* A record as this generation's layout has it: what the layout does not know yet is zero, as readers expect. */
static inline struct bypeer_destination bypeer_writer_record(const struct bypeer_writer *writer,
                                                             const struct bypeer_destination *given)
{
    struct bypeer_destination record = *given;
#ifdef BYPEER_NEXT_LAYOUT
    if (writer->layout < 2)
        record.expires_s = 0;
#else
    (void)writer;
    record.reserved0 = 0;
#endif
    return record;
}

/* An empty table on zeroed memory of so many slots. 0 or -ENOMEM. */
int bypeer_sessions_writer_init(struct bypeer_sessions_writer *sessions, struct bypeer_wireguard_session *records,
                                uint32_t slots);
void bypeer_sessions_writer_free(struct bypeer_sessions_writer *sessions);
/* Lets go of what has passed its grace period, and wipes it. */
void bypeer_sessions_writer_reclaim(struct bypeer_sessions_writer *sessions, uint64_t completed);
/* Puts every session of from, and takes every slot that is taken there. 0 or -ENOSPC. */
int bypeer_sessions_writer_copy(struct bypeer_sessions_writer *to, const struct bypeer_sessions_writer *from);

/* On zeroed memory of capacity + 1 records. 0 or -ENOMEM. */
int bypeer_relays_writer_init(struct bypeer_relays_writer *relays, struct bypeer_relay_record *records, uint32_t *ports,
                              uint32_t capacity);
void bypeer_relays_writer_free(struct bypeer_relays_writer *relays);
void bypeer_relays_writer_reclaim(struct bypeer_relays_writer *relays, uint64_t completed);
int bypeer_writer_copy_relays(struct bypeer_writer *to, const struct bypeer_writer *from);

/* An empty pool of parts on zeroed memory of so many records. 0 or -ENOMEM. */
int bypeer_group_parts_writer_init(struct bypeer_group_parts_writer *parts, struct bypeer_group_part *records,
                                   uint32_t record_count, uint32_t capacity);
void bypeer_group_parts_writer_free(struct bypeer_group_parts_writer *parts);
/* Puts every group of from, with its rules and multicast list. 0 or -ENOSPC. */
int bypeer_writer_copy_groups(struct bypeer_writer *to, const struct bypeer_writer *from);
/* So many more groups have rules, or links are trunks. */
void bypeer_writer_count_judged(struct bypeer_writer *writer, int more);

/* Puts every limit of from. 0 or -ENOSPC. */
int bypeer_writer_copy_limits(struct bypeer_writer *to, const struct bypeer_writer *from);

int bypeer_prefix_writer_init(struct bypeer_prefix_writer *prefixes, struct bypeer_tables_header *header,
                              struct bypeer_destination *routes, uint32_t route_count, uint32_t capacity);
void bypeer_prefix_writer_free(struct bypeer_prefix_writer *prefixes);

int bypeer_names_writer_init(struct bypeer_names_writer *names, struct bypeer_tables_header *header, uint32_t capacity);
void bypeer_names_writer_free(struct bypeer_names_writer *names);
/* Forgets all IDs of a cloud; readers see none from now on but in the delta, until the next commit. */
void bypeer_names_writer_forget(struct bypeer_names_writer *names, uint32_t cloud);
uint32_t bypeer_names_writer_used(const struct bypeer_names_writer *names);
/* Lets the changes go that keep() does not want. */
typedef bool bypeer_names_keep_function(const struct bypeer_names_change *change, uint32_t cloud);
void bypeer_names_writer_sweep(struct bypeer_names_writer *names, bypeer_names_keep_function *keep, uint32_t cloud);
bool bypeer_names_change_is_put(const struct bypeer_names_change *change, uint32_t cloud);
/* Writes a spare delta, which there is, marks what it replaces, and publishes it with this half and serial. */
void bypeer_names_writer_publish(struct bypeer_names_writer *names, uint32_t half, uint32_t serial);
/* Puts all that from has into the empty index to. 0 or -ENOSPC. */
int bypeer_names_writer_copy(struct bypeer_names_writer *to, const struct bypeer_names_writer *from);
