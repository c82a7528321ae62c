/*
 * Private to the API: the data plane's counters, summed over its workers.
 */
#pragma once

#include "control/api/call.h"

struct hints_sums {
    uint64_t classes[BYPEER_COUNTER_DROPPED + 1]; /* by enum bypeer_counter_class */
};

/* All zero when no data plane is attached. */
void hints_sum(const struct bypeer_node *node, struct hints_sums *ret_sums);

/* The "packets" of status. */
json_t *hints_packets(const struct hints_sums *sums);
