#include "control/names/feed.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/names/snapshot.h"
#include "control/names/state.h"

#define AGAIN_MS   2 /* what must wait for a grace period */
#define STALE_MS   1000
#define LEARN_S    200 /* LOOKUPs a second and worker whose route entry is unknown, and that are punted for it */
#define VERIFIED_S 100
#define ANSWERS_S  5000

struct bypeer_feed {
    struct bypeer_names *names;
    uv_timer_t timer;
    unsigned handles; /* of the loop, and the rebuild */
    bool closing;

    bool dirty;                                /* something is not committed */
    bool stale;                                /* the index lacks something that found no room in it */
    bool full;                                 /* and cannot grow any more */
    bool records[NAMES_CLOUDS_MAX + 1];        /* clouds whose record and own IDs are to be written */
    bool present[NAMES_CLOUDS_MAX + 1];        /* clouds that have a record */
    bool whole[NAMES_CLOUDS_MAX + 1];          /* clouds of which the index has all IDs, not only own ones */
    bool filling[NAMES_CLOUDS_MAX + 1];        /* that will be, by the build that is under way */
    bool leaving[NAMES_CLOUDS_MAX + 1];        /* numbers under which workers find what was removed, until a commit */
    uint64_t refused_ms[NAMES_CLOUDS_MAX + 1]; /* when the cloud's record was refused; 0: it was not */
    uint64_t rebuilt_ms;
    struct bypeer_log_limit log_limit;

    /* A rebuild: on a thread from begin to built. */
    bool building, built;
    bool forgotten; /* the writer that it was for is gone */
    uv_work_t work;
    uv_sem_t done;
    struct bypeer_names_build *build;
    struct bypeer_snapshot snapshot;
    struct bypeer_names_source source;
};

static struct bypeer_writer *feed_writer(const struct bypeer_feed *feed)
{
    return feed->names->node->generation->writer;
}

/* --- changes --- */

/* Workers answer no more for the cloud. */
static void feed_cut(struct bypeer_feed *feed, uint8_t number)
{
    feed->records[number] = feed->records[number] || feed->whole[number];
    feed->whole[number] = feed->filling[number] = false;
}

static void feed_note(struct bypeer_feed *feed, uint8_t number, int result)
{
    feed->dirty = feed->dirty || result >= 0;
    feed->stale = feed->stale || result == -ENOBUFS || result == -ENOSPC;
    if (result == -ENOSPC && feed->full)
        feed_cut(feed, number);
}

void bypeer_feed_known(struct bypeer_feed *feed, const struct bypeer_cloud *cloud, enum bypeer_cache_change change,
                       const struct bypeer_route *route)
{
    if (change == BYPEER_CACHE_LEAVES || (route->flags & BYPEER_ROUTE_OWN))
        feed->records[cloud->number] = true;
    if (change == BYPEER_CACHE_LEAVES)
        return;
    if (!feed->present[cloud->number] || feed->stale)
        return; /* all at once, later */
    const bool wanted =
        feed->whole[cloud->number] || feed->filling[cloud->number] || (route->flags & BYPEER_ROUTE_OWN) != 0;
    if (change == BYPEER_CACHE_REMOVED || !wanted) {
        int result = bypeer_writer_remove_name(feed_writer(feed), cloud->number, route->id);
        if (result != -ENOENT)
            feed_note(feed, cloud->number, result);
        return;
    }
    struct bypeer_name name;
    bypeer_snapshot_name(route, &name);
    feed_note(feed, cloud->number, bypeer_writer_put_name(feed_writer(feed), cloud->number, &name));
}

void bypeer_feed_changed(struct bypeer_feed *feed, const struct bypeer_cloud *cloud)
{
    feed->records[cloud->number] = true;
    feed->refused_ms[cloud->number] = 0;
}

void bypeer_feed_remove_cloud(struct bypeer_feed *feed, uint8_t number)
{
    feed->records[number] = feed->whole[number] = feed->filling[number] = false;
    feed->refused_ms[number] = 0;
    if (!feed->present[number])
        return;
    feed->present[number] = false;
    feed->leaving[number] = true;
    feed->dirty = true;
    feed->stale = feed->stale || feed->building; /* which would bring its IDs back */
    bypeer_writer_remove_cloud(feed_writer(feed), number);
}

/* --- clouds and own IDs --- */

