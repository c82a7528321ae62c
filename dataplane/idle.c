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
    if (idle->mode == BYPEER_IDLE_BUSY || tsc - idle->found_tsc < idle->walk_tsc)
        return BYPEER_IDLE_STEP_WALK;

    bool waits = idle->mode == BYPEER_IDLE_INTERRUPT;
    uint32_t longest_us = waits && idle->max_us > BYPEER_IDLE_NAP_MAX_US ? BYPEER_IDLE_NAP_MAX_US : idle->max_us;
    uint32_t first_us = BYPEER_IDLE_NAP_US < longest_us ? BYPEER_IDLE_NAP_US : longest_us;
    idle->nap_us = idle->nap_us == 0 ? first_us : idle->nap_us * 2;
    if (idle->nap_us > longest_us) {
        idle->nap_us = longest_us; /* and so waits again after the next empty walk */
        if (waits)
            return BYPEER_IDLE_STEP_WAIT;
    }
    *ret_us = idle->nap_us;
    return BYPEER_IDLE_STEP_NAP;
}
