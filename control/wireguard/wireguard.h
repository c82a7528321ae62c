/*
 * The handshakes of WireGuard links: keys and sockets, a peer's state beside each link of the model, and the sessions
 * that come of it, in the tables. What a packet is sealed and opened by is there; no packet ever comes here.
 *
 *   UDP sockets --- handshakes --> overlay/wireguard/device.h --> the link's bypeer_peer
 *                                                                   |   |
 *      model <-- where the peer is, which sessions it sends by -----+   +--> writer: a session, before its response
 *                                                                            leaves
 *   status region --- events: a handshake is wanted, a session was heard, a peer has moved --> the link's bypeer_peer
 *   tables of before a restart --> bypeer_wireguard_adopt()
 *
 * A peer's state (1 KiB and an agreement) is made when it is needed first: 100,000 links that nobody uses cost 200
 * bytes each. Handshakes are answered only while a data plane uses the present generation, since a session that it
 * cannot see yet would lose its first packets; until then they wait in the sockets.
 *
 * Who begins: whoever has data for the other. A peer with a keepalive interval whose endpoint is configured has a
 * session at all times; others are waited for.
 *
 * Thread: one (control's loop). Nothing here says a key, in the log or elsewhere.
 */
#pragma once

#include <uv.h>

#include "config/config.h"
#include "control/model/model.h"
#include "control/problem.h"
#include "overlay/tables/sessions.h"
#include "overlay/tables/status.h"
#include "overlay/tables/tables.h"

struct bypeer_wireguard;
struct bypeer_node;

/* What the engine knows of the data plane; asked for at each turn, so both may change at any time. */
struct bypeer_wireguard_dataplane {
    /* Of the data plane that is attached; NULL: there is none. */
    const struct bypeer_status_view *(*status)(void *context);
    /* Number of the generation that it uses. */
    uint64_t (*mapped)(void *context);
    /* Its sessions, or those that are parked; NULL: there are none. */
    const struct bypeer_sessions_view *(*sessions)(void *context);
    void *context;
};

/*
 * Loads this node's key, or makes it, takes the links of the model, and enters keys and endpoints into the tables of
 * the node's first generation, which is not published yet. node must outlive it.
 */
int bypeer_wireguard_open(struct bypeer_wireguard **ret_engine, uv_loop_t *loop, struct bypeer_node *node,
                          const struct bypeer_wireguard_dataplane *dataplane, struct bypeer_problem *problem);
/* Sessions stay in the tables. Freed when the loop has closed its handles; run the loop until then. NULL is fine. */
void bypeer_wireguard_close(struct bypeer_wireguard *engine);
/* Follows the node's present configuration. */
void bypeer_wireguard_reconfigured(struct bypeer_wireguard *engine);

/* As the hook of the model. NULL is fine: links that are there before the engine are found by bypeer_wireguard_open().
 */
void bypeer_wireguard_link_changed(struct bypeer_wireguard *engine, const struct bypeer_model_link *link, bool gone);

/*
 * What a data plane still uses from a control that died: its sessions go into the present generation, under the same
 * indexes, and its endpoints to the model. To be called before that generation is handed over.
 */
void bypeer_wireguard_adopt(struct bypeer_wireguard *engine, const struct bypeer_tables *old);

/* A data plane came or went, or another generation has taken the place of the node's: answers wait until it is used.
 * NULL is fine. */
void bypeer_wireguard_dataplane_changed(struct bypeer_wireguard *engine);

const uint8_t *bypeer_wireguard_public_key(const struct bypeer_wireguard *engine);

struct bypeer_wireguard_status {
    uint64_t last_handshake_unix_s; /* 0: never */
    uint8_t endpoint[16];           /* IPv4 as ::ffff:a.b.c.d */
    uint16_t port;                  /* 0: not known */
    uint32_t attempts;              /* initiations since the last handshake */
    bool has_session;               /* packets can be sent */
};
/* -ENOENT: no WireGuard link has this id. */
int bypeer_wireguard_peer_status(const struct bypeer_wireguard *engine, uint32_t link,
                                 struct bypeer_wireguard_status *ret_status);
