#include "overlay/pnrp/cloud.h"

#include <malloc.h>
#include <sodium.h>

#include "overlay/pnrp/state.h"

#define CLOUD_RESOLVES_MAX 256
#define CLOUD_JOBS_MAX     64
#define CLOUD_TARGETS      64   /* of a small cache: at most some 50 tests a second */
#define CLOUD_TARGETS_FULL 4096 /* of a full one */
#define CLOUD_TESTS_S      20
#define CLOUD_TESTS_FULL_S 1000

uint64_t bypeer_cloud_random(struct bypeer_pnrp *pnrp)
{
    uint64_t random;
    uint64_t count = pnrp->random_count++;
    crypto_shorthash((unsigned char *)&random, (const unsigned char *)&count, sizeof(count), pnrp->seed);
    return random;
}

void bypeer_cloud_random_bytes(struct bypeer_pnrp *pnrp, void *ret_bytes, size_t length)
{
    for (uint8_t *at = ret_bytes; length > 0;) {
        uint64_t random = bypeer_cloud_random(pnrp);
        size_t part = length < sizeof(random) ? length : sizeof(random);
        memcpy(at, &random, part);
        at += part;
        length -= part;
    }
}

void bypeer_cloud_wake(struct bypeer_pnrp *pnrp, uint64_t at_ms)
{
    if (at_ms < pnrp->wake_ms)
        pnrp->wake_ms = at_ms;
}

bool bypeer_budget_take(struct bypeer_budget *budget, uint32_t units, uint64_t now_ms)
{
    uint64_t most = 1000ull * budget->burst;
    uint64_t passed = now_ms > budget->at_ms ? now_ms - budget->at_ms : 0;
    uint64_t more = passed < most ? passed * budget->per_s : most;
    budget->milli = budget->milli + more < most ? budget->milli + more : most;
    budget->at_ms = now_ms;
    if (budget->milli < 1000ull * units)
        return false;
    budget->milli -= 1000ull * units;
    return true;
}

bool bypeer_cloud_is_publishing(const struct bypeer_pnrp *pnrp)
{
    return pnrp->answers || pnrp->registrations != NULL;
}

static unsigned address_common_bits(const uint8_t *a, const uint8_t *b)
{
    for (unsigned i = 0; i < 16; i++)
        if (a[i] != b[i])
            return 8 * i + (unsigned)__builtin_clz((unsigned)(a[i] ^ b[i])) - 24;
    return 128;
}

unsigned bypeer_cloud_local_for(const struct bypeer_pnrp *pnrp, const uint8_t address[static 16])
{
    unsigned best = 0, best_bits = 0;
    for (unsigned i = 0; i < pnrp->endpoint_count; i++) {
        unsigned bits = address_common_bits(pnrp->endpoints[i].address, address);
        if (bits > best_bits) {
            best = i;
            best_bits = bits;
        }
    }
    return best;
}

bool bypeer_cloud_is_own_address(const struct bypeer_pnrp *pnrp, const uint8_t address[static 16], uint16_t port)
{
    for (unsigned i = 0; i < pnrp->endpoint_count; i++)
        if (memcmp(pnrp->endpoints[i].address, address, 16) == 0 &&
            (port == pnrp->endpoints[i].port || !pnrp->any_address))
            return true;
    return false;
}

bool bypeer_cloud_is_usable(const struct bypeer_pnrp *pnrp, const uint8_t address[static 16])
{
    static const uint8_t none[15];
    if (address[0] == 0xff)
        return false;
    bool is_loopback = memcmp(address, none, 15) == 0 && address[15] <= 1;
    if (is_loopback)
        return pnrp->any_address && address[15] == 1;
    if (pnrp->any_address)
        return true;
    bool is_link = address[0] == 0xfe && (address[1] & 0xc0) == 0x80;
    bool is_site = address[0] == 0xfe && (address[1] & 0xc0) == 0xc0;
    switch (pnrp->scope) {
    case BYPEER_SCOPE_LINK:
        return is_link;
    case BYPEER_SCOPE_SITE:
        return is_site;
    default:
        return !is_link && !is_site && !(memcmp(address, none, 10) == 0 && address[10] == 0xff);
    }
}

bool bypeer_cloud_is_own_id(const struct bypeer_pnrp *pnrp, const uint8_t id[static 32])
{
    const struct bypeer_route *route = bypeer_cache_find(pnrp->cache, id);
    return route && route->flags & BYPEER_ROUTE_OWN;
}

