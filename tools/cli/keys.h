/*
 * Keys of WireGuard peers as the command line makes and reads them. A private key is only ever here: it is shown in the
 * file that it is for, sent nowhere, and wiped.
 */
#pragma once

#include <stdint.h>

#include "config/wireguard_key.h"

struct keys {
    char private_key[BYPEER_WIREGUARD_KEY_TEXT];
    char public_key[BYPEER_WIREGUARD_KEY_TEXT];
};

/* A new pair. CLI_OK, or CLI_FAILED after a message. */
int keys_make(struct keys *ret_keys);
/* The key in the first line of a file ("-": standard input), with its public key. CLI_OK, or CLI_FAILED after a
 * message. */
int keys_read_private(const char *file, struct keys *ret_keys);
/* A key that both sides share: a new one, or the one in a file. */
void keys_make_shared(char ret_text[static BYPEER_WIREGUARD_KEY_TEXT]);
int keys_read_shared(const char *file, char ret_text[static BYPEER_WIREGUARD_KEY_TEXT]);
void keys_wipe(void *bytes, unsigned count);
