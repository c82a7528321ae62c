/*
 * What control and the data plane say to each other, and in which order.
 *
 * Control listens on a SOCK_SEQPACKET Unix socket; the data plane connects, and connects again (every 50 ms) when the
 * connection ends, so either may restart at any time. One message a packet, at most BYPEER_HANDOVER_MAX bytes, host
 * byte order, with at most BYPEER_HANDOVER_FDS descriptors beside it.
 *
 *   data plane                                  control
 *   HELLO pid, layouts, fd status [, sessions, tables]
 *                                 ----------->  gives the reader a slot (pidfd, status mapping) before it sends tables
 *   PORTS what it drives          ----------->  TAP devices get the ports' MACs
 *                                 <-----------  SESSIONS fd of the parked region, or none: make one
 *   SESSIONS_MADE fd              ----------->  parks it (only when it was made anew)
 *                                 <-----------  TABLES generation, fd
 *   MAPPED generation             ----------->  every worker uses it: the generation before it may go
 *   or REFUSED generation, error, text
 *   ...                           <-----------  TABLES again at growth or after control's restart
 *                                 <-----------  TRACE how many packets
 *   TRACED one step of one packet ----------->
 *   TRACE_END                     ----------->
 *                                 <-----------  GRACE a token was stored in the tables: wake the broker
 *
 * The tables descriptor in HELLO is the generation that the data plane holds, perhaps from a control that died; it is
 * offered for session records that only live there.
 *
 * A message of a type that the receiver does not know is skipped: releases side by side may add some.
 *
 * This module is only bytes: bypeer_handover_write() makes a message, bypeer_handover_read() checks one. Thread: any.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define BYPEER_HANDOVER_MAX 4096
#define BYPEER_HANDOVER_FDS 3

enum bypeer_handover_type {
    BYPEER_HANDOVER_HELLO = 1,
    BYPEER_HANDOVER_PORTS,
    BYPEER_HANDOVER_SESSIONS,
    BYPEER_HANDOVER_SESSIONS_MADE,
    BYPEER_HANDOVER_TABLES,
    BYPEER_HANDOVER_MAPPED,
    BYPEER_HANDOVER_REFUSED,
    BYPEER_HANDOVER_TRACE,
    BYPEER_HANDOVER_TRACED,
    BYPEER_HANDOVER_TRACE_END,
    BYPEER_HANDOVER_GRACE,
};

#define BYPEER_HANDOVER_PORTS_MAX 16

struct bypeer_handover_port {
    char name[32];
    uint8_t mac[6];
    uint16_t mtu;
};

/* One message, read or to be written. Only the member of its type counts. Strings are NUL-terminated. */
struct bypeer_handover {
    enum bypeer_handover_type type;
    union {
        struct {
            uint64_t pid;
            uint64_t start_ticks;
            uint32_t layout_oldest, layout_newest; /* that this data plane reads */
            uint8_t has_sessions, has_tables;      /* descriptors that follow status, in this order */
            char release[32];
        } hello;
        struct {
            uint32_t count;
            struct bypeer_handover_port port[BYPEER_HANDOVER_PORTS_MAX];
        } ports;
        struct {
            uint8_t has_fd;
        } sessions;
        struct {
            uint64_t generation;
            uint64_t bytes;
        } tables; /* TABLES, MAPPED */
        struct {
            uint64_t generation;
            int32_t error; /* negative errno */
            char text[160];
        } refused;
        struct {
            uint32_t packets;
        } trace;
        struct {
            uint32_t packet; /* number within this trace, from 0 */
            uint32_t worker;
            uint64_t tsc;
            uint16_t frame_bytes;
            uint16_t head_bytes;
            char node[32];
            char next[32];     /* node it goes to; of a drop, the reason */
            uint8_t head[128]; /* first bytes of the packet as it is at this node */
        } traced;
    };
};

/* How many descriptors go with a message. */
unsigned bypeer_handover_fds(const struct bypeer_handover *message);

/* Writes message into buffer; returns its bytes (at most BYPEER_HANDOVER_MAX), or 0 if it is none (type, count).
 * Strings without an end are cut. */
size_t bypeer_handover_write(const struct bypeer_handover *message, uint8_t buffer[static BYPEER_HANDOVER_MAX]);

/*
 * Reads a message. Returns 0; -EBADMSG: malformed (length, count or string), *ret_message untouched; -ENOMSG: a type of
 * another release, to be skipped.
 */
int bypeer_handover_read(struct bypeer_handover *ret_message, const uint8_t *bytes, size_t length);
