/* Path MTU from member to member, and neighbour discovery for relay addresses. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "overlay/ip/checksum.h"
#include "overlay/ip/icmpv6.h"
#include "overlay/ip/udp.h"
#include "overlay/relay/error.h"
#include "overlay/relay/neighbour.h"
#include "tests/unit/walk_relay.h"

TestSuite(relay_icmp, .init = walk_relay_set_up, .fini = walk_tear_down, .timeout = 120);

static uint8_t message[WALK_FRAME_MAX], frame[WALK_FRAME_MAX], out[WALK_FRAME_MAX];

/* A router, on the way to the user of the packet. */
static const uint8_t router[16] = {0x20, 0x01, 0x0d, 0xb8, 0xee, [15] = 0xee};
static const uint8_t router_mac[6] = {2, 0, 0, 0, 0, 0xee};

static size_t data_frame(enum walk_user user, uint64_t counter, size_t bytes)
{
    struct bypeer_relay_place place = walk_place(user);
    bytes = walk_message(message, BYPEER_WIREGUARD_DATA, 0, 1000 + walk_partner(user), counter, bytes);
    return walk_relay_frame(frame, user, &place, message, bytes);
}

/* The router's error about the IPv6 packet at about comes back to where that was from; its frame's length. */
static size_t error_frame(uint8_t *error, uint16_t port, const struct bypeer_icmpv6_error *what, const uint8_t *about,
                          size_t about_bytes)
{
    size_t bytes = bypeer_icmpv6_write(error + 14, what, about, about_bytes);
    memcpy(error, walk.worker.ports[port].mac, 6);
    memcpy(error + 6, router_mac, 6);
    bypeer_store16(error + 12, BYPEER_ETHERTYPE_IPV6);
    return 14 + bytes;
}

/* Alice sends, and what bob would get has the error; it is in frame, and what she sent in sent. */
static uint8_t sent[WALK_FRAME_MAX];
static size_t provoke(uint8_t type, uint8_t code, uint32_t value, size_t bytes)
{
    size_t length = data_frame(USER_ALICE, 1, bytes);
    memcpy(sent, frame, length);
    walk_arrive(0, frame, length);
    walk_once();
    cr_assert_eq(walk_sent(1, out), length);
    return error_frame(frame, 1, &(struct bypeer_icmpv6_error){type, code, value, router}, out + 14, length - 14);
}

Test(relay_icmp, too_big_comes_to_the_sender_about_his_own_packet)
{
    walk_relay_meet(USER_ALICE);
    size_t length = provoke(BYPEER_ICMPV6_TOO_BIG, 0, 1400, 1424);
    walk_arrive(1, frame, length);
    walk_once();
    cr_assert_eq(walk_sent(0, out), length);
    cr_assert_eq(bypeer_checksum_fold(bypeer_icmpv6_sum(out + 14, length - 14)), 0xffff);
    cr_assert_arr_eq(out + 22, walk_relay_key(USER_ALICE), 16, "from what she sent to");
    cr_assert_arr_eq(out + 38, sent + 22, 16, "to her");
    cr_assert_eq(out[54], BYPEER_ICMPV6_TOO_BIG);
    cr_assert_eq(bypeer_load32(out + 58), 1400);
    /* The packet as she sent it, but for the hop that it has gone. */
    uint8_t *quoted = out + 62;
    quoted[7]++;
    cr_assert_arr_eq(quoted, sent + 14, length - 62);
    cr_assert_eq(walk.counters[BYPEER_COUNT_RELAY_ERRORS], 1);
}

Test(relay_icmp, what_follows_an_error_is_not_sent_on)
{
    walk_relay_meet(USER_ALICE);
    size_t length = provoke(BYPEER_ICMPV6_TOO_BIG, 0, 1400, 64);
    memset(frame + length, 0xee, 700);
    walk_arrive(1, frame, length + 700);
    walk_once();
    cr_assert_eq(walk_sent(0, out), length);
}

/* An error of so many bytes about what alice sent: whether she gets it. */
static bool is_turned(size_t bytes)
{
    size_t length = provoke(BYPEER_ICMPV6_TOO_BIG, 0, 1400, 1424);
    memset(frame + length, 0xee, sizeof(frame) - length);
    bypeer_store16(frame + 18, (uint16_t)(bytes - 40));
    bypeer_store16(frame + 56, 0);
    bypeer_store16_raw(frame + 56, (uint16_t)~bypeer_checksum_fold(bypeer_icmpv6_sum(frame + 14, bytes)));
    walk_arrive(1, frame, 14 + bytes);
    walk_once();
    return walk_sent(0, out) != 0;
}

