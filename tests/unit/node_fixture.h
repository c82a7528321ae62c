/*
 * A node without sockets in a directory of its own: what the tests of control's parts stand on.
 */
#pragma once

#include "control/node.h"
#include "overlay/tables/tables.h"

struct node_fixture {
    char directory[64];
    char file[96]; /* the configuration */
    char database[96];
    struct bypeer_node node;
    bool open;
};

/* A configuration with group lab (fd12:3456:789a::/48), link beta, one member and one route. */
extern const char node_fixture_sample[];

/* Makes the directory and writes the configuration into its file; cr_asserts on any failure. */
void node_fixture_begin(struct node_fixture *fixture, const char *yaml);
void node_fixture_write(struct node_fixture *fixture, const char *yaml);
/* Opens the node, and publishes its tables. hooks may be NULL. */
void node_fixture_open(struct node_fixture *fixture, const struct bypeer_node_hooks *hooks);
void node_fixture_close(struct node_fixture *fixture);
void node_fixture_end(struct node_fixture *fixture); /* closes, and removes the directory */

/* Reloads the configuration from yaml. *ret_errors is to be freed. */
int node_fixture_reload(struct node_fixture *fixture, const char *yaml, struct bypeer_config_errors *ret_errors);
/* The same, expecting success; returns how many entries changed. */
unsigned node_fixture_must_reload(struct node_fixture *fixture, const char *yaml);

/* What a worker finds for an overlay address in the present tables; by exact match, then by prefix. NULL: nothing. */
const struct bypeer_destination *node_fixture_look_up(const struct node_fixture *fixture, const char *address);
/* The link record that a worker would send a packet to this address by; "kind" NONE: there is none. */
struct bypeer_link node_fixture_way(const struct node_fixture *fixture, const char *address);

/* Addresses as text, ended by NULL. load returns 100 * added + replaced, unload how many; or negative errno. */
int node_fixture_load(struct node_fixture *fixture, const char *link, const char *const addresses[],
                      struct bypeer_problem *problem);
int node_fixture_unload(struct node_fixture *fixture, const char *const addresses[], struct bypeer_problem *problem);
