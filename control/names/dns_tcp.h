/*
 * Private to the DNS responder: its TCP side (RFC 7766), where each message has its length before it in two bytes.
 */
#pragma once

#include "control/names/dns_answer.h"

struct dns_connection;

struct dns_tcp {
    uv_tcp_t listener;
    struct bypeer_hosts *hosts;
    struct dns_connection *connections;
    unsigned count, handles; /* of connections; with the listener, until they are closed */
    void (*closed)(void *context);
    void *context;
};

/* closed() comes once, after dns_tcp_close() and when the last handle is closed. */
void dns_tcp_init(struct dns_tcp *tcp, uv_loop_t *loop, struct bypeer_hosts *hosts, void (*closed)(void *context),
                  void *context);
/* Takes a bound socket, which is closed on failure too. */
int dns_tcp_listen(struct dns_tcp *tcp, int fd);
void dns_tcp_close(struct dns_tcp *tcp);
