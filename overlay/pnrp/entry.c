/*
 * Taking in a route entry ([MS-PNRP] 3.1.5.11, 3.2.5.1).
 *
 *   offered --> known? under test? --> limits --> INQUIRE --> (leaf set: CPA checked) --> cache --> neighbours told
 *
 * Anybody may name any ID at any address, so each entry costs the one that it points to at most two INQUIREs, each
 * address a few a period, and all together a rate. What would be in a leaf set, or contradicts what is known, must show
 * its certificate, and has a rate of its own, so that noise does not keep a new neighbour out.
 */
#include "overlay/pnrp/state.h"

#include <sodium.h>

#define ENTRY_ADDS_MAX      32 /* about 450 bytes each */
#define ENTRY_ADDS_MAX_FULL 2048
#define ENTRY_PERIOD_S      10 /* tests of one address are counted over that */
#define ENTRY_PER_PERIOD    BYPEER_CACHE_PER_ADDRESS

bool bypeer_entry_is_usable(const struct bypeer_pnrp *pnrp, const struct bypeer_pnrp_entry *entry)
{
    if (entry->port < BYPEER_PNRP_PORT_MIN || entry->address_count == 0)
        return false;
    for (unsigned i = 0; i < entry->address_count; i++) {
        const uint8_t *address = entry->addresses + 16ul * i;
        if (!bypeer_cloud_is_usable(pnrp, address) || bypeer_cloud_is_own_address(pnrp, address, entry->port))
            return false;
    }
    return true;
}

static bool entry_is_at(const struct bypeer_route *route, const uint8_t *address, uint16_t port)
{
    bool is_at = memcmp(route->address, address, 16) == 0;
    for (unsigned i = 1; i < route->address_count && !is_at; i++)
        is_at = memcmp(route->more[i - 1], address, 16) == 0;
    return is_at && route->port == port;
}

/* In any order: in the cache, the address that answered is the first. */
static bool entry_is_of(const struct bypeer_pnrp_entry *entry, const struct bypeer_route *route)
{
    bool is_of = entry->address_count == route->address_count;
    for (unsigned i = 0; i < entry->address_count && is_of; i++)
        is_of = entry_is_at(route, entry->addresses + 16ul * i, entry->port);
    return is_of;
}

/* A copy of the entry that has this one of its addresses first. */
static void entry_put_first(const struct bypeer_pnrp_entry *entry, const uint8_t *address, uint8_t *ret_addresses,
                            struct bypeer_pnrp_entry *ret_entry)
{
    memcpy(ret_addresses, entry->addresses, 16ul * entry->address_count);
    for (unsigned i = 1; i < entry->address_count; i++)
        if (memcmp(entry->addresses + 16ul * i, address, 16) == 0) {
            memcpy(ret_addresses + 16ul * i, entry->addresses, 16);
            memcpy(ret_addresses, address, 16);
            break;
        }
    *ret_entry = *entry;
    ret_entry->addresses = ret_addresses;
}

const struct bypeer_route *bypeer_entry_at(const struct bypeer_pnrp *pnrp, const uint8_t id[static 32],
                                           const struct bypeer_pnrp_endpoint *node)
{
    const struct bypeer_route *route = bypeer_cache_find(pnrp->cache, id);
    return route && entry_is_at(route, node->address, node->port) ? route : NULL;
}

static struct bypeer_add *entry_under_test(const struct bypeer_pnrp *pnrp, const uint8_t *id)
{
    struct bypeer_add *add = pnrp->adds;
    while (add && memcmp(add->id, id, 32) != 0)
        add = add->next;
    return add;
}

/* Tests of the entry's address in this period. */
static uint16_t *entry_tests(struct bypeer_pnrp *pnrp, const struct bypeer_pnrp_entry *entry, unsigned at)
{
    uint64_t hash;
    uint8_t target[18];
    uint8_t period = (uint8_t)(pnrp->now.ms / (1000ull * ENTRY_PERIOD_S));
    memcpy(target, entry->addresses + 16ul * at, 16);
    memcpy(target + 16, &entry->port, 2);
    /* On one host every node has the same address. */
    crypto_shorthash((unsigned char *)&hash, target, pnrp->any_address ? 18 : 16, pnrp->seed);
    uint16_t *count = &pnrp->targets[hash % pnrp->target_count];
    if ((*count >> 8) != period)
        *count = (uint16_t)(period << 8);
    return count;
}

/* Whether the addresses that would be asked, one after the other, may be tested once more in this period. */
static bool entry_may_test(struct bypeer_pnrp *pnrp, const struct bypeer_pnrp_entry *entry)
{
    unsigned best = bypeer_pending_address(pnrp, entry), next = (best + 1u) % entry->address_count;
    uint16_t *first = entry_tests(pnrp, entry, best), *second = entry_tests(pnrp, entry, next);
    if ((*first & 0xff) >= ENTRY_PER_PERIOD || (*second & 0xff) >= ENTRY_PER_PERIOD)
        return false;
    ++*first;
    if (second != first)
        ++*second;
    return true;
}

