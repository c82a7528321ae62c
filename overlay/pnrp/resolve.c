/*
 * Resolves: searches, repeated from other places until there are enough results or their time is over.
 *
 *   round 0   one search from the nearest known ID; when nobody is known, from the seeds themselves
 *   hedge     if that takes long, a second one beside it, from elsewhere
 *   round n   after a pause that doubles: both at once, so that one liar or dead node on the way decides nothing; for
 *             further results with another service location as target
 */
#include "overlay/pnrp/state.h"

#define RESOLVE_TIMEOUT_MS     30000  /* reference 4.2 */
#define RESOLVE_TIMEOUT_MAX_MS 600000 /* likewise */
#define RESOLVE_RESULTS_MAX    64     /* reference 5.2 */
#define RESOLVE_HEDGE_MS       1200   /* a first hop had its second chance by then */
#define RESOLVE_PAUSE_MS       100
#define RESOLVE_PAUSE_MAX_MS   3200
#define RESOLVE_FRUITLESS_MAX  6 /* rounds without a further result, when there are some */

static const uint8_t resolve_middle[8] = {0x80}; /* [MS-PNRP] 3.1.4.4: of the /64's instances */

static struct bypeer_resolve *resolve_find(const struct bypeer_pnrp *pnrp, uint64_t number)
{
    struct bypeer_resolve *resolve = pnrp->resolves;
    while (resolve && resolve->number != number)
        resolve = resolve->next;
    return resolve;
}

static void resolve_remove(struct bypeer_pnrp *pnrp, struct bypeer_resolve *resolve)
{
    struct bypeer_resolve **at = &pnrp->resolves;
    while (*at != resolve)
        at = &(*at)->next;
    *at = resolve->next;
    pnrp->resolve_count--;
    bypeer_seek_cancel(pnrp, BYPEER_SEEK_RESOLVE, resolve->number);
    free(resolve->results);
    free(resolve);
}

void bypeer_resolve_free_all(struct bypeer_pnrp *pnrp)
{
    while (pnrp->resolves)
        resolve_remove(pnrp, pnrp->resolves);
}

static void resolve_finish(struct bypeer_pnrp *pnrp, struct bypeer_resolve *resolve, int status)
{
    uint64_t number = resolve->number;
    if (resolve->result_count > 0)
        pnrp->counters.resolved++;
    resolve_remove(pnrp, resolve);
    pnrp->sink->finished(pnrp->sink_context, number, status);
}

static bool resolve_is_sensible(const struct bypeer_pnrp_query *query)
{
    bool is_instance = query->criterion == BYPEER_PNRP_ANY || query->criterion == BYPEER_PNRP_NEAREST ||
                       query->criterion == BYPEER_PNRP_NEAREST_64;
    if (query->timeout_ms > RESOLVE_TIMEOUT_MAX_MS || query->results_max > RESOLVE_RESULTS_MAX)
        return false;
    if (query->name && !query->id)
        return is_instance;
    if (!query->id || query->precision > 256)
        return false;
    return is_instance || query->criterion == BYPEER_PNRP_NONE || query->criterion == BYPEER_PNRP_UPPER_BITS;
}

