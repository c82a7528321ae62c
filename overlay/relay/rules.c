#include "overlay/relay/rules.h"

static uint32_t relay_get(const uint32_t *field)
{
    return __atomic_load_n(field, __ATOMIC_RELAXED);
}

static void relay_set(uint32_t *field, uint32_t value)
{
    __atomic_store_n(field, value, __ATOMIC_RELAXED);
}

/* --- a state of another pair -------------------------------------------------------------------------------------- */

/* Serial 0 is no pair's: nobody believes what is half cleared. Two workers who do this at once cost what one of them
 * has learnt meanwhile. */
static void relay_begin(struct bypeer_relay_state *state, uint64_t serial)
{
    if (__atomic_load_n(&state->serial, __ATOMIC_ACQUIRE) == serial)
        return;
    __atomic_store_n(&state->serial, 0, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    bypeer_relay_forget(&state->endpoint);
    bypeer_relay_forget(&state->candidate);
    uint32_t *fields[] = {&state->live,       &state->offered[0], &state->offered[1],   &state->offered_to,
                          &state->initiation, &state->until_s,    &state->next_counter, &state->heard_s,
                          &state->moved_s,    &state->old};
    for (unsigned i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
        relay_set(fields[i], 0);
    __atomic_store_n(&state->packets, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&state->bytes, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&state->serial, serial, __ATOMIC_RELEASE);
}

/* --- indexes that were sent to the user --------------------------------------------------------------------------- */

static uint32_t relay_offer_flags(const struct bypeer_relay_state *state, unsigned number)
{
    const uint32_t mask = (1u << BYPEER_RELAY_OFFER_BITS) - 1;
    return relay_get(&state->offered_to) >> (number * BYPEER_RELAY_OFFER_BITS) & mask;
}

/* Withdraws what was sent to the candidate, or to the endpoint: it is another one now. */
static void relay_withdraw(struct bypeer_relay_state *state, uint32_t to)
{
    /* Pairs with the fence in relay_offer(): either that one sees the new place, or this one sees its offer. */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    for (unsigned i = 0; i < 2; i++) {
        if ((relay_offer_flags(state, i) & BYPEER_RELAY_OFFER_CANDIDATE) == to)
            relay_set(&state->offered[i], 0);
    }
}

/* The index went to the place that was read with this seal. */
static void relay_offer(struct bypeer_relay_state *state, uint32_t index, uint32_t to, uint64_t seal)
{
    const struct bypeer_relay_endpoint *endpoint = to == 0 ? &state->endpoint : &state->candidate;
    const uint32_t mask = (1u << 2 * BYPEER_RELAY_OFFER_BITS) - 1;
    if (relay_get(&state->offered[0]) != index || (relay_offer_flags(state, 0) & BYPEER_RELAY_OFFER_CANDIDATE) != to) {
        relay_set(&state->offered[1], relay_get(&state->offered[0]));
        relay_set(&state->offered[0], 0);
        relay_set(&state->offered_to, (relay_get(&state->offered_to) << BYPEER_RELAY_OFFER_BITS | to) & mask);
        relay_set(&state->offered[0], index);
    }
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    uint64_t present = __atomic_load_n(&endpoint->seal, __ATOMIC_RELAXED);
    if (((present ^ seal) & ~BYPEER_RELAY_CREDIT_MASK) != 0)
        relay_set(&state->offered[0], 0);
}

/* --- what a message teaches --------------------------------------------------------------------------------------- */

/* As .old keeps it. */
static uint32_t relay_old(uint64_t serial, const struct bypeer_relay_place *place)
{
    return bypeer_relay_check(serial, place) << 8;
}

/* When the trial of a moved endpoint is over whatever it sends. */
static uint32_t relay_trial_end(const struct bypeer_relay_state *state)
{
    return relay_get(&state->moved_s) + (relay_get(&state->old) & 0xff);
}

/* An index came back from the very place that it was sent to. */
static enum bypeer_relay_heard relay_confirm(struct bypeer_relay_state *state, uint64_t serial, unsigned number,
                                             const struct bypeer_relay_place *place,
                                             const struct bypeer_relay_message *message, uint32_t now_s)
{
    uint32_t flags = relay_offer_flags(state, number);
    if (message->type == BYPEER_WIREGUARD_DATA) {
        relay_set(&state->next_counter, message->counter + 1);
        relay_set(&state->live, message->receiver);
        relay_set(&state->offered[number], 0);
    } else {
        if ((flags & BYPEER_RELAY_OFFER_ECHOED) != 0)
            return BYPEER_RELAY_HEARD_NOTHING;
        if (relay_get(&state->until_s) <= now_s) /* of a session that is over */
            relay_set(&state->live, 0);
        relay_set(&state->offered_to,
                  relay_get(&state->offered_to) | BYPEER_RELAY_OFFER_ECHOED << (number * BYPEER_RELAY_OFFER_BITS));
    }
    if ((flags & BYPEER_RELAY_OFFER_CANDIDATE) != 0) {
        bypeer_relay_store(&state->endpoint, serial, place, bypeer_relay_credit(message->bytes));
        bypeer_relay_forget(&state->candidate);
        relay_withdraw(state, 0);
        relay_set(&state->offered_to,
                  relay_get(&state->offered_to) & ~(uint32_t)(BYPEER_RELAY_OFFER_CANDIDATE |
                                                              BYPEER_RELAY_OFFER_CANDIDATE << BYPEER_RELAY_OFFER_BITS));
    } else {
        bypeer_relay_earn(&state->endpoint, __atomic_load_n(&state->endpoint.seal, __ATOMIC_RELAXED), message->bytes);
    }
    relay_set(&state->moved_s, 0);
    relay_set(&state->until_s, now_s + BYPEER_RELAY_CONFIRMED_S);
    return BYPEER_RELAY_HEARD_ECHO;
}

/* The offer that the message sends back from where it was sent to; -1: none. */
static int relay_echoed(const struct bypeer_relay_state *state, uint64_t serial, const struct bypeer_relay_place *place,
                        const struct bypeer_relay_message *message)
{
    for (int i = 0; i < 2 && message->receiver != 0; i++) {
        struct bypeer_relay_place to;
        uint64_t seal;
        if (relay_get(&state->offered[i]) != message->receiver)
            continue;
        bool is_candidate = (relay_offer_flags(state, (unsigned)i) & BYPEER_RELAY_OFFER_CANDIDATE) != 0;
        if (bypeer_relay_load(is_candidate ? &state->candidate : &state->endpoint, serial, &to, &seal) &&
            bypeer_relay_is_same_place(&to, place))
            return i;
    }
    return -1;
}

/* A message from a place while none is confirmed: the newest one is as good as any. */
static enum bypeer_relay_heard relay_claim(struct bypeer_relay_state *state, uint64_t serial,
                                           const struct bypeer_relay_place *place,
                                           const struct bypeer_relay_message *message)
{
    struct bypeer_relay_place here;
    uint64_t seal;
    if (bypeer_relay_load(&state->endpoint, serial, &here, &seal) && bypeer_relay_is_same_place(&here, place)) {
        bypeer_relay_earn(&state->endpoint, seal, message->bytes);
        return BYPEER_RELAY_HEARD_NOTHING;
    }
    bypeer_relay_forget(&state->candidate);
    bypeer_relay_store(&state->endpoint, serial, place, bypeer_relay_credit(message->bytes));
    relay_withdraw(state, 0);
    return BYPEER_RELAY_HEARD_CLAIM;
}

/* An initiation from elsewhere while a place is confirmed. */
static enum bypeer_relay_heard relay_apply(struct bypeer_relay_state *state, uint64_t serial,
                                           const struct bypeer_relay_place *place,
                                           const struct bypeer_relay_message *message)
{
    struct bypeer_relay_place there;
    uint64_t seal;
    if (bypeer_relay_load(&state->candidate, serial, &there, &seal) && bypeer_relay_is_same_place(&there, place)) {
        bypeer_relay_earn(&state->candidate, seal, message->bytes);
    } else {
        bypeer_relay_store(&state->candidate, serial, place, bypeer_relay_credit(message->bytes));
        relay_withdraw(state, BYPEER_RELAY_OFFER_CANDIDATE);
    }
    relay_set(&state->initiation, message->sender);
    return BYPEER_RELAY_HEARD_CANDIDATE;
}

/* The live index is used from another place, which is to be believed until end_s at most. old: the place before, as
 * relay_old() has it. */
static enum bypeer_relay_heard relay_move(struct bypeer_relay_state *state, uint64_t serial,
                                          const struct bypeer_relay_place *place,
                                          const struct bypeer_relay_message *message, uint32_t old, uint32_t now_s,
                                          uint32_t end_s)
{
    uint32_t left_s = end_s - now_s < 0xff ? end_s - now_s : 0xff;
    bypeer_relay_store(&state->endpoint, serial, place, bypeer_relay_credit(message->bytes));
    relay_withdraw(state, 0);
    relay_set(&state->next_counter, message->counter + 1);
    relay_set(&state->old, old | left_s);
    relay_set(&state->moved_s, now_s);
    relay_set(&state->until_s, now_s + (left_s < BYPEER_RELAY_TRIAL_S ? left_s : BYPEER_RELAY_TRIAL_S));
    return BYPEER_RELAY_HEARD_MOVE;
}

/* Data under the live index, which may be used until end_s. */
static enum bypeer_relay_heard relay_live(struct bypeer_relay_state *state, uint64_t serial,
                                          const struct bypeer_relay_place *place,
                                          const struct bypeer_relay_message *message, uint32_t now_s, uint32_t end_s)
{
    struct bypeer_relay_place here;
    uint64_t seal;
    uint32_t moved_s = relay_get(&state->moved_s);
    bool is_ahead = bypeer_relay_is_ahead(message->counter, relay_get(&state->next_counter));
    bool is_somewhere = bypeer_relay_load(&state->endpoint, serial, &here, &seal);
    if (is_somewhere && bypeer_relay_is_same_place(&here, place)) {
        if (!is_ahead)
            return BYPEER_RELAY_HEARD_NOTHING;
        relay_set(&state->next_counter, message->counter + 1);
        if (moved_s != 0)
            relay_set(&state->until_s, end_s - now_s < BYPEER_RELAY_TRIAL_S ? end_s : now_s + BYPEER_RELAY_TRIAL_S);
        return BYPEER_RELAY_HEARD_NOTHING;
    }
    if (is_ahead)
        return relay_move(state, serial, place, message, is_somewhere ? relay_old(serial, &here) : 0, now_s, end_s);
    /* The place before takes back. The one that it was taken by is not kept: else a replay could do so, too. */
    if (moved_s != 0 && now_s - moved_s <= BYPEER_RELAY_OLD_S &&
        relay_get(&state->old) >> 8 == relay_old(serial, place) >> 8)
        return relay_move(state, serial, place, message, 0, now_s, end_s);
    return BYPEER_RELAY_HEARD_NOTHING;
}

enum bypeer_relay_heard bypeer_relay_hear(struct bypeer_relay_state *state, uint64_t serial,
                                          const struct bypeer_relay_place *place,
                                          const struct bypeer_relay_message *message, uint32_t now_s)
{
    relay_begin(state, serial);
    bypeer_relay_set32(&state->heard_s, now_s);
    int number = relay_echoed(state, serial, place, message);
    if (number >= 0)
        return relay_confirm(state, serial, (unsigned)number, place, message, now_s);

    bool is_confirmed = relay_get(&state->until_s) > now_s;
    uint32_t end_s = relay_get(&state->moved_s) != 0 ? relay_trial_end(state) : relay_get(&state->until_s);
    if (message->type == BYPEER_WIREGUARD_DATA && message->receiver != 0 &&
        message->receiver == relay_get(&state->live) && end_s > now_s) {
        enum bypeer_relay_heard heard = relay_live(state, serial, place, message, now_s, end_s);
        if (heard != BYPEER_RELAY_HEARD_NOTHING || is_confirmed)
            return heard;
    }
    if (!is_confirmed)
        return relay_claim(state, serial, place, message);
    struct bypeer_relay_place here;
    uint64_t seal;
    if (message->type != BYPEER_WIREGUARD_INITIATION ||
        (bypeer_relay_load(&state->endpoint, serial, &here, &seal) && bypeer_relay_is_same_place(&here, place)))
        return BYPEER_RELAY_HEARD_NOTHING;
    return relay_apply(state, serial, place, message);
}

bool bypeer_relay_deny(struct bypeer_relay_state *state, uint64_t serial, const struct bypeer_relay_place *place)
{
    struct bypeer_relay_place here;
    uint64_t seal;
    if (__atomic_load_n(&state->serial, __ATOMIC_RELAXED) != serial || relay_get(&state->moved_s) == 0 ||
        !bypeer_relay_load(&state->endpoint, serial, &here, &seal) || !bypeer_relay_is_same_place(&here, place))
        return false;
    relay_set(&state->live, 0);
    relay_set(&state->until_s, 0);
    return true;
}

/* --- where a message may go --------------------------------------------------------------------------------------- */

enum bypeer_relay_way bypeer_relay_where(struct bypeer_relay_state *state, uint64_t serial,
                                         const struct bypeer_relay_message *message, uint32_t now_s,
                                         struct bypeer_relay_place *ret_place)
{
    struct bypeer_relay_place place;
    uint64_t seal;
    bool is_offer = message->type == BYPEER_WIREGUARD_INITIATION || message->type == BYPEER_WIREGUARD_RESPONSE;
    bool is_answer = message->type == BYPEER_WIREGUARD_RESPONSE || message->type == BYPEER_WIREGUARD_COOKIE;
    if (__atomic_load_n(&state->serial, __ATOMIC_ACQUIRE) != serial)
        return BYPEER_RELAY_WAY_NOBODY;
    bool is_confirmed = relay_get(&state->until_s) > now_s;

    if (is_answer && is_confirmed && message->receiver == relay_get(&state->initiation) &&
        bypeer_relay_load(&state->candidate, serial, &place, &seal)) {
        if (!bypeer_relay_spend(&state->candidate, seal, message->bytes))
            return BYPEER_RELAY_WAY_CREDIT;
        if (is_offer)
            relay_offer(state, message->sender, BYPEER_RELAY_OFFER_CANDIDATE, seal);
        *ret_place = place;
        return BYPEER_RELAY_WAY_GO;
    }
    if (!bypeer_relay_load(&state->endpoint, serial, &place, &seal))
        return BYPEER_RELAY_WAY_NOBODY;
    if (!is_confirmed && !bypeer_relay_spend(&state->endpoint, seal, message->bytes))
        return BYPEER_RELAY_WAY_CREDIT;
    if (is_offer)
        relay_offer(state, message->sender, 0, seal);
    *ret_place = place;
    return BYPEER_RELAY_WAY_GO;
}
