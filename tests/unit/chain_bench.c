#include "tests/unit/chain_bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>
#include <openssl/pem.h>
#include <openssl/pkcs7.h>
#include <openssl/x509.h>

#include "overlay/pnrp/delegation.h"
#include "tests/unit/pnrp_bytes.h"

const char bench_admin[] = "\x04\x38\x71\x27\xaa\x56\x45\x0a\x8c\xe5\x4f\x56\x5c\x67\x90\xf4";
const char bench_inviting[] = "\x43\x70\xfd\x89\xdc\x18\x4c\xfb\x8d\xbf\x98\x53\xa8\xa9\xf9\x05";
const char bench_inviting_too[] = "\xdd\x15\xf4\x1f\xfc\x4e\x49\x22\xb0\x35\x4c\x06\xa7\x54\xd0\x1d";
const char bench_member[] = "\xf1\x2d\xc4\xc7\x08\x57\x4c\xa0\x93\xfc\xb1\xbb\x19\xa3\xd8\xc2";

struct bench *bench_open(enum bypeer_profile_id id)
{
    static const char *const anything[] = {NULL}, *const food[] = {"fish", "cheese", NULL};
    struct bench *bench = calloc(1, sizeof(*bench));
    bench->profile = bypeer_profile(id);
    for (unsigned at = 0; at < BENCH_KEYS; at++) {
        char text[BYPEER_KEY_TEXT_MAX];
        cr_assert_eq(bypeer_key_generate(&bench->keys[at], bench->profile), 0);
        cr_assert_eq(bypeer_key_write(bench->keys[at], text), 0);
        BIO *source = BIO_new_mem_buf(text, -1);
        bench->pairs[at] = PEM_read_bio_PrivateKey(source, NULL, NULL, NULL);
        BIO_free(source);
    }
    static const char *const people[BENCH_CERTS] = {"Group", "Ada", "Bob", "Cleo"};
    for (unsigned at = 0; at < BENCH_CERTS; at++)
        bench->wanted[at] = (struct bench_wanted){.key = at,
                                                  .issuer_key = at > 0 ? at - 1 : 0,
                                                  .subject = people[at],
                                                  .issuer = people[at > 0 ? at - 1 : 0],
                                                  .subject_name = people[at],
                                                  .issuer_name = at > 0 ? people[at - 1] : NULL,
                                                  .type = at > 0 ? 1 : 2,
                                                  .version = 2,
                                                  .peer_name = "group",
                                                  .role = at > 0 ? bench_admin : NULL,
                                                  .classifiers = at == 0   ? NULL
                                                                 : at == 1 ? anything
                                                                           : food,
                                                  .valid_from = -1000,
                                                  .valid_to = 1000,
                                                  .serial_bytes = 16,
                                                  .x509_version = 2,
                                                  .string_type = V_ASN1_UNIVERSALSTRING};
    bench->wanted[2].role = bench_member;
    bench->count = 3;
    return bench;
}

void bench_close(struct bench *bench)
{
    for (unsigned at = 0; at < BENCH_KEYS; at++) {
        bypeer_key_free(bench->keys[at]);
        EVP_PKEY_free(bench->pairs[at]);
    }
    free(bench);
}

/* DER by hand: what OpenSSL has no names for. */
struct der {
    uint8_t bytes[2048];
    size_t length;
};

static void der_put(struct der *der, uint8_t tag, const void *content, size_t length)
{
    uint8_t head[4] = {tag, 0x82, (uint8_t)(length >> 8), (uint8_t)length};
    size_t head_bytes = 4;
    if (length < 128) {
        head[1] = (uint8_t)length;
        head_bytes = 2;
    } else if (length < 256) {
        head[1] = 0x81;
        head[2] = (uint8_t)length;
        head_bytes = 3;
    }
    cr_assert_leq(der->length + head_bytes + length, sizeof(der->bytes));
    memcpy(der->bytes + der->length, head, head_bytes);
    if (length > 0)
        memcpy(der->bytes + der->length + head_bytes, content, length);
    der->length += head_bytes + length;
}

/* An otherName whose type is below the arc; ASCII text, and the NUL behind it, as Windows writes it. */
static void der_put_other_name(struct der *der, uint8_t kind, const char *text, int string_type)
{
    static const uint8_t arc[] = {0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x2c, 0x00};
    size_t width = string_type == V_ASN1_UNIVERSALSTRING ? 4 : string_type == V_ASN1_BMPSTRING ? 2 : 1;
    uint8_t oid[sizeof(arc) + 1], units[1024] = {0};
    struct der string = {0}, inner = {0};
    memcpy(oid, arc, sizeof(arc));
    oid[sizeof(arc)] = kind;
    for (size_t at = 0; at < strlen(text); at++)
        units[width * at + width - 1] = (uint8_t)text[at];
    der_put(&string, (uint8_t)string_type, units, width * (strlen(text) + 1));
    der_put(&inner, 0x06, oid, sizeof(oid));
    der_put(&inner, 0xa0, string.bytes, string.length);
    der_put(der, 0xa0, inner.bytes, inner.length);
}

static void add_extension(X509 *x509, const char *type, bool is_critical, const struct der *value)
{
    ASN1_OBJECT *object = OBJ_txt2obj(type, 1);
    ASN1_OCTET_STRING *content = ASN1_OCTET_STRING_new();
    ASN1_OCTET_STRING_set(content, value->bytes, (int)value->length);
    X509_EXTENSION *extension = X509_EXTENSION_create_by_OBJ(NULL, object, is_critical, content);
    cr_assert_eq(X509_add_ext(x509, extension, -1), 1);
    X509_EXTENSION_free(extension);
    ASN1_OCTET_STRING_free(content);
    ASN1_OBJECT_free(object);
}

