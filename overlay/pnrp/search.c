#include "overlay/pnrp/search.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>

#define KEPT_ADDRESSES 4 /* a node has no more, [MS-PNRP] 3.1.4.1 */
#define STACK_MAX      32
#define ENDPOINT_BYTES 18
#define ROOM_FIRST     4
/* Itself, every hop that answered, and every one that did not: each was named by one that did, or begun with. */
#define PATH_MAX_KEPT (2 * (BYPEER_SEARCH_HOPS + 1) + BYPEER_SEARCH_STARTS + 1)

/* A route entry with memory of its own. */
struct search_hop {
    uint8_t id[32];
    uint8_t addresses[KEPT_ADDRESSES * 16];
    uint16_t port;
    uint8_t address_count; /* 0: there is none */
    uint8_t uses;
};

/* A node holds few hops in a search, most of them with one address: each is as large as it is. */
struct search_link {
    struct search_link *under;
    uint8_t id[32];
    uint16_t port;
    uint8_t address_count, uses;
    uint8_t addresses[];
};

struct search_stack {
    struct search_link *top;
    unsigned count;
};

enum search_state { READY, ASKING, VALIDATING, ENDED };

struct bypeer_search {
    struct bypeer_search_settings settings;
    enum search_state state;
    bool is_found;
    struct search_stack next, matches;
    struct search_hop current, best, initial;
    uint8_t (*path)[ENDPOINT_BYTES];
    uint8_t (*sent_path)[ENDPOINT_BYTES]; /* of a LOOKUP that has no room for all of it */
    unsigned path_count, path_room;
    uint8_t (*barred)[32]; /* matches that are no result */
    unsigned barred_count, barred_room;
    unsigned hops, suspicious, starts;
    struct bypeer_pnrp_entry initial_entry, match_entry; /* of settings, of the present action */
};

static bool hop_exists(const struct search_hop *hop)
{
    return hop->address_count > 0;
}

static void hop_forget(struct search_hop *hop)
{
    hop->address_count = 0;
}

static void hop_take(struct search_hop *hop, const struct bypeer_pnrp_entry *entry)
{
    *hop = (struct search_hop){.port = entry->port, .address_count = entry->address_count};
    if (hop->address_count > KEPT_ADDRESSES)
        hop->address_count = KEPT_ADDRESSES;
    memcpy(hop->id, entry->id, sizeof(hop->id));
    memcpy(hop->addresses, entry->addresses, hop->address_count * 16u);
}

static struct bypeer_pnrp_entry hop_entry(const struct search_hop *hop)
{
    return (struct bypeer_pnrp_entry){
        .id = hop->id, .addresses = hop->addresses, .address_count = hop->address_count, .port = hop->port};
}

/* The stand-in for a node of which only the address is known. It is nowhere, so everything is nearer. */
static bool id_is_zero(const uint8_t *id)
{
    static const uint8_t zero[32];
    return memcmp(id, zero, sizeof(zero)) == 0;
}

static void stack_remove(struct search_stack *stack, struct search_link **at)
{
    struct search_link *link = *at;
    *at = link->under;
    stack->count--;
    free(link);
}

static void stack_push(struct search_stack *stack, const struct search_hop *hop)
{
    struct search_link *link = malloc(sizeof(*link) + hop->address_count * 16u);
    if (!link)
        return;
    memcpy(link->id, hop->id, sizeof(link->id));
    memcpy(link->addresses, hop->addresses, hop->address_count * 16u);
    link->port = hop->port;
    link->address_count = hop->address_count;
    link->uses = hop->uses;
    link->under = stack->top;
    stack->top = link;
    if (++stack->count <= STACK_MAX)
        return;
    struct search_link **bottom = &stack->top; /* what was put there first is farthest */
    while ((*bottom)->under)
        bottom = &(*bottom)->under;
    stack_remove(stack, bottom);
}

