/*
 * Private to control/wireguard: what its files share.
 */
#pragma once

#include "control/log.h"
#include "control/node.h"
#include "control/wireguard/timers.h"
#include "control/wireguard/wireguard.h"
#include "overlay/wireguard/device.h"

#define WIREGUARD_SOCKETS_MAX BYPEER_CONFIG_WIREGUARD_ADDRESSES

/* Where a peer is, and where it finds us. IPv4 as ::ffff:a.b.c.d. */
struct wireguard_endpoint {
    uint8_t remote[16];
    uint8_t local[16]; /* zero: the kernel's choice */
    uint16_t port;     /* 0: not known */
};

/* A WireGuard link of the model, with the same id. */
struct wireguard_link {
    struct bypeer_wireguard *engine;
    struct wireguard_link *next; /* in its chain by key */
    uint32_t id;
    uint32_t serial;
    uint8_t public_key[32];
    uint8_t preshared_key[32]; /* zero: none */
    uint16_t persistent_s;     /* 0 also if we do not know where to begin */
    bool is_gone;              /* the model has it no more: only the tables are left to be told */
    bool is_unsaid;            /* the tables do not say .current and .next yet */
    struct bypeer_peer *peer;  /* NULL: not needed yet */
    struct wireguard_timer timer;
    struct wireguard_endpoint endpoint;
    uint32_t current, next_slot; /* sessions that packets are sent by */
    uint64_t handshake_unix_s;
    uint32_t attempts;
};

/* What a session slot is used for. */
struct wireguard_slot {
    uint32_t index; /* that the peer sends to; 0: none of ours */
    uint32_t link;
    uint32_t use;   /* the last one that was given out */
    bool is_public; /* the tables have its session */
};

struct wireguard_socket {
    struct bypeer_wireguard *engine; /* NULL: it is closing */
    struct bypeer_wireguard *owner;
    uv_udp_t handle;
    uint8_t address[16];
    uint16_t port;
    bool is_reading;
    bool is_entered; /* in the tables */
};

#define WIREGUARD_OUTBOX 256

struct bypeer_wireguard {
    uv_loop_t *loop;
    struct bypeer_node *node;
    struct bypeer_wireguard_dataplane dataplane;
    struct bypeer_crypto *crypto;
    struct bypeer_noise_identity *identity;
    struct bypeer_wireguard_device device;
    uint64_t hash_seed;

    struct wireguard_link **links; /* by id */
    uint32_t link_room, link_count;
    struct wireguard_link **chains; /* by public key */
    uint32_t chain_count;           /* a power of two */
    struct wireguard_slot *slots;
    uint32_t slot_room;
    struct wireguard_timers timers;

    struct wireguard_socket *sockets[WIREGUARD_SOCKETS_MAX];
    unsigned socket_count;
    const struct wireguard_endpoint *source; /* of the datagram that is being taken; NULL: none is */
    struct wireguard_link *found;            /* whom it concerns */
    struct {
        struct wireguard_endpoint to;
        size_t length;
        uint8_t bytes[BYPEER_WIREGUARD_INITIATION_BYTES];
    } outbox[WIREGUARD_OUTBOX]; /* what may not leave before the data plane sees the present generation */
    unsigned outbox_count;

    /* Load: how much of a window went into handshakes. */
    uint64_t window_ns, spent_ns, loaded_until_ns;

    /* Events. */
    uint64_t status_generation; /* of the region that .tails belong to */
    uint64_t *tails;
    uint32_t tail_count;
    bool is_heir; /* of a control whose data plane lives on: what its rings hold by now was said to that one */
    uint64_t busy_until_ns;

    uv_timer_t timer;
    uint64_t interval_ms; /* that it runs at; 0: not at all */
    uint64_t upkeep_ns;   /* next one */
    uint64_t room_ns;     /* not before this is room made again: it failed */
    unsigned handles;
    bool is_live;  /* a data plane uses the present generation */
    bool was_live; /* one did at some time */
    bool is_unsaid;
    bool wants_room;
    bool closing;
    struct bypeer_log_limit log_limit;
};

static inline struct bypeer_writer *wireguard_writer(const struct bypeer_wireguard *engine)
{
    return engine->node->generation->writer;
}

struct bypeer_wireguard_time wireguard_now(void);

/* --- wireguard.c --- */

/* Something may be due earlier than was thought, or there are links now. */
void wireguard_wake(struct bypeer_wireguard *engine);
/* A handle of the loop is closed. */
void wireguard_let_go(struct bypeer_wireguard *engine);

/* --- links.c --- */

struct wireguard_link *wireguard_find(const struct bypeer_wireguard *engine, uint32_t id);
/* The link's peer, made if there is none yet; NULL: it cannot be. */
struct bypeer_peer *wireguard_need_peer(struct wireguard_link *link);
/* Its peer was called: sets its timer anew. */
void wireguard_touched(struct wireguard_link *link, uint64_t now_ns);
void wireguard_request(struct wireguard_link *link, const struct bypeer_wireguard_time *now);
/* The peer is there: to be told to the model unless it knows. */
void wireguard_move(struct wireguard_link *link, const struct wireguard_endpoint *endpoint);
/* What tells a session of these two keys from one of others. 0 or -EIO. */
int wireguard_pair(const struct wireguard_link *link, uint64_t *ret_pair);
struct bypeer_peer *wireguard_find_key(void *context, const uint8_t public_key[static 32]);
void wireguard_free_links(struct bypeer_wireguard *engine);

/* --- sessions.c --- */

extern const struct bypeer_peer_sink wireguard_sink; /* context: the link */
struct bypeer_peer *wireguard_find_index(void *context, uint32_t index);
/* The slot's entry, made if need be; NULL: no memory, or there is no such slot. */
struct wireguard_slot *wireguard_slot(struct bypeer_wireguard *engine, uint32_t slot);
/* Whether something authentic came by this use of the slot. */
bool wireguard_was_heard(const struct bypeer_wireguard *engine, uint32_t slot, uint32_t use);
/* Tells the model by which sessions the link sends. */
void wireguard_say_sessions(struct wireguard_link *link);
/* Which of the peer's sessions those are. */
void wireguard_choose_sessions(struct wireguard_link *link);
/* Room for more sessions, before it is needed. */
void wireguard_make_room(struct bypeer_wireguard *engine);

/* --- sockets.c --- */

/* Sockets on, and tables' entries of, the addresses that the node's configuration says. */
void wireguard_follow_addresses(struct bypeer_wireguard *engine);
void wireguard_close_sockets(struct bypeer_wireguard *engine);
/* Reads, or leaves what comes to wait. */
void wireguard_read(struct bypeer_wireguard *engine, bool reads);
void wireguard_send(struct bypeer_wireguard *engine, const struct wireguard_endpoint *to, const uint8_t *bytes,
                    size_t length);
/* Sends what had to wait. */
void wireguard_flush(struct bypeer_wireguard *engine);
bool wireguard_is_own(const struct bypeer_wireguard *engine, const uint8_t address[static 16]);

/* --- events.c --- */

/* Takes what workers have said since the last time. Whether there was anything. */
bool wireguard_take_events(struct bypeer_wireguard *engine);
/* Takes what the sessions region says of every link. */
void wireguard_look(struct bypeer_wireguard *engine);
