/* PNRP answered by a worker: what a peer gets back, byte for byte, and what is left to control. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "overlay/ip/datagram.h"
#include "overlay/pnrp/lookup_wire.h"
#include "overlay/pnrp/meter.h"
#include "tests/unit/walk_clouds.h"

TestSuite(pnrp_node, .init = walk_clouds_set_up, .fini = walk_tear_down, .timeout = 120);

static uint8_t frame[WALK_FRAME_MAX], out[WALK_FRAME_MAX], payload[WALK_FRAME_MAX];

/* --- asking ------------------------------------------------------------------------------------------------------- */

/* Sends payload to the cloud and walks. Returns the bytes of the answer, which are at out + WALK_CLOUD_BYTES; 0: there
 * is none. What comes back is A's frame turned round, and well-formed. */
static size_t ask_bytes(enum walk_cloud cloud, const uint8_t *bytes, size_t length)
{
    const uint8_t next_hop[6] = {0x02, 0, 0, 0, 0, 0x99};
    walk_arrive(0, frame, walk_datagram(frame, cloud, bytes, length));
    walk_once();
    size_t sent = walk_sent(0, out);
    if (sent == 0)
        return 0;
    cr_assert(walk_is_well_formed(out, sent));
    cr_assert_arr_eq(out, next_hop, 6);
    cr_assert_arr_eq(out + 6, walk.worker.ports[0].mac, 6);
    cr_assert_eq(bypeer_load32(out + 14), UINT32_C(0x60000000), "neither class nor flow label comes back");
    cr_assert_eq(out[14 + 7], 64, "hop limit");
    cr_assert_arr_eq(out + 14 + 8, walk_cloud_address(cloud), 16);
    cr_assert_arr_eq(out + 14 + 24, walk_address_a, 16);
    cr_assert_eq(bypeer_load16(out + 54), walk_cloud_port(cloud));
    cr_assert_eq(bypeer_load16(out + 56), 3540);
    return sent - WALK_CLOUD_BYTES;
}

static size_t ask(enum walk_cloud cloud, const struct bypeer_pnrp_message *message)
{
    const struct bypeer_profile *profile =
        bypeer_profile(cloud == CLOUD_MODERN ? BYPEER_PROFILE_MODERN : BYPEER_PROFILE_WINDOWS);
    size_t length = bypeer_pnrp_write(message, profile, payload, sizeof(payload));
    cr_assert_neq(length, 0);
    return ask_bytes(cloud, payload, length);
}

/* The last answer, read; it acknowledges this Message ID. */
static struct bypeer_pnrp_message answer_of(enum walk_cloud cloud, size_t length)
{
    const struct bypeer_profile *profile =
        bypeer_profile(cloud == CLOUD_MODERN ? BYPEER_PROFILE_MODERN : BYPEER_PROFILE_WINDOWS);
    struct bypeer_pnrp_message message;
    cr_assert_eq(bypeer_pnrp_read(&message, profile, out + WALK_CLOUD_BYTES, length), 0);
    return message;
}

static struct bypeer_pnrp_answer authority_of(enum walk_cloud cloud, size_t length, uint32_t acked)
{
    const struct bypeer_profile *profile =
        bypeer_profile(cloud == CLOUD_MODERN ? BYPEER_PROFILE_MODERN : BYPEER_PROFILE_WINDOWS);
    struct bypeer_pnrp_message message = answer_of(cloud, length);
    struct bypeer_pnrp_answer answer;
    cr_assert_eq(message.type, BYPEER_PNRP_AUTHORITY);
    cr_assert_eq(message.authority.acked, acked);
    cr_assert_eq(message.authority.offset, 0);
    cr_assert_eq(message.authority.slice_bytes, message.authority.size);
    cr_assert_eq(bypeer_pnrp_answer_read(&answer, profile, message.authority.slice, message.authority.size), 0);
    return answer;
}

/* The message went to control, as it came. */
static void expect_punted(size_t length)
{
    cr_assert_eq(walk_punted(BYPEER_DEVICE_UNDERLAY, 0, out), WALK_CLOUD_BYTES + length);
    cr_assert_arr_eq(out, frame, WALK_CLOUD_BYTES + length);
}

/* Same bytes but for the Message ID, which the answerer chooses. */
static void expect_bytes(size_t length, const char *text)
{
    uint8_t expected[200];
    size_t count = walk_hex(expected, text);
    cr_assert_eq(length, count, "%zu bytes, not %zu", length, count);
    memcpy(expected + 8, out + WALK_CLOUD_BYTES + 8, 4);
    cr_assert_arr_eq(out + WALK_CLOUD_BYTES, expected, count);
}

