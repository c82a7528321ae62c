/*
 * Private to libbypeer: the connection, as lines of text that go out and come in.
 *
 * The socket does not block; every wait is a poll() up to a deadline. While a long line goes out, what comes in is read
 * as well, so that two requests on their way can never make node and client wait for each other.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tools/lib/bypeer.h"

struct bypeer {
    int fd;
    int timeout_ms;
    uint64_t last_id;
    /* Bytes that came in: [0, in_used), of which [0, in_scanned) hold no newline. */
    char *in;
    size_t in_used, in_scanned, in_room;
    json_t *answers; /* by id, as text: those that came before somebody asked for them */
    json_t *notices; /* notifications in the order of their coming, for bypeer_process() */
    struct bypeer_resolve *resolves;
    struct bypeer_peer_watch *watches;
    /* The last failure. */
    char *text;
    int code;
    json_t *data;
};

/* CLOCK_MONOTONIC in milliseconds after timeout_ms; INT64_MAX for -1. */
int64_t connection_deadline(const struct bypeer *node);

/* Sends one line (a newline is added). Returns 0, -ETIMEDOUT, -ECONNRESET or another errno of sending. */
int connection_send(struct bypeer *node, const char *line, size_t length, int64_t deadline);

/* The next line, without its newline: valid until connection_drop_line(). wait: false: -EAGAIN if there is none yet. */
int connection_receive(struct bypeer *node, const char **ret_line, size_t *ret_length, bool wait, int64_t deadline);
void connection_drop_line(struct bypeer *node, size_t length);

/* Sets the text of a failure that is not the node's refusal, and returns error. */
__attribute__((format(printf, 3, 4))) int connection_fail(struct bypeer *node, int error, const char *format, ...);
void connection_forget_error(struct bypeer *node);
