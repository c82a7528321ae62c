#include "overlay/pnrp/chain_certificate.h"

#include <openssl/asn1.h>
#include <openssl/objects.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#define SERIAL_BYTES    16
#define NAME_CHARACTERS 255
#define OID_TEXT        64

#define ARC             "1.3.6.1.4.1.311.44."
#define TYPE_PEER_NAME  ARC "0.2" /* of an otherName */
#define TYPE_CLASSIFIER ARC "0.3" /* likewise */

/* A string of any kind that chains are written with, as UTF-8 without its last NUL. NULL: it is none. To be freed. */
static char *certificate_text(const ASN1_TYPE *value)
{
    if (value->type != V_ASN1_UNIVERSALSTRING && value->type != V_ASN1_BMPSTRING && value->type != V_ASN1_UTF8STRING)
        return NULL;
    unsigned char *converted = NULL;
    int length = ASN1_STRING_to_UTF8(&converted, value->value.asn1_string);
    if (length > 0 && converted[length - 1] == '\0')
        length--;
    else if (length == 0)
        length = -1; /* 1 to 150 or 192 characters */
    char *text =
        length >= 0 && !memchr(converted, '\0', (size_t)length) ? strndup((char *)converted, (size_t)length) : NULL;
    OPENSSL_free(converted);
    return text;
}

static bool certificate_is_type(const ASN1_OBJECT *object, const char *type)
{
    char text[OID_TEXT];
    int length = OBJ_obj2txt(text, sizeof(text), object, 1);
    return length > 0 && length < (int)sizeof(text) && strcmp(text, type) == 0;
}

/* The text of an otherName of that type; to be freed. */
static char *certificate_other_name(const GENERAL_NAME *name, const char *type)
{
    if (name->type != GEN_OTHERNAME || !certificate_is_type(name->d.otherName->type_id, type))
        return NULL;
    return certificate_text(name->d.otherName->value);
}

/* Of an extension whose value is GeneralNames and nothing behind it; to be freed. */
static GENERAL_NAMES *certificate_names(const ASN1_OCTET_STRING *value)
{
    const unsigned char *start = ASN1_STRING_get0_data(value), *end = start;
    GENERAL_NAMES *names = d2i_GENERAL_NAMES(NULL, &end, ASN1_STRING_length(value));
    if (names && end != start + ASN1_STRING_length(value)) {
        GENERAL_NAMES_free(names);
        return NULL;
    }
    return names;
}

/* The four bytes of an extension, in an OCTET STRING of their own or, as some write them, as they are. */
static const uint8_t *certificate_four_bytes(const ASN1_OCTET_STRING *value)
{
    const uint8_t *bytes = ASN1_STRING_get0_data(value);
    int length = ASN1_STRING_length(value);
    if (length == 6 && bytes[0] == V_ASN1_OCTET_STRING && bytes[1] == 4)
        return bytes + 2;
    return length == 4 ? bytes : NULL;
}

static bool certificate_read_type(struct chain_certificate *certificate, const ASN1_OCTET_STRING *value)
{
    const uint8_t *bytes = certificate_four_bytes(value);
    if (!bytes || (bytes[0] != CHAIN_ROOT && bytes[0] != CHAIN_MEMBER) || bytes[1] || bytes[2] || bytes[3])
        return false;
    certificate->type = bytes[0];
    return true;
}

static bool certificate_read_version(struct chain_certificate *certificate, const ASN1_OCTET_STRING *value)
{
    static const uint8_t version[4] = {1, 0, 2, 0};
    const uint8_t *bytes = certificate_four_bytes(value);
    certificate->has_version = bytes && memcmp(bytes, version, sizeof(version)) == 0;
    return certificate->has_version;
}

static bool certificate_read_peer_name(struct chain_certificate *certificate, const ASN1_OCTET_STRING *value)
{
    char why[160], *text = NULL;
    GENERAL_NAMES *names = certificate_names(value);
    if (names && sk_GENERAL_NAME_num(names) == 1)
        text = certificate_other_name(sk_GENERAL_NAME_value(names, 0), TYPE_PEER_NAME);
    certificate->has_peer_name = text && bypeer_name_read(&certificate->peer_name, text, why) == 0;
    free(text);
    GENERAL_NAMES_free(names);
    return certificate->has_peer_name;
}

