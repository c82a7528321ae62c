/*
 * Links: one for each key, to other nodes for all groups together, and to plain clients of this one.
 */
#include <stdlib.h>
#include <string.h>

#include "control/attach/plan_state.h"

static const uint8_t no_key[32];

static bool plan_is_peer_key(const struct planning *planning, const uint8_t key[static 32])
{
    return memcmp(key, no_key, 32) != 0 && memcmp(key, planning->input->own_key, 32) != 0;
}

static bool plan_has_previous(const struct planning *planning, const struct bypeer_plan_attachment *attachment)
{
    return plan_is_peer_key(planning, attachment->previous_key) &&
           memcmp(attachment->previous_key, attachment->member_key, 32) != 0;
}

static int compare_keys(const void *one, const void *other)
{
    return memcmp(one, other, 32);
}

/* All of them are known by now. */
static bool plan_is_client_key(const struct planning *planning, const uint8_t key[static 32])
{
    return bsearch(key, planning->client_keys, planning->client_key_count, 32, compare_keys) != NULL;
}

void plan_gather_client_keys(struct planning *planning)
{
    planning->client_keys = plan_array(planning, 2 * planning->client_count, 32);
    if (!planning->client_keys)
        return;
    for (size_t at = 0; at < planning->client_count; at++) {
        const struct bypeer_plan_attachment *attachment = planning->clients[at].attachment;
        memcpy(planning->client_keys[planning->client_key_count++], attachment->member_key, 32);
        if (plan_has_previous(planning, attachment))
            memcpy(planning->client_keys[planning->client_key_count++], attachment->previous_key, 32);
    }
    qsort(planning->client_keys, planning->client_key_count, 32, compare_keys);
}

void plan_find_trunks(struct planning *planning, uint32_t group)
{
    const struct scene *scene = &planning->scenes[group];
    for (size_t at = 0; at < scene->attachment_count; at++) {
        const struct bypeer_plan_attachment *attachment = scene->attachments[at];
        if (!plan_is_of_itself(attachment) || plan_is_repeated(scene, at) ||
            memcmp(attachment->supernode, scene->own, 16) == 0 ||
            !plan_is_peer_key(planning, attachment->supernode_key) ||
            plan_is_client_key(planning, attachment->supernode_key))
            continue;
        struct trunk *trunk = &planning->trunks[planning->trunk_count++];
        *trunk = (struct trunk){.group = group, .own_word = attachment, .link = CARRIES_NO_LINK};
        memcpy(trunk->address, attachment->supernode, 16);
    }
}

void plan_find_clients(struct planning *planning, uint32_t group)
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

int plan_compare_nodes(const void *one, const void *other)
{
    return memcmp(((const struct bypeer_plan_node *)one)->key, ((const struct bypeer_plan_node *)other)->key, 32);
}

static int compare_key_to_node(const void *key, const void *node)
{
    return memcmp(key, ((const struct bypeer_plan_node *)node)->key, 32);
}

const struct bypeer_plan_node *plan_find_node(const struct planning *planning, const uint8_t key[static 32])
{
    return bsearch(key, planning->nodes, planning->input->node_count, sizeof(*planning->nodes), compare_key_to_node);
}

/* Words that name one key, the latest first. */
static int compare_trunks_of_key(const void *one, const void *other)
{
    const struct trunk *a = *(const struct trunk *const *)one, *b = *(const struct trunk *const *)other;
    int order = memcmp(a->own_word->supernode_key, b->own_word->supernode_key, 32);
    if (order == 0)
        order = plan_compare_numbers(b->own_word->sequence, a->own_word->sequence);
    if (order == 0)
        order = plan_compare_numbers(a->group, b->group);
    return order ? order : memcmp(a->address, b->address, 16);
}

static size_t plan_count_endpoints(const struct trunk *trunk)
{
    size_t count = trunk->own_word->endpoint_count;
    return count < BYPEER_PLAN_ENDPOINTS ? count : BYPEER_PLAN_ENDPOINTS;
}

/* Of all words that name its key: one that lies only costs a turn. */
static void plan_set_endpoint(const struct planning *planning, struct bypeer_plan_link *link,
                              const struct trunk *const *words, size_t word_count)
{
    const struct bypeer_plan_node *node = plan_find_node(planning, link->key);
    size_t total = 0;
    for (size_t at = 0; at < word_count; at++)
        total += plan_count_endpoints(words[at]);
    if (total == 0)
        return;
    size_t turn = node ? node->turn % total : 0;
    for (; turn >= plan_count_endpoints(*words); words++)
        turn -= plan_count_endpoints(*words);
    link->endpoint = (*words)->own_word->endpoints[turn];
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
    for (size_t first = 0, next; first < planning->trunk_count; first = next) {
        const uint8_t *key = order[first]->own_word->supernode_key;
        for (next = first + 1; next < planning->trunk_count; next++)
            if (memcmp(order[next]->own_word->supernode_key, key, 32) != 0)
                break;
        struct bypeer_plan_link *link = &plan->links[plan->link_count++];
        link->group = BYPEER_PLAN_ANY;
        memcpy(link->key, key, 32);
        plan_set_endpoint(planning, link, &order[first], next - first);
    }
    free(order);
}

static void plan_link_client(struct bypeer_plan *plan, const struct client *client, const uint8_t key[static 32])
{
    struct bypeer_plan_link *link = &plan->links[plan->link_count++];
    link->group = client->group;
    memcpy(link->key, key, 32);
    memcpy(link->address, client->attachment->member, 16);
}

static void plan_link_clients(struct planning *planning)
{
    for (size_t at = 0; at < planning->client_count; at++) {
        const struct client *client = &planning->clients[at];
        plan_link_client(planning->plan, client, client->attachment->member_key);
        if (plan_has_previous(planning, client->attachment))
            plan_link_client(planning->plan, client, client->attachment->previous_key);
    }
}

/* Clients with one key: the first by group and address has it. */
static int compare_links_wholly(const void *one, const void *other)
{
    const struct bypeer_plan_link *a = one, *b = other;
    int order = compare_links(a, b);
    if (order == 0)
        order = plan_compare_numbers(a->group, b->group);
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

void plan_make_links(struct planning *planning)
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
