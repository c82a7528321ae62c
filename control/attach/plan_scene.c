/*
 * Who is a member of a group now, and what counts of what is said there.
 */
#include <stdlib.h>
#include <string.h>

#include "control/attach/plan_state.h"

static int compare_members(const void *one, const void *other)
{
    const struct bypeer_plan_member *a = one, *b = other;
    return memcmp(a->address, b->address, 16);
}

const struct bypeer_plan_member *plan_find_member(const struct scene *scene, const uint8_t address[static 16])
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

/*
 * Where two members have one address, only what both may counts: neither gains by it. An address has 80 bits of a hash
 * over its member's authority, so that who makes 2^40 keys has two of one address, and may be revoked by one of them.
 */
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

/* By member and supernode; then what was said last; the rest only makes the order whole. */
static int compare_attachments(const void *one, const void *other)
{
    const struct bypeer_plan_attachment *a = *(const struct bypeer_plan_attachment *const *)one;
    const struct bypeer_plan_attachment *b = *(const struct bypeer_plan_attachment *const *)other;
    int order = memcmp(a->member, b->member, 16);
    if (order == 0)
        order = memcmp(a->supernode, b->supernode, 16);
    if (order == 0)
        order = plan_compare_numbers(b->sequence, a->sequence);
    if (order == 0)
        order = plan_compare_numbers(a->draining, b->draining);
    if (order == 0)
        order = plan_compare_numbers(a->priority, b->priority);
    if (order == 0)
        order = memcmp(a->creator, b->creator, 16);
    if (order == 0)
        order = memcmp(a->supernode_key, b->supernode_key, 32);
    if (order == 0)
        order = memcmp(a->member_key, b->member_key, 32);
    if (order == 0)
        order = plan_compare_numbers(a->endpoint_count, b->endpoint_count);
    for (size_t at = 0; order == 0 && at < a->endpoint_count && at < BYPEER_PLAN_ENDPOINTS; at++) {
        order = memcmp(a->endpoints[at].address, b->endpoints[at].address, 16);
        if (order == 0)
            order = plan_compare_numbers(a->endpoints[at].port, b->endpoints[at].port);
    }
    return order;
}

bool plan_is_of_itself(const struct bypeer_plan_attachment *attachment)
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

void plan_gather(struct planning *planning, struct scene *scene, const struct bypeer_plan_group *group)
{
    memcpy(scene->own, group->own, 16);
    plan_gather_members(planning, scene, group);
    plan_gather_attachments(planning, scene, group);
    scene->carried = scene->members && plan_find_member(scene, group->own);
}

bool plan_is_repeated(const struct scene *scene, size_t at)
{
    const struct bypeer_plan_attachment *this = scene->attachments[at];
    const struct bypeer_plan_attachment *before = at > 0 ? scene->attachments[at - 1] : NULL;
    return before && memcmp(this->member, before->member, 16) == 0 &&
           memcmp(this->supernode, before->supernode, 16) == 0;
}
