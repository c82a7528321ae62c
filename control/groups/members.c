/*
 * Members of a group, for people: finding one, inviting, renewing, revoking.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "control/groups/state.h"
#include "overlay/identity/identity.h"

/* --- finding --- */

static bool members_read_key(const char *text, size_t bytes, uint8_t ret_key[static BYPEER_PUBLIC_KEY_MAX])
{
    static const char digits[] = "0123456789abcdef";
    if (strlen(text) != 2 * bytes)
        return false;
    for (size_t at = 0; at < bytes; at++) {
        const char *high = strchr(digits, text[2 * at] | 0x20), *low = strchr(digits, text[2 * at + 1] | 0x20);
        if (!high || !low || text[2 * at] == '\0')
            return false;
        ret_key[at] = (uint8_t)((high - digits) << 4 | (low - digits));
    }
    return true;
}

/* By the friendly name or the authority: true if exactly one member has it. */
static bool members_find_text(const struct bypeer_joined *joined, const char *text,
                              struct bypeer_group_member *ret_member, unsigned *ret_count)
{
    struct bypeer_group_member member;
    struct bypeer_peer_name after;
    char name[BYPEER_NAME_TEXT_MAX];
    *ret_count = 0;
    for (bool more = bypeer_group_next_member(joined->group, NULL, &member); more;
         more = bypeer_group_next_member(joined->group, &after, &member)) {
        after = member.name;
        bypeer_name_write(&member.name, name);
        if (!groups_is_authority(name, text) && strcmp(member.friendly, text) != 0)
            continue;
        if (++*ret_count == 1)
            *ret_member = member;
    }
    return *ret_count == 1;
}

int bypeer_joined_find_member(const struct bypeer_joined *joined, const char *text,
                              struct bypeer_group_member *ret_member, struct bypeer_problem *problem)
{
    struct bypeer_peer_name name;
    uint8_t key[BYPEER_PUBLIC_KEY_MAX], address[16];
    char why[160];
    unsigned count;
    bool found = bypeer_name_read(&name, text, why) == 0 && bypeer_group_find_member(joined->group, &name, ret_member);
    if (!found && inet_pton(AF_INET6, text, address) == 1)
        found = bypeer_group_find_address(joined->group, address, ret_member);
    if (!found && members_read_key(text, joined->profile->public_key_bytes, key))
        found = bypeer_group_find_key(joined->group, key, ret_member);
    if (found || members_find_text(joined, text, ret_member, &count))
        return 0;
    if (count > 1)
        bypeer_problem_set(problem, -EINVAL, "ambiguous_member",
                           "member \"%.100s\"\nis the friendly name of %u members\n"
                           "give the peer name, see bypeer group members",
                           text, count);
    else
        bypeer_problem_set(problem, -ENOENT, "no_such_member",
                           "member \"%.100s\"\nis not known in group %.60s\n"
                           "list the members with: bypeer group members",
                           text, joined->friendly);
    return count > 1 ? -EINVAL : -ENOENT;
}

/* --- issuing --- */

static int members_refuse(const char *action, int error, const char *why, struct bypeer_problem *problem)
{
    const char *key = error == -EPERM ? "not_permitted" : error == -EKEYREVOKED ? "revoked" : "refused";
    return bypeer_problem_set(problem, error, key, "%s\n%s\nsee bypeer group members for who may", action,
                              why[0] ? why : strerror(-error));
}

static uint64_t members_until(const struct bypeer_joined_order *order)
{
    return order->lifetime_s > 0 ? (uint64_t)time(NULL) + order->lifetime_s : 0;
}

/* What cannot be noted is not given away. */
static int members_note_issue(struct bypeer_joined *joined, const char *action, const struct bypeer_chain *chain,
                              struct bypeer_problem *problem)
{
    const struct bypeer_certificate_facts *facts = bypeer_chain_leaf(chain);
    char whom[BYPEER_NAME_TEXT_MAX], roles[BYPEER_ROLES_TEXT_MAX], text[128];
    bypeer_name_write(&facts->subject, whom);
    bypeer_roles_write(facts->roles, roles);
    snprintf(text, sizeof(text), "%s, until %llu", roles, (unsigned long long)bypeer_chain_not_after(chain));
    bypeer_groups_audit(joined->groups, joined->name_text, action, joined->self_text, whom, text);
    return joined_note_issued(joined, chain, action) < 0 ? bypeer_problem_no_memory(problem) : 0;
}

