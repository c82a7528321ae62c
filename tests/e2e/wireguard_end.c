/*
 * A WireGuard peer on a plain UDP socket, out of overlay/wireguard, for tests against other implementations.
 *
 *   bypeer-wireguard-end PORT PEER-ADDRESS PEER-PORT INNER-SOURCE INNER-DESTINATION PERSISTENT-S [RECORD] < commands
 *
 * The first three lines of input have 64 hexadecimal digits each: our private key, the peer's public one, the preshared
 * one (zeros: none). It answers ICMPv6 echo requests that come through the tunnel. Commands follow, one a line, each
 * answered by one line when it is done; at the end of input it ends:
 *
 *   ping COUNT    echo requests, 20 ms apart                     -> replies to them within 2 s of the last, or 7 s at
 * all load 0|1      whether sources must show that they are there  -> ok age SECONDS   lets our time go on by so much
 * at once         -> ok state         -> names and numbers
 *
 * RECORD is a file that gets all that tests/unit/test_wireguard_replay.c needs to do the same again. Random numbers are
 * then none: the keys of such a run are for that test only.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "overlay/ip/checksum.h"
#include "tests/wireguard_end.h"
#include "tests/wireguard_record.h"

#define ECHO_BYTES    (40 + 8 + 32)
#define ECHO_REQUEST  128
#define ECHO_REPLY    129
#define REPLY_NS      (2 * BYPEER_WIREGUARD_S)
#define SESSION_NS    (7 * BYPEER_WIREGUARD_S) /* a retry after a cookie takes five */
#define PERIOD_NS     (BYPEER_WIREGUARD_S / 50)
#define DATAGRAMS_MAX 2048

static struct wireguard_end end;
static struct sockaddr_in6 peer_address;
static int udp;
static uint64_t aged_ns; /* how far our time is ahead */
static bool is_loaded;
static FILE *record;
static unsigned unproven, replies;
static uint8_t inner_source[16], inner_destination[16];

static void fail(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    exit(EXIT_FAILURE);
}

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * BYPEER_WIREGUARD_S + (uint64_t)now.tv_nsec;
}

static void set_now(void)
{
    end.now.ns = clock_ns(CLOCK_MONOTONIC) + aged_ns;
    end.now.unix_ns = clock_ns(CLOCK_REALTIME) + aged_ns;
}

/* Sends what the last step made, and records the step if it was one that mattered. */
static void step_done(enum wireguard_record_step step, const uint8_t *bytes, size_t length)
{
    if (record && (step != WIREGUARD_RECORD_TICK || end.out_count > 0))
        wireguard_record_write(record, &end.now, step, bytes, length);
    for (unsigned i = 0; i < end.out_count; i++) {
        if (record)
            wireguard_record_write(record, &end.now, WIREGUARD_RECORD_OUT, end.out[i].bytes, end.out[i].length);
        if (sendto(udp, end.out[i].bytes, end.out[i].length, 0, (struct sockaddr *)&peer_address,
                   sizeof(peer_address)) < 0 &&
            errno != ECONNREFUSED && errno != EHOSTUNREACH)
            fail("sendto");
    }
    end.out_count = 0;
}

static void send_packet(const uint8_t *packet, size_t length)
{
    set_now();
    wireguard_end_send(&end, packet, length);
    step_done(WIREGUARD_RECORD_SEND, packet, length);
}

static void fill_checksum(uint8_t *packet, size_t length)
{
    uint64_t sum = bypeer_checksum_plus(bypeer_checksum_field((uint16_t)(length - 40)), bypeer_checksum_field(58));
    packet[42] = packet[43] = 0;
    sum = bypeer_checksum_plus(sum, bypeer_checksum_sum(packet + 8, length - 8));
    bypeer_store16_raw(packet + 42, (uint16_t)~bypeer_checksum_fold(sum));
}

static void send_echo_request(uint16_t number)
{
    uint8_t packet[ECHO_BYTES] = {0x60, [5] = ECHO_BYTES - 40, [6] = 58, [7] = 64, [40] = ECHO_REQUEST};
    memcpy(packet + 8, inner_source, 16);
    memcpy(packet + 24, inner_destination, 16);
    bypeer_store16(packet + 46, number);
    fill_checksum(packet, sizeof(packet));
    send_packet(packet, sizeof(packet));
}

static void answer_packet(void)
{
    uint8_t packet[WIREGUARD_END_MTU];
    size_t length = end.packet_bytes;
    if (length < 48 || length > sizeof(packet) || end.packet[6] != 58)
        return;
    replies += end.packet[40] == ECHO_REPLY;
    if (end.packet[40] != ECHO_REQUEST)
        return;
    memcpy(packet, end.packet, length);
    memcpy(packet + 8, end.packet + 24, 16);
    memcpy(packet + 24, end.packet + 8, 16);
    packet[40] = ECHO_REPLY;
    fill_checksum(packet, length);
    send_packet(packet, length);
}

static void receive_datagram(void)
{
    uint8_t datagram[DATAGRAMS_MAX], copy[DATAGRAMS_MAX];
    struct sockaddr_in6 from;
    socklen_t from_bytes = sizeof(from);
    ssize_t length = recvfrom(udp, datagram, sizeof(datagram), 0, (struct sockaddr *)&from, &from_bytes);
    if (length < 0)
        return;
    uint8_t source[18];
    memcpy(source, &from.sin6_addr, 16);
    memcpy(source + 16, &from.sin6_port, 2);
    unsigned packets = end.packets, heard = end.heard;
    memcpy(copy, datagram, (size_t)length);
    set_now();
    enum bypeer_wireguard_verdict verdict =
        wireguard_end_receive(&end, copy, (size_t)length, source, sizeof(source),
                              is_loaded ? BYPEER_WIREGUARD_LOADED : BYPEER_WIREGUARD_QUIET);
    unproven += verdict == BYPEER_WIREGUARD_UNPROVEN;
    if (end.heard != heard || verdict == BYPEER_WIREGUARD_UNPROVEN)
        peer_address = from;
    step_done(WIREGUARD_RECORD_IN, datagram, (size_t)length);
    if (end.packets != packets)
        answer_packet();
}

