/*
 * Where the user of one relay address is, as the sessions region keeps it: 128 bytes, no pointers, two lines.
 *
 *   line 0, read with each packet of either side, written when something about the user changes:
 *   0        8                            40     44           52           56           60        64
 *   | serial | endpoint: 4 words          | live | offered: 2 | offered_to | initiation | until_s |
 *
 *   line 1, written with each packet of the user:
 *   64        72      80             84        88        92    96                    128
 *   | packets | bytes | next counter | heard_s | moved_s | old | candidate: 4 words   |
 *
 * An endpoint is four words of its own: address (two words as on the wire; IPv4 as ::ffff:a.b.c.d), then port and the
 * MAC address that it is reached by, then a check of all that with .serial, the port of this node, and its credit.
 * They are stored one by one. Whoever finds a check that does not fit, because two workers stored at once or one died
 * between two words, finds no endpoint; the user's next packet brings it back. So there is no lock, and no half state
 * after a crash. place.h reads and writes them.
 *
 * All of it belongs to the pair with this serial: a state of zeros or of another pair begins anew at its user's first
 * packet. Control gives a number to another pair only after the grace period of the records that had it.
 *
 * Times are whole seconds of CLOCK_MONOTONIC, so that they outlive the process; 0 is never. The rules are rules.h's.
 *
 * Threads: any number; words are stored and loaded relaxed. Counts of two workers that have packets of one user at the
 * same time may miss some.
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
    uint64_t serial;                       /* of the pair: bypeer_destination.serial of its records */
    struct bypeer_relay_endpoint endpoint; /* where the user is; confirmed until .until_s */
    uint32_t live;                         /* index that the user receives under; 0: none yet */
    uint32_t offered[2];                   /* indexes that were sent to him since, the newest first; 0: none */
    uint32_t offered_to;                   /* BYPEER_RELAY_OFFER_ bits of each, the newest one's lowest */
    uint32_t initiation;                   /* sender's index of the candidate's initiation: its response goes there */
    uint32_t until_s;                      /* when the confirmation ends; 0: never was */
    uint64_t packets;                      /* of the user, that were sent on */
    uint64_t bytes;                        /* of them, IP headers included */
    uint32_t next_counter; /* low half of the greatest counter under .live, plus 1: what is below may be a replay */
    uint32_t heard_s;      /* when the user last sent anything */
    uint32_t moved_s;      /* when the endpoint moved, if no index has come back from there since; else 0 */
    uint32_t old;          /* low 24 bits of the check of where it moved from, << 8 | seconds that were left then */
    struct bypeer_relay_endpoint candidate; /* while the endpoint is confirmed: another place that claims to be his */
};
#define BYPEER_RELAY_OFFER_BITS      2
#define BYPEER_RELAY_OFFER_CANDIDATE 1u /* it was sent to the candidate, not to the endpoint */
#define BYPEER_RELAY_OFFER_ECHOED    2u /* a response with it came back: another one would be a replay */
_Static_assert(sizeof(struct bypeer_relay_endpoint) == 32, "four words");
_Static_assert(offsetof(struct bypeer_relay_state, live) == 40, "as drawn");
_Static_assert(offsetof(struct bypeer_relay_state, packets) == 64, "line 1");
_Static_assert(offsetof(struct bypeer_relay_state, candidate) == 96, "as drawn");
_Static_assert(sizeof(struct bypeer_relay_state) == 128, "two lines");
