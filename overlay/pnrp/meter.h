/*
 * What a stranger may make a node spend (DESIGN D11): who has shown that he is where his source address says, and how
 * much those who have not may get.
 *
 *   INQUIRE for a CPA (about 124 bytes with headers) -> an answer of 600 to 38,000 bytes and a signature
 *
 * A source /64 is *verified* once something that was sent to it came back: an answer that carries a Message ID of ours.
 * Verified ones have a token bucket each. Unverified ones share a rate of bytes, and each /64 gets one full answer of
 * one datagram per BYPEER_METER_STRANGER_S; beyond that it gets a probe: an empty FLOOD that wants an ACK, smaller than
 * the INQUIRE, whose Message ID is a cookie (SipHash of address, port and time under the node's secret), so nothing is
 * remembered about it. A node that is there acknowledges it, is verified from then on, and its INQUIRE, sent again, is
 * answered.
 *
 * The promise: all that strangers are sent since the start, full answers and probes, is at most what came from them, or
 * at most what their rate allows since the start and one burst (a second of the rate, at least one datagram), whichever
 * is more; never the sum.
 *
 *   state   .entries of 32 bytes, each /64 in one of two places by keyed hash; nothing grows. For a newcomer an entry
 *           that says nothing any more goes first, then a stranger's, then a verified one's, of equals the older; a
 *           stranger gets an entry only for an answer, and only instead of one that says nothing any more.
 *
 * Threads: one per meter; each worker has its own, control has its own. The cookie's secret and
 * the clock (CLOCK_MONOTONIC) are common to all of them, so that one knows what another has sent.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "overlay/pnrp/message.h"

#define BYPEER_METER_ENTRIES    8192  /* of a worker, and of whoever serves the public: 256 KiB */
#define BYPEER_METER_SMALL      32    /* of a node that others find by a name or two: 1 KiB */
#define BYPEER_METER_STRANGERS  16384 /* bytes a second to all unverified sources together, unless told otherwise */
#define BYPEER_METER_STRANGER_S 10
#define BYPEER_METER_VERIFIED_S 600 /* how long a proof counts */

struct bypeer_meter;

struct bypeer_meter_settings {
    uint8_t secret[16];          /* of cookies and of the hash */
    uint32_t entries;            /* sources remembered, a power of 2; 0: BYPEER_METER_SMALL */
    uint32_t stranger_bytes_s;   /* full answers to all unverified sources together; 0: BYPEER_METER_STRANGERS */
    uint32_t verified_answers_s; /* per verified /64; 0: 100 */
    uint32_t answers_s;          /* of all together: what the signers can do; 0: 5000 */
};

enum bypeer_meter_verdict {
    BYPEER_METER_ANSWER, /* give the full answer */
    BYPEER_METER_PROBE,  /* send a probe instead */
    BYPEER_METER_BUSY,   /* verified, and beyond its rate: answer with B */
    BYPEER_METER_DROP,
};

/* Fixed size: bypeer_meter_bytes() of zeroed memory, aligned to a cache line, made for settings->entries. */
size_t bypeer_meter_bytes(const struct bypeer_meter_settings *settings);
struct bypeer_meter *bypeer_meter_init(void *memory, const struct bypeer_meter_settings *settings, uint64_t now_ms);
/* The rates of a running meter; what it knows of sources stays, and its size. */
void bypeer_meter_configure(struct bypeer_meter *meter, const struct bypeer_meter_settings *settings);

/* An INQUIRE of so many bytes of IP came from source and is to be judged: credit. Other datagrams give none: what they
 * bring is spent on their own answers. */
void bypeer_meter_received(struct bypeer_meter *meter, const uint8_t source[static 16], size_t bytes, uint64_t now_ms);
/* An INQUIRE that wants answer_bytes (IP bytes of the full answer; one of more than a datagram is for verified sources
 * only). The verdict is charged. */
enum bypeer_meter_verdict bypeer_meter_judge(struct bypeer_meter *meter, const uint8_t source[static 16],
                                             size_t answer_bytes, uint64_t now_ms);
/* Something of ours came back from there. */
void bypeer_meter_verify(struct bypeer_meter *meter, const uint8_t source[static 16], uint64_t now_ms);
bool bypeer_meter_is_verified(struct bypeer_meter *meter, const uint8_t source[static 16], uint64_t now_ms);

/* The Message ID of a probe to this endpoint now, and whether an acknowledged one is of the last 2 periods of 8 s. */
uint32_t bypeer_meter_cookie(const struct bypeer_meter *meter, const struct bypeer_pnrp_endpoint *to, uint64_t now_ms);
bool bypeer_meter_is_cookie(const struct bypeer_meter *meter, const struct bypeer_pnrp_endpoint *from, uint32_t acked,
                            uint64_t now_ms);
/* The probe: a FLOOD that wants an ACK and carries nothing. */
#define BYPEER_PROBE_BYTES (12 + 8 + 36 + 12)
