/*
 * Registrations ([MS-PNRP] 3.2.4): announced by a search for the ID just above, in whose messages the new entry rides,
 * so that whoever has it in his leaf set hears of it; told to the neighbours found that way; and again every so often.
 */
#include <stddef.h>

#include "overlay/pnrp/delegation.h"
#include "overlay/pnrp/state.h"

/* Of an answer, beside certificate, payload and chain: flags, classifier, own entry, and the elements' headers. */
#define PUBLISH_ANSWER_REST (8 + 15 + 2 * BYPEER_CLASSIFIER_MAX + 44 + 16 * BYPEER_CLOUD_ENDPOINTS_MAX + 3 * 7)
#define PUBLISH_AT_ONCE     8      /* announcements */
#define PUBLISH_SECOND_MS   20000  /* the second announcement: the cache has filled since the first */
#define PUBLISH_AGAIN_MS    900000 /* the others */
#define PUBLISH_RETRY_MS    500    /* doubled after each that met nobody */
#define PUBLISH_RETRIES_MAX 7
#define PUBLISH_SIGN_MS     100   /* until a revocation that found no room is signed */
#define PUBLISH_LIFETIME_S  43200 /* [MS-PNRP] 2.2.3.1: 12 hours to a week */

/* What an ID's neighbours need to know when it goes: each side's nearest and farthest of its leaf set. */
struct bypeer_leaving {
    struct publish_neighbour {
        struct bypeer_pnrp_entry entry; /* no ID: there is none */
        uint8_t id[32];
        uint8_t addresses[BYPEER_PNRP_ADDRESSES_MAX * 16];
    } nearest[2], farthest[2]; /* below, above */
};

struct bypeer_registration *bypeer_publish_find(const struct bypeer_pnrp *pnrp, const uint8_t id[static 32])
{
    struct bypeer_registration *registration = pnrp->registrations;
    while (registration && (registration->is_leaving || memcmp(registration->id, id, 32) != 0))
        registration = registration->next;
    return registration;
}

struct bypeer_registration *bypeer_publish_by_handle(const struct bypeer_pnrp *pnrp, uint64_t handle)
{
    struct bypeer_registration *registration = pnrp->registrations;
    while (registration && registration->handle != handle)
        registration = registration->next;
    return registration;
}

static struct bypeer_registration *publish_first_live(const struct bypeer_pnrp *pnrp)
{
    struct bypeer_registration *registration = pnrp->registrations;
    while (registration && registration->is_leaving)
        registration = registration->next;
    return registration;
}

static void publish_advertise(struct bypeer_pnrp *pnrp)
{
    bool wanted = publish_first_live(pnrp) != NULL;
    if (wanted == pnrp->is_advertising)
        return;
    pnrp->is_advertising = wanted;
    if (pnrp->sink->discover)
        pnrp->sink->discover(pnrp->sink_context, wanted ? BYPEER_ADVERTISE_START : BYPEER_ADVERTISE_STOP);
}

/* chain_bytes: of the one that it will have. */
static int publish_check_contents(const struct bypeer_pnrp_registration *given, size_t chain_bytes)
{
    bool has_payload = given->payload_type != BYPEER_PAYLOAD_NONE;
    if (given->application_count > BYPEER_CPA_APPLICATIONS_MAX || given->payload_bytes > BYPEER_PAYLOAD_MAX ||
        (given->comment && strlen(given->comment) > BYPEER_COMMENT_MAX) || chain_bytes > BYPEER_DELEGATION_BYTES_MAX)
        return -EINVAL;
    if (has_payload ? given->payload_bytes == 0 : given->payload_bytes > 0 || given->application_count == 0)
        return -EINVAL;
    /* A string goes with the NUL that ends it. */
    if (given->payload_type == BYPEER_PAYLOAD_STRING &&
        (given->payload_bytes == BYPEER_PAYLOAD_MAX || memchr(given->payload, 0, given->payload_bytes)))
        return -EINVAL;
    /* What cannot be sent in one answer is not worth a signature. */
    size_t payload_bytes = has_payload ? BYPEER_EXTENDED_MAX - BYPEER_PAYLOAD_MAX + given->payload_bytes : 0;
    if (PUBLISH_ANSWER_REST + BYPEER_CPA_MAX + payload_bytes + chain_bytes > BYPEER_PNRP_BUFFER_MAX)
        return -EINVAL;
    return given->follow_addresses && given->application_count == 0 ? -EINVAL : 0;
}

