/*
 * Resolves of local clients over several clouds.
 *
 *   resolve --- part (cloud 1) --- bypeer_pnrp_resolve()     what they report is copied into the resolve's events,
 *           \-- part (cloud 2) --- bypeer_pnrp_resolve()     and given to the client before the loop sleeps
 *
 * It is over when it has as many results as were asked for, or every part has ended.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/names/state.h"

#define RESOLVES_MAX 256

struct names_event {
    struct names_event *next;
    bool is_hop;
    char cloud[64];
    uint8_t id[32];
    struct bypeer_pnrp_hop hop;
    struct bypeer_pnrp_found found;
    struct bypeer_peer_name name;
    uint8_t bytes[]; /* what .found points to */
};

struct names_part {
    struct bypeer_cloud *cloud;
    uint64_t id; /* 0: it is being started */
    bool done;
    int status;
};

struct bypeer_names_resolve {
    struct bypeer_names *names;
    struct bypeer_names_resolve *next, **link; /* of all */
    struct bypeer_names_resolve *next_ready;
    bool is_ready, delivering, cancelled;
    struct bypeer_names_callbacks callbacks;
    void *context;
    unsigned results_max, results;
    struct names_event *events, **events_end;
    unsigned part_count;
    struct names_part parts[NAMES_CLOUDS_MAX];
};

/* --- what the clouds report --- */

static struct bypeer_names_resolve *resolves_find(const struct bypeer_cloud *cloud, uint64_t id,
                                                  struct names_part **ret_part)
{
    const struct bypeer_names *names = cloud->owner;
    for (struct bypeer_names_resolve *resolve = names->resolves; resolve; resolve = resolve->next)
        for (unsigned at = 0; at < resolve->part_count; at++) {
            struct names_part *part = &resolve->parts[at];
            if (part->cloud != cloud || part->done || (part->id != id && part->id != 0))
                continue;
            part->id = id;
            *ret_part = part;
            return resolve;
        }
    return NULL;
}

static void resolves_set_ready(struct bypeer_names_resolve *resolve)
{
    struct bypeer_names *names = resolve->names;
    if (resolve->is_ready)
        return;
    resolve->is_ready = true;
    resolve->next_ready = NULL;
    *names->ready_end = resolve;
    names->ready_end = &resolve->next_ready;
}

static void resolves_add_event(struct bypeer_names_resolve *resolve, struct names_event *event,
                               const struct bypeer_cloud *cloud)
{
    memcpy(event->cloud, cloud->config.name, sizeof(event->cloud));
    event->next = NULL;
    *resolve->events_end = event;
    resolve->events_end = &event->next;
    resolves_set_ready(resolve);
}

/* Copies bytes behind an event; returns where they are now. */
static void *resolves_keep(uint8_t **place, const void *bytes, size_t length)
{
    void *kept = *place;
    if (length > 0)
        memcpy(kept, bytes, length);
    *place += (length + 7) & ~(size_t)7;
    return kept;
}

void names_on_found(struct bypeer_cloud *cloud, uint64_t id, const struct bypeer_pnrp_found *found)
{
    struct names_part *part;
    struct bypeer_names_resolve *resolve = resolves_find(cloud, id, &part);
    if (!resolve || resolve->results >= resolve->results_max)
        return;
    const size_t applications = found->application_count * sizeof(*found->applications);
    const size_t services = found->service_count * sizeof(*found->services);
    const size_t comment = strlen(found->comment) + 1;
    struct names_event *event =
        calloc(1, sizeof(*event) + applications + services + comment + found->payload_bytes + 4 * 8u);
    if (!event)
        return;
    uint8_t *place = event->bytes;
    event->found = *found;
    event->name = *found->name;
    memcpy(event->id, found->id, sizeof(event->id));
    event->found.id = event->id;
    event->found.name = &event->name;
    event->found.applications = resolves_keep(&place, found->applications, applications);
    event->found.services = resolves_keep(&place, found->services, services);
    event->found.comment = resolves_keep(&place, found->comment, comment);
    event->found.payload = resolves_keep(&place, found->payload, found->payload_bytes);
    resolve->results++;
    resolves_add_event(resolve, event, cloud);
}

