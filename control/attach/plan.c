/*
 * One pass a group: who is a member, who can be reached how; then links of all groups together; then the best way to
 * each member. Everything is sorted, so that what is looked for is found by bisection and the order of the input is
 * forgotten.
 */
#include "control/attach/plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CARRIES_NO_LINK UINT32_MAX

static const uint8_t no_key[32];

/* Another node of a group, by its attachment for itself. */
struct trunk {
    uint32_t group;
    uint8_t address[16];
    const struct bypeer_plan_attachment *own_word;
    uint32_t link; /* of the plan */
};

/* A plain client of this node. */
struct client {
    uint32_t group;
    const struct bypeer_plan_attachment *attachment;
    uint32_t link, previous_link;
};

/* A group, in order. */
struct scene {
    uint8_t own[16];
    struct bypeer_plan_member *members; /* each address once, those only whose membership holds now; by address */
    size_t member_count;
    const struct bypeer_plan_attachment **attachments; /* by member, supernode, and the highest sequence first */
    size_t attachment_count;
    bool carried;
};

struct planning {
    const struct bypeer_plan_input *input;
    struct bypeer_plan *plan;
    struct scene *scenes;
    struct bypeer_plan_node *nodes; /* by key */
    struct trunk *trunks;           /* by group and address */
    size_t trunk_count;
    struct client *clients; /* by group and member */
    size_t client_count;
    bool failed; /* no memory */
};

/* An array of at least one, so that NULL always means that there is no memory. */
static void *plan_array(struct planning *planning, size_t count, size_t size)
{
    void *array = calloc(count + 1, size);
    planning->failed |= !array;
    return array;
}

/* --- members --- */

static int compare_members(const void *one, const void *other)
{
    const struct bypeer_plan_member *a = one, *b = other;
    return memcmp(a->address, b->address, 16);
}

static const struct bypeer_plan_member *plan_find_member(const struct scene *scene, const uint8_t address[static 16])
{
    struct bypeer_plan_member wanted = {0};
    memcpy(wanted.address, address, 16);
    return bsearch(&wanted, scene->members, scene->member_count, sizeof(wanted), compare_members);
}

static void plan_note_deadline(struct bypeer_plan *plan, uint64_t when, uint64_t now)
{
    if (when > now && when < plan->deadline)
        plan->deadline = when;
}

/* Where two claim one address, only what both may counts: neither gains by it. */
static void plan_merge_member(struct bypeer_plan_member *into, const struct bypeer_plan_member *from)
{
    into->roles &= from->roles;
    into->revoked |= from->revoked;
    if (from->not_before > into->not_before)
        into->not_before = from->not_before;
    if (from->not_after < into->not_after)
        into->not_after = from->not_after;
}

static void plan_gather_members(struct planning *planning, struct scene *scene, const struct bypeer_plan_group *group)
{
    uint64_t now = planning->input->now;
    scene->members = plan_array(planning, group->member_count, sizeof(*scene->members));
    if (!scene->members || group->member_count == 0)
        return;
    memcpy(scene->members, group->members, group->member_count * sizeof(*scene->members));
    qsort(scene->members, group->member_count, sizeof(*scene->members), compare_members);
    size_t distinct = 0;
    for (size_t at = 0; at < group->member_count; at++) {
        if (distinct > 0 && compare_members(&scene->members[distinct - 1], &scene->members[at]) == 0)
            plan_merge_member(&scene->members[distinct - 1], &scene->members[at]);
        else
            scene->members[distinct++] = scene->members[at];
    }
    for (size_t at = 0; at < distinct; at++) {
        const struct bypeer_plan_member *member = &scene->members[at];
        if (member->revoked)
            continue;
        plan_note_deadline(planning->plan, member->not_before, now);
        if (member->not_after != UINT64_MAX)
            plan_note_deadline(planning->plan, member->not_after + 1, now);
        if (member->not_before <= now && now <= member->not_after)
            scene->members[scene->member_count++] = *member;
    }
}

/* --- attachments --- */