void bypeer_cloud_own_entry(const struct bypeer_pnrp *pnrp, const uint8_t *id, uint8_t (*ret_addresses)[16],
                            struct bypeer_pnrp_entry *ret_entry)
{
    for (unsigned i = 0; i < pnrp->endpoint_count; i++)
        memcpy(ret_addresses[i], pnrp->endpoints[i].address, 16);
    *ret_entry = (struct bypeer_pnrp_entry){.id = id,
                                            .addresses = ret_addresses[0],
                                            .address_count = pnrp->endpoint_count,
                                            .port = pnrp->endpoints[0].port};
}

void bypeer_cloud_send_bytes(struct bypeer_pnrp *pnrp, unsigned local, const struct bypeer_pnrp_endpoint *to,
                             const uint8_t *bytes, size_t length)
{
    pnrp->counters.sent++;
    pnrp->counters.sent_bytes += length;
    pnrp->sink->send(pnrp->sink_context, local, to, bytes, length);
}

void bypeer_cloud_send(struct bypeer_pnrp *pnrp, unsigned local, const struct bypeer_pnrp_endpoint *to,
                       const struct bypeer_pnrp_message *message)
{
    uint8_t bytes[BYPEER_PNRP_DATAGRAM_MAX];
    size_t length = bypeer_pnrp_write(message, pnrp->profile, bytes, sizeof(bytes));
    if (length > 0)
        bypeer_cloud_send_bytes(pnrp, local, to, bytes, length);
}

static int copy_endpoints(struct bypeer_pnrp_endpoint **copy, const struct bypeer_pnrp_endpoint *endpoints,
                          unsigned count)
{
    struct bypeer_pnrp_endpoint *made = NULL;
    if (count > 0) {
        made = malloc(count * sizeof(*made));
        if (!made)
            return -ENOMEM;
        memcpy(made, endpoints, count * sizeof(*made));
    }
    free(*copy);
    *copy = made;
    return 0;
}

static void cloud_known(void *context, enum bypeer_cache_change change, const struct bypeer_route *route)
{
    struct bypeer_pnrp *pnrp = context;
    if (pnrp->sink->known)
        pnrp->sink->known(pnrp->sink_context, change, route);
}

int bypeer_pnrp_create(struct bypeer_pnrp **ret_pnrp, const struct bypeer_pnrp_settings *settings,
                       struct bypeer_pnrp_time now)
{
    const struct bypeer_pnrp_sink *sink = settings->sink;
    if (!settings->profile || !sink || !sink->send || !sink->job || !sink->found || !sink->finished)
        return -EINVAL;
    struct bypeer_pnrp *pnrp = calloc(1, sizeof(*pnrp));
    if (!pnrp)
        return -ENOMEM;
    bool is_full = settings->cache_entries > 0;
    pnrp->profile = settings->profile;
    pnrp->sink = sink;
    pnrp->sink_context = settings->sink_context;
    pnrp->now = now;
    memcpy(pnrp->seed, settings->seed, sizeof(pnrp->seed));
    pnrp->scope = (uint8_t)settings->scope;
    pnrp->answers = settings->answers;
    pnrp->any_address = settings->any_address;
    pnrp->cache_entries = settings->cache_entries;
    pnrp->jobs_max = settings->jobs_max ? settings->jobs_max : CLOUD_JOBS_MAX;
    pnrp->resolves_max = settings->resolves_max ? settings->resolves_max : CLOUD_RESOLVES_MAX;
    pnrp->meter_settings = settings->meter;
    uint32_t tests_s = is_full ? CLOUD_TESTS_FULL_S : CLOUD_TESTS_S;
    pnrp->tests = (struct bypeer_budget){4000ull * tests_s, now.ms, tests_s, 4 * tests_s};
    pnrp->leaf_tests = pnrp->revocations = pnrp->tests;
    uint32_t told_s = settings->meter.stranger_bytes_s ? settings->meter.stranger_bytes_s : BYPEER_METER_STRANGERS;
    pnrp->told = (struct bypeer_budget){4000ull * told_s, now.ms, told_s, 4 * told_s};
    pnrp->target_count = is_full ? CLOUD_TARGETS_FULL : CLOUD_TARGETS;
    pnrp->wake_ms = BYPEER_NEVER;
    pnrp->upkeep_ms = now.ms;
    pnrp->discover_ms = now.ms;
    unsigned remembered =
        settings->remembered_count < BYPEER_CLOUD_REMEMBERED ? settings->remembered_count : BYPEER_CLOUD_REMEMBERED;
    pnrp->targets = calloc(pnrp->target_count, sizeof(*pnrp->targets));
    int error = pnrp->targets ? 0 : -ENOMEM;
    if (error == 0)
        error = copy_endpoints(&pnrp->seeds, settings->seeds, settings->seed_count);
    if (error == 0)
        error = copy_endpoints(&pnrp->remembered, settings->remembered, remembered);
    if (error == 0)
        error =
            bypeer_cache_create(&pnrp->cache, settings->cache_entries, bypeer_cloud_random(pnrp), cloud_known, pnrp);
    if (error == 0 && pnrp->answers)
        error = bypeer_inquire_open_meter(pnrp);
    if (error < 0) {
        bypeer_pnrp_free(pnrp);
        return error;
    }
    pnrp->seed_count = settings->seed_count;
    pnrp->remembered_count = (uint8_t)remembered;
    bypeer_cloud_random_bytes(pnrp, pnrp->cursor, sizeof(pnrp->cursor));
    *ret_pnrp = pnrp;
    return 0;
}

