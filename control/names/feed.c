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

    bool dirty;                         /* something is not committed */
    bool stale;                         /* the index lacks something that found no room in it */
    bool full;                          /* and cannot grow any more */
    bool records[NAMES_CLOUDS_MAX + 1]; /* clouds whose record and own IDs are to be written */
    bool present[NAMES_CLOUDS_MAX + 1]; /* clouds that have a record */
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

static void feed_note(struct bypeer_feed *feed, int result)
{
    if (result >= 0)
        feed->dirty = true;
    else if (result == -ENOBUFS || (result == -ENOSPC && !feed->full))
        feed->stale = true;
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
    if (change == BYPEER_CACHE_REMOVED) {
        int result = bypeer_writer_remove_name(feed_writer(feed), cloud->number, route->id);
        feed_note(feed, result == -ENOENT ? 0 : result);
        return;
    }
    struct bypeer_name name = {
        .port = route->port,
        .address_count = route->address_count,
        .flags = route->flags & BYPEER_ROUTE_OWN ? BYPEER_NAME_OWN : 0,
    };
    if (name.address_count > BYPEER_NAME_ADDRESSES)
        name.address_count = BYPEER_NAME_ADDRESSES;
    memcpy(name.id, route->id, sizeof(name.id));
    memcpy(name.addresses[0], route->address, 16);
    if (name.address_count > 1)
        memcpy(name.addresses[1], route->more, 16 * (name.address_count - 1u));
    feed_note(feed, bypeer_writer_put_name(feed_writer(feed), cloud->number, &name));
}

void bypeer_feed_changed(struct bypeer_feed *feed, const struct bypeer_cloud *cloud)
{
    feed->records[cloud->number] = true;
}

