#include "control/wireguard/wireguard.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/wireguard/identity.h"
#include "control/wireguard/state.h"

/* How long events may lie: while there are some, and while there are none. Each turn costs some loads. */
#define BUSY_MS       2
#define QUIET_MS      20
#define ABSENT_MS     500 /* without a data plane, sessions only come to their end */
#define BUSY_LASTS_NS BYPEER_WIREGUARD_S

#define UPKEEP_NS (5 * BYPEER_WIREGUARD_S)
#define TICKS_MAX 64 /* peers in one turn: an initiation takes some 100 us */

#define LOAD_PER_S 1000 /* handshakes a second that pass MAC1 in one worker: beyond, cookies */

static uint64_t engine_clock(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * BYPEER_WIREGUARD_S + (uint64_t)now.tv_nsec;
}

struct bypeer_wireguard_time wireguard_now(void)
{
    return (struct bypeer_wireguard_time){.ns = engine_clock(CLOCK_MONOTONIC), .unix_ns = engine_clock(CLOCK_REALTIME)};
}

/* --- the turn --- */

static void engine_on_timer(uv_timer_t *timer);

static uint64_t engine_interval(const struct bypeer_wireguard *engine, uint64_t now_ns)
{
    if (engine->link_count == 0)
        return 0;
    if (!engine->dataplane.status(engine->dataplane.context))
        return ABSENT_MS;
    return now_ns < engine->busy_until_ns || !engine->is_live ? BUSY_MS : QUIET_MS;
}

static void engine_set_timer(struct bypeer_wireguard *engine, uint64_t now_ns)
{
    uint64_t interval = engine->closing ? 0 : engine_interval(engine, now_ns);
    if (interval == engine->interval_ms)
        return;
    engine->interval_ms = interval;
    if (interval == 0)
        uv_timer_stop(&engine->timer);
    else
        uv_timer_start(&engine->timer, engine_on_timer, interval, interval);
}

void wireguard_wake(struct bypeer_wireguard *engine)
{
    if (engine->interval_ms == 0)
        engine_set_timer(engine, wireguard_now().ns);
}

/* A data plane uses the present generation, or does so no more. */
static void engine_follow_dataplane(struct bypeer_wireguard *engine)
{
    const struct bypeer_wireguard_dataplane *dataplane = &engine->dataplane;
    bool is_live = dataplane->status(dataplane->context) &&
                   dataplane->mapped(dataplane->context) == engine->node->generation->number;
    if (is_live == engine->is_live)
        return;
    engine->is_live = is_live;
    engine->was_live = engine->was_live || is_live;
    wireguard_read(engine, is_live);
    if (is_live)
        wireguard_flush(engine);
}

static void engine_tick(struct bypeer_wireguard *engine, struct wireguard_link *link)
{
    const struct bypeer_wireguard_time now = wireguard_now();
    if (!link->peer && (link->persistent_s == 0 || link->endpoint.port == 0 || !wireguard_need_peer(link))) {
        wireguard_timers_set(&engine->timers, &link->timer, UINT64_MAX);
        return;
    }
    bypeer_peer_tick(link->peer, &now);
    wireguard_touched(link, now.ns);
}

/*
 * Whether something is left to do. Nothing is begun before a data plane was live once: it may have sessions to be
 * adopted, in slots that a handshake would take.
 */
static bool engine_run_timers(struct bypeer_wireguard *engine)
{
    struct wireguard_timer *timer = NULL;
    if (!engine->was_live)
        return false;
    for (unsigned count = 0; count < TICKS_MAX; count++) {
        timer = wireguard_timers_due(&engine->timers, wireguard_now().ns);
        if (!timer)
            return false;
        engine_tick(engine, (struct wireguard_link *)(void *)((char *)timer - offsetof(struct wireguard_link, timer)));
    }
    return timer != NULL;
}

static void engine_say_again(struct bypeer_wireguard *engine)
{
    engine->is_unsaid = false;
    for (uint32_t id = 0; id < engine->link_room; id++)
        if (engine->links[id] && engine->links[id]->is_unsaid)
            wireguard_say_sessions(engine->links[id]);
}

static void engine_keep_up(struct bypeer_wireguard *engine, uint64_t now_ns)
{
    if (now_ns < engine->upkeep_ns)
        return;
    engine->upkeep_ns = now_ns + UPKEEP_NS;
    wireguard_follow_addresses(engine);
    if (engine->is_unsaid)
        engine_say_again(engine);
}

static void engine_on_timer(uv_timer_t *timer)
{
    struct bypeer_wireguard *engine = timer->data;
    const uint64_t now_ns = wireguard_now().ns;
    engine_follow_dataplane(engine);
    bool is_busy = engine->is_live && wireguard_take_events(engine);
    is_busy = engine_run_timers(engine) || is_busy;
    wireguard_make_room(engine);
    engine_keep_up(engine, now_ns);
    if (is_busy)
        engine->busy_until_ns = now_ns + BUSY_LASTS_NS;
    engine_set_timer(engine, now_ns);
}