/* What every invitation of the group says: its name, and where this node and its neighbours listen. */
static void members_begin_invitation(const struct bypeer_joined *joined, struct bypeer_invitation *ret_invitation)
{
    *ret_invitation = (struct bypeer_invitation){
        .group = joined->name,
        .cloud = "Global_",
        .scope = 1,
        .is_windows = joined->profile->id == BYPEER_PROFILE_WINDOWS,
    };
    snprintf(ret_invitation->friendly, sizeof(ret_invitation->friendly), "%.255s", joined->friendly);
    for (unsigned at = 0; at < joined->listening_count && at < BYPEER_INVITATION_SEEDS_MAX; at++) {
        memcpy(ret_invitation->seeds[at].address, joined->listening[at].address, 16);
        ret_invitation->seeds[at].port = joined->listening[at].port;
        ret_invitation->seed_count++;
    }
    for (unsigned at = 0; at < joined->seed_count && ret_invitation->seed_count < BYPEER_INVITATION_SEEDS_MAX; at++) {
        memcpy(ret_invitation->seeds[ret_invitation->seed_count].address, joined->seeds[at].address, 16);
        ret_invitation->seeds[ret_invitation->seed_count++].port = joined->seeds[at].port;
    }
}

static int members_keep_chain(const struct bypeer_chain *chain, struct bypeer_invitation *invitation,
                              struct bypeer_problem *problem)
{
    size_t length;
    const uint8_t *bag = bypeer_chain_bag(chain, &length);
    invitation->chain = malloc(length);
    if (!invitation->chain)
        return bypeer_problem_no_memory(problem);
    memcpy(invitation->chain, bag, length);
    invitation->chain_bytes = length;
    return 0;
}

static void members_describe(const struct bypeer_chain *chain, struct bypeer_group_member *ret_member)
{
    const struct bypeer_certificate_facts *facts = bypeer_chain_leaf(chain);
    *ret_member = (struct bypeer_group_member){
        .name = facts->subject,
        .roles = facts->roles,
        .not_before = facts->not_before,
        .until = bypeer_chain_not_after(chain),
    };
    memcpy(ret_member->address, facts->address, sizeof(ret_member->address));
}

int bypeer_joined_invite(struct bypeer_joined *joined, const struct bypeer_joined_order *order,
                         struct bypeer_invitation *ret_invitation, struct bypeer_group_member *ret_member,
                         struct bypeer_problem *problem)
{
    struct bypeer_identity_info info;
    struct bypeer_chain *chain = NULL;
    char why[160] = "";
    int result = bypeer_identity_info_read(&info, order->identity, strlen(order->identity), why);
    if (result < 0)
        return bypeer_problem_set(problem, result, "bad_identity",
                                  "the identity\n%s\ngive what the other node prints: bypeer identity xml", why);
    const struct bypeer_certificate_facts *facts = bypeer_certificate_facts(info.idc);
    struct bypeer_group_order grant = {
        .subject = {.name = info.name, .key = facts->public_key, .friendly = facts->subject_friendly},
        .roles = order->roles ? order->roles : BYPEER_ROLE_MEMBER,
        .until = members_until(order),
        .is_followed = true, /* bypeer_identity_info_read() did */
    };
    const struct bypeer_profile *profile = bypeer_certificate_profile(info.idc);
    if (profile != joined->profile)
        result = bypeer_problem_set(problem, -EINVAL, "bad_identity",
                                    "the identity\nis of profile %s, and the group of %s\nmake one of that profile",
                                    profile->name, joined->profile->name);
    else if ((result = bypeer_group_issue(joined->group, bypeer_groups_now(), &grant, &chain, why)) < 0)
        members_refuse("the invitation", result, why, problem);
    bypeer_joined_touched(joined);
    if (chain) {
        members_begin_invitation(joined, ret_invitation);
        result = members_keep_chain(chain, ret_invitation, problem);
        members_describe(chain, ret_member);
        if (result == 0)
            result = members_note_issue(joined, "invited", chain, problem);
        bypeer_chain_free(chain);
    }
    bypeer_identity_info_release(&info);
    return result < 0 ? result : groups_flush(joined->groups, problem);
}

int bypeer_joined_invite_by_password(struct bypeer_joined *joined, struct bypeer_invitation *ret_invitation,
                                     struct bypeer_problem *problem)
{
    const struct bypeer_group_properties *properties = bypeer_group_properties(joined->group);
    if (!properties || !properties->has_password)
        return bypeer_problem_set(problem, -ENOENT, "no_password",
                                  "group %.100s\nhas no password\ninvite by identity instead", joined->friendly);
    members_begin_invitation(joined, ret_invitation);
    ret_invitation->wants_password = true;
    return 0;
}

