/*
 * The relay's rules: who is believed to be where, and what may be sent there.
 *
 * A pair of members has two relay addresses, each told to one of them only. What comes to a user's address is heard
 * (bypeer_relay_hear()) by the state of that address, and goes to where the state of the other address says that its
 * user is (bypeer_relay_where()). The node can read nothing of it but WireGuard's headers: types, indexes and counters.
 *
 *   none --- any message ---> unconfirmed --- an index comes back ---> confirmed --- 190 s without another --->
 * unconfirmed gets at most 3 bytes                     gets all for each that it sent
 *
 * Confirmed is a place from which a receiver index came back that was sent to that place only: by a response, a cookie
 * reply or data. That lasts as long as a session can (whitepaper, 6.1: 180 s) and 10 s; a living pair has a new index
 * to and fro every 120 s. While a place is confirmed,
 *   - an initiation from elsewhere makes that the candidate: it gets the response to that very initiation, within its
 *     credit, and nothing else, until the index in the response comes back. So replays of old initiations draw nothing:
 *     the other end does not respond to them.
 *   - data under the live index from elsewhere moves the endpoint there at once, since a member changes networks in
 *     the middle of a transfer; but only if its counter is ahead of all before, so no replay does. The place before is
 *     kept for 10 s: if the index is used from there, too, it was the right one, whatever the counter says. The new
 *     place is on trial until an index comes back from it: it stays confirmed for 30 s after each of its packets, and
 * no longer than the old one was.
 *   - all else from elsewhere is carried, but nothing is learnt from it.
 * A place that is not confirmed gives way to any other that sends a message.
 *
 * What this does not tell: a member who sends under his own live index from an address that is not his has his own
 * traffic sent there, as with WireGuard itself, while he goes on sending so and until an index has to come back. Two
 * members who conspire can tell each other indexes: each byte that then goes astray is one that they sent.
 *
 * Whether an address may be a place at all (not one of this node, of the relay, or of many) the caller has judged.
 *
 * Threads: any number of workers; no function waits, and a race costs at most what was learnt from one packet: state.h.
 */
#pragma once

#include "overlay/relay/message.h"
#include "overlay/relay/place.h"

#define BYPEER_RELAY_CONFIRMED_S 190 /* the life of a session, and 10 s for the handshake itself */
#define BYPEER_RELAY_TRIAL_S     30  /* longer than the usual persistent keepalive of 25 s */
#define BYPEER_RELAY_OLD_S       10

/* What a message taught. */
enum bypeer_relay_heard {
    BYPEER_RELAY_HEARD_NOTHING,
    BYPEER_RELAY_HEARD_CLAIM,     /* a place that is not confirmed */
    BYPEER_RELAY_HEARD_CANDIDATE, /* an initiation from elsewhere */
    BYPEER_RELAY_HEARD_ECHO,      /* an index came back: the place is confirmed */
    BYPEER_RELAY_HEARD_MOVE,      /* the live index is used elsewhere */
};

/* Where a message may go. */
enum bypeer_relay_way {
    BYPEER_RELAY_WAY_GO,
    BYPEER_RELAY_WAY_NOBODY, /* nobody knows where its receiver is */
    BYPEER_RELAY_WAY_CREDIT, /* he is not confirmed there, and it is more than he may get */
};

/*
 * The user of this state sent the message from this place. now_s is CLOCK_MONOTONIC. The state begins anew if it was
 * another pair's. Call bypeer_relay_hear_usual() first: it is false when this one has to look.
 */
enum bypeer_relay_heard bypeer_relay_hear(struct bypeer_relay_end end, uint64_t serial,
                                          const struct bypeer_relay_place *place,
                                          const struct bypeer_relay_message *message, uint32_t now_s);

/*
 * Where the user of this state gets the message, which takes message->bytes of a credit if he is not confirmed there,
 * and is remembered if it carries an index for him. Call bypeer_relay_where_usual() first.
 */
enum bypeer_relay_way bypeer_relay_where(struct bypeer_relay_end end, uint64_t serial,
                                         const struct bypeer_relay_message *message, uint32_t now_s,
                                         struct bypeer_relay_place *ret_place);

