/* Chains that delegate a secure name: made here with OpenSSL, right in all parts but one. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <criterion/criterion.h>
#include <openssl/pem.h>
#include <openssl/pkcs7.h>
#include <openssl/x509.h>

#include "overlay/pnrp/delegation.h"
#include "overlay/profile/key.h"
#include "tests/unit/fixtures/pnrp_vectors.h"
#include "tests/unit/pnrp_bytes.h"

#define NOW   1700000000
#define ARC   "1.3.6.1.4.1.311.44."
#define KEYS  6
#define CERTS 4

static const char admin[] = "\x04\x38\x71\x27\xaa\x56\x45\x0a\x8c\xe5\x4f\x56\x5c\x67\x90\xf4";
static const char inviting[] = "\x43\x70\xfd\x89\xdc\x18\x4c\xfb\x8d\xbf\x98\x53\xa8\xa9\xf9\x05";
static const char inviting_too[] = "\xdd\x15\xf4\x1f\xfc\x4e\x49\x22\xb0\x35\x4c\x06\xa7\x54\xd0\x1d";
static const char member[] = "\xf1\x2d\xc4\xc7\x08\x57\x4c\xa0\x93\xfc\xb1\xbb\x19\xa3\xd8\xc2";

/* One certificate as it is to be made. */
struct wanted {
    unsigned key, issuer_key;
    const char *subject, *issuer, *subject_name, *issuer_name; /* the latter two: alternative names */
    uint8_t type, version;
    const char *peer_name; /* its classifier; NULL: none */
    const char *role;
    const char *const *classifiers; /* up to NULL; NULL: no list */
    long valid_from, valid_to;      /* seconds from NOW */
    unsigned serial_bytes, x509_version;
    const char *extra; /* an extension of this type, too */
    bool extra_is_critical, is_not_critical;
    int string_type;
};

struct bench {
    const struct bypeer_profile *profile;
    struct bypeer_key *keys[KEYS];
    EVP_PKEY *pairs[KEYS];
    struct wanted wanted[CERTS];
    unsigned count;
};

static struct bench *bench_open(enum bypeer_profile_id id)
{
    static const char *const anything[] = {NULL}, *const food[] = {"fish", "cheese", NULL};
    struct bench *bench = calloc(1, sizeof(*bench));
    bench->profile = bypeer_profile(id);
    for (unsigned at = 0; at < KEYS; at++) {
        char text[BYPEER_KEY_TEXT_MAX];
        cr_assert_eq(bypeer_key_generate(&bench->keys[at], bench->profile), 0);
        cr_assert_eq(bypeer_key_write(bench->keys[at], text), 0);
        BIO *source = BIO_new_mem_buf(text, -1);
        bench->pairs[at] = PEM_read_bio_PrivateKey(source, NULL, NULL, NULL);
        BIO_free(source);
    }
    static const char *const people[CERTS] = {"Group", "Ada", "Bob", "Cleo"};
    for (unsigned at = 0; at < CERTS; at++)
        bench->wanted[at] = (struct wanted){.key = at,
                                            .issuer_key = at > 0 ? at - 1 : 0,
                                            .subject = people[at],
                                            .issuer = people[at > 0 ? at - 1 : 0],
                                            .subject_name = people[at],
                                            .issuer_name = at > 0 ? people[at - 1] : NULL,
                                            .type = at > 0 ? 1 : 2,
                                            .version = 2,
                                            .peer_name = "group",
                                            .role = at > 0 ? admin : NULL,
                                            .classifiers = at == 0   ? NULL
                                                           : at == 1 ? anything
                                                                     : food,
                                            .valid_from = -1000,
                                            .valid_to = 1000,
                                            .serial_bytes = 16,
                                            .x509_version = 2,
                                            .string_type = V_ASN1_UNIVERSALSTRING};
    bench->wanted[2].role = member;
    bench->count = 3;
    return bench;
}