static void entry_free(struct bypeer_pnrp *pnrp, struct bypeer_add *add)
{
    for (struct bypeer_add **at = &pnrp->adds; *at; at = &(*at)->next)
        if (*at == add) {
            *at = add->next;
            pnrp->add_count--;
            pnrp->noise_count -= add->is_noise;
            break;
        }
    bypeer_pending_drop(pnrp, add->pending);
    free(add);
}

void bypeer_entry_free_all(struct bypeer_pnrp *pnrp)
{
    while (pnrp->adds)
        entry_free(pnrp, pnrp->adds);
}

static uint32_t entry_room(const struct bypeer_pnrp *pnrp)
{
    return pnrp->cache_entries ? ENTRY_ADDS_MAX_FULL : ENTRY_ADDS_MAX;
}

static struct bypeer_add *entry_create(struct bypeer_pnrp *pnrp, const struct bypeer_pnrp_entry *entry,
                                       const struct bypeer_entry_origin *origin,
                                       const struct bypeer_revocation *revocation)
{
    size_t addresses = 16ul * entry->address_count;
    size_t flooded = origin ? 18ul * origin->flooded.count : 0;
    size_t revoke = revocation ? revocation->cpa_bytes : 0;
    if (pnrp->add_count >= entry_room(pnrp))
        return NULL;
    struct bypeer_add *add = calloc(1, sizeof(*add) + addresses + flooded + revoke);
    if (!add)
        return NULL;
    add->number = ++pnrp->numbers;
    memcpy(add->id, entry->id, 32);
    add->addresses = (uint8_t *)(add + 1);
    add->flooded = add->addresses + addresses;
    add->revoke = add->flooded + flooded;
    memcpy(add->addresses, entry->addresses, addresses);
    if (flooded > 0)
        memcpy(add->flooded, origin->flooded.bytes, flooded);
    if (revoke > 0)
        memcpy(add->revoke, revocation->cpa, revoke);
    add->entry = *entry;
    add->entry.id = add->id;
    add->entry.addresses = add->addresses;
    add->flooded_count = (uint16_t)(flooded / 18);
    add->revoke_bytes = (uint16_t)revoke;
    if (origin) {
        add->was_flooded = origin->was_flooded;
        add->sender = *origin->sender;
    }
    add->next = pnrp->adds;
    pnrp->adds = add;
    pnrp->add_count++;
    return add;
}

/* Asks the node of the entry. Whether it could; if not, the test is over. */
static bool entry_inquire(struct bypeer_pnrp *pnrp, struct bypeer_add *add)
{
    struct bypeer_pnrp_message message = {.type = BYPEER_PNRP_INQUIRE, .inquire = {.validate = add->id}};
    if (add->needs_cpa) {
        bypeer_cloud_random_bytes(pnrp, add->nonce, sizeof(add->nonce));
        message.inquire.flags = BYPEER_INQUIRE_CPA | BYPEER_INQUIRE_CHAIN;
        message.inquire.nonce = add->nonce;
    }
    add->pending = bypeer_pending_send(pnrp, BYPEER_PENDING_ADD, &add->entry, &message, add);
    if (!add->pending) {
        entry_free(pnrp, add);
        return false;
    }
    return true;
}

void bypeer_entry_offer(struct bypeer_pnrp *pnrp, const struct bypeer_pnrp_entry *entry,
                        const struct bypeer_entry_origin *origin)
{
    if (!bypeer_entry_is_usable(pnrp, entry) || bypeer_cloud_is_own_id(pnrp, entry->id))
        return;
    const struct bypeer_route *known = bypeer_cache_find(pnrp->cache, entry->id);
    if ((known && entry_is_of(entry, known)) || entry_under_test(pnrp, entry->id))
        return;
    bool is_leaf = bypeer_cache_is_leaf(pnrp->cache, entry->id, NULL);
    /* The other half is for neighbours, and for keeping true what is known. */
    if (!is_leaf && pnrp->noise_count >= entry_room(pnrp) / 2)
        return;
    if (!entry_may_test(pnrp, entry) ||
        !bypeer_budget_take(is_leaf ? &pnrp->leaf_tests : &pnrp->tests, 1, pnrp->now.ms))
        return;
    struct bypeer_add *add = entry_create(pnrp, entry, origin, NULL);
    if (!add)
        return;
    add->why = BYPEER_ADD_NEW;
    add->needs_cpa = is_leaf || known;
    add->is_noise = !is_leaf;
    pnrp->noise_count += add->is_noise;
    pnrp->counters.entries_tested++;
    entry_inquire(pnrp, add);
}

