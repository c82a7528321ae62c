/* WireGuard between members who trust nobody in the middle, as frames on the wire: what arrives, what leaves. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "dataplane/nodes/relay.h"
#include "tests/random.h"
#include "tests/unit/walk_relay.h"

TestSuite(relay_node, .init = walk_relay_set_up, .fini = walk_tear_down, .timeout = 120);

static uint8_t message[WALK_FRAME_MAX], frame[WALK_FRAME_MAX], out[WALK_FRAME_MAX];

/* A message of the user, from a place, is in frame; returns its length. */
static size_t say(enum walk_user user, const struct bypeer_relay_place *place, enum bypeer_wireguard_type type,
                  uint32_t sender, uint32_t receiver, uint64_t counter, size_t bytes)
{
    bytes = walk_message(message, type, sender, receiver, counter, bytes);
    return walk_relay_frame(frame, user, place, message, bytes);
}

/* It arrives; whether anything left by the port of another user, which is then in out. */
static size_t pass_to(enum walk_user to, uint16_t port, size_t length)
{
    walk_arrive(port, frame, length);
    walk_once();
    return walk_sent(walk_user_port(to), out);
}

static size_t pass(enum walk_user user, enum bypeer_wireguard_type type, uint32_t sender, uint32_t receiver,
                   uint64_t counter, size_t bytes)
{
    struct bypeer_relay_place place = walk_place(user);
    size_t length = say(user, &place, type, sender, receiver, counter, bytes);
    return pass_to(walk_partner(user), place.device, length);
}

/* out is what was in frame, from the partner's relay address, to where he is; nothing else of it was changed. */
static void expect_relayed(enum walk_user user, size_t length)
{
    enum walk_user partner = walk_partner(user);
    struct bypeer_relay_place to = walk_place(partner);
    uint8_t mac[8];
    bool is_ipv4 = frame[BYPEER_ETHERNET_BYTES] >> 4 == 4;
    size_t udp = is_ipv4 ? 34 : 54, addresses = is_ipv4 ? 26 : 22, bytes = is_ipv4 ? 4 : 16;
    bypeer_store64(mac, to.port_and_mac);
    cr_assert(walk_is_well_formed(out, length));
    cr_assert_arr_eq(out, mac + 2, 6);
    cr_assert_arr_eq(out + 6, walk.worker.ports[walk_user_port(partner)].mac, 6);
    cr_assert_arr_eq(out + addresses, walk_relay_key(partner) + 16 - bytes, bytes, "its source");
    cr_assert_arr_eq(out + addresses + bytes, (const uint8_t *)to.address + 16 - bytes, bytes, "its destination");
    cr_assert_eq(bypeer_load16(out + udp), is_ipv4 ? bypeer_relay_key_port(walk_relay_key(partner)) : WALK_RELAY_PORT);
    cr_assert_eq(bypeer_load16(out + udp + 2), bypeer_relay_port(&to));
    cr_assert_eq(out[is_ipv4 ? 22 : 21], 63, "one hop");
    cr_assert_arr_eq(out + udp + 8, frame + udp + 8, length - udp - 8, "what it carries");
    if (!is_ipv4)
        cr_assert_arr_eq(out + 12, frame + 12, 9, "class, label, length");
}

Test(relay_node, a_handshake_and_what_follows)
{
    size_t length;
    /* Whoever speaks first is heard by nobody yet; the other one's own first word finds him. */
    cr_assert_eq(pass(USER_ALICE, BYPEER_WIREGUARD_INITIATION, 11, 0, 0, 0), 0);
    cr_assert_eq(walk_dropped(BYPEER_DROP_RELAY_NOBODY), 1);
    length = pass(USER_BOB, BYPEER_WIREGUARD_INITIATION, 22, 0, 0, 0);
    cr_assert_eq(length, 14 + 48 + BYPEER_WIREGUARD_INITIATION_BYTES);
    expect_relayed(USER_BOB, length);
    length = pass(USER_ALICE, BYPEER_WIREGUARD_RESPONSE, 12, 22, 0, 0);
    expect_relayed(USER_ALICE, length);
    for (unsigned counter = 0; counter < 20; counter++) {
        length = pass(USER_BOB, BYPEER_WIREGUARD_DATA, 0, 12, counter, 1424);
        cr_assert_eq(length, 14 + 48 + 1424);
        expect_relayed(USER_BOB, length);
        length = pass(USER_ALICE, BYPEER_WIREGUARD_DATA, 0, 22, counter, 33 + counter);
        expect_relayed(USER_ALICE, length);
    }
    cr_assert_eq(walk_relay_state(USER_ALICE)->packets, 21, "the first one went nowhere");
    cr_assert_eq(walk_relay_state(USER_BOB)->packets, 21);
    cr_assert_eq(walk_relay_state(USER_BOB)->bytes, 48 + 148 + 20 * (48 + 1424));
    cr_assert_eq(walk.counters[BYPEER_COUNT_RELAY_CLAIMS], 2);
    cr_assert_geq(walk.counters[BYPEER_COUNT_RELAY_ECHOES], 2);
    cr_assert_eq(walk.counters[BYPEER_COUNT_RELAY_MOVES], 0);
}

