#include "overlay/certificate/certificate.h"

#include <errno.h>
#include <openssl/asn1.h>
#include <openssl/objects.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "overlay/certificate/state.h"

static bool certificate_has_key(struct bypeer_certificate *certificate)
{
    ASN1_OBJECT *algorithm;
    int length;
    const struct bypeer_profile *profile = certificate->profile;
    X509_PUBKEY *key = X509_get_X509_PUBKEY(certificate->x509);
    return key && X509_PUBKEY_get0_param(&algorithm, &certificate->facts.public_key, &length, NULL, key) == 1 &&
           length == profile->public_key_bytes && bypeer_certificate_is_type(algorithm, profile->key_algorithm);
}

static bool certificate_is_signed_so(const X509 *x509, const struct bypeer_profile *profile)
{
    int windows = NID_sha1WithRSAEncryption, modern = NID_ED25519;
    return X509_get_signature_nid(x509) == (profile->id == BYPEER_PROFILE_WINDOWS ? windows : modern);
}

static bool certificate_read_serial(struct bypeer_certificate *certificate)
{
    /* Without the zero that DER puts before a number whose first bit is set. */
    const ASN1_INTEGER *number = X509_get0_serialNumber(certificate->x509);
    if (ASN1_STRING_length(number) != BYPEER_CERTIFICATE_SERIAL || ASN1_STRING_type(number) != V_ASN1_INTEGER)
        return false;
    memcpy(certificate->serial, ASN1_STRING_get0_data(number), BYPEER_CERTIFICATE_SERIAL);
    return true;
}

static bool certificate_has_unique_ids(const X509 *x509)
{
    const ASN1_BIT_STRING *issuer, *subject;
    X509_get0_uids(x509, &issuer, &subject);
    return issuer || subject;
}

static unsigned certificate_characters(const unsigned char *text, int length)
{
    unsigned characters = 0;
    for (int byte = 0; byte < length; byte++)
        characters += (text[byte] & 0xc0) != 0x80;
    return characters;
}

/* Control characters (C0, C1): what a terminal would take for orders when it shows the name. */
static bool certificate_has_controls(const unsigned char *text, int length)
{
    for (int byte = 0; byte < length; byte++)
        if (text[byte] < ' ' || text[byte] == 0x7f ||
            (text[byte] == 0xc2 && byte + 1 < length && text[byte + 1] < 0xa0))
            return true;
    return false;
}

/* The common name, without a NUL at its end; empty if there is none. False: a part of the name is too long, or no text.
 */
static bool certificate_read_name(const X509_NAME *name, char ret_text[static BYPEER_FRIENDLY_NAME_TEXT_MAX])
{
    for (int at = 0; at < X509_NAME_entry_count(name); at++) {
        unsigned char *text = NULL;
        const X509_NAME_ENTRY *entry = X509_NAME_get_entry(name, at);
        int length = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(entry));
        if (length > 0 && text[length - 1] == '\0')
            length--;
        bool is_good = length >= 0 && certificate_characters(text, length) <= BYPEER_FRIENDLY_NAME_MAX &&
                       length < BYPEER_FRIENDLY_NAME_TEXT_MAX && !certificate_has_controls(text, length);
        if (is_good && OBJ_obj2nid(X509_NAME_ENTRY_get_object(entry)) == NID_commonName) {
            memcpy(ret_text, text, (size_t)length);
            ret_text[length] = '\0';
        }
        OPENSSL_free(text);
        if (!is_good)
            return false;
    }
    return true;
}

static bool certificate_read_time(const ASN1_TIME *time, uint64_t *ret_unix_s)
{
    struct tm parts;
    if (ASN1_TIME_to_tm(time, &parts) != 1)
        return false;
    time_t seconds = timegm(&parts);
    *ret_unix_s = seconds < 0 ? 0 : (uint64_t)seconds;
    return true;
}

