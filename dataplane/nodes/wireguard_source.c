#include "dataplane/nodes/wireguard_source.h"

#include "dataplane/nodes/relay.h"
#include "overlay/ip/outer.h"

bool bypeer_wireguard_datagram_is_sound(const uint8_t *frame, const struct bypeer_fabric_outer *outer)
{
    const uint8_t *ip = frame + BYPEER_FABRIC_IP_AT, *udp = frame + outer->udp_at;
    if (bypeer_load16_raw(udp + BYPEER_UDP_CHECKSUM) == 0)
        return outer->underlay == 4; /* RFC 768: none was computed. RFC 8200, 8.1: there must be one */
    uint64_t sum = bypeer_checksum_field(BYPEER_NEXT_UDP) + bypeer_checksum_field(outer->udp_length);
    if (outer->underlay == 6)
        sum = bypeer_checksum_plus32(sum, ip + BYPEER_IPV6_SOURCE);
    else
        sum = bypeer_checksum_plus(sum, bypeer_load64_raw(ip + BYPEER_IPV4_SOURCE));
    return bypeer_checksum_fold(bypeer_checksum_plus(sum, bypeer_checksum_sum(udp, outer->udp_length))) == 0xffff;
}

struct bypeer_seen bypeer_wireguard_source(const struct rte_mbuf *mbuf, const struct bypeer_fabric_outer *outer)
{
    const uint8_t *frame = rte_pktmbuf_mtod(mbuf, const uint8_t *);
    struct bypeer_seen source;
    memset(&source, 0, sizeof(source));
    bypeer_fabric_addresses(source.remote, source.local, frame, outer);
    source.port = bypeer_load16(frame + outer->udp_at + BYPEER_UDP_SOURCE);
    memcpy(source.mac, frame + BYPEER_ETHERNET_SOURCE, sizeof(source.mac));
    source.device = bypeer_packet((struct rte_mbuf *)(uintptr_t)mbuf)->port;
    return source;
}

enum bypeer_wireguard_place bypeer_wireguard_place_abroad(const struct bypeer_link *link,
                                                          const struct bypeer_peer_state *peer,
                                                          const struct rte_mbuf *mbuf,
                                                          const struct bypeer_fabric_outer *outer)
{
    struct bypeer_seen seen, source = bypeer_wireguard_source(mbuf, outer);
    bool is_seen = bypeer_seen_read(&peer->seen, link->serial, &seen) && memcmp(&seen, &source, sizeof(seen)) == 0;
    return is_seen ? BYPEER_WIREGUARD_AS_SEEN : BYPEER_WIREGUARD_ELSEWHERE;
}

void bypeer_wireguard_move(struct bypeer_worker *worker, const struct bypeer_link *link, struct bypeer_peer_state *peer,
                           const struct rte_mbuf *mbuf, const struct bypeer_fabric_outer *outer)
{
    struct bypeer_seen source = bypeer_wireguard_source(mbuf, outer);
    /* An earlier packet of the burst may have said so. */
    if (bypeer_wireguard_place_abroad(link, peer, mbuf, outer) == BYPEER_WIREGUARD_AS_SEEN)
        return;
    uint8_t
        header[BYPEER_OUTER_IPV6_BYTES]; /* what could not be answered is nobody's place: ::ffff:a.b.c.d over IPv6 */
    int bytes = bypeer_outer_prepare(header, &(struct bypeer_outer){.local = source.local, .peer = source.remote});
    if (bytes != (outer->underlay == 6 ? BYPEER_OUTER_IPV6_BYTES : BYPEER_OUTER_IPV4_BYTES))
        return;
    const struct relay_scope scope = relay_scope(worker->tables);
    if (!bypeer_relay_may_be_at(worker, &scope,
                                &(struct bypeer_relay_place){
                                    .address = {bypeer_load64_raw(source.remote), bypeer_load64_raw(source.remote + 8)},
                                    .port_and_mac = bypeer_relay_port_and_mac(source.port, source.mac),
                                    .device = (uint8_t)source.device}))
        return;
    bypeer_seen_write(&peer->seen, link->serial, &source);
    bypeer_wireguard_tell_moved(worker->events, peer, link->id, worker->now_ms * UINT64_C(1000000));
    bypeer_count(worker, BYPEER_COUNT_WIREGUARD_MOVES, 1);
}
