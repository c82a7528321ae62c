#include "control/policy/policies.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/log.h"
#include "control/node.h"

#define ROOM_ATTEMPTS 4

struct policy {
    struct bypeer_store_policy row;
    bool rules_due, links_due; /* the tables may say something else */
};

struct bypeer_policies {
    struct bypeer_node *node;
    struct policy *policies; /* by name */
    size_t count, room;
};

/* --- the list --- */

static size_t policies_place(const struct bypeer_policies *policies, const char *group)
{
    size_t low = 0, high = policies->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(policies->policies[middle].row.group, group) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct policy *policies_find(const struct bypeer_policies *policies, const char *group)
{
    size_t place = policies_place(policies, group);
    struct policy *policy = place < policies->count ? &policies->policies[place] : NULL;
    return policy && strcmp(policy->row.group, group) == 0 ? policy : NULL;
}

static bool policies_reserve(struct bypeer_policies *policies)
{
    if (policies->count < policies->room)
        return true;
    size_t room = policies->room ? 2 * policies->room : 8;
    struct policy *more = reallocarray(policies->policies, room, sizeof(*more));
    if (!more)
        return false;
    policies->policies = more;
    policies->room = room;
    return true;
}

/* There is room. */
static struct policy *policies_insert(struct bypeer_policies *policies, const struct bypeer_store_policy *row)
{
    size_t place = policies_place(policies, row->group);
    struct policy *at = &policies->policies[place];
    memmove(at + 1, at, (policies->count++ - place) * sizeof(*at));
    *at = (struct policy){.row = *row};
    return at;
}

static void policies_drop(struct bypeer_policies *policies, struct policy *policy)
{
    size_t place = (size_t)(policy - policies->policies);
    memmove(policy, policy + 1, (--policies->count - place) * sizeof(*policy));
}

const struct bypeer_store_policy *bypeer_policies_find(const struct bypeer_policies *policies, const char *group)
{
    const struct policy *policy = policies_find(policies, group);
    return policy ? &policy->row : NULL;
}

const struct bypeer_store_policy *bypeer_policies_at(const struct bypeer_policies *policies, size_t at)
{
    return at < policies->count ? &policies->policies[at].row : NULL;
}

/* --- into the tables --- */

/* This host and all links of the group, as many as a list may have. */
static uint32_t policies_links(const struct bypeer_model *model, const struct bypeer_model_group *group,
                               struct bypeer_multicast_receiver receivers[static BYPEER_MULTICAST_LINKS_MAX])
{
    uint32_t count = 0, left_out = 0;
    for (const struct bypeer_model_link *link = bypeer_model_next_link(model, 0); link;
         link = bypeer_model_next_link(model, link->id)) {
        if (!link->live || link->group != group->id)
            continue;
        if (count < BYPEER_MULTICAST_LINKS_MAX)
            receivers[count++] = bypeer_model_receiver(model, link);
        else
            left_out++;
    }
    if (left_out > 0)
        bypeer_log(BYPEER_LOG_WARNING, "group %s: multicast goes to %u links at most; %u get none", group->name,
                   BYPEER_MULTICAST_LINKS_MAX, left_out);
    return count;
}

static int policies_put_links(struct bypeer_policies *policies, const struct policy *policy,
                              const struct bypeer_model_group *group)
{
    struct bypeer_multicast_receiver receivers[BYPEER_MULTICAST_LINKS_MAX];
    bool has_any = policy->row.multicast_s > 0;
    uint32_t count = has_any ? policies_links(policies->node->model, group, receivers) : 0;
    return bypeer_writer_set_multicast(policies->node->generation->writer, group->id, receivers, count,
                                       policy->row.multicast_s);
}

/* What is due, as far as there is room: 0, -EAGAIN or -ENOSPC. */
static int policies_put(struct bypeer_policies *policies, struct policy *policy)
{
    const struct bypeer_model_group *group = bypeer_model_find_group(policies->node->model, policy->row.group);
    int result = 0;
    if (!group || !group->live) {
        policy->rules_due = policy->links_due = false;
        return 0;
    }
    if (policy->rules_due)
        result = bypeer_writer_set_rules(policies->node->generation->writer, group->id, policy->row.rules,
                                         policy->row.rule_count);
    if (result == 0)
        policy->rules_due = false;
    if (result == 0 && policy->links_due && !group->followed)
        result = policies_put_links(policies, policy, group);
    if (result == 0)
        policy->links_due = false;
    return result;
}

static int policies_put_with_room(struct bypeer_policies *policies, struct policy *policy,
                                  struct bypeer_problem *problem)
{
    for (unsigned attempt = 0;; attempt++) {
        int result = policies_put(policies, policy);
        if (result == 0)
            return 0;
        struct bypeer_writer_usage usage;
        bypeer_writer_usage(policies->node->generation->writer, &usage);
        struct bypeer_tables_size need = usage.used;
        need.group_parts += BYPEER_MULTICAST_LINKS_MAX / BYPEER_PART_RECEIVERS + 1;
        if (attempt == ROOM_ATTEMPTS || (result != -EAGAIN && result != -ENOSPC))
            return bypeer_problem_set(problem, result, "full",
                                      "policy of group \"%s\"\nhas no place in the tables: %s\n"
                                      "try again, and look for alarms in the log",
                                      policy->row.group, strerror(-result));
        result = bypeer_node_make_room(policies->node, result, &need, problem);
        if (result < 0)
            return result;
    }
}

/* --- life --- */

static int policies_read(void *context, const struct bypeer_store_policy *row)
{
    struct bypeer_policies *policies = context;
    if (!policies_reserve(policies))
        return -ENOMEM;
    policies_insert(policies, row);
    return 0;
}

int bypeer_policies_open(struct bypeer_policies **ret_policies, struct bypeer_node *node,
                         struct bypeer_problem *problem)
{
    struct bypeer_policies *policies = calloc(1, sizeof(*policies));
    if (!policies)
        return bypeer_problem_no_memory(problem);
    policies->node = node;
    int result = bypeer_store_each_policy(node->store, policies_read, policies, problem);
    if (result < 0) {
        bypeer_policies_close(policies);
        return result;
    }
    *ret_policies = policies;
    return 0;
}

void bypeer_policies_close(struct bypeer_policies *policies)
{
    if (!policies)
        return;
    free(policies->policies);
    free(policies);
}

void bypeer_policies_group_changed(struct bypeer_policies *policies, const struct bypeer_model_group *group, bool gone)
{
    struct policy *policy = gone ? NULL : policies_find(policies, group->name);
    if (!policy)
        return;
    policy->links_due = true; /* its rules came with it */
    (void)policies_put(policies, policy);
}

void bypeer_policies_link_changed(struct bypeer_policies *policies, const struct bypeer_model_link *link)
{
    const struct bypeer_model_group *group = bypeer_model_group(policies->node->model, link->group);
    struct policy *policy = group ? policies_find(policies, group->name) : NULL;
    if (policy)
        policy->links_due = true;
}

void bypeer_policies_turn(struct bypeer_policies *policies)
{
    struct bypeer_problem problem;
    for (size_t at = 0; at < policies->count; at++) {
        struct policy *policy = &policies->policies[at];
        if ((policy->rules_due || policy->links_due) && policies_put_with_room(policies, policy, &problem) < 0)
            bypeer_log(BYPEER_LOG_WARNING, "policy of group %s is not in the tables yet", policy->row.group);
    }
}

/* --- what the API does --- */

static int policies_store(struct bypeer_policies *policies, const struct bypeer_store_policy *row, bool remove,
                          struct bypeer_problem *problem)
{
    struct bypeer_store *store = policies->node->store;
    int result = bypeer_store_begin(store, problem);
    if (result == 0)
        result = remove ? bypeer_store_remove_policy(store, row->group, problem)
                        : bypeer_store_put_policy(store, row, problem);
    return bypeer_store_end(store, result, problem);
}

static int policies_check(const struct bypeer_policies *policies, const struct bypeer_store_policy *row,
                          struct bypeer_problem *problem)
{
    const struct bypeer_model_group *group = bypeer_model_find_group(policies->node->model, row->group);
    if (!group && !policies_find(policies, row->group))
        return bypeer_problem_set(problem, -ENOENT, "no_such_group",
                                  "group \"%.64s\"\ndoes not exist\nlist the groups with: bypeer groups", row->group);
    if (group && group->followed && row->multicast_s > 0)
        return bypeer_problem_set(problem, -EINVAL, "followed",
                                  "multicast of group \"%.64s\"\nfollows the records of the group, which this node "
                                  "has joined\nset rules only",
                                  row->group);
    if (row->multicast_s > BYPEER_POLICY_MULTICAST_MAX)
        return bypeer_problem_set(problem, -EINVAL, "bad_parameter",
                                  "multicast of group \"%.64s\"\n%u packets a second are too many\ngive up to %d",
                                  row->group, row->multicast_s, BYPEER_POLICY_MULTICAST_MAX);
    return 0;
}

int bypeer_policies_set(struct bypeer_policies *policies, const struct bypeer_store_policy *row,
                        struct bypeer_problem *problem)
{
    bool remove = row->rule_count == 0 && row->multicast_s == 0;
    int result = policies_check(policies, row, problem);
    if (result == 0 && !policies_reserve(policies))
        return bypeer_problem_no_memory(problem);
    if (result == 0)
        result = policies_store(policies, row, remove, problem);
    if (result < 0)
        return result;
    struct policy *policy = policies_find(policies, row->group);
    if (!policy)
        policy = policies_insert(policies, row);
    policy->row = *row;
    policy->rules_due = policy->links_due = true;
    result = policies_put_with_room(policies, policy, problem);
    if (result == 0 && remove)
        policies_drop(policies, policy);
    return result;
}
