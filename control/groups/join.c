/*
 * Coming into groups and leaving them: founding, invitations, joining.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/groups/state.h"
#include "control/identity/identities.h"

#define CLOCK_SLACK_S 300 /* a membership begins so much earlier: clocks of others may be slow */

static int join_check_room(const struct bypeer_groups *groups, struct bypeer_problem *problem)
{
    if (groups->count < BYPEER_GROUPS_MAX)
        return 0;
    return bypeer_problem_set(problem, -ENOSPC, "too_many_groups",
                              "groups\nthis node is in %u, which is the most\nleave one with: bypeer group leave",
                              groups->count);
}

static struct bypeer_joined *join_find(const struct bypeer_groups *groups, const struct bypeer_peer_name *name)
{
    struct bypeer_joined *joined = groups->joined;
    while (joined && !bypeer_name_is_equal(&joined->name, name))
        joined = joined->next;
    return joined;
}

static int join_check_new(const struct bypeer_groups *groups, const struct bypeer_peer_name *name,
                          struct bypeer_problem *problem)
{
    const struct bypeer_joined *joined = join_find(groups, name);
    return joined ? bypeer_problem_set(problem, -EEXIST, "group_exists",
                                       "group %.100s\nis joined already\nleave it first: bypeer group leave",
                                       joined->name_text)
                  : join_check_room(groups, problem);
}

/* --- founding --- */

void groups_make_classifier(const char *friendly, char ret_classifier[static 64])
{
    size_t length = 0;
    for (const unsigned char *at = (const unsigned char *)friendly; *at && length < 63; at++) {
        if (isascii(*at) && isalnum(*at))
            ret_classifier[length++] = (char)tolower(*at);
        else if (length > 0 && ret_classifier[length - 1] != '-')
            ret_classifier[length++] = '-';
    }
    while (length > 0 && ret_classifier[length - 1] == '-')
        length--;
    if (length == 0) {
        memcpy(ret_classifier, "group", 6);
        return;
    }
    ret_classifier[length] = '\0';
}

static const struct bypeer_identity *join_identity(struct bypeer_groups *groups, const struct bypeer_profile *profile,
                                                   const char *text, struct bypeer_problem *problem)
{
    struct bypeer_identities *identities = groups->node->identities;
    const struct bypeer_identity *identity =
        text ? bypeer_identities_find(identities, text, problem)
             : bypeer_identities_default(identities, profile, true, (uint64_t)time(NULL), problem);
    if (identity && identity->profile != profile) {
        bypeer_problem_set(problem, -EINVAL, "identity",
                           "identity %.100s\nis of profile %s, and the group of %s\nuse another identity",
                           identity->name_text, identity->profile->name, profile->name);
        return NULL;
    }
    return identity;
}

static int join_describe(const struct bypeer_groups_founding *founding, const struct bypeer_groups_founded *founded,
                         const struct bypeer_identity *identity, struct bypeer_group_properties *ret_properties,
                         struct bypeer_problem *problem)
{
    struct bypeer_group_properties *properties = ret_properties;
    *properties = (struct bypeer_group_properties){
        .membership_s = BYPEER_GROUP_MEMBERSHIP_S,
        .presence_s = BYPEER_GROUP_PRESENCE_S,
        .cloud = "Global_",
        .group = founded->name,
        .creator = identity->name,
        .has_password = founded->form[0] != '\0',
        .password_role = founded->form[0] != '\0' ? BYPEER_ROLE_MEMBER : 0,
    };
    int friendly = snprintf(properties->friendly, sizeof(properties->friendly), "%s", founding->friendly);
    int comment =
        snprintf(properties->comment, sizeof(properties->comment), "%s", founding->comment ? founding->comment : "");
    if (friendly <= 0 || friendly > BYPEER_INVITATION_FRIENDLY_MAX || comment >= (int)sizeof(properties->comment))
        return bypeer_problem_set(problem, -EINVAL, "bad_name",
                                  "name or comment of the group\nis empty or too long\nuse up to %d bytes",
                                  BYPEER_INVITATION_FRIENDLY_MAX);
    memcpy(properties->password, founded->form, sizeof(properties->password));
    return 0;
}

int groups_forget(struct bypeer_groups *groups, const char *name, struct bypeer_problem *problem)
{
    struct bypeer_store *store = groups->node->store;
    int result = bypeer_store_begin(store, problem);
    if (result == 0)
        result = bypeer_store_remove_joined(store, name, problem);
    return bypeer_store_end(store, result, problem);
}

/*
 * Row, records and the audit log from its place `mark` on are durable together before anybody hears of the group; else
 * it is closed, and nothing of it stays.
 */
static int join_keep(struct bypeer_joined *joined, const char *action, const char *text, unsigned mark,
                     struct bypeer_problem *problem)
{
    struct bypeer_groups *groups = joined->groups;
    /* Who joins by password has a row once there is a membership to keep. */
    joined->is_stored = joined->is_stale = joined->chain != NULL;
    bypeer_groups_audit(groups, joined->name_text, action, joined->self_text, NULL, text);
    int result = groups_flush(groups, problem);
    if (result < 0) {
        joined_close(joined);
        groups->audit_count = groups->audit_count < mark ? groups->audit_count : mark;
    }
    return result;
}