/* --- LOOKUPs ------------------------------------------------------------------------------------------------------ */

/* One that asks for target, from a path of one that is not A. */
static const uint8_t path_bytes[22 * 18] = {0x0f, 0xa0, 0x20, 0x01, 0x0d, 0xb8, [17] = 0xee};

static struct bypeer_pnrp_message lookup_for(const uint8_t *target, const uint8_t *validate)
{
    return (struct bypeer_pnrp_message){.type = BYPEER_PNRP_LOOKUP,
                                        .id = 0x01020308,
                                        .lookup = {.criterion = BYPEER_PNRP_ANY,
                                                   .target = target,
                                                   .validate = validate,
                                                   .path = {.bytes = path_bytes, .count = 1}}};
}

static const uint8_t nowhere[32];

/* An ID by its first and last byte. */
static const uint8_t *id_at(uint8_t first, uint8_t last)
{
    static uint8_t ids[16][32];
    static unsigned next;
    uint8_t *id = ids[next++ % 16];
    memset(id, 0, 32);
    id[0] = first;
    id[31] = last;
    return id;
}

/* Which host is named to somebody who asks for target; 0: none. */
static unsigned named(enum walk_cloud cloud, const struct bypeer_pnrp_message *message, unsigned flags)
{
    size_t length = ask(cloud, message);
    cr_assert_neq(length, 0);
    struct bypeer_pnrp_answer answer = authority_of(cloud, length, message->id);
    cr_assert_eq(answer.flags, flags, "flags %#x", answer.flags);
    cr_assert_null(answer.cpa);
    if (answer.entry.id == NULL)
        return 0;
    return bypeer_load16(answer.entry.addresses + 14);
}

/* The same, most often: a farther one is named now and then. */
static unsigned mostly_named(enum walk_cloud cloud, const struct bypeer_pnrp_message *message, unsigned flags)
{
    unsigned count[256] = {0}, most = 0;
    for (unsigned i = 0; i < 64; i++) {
        unsigned host = named(cloud, message, flags);
        cr_assert_lt(host, 256);
        count[host]++;
        if (count[host] > count[most])
            most = host;
    }
    cr_assert_geq(count[most], 40);
    return most;
}

Test(pnrp_node, the_references_lookup_is_answered_byte_for_byte)
{
    /* A's LOOKUP for an instance of B's name, as in the reference, but to C, which knows B and is asked by no ID. */
    struct bypeer_name b = {.port = 3540, .address_count = 1};
    memcpy(b.id, walk_id_b, 32);
    memcpy(b.addresses[0], walk_cloud_address(CLOUD_B), 16);
    cr_assert_eq(bypeer_writer_put_name(walk.writer, CLOUD_C, &b), 1);
    cr_assert_eq(bypeer_writer_commit_names(walk.writer), 0);
    uint8_t question[126];
    size_t length =
        walk_hex(question, "0010000c5104000b010203080045000c000000000100000000380024"
                           "7775c82766bfb84e1ca6276fe033d79720010db80000000180000000000000000039002400000000"
                           "00000000000000000000000000000000000000000000000000000000"
                           "009e001e0001001a009d00120dd420010db800000001000000000000000a");
    cr_assert_eq(length, 126);
    expect_bytes(ask_bytes(CLOUD_C, question, length),
                 "0010000c510400080a0b0c11001800080102030800980008004400000040000600000000009a003a"
                 "7775c82766bfb84e1ca6276fe033d79720010db8000000021122334455667788"
                 "04000dd4000120010db800000002000000000000000b0000");
    cr_assert_eq(walk.counters[BYPEER_COUNT_PNRP_LOOKUPS], 1);
    cr_assert_eq(walk.counters[BYPEER_COUNT_PNRP_NAMED], 1);
    cr_assert_eq(walk.counters[BYPEER_COUNT_NODE_PNRP], 1);
}

