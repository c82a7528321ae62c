/*
 * Links by id and by key, and the peer of each.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "control/wireguard/state.h"

#define CHAINS_MIN 64

struct wireguard_link *wireguard_find(const struct bypeer_wireguard *engine, uint32_t id)
{
    return id < engine->link_room ? engine->links[id] : NULL;
}

/* Keyed: members choose their keys. */
static struct wireguard_link **links_chain(const struct bypeer_wireguard *engine, const uint8_t public_key[static 32])
{
    return &engine->chains[XXH3_64bits_withSeed(public_key, 32, engine->hash_seed) & (engine->chain_count - 1)];
}

struct bypeer_peer *wireguard_find_key(void *context, const uint8_t public_key[static 32])
{
    struct bypeer_wireguard *engine = context;
    if (engine->chain_count == 0)
        return NULL;
    for (struct wireguard_link *link = *links_chain(engine, public_key); link; link = link->next)
        if (memcmp(link->public_key, public_key, 32) == 0) {
            engine->found = link;
            return wireguard_need_peer(link);
        }
    return NULL;
}

static void links_chain_in(struct bypeer_wireguard *engine, struct wireguard_link *link)
{
    struct wireguard_link **chain = links_chain(engine, link->public_key);
    link->next = *chain;
    *chain = link;
}

static void links_chain_out(struct bypeer_wireguard *engine, const struct wireguard_link *link)
{
    struct wireguard_link **at = links_chain(engine, link->public_key);
    while (*at && *at != link)
        at = &(*at)->next;
    if (*at)
        *at = link->next;
}

static int links_make_chains(struct bypeer_wireguard *engine)
{
    if (engine->link_count < engine->chain_count)
        return 0;
    uint32_t count = engine->chain_count ? 2 * engine->chain_count : CHAINS_MIN;
    struct wireguard_link **chains = calloc(count, sizeof(*chains));
    if (!chains)
        return -ENOMEM;
    free(engine->chains);
    engine->chains = chains;
    engine->chain_count = count;
    for (uint32_t id = 0; id < engine->link_room; id++)
        if (engine->links[id])
            links_chain_in(engine, engine->links[id]);
    return 0;
}

static int links_make_room(struct bypeer_wireguard *engine, uint32_t id)
{
    if (id < engine->link_room)
        return 0;
    uint32_t room = engine->link_room ? engine->link_room : CHAINS_MIN;
    while (room <= id)
        room *= 2;
    struct wireguard_link **links = reallocarray(engine->links, room, sizeof(*links));
    if (!links)
        return -ENOMEM;
    memset(links + engine->link_room, 0, (room - engine->link_room) * sizeof(*links));
    engine->links = links;
    engine->link_room = room;
    return 0;
}

/* --- peers --- */

struct bypeer_peer *wireguard_need_peer(struct wireguard_link *link)
{
    static const uint8_t none[32];
    struct bypeer_wireguard *engine = link->engine;
    if (link->peer)
        return link->peer;
    struct bypeer_peer *peer = malloc(sizeof(*peer));
    const struct bypeer_peer_settings settings = {
        .crypto = engine->crypto,
        .identity = engine->identity,
        .sink = &wireguard_sink,
        .sink_context = link,
        .number = link->id,
        .public_key = link->public_key,
        .preshared_key = memcmp(link->preshared_key, none, sizeof(none)) != 0 ? link->preshared_key : NULL,
        .persistent_ns = link->persistent_s * BYPEER_WIREGUARD_S,
    };
    if (!peer || bypeer_peer_init(peer, &settings) < 0) {
        free(peer);
        return NULL;
    }
    link->peer = peer;
    return peer;
}

static void links_end_peer(struct wireguard_link *link)
{
    wireguard_timers_set(&link->engine->timers, &link->timer, UINT64_MAX);
    if (!link->peer)
        return;
    bypeer_peer_end(link->peer);
    free(link->peer);
    link->peer = NULL;
}

void wireguard_touched(struct wireguard_link *link, uint64_t now_ns)
{
    if (wireguard_timers_set(&link->engine->timers, &link->timer, bypeer_peer_due(link->peer, now_ns)) < 0)
        bypeer_log_limited(&link->engine->log_limit, BYPEER_LOG_ERROR, "WireGuard: no memory left for timers");
    wireguard_wake(link->engine);
}

void wireguard_request(struct wireguard_link *link, const struct bypeer_wireguard_time *now)
{
    if (link->endpoint.port == 0 || !wireguard_need_peer(link))
        return;
    bypeer_peer_request(link->peer, now);
    wireguard_touched(link, now->ns);
}

int wireguard_pair(const struct wireguard_link *link, uint64_t *ret_pair)
{
    const struct bypeer_wireguard *engine = link->engine;
    uint8_t keys[64], hash[BYPEER_CRYPTO_HASH];
    memcpy(keys, link->public_key, 32);
    memcpy(keys + 32, link->preshared_key, 32);
    int result =
        bypeer_crypto_hash(engine->crypto, bypeer_noise_public(engine->identity), 32, keys, sizeof(keys), hash);
    if (result == 0)
        memcpy(ret_pair, hash, sizeof(*ret_pair));
    bypeer_crypto_wipe(keys, sizeof(keys));
    bypeer_crypto_wipe(hash, sizeof(hash));
    return result;
}

/* --- where peers are --- */