static int join_found(struct bypeer_groups *groups, const struct bypeer_groups_founding *founding,
                      const struct bypeer_groups_founded *founded, const struct bypeer_identity *identity,
                      struct bypeer_joined **ret_joined, struct bypeer_problem *problem)
{
    char why[160], text[BYPEER_NAME_TEXT_MAX];
    const struct bypeer_key *group_key = founded->group_key;
    const struct bypeer_peer_name name = founded->name;
    struct bypeer_chain *chain = NULL;
    struct bypeer_group_properties *properties = calloc(1, sizeof(*properties));
    uint64_t now = (uint64_t)time(NULL);
    if (!properties)
        return bypeer_problem_no_memory(problem);
    int result = join_describe(founding, founded, identity, properties, problem);
    struct bypeer_group_subject founder = {
        .name = identity->name, .key = bypeer_key_public(identity->key), .friendly = identity->friendly};
    if (result == 0) {
        result = bypeer_group_found(group_key, &name, founding->friendly, &founder, now - CLOCK_SLACK_S,
                                    now + BYPEER_CERTIFICATE_FOREVER_S, &chain, why);
        if (result < 0)
            bypeer_problem_set(problem, result, "not_founded", "group \"%.100s\"\n%s\nuse another name",
                               founding->friendly, why);
    }
    if (result == 0)
        result = groups_write_key(groups, &name, group_key, problem);
    if (result == 0) {
        bypeer_name_write(&name, text);
        struct bypeer_store_joined row = {.name = text,
                                          .profile = founding->profile->name,
                                          .identity = identity->name_text,
                                          .friendly = founding->friendly};
        row.chain = bypeer_chain_bag(chain, &row.chain_bytes);
        unsigned mark = groups->audit_count;
        result = joined_open(groups, &row, group_key, NULL, properties, ret_joined, problem);
        if (result == 0)
            result = join_keep(*ret_joined, "created", founding->friendly, mark, problem);
        if (result < 0)
            groups_remove_key(groups, &name);
    }
    bypeer_chain_free(chain);
    explicit_bzero(properties, sizeof(*properties));
    free(properties);
    return result;
}

int bypeer_groups_create(struct bypeer_groups *groups, const struct bypeer_groups_founding *founding,
                         const struct bypeer_groups_founded *founded, struct bypeer_joined **ret_joined,
                         struct bypeer_problem *problem)
{
    int result = join_check_room(groups, problem);
    if (result < 0)
        return result;
    const struct bypeer_identity *identity = join_identity(groups, founding->profile, founding->identity, problem);
    return identity ? join_found(groups, founding, founded, identity, ret_joined, problem) : problem->error;
}

/* --- joining --- */

int groups_read_invitation(const char *text, struct bypeer_invitation *ret_invitation,
                           const struct bypeer_profile **ret_profile, struct bypeer_problem *problem)
{
    char why[160] = "";
    int result = -EINVAL;
    for (int id = 0; id < BYPEER_PROFILES && result == -EINVAL; id++) {
        char why_not[160];
        result = bypeer_invitation_read(ret_invitation, bypeer_profile((enum bypeer_profile_id)id), text, strlen(text),
                                        why_not);
        if (id == 0)
            memcpy(why, why_not, sizeof(why));
        *ret_profile = bypeer_profile((enum bypeer_profile_id)id);
    }
    if (result == -ENOMEM)
        return bypeer_problem_no_memory(problem);
    return result < 0 ? bypeer_problem_set(problem, result, "bad_invitation",
                                           "the invitation\n%s\nask for it again, and copy all of it", why)
                      : 0;
}

/* Whom the invitation's membership is for, of this node's identities. */
static const struct bypeer_identity *join_invitee(struct bypeer_groups *groups, const struct bypeer_profile *profile,
                                                  const struct bypeer_invitation *invitation, const char *text,
                                                  struct bypeer_problem *problem)
{
    struct bypeer_chain *chain;
    char name[BYPEER_NAME_TEXT_MAX];
    if (!invitation->chain)
        return join_identity(groups, profile, text, problem);
    int result = bypeer_chain_read(&chain, profile, invitation->chain, invitation->chain_bytes, NULL);
    if (result < 0) {
        bypeer_problem_set(problem, result, "bad_invitation",
                           "the invitation\nholds a membership that cannot be read\nask for another");
        return NULL;
    }
    bypeer_name_write(&bypeer_chain_leaf(chain)->subject, name);
    bypeer_chain_free(chain);
    const struct bypeer_identity *identity = bypeer_identities_find(groups->node->identities, name, NULL);
    if (!identity)
        bypeer_problem_set(problem, -ENOENT, "not_invited",
                           "the invitation\nis for %.100s, which is no identity of this node\n"
                           "ask for one for an identity of this node: bypeer identity show",
                           name);
    else if (text && bypeer_identities_find(groups->node->identities, text, problem) != identity) {
        bypeer_problem_set(problem, -EINVAL, "not_invited",
                           "identity %.100s\nis not %.60s, whom the invitation is for\n"
                           "leave the identity out",
                           text, name);
        return NULL;
    }
    return identity;
}

