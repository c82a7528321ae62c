#include "overlay/wireguard/activity.h"

#define UNANSWERED_NS (BYPEER_WIREGUARD_KEEPALIVE_NS + BYPEER_WIREGUARD_REKEY_TIMEOUT_NS)

static uint64_t load(const uint64_t *field)
{
    return __atomic_load_n(field, __ATOMIC_RELAXED);
}

static uint64_t later(uint64_t left, uint64_t right)
{
    return left > right ? left : right;
}

static uint64_t keepalive_at(const struct bypeer_activity *activity, uint64_t persistent_ns)
{
    uint64_t owed = load(&activity->owed_ns);
    uint64_t at = owed ? owed + BYPEER_WIREGUARD_KEEPALIVE_NS : UINT64_MAX;
    if (persistent_ns == 0)
        return at;
    uint64_t quiet = later(load(&activity->sent_ns), load(&activity->received_ns)) + persistent_ns;
    return quiet < at ? quiet : at;
}

static uint64_t handshake_at(const struct bypeer_activity *activity)
{
    uint64_t unanswered = load(&activity->unanswered_ns), asked = load(&activity->asked_ns);
    if (unanswered == 0)
        return UINT64_MAX;
    return later(unanswered + UNANSWERED_NS, asked ? asked + BYPEER_WIREGUARD_REKEY_TIMEOUT_NS : 0);
}

unsigned bypeer_activity_due(struct bypeer_activity *activity, uint64_t persistent_ns, uint64_t now_ns)
{
    unsigned due = 0;
    if (now_ns >= keepalive_at(activity, persistent_ns))
        due |= BYPEER_ACTIVITY_KEEPALIVE;
    if (now_ns >= handshake_at(activity)) {
        bypeer_activity_set(&activity->asked_ns, now_ns);
        due |= BYPEER_ACTIVITY_HANDSHAKE;
    }
    return due;
}

uint64_t bypeer_activity_next(const struct bypeer_activity *activity, uint64_t persistent_ns)
{
    uint64_t keepalive = keepalive_at(activity, persistent_ns), handshake = handshake_at(activity);
    return keepalive < handshake ? keepalive : handshake;
}