static int compare_numbers(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

/* By member and supernode; then what was said last; the rest only makes the order whole. */
static int compare_attachments(const void *one, const void *other)
{
    const struct bypeer_plan_attachment *a = *(const struct bypeer_plan_attachment *const *)one;
    const struct bypeer_plan_attachment *b = *(const struct bypeer_plan_attachment *const *)other;
    int order = memcmp(a->member, b->member, 16);
    if (order == 0)
        order = memcmp(a->supernode, b->supernode, 16);
    if (order == 0)
        order = compare_numbers(b->sequence, a->sequence);
    if (order == 0)
        order = compare_numbers(a->draining, b->draining);
    if (order == 0)
        order = compare_numbers(a->priority, b->priority);
    if (order == 0)
        order = memcmp(a->creator, b->creator, 16);
    if (order == 0)
        order = memcmp(a->supernode_key, b->supernode_key, 32);
    if (order == 0)
        order = memcmp(a->member_key, b->member_key, 32);
    if (order == 0)
        order = compare_numbers(a->endpoint_count, b->endpoint_count);
    for (size_t at = 0; order == 0 && at < a->endpoint_count && at < BYPEER_PLAN_ENDPOINTS; at++) {
        order = memcmp(a->endpoints[at].address, b->endpoints[at].address, 16);
        if (order == 0)
            order = compare_numbers(a->endpoints[at].port, b->endpoints[at].port);
    }
    return order;
}

static bool plan_is_of_itself(const struct bypeer_plan_attachment *attachment)
{
    return memcmp(attachment->member, attachment->supernode, 16) == 0;
}

static bool plan_is_valid(const struct scene *scene, const struct bypeer_plan_attachment *attachment)
{
    bool by_one_of_them = memcmp(attachment->creator, attachment->member, 16) == 0 ||
                          memcmp(attachment->creator, attachment->supernode, 16) == 0;
    return by_one_of_them && plan_find_member(scene, attachment->member) &&
           plan_find_member(scene, attachment->supernode);
}

static void plan_gather_attachments(struct planning *planning, struct scene *scene,
                                    const struct bypeer_plan_group *group)
{
    scene->attachments = plan_array(planning, group->attachment_count, sizeof(*scene->attachments));
    if (!scene->attachments || !scene->members)
        return;
    for (size_t at = 0; at < group->attachment_count; at++)
        if (plan_is_valid(scene, &group->attachments[at]))
            scene->attachments[scene->attachment_count++] = &group->attachments[at];
    qsort(scene->attachments, scene->attachment_count, sizeof(const struct bypeer_plan_attachment *),
          compare_attachments);
}

static void plan_gather(struct planning *planning, struct scene *scene, const struct bypeer_plan_group *group)
{
    memcpy(scene->own, group->own, 16);
    plan_gather_members(planning, scene, group);
    plan_gather_attachments(planning, scene, group);
    scene->carried = scene->members && plan_find_member(scene, group->own);
}

/* --- links --- */

static bool plan_is_peer_key(const struct planning *planning, const uint8_t key[static 32])
{
    return memcmp(key, no_key, 32) != 0 && memcmp(key, planning->input->own_key, 32) != 0;
}

/* This pair was there just before, with a later sequence. */
static bool plan_is_repeated(const struct scene *scene, size_t at)
{
    const struct bypeer_plan_attachment *this = scene->attachments[at];
    const struct bypeer_plan_attachment *before = at > 0 ? scene->attachments[at - 1] : NULL;
    return before && memcmp(this->member, before->member, 16) == 0 &&
           memcmp(this->supernode, before->supernode, 16) == 0;
}

/* One key, one node of a group: the first by address has it. */
static bool plan_is_taken(const struct planning *planning, size_t first, const uint8_t key[static 32])
{
    for (size_t at = first; at < planning->trunk_count; at++)
        if (memcmp(planning->trunks[at].own_word->supernode_key, key, 32) == 0)
            return true;
    return false;
}

static void plan_find_trunks(struct planning *planning, uint32_t group)
{
    const struct scene *scene = &planning->scenes[group];
    size_t first = planning->trunk_count;
    for (size_t at = 0; at < scene->attachment_count; at++) {
        const struct bypeer_plan_attachment *attachment = scene->attachments[at];
        if (!plan_is_of_itself(attachment) || plan_is_repeated(scene, at) ||
            memcmp(attachment->supernode, scene->own, 16) == 0 ||
            !plan_is_peer_key(planning, attachment->supernode_key) ||
            plan_is_taken(planning, first, attachment->supernode_key))
            continue;
        struct trunk *trunk = &planning->trunks[planning->trunk_count++];
        *trunk = (struct trunk){.group = group, .own_word = attachment, .link = CARRIES_NO_LINK};
        memcpy(trunk->address, attachment->supernode, 16);
    }
}

static void plan_find_clients(struct planning *planning, uint32_t group)
{
    const struct scene *scene = &planning->scenes[group];
    const struct bypeer_plan_attachment *before = NULL;
    for (size_t at = 0; at < scene->attachment_count; at++) {
        const struct bypeer_plan_attachment *attachment = scene->attachments[at];
        if (memcmp(attachment->creator, scene->own, 16) != 0 || memcmp(attachment->supernode, scene->own, 16) != 0 ||
            plan_is_of_itself(attachment) || (before && memcmp(before->member, attachment->member, 16) == 0))
            continue;
        before = attachment;
        if (plan_is_peer_key(planning, attachment->member_key))
            planning->clients[planning->client_count++] = (struct client){
                .group = group, .attachment = attachment, .link = CARRIES_NO_LINK, .previous_link = CARRIES_NO_LINK};
    }
}

static int compare_links(const void *one, const void *other)
{
    const struct bypeer_plan_link *a = one, *b = other;
    return memcmp(a->key, b->key, 32);
}

static uint32_t plan_find_link(const struct bypeer_plan *plan, const uint8_t key[static 32])
{
    struct bypeer_plan_link wanted = {0};
    memcpy(wanted.key, key, 32);
    const struct bypeer_plan_link *link =
        bsearch(&wanted, plan->links, plan->link_count, sizeof(wanted), compare_links);
    return link ? (uint32_t)(link - plan->links) : CARRIES_NO_LINK;
}

static int compare_nodes(const void *one, const void *other)
{
    const struct bypeer_plan_node *a = one, *b = other;
    int order = memcmp(a->key, b->key, 32);
    return order ? order : (int)b->heard - (int)a->heard;
}

static const struct bypeer_plan_node *plan_find_node(const struct planning *planning, const uint8_t key[static 32])
{
    size_t low = 0, high = planning->input->node_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (memcmp(planning->nodes[middle].key, key, 32) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    bool found = low < planning->input->node_count && memcmp(planning->nodes[low].key, key, 32) == 0;
    return found ? &planning->nodes[low] : NULL;
}

/* What a node says of itself in two groups: the later word counts, for all of its groups. */
static int compare_trunks_of_key(const void *one, const void *other)
{
    const struct trunk *a = *(const struct trunk *const *)one, *b = *(const struct trunk *const *)other;
    int order = memcmp(a->own_word->supernode_key, b->own_word->supernode_key, 32);
    if (order == 0)
        order = compare_numbers(b->own_word->sequence, a->own_word->sequence);
    return order ? order : compare_numbers(a->group, b->group);
}

static void plan_link_trunks(struct planning *planning)
{
    struct bypeer_plan *plan = planning->plan;
    const struct trunk **order = plan_array(planning, planning->trunk_count, sizeof(const struct trunk *));
    if (!order)
        return;
    for (size_t at = 0; at < planning->trunk_count; at++)
        order[at] = &planning->trunks[at];
    qsort(order, planning->trunk_count, sizeof(const struct trunk *), compare_trunks_of_key);
    for (size_t at = 0; at < planning->trunk_count; at++) {
        const struct bypeer_plan_attachment *word = order[at]->own_word;
        if (plan->link_count > 0 && memcmp(plan->links[plan->link_count - 1].key, word->supernode_key, 32) == 0)
            continue;
        struct bypeer_plan_link *link = &plan->links[plan->link_count++];
        link->group = BYPEER_PLAN_ANY;
        memcpy(link->key, word->supernode_key, 32);
        const struct bypeer_plan_node *node = plan_find_node(planning, link->key);
        size_t endpoints = word->endpoint_count < BYPEER_PLAN_ENDPOINTS ? word->endpoint_count : BYPEER_PLAN_ENDPOINTS;
        if (endpoints > 0)
            link->endpoint = word->endpoints[node ? node->turn % endpoints : 0];
    }
    free(order);
}

static bool plan_has_previous(const struct planning *planning, const struct bypeer_plan_attachment *attachment)
{
    return plan_is_peer_key(planning, attachment->previous_key) &&
           memcmp(attachment->previous_key, attachment->member_key, 32) != 0;
}

/* A key that is another node's already makes no link. */
static void plan_link_client(struct bypeer_plan *plan, size_t trunks, const struct client *client,
                             const uint8_t key[static 32])
{
    struct bypeer_plan_link wanted = {.group = client->group};
    memcpy(wanted.key, key, 32);
    memcpy(wanted.address, client->attachment->member, 16);
    if (!bsearch(&wanted, plan->links, trunks, sizeof(wanted), compare_links))
        plan->links[plan->link_count++] = wanted;
}

static void plan_link_clients(struct planning *planning)
{
    struct bypeer_plan *plan = planning->plan;
    size_t trunks = plan->link_count;
    for (size_t at = 0; at < planning->client_count; at++) {
        const struct client *client = &planning->clients[at];
        plan_link_client(plan, trunks, client, client->attachment->member_key);
        if (plan_has_previous(planning, client->attachment))
            plan_link_client(plan, trunks, client, client->attachment->previous_key);
    }
}

/* Clients with one key: the first by group and address has it. */
static int compare_links_wholly(const void *one, const void *other)
{
    const struct bypeer_plan_link *a = one, *b = other;
    int order = compare_links(a, b);
    if (order == 0)
        order = compare_numbers(a->group, b->group);
    return order ? order : memcmp(a->address, b->address, 16);
}

/* The link of a client's key, unless somebody else has the key. */
static uint32_t plan_own_link(const struct bypeer_plan *plan, const struct client *client, const uint8_t key[static 32])
{
    uint32_t number = plan_find_link(plan, key);
    const struct bypeer_plan_link *link = &plan->links[number];
    bool is_its_own = link->group == client->group && memcmp(link->address, client->attachment->member, 16) == 0;
    return is_its_own ? number : CARRIES_NO_LINK;
}

static void plan_make_links(struct planning *planning)
{
    struct bypeer_plan *plan = planning->plan;
    plan->links = plan_array(planning, planning->trunk_count + 2 * planning->client_count, sizeof(*plan->links));
    if (!plan->links)
        return;
    plan_link_trunks(planning);
    plan_link_clients(planning);
    qsort(plan->links, plan->link_count, sizeof(*plan->links), compare_links_wholly);
    size_t distinct = 0;
    for (size_t at = 0; at < plan->link_count; at++)
        if (distinct == 0 || compare_links(&plan->links[distinct - 1], &plan->links[at]) != 0)
            plan->links[distinct++] = plan->links[at];
    plan->link_count = distinct;

    for (size_t at = 0; at < planning->trunk_count; at++)
        planning->trunks[at].link = plan_find_link(plan, planning->trunks[at].own_word->supernode_key);
    for (size_t at = 0; at < planning->client_count; at++) {
        struct client *client = &planning->clients[at];
        client->link = plan_own_link(plan, client, client->attachment->member_key);
        if (plan_has_previous(planning, client->attachment))
            client->previous_link = plan_own_link(plan, client, client->attachment->previous_key);
    }
}

/* --- ways --- */

static int compare_group_address(uint32_t group, const uint8_t address[static 16], uint32_t other_group,
                                 const uint8_t other_address[static 16])
{
    int order = compare_numbers(group, other_group);
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
    int order = compare_numbers(a->is_silent, b->is_silent);
    if (order == 0)
        order = compare_numbers(a->is_elsewhere && one->draining, b->is_elsewhere && other->draining);
    if (order == 0)
        order = compare_numbers(one->priority >= BYPEER_PLAN_STANDBY, other->priority >= BYPEER_PLAN_STANDBY);
    if (order == 0)
        order = compare_numbers(a->is_elsewhere, b->is_elsewhere);
    if (order == 0)
        order = compare_numbers(a->is_indirect, b->is_indirect);
    if (order == 0)
        order = compare_numbers(one->priority, other->priority);
    if (order == 0)
        order = compare_numbers(other->sequence, one->sequence);
    if (order == 0)
        order = compare_numbers(a->is_second, b->is_second);
    return order ? order : memcmp(one->supernode, other->supernode, 16);
}

/* The best, and so many others as there is place for, in order of their rank. */
struct choice {
    struct candidate best[BYPEER_PLAN_OTHERS + 1];
    size_t count;
};

static void plan_choose(struct choice *choice, const struct candidate *candidate)
{
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
    return compare_numbers(*(const uint32_t *)one, *(const uint32_t *)other);
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
    qsort(&plan->receivers[list->first], list->count, sizeof(uint32_t), compare_receivers);
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
    qsort(planning->nodes, input->node_count, sizeof(*planning->nodes), compare_nodes);
    for (uint32_t at = 0; at < input->group_count && !planning->failed; at++)
        plan_gather(planning, &planning->scenes[at], &input->groups[at]);
    for (uint32_t at = 0; at < input->group_count && !planning->failed; at++) {
        if (!planning->scenes[at].carried)
            continue;
        plan_find_trunks(planning, at);
        plan_find_clients(planning, at);
    }
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