void names_on_hop(struct bypeer_cloud *cloud, uint64_t id, const struct bypeer_pnrp_hop *hop)
{
    struct names_part *part;
    struct bypeer_names_resolve *resolve = resolves_find(cloud, id, &part);
    struct names_event *event = resolve && resolve->callbacks.hop ? calloc(1, sizeof(*event)) : NULL;
    if (!event)
        return;
    event->is_hop = true;
    event->hop = *hop;
    memcpy(event->id, hop->id, sizeof(event->id));
    event->hop.id = event->id;
    resolves_add_event(resolve, event, cloud);
}

void names_on_finished(struct bypeer_cloud *cloud, uint64_t id, int status)
{
    struct names_part *part;
    struct bypeer_names_resolve *resolve = resolves_find(cloud, id, &part);
    if (!resolve)
        return;
    part->done = true;
    part->status = status;
    resolves_set_ready(resolve);
}

void names_abandon_cloud(struct bypeer_names *names, const struct bypeer_cloud *cloud)
{
    for (struct bypeer_names_resolve *resolve = names->resolves; resolve; resolve = resolve->next)
        for (unsigned at = 0; at < resolve->part_count; at++)
            if (resolve->parts[at].cloud == cloud && !resolve->parts[at].done) {
                resolve->parts[at].done = true;
                resolve->parts[at].status = -ENETUNREACH;
                resolves_set_ready(resolve);
            }
}

/* --- the end --- */

static void resolves_free(struct bypeer_names_resolve *resolve)
{
    while (resolve->events) {
        struct names_event *next = resolve->events->next;
        free(resolve->events);
        resolve->events = next;
    }
    free(resolve);
}

/* Ends what still runs, and takes it out of all lists. */
static void resolves_take_out(struct bypeer_names_resolve *resolve)
{
    struct bypeer_names *names = resolve->names;
    for (unsigned at = 0; at < resolve->part_count; at++) {
        struct names_part *part = &resolve->parts[at];
        if (part->done)
            continue;
        part->done = true;
        bypeer_pnrp_cancel(part->cloud->pnrp, bypeer_cloud_now(), part->id);
        bypeer_cloud_touched(part->cloud);
    }
    *resolve->link = resolve->next;
    if (resolve->next)
        resolve->next->link = resolve->link;
    if (!resolve->is_ready)
        return;
    struct bypeer_names_resolve **link = &names->ready;
    while (*link != resolve)
        link = &(*link)->next_ready;
    *link = resolve->next_ready;
    if (names->ready_end == &resolve->next_ready)
        names->ready_end = link;
    resolve->is_ready = false;
}

void bypeer_names_cancel(struct bypeer_names_resolve *resolve)
{
    if (resolve->cancelled)
        return;
    resolve->cancelled = true;
    resolves_take_out(resolve);
    if (!resolve->delivering)
        resolves_free(resolve);
}

void names_free_resolves(struct bypeer_names *names)
{
    while (names->resolves)
        bypeer_names_cancel(names->resolves);
}

static bool resolves_is_over(const struct bypeer_names_resolve *resolve)
{
    if (resolve->results >= resolve->results_max)
        return true;
    for (unsigned at = 0; at < resolve->part_count; at++)
        if (!resolve->parts[at].done)
            return false;
    return true;
}

/* -ENOENT only if every cloud that is connected says so: that a cloud failed does not mean that nobody has the name. */
static int resolves_status(const struct bypeer_names_resolve *resolve)
{
    int failed = -ENETUNREACH;
    bool answered = false;
    for (unsigned at = 0; at < resolve->part_count; at++) {
        int of_part = resolve->parts[at].status;
        if (of_part == 0 || of_part == -ENOENT)
            answered = true;
        else if (failed == -ENETUNREACH)
            failed = of_part;
    }
    if (resolve->results > 0)
        return 0;
    return answered && failed == -ENETUNREACH ? -ENOENT : failed;
}

