#include "engine_fixture.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "config/wireguard_key.h"

#define ALIGNED (2u << 20)

static const uint8_t loopback[16] = {[15] = 1};

static struct bypeer_wireguard_time engine_now(void)
{
    struct timespec steady, real;
    clock_gettime(CLOCK_MONOTONIC, &steady);
    clock_gettime(CLOCK_REALTIME, &real);
    return (struct bypeer_wireguard_time){
        .ns = (uint64_t)steady.tv_sec * BYPEER_WIREGUARD_S + (uint64_t)steady.tv_nsec,
        .unix_ns = (uint64_t)real.tv_sec * BYPEER_WIREGUARD_S + (uint64_t)real.tv_nsec,
    };
}

/* The end's clock, which goes ahead so that a session is due. */
static struct bypeer_wireguard_time end_now(const struct engine_fixture *fixture)
{
    struct bypeer_wireguard_time now = engine_now();
    now.ns += fixture->end_ahead_ns;
    now.unix_ns += fixture->end_ahead_ns;
    return now;
}

/* --- the data plane --- */

static const struct bypeer_status_view *plane_status(void *context)
{
    const struct engine_fixture *fixture = context;
    return fixture->is_attached ? &fixture->status_view : NULL;
}

static uint64_t plane_mapped(void *context)
{
    const struct engine_fixture *fixture = context;
    return fixture->is_behind ? 0 : fixture->node.node.generation->number;
}

static const struct bypeer_sessions_view *plane_sessions(void *context)
{
    const struct engine_fixture *fixture = context;
    return &fixture->sessions_view;
}

static void *plane_memory(uint64_t bytes)
{
    void *memory = aligned_alloc(ALIGNED, (bytes + ALIGNED - 1) / ALIGNED * ALIGNED);
    cr_assert_not_null(memory);
    memset(memory, 0, bytes);
    return memory;
}

static void plane_begin(struct engine_fixture *fixture)
{
    const struct bypeer_status_size status = {.counters = 1, .workers = 2, .ports = 1};
    const struct bypeer_sessions_size sessions = {
        .workers = 1, .links = ENGINE_LINKS, .slots = ENGINE_SLOTS, .relays = 1, .groups = 1};
    uint64_t bytes = bypeer_status_bytes(&status);
    char why[BYPEER_REGION_WHY_BYTES];
    fixture->status_memory = plane_memory(bytes);
    cr_assert_eq(bypeer_status_init(&fixture->status, fixture->status_memory, bytes, &status, 1, 0), 0);
    bypeer_region_publish(fixture->status_memory);
    cr_assert_eq(bypeer_status_attach(&fixture->status_view, fixture->status_memory, bytes, why), 0, "%s", why);
    bytes = bypeer_sessions_bytes(&sessions);
    fixture->sessions_memory = plane_memory(bytes);
    cr_assert_eq(bypeer_sessions_init(&fixture->sessions, fixture->sessions_memory, bytes, &sessions, 1, 0), 0);
    cr_assert_eq(bypeer_sessions_view(&fixture->sessions_view, fixture->sessions_memory, bytes, why), 0, "%s", why);
    fixture->is_attached = true;
}

void engine_fixture_event(struct engine_fixture *fixture, enum bypeer_event type, uint64_t value)
{
    bypeer_event_put(&fixture->status.events[0], type, value);
    engine_fixture_run(fixture, 60);
}

void engine_fixture_hear(struct engine_fixture *fixture, uint32_t slot)
{
    fixture->sessions.wireguard[slot].heard = engine_fixture_session(fixture, slot).use;
    engine_fixture_event(fixture, BYPEER_EVENT_HEARD, slot);
}

struct bypeer_tables engine_fixture_tables(const struct engine_fixture *fixture)
{
    struct bypeer_tables tables;
    char why[160];
    const struct bypeer_memory *memory = &fixture->node.node.generation->memory;
    cr_assert_eq(bypeer_tables_attach(&tables, memory->base, memory->bytes, why), 0, "%s", why);
    return tables;
}

const struct bypeer_model_link *engine_fixture_link(const struct engine_fixture *fixture)
{
    return bypeer_model_find_link(fixture->node.node.model, "alice");
}

struct bypeer_link engine_fixture_record(const struct engine_fixture *fixture)
{
    struct bypeer_tables tables = engine_fixture_tables(fixture);
    return *bypeer_tables_link(&tables, engine_fixture_link(fixture)->id);
}

