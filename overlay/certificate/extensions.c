/* What the extensions of a certificate say: certificate.h has the list. */
#include <openssl/asn1.h>
#include <openssl/objects.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "overlay/certificate/state.h"

#define OID_TEXT 64

const uint8_t bypeer_certificate_version[CERTIFICATE_DWORD_BYTES] = {1, 0, 2, 0};

bool bypeer_certificate_is_type(const ASN1_OBJECT *object, const char *type)
{
    char text[OID_TEXT];
    int length = OBJ_obj2txt(text, sizeof(text), object, 1);
    return length > 0 && length < (int)sizeof(text) && strcmp(text, type) == 0;
}

/* A string of any kind that certificates are written with, as UTF-8 without its last NUL. NULL: it is none. To be
 * freed. */
static char *extension_text(int type, const ASN1_STRING *string)
{
    if (type != V_ASN1_UNIVERSALSTRING && type != V_ASN1_BMPSTRING && type != V_ASN1_UTF8STRING)
        return NULL;
    unsigned char *converted = NULL;
    int length = ASN1_STRING_to_UTF8(&converted, string);
    if (length > 0 && converted[length - 1] == '\0')
        length--;
    else if (length == 0)
        length = -1; /* 1 to 150 or 192 characters */
    char *text =
        length >= 0 && !memchr(converted, '\0', (size_t)length) ? strndup((char *)converted, (size_t)length) : NULL;
    OPENSSL_free(converted);
    return text;
}

/* The text of an otherName of that type; to be freed. */
static char *extension_other_name(const GENERAL_NAME *name, const char *type)
{
    if (name->type != GEN_OTHERNAME || !bypeer_certificate_is_type(name->d.otherName->type_id, type))
        return NULL;
    const ASN1_TYPE *value = name->d.otherName->value;
    return extension_text(value->type, value->value.asn1_string);
}

/* Of an extension whose value is GeneralNames and nothing behind it; to be freed. */
static GENERAL_NAMES *extension_names(const ASN1_OCTET_STRING *value)
{
    const unsigned char *start = ASN1_STRING_get0_data(value), *end = start;
    GENERAL_NAMES *names = d2i_GENERAL_NAMES(NULL, &end, ASN1_STRING_length(value));
    if (names && end != start + ASN1_STRING_length(value)) {
        GENERAL_NAMES_free(names);
        return NULL;
    }
    return names;
}

/* Bytes of an extension, in an OCTET STRING of their own or, as some write them, as they are. NULL: not so many. */
static const uint8_t *extension_bytes(const ASN1_OCTET_STRING *value, int count)
{
    const uint8_t *bytes = ASN1_STRING_get0_data(value);
    int length = ASN1_STRING_length(value);
    if (length == count + 2 && bytes[0] == V_ASN1_OCTET_STRING && bytes[1] == count)
        return bytes + 2;
    return length == count ? bytes : NULL;
}

static bool extension_read_type(struct bypeer_certificate *certificate, const ASN1_OCTET_STRING *value)
{
    const uint8_t *bytes = extension_bytes(value, CERTIFICATE_DWORD_BYTES);
    if (!bytes || bytes[0] < BYPEER_CERTIFICATE_MEMBERSHIP || bytes[0] > BYPEER_CERTIFICATE_IDENTITY || bytes[1] ||
        bytes[2] || bytes[3])
        return false;
    certificate->facts.kind = (enum bypeer_certificate_kind)bytes[0];
    return true;
}

static bool extension_read_version(struct bypeer_certificate *certificate, const ASN1_OCTET_STRING *value)
{
    const uint8_t *bytes = extension_bytes(value, CERTIFICATE_DWORD_BYTES);
    certificate->has_version = bytes && memcmp(bytes, bypeer_certificate_version, CERTIFICATE_DWORD_BYTES) == 0;
    return certificate->has_version;
}

/* GeneralNames of one otherName with a peer name. */
static bool extension_peer_name(struct bypeer_peer_name *ret_name, const ASN1_OCTET_STRING *value)
{
    char why[160], *text = NULL;
    GENERAL_NAMES *names = extension_names(value);
    if (names && sk_GENERAL_NAME_num(names) == 1)
        text = extension_other_name(sk_GENERAL_NAME_value(names, 0), CERTIFICATE_PEER_NAME);
    bool is_name = text && bypeer_name_read(ret_name, text, why) == 0;
    free(text);
    GENERAL_NAMES_free(names);
    return is_name;
}

