/*
 * A membership as a text, to be kept or moved: what overlay/group/export.h writes and reads, of and into this node.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/groups/state.h"
#include "control/identity/identities.h"
#include "overlay/group/export.h"
#include "overlay/profile/openssl.h"

static void transfer_fill(const struct bypeer_joined *joined, struct bypeer_group_export *ret_export)
{
    struct bypeer_invitation *group = &ret_export->group;
    *ret_export = (struct bypeer_group_export){
        .identity = joined->self,
        .group = {.group = joined->name,
                  .cloud = "Global_",
                  .scope = 1,
                  .is_windows = joined->profile->id == BYPEER_PROFILE_WINDOWS},
    };
    snprintf(group->friendly, sizeof(group->friendly), "%.255s", joined->friendly);
    for (; group->seed_count < joined->seed_count && group->seed_count < BYPEER_INVITATION_SEEDS_MAX;
         group->seed_count++) {
        memcpy(group->seeds[group->seed_count].address, joined->seeds[group->seed_count].address, 16);
        group->seeds[group->seed_count].port = joined->seeds[group->seed_count].port;
    }
}

int bypeer_joined_export(const struct bypeer_joined *joined, bool with_key, struct bypeer_group_export *ret_export,
                         struct bypeer_problem *problem)
{
    if (!joined->chain)
        return bypeer_problem_set(problem, -EAGAIN, "not_a_member", "group %.100s\nis not joined yet\ntry again later",
                                  joined->friendly);
    if (with_key && !joined->group_key)
        return bypeer_problem_set(problem, -EPERM, "no_group_key",
                                  "group %.100s\nwas not founded here, so its key is not\nleave the password out",
                                  joined->friendly);
    transfer_fill(joined, ret_export);
    ret_export->group.chain = malloc(joined->chain_bytes);
    int result = ret_export->group.chain ? 0 : -ENOMEM;
    if (result == 0) {
        memcpy(ret_export->group.chain, joined->chain, joined->chain_bytes);
        ret_export->group.chain_bytes = joined->chain_bytes;
        if (with_key)
            result = bypeer_key_from_pair(&ret_export->group_key, joined->profile, bypeer_key_pair(joined->group_key));
    }
    if (result < 0) {
        bypeer_group_export_release(ret_export);
        return bypeer_problem_no_memory(problem);
    }
    return 0;
}

int bypeer_groups_read_export(const char *text, const char *password, struct bypeer_group_export *ret_export,
                              const struct bypeer_profile **ret_profile, struct bypeer_problem *problem)
{
    char why[160] = "", why_not[160];
    int result = -EINVAL;
    for (int id = 0; id < BYPEER_PROFILES && result == -EINVAL; id++) {
        *ret_profile = bypeer_profile((enum bypeer_profile_id)id);
        result = bypeer_group_export_read(ret_export, *ret_profile, text, strlen(text), password, why_not);
        if (id == 0)
            memcpy(why, why_not, sizeof(why));
    }
    if (result == -EACCES && !password)
        return bypeer_problem_set(problem, -EINVAL, "needs_password",
                                  "the text\nholds the group's key under a password\ngive it, too");
    if (result == -EACCES)
        return bypeer_problem_set(problem, result, "wrong_password",
                                  "the password\nis another one, or the text was changed\ntry again");
    if (result == -ENOMEM)
        return bypeer_problem_no_memory(problem);
    return result < 0 ? bypeer_problem_set(problem, result, "bad_group_config",
                                           "the text\n%s\ngive all that bypeer group export has printed", why)
                      : 0;
}

int bypeer_groups_import(struct bypeer_groups *groups, const struct bypeer_group_export *export,
                         const struct bypeer_profile *profile, struct bypeer_joined **ret_joined,
                         struct bypeer_problem *problem)
{
    char name[BYPEER_NAME_TEXT_MAX];
    struct bypeer_store_joined row;
    bypeer_name_write(&export->identity, name);
    const struct bypeer_identity *identity = bypeer_identities_find(groups->node->identities, name, problem);
    if (!identity)
        return problem->error;
    bypeer_name_write(&export->group.group, name);
    groups_row(&export->group, profile, identity->name_text, name, &row);
    return groups_adopt(groups, &row, &export->group.group, export->group_key, ret_joined, problem);
}
