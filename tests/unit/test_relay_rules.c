/* Who is believed to be where, and what is sent there: overlay/relay/rules.h, against what an attacker would try. */
#include <criterion/criterion.h>
#include <string.h>

#include "overlay/relay/rules.h"
#include "tests/random.h"

#define SERIAL UINT64_C(77)

/* Sizes of the messages as IPv6 packets. */
#define INITIATION_BYTES (148 + 48)
#define RESPONSE_BYTES   (92 + 48)

static struct bypeer_relay_state state;
static struct bypeer_relay_claims claims;
static const struct bypeer_relay_end end = {&state, &claims};
static uint32_t now_s = 1000;

static struct bypeer_relay_place place(uint8_t number)
{
    struct bypeer_relay_place result = {.device = 0};
    const uint8_t address[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = number}, mac[6] = {2, 0, 0, 0, 0, number};
    memcpy(result.address, address, 16);
    result.port_and_mac = bypeer_relay_port_and_mac((uint16_t)(40000 + number), mac);
    return result;
}

static struct bypeer_relay_message message(enum bypeer_wireguard_type type, uint32_t sender, uint32_t receiver)
{
    struct bypeer_relay_message result = {.type = (uint8_t)type, .sender = sender, .receiver = receiver, .bytes = 1000};
    if (type == BYPEER_WIREGUARD_INITIATION)
        result.bytes = INITIATION_BYTES;
    else if (type == BYPEER_WIREGUARD_RESPONSE)
        result.bytes = RESPONSE_BYTES;
    return result;
}

static enum bypeer_relay_heard hear(uint8_t from, struct bypeer_relay_message heard)
{
    struct bypeer_relay_place there = place(from);
    if (bypeer_relay_hear_usual(&state, SERIAL, &there, &heard, now_s))
        return BYPEER_RELAY_HEARD_NOTHING;
    return bypeer_relay_hear(end, SERIAL, &there, &heard, now_s);
}

static enum bypeer_relay_heard hear_initiation(uint8_t from, uint32_t sender)
{
    return hear(from, message(BYPEER_WIREGUARD_INITIATION, sender, 0));
}

static enum bypeer_relay_heard hear_response(uint8_t from, uint32_t receiver)
{
    return hear(from, message(BYPEER_WIREGUARD_RESPONSE, 1, receiver));
}

static enum bypeer_relay_heard hear_data(uint8_t from, uint32_t receiver, uint32_t counter)
{
    struct bypeer_relay_message data = message(BYPEER_WIREGUARD_DATA, 0, receiver);
    data.counter = counter;
    return hear(from, data);
}

/* Number of the place that the message goes to; 0: nowhere. */
static uint8_t send(struct bypeer_relay_message sent)
{
    struct bypeer_relay_place to;
    if (!bypeer_relay_where_usual(&state, SERIAL, &sent, now_s, &to) &&
        bypeer_relay_where(end, SERIAL, &sent, now_s, &to) != BYPEER_RELAY_WAY_GO)
        return 0;
    struct bypeer_relay_place whole = place((uint8_t)to.port_and_mac);
    cr_assert(bypeer_relay_is_same_place(&to, &whole), "sent to where nobody ever was");
    return (uint8_t)to.port_and_mac;
}

static uint8_t send_initiation(uint32_t sender)
{
    return send(message(BYPEER_WIREGUARD_INITIATION, sender, 0));
}

static uint8_t send_response(uint32_t sender, uint32_t receiver)
{
    return send(message(BYPEER_WIREGUARD_RESPONSE, sender, receiver));
}

static uint8_t send_data(void)
{
    return send(message(BYPEER_WIREGUARD_DATA, 0, 9));
}

/* The user at place 1 has had index 100 and uses it: counters up to 10. */
static void confirm(void)
{
    hear_initiation(1, 5);
    cr_assert_eq(send_response(100, 5), 1);
    cr_assert_eq(hear_data(1, 100, 0), BYPEER_RELAY_HEARD_ECHO);
    cr_assert_eq(hear_data(1, 100, 10), BYPEER_RELAY_HEARD_NOTHING);
    cr_assert_eq(send_data(), 1);
}

