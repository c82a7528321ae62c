#include "config/wireguard_key.h"

#include <sodium.h>
#include <string.h>

_Static_assert(sodium_base64_ENCODED_LEN(BYPEER_WIREGUARD_KEY_BYTES, sodium_base64_VARIANT_ORIGINAL) ==
                   BYPEER_WIREGUARD_KEY_TEXT,
               "as documented");

bool bypeer_wireguard_key_read(const char *text, uint8_t ret_key[static BYPEER_WIREGUARD_KEY_BYTES])
{
    uint8_t key[BYPEER_WIREGUARD_KEY_BYTES];
    size_t bytes = 0;
    bool good = strlen(text) == BYPEER_WIREGUARD_KEY_TEXT - 1 &&
                sodium_base642bin(key, sizeof(key), text, BYPEER_WIREGUARD_KEY_TEXT - 1, NULL, &bytes, NULL,
                                  sodium_base64_VARIANT_ORIGINAL) == 0 &&
                bytes == sizeof(key);
    if (good)
        memcpy(ret_key, key, sizeof(key));
    sodium_memzero(key, sizeof(key));
    return good;
}

void bypeer_wireguard_key_write(const uint8_t key[static BYPEER_WIREGUARD_KEY_BYTES],
                                char ret_text[static BYPEER_WIREGUARD_KEY_TEXT])
{
    sodium_bin2base64(ret_text, BYPEER_WIREGUARD_KEY_TEXT, key, BYPEER_WIREGUARD_KEY_BYTES,
                      sodium_base64_VARIANT_ORIGINAL);
}
