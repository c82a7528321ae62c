/*
 * The one writer of a tables region.
 *
 * The writer owns a region's memory through a writable mapping and, in private memory, everything that a reader must
 * not depend on: free lists, what is retired and waits for its grace period, which prefixes there are. The region can
 * always be rebuilt; nothing in it is read back but records that the writer put there.
 *
 * Every change is published by one aligned store (a tag, a slot, an index entry, the prefix root), so that a reader
 * sees the table before or after it, never between. What a change takes out of use is retired: its slot is used again
 * only after a grace period (grace.h) has shown that no reader can still look at it. When so much is retired that no
 * slot is free, a call returns -EAGAIN: let readers pass a grace period, call bypeer_writer_reclaim(), try again.
 *
 * Growth: a full section gives -ENOSPC. Nothing in a region moves or grows; a larger region is made
 * (bypeer_writer_create with a larger size), bypeer_writer_copy() fills it, and control hands it over as the next
 * generation while readers go on with the old one.
 *
 * Threads: one (control's loop). Nothing here blocks, allocates per change or makes a system call.
 */
#pragma once

#include "overlay/tables/layout.h"
#include "overlay/tables/names.h"

#define BYPEER_DESTINATIONS_MIN 1000
#define BYPEER_DESTINATIONS_MAX 100000000
#define BYPEER_TABLES_IDS_MAX   1000000
#define BYPEER_RELAYS_MAX       ((1u << 20) - 1) /* two ends each, of the 2^21 of the sessions region */
#define BYPEER_GROUP_PARTS_MAX  1000000
#define BYPEER_ENDPOINTS_MAX    128 /* of WireGuard, and own addresses (port 0) */

/* How much a generation can hold. All counts are of usable entries. */
struct bypeer_tables_size {
    uint32_t destinations; /* BYPEER_DESTINATIONS_MIN to _MAX: 73 bytes each */
    uint32_t links;        /* this and the others: 1 to BYPEER_TABLES_IDS_MAX */
    uint32_t adjacencies;
    uint32_t groups;
    uint32_t prefixes;
    uint32_t names; /* IDs in the nearest-ID index, all clouds together: 0 (none) to BYPEER_NAMES_MAX, 224 bytes each */
    uint32_t sessions;    /* of WireGuard: 0 to BYPEER_SESSIONS_MAX, 128 bytes each */
    uint32_t relays;      /* pairs, by number: 0 to BYPEER_RELAYS_MAX, 64 bytes each */
    uint32_t group_parts; /* of rules and multicast lists: 0 to BYPEER_GROUP_PARTS_MAX, 64 bytes for 3 rules or links */
};

/* Sessions for so many links: previous, current and next of each peer, and some that wait for a grace period. */
static inline uint32_t bypeer_tables_sessions_for(uint32_t links)
{
    return links < BYPEER_SESSIONS_MAX / 4 ? 3 * links + links / 4 + 64 : BYPEER_SESSIONS_MAX;
}

struct bypeer_writer;

/* Bytes that a region of this size takes, header included, a multiple of 4096; 0: a count is outside its limits. */
uint64_t bypeer_tables_bytes(const struct bypeer_tables_size *size);

/*
 * Lays out empty tables in bytes (at least bypeer_tables_bytes(size)) of zeroed memory at base, which must stay mapped
 * until bypeer_writer_free(). layout: the version to write, BYPEER_LAYOUT_OLDEST to _NEWEST. The region is not
 * published yet: bypeer_writer_publish() does that, after the first filling.
 * Returns 0, -EINVAL or -ENOMEM.
 */
int bypeer_writer_create(struct bypeer_writer **ret_writer, void *base, uint64_t bytes,
                         const struct bypeer_tables_size *size, uint32_t layout, uint64_t generation,
                         uint64_t hash_seed, uint64_t created_ns);
void bypeer_writer_publish(struct bypeer_writer *writer);
void bypeer_writer_free(struct bypeer_writer *writer); /* NULL is fine; the memory stays the caller's */

/* Puts every record of from into the empty writer to (links, adjacencies, groups and clouds keep their ids, sessions
 * their slots), names with all that was put, committed or not. 0 or -ENOSPC. */
int bypeer_writer_copy(struct bypeer_writer *to, const struct bypeer_writer *from);

/*
 * Inserts the destination, or replaces the record of the same key. Returns 1 if it is new, 0 if it replaced one,
 * -ENOSPC when the table is full, -EAGAIN when retired records hold all that is free; -EINVAL: its group is
 * BYPEER_GROUP_ANY, which only a link can have.
 */
