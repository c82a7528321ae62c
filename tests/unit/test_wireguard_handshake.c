/* Handshake messages at the worker: what junk costs, and that no junk keeps a good one out. */
#include <criterion/criterion.h>

#include "overlay/ip/ethernet.h"
#include "overlay/ip/outer.h"
#include "overlay/wireguard/cookie.h"
#include "tests/unit/walk_wireguard.h"

TestSuite(wireguard_handshake, .init = walk_wireguard_set_up, .fini = walk_tear_down, .timeout = 60);

static uint8_t frame[WALK_FRAME_MAX], out[WALK_FRAME_MAX];

/* A message of whoever has the jar. What is between header and MACs is control's to judge. */
static size_t message(uint8_t *datagram, struct bypeer_cookie_jar *jar, enum bypeer_wireguard_type type)
{
    static uint8_t varies;
    size_t length =
        type == BYPEER_WIREGUARD_INITIATION ? BYPEER_WIREGUARD_INITIATION_BYTES : BYPEER_WIREGUARD_RESPONSE_BYTES;
    memset(datagram, varies++, length);
    memcpy(datagram, (const uint8_t[4]){(uint8_t)type}, 4);
    bypeer_cookie_stamp(jar, datagram, length, walk.worker.now_ms * 1000000);
    return length;
}

static struct bypeer_cookie_jar make_jar(void)
{
    struct bypeer_cookie_jar jar;
    bypeer_cookie_jar_init(&jar, walk_public_key);
    return jar;
}

/* Changes the source address: number is of a /64, or of an IPv4 address. */
static void set_source(size_t length, uint32_t number)
{
    bool is_ipv4 = frame[14] >> 4 == 4;
    bypeer_store32(frame + 14 + (is_ipv4 ? BYPEER_IPV4_SOURCE : BYPEER_IPV6_SOURCE + 4), 0x0a000000 + number);
    walk_peer_seal(frame, length);
}

static size_t arrive(struct bypeer_cookie_jar *jar, enum walk_peer peer, enum bypeer_wireguard_type type)
{
    uint8_t datagram[BYPEER_WIREGUARD_INITIATION_BYTES];
    size_t length = walk_peer_frame(frame, peer, datagram, message(datagram, jar, type));
    walk_arrive(walk_peer_wire(peer), frame, length);
    return length;
}

static void expect_drops(enum bypeer_counter reason, unsigned count)
{
    uint64_t before[BYPEER_COUNTERS_USED];
    memcpy(before, walk.counters, sizeof(before));
    walk_once();
    for (unsigned i = 0; i < BYPEER_COUNTERS_USED; i++)
        if (bypeer_counter_names[i].class == BYPEER_COUNTER_DROPPED)
            cr_assert_eq(walk.counters[i] - before[i], i == reason ? count : 0, "%s: %lu", bypeer_counter_names[i].name,
                         walk.counters[i] - before[i]);
}

static void expect_punted(enum walk_peer peer, size_t length)
{
    expect_drops(0, 0);
    cr_assert_eq(walk_punted(BYPEER_DEVICE_UNDERLAY, walk_peer_wire(peer), out), length);
    cr_assert_arr_eq(out, frame, length);
}

Test(wireguard_handshake, messages_reach_control_whole)
{
    struct bypeer_cookie_jar jar = make_jar();
    for (enum walk_peer peer = PEER_SIX; peer <= PEER_FOUR; peer++) {
        expect_punted(peer, arrive(&jar, peer, BYPEER_WIREGUARD_INITIATION));
        expect_punted(peer, arrive(&jar, peer, BYPEER_WIREGUARD_RESPONSE));
        uint8_t reply[BYPEER_WIREGUARD_COOKIE_BYTES] = {BYPEER_WIREGUARD_COOKIE};
        size_t length = walk_peer_frame(frame, peer, reply, sizeof(reply));
        walk_arrive(walk_peer_wire(peer), frame, length);
        expect_punted(peer, length);
    }
    cr_assert_eq(walk.counters[BYPEER_COUNT_WIREGUARD_HANDSHAKES], 6);
}

