/*
 * Drops of a walk: each packet under one reason, and under no other.
 */
#pragma once

#include "tests/unit/walk.h"

/* The walk drops one packet for this reason, and none for another; 0: it drops none. */
void walk_expect_drop(enum bypeer_counter reason);
/* A packet of 60 bytes between two members, by a link, is dropped for this reason. */
void walk_expect_route(enum walk_link link, const uint8_t *from, const uint8_t *to, enum bypeer_counter reason);
/* A keepalive of the host thread for a link. */
void walk_inject_keepalive(uint32_t link);
