#include "tools/cli/new_key.h"

#include <errno.h>
#include <sodium.h>
#include <sys/random.h>

int new_key_make(char ret_private[static BYPEER_WIREGUARD_KEY_TEXT], char ret_public[static BYPEER_WIREGUARD_KEY_TEXT])
{
    uint8_t key[BYPEER_WIREGUARD_KEY_BYTES], public_key[BYPEER_WIREGUARD_KEY_BYTES];
    if (getrandom(key, sizeof(key), 0) != sizeof(key))
        return -EIO;
    /* As wg genkey does (RFC 7748, 5). */
    key[0] &= 248;
    key[31] = (uint8_t)((key[31] & 127) | 64);
    crypto_scalarmult_curve25519_base(public_key, key);
    bypeer_wireguard_key_write(key, ret_private);
    bypeer_wireguard_key_write(public_key, ret_public);
    sodium_memzero(key, sizeof(key));
    return 0;
}
