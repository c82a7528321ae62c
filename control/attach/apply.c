/*
 * The plan made true. New links come before ways, and old links go after them, so that a member that moves has a way at
 * each moment; a member that is none any more goes first of all.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/attach/state.h"
#include "overlay/group/address.h"

static void apply_log(struct bypeer_attach *attach, const struct attach_group *group,
                      const struct bypeer_problem *problem)
{
    char text[BYPEER_PROBLEM_TEXT];
    attach->again_ms = attach_now_ms() + ATTACH_AGAIN_MS;
    bypeer_log_limited(&attach->log_limit, BYPEER_LOG_ERROR, "group %s: %s", group ? group->name : "trunks",
                       bypeer_problem_text(problem, text));
}

/* --- groups --- */

/* Letters, digits, dots, hyphens and underscores, as a name of the model; with the authority if the name is taken. */
static void apply_make_name(const struct bypeer_joined *joined, bool is_long, char ret_name[static 64])
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    int length = snprintf(ret_name, 64, "%.40s", bypeer_joined_friendly(joined));
    for (char *at = ret_name; *at; at++)
        if (!strchr(letters, *at))
            *at = '-';
    if (length == 0)
        length = snprintf(ret_name, 64, "group");
    if (length > 40)
        length = 40;
    if (is_long)
        snprintf(ret_name + length, 64 - (size_t)length, "-%.8s", bypeer_joined_name_text(joined));
}

static int apply_try_group(struct bypeer_attach *attach, struct attach_group *group,
                           const struct bypeer_plan_group *said, struct bypeer_problem *problem)
{
    uint8_t prefix[16] = {0};
    memcpy(prefix, said->own, 6);
    return bypeer_model_follow_group(attach->node->model, group->name, prefix, said->own, &group->id, problem);
}

static void apply_group(struct bypeer_attach *attach, struct attach_group *group, const struct bypeer_plan_group *said)
{
    struct bypeer_problem problem;
    if (group->id == 0) {
        apply_make_name(group->joined, false, group->name);
        if (bypeer_model_find_group(attach->node->model, group->name))
            apply_make_name(group->joined, true, group->name);
    }
    int result = apply_try_group(attach, group, said, &problem);
    group->why[0] = '\0';
    if (result == 0)
        return;
    group->id = 0;
    bypeer_problem_text(&problem, group->why);
    apply_log(attach, group, &problem);
}

void attach_remove_group(struct bypeer_attach *attach, struct attach_group *group)
{
    if (group->id != 0)
        bypeer_model_unfollow_group(attach->node->model, group->id);
    group->id = 0;
    group->receiver_count = 0;
}

/* --- ways --- */

static int compare_ways(const void *one, const void *other)
{
    const struct bypeer_plan_way *a = one, *b = other;
    return a->group != b->group ? (a->group > b->group) - (a->group < b->group) : memcmp(a->address, b->address, 16);
}

static bool apply_is_wished(const struct bypeer_attach *attach, const struct bypeer_plan *plan,
                            const struct bypeer_model_member *member)
{
    struct bypeer_plan_way wanted = {.group = 0};
    while (wanted.group < attach->count && attach->list[wanted.group]->id != member->group)
        wanted.group++;
    memcpy(wanted.address, member->address, 16);
    return bsearch(&wanted, plan->ways, plan->way_count, sizeof(wanted), compare_ways) != NULL;
}

static void apply_remove_ways(struct bypeer_attach *attach, const struct bypeer_plan *plan)
{
    size_t count;
    const struct bypeer_model_member *members = bypeer_model_followed_members(attach->node->model, &count);
    for (size_t at = count; at > 0; at--) {
        struct bypeer_model_member member = members[at - 1];
        if (!apply_is_wished(attach, plan, &member))
            (void)bypeer_model_unfollow_member(attach->node->model, member.address);
    }
}

/* Links that could not be made are passed over. */
static void apply_way(struct bypeer_attach *attach, const struct bypeer_plan_way *way)
{
    struct bypeer_problem problem;
    const struct attach_group *group = attach->list[way->group];
    struct bypeer_model_followed_member member = {
        .group = group->id, .roles = way->roles, .link = attach->links[way->link].id};
    unsigned others = 0;
    memcpy(member.address, way->address, 16);
    for (unsigned at = 0; at < way->other_count; at++) {
        uint32_t other = attach->links[way->others[at]].id;
        if (member.link == 0)
            member.link = other;
        else if (other != 0)
            member.others[others++] = other;
    }
    if (group->id == 0)
        return;
    if (member.link == 0)
        (void)bypeer_model_unfollow_member(attach->node->model, member.address);
    else if (bypeer_model_follow_member(attach->node->model, &member, &problem) < 0)
        apply_log(attach, group, &problem);
}

/* --- links --- */

static int compare_links(const void *key, const void *link)
{
    return memcmp(key, ((const struct attach_link *)link)->key, 32);
}

struct attach_link *attach_find_link(const struct bypeer_attach *attach, const uint8_t key[static 32])
{
    if (attach->link_count == 0)
        return NULL;
    return bsearch(key, attach->links, attach->link_count, sizeof(*attach->links), compare_links);
}

