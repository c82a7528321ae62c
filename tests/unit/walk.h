/*
 * A worker in a test: the real graph over ports made of rings, tables by the real writer, and no thread. Frames go in,
 * walk() runs the graph once and proves that the packet sum holds, frames come out.
 *
 *   members in group 1 (VNI 7)                            ports
 *     MEMBER_HERE    LOCAL link 1, this node                0: peers A, C, D
 *     MEMBER_A       link 2, peer A (IPv6), port 0          1: peer B
 *     MEMBER_B       link 3, peer B (IPv6), port 1
 *     MEMBER_C       link 4, peer C (IPv4), port 0        members in group 2 (VNI 8)
 *     MEMBER_LOST    link 6, next hop not resolved          MEMBER_X      link 5, peer A
 *     MEMBER_NOWHERE link 99, which does not exist          MEMBER_HERE_X LOCAL link 8
 *     MEMBER_ASTRAY  link 7, next hop on port 9
 *     the /64 of prefix_member(): link 3
 *
 * Criterion forks for every test, so each has an EAL of its own: no huge pages, no devices, nothing left behind.
 */
#pragma once

#include "dataplane/graph.h"
#include "dataplane/packet.h"
#include "dataplane/trace.h"
#include "overlay/tables/sessions.h"
#include "overlay/tables/writer.h"

#define WALK_PORTS     2
#define WALK_RING      1024
#define WALK_FRAME_MAX 9300
#define WALK_WORKERS   2  /* that the sessions region has rows for */
#define WALK_LINKS     32 /* and links */
#define WALK_SLOTS     64 /* and sessions of WireGuard */
#define WALK_RELAYS    64

enum walk_member {
    MEMBER_HERE = 1,
    MEMBER_A,
    MEMBER_B,
    MEMBER_C,
    MEMBER_LOST,
    MEMBER_NOWHERE,
    MEMBER_ASTRAY,
    MEMBER_X,
    MEMBER_HERE_X,
    MEMBER_UNKNOWN, /* in no table */
};

enum walk_link {
    LINK_HERE = 1,
    LINK_A,
    LINK_B,
    LINK_C,
    LINK_X,
    LINK_LOST,
    LINK_ASTRAY,
    LINK_HERE_X,
};

struct walk {
    struct bypeer_worker worker;
    struct rte_graph *graph;
    struct rte_mempool *pool;
    struct rte_ring *wire_in[WALK_PORTS], *wire_out[WALK_PORTS];
    struct bypeer_writer *writer;
    struct bypeer_tables tables;
    uint64_t counters[BYPEER_COUNTERS_MAX];
    uint64_t injected; /* counted by the host thread in a real node */
    uint64_t taken;    /* from the punt ring, likewise */
    unsigned pool_size;
};
extern struct walk walk;

/* Criterion's .init and .fini. */
void walk_set_up(void);
void walk_tear_down(void);

/* One walk; fails the test if the sum does not hold or a buffer is lost. */
void walk_once(void);
/* The same, but as one that had begun before the last change of the tables: what a walk asks only once it has asked. */
void walk_on(void);
/* From now on walk_once() is a walk of this worker: 0, or 1, which has tables, regions, ports and counters in common
 * with the first, and all else of its own. */
void walk_turn_to(unsigned index);

/* A frame of length bytes arrives at a port; walk_inject(): from the kernel, by the TAP of the port or by the TUN. */
struct rte_mbuf *walk_buffer(const uint8_t *data, size_t length);
void walk_arrive(uint16_t port, const uint8_t *frame, size_t length);
void walk_inject(enum bypeer_device device, uint16_t port, const uint8_t *data, size_t length);

/* What left by a port, or was punted to a device: its length, or 0 if there is nothing. */
size_t walk_sent(uint16_t port, uint8_t frame[static WALK_FRAME_MAX]);
size_t walk_punted(enum bypeer_device device, uint16_t port, uint8_t data[static WALK_FRAME_MAX]);

/* Every packet that came in so far was dropped for this reason. */
uint64_t walk_dropped(enum bypeer_counter reason);

/* Addresses and links as drawn above. */
const uint8_t *walk_address(enum walk_member member);
const uint8_t *walk_prefix_member(void);
struct bypeer_link walk_link(enum walk_link link);
struct bypeer_link walk_turned(struct bypeer_link link); /* as the peer has it */

/* An IPv6 packet from one member to another with a UDP header and a payload that varies; returns its length. */
size_t walk_packet(uint8_t *packet, const uint8_t *source, const uint8_t *destination, size_t length);

/* The frame in which the peer of a link sends an inner packet to us; returns its length. */
size_t walk_frame(uint8_t *frame, enum walk_link link, const uint8_t *inner, size_t inner_bytes);

/* Whether IP and UDP checksums and lengths of a frame are right, computed byte by byte. */
bool walk_is_well_formed(const uint8_t *frame, size_t length);