Test(relay_icmp, errors_are_of_1280_bytes_at_most)
{
    walk_relay_meet(USER_ALICE);
    cr_assert(is_turned(1280));
    cr_assert_not(is_turned(1281));
    cr_assert_not(is_turned(1480));
    cr_assert_eq(walk_dropped(BYPEER_DROP_RELAY_ICMP), 2);
}

Test(relay_icmp, errors_fit_the_port_that_they_leave_by)
{
    walk_relay_meet(USER_ALICE);
    walk.worker.ports[0].mtu = 1279;
    cr_assert_not(is_turned(1280));
    cr_assert_eq(walk_dropped(BYPEER_DROP_TOO_BIG), 1);
    cr_assert(is_turned(1272));
}

Test(relay_icmp, about_a_fragment)
{
    uint8_t fragment[100] = {0}, error[WALK_FRAME_MAX];
    struct bypeer_relay_place bob = walk_place(USER_BOB), alice = walk_place(USER_ALICE);
    walk_relay_meet(USER_ALICE);
    bypeer_ipv6_write(fragment, &(struct bypeer_ipv6){.source = walk_relay_key(USER_BOB),
                                                      .destination = (const uint8_t *)bob.address,
                                                      .payload_bytes = 60,
                                                      .next_header = BYPEER_NEXT_FRAGMENT,
                                                      .hop_limit = 9});
    fragment[40] = BYPEER_NEXT_UDP;
    bypeer_store16(fragment + 42, 800);
    size_t length = error_frame(error, 1, &(struct bypeer_icmpv6_error){2, 0, 1280, router}, fragment, 100);
    walk_arrive(1, error, length);
    walk_once();
    cr_assert_eq(walk_sent(0, out), length);
    cr_assert_eq(bypeer_checksum_fold(bypeer_icmpv6_sum(out + 14, length - 14)), 0xffff);
    cr_assert_arr_eq(out + 62 + 8, (const uint8_t *)alice.address, 16);
    cr_assert_arr_eq(out + 62 + 24, walk_relay_key(USER_ALICE), 16);
    cr_assert_arr_eq(out + 62 + 40, fragment + 40, 60);
}

/* The error in frame, one bit after the other changed with its checksum put right, goes nowhere else. */
Test(relay_icmp, errors_that_nobody_caused)
{
    walk_relay_meet(USER_ALICE);
    size_t length = provoke(BYPEER_ICMPV6_TOO_BIG, 0, 1400, 64);
    static const size_t at[] = {62 + 8,  62 + 23, /* the quoted source */
                                62 + 24, 62 + 39, /* its destination */
                                62 + 40, 62 + 43, /* its ports */
                                62 + 6,           /* its next header */
                                38};              /* the relay address that the error came to */
    uint8_t whole[WALK_FRAME_MAX];
    memcpy(whole, frame, length);
    for (unsigned i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
        memcpy(frame, whole, length);
        frame[at[i]] ^= 1;
        bypeer_store16(frame + 56, 0);
        bypeer_store16_raw(frame + 56, (uint16_t)~bypeer_checksum_fold(bypeer_icmpv6_sum(frame + 14, length - 14)));
        walk_arrive(1, frame, length);
        walk_once();
        cr_assert_eq(walk_sent(0, out) + walk_sent(1, out), 0, "byte %zu", at[i]);
    }
    memcpy(frame, whole, length);
    frame[100] ^= 1; /* the checksum is wrong */
    walk_arrive(1, frame, length);
    for (size_t cut = 54; cut < 62 + 48; cut++) {
        bypeer_store16(whole + 18, (uint16_t)(cut - 54));
        walk_arrive(1, whole, cut);
    }
    walk_once();
    cr_assert_eq(walk_sent(0, out) + walk_sent(1, out), 0);
    cr_assert_gt(walk_dropped(BYPEER_DROP_RELAY_ICMP), 50);
}

Test(relay_icmp, values_below_the_minimum_and_other_types)
{
    walk_relay_meet(USER_ALICE);
    walk_arrive(1, frame, provoke(BYPEER_ICMPV6_TOO_BIG, 0, 1279, 1424));
    walk_arrive(1, frame, provoke(128, 0, 0, 1424)); /* an echo request */
    walk_arrive(1, frame, provoke(5, 0, 0, 1424));
    walk_once();
    cr_assert_eq(walk_sent(0, out), 0);
    cr_assert_eq(walk_dropped(BYPEER_DROP_RELAY_ICMP), 3);
    walk_arrive(1, frame, provoke(BYPEER_ICMPV6_TIME_EXCEEDED, 0, 0, 1424));
    walk_once();
    cr_assert_neq(walk_sent(0, out), 0);
}

