/*
 * TCP connections between members: bytes in and out, nothing of what they mean.
 *
 *   listener --> a stranger's stream --first bytes--> hooks.begun() --adopt--> a stream of an owner, by number
 *                                        bypeer_streams_connect() ----------->       |
 *                                               connected(), received(), closed() <--+
 *
 * A stream goes by its owner and a number that the owner gave out. hooks.closed() comes once for each, from the loop,
 * and frees the number; the other functions may be called from within any hook.
 *
 * A stranger is whoever came by himself, until his owner says that it knows who he is: bypeer_streams_trust(). Bounds:
 * so many strangers at once, of these few from one source (overlay/graph/source.h), who also begin only so often
 * (overlay/graph/tokens.h); each has some seconds, first to say whose he is, then who. When there are too many, one
 * goes of the source that most of them come from. Nobody else has to go for them. A peer that does not take what it is
 * sent is cut off at STREAMS_QUEUE_MAX: who sends is told long before that the stream is full. A dead peer is noticed
 * by TCP within half a minute.
 *
 * Addresses: 16 bytes in network order, IPv4 as ::ffff:a.b.c.d; ports in host order.
 *
 * Thread: one (the loop's).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

#include "control/problem.h"

#define BYPEER_STREAMS_STRANGERS 64
#define BYPEER_STREAMS_OF_SOURCE 16
#define BYPEER_STREAMS_BEGIN_MAX 4096        /* bytes within which begun() must know whose it is */
#define BYPEER_STREAMS_FULL      (1u << 20)  /* bytes that wait to be sent on one stream: what can wait should */
#define BYPEER_STREAMS_QUEUE_MAX (16u << 20) /* and at most */

struct bypeer_streams;
struct bypeer_stream;

struct bypeer_streams_hooks {
    /* The first bytes of a stranger. 0: bypeer_stream_adopt() was called, and the bytes come again by received();
     * -EAGAIN: more are needed; else the stream is closed. */
    int (*begun)(void *context, struct bypeer_stream *stream, const uint8_t *bytes, size_t length);
    void (*connected)(void *owner, uint32_t number);
    void (*received)(void *owner, uint32_t number, const uint8_t *bytes, size_t length);
    void (*writable)(void *owner, uint32_t number); /* after a send() that said that it is full */
    /* error: 0, or negative errno. */
    void (*closed)(void *owner, uint32_t number, int error);
};

/* hooks and context must outlive the streams. */
int bypeer_streams_open(struct bypeer_streams **ret_streams, uv_loop_t *loop, const struct bypeer_streams_hooks *hooks,
                        void *context);
/* Ends all without a word; freed when the loop has closed the handles. NULL is fine. */
void bypeer_streams_close(struct bypeer_streams *streams);

/* Listens on these addresses, or on all if there are none; once. */
int bypeer_streams_listen(struct bypeer_streams *streams, const uint8_t (*addresses)[16], unsigned count, uint16_t port,
                          struct bypeer_problem *problem);
bool bypeer_streams_is_listening(const struct bypeer_streams *streams);

/* connected() or closed() follows. -ENOMEM: neither does. */
int bypeer_streams_connect(struct bypeer_streams *streams, void *owner, uint32_t number,
                           const uint8_t address[static 16], uint16_t port);
/* The stream's peer is known: it is no stranger any more, and may stay. */
void bypeer_streams_trust(struct bypeer_streams *streams, const void *owner, uint32_t number);
/* From within begun(). */
void bypeer_stream_adopt(struct bypeer_stream *stream, void *owner, uint32_t number);
void bypeer_stream_from(const struct bypeer_stream *stream, uint8_t ret_address[static 16], uint16_t *ret_port);

/* The bytes are taken; false: the stream is full. */
bool bypeer_streams_send(struct bypeer_streams *streams, void *owner, uint32_t number, const uint8_t *bytes,
                         size_t length);
/* Sends what waits, then closes; closed() follows. */
void bypeer_streams_end(struct bypeer_streams *streams, void *owner, uint32_t number);
/* Ends all of an owner; closed() follows for none. */
void bypeer_streams_abandon(struct bypeer_streams *streams, void *owner);
