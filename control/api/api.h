/*
 * The API: JSON-RPC 2.0 requests as text in, answers as text out (bypeer-api(7) describes the methods).
 *
 *   line --> bypeer_api_take() --> a call per request --> method --> answer, in the order of the requests
 *
 * A request is checked whole before its method runs: known parameters only, each of the right type. Errors are
 * {code, message, data {key, thing, value, remedy}}. A batch (an array) has at most BYPEER_API_BATCH_MAX requests.
 *
 * No sockets here: server.h has them, and the fuzz target has none.
 *
 * Thread: one (control's loop).
 */
#pragma once

#include <stddef.h>

#include "control/node.h"

#define BYPEER_API_VERSION     1
#define BYPEER_API_BATCH_MAX   1000
#define BYPEER_API_REQUEST_MAX (4u << 20) /* bytes of a line: 50,000 addresses take 2 MiB at most */

/* JSON-RPC 2.0, 5.1; the last one is ours */
#define BYPEER_API_NO_JSON       (-32700)
#define BYPEER_API_NO_REQUEST    (-32600)
#define BYPEER_API_NO_METHOD     (-32601)
#define BYPEER_API_BAD_PARAMETER (-32602)
#define BYPEER_API_FAILED        (-32603)
#define BYPEER_API_REFUSED       (-32000)

struct bypeer_exchange; /* one line on its way */

/* What a client is told; text is the callee's to free(). */
struct bypeer_api_client {
    /* The answer to a line, once; text NULL: there is nothing to say (notifications). */
    void (*answer)(void *context, char *text, size_t length);
    /* What a method tells before its answer. NULL: the client cannot be told. */
    void (*notify)(void *context, char *text, size_t length);
    /* Who asks: what lives no longer than he does is his until bypeer_api_gone(). NULL: nobody in particular. */
    const void *(*who)(void *context);
};

/*
 * Takes a line. The answer comes before this returns or later. Returns the exchange if it goes on, to be cancelled if
 * need be, else NULL.
 */
struct bypeer_exchange *bypeer_api_take(struct bypeer_node *node, const char *line, size_t length,
                                        const struct bypeer_api_client *client, void *context);
/* Nobody waits for the answer any more; what was begun is not undone. */
void bypeer_api_cancel(struct bypeer_exchange *exchange);

/* Somebody asks nothing any more: what was his is let go. */
void bypeer_api_gone(struct bypeer_node *node, const void *who);

/* An answer that is an error, for what never became a request. To be freed; NULL: no memory. */
char *bypeer_api_refuse(int code, const char *message, size_t *ret_length);