Test(relay_node, a_burst_of_many_pairs)
{
    walk_relay_meet(USER_ALICE);
    walk_relay_meet(USER_ERIN);
    for (unsigned i = 0; i < 40; i++) {
        enum walk_user user = i % 2 == 0 ? USER_ALICE : USER_ERIN;
        struct bypeer_relay_place place = walk_place(user);
        walk_arrive(0, frame, say(user, &place, BYPEER_WIREGUARD_DATA, 0, 1000 + walk_partner(user), i, 64));
        if (i % 10 == 0) { /* and a stray among them */
            frame[50] ^= 1;
            walk_arrive(0, frame, 14 + 48 + 64);
        }
    }
    walk_once();
    unsigned left = 0;
    for (; walk_sent(1, out) != 0; left++)
        cr_assert_arr_eq(out + 22, walk_relay_key(left % 2 == 0 ? USER_BOB : USER_FRANK), 16, "in order");
    cr_assert_eq(left, 40);
    cr_assert_eq(walk_dropped(BYPEER_DROP_RELAY_UNKNOWN), 4);
}

Test(relay_node, frames_may_be_padded_and_nothing_beside_is_sent_on)
{
    walk_relay_meet(USER_ALICE);
    struct bypeer_relay_place place = walk_place(USER_ALICE);
    size_t length = say(USER_ALICE, &place, BYPEER_WIREGUARD_DATA, 0, 1000 + USER_BOB, 9, 32);
    memset(frame + length, 0xee, 6);
    cr_assert_eq(pass_to(USER_BOB, 0, length + 6), length);
    expect_relayed(USER_ALICE, length);
}

/* --- who would misuse it ------------------------------------------------------------------------------------------ */

Test(relay_node, a_scan_finds_nothing)
{
    uint64_t random = 1;
    walk_relay_meet(USER_ALICE);
    struct bypeer_relay_place stranger = walk_place(USER_FRANK);
    for (unsigned i = 0; i < 1000; i++) {
        size_t length =
            say(USER_ALICE, &stranger, BYPEER_WIREGUARD_INITIATION, (uint32_t)random_next(&random), 0, 0, 0);
        uint64_t guess = random_next(&random);
        memcpy(frame + 46, &guess, 8);
        walk_arrive(1, frame, length);
        walk_once();
    }
    cr_assert_eq(walk_dropped(BYPEER_DROP_RELAY_UNKNOWN), 1000);
    cr_assert_eq(walk_sent(0, out) + walk_sent(1, out), 0, "not even an error");
}

/* Somebody at a place of his own sends to a user's relay address; nobody's traffic goes there. */
static void expect_no_gain(enum walk_user user, const struct bypeer_relay_place *from)
{
    enum walk_user partner = walk_partner(user);
    static const enum bypeer_wireguard_type types[] = {BYPEER_WIREGUARD_INITIATION, BYPEER_WIREGUARD_RESPONSE,
                                                       BYPEER_WIREGUARD_COOKIE, BYPEER_WIREGUARD_DATA};
    for (unsigned i = 0; i < 4; i++) {
        walk_arrive(from->device, frame, say(user, from, types[i], 77, 78, 1u << 20, 64));
        walk_once();
        while (walk_sent(0, out) + walk_sent(1, out) != 0)
            ;
    }
    size_t length = pass(partner, BYPEER_WIREGUARD_DATA, 0, 1000 + user, 50, 1000);
    expect_relayed(partner, length);
}

Test(relay_node, who_knows_an_address_but_no_index_draws_nothing)
{
    walk_relay_meet(USER_ALICE);
    struct bypeer_relay_place thief = walk_place(USER_FRANK), forged = walk_place(USER_BOB);
    expect_no_gain(USER_ALICE, &thief);
    expect_no_gain(USER_ALICE, &forged); /* another member's source, his own partner's even */
    cr_assert_eq(walk.counters[BYPEER_COUNT_RELAY_MOVES], 0);
}