bool bypeer_entry_retest(struct bypeer_pnrp *pnrp, const struct bypeer_route *route,
                         const struct bypeer_revocation *revocation)
{
    uint8_t addresses[BYPEER_PNRP_ADDRESSES_MAX * 16];
    struct bypeer_pnrp_entry entry;
    if (entry_under_test(pnrp, route->id))
        return true;
    bypeer_route_entry(route, addresses, &entry);
    struct bypeer_add *add = entry_create(pnrp, &entry, revocation ? &revocation->origin : NULL, revocation);
    if (!add)
        return false;
    add->why = revocation ? BYPEER_ADD_REVOKED : BYPEER_ADD_STALE;
    return entry_inquire(pnrp, add);
}

/* Into the cache. A new member of a leaf set, or one that moved, is passed on. */
static void entry_store(struct bypeer_pnrp *pnrp, const struct bypeer_pnrp_entry *entry,
                        const struct bypeer_entry_origin *origin)
{
    const struct bypeer_route *known = bypeer_cache_find(pnrp->cache, entry->id);
    bool is_news = !known || !entry_is_of(entry, known);
    const uint8_t *own = NULL;
    uint8_t own_id[32];
    if (bypeer_cache_put(pnrp->cache, entry, (uint32_t)(pnrp->now.ms / 1000)) < 0) {
        pnrp->counters.entries_refused++;
        return;
    }
    if (!is_news)
        return;
    pnrp->counters.entries_taken++;
    if (bypeer_cache_count(pnrp->cache) == 1)
        bypeer_upkeep_hurry(pnrp);
    if (bypeer_cache_is_leaf(pnrp->cache, entry->id, &own) && own) {
        memcpy(own_id, own, sizeof(own_id));
        bypeer_flood_spread(pnrp, entry, own_id, origin);
    }
}

static void entry_origin(const struct bypeer_add *add, struct bypeer_entry_origin *ret_origin)
{
    *ret_origin = (struct bypeer_entry_origin){
        .sender = &add->sender, .was_flooded = add->was_flooded, .flooded = {add->flooded, add->flooded_count}};
}

static void entry_accept(struct bypeer_pnrp *pnrp, struct bypeer_add *add)
{
    struct bypeer_entry_origin origin;
    entry_origin(add, &origin);
    if (add->why == BYPEER_ADD_NEW)
        entry_store(pnrp, &add->entry, &origin);
    else
        bypeer_cache_touch(pnrp->cache, add->id, (uint32_t)(pnrp->now.ms / 1000));
    entry_free(pnrp, add);
}

/* Out of the cache; of a leaf set, it is handed on. */
static void entry_revoke(struct bypeer_pnrp *pnrp, const uint8_t *id, const struct bypeer_revocation *revocation)
{
    bool is_leaf = bypeer_cache_is_leaf(pnrp->cache, id, NULL);
    if (!bypeer_cache_remove(pnrp->cache, id))
        return;
    pnrp->counters.revoked++;
    if (is_leaf)
        bypeer_flood_revoke(pnrp, id, revocation);
}

static void entry_refuse(struct bypeer_pnrp *pnrp, struct bypeer_add *add)
{
    const struct bypeer_route *known = bypeer_cache_find(pnrp->cache, add->id);
    if (add->why == BYPEER_ADD_NEW)
        pnrp->counters.entries_refused++;
    else if (add->why == BYPEER_ADD_REVOKED) {
        struct bypeer_revocation revocation = {.cpa = add->revoke, .cpa_bytes = add->revoke_bytes};
        entry_origin(add, &revocation.origin);
        entry_revoke(pnrp, add->id, &revocation);
    } else if (known && entry_is_of(&add->entry, known)) /* it may have moved meanwhile */
        bypeer_cache_remove(pnrp->cache, add->id);
    entry_free(pnrp, add);
}

/* Any key signs for an unsecured ID, so it is elsewhere only if its node is not any more where it is known to be. */
static void entry_ask_known(struct bypeer_pnrp *pnrp, struct bypeer_add *add)
{
    const struct bypeer_route *known = bypeer_cache_find(pnrp->cache, add->id);
    uint8_t addresses[BYPEER_PNRP_ADDRESSES_MAX * 16];
    struct bypeer_pnrp_entry entry;
    if (!known) {
        entry_accept(pnrp, add);
        return;
    }
    struct bypeer_pnrp_message message = {.type = BYPEER_PNRP_INQUIRE, .inquire = {.validate = add->id}};
    bypeer_route_entry(known, addresses, &entry);
    add->is_contested = true;
    add->pending = bypeer_pending_send(pnrp, BYPEER_PENDING_ADD, &entry, &message, add);
    if (!add->pending)
        entry_refuse(pnrp, add);
}

