/*
 * TLS as Group Connect sees it: bytes in and out of one session, a table of functions that the host gives (overlay/ has
 * no libssl). Both sides present their identity certificate; the session takes any well-formed one, since membership is
 * proven afterwards (reference 3.1). bypeerd's is control/groups/tls.h.
 *
 * Thread: the group's. Buffers are appended to.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bypeer_buffer;

struct bypeer_group_tls {
    void *context; /* knows the profile, and identity key and certificate */
    /* 0, or negative: no session now. */
    int (*open)(void *context, void **ret_session, bool is_initiator);
    void (*close)(void *context, void *session);
    /*
     * Takes handshake bytes of the peer (NULL, 0: begin) and appends what is to be sent. 1: done, nothing more to come;
     * 0: go on; negative: it failed, and *ret_why says how. Application data behind the handshake's end is kept for
     * unseal().
     */
    int (*handshake)(void *context, void *session, const uint8_t *bytes, size_t length, struct bypeer_buffer *out,
                     const char **ret_why);
    /* The peer's certificate, DER of X.509; valid until close(). NULL before the handshake is done. */
    const uint8_t *(*peer)(void *context, void *session, size_t *ret_length);
    /* One TLS record at least. 0 or negative. */
    int (*seal)(void *context, void *session, const uint8_t *plain, size_t length, struct bypeer_buffer *out);
    /* What could be opened of all bytes so far; may be nothing. 0 or negative. */
    int (*unseal)(void *context, void *session, const uint8_t *bytes, size_t length, struct bypeer_buffer *out);
};
