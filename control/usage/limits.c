#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/log.h"
#include "control/node.h"
#include "control/usage/state.h"
#include "overlay/meter/rate.h"

/* --- periods --- */

static uint32_t usage_period(enum bypeer_quota_period period, uint64_t unix_s)
{
    time_t now = (time_t)unix_s;
    struct tm calendar;
    if (period == BYPEER_QUOTA_ALL || !gmtime_r(&now, &calendar))
        return 0;
    uint32_t year = (uint32_t)calendar.tm_year;
    return period == BYPEER_QUOTA_DAY ? 1 + year * 366 + (uint32_t)calendar.tm_yday
                                      : 1 + (year + 100000) * 12 + (uint32_t)calendar.tm_mon;
}

uint64_t usage_used(struct usage_account *account, enum bypeer_quota_period period, uint64_t unix_s)
{
    struct bypeer_store_account *row = &account->row;
    uint64_t bytes = row->all.received_bytes + row->all.sent_bytes;
    uint32_t now = usage_period(period, unix_s);
    if (unix_s != 0 && row->period != now) {
        row->period = now;
        row->period_base = now == 0 ? 0 : bytes;
        account->dirty = true;
    }
    return bytes - row->period_base;
}

/* --- in the tables --- */

static bool usage_is_so(const struct bypeer_limit *present, const struct bypeer_limit *wanted)
{
    return present && present->flags == wanted->flags && present->bits_s == wanted->bits_s &&
           present->burst == wanted->burst;
}

/* Makes the tables say what a limit does. */
static void usage_apply(struct bypeer_usage *usage, const struct bypeer_usage_limit *limit)
{
    struct bypeer_writer *writer = usage->node->generation->writer;
    const struct bypeer_model *model = usage->node->model;
    const char *name = limit->limit.name;
    struct bypeer_limit wanted = {.bits_s = limit->limit.bits_s, .burst = limit->limit.burst};
    wanted.flags = (limit->limit.bits_s ? BYPEER_LIMIT_RATE : 0) | (limit->blocked ? BYPEER_LIMIT_BLOCKED : 0);
    if (limit->limit.of_group) {
        const struct bypeer_model_group *group = bypeer_model_find_group(model, name);
        wanted.id = group && group->live ? group->id : 0;
    } else {
        const struct bypeer_model_link *link = bypeer_model_find_link(model, name);
        wanted.id = link && link->live ? link->id : 0;
    }
    if (wanted.id == 0)
        return;
    const struct bypeer_limit *present = limit->limit.of_group ? bypeer_writer_find_group_limit(writer, wanted.id)
                                                               : bypeer_writer_find_link_limit(writer, wanted.id);
    /* What does not fit before a grace period has passed is put by the next turn. */
    if (wanted.flags == 0 && present)
        (void)(limit->limit.of_group ? bypeer_writer_remove_group_limit(writer, wanted.id)
                                     : bypeer_writer_remove_link_limit(writer, wanted.id));
    else if (wanted.flags != 0 && !usage_is_so(present, &wanted))
        (void)(limit->limit.of_group ? bypeer_writer_put_group_limit(writer, &wanted)
                                     : bypeer_writer_put_link_limit(writer, &wanted));
}

/* --- the list --- */

bool usage_reserve_limit(struct bypeer_usage *usage)
{
    if (usage->limit_count < usage->limit_room)
        return true;
    size_t room = usage->limit_room ? 2 * usage->limit_room : 16;
    struct bypeer_usage_limit *more = reallocarray(usage->limits, room, sizeof(*usage->limits));
    if (!more)
        return false;
    usage->limits = more;
    usage->limit_room = room;
    return true;
}

/* The place of the first limit that is not before this one. */
static size_t usage_place(const struct bypeer_usage *usage, bool of_group, const char *name)
{
    size_t low = 0, high = usage->limit_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct bypeer_store_limit *limit = &usage->limits[middle].limit;
        bool is_before = limit->of_group != of_group ? of_group : strcmp(limit->name, name) < 0;
        low = is_before ? middle + 1 : low;
        high = is_before ? high : middle;
    }
    return low;
}

static struct bypeer_usage_limit *usage_find(const struct bypeer_usage *usage, bool of_group, const char *name)
{
    size_t place = usage_place(usage, of_group, name);
    struct bypeer_usage_limit *limit = place < usage->limit_count ? &usage->limits[place] : NULL;
    return limit && limit->limit.of_group == of_group && strcmp(limit->limit.name, name) == 0 ? limit : NULL;
}

/* There is room. */
static struct bypeer_usage_limit *usage_insert(struct bypeer_usage *usage, const struct bypeer_store_limit *limit)
{
    size_t place = usage_place(usage, limit->of_group, limit->name);
    struct bypeer_usage_limit *at = &usage->limits[place];
    memmove(at + 1, at, (usage->limit_count++ - place) * sizeof(*at));
    return at;
}

const struct bypeer_usage_limit *bypeer_usage_find_limit(const struct bypeer_usage *usage, bool of_group,
                                                         const char *name)
{
    const struct bypeer_usage_limit *limit = usage_find(usage, of_group, name);
    return limit && !limit->is_over ? limit : NULL;
}

void usage_end_limit(struct bypeer_usage *usage, bool of_group, const char *name)
{
    struct bypeer_usage_limit *limit = usage_find(usage, of_group, name);
    if (limit)
        limit->is_over = true;
}