static void set_up(void)
{
    memset(&state, 0, sizeof(state));
}

TestSuite(relay_rules, .init = set_up);

Test(relay_rules, nobody_is_where_nothing_came_from)
{
    cr_assert_eq(send_initiation(100), 0);
    cr_assert_eq(send_data(), 0);
}

Test(relay_rules, three_bytes_a_byte_to_whom_nothing_proves)
{
    cr_assert_eq(hear_initiation(1, 5), BYPEER_RELAY_HEARD_CLAIM);
    unsigned sent = 0;
    while (sent < 100 && send_initiation(100 + sent) == 1)
        sent++;
    cr_assert_eq(sent, 3);
    cr_assert_eq(hear_initiation(1, 6), BYPEER_RELAY_HEARD_NOTHING);
    cr_assert_eq(send_initiation(200), 1);
    /* A credit does not go along to another place, and what is not spent does not add up without end. */
    cr_assert_eq(hear_initiation(2, 7), BYPEER_RELAY_HEARD_CLAIM);
    for (sent = 0; sent < 100 && send_initiation(300 + sent) == 2; sent++)
        ;
    cr_assert_eq(sent, 3);
    for (unsigned i = 0; i < 1000; i++)
        hear_initiation(2, 7);
    for (sent = 0; sent < 1000 && send_data() == 2; sent++)
        ;
    cr_assert_eq(sent, BYPEER_RELAY_CREDIT_MAX / 1000);
}

Test(relay_rules, an_index_that_comes_back_confirms)
{
    hear_initiation(1, 5);
    cr_assert_eq(send_initiation(100), 1);
    cr_assert_eq(hear_response(1, 100), BYPEER_RELAY_HEARD_ECHO);
    for (unsigned i = 0; i < 1000; i++)
        cr_assert_eq(send_data(), 1);
    /* So does a cookie reply, from a member under load. */
    set_up();
    hear_initiation(1, 5);
    cr_assert_eq(send_initiation(101), 1);
    cr_assert_eq(hear(1, message(BYPEER_WIREGUARD_COOKIE, 0, 101)), BYPEER_RELAY_HEARD_ECHO);
}

Test(relay_rules, an_index_that_was_sent_elsewhere_does_not)
{
    hear_initiation(1, 5);
    cr_assert_eq(send_initiation(100), 1);
    /* Who forges the source that his partner's index is to be sent to has not seen it. */
    cr_assert_eq(hear_response(2, 100), BYPEER_RELAY_HEARD_CLAIM);
    cr_assert_eq(hear_response(2, 100), BYPEER_RELAY_HEARD_NOTHING);
    cr_assert_eq(hear_data(2, 100, 0), BYPEER_RELAY_HEARD_NOTHING);
    unsigned sent = 0;
    while (sent < 100 && send_data() != 0)
        sent++;
    cr_assert_leq(sent, 3);
    /* Nor does an index that nobody was sent. */
    cr_assert_eq(hear_data(2, 555, 0), BYPEER_RELAY_HEARD_NOTHING);
    cr_assert_eq(hear_response(2, 0), BYPEER_RELAY_HEARD_NOTHING);
    cr_assert_not(bypeer_relay_is_confirmed(&state, SERIAL, now_s));
}

Test(relay_rules, two_handshakes_that_cross)
{
    hear_initiation(1, 5);
    cr_assert_eq(send_initiation(100), 1);
    cr_assert_eq(send_response(101, 5), 1);
    cr_assert_eq(hear_data(1, 100, 0), BYPEER_RELAY_HEARD_ECHO);
    cr_assert_eq(hear_data(1, 101, 0), BYPEER_RELAY_HEARD_ECHO);
}