static bool extension_read_group(struct bypeer_certificate *certificate, const ASN1_OCTET_STRING *value)
{
    certificate->has_group = extension_peer_name(&certificate->facts.group, value);
    return certificate->has_group;
}

static bool extension_read_role(struct bypeer_certificate *certificate, const ASN1_TYPE *value)
{
    if (value->type != V_ASN1_OCTET_STRING || ASN1_STRING_length(value->value.octet_string) != 16)
        return false;
    certificate->facts.roles |= bypeer_role_of_uuid(ASN1_STRING_get0_data(value->value.octet_string));
    return true;
}

static bool extension_read_roles(struct bypeer_certificate *certificate, const ASN1_OCTET_STRING *value)
{
    const unsigned char *start = ASN1_STRING_get0_data(value), *end = start;
    ASN1_SEQUENCE_ANY *roles = d2i_ASN1_SEQUENCE_ANY(NULL, &end, ASN1_STRING_length(value));
    bool is_read = roles && end == start + ASN1_STRING_length(value);
    for (int at = 0; is_read && at < sk_ASN1_TYPE_num(roles); at++)
        is_read = extension_read_role(certificate, sk_ASN1_TYPE_value(roles, at));
    sk_ASN1_TYPE_pop_free(roles, ASN1_TYPE_free);
    certificate->has_roles = is_read;
    return is_read;
}

static bool extension_read_classifiers(struct bypeer_certificate *certificate, const ASN1_OCTET_STRING *value)
{
    GENERAL_NAMES *names = extension_names(value);
    bool is_read = names;
    int count = names ? sk_GENERAL_NAME_num(names) : 0;
    if (count > 0)
        certificate->classifiers = calloc((size_t)count, sizeof(*certificate->classifiers));
    for (int at = 0; is_read && at < count; at++) {
        char why[160], *text = extension_other_name(sk_GENERAL_NAME_value(names, at), CERTIFICATE_CLASSIFIER);
        is_read =
            text && certificate->classifiers && bypeer_classifier_read(&certificate->classifiers[at], text, why) == 0;
        free(text);
    }
    GENERAL_NAMES_free(names);
    certificate->facts.classifiers = certificate->classifiers;
    certificate->facts.classifier_count = is_read ? (size_t)count : 0;
    certificate->has_classifiers = is_read;
    return is_read;
}

/* A string that is the whole value, as [MS-PPSEC] may be read, too. */
static bool extension_bare_name(struct bypeer_peer_name *ret_name, const ASN1_OCTET_STRING *value)
{
    const unsigned char *start = ASN1_STRING_get0_data(value), *end = start;
    char why[160], *text = NULL;
    ASN1_TYPE *type = d2i_ASN1_TYPE(NULL, &end, ASN1_STRING_length(value));
    if (type && end == start + ASN1_STRING_length(value))
        text = extension_text(type->type, type->value.asn1_string);
    bool is_name = text && bypeer_name_read(ret_name, text, why) == 0;
    free(text);
    ASN1_TYPE_free(type);
    return is_name;
}

/*
 * An alternative name: kept as it is, since chains of PNRP only compare them, and read as a peer name where it is one.
 * Their length is the limit of their characters, at most 4 bytes each.
 */
static bool extension_alternative(const ASN1_OCTET_STRING **names, struct bypeer_peer_name *name,
                                  const ASN1_OCTET_STRING *value)
{
    *names = value;
    if (ASN1_STRING_length(value) > 4 * BYPEER_FRIENDLY_NAME_MAX + 64)
        return false;
    if (!extension_peer_name(name, value) && !extension_bare_name(name, value))
        *name = (struct bypeer_peer_name){0};
    return true;
}

static bool extension_read_subject(struct bypeer_certificate *certificate, const ASN1_OCTET_STRING *value)
{
    return extension_alternative(&certificate->subject_names, &certificate->facts.subject, value);
}

static bool extension_read_issuer(struct bypeer_certificate *certificate, const ASN1_OCTET_STRING *value)
{
    return extension_alternative(&certificate->issuer_names, &certificate->facts.issuer, value);
}

