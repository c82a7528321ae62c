/*
 * Where a datagram for WireGuard came from: whether its headers are undamaged, and whether that is where its peer is
 * known to be. Sources matter: answers go there, so they are the one thing outside the tag that is worth a checksum.
 *
 * Threads: worker.
 */
#pragma once

#include "dataplane/packet.h"
#include "dataplane/wireguard.h"
#include "dataplane/worker.h"
#include "overlay/fabric/receive.h"

/* Whether the IPv4 header's checksum is right; IPv6 has none. */
static inline bool bypeer_wireguard_header_is_sound(const uint8_t *frame, const struct bypeer_fabric_outer *outer)
{
    return outer->underlay == 6 ||
           bypeer_checksum_fold(bypeer_checksum_sum(frame + BYPEER_FABRIC_IP_AT, BYPEER_IPV4_BYTES)) == 0xffff;
}

/* Whether the UDP checksum is right, and is there if it is over IPv6. One pass over the payload. */
bool bypeer_wireguard_datagram_is_sound(const uint8_t *frame, const struct bypeer_fabric_outer *outer);

enum bypeer_wireguard_place {
    BYPEER_WIREGUARD_AT_HOME,   /* where the link's record says */
    BYPEER_WIREGUARD_AS_SEEN,   /* where it was seen last */
    BYPEER_WIREGUARD_ELSEWHERE, /* anywhere else */
};

/* The source of a datagram, as sessions keep it. */
struct bypeer_seen bypeer_wireguard_source(const struct rte_mbuf *mbuf, const struct bypeer_fabric_outer *outer);

/* Of a peer that is not at home. */
enum bypeer_wireguard_place bypeer_wireguard_place_abroad(const struct bypeer_link *link,
                                                          const struct bypeer_peer_state *peer,
                                                          const struct rte_mbuf *mbuf,
                                                          const struct bypeer_fabric_outer *outer);

static inline enum bypeer_wireguard_place bypeer_wireguard_place(const struct bypeer_link *link,
                                                                 const struct bypeer_peer_state *peer,
                                                                 const struct rte_mbuf *mbuf,
                                                                 const struct bypeer_fabric_outer *outer)
{
    const uint8_t *frame = rte_pktmbuf_mtod(mbuf, const uint8_t *), *ip = frame + BYPEER_FABRIC_IP_AT;
    bool is_home = link->underlay == outer->underlay &&
                   link->peer_port == bypeer_load16(frame + outer->udp_at + BYPEER_UDP_SOURCE) &&
                   link->udp_port == outer->udp_port;
    if (outer->underlay == 6)
        is_home = is_home && bypeer_ipv6_is_same(ip + BYPEER_IPV6_SOURCE, link->peer) &&
                  bypeer_ipv6_is_same(ip + BYPEER_IPV6_DESTINATION, link->local);
    else
        is_home = is_home && bypeer_load32_raw(ip + BYPEER_IPV4_SOURCE) == bypeer_load32_raw(link->peer + 12) &&
                  bypeer_load32_raw(ip + BYPEER_IPV4_DESTINATION) == bypeer_load32_raw(link->local + 12);
    return likely(is_home) ? BYPEER_WIREGUARD_AT_HOME : bypeer_wireguard_place_abroad(link, peer, mbuf, outer);
}

/* An authentic packet came from elsewhere: its source is where the peer is from now on, and control is told; unless it
 * is no place where a peer can be: this node itself, or a relay address of it. */
void bypeer_wireguard_move(struct bypeer_worker *worker, const struct bypeer_link *link, struct bypeer_peer_state *peer,
                           const struct rte_mbuf *mbuf, const struct bypeer_fabric_outer *outer);