Test(wireguard_handshake, junk_goes_no_further)
{
    struct bypeer_cookie_jar jar = make_jar();
    uint8_t datagram[BYPEER_WIREGUARD_INITIATION_BYTES + 1] = {0};
    size_t length = message(datagram, &jar, BYPEER_WIREGUARD_INITIATION);
    for (size_t at = 4; at < length - 16; at++) { /* all but MAC2, which is not looked at without load */
        datagram[at] ^= 0x08;
        walk_arrive(0, frame, walk_peer_frame(frame, PEER_SIX, datagram, length));
        expect_drops(BYPEER_DROP_WIREGUARD_MAC, 1);
        datagram[at] ^= 0x08;
    }
    for (size_t bytes = 0; bytes <= sizeof(datagram); bytes++) {
        if (bytes == length)
            continue;
        walk_arrive(0, frame, walk_peer_frame(frame, PEER_SIX, datagram, bytes));
        expect_drops(BYPEER_DROP_WIREGUARD_MALFORMED, 1);
    }
    const uint8_t types[] = {0, 3, 5, 255};
    for (size_t i = 0; i < sizeof(types); i++) {
        datagram[0] = types[i];
        walk_arrive(0, frame, walk_peer_frame(frame, PEER_SIX, datagram, length));
        expect_drops(BYPEER_DROP_WIREGUARD_MALFORMED, 1);
    }
    datagram[0] = BYPEER_WIREGUARD_INITIATION;
    datagram[2] = 1;
    walk_arrive(0, frame, walk_peer_frame(frame, PEER_SIX, datagram, length));
    expect_drops(BYPEER_DROP_WIREGUARD_MALFORMED, 1);
}

Test(wireguard_handshake, damage_and_impossible_sources)
{
    struct bypeer_cookie_jar jar = make_jar();
    uint8_t datagram[BYPEER_WIREGUARD_INITIATION_BYTES];
    size_t bytes = message(datagram, &jar, BYPEER_WIREGUARD_INITIATION);
    for (enum walk_peer peer = PEER_SIX; peer <= PEER_FOUR; peer++) {
        size_t length = walk_peer_frame(frame, peer, datagram, bytes);
        frame[14 + (peer == PEER_SIX ? BYPEER_IPV6_SOURCE : BYPEER_IPV4_SOURCE) + 3] ^= 1;
        walk_arrive(walk_peer_wire(peer), frame, length);
        expect_drops(BYPEER_DROP_OUTER_CHECKSUM, 1);
        length = walk_peer_frame(frame, peer, datagram, bytes);
        bypeer_store16(frame + length - bytes - 8, 0); /* port 0 */
        walk_peer_seal(frame, length);
        walk_arrive(walk_peer_wire(peer), frame, length);
        expect_drops(BYPEER_DROP_WIREGUARD_SOURCE, 1);
        length = walk_peer_frame(frame, peer, datagram, bytes);
        memset(frame + 14 + (peer == PEER_SIX ? BYPEER_IPV6_SOURCE : BYPEER_IPV4_SOURCE), 0xff, 4);
        walk_peer_seal(frame, length);
        walk_arrive(walk_peer_wire(peer), frame, length);
        expect_drops(BYPEER_DROP_WIREGUARD_SOURCE, 1);
        length = walk_peer_frame(frame, peer, datagram, bytes);
        memcpy(frame + 14 + (peer == PEER_SIX ? BYPEER_IPV6_SOURCE : BYPEER_IPV4_SOURCE),
               frame + 14 + (peer == PEER_SIX ? BYPEER_IPV6_DESTINATION : BYPEER_IPV4_DESTINATION),
               peer == PEER_SIX ? 16 : 4);
        walk_peer_seal(frame, length);
        walk_arrive(walk_peer_wire(peer), frame, length);
        expect_drops(BYPEER_DROP_WIREGUARD_SOURCE, 1);
    }
}

/* Sends messages of many sources until the worker is under load. */
static void load(struct bypeer_cookie_jar *jar, unsigned count)
{
    uint8_t datagram[BYPEER_WIREGUARD_INITIATION_BYTES];
    for (unsigned i = 0; i < count; i++) {
        size_t length = walk_peer_frame(frame, PEER_SIX, datagram, message(datagram, jar, BYPEER_WIREGUARD_INITIATION));
        set_source(length, 1000 + i);
        walk_arrive(0, frame, length);
        walk_once();
        while (walk_sent(0, out) != 0 || walk_punted(BYPEER_DEVICE_UNDERLAY, 0, out) != 0)
            ;
    }
}