Test(relay_rules, a_confirmation_ends)
{
    confirm();
    now_s += BYPEER_RELAY_CONFIRMED_S - 1;
    cr_assert_eq(send_data(), 1);
    now_s++;
    cr_assert_not(bypeer_relay_is_confirmed(&state, SERIAL, now_s));
    hear_data(1, 100, 11); /* which does not renew it: the session is over */
    unsigned sent = 0;
    while (sent < 100 && send_data() != 0)
        sent++;
    cr_assert_leq(sent, 10);
    /* A new index does. A response with it does so once: after that it may be a replay. */
    hear_initiation(1, 6);
    cr_assert_eq(send_initiation(102), 1);
    cr_assert_eq(hear_response(1, 102), BYPEER_RELAY_HEARD_ECHO);
    now_s += 100;
    cr_assert_eq(hear_response(1, 102), BYPEER_RELAY_HEARD_NOTHING);
    now_s += 90;
    cr_assert_not(bypeer_relay_is_confirmed(&state, SERIAL, now_s));
}

/* --- elsewhere ---------------------------------------------------------------------------------------------------- */

Test(relay_rules, the_live_index_moves)
{
    confirm();
    cr_assert_eq(hear_data(2, 100, 11), BYPEER_RELAY_HEARD_MOVE);
    cr_assert_eq(send_data(), 2);
    /* With another router or another port of the node it is another place. */
    struct bypeer_relay_place there = place(2);
    struct bypeer_relay_message data = message(BYPEER_WIREGUARD_DATA, 0, 100);
    data.counter = 12;
    there.device = 1;
    cr_assert_eq(bypeer_relay_hear(end, SERIAL, &there, &data, now_s), BYPEER_RELAY_HEARD_MOVE);
}

Test(relay_rules, no_replay_moves)
{
    confirm();
    for (uint32_t counter = 0; counter <= 10; counter++)
        cr_assert_eq(hear_data(2, 100, counter), BYPEER_RELAY_HEARD_NOTHING);
    cr_assert_eq(hear_data(2, 99, 11), BYPEER_RELAY_HEARD_NOTHING);
    cr_assert_eq(hear_response(2, 100), BYPEER_RELAY_HEARD_NOTHING);
    cr_assert_eq(send_data(), 1);
}

Test(relay_rules, the_place_before_is_kept_for_ten_seconds)
{
    confirm();
    /* Somebody who saw a packet sends one with a counter far ahead. */
    cr_assert_eq(hear_data(3, 100, 1000000), BYPEER_RELAY_HEARD_MOVE);
    cr_assert_eq(send_data(), 3);
    now_s += BYPEER_RELAY_OLD_S;
    cr_assert_eq(hear_data(1, 100, 11), BYPEER_RELAY_HEARD_MOVE);
    cr_assert_eq(send_data(), 1);
    /* What he saw he cannot use again, nor can he from a third place. */
    cr_assert_eq(hear_data(3, 100, 11), BYPEER_RELAY_HEARD_NOTHING);
    cr_assert_eq(hear_data(4, 100, 5), BYPEER_RELAY_HEARD_NOTHING);
    cr_assert_eq(send_data(), 1);
    cr_assert_eq(hear_data(2, 100, 12), BYPEER_RELAY_HEARD_MOVE);
    now_s += BYPEER_RELAY_OLD_S + 1;
    cr_assert_eq(hear_data(1, 100, 12), BYPEER_RELAY_HEARD_NOTHING);
    cr_assert_eq(send_data(), 2);
}

Test(relay_rules, a_moved_endpoint_is_on_trial)
{
    confirm();
    now_s += 60;
    hear_data(2, 100, 11);
    now_s += BYPEER_RELAY_TRIAL_S - 1;
    cr_assert(bypeer_relay_is_confirmed(&state, SERIAL, now_s));
    hear_data(2, 100, 12);
    now_s += BYPEER_RELAY_TRIAL_S - 1;
    cr_assert(bypeer_relay_is_confirmed(&state, SERIAL, now_s));
    /* Silence ends it, and so does a replay of what was said; the next word renews it. */
    hear_data(2, 100, 12);
    now_s++;
    cr_assert_not(bypeer_relay_is_confirmed(&state, SERIAL, now_s));
    hear_data(2, 100, 13);
    cr_assert(bypeer_relay_is_confirmed(&state, SERIAL, now_s));
    cr_assert_eq(hear_data(3, 100, 14), BYPEER_RELAY_HEARD_MOVE);
    /* However often it speaks, or moves, no longer than the index lives. */
    for (uint32_t counter = 15; now_s < 1000 + BYPEER_RELAY_CONFIRMED_S; counter++) {
        hear_data(3, 100, counter);
        cr_assert(bypeer_relay_is_confirmed(&state, SERIAL, now_s));
        now_s++;
    }
    hear_data(3, 100, 1000);
    cr_assert_not(bypeer_relay_is_confirmed(&state, SERIAL, now_s));
    hear_data(4, 100, 1001);
    cr_assert_not(bypeer_relay_is_confirmed(&state, SERIAL, now_s));
}

