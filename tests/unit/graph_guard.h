/*
 * A security provider for models of graphs: what a group's does, with hashes in place of signatures.
 *
 * "member-0" administers: its membership records (payload: a name) make members, its revocations (likewise) end them
 * for good. Everybody's secret is known to all providers, so each can verify; who has another's name does not know
 * that. A reckless provider signs and believes anything that its own graph publishes.
 */
#pragma once

#include "overlay/graph/graph.h"
#include "perf/graph_net.h"

#define GUARD_MEMBERS 8

struct guard {
    struct bypeer_graph_security security;
    char name[GRAPH_NET_NAME_BYTES];
    bool is_reckless;
    bool is_member[GUARD_MEMBERS], is_revoked[GUARD_MEMBERS]; /* as this node knows */
    bool has_learned;                                         /* since guard_turn() */
};

void guard_init(struct guard *guard, uint32_t node, bool is_reckless);
/* The graph judges again what the provider has learned about, and parts from who is revoked. */
void guard_turn(struct guard *guard, struct bypeer_graph *graph, struct bypeer_graph_time now);
/* Whether the record is signed by who may sign it, as far as its own bytes tell. */
bool guard_is_signed(const struct bypeer_record *record);
/* 0 to GUARD_MEMBERS - 1, or -1: it is nobody's name. */
int guard_number(const char *name);