static int feed_compare_owns(const void *one, const void *other)
{
    return memcmp(((const struct bypeer_name_own *)one)->id, ((const struct bypeer_name_own *)other)->id, 32);
}

/* The ends of an ID's leaf set; where either side is not full, every ID would be in it. */
static void feed_leaf_ends(const struct bypeer_cache *cache, struct bypeer_name_own *own)
{
    const struct bypeer_route *low[BYPEER_LEAF_SET], *high[BYPEER_LEAF_SET];
    memcpy(own->leaf_low, own->id, 32);
    memcpy(own->leaf_high, own->id, 32);
    if (bypeer_cache_leaves(cache, own->id, false, low) < BYPEER_LEAF_SET ||
        bypeer_cache_leaves(cache, own->id, true, high) < BYPEER_LEAF_SET)
        return;
    memcpy(own->leaf_low, low[BYPEER_LEAF_SET - 1]->id, 32);
    memcpy(own->leaf_high, high[BYPEER_LEAF_SET - 1]->id, 32);
}

/* The IDs that are registered in the cloud, ascending; *ret_owns is to be freed. */
static int feed_collect_owns(const struct bypeer_feed *feed, const struct bypeer_cloud *cloud,
                             struct bypeer_name_own **ret_owns, uint32_t *ret_count)
{
    const struct bypeer_cache *cache = bypeer_pnrp_cache(cloud->pnrp);
    struct bypeer_name_own *owns = calloc(feed->names->publication_count + 1u, sizeof(*owns));
    uint32_t count = 0;
    if (!owns)
        return -ENOMEM;
    for (const struct names_publication *publication = feed->names->publications; publication;
         publication = publication->next) {
        const uint8_t *id = publication->registrations[cloud->number].id;
        const struct bypeer_route *route =
            publication->registrations[cloud->number].handle != 0 ? bypeer_cache_find(cache, id) : NULL;
        if (!route || !(route->flags & BYPEER_ROUTE_OWN))
            continue;
        memcpy(owns[count].id, id, 32);
        feed_leaf_ends(cache, &owns[count++]);
    }
    qsort(owns, count, sizeof(*owns), feed_compare_owns);
    *ret_owns = owns;
    *ret_count = count;
    return 0;
}

static void feed_record(const struct bypeer_cloud *cloud, bool answers, struct bypeer_cloud_record *ret_record)
{
    const struct bypeer_profile *profile = bypeer_cloud_profile(&cloud->config);
    *ret_record = (struct bypeer_cloud_record){
        .number = cloud->number,
        .flags = answers ? BYPEER_CLOUD_ANSWERS : 0,
        .port = cloud->config.port,
        .version_major = profile->pnrp_major,
        .version_minor = profile->pnrp_minor,
        .address_count = (uint8_t)cloud->endpoint_count,
        .stranger_bytes_s = cloud->meter.stranger_bytes_s,
        .verified_answers_s = VERIFIED_S,
        .answers_s = ANSWERS_S,
        .learn_s = LEARN_S,
    };
    memcpy(ret_record->cookie_secret, cloud->meter.secret, sizeof(ret_record->cookie_secret));
    for (unsigned at = 0; at < cloud->endpoint_count; at++)
        memcpy(ret_record->addresses[at], cloud->endpoints[at].address, 16);
}

static int feed_put_cloud(struct bypeer_feed *feed, const struct bypeer_cloud *cloud, bool answers)
{
    struct bypeer_cloud_record record;
    feed_record(cloud, answers && feed->whole[cloud->number], &record);
    int result = bypeer_writer_put_cloud(feed_writer(feed), &record);
    if (result >= 0 && !feed->present[cloud->number]) {
        feed->present[cloud->number] = true;
        feed->stale = true; /* what it knew before */
    }
    if (result == -EEXIST)
        bypeer_log_limited(&feed->log_limit, BYPEER_LOG_WARNING,
                           "cloud %s: the data plane does not answer for it: a link or another cloud has its address "
                           "and port",
                           cloud->config.name);
    if (result < 0 && result != -EAGAIN)
        bypeer_feed_remove_cloud(feed, cloud->number); /* what it was is no longer true */
    return result < 0 ? result : 0;
}