int bypeer_writer_put_destination(struct bypeer_writer *writer, const struct bypeer_destination *destination);
/* 0, or -ENOENT. */
int bypeer_writer_remove_destination(struct bypeer_writer *writer, const uint8_t key[static 16]);
/* The present record, or NULL. Valid until the next change. */
const struct bypeer_destination *bypeer_writer_find_destination(const struct bypeer_writer *writer,
                                                                const uint8_t key[static 16]);

/* Starts to fetch what a change of this key will look at first: worth it some ten changes ahead. */
void bypeer_writer_prefetch_destination(const struct bypeer_writer *writer, const uint8_t key[static 16]);

/* Ids are the caller's choice, 1 to size; the record replaces the one of that id. Same errors; -EINVAL: id. */
int bypeer_writer_put_adjacency(struct bypeer_writer *writer, const struct bypeer_adjacency *adjacency);
/* What the next two functions set stays as it is, whatever *group says of it. */
int bypeer_writer_put_group(struct bypeer_writer *writer, const struct bypeer_group *group);
/* The same of a group that is not there yet, with its rules in one step: workers see it with them, or not at all. One
 * that is there keeps those that it has. */
int bypeer_writer_add_group(struct bypeer_writer *writer, const struct bypeer_group *group,
                            const struct bypeer_policy_rule rules[], uint32_t count);
/* The present record or NULL; valid until the next change. */
const struct bypeer_group *bypeer_writer_find_group(const struct bypeer_writer *writer, uint32_t id);
/*
 * The links that multicast of a present group goes to, in place of those before: of the group itself, to this host or
 * to peers, and trunks; others of the list are passed over by workers, and so is the link that a packet came by.
 * packets_s: how many packets one link may send a second. count 0: multicast goes nowhere. At most
 * BYPEER_MULTICAST_LINKS_MAX.
 */
int bypeer_writer_set_multicast(struct bypeer_writer *writer, uint32_t group,
                                const struct bypeer_multicast_receiver receivers[], uint32_t count, uint32_t packets_s);
/* Its rules (layout.h), at most BYPEER_GROUP_RULES_MAX, in their order, in place of those before. count 0: all passes.
 */
int bypeer_writer_set_rules(struct bypeer_writer *writer, uint32_t group, const struct bypeer_policy_rule rules[],
                            uint32_t count);
/* Of both: 0; -ENOENT: there is no such group; -E2BIG; -EINVAL: a rule's ports or verdict; -ENOSPC or -EAGAIN: no room
 * for it, as of a link. On failure nothing has changed. */
/*
 * A fabric link is also entered into (removed from) the ingress table under (peer, VNI); -EEXIST: another link has it.
 * The first link with its (local, udp_port) also enters that endpoint (tables.h, BYPEER_INGRESS_ENDPOINT), the last one
 * removes it: the ingress table has room for two records a link. Links of other kinds enter nothing there.
 */
int bypeer_writer_put_link(struct bypeer_writer *writer, const struct bypeer_link *link);
int bypeer_writer_remove_adjacency(struct bypeer_writer *writer, uint32_t id);
int bypeer_writer_remove_group(struct bypeer_writer *writer, uint32_t id);
int bypeer_writer_remove_link(struct bypeer_writer *writer, uint32_t id);

/*
 * WireGuard sessions, by slot: a receiver index is random bits over its slot (layout.h).
 *
 *   take    a slot for a handshake that may become a session; readers see nothing yet
 *   put     its session, whose .local_index names the slot: seen from now on, never changed
 *   give    back a slot for which no session came
 *   remove  hides a session at once; its keys are overwritten, and its slot is free, after a grace period
 *
 * Take: 0; -ENOSPC: all are in use; -EAGAIN: let a grace period pass. Slots are used again in the order in which they
 * became free. At a restart, before anything else: adopt puts a session of the generation before into this very slot
 * (0; -EEXIST: it is in use; -EINVAL: no such slot, or not the one of its index); block keeps a slot of it that was not
 * adopted from being used by this writer. The others do nothing with a slot that is not in that state.
 */
int bypeer_writer_take_session(struct bypeer_writer *writer, uint32_t *ret_slot);
void bypeer_writer_put_session(struct bypeer_writer *writer, uint32_t slot,
                               const struct bypeer_wireguard_session *session);
