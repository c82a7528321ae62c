/*
 * What this node's operators say of groups: rules for what members may send to each other, and multicast.
 *
 *   API -- policy --> SQLite --> tables (rules and multicast list of the group's record), at once, and again whenever
 *                                the group or one of its links changes
 *
 * A policy goes by the group's name and outlives the group: the model puts a group of that name into the tables with
 * its rules, in one step, or not at all, so that no packet is forwarded without them. Multicast goes to this host and
 * to all links of the group; that of a group which this node has joined follows its records (control/attach), not a
 * policy.
 *
 * Thread: one (control's loop). The two functions that hooks call neither make room nor call into the model but to
 * read: what of multicast does not fit then is put by the next turn.
 */
#pragma once

#include "control/model/model.h"
#include "control/problem.h"
#include "control/store/policies.h"

struct bypeer_policies;
struct bypeer_node;

#define BYPEER_POLICY_MULTICAST_MAX 1000000

/* Reads what there is; the model is still empty. */
int bypeer_policies_open(struct bypeer_policies **ret_policies, struct bypeer_node *node,
                         struct bypeer_problem *problem);
void bypeer_policies_close(struct bypeer_policies *policies); /* NULL is fine */

void bypeer_policies_group_changed(struct bypeer_policies *policies, const struct bypeer_model_group *group, bool gone);
void bypeer_policies_link_changed(struct bypeer_policies *policies, const struct bypeer_model_link *link);
/* To be called once or twice a second. */
void bypeer_policies_turn(struct bypeer_policies *policies);

/* In place of the group's present policy; with neither rules nor multicast removes it. Durable and in force when 0 is
 * returned; -ENOENT: there is no such group, and no policy of it. */
int bypeer_policies_set(struct bypeer_policies *policies, const struct bypeer_store_policy *policy,
                        struct bypeer_problem *problem);

/* Valid until the next call; NULL: there is none. */
const struct bypeer_store_policy *bypeer_policies_find(const struct bypeer_policies *policies, const char *group);
/* The at-th one, by name, or NULL. */
const struct bypeer_store_policy *bypeer_policies_at(const struct bypeer_policies *policies, size_t at);
