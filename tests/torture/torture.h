/*
 * The torture test of the shared tables: one writer changes them at random, readers in other processes check every
 * single thing that they see.
 *
 * What may be seen. Every entry has versions: odd ones are records whose whole contents follow from (entry, version),
 * even ones mean that it is absent. Beside the tables lies an oracle, two words an entry:
 *
 *   writer:  next = v', change the table, now = v'          reader:  lo = now, look up, hi = next
 *
 * What was found must be a version from lo to hi, whole, and stay as it is until the walk ends; an entry that the
 * writer never removes must be found by every look-up. The writer fills what a grace period has freed with 0xdd before
 * it uses it again, so a reader that looks too late sees nonsense. Each generation has its own oracle, because readers
 * of an old one see no changes any more.
 *
 * Sessions have no oracle, since which slot one gets is not the test's choice: whatever is in a slot must be whole by
 * its own checksum, and stay so, but for the index by which it is hidden, until the walk ends.
 *
 * The readers are processes with liburcu, a broker and the hand-over messages, as the data plane is; or, for
 * ThreadSanitizer, threads of the writer's process that look at its own mapping.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "overlay/tables/tables.h"
#include "overlay/tables/writer.h"
#include "tests/torture/engine.h"

#define TORTURE_DESTINATIONS 12000
#define TORTURE_LINKS        300
#define TORTURE_ADJACENCIES  100
#define TORTURE_GROUPS       50
#define TORTURE_PREFIXES     600
#define TORTURE_NAMES        600
#define TORTURE_SESSIONS     500

enum torture_kind {
    TORTURE_DESTINATION,
    TORTURE_LINK,
    TORTURE_ADJACENCY,
    TORTURE_GROUP,
    TORTURE_PREFIX,
    TORTURE_NAME,
    TORTURE_KINDS,
};

/* --- what both sides share ---------------------------------------------------------------------------------------- */

struct torture_version {
    uint64_t now, next;
};

struct torture_oracle {
    uint64_t generation;
    struct torture_version entries[TORTURE_DESTINATIONS + TORTURE_LINKS + TORTURE_ADJACENCIES + TORTURE_GROUPS +
                                   TORTURE_PREFIXES + TORTURE_NAMES];
};

#define TORTURE_PROCESSES       4
#define TORTURE_ORACLES         (2 * TORTURE_PROCESSES + 2) /* those that are .looked_at, the newest and the next */
#define TORTURE_THREADS         4                           /* of a reader process */
#define TORTURE_SABOTAGE_WRITER 1u                          /* uses slots again without waiting for readers */
#define TORTURE_SABOTAGE_BROKER 2u                          /* completes tokens without waiting for its threads */

struct torture_counts {
    _Alignas(BYPEER_CACHE_LINE) uint64_t lookups;
    uint64_t walks;
};

/* An anonymous shared mapping that outlives every process of the test. */
struct torture_shared {
    unsigned sabotage;
    bool growth;      /* the writer makes a new generation every now and then */
    bool stop;        /* readers */
    bool stop_writer; /* after them */
    uint64_t failures;
    unsigned
        stalled; /* reader thread + 1 that does not announce quiescent states: process * TORTURE_THREADS + thread */
    uint64_t updates, refused, generations, requests, alarms, recoveries, deaths; /* the writer's */
    uint64_t generation;
    uint64_t served; /* grace periods, by brokers */
    struct torture_counts counts[TORTURE_PROCESSES * TORTURE_THREADS];
    /* Generations that a reader process is on, and goes to: the places of their oracles are no newer generation's. */
    uint64_t looked_at[TORTURE_PROCESSES][2];
    struct torture_oracle oracles[TORTURE_ORACLES];
};

/* Says what was seen, counts it, and lets the test go on to its end. */
void torture_fail(struct torture_shared *shared, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* --- entries ------------------------------------------------------------------------------------------------------ */

uint32_t torture_count(enum torture_kind kind);
struct torture_version *torture_version(struct torture_oracle *oracle, enum torture_kind kind, uint32_t number);

/* An entry that is replaced but never removed. */
bool torture_stays(enum torture_kind kind, uint32_t number);

void torture_destination_key(uint32_t number, uint8_t ret_key[static 16]);
void torture_prefix_key(uint32_t number, uint8_t ret_key[static 16], uint32_t *ret_bits);
void torture_name_id(uint32_t number, uint8_t ret_id[static 32]);
void torture_link_peer(uint32_t number, uint64_t version, uint8_t ret_peer[static 16]);

/* The record of an entry at a version. */
struct bypeer_destination torture_destination(uint32_t number, uint64_t version);
struct bypeer_destination torture_prefix(uint32_t number, uint64_t version);
struct bypeer_link torture_link(uint32_t number, uint64_t version);
struct bypeer_adjacency torture_adjacency(uint32_t number, uint64_t version);
struct bypeer_group torture_group(uint32_t number, uint64_t version);
struct bypeer_name torture_name(uint32_t number, uint64_t version);
struct bypeer_wireguard_session torture_session(uint32_t slot, uint64_t serial);

static inline uint64_t torture_draw(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

uint64_t torture_now_ns(void);

/* --- the two sides ------------------------------------------------------------------------------------------------ */

/* Where the two meet. Readers that are the writer's threads look at its mapping, and it at theirs, so that
 * ThreadSanitizer sees both sides of every access. */
struct torture_place {
    const char *socket_name; /* abstract */
    int listener;            /* the writer's */
    bool threads;
    const void *tables;                        /* the writer's present mapping */
    const struct bypeer_status_header *status; /* the reader's */
};

/* Runs a reader process (or its like in threads) until shared->stop. */
void torture_reader_run(struct torture_shared *shared, struct torture_place *place, const struct torture_engine *engine,
                        unsigned process, unsigned threads);

/* Runs the writer until shared->stop_writer; life counts its incarnations from 0: later ones take over from the oracle.
 */
void torture_writer_run(struct torture_shared *shared, struct torture_place *place, unsigned life);