void bypeer_writer_give_session(struct bypeer_writer *writer, uint32_t slot);
void bypeer_writer_remove_session(struct bypeer_writer *writer, uint32_t slot);
int bypeer_writer_adopt_session(struct bypeer_writer *writer, uint32_t slot,
                                const struct bypeer_wireguard_session *session);
void bypeer_writer_block_session(struct bypeer_writer *writer, uint32_t slot);
/* The present session of a slot or NULL; valid until it is removed. */
const struct bypeer_wireguard_session *bypeer_writer_find_session(const struct bypeer_writer *writer, uint32_t slot);

/* What workers need for handshakes: before the tables are published. */
void bypeer_writer_set_wireguard(struct bypeer_writer *writer, const struct bypeer_wireguard_config *config);

/* An own address and port (host order) of WireGuard, as an endpoint in the ingress table (tables.h). 0; -EEXIST: it is
 * one already, of WireGuard, a cloud or a fabric link; -ENOSPC: more than BYPEER_ENDPOINTS_MAX; -EAGAIN. Remove: 0 or
 * -ENOENT. */
int bypeer_writer_put_endpoint(struct bypeer_writer *writer, const uint8_t address[static 16], uint16_t port);
int bypeer_writer_remove_endpoint(struct bypeer_writer *writer, const uint8_t address[static 16], uint16_t port);

/*
 * Relay records (layout.h) under numbers that the caller gives out: to another pair only when nothing is retired any
 * more that was so when the number was (bypeer_writer_usage()). Addresses in .keys tell their ends (overlay/relay/
 * address.h). Put: 1: new; 0: replaced, and of the same pair only the links may differ; -EINVAL: serial 0, or another
 * pair has the number; -ENOSPC: the number is beyond the size. Remove: 0 or -ENOENT.
 */
int bypeer_writer_put_relay(struct bypeer_writer *writer, uint32_t number, const struct bypeer_relay_record *relay);
int bypeer_writer_remove_relay(struct bypeer_writer *writer, uint32_t number);
/* Before the tables are published. */
void bypeer_writer_set_relay_prefix(struct bypeer_writer *writer, const struct bypeer_relay_prefix *prefix);

/*
 * Limits of links and groups (layout.h), in force for the next burst. What follows from .bits_s and .burst is filled in
 * here; -EINVAL: the id, or they are outside of what rate.h allows. Otherwise results as of links. A link or group that
 * is removed takes its limit along.
 */
int bypeer_writer_put_link_limit(struct bypeer_writer *writer, const struct bypeer_limit *limit);
int bypeer_writer_put_group_limit(struct bypeer_writer *writer, const struct bypeer_limit *limit);
int bypeer_writer_remove_link_limit(struct bypeer_writer *writer, uint32_t link);
int bypeer_writer_remove_group_limit(struct bypeer_writer *writer, uint32_t group);
/* The present limit or NULL; valid until the next change. */
const struct bypeer_limit *bypeer_writer_find_link_limit(const struct bypeer_writer *writer, uint32_t link);
const struct bypeer_limit *bypeer_writer_find_group_limit(const struct bypeer_writer *writer, uint32_t group);

/*
 * Prefix routes are kept sorted in private memory; readers see them after bypeer_writer_commit_prefixes(), which
 * rebuilds the search tree beside the present one and swaps. -EAGAIN: the spare tree is still in its grace period; of
 * put: commit, then let a grace period pass. -EINVAL: more than 128 bits, a bit is set beyond
 * them, or its group is BYPEER_GROUP_ANY.
 * A put or remove moves what sorts after it (24 bytes a prefix), so many are best put in ascending order; a commit
 * takes some 50 ns a prefix.
 */
int bypeer_writer_put_prefix(struct bypeer_writer *writer, const struct bypeer_destination *route);
int bypeer_writer_remove_prefix(struct bypeer_writer *writer, const uint8_t prefix[static 16], uint32_t bits);
int bypeer_writer_commit_prefixes(struct bypeer_writer *writer);

/*
 * Clouds: numbers 1 to BYPEER_CLOUDS_MAX. Each (own address, BYPEER_INGRESS_ENDPOINT | port) is entered into the
 * ingress table, flagged BYPEER_DESTINATION_CLOUD, with the number as .link; a fabric link may have the same address
 * with another port. Returns 1: new, 0: replaced; -EINVAL: number, port or number of addresses; -EEXIST: a link or
 * another cloud has one of the endpoints (the same holds for links); -EAGAIN. Removing a cloud removes its IDs, at the
 * next commit: 0 or -ENOENT.
 */
