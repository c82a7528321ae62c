/*
 * A node whose handshakes run: control/wireguard over a node without ports, sockets on the loopback device, a data
 * plane that the test plays (regions in private memory), and another end of a link (tests/wireguard_end.h).
 */
#pragma once

#include <uv.h>

#include "control/wireguard/wireguard.h"
#include "node_fixture.h"
#include "overlay/tables/events.h"
#include "tests/wireguard_end.h"

#define ENGINE_SLOTS 8192
#define ENGINE_LINKS 64

struct engine_fixture {
    struct node_fixture node;
    uv_loop_t loop;
    struct bypeer_wireguard *engine;
    uint16_t port, end_port;
    uint8_t private_key[32]; /* of the node; in its file */

    /* The data plane. */
    bool is_attached;
    bool is_behind; /* it does not use the present generation yet */
    void *status_memory, *sessions_memory;
    struct bypeer_status status;
    struct bypeer_status_view status_view;
    struct bypeer_sessions sessions;
    struct bypeer_sessions_view sessions_view;

    /* The other end. */
    struct wireguard_end end;
    uint8_t end_key[32], preshared_key[32];
    uint64_t end_ahead_ns; /* of our clock */
    int socket;
};

/* Makes a node with the peer "alice", our end; preshared: they share a secret. Nothing runs yet. */
void engine_fixture_begin(struct engine_fixture *fixture, bool preshared);
/* Starts control: the node from its database, then the engine. */
void engine_fixture_start(struct engine_fixture *fixture);
/* Ends it, as kill -9 would: nothing is withdrawn. */
void engine_fixture_stop(struct engine_fixture *fixture);
void engine_fixture_end(struct engine_fixture *fixture);

/* Runs the loop for so long. */
void engine_fixture_run(struct engine_fixture *fixture, unsigned ms);
/* Sends what the end has to send. */
void engine_fixture_flush(struct engine_fixture *fixture);
/* Waits up to ms for a datagram; the end takes it. false: none came. */
bool engine_fixture_exchange(struct engine_fixture *fixture, unsigned ms);
/* The end begins a handshake, some minutes later by its own clock, and has a session when this returns. */
void engine_fixture_handshake(struct engine_fixture *fixture);
void engine_fixture_handshake_after(struct engine_fixture *fixture, unsigned seconds);
/* Another socket for the end, on another port. */
void engine_fixture_move(struct engine_fixture *fixture);

/* What a worker says, once the loop has run. */
void engine_fixture_event(struct engine_fixture *fixture, enum bypeer_event type, uint64_t value);
/* A worker heard something by the session in this slot. */
void engine_fixture_hear(struct engine_fixture *fixture, uint32_t slot);

/* What a worker finds. */
struct bypeer_tables engine_fixture_tables(const struct engine_fixture *fixture);
const struct bypeer_model_link *engine_fixture_link(const struct engine_fixture *fixture);
struct bypeer_link engine_fixture_record(const struct engine_fixture *fixture);
struct bypeer_wireguard_session engine_fixture_session(const struct engine_fixture *fixture, uint32_t slot);