/* NULL, or what is wrong. */
static const char *certificate_fill(struct bypeer_certificate *certificate)
{
    X509 *x509 = certificate->x509;
    struct bypeer_certificate_facts *facts = &certificate->facts;
    facts->serial = certificate->serial;
    facts->subject_friendly = certificate->subject_friendly;
    facts->issuer_friendly = certificate->issuer_friendly;
    if (X509_get_version(x509) != X509_VERSION_3)
        return "is not of X.509 version 3";
    if (!certificate_is_signed_so(x509, certificate->profile))
        return "is signed in a way that its profile does not know";
    if (!certificate_read_serial(certificate))
        return "has a serial number that has not 16 bytes";
    if (certificate_has_unique_ids(x509))
        return "has unique IDs";
    if (!certificate_read_name(X509_get_subject_name(x509), certificate->subject_friendly) ||
        !certificate_read_name(X509_get_issuer_name(x509), certificate->issuer_friendly))
        return "has a subject or issuer of more than 255 characters, or with control characters";
    if (!certificate_read_time(X509_get0_notBefore(x509), &facts->not_before) ||
        !certificate_read_time(X509_get0_notAfter(x509), &facts->not_after))
        return "has a validity that is no time";
    if (!certificate_has_key(certificate))
        return "has a key that its profile does not know";
    return bypeer_certificate_read_extensions(certificate);
}

int bypeer_certificate_take(struct bypeer_certificate **ret_certificate, const struct bypeer_profile *profile,
                            X509 *x509, const char **ret_why)
{
    struct bypeer_certificate *certificate = calloc(1, sizeof(*certificate));
    if (!certificate) {
        X509_free(x509);
        return -ENOMEM;
    }
    atomic_init(&certificate->references, 1);
    certificate->profile = profile;
    certificate->x509 = x509;
    const char *problem = certificate_fill(certificate);
    int length = problem ? 0 : i2d_X509(x509, &certificate->der);
    if (problem || length <= 0) {
        if (problem)
            *ret_why = problem;
        bypeer_certificate_free(certificate);
        return problem ? -EBADMSG : -ENOMEM;
    }
    certificate->der_bytes = (size_t)length;
    *ret_certificate = certificate;
    return 0;
}

int bypeer_certificate_read(struct bypeer_certificate **ret_certificate, const struct bypeer_profile *profile,
                            const uint8_t *der, size_t length, const char **ret_why)
{
    const unsigned char *end = der;
    X509 *x509 = length <= BYPEER_CERTIFICATE_BYTES_MAX ? d2i_X509(NULL, &end, (long)length) : NULL;
    if (!x509 || end != der + length) {
        X509_free(x509);
        *ret_why = "is no X.509 certificate";
        return -EBADMSG;
    }
    return bypeer_certificate_take(ret_certificate, profile, x509, ret_why);
}

struct bypeer_certificate *bypeer_certificate_reference(struct bypeer_certificate *certificate)
{
    atomic_fetch_add_explicit(&certificate->references, 1, memory_order_relaxed);
    return certificate;
}

void bypeer_certificate_free(struct bypeer_certificate *certificate)
{
    if (!certificate || atomic_fetch_sub_explicit(&certificate->references, 1, memory_order_acq_rel) > 1)
        return;
    OPENSSL_free(certificate->der);
    X509_free(certificate->x509);
    free(certificate->classifiers);
    free(certificate);
}

const struct bypeer_certificate_facts *bypeer_certificate_facts(const struct bypeer_certificate *certificate)
{
    return &certificate->facts;
}

const struct bypeer_profile *bypeer_certificate_profile(const struct bypeer_certificate *certificate)
{
    return certificate->profile;
}

const uint8_t *bypeer_certificate_der(const struct bypeer_certificate *certificate, size_t *ret_length)
{
    *ret_length = certificate->der_bytes;
    return certificate->der;
}

X509 *bypeer_certificate_x509(const struct bypeer_certificate *certificate)
{
    return certificate->x509;
}

bool bypeer_certificate_is_signed_by(const struct bypeer_certificate *certificate,
                                     const struct bypeer_certificate *issuer)
{
    EVP_PKEY *key = X509_get0_pubkey(issuer->x509);
    return key && X509_NAME_cmp(X509_get_issuer_name(certificate->x509), X509_get_subject_name(issuer->x509)) == 0 &&
           X509_verify(certificate->x509, key) == 1;
}
