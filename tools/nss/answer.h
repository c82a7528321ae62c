/*
 * What bypeerd says on names.sock (bypeer-names protocol, control/names/nss.h has its other end):
 *
 *   <- server.pnrp.net
 *   -> WAIT               at once, unless the answer follows at once: so whoever asks knows that somebody is there
 *   -> OK 2               or NOTFOUND
 *   -> 2001:db8::1
 *   -> 2001:db8::2
 *
 * Only bytes here.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define ANSWER_ADDRESSES 10  /* a name has no more */
#define ANSWER_BYTES     512 /* WAIT, OK 10, and ten addresses of 45 characters, each with its newline: 474 */

/* How many addresses there are, 0: the name was not found; -EAGAIN: the answer is not whole yet; -EBADMSG. */
int answer_read(const char *bytes, size_t length, uint8_t (*ret_addresses)[16]);
