/*
 * The API's socket: connections, lines in and out.
 *
 * Who may connect: root, the daemon's own user, and members of one Unix group, primary or supplementary, as the kernel
 * knew them when they connected (SO_PEERCRED, SO_PEERGROUPS).
 *
 * Bounds: CONNECTIONS_MAX connections; a request of BYPEER_API_REQUEST_MAX bytes; EXCHANGES_MAX lines under way per
 * connection, the rest waits in the kernel; a client that does not take its answers is not read from, and after half a
 * minute cut off. So nobody who is slow makes anybody else wait, but for the time that a method itself takes.
 *
 * Answers come in the order of the requests, but for those of methods that take their time (resolving): what comes
 * after them does not wait.
 *
 * Thread: one (the loop's).
 */
#pragma once

#include <sys/types.h>
#include <uv.h>

#include "control/api/api.h"

struct bypeer_server;

/* Listens on path, replacing what is there. group: members may connect, too, and own the socket; (gid_t)-1: none. */
int bypeer_server_open(struct bypeer_server **ret_server, uv_loop_t *loop, struct bypeer_node *node, const char *path,
                       gid_t group, struct bypeer_problem *problem);
/* The group that may connect from now on. */
void bypeer_server_set_group(struct bypeer_server *server, gid_t group);
/* Ends all connections. The server is freed when the loop has closed its handles; run the loop until then. */
void bypeer_server_close(struct bypeer_server *server);
