#include "tests/group_tls.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "overlay/graph/buffer.h"

/* TLS, in the clear: each side's certificate, then one byte for Finished, then what was to be encrypted. */
struct group_tls {
    bool is_initiator, is_done;
    uint8_t peer[BYPEER_CERTIFICATE_BYTES_MAX];
    size_t peer_bytes;
    struct bypeer_buffer rest;
};

static int group_tls_open(void *context, void **ret_session, bool is_initiator)
{
    struct group_tls *tls = calloc(1, sizeof(*tls));
    (void)context;
    tls->is_initiator = is_initiator;
    *ret_session = tls;
    return 0;
}

static void group_tls_close(void *context, void *session)
{
    struct group_tls *tls = session;
    (void)context;
    bypeer_buffer_clear(&tls->rest);
    free(tls);
}

static int group_tls_handshake(void *context, void *session, const uint8_t *bytes, size_t length,
                               struct bypeer_buffer *out, const char **ret_why)
{
    struct group_tls *tls = session;
    struct bypeer_certificate *const *idc = context;
    size_t own_bytes;
    const uint8_t *own = bypeer_certificate_der(*idc, &own_bytes);
    if (!bytes)
        return bypeer_buffer_append(out, own, own_bytes);
    if (tls->peer_bytes == 0) {
        if (length > sizeof(tls->peer)) {
            *ret_why = "a certificate that is too long";
            return -EBADMSG;
        }
        memcpy(tls->peer, bytes, length);
        tls->peer_bytes = length;
        if (!tls->is_initiator)
            return bypeer_buffer_append(out, own, own_bytes);
        tls->is_done = true;
        bypeer_buffer_append(out, "F", 1);
        return 1;
    }
    tls->is_done = true;
    bypeer_buffer_append(&tls->rest, bytes + 1, length - 1);
    return 1;
}

static const uint8_t *group_tls_peer(void *context, void *session, size_t *ret_length)
{
    const struct group_tls *tls = session;
    (void)context;
    *ret_length = tls->peer_bytes;
    return tls->is_done ? tls->peer : NULL;
}

static int group_tls_seal(void *context, void *session, const uint8_t *plain, size_t length, struct bypeer_buffer *out)
{
    (void)context;
    (void)session;
    return bypeer_buffer_append(out, plain, length);
}

static int group_tls_unseal(void *context, void *session, const uint8_t *bytes, size_t length,
                            struct bypeer_buffer *out)
{
    struct group_tls *tls = session;
    (void)context;
    bypeer_buffer_append(out, tls->rest.bytes, tls->rest.length);
    bypeer_buffer_clear(&tls->rest);
    return length ? bypeer_buffer_append(out, bytes, length) : 0;
}

struct bypeer_group_tls group_tls(struct bypeer_certificate **idc)
{
    return (struct bypeer_group_tls){
        idc, group_tls_open, group_tls_close, group_tls_handshake, group_tls_peer, group_tls_seal, group_tls_unseal};
}
