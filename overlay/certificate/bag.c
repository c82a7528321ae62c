#include "overlay/certificate/bag.h"

#include <errno.h>
#include <openssl/pkcs7.h>
#include <stdlib.h>
#include <string.h>

#include "overlay/certificate/state.h"

int bypeer_bag_write(uint8_t **ret_bytes, size_t *ret_length, struct bypeer_certificate *const certificates[],
                     size_t count)
{
    unsigned char *encoded = NULL;
    PKCS7 *bag = PKCS7_new();
    bool is_made = bag && PKCS7_set_type(bag, NID_pkcs7_signed) == 1 && PKCS7_content_new(bag, NID_pkcs7_data) == 1;
    for (size_t at = 0; at < count && is_made; at++)
        is_made = PKCS7_add_certificate(bag, certificates[at]->x509) == 1;
    /* "Certs only" has no content, and not an empty one. */
    if (is_made && PKCS7_set_detached(bag, 1) != 1)
        is_made = false;
    int length = is_made ? i2d_PKCS7(bag, &encoded) : 0;
    PKCS7_free(bag);
    uint8_t *bytes = length > 0 && length <= BYPEER_BAG_BYTES_MAX ? malloc((size_t)length) : NULL;
    if (bytes) {
        memcpy(bytes, encoded, (size_t)length);
        *ret_bytes = bytes;
        *ret_length = (size_t)length;
    }
    OPENSSL_free(encoded);
    return bytes ? 0 : length > BYPEER_BAG_BYTES_MAX ? -E2BIG : -ENOMEM;
}

static int bag_refuse(int status, const char **ret_why, const char *why)
{
    *ret_why = why;
    return status;
}

static int bag_take(struct bypeer_certificate *ret_certificates[static BYPEER_BAG_CERTIFICATES_MAX], size_t *ret_count,
                    const struct bypeer_profile *profile, STACK_OF(X509) * held, const char **ret_why, int *ret_at)
{
    int count = held ? sk_X509_num(held) : 0, status = 0;
    if (count > BYPEER_BAG_CERTIFICATES_MAX)
        return bag_refuse(-E2BIG, ret_why, "has more than 25 certificates");
    for (int at = 0; at < count && status == 0; at++) {
        X509 *x509 = sk_X509_value(held, at);
        status =
            X509_up_ref(x509) == 1 ? bypeer_certificate_take(&ret_certificates[at], profile, x509, ret_why) : -ENOMEM;
        if (status != 0) {
            *ret_at = at;
            while (at > 0)
                bypeer_certificate_free(ret_certificates[--at]);
            return status;
        }
    }
    *ret_count = (size_t)count;
    return 0;
}

int bypeer_bag_read(struct bypeer_certificate *ret_certificates[static BYPEER_BAG_CERTIFICATES_MAX], size_t *ret_count,
                    const struct bypeer_profile *profile, const uint8_t *bytes, size_t length, const char **ret_why,
                    int *ret_at)
{
    *ret_at = -1;
    if (length > BYPEER_BAG_BYTES_MAX)
        return bag_refuse(-E2BIG, ret_why, "is longer than 32768 bytes");
    const unsigned char *end = bytes;
    PKCS7 *bag = d2i_PKCS7(NULL, &end, (long)length);
    int status;
    if (!bag || end != bytes + length || !PKCS7_type_is_signed(bag) || !bag->d.sign)
        status = bag_refuse(-EBADMSG, ret_why, "is no PKCS#7 SignedData");
    else
        status = bag_take(ret_certificates, ret_count, profile, bag->d.sign->cert, ret_why, ret_at);
    PKCS7_free(bag);
    return status;
}

int bypeer_bag_read_identity(struct bypeer_certificate **ret_certificate, const struct bypeer_profile *profile,
                             const uint8_t *bytes, size_t length, const char **ret_why)
{
    struct bypeer_certificate *certificates[BYPEER_BAG_CERTIFICATES_MAX];
    size_t count;
    int certificate, status = bypeer_bag_read(certificates, &count, profile, bytes, length, ret_why, &certificate);
    if (status != 0)
        return status == -E2BIG ? -EBADMSG : status;
    enum bypeer_chain_fault fault =
        count == 1 ? bypeer_certificate_judge_identity(certificates[0], 0) : BYPEER_CHAIN_SOUND;
    if (count == 1 && fault == BYPEER_CHAIN_SOUND) {
        *ret_certificate = certificates[0];
        return 0;
    }
    for (size_t at = 0; at < count; at++)
        bypeer_certificate_free(certificates[at]);
    return bag_refuse(-EBADMSG, ret_why, count == 1 ? bypeer_chain_fault_text(fault) : "has not one certificate");
}