const struct bypeer_usage_limit *bypeer_usage_limit(const struct bypeer_usage *usage, size_t at)
{
    return at < usage->limit_count ? &usage->limits[at] : NULL;
}

static bool usage_exists(const struct bypeer_usage *usage, const struct bypeer_store_limit *limit)
{
    return limit->of_group ? bypeer_model_find_group(usage->node->model, limit->name) != NULL
                           : bypeer_model_find_link(usage->node->model, limit->name) != NULL;
}

static void usage_drop(struct bypeer_usage *usage, struct bypeer_usage_limit *limit)
{
    size_t place = (size_t)(limit - usage->limits);
    memmove(limit, limit + 1, (--usage->limit_count - place) * sizeof(*limit));
}

static int usage_store(struct bypeer_usage *usage, const struct bypeer_store_limit *limit, bool remove,
                       struct bypeer_problem *problem)
{
    struct bypeer_store *store = usage->node->store;
    int result = bypeer_store_begin(store, problem);
    if (result == 0)
        result = remove ? bypeer_store_remove_limit(store, limit->of_group, limit->name, problem)
                        : bypeer_store_put_limit(store, limit, problem);
    return bypeer_store_end(store, result, problem);
}

static int usage_check(const struct bypeer_usage *usage, const struct bypeer_store_limit *limit,
                       struct bypeer_problem *problem)
{
    const char *what = limit->of_group ? "group" : "link";
    if (!usage_exists(usage, limit))
        return bypeer_problem_set(problem, -ENOENT, limit->of_group ? "no_such_group" : "no_such_link",
                                  "%s \"%.64s\"\ndoes not exist\nlist them with: bypeer %ss", what, limit->name, what);
    if (limit->of_group && limit->quota)
        return bypeer_problem_set(problem, -EINVAL, "bad_parameter",
                                  "quota of group \"%.64s\"\nonly members have quotas\nset those of its members",
                                  limit->name);
    if (limit->bits_s && (limit->bits_s < BYPEER_RATE_MIN || limit->bits_s > BYPEER_RATE_MAX))
        return bypeer_problem_set(problem, -EINVAL, "bad_parameter",
                                  "rate of \"%.64s\"\n%llu bits a second is not from %d to %llu\ngive another one",
                                  limit->name, (unsigned long long)limit->bits_s, BYPEER_RATE_MIN,
                                  (unsigned long long)BYPEER_RATE_MAX);
    if (limit->bits_s && (limit->burst < BYPEER_RATE_BURST_MIN || limit->burst > BYPEER_RATE_BURST_MAX))
        return bypeer_problem_set(problem, -EINVAL, "bad_parameter",
                                  "burst of \"%.64s\"\n%llu bytes is not from %d to %u\ngive another one, or none",
                                  limit->name, (unsigned long long)limit->burst, BYPEER_RATE_BURST_MIN,
                                  (unsigned)BYPEER_RATE_BURST_MAX);
    return 0;
}

int bypeer_usage_set_limit(struct bypeer_usage *usage, const struct bypeer_store_limit *limit,
                           struct bypeer_problem *problem)
{
    struct bypeer_usage_limit *present = usage_find(usage, limit->of_group, limit->name);
    bool remove = limit->bits_s == 0 && limit->quota == 0;
    int result = usage_check(usage, limit, problem);
    if (result == 0 && !usage_reserve_limit(usage))
        return bypeer_problem_no_memory(problem);
    if (result == 0)
        result = usage_store(usage, limit, remove, problem);
    if (result < 0)
        return result;
    if (!present && !remove)
        present = usage_insert(usage, limit);
    if (present) {
        *present = (struct bypeer_usage_limit){.limit = *limit};
        usage_apply(usage, present);
    }
    if (present && remove)
        usage_drop(usage, present);
    return 0;
}

static void usage_judge(struct bypeer_usage *usage, const struct bypeer_sessions_view *view,
                        struct bypeer_usage_limit *limit)
{
    const struct bypeer_model_link *link =
        limit->limit.quota ? bypeer_model_find_link(usage->node->model, limit->limit.name) : NULL;
    struct usage_account *account = link && link->live ? usage_account_of(usage, view, link) : NULL;
    bool blocked = account && usage_used(account, limit->limit.period, usage->unix_s) >= limit->limit.quota;
    if (account && blocked != limit->blocked)
        bypeer_log(BYPEER_LOG_NOTICE, "member %s: %s", limit->limit.name,
                   blocked ? "its quota is used up, nothing is carried for it" : "is carried for again");
    limit->blocked = blocked;
}

void usage_turn_limits(struct bypeer_usage *usage, const struct bypeer_sessions_view *view)
{
    struct bypeer_problem problem;
    for (size_t at = 0; at < usage->limit_count; at++) {
        struct bypeer_usage_limit *limit = &usage->limits[at];
        if (!limit->is_over && usage_exists(usage, &limit->limit)) {
            usage_judge(usage, view, limit);
            usage_apply(usage, limit);
        } else if (!bypeer_store_in_transaction(usage->node->store) &&
                   usage_store(usage, &limit->limit, true, &problem) == 0) {
            usage_drop(usage, limit);
            at--; /* the next one has taken its place */
        }
    }
}