struct bypeer_wireguard_session engine_fixture_session(const struct engine_fixture *fixture, uint32_t slot)
{
    struct bypeer_tables tables = engine_fixture_tables(fixture);
    cr_assert_lt(slot, tables.session_count);
    return tables.sessions[slot];
}

/* --- the other end --- */

static int end_socket(uint16_t *ret_port)
{
    struct sockaddr_in6 address = {.sin6_family = AF_INET6};
    socklen_t length = sizeof(address);
    memcpy(&address.sin6_addr, loopback, 16);
    int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    cr_assert_geq(fd, 0);
    cr_assert_eq(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    cr_assert_eq(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    *ret_port = ntohs(address.sin6_port);
    return fd;
}

void engine_fixture_move(struct engine_fixture *fixture)
{
    close(fixture->socket);
    fixture->socket = end_socket(&fixture->end_port);
}

void engine_fixture_flush(struct engine_fixture *fixture)
{
    struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_port = htons(fixture->port)};
    memcpy(&address.sin6_addr, loopback, 16);
    for (unsigned at = 0; at < fixture->end.out_count; at++)
        cr_assert_eq(sendto(fixture->socket, fixture->end.out[at].bytes, fixture->end.out[at].length, 0,
                            (const struct sockaddr *)&address, sizeof(address)),
                     (ssize_t)fixture->end.out[at].length);
    fixture->end.out_count = 0;
}

void engine_fixture_run(struct engine_fixture *fixture, unsigned ms)
{
    const uint64_t end = engine_now().ns + ms * UINT64_C(1000000);
    while (engine_now().ns < end) {
        uv_run(&fixture->loop, UV_RUN_NOWAIT);
        nanosleep(&(struct timespec){.tv_nsec = 500000}, NULL);
    }
}

bool engine_fixture_exchange(struct engine_fixture *fixture, unsigned ms)
{
    uint8_t bytes[2048];
    const uint64_t end = engine_now().ns + ms * UINT64_C(1000000);
    engine_fixture_flush(fixture);
    while (engine_now().ns < end) {
        uv_run(&fixture->loop, UV_RUN_NOWAIT);
        ssize_t length = recv(fixture->socket, bytes, sizeof(bytes), 0);
        if (length < 0) {
            nanosleep(&(struct timespec){.tv_nsec = 500000}, NULL);
            continue;
        }
        fixture->end.now = end_now(fixture);
        wireguard_end_receive(&fixture->end, bytes, (size_t)length, loopback, 16, BYPEER_WIREGUARD_QUIET);
        return true;
    }
    return false;
}

void engine_fixture_handshake(struct engine_fixture *fixture)
{
    engine_fixture_handshake_after(fixture, 130);
}

void engine_fixture_handshake_after(struct engine_fixture *fixture, unsigned seconds)
{
    const unsigned before = fixture->end.prefers;
    engine_fixture_run(fixture, 25); /* one initiation in 20 ms is looked at */
    fixture->end_ahead_ns += seconds * BYPEER_WIREGUARD_S;
    fixture->end.now = end_now(fixture);
    bypeer_peer_request(&fixture->end.peer, &fixture->end.now);
    cr_assert(engine_fixture_exchange(fixture, 5000), "no response came");
    cr_assert_eq(fixture->end.prefers, before + 1);
}

/* --- control --- */

static void control_on_link(void *context, const struct bypeer_model_link *link, bool gone)
{
    struct engine_fixture *fixture = context;
    bypeer_wireguard_link_changed(fixture->engine, link, gone);
}

static void control_on_renewed(void *context, struct bypeer_generation *generation)
{
    struct engine_fixture *fixture = context;
    (void)generation;
    bypeer_wireguard_dataplane_changed(fixture->engine);
}

void engine_fixture_start(struct engine_fixture *fixture)
{
    const struct bypeer_node_hooks hooks = {
        .link_changed = control_on_link, .renewed = control_on_renewed, .context = fixture};
    const struct bypeer_wireguard_dataplane dataplane = {
        .status = plane_status, .mapped = plane_mapped, .sessions = plane_sessions, .context = fixture};
    struct bypeer_problem problem;
    char text[BYPEER_PROBLEM_TEXT];
    cr_assert_eq(uv_loop_init(&fixture->loop), 0);
    node_fixture_open(&fixture->node, &hooks);
    struct bypeer_config *config = fixture->node.node.config;
    config->wireguard.port = fixture->port;
    config->wireguard.address_count = 1;
    memcpy(config->wireguard.addresses[0], loopback, 16);
    cr_assert_eq(bypeer_wireguard_open(&fixture->engine, &fixture->loop, &fixture->node.node, &dataplane, &problem), 0,
                 "%s", bypeer_problem_text(&problem, text));
}

void engine_fixture_stop(struct engine_fixture *fixture)
{
    bypeer_wireguard_close(fixture->engine);
    fixture->engine = NULL;
    uv_run(&fixture->loop, UV_RUN_DEFAULT);
    cr_assert_eq(uv_loop_close(&fixture->loop), 0);
    node_fixture_close(&fixture->node);
}

static void control_write_key(const char *path, const uint8_t key[static 32])
{
    char text[BYPEER_WIREGUARD_KEY_TEXT];
    bypeer_wireguard_key_write(key, text);
    FILE *file = fopen(path, "w");
    cr_assert_not_null(file);
    cr_assert_eq(fchmod(fileno(file), 0600), 0);
    fprintf(file, "%s\n", text);
    fclose(file);
}

void engine_fixture_begin(struct engine_fixture *fixture, bool preshared)
{
    struct bypeer_crypto_pair *pair;
    uint8_t our_public[32], end_public[32];
    char yaml[2048], text[BYPEER_WIREGUARD_KEY_TEXT], secret[128] = "";
    *fixture = (struct engine_fixture){0};
    plane_begin(fixture);
    fixture->socket = end_socket(&fixture->port); /* a port that is free now */
    engine_fixture_move(fixture);
    cr_assert_eq(bypeer_crypto_random(fixture->private_key, 32), 0);
    cr_assert_eq(bypeer_crypto_random(fixture->end_key, 32), 0);
    cr_assert_eq(bypeer_crypto_random(fixture->preshared_key, 32), 0);
    cr_assert_eq(bypeer_crypto_pair_new(&pair, fixture->private_key, our_public), 0);
    bypeer_crypto_pair_free(pair);
    cr_assert_eq(bypeer_crypto_pair_new(&pair, fixture->end_key, end_public), 0);
    bypeer_crypto_pair_free(pair);
    bypeer_wireguard_key_write(end_public, text);

    node_fixture_begin(&fixture->node, "");
    if (preshared)
        snprintf(secret, sizeof(secret), ", preshared-key-file: %s/alice.psk", fixture->node.directory);
    snprintf(yaml, sizeof(yaml),
             "node: { name: alpha, state: %s }\n"
             "wireguard: { private-key: %s/wireguard.key }\n"
             "tables: { members: 1000, members-max: 4000, links: 8, prefixes: 16 }\n"
             "groups:\n"
             "  - { name: lab, prefix: \"fd12:3456:789a::/48\", vni: 7, address: \"fd12:3456:789a::1\" }\n"
             "peers:\n"
             "  - { name: alice, group: lab, public-key: \"%s\", address: \"fd12:3456:789a::20\"%s }\n",
             fixture->node.directory, fixture->node.directory, text, secret);
    node_fixture_write(&fixture->node, yaml);
    char path[128];
    snprintf(path, sizeof(path), "%s/wireguard.key", fixture->node.directory);
    control_write_key(path, fixture->private_key);
    snprintf(path, sizeof(path), "%s/alice.psk", fixture->node.directory);
    control_write_key(path, fixture->preshared_key);
    wireguard_end_init(&fixture->end, fixture->end_key, our_public, preshared ? fixture->preshared_key : NULL, 0, 0,
                       engine_now());
}

void engine_fixture_end(struct engine_fixture *fixture)
{
    char path[128];
    if (fixture->engine)
        engine_fixture_stop(fixture);
    wireguard_end_free(&fixture->end);
    close(fixture->socket);
    for (unsigned at = 0; at < 2; at++) {
        snprintf(path, sizeof(path), "%s/%s", fixture->node.directory, at ? "alice.psk" : "wireguard.key");
        unlink(path);
    }
    node_fixture_end(&fixture->node);
    free(fixture->status_memory);
    free(fixture->sessions_memory);
}