Test(pnrp_node, an_answer_without_an_entry_says_whose_id_is_wrong)
{
    uint8_t question[126];
    size_t length = walk_hex(question, "0010000c5104000b010203080045000c000000000100000000380024"
                                       "7775c82766bfb84e1ca6276fe033d797 20010db8000000018000000000000000 00390024"
                                       "7775c82766bfb84e1ca6276fe033d797 20010db8000000021122334455667788"
                                       "009e001e0001001a009d00120dd420010db800000001000000000000000a");
    /* C has no ID at all, so B's is not one of its own. */
    expect_bytes(ask_bytes(CLOUD_C, question, length),
                 "0010000c510400080a0b0c10001800080102030800980008000800000040000600010000");
    /* B has it, knows nothing nearer, and would have the target in its leaf set. */
    expect_bytes(ask_bytes(CLOUD_B, question, length),
                 "0010000c510400080a0b0c10001800080102030800980008000800000040000602000000");
}

Test(pnrp_node, the_nearest_is_named_in_every_profile)
{
    walk_know(CLOUD_MODERN, id_at(0x80, 0), 1, 1);
    walk_know(CLOUD_MODERN, id_at(0x90, 0), 2, 1);
    walk_know(CLOUD_MODERN, id_at(0xff, 0), 3, 1);
    const struct {
        uint8_t first;
        unsigned host;
    } cases[] = {{0x81, 1}, {0x87, 1}, {0x89, 2}, {0x91, 2}, {0xf0, 3}, {0x01, 3}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct bypeer_pnrp_message message = lookup_for(id_at(cases[i].first, 9), nowhere);
        cr_assert_eq(mostly_named(CLOUD_MODERN, &message, 0), cases[i].host, "for %#x", cases[i].first);
    }
    /* Its own one is an answer, too. */
    struct bypeer_pnrp_message message = lookup_for(id_at(0x41, 0), nowhere);
    size_t length = ask(CLOUD_MODERN, &message);
    struct bypeer_pnrp_answer answer = authority_of(CLOUD_MODERN, length, message.id);
    cr_assert_arr_eq(answer.entry.id, walk_id_modern, 32);
    cr_assert_arr_eq(answer.entry.addresses, walk_cloud_address(CLOUD_MODERN), 16);
    cr_assert_eq(answer.entry.port, 3541);
}

Test(pnrp_node, ids_that_differ_in_the_last_byte_only)
{
    for (uint8_t last = 0; last < 100; last += 2)
        walk_know(CLOUD_C, id_at(0x33, last), (uint16_t)(100 + last), 1);
    for (uint8_t last = 0; last < 98; last += 2) {
        struct bypeer_pnrp_message message = lookup_for(id_at(0x33, last), nowhere);
        cr_assert_eq(mostly_named(CLOUD_C, &message, 0), 100u + last);
    }
}

Test(pnrp_node, only_what_is_nearer_than_the_asked_id)
{
    walk_know(CLOUD_MODERN, id_at(0x50, 0), 1, 1);
    /* 0x48 is as far from 0x40 (asked) as from 0x50, 0x47 nearer to the asked one. */
    struct bypeer_pnrp_message message = lookup_for(id_at(0x47, 0), walk_id_modern);
    cr_assert_eq(named(CLOUD_MODERN, &message, BYPEER_AUTHORITY_LEAF_SET), 0);
    message = lookup_for(id_at(0x49, 0), walk_id_modern);
    cr_assert_eq(named(CLOUD_MODERN, &message, 0), 1);
    /* A sender with a small cache takes whatever there is. */
    message = lookup_for(id_at(0x47, 0), walk_id_modern);
    message.lookup.any_distance = true;
    cr_assert_eq(named(CLOUD_MODERN, &message, 0), 1);
    /* An ID that is not registered here: N, and the rule counts all the same for what others have. */
    message = lookup_for(id_at(0x51, 0), id_at(0x58, 0));
    cr_assert_eq(named(CLOUD_MODERN, &message, BYPEER_AUTHORITY_NOT_LOCAL), 1);
}

Test(pnrp_node, nobody_is_named_twice)
{
    uint8_t path[22 * 18];
    memset(path, 0, sizeof(path));
    for (uint16_t host = 1; host <= 22; host++) {
        walk_know(CLOUD_C, id_at((uint8_t)(0x80 + host), 0), host, 1);
        /* The port does not matter, the address does. */
        bypeer_store16(path + (host - 1) * 18, 5000);
        memcpy(path + (host - 1) * 18 + 2, (const uint8_t[4]){0x20, 0x01, 0x0d, 0xb8}, 4);
        bypeer_store16(path + (host - 1) * 18 + 16, host);
    }
    struct bypeer_pnrp_message message = lookup_for(id_at(0x80, 0), nowhere);
    message.lookup.path.bytes = path;
    for (uint16_t asked = 1; asked <= 22; asked++) {
        message.lookup.path.count = asked;
        cr_assert_eq(mostly_named(CLOUD_C, &message, 0), asked == 22 ? 0u : asked + 1u, "after %u", asked);
    }
}