Test(relay_node, unproved_members_get_three_bytes_a_byte)
{
    struct bypeer_relay_place victim = walk_place(USER_FRANK);
    walk_relay_meet(USER_ERIN);
    /* Bob forges a victim's source; alice, who means well, sends him all that she has. */
    size_t in = say(USER_BOB, &victim, BYPEER_WIREGUARD_DATA, 0, 5, 0, 64), bytes = 0;
    walk_arrive(1, frame, in);
    walk_once();
    for (unsigned i = 0; i < 1000; i++) {
        size_t length = pass(USER_ALICE, BYPEER_WIREGUARD_DATA, 0, 6, i, 48);
        bytes += length == 0 ? 0 : length - 14;
    }
    cr_assert_gt(bytes, 0);
    cr_assert_leq(bytes, 3 * (in - 14));
    cr_assert_gt(walk_dropped(BYPEER_DROP_RELAY_CREDIT), 900);
}

Test(relay_node, a_member_moves)
{
    walk_relay_meet(USER_ALICE);
    struct bypeer_relay_place elsewhere = walk_place(USER_FRANK);
    elsewhere.port_and_mac ^= UINT64_C(1) << 50;
    walk_arrive(1, frame, say(USER_ALICE, &elsewhere, BYPEER_WIREGUARD_DATA, 0, 1000 + USER_BOB, 1, 64));
    walk_once();
    cr_assert_neq(walk_sent(1, out), 0);
    cr_assert_eq(walk.counters[BYPEER_COUNT_RELAY_MOVES], 1);
    struct bypeer_relay_place bob = walk_place(USER_BOB);
    size_t length = say(USER_BOB, &bob, BYPEER_WIREGUARD_DATA, 0, 1000 + USER_ALICE, 1, 1000);
    cr_assert_eq(pass_to(USER_FRANK, 1, length), length);
    cr_assert_arr_eq(out + 38, (const uint8_t *)elsewhere.address, 16);
    cr_assert_eq(bypeer_load16(out + 56), bypeer_relay_port(&elsewhere));
}

Test(relay_node, what_is_no_place_of_a_member)
{
    static const uint8_t addresses[][16] = {
        {0x20, 0x01, 0x0d, 0xb8, 0, 5, 0, 0, 0x43, 0x43, 0x43, 0x43, 0x43, 0x43, 0x43, 0x43}, /* a relay address */
        {0x20, 0x01, 0x0d, 0xb8, 0, 5, [15] = 9},                                             /* one that is not used */
        {0x20, 0x01, 0x0d, 0xb8, [15] = 1},                                                   /* this node's */
        {0x20, 0x01, 0x0d, 0xb8, [15] = 0x77},                                                /* likewise */
        {0xff, 0x02, [15] = 1},
        {0xfe, 0x80, [15] = 1},
        {0},
        {[15] = 1},
        {[10] = 0xff, 0xff, 198, 51, 100, 3}, /* an IPv4 address, in IPv6 */
    };
    unsigned dropped = 0;
    for (unsigned i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
        struct bypeer_relay_place place = walk_place(USER_ALICE);
        memcpy(place.address, addresses[i], 16);
        walk_arrive(0, frame, say(USER_ALICE, &place, BYPEER_WIREGUARD_INITIATION, 11, 0, 0, 0));
        walk_once();
        cr_assert_eq(walk_dropped(BYPEER_DROP_RELAY_SOURCE), ++dropped, "address %u", i);
    }
    struct bypeer_relay_place place = walk_place(USER_ALICE);
    place.port_and_mac &= (UINT64_C(1) << 48) - 1; /* no port */
    walk_arrive(0, frame, say(USER_ALICE, &place, BYPEER_WIREGUARD_INITIATION, 11, 0, 0, 0));
    walk_once();
    cr_assert_eq(walk_dropped(BYPEER_DROP_RELAY_SOURCE), ++dropped);
    place = walk_place(USER_ALICE);
    size_t length = say(USER_ALICE, &place, BYPEER_WIREGUARD_INITIATION, 11, 0, 0, 0);
    frame[6] = 0x33; /* many cards */
    walk_arrive(0, frame, length);
    memcpy(frame + 6, frame, 6); /* our own one */
    walk_arrive(0, frame, length);
    walk_once();
    cr_assert_eq(walk_dropped(BYPEER_DROP_RELAY_SOURCE), dropped + 2);
    /* Nobody was learnt by any of that. */
    cr_assert_eq(pass(USER_BOB, BYPEER_WIREGUARD_INITIATION, 22, 0, 0, 0), 0);
    cr_assert_eq(walk_dropped(BYPEER_DROP_RELAY_NOBODY), 1);
}

