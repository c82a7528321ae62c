/*
 * Accounts. Every second a tenth of them is added up and, where something changed, saved: so a save is one transaction
 * of a tenth of the active links, and none waits longer than ten seconds.
 */
#include "control/usage/usage.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/log.h"
#include "control/node.h"
#include "control/usage/state.h"

#define USAGE_SLICES 10

static bool usage_reserve(struct bypeer_usage *usage, uint32_t id)
{
    if (id < usage->account_room)
        return true;
    uint32_t room = usage->account_room ? usage->account_room : 64;
    while (room <= id)
        room *= 2;
    struct usage_account **more = reallocarray(usage->accounts, room, sizeof(struct usage_account *));
    if (!more)
        return false;
    memset(more + usage->account_room, 0, (room - usage->account_room) * sizeof(struct usage_account *));
    usage->accounts = more;
    usage->account_room = room;
    return true;
}

/* --- opening --- */

struct usage_opening {
    struct bypeer_usage *usage;
    char (*strays)[64]; /* names of links that are no more */
    size_t stray_count;
};

static int usage_on_account(void *context, const struct bypeer_store_account *row)
{
    struct usage_opening *opening = context;
    struct bypeer_usage *usage = opening->usage;
    const struct bypeer_model_link *link = bypeer_model_find_link(usage->node->model, row->name);
    if (!link) {
        char(*strays)[64] = reallocarray(opening->strays, opening->stray_count + 1, sizeof(*strays));
        if (!strays)
            return -ENOMEM;
        opening->strays = strays;
        memcpy(strays[opening->stray_count++], row->name, sizeof(*strays));
        return 0;
    }
    struct usage_account *account = usage_reserve(usage, link->id) ? calloc(1, sizeof(*account)) : NULL;
    if (!account)
        return -ENOMEM;
    account->row = *row;
    usage->accounts[link->id] = account;
    return 0;
}

static int usage_on_limit(void *context, const struct bypeer_store_limit *limit)
{
    struct usage_opening *opening = context;
    if (!usage_reserve_limit(opening->usage))
        return -ENOMEM;
    opening->usage->limits[opening->usage->limit_count++] = (struct bypeer_usage_limit){.limit = *limit};
    return 0;
}

static int usage_read(struct usage_opening *opening, struct bypeer_problem *problem)
{
    struct bypeer_store *store = opening->usage->node->store;
    int result = bypeer_store_each_account(store, usage_on_account, opening, problem);
    if (result == 0)
        result = bypeer_store_each_limit(store, usage_on_limit, opening, problem);
    if (result == -ENOMEM)
        return bypeer_problem_no_memory(problem);
    if (result == 0)
        result = bypeer_store_begin(store, problem);
    for (size_t at = 0; at < opening->stray_count && result == 0; at++)
        result = bypeer_store_remove_account(store, opening->strays[at], problem);
    return bypeer_store_end(store, result, problem);
}

int bypeer_usage_open(struct bypeer_usage **ret_usage, struct bypeer_node *node, struct bypeer_problem *problem)
{
    struct bypeer_usage *usage = calloc(1, sizeof(*usage));
    if (!usage)
        return bypeer_problem_no_memory(problem);
    usage->node = node;
    struct usage_opening opening = {.usage = usage};
    int result = usage_read(&opening, problem);
    free(opening.strays);
    if (result < 0) {
        bypeer_usage_close(usage);
        return result;
    }
    usage_turn_limits(usage, NULL);
    *ret_usage = usage;
    return 0;
}

void bypeer_usage_close(struct bypeer_usage *usage)
{
    if (!usage)
        return;
    for (uint32_t id = 0; id < usage->account_room; id++)
        free(usage->accounts[id]);
    free(usage->accounts);
    free(usage->limits);
    free(usage);
}

