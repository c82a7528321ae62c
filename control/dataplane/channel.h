/*
 * Control's end of the hand-over (overlay/tables/handover.h): the socket that data planes connect to, who they are,
 * what they are sent, and the grace periods that their workers pass.
 *
 *   connection   HELLO -> reader registered -> sessions adopted -> SESSIONS -> TABLES -> MAPPED
 *   process      outlives its connection; ends with its pidfd (readers.h)
 *   sessions     parked here, and in systemd's descriptor store, for the data plane that comes next
 *
 * Only root, the daemon's own user and the data plane's user may connect. A peer that breaks the protocol is cut off;
 * it costs one log line at most (ten a minute).
 *
 * At most one TABLES is under way to a data plane: when control makes several generations in a row, it is sent the
 * newest once it has answered.
 *
 * Thread: one (the loop's). Hooks are called from the loop, never from within a call into the channel.
 */
#pragma once

#include <uv.h>

#include "control/dataplane/generation.h"
#include "control/dataplane/readers.h"
#include "overlay/tables/sessions.h"
#include "overlay/tables/tables.h"

struct bypeer_channel;

struct bypeer_channel_hooks {
    /* The first data plane is attached, or the last one is gone. */
    void (*attached)(void *context, bool attached);
    void (*ports)(void *context, const struct bypeer_handover *ports);
    /*
     * A data plane lives on with the tables that a control before this one made: what only lives there (WireGuard
     * sessions) may be taken over into the present writer. Called once, with the parked sessions in place, before that
     * data plane is sent any tables. old is unmapped after the call. It came from another process, which may still
     * write to it: look things up in it as a reader does, and believe a session only if a copy of it is whole.
     */
    void (*adopt)(void *context, const struct bypeer_tables *old);
    /* A data plane needs another layout: make a generation of it, and bypeer_channel_use() it. */
    void (*need_layout)(void *context, uint32_t layout);
    void *context;
};

struct bypeer_channel_settings {
    const char *path;
    uid_t user;  /* the data plane's; (uid_t)-1: none but root and ours */
    gid_t group; /* that owns the socket, too; (gid_t)-1: none */
};

int bypeer_channel_open(struct bypeer_channel **ret_channel, uv_loop_t *loop,
                        const struct bypeer_channel_settings *settings, const struct bypeer_channel_hooks *hooks,
                        struct bypeer_problem *problem);
/* The channel is freed when the loop has closed its handles; run the loop until then. */
void bypeer_channel_close(struct bypeer_channel *channel);

/* The generation to hand over from now on; it is published and stays the caller's. NULL: none yet. */
void bypeer_channel_use(struct bypeer_channel *channel, struct bypeer_generation *generation);

/*
 * Grace periods: asks for one if something waits for it, and reclaims what has passed. Called by the loop before it
 * sleeps; to be called also where a long run of changes has no other chance to. Returns whether anything was reclaimed.
 */
bool bypeer_channel_turn(struct bypeer_channel *channel);

/* --- what is known of the data planes --- */

/* The process whose PORTS came last, or NULL: none is attached. */
const struct bypeer_dataplane_process *bypeer_channel_process(const struct bypeer_channel *channel);
/* Generation that it uses by its own account; 0: none. */
uint64_t bypeer_channel_mapped(const struct bypeer_channel *channel);
/* Whether a data plane has ever attached. */
bool bypeer_channel_was_attached(const struct bypeer_channel *channel);
/* Whether each one that has attached uses this generation, by its own account, or has ended. */
bool bypeer_channel_is_used_alone(const struct bypeer_channel *channel, uint64_t generation);
/* Why it refused the newest generation; "" if it did not. */
const char *bypeer_channel_refusal(const struct bypeer_channel *channel);
/* The parked sessions; .entries is NULL if there are none. */
const struct bypeer_sessions_view *bypeer_channel_sessions(const struct bypeer_channel *channel);

/* --- trace --- */

struct bypeer_channel_trace {
    void (*step)(void *context, const struct bypeer_handover *traced, uint64_t tsc_hz);
    void (*end)(void *context, bool complete); /* complete: the data plane said so; else time was up or it is gone */
    void *context;
    const void *owner; /* for bypeer_channel_forget_trace() */
};
/* Asks for a trace of so many packets. channel may be NULL. -EBUSY: one is under way. -ENOTCONN: no data plane. */
int bypeer_channel_trace(struct bypeer_channel *channel, uint32_t packets, uint32_t timeout_ms,
                         const struct bypeer_channel_trace *trace, struct bypeer_problem *problem);
/* The owner is gone: no more calls. Returns the trace's context, now the caller's; NULL: that trace is over. */
void *bypeer_channel_forget_trace(struct bypeer_channel *channel, const void *owner);
