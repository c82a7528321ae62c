/*
 * The sessions of one peer: previous, current and next, and how they change places (whitepaper, 6.1 to 6.3).
 *
 *   next      made as the responder, not heard on yet: we receive by it, and must not send by it
 *   current   what we send by: made as the initiator, or a next one by which the first packet came
 *   previous  the current one before it: receives what was on its way
 *
 * When both sides begin at once, there are two sessions, each side being the initiator of one. Both are kept, so that
 * nothing on its way is lost, and both sides come to send by the one with the smaller serial, which is the same at
 * both: so one of them is its initiator, and renews it in time.
 *
 * Functions that take sessions out give them back, at most one: to be withdrawn and wiped. .local_index 0: none.
 */
#pragma once

#include "overlay/wireguard/session.h"

struct bypeer_keypairs {
    struct bypeer_wireguard_session previous, current, next;
};

/* Takes in a new session, by its role: ours to send by at once, or next. */
void bypeer_keypairs_add(struct bypeer_keypairs *pairs, const struct bypeer_wireguard_session *session,
                         struct bypeer_wireguard_session *ret_dropped);

/* A packet was received by this local index, for the first time. Whether it was next, and now is what to send by. */
bool bypeer_keypairs_confirm(struct bypeer_keypairs *pairs, uint32_t local_index,
                             struct bypeer_wireguard_session *ret_dropped);

/* Takes out one session that is too old to be used, or any (all); false: there is none. */
bool bypeer_keypairs_expire(struct bypeer_keypairs *pairs, uint64_t now_ns, bool all,
                            struct bypeer_wireguard_session *ret_dropped);

/* When the next one gets too old; UINT64_MAX: none is left. */
uint64_t bypeer_keypairs_due(const struct bypeer_keypairs *pairs);

/* What to send by, or NULL. */
const struct bypeer_wireguard_session *bypeer_keypairs_sendable(const struct bypeer_keypairs *pairs, uint64_t now_ns);
