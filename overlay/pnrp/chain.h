/*
 * Certificate chains of delegated secure names ([MS-PNRP] 2.2.3.5, 3.1.5.10): PKCS#7 SignedData with up to 25
 * certificates, root first. The parser is OpenSSL's; what a certificate holds is in chain_certificate.h, what is
 * checked between them in chain.c.
 *
 * Threads: any. Slow (one signature verification per certificate): a job's work, never the event loop's or a worker's.
 */
#pragma once

#include "overlay/pnrp/name.h"

#define BYPEER_CHAIN_CERTIFICATES_MAX 25
#define BYPEER_CHAIN_BYTES_MAX        32768

/*
 * Whether the chain lets the holder of public_key publish this name now (Unix seconds). 0; -EBADMSG: not such a chain;
 * -EKEYREJECTED: a rule of 3.1.5.10 is broken. why, if not NULL, says which, for people.
 */
int bypeer_chain_validate(const struct bypeer_profile *profile, const uint8_t *bytes, size_t length,
                          const struct bypeer_peer_name *name, const uint8_t *public_key, uint64_t now, char *why,
                          size_t why_bytes);
