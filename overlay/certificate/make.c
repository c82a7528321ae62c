/* Certificates are written here; that each can be read again is checked on the spot, by reading it. */
#include <errno.h>
#include <openssl/asn1.h>
#include <openssl/objects.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "overlay/certificate/state.h"
#include "overlay/profile/openssl.h"

#define TIME_MAX 253402300799ull /* the end of 9999: what a GeneralizedTime holds */

/* Takes over value. */
static bool make_add(X509 *x509, const char *type, bool is_critical, unsigned char *value, int length)
{
    ASN1_OBJECT *object = OBJ_txt2obj(type, 1);
    ASN1_OCTET_STRING *content = ASN1_OCTET_STRING_new();
    X509_EXTENSION *extension = NULL;
    bool is_added = object && content && length > 0 && ASN1_OCTET_STRING_set(content, value, length) == 1 &&
                    (extension = X509_EXTENSION_create_by_OBJ(NULL, object, is_critical, content)) &&
                    X509_add_ext(x509, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    ASN1_OCTET_STRING_free(content);
    ASN1_OBJECT_free(object);
    OPENSSL_free(value);
    return is_added;
}

/* Bytes, as an OCTET STRING inside of the extension's own. */
static bool make_add_bytes(X509 *x509, const char *type, bool is_critical, const uint8_t *bytes, int count)
{
    unsigned char *value = NULL;
    ASN1_OCTET_STRING *string = ASN1_OCTET_STRING_new();
    int length = string && ASN1_OCTET_STRING_set(string, bytes, count) == 1 ? i2d_ASN1_OCTET_STRING(string, &value) : 0;
    ASN1_OCTET_STRING_free(string);
    return make_add(x509, type, is_critical, value, length);
}

/* Text and, where with_end says so, a NUL behind it. */
static ASN1_STRING *make_text(const struct bypeer_profile *profile, const char *text, bool with_end)
{
    ASN1_STRING *string = NULL;
    unsigned long kinds =
        profile->id == BYPEER_PROFILE_WINDOWS ? B_ASN1_BMPSTRING | B_ASN1_UNIVERSALSTRING : B_ASN1_UTF8STRING;
    int type = ASN1_mbstring_ncopy(&string, (const unsigned char *)text, (int)(strlen(text) + with_end), MBSTRING_UTF8,
                                   kinds, 0, 0);
    return type > 0 ? string : NULL;
}

static bool make_put_other_name(GENERAL_NAMES *names, const struct bypeer_profile *profile, const char *type,
                                const char *text)
{
    GENERAL_NAME *name = GENERAL_NAME_new();
    ASN1_OBJECT *object = OBJ_txt2obj(type, 1);
    ASN1_TYPE *value = ASN1_TYPE_new();
    ASN1_STRING *string = make_text(profile, text, true);
    if (!name || !object || !value || !string) {
        GENERAL_NAME_free(name);
        ASN1_OBJECT_free(object);
        ASN1_TYPE_free(value);
        ASN1_STRING_free(string);
        return false;
    }
    ASN1_TYPE_set(value, ASN1_STRING_type(string), string);
    if (GENERAL_NAME_set0_othername(name, object, value) == 1 && sk_GENERAL_NAME_push(names, name) > 0)
        return true;
    GENERAL_NAME_free(name); /* and what is in it */
    return false;
}

/* Takes over names. */
static bool make_add_names(X509 *x509, const char *type, bool is_critical, GENERAL_NAMES *names)
{
    unsigned char *value = NULL;
    int length = i2d_GENERAL_NAMES(names, &value);
    GENERAL_NAMES_free(names);
    return make_add(x509, type, is_critical, value, length);
}

static bool make_add_peer_name(X509 *x509, const struct bypeer_profile *profile, const char *type, bool is_critical,
                               const struct bypeer_peer_name *name)
{
    char text[BYPEER_NAME_TEXT_MAX];
    GENERAL_NAMES *names = GENERAL_NAMES_new();
    bypeer_name_write(name, text);
    if (names && make_put_other_name(names, profile, CERTIFICATE_PEER_NAME, text))
        return make_add_names(x509, type, is_critical, names);
    GENERAL_NAMES_free(names);
    return false;
}

static bool make_add_classifiers(X509 *x509, const struct bypeer_profile *profile,
                                 const struct bypeer_certificate_order *order)
{
    GENERAL_NAMES *names = GENERAL_NAMES_new();
    bool is_put = names;
    for (size_t at = 0; at < order->classifier_count && is_put; at++) {
        char text[BYPEER_NAME_TEXT_MAX];
        const struct bypeer_peer_name *classifier = &order->classifiers[at];
        text[bypeer_utf8_write(classifier->classifier, classifier->classifier_length, text)] = '\0';
        is_put = make_put_other_name(names, profile, CERTIFICATE_CLASSIFIER, text);
    }
    if (is_put)
        return make_add_names(x509, CERTIFICATE_LISTS, true, names);
    GENERAL_NAMES_free(names);
    return false;
}

static bool make_put_role(ASN1_SEQUENCE_ANY *roles, uint32_t role)
{
    ASN1_TYPE *type = ASN1_TYPE_new();
    ASN1_OCTET_STRING *string = ASN1_OCTET_STRING_new();
    if (!type || !string || ASN1_OCTET_STRING_set(string, bypeer_role_uuid(role), 16) != 1) {
        ASN1_TYPE_free(type);
        ASN1_OCTET_STRING_free(string);
        return false;
    }
    ASN1_TYPE_set(type, V_ASN1_OCTET_STRING, string);
    if (sk_ASN1_TYPE_push(roles, type) > 0)
        return true;
    ASN1_TYPE_free(type);
    return false;
}

static bool make_add_roles(X509 *x509, uint32_t wanted)
{
    unsigned char *value = NULL;
    int length = 0;
    ASN1_SEQUENCE_ANY *roles = sk_ASN1_TYPE_new_null();
    bool is_put = roles;
    for (uint32_t role = 1; role <= BYPEER_ROLES_ALL && is_put; role <<= 1)
        if (wanted & role)
            is_put = make_put_role(roles, role);
    if (is_put)
        length = i2d_ASN1_SEQUENCE_ANY(roles, &value);
    sk_ASN1_TYPE_pop_free(roles, ASN1_TYPE_free);
    return make_add(x509, CERTIFICATE_ROLES, true, value, length);
}

static bool make_add_purpose(X509 *x509)
{
    unsigned char *value = NULL;
    int length = 0;
    EXTENDED_KEY_USAGE *purposes = sk_ASN1_OBJECT_new_null();
    ASN1_OBJECT *peer = OBJ_txt2obj(CERTIFICATE_PEER_AUTH, 1), *server = OBJ_txt2obj(CERTIFICATE_SERVER, 1);
    if (purposes && peer && server && sk_ASN1_OBJECT_push(purposes, peer) > 0 &&
        sk_ASN1_OBJECT_push(purposes, server) > 0)
        length = i2d_EXTENDED_KEY_USAGE(purposes, &value);
    sk_ASN1_OBJECT_free(purposes);
    ASN1_OBJECT_free(peer);
    ASN1_OBJECT_free(server);
    return make_add(x509, CERTIFICATE_PURPOSE, false, value, length);
}

static bool make_add_issuer_key(X509 *x509, const struct bypeer_key *issuer)
{
    unsigned char *value = NULL;
    int length = 0;
    uint8_t hash[BYPEER_AUTHORITY_BYTES];
    bypeer_key_authority(issuer, hash);
    AUTHORITY_KEYID *identifier = AUTHORITY_KEYID_new();
    if (identifier && (identifier->keyid = ASN1_OCTET_STRING_new()) &&
        ASN1_OCTET_STRING_set(identifier->keyid, hash, sizeof(hash)) == 1)
        length = i2d_AUTHORITY_KEYID(identifier, &value);
    AUTHORITY_KEYID_free(identifier);
    return make_add(x509, CERTIFICATE_ISSUER_KEY, false, value, length);
}

/* The DNS form of an identity's name; a classifier that has none is left without. */
static bool make_add_dns(X509 *x509, const struct bypeer_peer_name *name)
{
    char host[BYPEER_HOST_NAME_MAX], why[160];
    if (bypeer_host_name_write(name, host, why) != 0)
        return true;
    GENERAL_NAMES *names = GENERAL_NAMES_new();
    GENERAL_NAME *dns = GENERAL_NAME_new();
    ASN1_IA5STRING *string = ASN1_IA5STRING_new();
    if (!names || !dns || !string || ASN1_STRING_set(string, host, -1) != 1 || sk_GENERAL_NAME_push(names, dns) <= 0) {
        GENERAL_NAMES_free(names);
        GENERAL_NAME_free(dns);
        ASN1_IA5STRING_free(string);
        return false;
    }
    GENERAL_NAME_set0_value(dns, GEN_DNS, string);
    return make_add_names(x509, CERTIFICATE_DNS, false, names);
}

static bool make_add_extensions(X509 *x509, const struct bypeer_certificate_order *order,
                                const struct bypeer_peer_name *group)
{
    const struct bypeer_profile *profile = bypeer_key_profile(order->issuer_key);
    const uint8_t type[CERTIFICATE_DWORD_BYTES] = {(uint8_t)order->kind};
    bool is_made =
        make_add_bytes(x509, CERTIFICATE_TYPE, true, type, sizeof(type)) &&
        make_add_bytes(x509, CERTIFICATE_VERSION, true, bypeer_certificate_version, CERTIFICATE_DWORD_BYTES) &&
        make_add_peer_name(x509, profile, CERTIFICATE_SUBJECT, false, order->subject) && make_add_purpose(x509);
    if (is_made && order->kind == BYPEER_CERTIFICATE_IDENTITY)
        is_made = make_add_dns(x509, order->subject);
    else if (is_made)
        is_made = make_add_peer_name(x509, profile, CERTIFICATE_GROUP, true, group);
    if (is_made && order->kind == BYPEER_CERTIFICATE_MEMBERSHIP)
        is_made = make_add_peer_name(x509, profile, CERTIFICATE_ISSUER, false, order->issuer) &&
                  make_add_roles(x509, order->roles) && make_add_classifiers(x509, profile, order) &&
                  make_add_issuer_key(x509, order->issuer_key);
    if (is_made && order->kind == BYPEER_CERTIFICATE_MEMBERSHIP && order->address)
        is_made = make_add_bytes(x509, BYPEER_CERTIFICATE_ADDRESS_OID, false, order->address, 16);
    return is_made;
}

static bool make_set_name(X509_NAME *name, const struct bypeer_profile *profile, const char *text)
{
    ASN1_STRING *string = make_text(profile, text, false);
    /* With its type, and so without the 64 characters that X.520 allows. */
    bool is_set =
        string && X509_NAME_add_entry_by_NID(name, NID_commonName, ASN1_STRING_type(string),
                                             ASN1_STRING_get0_data(string), ASN1_STRING_length(string), -1, 0) == 1;
    ASN1_STRING_free(string);
    return is_set;
}

static bool make_set_serial(X509 *x509, const uint8_t random[static BYPEER_CERTIFICATE_SERIAL])
{
    uint8_t serial[BYPEER_CERTIFICATE_SERIAL];
    memcpy(serial, random, sizeof(serial));
    serial[0] &= 0x7f; /* so that DER puts no zero before it */
    if (serial[0] == 0)
        serial[0] = 1;
    ASN1_INTEGER *number = X509_get_serialNumber(x509);
    return ASN1_STRING_set(number, serial, sizeof(serial)) == 1;
}

static bool make_set_key(X509 *x509, const struct bypeer_certificate_order *order)
{
    bool is_own = order->kind != BYPEER_CERTIFICATE_MEMBERSHIP;
    EVP_PKEY *key =
        is_own ? NULL : bypeer_profile_public_pair(bypeer_key_profile(order->issuer_key), order->public_key);
    bool is_set = X509_set_pubkey(x509, is_own ? bypeer_key_pair(order->issuer_key) : key) == 1;
    EVP_PKEY_free(key);
    return is_set;
}

static bool make_fill(X509 *x509, const struct bypeer_certificate_order *order, const char *subject, const char *issuer)
{
    const struct bypeer_profile *profile = bypeer_key_profile(order->issuer_key);
    const struct bypeer_peer_name *group = order->kind == BYPEER_CERTIFICATE_ROOT ? order->subject : order->group;
    bool is_windows = profile->id == BYPEER_PROFILE_WINDOWS;
    return X509_set_version(x509, X509_VERSION_3) == 1 && make_set_serial(x509, order->random) &&
           make_set_name(X509_get_subject_name(x509), profile, subject) &&
           make_set_name(X509_get_issuer_name(x509), profile, issuer) &&
           ASN1_TIME_set(X509_getm_notBefore(x509), (time_t)order->not_before) &&
           ASN1_TIME_set(X509_getm_notAfter(x509), (time_t)order->not_after) && make_set_key(x509, order) &&
           make_add_extensions(x509, order, group) &&
           X509_sign(x509, bypeer_key_pair(order->issuer_key), is_windows ? EVP_sha1() : NULL) > 0;
}

/* NULL: it is UTF-8 of at most 255 characters and not empty. */
static const char *make_check_friendly(const char *text)
{
    struct bypeer_peer_name scratch;
    char why[160], part[5];
    size_t characters = 0;
    if (!text || !*text)
        return "a friendly name is missing";
    for (const char *at = text; *at; characters++) {
        size_t length = 1;
        while (length < 4 && (at[length] & 0xc0) == 0x80)
            length++;
        memcpy(part, at, length);
        part[length] = '\0';
        if (bypeer_classifier_read(&scratch, part, why) != 0)
            return "a friendly name is not UTF-8";
        if (scratch.classifier[0] < ' ' || (scratch.classifier[0] >= 0x7f && scratch.classifier[0] < 0xa0))
            return "a friendly name has control characters";
        at += length;
    }
    return characters <= BYPEER_FRIENDLY_NAME_MAX ? NULL : "a friendly name has more than 255 characters: shorten it";
}

static const char *make_check_membership(const struct bypeer_certificate_order *order)
{
    if (!order->public_key || !order->issuer || !order->issuer->secure || !order->group || !order->group->secure)
        return "a membership needs a key, and an issuer and a group with secure peer names";
    if (order->roles == 0 || order->roles & ~BYPEER_ROLES_ALL)
        return "a membership needs a role, and only such as there are";
    if (order->classifier_count > BYPEER_CLASSIFIERS_MAX)
        return "a membership has at most 32 classifiers";
    EVP_PKEY *key = bypeer_profile_public_pair(bypeer_key_profile(order->issuer_key), order->public_key);
    EVP_PKEY_free(key);
    return key ? NULL : "the member's key is none of the issuer's profile";
}

static const char *make_check(const struct bypeer_certificate_order *order)
{
    const char *problem = make_check_friendly(order->subject_friendly);
    if (!problem && !order->subject->secure)
        problem = "a certificate is for a secure peer name";
    if (!problem && (order->not_after <= order->not_before || order->not_after > TIME_MAX))
        problem = "a validity ends after it begins, and before the year 10000";
    if (!problem && order->kind == BYPEER_CERTIFICATE_MEMBERSHIP) {
        problem = make_check_friendly(order->issuer_friendly);
        if (!problem)
            problem = make_check_membership(order);
    }
    return problem;
}

int bypeer_certificate_make(struct bypeer_certificate **ret_certificate, const struct bypeer_certificate_order *order,
                            const char **ret_why)
{
    const char *problem = make_check(order);
    if (problem) {
        *ret_why = problem;
        return -EINVAL;
    }
    unsigned char *der = NULL;
    X509 *x509 = X509_new();
    const char *issuer =
        order->kind == BYPEER_CERTIFICATE_MEMBERSHIP ? order->issuer_friendly : order->subject_friendly;
    int length = x509 && make_fill(x509, order, order->subject_friendly, issuer) ? i2d_X509(x509, &der) : 0;
    X509_free(x509);
    if (length <= 0)
        return -ENOMEM;
    int status =
        bypeer_certificate_read(ret_certificate, bypeer_key_profile(order->issuer_key), der, (size_t)length, ret_why);
    OPENSSL_free(der);
    return status == -EBADMSG ? -EINVAL : status;
}