static void add_four_bytes(X509 *x509, const char *type, bool is_critical, const uint8_t bytes[static 4])
{
    struct der value = {0};
    der_put(&value, 0x04, bytes, 4);
    add_extension(x509, type, is_critical, &value);
}

static void add_alternative_name(X509 *x509, const char *type, const char *text)
{
    struct der inner = {0}, value = {0};
    der_put(&inner, 0x82, text, strlen(text));
    der_put(&value, 0x30, inner.bytes, inner.length);
    add_extension(x509, type, false, &value);
}

static void add_peer_name(struct bench *bench, X509 *x509, const struct bench_wanted *wanted)
{
    struct bypeer_peer_name name = {.secure = true};
    char text[BYPEER_NAME_TEXT_MAX];
    struct der inner = {0}, value = {0};
    bypeer_key_authority(bench->keys[0], name.authority);
    size_t length = bypeer_name_write(&name, text);
    snprintf(text + length, sizeof(text) - length, "%s", wanted->peer_name);
    der_put_other_name(&inner, 2, text, wanted->string_type);
    der_put(&value, 0x30, inner.bytes, inner.length);
    add_extension(x509, BENCH_ARC "3.1", true, &value);
}

static void add_roles(X509 *x509, const struct bench_wanted *wanted)
{
    struct der inner = {0}, value = {0};
    der_put(&inner, 0x04, wanted->role, 16);
    der_put(&value, 0x30, inner.bytes, inner.length);
    add_extension(x509, BENCH_ARC "3.3", true, &value);
}

static void add_classifiers(X509 *x509, const struct bench_wanted *wanted)
{
    struct der inner = {0}, value = {0};
    for (const char *const *text = wanted->classifiers; *text; text++)
        der_put_other_name(&inner, 3, *text, wanted->string_type);
    der_put(&value, 0x30, inner.bytes, inner.length);
    add_extension(x509, BENCH_ARC "3.5", true, &value);
}

static void set_name(X509_NAME *name, const char *text)
{
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)text, -1, -1, 0);
}

static X509 *make_certificate(struct bench *bench, const struct bench_wanted *wanted)
{
    uint8_t serial[32];
    X509 *x509 = X509_new();
    X509_set_version(x509, wanted->x509_version);
    memset(serial, 0x41 + (int)wanted->key, sizeof(serial));
    BIGNUM *number = BN_bin2bn(serial, (int)wanted->serial_bytes, NULL);
    BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x509));
    BN_free(number);
    set_name(X509_get_subject_name(x509), wanted->subject);
    set_name(X509_get_issuer_name(x509), wanted->issuer);
    ASN1_TIME_set(X509_getm_notBefore(x509), BENCH_NOW + wanted->valid_from);
    ASN1_TIME_set(X509_getm_notAfter(x509), BENCH_NOW + wanted->valid_to);
    X509_set_pubkey(x509, bench->pairs[wanted->key]);

    const uint8_t type[4] = {wanted->type}, version[4] = {1, 0, wanted->version, 0};
    add_four_bytes(x509, BENCH_ARC "0.1", !wanted->is_not_critical, type);
    add_four_bytes(x509, BENCH_ARC "0.4", true, version);
    if (wanted->peer_name)
        add_peer_name(bench, x509, wanted);
    if (wanted->role)
        add_roles(x509, wanted);
    if (wanted->classifiers)
        add_classifiers(x509, wanted);
    if (wanted->subject_name)
        add_alternative_name(x509, "2.5.29.7", wanted->subject_name);
    if (wanted->issuer_name)
        add_alternative_name(x509, "2.5.29.8", wanted->issuer_name);
    if (wanted->extra)
        add_four_bytes(x509, wanted->extra, wanted->extra_is_critical, type);
    bool is_windows = bench->profile->id == BYPEER_PROFILE_WINDOWS;
    cr_assert_gt(X509_sign(x509, bench->pairs[wanted->issuer_key], is_windows ? EVP_sha1() : NULL), 0);
    return x509;
}

uint8_t *bench_chain(struct bench *bench, size_t *ret_length)
{
    PKCS7 *bag = PKCS7_new();
    PKCS7_set_type(bag, NID_pkcs7_signed);
    PKCS7_content_new(bag, NID_pkcs7_data);
    for (unsigned at = 0; at < bench->count; at++) {
        X509 *x509 = make_certificate(bench, &bench->wanted[at < BENCH_CERTS ? at : BENCH_CERTS - 1]);
        PKCS7_add_certificate(bag, x509);
        X509_free(x509);
    }
    unsigned char *encoded = NULL;
    int length = i2d_PKCS7(bag, &encoded);
    cr_assert_gt(length, 0);
    uint8_t *bytes = bytes_copy(encoded, (size_t)length);
    OPENSSL_free(encoded);
    PKCS7_free(bag);
    *ret_length = (size_t)length;
    return bytes;
}

int bench_validate(struct bench *bench, const char *classifier, char why[static 160])
{
    struct bypeer_peer_name name = {.secure = true};
    size_t length;
    uint8_t *bytes = bench_chain(bench, &length);
    unsigned last = bench->count <= BENCH_CERTS ? bench->count - 1 : BENCH_CERTS - 1;
    bypeer_key_authority(bench->keys[0], name.authority);
    cr_assert_eq(bypeer_classifier_read(&name, classifier, why), 0);
    why[0] = '\0';
    int status =
        bypeer_delegation_validate(bench->profile, bytes, length, &name,
                                   bypeer_key_public(bench->keys[bench->wanted[last].key]), BENCH_NOW, why, 160);
    free(bytes);
    return status;
}