Test(relay_rules, a_trial_ends_well_with_an_index)
{
    confirm();
    hear_data(2, 100, 11);
    cr_assert_eq(send_initiation(102), 2);
    cr_assert_eq(hear_response(2, 102), BYPEER_RELAY_HEARD_ECHO);
    now_s += BYPEER_RELAY_CONFIRMED_S - 1;
    cr_assert_eq(send_data(), 2);
}

Test(relay_rules, a_refused_trial_ends)
{
    confirm();
    struct bypeer_relay_place one = place(1), two = place(2);
    cr_assert_not(bypeer_relay_deny(end, SERIAL, &one), "an error cannot end what an index confirmed");
    hear_data(2, 100, 11);
    cr_assert_not(bypeer_relay_deny(end, SERIAL, &one));
    cr_assert_not(bypeer_relay_deny(end, SERIAL + 1, &two));
    cr_assert(bypeer_relay_deny(end, SERIAL, &two));
    cr_assert_not(bypeer_relay_is_confirmed(&state, SERIAL, now_s));
    hear_data(2, 100, 12);
    cr_assert_not(bypeer_relay_is_confirmed(&state, SERIAL, now_s));
}

Test(relay_rules, an_index_does_not_follow_a_move)
{
    confirm();
    /* It went to place 1; whoever then moves the endpoint has not shown that he got it there. */
    cr_assert_eq(send_initiation(102), 1);
    hear_data(2, 100, 11);
    cr_assert_eq(hear_response(2, 102), BYPEER_RELAY_HEARD_NOTHING);
    cr_assert_eq(hear_data(2, 102, 0), BYPEER_RELAY_HEARD_NOTHING);
    now_s += BYPEER_RELAY_TRIAL_S;
    cr_assert_not(bypeer_relay_is_confirmed(&state, SERIAL, now_s));
}

/* --- candidates --------------------------------------------------------------------------------------------------- */

Test(relay_rules, an_initiation_from_elsewhere_draws_only_its_response)
{
    confirm();
    cr_assert_eq(hear_initiation(2, 50), BYPEER_RELAY_HEARD_CANDIDATE);
    cr_assert_eq(send_data(), 1);
    cr_assert_eq(send_initiation(101), 1);
    cr_assert_eq(send_response(102, 49), 1, "the response to another one");
    cr_assert_eq(send_response(103, 50), 2);
    cr_assert_eq(send_data(), 1);
    /* Until its index comes back from there, and from there only. */
    cr_assert_eq(hear_data(3, 103, 0), BYPEER_RELAY_HEARD_NOTHING);
    cr_assert_eq(send_data(), 1);
    cr_assert_eq(hear_data(2, 103, 0), BYPEER_RELAY_HEARD_ECHO);
    cr_assert_eq(send_data(), 2);
    cr_assert_eq(hear_data(1, 100, 11), BYPEER_RELAY_HEARD_NOTHING);
    cr_assert_eq(send_data(), 2);
}

Test(relay_rules, replayed_initiations_draw_nothing)
{
    confirm();
    for (unsigned i = 0; i < 1000; i++)
        hear_initiation(2, 5);
    cr_assert_eq(send_data(), 1);
    cr_assert_eq(send_initiation(101), 1);
    /* Were there responses to them all, they would end with the credit. */
    unsigned sent = 0;
    while (sent < 10000 && send_response(103, 5) == 2)
        sent++;
    cr_assert_eq(sent, BYPEER_RELAY_CREDIT_MAX / RESPONSE_BYTES);
}

