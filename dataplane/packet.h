/*
 * What a packet carries from node to node, in a dynamic field of its mbuf (second cache line, which allocation and
 * freeing touch anyway). Written by receive or inject, read by whoever comes later in the graph.
 */
#pragma once

#include <rte_mbuf.h>
#include <rte_mbuf_dyn.h>

#include "dataplane/counters.h"

/* Which of the host thread's devices a punted packet is for; what an injected one came from. */
enum bypeer_device {
    BYPEER_DEVICE_UNDERLAY,  /* the TAP of .port: a whole frame */
    BYPEER_DEVICE_OVERLAY,   /* the TUN: an IPv6 packet */
    BYPEER_DEVICE_KEEPALIVE, /* none: the host thread's, empty, for the link that .egress names */
};

/*
 * 24 bytes: what is left of an mbuf's 36 when a driver has registered its timestamp (net_pcap always does), because a
 * field of 8 bytes must be aligned and cuts them in two.
 */
struct bypeer_packet {
    uint32_t ingress; /* link id that it came by; 0: this host's own, the LOCAL link of its source is looked up */
    uint32_t egress;  /* link id that lookup chose */
    union {
        uint32_t group;      /* group id of the destination's record, from lookup to policy */
        uint32_t icmp_value; /* of the error to send: the MTU of a Packet Too Big */
    };
    uint16_t port;     /* number of the port that it came by or goes to */
    uint16_t sum;      /* ones' complement sum of the inner packet, raw, if sum_known */
    uint8_t sum_known; /* whoever changes the inner packet keeps sum right or clears this */
    uint8_t reason;    /* enum bypeer_counter, of a packet on its way to drop */
    uint8_t device;    /* enum bypeer_device */
    uint8_t trace;     /* 0: not traced, else 1 + number of the packet within the trace */
    union {
        uint8_t icmp_type;  /* of the error to send, for icmp_error */
        uint8_t from_roles; /* of the source's record, from overlay_lookup to policy, if tables have judged groups */
    };
    union {
        uint8_t icmp_code;
        uint8_t to_roles; /* likewise of the destination's */
    };
    uint8_t underlay; /* 4 or 6, from classify to who takes the outer headers off */
    union {
        uint8_t cloud;     /* number of the cloud that it is for, from classify to pnrp */
        uint8_t is_inside; /* source and destination are of one group; noted and used like the roles */
    };
};
_Static_assert(sizeof(struct bypeer_packet) <= 24, "fits the dynamic fields of an mbuf");
_Static_assert(BYPEER_COUNTERS_USED <= UINT8_MAX, "a reason fits its field");

extern size_t bypeer_packet_offset; /* set once before the workers start */
int bypeer_packet_register(void);   /* main thread; 0 or negative errno */

static inline struct bypeer_packet *bypeer_packet(struct rte_mbuf *mbuf)
{
    return RTE_MBUF_DYNFIELD(mbuf, bypeer_packet_offset, struct bypeer_packet *);
}