int bypeer_writer_put_cloud(struct bypeer_writer *writer, const struct bypeer_cloud_record *cloud);
int bypeer_writer_remove_cloud(struct bypeer_writer *writer, uint32_t number);

/* An ID as control knows it. */
struct bypeer_name {
    uint8_t id[32];
    uint8_t addresses[BYPEER_NAME_ADDRESSES][16];
    uint16_t port;
    uint8_t address_count; /* 1 to 4 */
    uint8_t flags;         /* BYPEER_NAME_* */
};

/*
 * IDs of the nearest-ID index (names.h). Readers see puts, removals and own IDs after bypeer_writer_commit_names(), all
 * of them at once; a commit writes the whole delta anew (some 100 us when it is full), so make many changes, then one
 * commit.
 *
 * Put: 1: new; 0: replaced, or the same was there; -EINVAL: no such cloud, or the number of addresses; -ENOBUFS: the
 * delta is full: rebuild, then again; -ENOSPC: the index is full: a larger generation. Remove: 0; -ENOENT; -ENOBUFS
 * (only while a rebuild is under way that so many changes came during: swap, then again).
 */
int bypeer_writer_put_name(struct bypeer_writer *writer, uint32_t cloud, const struct bypeer_name *name);
int bypeer_writer_remove_name(struct bypeer_writer *writer, uint32_t cloud, const uint8_t id[static 32]);
/* The own IDs of a cloud, in place of all that it had; they are put as names, too, flagged BYPEER_NAME_OWN. owns:
 * ascending by ID. -EINVAL: no such cloud, or not ascending; -ENOSPC: more than BYPEER_OWN_MAX in all clouds. */
int bypeer_writer_set_own(struct bypeer_writer *writer, uint32_t cloud, const struct bypeer_name_own owns[],
                          uint32_t count);
/* 0, also if nothing changed; -EAGAIN: let a grace period pass; -ENOBUFS: rebuild first (after 2^32 commits). */
int bypeer_writer_commit_names(struct bypeer_writer *writer);
/* How many changes the delta still has room for: rebuild when it is half empty. */
uint32_t bypeer_writer_names_room(const struct bypeer_writer *writer);
/* Whether so many removed or replaced IDs lie side by side (BYPEER_NAMES_CROWD) that walks get long: rebuild soon. */
bool bypeer_writer_names_crowded(const struct bypeer_writer *writer);

/*
 * A rebuild merges the half in use and the delta into the spare half: begin on the writer's thread,
 * bypeer_names_build() (names_build.h) on any other one, then swap on the writer's. Meanwhile names may be put, removed
 * and committed as ever; swap keeps those changes as the new delta. It publishes all that was put.
 *
 * source: NULL, or where the IDs come from instead of half and delta: what was put before begin is then forgotten, and
 * the caller's IDs are all (a table of millions at once). Begin: 0; -EALREADY: one is under way; -EAGAIN: let a grace
 * period pass. Swap: 0; -EAGAIN: likewise, then again; -EINVAL: none is under way, or its build failed (nothing has
 * changed, and it is over); -ENOSPC: a source's IDs and what was put since are more than the index holds (likewise).
 * The build is the writer's and valid until swap has returned anything but -EAGAIN; never free the writer while it
 * runs.
 */
struct bypeer_names_build;
struct bypeer_names_source;
int bypeer_writer_begin_names(struct bypeer_writer *writer, const struct bypeer_names_source *source,
                              struct bypeer_names_build **ret_build);
int bypeer_writer_swap_names(struct bypeer_writer *writer);

/*
 * Grace periods. bypeer_writer_request() stores a new token in the region's header if anything was retired since the
 * last one, and returns the newest token asked for (0: none ever). bypeer_writer_reclaim() takes the token that every
 * reader has completed (grace.h; with no reader at all, pass the newest token asked for) and frees what waited for it.
 */
uint64_t bypeer_writer_request(struct bypeer_writer *writer);
void bypeer_writer_reclaim(struct bypeer_writer *writer, uint64_t completed);

/* How full it is. */
struct bypeer_writer_usage {
    struct bypeer_tables_size capacity, used;
    uint64_t retired; /* records that wait for a grace period */
    uint64_t bytes;
};
void bypeer_writer_usage(const struct bypeer_writer *writer, struct bypeer_writer_usage *ret_usage);
