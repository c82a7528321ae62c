/*
 * One question to bypeerd, within bounds that a program can live with which never heard of it: 100 ms until somebody
 * says something, 3 s in all. No memory is allocated, no signal raised, no descriptor survives.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "tools/nss/answer.h"

/* Whether a name is below pnrp.net, in any case, with or without a final dot. */
bool ask_is_ours(const char *host);
/* Up to ANSWER_ADDRESSES addresses of such a name. 0: there are none, or nobody who knows. */
unsigned ask_addresses(const char *host, uint8_t (*ret_addresses)[16]);