static bool links_is_there(const struct wireguard_link *link, const struct wireguard_endpoint *endpoint)
{
    return link->endpoint.port == endpoint->port && memcmp(link->endpoint.remote, endpoint->remote, 16) == 0 &&
           memcmp(link->endpoint.local, endpoint->local, 16) == 0;
}

void wireguard_move(struct wireguard_link *link, const struct wireguard_endpoint *endpoint)
{
    static const uint8_t none[16];
    struct bypeer_wireguard *engine = link->engine;
    if (endpoint->port == 0 || links_is_there(link, endpoint))
        return;
    link->endpoint = *endpoint;
    const uint8_t *local = memcmp(endpoint->local, none, 16) != 0 ? endpoint->local : NULL;
    if (bypeer_model_set_endpoint(engine->node->model, link->id, endpoint->remote, endpoint->port, local) < 0)
        bypeer_log_limited(&engine->log_limit, BYPEER_LOG_ERROR,
                           "WireGuard: the tables have no room for where a peer has moved to; raise tables.links");
}

/* --- the model's links --- */

static void links_take_endpoint(struct wireguard_link *link, const struct bypeer_model_link *from)
{
    link->endpoint = (struct wireguard_endpoint){.port = from->peer_port};
    memcpy(link->endpoint.remote, from->peer, 16);
    memcpy(link->endpoint.local, from->has_local ? from->local_address : from->path_local, 16);
}

/* Who we are to him, and he to us: another key or secret makes another peer. */
static bool links_is_same(const struct wireguard_link *link, const struct bypeer_model_link *from)
{
    static const uint8_t none[32];
    return link->serial == from->serial && memcmp(link->public_key, from->public_key, 32) == 0 &&
           memcmp(link->preshared_key, from->has_preshared ? from->preshared_key : none, 32) == 0;
}

static uint16_t links_persistent_s(const struct bypeer_model_link *from)
{
    return from->endpoint_port != 0 ? from->persistent_s : 0;
}

static void links_drop(struct wireguard_link *link)
{
    struct bypeer_wireguard *engine = link->engine;
    link->is_gone = true;
    links_end_peer(link);
    links_chain_out(engine, link);
    engine->links[link->id] = NULL;
    engine->link_count--;
    bypeer_crypto_wipe(link, sizeof(*link));
    free(link);
}

static struct wireguard_link *links_add(struct bypeer_wireguard *engine, const struct bypeer_model_link *from)
{
    if (links_make_room(engine, from->id) < 0 || links_make_chains(engine) < 0)
        return NULL;
    struct wireguard_link *link = calloc(1, sizeof(*link));
    if (!link)
        return NULL;
    link->engine = engine;
    link->id = from->id;
    link->serial = from->serial;
    memcpy(link->public_key, from->public_key, 32);
    if (from->has_preshared)
        memcpy(link->preshared_key, from->preshared_key, 32);
    links_chain_in(engine, link);
    engine->links[link->id] = link;
    engine->link_count++;
    return link;
}

void bypeer_wireguard_link_changed(struct bypeer_wireguard *engine, const struct bypeer_model_link *from, bool gone)
{
    if (!engine || engine->closing || !from->wireguard)
        return;
    struct wireguard_link *link = wireguard_find(engine, from->id);
    if (link && (gone || !links_is_same(link, from))) {
        links_drop(link);
        link = NULL;
    }
    if (gone)
        return;
    if (!link && !(link = links_add(engine, from))) {
        bypeer_log(BYPEER_LOG_ERROR, "peer %s: no memory left for its handshakes", from->name);
        return;
    }
    links_take_endpoint(link, from);
    if (!link->peer && (from->current != 0 || from->next != 0)) {
        link->is_unsaid = engine->is_unsaid = true; /* sessions of before, with another key */
        engine->upkeep_ns = 0;
    }
    if (link->persistent_s != links_persistent_s(from)) {
        link->persistent_s = links_persistent_s(from);
        if (link->peer)
            bypeer_peer_set_persistent(link->peer, link->persistent_s * BYPEER_WIREGUARD_S);
    }
    if (link->persistent_s != 0 && wireguard_timers_set(&engine->timers, &link->timer, 0) < 0)
        bypeer_log_limited(&engine->log_limit, BYPEER_LOG_ERROR, "WireGuard: no memory left for timers");
    wireguard_wake(engine);
}

void wireguard_free_links(struct bypeer_wireguard *engine)
{
    for (uint32_t id = 0; id < engine->link_room; id++) {
        struct wireguard_link *link = engine->links[id];
        if (!link)
            continue;
        if (link->peer)
            bypeer_crypto_wipe(link->peer, sizeof(*link->peer));
        free(link->peer);
        bypeer_crypto_wipe(link, sizeof(*link));
        free(link);
    }
    free(engine->links);
    free(engine->chains);
    engine->links = engine->chains = NULL;
    engine->link_room = engine->chain_count = 0;
}

int bypeer_wireguard_peer_status(const struct bypeer_wireguard *engine, uint32_t id,
                                 struct bypeer_wireguard_status *ret_status)
{
    const struct wireguard_link *link = engine ? wireguard_find(engine, id) : NULL;
    if (!link)
        return -ENOENT;
    *ret_status = (struct bypeer_wireguard_status){
        .last_handshake_unix_s = link->handshake_unix_s,
        .port = link->endpoint.port,
        .attempts = link->attempts,
        .has_session = link->peer && bypeer_peer_sendable(link->peer, wireguard_now().ns),
    };
    memcpy(ret_status->endpoint, link->endpoint.remote, 16);
    return 0;
}
