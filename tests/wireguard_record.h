/*
 * What happened at a wireguard_end while it talked to another implementation, as text: enough to do it again to the
 * byte. One line a step, with the time that it was at:
 *
 *   keys NS UNIX-NS PERSISTENT-S PRIVATE PEER PRESHARED       the first; PRESHARED is "-" for none
 *   in|send|tick|out NS UNIX-NS BYTES                         "-" for no bytes; out follows the step that made it
 */
#pragma once

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "overlay/wireguard/peer.h"

#define WIREGUARD_RECORD_SEED 2026 /* of the random numbers of such a run */

enum wireguard_record_step {
    WIREGUARD_RECORD_IN,   /* a datagram came */
    WIREGUARD_RECORD_SEND, /* an inner packet was to be sent */
    WIREGUARD_RECORD_TICK,
    WIREGUARD_RECORD_OUT, /* a datagram left */
};

struct wireguard_record_keys {
    const uint8_t *private_key, *peer_key, *preshared_key; /* NULL: none */
    unsigned persistent_s;
};

static inline void wireguard_record_hex(FILE *file, const uint8_t *bytes, size_t length)
{
    fputc(' ', file);
    for (size_t at = 0; at < length; at++)
        fprintf(file, "%02x", bytes[at]);
    if (length == 0)
        fputc('-', file);
}

static inline void wireguard_record_write(FILE *file, const struct bypeer_wireguard_time *now,
                                          enum wireguard_record_step step, const uint8_t *bytes, size_t length)
{
    static const char *const names[] = {"in", "send", "tick", "out"};
    fprintf(file, "%s %llu %llu", names[step], (unsigned long long)now->ns, (unsigned long long)now->unix_ns);
    wireguard_record_hex(file, bytes, length);
    fputc('\n', file);
}

static inline void wireguard_record_write_keys(FILE *file, const struct bypeer_wireguard_time *now,
                                               const struct wireguard_record_keys *keys)
{
    fprintf(file, "keys %llu %llu %u", (unsigned long long)now->ns, (unsigned long long)now->unix_ns,
            keys->persistent_s);
    wireguard_record_hex(file, keys->private_key, 32);
    wireguard_record_hex(file, keys->peer_key, 32);
    wireguard_record_hex(file, keys->preshared_key, keys->preshared_key ? 32 : 0);
    fputc('\n', file);
}

/* Bytes of hexadecimal text, up to its first other character. false: more than room. */
static inline bool wireguard_record_bytes(const char *hex, uint8_t *ret_bytes, size_t room, size_t *ret_length)
{
    static const char digits[] = "0123456789abcdef";
    size_t length = strspn(hex, digits) / 2;
    if (length > room)
        return false;
    for (size_t at = 0; at < length; at++)
        ret_bytes[at] =
            (uint8_t)((strchr(digits, hex[2 * at]) - digits) << 4 | (strchr(digits, hex[2 * at + 1]) - digits));
    *ret_length = length;
    return true;
}
