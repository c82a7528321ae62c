/*
 * Delegated secure names ([MS-PNRP] 2.2.3.5, 3.1.5.10): a chain of certificates by which the holder of a name's
 * authority lets another key publish it. What chains are, and the rules of all of them, is in
 * overlay/certificate/chain.h.
 *
 * Threads: any. Slow (one signature verification per certificate): a job's work, never the event loop's or a worker's.
 */
#pragma once

#include "overlay/pnrp/name.h"

#define BYPEER_DELEGATION_BYTES_MAX 32768

/*
 * Whether the chain lets the holder of public_key publish this name now (Unix seconds). 0; -EBADMSG: not such a chain;
 * -EKEYREJECTED: a rule of 3.1.5.10 is broken. why, if not NULL, says which, for people.
 */
int bypeer_delegation_validate(const struct bypeer_profile *profile, const uint8_t *bytes, size_t length,
                               const struct bypeer_peer_name *name, const uint8_t *public_key, uint64_t now, char *why,
                               size_t why_bytes);