Test(pnrp_node, any_address_of_a_node_in_the_path_excludes_it)
{
    walk_know(CLOUD_C, id_at(0x80, 0), 0xec, 4); /* hosts ec, ed, ee, ef; the path has ee */
    walk_know(CLOUD_C, id_at(0x90, 0), 7, 1);
    struct bypeer_pnrp_message message = lookup_for(id_at(0x80, 0), nowhere);
    cr_assert_eq(mostly_named(CLOUD_C, &message, 0), 7);
}

Test(pnrp_node, who_was_asked_already_does_not_name_itself)
{
    uint8_t own[18] = {0x0d, 0xd5};
    memcpy(own + 2, walk_cloud_address(CLOUD_MODERN), 16);
    struct bypeer_pnrp_message message = lookup_for(id_at(0x41, 0), nowhere);
    message.lookup.path = (struct bypeer_pnrp_endpoints){.bytes = own, .count = 1};
    cr_assert_eq(named(CLOUD_MODERN, &message, BYPEER_AUTHORITY_LEAF_SET), 0);
    walk_know(CLOUD_MODERN, id_at(0x70, 0), 5, 1);
    cr_assert_eq(mostly_named(CLOUD_MODERN, &message, 0), 5);
}

Test(pnrp_node, what_is_gone_is_not_named)
{
    const uint8_t *id = id_at(0x80, 0);
    walk_know(CLOUD_C, id, 1, 1);
    struct bypeer_pnrp_message message = lookup_for(id_at(0x80, 1), nowhere);
    cr_assert_eq(named(CLOUD_C, &message, 0), 1);
    walk_forget(CLOUD_C, id);
    cr_assert_eq(named(CLOUD_C, &message, 0), 0);
}

Test(pnrp_node, no_answer_is_larger_than_its_question)
{
    const uint8_t *id = id_at(0x80, 0);
    walk_know(CLOUD_C, id, 1, 4);
    struct bypeer_pnrp_message message = lookup_for(id, nowhere);
    const uint8_t expected[] = {2, 4, 4};
    for (uint16_t endpoints = 1; endpoints <= 3; endpoints++) {
        uint8_t path[3 * 18];
        for (unsigned i = 0; i < 3; i++)
            memcpy(path + 18 * i, path_bytes, 18);
        message.lookup.path = (struct bypeer_pnrp_endpoints){.bytes = path, .count = endpoints};
        size_t length = ask(CLOUD_C, &message);
        struct bypeer_pnrp_answer answer = authority_of(CLOUD_C, length, message.id);
        cr_assert_leq(length, 108u + 18u * endpoints);
        cr_assert_eq(answer.entry.address_count, expected[endpoints - 1]);
        for (uint8_t i = 0; i < answer.entry.address_count; i++)
            cr_assert_eq(bypeer_load16(answer.entry.addresses + 16 * i + 14), i + 1);
    }
}

Test(pnrp_node, a_burst_of_lookups_in_two_clouds_and_other_packets)
{
    walk_know(CLOUD_C, id_at(0x80, 0), 1, 1);
    walk_know(CLOUD_MODERN, id_at(0x80, 0), 2, 1);
    const struct bypeer_profile *profiles[] = {bypeer_profile(BYPEER_PROFILE_WINDOWS),
                                               bypeer_profile(BYPEER_PROFILE_MODERN)};
    uint8_t inner[100];
    for (uint32_t i = 0; i < 64; i++) {
        struct bypeer_pnrp_message message = lookup_for(id_at(0x80, 0), nowhere);
        message.id = i;
        size_t length = bypeer_pnrp_write(&message, profiles[i % 2], payload, sizeof(payload));
        if (i % 8 == 7) {
            walk_packet(inner, walk_address(MEMBER_A), walk_address(MEMBER_B), 100);
            walk_arrive(0, frame, walk_frame(frame, LINK_A, inner, 100));
        } else {
            walk_arrive(0, frame, walk_datagram(frame, i % 2 == 0 ? CLOUD_C : CLOUD_MODERN, payload, length));
        }
    }
    walk_once();
    for (uint32_t i = 0; i < 64; i++) {
        if (i % 8 == 7) {
            cr_assert_neq(walk_sent(1, out), 0);
            continue;
        }
        enum walk_cloud cloud = i % 2 == 0 ? CLOUD_C : CLOUD_MODERN;
        size_t length = walk_sent(0, out);
        cr_assert(walk_is_well_formed(out, length));
        struct bypeer_pnrp_answer answer = authority_of(cloud, length - WALK_CLOUD_BYTES, i);
        cr_assert_eq(bypeer_load16(answer.entry.addresses + 14), 1 + i % 2);
    }
}