static bool stack_pop(struct search_stack *stack, struct search_hop *ret_hop)
{
    const struct search_link *top = stack->top;
    if (!top) {
        hop_forget(ret_hop);
        return false;
    }
    hop_take(ret_hop,
             &(struct bypeer_pnrp_entry){
                 .id = top->id, .addresses = top->addresses, .address_count = top->address_count, .port = top->port});
    ret_hop->uses = top->uses;
    stack_remove(stack, &stack->top);
    return true;
}

static void stack_drop(struct search_stack *stack, const uint8_t *id)
{
    for (struct search_link **at = &stack->top; *at;)
        if (memcmp((*at)->id, id, 32) == 0)
            stack_remove(stack, at);
        else
            at = &(*at)->under;
}

static void stack_empty(struct search_stack *stack)
{
    while (stack->top)
        stack_remove(stack, &stack->top);
}

static size_t stack_bytes(const struct search_stack *stack)
{
    size_t bytes = 0;
    for (const struct search_link *link = stack->top; link; link = link->under)
        bytes += malloc_usable_size((void *)(uintptr_t)link);
    return bytes;
}

static bool search_is_nearer(const struct bypeer_search *search, const uint8_t *id, const uint8_t *than)
{
    if (id_is_zero(than))
        return !id_is_zero(id);
    return bypeer_id_is_nearer(search->settings.target, bypeer_id_load(id), bypeer_id_load(than));
}

static struct bypeer_pnrp_endpoints search_path(const struct bypeer_search *search, unsigned count)
{
    return (struct bypeer_pnrp_endpoints){.bytes = (const uint8_t *)search->path, .count = (uint16_t)count};
}

/* Makes an array larger, twice as large up to most; without memory it stays as it is. */
static void *array_grow(void *array, unsigned *room, unsigned most, size_t size)
{
    unsigned wanted = *room > 0 ? 2 * *room : ROOM_FIRST;
    if (wanted > most)
        wanted = most;
    void *larger = wanted > *room ? realloc(array, wanted * size) : NULL;
    if (!larger)
        return array;
    *room = wanted;
    return larger;
}

static void path_append(struct bypeer_search *search, const struct bypeer_pnrp_endpoint *endpoint)
{
    struct bypeer_pnrp_endpoint at;
    struct bypeer_pnrp_endpoints path = search_path(search, search->path_count);
    for (unsigned i = 0; i < search->path_count; i++) {
        bypeer_pnrp_endpoint_at(&path, i, &at);
        if (at.port == endpoint->port && memcmp(at.address, endpoint->address, 16) == 0)
            return;
    }
    if (search->path_count == search->path_room)
        search->path = array_grow(search->path, &search->path_room, PATH_MAX_KEPT, ENDPOINT_BYTES);
    if (search->path_count < search->path_room)
        bypeer_pnrp_endpoint_put(search->path[search->path_count++], endpoint);
}

/* Whether a node was asked already. But for `except`, which may name another ID of its own; NULL: no exception. */
static bool is_asked(const struct bypeer_search *search, const struct bypeer_pnrp_entry *entry, const uint8_t *except)
{
    struct bypeer_pnrp_endpoints path = search_path(search, search->path_count);
    for (unsigned at = 0; at < entry->address_count; at++) {
        const uint8_t *address = entry->addresses + at * 16u;
        if ((!except || memcmp(address, except, 16) != 0) && bypeer_pnrp_endpoints_have(&path, address))
            return true;
    }
    return false;
}

/* As a LOOKUP carries it: itself, then those asked last. */
static struct bypeer_pnrp_endpoints search_send_path(struct bypeer_search *search)
{
    if (search->path_count <= BYPEER_PNRP_PATH_MAX)
        return search_path(search, search->path_count);
    if (!search->sent_path)
        search->sent_path = malloc(BYPEER_PNRP_PATH_MAX * sizeof(*search->sent_path));
    if (!search->sent_path)
        return search_path(search, BYPEER_PNRP_PATH_MAX);
    unsigned from = search->path_count - (BYPEER_PNRP_PATH_MAX - 1);
    memcpy(search->sent_path[0], search->path[0], ENDPOINT_BYTES);
    memcpy(search->sent_path[1], search->path[from], (BYPEER_PNRP_PATH_MAX - 1) * ENDPOINT_BYTES);
    return (struct bypeer_pnrp_endpoints){.bytes = search->sent_path[0], .count = BYPEER_PNRP_PATH_MAX};
}