static void resolves_deliver(struct bypeer_names_resolve *resolve)
{
    resolve->delivering = true;
    while (resolve->events && !resolve->cancelled) {
        struct names_event *event = resolve->events;
        resolve->events = event->next;
        if (!resolve->events)
            resolve->events_end = &resolve->events;
        if (event->is_hop && resolve->callbacks.hop)
            resolve->callbacks.hop(resolve->context, event->cloud, &event->hop);
        else if (!event->is_hop && resolve->callbacks.found)
            resolve->callbacks.found(resolve->context, event->cloud, &event->found);
        free(event);
    }
    resolve->delivering = false;
    if (!resolve->cancelled && !resolves_is_over(resolve))
        return;
    if (!resolve->cancelled) {
        int status = resolves_status(resolve);
        resolves_take_out(resolve);
        if (resolve->callbacks.finished)
            resolve->callbacks.finished(resolve->context, status);
    }
    resolves_free(resolve);
}

void names_deliver(struct bypeer_names *names)
{
    while (names->ready) {
        struct bypeer_names_resolve *resolve = names->ready;
        names->ready = resolve->next_ready;
        if (!names->ready)
            names->ready_end = &names->ready;
        resolve->is_ready = false;
        resolves_deliver(resolve);
    }
}

/* --- the beginning --- */

static bool resolves_is_wanted(const struct bypeer_names_query *query, const struct bypeer_cloud *cloud)
{
    for (unsigned at = 0; at < query->cloud_count; at++)
        if (strcmp(query->clouds[at], cloud->config.name) == 0)
            return !cloud->leaving;
    return query->cloud_count == 0 && !cloud->leaving;
}

static int resolves_check(const struct bypeer_names *names, const struct bypeer_names_query *query,
                          struct bypeer_problem *problem)
{
    unsigned count = 0;
    if (!names->clouds)
        return bypeer_problem_set(problem, -ENOENT, "no_cloud",
                                  "names\nare in no cloud\nadd one to clouds: in the configuration and reload");
    for (unsigned at = 0; at < query->cloud_count; at++)
        if (!bypeer_names_find_cloud(names, query->clouds[at]))
            return bypeer_problem_set(problem, -ENOENT, "no_such_cloud",
                                      "cloud \"%.64s\"\ndoes not exist\nlist the clouds with: bypeer cloud list",
                                      query->clouds[at]);
    for (const struct bypeer_names_resolve *resolve = names->resolves; resolve; resolve = resolve->next)
        count++;
    if (count >= RESOLVES_MAX)
        return bypeer_problem_set(problem, -ENOSPC, "too_many_resolves",
                                  "names\n%u are being resolved already\nwait until some are done", count);
    return 0;
}

int bypeer_names_resolve(struct bypeer_names *names, const struct bypeer_names_query *query,
                         const struct bypeer_names_callbacks *callbacks, void *context,
                         struct bypeer_names_resolve **ret_resolve, struct bypeer_problem *problem)
{
    int result = resolves_check(names, query, problem);
    if (result < 0)
        return result;
    struct bypeer_names_resolve *resolve = calloc(1, sizeof(*resolve));
    if (!resolve)
        return bypeer_problem_no_memory(problem);
    *resolve = (struct bypeer_names_resolve){
        .names = names,
        .next = names->resolves,
        .link = &names->resolves,
        .callbacks = *callbacks,
        .context = context,
        .results_max = query->results_max ? query->results_max : 1,
    };
    resolve->events_end = &resolve->events;
    if (resolve->next)
        resolve->next->link = &resolve->next;
    names->resolves = resolve;
    struct bypeer_pnrp_query asked = {
        .name = query->name,
        .criterion = query->criterion,
        .has_prefix = query->has_prefix,
        .results_max = resolve->results_max,
        .timeout_ms = query->timeout_ms,
        .own = query->own,
    };
    memcpy(asked.prefix, query->prefix, sizeof(asked.prefix));
    for (struct bypeer_cloud *cloud = names->clouds; cloud; cloud = cloud->next) {
        if (!resolves_is_wanted(query, cloud) || resolve->part_count == NAMES_CLOUDS_MAX)
            continue;
        struct names_part *part = &resolve->parts[resolve->part_count++];
        uint64_t id = 0;
        *part = (struct names_part){.cloud = cloud};
        result = bypeer_pnrp_resolve(cloud->pnrp, bypeer_cloud_now(), &asked, &id);
        bypeer_cloud_touched(cloud);
        if (result < 0) {
            part->done = true;
            part->status = result;
        } else {
            part->id = id;
        }
    }
    if (resolves_is_over(resolve))
        resolves_set_ready(resolve);
    *ret_resolve = resolve;
    return 0;
}
