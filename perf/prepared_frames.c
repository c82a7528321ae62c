/*
 * bypeer-prepared-frames: the traffic of perf/wireguard's measurement of the data plane alone, as a pcap file.
 *
 *   bypeer-prepared-frames hub FILE PEERS FRAMES INNER MAC     what so many peers send to each other through the hub
 *   bypeer-prepared-frames relay FILE PAIRS FRAMES BYTES MAC   sealed frames between the members of so many pairs
 *
 *   | Ethernet 14 | IPv6 40 | UDP 8 | type, index, counter 16 | INNER, sealed                  | tag 16 |
 *                                                             | IPv6 40 | UDP 8 | data         |
 *
 * hub: each peer has FRAMES / PEERS frames with counters from 0 on, all in one half of the file, among all the peers of
 * that half in random order; so there are always as many frames between the last of its frames and the first of the
 * next time round, and his session can be renewed meanwhile (prepared.c). Destinations are random over all peers.
 *
 * relay: users in random order, each as often as any other; what they send is noise, since the node could not tell.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "overlay/ip/ethernet.h"
#include "overlay/ip/ipv6.h"
#include "overlay/ip/udp.h"
#include "overlay/wireguard/aead.h"
#include "overlay/wireguard/message.h"
#include "perf/frame_file.h"
#include "perf/prepared.h"

#define IP_AT    BYPEER_ETHERNET_BYTES
#define UDP_AT   (IP_AT + BYPEER_IPV6_BYTES)
#define DATA_AT  (UDP_AT + BYPEER_UDP_BYTES)
#define INNER_AT (DATA_AT + BYPEER_WIREGUARD_DATA_HEADER)
#define OVERHEAD (INNER_AT + BYPEER_WIREGUARD_TAG)
#define MOST     9014
#define SEED     UINT64_C(0x7072657061726564)

struct traffic {
    uint32_t ends, frames, bytes; /* peers or users; of a frame */
    uint8_t mac[6];
};

/* Everything but what is sealed, and the UDP checksum. */
static void frame_begin(uint8_t *frame, const struct traffic *traffic, const uint8_t source[static 16],
                        const uint8_t destination[static 16], uint32_t receiver, uint64_t counter)
{
    memcpy(frame + BYPEER_ETHERNET_DESTINATION, traffic->mac, 6);
    memcpy(frame + BYPEER_ETHERNET_SOURCE, prepared_next_hop, 6);
    bypeer_store16(frame + BYPEER_ETHERNET_TYPE, BYPEER_ETHERTYPE_IPV6);
    bypeer_ipv6_write(frame + IP_AT, &(struct bypeer_ipv6){.source = source,
                                                           .destination = destination,
                                                           .payload_bytes = (uint16_t)(traffic->bytes - UDP_AT),
                                                           .next_header = BYPEER_NEXT_UDP,
                                                           .hop_limit = 64});
    bypeer_wireguard_write_data_header(frame + DATA_AT, receiver, counter);
}

static void frame_end(uint8_t *frame, const struct traffic *traffic)
{
    frame_udp_finish(frame + IP_AT, PREPARED_PORT, PREPARED_PORT, (uint16_t)(traffic->bytes - UDP_AT));
}

/* numbers: count of them; each is once in the result for each time that it is in the sequence 0, 1, ..., ends - 1. */
static void shuffle(uint32_t *numbers, uint32_t count, uint64_t *random)
{
    for (uint32_t i = count; i > 1; i--) {
        uint32_t other = random_next_below(random, i), kept = numbers[i - 1];
        numbers[i - 1] = numbers[other];
        numbers[other] = kept;
    }
}

/* --- hub --- */

static void inner_write(uint8_t *inner, uint32_t bytes, uint32_t from, uint32_t to, uint32_t number)
{
    uint8_t source[16], destination[16];
    uint16_t udp_bytes = (uint16_t)(bytes - BYPEER_IPV6_BYTES);
    prepared_member(from, source);
    prepared_member(to, destination);
    bypeer_ipv6_write(inner, &(struct bypeer_ipv6){.source = source,
                                                   .destination = destination,
                                                   .payload_bytes = udp_bytes,
                                                   .next_header = BYPEER_NEXT_UDP,
                                                   .hop_limit = 64});
    for (uint32_t i = BYPEER_IPV6_BYTES + BYPEER_UDP_BYTES; i < bytes; i++)
        inner[i] = (uint8_t)(number + i);
    frame_udp_finish(inner, (uint16_t)(0xc000 | from), 9, udp_bytes);
}

/* A burst's frames, sealed and written. */
static bool flush(FILE *file, const struct traffic *traffic, struct bypeer_aead *aead, uint8_t frames[][MOST],
                  struct bypeer_aead_job *jobs, unsigned count)
{
    bool good = true;
    bypeer_aead_seal(aead, jobs, count);
    for (unsigned i = 0; good && i < count; i++) {
        frame_end(frames[i], traffic);
        good = jobs[i].is_good && frame_file_put(file, frames[i], traffic->bytes);
    }
    return good;
}