static bool certificate_read_role(struct chain_certificate *certificate, const ASN1_TYPE *value)
{
    static const uint8_t admin[16] = {0x04, 0x38, 0x71, 0x27, 0xaa, 0x56, 0x45, 0x0a,
                                      0x8c, 0xe5, 0x4f, 0x56, 0x5c, 0x67, 0x90, 0xf4};
    /* What [MS-PNRP] calls an inviting member, and what Windows does. */
    static const uint8_t inviting[2][16] = {
        {0xdd, 0x15, 0xf4, 0x1f, 0xfc, 0x4e, 0x49, 0x22, 0xb0, 0x35, 0x4c, 0x06, 0xa7, 0x54, 0xd0, 0x1d},
        {0x43, 0x70, 0xfd, 0x89, 0xdc, 0x18, 0x4c, 0xfb, 0x8d, 0xbf, 0x98, 0x53, 0xa8, 0xa9, 0xf9, 0x05}};
    if (value->type != V_ASN1_OCTET_STRING || ASN1_STRING_length(value->value.octet_string) != sizeof(admin))
        return false;
    const uint8_t *role = ASN1_STRING_get0_data(value->value.octet_string);
    certificate->is_admin |= memcmp(role, admin, sizeof(admin)) == 0;
    certificate->is_inviting |=
        memcmp(role, inviting[0], sizeof(admin)) == 0 || memcmp(role, inviting[1], sizeof(admin)) == 0;
    return true;
}

static bool certificate_read_roles(struct chain_certificate *certificate, const ASN1_OCTET_STRING *value)
{
    const unsigned char *start = ASN1_STRING_get0_data(value), *end = start;
    ASN1_SEQUENCE_ANY *roles = d2i_ASN1_SEQUENCE_ANY(NULL, &end, ASN1_STRING_length(value));
    bool is_read = roles && end == start + ASN1_STRING_length(value);
    for (int at = 0; is_read && at < sk_ASN1_TYPE_num(roles); at++)
        is_read = certificate_read_role(certificate, sk_ASN1_TYPE_value(roles, at));
    sk_ASN1_TYPE_pop_free(roles, ASN1_TYPE_free);
    certificate->has_roles = is_read;
    return is_read;
}

static bool certificate_read_classifiers(struct chain_certificate *certificate, const ASN1_OCTET_STRING *value)
{
    GENERAL_NAMES *names = certificate_names(value);
    bool is_read = names;
    int count = names ? sk_GENERAL_NAME_num(names) : 0;
    if (count > 0)
        certificate->classifiers = calloc((size_t)count, sizeof(*certificate->classifiers));
    for (int at = 0; is_read && at < count; at++) {
        char why[160], *text = certificate_other_name(sk_GENERAL_NAME_value(names, at), TYPE_CLASSIFIER);
        is_read =
            text && certificate->classifiers && bypeer_classifier_read(&certificate->classifiers[at], text, why) == 0;
        free(text);
    }
    GENERAL_NAMES_free(names);
    certificate->classifier_count = (size_t)count;
    certificate->has_classifiers = is_read;
    return is_read;
}

/* Names are only compared with each other's bytes; their length is the limit of their characters, at most 4 bytes. */
static bool certificate_read_alternative(const ASN1_OCTET_STRING **names, const ASN1_OCTET_STRING *value)
{
    *names = value;
    return ASN1_STRING_length(value) <= 4 * NAME_CHARACTERS + 64;
}

static bool certificate_read_subject_names(struct chain_certificate *certificate, const ASN1_OCTET_STRING *value)
{
    return certificate_read_alternative(&certificate->subject_names, value);
}

static bool certificate_read_issuer_names(struct chain_certificate *certificate, const ASN1_OCTET_STRING *value)
{
    return certificate_read_alternative(&certificate->issuer_names, value);
}

/* Of X.509's own, the old numbers of the alternative names are those that Windows chains use ([MS-PPSEC] 2.2). */
static const struct certificate_extension {
    const char *type;
    bool is_critical; /* has to be */
    bool (*read)(struct chain_certificate *certificate, const ASN1_OCTET_STRING *value);
} extensions[] = {
    {ARC "0.1", true, certificate_read_type},
    {ARC "0.4", true, certificate_read_version},
    {ARC "3.1", true, certificate_read_peer_name},
    {ARC "3.3", true, certificate_read_roles},
    {ARC "3.5", true, certificate_read_classifiers},
    {"2.5.29.7", false, certificate_read_subject_names},
    {"2.5.29.8", false, certificate_read_issuer_names},
    {"2.5.29.35", false, NULL}, /* key identifiers and usages: more than is asked here, and no restriction of it */
    {"2.5.29.37", false, NULL},
};