Test(pnrp_node, every_form_of_a_lookup_is_answered)
{
    walk_know(CLOUD_C, id_at(0x80, 0), 1, 1);
    uint8_t addresses[20 * 16] = {0};
    struct bypeer_pnrp_message message = lookup_for(id_at(0x80, 0), nowhere);
    message.lookup.entry =
        (struct bypeer_pnrp_entry){.id = id_at(0x80, 0), .addresses = addresses, .address_count = 20, .port = 3540};
    for (uint8_t reason = 0; reason < 8; reason++) { /* unknown reasons are to be ignored */
        message.lookup.reason = reason;
        cr_assert_eq(named(CLOUD_C, &message, 0), 1);
    }
    /* Not at its usual places for the straight reader: flags that mean nothing, and a criterion with a precision. */
    message.lookup.criterion = BYPEER_PNRP_UPPER_BITS;
    message.lookup.precision = 8;
    cr_assert_eq(named(CLOUD_C, &message, 0), 1);
    message.lookup.entry.id = NULL;
    size_t length = bypeer_pnrp_write(&message, bypeer_profile(BYPEER_PROFILE_WINDOWS), payload, sizeof(payload));
    payload[16] = 0xff;
    length = ask_bytes(CLOUD_C, payload, length);
    cr_assert_eq(bypeer_load16(authority_of(CLOUD_C, length, message.id).entry.addresses + 14), 1);
}

/* --- what LOOKUPs tell -------------------------------------------------------------------------------------------- */

Test(pnrp_node, an_unknown_entry_goes_to_control_at_a_bounded_rate)
{
    walk_know(CLOUD_C, id_at(0x80, 0), 1, 1);
    struct bypeer_pnrp_message message = lookup_for(id_at(0x80, 0), nowhere);
    message.lookup.entry =
        (struct bypeer_pnrp_entry){.id = id_at(0x80, 0), .addresses = walk_address_a, .address_count = 1, .port = 3540};
    cr_assert_eq(named(CLOUD_C, &message, 0), 1, "a known one is answered");
    message.lookup.entry.id = id_at(0x80, 1);
    cr_assert_eq(ask(CLOUD_C, &message), 0);
    expect_punted(186);
    cr_assert_eq(walk.counters[BYPEER_COUNT_PNRP_LEARNED], 1);
    unsigned punted = 0;
    for (unsigned i = 0; i < 1000; i++) {
        if (ask(CLOUD_C, &message) != 0)
            continue;
        expect_punted(186);
        punted++;
    }
    cr_assert_leq(punted, 16);
    cr_assert_gt(punted, 4);
    walk.worker.now_tsc += rte_get_tsc_hz(); /* a second later there are new tokens */
    cr_assert_eq(ask(CLOUD_C, &message), 0);
    expect_punted(186);
}

/* --- INQUIREs ----------------------------------------------------------------------------------------------------- */

static struct bypeer_pnrp_message inquire_for(const uint8_t *validate, uint16_t flags)
{
    static const uint8_t nonce[16] = {1, 2, 3};
    return (struct bypeer_pnrp_message){
        .type = BYPEER_PNRP_INQUIRE,
        .id = 0x01020307,
        .inquire = {.flags = flags, .validate = validate, .nonce = flags != 0 ? nonce : NULL}};
}

Test(pnrp_node, is_the_id_there)
{
    uint8_t question[56];
    size_t length = walk_hex(question, "0010000c51040007010203070040000600000000003900247775c82766bfb84e1ca6276fe033"
                                       "d79720010db8000000021122334455667788");
    /* A stranger gets no more than he sent. */
    expect_bytes(ask_bytes(CLOUD_B, question, length),
                 "0010000c510400080a0b0c10001800080102030700980008000800000040000600000000");
    expect_bytes(ask_bytes(CLOUD_C, question, length),
                 "0010000c510400080a0b0c10001800080102030700980008000800000040000600010000");
    cr_assert_eq(walk.counters[BYPEER_COUNT_PNRP_INQUIRES], 2);
    /* A certificate of an ID that is not here needs no signature to refuse. */
    struct bypeer_pnrp_message message = inquire_for(walk_id_a, BYPEER_INQUIRE_CPA);
    length = ask(CLOUD_B, &message);
    cr_assert_eq(authority_of(CLOUD_B, length, message.id).flags, BYPEER_AUTHORITY_NOT_LOCAL);
}