/* Writes the cloud's record and own IDs, or what there is of it stays as it is. */
static int feed_write_cloud(struct bypeer_feed *feed, const struct bypeer_cloud *cloud)
{
    struct bypeer_name_own *owns;
    uint32_t count;
    if (cloud->endpoint_count == 0) {
        bypeer_feed_remove_cloud(feed, cloud->number);
        return 0;
    }
    if (feed->leaving[cloud->number])
        return -EAGAIN;
    int result = feed_collect_owns(feed, cloud, &owns, &count);
    if (result < 0)
        return result;
    result = feed_put_cloud(feed, cloud, cloud->config.answers || count > 0);
    if (result == 0)
        result = bypeer_writer_set_own(feed_writer(feed), cloud->number, owns, count);
    feed->dirty = feed->dirty || result == 0;
    free(owns);
    return result;
}

static void feed_want_turn(uint64_t *again_ms, uint64_t ms)
{
    if (*again_ms == 0 || ms < *again_ms)
        *again_ms = ms;
}

static void feed_write_clouds(struct bypeer_feed *feed, uint64_t *again_ms)
{
    const uint64_t now = uv_now(feed->names->loop);
    for (const struct bypeer_cloud *cloud = feed->names->clouds; cloud; cloud = cloud->next) {
        const uint8_t number = cloud->number;
        if (!feed->records[number] || cloud->closing)
            continue;
        if (feed->refused_ms[number] == 0 || now - feed->refused_ms[number] >= STALE_MS) {
            int result = feed_write_cloud(feed, cloud);
            feed->records[number] = result < 0;
            feed->refused_ms[number] = result < 0 && result != -EAGAIN ? now : 0;
        }
        if (feed->records[number])
            feed_want_turn(again_ms, feed->refused_ms[number] != 0 ? STALE_MS : AGAIN_MS);
    }
}

/* --- rebuilds --- */

static void feed_build(uv_work_t *work)
{
    struct bypeer_feed *feed = work->data;
    bypeer_names_build(feed->build);
    uv_sem_post(&feed->done);
}

static void feed_end(struct bypeer_feed *feed)
{
    if (--feed->handles > 0)
        return;
    uv_sem_destroy(&feed->done);
    free(feed);
}

static void feed_on_built(uv_work_t *work, int status)
{
    (void)status;
    struct bypeer_feed *feed = work->data;
    if (!feed->forgotten)
        uv_sem_wait(&feed->done);
    feed->building = false;
    feed->built = !feed->forgotten && !feed->closing;
    feed->forgotten = false;
    bypeer_snapshot_free(&feed->snapshot);
    feed_end(feed);
}

/* The cloud of a number that has a record; NULL: there is none. */
static const struct bypeer_cache *feed_cache(const struct bypeer_feed *feed, uint8_t number)
{
    const struct bypeer_cloud *cloud = feed->present[number] ? feed->names->clouds : NULL;
    while (cloud && (cloud->number != number || cloud->closing))
        cloud = cloud->next;
    return cloud ? bypeer_pnrp_cache(cloud->pnrp) : NULL;
}

/* Which clouds an index for so many IDs holds wholly, beside the own IDs of all. Returns how many IDs there are. */
static uint64_t feed_plan(const struct bypeer_feed *feed, uint64_t room, bool ret_whole[static NAMES_CLOUDS_MAX + 1])
{
    uint64_t taken = 0, all = 0;
    for (uint8_t number = 1; number <= NAMES_CLOUDS_MAX; number++) {
        const struct bypeer_cache *cache = feed_cache(feed, number);
        taken += cache ? bypeer_cache_own_count(cache) : 0;
    }
    all = taken;
    for (uint8_t number = 1; number <= NAMES_CLOUDS_MAX; number++) {
        const struct bypeer_cache *cache = feed_cache(feed, number);
        const uint64_t count = cache ? bypeer_cache_count(cache) : 0;
        ret_whole[number] = cache && taken + count <= room;
        taken += ret_whole[number] ? count : 0;
        all += count;
    }
    return all;
}

/* How many IDs clouds may fill; when not all find room, some are left, lest clouds come and go. */
static uint64_t feed_room(const struct bypeer_feed *feed)
{
    const uint32_t names = feed->names->node->generation->size.names;
    return feed->full ? names - names / 64 : names;
}