void bypeer_pnrp_free(struct bypeer_pnrp *pnrp)
{
    if (!pnrp)
        return;
    bypeer_resolve_free_all(pnrp);
    bypeer_seek_free_all(pnrp);
    bypeer_entry_free_all(pnrp);
    bypeer_publish_free_all(pnrp);
    bypeer_conversation_expire(pnrp, true);
    while (pnrp->first)
        bypeer_pending_drop(pnrp, pnrp->first);
    if (pnrp->cache)
        bypeer_cache_free(pnrp->cache);
    free(pnrp->meter);
    free(pnrp->targets);
    free(pnrp->seeds);
    free(pnrp->remembered);
    free(pnrp);
}

int bypeer_pnrp_set_endpoints(struct bypeer_pnrp *pnrp, struct bypeer_pnrp_time now,
                              const struct bypeer_pnrp_endpoint *endpoints, unsigned count)
{
    pnrp->now = now;
    if (count > BYPEER_CLOUD_ENDPOINTS_MAX)
        return -EINVAL;
    for (unsigned i = 0; i < count; i++)
        if (endpoints[i].port < BYPEER_PNRP_PORT_MIN || endpoints[i].port != endpoints[0].port)
            return -EINVAL;
    bool is_same = count == pnrp->endpoint_count;
    for (unsigned i = 0; i < count && is_same; i++)
        is_same = memcmp(endpoints[i].address, pnrp->endpoints[i].address, 16) == 0 &&
                  endpoints[i].port == pnrp->endpoints[i].port;
    if (is_same)
        return 0;
    for (unsigned i = 0; i < count; i++)
        pnrp->endpoints[i] = endpoints[i];
    bool had_network = pnrp->endpoint_count > 0;
    pnrp->endpoint_count = (uint8_t)count;
    bypeer_publish_endpoints(pnrp);
    if (count > 0 && !had_network)
        bypeer_upkeep_hurry(pnrp);
    bypeer_cloud_wake(pnrp, now.ms);
    return 0;
}

void bypeer_pnrp_set_seeds(struct bypeer_pnrp *pnrp, const struct bypeer_pnrp_endpoint *seeds, unsigned count)
{
    if (copy_endpoints(&pnrp->seeds, seeds, count) < 0)
        return;
    pnrp->seed_count = count;
    pnrp->seed_at = 0;
    if (count > 0 && bypeer_cache_count(pnrp->cache) == 0)
        bypeer_upkeep_hurry(pnrp);
}

int bypeer_pnrp_contact(struct bypeer_pnrp *pnrp, struct bypeer_pnrp_time now, const struct bypeer_pnrp_endpoint *node)
{
    pnrp->now = now;
    if (node->port < BYPEER_PNRP_PORT_MIN || !bypeer_cloud_is_usable(pnrp, node->address))
        return -EINVAL;
    return bypeer_conversation_begin(pnrp, node);
}