/* Asks for certificates until the answer is a probe, which is returned; before, control got some, and some were not
 * worth an answer. */
static struct bypeer_pnrp_message until_probed(const struct bypeer_pnrp_message *message)
{
    for (unsigned i = 0; i < 100; i++) {
        size_t length = ask(CLOUD_B, message);
        if (length != 0)
            return answer_of(CLOUD_B, length);
        walk_punted(BYPEER_DEVICE_UNDERLAY, 0, out);
    }
    cr_assert_fail("no probe came");
    return *message;
}

static void acknowledge(uint32_t id)
{
    struct bypeer_pnrp_message ack = {.type = BYPEER_PNRP_ACK, .id = 77, .ack = {.acked = id}};
    cr_assert_eq(ask(CLOUD_B, &ack), 0);
    expect_punted(20); /* control's meter is to know, too */
}

Test(pnrp_node, a_stranger_gets_one_certificate_then_proves_himself)
{
    struct bypeer_pnrp_message message = inquire_for(walk_id_b, BYPEER_INQUIRE_CPA);
    cr_assert_eq(ask(CLOUD_B, &message), 0);
    expect_punted(76);
    struct bypeer_pnrp_message probe = until_probed(&message);
    cr_assert_eq(probe.type, BYPEER_PNRP_FLOOD);
    cr_assert(!probe.flood.no_ack);
    cr_assert_null(probe.flood.entry.id);
    cr_assert_null(probe.flood.revoke);
    cr_assert_gt(walk.counters[BYPEER_COUNT_PNRP_PROBES], 0);

    acknowledge(probe.id ^ 1);
    cr_assert_eq(walk.counters[BYPEER_COUNT_PNRP_VERIFIED], 0);
    acknowledge(probe.id);
    cr_assert_eq(walk.counters[BYPEER_COUNT_PNRP_VERIFIED], 1);
    cr_assert_eq(ask(CLOUD_B, &message), 0);
    expect_punted(76);
    /* Who is known to be there gets the entry with "are you there", too. */
    struct bypeer_pnrp_message question = inquire_for(walk_id_b, 0);
    size_t length = ask(CLOUD_B, &question);
    struct bypeer_pnrp_answer answer = authority_of(CLOUD_B, length, question.id);
    cr_assert_eq(answer.flags, 0);
    cr_assert_arr_eq(answer.entry.id, walk_id_b, 32);
    cr_assert_arr_eq(answer.entry.addresses, walk_cloud_address(CLOUD_B), 16);
}

Test(pnrp_node, who_asks_too_often_is_told_that_the_node_is_busy)
{
    struct bypeer_pnrp_message message = inquire_for(walk_id_b, BYPEER_INQUIRE_CPA);
    acknowledge(until_probed(&message).id);
    unsigned busy = 0;
    for (unsigned i = 0; i < 1000 && busy == 0; i++) {
        size_t length = ask(CLOUD_B, &message);
        if (length == 0) {
            expect_punted(76);
            continue;
        }
        cr_assert_eq(authority_of(CLOUD_B, length, message.id).flags, BYPEER_AUTHORITY_BUSY);
        busy++;
    }
    cr_assert_eq(busy, 1);
    cr_assert_eq(walk.counters[BYPEER_COUNT_PNRP_BUSY], 1);
}

/* The same question from 20,000 forged sources in 0.6 s: none is answered by more than it was, control sees few. */
static void flood_with(const struct bypeer_pnrp_message *message)
{
    uint64_t in = 0, back = 0, punted = 0;
    size_t length = bypeer_pnrp_write(message, bypeer_profile(BYPEER_PROFILE_WINDOWS), payload, sizeof(payload));
    srandom(11);
    for (unsigned i = 0; i < 20000; i++) {
        size_t bytes = walk_datagram(frame, CLOUD_B, payload, length);
        for (unsigned at = 0; at < 12; at++)
            frame[14 + 8 + 4 + at] = (uint8_t)random();
        walk_seal(frame, bytes);
        walk_arrive(0, frame, bytes);
        in += bytes;
        if (i % 32 != 31)
            continue;
        walk.worker.now_ms++;
        walk_once();
        while ((bytes = walk_sent(0, out)) != 0) {
            cr_assert_leq(bytes, WALK_CLOUD_BYTES + length);
            back += bytes;
        }
        while (walk_punted(BYPEER_DEVICE_UNDERLAY, 0, out) != 0)
            punted++;
    }
    cr_assert_leq(back, in);
    cr_assert_leq(punted, 100, "%lu signatures in 0.6 s", punted);
}