static struct bypeer_contents *publish_contents(const struct bypeer_pnrp_registration *given)
{
    size_t applications = given->application_count * sizeof(given->applications[0]);
    size_t comment = given->comment ? strlen(given->comment) : 0;
    struct bypeer_contents *contents = calloc(1, sizeof(*contents) + applications + given->payload_bytes + comment);
    if (!contents)
        return NULL;
    contents->application_count = given->application_count;
    contents->follows_addresses = given->follow_addresses;
    contents->payload_type = given->payload_type;
    contents->payload_bytes = (uint16_t)given->payload_bytes;
    contents->comment_bytes = (uint8_t)comment;
    contents->lifetime_s = given->lifetime_s ? given->lifetime_s : PUBLISH_LIFETIME_S;
    contents->payload = (uint8_t *)contents->applications + applications;
    contents->comment = (char *)contents->payload + given->payload_bytes;
    if (applications > 0)
        memcpy(contents->applications, given->applications, applications);
    if (given->payload_bytes > 0)
        memcpy(contents->payload, given->payload, given->payload_bytes);
    if (comment > 0)
        memcpy(contents->comment, given->comment, comment);
    return contents;
}

static int publish_copy_chain(struct bypeer_registration *registration, const struct bypeer_pnrp_registration *given)
{
    uint8_t *chain = NULL;
    if (given->chain) {
        chain = malloc(given->chain_bytes);
        if (!chain)
            return -ENOMEM;
        memcpy(chain, given->chain, given->chain_bytes);
    }
    free(registration->chain);
    registration->chain = chain;
    registration->chain_bytes = (uint16_t)(chain ? given->chain_bytes : 0);
    return 0;
}

/* Whether the key may sign for the name; with a chain, that is for those who check the chain. */
static bool publish_may_sign(const struct bypeer_pnrp *pnrp, const struct bypeer_pnrp_registration *given)
{
    uint8_t authority[BYPEER_AUTHORITY_BYTES];
    if (!given->name || !given->key || bypeer_key_profile(given->key) != pnrp->profile)
        return false;
    if (!given->name->secure)
        return !given->chain && given->name->classifier_length > 0;
    bypeer_key_authority(given->key, authority);
    return given->chain || memcmp(authority, given->name->authority, sizeof(authority)) == 0;
}

static void publish_make_id(struct bypeer_pnrp *pnrp, const struct bypeer_pnrp_registration *given, uint8_t *ret_id)
{
    bypeer_name_p2p_id(pnrp->profile, given->name, ret_id);
    uint8_t *location = ret_id + BYPEER_P2P_ID_BYTES;
    if (given->has_location) {
        memcpy(location, given->location, sizeof(given->location));
        return;
    }
    bypeer_cloud_random_bytes(pnrp, location, 16);
    if (given->has_prefix)
        memcpy(location, given->prefix, sizeof(given->prefix));
    else if (pnrp->endpoint_count > 0)
        memcpy(location, pnrp->endpoints[0].address, 8);
}

static void publish_free(struct bypeer_registration *registration)
{
    free(registration->contents);
    free(registration->chain);
    free(registration->leaving);
    free(registration);
}

static int publish_own_entry(struct bypeer_pnrp *pnrp, const struct bypeer_registration *registration)
{
    uint8_t addresses[BYPEER_CLOUD_ENDPOINTS_MAX][16];
    struct bypeer_pnrp_entry entry;
    if (pnrp->endpoint_count == 0)
        return 0;
    bypeer_cloud_own_entry(pnrp, registration->id, addresses, &entry);
    return bypeer_cache_add_own(pnrp->cache, &entry);
}

