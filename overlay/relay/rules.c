#include "overlay/relay/rules.h"

static uint32_t relay_get(const uint32_t *field)
{
    return __atomic_load_n(field, __ATOMIC_RELAXED);
}

static void relay_set(uint32_t *field, uint32_t value)
{
    __atomic_store_n(field, value, __ATOMIC_RELAXED);
}

static uint32_t relay_get16(const uint16_t *field)
{
    return __atomic_load_n(field, __ATOMIC_RELAXED);
}

static void relay_set16(uint16_t *field, uint32_t value)
{
    __atomic_store_n(field, (uint16_t)value, __ATOMIC_RELAXED);
}

/* --- a state of another pair -------------------------------------------------------------------------------------- */

/* Serial 0 is no pair's, and no endpoint is believed under another's: nobody believes what is half cleared. Two workers
 * who do this at once cost what one of them has learnt meanwhile. */
static void relay_begin(struct bypeer_relay_end end, uint64_t serial)
{
    struct bypeer_relay_state *state = end.state;
    struct bypeer_relay_claims *claims = end.claims;
    if (__atomic_load_n(&claims->serial, __ATOMIC_ACQUIRE) == serial)
        return;
    __atomic_store_n(&claims->serial, 0, __ATOMIC_RELAXED);
    bypeer_relay_forget(&state->endpoint);
    bypeer_relay_forget(&claims->candidate);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    uint32_t *fields[] = {&state->live,     &state->until_s,     &state->next_counter, &state->heard_s,
                          &state->packets,  &claims->offered[0], &claims->offered[1],  &claims->initiation,
                          &claims->moved_s, &claims->old};
    for (unsigned i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
        relay_set(fields[i], 0);
    relay_set16(&claims->offered_to, 0);
    relay_set16(&claims->packets_high, 0);
    __atomic_store_n(&state->bytes, 0, __ATOMIC_RELAXED);
    relay_set(&state->tag, bypeer_relay_tag(serial));
    __atomic_store_n(&claims->serial, serial, __ATOMIC_RELEASE);
}

/* When the endpoint moved; 0: it is not on trial. */
static void relay_set_moved(struct bypeer_relay_end end, uint64_t serial, uint32_t moved_s)
{
    relay_set(&end.claims->moved_s, moved_s);
    bypeer_relay_set32(&end.state->tag, bypeer_relay_tag(serial) | (moved_s != 0 ? BYPEER_RELAY_ON_TRIAL : 0));
}

/* --- indexes that were sent to the user --------------------------------------------------------------------------- */

static uint32_t relay_offer_flags(struct bypeer_relay_end end, unsigned number)
{
    const uint32_t mask = (1u << BYPEER_RELAY_OFFER_BITS) - 1;
    return relay_get16(&end.claims->offered_to) >> (number * BYPEER_RELAY_OFFER_BITS) & mask;
}

/* Withdraws what was sent to the candidate, or to the endpoint: it is another one now. */
static void relay_withdraw(struct bypeer_relay_end end, uint32_t to)
{
    /* Pairs with the fence in relay_offer(): either that one sees the new place, or this one sees its offer. */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    for (unsigned i = 0; i < 2; i++) {
        if ((relay_offer_flags(end, i) & BYPEER_RELAY_OFFER_CANDIDATE) == to)
            relay_set(&end.claims->offered[i], 0);
    }
}

/* The index went to the place that was read with this seal. */
static void relay_offer(struct bypeer_relay_end end, uint32_t index, uint32_t to, uint64_t seal)
{
    const struct bypeer_relay_endpoint *endpoint = to == 0 ? &end.state->endpoint : &end.claims->candidate;
    const uint32_t mask = (1u << 2 * BYPEER_RELAY_OFFER_BITS) - 1;
    if (relay_get(&end.claims->offered[0]) != index ||
        (relay_offer_flags(end, 0) & BYPEER_RELAY_OFFER_CANDIDATE) != to) {
        relay_set(&end.claims->offered[1], relay_get(&end.claims->offered[0]));
        relay_set(&end.claims->offered[0], 0);
        relay_set16(&end.claims->offered_to,
                    (relay_get16(&end.claims->offered_to) << BYPEER_RELAY_OFFER_BITS | to) & mask);
        relay_set(&end.claims->offered[0], index);
    }
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    uint64_t present = __atomic_load_n(&endpoint->seal, __ATOMIC_RELAXED);
    if (((present ^ seal) & ~BYPEER_RELAY_CREDIT_MASK) != 0)
        relay_set(&end.claims->offered[0], 0);
}

/* --- what a message teaches --------------------------------------------------------------------------------------- */

/* As .old keeps it. */
static uint32_t relay_old(uint64_t serial, const struct bypeer_relay_place *place)
{
    return bypeer_relay_check(serial, place) << 8;
}

/* When the trial of a moved endpoint is over whatever it sends. */
static uint32_t relay_trial_end(struct bypeer_relay_end end)
{
    return relay_get(&end.claims->moved_s) + (relay_get(&end.claims->old) & 0xff);
}

/* An index came back from the very place that it was sent to. */
static enum bypeer_relay_heard relay_confirm(struct bypeer_relay_end end, uint64_t serial, unsigned number,
                                             const struct bypeer_relay_place *place,
                                             const struct bypeer_relay_message *message, uint32_t now_s)
{
    uint32_t flags = relay_offer_flags(end, number);
    if (message->type == BYPEER_WIREGUARD_DATA) {
        relay_set(&end.state->next_counter, message->counter + 1);
        relay_set(&end.state->live, message->receiver);
        relay_set(&end.claims->offered[number], 0);
    } else {
        if ((flags & BYPEER_RELAY_OFFER_ECHOED) != 0)
            return BYPEER_RELAY_HEARD_NOTHING;
        if (relay_get(&end.state->until_s) <= now_s) /* of a session that is over */
            relay_set(&end.state->live, 0);
        relay_set16(&end.claims->offered_to, relay_get16(&end.claims->offered_to) |
                                                 BYPEER_RELAY_OFFER_ECHOED << (number * BYPEER_RELAY_OFFER_BITS));
    }
    if ((flags & BYPEER_RELAY_OFFER_CANDIDATE) != 0) {
        bypeer_relay_store(&end.state->endpoint, serial, place, bypeer_relay_credit(message->bytes));
        bypeer_relay_forget(&end.claims->candidate);
        relay_withdraw(end, 0);
        relay_set16(&end.claims->offered_to, relay_get16(&end.claims->offered_to) &
                                                 ~(uint32_t)(BYPEER_RELAY_OFFER_CANDIDATE |
                                                             BYPEER_RELAY_OFFER_CANDIDATE << BYPEER_RELAY_OFFER_BITS));
    } else {
        bypeer_relay_earn(&end.state->endpoint, __atomic_load_n(&end.state->endpoint.seal, __ATOMIC_RELAXED),
                          message->bytes);
    }
    relay_set_moved(end, serial, 0);
    relay_set(&end.state->until_s, now_s + BYPEER_RELAY_CONFIRMED_S);
    return BYPEER_RELAY_HEARD_ECHO;
}

/* The offer that the message sends back from where it was sent to; -1: none. */
static int relay_echoed(struct bypeer_relay_end end, uint64_t serial, const struct bypeer_relay_place *place,
                        const struct bypeer_relay_message *message)
{
    for (int i = 0; i < 2 && message->receiver != 0; i++) {
        struct bypeer_relay_place to;
        uint64_t seal;
        if (relay_get(&end.claims->offered[i]) != message->receiver)
            continue;
        bool is_candidate = (relay_offer_flags(end, (unsigned)i) & BYPEER_RELAY_OFFER_CANDIDATE) != 0;
        if (bypeer_relay_load(is_candidate ? &end.claims->candidate : &end.state->endpoint, serial, &to, &seal) &&
            bypeer_relay_is_same_place(&to, place))
            return i;
    }
    return -1;
}

/* A message from a place while none is confirmed: the newest one is as good as any. */
static enum bypeer_relay_heard relay_claim(struct bypeer_relay_end end, uint64_t serial,
                                           const struct bypeer_relay_place *place,
                                           const struct bypeer_relay_message *message)
{
    struct bypeer_relay_place here;
    uint64_t seal;
    if (bypeer_relay_load(&end.state->endpoint, serial, &here, &seal) && bypeer_relay_is_same_place(&here, place)) {
        bypeer_relay_earn(&end.state->endpoint, seal, message->bytes);
        return BYPEER_RELAY_HEARD_NOTHING;
    }
    bypeer_relay_forget(&end.claims->candidate);
    bypeer_relay_store(&end.state->endpoint, serial, place, bypeer_relay_credit(message->bytes));
    relay_withdraw(end, 0);
    return BYPEER_RELAY_HEARD_CLAIM;
}

/* An initiation from elsewhere while a place is confirmed. */
static enum bypeer_relay_heard relay_apply(struct bypeer_relay_end end, uint64_t serial,
                                           const struct bypeer_relay_place *place,
                                           const struct bypeer_relay_message *message)
{
    struct bypeer_relay_place there;
    uint64_t seal;
    if (bypeer_relay_load(&end.claims->candidate, serial, &there, &seal) && bypeer_relay_is_same_place(&there, place)) {
        bypeer_relay_earn(&end.claims->candidate, seal, message->bytes);
    } else {
        bypeer_relay_store(&end.claims->candidate, serial, place, bypeer_relay_credit(message->bytes));
        relay_withdraw(end, BYPEER_RELAY_OFFER_CANDIDATE);
    }
    relay_set(&end.claims->initiation, message->sender);
    return BYPEER_RELAY_HEARD_CANDIDATE;
}

/* The live index is used from another place, which is to be believed until end_s at most. old: the place before, as
 * relay_old() has it. */
static enum bypeer_relay_heard relay_move(struct bypeer_relay_end end, uint64_t serial,
                                          const struct bypeer_relay_place *place,
                                          const struct bypeer_relay_message *message, uint32_t old, uint32_t now_s,
                                          uint32_t end_s)
{
    uint32_t left_s = end_s - now_s < 0xff ? end_s - now_s : 0xff;
    bypeer_relay_store(&end.state->endpoint, serial, place, bypeer_relay_credit(message->bytes));
    relay_withdraw(end, 0);
    relay_set(&end.state->next_counter, message->counter + 1);
    relay_set(&end.claims->old, old | left_s);
    relay_set_moved(end, serial, now_s);
    relay_set(&end.state->until_s, now_s + (left_s < BYPEER_RELAY_TRIAL_S ? left_s : BYPEER_RELAY_TRIAL_S));
    return BYPEER_RELAY_HEARD_MOVE;
}

/* Data under the live index, which may be used until end_s. */
static enum bypeer_relay_heard relay_live(struct bypeer_relay_end end, uint64_t serial,
                                          const struct bypeer_relay_place *place,
                                          const struct bypeer_relay_message *message, uint32_t now_s, uint32_t end_s)
{
    struct bypeer_relay_place here;
    uint64_t seal;
    uint32_t moved_s = relay_get(&end.claims->moved_s);
    bool is_ahead = bypeer_relay_is_ahead(message->counter, relay_get(&end.state->next_counter));
    bool is_somewhere = bypeer_relay_load(&end.state->endpoint, serial, &here, &seal);
    if (is_somewhere && bypeer_relay_is_same_place(&here, place)) {
        if (!is_ahead)
            return BYPEER_RELAY_HEARD_NOTHING;
        relay_set(&end.state->next_counter, message->counter + 1);
        if (moved_s != 0)
            relay_set(&end.state->until_s, end_s - now_s < BYPEER_RELAY_TRIAL_S ? end_s : now_s + BYPEER_RELAY_TRIAL_S);
        return BYPEER_RELAY_HEARD_NOTHING;
    }
    if (is_ahead)
        return relay_move(end, serial, place, message, is_somewhere ? relay_old(serial, &here) : 0, now_s, end_s);
    /* The place before takes back. The one that it was taken by is not kept: else a replay could do so, too. */
    if (moved_s != 0 && now_s - moved_s <= BYPEER_RELAY_OLD_S &&
        relay_get(&end.claims->old) >> 8 == relay_old(serial, place) >> 8)
        return relay_move(end, serial, place, message, 0, now_s, end_s);
    return BYPEER_RELAY_HEARD_NOTHING;
}

enum bypeer_relay_heard bypeer_relay_hear(struct bypeer_relay_end end, uint64_t serial,
                                          const struct bypeer_relay_place *place,
                                          const struct bypeer_relay_message *message, uint32_t now_s)
{
    relay_begin(end, serial);
    bypeer_relay_set32(&end.state->heard_s, now_s);
    int number = relay_echoed(end, serial, place, message);
    if (number >= 0)
        return relay_confirm(end, serial, (unsigned)number, place, message, now_s);

    bool is_confirmed = relay_get(&end.state->until_s) > now_s;
    uint32_t end_s = relay_get(&end.claims->moved_s) != 0 ? relay_trial_end(end) : relay_get(&end.state->until_s);
    if (message->type == BYPEER_WIREGUARD_DATA && message->receiver != 0 &&
        message->receiver == relay_get(&end.state->live) && end_s > now_s) {
        enum bypeer_relay_heard heard = relay_live(end, serial, place, message, now_s, end_s);
        if (heard != BYPEER_RELAY_HEARD_NOTHING || is_confirmed)
            return heard;
    }
    if (!is_confirmed)
        return relay_claim(end, serial, place, message);
    struct bypeer_relay_place here;
    uint64_t seal;
    if (message->type != BYPEER_WIREGUARD_INITIATION ||
        (bypeer_relay_load(&end.state->endpoint, serial, &here, &seal) && bypeer_relay_is_same_place(&here, place)))
        return BYPEER_RELAY_HEARD_NOTHING;
    return relay_apply(end, serial, place, message);
}

bool bypeer_relay_deny(struct bypeer_relay_end end, uint64_t serial, const struct bypeer_relay_place *place)
{
    struct bypeer_relay_place here;
    uint64_t seal;
    if (__atomic_load_n(&end.claims->serial, __ATOMIC_RELAXED) != serial || relay_get(&end.claims->moved_s) == 0 ||
        !bypeer_relay_load(&end.state->endpoint, serial, &here, &seal) || !bypeer_relay_is_same_place(&here, place))
        return false;
    relay_set(&end.state->live, 0);
    relay_set(&end.state->until_s, 0);
    return true;
}

/* --- where a message may go --------------------------------------------------------------------------------------- */

enum bypeer_relay_way bypeer_relay_where(struct bypeer_relay_end end, uint64_t serial,
                                         const struct bypeer_relay_message *message, uint32_t now_s,
                                         struct bypeer_relay_place *ret_place)
{
    struct bypeer_relay_place place;
    uint64_t seal;
    bool is_offer = message->type == BYPEER_WIREGUARD_INITIATION || message->type == BYPEER_WIREGUARD_RESPONSE;
    bool is_answer = message->type == BYPEER_WIREGUARD_RESPONSE || message->type == BYPEER_WIREGUARD_COOKIE;
    if (__atomic_load_n(&end.claims->serial, __ATOMIC_ACQUIRE) != serial)
        return BYPEER_RELAY_WAY_NOBODY;
    bool is_confirmed = relay_get(&end.state->until_s) > now_s;

    if (is_answer && is_confirmed && message->receiver == relay_get(&end.claims->initiation) &&
        bypeer_relay_load(&end.claims->candidate, serial, &place, &seal)) {
        if (!bypeer_relay_spend(&end.claims->candidate, seal, message->bytes))
            return BYPEER_RELAY_WAY_CREDIT;
        if (is_offer)
            relay_offer(end, message->sender, BYPEER_RELAY_OFFER_CANDIDATE, seal);
        *ret_place = place;
        return BYPEER_RELAY_WAY_GO;
    }
    if (!bypeer_relay_load(&end.state->endpoint, serial, &place, &seal))
        return BYPEER_RELAY_WAY_NOBODY;
    if (!is_confirmed && !bypeer_relay_spend(&end.state->endpoint, seal, message->bytes))
        return BYPEER_RELAY_WAY_CREDIT;
    if (is_offer)
        relay_offer(end, message->sender, 0, seal);
    *ret_place = place;
    return BYPEER_RELAY_WAY_GO;
}