static bool write_hub(FILE *file, const struct traffic *traffic)
{
    static uint8_t frames[BYPEER_AEAD_BURST][MOST], keys[BYPEER_AEAD_BURST][32];
    struct bypeer_aead_job jobs[BYPEER_AEAD_BURST];
    struct bypeer_aead *aead;
    uint32_t half = traffic->frames / 2, peers = traffic->ends / 2;
    uint32_t *order = malloc(half * sizeof(*order));
    uint64_t *counters = calloc(traffic->ends + 1, sizeof(*counters)), random = SEED;
    bool good = order && counters && bypeer_aead_new(&aead, BYPEER_AEAD_BEST) == 0;
    for (uint32_t number = 0; good && number < traffic->frames; number++) {
        uint32_t at = number % half;
        unsigned place = number % BYPEER_AEAD_BURST;
        uint8_t *frame = frames[place], host[16];
        if (at == 0) {
            for (uint32_t i = 0; i < half; i++)
                order[i] = 1 + number / half * peers + i % peers;
            shuffle(order, half, &random);
        }
        uint32_t from = order[at], to = 1 + random_next_below(&random, traffic->ends - 1);
        to += to >= from; /* anybody else */
        prepared_host(from, host);
        frame_begin(frame, traffic, host, prepared_node, prepared_index(from), counters[from]);
        inner_write(frame + INNER_AT, traffic->bytes - OVERHEAD, from, to, number);
        prepared_key(from, false, keys[place]);
        jobs[place] = (struct bypeer_aead_job){.key = keys[place],
                                               .counter = counters[from]++,
                                               .text = frame + INNER_AT,
                                               .bytes = traffic->bytes - OVERHEAD};
        if (place == BYPEER_AEAD_BURST - 1 || number == traffic->frames - 1)
            good = flush(file, traffic, aead, frames, jobs, place + 1);
    }
    free(order);
    free(counters);
    return good;
}

/* --- relay --- */

static bool write_relay(FILE *file, const struct traffic *traffic)
{
    static uint8_t frame[MOST];
    uint32_t *order = malloc(traffic->frames * sizeof(*order));
    uint64_t random = SEED;
    bool good = order != NULL;
    for (uint32_t i = 0; good && i < traffic->frames; i++) /* spread over all, if there are more users than frames */
        order[i] = (uint32_t)((uint64_t)i * traffic->ends / traffic->frames) ^ (i & 1);
    if (good)
        shuffle(order, traffic->frames, &random);
    for (uint32_t number = 0; good && number < traffic->frames; number++) {
        uint32_t user = order[number];
        uint8_t host[16], relay[16];
        prepared_host(user + 1, host);
        prepared_relay(user, relay);
        frame_begin(frame, traffic, host, relay, prepared_relay_index(user ^ 1), number);
        for (uint32_t at = INNER_AT; at < traffic->bytes; at++)
            frame[at] = (uint8_t)(number + at);
        frame_end(frame, traffic);
        good = frame_file_put(file, frame, traffic->bytes);
    }
    free(order);
    return good;
}

int main(int argc, char **argv)
{
    bool is_hub = argc == 7 && strcmp(argv[1], "hub") == 0, is_relay = argc == 7 && strcmp(argv[1], "relay") == 0;
    struct traffic traffic;
    if (!is_hub && !is_relay) {
        fputs("usage: bypeer-prepared-frames hub FILE PEERS FRAMES INNER MAC\n"
              "       bypeer-prepared-frames relay FILE PAIRS FRAMES BYTES MAC\n",
              stderr);
        return 2;
    }
    traffic.frames = frame_number_argument("FRAMES", argv[4], 2, 100000000);
    if (is_hub) {
        traffic.ends = frame_number_argument("PEERS", argv[3], 4, PREPARED_PEERS_MAX);
        traffic.bytes =
            OVERHEAD + frame_number_argument("INNER", argv[5], BYPEER_IPV6_BYTES + BYPEER_UDP_BYTES, MOST - OVERHEAD);
        if (traffic.ends % 2 != 0 || traffic.frames % traffic.ends != 0)
            return frame_fail("FRAMES", "must be a multiple of PEERS, which is even");
    } else {
        traffic.ends = 2 * frame_number_argument("PAIRS", argv[3], 1, PREPARED_PAIRS_MAX);
        traffic.bytes = frame_number_argument("BYTES", argv[5], OVERHEAD, MOST);
    }
    frame_mac_argument(argv[6], traffic.mac);
    FILE *file = fopen(argv[2], "we");
    if (file == NULL)
        return frame_fail(argv[2], strerror(errno));
    bool good = frame_file_begin(file) && (is_hub ? write_hub(file, &traffic) : write_relay(file, &traffic));
    good = fclose(file) == 0 && good;
    return good ? 0 : frame_fail(argv[2], "cannot write; is the disk full?");
}
