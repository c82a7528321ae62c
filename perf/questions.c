/*
 * bypeer-questions: IDs of a cloud, and what is asked of a node that knows them, for perf/lookup and perf/flood.
 *
 *   bypeer-questions ids FIRST COUNT                            IDs and endpoints of other nodes, one a line
 *   bypeer-questions lookups FILE FRAMES MAC ADDRESS PORT OWN   LOOKUPs for random targets, from random nodes
 *   bypeer-questions inquires FILE FRAMES MAC ADDRESS PORT OWN  INQUIREs for a CPA of OWN, from forged sources
 *   bypeer-questions payloads FILE FRAMES OWN                   the LOOKUPs' payloads alone, each behind its length
 *
 * OWN is an ID of the asked node (64 hexadecimal digits). Of 16 IDs one is an instance of one of 64 popular names, at
 * one of 16 sites: thousands of IDs have the same first 128 bits, and hundreds the same 192. Of 16 targets one is for
 * such a name, too. A LOOKUP has a flagged path of one, which is no node of the cloud.
 * The same numbers give the same frames.
 *
 *   | Ethernet 14 | IPv6 40 | UDP 8 | message 126 or 76 |
 */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "overlay/ip/ethernet.h"
#include "overlay/ip/ipv6.h"
#include "overlay/ip/udp.h"
#include "overlay/pnrp/message.h"
#include "perf/frame_file.h"

#define MESSAGE_AT    (BYPEER_ETHERNET_BYTES + BYPEER_IPV6_BYTES + BYPEER_UDP_BYTES)
#define ID_SEED       UINT64_C(0x6b6e6f776e)
#define QUESTION_SEED UINT64_C(0x7175657374)
#define NAME_SEED     UINT64_C(0x6e616d65)
#define POPULAR       16 /* one of so many is of a popular name */
#define NAMES         64
#define SITES         16

/* Number i of a seed: 256 random bits, or, one in POPULAR, a popular name at a site and 64 random bits. */
static void id_at(uint64_t seed, uint64_t i, uint8_t ret_id[static 32])
{
    uint64_t words[4];
    for (unsigned word = 0; word < 4; word++)
        words[word] = frame_random_at(seed + word, i);
    if (i % POPULAR == 0) {
        uint64_t name = words[0] % NAMES;
        words[0] = frame_random_at(NAME_SEED, 2 * name);
        words[1] = frame_random_at(NAME_SEED, 2 * name + 1);
        words[2] = htobe64(UINT64_C(0x20010db800000000) + words[2] % SITES);
    }
    memcpy(ret_id, words, 32);
}

/* In 2001:db8::/32, the rest random: a cache takes few IDs of one network. */
static void node_address(uint64_t seed, uint64_t i, uint8_t ret_address[static 16])
{
    uint64_t net = frame_random_at(seed + 6, i), low = frame_random_at(seed + 7, i);
    memcpy(ret_address, (const uint8_t[4]){0x20, 0x01, 0x0d, 0xb8}, 4);
    memcpy(ret_address + 4, &net, 4);
    memcpy(ret_address + 8, &low, 8);
}

static int print_ids(char **arguments)
{
    uint32_t first = frame_number_argument("FIRST", arguments[0], 0, 1000000000);
    uint32_t count = frame_number_argument("COUNT", arguments[1], 1, 1000000000);
    for (uint32_t i = 0; i < count; i++) {
        uint8_t id[32], address[16];
        char text[INET6_ADDRSTRLEN];
        id_at(ID_SEED, first + i, id);
        node_address(ID_SEED, first + i, address);
        for (unsigned at = 0; at < 32; at++)
            printf("%02x", id[at]);
        printf(" [%s]:4000\n", inet_ntop(AF_INET6, address, text, sizeof(text)));
    }
    return fflush(stdout) == 0 ? 0 : frame_fail("standard output", strerror(errno));
}

struct questions {
    uint8_t mac[6], address[16], own[32];
    uint16_t port;
};

static size_t lookup_write(uint8_t *message, const struct questions *questions, uint32_t number)
{
    uint8_t target[32], path[18];
    struct bypeer_pnrp_endpoint from = {.port = 4000};
    id_at(QUESTION_SEED, number, target);
    node_address(QUESTION_SEED + 1, number, from.address);
    bypeer_pnrp_endpoint_put(path, &from);
    const struct bypeer_pnrp_message lookup = {
        .type = BYPEER_PNRP_LOOKUP,
        .id = (uint32_t)frame_random_at(QUESTION_SEED + 8, number),
        .lookup = {.criterion = BYPEER_PNRP_ANY,
                   .target = target,
                   .validate = questions->own,
                   .path = {.bytes = path, .count = 1}},
    };
    return bypeer_pnrp_write(&lookup, bypeer_profile(BYPEER_PROFILE_MODERN), message, BYPEER_PNRP_DATAGRAM_MAX);
}

