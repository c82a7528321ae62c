#include "perf/sim_network.h"

#include <math.h>

#include "perf/sim_random.h"

void sim_network_place(struct sim_network *network, struct sim_place *ret_place)
{
    double x = sim_random_unit(&network->random);
    *ret_place = (struct sim_place){
        .x = (float)x,
        .y = (float)sim_random_unit(&network->random),
        .access_ms = (float)sim_random_exponential(&network->random, SIM_ACCESS_MS),
        .region = (uint8_t)(x * SIM_REGIONS),
    };
}

uint32_t sim_network_carry(struct sim_network *network, const struct sim_place *from, const struct sim_place *to)
{
    if (network->is_cut && (from->region < network->cut_region) != (to->region < network->cut_region))
        return 0;
    if (network->loss > 0 && sim_random_unit(&network->random) < network->loss)
        return 0;
    double distance = sqrt((from->x - to->x) * (from->x - to->x) + (from->y - to->y) * (from->y - to->y));
    double delay = distance / sqrt(2.0) * SIM_DIAGONAL_MS + from->access_ms + to->access_ms;
    delay += sim_random_exponential(&network->random, delay / 10);
    return 1 + (uint32_t)delay;
}
