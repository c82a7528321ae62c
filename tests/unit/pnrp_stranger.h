/*
 * Who is no node of a net (pnrp_net.h): asks from an endpoint of its own, and sees what is sent there.
 */
#pragma once

#include "tests/unit/pnrp_net.h"

/* What was sent to the endpoint that is watched. */
extern struct net_seen {
    struct bypeer_pnrp_endpoint to;
    unsigned count[NET_TYPES];
    size_t bytes; /* with outer headers */
    struct net_datagram *last;
} net_seen;

/* An endpoint where nobody is. */
struct bypeer_pnrp_endpoint net_stranger(uint16_t net, uint16_t port);
/* From now on, what is sent to it, from nothing. */
void net_watch(struct net *net, struct bypeer_pnrp_endpoint to);
/* The last thing seen is an answer, whole in one slice. */
void net_last_answer(const struct net *net, struct bypeer_pnrp_answer *ret_answer);

/* Messages of a stranger; ids and path are the caller's for as long as the message is. */
void net_make_lookup(const uint8_t *target, const uint8_t *validate, const uint8_t path[static 18],
                     struct bypeer_pnrp_message *ret_message);
void net_make_inquire(const uint8_t *id, uint32_t message_id, struct bypeer_pnrp_message *ret_message);
