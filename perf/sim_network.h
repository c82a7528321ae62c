/*
 * The network under a simulated cloud: how long a datagram takes, and whether it arrives.
 *
 *   one-way delay = distance of the two places (a map of 1 x 1, its diagonal is SIM_DIAGONAL_MS)
 *                 + access delay of both (exponential, mean SIM_ACCESS_MS) + jitter (exponential, a tenth of that)
 *   lost          with a fixed probability; or across a cut; or from or to a region that failed
 *
 * The map is cut into SIM_REGIONS equal stripes: what fails, or is cut off, together.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define SIM_DIAGONAL_MS 110.0
#define SIM_ACCESS_MS   8.0
#define SIM_REGIONS     10

struct sim_place {
    float x, y;
    float access_ms;
    uint8_t region;
};

struct sim_network {
    double loss;
    bool is_cut; /* between regions below cut_region and the others */
    uint8_t cut_region;
    uint64_t random;
};

void sim_network_place(struct sim_network *network, struct sim_place *ret_place);
/* The delay in milliseconds, at least 1; 0: the datagram is lost. */
uint32_t sim_network_carry(struct sim_network *network, const struct sim_place *from, const struct sim_place *to);