void bypeer_usage_name_dropped(struct bypeer_usage *usage, const char *name, uint32_t link)
{
    if (!usage)
        return;
    usage_end_limit(usage, link == 0, name);
    if (link < usage->account_room && usage->accounts[link])
        usage->accounts[link]->is_over = true;
}

/* --- one account --- */

static struct usage_account *usage_make(const struct bypeer_model_link *link)
{
    struct usage_account *account = calloc(1, sizeof(*account));
    if (!account)
        return NULL;
    memcpy(account->row.name, link->name, sizeof(account->row.name));
    account->dirty = true; /* the database may have one of a link of that name before it */
    return account;
}

static void usage_add(struct usage_account *account, const struct bypeer_sessions_view *view,
                      const struct bypeer_model_link *link)
{
    struct bypeer_store_account *row = &account->row;
    struct bypeer_session sum;
    if (!view || !view->entries)
        return;
    bypeer_sessions_sum(view, link->id, link->serial, &sum);
    const struct bypeer_store_traffic now = {.received_packets = sum.received_packets,
                                             .received_bytes = sum.received_bytes,
                                             .sent_packets = sum.sent_packets,
                                             .sent_bytes = sum.sent_bytes};
    /* Another region, or another life of the link in it, counts from 0. Counts never go back otherwise. */
    bool begins = row->region != view->generation || row->serial != link->serial ||
                  now.received_packets < row->seen.received_packets || now.received_bytes < row->seen.received_bytes ||
                  now.sent_packets < row->seen.sent_packets || now.sent_bytes < row->seen.sent_bytes;
    const struct bypeer_store_traffic none = {0};
    const struct bypeer_store_traffic seen = begins ? none : row->seen;
    if (memcmp(&now, &row->seen, sizeof(now)) == 0 && !begins)
        return;
    row->all.received_packets += now.received_packets - seen.received_packets;
    row->all.received_bytes += now.received_bytes - seen.received_bytes;
    row->all.sent_packets += now.sent_packets - seen.sent_packets;
    row->all.sent_bytes += now.sent_bytes - seen.sent_bytes;
    account->dirty = account->dirty || memcmp(&now, &none, sizeof(now)) != 0 || row->region != 0;
    row->seen = now;
    row->region = view->generation;
    row->serial = link->serial;
}

struct usage_account *usage_account_of(struct bypeer_usage *usage, const struct bypeer_sessions_view *view,
                                       const struct bypeer_model_link *link)
{
    if (!usage_reserve(usage, link->id))
        return NULL;
    struct usage_account *account = usage->accounts[link->id];
    if (account && (account->is_over || strcmp(account->row.name, link->name) != 0))
        account = NULL; /* of a link that had this id before: its row goes at the next start */
    if (!account) {
        account = usage_make(link);
        if (!account)
            return NULL;
        free(usage->accounts[link->id]);
        usage->accounts[link->id] = account;
    }
    usage_add(account, view, link);
    return account;
}

bool bypeer_usage_account(struct bypeer_usage *usage, const struct bypeer_sessions_view *view,
                          const struct bypeer_model_link *link, struct bypeer_store_traffic *ret_all,
                          uint64_t *ret_used)
{
    struct usage_account *account = usage_account_of(usage, view, link);
    const struct bypeer_usage_limit *limit = bypeer_usage_find_limit(usage, false, link->name);
    if (!account)
        return false;
    *ret_all = account->row.all;
    *ret_used = limit && limit->limit.quota ? usage_used(account, limit->limit.period, usage->unix_s) : 0;
    return true;
}

/* --- all of them --- */

static void usage_say(const struct bypeer_problem *problem)
{
    char text[BYPEER_PROBLEM_TEXT];
    bypeer_log(BYPEER_LOG_ERROR, "accounts: %s", bypeer_problem_text(problem, text));
}