/* A certificate of PNRP may have purposes of any kind: whether they are those of groups is for who asks. */
static bool extension_read_purpose(struct bypeer_certificate *certificate, const ASN1_OCTET_STRING *value)
{
    const unsigned char *start = ASN1_STRING_get0_data(value), *end = start;
    bool is_peer = false, is_server = false;
    EXTENDED_KEY_USAGE *purposes = d2i_EXTENDED_KEY_USAGE(NULL, &end, ASN1_STRING_length(value));
    bool is_read = purposes && end == start + ASN1_STRING_length(value);
    for (int at = 0; is_read && at < sk_ASN1_OBJECT_num(purposes); at++) {
        is_peer |= bypeer_certificate_is_type(sk_ASN1_OBJECT_value(purposes, at), CERTIFICATE_PEER_AUTH);
        is_server |= bypeer_certificate_is_type(sk_ASN1_OBJECT_value(purposes, at), CERTIFICATE_SERVER);
    }
    sk_ASN1_OBJECT_pop_free(purposes, ASN1_OBJECT_free);
    certificate->facts.has_purpose = is_peer && is_server;
    return is_read;
}

static bool extension_read_address(struct bypeer_certificate *certificate, const ASN1_OCTET_STRING *value)
{
    const uint8_t *bytes = extension_bytes(value, sizeof(certificate->facts.address));
    if (!bytes)
        return false;
    memcpy(certificate->facts.address, bytes, sizeof(certificate->facts.address));
    certificate->facts.has_address = true;
    return true;
}

/* Of X.509's own, the old numbers of the alternative names are those that Windows uses ([MS-PPSEC] 2.2). */
static const struct certificate_extension {
    const char *type;
    bool is_critical;                                                                     /* has to be */
    bool (*read)(struct bypeer_certificate *certificate, const ASN1_OCTET_STRING *value); /* NULL: says nothing here */
} extensions[] = {
    {CERTIFICATE_TYPE, true, extension_read_type},
    {CERTIFICATE_VERSION, true, extension_read_version},
    {CERTIFICATE_GROUP, true, extension_read_group},
    {CERTIFICATE_ROLES, true, extension_read_roles},
    {CERTIFICATE_LISTS, true, extension_read_classifiers},
    {CERTIFICATE_SUBJECT, false, extension_read_subject},
    {CERTIFICATE_ISSUER, false, extension_read_issuer},
    {CERTIFICATE_PURPOSE, false, extension_read_purpose},
    {BYPEER_CERTIFICATE_ADDRESS_OID, false, extension_read_address},
    {CERTIFICATE_FLAGS, false, NULL},
    {CERTIFICATE_GROUPING, false, NULL},
    {CERTIFICATE_DNS, false, NULL},
    {CERTIFICATE_ISSUER_KEY, false, NULL},
};

#define EXTENSIONS (sizeof(extensions) / sizeof(extensions[0]))

static const char *extension_read(struct bypeer_certificate *certificate, X509_EXTENSION *extension, unsigned *seen)
{
    bool is_critical = X509_EXTENSION_get_critical(extension);
    for (unsigned at = 0; at < EXTENSIONS; at++) {
        if (!bypeer_certificate_is_type(X509_EXTENSION_get_object(extension), extensions[at].type))
            continue;
        if (*seen & 1u << at)
            return "has an extension twice";
        *seen |= 1u << at;
        if (extensions[at].is_critical && !is_critical)
            return "has an extension of peer names that is not critical";
        if (extensions[at].read && !extensions[at].read(certificate, X509_EXTENSION_get_data(extension)))
            return "has a malformed extension";
        return NULL;
    }
    return is_critical ? "has a critical extension that is unknown" : NULL;
}

const char *bypeer_certificate_read_extensions(struct bypeer_certificate *certificate)
{
    unsigned seen = 0;
    for (int at = 0; at < X509_get_ext_count(certificate->x509); at++) {
        const char *problem = extension_read(certificate, X509_get_ext(certificate->x509, at), &seen);
        if (problem)
            return problem;
    }
    if (!certificate->facts.kind)
        return "has no type";
    /* [MS-PPSEC] draws no version in an IDC. */
    if (!certificate->has_version && certificate->facts.kind != BYPEER_CERTIFICATE_IDENTITY)
        return "has no version";
    return NULL;
}