/* A further invitation, as of an identity whose key was replaced: its membership takes the place of the present one. */
static int join_again(struct bypeer_groups *groups, struct bypeer_joined *joined,
                      const struct bypeer_identity *identity, const struct bypeer_invitation *invitation,
                      struct bypeer_problem *problem)
{
    int result = joined_renew(joined, identity, invitation->chain, invitation->chain_bytes, problem);
    return result == 0 ? groups_flush(groups, problem) : result;
}

void groups_row(const struct bypeer_invitation *invitation, const struct bypeer_profile *profile, const char *identity,
                const char *name, struct bypeer_store_joined *ret_row)
{
    *ret_row = (struct bypeer_store_joined){
        .name = name,
        .profile = profile->name,
        .identity = identity,
        .friendly = invitation->friendly[0] != '\0' ? invitation->friendly : name,
        .chain = invitation->chain,
        .chain_bytes = invitation->chain_bytes,
    };
    for (; ret_row->seed_count < invitation->seed_count && ret_row->seed_count < BYPEER_STORE_SEEDS;
         ret_row->seed_count++) {
        memcpy(ret_row->seeds[ret_row->seed_count].address, invitation->seeds[ret_row->seed_count].address, 16);
        ret_row->seeds[ret_row->seed_count].port = invitation->seeds[ret_row->seed_count].port;
    }
}

int bypeer_groups_join(struct bypeer_groups *groups, const char *text, const char *identity_text, const char *form,
                       struct bypeer_joined **ret_joined, struct bypeer_problem *problem)
{
    struct bypeer_invitation invitation;
    const struct bypeer_profile *profile = NULL;
    char name[BYPEER_NAME_TEXT_MAX];
    int result = groups_read_invitation(text, &invitation, &profile, problem);
    if (result < 0)
        return result;
    const struct bypeer_identity *identity = NULL;
    struct bypeer_joined *present = join_find(groups, &invitation.group);
    bool is_again = present && invitation.chain &&
                    (present->chain_bytes != invitation.chain_bytes ||
                     memcmp(present->chain, invitation.chain, invitation.chain_bytes) != 0);
    result = is_again ? 0 : join_check_new(groups, &invitation.group, problem);
    if (result == 0 && invitation.wants_password && !form)
        result = bypeer_problem_set(problem, -EINVAL, "needs_password",
                                    "the invitation\nneeds the password of its group\ngive it, too");
    if (result == 0) {
        identity = join_invitee(groups, profile, &invitation, identity_text, problem);
        result = identity ? 0 : problem->error;
    }
    if (result == 0 && is_again) {
        result = join_again(groups, present, identity, &invitation, problem);
        bypeer_invitation_clear(&invitation);
        if (result == 0)
            *ret_joined = present;
        return result;
    }
    if (result == 0) {
        bypeer_name_write(&invitation.group, name);
        struct bypeer_store_joined row;
        groups_row(&invitation, profile, identity->name_text, name, &row);
        unsigned mark = groups->audit_count;
        result = joined_open(groups, &row, NULL, invitation.wants_password ? form : NULL, NULL, ret_joined, problem);
        if (result == 0)
            result = join_keep(*ret_joined, "joined", invitation.wants_password ? "by password" : "by invitation", mark,
                               problem);
    }
    bypeer_invitation_clear(&invitation);
    return result;
}

int groups_adopt(struct bypeer_groups *groups, const struct bypeer_store_joined *row,
                 const struct bypeer_peer_name *name, const struct bypeer_key *group_key,
                 struct bypeer_joined **ret_joined, struct bypeer_problem *problem)
{
    int result = join_check_new(groups, name, problem);
    bool is_new_key = false;
    if (result == 0 && group_key) {
        /* It may be there: of a group that could not be opened at the start. */
        struct bypeer_key *present = NULL;
        int found = groups_read_key(groups, bypeer_key_profile(group_key), name, &present, NULL);
        bypeer_key_free(present);
        is_new_key = found == -ENOENT;
        result = found == 0 ? 0 : groups_write_key(groups, name, group_key, problem);
    }
    if (result < 0)
        return result;
    unsigned mark = groups->audit_count;
    result = joined_open(groups, row, group_key, NULL, NULL, ret_joined, problem);
    if (result == 0)
        result = join_keep(*ret_joined, "joined", "by import", mark, problem);
    if (result < 0 && is_new_key)
        groups_remove_key(groups, name);
    return result;
}

int bypeer_groups_leave(struct bypeer_groups *groups, struct bypeer_joined *joined, struct bypeer_problem *problem)
{
    int result = groups_forget(groups, joined->name_text, problem);
    if (result < 0)
        return result;
    joined->is_stored = false;
    joined_forget_issued(joined);
    groups_remove_key(groups, &joined->name);
    bypeer_groups_audit(groups, joined->name_text, "left", joined->self_text, NULL, NULL);
    joined_close(joined);
    return groups_flush(groups, problem);
}
