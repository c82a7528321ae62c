/*
 * This node's WireGuard key: 32 bytes in base64 on a line, as `wg genkey` writes them. It comes from the first of
 *
 *   $CREDENTIALS_DIRECTORY/wireguard.key   where systemd gives it (LoadCredential=, SetCredential=)
 *   the file of the configuration          mode 0600, made at the first start; never written again
 *
 * Thread: one (control's loop), at start.
 */
#pragma once

#include <stdint.h>

#include "control/problem.h"

/* file: of the configuration; "": STATE/wireguard.key. The caller wipes the key. -EACCES: others may read the file;
 * -EINVAL: it holds no key; and the errors of files. */
int bypeer_wireguard_identity_load(const char *file, const char *state, uint8_t ret_private_key[static 32],
                                   struct bypeer_problem *problem);