int bypeer_pnrp_resolve(struct bypeer_pnrp *pnrp, struct bypeer_pnrp_time now, const struct bypeer_pnrp_query *query,
                        uint64_t *ret_resolve)
{
    pnrp->now = now;
    if (!resolve_is_sensible(query))
        return -EINVAL;
    if (pnrp->endpoint_count == 0)
        return -ENETUNREACH;
    if (pnrp->resolve_count >= pnrp->resolves_max)
        return -ENOSPC;
    struct bypeer_resolve *resolve = calloc(1, sizeof(*resolve));
    if (!resolve)
        return -ENOMEM;
    resolve->results_max = query->results_max ? query->results_max : 1;
    resolve->results = calloc(resolve->results_max, sizeof(*resolve->results));
    if (!resolve->results) {
        free(resolve);
        return -ENOMEM;
    }
    resolve->number = ++pnrp->numbers;
    resolve->criterion = query->criterion;
    resolve->precision = query->precision;
    resolve->wants_own = query->own;
    if (query->id) {
        memcpy(resolve->target, query->id, sizeof(resolve->target));
    } else {
        resolve->has_name = true;
        resolve->name = *query->name;
        bypeer_name_p2p_id(pnrp->profile, query->name, resolve->target);
        memcpy(resolve->target + 16, query->has_prefix ? query->prefix : pnrp->endpoints[0].address, 8);
        memcpy(resolve->target + 24, resolve_middle, sizeof(resolve_middle));
    }
    resolve->due_ms = now.ms;
    resolve->deadline_ms = now.ms + (query->timeout_ms ? query->timeout_ms : RESOLVE_TIMEOUT_MS);
    resolve->next = pnrp->resolves;
    pnrp->resolves = resolve;
    pnrp->resolve_count++;
    pnrp->counters.resolves++;
    bypeer_cloud_wake(pnrp, now.ms);
    bypeer_upkeep_hurry(pnrp);
    *ret_resolve = resolve->number;
    return 0;
}

void bypeer_pnrp_cancel(struct bypeer_pnrp *pnrp, struct bypeer_pnrp_time now, uint64_t number)
{
    pnrp->now = now;
    struct bypeer_resolve *resolve = resolve_find(pnrp, number);
    if (resolve)
        resolve_finish(pnrp, resolve, -ECANCELED);
}

void bypeer_resolve_wake_starved(struct bypeer_pnrp *pnrp)
{
    for (struct bypeer_resolve *resolve = pnrp->resolves; resolve; resolve = resolve->next)
        if (resolve->is_starved) {
            resolve->is_starved = false;
            resolve->due_ms = pnrp->now.ms;
            bypeer_cloud_wake(pnrp, pnrp->now.ms);
        }
}

/* Whether an ID answers the question at all. */
static bool resolve_matches(const struct bypeer_resolve *resolve, const uint8_t *id)
{
    unsigned bits = 128;
    if (resolve->criterion == BYPEER_PNRP_UPPER_BITS)
        bits = resolve->precision;
    else if (resolve->criterion == BYPEER_PNRP_NONE)
        bits = 256;
    return bypeer_id_common_bits(bypeer_id_load(resolve->target), bypeer_id_load(id)) >= bits;
}

static bool resolve_has_result(const struct bypeer_resolve *resolve, const uint8_t *id)
{
    for (unsigned i = 0; i < resolve->result_count; i++)
        if (memcmp(resolve->results[i], id, 32) == 0)
            return true;
    return false;
}

bool bypeer_resolve_has(const struct bypeer_pnrp *pnrp, const struct bypeer_seek *seek, const uint8_t id[static 32])
{
    if (seek->purpose != BYPEER_SEEK_RESOLVE)
        return false;
    const struct bypeer_resolve *resolve = resolve_find(pnrp, seek->owner);
    return resolve && (resolve_has_result(resolve, id) || bypeer_cloud_is_own_id(pnrp, id));
}

/* Notes a result. Whether it is another than those before. */
static bool resolve_note(struct bypeer_resolve *resolve, const uint8_t *id)
{
    if (resolve_has_result(resolve, id))
        return false;
    memcpy(resolve->results[resolve->result_count++], id, 32);
    resolve->fruitless = 0;
    return true;
}

static void resolve_give_own(struct bypeer_pnrp *pnrp, struct bypeer_resolve *resolve)
{
    for (struct bypeer_registration *registration = pnrp->registrations; registration;
         registration = registration->next) {
        struct bypeer_application applications[BYPEER_CPA_APPLICATIONS_MAX];
        const struct bypeer_contents *contents = registration->contents;
        char comment[BYPEER_COMMENT_MAX + 1] = "";
        if (registration->is_leaving || resolve->result_count == resolve->results_max ||
            !resolve_matches(resolve, registration->id) || !resolve_note(resolve, registration->id))
            continue;
        memcpy(comment, contents->comment, contents->comment_bytes);
        const struct bypeer_pnrp_found found = {.id = registration->id,
                                                .name = &registration->name,
                                                .comment = comment,
                                                .applications = applications,
                                                .application_count =
                                                    bypeer_certified_applications(pnrp, contents, applications),
                                                .services = pnrp->endpoints,
                                                .service_count = pnrp->endpoint_count,
                                                .payload_type = contents->payload_type,
                                                .payload = contents->payload,
                                                .payload_bytes = contents->payload_bytes,
                                                .not_after = pnrp->now.unix_s + contents->lifetime_s};
        pnrp->sink->found(pnrp->sink_context, resolve->number, &found);
    }
}

