/*
 * A WireGuard key as people write it: 32 bytes in base64 (RFC 4648, 4), 44 characters, the last one "=".
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define BYPEER_WIREGUARD_KEY_BYTES 32
#define BYPEER_WIREGUARD_KEY_TEXT  45 /* with NUL */

/* False: it is no key; ret_key is untouched then. In time that does not depend on the key. */
bool bypeer_wireguard_key_read(const char *text, uint8_t ret_key[static BYPEER_WIREGUARD_KEY_BYTES]);
void bypeer_wireguard_key_write(const uint8_t key[static BYPEER_WIREGUARD_KEY_BYTES],
                                char ret_text[static BYPEER_WIREGUARD_KEY_TEXT]);