/* Takes back that a place on trial is confirmed: what was sent there was refused. True: it was on trial there. */
bool bypeer_relay_deny(struct bypeer_relay_end end, uint64_t serial, const struct bypeer_relay_place *place);

/* Whether what .endpoint says is confirmed, if it is this pair's: its check tells that. */
static inline bool bypeer_relay_is_confirmed(const struct bypeer_relay_state *state, uint64_t serial, uint32_t now_s)
{
    return (__atomic_load_n(&state->tag, __ATOMIC_RELAXED) & ~BYPEER_RELAY_ON_TRIAL) == bypeer_relay_tag(serial) &&
           __atomic_load_n(&state->until_s, __ATOMIC_RELAXED) > now_s;
}

static inline void bypeer_relay_set32(uint32_t *field, uint32_t value)
{
    if (__atomic_load_n(field, __ATOMIC_RELAXED) != value)
        __atomic_store_n(field, value, __ATOMIC_RELAXED);
}

/* Whether a counter is not behind the next one, modulo 2^32: no session lives to see half of that. */
static inline bool bypeer_relay_is_ahead(uint32_t counter, uint32_t next)
{
    return counter - next < UINT32_C(1) << 31;
}

/* Data under the live index, from where the user is confirmed: nearly all packets. True: heard. */
static inline bool bypeer_relay_hear_usual(struct bypeer_relay_state *state, uint64_t serial,
                                           const struct bypeer_relay_place *place,
                                           const struct bypeer_relay_message *message, uint32_t now_s)
{
    struct bypeer_relay_place here;
    uint64_t seal;
    if (__atomic_load_n(&state->tag, __ATOMIC_RELAXED) != bypeer_relay_tag(serial) ||
        __atomic_load_n(&state->until_s, __ATOMIC_RELAXED) <= now_s || message->type != BYPEER_WIREGUARD_DATA ||
        message->receiver != __atomic_load_n(&state->live, __ATOMIC_RELAXED) ||
        !bypeer_relay_load(&state->endpoint, serial, &here, &seal) || !bypeer_relay_is_same_place(&here, place))
        return false;
    if (bypeer_relay_is_ahead(message->counter, __atomic_load_n(&state->next_counter, __ATOMIC_RELAXED)))
        __atomic_store_n(&state->next_counter, message->counter + 1, __ATOMIC_RELAXED);
    bypeer_relay_set32(&state->heard_s, now_s);
    return true;
}

/* A later fragment of data, which has no port: from the address where the user is confirmed. True: heard. */
static inline bool bypeer_relay_hear_fragment(const struct bypeer_relay_state *state, uint64_t serial,
                                              const struct bypeer_relay_place *place, uint32_t now_s)
{
    struct bypeer_relay_place here;
    uint64_t seal;
    return bypeer_relay_is_confirmed(state, serial, now_s) &&
           bypeer_relay_load(&state->endpoint, serial, &here, &seal) && here.address[0] == place->address[0] &&
           here.address[1] == place->address[1];
}

/* Data for one who is confirmed. True: *ret_place is where it goes. */
static inline bool bypeer_relay_where_usual(const struct bypeer_relay_state *state, uint64_t serial,
                                            const struct bypeer_relay_message *message, uint32_t now_s,
                                            struct bypeer_relay_place *ret_place)
{
    uint64_t seal;
    return bypeer_relay_is_confirmed(state, serial, now_s) &&
           (message->type == BYPEER_WIREGUARD_DATA || message->type == BYPEER_WIREGUARD_NONE) &&
           bypeer_relay_load(&state->endpoint, serial, ret_place, &seal);
}

/* A message of the user of this end went on. */
static inline void bypeer_relay_count(struct bypeer_relay_end end, uint32_t bytes)
{
    uint32_t packets = __atomic_load_n(&end.state->packets, __ATOMIC_RELAXED) + 1;
    __atomic_store_n(&end.state->packets, packets, __ATOMIC_RELAXED);
    __atomic_store_n(&end.state->bytes, __atomic_load_n(&end.state->bytes, __ATOMIC_RELAXED) + bytes, __ATOMIC_RELAXED);
    if (__builtin_expect(packets == 0, 0))
        __atomic_fetch_add(&end.claims->packets_high, 1, __ATOMIC_RELAXED);
}