bool bypeer_entry_answered(struct bypeer_pnrp *pnrp, struct bypeer_add *add, const struct bypeer_pnrp_endpoint *from,
                           const struct bypeer_pnrp_answer *answer, const uint8_t *bytes, size_t length)
{
    uint8_t addresses[BYPEER_PNRP_ADDRESSES_MAX * 16];
    struct bypeer_pnrp_entry first;
    struct bypeer_job *job;
    struct bypeer_pending *pending = add->pending;
    add->pending = NULL;
    if (add->is_contested) {
        if (answer->flags & BYPEER_AUTHORITY_NOT_LOCAL)
            entry_accept(pnrp, add);
        else
            entry_refuse(pnrp, add);
        return true;
    }
    if (answer->flags & BYPEER_AUTHORITY_NOT_LOCAL) {
        entry_refuse(pnrp, add);
        return true;
    }
    entry_put_first(&add->entry, from->address, addresses, &first);
    memcpy(add->addresses, addresses, 16ul * add->entry.address_count);
    if (!add->needs_cpa) {
        entry_accept(pnrp, add);
        return true;
    }
    if (bypeer_certified_check(pnrp, bytes, length, add->id, add->nonce, false, &job) < 0) {
        entry_refuse(pnrp, add);
        return true;
    }
    job->purpose = BYPEER_JOB_ADD;
    job->owner = add->number;
    if (bypeer_job_hand_out(pnrp, job))
        return true;
    add->pending = pending;
    return false;
}

/* Where one datagram in twenty is lost, one test in a hundred of a node that is there ends like this: as many entries
 * would go in an hour as by nodes that leave. A known one is asked four times. */
void bypeer_entry_unanswered(struct bypeer_pnrp *pnrp, struct bypeer_add *add)
{
    add->pending = NULL;
    bool is_known = add->why == BYPEER_ADD_STALE || add->is_contested;
    if (is_known && !add->is_asked_again) {
        add->is_asked_again = true;
        if (add->is_contested)
            entry_ask_known(pnrp, add);
        else
            entry_inquire(pnrp, add);
        return;
    }
    if (add->is_contested)
        entry_accept(pnrp, add);
    else
        entry_refuse(pnrp, add);
}

/* GAP-18: every address of the entry must be one that the certificate names, not the other way round. */
static bool entry_is_certified(const struct bypeer_pnrp_entry *entry, const struct bypeer_cpa *cpa)
{
    for (unsigned i = 0; i < entry->address_count; i++) {
        bool is_service = false;
        for (unsigned j = 0; j < cpa->service_count && !is_service; j++)
            is_service = cpa->services[j].port == entry->port &&
                         memcmp(cpa->services[j].address, entry->addresses + 16ul * i, 16) == 0;
        if (!is_service)
            return false;
    }
    return true;
}

void bypeer_entry_checked(struct bypeer_pnrp *pnrp, struct bypeer_job *job)
{
    struct bypeer_add *add = pnrp->adds;
    while (add && add->number != job->owner)
        add = add->next;
    if (!add)
        return;
    if (job->work.result < 0)
        pnrp->counters.bad_signatures++;
    const struct bypeer_route *known = bypeer_cache_find(pnrp->cache, add->id);
    if (job->work.result < 0 || !entry_is_certified(&add->entry, &job->cpa))
        entry_refuse(pnrp, add);
    else if (known && !job->cpa.has_authority && !entry_is_at(known, add->entry.addresses, add->entry.port))
        entry_ask_known(pnrp, add);
    else
        entry_accept(pnrp, add);
}

void bypeer_entry_confirm(struct bypeer_pnrp *pnrp, const struct bypeer_pnrp_entry *entry,
                          const struct bypeer_pnrp_endpoint *from)
{
    uint8_t addresses[BYPEER_PNRP_ADDRESSES_MAX * 16];
    struct bypeer_pnrp_entry answered;
    const struct bypeer_route *known = bypeer_cache_find(pnrp->cache, entry->id);
    if (known && entry_is_of(entry, known)) {
        bypeer_cache_touch(pnrp->cache, entry->id, (uint32_t)(pnrp->now.ms / 1000));
        return;
    }
    static const struct bypeer_pnrp_endpoint nobody;
    const struct bypeer_entry_origin origin = {.sender = &nobody};
    if (known || bypeer_cache_is_leaf(pnrp->cache, entry->id, NULL))
        bypeer_entry_offer(pnrp, entry, &origin);
    else if (bypeer_entry_is_usable(pnrp, entry) && !bypeer_cloud_is_own_id(pnrp, entry->id)) {
        entry_put_first(entry, from->address, addresses, &answered);
        entry_store(pnrp, &answered, &origin);
    }
}
