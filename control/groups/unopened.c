/*
 * Groups of the database that cannot be opened: a damaged row or key, an identity that is gone. One does not keep the
 * others from being opened; it stays, is tried again, is shown with the reason, and can be left.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/groups/state.h"

static bool unopened_is_open(const struct bypeer_groups *groups, const char *name)
{
    const struct bypeer_joined *joined = groups->joined;
    while (joined && strcmp(joined->name_text, name) != 0)
        joined = joined->next;
    return joined != NULL;
}

void groups_free_unopened(struct bypeer_groups *groups)
{
    while (groups->unopened) {
        struct bypeer_groups_unopened *unopened = groups->unopened;
        groups->unopened = unopened->next;
        free(unopened);
    }
}

/* --- opening --- */

struct unopened_walk {
    struct bypeer_groups *groups;
    struct bypeer_groups_unopened **end; /* where the next one goes */
};

static void unopened_add(struct unopened_walk *walk, const struct bypeer_store_joined *row, bool has_key,
                         const struct bypeer_problem *problem)
{
    char text[BYPEER_PROBLEM_TEXT];
    bypeer_log_limited(&walk->groups->open_limit, BYPEER_LOG_ERROR, "%s", bypeer_problem_text(problem, text));
    struct bypeer_groups_unopened *unopened = calloc(1, sizeof(*unopened));
    if (!unopened)
        return;
    unopened->has_key = has_key;
    unopened->problem = *problem;
    snprintf(unopened->name, sizeof(unopened->name), "%s", row->name);
    snprintf(unopened->friendly, sizeof(unopened->friendly), "%s", row->friendly);
    snprintf(unopened->profile, sizeof(unopened->profile), "%s", row->profile);
    snprintf(unopened->identity, sizeof(unopened->identity), "%s", row->identity);
    *walk->end = unopened;
    walk->end = &unopened->next;
}

static int unopened_on_row(void *context, const struct bypeer_store_joined *row)
{
    struct unopened_walk *walk = context;
    struct bypeer_groups *groups = walk->groups;
    const struct bypeer_profile *profile = bypeer_profile_find(row->profile);
    struct bypeer_key *group_key = NULL;
    struct bypeer_joined *joined;
    struct bypeer_peer_name name;
    struct bypeer_problem problem;
    char why[160];
    if (unopened_is_open(groups, row->name))
        return 0;
    if (!profile || bypeer_name_read(&name, row->name, why) < 0) {
        bypeer_problem_set(&problem, -EBADMSG, "damaged_group",
                           "group %.100s\nits row in the database is damaged: %.60s\n"
                           "restore the database from a backup, or leave the group and join again",
                           row->name, profile ? why : "no such wire profile");
        unopened_add(walk, row, false, &problem);
        return 0;
    }
    int found = groups_read_key(groups, profile, &name, &group_key, &problem), result = found;
    if (found == 0 || found == -ENOENT)
        result = joined_open(groups, row, group_key, NULL, NULL, &joined, &problem);
    if (result < 0)
        unopened_add(walk, row, found != -ENOENT, &problem);
    bypeer_key_free(group_key);
    return 0;
}

int groups_open_rows(struct bypeer_groups *groups, struct bypeer_problem *problem)
{
    struct unopened_walk walk = {.groups = groups, .end = &groups->unopened};
    groups_free_unopened(groups);
    groups->unopened_ms = bypeer_groups_now().ms + GROUPS_AGAIN_MS;
    return bypeer_store_each_joined(groups->node->store, unopened_on_row, &walk, problem);
}

/* --- finding --- */

const struct bypeer_groups_unopened *bypeer_groups_next_unopened(const struct bypeer_groups *groups,
                                                                 const struct bypeer_groups_unopened *after)
{
    const struct bypeer_groups_unopened *next = after ? after->next : groups->unopened;
    while (next && unopened_is_open(groups, next->name)) /* joined anew since */
        next = next->next;
    return next;
}

/* Returns how many a text means; a peer name means one. */
static unsigned unopened_find(const struct bypeer_groups *groups, const char *text,
                              const struct bypeer_groups_unopened **ret_unopened)
{
    const struct bypeer_groups_unopened *unopened = NULL;
    unsigned count = 0;
    while ((unopened = bypeer_groups_next_unopened(groups, unopened))) {
        bool is_name = strcmp(unopened->name, text) == 0;
        if (!is_name && !groups_is_authority(unopened->name, text) && strcmp(unopened->friendly, text) != 0)
            continue;
        *ret_unopened = unopened;
        if (is_name)
            return 1;
        count++;
    }
    return count;
}

bool groups_tell_unopened(const struct bypeer_groups *groups, const char *text, struct bypeer_problem *problem)
{
    const struct bypeer_groups_unopened *unopened;
    char why[BYPEER_PROBLEM_TEXT];
    if (unopened_find(groups, text, &unopened) != 1)
        return false;
    snprintf(why, sizeof(why), "%.90s: %.90s", unopened->problem.thing, unopened->problem.value);
    bypeer_problem_set(problem, -ENOENT, "group_unopened", "group \"%.100s\"\ncannot be opened: %s\n%s", text, why,
                       unopened->problem.remedy);
    return true;
}

/* --- leaving --- */

static void unopened_remove(struct bypeer_groups *groups, const char *name)
{
    struct bypeer_groups_unopened **link = &groups->unopened;
    while (strcmp((*link)->name, name) != 0)
        link = &(*link)->next;
    struct bypeer_groups_unopened *unopened = *link;
    *link = unopened->next;
    free(unopened);
}

int bypeer_groups_leave_unopened(struct bypeer_groups *groups, const char *text,
                                 struct bypeer_groups_removed *ret_removed, struct bypeer_problem *problem)
{
    const struct bypeer_groups_unopened *unopened = NULL;
    struct bypeer_peer_name name;
    char why[160];
    unsigned count = unopened_find(groups, text, &unopened);
    if (count == 0)
        return bypeer_problem_set(problem, -ENOENT, "no_such_group",
                                  "group \"%.100s\"\nis not joined\nlist the groups with: bypeer group list", text);
    if (count > 1)
        return bypeer_problem_set(problem, -EINVAL, "ambiguous_group",
                                  "group \"%.100s\"\nis the name of %u groups that cannot be opened\n"
                                  "give the peer name, see bypeer group list",
                                  text, count);
    int result = groups_forget(groups, unopened->name, problem);
    if (result < 0)
        return result;
    /* A name that is none has no file. */
    ret_removed->has_key = bypeer_name_read(&name, unopened->name, why) == 0 && groups_remove_key(groups, &name);
    snprintf(ret_removed->name, sizeof(ret_removed->name), "%s", unopened->name);
    bypeer_groups_audit(groups, unopened->name, "left", unopened->identity, NULL, "it could not be opened");
    unopened_remove(groups, ret_removed->name);
    return groups_flush(groups, problem);
}