/* Handles what comes until then, or until input does: then true. */
static bool run_until(uint64_t until_ns, bool reads_input)
{
    for (;;) {
        uint64_t now = clock_ns(CLOCK_MONOTONIC);
        if (now >= until_ns)
            return false;
        uint64_t rest_ms = (until_ns - now) / 1000000 + 1;
        struct pollfd descriptors[] = {{.fd = udp, .events = POLLIN}, {.fd = STDIN_FILENO, .events = POLLIN}};
        poll(descriptors, reads_input ? 2 : 1, rest_ms < 20 ? (int)rest_ms : 20);
        if (descriptors[0].revents & POLLIN)
            receive_datagram();
        set_now();
        wireguard_end_tick(&end);
        step_done(WIREGUARD_RECORD_TICK, NULL, 0);
        if (reads_input && descriptors[1].revents)
            return true;
    }
}

static void ping(unsigned count)
{
    replies = 0;
    for (unsigned i = 0; i < count; i++) {
        send_echo_request((uint16_t)i);
        run_until(clock_ns(CLOCK_MONOTONIC) + PERIOD_NS, false);
    }
    uint64_t patience = replies > 0 ? REPLY_NS : SESSION_NS, start = clock_ns(CLOCK_MONOTONIC);
    while (replies < count && clock_ns(CLOCK_MONOTONIC) < start + patience)
        run_until(clock_ns(CLOCK_MONOTONIC) + PERIOD_NS, false);
    printf("%u\n", replies);
}

static void obey(const char *line)
{
    unsigned number = 0;
    if (sscanf(line, "ping %u", &number) == 1) {
        ping(number);
    } else if (sscanf(line, "load %u", &number) == 1) {
        is_loaded = number != 0;
        puts("ok");
    } else if (sscanf(line, "age %u", &number) == 1) {
        aged_ns += number * BYPEER_WIREGUARD_S;
        puts("ok");
    } else if (strncmp(line, "state", 5) == 0) {
        printf("prefers %u initiations %u responses %u packets %u keepalives %u bad %u replays %u unproven %u "
               "is_initiator %u\n",
               end.prefers, end.initiations, end.responses, end.packets, end.keepalives, end.bad, end.replays, unproven,
               end.preferred ? end.preferred->record.flags & BYPEER_WIREGUARD_INITIATOR : 0);
    } else {
        puts("what?");
    }
    fflush(stdout);
}

static void read_key(uint8_t ret_key[static 32])
{
    char line[80];
    size_t length;
    if (!fgets(line, sizeof(line), stdin) || !wireguard_record_bytes(line, ret_key, 32, &length) || length != 32) {
        fprintf(stderr, "the first three lines of input have to be keys of 64 hexadecimal digits\n");
        exit(EXIT_FAILURE);
    }
}

static void open_socket(const char *port, const char *address, const char *peer_port)
{
    struct sockaddr_in6 own = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)strtoul(port, NULL, 10))};
    peer_address =
        (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)strtoul(peer_port, NULL, 10))};
    udp = socket(AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    if (udp < 0 || bind(udp, (struct sockaddr *)&own, sizeof(own)) < 0)
        fail("bind");
    if (inet_pton(AF_INET6, address, &peer_address.sin6_addr) != 1)
        fail(address);
}

int main(int count, char **words)
{
    static const uint8_t none[32];
    uint8_t private_key[32], peer_key[32], preshared[32];
    char line[80];
    if (count < 7) {
        fprintf(stderr, "usage: %s PORT PEER-ADDRESS PEER-PORT INNER-SOURCE INNER-DESTINATION PERSISTENT-S [RECORD]\n",
                words[0]);
        return EXIT_FAILURE;
    }
    setvbuf(stdin, NULL, _IONBF, 0); /* poll() has to see what was not read */
    open_socket(words[1], words[2], words[3]);
    if (inet_pton(AF_INET6, words[4], inner_source) != 1 || inet_pton(AF_INET6, words[5], inner_destination) != 1)
        fail("inner address");
    read_key(private_key);
    read_key(peer_key);
    read_key(preshared);
    set_now();
    if (count > 7 && !(record = fopen(words[7], "w")))
        fail(words[7]);
    const struct wireguard_record_keys keys = {.private_key = private_key,
                                               .peer_key = peer_key,
                                               .preshared_key = memcmp(preshared, none, 32) != 0 ? preshared : NULL,
                                               .persistent_s = (unsigned)strtoul(words[6], NULL, 10)};
    if (record)
        wireguard_record_write_keys(record, &end.now, &keys);
    wireguard_end_init(&end, keys.private_key, keys.peer_key, keys.preshared_key, keys.persistent_s,
                       record ? WIREGUARD_RECORD_SEED : 0, end.now);
    puts("ready");
    fflush(stdout);
    for (;;) {
        if (!run_until(UINT64_MAX, true))
            continue;
        if (!fgets(line, sizeof(line), stdin))
            break;
        obey(line);
    }
    wireguard_end_free(&end);
    if (record && fclose(record) != 0)
        fail("record");
    return EXIT_SUCCESS;
}
