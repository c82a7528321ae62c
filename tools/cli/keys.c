#include "tools/cli/keys.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "tools/cli/cli.h"
#include "tools/cli/new_key.h"

_Static_assert(crypto_scalarmult_SCALARBYTES == BYPEER_WIREGUARD_KEY_BYTES, "X25519");

void keys_wipe(void *bytes, unsigned count)
{
    sodium_memzero(bytes, count);
}

static void keys_write(const uint8_t private_key[static BYPEER_WIREGUARD_KEY_BYTES], struct keys *ret_keys)
{
    uint8_t public_key[BYPEER_WIREGUARD_KEY_BYTES];
    crypto_scalarmult_base(public_key, private_key);
    bypeer_wireguard_key_write(private_key, ret_keys->private_key);
    bypeer_wireguard_key_write(public_key, ret_keys->public_key);
}

int keys_make(struct keys *ret_keys)
{
    if (new_key_make(ret_keys->private_key, ret_keys->public_key) < 0)
        return cli_fail(CLI_FAILED, "there are no random numbers for a key");
    return CLI_OK;
}

void keys_make_shared(char ret_text[static BYPEER_WIREGUARD_KEY_TEXT])
{
    uint8_t key[BYPEER_WIREGUARD_KEY_BYTES];
    randombytes_buf(key, sizeof(key));
    bypeer_wireguard_key_write(key, ret_text);
    sodium_memzero(key, sizeof(key));
}

static int keys_read(const char *file, uint8_t ret_key[static BYPEER_WIREGUARD_KEY_BYTES])
{
    char line[BYPEER_WIREGUARD_KEY_TEXT + 2] = "";
    bool standard = strcmp(file, "-") == 0;
    FILE *in = standard ? stdin : fopen(file, "re");
    if (!in)
        return cli_fail(CLI_FAILED, "%s: %s", file, strerror(errno));
    char *text = fgets(line, sizeof(line), in);
    if (!standard)
        fclose(in);
    if (text)
        text[strcspn(text, "\r\n")] = '\0';
    bool good = text && bypeer_wireguard_key_read(text, ret_key);
    sodium_memzero(line, sizeof(line));
    if (!good)
        return cli_fail(CLI_FAILED, "%s: holds no key; write the 44 characters of `wg genkey` or `wg genpsk` into it",
                        file);
    return CLI_OK;
}

int keys_read_private(const char *file, struct keys *ret_keys)
{
    uint8_t private_key[BYPEER_WIREGUARD_KEY_BYTES];
    int status = keys_read(file, private_key);
    if (status == CLI_OK)
        keys_write(private_key, ret_keys);
    sodium_memzero(private_key, sizeof(private_key));
    return status;
}

int keys_read_shared(const char *file, char ret_text[static BYPEER_WIREGUARD_KEY_TEXT])
{
    uint8_t key[BYPEER_WIREGUARD_KEY_BYTES];
    int status = keys_read(file, key);
    if (status == CLI_OK)
        bypeer_wireguard_key_write(key, ret_text);
    sodium_memzero(key, sizeof(key));
    return status;
}