/* Under load a real initiator is told a cookie, and gets in with it. */
static void expect_cookie(struct bypeer_cookie_jar *jar, enum walk_peer peer, enum bypeer_wireguard_type type)
{
    struct bypeer_wireguard_cookie cookie;
    size_t length = arrive(jar, peer, type), headers = peer == PEER_SIX ? 62 : 42;
    expect_drops(0, 0);
    cr_assert_eq(walk_punted(BYPEER_DEVICE_UNDERLAY, 0, out), 0);
    cr_assert_eq(walk_sent(walk_peer_wire(peer), out), headers + BYPEER_WIREGUARD_COOKIE_BYTES);
    cr_assert_lt(headers + BYPEER_WIREGUARD_COOKIE_BYTES, length, "no more than what came");
    cr_assert(walk_is_well_formed(out, headers + BYPEER_WIREGUARD_COOKIE_BYTES));
    cr_assert_arr_eq(out, frame + 6, 6);
    cr_assert_arr_eq(out + 6, frame, 6);
    size_t source = peer == PEER_SIX ? 14 + BYPEER_IPV6_SOURCE : 14 + BYPEER_IPV4_SOURCE,
           bytes = peer == PEER_SIX ? 16 : 4;
    cr_assert_arr_eq(out + source, frame + source + bytes, bytes);
    cr_assert_arr_eq(out + source + bytes, frame + source, bytes);
    cr_assert_arr_eq(out + headers - 8, frame + headers - 6, 2);
    cr_assert_arr_eq(out + headers - 6, frame + headers - 8, 2);
    cr_assert_eq(bypeer_wireguard_read_cookie(&cookie, out + headers, BYPEER_WIREGUARD_COOKIE_BYTES), 0);
    cr_assert_eq(bypeer_cookie_take(jar, &cookie, walk.worker.now_ms * 1000000), 0);
    expect_punted(peer, arrive(jar, peer, type));
}

/* What is not proven is told a cookie, and control does not see it. */
static void expect_reply(enum walk_peer peer)
{
    expect_drops(0, 0);
    cr_assert_eq(walk_punted(BYPEER_DEVICE_UNDERLAY, 0, out), 0);
    cr_assert_neq(walk_sent(walk_peer_wire(peer), out), 0);
}

Test(wireguard_handshake, who_forges_a_source_does_not_keep_it_out)
{
    for (enum walk_peer peer = PEER_SIX; peer <= PEER_FOUR; peer++) {
        struct bypeer_cookie_jar forger = make_jar(), own = make_jar();
        for (unsigned i = 0; i < 40; i++)
            expect_punted(peer, arrive(&forger, peer, BYPEER_WIREGUARD_INITIATION));
        expect_cookie(&own, peer, BYPEER_WIREGUARD_INITIATION);
        for (unsigned i = 0; i < 39; i++) {
            arrive(&forger, peer, BYPEER_WIREGUARD_INITIATION);
            expect_reply(peer);
            expect_punted(peer, arrive(&own, peer, BYPEER_WIREGUARD_INITIATION));
        }
        arrive(&own, peer, BYPEER_WIREGUARD_INITIATION);
        expect_drops(BYPEER_DROP_WIREGUARD_RATE, 1);
    }
}

Test(wireguard_handshake, a_source_has_a_rate)
{
    struct bypeer_cookie_jar jar = make_jar();
    for (unsigned i = 0; i < 40; i++)
        expect_punted(PEER_SIX, arrive(&jar, PEER_SIX, BYPEER_WIREGUARD_INITIATION));
    /* The same /64 has the same, another one its own, and each second brings twenty. */
    size_t length = arrive(&jar, PEER_SIX, BYPEER_WIREGUARD_INITIATION);
    expect_reply(PEER_SIX);
    frame[14 + BYPEER_IPV6_SOURCE + 9] = 0x77;
    walk_peer_seal(frame, length);
    walk_arrive(0, frame, length);
    expect_reply(PEER_SIX);
    set_source(length, 1);
    walk_arrive(0, frame, length);
    expect_punted(PEER_SIX, length);
    walk.worker.now_ms += 1000;
    for (unsigned i = 0; i < 20; i++)
        expect_punted(PEER_SIX, arrive(&jar, PEER_SIX, BYPEER_WIREGUARD_INITIATION));
    arrive(&jar, PEER_SIX, BYPEER_WIREGUARD_INITIATION);
    expect_reply(PEER_SIX);
}

