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
#include <netinet/ether.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "overlay/fabric/gpe.h"
#include "overlay/ip/checksum.h"
#include "overlay/ip/ethernet.h"
#include "overlay/ip/ipv6.h"
#include "overlay/ip/udp.h"
#include "tests/random.h"

#define VNI          7
#define OUTER_BYTES  (BYPEER_ETHERNET_BYTES + BYPEER_IPV6_BYTES + BYPEER_UDP_BYTES + BYPEER_GPE_BYTES)
#define LEAST_BYTES  (OUTER_BYTES + BYPEER_IPV6_BYTES + BYPEER_UDP_BYTES)
#define MOST_BYTES   9014
#define MEMBER_SEED  UINT64_C(0x6d656d626572)
#define TRAFFIC_SEED UINT64_C(0x74726166666963)

/* Number i of the sequence of a seed. */
static uint64_t random_at(uint64_t seed, uint64_t i)
{
    return random_mix(seed + (i + 1) * RANDOM_STEP);
}

/* fd12:3456:789a::/48 and 80 random bits. */
static void member_address(uint64_t member, uint8_t ret_address[static 16])
{
    static const uint8_t prefix[6] = {0xfd, 0x12, 0x34, 0x56, 0x78, 0x9a};
    uint64_t high = random_at(MEMBER_SEED, 2 * member), low = random_at(MEMBER_SEED, 2 * member + 1);
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

/* Writes a UDP header whose payload lies behind it already; the IPv6 header before it gives the addresses. */
static void udp_finish(uint8_t *ipv6, uint16_t source_port, uint16_t destination_port, uint16_t udp_bytes)
{
    uint8_t *udp = ipv6 + BYPEER_IPV6_BYTES;
    bypeer_store16(udp + BYPEER_UDP_SOURCE, source_port);
    bypeer_store16(udp + BYPEER_UDP_DESTINATION, destination_port);
    bypeer_store16(udp + BYPEER_UDP_LENGTH, udp_bytes);
    bypeer_store16_raw(udp + BYPEER_UDP_CHECKSUM, 0);
    uint64_t sum = bypeer_checksum_sum(ipv6 + BYPEER_IPV6_SOURCE, 32);
    sum = bypeer_checksum_plus(sum, bypeer_checksum_field(udp_bytes));
    sum = bypeer_checksum_plus(sum, bypeer_checksum_field(BYPEER_NEXT_UDP));
    sum = bypeer_checksum_plus(sum, bypeer_checksum_long(udp, udp_bytes));
    uint16_t checksum = (uint16_t)~bypeer_checksum_fold(sum);
    bypeer_store16_raw(udp + BYPEER_UDP_CHECKSUM, checksum != 0 ? checksum : 0xffff);
}

static void frame_write(uint8_t *frame, const struct traffic *traffic, uint32_t number)
{
    static const uint8_t node[16] = {0x20, 0x01, 0x0d, 0xb8, 0, 1, [15] = 1};
    uint64_t dice = random_at(TRAFFIC_SEED, number);
    uint32_t rows = traffic->members / traffic->peers;
    uint32_t peer = (uint32_t)(dice % traffic->peers);
    uint32_t source = peer + traffic->peers * (uint32_t)((dice >> 20) % rows);
    uint32_t destination = (uint32_t)(random_at(TRAFFIC_SEED + 1, number) % traffic->members);
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
    udp_finish(inner, (uint16_t)(dice >> 40), 9, inner_udp_bytes);
    bypeer_gpe_write(gpe, VNI);
    bypeer_ipv6_write(outer, &(struct bypeer_ipv6){.source = outer_source,
                                                   .destination = node,
                                                   .payload_bytes = outer_udp_bytes,
                                                   .next_header = BYPEER_NEXT_UDP,
                                                   .hop_limit = 64});
    udp_finish(outer, (uint16_t)(0xc000 | (dice >> 50)), BYPEER_GPE_UDP_PORT, outer_udp_bytes);
}

/* libpcap's format: a file header, then each frame behind its time and length, in the host's byte order. */
static bool pcap_begin(FILE *file)
{
    const struct {
        uint32_t magic;
        uint16_t major, minor;
        uint32_t zone, accuracy, longest, link_type;
    } header = {0xa1b2c3d4, 2, 4, 0, 0, 65535, 1};
    return fwrite(&header, sizeof(header), 1, file) == 1;
}

static bool pcap_put(FILE *file, const uint8_t *frame, uint32_t bytes)
{
    const uint32_t header[4] = {0, 0, bytes, bytes};
    return fwrite(header, sizeof(header), 1, file) == 1 && fwrite(frame, bytes, 1, file) == 1;
}

static int fail(const char *what, const char *text)
{
    fprintf(stderr, "bypeer-frames: %s: %s\n", what, text);
    return 1;
}

/* A number of the command line, from least to most; else the program ends. */
static uint32_t number_argument(const char *name, const char *text, uint32_t least, uint32_t most)
{
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno == 0 && *text != '\0' && *end == '\0' && value >= least && value <= most)
        return (uint32_t)value;
    fprintf(stderr, "bypeer-frames: %s: %s is no number from %u to %u\n", name, text, least, most);
    exit(2);
}

static int write_file(char **arguments)
{
    static uint8_t frame[MOST_BYTES];
    struct traffic traffic = {.members = number_argument("MEMBERS", arguments[1], 2, 100000000),
                              .peers = number_argument("PEERS", arguments[2], 1, 4096),
                              .bytes = number_argument("BYTES", arguments[3], LEAST_BYTES, MOST_BYTES)};
    uint32_t frames = number_argument("FRAMES", arguments[4], 1, 100000000);
    struct ether_addr mac;
    if (ether_aton_r(arguments[5], &mac) == NULL)
        return fail("MAC", "must look like 02:70:63:61:70:00");
    if (traffic.peers > traffic.members)
        return fail("PEERS", "each must have a member");
    memcpy(traffic.mac, mac.ether_addr_octet, sizeof(traffic.mac));
    FILE *file = fopen(arguments[0], "we");
    if (file == NULL)
        return fail(arguments[0], strerror(errno));
    bool good = pcap_begin(file);
    for (uint32_t number = 0; good && number < frames; number++) {
        frame_write(frame, &traffic, number);
        good = pcap_put(file, frame, traffic.bytes);
    }
    good = fclose(file) == 0 && good;
    return good ? 0 : fail(arguments[0], "cannot write; is the disk full?");
}

static int print_addresses(char **arguments)
{
    uint32_t first = number_argument("FIRST", arguments[0], 0, 1000000000);
    uint32_t count = number_argument("COUNT", arguments[1], 1, 1000000000);
    for (uint32_t i = 0; i < count; i++) {
        uint8_t address[16];
        char text[INET6_ADDRSTRLEN];
        member_address(first + i, address);
        puts(inet_ntop(AF_INET6, address, text, sizeof(text)));
    }
    return fflush(stdout) == 0 ? 0 : fail("standard output", strerror(errno));
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
