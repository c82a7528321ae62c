/*
 * Two ends of a link and whoever sits between them: the input says, a byte a step, what happens next.
 *
 *   0 to 3    the left or right end's oldest datagram arrives, with or without load
 *   4, 5      it is lost
 *   6, 7      it arrives twice
 *   8, 9      it arrives with a byte changed: two bytes follow, where and how
 *   10, 11    left or right sends a packet
 *   12        time goes on by the next byte, in s
 *   13        time goes on by the next byte, in ms
 *   14, 15    left or right gets a datagram of the input: its length in a byte, then its bytes, MAC1 made right
 *   16, 17    left or right has no room for sessions, or has again
 *   18, 19    left or right asks for a handshake
 *
 * Whatever happens: no packet that was not sent arrives, none arrives more often than it was sent, and once nobody
 * interferes any more and ten minutes have gone by, a packet goes each way.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/wireguard_end.h"

#define S BYPEER_WIREGUARD_S

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct wireguard_end ends[2];
static unsigned sent[2];
static const uint8_t sources[2][6] = {{10, 0, 0, 1, 1, 1}, {10, 0, 0, 2, 1, 1}};
static uint8_t public_keys[2][32];

struct input {
    const uint8_t *at, *end;
};

static uint8_t next(struct input *input)
{
    return input->at < input->end ? *input->at++ : 0;
}

static void begin(void)
{
    static const uint8_t private_keys[2][32] = {{1}, {2}}, preshared[32] = {3};
    const struct bypeer_wireguard_time now = {.ns = 1000 * S, .unix_ns = UINT64_C(1700000000) * S};
    for (unsigned side = 0; side < 2; side++) {
        struct bypeer_crypto_pair *pair;
        if (bypeer_crypto_pair_new(&pair, private_keys[side], public_keys[side]) < 0)
            abort();
        bypeer_crypto_pair_free(pair);
    }
    for (unsigned side = 0; side < 2; side++) {
        sent[side] = 0;
        wireguard_end_init(&ends[side], private_keys[side], public_keys[1 - side], preshared, 0, 7 + side, now);
    }
}

static void send_packet(unsigned side)
{
    uint8_t packet[40] = {0x60, [8] = (uint8_t)side};
    sent[side]++;
    wireguard_end_send(&ends[side], packet, sizeof(packet));
}

static void check(void)
{
    for (unsigned side = 0; side < 2; side++) {
        if (ends[side].packets > sent[1 - side])
            abort();
        if (ends[side].packets > 0 && (ends[side].packet_bytes != 40 || ends[side].packet[8] != 1 - side))
            abort();
    }
}

static void arrive(unsigned side, const uint8_t *datagram, size_t length, enum bypeer_wireguard_doubt doubt)
{
    uint8_t *exact = malloc(length ? length : 1);
    memcpy(exact, datagram, length);
    wireguard_end_receive(&ends[side], exact, length, sources[1 - side], 6, doubt);
    free(exact);
    check();
}

/* Takes the side's oldest datagram, and lets it arrive so many times at the other. */
static void pass(unsigned side, unsigned times, struct input *changes, enum bypeer_wireguard_doubt doubt)
{
    struct wireguard_end *end = &ends[side];
    uint8_t datagram[WIREGUARD_END_DATAGRAM];
    if (end->out_count == 0)
        return;
    size_t length = end->out[0].length;
    memcpy(datagram, end->out[0].bytes, length);
    memmove(&end->out[0], &end->out[1], (WIREGUARD_END_QUEUE - 1) * sizeof(end->out[0]));
    end->out_count--;
    if (changes) {
        size_t at = next(changes) % length;
        datagram[at] ^= next(changes);
    }
    for (unsigned i = 0; i < times; i++)
        arrive(1 - side, datagram, length, doubt);
}

static void inject(unsigned side, struct input *input)
{
    struct bypeer_cookie_jar jar;
    uint8_t datagram[256] = {0};
    size_t length = next(input);
    for (size_t at = 0; at < length; at++)
        datagram[at] = next(input);
    enum bypeer_wireguard_type type = bypeer_wireguard_type(datagram, length);
    if (type == BYPEER_WIREGUARD_INITIATION || type == BYPEER_WIREGUARD_RESPONSE) {
        bypeer_cookie_jar_init(&jar, public_keys[side]);
        bypeer_cookie_stamp(&jar, datagram, length, 1);
    }
    arrive(side, datagram, length, BYPEER_WIREGUARD_QUIET);
}

static void go_on(uint64_t ns)
{
    for (unsigned side = 0; side < 2; side++) {
        ends[side].now.ns += ns;
        ends[side].now.unix_ns += ns;
        wireguard_end_tick(&ends[side]);
    }
}

static void step(struct input *input)
{
    uint8_t what = next(input);
    unsigned side = what % 2;
    switch (what / 2) {
    case 0:
        pass(side, 1, NULL, BYPEER_WIREGUARD_QUIET);
        break;
    case 1:
        pass(side, 1, NULL, BYPEER_WIREGUARD_LOADED);
        break;
    case 2:
        pass(side, 0, NULL, BYPEER_WIREGUARD_QUIET);
        break;
    case 3:
        pass(side, 2, NULL, BYPEER_WIREGUARD_QUIET);
        break;
    case 4:
        pass(side, 1, input, BYPEER_WIREGUARD_CHECKED);
        break;
    case 5:
        send_packet(side);
        break;
    case 6:
        go_on(next(input) * (side == 0 ? S : S / 1000));
        break;
    case 7:
        inject(side, input);
        break;
    case 8:
        ends[side].wants_nothing_published = !ends[side].wants_nothing_published;
        break;
    case 9:
        bypeer_peer_request(&ends[side].peer, &ends[side].now);
        break;
    default:
        break;
    }
}

static void settle(void)
{
    for (unsigned i = 0; i < 100 && ends[0].out_count + ends[1].out_count > 0; i++)
        for (unsigned side = 0; side < 2; side++)
            pass(side, 1, NULL, BYPEER_WIREGUARD_QUIET);
}

static void expect_peace(void)
{
    for (unsigned side = 0; side < 2; side++)
        ends[side].wants_nothing_published = false;
    for (unsigned s = 0; s < 600; s += 5) {
        settle();
        go_on(5 * S);
    }
    settle();
    unsigned came[2] = {ends[0].packets, ends[1].packets};
    send_packet(0);
    settle();
    send_packet(1);
    settle();
    if (ends[0].packets != came[0] + 1 || ends[1].packets != came[1] + 1)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, data + size};
    begin();
    while (input.at < input.end)
        step(&input);
    expect_peace();
    for (unsigned side = 0; side < 2; side++)
        wireguard_end_free(&ends[side]);
    return 0;
}
