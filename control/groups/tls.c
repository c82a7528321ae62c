#include "control/groups/tls.h"

#include <errno.h>
#include <limits.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>

#include "overlay/graph/buffer.h"
#include "overlay/profile/openssl.h"

#define CERTIFICATE_MAX 16384 /* bytes of what a peer presents */
#define DRAIN_BYTES     4096

struct bypeer_tls {
    SSL_CTX *ssl;
};

struct tls_session {
    SSL *ssl;
    BIO *in, *out; /* the session's own */
    uint8_t *peer;
    size_t peer_bytes;
};

/* --- what is the same for all sessions --- */

/* Any certificate that is well formed: membership is proven behind the handshake. */
static int tls_on_certificate(X509_STORE_CTX *context, void *unused)
{
    (void)context;
    (void)unused;
    return 1;
}

static bool tls_set_rules(SSL_CTX *ssl, const struct bypeer_profile *profile)
{
    SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    SSL_CTX_set_cert_verify_callback(ssl, tls_on_certificate, NULL);
    SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_options(ssl, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_max_cert_list(ssl, CERTIFICATE_MAX);
    if (profile->id == BYPEER_PROFILE_MODERN)
        return SSL_CTX_set_min_proto_version(ssl, TLS1_3_VERSION) && SSL_CTX_set_num_tickets(ssl, 0) &&
               SSL_CTX_set1_groups_list(ssl, "X25519") && SSL_CTX_set1_sigalgs_list(ssl, "ed25519");
    SSL_CTX_set_security_level(ssl, 0);
    /* Windows reads one record of each unit. */
    SSL_CTX_set_options(ssl, SSL_OP_DONT_INSERT_EMPTY_FRAGMENTS | SSL_OP_NO_ENCRYPT_THEN_MAC);
    return SSL_CTX_set_min_proto_version(ssl, TLS1_VERSION) && SSL_CTX_set_max_proto_version(ssl, TLS1_2_VERSION) &&
           SSL_CTX_set_cipher_list(ssl, "AES128-SHA:AES256-SHA:@SECLEVEL=0");
}

int bypeer_tls_open(struct bypeer_tls **ret_tls, const struct bypeer_key *key, const uint8_t *idc, size_t idc_bytes)
{
    struct bypeer_tls *tls = calloc(1, sizeof(*tls));
    if (!tls || !(tls->ssl = SSL_CTX_new(TLS_method()))) {
        free(tls);
        return -ENOMEM;
    }
    ERR_clear_error();
    if (idc_bytes > INT_MAX || !tls_set_rules(tls->ssl, bypeer_key_profile(key)) ||
        SSL_CTX_use_certificate_ASN1(tls->ssl, (int)idc_bytes, idc) != 1 ||
        SSL_CTX_use_PrivateKey(tls->ssl, bypeer_key_pair(key)) != 1 || SSL_CTX_check_private_key(tls->ssl) != 1) {
        bypeer_tls_close(tls);
        return -EINVAL;
    }
    *ret_tls = tls;
    return 0;
}

void bypeer_tls_close(struct bypeer_tls *tls)
{
    if (!tls)
        return;
    SSL_CTX_free(tls->ssl);
    free(tls);
}

/* --- a session --- */

static void tls_session_close(void *context, void *handle)
{
    (void)context;
    struct tls_session *session = handle;
    if (!session)
        return;
    SSL_free(session->ssl);
    OPENSSL_free(session->peer);
    free(session);
}

static int tls_session_open(void *context, void **ret_session, bool is_initiator)
{
    const struct bypeer_tls *tls = context;
    struct tls_session *session = calloc(1, sizeof(*session));
    if (!session)
        return -ENOMEM;
    session->ssl = SSL_new(tls->ssl);
    session->in = BIO_new(BIO_s_mem());
    session->out = BIO_new(BIO_s_mem());
    if (!session->ssl || !session->in || !session->out) {
        BIO_free(session->in);
        BIO_free(session->out);
        tls_session_close(NULL, session);
        return -ENOMEM;
    }
    SSL_set_bio(session->ssl, session->in, session->out);
    if (is_initiator)
        SSL_set_connect_state(session->ssl);
    else
        SSL_set_accept_state(session->ssl);
    *ret_session = session;
    return 0;
}

static int tls_take(struct tls_session *session, const uint8_t *bytes, size_t length)
{
    if (length > INT_MAX)
        return -EMSGSIZE;
    return length == 0 || BIO_write(session->in, bytes, (int)length) == (int)length ? 0 : -ENOMEM;
}

/* What the session has to say. */
static int tls_drain(struct tls_session *session, struct bypeer_buffer *out)
{
    uint8_t bytes[DRAIN_BYTES];
    int length, result = 0;
    while (result == 0 && (length = BIO_read(session->out, bytes, sizeof(bytes))) > 0)
        result = bypeer_buffer_append(out, bytes, (size_t)length);
    return result;
}

static const char *tls_why(void)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    return reason ? reason : "TLS failed";
}

