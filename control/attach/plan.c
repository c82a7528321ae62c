/*
 * Ways and multicast lists, and the order of all steps. Everything is sorted, so that what is looked for is found by
 * bisection and the order of the input is forgotten.
 */
#include "control/attach/plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/attach/plan_state.h"

void *plan_array(struct planning *planning, size_t count, size_t size)
{
    void *array = calloc(count + 1, size);
    planning->failed |= !array;
    return array;
}

int plan_compare_numbers(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

/* --- ways --- */

static int compare_group_address(uint32_t group, const uint8_t address[static 16], uint32_t other_group,
                                 const uint8_t other_address[static 16])
{
    int order = plan_compare_numbers(group, other_group);
    return order ? order : memcmp(address, other_address, 16);
}

static const struct trunk *plan_find_trunk(const struct planning *planning, uint32_t group,
                                           const uint8_t address[static 16])
{
    size_t low = 0, high = planning->trunk_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct trunk *trunk = &planning->trunks[middle];
        if (compare_group_address(trunk->group, trunk->address, group, address) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    const struct trunk *trunk = low < planning->trunk_count ? &planning->trunks[low] : NULL;
    return trunk && compare_group_address(trunk->group, trunk->address, group, address) == 0 ? trunk : NULL;
}

static const struct client *plan_find_client(const struct planning *planning, uint32_t group,
                                             const uint8_t member[static 16])
{
    size_t low = 0, high = planning->client_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct client *client = &planning->clients[middle];
        if (compare_group_address(client->group, client->attachment->member, group, member) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    const struct client *client = low < planning->client_count ? &planning->clients[low] : NULL;
    bool found = client && compare_group_address(client->group, client->attachment->member, group, member) == 0;
    return found ? client : NULL;
}

/* One attachment as a way; the smallest is the best. */
struct candidate {
    const struct bypeer_plan_attachment *attachment;
    uint32_t link;
    bool is_silent, is_elsewhere, is_indirect, is_second; /* the last: of two keys of a client */
};

static int compare_candidates(const struct candidate *a, const struct candidate *b)
{
    const struct bypeer_plan_attachment *one = a->attachment, *other = b->attachment;
    int order = plan_compare_numbers(a->is_silent, b->is_silent);
    if (order == 0)
        order = plan_compare_numbers(a->is_elsewhere && one->draining, b->is_elsewhere && other->draining);
    if (order == 0)
        order = plan_compare_numbers(one->priority >= BYPEER_PLAN_STANDBY, other->priority >= BYPEER_PLAN_STANDBY);
    if (order == 0)
        order = plan_compare_numbers(a->is_elsewhere, b->is_elsewhere);
    if (order == 0)
        order = plan_compare_numbers(a->is_indirect, b->is_indirect);
    if (order == 0)
        order = plan_compare_numbers(one->priority, other->priority);
    if (order == 0)
        order = plan_compare_numbers(other->sequence, one->sequence);
    if (order == 0)
        order = plan_compare_numbers(a->is_second, b->is_second);
    return order ? order : memcmp(one->supernode, other->supernode, 16);
}

/* The best, and so many others as there is place for, in order of their rank. */
struct choice {
    struct candidate best[BYPEER_PLAN_OTHERS + 1];
    size_t count;
};

/* Several nodes may name one key; its link is there once, at its best rank. */
static void plan_choose(struct choice *choice, const struct candidate *candidate)
{
    for (size_t same = 0; same < choice->count; same++) {
        if (choice->best[same].link != candidate->link)
            continue;
        if (compare_candidates(candidate, &choice->best[same]) >= 0)
            return;
        choice->count--;
        memmove(&choice->best[same], &choice->best[same + 1], (choice->count - same) * sizeof(choice->best[0]));
    }
    size_t at = choice->count;
    while (at > 0 && compare_candidates(candidate, &choice->best[at - 1]) < 0)
        at--;
    if (at > BYPEER_PLAN_OTHERS)
        return;
    if (choice->count <= BYPEER_PLAN_OTHERS)
        choice->count++;
    memmove(&choice->best[at + 1], &choice->best[at], (choice->count - at - 1) * sizeof(choice->best[0]));
    choice->best[at] = *candidate;
}

static bool plan_is_heard(const struct planning *planning, const uint8_t key[static 32])
{
    const struct bypeer_plan_node *node = plan_find_node(planning, key);
    return node && node->heard;
}

/* By this node itself: by either key of the client, first by the one that is heard, if possible the new one. */
static void plan_consider_client(const struct planning *planning, uint32_t group,
                                 const struct bypeer_plan_attachment *attachment, struct choice *choice)
{
    const struct client *client = plan_find_client(planning, group, attachment->member);
    if (!client)
        return;
    bool is_previous_better = plan_is_heard(planning, client->attachment->previous_key) &&
                              !plan_is_heard(planning, client->attachment->member_key);
    const struct candidate candidates[] = {
        {.attachment = attachment, .link = client->link, .is_second = is_previous_better},
        {.attachment = attachment, .link = client->previous_link, .is_second = !is_previous_better},
    };
    for (size_t at = 0; at < 2; at++)
        if (candidates[at].link != CARRIES_NO_LINK)
            plan_choose(choice, &candidates[at]);
}

static void plan_consider_trunk(const struct planning *planning, uint32_t group,
                                const struct bypeer_plan_attachment *attachment, struct choice *choice)
{
    const struct trunk *trunk = plan_find_trunk(planning, group, attachment->supernode);
    if (!trunk)
        return;
    const struct candidate candidate = {
        .attachment = attachment,
        .link = trunk->link,
        .is_silent = !plan_is_heard(planning, trunk->own_word->supernode_key),
        .is_elsewhere = true,
        .is_indirect = !plan_is_of_itself(attachment),
    };
    if (candidate.link != CARRIES_NO_LINK)
        plan_choose(choice, &candidate);
}

static void plan_add_way(struct planning *planning, uint32_t group, const struct bypeer_plan_member *member,
                         const struct choice *choice)
{
    struct bypeer_plan *plan = planning->plan;
    if (choice->count == 0)
        return;
    struct bypeer_plan_way *way = &plan->ways[plan->way_count++];
    *way = (struct bypeer_plan_way){.group = group, .roles = member->roles, .link = choice->best[0].link};
    memcpy(way->address, member->address, 16);
    for (size_t at = 1; at < choice->count; at++)
        way->others[way->other_count++] = choice->best[at].link;
}

static void plan_make_ways(struct planning *planning, uint32_t group)
{
    const struct scene *scene = &planning->scenes[group];
    size_t next = 0;
    for (size_t at = 0; at < scene->member_count; at++) {
        const struct bypeer_plan_member *member = &scene->members[at];
        struct choice choice = {.count = 0};
        for (; next < scene->attachment_count && memcmp(scene->attachments[next]->member, member->address, 16) == 0;
             next++) {
            if (plan_is_repeated(scene, next) || memcmp(member->address, scene->own, 16) == 0)
                continue;
            if (memcmp(scene->attachments[next]->supernode, scene->own, 16) == 0)
                plan_consider_client(planning, group, scene->attachments[next], &choice);
            else
                plan_consider_trunk(planning, group, scene->attachments[next], &choice);
        }
        plan_add_way(planning, group, member, &choice);
    }
}

/* --- multicast --- */

static int compare_receivers(const void *one, const void *other)
{
    return plan_compare_numbers(*(const uint32_t *)one, *(const uint32_t *)other);
}

/* Trunks to all nodes of the group, whose members are theirs to reach; and clients whose best way is here. */
static void plan_make_multicast(struct planning *planning, uint32_t group, size_t first_way)
{
    struct bypeer_plan *plan = planning->plan;
    struct bypeer_plan_multicast *list = &plan->multicast[group];
    list->carried = true;
    list->first = (uint32_t)plan->receiver_count;
    for (size_t at = 0; at < planning->trunk_count; at++)
        if (planning->trunks[at].group == group)
            plan->receivers[plan->receiver_count++] = planning->trunks[at].link;
    for (size_t at = first_way; at < plan->way_count; at++)
        if (plan->links[plan->ways[at].link].group == group)
            plan->receivers[plan->receiver_count++] = plan->ways[at].link;
    plan->receivers[plan->receiver_count++] = BYPEER_PLAN_HERE;
    list->count = (uint32_t)plan->receiver_count - list->first;
    uint32_t *receivers = &plan->receivers[list->first], distinct = 0;
    qsort(receivers, list->count, sizeof(uint32_t), compare_receivers);
    for (uint32_t at = 0; at < list->count; at++)
        if (distinct == 0 || receivers[distinct - 1] != receivers[at])
            receivers[distinct++] = receivers[at];
    list->count = distinct;
    plan->receiver_count = list->first + distinct;
}

/* --- all of it --- */

static void plan_fill(struct planning *planning)
{
    const struct bypeer_plan_input *input = planning->input;
    struct bypeer_plan *plan = planning->plan;
    size_t attachments = 0, members = 0;
    for (uint32_t at = 0; at < input->group_count; at++) {
        attachments += input->groups[at].attachment_count;
        members += input->groups[at].member_count;
    }
    planning->scenes = plan_array(planning, input->group_count, sizeof(*planning->scenes));
    planning->nodes = plan_array(planning, input->node_count, sizeof(*planning->nodes));
    planning->trunks = plan_array(planning, attachments, sizeof(*planning->trunks));
    planning->clients = plan_array(planning, attachments, sizeof(*planning->clients));
    plan->multicast = plan_array(planning, input->group_count, sizeof(*plan->multicast));
    plan->ways = plan_array(planning, members, sizeof(*plan->ways));
    plan->receivers = plan_array(planning, attachments + members + input->group_count, sizeof(*plan->receivers));
    if (planning->failed)
        return;
    if (input->node_count > 0)
        memcpy(planning->nodes, input->nodes, input->node_count * sizeof(*planning->nodes));
    qsort(planning->nodes, input->node_count, sizeof(*planning->nodes), plan_compare_nodes);
    for (uint32_t at = 0; at < input->group_count && !planning->failed; at++)
        plan_gather(planning, &planning->scenes[at], &input->groups[at]);
    for (uint32_t at = 0; at < input->group_count && !planning->failed; at++)
        if (planning->scenes[at].carried)
            plan_find_clients(planning, at);
    plan_gather_client_keys(planning);
    for (uint32_t at = 0; at < input->group_count && !planning->failed; at++)
        if (planning->scenes[at].carried)
            plan_find_trunks(planning, at);
    if (!planning->failed)
        plan_make_links(planning);
    for (uint32_t at = 0; at < input->group_count && !planning->failed; at++) {
        size_t first_way = plan->way_count;
        if (!planning->scenes[at].carried)
            continue;
        plan_make_ways(planning, at);
        plan_make_multicast(planning, at, first_way);
    }
}

int bypeer_plan_make(struct bypeer_plan **ret_plan, const struct bypeer_plan_input *input)
{
    struct planning planning = {.input = input, .plan = calloc(1, sizeof(*planning.plan))};
    if (!planning.plan)
        return -ENOMEM;
    planning.plan->deadline = UINT64_MAX;
    plan_fill(&planning);
    for (size_t at = 0; planning.scenes && at < input->group_count; at++) {
        free(planning.scenes[at].members);
        free(planning.scenes[at].attachments);
    }
    free(planning.scenes);
    free(planning.nodes);
    free(planning.trunks);
    free(planning.clients);
    free(planning.client_keys);
    if (planning.failed) {
        bypeer_plan_free(planning.plan);
        return -ENOMEM;
    }
    *ret_plan = planning.plan;
    return 0;
}

void bypeer_plan_free(struct bypeer_plan *plan)
{
    if (!plan)
        return;
    free(plan->links);
    free(plan->ways);
    free(plan->multicast);
    free(plan->receivers);
    free(plan);
}