static size_t inquire_write(uint8_t *message, const struct questions *questions, uint32_t number)
{
    uint64_t nonce[2] = {number, QUESTION_SEED};
    const struct bypeer_pnrp_message inquire = {
        .type = BYPEER_PNRP_INQUIRE,
        .id = (uint32_t)frame_random_at(QUESTION_SEED + 9, number),
        .inquire = {.flags = BYPEER_INQUIRE_CPA | BYPEER_INQUIRE_PAYLOAD | BYPEER_INQUIRE_CHAIN,
                    .validate = questions->own,
                    .nonce = (const uint8_t *)nonce},
    };
    return bypeer_pnrp_write(&inquire, bypeer_profile(BYPEER_PROFILE_MODERN), message, BYPEER_PNRP_DATAGRAM_MAX);
}

/* The headers before a message of length bytes, from the node of this number: of a LOOKUP the one in its path, else any
 * address of 2000::/3 whatever. Returns the frame's length. */
static uint32_t frame_finish(uint8_t *frame, const struct questions *questions, uint32_t number, size_t length,
                             bool is_forged)
{
    uint8_t source[16], *ip = frame + BYPEER_ETHERNET_BYTES;
    uint16_t udp_bytes = (uint16_t)(BYPEER_UDP_BYTES + length);
    node_address(QUESTION_SEED + 1, number, source);
    if (is_forged) {
        uint64_t high = frame_random_at(QUESTION_SEED + 10, number);
        memcpy(source, &high, 8);
        source[0] = (uint8_t)(0x20 | (source[0] & 0x1f));
    }
    memcpy(frame + BYPEER_ETHERNET_DESTINATION, questions->mac, 6);
    memcpy(frame + BYPEER_ETHERNET_SOURCE, (const uint8_t[6]){2, 0, 0, 0, 0, 1}, 6);
    bypeer_store16(frame + BYPEER_ETHERNET_TYPE, BYPEER_ETHERTYPE_IPV6);
    bypeer_ipv6_write(ip, &(struct bypeer_ipv6){.source = source,
                                                .destination = questions->address,
                                                .payload_bytes = udp_bytes,
                                                .next_header = BYPEER_NEXT_UDP,
                                                .hop_limit = 64});
    frame_udp_finish(ip, 4000, questions->port, udp_bytes);
    return (uint32_t)(MESSAGE_AT + length);
}

static int write_frames(char **arguments, bool are_inquires)
{
    static uint8_t frame[MESSAGE_AT + BYPEER_PNRP_DATAGRAM_MAX];
    struct questions questions;
    uint32_t frames = frame_number_argument("FRAMES", arguments[1], 1, 100000000);
    frame_mac_argument(arguments[2], questions.mac);
    frame_address_argument("ADDRESS", arguments[3], questions.address);
    questions.port = (uint16_t)frame_number_argument("PORT", arguments[4], BYPEER_PNRP_PORT_MIN, 65535);
    frame_hex_argument("OWN", arguments[5], questions.own, sizeof(questions.own));
    FILE *file = fopen(arguments[0], "we");
    if (file == NULL)
        return frame_fail(arguments[0], strerror(errno));
    bool good = frame_file_begin(file);
    for (uint32_t number = 0; good && number < frames; number++) {
        size_t length = are_inquires ? inquire_write(frame + MESSAGE_AT, &questions, number)
                                     : lookup_write(frame + MESSAGE_AT, &questions, number);
        good = frame_file_put(file, frame, frame_finish(frame, &questions, number, length, are_inquires));
    }
    good = fclose(file) == 0 && good;
    return good ? 0 : frame_fail(arguments[0], "cannot write; is the disk full?");
}

/* Two bytes of length, big-endian, then the message: what a sender over a socket reads. */
static int write_payloads(char **arguments)
{
    struct questions questions;
    uint32_t frames = frame_number_argument("FRAMES", arguments[1], 1, 100000000);
    frame_hex_argument("OWN", arguments[2], questions.own, sizeof(questions.own));
    FILE *file = fopen(arguments[0], "we");
    if (file == NULL)
        return frame_fail(arguments[0], strerror(errno));
    bool good = true;
    for (uint32_t number = 0; good && number < frames; number++) {
        uint8_t message[2 + BYPEER_PNRP_DATAGRAM_MAX];
        size_t length = lookup_write(message + 2, &questions, number);
        bypeer_store16(message, (uint16_t)length);
        good = fwrite(message, 2 + length, 1, file) == 1;
    }
    good = fclose(file) == 0 && good;
    return good ? 0 : frame_fail(arguments[0], "cannot write; is the disk full?");
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "ids") == 0)
        return print_ids(argv + 2);
    if (argc == 8 && strcmp(argv[1], "lookups") == 0)
        return write_frames(argv + 2, false);
    if (argc == 8 && strcmp(argv[1], "inquires") == 0)
        return write_frames(argv + 2, true);
    if (argc == 5 && strcmp(argv[1], "payloads") == 0)
        return write_payloads(argv + 2);
    fputs("usage: bypeer-questions ids FIRST COUNT\n"
          "       bypeer-questions lookups|inquires FILE FRAMES MAC ADDRESS PORT OWN\n"
          "       bypeer-questions payloads FILE FRAMES OWN\n",
          stderr);
    return 2;
}
