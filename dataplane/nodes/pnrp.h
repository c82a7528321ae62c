/*
 * What the files of the node pnrp share: one datagram of a cloud, and how it leaves the node.
 *
 *   pnrp.c           takes a burst apart: checks every datagram, reads it, gives it to one of the others
 *   pnrp_lookup.c    LOOKUPs, all of a burst at once
 *   pnrp_messages.c  everything else, one by one: INQUIRE, FLOOD, and what proves a source
 *
 * Whatever is answered here is answered in the mbuf that it came in, by the port that it came by, so an answer is the
 * received packet sent. All else goes to control, whole, by way of the kernel.
 *
 * Threads: worker; a state for each.
 */
#pragma once

#include "dataplane/nodes/dispatch.h"
#include "dataplane/room.h"
#include "overlay/ip/datagram.h"
#include "overlay/pnrp/lookup_wire.h"
#include "overlay/pnrp/meter.h"
#include "overlay/tables/names.h"

enum { PNRP_TRANSMIT, PNRP_PUNT, PNRP_DROP, PNRP_EDGES };

/* What a meter was made of: of the cloud's record, and how many workers share its rates. */
struct pnrp_meter_source {
    uint8_t secret[16];
    uint32_t stranger_bytes_s, verified_answers_s, answers_s, workers; /* workers 0: there is no meter yet */
};

/* Of one worker, in memory of the node's own. */
struct pnrp_state {
    uint64_t random; /* xorshift: choices and Message IDs, neither of which is secret */
    uint64_t tsc_hz;
    uint64_t hint_full_tsc;              /* when the bucket of hints will be full again */
    void *meters[BYPEER_CLOUDS_MAX + 1]; /* by number of the cloud: memory of a meter, made when it is first needed */
    struct pnrp_meter_source sources[BYPEER_CLOUDS_MAX + 1];
    uint8_t probes[BYPEER_PROFILES][BYPEER_PROBE_BYTES]; /* of each profile, without a Message ID */
};

struct pnrp_datagram {
    struct rte_mbuf *mbuf;
    uint8_t *payload;
    uint16_t payload_bytes;
    uint8_t number; /* of the cloud, at most BYPEER_CLOUDS_MAX */
    uint64_t sum;   /* bypeer_datagram_sum() */
    const struct bypeer_cloud_record *cloud;
    const struct bypeer_profile *profile;
};

/* The LOOKUPs of a burst. */
struct pnrp_lookups {
    unsigned count;
    uint8_t numbers[BYPEER_BURST_MAX]; /* of the packets, in the burst */
    uint8_t clouds[BYPEER_BURST_MAX];  /* their numbers, and their targets: what the index is asked */
    const uint8_t *targets[BYPEER_BURST_MAX];
    struct pnrp_datagram datagrams[BYPEER_BURST_MAX];
    struct bypeer_pnrp_lookup messages[BYPEER_BURST_MAX];
};

/* Says for each LOOKUP of the burst which edge it takes. */
void bypeer_pnrp_lookup_burst(struct bypeer_worker *worker, struct pnrp_state *state, struct pnrp_lookups *lookups,
                              rte_edge_t *nexts);

/* Any other message. */
rte_edge_t bypeer_pnrp_message(struct bypeer_worker *worker, struct pnrp_state *state,
                               const struct pnrp_datagram *datagram, const struct bypeer_pnrp_message *message);

/* This node's own endpoint in a cloud, as the entry of id. */
static inline struct bypeer_known pnrp_own(const struct bypeer_cloud_record *cloud, const uint8_t *id)
{
    return (struct bypeer_known){.id = id,
                                 .address = cloud->addresses[0],
                                 .more = cloud->addresses + 1,
                                 .address_count = (uint8_t)RTE_MIN(cloud->address_count, BYPEER_CLOUD_ADDRESSES),
                                 .own = true,
                                 .port = cloud->port};
}

/* Marsaglia's xorshift64* (2003); never 0. */
static inline uint64_t pnrp_random(struct pnrp_state *state)
{
    state->random ^= state->random >> 12;
    state->random ^= state->random << 25;
    state->random ^= state->random >> 27;
    return state->random * UINT64_C(0x2545f4914f6cdd1d);
}

#define PNRP_HINT_BURST 16

/*
 * What control should see for its own sake, though it could be answered here: at most hints_s a second (0: none). A
 * bucket is the time at which it will be full again (icmp_error.c).
 */
static inline bool pnrp_can_hint(const struct pnrp_state *state, uint64_t now_tsc, uint32_t hints_s)
{
    return hints_s != 0 && state->hint_full_tsc <= now_tsc + state->tsc_hz / hints_s * (PNRP_HINT_BURST - 1);
}

/* Takes a token, if there is one. */
static inline bool pnrp_may_hint(struct pnrp_state *state, uint64_t now_tsc, uint32_t hints_s)
{
    if (!pnrp_can_hint(state, now_tsc, hints_s))
        return false;
    state->hint_full_tsc = RTE_MAX(state->hint_full_tsc, now_tsc) + state->tsc_hz / hints_s;
    return true;
}

/* To control, as it came. */
static inline rte_edge_t pnrp_punt(struct bypeer_worker *worker, struct rte_mbuf *mbuf)
{
    bypeer_packet(mbuf)->device = BYPEER_DEVICE_UNDERLAY;
    bypeer_count(worker, BYPEER_COUNT_PNRP_PUNTED, 1);
    return PNRP_PUNT;
}
