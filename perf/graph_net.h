/*
 * Nodes of one graph in one process and virtual time: streams between them, members that find each other, cuts, ends
 * and returns. perf/graph-sim runs it by the thousand, tests/unit/test_graph_model.c over five nodes ten thousand
 * times.
 *
 *   bypeer_graph of each node -- sink --> events (a heap by time) --> bypeer_graph of the other
 *
 * A node's address is its number: fd00::N. A stream keeps its order; its bytes take .latency_ms. When a graph wants a
 * connection, the network is its PNRP: some node that listens, and that it can reach.
 *
 * Memory is not expected to end: without any the program does. Thread: one.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "overlay/graph/graph.h"

struct graph_net;

struct graph_net_hooks {
    /* Any may be NULL. */
    void (*record)(void *context, uint32_t node, enum bypeer_record_change change, const struct bypeer_record *record);
    void (*refused)(void *context, uint32_t node, const struct bypeer_record *record, const char *why);
    /* Of a node that is about to be opened; the name is what graph_net_name() says. */
    const struct bypeer_graph_security *(*security)(void *context, uint32_t node);
    /* Likewise: what it is about to be opened with, to be changed; IDs are copied. */
    void (*settings)(void *context, uint32_t node, struct bypeer_graph_settings *settings);
    /* It is open, and its records are about to be restored; and: it is about to be freed. */
    void (*opened)(void *context, uint32_t node, struct bypeer_graph *graph);
    void (*closing)(void *context, uint32_t node);
    /* Something was done to it: whatever its host does after each call of the graph. */
    void (*turn)(void *context, uint32_t node, struct bypeer_graph_time now);
    void *context;
};

struct graph_net_options {
    uint32_t nodes;
    uint64_t seed;
    uint32_t latency_ms; /* of bytes, one way; up to twice as much for a part of the links */
    const struct bypeer_profile *profile;
    struct graph_net_hooks hooks;
    uint32_t presence_max; /* of the graph's info */
};

struct graph_net *graph_net_open(const struct graph_net_options *options);
void graph_net_close(struct graph_net *net);

/* Peer ID of a node: "member-N". */
#define GRAPH_NET_NAME_BYTES 24
void graph_net_name(uint32_t node, char ret_name[static GRAPH_NET_NAME_BYTES]);

/* Brings a node up. Node 0's first start founds the graph; all others look for somebody. What it had when it ended is
 * restored. */
void graph_net_start(struct graph_net *net, uint32_t node);
/* leave: says good-bye first; else it is gone at once, as after kill -9. */
void graph_net_stop(struct graph_net *net, uint32_t node, bool leave);
bool graph_net_is_up(const struct graph_net *net, uint32_t node);
/* NULL: it is down. */
struct bypeer_graph *graph_net_graph(const struct graph_net *net, uint32_t node);
/* Puts a node into a part; nodes of different parts do not reach each other, and what links them breaks. */
void graph_net_part(struct graph_net *net, uint32_t node, uint32_t part);
/* How far a node's clock is ahead of the network's. */
void graph_net_skew(struct graph_net *net, uint32_t node, int64_t ms);

uint64_t graph_net_now_ms(const struct graph_net *net);
struct bypeer_graph_time graph_net_time(const struct graph_net *net, uint32_t node); /* as the node's clock says */
/* Call after every use of a node's graph from outside. */
void graph_net_touched(struct graph_net *net, uint32_t node);
/* Lets time pass, and what happens in it. */
void graph_net_run(struct graph_net *net, uint64_t ms);
/* Bytes that were given to streams. */
uint64_t graph_net_bytes(const struct graph_net *net);
/* The nodes that are up, reach each other by links and share a part: whether all of them are one. Those without a link
 * to the others are not. */
bool graph_net_is_one(const struct graph_net *net);