int bypeer_pnrp_register(struct bypeer_pnrp *pnrp, struct bypeer_pnrp_time now,
                         const struct bypeer_pnrp_registration *given, uint64_t *ret_registration,
                         uint8_t ret_id[static 32])
{
    uint8_t id[32];
    pnrp->now = now;
    if (!publish_may_sign(pnrp, given) || publish_check_contents(given, given->chain_bytes) < 0)
        return -EINVAL;
    publish_make_id(pnrp, given, id);
    if (bypeer_publish_find(pnrp, id))
        return -EEXIST;
    struct bypeer_registration *registration = calloc(1, sizeof(*registration));
    if (!registration)
        return -ENOMEM;
    memcpy(registration->id, id, sizeof(id));
    registration->name = *given->name;
    registration->key = given->key;
    registration->contents = publish_contents(given);
    int error = registration->contents ? publish_copy_chain(registration, given) : -ENOMEM;
    if (error == 0)
        error = bypeer_inquire_open_meter(pnrp);
    if (error == 0)
        error = publish_own_entry(pnrp, registration);
    if (error < 0) {
        publish_free(registration);
        return error;
    }
    registration->handle = ++pnrp->numbers;
    registration->due_ms = now.ms;
    registration->next = pnrp->registrations;
    pnrp->registrations = registration;
    pnrp->registration_count++;
    publish_advertise(pnrp);
    bypeer_upkeep_hurry(pnrp);
    *ret_registration = registration->handle;
    memcpy(ret_id, id, sizeof(id));
    return 0;
}

int bypeer_pnrp_update(struct bypeer_pnrp *pnrp, uint64_t handle, const struct bypeer_pnrp_registration *given)
{
    struct bypeer_registration *registration = bypeer_publish_by_handle(pnrp, handle);
    if (!registration || registration->is_leaving)
        return -ENOENT;
    if (publish_check_contents(given, given->chain ? given->chain_bytes : registration->chain_bytes) < 0)
        return -EINVAL;
    struct bypeer_contents *contents = publish_contents(given);
    if (!contents || (given->chain && publish_copy_chain(registration, given) < 0)) {
        free(contents);
        return -ENOMEM;
    }
    free(registration->contents);
    registration->contents = contents;
    return 0;
}

static void publish_note(struct publish_neighbour *neighbour, const struct bypeer_route *route)
{
    bypeer_route_entry(route, neighbour->addresses, &neighbour->entry);
    memcpy(neighbour->id, route->id, sizeof(neighbour->id));
    neighbour->entry.id = neighbour->id;
}

static bool publish_note_leaves(struct bypeer_pnrp *pnrp, const uint8_t *id, struct bypeer_leaving *leaving)
{
    bool is_known = false;
    for (unsigned side = 0; side < 2; side++) {
        const struct bypeer_route *leaves[BYPEER_LEAF_SET];
        unsigned count = bypeer_cache_leaves(pnrp->cache, id, side == 1, leaves);
        for (unsigned i = 0; i < count; i++) {
            if (leaves[i]->flags & BYPEER_ROUTE_OWN)
                continue;
            is_known = true;
            if (!leaving->nearest[side].entry.id)
                publish_note(&leaving->nearest[side], leaves[i]);
            if (i == BYPEER_LEAF_SET - 1)
                publish_note(&leaving->farthest[side], leaves[i]);
        }
    }
    return is_known;
}

static void publish_revoke(struct bypeer_pnrp *pnrp, struct bypeer_registration *registration)
{
    if (registration->is_signed || registration->is_signing)
        return;
    struct bypeer_job *job = bypeer_certified_make(pnrp, registration, NULL, true, false);
    if (!job) {
        registration->is_signed = true;
        return;
    }
    job->owner = registration->handle;
    if (bypeer_job_hand_out(pnrp, job)) {
        registration->is_signing = true;
        registration->jobs++;
        return;
    }
    bypeer_cloud_wake(pnrp, pnrp->now.ms + PUBLISH_SIGN_MS);
}

int bypeer_pnrp_unregister(struct bypeer_pnrp *pnrp, struct bypeer_pnrp_time now, uint64_t handle)
{
    struct bypeer_registration *registration = bypeer_publish_by_handle(pnrp, handle);
    pnrp->now = now;
    if (!registration || registration->is_leaving)
        return -ENOENT;
    bypeer_seek_cancel(pnrp, BYPEER_SEEK_ANNOUNCE, handle);
    if (registration->is_announcing) {
        registration->is_announcing = false;
        pnrp->announcements--;
    }
    struct bypeer_leaving *leaving = calloc(1, sizeof(*leaving));
    bool has_neighbours = leaving && pnrp->endpoint_count > 0 && publish_note_leaves(pnrp, registration->id, leaving);
    registration->leaving = leaving;
    registration->is_leaving = true;
    registration->is_signed = !has_neighbours;
    registration->due_ms = now.ms;
    bypeer_cache_remove_own(pnrp->cache, registration->id);
    publish_advertise(pnrp);
    bypeer_cloud_wake(pnrp, now.ms);
    publish_revoke(pnrp, registration);
    return 0;
}

