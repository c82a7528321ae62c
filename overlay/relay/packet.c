#include "overlay/relay/packet.h"

#define PACKET_FRAGMENT_OFFSET 0xfff8 /* RFC 8200, 4.5: the offset in a fragment header's second word */

enum bypeer_relay_refusal bypeer_relay_read_fragment(struct bypeer_relay_packet *packet, const uint8_t *frame,
                                                     uint16_t relay_port)
{
    const uint8_t *ip = frame + BYPEER_RELAY_IP_AT, *header = ip + BYPEER_IPV6_BYTES;
    uint16_t payload = bypeer_load16(ip + BYPEER_IPV6_LENGTH);
    uint16_t ip_bytes = (uint16_t)(BYPEER_IPV6_BYTES + payload);
    size_t udp_at = BYPEER_RELAY_IP_AT + BYPEER_IPV6_BYTES + BYPEER_RELAY_FRAGMENT_BYTES;
    if (ip[BYPEER_IPV6_NEXT_HEADER] != BYPEER_NEXT_FRAGMENT || payload <= BYPEER_RELAY_FRAGMENT_BYTES ||
        header[0] != BYPEER_NEXT_UDP)
        return BYPEER_RELAY_MESSAGE;
    if ((bypeer_load16(header + 2) & PACKET_FRAGMENT_OFFSET) != 0) {
        packet->message = (struct bypeer_relay_message){.bytes = ip_bytes};
        packet->place.port_and_mac = bypeer_relay_port_and_mac(0, frame + BYPEER_ETHERNET_SOURCE);
        packet->udp_at = 0;
        return BYPEER_RELAY_TAKEN;
    }
    const uint8_t *udp = frame + udp_at;
    if (payload < BYPEER_RELAY_FRAGMENT_BYTES + BYPEER_UDP_BYTES ||
        bypeer_load16(udp + BYPEER_UDP_DESTINATION) != relay_port || bypeer_load16_raw(udp + BYPEER_UDP_CHECKSUM) == 0)
        return BYPEER_RELAY_MESSAGE;
    enum bypeer_relay_refusal refusal =
        bypeer_relay_read_udp(packet, frame, udp_at, BYPEER_RELAY_IP_AT + (size_t)BYPEER_IPV6_BYTES + payload,
                              bypeer_load16(udp + BYPEER_UDP_LENGTH), ip_bytes);
    if (refusal == BYPEER_RELAY_TAKEN && packet->message.type != BYPEER_WIREGUARD_DATA)
        return BYPEER_RELAY_MESSAGE; /* nobody sends a handshake in pieces */
    return refusal;
}

enum bypeer_relay_refusal bypeer_relay_read_ipv4(struct bypeer_relay_packet *packet, const uint8_t *frame)
{
    const uint8_t *ip = frame + BYPEER_RELAY_IP_AT, *udp = ip + BYPEER_IPV4_BYTES;
    uint16_t ip_bytes = bypeer_load16(ip + BYPEER_IPV4_LENGTH);
    uint8_t address[16];
    size_t udp_at = BYPEER_RELAY_IP_AT + BYPEER_IPV4_BYTES;
    bypeer_ipv4_map(address, ip + BYPEER_IPV4_SOURCE);
    packet->underlay = 4;
    memcpy(packet->place.address, address, 16);
    bypeer_relay_port_key(packet->key, ip + BYPEER_IPV4_DESTINATION, bypeer_load16(udp + BYPEER_UDP_DESTINATION));
    if (bypeer_checksum_fold(bypeer_checksum_sum(ip, BYPEER_IPV4_BYTES)) != 0xffff)
        return BYPEER_RELAY_CHECKSUM;
    if (ip[BYPEER_IPV4_TTL] <= 1)
        return BYPEER_RELAY_HOP_LIMIT;
    size_t udp_bytes = bypeer_load16(udp + BYPEER_UDP_LENGTH);
    if (udp_bytes != (size_t)ip_bytes - BYPEER_IPV4_BYTES)
        return BYPEER_RELAY_MESSAGE;
    return bypeer_relay_read_udp(packet, frame, udp_at, BYPEER_RELAY_IP_AT + (size_t)ip_bytes, udp_bytes, ip_bytes);
}
