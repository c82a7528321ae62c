/* Random times of the simulator, beside tests/random.h: a run is repeated by its seed. Thread: one. */
#pragma once

#include <math.h>
#include <stdint.h>

#include "tests/random.h"

/* [0, 1) */
static inline double sim_random_unit(uint64_t *state)
{
    return (double)(random_next(state) >> 11) * 0x1p-53;
}

/* The time to the next event of a Poisson process. */
static inline double sim_random_exponential(uint64_t *state, double mean)
{
    return -mean * log(1.0 - sim_random_unit(state));
}
