/*
 * What comes to the relay, as the worker's nodes read it: a packet and what it becomes, an ICMPv6 error and what it
 * becomes, a solicitation and its answer. The first byte says which; the rest is a frame from its IP header on.
 */
#include <stdlib.h>
#include <string.h>

#include "overlay/ip/icmpv6.h"
#include "overlay/relay/error.h"
#include "overlay/relay/neighbour.h"
#include "overlay/relay/packet.h"
#include "overlay/relay/rewrite.h"
#include "overlay/relay/rules.h"

#define PORT   51820
#define SERIAL 9

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t relay_address[16] = {0x20, 0x01, 0x0d, 0xb8, 0, 5, [15] = 1}, own_mac[6] = {2, 0, 0, 0, 0, 1};

static void require(bool condition)
{
    if (!condition)
        abort();
}

/* A place to send to, of the underlay. */
static struct bypeer_relay_place place_of(uint8_t underlay)
{
    const uint8_t ipv6[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 9}, ipv4[16] = {[10] = 0xff, 0xff, 192, 0, 2, 9};
    struct bypeer_relay_place place = {.port_and_mac = bypeer_relay_port_and_mac(4000, own_mac)};
    memcpy(place.address, underlay == 6 ? ipv6 : ipv4, 16);
    return place;
}

/* The sum of what the UDP checksum over IPv6 covers, with the checksum: the same for any right packet. */
static uint16_t sum_of(const uint8_t *ip, const uint8_t *udp, size_t bytes)
{
    uint64_t sum = bypeer_checksum_sum(ip + BYPEER_IPV6_SOURCE, 32);
    return bypeer_checksum_fold(bypeer_checksum_plus(sum, bypeer_checksum_sum(udp, bytes)));
}

/* The rules hear it, and would send it back. */
static void obey(const struct bypeer_relay_packet *packet)
{
    struct bypeer_relay_state state = {.tag = 0};
    struct bypeer_relay_claims claims = {.serial = 0};
    const struct bypeer_relay_end end = {&state, &claims};
    struct bypeer_relay_place to;
    if (packet->udp_at == 0) {
        require(!bypeer_relay_hear_fragment(&state, SERIAL, &packet->place, 1));
        return;
    }
    bypeer_relay_hear(end, SERIAL, &packet->place, &packet->message, 1);
    if (bypeer_relay_port(&packet->place) == 0 && packet->place.port_and_mac == 0)
        return;
    require(bypeer_relay_where(end, SERIAL, &packet->message, 1, &to) == BYPEER_RELAY_WAY_GO);
    require(bypeer_relay_is_same_place(&to, &packet->place));
}

static void packet(uint8_t *frame, size_t length)
{
    struct bypeer_relay_packet packet = {.place.device = 0};
    uint8_t *ip = frame + BYPEER_RELAY_IP_AT;
    size_t room = length - BYPEER_RELAY_IP_AT;
    struct bypeer_ipv6 ipv6;
    struct bypeer_ipv4 ipv4;
    if (bypeer_ipv6_parse(&ipv6, ip, room) == 0) {
        if (bypeer_relay_read_ipv6(&packet, frame, PORT) != BYPEER_RELAY_TAKEN)
            return;
        size_t bytes = length - packet.udp_at;
        uint16_t before = packet.udp_at == 0 ? 0 : sum_of(ip, frame + packet.udp_at, bytes);
        struct bypeer_relay_place to = place_of(6);
        obey(&packet);
        bypeer_relay_rewrite_ethernet(frame, &to, own_mac);
        bypeer_relay_rewrite_ipv6(ip, packet.udp_at == 0 ? NULL : frame + packet.udp_at, relay_address, PORT, &to);
        require(packet.udp_at == 0 || sum_of(ip, frame + packet.udp_at, bytes) % 0xffff == before % 0xffff);
        require(bypeer_ipv6_is_same(ip + BYPEER_IPV6_SOURCE, relay_address));
    } else if (bypeer_ipv4_parse(&ipv4, ip, room) == 0 && ipv4.header_bytes == BYPEER_IPV4_BYTES &&
               (ipv4.fragment & ~BYPEER_IPV4_DONT_FRAGMENT) == 0 && ipv4.protocol == BYPEER_NEXT_UDP &&
               ipv4.total_bytes >= BYPEER_IPV4_BYTES + BYPEER_UDP_BYTES) {
        uint8_t key[16];
        if (bypeer_relay_read_ipv4(&packet, frame) != BYPEER_RELAY_TAKEN)
            return;
        struct bypeer_relay_place to = place_of(4);
        bypeer_relay_port_key(key, own_mac, 52000);
        bypeer_relay_rewrite_ipv4(ip, key, 52000, &to);
        require(bypeer_checksum_fold(bypeer_checksum_sum(ip, BYPEER_IPV4_BYTES)) == 0xffff);
        require(ip[BYPEER_IPV4_TTL] > 0);
    }
}

static void error(uint8_t *ip, size_t length)
{
    struct bypeer_relay_error error;
    struct bypeer_relay_place to = place_of(6);
    if (!bypeer_relay_error_read(&error, ip, length))
        return;
    bypeer_relay_error_turn(ip, length, &error, relay_address, PORT, &to);
    require(bypeer_checksum_fold(bypeer_icmpv6_sum(ip, length)) == 0xffff);
}

static void solicitation(const uint8_t *ip, size_t length)
{
    if (!bypeer_relay_is_solicitation(ip, length))
        return;
    uint8_t *frame = calloc(1, BYPEER_RELAY_ADVERTISEMENT_BYTES);
    size_t some = length < BYPEER_RELAY_SOLICITATION_BYTES ? length : BYPEER_RELAY_SOLICITATION_BYTES;
    memcpy(frame + BYPEER_ETHERNET_BYTES, ip, some);
    bypeer_relay_advertise(frame, own_mac);
    size_t bytes = BYPEER_RELAY_ADVERTISEMENT_BYTES - BYPEER_ETHERNET_BYTES;
    require(bypeer_checksum_fold(bypeer_icmpv6_sum(frame + BYPEER_ETHERNET_BYTES, bytes)) == 0xffff);
    free(frame);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    /* Exactly as large as it is, for the sanitizer. */
    size_t length = BYPEER_ETHERNET_BYTES + size - 1;
    uint8_t *frame = calloc(1, length);
    memcpy(frame + BYPEER_ETHERNET_BYTES, data + 1, size - 1);
    if (data[0] % 3 == 0)
        packet(frame, length);
    else if (data[0] % 3 == 1)
        error(frame + BYPEER_ETHERNET_BYTES, size - 1);
    else
        solicitation(frame + BYPEER_ETHERNET_BYTES, size - 1);
    free(frame);
    return 0;
}