int bypeer_joined_renew(struct bypeer_joined *joined, const struct bypeer_joined_order *order,
                        struct bypeer_problem *problem)
{
    struct bypeer_group_member member;
    struct bypeer_chain *chain;
    char why[160] = "";
    int result = bypeer_joined_find_member(joined, order->member, &member, problem);
    if (result < 0)
        return result;
    uint8_t key[BYPEER_PUBLIC_KEY_MAX];
    char friendly[BYPEER_FRIENDLY_NAME_TEXT_MAX];
    memcpy(key, member.key, joined->profile->public_key_bytes);
    snprintf(friendly, sizeof(friendly), "%s", member.friendly);
    struct bypeer_group_order grant = {
        .subject = {.name = member.name, .key = key, .friendly = friendly},
        .roles = order->roles ? order->roles : member.roles,
        .until = members_until(order),
        .is_publish = true,
    };
    result = bypeer_group_issue(joined->group, bypeer_groups_now(), &grant, &chain, why);
    bypeer_joined_touched(joined);
    if (result < 0)
        return members_refuse("the renewal", result, why, problem);
    result = members_note_issue(joined, "renewed", chain, problem);
    bypeer_chain_free(chain);
    return result < 0 ? result : groups_flush(joined->groups, problem);
}

/* A key in hex may be of somebody whose membership nobody has seen yet; a name, of somebody who was invited. */
static int members_find_targets(struct bypeer_joined *joined, const char *text, struct issued_keys *ret_keys,
                                struct bypeer_problem *problem)
{
    struct bypeer_group_member member;
    *ret_keys = (struct issued_keys){.count = 1};
    if (members_read_key(text, joined->profile->public_key_bytes, ret_keys->keys[0]))
        return 0;
    int result = bypeer_joined_find_member(joined, text, &member, problem);
    if (result == 0) {
        memcpy(ret_keys->keys[0], member.key, joined->profile->public_key_bytes);
        bypeer_name_write(&member.name, ret_keys->name);
        return joined_find_issued(joined, text, ret_keys, problem);
    }
    ret_keys->count = 0;
    if (result == -ENOENT && (result = joined_find_issued(joined, text, ret_keys, problem)) == 0)
        result = ret_keys->count > 0 ? 0 : -ENOENT; /* the problem is told already */
    return result;
}

int bypeer_joined_revoke(struct bypeer_joined *joined, const char *text, const struct bypeer_joined_verdict *said,
                         struct bypeer_problem *problem)
{
    const char *reason = said->reason ? said->reason : "";
    struct issued_keys found;
    char why[160] = "", other_why[160];
    int result = members_find_targets(joined, text, &found, problem);
    if (result < 0)
        return result;
    if (strlen(reason) > BYPEER_REVOCATION_REASON_MAX)
        return bypeer_problem_set(problem, -EINVAL, "bad_reason", "the reason\nis too long\nuse up to %d bytes",
                                  BYPEER_REVOCATION_REASON_MAX);
    struct bypeer_group_verdict verdict = {
        .key = found.keys[0], .reason = reason, .is_adopt = said->adopt, .is_undo = said->undo};
    result = bypeer_group_revoke(joined->group, bypeer_groups_now(), &verdict, why);
    for (unsigned at = 1; at < found.count && result == 0; at++) { /* those that went with it are revoked already */
        verdict.key = found.keys[at];
        bypeer_group_revoke(joined->group, bypeer_groups_now(), &verdict, other_why);
    }
    bypeer_joined_touched(joined);
    if (result < 0)
        return members_refuse("the revocation", result, why, problem);
    /* Whoever carries members hears of it before the answer. */
    joined_turn(joined, bypeer_groups_now());
    return groups_flush(joined->groups, problem);
}

int bypeer_joined_set_password(struct bypeer_joined *joined, const char *form, struct bypeer_problem *problem)
{
    const struct bypeer_group_properties *now = bypeer_group_properties(joined->group);
    char why[160] = "";
    if (!now)
        return members_refuse("the password", -EAGAIN, "the group's properties are not known yet: connect first",
                              problem);
    struct bypeer_group_properties next = *now;
    next.has_password = form != NULL;
    next.password_role = form ? BYPEER_ROLE_MEMBER : 0;
    memset(next.password, 0, sizeof(next.password));
    if (form)
        snprintf(next.password, sizeof(next.password), "%s", form);
    int result = bypeer_group_set_properties(joined->group, bypeer_groups_now(), &next, why);
    explicit_bzero(next.password, sizeof(next.password));
    bypeer_joined_touched(joined);
    if (result < 0)
        return members_refuse("the password", result, why, problem);
    bypeer_groups_audit(joined->groups, joined->name_text, "password", joined->self_text, NULL,
                        form ? "changed" : "removed");
    return groups_flush(joined->groups, problem);
}