/* Whether the link is no more that the account at this place is of: its name may be another's by now. */
static bool usage_is_gone(const struct bypeer_usage *usage, uint32_t id)
{
    const struct bypeer_model_link *link =
        usage->accounts[id] ? bypeer_model_find_link(usage->node->model, usage->accounts[id]->row.name) : NULL;
    return usage->accounts[id] && (!link || link->id != id || usage->accounts[id]->is_over);
}

/* Those of ids that leave this remainder; count of slices 1: all. */
static int usage_write(struct bypeer_usage *usage, unsigned slice, unsigned slices, struct bypeer_problem *problem)
{
    int result = bypeer_store_begin(usage->node->store, problem);
    for (uint32_t id = slice; id < usage->account_room && result == 0; id += slices) {
        struct usage_account *account = usage->accounts[id];
        if (account && account->dirty && !usage_is_gone(usage, id))
            result = bypeer_store_put_account(usage->node->store, &account->row, problem);
    }
    result = bypeer_store_end(usage->node->store, result, problem);
    if (result < 0)
        return result;
    for (uint32_t id = slice; id < usage->account_room; id += slices)
        if (usage->accounts[id])
            usage->accounts[id]->dirty = false;
    return 0;
}

static bool usage_is_dirty(const struct bypeer_usage *usage, unsigned slice, unsigned slices)
{
    for (uint32_t id = slice; id < usage->account_room; id += slices)
        if (usage->accounts[id] && usage->accounts[id]->dirty)
            return true;
    return false;
}

static int usage_remove_rows(struct bypeer_usage *usage, unsigned slice, unsigned slices,
                             struct bypeer_problem *problem)
{
    struct bypeer_store *store = usage->node->store;
    int result = bypeer_store_begin(store, problem);
    for (uint32_t id = slice; id < usage->account_room && result == 0; id += slices)
        if (usage_is_gone(usage, id) && !bypeer_model_find_link(usage->node->model, usage->accounts[id]->row.name))
            result = bypeer_store_remove_account(store, usage->accounts[id]->row.name, problem);
    return bypeer_store_end(store, result, problem);
}

/* Accounts of links that are no more, in one transaction. A row whose name a new link has is that one's to write. */
static void usage_forget(struct bypeer_usage *usage, unsigned slice, unsigned slices)
{
    struct bypeer_problem problem;
    bool any = false;
    for (uint32_t id = slice; id < usage->account_room && !any; id += slices)
        any = usage_is_gone(usage, id);
    if (!any)
        return;
    if (usage_remove_rows(usage, slice, slices, &problem) < 0) {
        usage_say(&problem);
        return;
    }
    for (uint32_t id = slice; id < usage->account_room; id += slices) {
        if (!usage_is_gone(usage, id))
            continue;
        free(usage->accounts[id]);
        usage->accounts[id] = NULL;
    }
}

static void usage_save(struct bypeer_usage *usage, const struct bypeer_sessions_view *view, unsigned slice,
                       unsigned slices)
{
    const struct bypeer_model *model = usage->node->model;
    struct bypeer_problem problem;
    for (const struct bypeer_model_link *link = bypeer_model_next_link(model, 0); link;
         link = bypeer_model_next_link(model, link->id))
        if (link->id % slices == slice && link->live && !link->local)
            (void)usage_account_of(usage, view, link);
    if (bypeer_store_in_transaction(usage->node->store))
        return;
    usage_forget(usage, slice, slices);
    if (usage_is_dirty(usage, slice, slices) && usage_write(usage, slice, slices, &problem) < 0)
        usage_say(&problem);
}

void bypeer_usage_save(struct bypeer_usage *usage, const struct bypeer_sessions_view *view)
{
    usage_save(usage, view, 0, 1);
}

void bypeer_usage_turn(struct bypeer_usage *usage, const struct bypeer_sessions_view *view, uint64_t unix_s)
{
    usage->unix_s = unix_s;
    usage_save(usage, view, usage->slice, USAGE_SLICES);
    usage->slice = (usage->slice + 1) % USAGE_SLICES;
    usage_turn_limits(usage, view);
}