Test(pnrp_node, forged_sources_get_no_more_bytes_than_they_sent)
{
    struct bypeer_pnrp_message message = inquire_for(walk_id_b, BYPEER_INQUIRE_CPA);
    flood_with(&message);
    cr_assert_gt(walk.counters[BYPEER_COUNT_PNRP_PROBES], 0);
}

/* Such an INQUIRE is smaller than a probe. */
Test(pnrp_node, forged_sources_get_no_more_without_a_nonce_either)
{
    struct bypeer_pnrp_message message = inquire_for(walk_id_b, BYPEER_INQUIRE_CPA);
    message.inquire.nonce = NULL;
    flood_with(&message);
    cr_assert_eq(walk.counters[BYPEER_COUNT_PNRP_PROBES], 0);
    cr_assert_gt(walk.counters[BYPEER_COUNT_PNRP_BUSY], 0);
}

/* --- FLOODs and the rest ------------------------------------------------------------------------------------------ */

Test(pnrp_node, an_empty_flood_is_acknowledged)
{
    struct bypeer_pnrp_message flood = {.type = BYPEER_PNRP_FLOOD, .id = 0x01020305, .flood = {.validate = nowhere}};
    /* A few go to control, which may wait for such a one. */
    for (unsigned i = 0; i < 16; i++) {
        cr_assert_eq(ask(CLOUD_B, &flood), 0);
        expect_punted(68);
    }
    expect_bytes(ask(CLOUD_B, &flood), "0010000c510400090a0b0c0e0018000801020305");
    flood.flood.validate = walk_id_b;
    expect_bytes(ask(CLOUD_B, &flood), "0010000c510400090a0b0c0e0018000801020305");
    flood.flood.validate = walk_id_a;
    expect_bytes(ask(CLOUD_B, &flood), "0010000c510400090a0b0c0e00180008010203050040 00060001");
    cr_assert_eq(walk.counters[BYPEER_COUNT_PNRP_ACKS], 3);
}

Test(pnrp_node, everything_else_goes_to_control_whole)
{
    const uint8_t hash[20] = {1}, nonce[16] = {2};
    const struct bypeer_pnrp_ids ids = {.bytes = walk_id_b, .count = 1};
    const struct bypeer_pnrp_entry entry = {
        .id = walk_id_a, .addresses = walk_address_a, .address_count = 1, .port = 3540};
    uint8_t slice[36] = {0};
    const struct bypeer_pnrp_message messages[] = {
        {.type = BYPEER_PNRP_SOLICIT, .solicit = {.hashed_nonce = hash}},
        {.type = BYPEER_PNRP_ADVERTISE, .advertise = {.ids = ids, .hashed_nonce = hash}},
        {.type = BYPEER_PNRP_REQUEST, .request = {.ids = ids, .nonce = nonce}},
        {.type = BYPEER_PNRP_FLOOD, .flood = {.validate = nowhere, .entry = entry}},
        {.type = BYPEER_PNRP_FLOOD, .flood = {.validate = nowhere, .no_ack = true}},
        {.type = BYPEER_PNRP_AUTHORITY, .authority = {.acked = 9, .size = 36, .slice = slice, .slice_bytes = 36}},
        {.type = BYPEER_PNRP_ACK, .ack = {.acked = 9, .not_local = true}},
    };
    for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
        size_t length =
            bypeer_pnrp_write(&messages[i], bypeer_profile(BYPEER_PROFILE_WINDOWS), payload, sizeof(payload));
        cr_assert_neq(length, 0);
        cr_assert_eq(ask_bytes(CLOUD_B, payload, length), 0);
        expect_punted(length);
        cr_assert_eq(walk.counters[BYPEER_COUNT_PNRP_PUNTED], i + 1);
    }
}

