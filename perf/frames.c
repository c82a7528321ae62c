/*
 * bypeer-frames: the traffic of perf/forward and perf/update, as a pcap file and as addresses.
 *
 *   bypeer-frames addresses FIRST COUNT                     overlay addresses of members, one a line
 *   bypeer-frames write FILE MEMBERS PEERS BYTES FRAMES MAC VXLAN-GPE frames from the peers to the node
 *
 * Member i is behind peer i % PEERS. Each frame comes from a peer picked at random, its inner source is a member behind
 * that peer, its inner destination any other member, picked at random over all of them; both UDP checksums are right.
 * The same numbers give the same file.
 *
 *   | Ethernet 14 | IPv6 40 | UDP 8 | GPE 8 | inner IPv6 40 | inner UDP 8 | data |
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "overlay/fabric/gpe.h"
#include "overlay/ip/ethernet.h"
#include "overlay/ip/ipv6.h"
#include "overlay/ip/udp.h"
#include "perf/frame_file.h"

#define VNI          7
#define OUTER_BYTES  (BYPEER_ETHERNET_BYTES + BYPEER_IPV6_BYTES + BYPEER_UDP_BYTES + BYPEER_GPE_BYTES)
#define LEAST_BYTES  (OUTER_BYTES + BYPEER_IPV6_BYTES + BYPEER_UDP_BYTES)
#define MOST_BYTES   9014
#define MEMBER_SEED  UINT64_C(0x6d656d626572)
#define TRAFFIC_SEED UINT64_C(0x74726166666963)

/* fd12:3456:789a::/48 and 80 random bits. */
static void member_address(uint64_t member, uint8_t ret_address[static 16])
{
    static const uint8_t prefix[6] = {0xfd, 0x12, 0x34, 0x56, 0x78, 0x9a};
    uint64_t high = frame_random_at(MEMBER_SEED, 2 * member), low = frame_random_at(MEMBER_SEED, 2 * member + 1);
    memcpy(ret_address, prefix, sizeof(prefix));
    memcpy(ret_address + 6, &high, 2);
    memcpy(ret_address + 8, &low, 8);
}

/* 2001:db8:1::1:PEER; the node itself is 2001:db8:1::1. */
static void peer_address(uint32_t peer, uint8_t ret_address[static 16])
{
    static const uint8_t prefix[16] = {0x20, 0x01, 0x0d, 0xb8, 0, 1, [13] = 1};
    memcpy(ret_address, prefix, sizeof(prefix));
    bypeer_store16(ret_address + 14, (uint16_t)peer);
}

struct traffic {
    uint32_t members, peers, bytes;
    uint8_t mac[6];
};