void bypeer_feed_remove_cloud(struct bypeer_feed *feed, uint8_t number)
{
    feed->records[number] = false;
    if (!feed->present[number])
        return;
    feed->present[number] = false;
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

/* Writes the cloud's record and own IDs; -EAGAIN: again later. */
static int feed_write_cloud(struct bypeer_feed *feed, const struct bypeer_cloud *cloud)
{
    struct bypeer_cloud_record record;
    struct bypeer_name_own *owns;
    uint32_t count;
    if (cloud->endpoint_count == 0) {
        bypeer_feed_remove_cloud(feed, cloud->number);
        return 0;
    }
    int result = feed_collect_owns(feed, cloud, &owns, &count);
    if (result < 0)
        return result;
    feed_record(cloud, cloud->config.answers || count > 0, &record);
    result = bypeer_writer_put_cloud(feed_writer(feed), &record);
    if (result >= 0 && !feed->present[cloud->number]) {
        feed->present[cloud->number] = true;
        feed->stale = true; /* what it knew before */
    }
    if (result >= 0)
        result = bypeer_writer_set_own(feed_writer(feed), cloud->number, owns, count);
    free(owns);
    feed_note(feed, result);
    if (result == -EEXIST)
        bypeer_log_limited(&feed->log_limit, BYPEER_LOG_WARNING,
                           "cloud %s: the data plane does not answer for it: a link or another cloud has its address "
                           "and port",
                           cloud->config.name);
    return result == -EAGAIN ? result : 0;
}

static bool feed_write_clouds(struct bypeer_feed *feed)
{
    bool again = false;
    for (const struct bypeer_cloud *cloud = feed->names->clouds; cloud; cloud = cloud->next) {
        if (!feed->records[cloud->number] || cloud->closing)
            continue;
        feed->records[cloud->number] = feed_write_cloud(feed, cloud) == -EAGAIN;
        again = again || feed->records[cloud->number];
    }
    return again;
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

/* The index has room for everything: another generation of tables, where it has not. */
static void feed_grow(struct bypeer_feed *feed, size_t count)
{
    struct bypeer_node *node = feed->names->node;
    struct bypeer_tables_size size = node->generation->size;
    struct bypeer_problem problem;
    char text[BYPEER_PROBLEM_TEXT];
    const uint64_t most = node->config->names.ids_max;
    uint64_t wanted = size.names > 0 ? size.names : node->config->names.ids;
    while (wanted < count + count / 8)
        wanted *= 2;
    if (wanted > most)
        wanted = most;
    if (wanted <= size.names) {
        bypeer_log_limited(&feed->log_limit, BYPEER_LOG_WARNING,
                           "names: workers know %u IDs of %zu: raise names.ids-max", size.names, count);
        feed->full = true;
        return;
    }
    size.names = (uint32_t)wanted;
    if (bypeer_node_renew(node, &size, node->generation->layout, &problem) < 0) {
        bypeer_log_limited(&feed->log_limit, BYPEER_LOG_WARNING, "%s", bypeer_problem_text(&problem, text));
        feed->full = true;
    }
}

/* Everything anew, from the caches. */
static void feed_begin_anew(struct bypeer_feed *feed)
{
    struct bypeer_snapshot snapshot = {0};
    int result = 0;
    for (uint8_t number = 1; number <= NAMES_CLOUDS_MAX && result == 0; number++)
        for (const struct bypeer_cloud *cloud = feed->names->clouds; cloud && result == 0; cloud = cloud->next)
            if (cloud->number == number && feed->present[number] && !cloud->closing)
                result = bypeer_snapshot_add(&snapshot, number, bypeer_pnrp_cache(cloud->pnrp));
    if (result == 0 && !feed->full && snapshot.count > feed->names->node->generation->size.names)
        feed_grow(feed, snapshot.count);
    if (snapshot.count > feed->names->node->generation->size.names)
        snapshot.count = feed->names->node->generation->size.names;
    feed->snapshot = snapshot;
    feed->source = (struct bypeer_names_source){.next = bypeer_snapshot_next, .context = &feed->snapshot};
    if (result == 0)
        result = bypeer_writer_begin_names(feed_writer(feed), &feed->source, &feed->build);
    if (result == -EAGAIN)
        bypeer_node_reclaim(feed->names->node);
    if (result < 0) {
        bypeer_snapshot_free(&feed->snapshot);
        return;
    }
    feed->stale = false;
    feed->building = true;
}

static void feed_begin(struct bypeer_feed *feed)
{
    if (feed->stale)
        feed_begin_anew(feed);
    else
        feed->building = bypeer_writer_begin_names(feed_writer(feed), NULL, &feed->build) == 0;
    if (!feed->building)
        return;
    feed->rebuilt_ms = uv_now(feed->names->loop);
    feed->handles++;
    feed->work.data = feed;
    uv_queue_work(feed->names->loop, &feed->work, feed_build, feed_on_built);
}

static bool feed_wants_rebuild(const struct bypeer_feed *feed)
{
    if (feed->building || feed->built)
        return false;
    if (feed->stale)
        return uv_now(feed->names->loop) - feed->rebuilt_ms >= STALE_MS || feed->rebuilt_ms == 0;
    const uint32_t names = feed->names->node->generation->size.names;
    const uint32_t delta = names < BYPEER_NAMES_DELTA ? names : BYPEER_NAMES_DELTA;
    return bypeer_writer_names_room(feed_writer(feed)) < delta / 2;
}

/* --- the loop --- */

static void feed_on_timer(uv_timer_t *timer)
{
    (void)timer; /* the turn comes before the loop sleeps */
}

void bypeer_feed_turn(struct bypeer_feed *feed)
{
    uint64_t again = 0;
    if (feed->closing)
        return;
    if (feed->built) {
        int result = bypeer_writer_swap_names(feed_writer(feed));
        feed->built = result == -EAGAIN;
        if (result == -EAGAIN)
            again = AGAIN_MS;
        else if (result < 0)
            feed->stale = true;
    }
    if (feed_wants_rebuild(feed))
        feed_begin(feed);
    if (feed_write_clouds(feed))
        again = AGAIN_MS;
    if (feed->dirty) {
        int result = bypeer_writer_commit_names(feed_writer(feed));
        feed->dirty = result == -EAGAIN;
        if (result == -EAGAIN)
            again = AGAIN_MS;
        else if (result < 0)
            feed->stale = true;
    }
    if (again > 0)
        bypeer_node_reclaim(feed->names->node);
    if (feed->stale && !feed->building && again == 0)
        again = STALE_MS;
    if (again > 0 && !uv_is_active((uv_handle_t *)&feed->timer))
        uv_timer_start(&feed->timer, feed_on_timer, again, 0);
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
    feed->built = false;
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
