/*
 * This node's default identity in each profile: a private key in STATE/identities/default.PROFILE.pem, PKCS#8, mode
 * 0600, made when it is needed first. A file that is there is never written again.
 *
 * Thread: one (control's loop).
 */
#pragma once

#include <stdbool.h>

#include "control/problem.h"
#include "overlay/profile/key.h"

/* The key; make: a new one where there is none, durable before this returns. -ENOENT: there is none (make is not set),
 * and the problem says so. */
int bypeer_identity_load(struct bypeer_key **ret_key, const char *state, const struct bypeer_profile *profile,
                         bool make, struct bypeer_problem *problem);
