/*
 * The channel to control (handover.h): connects again and again, takes over what control hands over, answers.
 *
 * When control is away the workers go on with the tables that they have; it is only that nothing changes. Nothing that
 * control sends can stop forwarding: what does not check out is refused with a reason, and the tables in use stay.
 *
 * A change of view (tables or sessions) takes a grace period, during which no further message is read; so control's
 * messages take effect in the order in which they were sent.
 *
 * Thread: main, which polls .fd and the broker's .done.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/broker.h"
#include "dataplane/ports.h"
#include "dataplane/report.h"
#include "dataplane/tracing.h"
#include "dataplane/view.h"
#include "overlay/tables/handover.h"

struct bypeer_channel {
    char path[108];
    const struct bypeer_ports *ports;
    struct bypeer_report *report;
    struct bypeer_broker *broker;
    struct bypeer_tracing *tracing;
    uint16_t workers;

    int fd;                            /* -1: not connected */
    bool said_absent;                  /* that control is not there: once is enough */
    bool traces;                       /* control asked for the trace that runs */
    struct bypeer_view *view;          /* that the workers use, or will when the change is done */
    enum bypeer_handover_type changes; /* message that the present change of view answers; 0: none */
};

/* run: directory of control's socket. Publishes an empty view: call before the broker and the workers start. */
int bypeer_channel_create(struct bypeer_channel *ret_channel, const char *run, const struct bypeer_ports *ports,
                          struct bypeer_report *report, struct bypeer_broker *broker, struct bypeer_tracing *tracing,
                          uint16_t workers);
/* After the workers and the broker have stopped. */
void bypeer_channel_destroy(struct bypeer_channel *channel);

/* Tries to connect if it is not connected, says HELLO and PORTS. */
void bypeer_channel_connect(struct bypeer_channel *channel);

/* Should .fd be polled for reading now? Not while a change of view is under way. */
bool bypeer_channel_listens(const struct bypeer_channel *channel);

/* Reads and answers what is there. */
void bypeer_channel_read(struct bypeer_channel *channel);

/* The broker's .done is readable: frees what was replaced, tells control. */
void bypeer_channel_changed(struct bypeer_channel *channel);

/* Sends the steps of a trace, and its end. Call every millisecond or so while a trace runs. */
void bypeer_channel_trace(struct bypeer_channel *channel);