/* An answer that nobody waits for may still be that to a probe. */
static void receive_ack(struct bypeer_pnrp *pnrp, const struct bypeer_pnrp_endpoint *from,
                        const struct bypeer_pnrp_message *message)
{
    struct bypeer_pending *pending = bypeer_pending_match(pnrp, message->ack.acked, BYPEER_PNRP_ACK, from);
    if (!pending) {
        if (pnrp->meter && bypeer_meter_is_cookie(pnrp->meter, from, message->ack.acked, pnrp->now.ms))
            bypeer_inquire_verified(pnrp, from);
        else
            pnrp->counters.unmatched++;
        return;
    }
    bypeer_inquire_verified(pnrp, from);
    bypeer_pending_detach(pnrp, pending);
    if (pending->kind == BYPEER_PENDING_FLOOD)
        bypeer_flood_ended(pnrp, pending, message->ack.not_local ? BYPEER_FLOOD_DISOWNED : BYPEER_FLOOD_ACKNOWLEDGED);
    bypeer_pending_free(pending);
}

void bypeer_pnrp_receive(struct bypeer_pnrp *pnrp, struct bypeer_pnrp_time now, unsigned local,
                         const struct bypeer_pnrp_endpoint *from, const uint8_t *bytes, size_t length)
{
    struct bypeer_pnrp_message message;
    pnrp->now = now;
    pnrp->counters.received++;
    pnrp->counters.received_bytes += length;
    if (from->port < BYPEER_PNRP_PORT_MIN) {
        pnrp->counters.low_port++;
        return;
    }
    int error = bypeer_pnrp_read(&message, pnrp->profile, bytes, length);
    if (error < 0) {
        if (error == -EPROTONOSUPPORT)
            pnrp->counters.other_profile++;
        else
            pnrp->counters.malformed++;
        return;
    }
    /* Without an address of its own, or after one was lost, a node has no say. */
    if (local >= pnrp->endpoint_count || bypeer_cloud_is_own_address(pnrp, from->address, from->port))
        return;
    switch (message.type) {
    case BYPEER_PNRP_SOLICIT:
        bypeer_conversation_solicit(pnrp, local, from, &message);
        break;
    case BYPEER_PNRP_ADVERTISE:
        bypeer_conversation_advertise(pnrp, from, &message);
        break;
    case BYPEER_PNRP_REQUEST:
        bypeer_conversation_request(pnrp, local, from, &message);
        break;
    case BYPEER_PNRP_FLOOD:
        bypeer_flood_receive(pnrp, local, from, &message);
        break;
    case BYPEER_PNRP_INQUIRE:
        if (pnrp->meter && message.inquire.flags != 0)
            bypeer_meter_received(pnrp->meter, from->address, length + 48, now.ms);
        bypeer_inquire_answer(pnrp, local, from, &message);
        break;
    case BYPEER_PNRP_AUTHORITY:
        bypeer_pending_authority(pnrp, from, &message);
        break;
    case BYPEER_PNRP_ACK:
        receive_ack(pnrp, from, &message);
        break;
    case BYPEER_PNRP_LOOKUP:
        bypeer_lookup_answer(pnrp, local, from, &message, length);
        break;
    }
}

void bypeer_pnrp_tick(struct bypeer_pnrp *pnrp, struct bypeer_pnrp_time now)
{
    pnrp->now = now;
    pnrp->wake_ms = BYPEER_NEVER;
    bypeer_pending_tick(pnrp);
    bypeer_upkeep_tick(pnrp);
    bypeer_publish_tick(pnrp);
    bypeer_resolve_tick(pnrp);
    bypeer_upkeep_state(pnrp);
}

uint64_t bypeer_pnrp_deadline(const struct bypeer_pnrp *pnrp)
{
    uint64_t due = pnrp->wake_ms < pnrp->upkeep_ms ? pnrp->wake_ms : pnrp->upkeep_ms;
    if (pnrp->discover_ms < due)
        due = pnrp->discover_ms;
    return pnrp->first && pnrp->first->due_ms < due ? pnrp->first->due_ms : due;
}

void bypeer_pnrp_job_done(struct bypeer_pnrp *pnrp, struct bypeer_pnrp_time now, struct bypeer_pnrp_job *work)
{
    struct bypeer_job *job = (struct bypeer_job *)work;
    pnrp->now = now;
    for (struct bypeer_job **at = &pnrp->jobs; *at; at = &(*at)->next)
        if (*at == job) {
            *at = job->next;
            pnrp->job_count--;
            break;
        }
    switch (job->purpose) {
    case BYPEER_JOB_ANSWER:
        bypeer_inquire_signed(pnrp, job);
        break;
    case BYPEER_JOB_REVOKE:
        bypeer_publish_signed(pnrp, job);
        break;
    case BYPEER_JOB_ADD:
        bypeer_entry_checked(pnrp, job);
        break;
    case BYPEER_JOB_SEEK:
        bypeer_seek_checked(pnrp, job);
        break;
    case BYPEER_JOB_REVOKED:
        bypeer_flood_checked(pnrp, job);
        break;
    }
    bypeer_job_free(job);
}