static bool is_barred(const struct bypeer_search *search, const uint8_t *id)
{
    for (unsigned at = 0; at < search->barred_count; at++)
        if (memcmp(search->barred[at], id, 32) == 0)
            return true;
    return false;
}

/* How many leading bits of an ID must be the target's so that it ends the search at once. */
static unsigned search_bits(const struct bypeer_search *search)
{
    switch (search->settings.criterion) {
    case BYPEER_PNRP_ANY:
        return 128;
    case BYPEER_PNRP_NEAREST_64:
        return 192;
    case BYPEER_PNRP_UPPER_BITS:
        return search->settings.precision;
    case BYPEER_PNRP_NONE:
    case BYPEER_PNRP_NEAREST:
        break;
    }
    return 256;
}

static bool is_early_match(const struct bypeer_search *search, const struct search_hop *hop)
{
    return bypeer_id_common_bits(bypeer_id_load(hop->id), search->settings.target) >= search_bits(search);
}

/* It will do when there is nobody left to ask. */
static bool is_late_match(const struct bypeer_search *search, const struct search_hop *hop)
{
    if (search->settings.reason == BYPEER_PNRP_SPLIT_DETECTION)
        return true;
    if (search->settings.criterion == BYPEER_PNRP_NEAREST || search->settings.criterion == BYPEER_PNRP_NEAREST_64)
        return bypeer_id_common_bits(bypeer_id_load(hop->id), search->settings.target) >= 128;
    return is_early_match(search, hop);
}

static void search_take_match(struct bypeer_search *search, const struct search_hop *hop)
{
    if (id_is_zero(hop->id) || is_barred(search, hop->id))
        return;
    if (hop_exists(&search->best) && !search_is_nearer(search, hop->id, search->best.id))
        return;
    if (hop_exists(&search->best))
        stack_push(&search->matches, &search->best);
    search->best = *hop;
}

/* Somebody to ask, and if it is what is looked for, to validate at once (6.5.1). */
static void search_push(struct bypeer_search *search, const struct bypeer_pnrp_entry *entry)
{
    struct search_hop hop;
    hop_take(&hop, entry);
    stack_push(&search->next, &hop);
    if (is_early_match(search, &hop))
        search_take_match(search, &hop);
}

/* The best match is none. */
static void search_bar(struct bypeer_search *search)
{
    if (search->barred_count == search->barred_room)
        search->barred = array_grow(search->barred, &search->barred_room, STACK_MAX, sizeof(search->barred[0]));
    if (search->barred_count == search->barred_room && search->barred_count > 0) {
        search->barred_count--;
        memmove(search->barred[0], search->barred[1], search->barred_count * sizeof(search->barred[0]));
    }
    if (search->barred_count < search->barred_room)
        memcpy(search->barred[search->barred_count++], search->best.id, 32);
    while (stack_pop(&search->matches, &search->best) && is_barred(search, search->best.id))
        ;
}

/* Puts the known entry nearest to the target that was not asked yet on the stack. */
static bool search_start(struct bypeer_search *search, const struct bypeer_cache *cache)
{
    struct bypeer_cache_walk up, down;
    bypeer_cache_walk(cache, search->settings.target, &up);
    down = up;
    const struct bypeer_route *above = bypeer_cache_above(&up), *below = bypeer_cache_below(&down);
    search->starts++;
    for (uint32_t left = up.left + 1; left > 0 && above && below; left--) {
        bool is_up =
            !bypeer_id_is_nearer(search->settings.target, bypeer_id_load(below->id), bypeer_id_load(above->id));
        const struct bypeer_route *route = is_up ? above : below;
        uint8_t addresses[BYPEER_PNRP_ADDRESSES_MAX * 16];
        struct bypeer_pnrp_entry entry;
        bypeer_route_entry(route, addresses, &entry);
        if (!(route->flags & BYPEER_ROUTE_OWN) && !is_asked(search, &entry, NULL)) {
            search_push(search, &entry);
            return true;
        }
        if (is_up)
            above = bypeer_cache_above(&up);
        else
            below = bypeer_cache_below(&down);
    }
    return false;
}