/* Another generation of tables, where the index has no room for all. */
static void feed_grow(struct bypeer_feed *feed, uint64_t count)
{
    struct bypeer_node *node = feed->names->node;
    struct bypeer_tables_size size = node->generation->size;
    struct bypeer_problem problem;
    char text[BYPEER_PROBLEM_TEXT];
    const uint64_t most = node->config->names.ids_max;
    uint64_t wanted = size.names > 0 ? size.names : node->config->names.ids;
    if (count <= size.names || feed->full)
        return;
    while (wanted < count + count / 8)
        wanted *= 2;
    if (wanted > most)
        wanted = most;
    if (wanted > size.names) {
        size.names = (uint32_t)wanted;
        if (bypeer_node_renew(node, &size, node->generation->layout, &problem) < 0)
            bypeer_log_limited(&feed->log_limit, BYPEER_LOG_WARNING, "%s", bypeer_problem_text(&problem, text));
    }
    feed->full = node->generation->size.names < count;
    if (feed->full)
        bypeer_log_limited(
            &feed->log_limit, BYPEER_LOG_WARNING,
            "names: %llu IDs are known and the tables have room for %u: workers do not answer for clouds "
            "that find no room; raise names.ids-max",
            (unsigned long long)count, node->generation->size.names);
}

/* What the index is to have, for the build that has begun. */
static int feed_take_snapshot(struct bypeer_feed *feed)
{
    bool whole[NAMES_CLOUDS_MAX + 1];
    int result = 0;
    feed_plan(feed, feed_room(feed), whole);
    for (uint8_t number = 1; number <= NAMES_CLOUDS_MAX && result == 0; number++) {
        const struct bypeer_cache *cache = feed_cache(feed, number);
        if (!cache)
            continue;
        if (!whole[number])
            feed_cut(feed, number);
        feed->filling[number] = whole[number];
        result = whole[number] ? bypeer_snapshot_add(&feed->snapshot, number, cache)
                               : bypeer_snapshot_add_own(&feed->snapshot, number, cache);
    }
    return result;
}

/* The build under way comes to nothing. */
static void feed_give_up(struct bypeer_feed *feed)
{
    memset(feed->filling, 0, sizeof(feed->filling));
    feed->built = false;
}

/* Everything anew, from the caches, which are copied only when there is a half to build. */
static int feed_begin_anew(struct bypeer_feed *feed)
{
    bool whole[NAMES_CLOUDS_MAX + 1];
    feed_grow(feed, feed_plan(feed, 0, whole));
    feed->source = (struct bypeer_names_source){.next = bypeer_snapshot_next, .context = &feed->snapshot};
    int result = bypeer_writer_begin_names(feed_writer(feed), &feed->source, &feed->build);
    if (result < 0)
        return result;
    result = feed_take_snapshot(feed);
    if (result < 0) {
        bypeer_snapshot_free(&feed->snapshot);
        bypeer_writer_swap_names(feed_writer(feed)); /* which ends what was not built */
        feed_give_up(feed);
    }
    feed->stale = result < 0;
    return result;
}

static void feed_begin(struct bypeer_feed *feed, uint64_t *again_ms)
{
    int result = feed->stale ? feed_begin_anew(feed) : bypeer_writer_begin_names(feed_writer(feed), NULL, &feed->build);
    if (result == -EAGAIN) {
        feed_want_turn(again_ms, AGAIN_MS);
        return;
    }
    feed->rebuilt_ms = uv_now(feed->names->loop);
    feed->building = result == 0;
    if (!feed->building)
        return;
    feed->handles++;
    feed->work.data = feed;
    uv_queue_work(feed->names->loop, &feed->work, feed_build, feed_on_built);
}

static void feed_swap(struct bypeer_feed *feed, uint64_t *again_ms)
{
    int result = bypeer_writer_swap_names(feed_writer(feed));
    if (result == -EAGAIN) {
        feed_want_turn(again_ms, AGAIN_MS);
        return;
    }
    for (unsigned number = 1; number <= NAMES_CLOUDS_MAX && result == 0; number++)
        if (feed->filling[number] && !feed->whole[number])
            feed->whole[number] = feed->records[number] = true;
    feed->stale = feed->stale || result < 0;
    feed_give_up(feed);
}

/* Whether a cloud that found no room would find it now. */
static bool feed_has_room_again(const struct bypeer_feed *feed)
{
    bool whole[NAMES_CLOUDS_MAX + 1], cut = false, again = false;
    for (unsigned number = 1; number <= NAMES_CLOUDS_MAX; number++)
        cut = cut || (feed->present[number] && !feed->whole[number]);
    if (!cut)
        return false;
    feed_plan(feed, feed_room(feed), whole);
    for (unsigned number = 1; number <= NAMES_CLOUDS_MAX; number++)
        again = again || (whole[number] && !feed->whole[number]);
    return again;
}