#define EXTENSIONS (sizeof(extensions) / sizeof(extensions[0]))

static const char *certificate_read_extension(struct chain_certificate *certificate, X509_EXTENSION *extension,
                                              unsigned *seen)
{
    bool is_critical = X509_EXTENSION_get_critical(extension);
    for (unsigned at = 0; at < EXTENSIONS; at++) {
        if (!certificate_is_type(X509_EXTENSION_get_object(extension), extensions[at].type))
            continue;
        if (*seen & 1u << at)
            return "an extension is there twice";
        *seen |= 1u << at;
        if (extensions[at].is_critical && !is_critical)
            return "an extension of peer names is not critical";
        if (extensions[at].read && !extensions[at].read(certificate, X509_EXTENSION_get_data(extension)))
            return "an extension is malformed";
        return NULL;
    }
    return is_critical ? "a critical extension is unknown" : NULL;
}

static const char *certificate_read_extensions(struct chain_certificate *certificate)
{
    unsigned seen = 0;
    for (int at = 0; at < X509_get_ext_count(certificate->x509); at++) {
        const char *problem = certificate_read_extension(certificate, X509_get_ext(certificate->x509, at), &seen);
        if (problem)
            return problem;
    }
    return certificate->type && certificate->has_version ? NULL : "type or version of the certificate is missing";
}

static bool certificate_has_key(struct chain_certificate *certificate, const struct bypeer_profile *profile)
{
    ASN1_OBJECT *algorithm;
    int length;
    X509_PUBKEY *key = X509_get_X509_PUBKEY(certificate->x509);
    return key && X509_PUBKEY_get0_param(&algorithm, &certificate->public_key, &length, NULL, key) == 1 &&
           length == profile->public_key_bytes && certificate_is_type(algorithm, profile->key_algorithm);
}

static bool certificate_is_signed_so(X509 *x509, const struct bypeer_profile *profile)
{
    int windows = NID_sha1WithRSAEncryption, modern = NID_ED25519;
    return X509_get_signature_nid(x509) == (profile->id == BYPEER_PROFILE_WINDOWS ? windows : modern);
}

static bool certificate_has_serial(X509 *x509)
{
    unsigned char *encoded = NULL;
    int length = i2d_ASN1_INTEGER(X509_get0_serialNumber(x509), &encoded);
    /* DER puts a zero before a number whose first bit is set. */
    bool is_one = length == 2 + SERIAL_BYTES || (length == 3 + SERIAL_BYTES && encoded[2] == 0);
    OPENSSL_free(encoded);
    return is_one;
}

static bool certificate_has_unique_ids(const X509 *x509)
{
    const ASN1_BIT_STRING *issuer, *subject;
    X509_get0_uids(x509, &issuer, &subject);
    return issuer || subject;
}

static bool certificate_is_name(const X509_NAME *name)
{
    for (int at = 0; at < X509_NAME_entry_count(name); at++) {
        unsigned char *text = NULL;
        int length = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
        int characters = 0;
        for (int byte = 0; byte < length; byte++)
            characters += (text[byte] & 0xc0) != 0x80;
        OPENSSL_free(text);
        if (length < 0 || characters > NAME_CHARACTERS)
            return false;
    }
    return true;
}

const char *chain_certificate_read(struct chain_certificate *ret_certificate, const struct bypeer_profile *profile,
                                   X509 *x509)
{
    *ret_certificate = (struct chain_certificate){.x509 = x509};
    if (X509_get_version(x509) != X509_VERSION_3)
        return "is not of X.509 version 3";
    if (!certificate_is_signed_so(x509, profile))
        return "is signed in a way that its profile does not know";
    if (!certificate_has_serial(x509))
        return "its serial number has not 16 bytes";
    if (certificate_has_unique_ids(x509))
        return "has unique IDs";
    if (!certificate_is_name(X509_get_subject_name(x509)) || !certificate_is_name(X509_get_issuer_name(x509)))
        return "subject or issuer has more than 255 characters";
    if (!certificate_has_key(ret_certificate, profile))
        return "its key is none of its profile";
    return certificate_read_extensions(ret_certificate);
}

void chain_certificate_release(struct chain_certificate *certificate)
{
    free(certificate->classifiers);
    certificate->classifiers = NULL;
}