Test(pnrp_node, a_cloud_that_workers_do_not_answer_for)
{
    struct bypeer_pnrp_message message = lookup_for(walk_id_b, nowhere);
    cr_assert_eq(ask(CLOUD_SILENT, &message), 0);
    expect_punted(126);
    /* Another port of a cloud's address is nobody's, nor is IPv4. */
    walk_datagram(frame, CLOUD_B, payload, 126);
    bypeer_store16(frame + 56, 3541);
    walk_seal(frame, 188);
    walk_arrive(0, frame, 188);
    walk_once();
    expect_punted(126);
    cr_assert_eq(walk.counters[BYPEER_COUNT_NODE_PNRP], 1);
}

Test(pnrp_node, trace_shows_the_answer)
{
    const char *const expected[][2] = {
        {"receive-0", "classify"}, {"classify", "pnrp"}, {"pnrp", "transmit"}, {"transmit", NULL}};
    struct bypeer_trace *trace = walk.worker.trace;
    trace->numbers->wanted = 1;
    trace->left = 1;
    walk_know(CLOUD_C, id_at(0x80, 0), 1, 1);
    struct bypeer_pnrp_message message = lookup_for(id_at(0x80, 0), nowhere);
    cr_assert_neq(ask(CLOUD_C, &message), 0);
    cr_assert_eq(trace->head, 4);
    for (unsigned i = 0; i < 4; i++) {
        cr_assert_str_eq(trace->steps[i].node, expected[i][0]);
        if (expected[i][1] != NULL)
            cr_assert_str_eq(trace->steps[i].next, expected[i][1]);
    }
    cr_assert_arr_eq(trace->steps[2].head, out, 128);
}

/* --- the straight reader ------------------------------------------------------------------------------------------ */

Test(pnrp_node, the_straight_reader_takes_nothing_that_the_whole_one_refuses)
{
    const struct bypeer_profile *profile = bypeer_profile(BYPEER_PROFILE_WINDOWS);
    uint8_t addresses[20 * 16];
    memset(addresses, 0x20, sizeof(addresses));
    unsigned taken = 0;
    srandom(5);
    for (unsigned i = 0; i < 300000; i++) {
        uint8_t bytes[900], path[22 * 18];
        for (unsigned at = 0; at < sizeof(path); at++)
            path[at] = (uint8_t)(at % 18 == 0 ? 0x10 : random());
        struct bypeer_pnrp_message message = lookup_for(walk_id_a, walk_id_b), read;
        message.lookup.path = (struct bypeer_pnrp_endpoints){.bytes = path, .count = (uint16_t)(1 + random() % 22)};
        message.lookup.precision = (uint16_t)random();
        message.lookup.any_distance = random() % 2;
        message.lookup.reason = (uint8_t)(random() % 4);
        if (random() % 2)
            message.lookup.entry = (struct bypeer_pnrp_entry){
                .id = walk_id_a, .addresses = addresses, .address_count = (uint8_t)(1 + random() % 20), .port = 3540};
        size_t length = bypeer_pnrp_write(&message, profile, bytes, sizeof(bytes));
        cr_assert_neq(length, 0);
        struct bypeer_pnrp_lookup straight;
        cr_assert(bypeer_lookup_read(&straight, profile, bytes, length));
        for (long changes = random() % 3; changes > 0; changes--)
            bytes[random() % 4 == 0 ? (size_t)random() % length : 96 + (size_t)random() % 48] ^=
                (uint8_t)(1 << random() % 8);
        length -= random() % 4 == 0 ? (size_t)random() % 8 : 0;
        if (!bypeer_lookup_read(&straight, profile, bytes, length))
            continue;
        taken++;
        cr_assert_eq(bypeer_pnrp_read(&read, profile, bytes, length), 0);
        cr_assert_eq(read.type, BYPEER_PNRP_LOOKUP);
        cr_assert_eq(memcmp(&read.lookup.target, &straight.target, sizeof(straight.target)), 0);
        cr_assert_eq(read.lookup.validate, straight.validate);
        cr_assert_eq(read.lookup.any_distance, straight.any_distance);
        cr_assert_eq(read.lookup.entry.id, straight.entry.id);
        cr_assert_eq(read.lookup.entry.addresses, straight.entry.addresses);
        cr_assert_eq(read.lookup.entry.address_count, straight.entry.address_count);
        cr_assert_eq(read.lookup.entry.port, straight.entry.port);
        cr_assert_eq(read.lookup.path.bytes, straight.path.bytes);
        cr_assert_eq(read.lookup.path.count, straight.path.count);
    }
    cr_assert_gt(taken, 50000);
}
