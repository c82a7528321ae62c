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

uint64_t hints_in(const struct hints_sums *sums);  /* received + injected + generated + copied */
uint64_t hints_out(const struct hints_sums *sums); /* sent + punted + consumed + dropped */

/* The "packets" of status. */
json_t *hints_packets(const struct hints_sums *sums);