static void apply_link(struct bypeer_attach *attach, const struct bypeer_plan_link *planned, struct attach_link *link)
{
    struct bypeer_problem problem;
    bool is_trunk = planned->group == BYPEER_PLAN_ANY;
    struct attach_group *group = is_trunk ? NULL : attach->list[planned->group];
    const struct attach_link *before = attach_find_link(attach, planned->key);
    if (before && before->is_trunk == is_trunk)
        *link = *before;
    memcpy(link->key, planned->key, 32);
    link->is_trunk = is_trunk;
    link->joined = group ? group->joined : NULL;
    memcpy(link->address, planned->address, 16);
    link->id = 0;
    if (group && group->id == 0)
        return;
    struct bypeer_model_followed_link wanted = {.group = group ? group->id : BYPEER_GROUP_ANY,
                                                .has_address = !is_trunk,
                                                .endpoint_port = planned->endpoint.port,
                                                .persistent_s = is_trunk ? ATTACH_TRUNK_S : ATTACH_CLIENT_S};
    memcpy(wanted.public_key, planned->key, 32);
    memcpy(wanted.address, planned->address, 16);
    memcpy(wanted.endpoint, planned->endpoint.address, 16);
    if (bypeer_model_follow_link(attach->node->model, &wanted, &link->id, &problem) < 0)
        apply_log(attach, group, &problem);
}

static bool apply_is_used(const struct attach_link *links, size_t count, uint32_t id)
{
    for (size_t at = 0; at < count; at++)
        if (links[at].id == id)
            return true;
    return false;
}

/* *ret_old: the links of before, to be removed after the ways have changed. -ENOMEM: nothing was done. */
static int apply_links(struct bypeer_attach *attach, const struct bypeer_plan *plan, struct attach_link **ret_old,
                       size_t *ret_old_count)
{
    struct attach_link *links = calloc(plan->link_count + 1, sizeof(*links));
    if (!links)
        return -ENOMEM;
    bool inside = bypeer_store_begin(attach->node->store, NULL) == 0;
    for (size_t at = 0; at < plan->link_count; at++)
        apply_link(attach, &plan->links[at], &links[at]);
    if (inside)
        bypeer_store_end(attach->node->store, 0, NULL);
    *ret_old = attach->links;
    *ret_old_count = attach->link_count;
    attach->links = links;
    attach->link_count = plan->link_count;
    return 0;
}

/* --- multicast --- */

static void apply_multicast(struct bypeer_attach *attach, const struct bypeer_plan *plan, uint32_t number)
{
    struct attach_group *group = attach->list[number];
    const struct bypeer_plan_multicast *list = &plan->multicast[number];
    struct bypeer_problem problem;
    uint32_t count = 0;
    if (group->id == 0)
        return;
    uint32_t *ids = calloc(list->count + 1u, sizeof(*ids));
    for (uint32_t at = 0; ids && at < list->count; at++) {
        uint32_t link = plan->receivers[list->first + at];
        uint32_t id = link == BYPEER_PLAN_HERE ? bypeer_model_group(attach->node->model, group->id)->local_link
                                               : attach->links[link].id;
        if (id != 0)
            ids[count++] = id;
    }
    bool is_same = ids && group->receivers && count == group->receiver_count &&
                   memcmp(ids, group->receivers, count * sizeof(*ids)) == 0;
    if (!ids || is_same) {
        free(ids);
        return;
    }
    if (bypeer_model_follow_multicast(attach->node->model, group->id, ids, count, ATTACH_MULTICAST_S, &problem) < 0) {
        apply_log(attach, group, &problem);
        free(ids);
        return;
    }
    free(group->receivers);
    group->receivers = ids;
    group->receiver_count = count;
}

/* --- all of it --- */

int attach_apply(struct bypeer_attach *attach, struct bypeer_plan *plan)
{
    struct bypeer_model *model = attach->node->model;
    for (uint32_t at = 0; at < attach->count; at++)
        if (!plan->multicast[at].carried)
            attach_remove_group(attach, attach->list[at]);
    apply_remove_ways(attach, plan);
    for (uint32_t at = 0; at < attach->count; at++) {
        struct bypeer_plan_group said = {.own = {0}};
        if (!plan->multicast[at].carried)
            continue;
        bypeer_group_address(bypeer_joined_profile(attach->list[at]->joined),
                             bypeer_joined_name(attach->list[at]->joined), bypeer_joined_self(attach->list[at]->joined),
                             said.own);
        apply_group(attach, attach->list[at], &said);
    }
    size_t old_count = 0;
    struct attach_link *old = NULL;
    int result = apply_links(attach, plan, &old, &old_count);
    if (result < 0)
        return result;
    for (size_t at = 0; at < plan->way_count; at++)
        apply_way(attach, &plan->ways[at]);
    for (uint32_t at = 0; at < attach->count; at++)
        apply_multicast(attach, plan, at);
    for (size_t at = 0; at < old_count; at++)
        if (old[at].id != 0 && !apply_is_used(attach->links, attach->link_count, old[at].id))
            bypeer_model_unfollow_link(model, old[at].id);
    free(old);
    return 0;
}