static void bench_close(struct bench *bench)
{
    for (unsigned at = 0; at < KEYS; at++) {
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

static void add_peer_name(struct bench *bench, X509 *x509, const struct wanted *wanted)
{
    struct bypeer_peer_name name = {.secure = true};
    char text[BYPEER_NAME_TEXT_MAX];
    struct der inner = {0}, value = {0};
    bypeer_key_authority(bench->keys[0], name.authority);
    size_t length = bypeer_name_write(&name, text);
    snprintf(text + length, sizeof(text) - length, "%s", wanted->peer_name);
    der_put_other_name(&inner, 2, text, wanted->string_type);
    der_put(&value, 0x30, inner.bytes, inner.length);
    add_extension(x509, ARC "3.1", true, &value);
}

static void add_roles(X509 *x509, const struct wanted *wanted)
{
    struct der inner = {0}, value = {0};
    der_put(&inner, 0x04, wanted->role, 16);
    der_put(&value, 0x30, inner.bytes, inner.length);
    add_extension(x509, ARC "3.3", true, &value);
}

static void add_classifiers(X509 *x509, const struct wanted *wanted)
{
    struct der inner = {0}, value = {0};
    for (const char *const *text = wanted->classifiers; *text; text++)
        der_put_other_name(&inner, 3, *text, wanted->string_type);
    der_put(&value, 0x30, inner.bytes, inner.length);
    add_extension(x509, ARC "3.5", true, &value);
}

static void set_name(X509_NAME *name, const char *text)
{
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)text, -1, -1, 0);
}

static X509 *make_certificate(struct bench *bench, const struct wanted *wanted)
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
    ASN1_TIME_set(X509_getm_notBefore(x509), NOW + wanted->valid_from);
    ASN1_TIME_set(X509_getm_notAfter(x509), NOW + wanted->valid_to);
    X509_set_pubkey(x509, bench->pairs[wanted->key]);

    const uint8_t type[4] = {wanted->type}, version[4] = {1, 0, wanted->version, 0};
    add_four_bytes(x509, ARC "0.1", !wanted->is_not_critical, type);
    add_four_bytes(x509, ARC "0.4", true, version);
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