static int tls_keep_peer(struct tls_session *session)
{
    X509 *peer = SSL_get0_peer_certificate(session->ssl);
    int length = peer ? i2d_X509(peer, &session->peer) : -1;
    if (length <= 0)
        return -EKEYREJECTED;
    session->peer_bytes = (size_t)length;
    return 0;
}

static int tls_session_handshake(void *context, void *handle, const uint8_t *bytes, size_t length,
                                 struct bypeer_buffer *out, const char **ret_why)
{
    (void)context;
    struct tls_session *session = handle;
    int result = tls_take(session, bytes, length);
    if (result < 0) {
        *ret_why = "no memory for the handshake";
        return result;
    }
    ERR_clear_error();
    int done = SSL_do_handshake(session->ssl);
    int error = done == 1 ? SSL_ERROR_NONE : SSL_get_error(session->ssl, done);
    /* An alert tells the peer why, so it goes out whatever came of it. */
    result = tls_drain(session, out);
    if (done == 1 && result == 0 && (result = tls_keep_peer(session)) < 0)
        *ret_why = "the peer presented no certificate";
    else if (result < 0)
        *ret_why = "no memory for the handshake";
    else if (done != 1 && error != SSL_ERROR_WANT_READ) {
        *ret_why = tls_why();
        result = -EPROTO;
    }
    return result < 0 ? result : done == 1;
}

static const uint8_t *tls_session_peer(void *context, void *handle, size_t *ret_length)
{
    (void)context;
    const struct tls_session *session = handle;
    *ret_length = session->peer_bytes;
    return session->peer;
}

static int tls_session_seal(void *context, void *handle, const uint8_t *plain, size_t length, struct bypeer_buffer *out)
{
    (void)context;
    struct tls_session *session = handle;
    size_t written;
    ERR_clear_error();
    if (SSL_write_ex(session->ssl, plain, length, &written) != 1)
        return -EPROTO;
    return tls_drain(session, out);
}

static int tls_session_unseal(void *context, void *handle, const uint8_t *bytes, size_t length,
                              struct bypeer_buffer *out)
{
    (void)context;
    struct tls_session *session = handle;
    uint8_t plain[DRAIN_BYTES];
    size_t got;
    int result = tls_take(session, bytes, length);
    ERR_clear_error();
    while (result == 0 && SSL_read_ex(session->ssl, plain, sizeof(plain), &got) == 1)
        result = bypeer_buffer_append(out, plain, got);
    OPENSSL_cleanse(plain, sizeof(plain));
    if (result < 0)
        return result;
    return SSL_get_error(session->ssl, 0) == SSL_ERROR_WANT_READ ? 0 : -EPROTO;
}

struct bypeer_group_tls bypeer_tls_functions(struct bypeer_tls *tls)
{
    return (struct bypeer_group_tls){
        .context = tls,
        .open = tls_session_open,
        .close = tls_session_close,
        .handshake = tls_session_handshake,
        .peer = tls_session_peer,
        .seal = tls_session_seal,
        .unseal = tls_session_unseal,
    };
}