static unsigned __int128 resolve_location(const uint8_t *id)
{
    unsigned __int128 location = 0;
    for (unsigned i = BYPEER_P2P_ID_BYTES; i < BYPEER_ID_BYTES; i++)
        location = location << 8 | id[i];
    return location;
}

/* Somewhere between one result and the next, or at either end, where an instance would be that was not met yet. */
static unsigned __int128 resolve_gap(struct bypeer_pnrp *pnrp, const struct bypeer_resolve *resolve, unsigned round)
{
    uint64_t random = bypeer_cloud_random(pnrp);
    unsigned __int128 low = 0, high = ~low;
    if (round % 4 == 1)
        return low;
    if (round % 4 == 3)
        return high;
    if (resolve->result_count > 0)
        low = resolve_location(resolve->results[(random >> 32) % resolve->result_count]);
    for (unsigned i = 0; i < resolve->result_count; i++) {
        unsigned __int128 location = resolve_location(resolve->results[i]);
        if (location > low && location < high)
            high = location;
    }
    return low + (high - low) / 65536 * (random & 0xffff);
}

/* Round 0 asks for what was wanted, the others for what else there is. */
static void resolve_target(struct bypeer_pnrp *pnrp, const struct bypeer_resolve *resolve, unsigned round,
                           struct bypeer_search_settings *settings)
{
    uint8_t target[32];
    memcpy(target, resolve->target, sizeof(target));
    if (resolve->has_name && round > 0 && (resolve->criterion == BYPEER_PNRP_ANY || resolve->results_max > 1)) {
        unsigned __int128 location = resolve_gap(pnrp, resolve, round);
        for (unsigned i = BYPEER_ID_BYTES; i-- > BYPEER_P2P_ID_BYTES; location >>= 8)
            target[i] = (uint8_t)location;
    }
    settings->target = bypeer_id_load(target);
}

enum resolve_from { RESOLVE_FROM_NEAREST, RESOLVE_FROM_ELSEWHERE };

/* Begins one search; whether there was somebody to ask. */
static bool resolve_search(struct bypeer_pnrp *pnrp, struct bypeer_resolve *resolve, enum resolve_from from)
{
    static const uint8_t nobody[32];
    struct bypeer_search_settings settings = {
        .criterion = resolve->criterion, .precision = resolve->precision, .reason = BYPEER_PNRP_APP_REQUEST};
    uint8_t addresses[BYPEER_PNRP_ADDRESSES_MAX * 16], id[32];
    struct bypeer_pnrp_endpoint start;
    struct bypeer_pnrp_entry first;
    struct bypeer_id_number place;
    const struct bypeer_route *route = NULL;
    bool is_empty = bypeer_cache_count(pnrp->cache) == 0;

    if (from == RESOLVE_FROM_ELSEWHERE && !is_empty && resolve->rounds % 2 == 0) {
        bypeer_cloud_random_bytes(pnrp, &place, sizeof(place));
        route = bypeer_cache_nearest(pnrp->cache, place, false);
    }
    if (route) {
        bypeer_route_entry(route, addresses, &first);
        memcpy(id, route->id, sizeof(id));
        first.id = id;
        settings.first_hop = &first;
    } else if ((is_empty || from == RESOLVE_FROM_ELSEWHERE) && bypeer_seek_start(pnrp, &start)) {
        first = (struct bypeer_pnrp_entry){
            .id = nobody, .addresses = start.address, .address_count = 1, .port = start.port};
        settings.first_hop = &first;
    } else if (is_empty)
        return false;
    resolve_target(pnrp, resolve, resolve->rounds, &settings);
    resolve->seeks++;
    if (bypeer_seek_begin(pnrp, BYPEER_SEEK_RESOLVE, resolve->number, &settings) < 0) {
        resolve->seeks--;
        return false;
    }
    return true;
}