static void frame_write(uint8_t *frame, const struct traffic *traffic, uint32_t number)
{
    static const uint8_t node[16] = {0x20, 0x01, 0x0d, 0xb8, 0, 1, [15] = 1};
    uint64_t dice = frame_random_at(TRAFFIC_SEED, number);
    uint32_t rows = traffic->members / traffic->peers;
    uint32_t peer = (uint32_t)(dice % traffic->peers);
    uint32_t source = peer + traffic->peers * (uint32_t)((dice >> 20) % rows);
    uint32_t destination = (uint32_t)(frame_random_at(TRAFFIC_SEED + 1, number) % traffic->members);
    if (destination == source)
        destination = (destination + 1) % traffic->members;

    uint8_t outer_source[16], inner_source[16], inner_destination[16];
    peer_address(peer, outer_source);
    member_address(source, inner_source);
    member_address(destination, inner_destination);
    uint8_t *outer = frame + BYPEER_ETHERNET_BYTES;
    uint8_t *gpe = outer + BYPEER_IPV6_BYTES + BYPEER_UDP_BYTES;
    uint8_t *inner = gpe + BYPEER_GPE_BYTES;
    uint16_t inner_udp_bytes = (uint16_t)(traffic->bytes - OUTER_BYTES - BYPEER_IPV6_BYTES);
    uint16_t outer_udp_bytes = (uint16_t)(traffic->bytes - BYPEER_ETHERNET_BYTES - BYPEER_IPV6_BYTES);

    memcpy(frame + BYPEER_ETHERNET_DESTINATION, traffic->mac, 6);
    memcpy(frame + BYPEER_ETHERNET_SOURCE, (const uint8_t[6]){2, 0, 0, 0, (uint8_t)(peer >> 8), (uint8_t)peer}, 6);
    bypeer_store16(frame + BYPEER_ETHERNET_TYPE, BYPEER_ETHERTYPE_IPV6);
    bypeer_ipv6_write(inner, &(struct bypeer_ipv6){.source = inner_source,
                                                   .destination = inner_destination,
                                                   .payload_bytes = inner_udp_bytes,
                                                   .next_header = BYPEER_NEXT_UDP,
                                                   .hop_limit = 64});
    for (uint32_t i = 0; i + BYPEER_UDP_BYTES < inner_udp_bytes; i++)
        inner[BYPEER_IPV6_BYTES + BYPEER_UDP_BYTES + i] = (uint8_t)(number + i);
    frame_udp_finish(inner, (uint16_t)(dice >> 40), 9, inner_udp_bytes);
    bypeer_gpe_write(gpe, VNI);
    bypeer_ipv6_write(outer, &(struct bypeer_ipv6){.source = outer_source,
                                                   .destination = node,
                                                   .payload_bytes = outer_udp_bytes,
                                                   .next_header = BYPEER_NEXT_UDP,
                                                   .hop_limit = 64});
    frame_udp_finish(outer, (uint16_t)(0xc000 | (dice >> 50)), BYPEER_GPE_UDP_PORT, outer_udp_bytes);
}

static int write_file(char **arguments)
{
    static uint8_t frame[MOST_BYTES];
    struct traffic traffic = {.members = frame_number_argument("MEMBERS", arguments[1], 2, 100000000),
                              .peers = frame_number_argument("PEERS", arguments[2], 1, 4096),
                              .bytes = frame_number_argument("BYTES", arguments[3], LEAST_BYTES, MOST_BYTES)};
    uint32_t frames = frame_number_argument("FRAMES", arguments[4], 1, 100000000);
    frame_mac_argument(arguments[5], traffic.mac);
    if (traffic.peers > traffic.members)
        return frame_fail("PEERS", "each must have a member");
    FILE *file = fopen(arguments[0], "we");
    if (file == NULL)
        return frame_fail(arguments[0], strerror(errno));
    bool good = frame_file_begin(file);
    for (uint32_t number = 0; good && number < frames; number++) {
        frame_write(frame, &traffic, number);
        good = frame_file_put(file, frame, traffic.bytes);
    }
    good = fclose(file) == 0 && good;
    return good ? 0 : frame_fail(arguments[0], "cannot write; is the disk full?");
}

static int print_addresses(char **arguments)
{
    uint32_t first = frame_number_argument("FIRST", arguments[0], 0, 1000000000);
    uint32_t count = frame_number_argument("COUNT", arguments[1], 1, 1000000000);
    for (uint32_t i = 0; i < count; i++) {
        uint8_t address[16];
        char text[INET6_ADDRSTRLEN];
        member_address(first + i, address);
        puts(inet_ntop(AF_INET6, address, text, sizeof(text)));
    }
    return fflush(stdout) == 0 ? 0 : frame_fail("standard output", strerror(errno));
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "addresses") == 0)
        return print_addresses(argv + 2);
    if (argc == 8 && strcmp(argv[1], "write") == 0)
        return write_file(argv + 2);
    fputs("usage: bypeer-frames addresses FIRST COUNT\n"
          "       bypeer-frames write FILE MEMBERS PEERS BYTES FRAMES MAC\n",
          stderr);
    return 2;
}
