/*
 * One message with descriptors beside it, over a socket that the caller opened.
 *
 * Control and the data plane both need these two calls, and getting them right (no descriptor leaked whatever came,
 * none inherited by a child, nothing cut in silence) is worth having once. It may live in overlay/ because it neither
 * opens nor waits: the socket is the caller's, the bytes are handover.h's, and each call returns at once.
 *
 * The socket is of type SOCK_SEQPACKET. Threads: any, one per socket and direction.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "overlay/tables/handover.h"

/*
 * Sends a message and its descriptors (which stay the caller's). Returns 0, -EAGAIN when the socket's buffer is full,
 * -EINVAL for a message that cannot be written or another number of descriptors than bypeer_handover_fds() says, or
 * what sendmsg said (-EPIPE: the other end is gone).
 */
int bypeer_passing_send(int socket, const struct bypeer_handover *message, const int *fds, unsigned fd_count);

/*
 * Receives one. Descriptors are close-on-exec and the caller's from then on; of a message that fails all are closed.
 * Returns 1; 0: the other end has closed; -EAGAIN: there is none now; -ENOMSG: one of another release, skip it;
 * -EBADMSG: malformed, too long, or with another number of descriptors than it says: end the connection.
 */
int bypeer_passing_receive(int socket, struct bypeer_handover *ret_message, int ret_fds[static BYPEER_HANDOVER_FDS]);