Test(relay_node, withdrawn_at_once)
{
    walk_relay_meet(USER_ALICE);
    cr_assert_eq(bypeer_writer_remove_relay(walk.writer, USER_ALICE / 2), 0);
    cr_assert_eq(pass(USER_ALICE, BYPEER_WIREGUARD_DATA, 0, 1000 + USER_BOB, 1, 64), 0);
    cr_assert_eq(walk_dropped(BYPEER_DROP_RELAY_UNKNOWN), 1);
}

Test(relay_node, a_new_pair_under_old_numbers_begins_anew)
{
    walk_relay_meet(USER_ALICE);
    struct bypeer_relay_record record = walk_relay_record(USER_ALICE);
    record.serial = 700;
    cr_assert_eq(bypeer_writer_remove_relay(walk.writer, USER_ALICE / 2), 0);
    cr_assert_eq(bypeer_writer_put_relay(walk.writer, USER_ALICE / 2, &record), 1);
    uint64_t before = walk_dropped(BYPEER_DROP_RELAY_NOBODY);
    cr_assert_eq(pass(USER_ALICE, BYPEER_WIREGUARD_DATA, 0, 1000 + USER_BOB, 1, 64), 0);
    cr_assert_eq(walk_dropped(BYPEER_DROP_RELAY_NOBODY), before + 1);
    cr_assert_eq(walk_relay_claims(USER_ALICE)->serial, 700);
    cr_assert_eq(walk_relay_state(USER_ALICE)->packets, 0);
}

/* --- fragments ---------------------------------------------------------------------------------------------------- */

/* Cuts the datagram in frame into two fragments, the first with some bytes of it. Returns their lengths. */
static void cut(size_t length, size_t first_bytes, uint8_t *first, size_t *first_length, uint8_t *second,
                size_t *second_length)
{
    size_t bytes = length - 54;
    for (unsigned i = 0; i < 2; i++) {
        uint8_t *fragment = i == 0 ? first : second;
        size_t at = i == 0 ? 0 : first_bytes, some = i == 0 ? first_bytes : bytes - first_bytes;
        const uint8_t header[8] = {17, 0, (uint8_t)(at >> 8), (uint8_t)(at | (i == 0)), 1, 2, 3, 4};
        memcpy(fragment, frame, 54);
        fragment[20] = BYPEER_NEXT_FRAGMENT;
        bypeer_store16(fragment + 18, (uint16_t)(8 + some));
        memcpy(fragment + 54, header, 8);
        memcpy(fragment + 62, frame + 54 + at, some);
        *(i == 0 ? first_length : second_length) = 62 + some;
    }
}

Test(relay_node, fragments_arrive_as_one_datagram)
{
    uint8_t first[2000], second[2000], whole[2000];
    size_t first_length, second_length;
    struct bypeer_relay_place place = walk_place(USER_ALICE);
    size_t length = say(USER_ALICE, &place, BYPEER_WIREGUARD_DATA, 0, 1000 + USER_BOB, 1, 1300);
    cut(length, 800, first, &first_length, second, &second_length);
    /* Not from who is not confirmed: then it is not known whose they are. */
    walk_arrive(0, second, second_length);
    walk_once();
    cr_assert_eq(walk_dropped(BYPEER_DROP_RELAY_SOURCE), 1);
    walk_relay_meet(USER_ALICE);
    walk_arrive(0, second, second_length);
    walk_once();
    cr_assert_eq(walk_sent(1, out), second_length);
    memcpy(whole + 54 + 800, out + 62, second_length - 62);
    cr_assert_arr_eq(out + 54, second + 54, 8, "the fragment header");
    walk_arrive(0, first, first_length);
    walk_once();
    cr_assert_eq(walk_sent(1, out), first_length);
    memcpy(whole, out, 54);
    memcpy(whole + 54, out + 62, 800);
    bypeer_store16(whole + 18, (uint16_t)(length - 54));
    whole[20] = BYPEER_NEXT_UDP;
    memcpy(out, whole, length);
    expect_relayed(USER_ALICE, length);
    /* A stranger's are nobody's. */
    second[37] ^= 1;
    walk_arrive(0, second, second_length);
    walk_once();
    cr_assert_eq(walk_dropped(BYPEER_DROP_RELAY_SOURCE), 2);
}

/* --- IPv4 --------------------------------------------------------------------------------------------------------- */