static bool feed_wants_rebuild(const struct bypeer_feed *feed)
{
    const uint32_t names = feed->names->node->generation->size.names;
    const uint32_t delta = names < BYPEER_NAMES_DELTA ? names : BYPEER_NAMES_DELTA;
    if (feed->building || feed->built)
        return false;
    if (feed->stale || bypeer_writer_names_crowded(feed_writer(feed)))
        if (feed->rebuilt_ms == 0 || uv_now(feed->names->loop) - feed->rebuilt_ms >= STALE_MS)
            return true;
    return !feed->stale && bypeer_writer_names_room(feed_writer(feed)) < delta / 2;
}

/* --- the loop --- */

static void feed_on_timer(uv_timer_t *timer)
{
    (void)timer; /* the turn comes before the loop sleeps */
}

static void feed_commit(struct bypeer_feed *feed, uint64_t *again_ms)
{
    if (!feed->dirty)
        return;
    int result = bypeer_writer_commit_names(feed_writer(feed));
    feed->dirty = result == -EAGAIN;
    if (result == -EAGAIN)
        feed_want_turn(again_ms, AGAIN_MS);
    else if (result < 0)
        feed->stale = true;
    else
        memset(feed->leaving, 0, sizeof(feed->leaving));
}

static bool feed_is_leaving(const struct bypeer_feed *feed)
{
    return memchr(feed->leaving, true, sizeof(feed->leaving)) != NULL;
}

void bypeer_feed_turn(struct bypeer_feed *feed)
{
    uint64_t again_ms = 0;
    if (feed->closing)
        return;
    if (feed_is_leaving(feed))
        feed_commit(feed, &again_ms);
    feed_write_clouds(feed, &again_ms);
    /* Not before the records say that workers do not answer for clouds that the new half lacks. */
    if (feed->built && again_ms != AGAIN_MS)
        feed_swap(feed, &again_ms);
    if (!feed->building && !feed->built && !feed->stale)
        feed->stale = feed_has_room_again(feed);
    if (feed_wants_rebuild(feed))
        feed_begin(feed, &again_ms);
    feed_write_clouds(feed, &again_ms);
    feed_commit(feed, &again_ms);
    if (again_ms == AGAIN_MS)
        bypeer_node_reclaim(feed->names->node);
    if ((feed->stale || bypeer_writer_names_crowded(feed_writer(feed))) && !feed->building)
        feed_want_turn(&again_ms, STALE_MS);
    if (again_ms > 0 && (!uv_is_active((uv_handle_t *)&feed->timer) || uv_timer_get_due_in(&feed->timer) > again_ms))
        uv_timer_start(&feed->timer, feed_on_timer, again_ms, 0);
}

void bypeer_feed_reconfigured(struct bypeer_feed *feed)
{
    feed->stale = feed->stale || feed->full;
    feed->full = false;
}

void bypeer_feed_before_renewal(struct bypeer_feed *feed)
{
    if (feed->building && !feed->forgotten) {
        uv_sem_wait(&feed->done);
        feed->forgotten = true;
    }
    feed_give_up(feed);
}

void bypeer_feed_renewed(struct bypeer_feed *feed)
{
    feed->stale = true;
    feed->full = false;
    feed->rebuilt_ms = 0;
}

/* --- start and end --- */

int bypeer_feed_open(struct bypeer_feed **ret_feed, struct bypeer_names *names)
{
    struct bypeer_feed *feed = calloc(1, sizeof(*feed));
    if (!feed)
        return -ENOMEM;
    feed->names = names;
    if (uv_sem_init(&feed->done, 0) < 0) {
        free(feed);
        return -ENOMEM;
    }
    uv_timer_init(names->loop, &feed->timer);
    feed->timer.data = feed;
    feed->handles = 1;
    *ret_feed = feed;
    return 0;
}

static void feed_on_closed(uv_handle_t *handle)
{
    feed_end(handle->data);
}

void bypeer_feed_close(struct bypeer_feed *feed)
{
    if (!feed)
        return;
    feed->closing = true;
    uv_close((uv_handle_t *)&feed->timer, feed_on_closed);
}
