#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "overlay/group/address.h"
#include "overlay/group/state.h"

#define FIRST_ROOM 16

int group_compare_members(const struct bypeer_peer_name *a, const struct bypeer_peer_name *b)
{
    return memcmp(a->authority, b->authority, sizeof(a->authority));
}

/* The first member that is not before name. */
static size_t members_place(const struct bypeer_group_node *node, const struct bypeer_peer_name *name)
{
    size_t low = 0, high = node->member_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (group_compare_members(&node->members[middle]->name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct group_member *group_find(const struct bypeer_group_node *node, const struct bypeer_peer_name *name)
{
    size_t at = members_place(node, name);
    return at < node->member_count && group_compare_members(&node->members[at]->name, name) == 0 ? node->members[at]
                                                                                                 : NULL;
}

struct group_member *group_find_key(const struct bypeer_group_node *node, const uint8_t *key)
{
    struct group_member *best = NULL;
    unsigned rank = 0;
    for (size_t at = 0; at < node->member_count; at++) {
        struct group_member *member = node->members[at];
        for (unsigned i = 0; i < member->credential_count; i++) {
            const struct group_credential *credential = &member->credentials[i];
            if (memcmp(credential->leaf->public_key, key, node->profile->public_key_bytes) == 0 &&
                (!best || credential->rank < rank)) {
                best = member;
                rank = credential->rank;
            }
        }
    }
    return best;
}

static enum group_standing members_standing(const struct bypeer_group_node *node, const struct group_member *member,
                                            uint64_t now, const struct group_credential **ret_current)
{
    *ret_current = group_current(node, member, now);
    if (*ret_current)
        return GROUP_SOUND;
    for (unsigned at = 0; at < member->credential_count; at++)
        if (now < member->credentials[at].not_after && group_is_tainted(node, member->credentials[at].chain, now))
            return GROUP_REVOKED;
    return GROUP_EXPIRED;
}

void group_show(const struct bypeer_group_node *node, const struct group_member *member, uint64_t now,
                struct bypeer_group_member *ret_member)
{
    const struct group_credential *shown;
    enum group_standing standing = members_standing(node, member, now, &shown);
    if (!shown)
        shown = &member->credentials[0];
    *ret_member = (struct bypeer_group_member){
        .name = member->name,
        .friendly = shown->leaf->subject_friendly,
        .key = shown->leaf->public_key,
        .roles = shown->leaf->roles,
        .not_before = shown->not_before,
        .until = shown->not_after,
        .is_self = group_compare_members(&member->name, &node->self) == 0,
        .is_present = member->presences > 0,
        .is_revoked = standing == GROUP_REVOKED,
    };
    bypeer_group_address(node->profile, &node->group, &member->name, ret_member->address);
}

static void members_report(struct bypeer_group_node *node, const struct group_member *member, uint64_t now,
                           enum bypeer_group_change change)
{
    struct bypeer_group_member shown;
    if (!node->sink.member)
        return;
    group_show(node, member, now, &shown);
    node->sink.member(node->sink_context, change, &shown);
}

static unsigned members_overtaken(const struct bypeer_group_node *node, const struct group_member *member, uint64_t now)
{
    unsigned count = 0;
    for (unsigned at = 0; at < member->credential_count; at++)
        count += group_overtaken_at(node, &member->credentials[at], now) <= now;
    return count;
}

void group_tell(struct bypeer_group_node *node, struct group_member *member, uint64_t now)
{
    const struct group_credential *current;
    enum group_standing before = member->standing;
    enum group_standing standing = members_standing(node, member, now, &current);
    member->standing = standing;
    if (group_compare_members(&member->name, &node->self) == 0)
        group_adopt(node, now);
    if (standing == GROUP_SOUND) {
        bool is_same = memcmp(member->serial, current->leaf->serial, GROUP_SERIAL) == 0;
        bool had_roles = before == GROUP_SOUND && member->roles != current->leaf->roles;
        memcpy(member->serial, current->leaf->serial, GROUP_SERIAL);
        member->roles = current->leaf->roles;
        /* Whoever has the new key links anew. */
        unsigned overtaken = members_overtaken(node, member, now);
        member->is_cut_due = before == GROUP_SOUND && overtaken > member->overtaken;
        member->overtaken = overtaken;
        node->is_cut_due |= member->is_cut_due;
        node->is_stale |= had_roles; /* what other roles allowed */
        node->is_fresh |= before != GROUP_SOUND || !is_same;
        if (before == GROUP_SOUND && !is_same)
            members_report(node, member, now, BYPEER_GROUP_RENEWED);
        else if (before != GROUP_SOUND)
            members_report(node, member, now, BYPEER_GROUP_JOINED);
        return;
    }
    if (standing == before)
        return;
    member->is_cut_due = node->is_cut_due = true;
    /* Whose memberships have ended has no record left to judge: none outlives what it was signed by. */
    node->is_stale |= standing == GROUP_REVOKED;
    members_report(node, member, now, standing == GROUP_REVOKED ? BYPEER_GROUP_REVOKED : BYPEER_GROUP_EXPIRED);
}

void group_tell_all(struct bypeer_group_node *node, uint64_t now)
{
    for (size_t at = 0; at < node->member_count; at++)
        group_tell(node, node->members[at], now);
}

void group_note_presence(struct bypeer_group_node *node, const struct bypeer_peer_name *name, bool is_there,
                         uint64_t now)
{
    struct group_member *member = group_find(node, name);
    if (!member || (!is_there && member->presences == 0))
        return;
    unsigned before = member->presences;
    member->presences = is_there ? before + 1 : before - 1;
    if (before == 0 || member->presences == 0)
        members_report(node, member, now, is_there ? BYPEER_GROUP_PRESENT : BYPEER_GROUP_ABSENT);
}

static int members_add(struct bypeer_group_node *node, const struct bypeer_peer_name *name,
                       struct group_member **ret_member)
{
    if (node->member_count == node->member_room) {
        size_t room = node->member_room ? 2 * node->member_room : FIRST_ROOM;
        struct group_member **members = reallocarray(node->members, room, sizeof(struct group_member *));
        if (!members)
            return -ENOMEM;
        node->members = members;
        node->member_room = room;
    }
    struct group_member *member = calloc(1, sizeof(*member));
    if (!member)
        return -ENOMEM;
    member->name = *name;
    bypeer_name_write(name, member->id);
    size_t at = members_place(node, name);
    memmove(node->members + at + 1, node->members + at, (node->member_count - at) * sizeof(struct group_member *));
    node->members[at] = member;
    node->member_count++;
    *ret_member = member;
    return 0;
}

static void members_remove(struct bypeer_group_node *node, size_t at)
{
    free(node->members[at]);
    node->member_count--;
    memmove(node->members + at, node->members + at + 1, (node->member_count - at) * sizeof(struct group_member *));
}

bool group_has_room(const struct bypeer_group_node *node, const struct bypeer_certificate_facts *sponsor)
{
    uint32_t room = node->has_properties && node->properties.invited ? node->properties.invited : BYPEER_GROUP_INVITED;
    for (size_t at = 0; sponsor && room > 0 && at < node->member_count; at++) {
        const struct group_member *member = node->members[at];
        bool is_his = false;
        for (unsigned i = 0; i < member->credential_count; i++)
            is_his |=
                member->credentials[i].sponsor && memcmp(member->credentials[i].sponsor->public_key,
                                                         sponsor->public_key, node->profile->public_key_bytes) == 0;
        room -= is_his;
    }
    return room > 0;
}

/* The name that the member is shown by is that of the membership which counts. */
static void members_rename(struct group_member *member)
{
    member->name = member->credentials[0].leaf->subject;
    bypeer_name_write(&member->name, member->id);
}

/* When the next of its credentials begins, ends or is overtaken; now: the last one has ended and waits. */
static uint64_t members_next_change(const struct bypeer_group_node *node, const struct group_member *member,
                                    uint64_t now)
{
    uint64_t next = UINT64_MAX;
    for (unsigned at = 0; at < member->credential_count; at++) {
        const struct group_credential *credential = &member->credentials[at];
        uint64_t change = credential->not_before > now ? credential->not_before : credential->not_after;
        uint64_t overtaken = group_overtaken_at(node, credential, now);
        if (overtaken > now && overtaken < change)
            change = overtaken;
        if (change < next)
            next = change;
    }
    return next > now ? next : now;
}

int group_take(struct bypeer_group_node *node, struct bypeer_chain *chain, uint64_t now,
               struct group_credential **ret_credential)
{
    struct group_member *member = group_find(node, &bypeer_chain_leaf(chain)->subject);
    struct group_credential *known = member ? group_find_chain(member, chain) : NULL;
    if (known) {
        *ret_credential = known;
        return -EEXIST;
    }
    if (!member && !group_has_room(node, group_sponsor(chain, false)))
        return -EDQUOT;
    if (!member && members_add(node, &bypeer_chain_leaf(chain)->subject, &member))
        return -ENOMEM;
    struct group_credential *credential = group_add_credential(node, member, chain);
    if (!credential)
        return -ENOSPC;
    members_rename(member);
    member->change = members_next_change(node, member, now);
    if (group_overtaken_at(node, credential, now) <= now)
        member->overtaken++; /* it never had a link here */
    if (member->change < node->expiry)
        node->expiry = member->change;
    /* An administrator more is a revocation less that may count, or a signer more. */
    if (node->revocation_count > 0)
        group_weigh(node, now);
    group_tell(node, member, now);
    *ret_credential = credential;
    return 0;
}

/* Drops what of a member has ended; false: nothing is left. The last one stays until its links are cut: it has the
 * member's name and key. */
static bool members_expire(struct bypeer_group_node *node, struct group_member *member, uint64_t now)
{
    for (unsigned at = 0; at < member->credential_count && member->credential_count > 1;)
        if (member->credentials[at].not_after > now) {
            at++;
        } else {
            group_drop_credential(node, member, at);
            at = 0; /* their order may be another now */
        }
    if (member->credentials[0].not_after > now || member->is_cut_due) {
        members_rename(member);
        return true;
    }
    group_drop_credential(node, member, 0);
    return false;
}

uint64_t group_expire(struct bypeer_group_node *node, uint64_t now)
{
    uint64_t next = UINT64_MAX;
    bool has_changed = false;
    for (size_t at = node->member_count; at-- > 0;) {
        struct group_member *member = node->members[at];
        if (member->change <= now) {
            has_changed = true;
            group_tell(node, member, now);
            if (!members_expire(node, member, now)) {
                members_remove(node, at);
                continue;
            }
            member->change = members_next_change(node, member, now);
        }
        if (member->change > now && member->change < next)
            next = member->change;
    }
    /* An administrator less is a signer less, or one whom nothing shields any more. */
    if (has_changed && node->revocation_count > 0)
        group_weigh(node, now);
    return next;
}

void group_members_clear(struct bypeer_group_node *node)
{
    for (size_t at = 0; at < node->member_count; at++) {
        while (node->members[at]->credential_count > 0)
            group_drop_credential(node, node->members[at], 0);
        free(node->members[at]);
    }
    free(node->members);
}
