#include "overlay/wireguard/keypair.h"

#include "overlay/wireguard/crypto.h"

static void move(struct bypeer_wireguard_session *to, struct bypeer_wireguard_session *from)
{
    *to = *from;
    bypeer_crypto_wipe(from, sizeof(*from));
}

void bypeer_keypairs_add(struct bypeer_keypairs *pairs, const struct bypeer_wireguard_session *session,
                         struct bypeer_wireguard_session *ret_dropped)
{
    if (session->flags & BYPEER_WIREGUARD_INITIATOR) {
        move(ret_dropped, &pairs->previous);
        move(&pairs->previous, &pairs->current);
        pairs->current = *session;
    } else {
        move(ret_dropped, &pairs->next);
        pairs->next = *session;
    }
}

/*
 * Whether both sides began at once, and both send by the current session in the end. His initiation came before our
 * handshake was complete: so he, who has both, answered ours after he had begun his. One that came later may be that of
 * a peer who was started anew and has nothing but next.
 */
static bool is_lesser_twin(const struct bypeer_wireguard_session *next, const struct bypeer_wireguard_session *current)
{
    return current->local_index != 0 && (current->flags & BYPEER_WIREGUARD_INITIATOR) &&
           next->created_ns <= current->created_ns && current->serial < next->serial;
}

bool bypeer_keypairs_confirm(struct bypeer_keypairs *pairs, uint32_t local_index,
                             struct bypeer_wireguard_session *ret_dropped)
{
    if (local_index == 0 || pairs->next.local_index != local_index || is_lesser_twin(&pairs->next, &pairs->current))
        return false;
    move(ret_dropped, &pairs->previous);
    move(&pairs->previous, &pairs->current);
    move(&pairs->current, &pairs->next);
    return true;
}

static bool is_over(const struct bypeer_wireguard_session *session, uint64_t now_ns, bool all)
{
    return session->local_index != 0 &&
           (all || bypeer_wireguard_session_age(session, now_ns) >= BYPEER_WIREGUARD_REJECT_AFTER_NS);
}

bool bypeer_keypairs_expire(struct bypeer_keypairs *pairs, uint64_t now_ns, bool all,
                            struct bypeer_wireguard_session *ret_dropped)
{
    struct bypeer_wireguard_session *const sessions[] = {&pairs->previous, &pairs->current, &pairs->next};
    for (unsigned i = 0; i < 3; i++) {
        if (!is_over(sessions[i], now_ns, all))
            continue;
        move(ret_dropped, sessions[i]);
        return true;
    }
    return false;
}

uint64_t bypeer_keypairs_due(const struct bypeer_keypairs *pairs)
{
    const struct bypeer_wireguard_session *const sessions[] = {&pairs->previous, &pairs->current, &pairs->next};
    uint64_t due = UINT64_MAX;
    for (unsigned i = 0; i < 3; i++) {
        uint64_t end = sessions[i]->created_ns + BYPEER_WIREGUARD_REJECT_AFTER_NS;
        if (sessions[i]->local_index != 0 && end < due)
            due = end;
    }
    return due;
}

const struct bypeer_wireguard_session *bypeer_keypairs_sendable(const struct bypeer_keypairs *pairs, uint64_t now_ns)
{
    const struct bypeer_wireguard_session *current = &pairs->current;
    return current->local_index != 0 && bypeer_wireguard_session_is_usable(current, 0, now_ns) ? current : NULL;
}