Test(wireguard_handshake, under_load_sources_show_that_they_are_there)
{
    struct bypeer_cookie_jar stranger = make_jar(), six = make_jar(), four = make_jar(), third = make_jar();
    walk_set_load(10);
    load(&stranger, 10);
    cr_assert_eq(walk.counters[BYPEER_COUNT_WIREGUARD_COOKIES], 0);
    load(&stranger, 5000); /* forged: they use up nobody's rate */
    cr_assert_eq(walk.counters[BYPEER_COUNT_WIREGUARD_HANDSHAKES], 10);
    cr_assert_eq(walk.counters[BYPEER_COUNT_WIREGUARD_COOKIES], 5000);
    expect_cookie(&six, PEER_SIX, BYPEER_WIREGUARD_INITIATION);
    expect_cookie(&four, PEER_FOUR, BYPEER_WIREGUARD_INITIATION);
    expect_cookie(&third, PEER_FOUR, BYPEER_WIREGUARD_RESPONSE);
    /* A cookie is good for its source alone. */
    uint64_t cookies = walk.counters[BYPEER_COUNT_WIREGUARD_COOKIES];
    arrive(&six, PEER_FOUR, BYPEER_WIREGUARD_INITIATION);
    walk_once();
    cr_assert_eq(walk.counters[BYPEER_COUNT_WIREGUARD_COOKIES], cookies + 1);
    walk_sent(1, out);
    /* A proven source sent again and again has its rate like any other. */
    for (unsigned i = 0; i < 39; i++)
        expect_punted(PEER_SIX, arrive(&six, PEER_SIX, BYPEER_WIREGUARD_INITIATION));
    arrive(&six, PEER_SIX, BYPEER_WIREGUARD_INITIATION);
    expect_drops(BYPEER_DROP_WIREGUARD_RATE, 1);
}

Test(wireguard_handshake, load_passes)
{
    struct bypeer_cookie_jar jar = make_jar();
    walk_set_load(10);
    load(&jar, 20);
    cr_assert_eq(walk.counters[BYPEER_COUNT_WIREGUARD_COOKIES], 10);
    walk.worker.now_ms += 1000; /* the second before counts */
    load(&jar, 1);
    cr_assert_eq(walk.counters[BYPEER_COUNT_WIREGUARD_COOKIES], 11);
    walk.worker.now_ms += 1000;
    load(&jar, 1);
    cr_assert_eq(walk.counters[BYPEER_COUNT_WIREGUARD_COOKIES], 11);
}

Test(wireguard_handshake, cookie_replies_have_a_rate)
{
    uint8_t reply[BYPEER_WIREGUARD_COOKIE_BYTES] = {BYPEER_WIREGUARD_COOKIE};
    size_t length = walk_peer_frame(frame, PEER_SIX, reply, sizeof(reply));
    for (unsigned i = 0; i < 40; i++) {
        walk_arrive(0, frame, length);
        expect_punted(PEER_SIX, length);
    }
    walk_arrive(0, frame, length);
    expect_drops(BYPEER_DROP_WIREGUARD_RATE, 1);
    set_source(length, 1); /* junk of one source keeps nobody else's out */
    walk_arrive(0, frame, length);
    expect_punted(PEER_SIX, length);
}

Test(wireguard_handshake, cookie_replies_of_many_sources_have_one_too)
{
    uint8_t reply[BYPEER_WIREGUARD_COOKIE_BYTES] = {BYPEER_WIREGUARD_COOKIE};
    size_t length = walk_peer_frame(frame, PEER_SIX, reply, sizeof(reply));
    for (unsigned i = 0; i < 2000; i++) {
        set_source(length, i);
        walk_arrive(0, frame, length);
        expect_punted(PEER_SIX, length);
    }
    set_source(length, 2000);
    walk_arrive(0, frame, length);
    expect_drops(BYPEER_DROP_WIREGUARD_RATE, 1);
}

Test(wireguard_handshake, a_key_that_changes_is_followed)
{
    struct bypeer_cookie_jar jar = make_jar(), other;
    const uint8_t key[32] = {1};
    expect_punted(PEER_SIX, arrive(&jar, PEER_SIX, BYPEER_WIREGUARD_INITIATION));
    struct bypeer_wireguard_config config = {.load_per_s = 1000};
    memcpy(config.public_key, key, sizeof(key));
    bypeer_writer_set_wireguard(walk.writer, &config);
    arrive(&jar, PEER_SIX, BYPEER_WIREGUARD_INITIATION);
    expect_drops(BYPEER_DROP_WIREGUARD_MAC, 1);
    bypeer_cookie_jar_init(&other, key);
    expect_punted(PEER_SIX, arrive(&other, PEER_SIX, BYPEER_WIREGUARD_INITIATION));
}
