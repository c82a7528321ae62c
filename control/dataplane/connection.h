/*
 * Private to the channel: its state, and the steps of one connection.
 */
#pragma once

#include "control/dataplane/channel.h"
#include "control/log.h"

#define CONNECTIONS_MAX BYPEER_READERS_MAX

struct connection {
    struct bypeer_channel *channel;
    bool ended; /* waits for the loop to close its handle */
    int socket;
    pid_t pid;  /* by SO_PEERCRED */
    int reader; /* number in readers; -1: no HELLO yet */
    uv_poll_t poll;
    uint64_t sent; /* generation that was sent last */
    bool waits;    /* for MAPPED or REFUSED */
    char refusal[160];
};

/* Waits for the end of a registered process. */
struct death {
    struct bypeer_channel *channel;
    unsigned reader;
    uv_poll_t poll;
};

struct bypeer_channel {
    uv_loop_t *loop;
    struct bypeer_channel_hooks hooks;
    uid_t user;
    int listener;
    uv_poll_t accept_poll;
    uv_timer_t turn_timer, trace_timer;
    uv_prepare_t prepare;
    unsigned handles; /* open ones; the last to close frees the channel */
    bool closing;

    struct bypeer_generation *generation;
    uint64_t first_generation; /* number of the first one that this control handed over; 0: none yet */
    bool adopted, was_attached;
    struct bypeer_readers readers;
    struct connection *connections[CONNECTIONS_MAX]; /* NULL: free */
    struct death *deaths[BYPEER_READERS_MAX];        /* by number of the reader */
    struct connection *newest;                       /* whose HELLO came last; NULL: none is attached */

    struct bypeer_memory sessions;
    struct bypeer_sessions_view sessions_view;

    bool tracing;
    struct bypeer_channel_trace trace;
    struct connection *trace_from;

    struct bypeer_log_limit log_limit;
};

void channel_on_accept(uv_poll_t *poll, int status, int events);
void channel_end_connection(struct bypeer_channel *channel, struct connection *connection, const char *why);
void channel_send_tables(struct bypeer_channel *channel, struct connection *connection);
bool channel_park_sessions(struct bypeer_channel *channel, int fd); /* takes fd over */
void channel_take_trace(struct bypeer_channel *channel, struct connection *connection,
                        const struct bypeer_handover *message);
/* Ends the wait for the process; its pidfd may be closed then. */
void channel_forget_death(struct bypeer_channel *channel, unsigned reader);
void channel_on_handle_closed(uv_handle_t *handle);
