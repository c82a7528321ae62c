/*
 * Stand-ins for signatures: a hash keyed by the public key, repeated to the profile's size. Same sizes, same places on
 * the wire, checked on arrival like real ones; some hundred times faster.
 */
#pragma once

#include "overlay/pnrp/cloud.h"

/* In place of bypeer_pnrp_job_run(). */
void sim_signature_run(struct bypeer_pnrp_job *job);
/* Key number `at`, the same in every run. 0, -ENOMEM, -EIO. */
int sim_signature_key(struct bypeer_key **ret_key, const struct bypeer_profile *profile, unsigned at);
