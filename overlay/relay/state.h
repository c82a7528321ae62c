/*
 * Where the member at one end of a relay link is, as the sessions region keeps it: two lines of 64 bytes without
 * pointers, each in an array of its own, by the number of the end (overlay/tables/layout.h).
 *
 *   bypeer_relay_state: all that a usual packet of either side needs, and written with each one of the member's
 *   0     4      8                   40        44             48        52        56      64
 *   | tag | live | endpoint: 4 words | until_s | next_counter | heard_s | packets | bytes |
 *
 *   bypeer_relay_claims: what is offered, tried and disputed; touched when something about the member changes
 *   0        8                    40         48           52        56    60           62             64
 *   | serial | candidate: 4 words | offered: 2 | initiation | moved_s | old | offered_to | packets_high |
 *
 * Two arrays, since what few pages hold is found at once: of a million pairs the states alone are touched, and a page
 * walk in a virtual machine costs more than a line.
 *
 * An endpoint is four words of its own: address (two words as on the wire; IPv4 as ::ffff:a.b.c.d), then port and the
 * MAC address that it is reached by, then a check of all that with the serial, the port of this node, and its credit.
 * They are stored one by one. Whoever finds a check that does not fit, because two workers stored at once or one died
 * between two words, finds no endpoint; the member's next packet brings it back. So there is no lock, and no half state
 * after a crash. place.h reads and writes them.
 *
 * All of it belongs to the pair with this serial: a state of zeros or of another pair begins anew at its member's first
 * packet. Control gives a number to another pair only after the grace period of the record that had it.
 *
 * Times are whole seconds of CLOCK_MONOTONIC, so that they outlive the process; 0 is never. The rules are rules.h's.
 *
 * Threads: any number; words are stored and loaded relaxed. Counts of two workers that have packets of one member at
 * the same time may miss some.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct bypeer_relay_endpoint {
    uint64_t address[2];   /* as on the wire */
    uint64_t port_and_mac; /* UDP port in host order << 48 | MAC address as a number; 0: no endpoint */
    uint64_t seal;         /* check << 32 | number of this node's port in the configuration << 24 | credit in bytes */
};

struct bypeer_relay_state {
    uint32_t tag;                          /* bypeer_relay_tag(serial of the pair) | BYPEER_RELAY_ON_TRIAL */
    uint32_t live;                         /* index that the member receives under; 0: none yet */
    struct bypeer_relay_endpoint endpoint; /* where the member is; confirmed until .until_s */
    uint32_t until_s;                      /* when the confirmation ends; 0: never was */
    uint32_t next_counter; /* low half of the greatest counter under .live, plus 1: what is below may be a replay */
    uint32_t heard_s;      /* when the member last sent anything */
    uint32_t packets;      /* of the member, that were sent on: the low half, bypeer_relay_packets() */
    uint64_t bytes;        /* of them, IP headers included */
};
#define BYPEER_RELAY_ON_TRIAL 1u /* the endpoint moved, and no index has come back from there since */

struct bypeer_relay_claims {
    uint64_t serial;                        /* of the pair */
    struct bypeer_relay_endpoint candidate; /* while the endpoint is confirmed: another place that claims to be his */
    uint32_t offered[2];                    /* indexes that were sent to him since .live, the newest first; 0: none */
    uint32_t initiation;                    /* sender's index of the candidate's initiation: its response goes there */
    uint32_t moved_s;                       /* of an endpoint on trial: when it moved; else 0 */
    uint32_t old;          /* low 24 bits of the check of where it moved from, << 8 | seconds that were left then */
    uint16_t offered_to;   /* BYPEER_RELAY_OFFER_ bits of each index, the newest one's lowest */
    uint16_t packets_high; /* how often .packets has begun anew */
};
#define BYPEER_RELAY_OFFER_BITS      2
#define BYPEER_RELAY_OFFER_CANDIDATE 1u /* it was sent to the candidate, not to the endpoint */
#define BYPEER_RELAY_OFFER_ECHOED    2u /* a response with it came back: another one would be a replay */
_Static_assert(sizeof(struct bypeer_relay_endpoint) == 32, "four words");
_Static_assert(sizeof(struct bypeer_relay_state) == 64, "one line");
_Static_assert(sizeof(struct bypeer_relay_claims) == 64, "one line");

/* Both lines of one end. */
struct bypeer_relay_end {
    struct bypeer_relay_state *state;
    struct bypeer_relay_claims *claims;
};

/* What tells pairs apart that can have one number one after the other; the check of an endpoint tells all. */
static inline uint32_t bypeer_relay_tag(uint64_t serial)
{
    return (uint32_t)serial << 1;
}

/* How many packets of the member were sent on. */
static inline uint64_t bypeer_relay_packets(const struct bypeer_relay_state *state,
                                            const struct bypeer_relay_claims *claims)
{
    uint64_t high = __atomic_load_n(&claims->packets_high, __ATOMIC_RELAXED);
    return high << 32 | __atomic_load_n(&state->packets, __ATOMIC_RELAXED);
}