static const struct bypeer_route *nearest_own(const struct bypeer_search *search, const struct bypeer_cache *cache)
{
    const uint8_t *nearest = NULL;
    for (uint32_t at = 0; at < bypeer_cache_own_count(cache); at++) {
        const uint8_t *own = bypeer_cache_own(cache, at);
        if (!nearest || search_is_nearer(search, own, nearest))
            nearest = own;
    }
    return nearest ? bypeer_cache_find(cache, nearest) : NULL;
}

int bypeer_search_begin(struct bypeer_search **ret_search, const struct bypeer_search_settings *settings,
                        const struct bypeer_cache *cache)
{
    struct bypeer_search *search = calloc(1, sizeof(*search));
    if (!search)
        return -ENOMEM;
    search->settings = *settings;
    path_append(search, &settings->self);
    if (search->path_count == 0) {
        bypeer_search_free(search);
        return -ENOMEM;
    }

    if (settings->initial_match) {
        hop_take(&search->initial, settings->initial_match);
        search->initial_entry = hop_entry(&search->initial);
        search->settings.initial_match = &search->initial_entry;
        stack_push(&search->matches, &search->initial);
    } else if (settings->consider_own && bypeer_cache_own_count(cache) > 0) {
        uint8_t addresses[BYPEER_PNRP_ADDRESSES_MAX * 16];
        struct bypeer_pnrp_entry own;
        bypeer_route_entry(nearest_own(search, cache), addresses, &own);
        hop_take(&search->best, &own);
    }

    if (settings->first_hop) {
        search_push(search, settings->first_hop);
        search->starts = BYPEER_SEARCH_STARTS;
        search->settings.first_hop = NULL;
    } else if (!search_start(search, cache) && !hop_exists(&search->best)) {
        bypeer_search_free(search);
        return -ENOENT;
    }
    *ret_search = search;
    return 0;
}

void bypeer_search_free(struct bypeer_search *search)
{
    if (!search)
        return;
    stack_empty(&search->next);
    stack_empty(&search->matches);
    free(search->path);
    free(search->sent_path);
    free(search->barred);
    free(search);
}

size_t bypeer_search_bytes(const struct bypeer_search *search)
{
    return malloc_usable_size((void *)(uintptr_t)search) + stack_bytes(&search->next) + stack_bytes(&search->matches) +
           malloc_usable_size(search->path) + malloc_usable_size(search->barred) +
           malloc_usable_size(search->sent_path);
}

const struct bypeer_search_settings *bypeer_search_settings(const struct bypeer_search *search)
{
    return &search->settings;
}

unsigned bypeer_search_hops(const struct bypeer_search *search)
{
    return search->hops;
}

static bool search_is_spent(const struct bypeer_search *search)
{
    return search->suspicious > BYPEER_SEARCH_SUSPICIOUS || search->hops > BYPEER_SEARCH_HOPS;
}

/* Takes the next hop to ask from the stack, or from the cache. */
static bool search_take_hop(struct bypeer_search *search, const struct bypeer_cache *cache)
{
    if (search_is_spent(search))
        return false;
    if (stack_pop(&search->next, &search->current))
        return true;
    bool is_wanted = search->settings.reason == BYPEER_PNRP_APP_REQUEST || !hop_exists(&search->best);
    if (hop_exists(&search->best) && is_late_match(search, &search->best))
        is_wanted = false;
    if (!is_wanted || search->starts >= BYPEER_SEARCH_STARTS || !search_start(search, cache))
        return false;
    return stack_pop(&search->next, &search->current);
}

static void search_decide(struct bypeer_search *search, const struct bypeer_cache *cache)
{
    bool is_done = hop_exists(&search->best) && is_early_match(search, &search->best);
    if (!is_done && search_take_hop(search, cache)) {
        search->current.uses++;
        search->state = ASKING;
        return;
    }
    bool will_do = hop_exists(&search->best) && is_late_match(search, &search->best);
    search->state = will_do ? VALIDATING : ENDED;
}

