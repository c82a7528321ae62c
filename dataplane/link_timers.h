/*
 * The timers that data sets on links of WireGuard (overlay/wireguard/activity.h): the host thread asks them, since no
 * worker has time to look at a million links. What is due becomes a keepalive, which a worker seals, or an event for
 * control, which makes handshakes.
 *
 *   links, by id:  0 ............ next .................................. count
 *                                 | as many as time has passed for |
 *
 * Every link is looked at once in BYPEER_LINK_TIMERS_MS, or as often as a rate of a million a second allows. A link
 * that is nothing of WireGuard costs an index entry and a line; one that is, four lines more.
 *
 * A keepalive is also due where this node began a session and has sent nothing by it yet: its peer may not send by it
 * before (whitepaper, 5.4.5). And control is told here of moves that workers did not tell of, since they had told of
 * another just before.
 *
 * Thread: host, within a read-side section of RCU for as long as it uses tables and sessions.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "overlay/tables/events.h"
#include "overlay/tables/sessions.h"
#include "overlay/tables/tables.h"

#define BYPEER_LINK_TIMERS_MS      100
#define BYPEER_LINK_TIMERS_BURST   64   /* keepalives of one turn */
#define BYPEER_LINK_TIMERS_AT_ONCE 4096 /* links of one turn: well under a millisecond */

struct bypeer_link_timers {
    uint32_t next;      /* id to go on with */
    uint64_t turned_ns; /* up to when links have been looked at; 0: never */
};

/*
 * Looks at those links whose turn has come by now_ns (of the clock of sessions). Returns how many keepalives are to be
 * sent, at most BYPEER_LINK_TIMERS_BURST, and the ids of their links.
 */
unsigned bypeer_link_timers_turn(struct bypeer_link_timers *timers, const struct bypeer_tables *tables,
                                 const struct bypeer_sessions *sessions, struct bypeer_event_ring *events,
                                 uint64_t now_ns, uint32_t ret_links[static BYPEER_LINK_TIMERS_BURST]);