/* --- start, change, end --- */

void bypeer_wireguard_dataplane_changed(struct bypeer_wireguard *engine)
{
    if (!engine)
        return;
    engine_follow_dataplane(engine);
    engine_set_timer(engine, wireguard_now().ns);
}

const uint8_t *bypeer_wireguard_public_key(const struct bypeer_wireguard *engine)
{
    return bypeer_noise_public(engine->identity);
}

void wireguard_let_go(struct bypeer_wireguard *engine)
{
    if (--engine->handles > 0)
        return;
    bypeer_noise_identity_free(engine->identity);
    bypeer_crypto_free(engine->crypto);
    bypeer_crypto_wipe(engine, sizeof(*engine));
    free(engine);
}

static void engine_on_closed(uv_handle_t *handle)
{
    wireguard_let_go(handle->data);
}

void bypeer_wireguard_close(struct bypeer_wireguard *engine)
{
    if (!engine || engine->closing)
        return;
    engine->closing = true;
    wireguard_close_sockets(engine);
    wireguard_free_links(engine);
    wireguard_timers_free(&engine->timers);
    free(engine->slots);
    free(engine->tails);
    engine->slots = NULL;
    engine->tails = NULL;
    engine->slot_room = engine->tail_count = 0;
    uv_close((uv_handle_t *)&engine->timer, engine_on_closed);
}

void bypeer_wireguard_reconfigured(struct bypeer_wireguard *engine)
{
    wireguard_follow_addresses(engine);
}

static int engine_make_identity(struct bypeer_wireguard *engine, struct bypeer_problem *problem)
{
    const struct bypeer_config *config = engine->node->config;
    uint8_t private_key[32];
    int result =
        bypeer_wireguard_identity_load(config->wireguard.private_key, config->node.state, private_key, problem);
    if (result < 0)
        return result;
    result = bypeer_crypto_new(&engine->crypto);
    if (result == 0)
        result = bypeer_noise_identity_new(&engine->identity, engine->crypto, private_key);
    bypeer_crypto_wipe(private_key, sizeof(private_key));
    return result == 0 ? 0
                       : bypeer_problem_set(problem, result, "wireguard_key",
                                            "WireGuard\nlibcrypto cannot use the node's key: %s\nsee the log",
                                            strerror(-result));
}

/* The secret of cookies is that of all workers. */
static int engine_make_device(struct bypeer_wireguard *engine, struct bypeer_problem *problem)
{
    struct bypeer_wireguard_config record = {.load_per_s = LOAD_PER_S};
    int result = bypeer_crypto_random(record.cookie_secret, sizeof(record.cookie_secret));
    if (result == 0)
        result = bypeer_crypto_random(&engine->hash_seed, sizeof(engine->hash_seed));
    memcpy(record.public_key, bypeer_noise_public(engine->identity), sizeof(record.public_key));
    engine->device = (struct bypeer_wireguard_device){
        .crypto = engine->crypto,
        .identity = engine->identity,
        .context = engine,
        .find_key = wireguard_find_key,
        .find_index = wireguard_find_index,
    };
    bypeer_cookie_checker_init(&engine->device.checker, record.public_key, record.cookie_secret);
    if (result == 0)
        bypeer_writer_set_wireguard(wireguard_writer(engine), &record);
    bypeer_crypto_wipe(&record, sizeof(record));
    return result == 0 ? 0
                       : bypeer_problem_set(problem, result, "random", "random numbers\nare not to be had: %s\n",
                                            strerror(-result));
}

static void engine_take_links(struct bypeer_wireguard *engine)
{
    const struct bypeer_model *model = engine->node->model;
    for (const struct bypeer_model_link *link = bypeer_model_next_link(model, 0); link;
         link = bypeer_model_next_link(model, link->id))
        if (link->live)
            bypeer_wireguard_link_changed(engine, link, false);
}

int bypeer_wireguard_open(struct bypeer_wireguard **ret_engine, uv_loop_t *loop, struct bypeer_node *node,
                          const struct bypeer_wireguard_dataplane *dataplane, struct bypeer_problem *problem)
{
    struct bypeer_wireguard *engine = calloc(1, sizeof(*engine));
    if (!engine)
        return bypeer_problem_no_memory(problem);
    engine->loop = loop;
    engine->node = node;
    engine->dataplane = *dataplane;
    int result = engine_make_identity(engine, problem);
    if (result == 0)
        result = engine_make_device(engine, problem);
    if (result < 0) {
        bypeer_noise_identity_free(engine->identity);
        bypeer_crypto_free(engine->crypto);
        free(engine);
        return result;
    }
    uv_timer_init(loop, &engine->timer);
    engine->timer.data = engine;
    engine->handles = 1;
    wireguard_follow_addresses(engine);
    engine_take_links(engine);
    *ret_engine = engine;
    return 0;
}