static void publish_introduce(struct bypeer_pnrp *pnrp, struct bypeer_registration *registration,
                              const struct publish_neighbour *to, const struct publish_neighbour *whom)
{
    if (to->entry.id && whom->entry.id)
        bypeer_flood_send(pnrp,
                          &(struct bypeer_flood){.to = &to->entry, .entry = whom->entry, .leaving = registration});
}

void bypeer_publish_signed(struct bypeer_pnrp *pnrp, struct bypeer_job *job)
{
    struct bypeer_registration *registration = bypeer_publish_by_handle(pnrp, job->owner);
    if (!registration)
        return;
    registration->jobs--;
    registration->is_signed = true;
    struct bypeer_leaving *leaving = registration->leaving;
    if (job->work.result == 0 && pnrp->endpoint_count > 0) {
        uint8_t list[3][18];
        struct bypeer_pnrp_endpoints flooded = {list[0], 1};
        bypeer_pnrp_endpoint_put(list[0], &pnrp->endpoints[0]);
        for (unsigned side = 0; side < 2; side++) {
            const struct bypeer_pnrp_entry *entry = &leaving->nearest[side].entry;
            struct bypeer_pnrp_endpoint endpoint = {.port = entry->port};
            if (!entry->id)
                continue;
            memcpy(endpoint.address, entry->addresses, 16);
            bypeer_pnrp_endpoint_put(list[flooded.count++], &endpoint);
        }
        for (unsigned side = 0; side < 2; side++)
            if (leaving->nearest[side].entry.id)
                bypeer_flood_send(pnrp, &(struct bypeer_flood){.to = &leaving->nearest[side].entry,
                                                               .revoke = job->answer.cpa,
                                                               .revoke_bytes = job->answer.cpa_bytes,
                                                               .flooded = flooded,
                                                               .leaving = registration});
        publish_introduce(pnrp, registration, &leaving->farthest[0], &leaving->nearest[1]);
        publish_introduce(pnrp, registration, &leaving->farthest[1], &leaving->nearest[0]);
    }
    bypeer_publish_settle(pnrp, registration);
}

void bypeer_publish_settle(struct bypeer_pnrp *pnrp, struct bypeer_registration *registration)
{
    if (!registration->is_leaving || !registration->is_signed || registration->jobs > 0 || registration->floods > 0)
        return;
    struct bypeer_registration **at = &pnrp->registrations;
    while (*at != registration)
        at = &(*at)->next;
    *at = registration->next;
    pnrp->registration_count--;
    uint64_t handle = registration->handle;
    publish_free(registration);
    if (pnrp->sink->unregistered)
        pnrp->sink->unregistered(pnrp->sink_context, handle);
}

void bypeer_publish_free_all(struct bypeer_pnrp *pnrp)
{
    while (pnrp->registrations) {
        struct bypeer_registration *registration = pnrp->registrations;
        pnrp->registrations = registration->next;
        publish_free(registration);
    }
}

/* Without an address there is no entry to be named. */
static void publish_move_own(struct bypeer_pnrp *pnrp, const struct bypeer_registration *registration)
{
    uint8_t addresses[BYPEER_CLOUD_ENDPOINTS_MAX][16];
    struct bypeer_pnrp_entry entry;
    if (pnrp->endpoint_count == 0) {
        bypeer_cache_remove_own(pnrp->cache, registration->id);
        return;
    }
    bypeer_cloud_own_entry(pnrp, registration->id, addresses, &entry);
    if (bypeer_cache_move_own(pnrp->cache, &entry) == -ENOENT)
        bypeer_cache_add_own(pnrp->cache, &entry);
}

void bypeer_publish_endpoints(struct bypeer_pnrp *pnrp)
{
    for (struct bypeer_registration *registration = pnrp->registrations; registration;
         registration = registration->next) {
        if (registration->is_leaving)
            continue;
        publish_move_own(pnrp, registration);
        registration->announced = 0;
        registration->failures = 0;
        registration->due_ms = pnrp->now.ms;
    }
}

void bypeer_publish_cross(struct bypeer_pnrp *pnrp, struct bypeer_registration *registration)
{
    registration->is_crossing = true;
    registration->due_ms = pnrp->now.ms;
    bypeer_cloud_wake(pnrp, pnrp->now.ms);
}