static void resolve_round(struct bypeer_pnrp *pnrp, struct bypeer_resolve *resolve)
{
    bool is_first = resolve->rounds == 0;
    if (is_first && resolve->wants_own)
        resolve_give_own(pnrp, resolve);
    if (resolve->result_count == resolve->results_max)
        return;
    resolve->due_ms = BYPEER_NEVER;
    bool is_asking = resolve_search(pnrp, resolve, RESOLVE_FROM_NEAREST);
    /* Of several seeds some may be dead: two at once, if nobody else is known. */
    if (!is_first || (bypeer_cache_count(pnrp->cache) == 0 && pnrp->seed_count + pnrp->remembered_count > 1))
        is_asking |= resolve_search(pnrp, resolve, RESOLVE_FROM_ELSEWHERE);
    else if (is_asking && resolve->seeks > 0)
        resolve->due_ms = pnrp->now.ms + RESOLVE_HEDGE_MS;
    if (!is_asking)
        resolve->is_starved = true;
    else
        resolve->rounds++;
}

static uint64_t resolve_pause(struct bypeer_pnrp *pnrp, struct bypeer_resolve *resolve)
{
    uint64_t pause = RESOLVE_PAUSE_MS;
    for (unsigned i = 1; i < resolve->fruitless && pause < RESOLVE_PAUSE_MAX_MS; i++)
        pause *= 2;
    return pause * 3 / 4 + bypeer_cloud_random(pnrp) % (pause / 2);
}

void bypeer_resolve_seek_ended(struct bypeer_pnrp *pnrp, const struct bypeer_seek *seek, bool found)
{
    struct bypeer_resolve *resolve = resolve_find(pnrp, seek->owner);
    if (!resolve)
        return;
    resolve->seeks--;
    resolve->has_answers |= seek->has_answers;
    /* It is finished by the next tick: whoever began this search may still look at it. */
    if (resolve->result_count == resolve->results_max)
        resolve->due_ms = pnrp->now.ms;
    else if (resolve->seeks == 0) {
        resolve->fruitless += !found;
        resolve->due_ms = pnrp->now.ms + (found ? 0 : resolve_pause(pnrp, resolve));
    }
    bypeer_cloud_wake(pnrp, resolve->due_ms);
}

/* Whether it goes on. */
static bool resolve_is_over(const struct bypeer_pnrp *pnrp, const struct bypeer_resolve *resolve, int *ret_status)
{
    *ret_status = 0;
    if (resolve->result_count == resolve->results_max)
        return true;
    if (resolve->result_count > 0 && resolve->fruitless >= RESOLVE_FRUITLESS_MAX && resolve->seeks == 0)
        return true;
    if (resolve->deadline_ms > pnrp->now.ms)
        return false;
    if (resolve->result_count == 0)
        *ret_status = resolve->has_answers ? -ENOENT : -ETIMEDOUT;
    return true;
}

void bypeer_resolve_tick(struct bypeer_pnrp *pnrp)
{
    struct bypeer_resolve *next;
    int status;
    for (struct bypeer_resolve *resolve = pnrp->resolves; resolve; resolve = next) {
        next = resolve->next;
        if (resolve->due_ms <= pnrp->now.ms && !resolve_is_over(pnrp, resolve, &status)) {
            if (resolve->seeks == 0)
                resolve_round(pnrp, resolve);
            else {
                resolve->due_ms = BYPEER_NEVER;
                resolve_search(pnrp, resolve, RESOLVE_FROM_ELSEWHERE);
            }
        }
        if (resolve_is_over(pnrp, resolve, &status)) {
            resolve_finish(pnrp, resolve, status);
            continue;
        }
        bypeer_cloud_wake(pnrp, resolve->due_ms < resolve->deadline_ms ? resolve->due_ms : resolve->deadline_ms);
    }
}