Test(relay_rules, an_index_does_not_pass_to_the_next_candidate)
{
    confirm();
    hear_initiation(2, 50);
    cr_assert_eq(send_response(103, 50), 2);
    hear_initiation(3, 51);
    cr_assert_eq(hear_data(3, 103, 0), BYPEER_RELAY_HEARD_NOTHING);
    cr_assert_eq(hear_data(2, 103, 0), BYPEER_RELAY_HEARD_NOTHING);
    cr_assert_eq(send_data(), 1);
}

/* --- the memory --------------------------------------------------------------------------------------------------- */

Test(relay_rules, another_pair_begins_anew)
{
    confirm();
    bypeer_relay_count(end, 1000);
    struct bypeer_relay_message data = message(BYPEER_WIREGUARD_DATA, 0, 100);
    struct bypeer_relay_place one = place(1), two = place(2), to;
    data.counter = 11;
    cr_assert_not(bypeer_relay_where_usual(&state, SERIAL + 1, &data, now_s, &to));
    cr_assert_eq(bypeer_relay_where(end, SERIAL + 1, &data, now_s, &to), BYPEER_RELAY_WAY_NOBODY);
    cr_assert_not(bypeer_relay_hear_usual(&state, SERIAL + 1, &one, &data, now_s));
    cr_assert_eq(bypeer_relay_hear(end, SERIAL + 1, &two, &data, now_s), BYPEER_RELAY_HEARD_CLAIM);
    cr_assert_eq(state.packets, 0);
    cr_assert_eq(state.live, 0);
    cr_assert_not(bypeer_relay_is_confirmed(&state, SERIAL + 1, now_s));
    cr_assert_eq(bypeer_relay_where(end, SERIAL + 1, &data, now_s, &to), BYPEER_RELAY_WAY_GO);
    cr_assert(bypeer_relay_is_same_place(&to, &two));
}

Test(relay_rules, a_number_is_no_shorter_than_the_packets)
{
    confirm();
    state.packets = UINT32_MAX - 1;
    bypeer_relay_count(end, 100);
    cr_assert_eq(bypeer_relay_packets(&state, &claims), UINT32_MAX);
    bypeer_relay_count(end, 100);
    bypeer_relay_count(end, 100);
    cr_assert_eq(bypeer_relay_packets(&state, &claims), UINT64_C(0x100000001));
    cr_assert_eq(state.bytes, 300);
}

Test(relay_rules, words_that_do_not_fit_are_nowhere)
{
    confirm();
    uint64_t *words = (uint64_t *)&state.endpoint;
    for (unsigned word = 0; word < 4; word++) {
        for (unsigned bit = 0; bit < 64; bit++) {
            if (word == 3 && bit < 24) /* the credit */
                continue;
            words[word] ^= UINT64_C(1) << bit;
            cr_assert_eq(send_data(), 0, "word %u, bit %u", word, bit);
            words[word] ^= UINT64_C(1) << bit;
        }
    }
    cr_assert_eq(send_data(), 1);
    words[1] = 0;
    cr_assert_eq(hear_data(1, 100, 11), BYPEER_RELAY_HEARD_MOVE);
    cr_assert_eq(send_data(), 1);
}

Test(relay_rules, fragments_are_of_who_is_confirmed)
{
    struct bypeer_relay_place one = place(1), two = place(2);
    one.port_and_mac &= (UINT64_C(1) << 48) - 1;
    two.port_and_mac &= (UINT64_C(1) << 48) - 1;
    hear_initiation(1, 5);
    cr_assert_not(bypeer_relay_hear_fragment(&state, SERIAL, &one, now_s));
    confirm();
    cr_assert(bypeer_relay_hear_fragment(&state, SERIAL, &one, now_s));
    cr_assert_not(bypeer_relay_hear_fragment(&state, SERIAL, &two, now_s));
    cr_assert_not(bypeer_relay_hear_fragment(&state, SERIAL + 1, &one, now_s));
    cr_assert_eq(send(message(BYPEER_WIREGUARD_NONE, 0, 0)), 1);
}