Test(relay_node, members_of_the_hub_by_ports)
{
    walk_relay_meet(USER_CAROL);
    for (unsigned counter = 1; counter < 10; counter++) {
        expect_relayed(USER_CAROL, pass(USER_CAROL, BYPEER_WIREGUARD_DATA, 0, 1000 + USER_DAVE, counter, 1000));
        expect_relayed(USER_DAVE, pass(USER_DAVE, BYPEER_WIREGUARD_DATA, 0, 1000 + USER_CAROL, counter, 100));
    }
    /* No checksum stays none. */
    struct bypeer_relay_place place = walk_place(USER_CAROL);
    size_t length = say(USER_CAROL, &place, BYPEER_WIREGUARD_DATA, 0, 1000 + USER_DAVE, 20, 100);
    bypeer_store16(frame + 40, 0);
    cr_assert_eq(pass_to(USER_DAVE, 0, length), length);
    cr_assert_eq(bypeer_load16(out + 40), 0);
    /* It is locked to where the hub link has him, and nothing else opens it. */
    memcpy(&((uint8_t *)place.address)[15], &(uint8_t){99}, 1);
    length = say(USER_CAROL, &place, BYPEER_WIREGUARD_DATA, 0, 1000 + USER_DAVE, 21, 100);
    cr_assert_eq(pass_to(USER_DAVE, 0, length), 0);
    cr_assert_eq(walk_dropped(BYPEER_DROP_RELAY_SOURCE), 1);
}

Test(relay_node, other_ports_are_the_kernels)
{
    walk_relay_meet(USER_CAROL);
    struct bypeer_relay_place place = walk_place(USER_CAROL);
    size_t length = say(USER_CAROL, &place, BYPEER_WIREGUARD_DATA, 0, 1000 + USER_DAVE, 20, 100);
    bypeer_store16(frame + 36, 52900);
    cr_assert_eq(pass_to(USER_DAVE, 0, length), 0);
    cr_assert_eq(walk_punted(BYPEER_DEVICE_UNDERLAY, 0, out), length);
    cr_assert_arr_eq(out, frame, length);
    /* So is what is no WireGuard: the answer to a question of the kernel's own may come to such a port. */
    length = say(USER_CAROL, &place, BYPEER_WIREGUARD_DATA, 0, 1000 + USER_DAVE, 20, 100);
    frame[42] = 0x45;
    cr_assert_eq(pass_to(USER_DAVE, 0, length), 0);
    cr_assert_eq(walk_punted(BYPEER_DEVICE_UNDERLAY, 0, out), length);
}

/* --- whatever comes ----------------------------------------------------------------------------------------------- */

Test(relay_node, damaged_frames_go_nowhere_else)
{
    uint64_t random = 7;
    walk_relay_meet(USER_ALICE);
    walk_relay_meet(USER_CAROL);
    for (unsigned round = 0; round < 20000; round++) {
        enum walk_user user = (enum walk_user)(USER_ALICE + random_next_below(&random, 4));
        struct bypeer_relay_place place = walk_place(user);
        size_t length = say(user, &place, (enum bypeer_wireguard_type)(1 + random_next_below(&random, 4)),
                            (uint32_t)random_next(&random), 1000 + walk_partner(user), random_next(&random), 64);
        if (random_next_below(&random, 4) == 0)
            frame[20] = random_next_below(&random, 2) == 0 ? BYPEER_NEXT_FRAGMENT : BYPEER_NEXT_ICMPV6;
        for (unsigned damages = random_next_below(&random, 4); damages > 0; damages--)
            frame[random_next_below(&random, 80)] ^= (uint8_t)(1u << random_next_below(&random, 8));
        if (random_next_below(&random, 4) == 0)
            length = 1 + random_next_below(&random, (uint32_t)length);
        walk_arrive(place.device, frame, length);
        walk_once();
        for (uint16_t port = 0; port < 2; port++) {
            while (walk_sent(port, out) != 0) {
                bool is_ipv4 = bypeer_load16(out + 12) == BYPEER_ETHERTYPE_IPV4;
                cr_assert(is_ipv4 || memcmp(out + 38, walk_relay_key(USER_ALICE), 8) != 0, "to a relay address");
                cr_assert(out[0] % 2 == 0, "to many");
            }
        }
        void *mbuf;
        while (rte_ring_dequeue(walk.worker.punt, &mbuf) == 0) {
            walk.taken++;
            rte_pktmbuf_free(mbuf);
        }
        walk.worker.now_ms += 10;
        walk.worker.now_tsc += 1000000;
    }
    cr_assert_gt(walk.counters[BYPEER_COUNT_SENT], 5000);
    cr_assert_gt(walk.counters[BYPEER_DROP_RELAY_MESSAGE], 100);
}
