#include "control/wireguard/identity.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/wireguard_key.h"
#include "control/secret_file.h"
#include "overlay/wireguard/crypto.h"

static int identity_failed(const char *path, const char *what, int error, struct bypeer_problem *problem)
{
    return bypeer_problem_set(problem, error, "wireguard_key", "%s\ncannot be %s: %s\nlet the daemon's user do that",
                              path, what, strerror(-error));
}

static int identity_read(const char *path, bool is_ours, uint8_t ret_private_key[static 32],
                         struct bypeer_problem *problem)
{
    char text[2 * BYPEER_WIREGUARD_KEY_TEXT];
    unsigned mode = 0;
    long length = bypeer_secret_file_read(path, text, sizeof(text) - 1, &mode);
    if (length == -ENOENT)
        return -ENOENT;
    if (length < 0)
        return identity_failed(path, "read", (int)length, problem);
    while (length > 0 && strchr(" \t\r\n", text[length - 1]))
        length--;
    text[length] = '\0';
    bool is_key = bypeer_wireguard_key_read(text, ret_private_key);
    explicit_bzero(text, sizeof(text));
    if (is_ours && (mode & 077) != 0) {
        explicit_bzero(ret_private_key, 32);
        return bypeer_problem_set(problem, -EACCES, "wireguard_key",
                                  "%s\nis a private key that others may read (mode %04o)\n"
                                  "make it unreadable to them: chmod 600 %s",
                                  path, mode, path);
    }
    if (!is_key)
        return bypeer_problem_set(problem, -EINVAL, "wireguard_key",
                                  "%s\nholds no WireGuard key\nrestore it from a backup, or write one with: wg genkey",
                                  path);
    return 0;
}

static int identity_make(const char *path, uint8_t ret_private_key[static 32], struct bypeer_problem *problem)
{
    char directory[PATH_MAX], text[BYPEER_WIREGUARD_KEY_TEXT + 1];
    const char *slash = strrchr(path, '/');
    snprintf(directory, sizeof(directory), "%.*s", slash && slash > path ? (int)(slash - path) : 1, slash ? path : ".");
    if (bypeer_crypto_random(ret_private_key, 32) < 0)
        return identity_failed(path, "made", -EIO, problem);
    /* As X25519 takes it, so that what other programs show of it is the same. */
    ret_private_key[0] &= 248;
    ret_private_key[31] = (uint8_t)((ret_private_key[31] & 127) | 64);
    bypeer_wireguard_key_write(ret_private_key, text);
    size_t length = strlen(text);
    text[length++] = '\n';
    int result = bypeer_secret_file_write(directory, path, text, length);
    explicit_bzero(text, sizeof(text));
    if (result < 0) {
        explicit_bzero(ret_private_key, 32);
        return identity_failed(path, "written", result, problem);
    }
    return 0;
}

int bypeer_wireguard_identity_load(const char *file, const char *state, uint8_t ret_private_key[static 32],
                                   struct bypeer_problem *problem)
{
    char path[PATH_MAX];
    const char *credentials = getenv("CREDENTIALS_DIRECTORY");
    if (credentials) {
        snprintf(path, sizeof(path), "%s/wireguard.key", credentials);
        int result = identity_read(path, false, ret_private_key, problem);
        if (result != -ENOENT)
            return result;
    }
    if (file[0] != '\0')
        snprintf(path, sizeof(path), "%s", file);
    else
        snprintf(path, sizeof(path), "%s/wireguard.key", state);
    int result = identity_read(path, true, ret_private_key, problem);
    return result == -ENOENT ? identity_make(path, ret_private_key, problem) : result;
}