/* UTF-16LE as Windows writes it, at most a payload, to UTF-8; returns the length. */
static size_t resolve_utf8(const uint8_t *utf16, size_t bytes, char *ret_text)
{
    uint16_t units[(BYPEER_PAYLOAD_MAX + 2) / 2];
    for (size_t i = 0; i < bytes / 2; i++)
        units[i] = (uint16_t)(utf16[2 * i] | utf16[2 * i + 1] << 8);
    return bypeer_utf8_write(units, bytes / 2, ret_text);
}

static void resolve_give(struct bypeer_pnrp *pnrp, const struct bypeer_resolve *resolve, const struct bypeer_seek *seek,
                         const struct bypeer_job *job)
{
    const struct bypeer_cpa *cpa = &job->cpa;
    char comment[BYPEER_COMMENT_MAX / 2 * 3 + 1], payload[(BYPEER_PAYLOAD_MAX + 2) / 2 * 3];
    size_t length = 0;
    if (cpa->comment_is_utf8) {
        length = cpa->comment_bytes;
        memcpy(comment, cpa->comment, length);
    } else if (cpa->comment_bytes > 0)
        length = resolve_utf8(cpa->comment, cpa->comment_bytes, comment);
    comment[length] = '\0';
    struct bypeer_pnrp_found found = {.id = job->id,
                                      .name = resolve->has_name ? &resolve->name : &job->name,
                                      .comment = comment,
                                      .applications = cpa->applications,
                                      .application_count = cpa->application_count,
                                      .services = cpa->services,
                                      .service_count = cpa->service_count,
                                      .not_after = cpa->not_after,
                                      .hops = bypeer_search_hops(seek->search)};
    if (job->answer.payload) {
        found.payload_type = job->extended.type;
        found.payload = job->extended.payload;
        found.payload_bytes = job->extended.payload_bytes;
        if (job->extended.payload_is_utf16) {
            found.payload_bytes = (unsigned)resolve_utf8(job->extended.payload, job->extended.payload_bytes, payload);
            found.payload = (const uint8_t *)payload;
        }
    }
    pnrp->sink->found(pnrp->sink_context, resolve->number, &found);
}

enum bypeer_resolve_verdict bypeer_resolve_take(struct bypeer_pnrp *pnrp, const struct bypeer_seek *seek,
                                                struct bypeer_job *job)
{
    struct bypeer_resolve *resolve = resolve_find(pnrp, seek->owner);
    if (!resolve || !resolve_matches(resolve, job->id) || (!resolve->has_name && !job->has_name))
        return BYPEER_RESOLVE_BAD;
    if (resolve->result_count == resolve->results_max)
        return BYPEER_RESOLVE_ENOUGH;
    if (bypeer_cloud_is_own_id(pnrp, job->id) || !resolve_note(resolve, job->id))
        return BYPEER_RESOLVE_MORE;
    resolve_give(pnrp, resolve, seek, job);
    return resolve->result_count == resolve->results_max ? BYPEER_RESOLVE_ENOUGH : BYPEER_RESOLVE_MORE;
}

void bypeer_resolve_hop(struct bypeer_pnrp *pnrp, const struct bypeer_seek *seek,
                        const struct bypeer_pnrp_endpoint *asked, bool validation, enum bypeer_pnrp_verdict verdict)
{
    if (!pnrp->sink->hop || seek->purpose != BYPEER_SEEK_RESOLVE)
        return;
    /* What another search still hears when there is enough leads nowhere. */
    const struct bypeer_resolve *resolve = resolve_find(pnrp, seek->owner);
    if (!resolve || resolve->result_count == resolve->results_max)
        return;
    struct bypeer_id_number target = bypeer_search_settings(seek->search)->target;
    const struct bypeer_pnrp_hop hop = {.endpoint = *asked,
                                        .id = seek->hop,
                                        .common_bits = bypeer_id_common_bits(bypeer_id_load(seek->hop), target),
                                        .took_ms = (uint32_t)(pnrp->now.ms - seek->asked_ms),
                                        .verdict = verdict,
                                        .validation = validation};
    pnrp->sink->hop(pnrp->sink_context, seek->owner, &hop);
}