/* --- whatever happens --------------------------------------------------------------------------------------------- */

#define PLACES  5
#define INDEXES 6

/* What is known without forgetting anything: a place may get all while an index that was sent to it came back no longer
 * than 190 s ago, or 30 s after it used one that came back elsewhere. */
static struct {
    bool was_sent[PLACES][INDEXES];
    uint32_t alive_until_s[INDEXES]; /* since it, or a newer one while it was alive, came back */
    uint32_t believed_until_s[PLACES];
    uint64_t in[PLACES], out[PLACES]; /* bytes; out: to what was not to be believed */
} known;

static void know_heard(uint8_t from, const struct bypeer_relay_message *heard)
{
    uint32_t index = heard->receiver;
    known.in[from] += heard->bytes;
    if (heard->type == BYPEER_WIREGUARD_INITIATION)
        return;
    if (known.was_sent[from][index]) {
        known.believed_until_s[from] = now_s + BYPEER_RELAY_CONFIRMED_S;
        for (unsigned i = 0; i < INDEXES; i++) {
            if (i == index || known.alive_until_s[i] > now_s)
                known.alive_until_s[i] = now_s + BYPEER_RELAY_CONFIRMED_S;
        }
    } else if (heard->type == BYPEER_WIREGUARD_DATA && now_s < known.alive_until_s[index] &&
               now_s + BYPEER_RELAY_TRIAL_S > known.believed_until_s[from]) {
        known.believed_until_s[from] = now_s + BYPEER_RELAY_TRIAL_S;
    }
}

static void know_sent(uint8_t to, const struct bypeer_relay_message *sent)
{
    if (to == 0)
        return;
    if (now_s >= known.believed_until_s[to]) {
        known.out[to] += sent->bytes;
        cr_assert_leq(known.out[to], BYPEER_RELAY_CREDIT_TIMES * known.in[to], "place %u got more than it may", to);
    }
    if (sent->type == BYPEER_WIREGUARD_INITIATION || sent->type == BYPEER_WIREGUARD_RESPONSE)
        known.was_sent[to][sent->sender] = true;
}

Test(relay_rules, nothing_draws_more_than_three_bytes_a_byte)
{
    static const enum bypeer_wireguard_type types[] = {BYPEER_WIREGUARD_INITIATION, BYPEER_WIREGUARD_RESPONSE,
                                                       BYPEER_WIREGUARD_COOKIE, BYPEER_WIREGUARD_DATA,
                                                       BYPEER_WIREGUARD_DATA};
    uint64_t random = 4, confirmed = 0, unconfirmed = 0, refused = 0;
    for (unsigned round = 0; round < 2000; round++) {
        memset(&state, 0, sizeof(state));
        memset(&claims, 0, sizeof(claims));
        memset(&known, 0, sizeof(known));
        now_s = 1000;
        for (unsigned step = 0; step < 300; step++) {
            struct bypeer_relay_message some =
                message(types[random_next_below(&random, 5)], 1 + random_next_below(&random, INDEXES - 1),
                        1 + random_next_below(&random, INDEXES - 1));
            some.counter = random_next_below(&random, 20);
            if (some.type == BYPEER_WIREGUARD_INITIATION)
                some.receiver = 0;
            if (random_next_below(&random, 20) == 0)
                now_s += random_next_below(&random, 100);
            if (random_next_below(&random, 2) == 0) {
                uint8_t from = (uint8_t)(1 + random_next_below(&random, PLACES - 1));
                hear(from, some);
                know_heard(from, &some);
                continue;
            }
            uint8_t to = send(some);
            know_sent(to, &some);
            confirmed += to != 0 && bypeer_relay_is_confirmed(&state, SERIAL, now_s);
            unconfirmed += to != 0 && !bypeer_relay_is_confirmed(&state, SERIAL, now_s);
            refused += to == 0;
        }
    }
    /* The mix was one. */
    cr_assert_gt(confirmed, 10000);
    cr_assert_gt(unconfirmed, 10000);
    cr_assert_gt(refused, 10000);
}