/* What rides in LOOKUPs: of a registration always the new entry, so that whoever is asked learns of it. */
static const struct search_hop *search_shown_match(const struct bypeer_search *search)
{
    bool is_registration = search->settings.reason == BYPEER_PNRP_REGISTRATION;
    return is_registration || !hop_exists(&search->best) ? &search->initial : &search->best;
}

void bypeer_search_next(struct bypeer_search *search, const struct bypeer_cache *cache,
                        struct bypeer_search_action *ret_action)
{
    if (search->state == READY)
        search_decide(search, cache);
    *ret_action = (struct bypeer_search_action){.step = BYPEER_SEARCH_FAILED};
    switch (search->state) {
    case ASKING:
        ret_action->step = BYPEER_SEARCH_LOOKUP;
        ret_action->hop = hop_entry(&search->current);
        ret_action->path = search_send_path(search);
        ret_action->any_distance = bypeer_cache_count(cache) < BYPEER_SMALL_CACHE;
        search->match_entry = hop_entry(search_shown_match(search));
        ret_action->match = search->match_entry.address_count > 0 ? &search->match_entry : NULL;
        break;
    case VALIDATING:
        ret_action->step = BYPEER_SEARCH_INQUIRE;
        ret_action->hop = hop_entry(&search->best);
        break;
    case READY:
    case ENDED:
        if (search->is_found) {
            ret_action->step = BYPEER_SEARCH_FOUND;
            ret_action->hop = hop_entry(&search->best);
        }
        break;
    }
}

/* Whether what the current hop named is worth asking. */
static bool search_accepts(const struct bypeer_search *search, const struct bypeer_pnrp_entry *named,
                           const struct bypeer_pnrp_endpoint *asked, const struct bypeer_cache *cache)
{
    if (!named->id || memcmp(named->id, search->current.id, 32) == 0 || is_asked(search, named, asked->address))
        return false;
    return search_is_nearer(search, named->id, search->current.id) || bypeer_cache_count(cache) < BYPEER_SMALL_CACHE;
}

void bypeer_search_answered(struct bypeer_search *search, const struct bypeer_pnrp_endpoint *asked,
                            const struct bypeer_pnrp_answer *answer, const struct bypeer_cache *cache)
{
    if (search->state != ASKING)
        return;
    bool is_there = !(answer->flags & BYPEER_AUTHORITY_NOT_LOCAL);
    path_append(search, asked);
    search->hops++;
    if (answer->flags & BYPEER_AUTHORITY_LEAF_SET)
        search->suspicious++;
    if (is_there)
        search_take_match(search, &search->current);
    if (is_there && search_accepts(search, &answer->entry, asked, cache)) {
        /* The one that named it is asked again if it leads nowhere. */
        if (search->current.uses < BYPEER_SEARCH_USES)
            stack_push(&search->next, &search->current);
        search_push(search, &answer->entry);
    }
    search->state = READY;
}

void bypeer_search_unanswered(struct bypeer_search *search, const struct bypeer_pnrp_endpoint *asked, bool busy)
{
    if (search->state != ASKING)
        return;
    path_append(search, asked);
    if (busy)
        search_take_match(search, &search->current);
    search->state = READY;
}

void bypeer_search_validated(struct bypeer_search *search, bool valid)
{
    if (search->state != VALIDATING)
        return;
    if (valid) {
        search->is_found = true;
        search->state = ENDED;
        return;
    }
    for (unsigned at = 0; at < search->best.address_count; at++) {
        struct bypeer_pnrp_endpoint endpoint = {.port = search->best.port};
        memcpy(endpoint.address, &search->best.addresses[at * 16], sizeof(endpoint.address));
        path_append(search, &endpoint);
    }
    stack_drop(&search->next, search->best.id);
    search_bar(search);
    search->state = READY;
}

void bypeer_search_reject(struct bypeer_search *search)
{
    if (!search->is_found)
        return;
    search->is_found = false;
    search_bar(search);
    search->state = READY;
}
