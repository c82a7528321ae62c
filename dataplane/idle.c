#include "dataplane/idle.h"

void bypeer_idle_init(struct bypeer_idle *idle, enum bypeer_idle_mode mode, uint32_t max_us, uint64_t tsc_hz)
{
    *idle = (struct bypeer_idle){
        .mode = mode,
        .max_us = max_us,
        .walk_tsc = tsc_hz * BYPEER_IDLE_WALK_US / 1000000,
    };
}

enum bypeer_idle_step bypeer_idle_next(struct bypeer_idle *idle, bool found, uint64_t tsc, uint32_t *ret_us)
{
    if (found) {
        idle->found_tsc = tsc;
        idle->nap_us = 0;
        return BYPEER_IDLE_STEP_WALK;
    }
    if (idle->mode == BYPEER_IDLE_INTERRUPT)
        return BYPEER_IDLE_STEP_WAIT;
    if (idle->mode == BYPEER_IDLE_BUSY || tsc - idle->found_tsc < idle->walk_tsc)
        return BYPEER_IDLE_STEP_WALK;

    uint32_t nap_us = idle->nap_us == 0 ? BYPEER_IDLE_NAP_US : idle->nap_us * 2;
    idle->nap_us = nap_us < idle->max_us ? nap_us : idle->max_us;
    *ret_us = idle->nap_us;
    return BYPEER_IDLE_STEP_NAP;
}