void bypeer_publish_hurry(struct bypeer_pnrp *pnrp)
{
    for (struct bypeer_registration *registration = pnrp->registrations; registration;
         registration = registration->next)
        if ((registration->announced == 0 || registration->due_ms == BYPEER_NEVER) && !registration->is_leaving)
            registration->due_ms = pnrp->now.ms;
}

static uint64_t publish_jitter(struct bypeer_pnrp *pnrp, uint64_t ms)
{
    return pnrp->now.ms + ms * 3 / 4 + bypeer_cloud_random(pnrp) % (ms / 2);
}

static void publish_announce(struct bypeer_pnrp *pnrp, struct bypeer_registration *registration)
{
    static const uint8_t nobody[32];
    const struct bypeer_id_number one = {{0, 0, 0, 1}};
    uint8_t addresses[BYPEER_CLOUD_ENDPOINTS_MAX][16];
    struct bypeer_pnrp_entry own;
    struct bypeer_pnrp_endpoint start;
    bypeer_cloud_own_entry(pnrp, registration->id, addresses, &own);
    struct bypeer_search_settings settings = {.target = bypeer_id_add(bypeer_id_load(registration->id), one),
                                              .criterion = BYPEER_PNRP_NONE,
                                              .reason = BYPEER_PNRP_REGISTRATION,
                                              .initial_match = &own};
    struct bypeer_pnrp_entry first = {.id = nobody, .addresses = start.address, .address_count = 1};
    bool begins_at_seed = registration->is_crossing || bypeer_cache_count(pnrp->cache) == 0;
    registration->is_crossing = false;
    if (begins_at_seed && bypeer_seek_start(pnrp, &start)) {
        first.port = start.port;
        settings.first_hop = &first;
    }
    registration->is_announcing = true;
    pnrp->announcements++;
    int error = bypeer_seek_begin(pnrp, BYPEER_SEEK_ANNOUNCE, registration->handle, &settings);
    if (error == 0)
        return;
    registration->is_announcing = false;
    pnrp->announcements--;
    /* Without anybody to ask: until somebody is known. */
    registration->due_ms = error == -ENOMEM ? publish_jitter(pnrp, PUBLISH_SECOND_MS) : BYPEER_NEVER;
}

void bypeer_publish_seek_ended(struct bypeer_pnrp *pnrp, const struct bypeer_seek *seek)
{
    struct bypeer_registration *registration = bypeer_publish_by_handle(pnrp, seek->owner);
    if (!registration || !registration->is_announcing)
        return;
    registration->is_announcing = false;
    pnrp->announcements--;
    /* A seed without a name, which knew nobody else either, has at least heard of us. */
    if (seek->has_answers && bypeer_cache_count(pnrp->cache) > 0) {
        registration->failures = 0;
        registration->announced++;
        registration->due_ms =
            publish_jitter(pnrp, registration->announced == 1 ? PUBLISH_SECOND_MS : PUBLISH_AGAIN_MS);
        bypeer_flood_announce(pnrp, registration->id);
    } else {
        if (registration->failures < PUBLISH_RETRIES_MAX)
            registration->failures++;
        registration->due_ms = publish_jitter(pnrp, (uint64_t)PUBLISH_RETRY_MS << registration->failures);
    }
    bypeer_cloud_wake(pnrp, registration->due_ms);
    bypeer_cloud_wake(pnrp, pnrp->now.ms); /* whoever waits for his turn */
}

void bypeer_publish_tick(struct bypeer_pnrp *pnrp)
{
    struct bypeer_registration *next;
    for (struct bypeer_registration *registration = pnrp->registrations; registration; registration = next) {
        next = registration->next;
        if (registration->is_leaving) {
            publish_revoke(pnrp, registration);
            bypeer_publish_settle(pnrp, registration);
            continue;
        }
        if (registration->is_announcing || pnrp->endpoint_count == 0)
            continue;
        /* A name that nobody knows yet does not wait for the repetitions. */
        unsigned limit = registration->announced == 0 ? PUBLISH_AT_ONCE : 1;
        if (registration->due_ms <= pnrp->now.ms && pnrp->announcements < limit)
            publish_announce(pnrp, registration);
        /* One that has to wait for its turn gets it when another ends. */
        if (!registration->is_announcing && registration->due_ms > pnrp->now.ms)
            bypeer_cloud_wake(pnrp, registration->due_ms);
    }
}