Test(relay_icmp, a_host_without_the_port_ends_a_trial)
{
    struct bypeer_relay_place victim = walk_place(USER_FRANK), alice = walk_place(USER_ALICE);
    walk_relay_meet(USER_ALICE);
    /* Bob moves to a victim, under his own index. */
    size_t bytes = walk_message(message, BYPEER_WIREGUARD_DATA, 0, 1000 + USER_ALICE, 7, 64);
    walk_arrive(1, frame, walk_relay_frame(frame, USER_BOB, &victim, message, bytes));
    walk_once();
    cr_assert_neq(walk_sent(0, out), 0);
    size_t length = data_frame(USER_ALICE, 1, 1000);
    walk_arrive(0, frame, length);
    walk_once();
    cr_assert_eq(walk_sent(1, out), length);
    cr_assert_arr_eq(out + 38, (const uint8_t *)victim.address, 16);
    walk_arrive(
        1, frame,
        error_frame(frame, 1,
                    &(struct bypeer_icmpv6_error){BYPEER_ICMPV6_UNREACHABLE, 4, 0, (const uint8_t *)victim.address},
                    out + 14, length - 14));
    walk_once();
    cr_assert_eq(walk_sent(0, out), 14 + 1280 < length + 48 ? 14 + 1280 : length + 48, "and alice is told");
    cr_assert_eq(walk.counters[BYPEER_COUNT_RELAY_DENIED], 1);
    cr_assert_arr_eq(out + 38, (const uint8_t *)alice.address, 16);
    walk_arrive(0, frame, data_frame(USER_ALICE, 2, 1000));
    walk_once();
    cr_assert_eq(walk_sent(1, out), 0);
    cr_assert_eq(walk_dropped(BYPEER_DROP_RELAY_CREDIT), 1);
}

Test(relay_icmp, too_big_for_the_nodes_own_port)
{
    walk_relay_meet(USER_ALICE);
    walk.worker.ports[1].mtu = 1400;
    size_t length = data_frame(USER_ALICE, 1, 1424);
    memcpy(sent, frame, length);
    walk_arrive(0, frame, length);
    walk_once();
    cr_assert_eq(walk_sent(0, out), 14 + 1280);
    cr_assert_eq(walk_dropped(BYPEER_DROP_TOO_BIG), 1);
    cr_assert_eq(walk.counters[BYPEER_COUNT_GENERATED], 1);
    cr_assert_eq(bypeer_checksum_fold(bypeer_icmpv6_sum(out + 14, 1280)), 0xffff);
    cr_assert_arr_eq(out, sent + 6, 6);
    cr_assert_arr_eq(out + 22, walk_relay_key(USER_ALICE), 16);
    cr_assert_arr_eq(out + 38, sent + 22, 16);
    cr_assert_eq(out[54], BYPEER_ICMPV6_TOO_BIG);
    cr_assert_eq(bypeer_load32(out + 58), 1400);
    cr_assert_arr_eq(out + 62, sent + 14, 1232);
    /* Not without end. */
    for (unsigned i = 0; i < 200; i++)
        walk_arrive(0, sent, length);
    for (unsigned i = 0; i < 200; i += walk.worker.burst)
        walk_once();
    unsigned errors = 0;
    while (walk_sent(0, out) != 0)
        errors++;
    cr_assert_lt(errors, 60);
    cr_assert_gt(walk.counters[BYPEER_COUNT_ICMP_SUPPRESSED], 100);
}

/* --- neighbour discovery ------------------------------------------------------------------------------------------ */

/* The router asks who has an address; returns the frame's length. */
static size_t solicitation(const uint8_t target[static 16], const uint8_t source[static 16], bool with_option)
{
    uint8_t group[16] = {0xff, 0x02, [11] = 1, 0xff};
    memcpy(group + 13, target + 13, 3);
    const uint8_t mac[6] = {0x33, 0x33, 0xff, target[13], target[14], target[15]};
    uint16_t payload = with_option ? 32 : 24;
    memcpy(frame, mac, 6);
    memcpy(frame + 6, router_mac, 6);
    bypeer_store16(frame + 12, BYPEER_ETHERTYPE_IPV6);
    bypeer_ipv6_write(frame + 14, &(struct bypeer_ipv6){.source = source,
                                                        .destination = group,
                                                        .payload_bytes = payload,
                                                        .next_header = BYPEER_NEXT_ICMPV6,
                                                        .hop_limit = 255});
    memset(frame + 54, 0, 32);
    frame[54] = BYPEER_ICMPV6_SOLICITATION;
    memcpy(frame + 62, target, 16);
    frame[78] = 1;
    frame[79] = 1;
    memcpy(frame + 80, router_mac, 6);
    bypeer_store16_raw(frame + 56, (uint16_t)~bypeer_checksum_fold(bypeer_icmpv6_sum(frame + 14, 40u + payload)));
    return 54u + payload;
}

