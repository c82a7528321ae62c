/*
 * The lines between libnss_bypeer (tools/nss/answer.h draws them) and bypeerd. Only bytes here. Thread: any.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "overlay/pnrp/name.h"

#define BYPEER_NSS_QUESTION_MAX BYPEER_HOST_NAME_MAX /* with its newline */
#define BYPEER_NSS_ANSWER_MAX   512
#define BYPEER_NSS_WAIT         "WAIT\n"
#define BYPEER_NSS_NOT_FOUND    "NOTFOUND\n"

/* Reads a question. 0; -EAGAIN: the line is not whole yet; -EBADMSG: too long, or bytes that are in no host name. */
int bypeer_nss_read(const char *bytes, size_t length, char ret_host[static BYPEER_HOST_NAME_MAX]);
/* Writes the answer with 1 to 10 addresses; returns its length. */
size_t bypeer_nss_write(const uint8_t (*addresses)[16], unsigned count, char ret_bytes[static BYPEER_NSS_ANSWER_MAX]);