static uint8_t *bench_chain(struct bench *bench, size_t *ret_length)
{
    PKCS7 *bag = PKCS7_new();
    PKCS7_set_type(bag, NID_pkcs7_signed);
    PKCS7_content_new(bag, NID_pkcs7_data);
    for (unsigned at = 0; at < bench->count; at++) {
        X509 *x509 = make_certificate(bench, &bench->wanted[at < CERTS ? at : CERTS - 1]);
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

/* Whether the last one's key may publish this classifier below the first one's authority. */
static int bench_validate(struct bench *bench, const char *classifier, char why[static 160])
{
    struct bypeer_peer_name name = {.secure = true};
    size_t length;
    uint8_t *bytes = bench_chain(bench, &length);
    unsigned last = bench->count <= CERTS ? bench->count - 1 : CERTS - 1;
    bypeer_key_authority(bench->keys[0], name.authority);
    cr_assert_eq(bypeer_classifier_read(&name, classifier, why), 0);
    why[0] = '\0';
    int status = bypeer_delegation_validate(bench->profile, bytes, length, &name,
                                            bypeer_key_public(bench->keys[bench->wanted[last].key]), NOW, why, 160);
    free(bytes);
    return status;
}

static void expect(struct bench *bench, const char *classifier, int expected, const char *what)
{
    char why[160];
    int status = bench_validate(bench, classifier, why);
    cr_assert_eq(status, expected, "%s, %s \"%s\": %d, %s", bench->profile->name, what, classifier, status, why);
    cr_assert_eq(why[0] == '\0', expected == 0, "%s: says \"%s\"", what, why);
}

Test(pnrp_delegation, right_one_lets_its_last_publish)
{
    for (unsigned id = 0; id < BYPEER_PROFILES; id++) {
        struct bench *bench = bench_open(id);
        expect(bench, "fish", 0, "member");
        expect(bench, "cheese", 0, "member");
        expect(bench, "ham", -EKEYREJECTED, "not listed");
        expect(bench, "fish food", -EKEYREJECTED, "a member has no more than what is listed");
        expect(bench, "", -EKEYREJECTED, "not listed");
        bench->wanted[2].role = inviting;
        expect(bench, "fish food", 0, "who hands on may go on where a classifier ends");
        expect(bench, "fis", -EKEYREJECTED, "not before it");
        bench->wanted[2].role = inviting_too;
        expect(bench, "fish food", 0, "by its other number");
        bench->count = 2;
        expect(bench, "anything", 0, "admin with all classifiers");
        bench->count = 1;
        expect(bench, "anything", 0, "root");
        bench_close(bench);
    }
}

Test(pnrp_delegation, strings_of_other_kinds_are_read)
{
    static const int kinds[] = {V_ASN1_BMPSTRING, V_ASN1_UTF8STRING};
    for (unsigned kind = 0; kind < 2; kind++) {
        struct bench *bench = bench_open(BYPEER_PROFILE_MODERN);
        for (unsigned at = 0; at < CERTS; at++)
            bench->wanted[at].string_type = kinds[kind];
        expect(bench, "fish", 0, "other string");
        for (unsigned at = 0; at < CERTS; at++)
            bench->wanted[at].string_type = V_ASN1_IA5STRING;
        expect(bench, "fish", -EBADMSG, "no such string");
        bench_close(bench);
    }
}

/* The table of [MS-PNRP] 2.2.3.5.1.5.1, from a list of fish and cheese, and what follows from it. */
Test(pnrp_delegation, classifiers_are_delegated_by_role)
{
    static const char *const food[] = {"fish", "cheese", NULL}, *const fish[] = {"fish", NULL},
                             *const longer[] = {"fish food", "cheese-like", "cheese", NULL},
                             *const other[] = {"fish", "ham", NULL}, *const all[] = {NULL}, *const empty[] = {"", NULL},
                             *const empty_too[] = {"fish", "", NULL};
    static const struct {
        const char *const *from, *role, *const *to;
        const char *classifier;
        int status;
    } cases[] = {
        {all, admin, longer, "cheese", 0},
        {food, admin, fish, "fish", 0},
        {food, admin, longer, "cheese-like", 0},
        {food, admin, other, "fish", -EKEYREJECTED},
        {food, admin, all, "fish", -EKEYREJECTED},
        {food, member, fish, "fish", 0},
        {food, member, longer, "cheese", -EKEYREJECTED},
        {food, member, all, "fish", -EKEYREJECTED},
        {empty_too, inviting, all, "anything", 0},
        {empty_too, member, all, "anything", -EKEYREJECTED},
        {empty, inviting, other, "ham", 0},
        {empty, member, empty, "", 0},
        {empty, member, empty, "a", -EKEYREJECTED},
        {all, member, all, "anything", 0},
    };
    struct bench *bench = bench_open(BYPEER_PROFILE_MODERN);
    for (size_t at = 0; at < sizeof(cases) / sizeof(cases[0]); at++) {
        char what[32];
        bench->wanted[1].classifiers = cases[at].from;
        bench->wanted[2].role = cases[at].role;
        bench->wanted[2].classifiers = cases[at].to;
        snprintf(what, sizeof(what), "case %zu", at);
        expect(bench, cases[at].classifier, cases[at].status, what);
    }
    bench_close(bench);
}

Test(pnrp_delegation, roles_do_not_grow)
{
    struct bench *bench = bench_open(BYPEER_PROFILE_MODERN);
    bench->count = 4;
    bench->wanted[3].role = member;
    expect(bench, "fish", -EKEYREJECTED, "a member issues nothing");
    bench->wanted[2].role = inviting;
    expect(bench, "fish", 0, "an inviting member does");
    bench->wanted[3].role = admin;
    expect(bench, "fish", -EKEYREJECTED, "but no admin");
    bench->wanted[2].role = admin;
    expect(bench, "fish", 0, "an admin does");
    bench_close(bench);
}

/* A chain that is right but for one change each. */
static void no_root(struct wanted *wanted)
{
    wanted[0].type = 1;
}
static void two_roots(struct wanted *wanted)
{
    wanted[1].type = 2;
}
static void other_root_key(struct wanted *wanted)
{
    wanted[0].key = wanted[0].issuer_key = wanted[1].issuer_key = 4;
}
static void root_signed_by_other(struct wanted *wanted)
{
    wanted[0].issuer_key = 4;
}
static void signed_by_other(struct wanted *wanted)
{
    wanted[2].issuer_key = 0;
}
static void issuer_other(struct wanted *wanted)
{
    wanted[2].issuer = "Mallory";
}
static void issuer_name_other(struct wanted *wanted)
{
    wanted[2].issuer_name = "Mallory";
}
static void issuer_name_none(struct wanted *wanted)
{
    wanted[2].issuer_name = NULL;
}
static void subject_name_none(struct wanted *wanted)
{
    wanted[1].subject_name = NULL;
}
static void root_expired(struct wanted *wanted)
{
    wanted[0].valid_to = -1;
}
static void last_expired(struct wanted *wanted)
{
    wanted[2].valid_to = -1;
}
static void middle_not_yet(struct wanted *wanted)
{
    wanted[1].valid_from = 1;
}
static void no_name_in_root(struct wanted *wanted)
{
    wanted[0].peer_name = NULL;
}
static void no_name_in_last(struct wanted *wanted)
{
    wanted[2].peer_name = NULL;
}
static void other_name_in_last(struct wanted *wanted)
{
    wanted[2].peer_name = "gruop";
}
static void no_role(struct wanted *wanted)
{
    wanted[1].role = NULL;
}
static void no_classifiers(struct wanted *wanted)
{
    wanted[2].classifiers = NULL;
}
static void type_unknown(struct wanted *wanted)
{
    wanted[1].type = 3;
}
static void version_other(struct wanted *wanted)
{
    wanted[1].version = 3;
}
static void serial_short(struct wanted *wanted)
{
    wanted[2].serial_bytes = 15;
}
static void serial_long(struct wanted *wanted)
{
    wanted[2].serial_bytes = 17;
}
static void x509_version_old(struct wanted *wanted)
{
    wanted[2].x509_version = 1;
}
static void critical_unknown(struct wanted *wanted)
{
    wanted[2].extra = "1.2.3.4";
    wanted[2].extra_is_critical = true;
}
static void extension_twice(struct wanted *wanted)
{
    wanted[1].extra = ARC "0.1";
    wanted[1].extra_is_critical = true;
}
static void not_critical(struct wanted *wanted)
{
    wanted[0].is_not_critical = true;
}
static void classifier_long(struct wanted *wanted)
{
    static char text[151];
    static const char *list[] = {text, NULL};
    memset(text, 'x', 150);
    wanted[2].classifiers = list;
}

Test(pnrp_delegation, one_wrong_part_is_enough)
{
    static const struct {
        const char *what;
        void (*spoil)(struct wanted *wanted);
        int status;
    } cases[] = {
        {"no root", no_root, -EKEYREJECTED},
        {"two roots", two_roots, -EKEYREJECTED},
        {"another root's key", other_root_key, -EKEYREJECTED},
        {"root signed by another", root_signed_by_other, -EKEYREJECTED},
        {"signed by another", signed_by_other, -EKEYREJECTED},
        {"another issuer", issuer_other, -EKEYREJECTED},
        {"another issuer's alternative name", issuer_name_other, -EKEYREJECTED},
        {"no issuer's alternative name", issuer_name_none, -EKEYREJECTED},
        {"no subject's alternative name", subject_name_none, -EKEYREJECTED},
        {"root expired", root_expired, -EKEYREJECTED},
        {"last expired", last_expired, -EKEYREJECTED},
        {"not yet valid", middle_not_yet, -EKEYREJECTED},
        {"root without peer name", no_name_in_root, -EKEYREJECTED},
        {"last without peer name", no_name_in_last, -EKEYREJECTED},
        {"last with another peer name", other_name_in_last, -EKEYREJECTED},
        {"no role", no_role, -EKEYREJECTED},
        {"no classifiers", no_classifiers, -EKEYREJECTED},
        {"unknown type", type_unknown, -EBADMSG},
        {"another version", version_other, -EBADMSG},
        {"serial number too short", serial_short, -EBADMSG},
        {"serial number too long", serial_long, -EBADMSG},
        {"X.509 version 2", x509_version_old, -EBADMSG},
        {"unknown critical extension", critical_unknown, -EBADMSG},
        {"an extension twice", extension_twice, -EBADMSG},
        {"not critical", not_critical, -EBADMSG},
        {"classifier too long", classifier_long, -EBADMSG},
    };
    for (unsigned id = 0; id < BYPEER_PROFILES; id++) {
        struct bench *bench = bench_open(id);
        struct wanted right[CERTS];
        memcpy(right, bench->wanted, sizeof(right));
        for (size_t at = 0; at < sizeof(cases) / sizeof(cases[0]); at++) {
            memcpy(bench->wanted, right, sizeof(right));
            cases[at].spoil(bench->wanted);
            expect(bench, "fish", cases[at].status, cases[at].what);
        }
        memcpy(bench->wanted, right, sizeof(right));
        bench->wanted[2].extra = "1.2.3.4";
        expect(bench, "fish", 0, "an unknown extension that is not critical");
        bench_close(bench);
    }
}

Test(pnrp_delegation, has_25_certificates_at_most)
{
    static const char *const all[] = {NULL};
    struct bench *bench = bench_open(BYPEER_PROFILE_MODERN);
    struct wanted *last = &bench->wanted[CERTS - 1];
    /* From the fourth on each is its own issuer's twin: the same key all along. */
    for (unsigned at = 1; at < CERTS; at++) {
        bench->wanted[at].classifiers = all;
        bench->wanted[at].role = admin;
    }
    bench->wanted[2].key = 3;
    bench->wanted[2].subject = bench->wanted[2].subject_name = last->subject;
    last->issuer_key = 3;
    last->issuer = last->issuer_name = last->subject;
    bench->count = 25;
    expect(bench, "fish", 0, "25");
    bench->count = 26;
    expect(bench, "fish", -EBADMSG, "26");
    bench_close(bench);
}

Test(pnrp_delegation, is_for_its_authority_and_its_key)
{
    struct bench *bench = bench_open(BYPEER_PROFILE_MODERN);
    struct bypeer_peer_name name = {.secure = true};
    char why[160];
    size_t length;
    uint8_t *bytes = bench_chain(bench, &length);
    const uint8_t *key = bypeer_key_public(bench->keys[2]);
    bypeer_key_authority(bench->keys[0], name.authority);
    cr_assert_eq(bypeer_classifier_read(&name, "fish", why), 0);
    cr_assert_eq(bypeer_delegation_validate(bench->profile, bytes, length, &name, key, NOW, NULL, 0), 0);
    cr_assert_eq(bypeer_delegation_validate(bench->profile, bytes, length, &name, bypeer_key_public(bench->keys[1]),
                                            NOW, why, sizeof(why)),
                 -EKEYREJECTED, "another publisher's key");
    name.authority[0] ^= 1;
    cr_assert_eq(bypeer_delegation_validate(bench->profile, bytes, length, &name, key, NOW, why, sizeof(why)),
                 -EKEYREJECTED, "another authority");
    name.authority[0] ^= 1;
    name.secure = false;
    cr_assert_eq(bypeer_delegation_validate(bench->profile, bytes, length, &name, key, NOW, why, sizeof(why)),
                 -EKEYREJECTED, "an unsecured name");
    cr_assert_eq(bypeer_delegation_validate(bypeer_profile(BYPEER_PROFILE_WINDOWS), bytes, length, &name, key, NOW, why,
                                            sizeof(why)),
                 -EBADMSG, "another profile");
    free(bytes);
    bench_close(bench);
}

Test(pnrp_delegation, part_of_a_chain_is_none)
{
    struct bench *bench = bench_open(BYPEER_PROFILE_MODERN);
    struct bypeer_peer_name name = {.secure = true};
    size_t length;
    uint8_t *bytes = bench_chain(bench, &length);
    const uint8_t *key = bypeer_key_public(bench->keys[2]);
    bypeer_key_authority(bench->keys[0], name.authority);
    for (size_t part = 0; part < length; part++) {
        uint8_t *exact = bytes_copy(bytes, part);
        cr_assert_eq(bypeer_delegation_validate(bench->profile, exact, part, &name, key, NOW, NULL, 0), -EBADMSG);
        free(exact);
    }
    uint8_t *longer = calloc(1, length + 1);
    memcpy(longer, bytes, length);
    cr_assert_eq(bypeer_delegation_validate(bench->profile, longer, length + 1, &name, key, NOW, NULL, 0), -EBADMSG);
    free(longer);
    free(bytes);
    bench_close(bench);
}

/* Whatever bit of it is turned, nothing but the bag's own frame may still hold. */
Test(pnrp_delegation, signed_bytes_cannot_be_changed)
{
    struct bench *bench = bench_open(BYPEER_PROFILE_MODERN);
    struct bypeer_peer_name name = {.secure = true};
    char why[160];
    size_t length;
    uint8_t *bytes = bench_chain(bench, &length);
    unsigned held = 0;
    bypeer_key_authority(bench->keys[0], name.authority);
    cr_assert_eq(bypeer_classifier_read(&name, "fish", why), 0);
    for (size_t at = 0; at < length; at++) {
        bytes[at] ^= 0x04;
        held += bypeer_delegation_validate(bench->profile, bytes, length, &name, bypeer_key_public(bench->keys[2]), NOW,
                                           why, sizeof(why)) == 0;
        bytes[at] ^= 0x04;
    }
    cr_assert_lt(held, 32, "%u bytes of %zu mean nothing", held, length);
    free(bytes);
    bench_close(bench);
}

/* Made by pnrp_vectors.py, which shares no code with the certificates above. */
Test(pnrp_delegation, chains_of_the_vectors_are_right)
{
    for (unsigned at = 0; at < BYPEER_PROFILES; at++) {
        const struct bypeer_profile *profile = bypeer_profile((enum bypeer_profile_id)at);
        const struct pnrp_vectors *vectors = &pnrp_vectors[at];
        struct bypeer_peer_name name;
        char why[160], text[BYPEER_NAME_TEXT_MAX];
        size_t length, key_length;
        uint8_t *bytes = bytes_of(vectors->chains[0].hex, &length), *key = bytes_of(vectors->delegate, &key_length);
        snprintf(text, sizeof(text), "%s.MyApplication", vectors->authority);
        cr_assert_eq(bypeer_name_read(&name, text, why), 0);
        cr_assert_eq(bypeer_delegation_validate(profile, bytes, length, &name, key, NOW, why, sizeof(why)), 0, "%s",
                     why);
        cr_assert_eq(bypeer_classifier_read(&name, "Other", why), 0);
        cr_assert_eq(bypeer_delegation_validate(profile, bytes, length, &name, key, NOW, why, sizeof(why)),
                     -EKEYREJECTED);
        free(key);
        free(bytes);
    }
}
