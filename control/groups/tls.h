/*
 * TLS between members, by OpenSSL over memory BIOs: no sockets here, the graph carries the records
 * (overlay/group/tls.h has the contract, reference 3.1 the rules).
 *
 *   modern   TLS 1.3, certificates with Ed25519, X25519
 *   windows  TLS 1.0 to 1.2, RSA-1024, AES-CBC with SHA-1: what Windows 7 speaks
 *
 * Both sides present the certificate of their identity and must. Its issuer is not looked at: Group Connect proves
 * membership afterwards, with the key that TLS has shown. No session is resumed, no ticket given, nothing renegotiated.
 *
 * Thread: one for each struct bypeer_tls and its sessions.
 */
#pragma once

#include "overlay/group/tls.h"
#include "overlay/profile/key.h"

struct bypeer_tls;

/* idc: the identity's certificate, DER of X.509. key is not kept. 0, -ENOMEM, -EINVAL: they do not belong together. */
int bypeer_tls_open(struct bypeer_tls **ret_tls, const struct bypeer_key *key, const uint8_t *idc, size_t idc_bytes);
/* Its sessions outlive it. NULL is fine. */
void bypeer_tls_close(struct bypeer_tls *tls);
/* The functions, for bypeer_group_settings; sessions are opened as long as tls is there. */
struct bypeer_group_tls bypeer_tls_functions(struct bypeer_tls *tls);
