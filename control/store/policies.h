/*
 * What operators of this node have said of groups: policies (group_name, multicast, rules). Groups go by their names,
 * whatever they come from; rules are kept as text, a line each (control/policy/rule_text.h). Conventions are those of
 * store.h.
 */
#pragma once

#include "control/store/store.h"
#include "overlay/tables/layout.h"

struct bypeer_store_policy {
    char group[64];
    uint32_t multicast_s; /* packets a second that each member may send; 0: none */
    uint32_t rule_count;  /* 0: all passes */
    struct bypeer_policy_rule rules[BYPEER_GROUP_RULES_MAX];
};

int bypeer_store_put_policy(struct bypeer_store *store, const struct bypeer_store_policy *policy,
                            struct bypeer_problem *problem);
/* What is not there is removed already: 0. */
int bypeer_store_remove_policy(struct bypeer_store *store, const char *group, struct bypeer_problem *problem);
/* By name. A row that cannot be right (a damaged file) lets nothing pass in its group: one rule that refuses all. */
int bypeer_store_each_policy(struct bypeer_store *store,
                             int (*visit)(void *context, const struct bypeer_store_policy *policy), void *context,
                             struct bypeer_problem *problem);
