/*
 * Memberships that this node issued: who has which, also of those who never came, since nobody else knows of them.
 *
 * What is new waits for the next flush, which is one transaction with the records and the audit log.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "control/groups/state.h"

struct groups_issued {
    struct groups_issued *next;
    struct bypeer_store_issued row;
};

int joined_note_issued(struct bypeer_joined *joined, const struct bypeer_chain *chain, const char *how)
{
    const struct bypeer_certificate_facts *facts = bypeer_chain_leaf(chain);
    struct groups_issued *issued = calloc(1, sizeof(*issued)), **end = &joined->groups->issued;
    if (!issued)
        return -ENOMEM;
    struct bypeer_store_issued *row = &issued->row;
    snprintf(row->group, sizeof(row->group), "%s", joined->name_text);
    row->key_bytes = joined->profile->public_key_bytes;
    memcpy(row->key, facts->public_key, row->key_bytes);
    bypeer_name_write(&facts->subject, row->name);
    snprintf(row->friendly, sizeof(row->friendly), "%s", facts->subject_friendly);
    row->roles = facts->roles;
    row->issued_s = (uint64_t)time(NULL);
    row->expires_s = bypeer_chain_not_after(chain);
    snprintf(row->how, sizeof(row->how), "%s", how);
    while (*end)
        end = &(*end)->next;
    *end = issued;
    return 0;
}

int groups_write_issued(struct bypeer_groups *groups, struct bypeer_problem *problem)
{
    int result = 0;
    for (const struct groups_issued *issued = groups->issued; issued && result == 0; issued = issued->next)
        result = bypeer_store_put_issued(groups->node->store, &issued->row, (uint64_t)time(NULL), problem);
    return result;
}

void groups_free_issued(struct bypeer_groups *groups)
{
    while (groups->issued) {
        struct groups_issued *issued = groups->issued;
        groups->issued = issued->next;
        free(issued);
    }
}

void joined_forget_issued(struct bypeer_joined *joined)
{
    for (struct groups_issued **link = &joined->groups->issued, *issued; (issued = *link);) {
        if (strcmp(issued->row.group, joined->name_text) != 0) {
            link = &issued->next;
            continue;
        }
        *link = issued->next;
        free(issued);
    }
}

/* --- asking --- */

enum bypeer_issued_state bypeer_joined_issued_state(const struct bypeer_joined *joined,
                                                    const struct bypeer_store_issued *issued)
{
    struct bypeer_group_member member;
    bool is_known = bypeer_group_find_key(joined->group, issued->key, &member);
    if (bypeer_group_is_revoked(joined->group, issued->key, (uint64_t)time(NULL)) || (is_known && member.is_revoked))
        return BYPEER_ISSUED_REVOKED;
    return is_known ? BYPEER_ISSUED_JOINED : BYPEER_ISSUED_INVITED;
}

struct issued_walk {
    const struct bypeer_joined *joined;
    uint64_t now_s;
    int (*visit)(void *context, const struct bypeer_store_issued *issued);
    void *context;
};

static int issued_on_row(void *context, const struct bypeer_store_issued *issued)
{
    const struct issued_walk *walk = context;
    if (issued->expires_s <= walk->now_s || issued->key_bytes != walk->joined->profile->public_key_bytes)
        return 0;
    return walk->visit(walk->context, issued);
}

int bypeer_joined_each_issued(struct bypeer_joined *joined, int64_t after,
                              int (*visit)(void *context, const struct bypeer_store_issued *issued), void *context,
                              struct bypeer_problem *problem)
{
    struct issued_walk walk = {.joined = joined, .now_s = (uint64_t)time(NULL), .visit = visit, .context = context};
    int result = groups_flush(joined->groups, problem);
    return result < 0 ? result
                      : bypeer_store_each_issued(joined->groups->node->store, joined->name_text, after, issued_on_row,
                                                 &walk, problem);
}

/* --- finding keys --- */

struct issued_search {
    const struct bypeer_joined *joined;
    const char *text;
    struct issued_keys *keys;
    bool is_ambiguous;
};

/* Peer names of one authority are one identity, whatever stands behind. */
static bool issued_is_same(const char *name, const char *other)
{
    return strncasecmp(name, other, GROUPS_AUTHORITY) == 0;
}

static int issued_on_search(void *context, const struct bypeer_store_issued *issued)
{
    struct issued_search *search = context;
    struct issued_keys *keys = search->keys;
    bool is_name = strcmp(issued->name, search->text) == 0 || groups_is_authority(issued->name, search->text);
    bool is_his = keys->name[0] != '\0' && issued_is_same(issued->name, keys->name);
    if (!is_his && !is_name && strcmp(issued->friendly, search->text) != 0)
        return 0;
    if (bypeer_joined_issued_state(search->joined, issued) == BYPEER_ISSUED_REVOKED)
        return 0;
    if (keys->name[0] != '\0' && !is_his) {
        search->is_ambiguous = true;
        return 1;
    }
    snprintf(keys->name, sizeof(keys->name), "%s", issued->name);
    for (unsigned at = 0; at < keys->count; at++)
        if (memcmp(keys->keys[at], issued->key, issued->key_bytes) == 0)
            return 0;
    if (keys->count < ISSUED_KEYS)
        memcpy(keys->keys[keys->count++], issued->key, issued->key_bytes);
    return 0;
}

int joined_find_issued(struct bypeer_joined *joined, const char *text, struct issued_keys *keys,
                       struct bypeer_problem *problem)
{
    struct issued_search search = {.joined = joined, .text = text, .keys = keys};
    int result = bypeer_joined_each_issued(joined, 0, issued_on_search, &search, problem);
    if (result < 0)
        return result;
    if (search.is_ambiguous)
        return bypeer_problem_set(problem, -EINVAL, "ambiguous_member",
                                  "member \"%.100s\"\nis the friendly name of several, invited ones among them\n"
                                  "give the peer name, see bypeer group issued and bypeer group members",
                                  text);
    return 0;
}