int bypeer_pnrp_preload(struct bypeer_pnrp *pnrp, struct bypeer_pnrp_time now, const struct bypeer_pnrp_entry *entry)
{
    pnrp->now = now;
    int result = bypeer_cache_put(pnrp->cache, entry, (uint32_t)(now.ms / 1000));
    if (result == 1 && bypeer_cache_count(pnrp->cache) == 1)
        bypeer_upkeep_hurry(pnrp);
    return result;
}

const struct bypeer_cache *bypeer_pnrp_cache(const struct bypeer_pnrp *pnrp)
{
    return pnrp->cache;
}

enum bypeer_pnrp_state bypeer_pnrp_state(const struct bypeer_pnrp *pnrp)
{
    return pnrp->state;
}

const struct bypeer_pnrp_counters *bypeer_pnrp_counters(const struct bypeer_pnrp *pnrp)
{
    return &pnrp->counters;
}

unsigned bypeer_pnrp_bootstrap(const struct bypeer_pnrp *pnrp, struct bypeer_pnrp_endpoint *ret_nodes, unsigned room)
{
    struct bypeer_cache_walk walk;
    struct bypeer_id_number origin = {{0}};
    const struct bypeer_route *best[BYPEER_CLOUD_REMEMBERED];
    unsigned count = 0;
    if (room > BYPEER_CLOUD_REMEMBERED)
        room = BYPEER_CLOUD_REMEMBERED;
    bypeer_cache_walk(pnrp->cache, origin, &walk);
    for (const struct bypeer_route *route; (route = bypeer_cache_above(&walk)) != NULL;) {
        if (route->flags & BYPEER_ROUTE_OWN)
            continue;
        /* One endpoint a node: whoever has many names is remembered once. */
        bool is_known = false;
        for (unsigned i = 0; i < count && !is_known; i++)
            is_known = memcmp(best[i]->address, route->address, 16) == 0 && best[i]->port == route->port;
        if (is_known || (count == room && (room == 0 || best[room - 1]->verified_s >= route->verified_s)))
            continue;
        unsigned at = count < room ? count++ : room - 1;
        for (; at > 0 && best[at - 1]->verified_s < route->verified_s; at--)
            best[at] = best[at - 1];
        best[at] = route;
    }
    for (unsigned i = 0; i < count; i++) {
        memcpy(ret_nodes[i].address, best[i]->address, 16);
        ret_nodes[i].port = best[i]->port;
    }
    return count;
}

static size_t pending_bytes(const struct bypeer_pnrp *pnrp)
{
    size_t bytes = 0;
    for (struct bypeer_pending *pending = pnrp->first; pending; pending = pending->later)
        bytes += malloc_usable_size(pending) + malloc_usable_size(pending->reassembly);
    return bytes;
}

size_t bypeer_pnrp_bytes(const struct bypeer_pnrp *pnrp)
{
    size_t bytes = malloc_usable_size((void *)(uintptr_t)pnrp) + bypeer_cache_bytes(pnrp->cache) +
                   malloc_usable_size(pnrp->meter) + malloc_usable_size(pnrp->targets) +
                   malloc_usable_size(pnrp->seeds) + malloc_usable_size(pnrp->remembered) + pending_bytes(pnrp);
    for (struct bypeer_add *add = pnrp->adds; add; add = add->next)
        bytes += malloc_usable_size(add);
    for (struct bypeer_conversation *conversation = pnrp->conversations; conversation;
         conversation = conversation->next)
        bytes += malloc_usable_size(conversation);
    for (struct bypeer_registration *registration = pnrp->registrations; registration;
         registration = registration->next)
        bytes += malloc_usable_size(registration) + malloc_usable_size(registration->contents) +
                 malloc_usable_size(registration->chain) + malloc_usable_size(registration->leaving);
    for (struct bypeer_resolve *resolve = pnrp->resolves; resolve; resolve = resolve->next)
        bytes += malloc_usable_size(resolve) + malloc_usable_size(resolve->results);
    for (struct bypeer_seek *seek = pnrp->seeks; seek; seek = seek->next)
        bytes += malloc_usable_size(seek) + bypeer_search_bytes(seek->search);
    for (struct bypeer_job *job = pnrp->jobs; job; job = job->next)
        bytes += malloc_usable_size(job);
    return bytes;
}