static const uint8_t asker[16] = {0xfe, 0x80, [15] = 0xee};

Test(relay_icmp, who_asks_for_a_relay_address_is_told)
{
    for (unsigned with_option = 0; with_option < 2; with_option++) {
        walk_arrive(0, frame, solicitation(walk_relay_key(USER_ALICE), asker, with_option != 0));
        walk_once();
        cr_assert_eq(walk_sent(0, out), BYPEER_RELAY_ADVERTISEMENT_BYTES);
        cr_assert_arr_eq(out, router_mac, 6);
        cr_assert_arr_eq(out + 6, walk.worker.ports[0].mac, 6);
        cr_assert_arr_eq(out + 22, walk_relay_key(USER_ALICE), 16);
        cr_assert_arr_eq(out + 38, asker, 16);
        cr_assert_eq(out[21], 255);
        cr_assert_eq(out[54], BYPEER_ICMPV6_ADVERTISEMENT);
        cr_assert_eq(out[58], 0x60, "solicited, overriding, no router");
        cr_assert_arr_eq(out + 62, walk_relay_key(USER_ALICE), 16);
        cr_assert_eq(out[78], 2);
        cr_assert_arr_eq(out + 80, walk.worker.ports[0].mac, 6);
        cr_assert_eq(bypeer_checksum_fold(bypeer_icmpv6_sum(out + 14, 72)), 0xffff);
    }
    /* Asked again, of the very address. */
    size_t length = solicitation(walk_relay_key(USER_ALICE), asker, true);
    memcpy(frame, walk.worker.ports[0].mac, 6);
    memcpy(frame + 38, walk_relay_key(USER_ALICE), 16);
    bypeer_store16(frame + 56, 0);
    bypeer_store16_raw(frame + 56, (uint16_t)~bypeer_checksum_fold(bypeer_icmpv6_sum(frame + 14, 72)));
    walk_arrive(0, frame, length);
    walk_once();
    cr_assert_eq(walk_sent(0, out), BYPEER_RELAY_ADVERTISEMENT_BYTES);
}

Test(relay_icmp, what_is_not_answered)
{
    static const uint8_t none[16], elsewhere[16] = {0x20, 0x01, 0x0d, 0xb8, 0, 6};
    uint8_t unknown[16];
    memcpy(unknown, walk_relay_key(USER_ALICE), 16);
    unknown[15] ^= 1;
    walk_arrive(0, frame, solicitation(unknown, asker, true));
    walk_once();
    cr_assert_eq(walk_dropped(BYPEER_DROP_RELAY_UNKNOWN), 1);
    walk_arrive(0, frame, solicitation(walk_relay_key(USER_ALICE), none, false));
    size_t length = solicitation(walk_relay_key(USER_ALICE), asker, true);
    frame[21] = 254; /* it was forwarded */
    walk_arrive(0, frame, length);
    frame[21] = 255;
    frame[56] ^= 1;
    walk_arrive(0, frame, length);
    length = solicitation(walk_relay_key(USER_ALICE), asker, true);
    frame[79] = 0; /* an option without a length */
    bypeer_store16(frame + 56, 0);
    bypeer_store16_raw(frame + 56, (uint16_t)~bypeer_checksum_fold(bypeer_icmpv6_sum(frame + 14, 72)));
    walk_arrive(0, frame, length);
    walk_once();
    cr_assert_eq(walk_dropped(BYPEER_DROP_RELAY_MESSAGE), 4);
    cr_assert_eq(walk_sent(0, out), 0);
    /* What is not the relay's is the kernel's. */
    length = solicitation(elsewhere, asker, true);
    walk_arrive(0, frame, length);
    walk_once();
    cr_assert_eq(walk_punted(BYPEER_DEVICE_UNDERLAY, 0, out), length);
    walk.tables.relay_prefix.flags = 0; /* the prefix is routed to us */
    walk_arrive(0, frame, solicitation(walk_relay_key(USER_ALICE), asker, true));
    walk_once();
    cr_assert_eq(walk_punted(BYPEER_DEVICE_UNDERLAY, 0, out), length);
}
