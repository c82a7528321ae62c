/* Chains that delegate a secure name: made here with OpenSSL, right in all parts but one. */
#include <errno.h>
#include <string.h>

#include <criterion/criterion.h>

#include "overlay/pnrp/delegation.h"
#include "tests/unit/chain_bench.h"
#include "tests/unit/fixtures/pnrp_vectors.h"
#include "tests/unit/pnrp_bytes.h"

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
        bench->wanted[2].role = bench_inviting;
        expect(bench, "fish food", 0, "who hands on may go on where a classifier ends");
        expect(bench, "fis", -EKEYREJECTED, "not before it");
        bench->wanted[2].role = bench_inviting_too;
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
        for (unsigned at = 0; at < BENCH_CERTS; at++)
            bench->wanted[at].string_type = kinds[kind];
        expect(bench, "fish", 0, "other string");
        for (unsigned at = 0; at < BENCH_CERTS; at++)
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
        {all, bench_admin, longer, "cheese", 0},
        {food, bench_admin, fish, "fish", 0},
        {food, bench_admin, longer, "cheese-like", 0},
        {food, bench_admin, other, "fish", -EKEYREJECTED},
        {food, bench_admin, all, "fish", -EKEYREJECTED},
        {food, bench_member, fish, "fish", 0},
        {food, bench_member, longer, "cheese", -EKEYREJECTED},
        {food, bench_member, all, "fish", -EKEYREJECTED},
        {empty_too, bench_inviting, all, "anything", 0},
        {empty_too, bench_member, all, "anything", -EKEYREJECTED},
        {empty, bench_inviting, other, "ham", 0},
        {empty, bench_member, empty, "", 0},
        {empty, bench_member, empty, "a", -EKEYREJECTED},
        {all, bench_member, all, "anything", 0},
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
    bench->wanted[3].role = bench_member;
    expect(bench, "fish", -EKEYREJECTED, "a member issues nothing");
    bench->wanted[2].role = bench_inviting;
    expect(bench, "fish", 0, "an inviting member does");
    bench->wanted[3].role = bench_admin;
    expect(bench, "fish", -EKEYREJECTED, "but no admin");
    bench->wanted[2].role = bench_admin;
    expect(bench, "fish", 0, "an admin does");
    bench_close(bench);
}

/* A chain that is right but for one change each. */
static void no_root(struct bench_wanted *wanted)
{
    wanted[0].type = 1;
}
static void two_roots(struct bench_wanted *wanted)
{
    wanted[1].type = 2;
}
static void other_root_key(struct bench_wanted *wanted)
{
    wanted[0].key = wanted[0].issuer_key = wanted[1].issuer_key = 4;
}
static void root_signed_by_other(struct bench_wanted *wanted)
{
    wanted[0].issuer_key = 4;
}
static void signed_by_other(struct bench_wanted *wanted)
{
    wanted[2].issuer_key = 0;
}
static void issuer_other(struct bench_wanted *wanted)
{
    wanted[2].issuer = "Mallory";
}
static void issuer_name_other(struct bench_wanted *wanted)
{
    wanted[2].issuer_name = "Mallory";
}
static void issuer_name_none(struct bench_wanted *wanted)
{
    wanted[2].issuer_name = NULL;
}
static void subject_name_none(struct bench_wanted *wanted)
{
    wanted[1].subject_name = NULL;
}
static void root_expired(struct bench_wanted *wanted)
{
    wanted[0].valid_to = -1;
}
static void last_expired(struct bench_wanted *wanted)
{
    wanted[2].valid_to = -1;
}
static void middle_not_yet(struct bench_wanted *wanted)
{
    wanted[1].valid_from = 1;
}
static void no_name_in_root(struct bench_wanted *wanted)
{
    wanted[0].peer_name = NULL;
}
static void no_name_in_last(struct bench_wanted *wanted)
{
    wanted[2].peer_name = NULL;
}
static void other_name_in_last(struct bench_wanted *wanted)
{
    wanted[2].peer_name = "gruop";
}
static void no_role(struct bench_wanted *wanted)
{
    wanted[1].role = NULL;
}
static void no_classifiers(struct bench_wanted *wanted)
{
    wanted[2].classifiers = NULL;
}
static void type_unknown(struct bench_wanted *wanted)
{
    wanted[1].type = 3;
}
static void version_other(struct bench_wanted *wanted)
{
    wanted[1].version = 3;
}
static void serial_short(struct bench_wanted *wanted)
{
    wanted[2].serial_bytes = 15;
}
static void serial_long(struct bench_wanted *wanted)
{
    wanted[2].serial_bytes = 17;
}
static void x509_version_old(struct bench_wanted *wanted)
{
    wanted[2].x509_version = 1;
}
static void critical_unknown(struct bench_wanted *wanted)
{
    wanted[2].extra = "1.2.3.4";
    wanted[2].extra_is_critical = true;
}
static void extension_twice(struct bench_wanted *wanted)
{
    wanted[1].extra = BENCH_ARC "0.1";
    wanted[1].extra_is_critical = true;
}
static void not_critical(struct bench_wanted *wanted)
{
    wanted[0].is_not_critical = true;
}
static void classifier_long(struct bench_wanted *wanted)
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
        void (*spoil)(struct bench_wanted *wanted);
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
        struct bench_wanted right[BENCH_CERTS];
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
    struct bench_wanted *last = &bench->wanted[BENCH_CERTS - 1];
    /* From the fourth on each is its own issuer's twin: the same key all along. */
    for (unsigned at = 1; at < BENCH_CERTS; at++) {
        bench->wanted[at].classifiers = all;
        bench->wanted[at].role = bench_admin;
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
    cr_assert_eq(bypeer_delegation_validate(bench->profile, bytes, length, &name, key, BENCH_NOW, NULL, 0), 0);
    cr_assert_eq(bypeer_delegation_validate(bench->profile, bytes, length, &name, bypeer_key_public(bench->keys[1]),
                                            BENCH_NOW, why, sizeof(why)),
                 -EKEYREJECTED, "another publisher's key");
    name.authority[0] ^= 1;
    cr_assert_eq(bypeer_delegation_validate(bench->profile, bytes, length, &name, key, BENCH_NOW, why, sizeof(why)),
                 -EKEYREJECTED, "another authority");
    name.authority[0] ^= 1;
    name.secure = false;
    cr_assert_eq(bypeer_delegation_validate(bench->profile, bytes, length, &name, key, BENCH_NOW, why, sizeof(why)),
                 -EKEYREJECTED, "an unsecured name");
    cr_assert_eq(bypeer_delegation_validate(bypeer_profile(BYPEER_PROFILE_WINDOWS), bytes, length, &name, key,
                                            BENCH_NOW, why, sizeof(why)),
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
        cr_assert_eq(bypeer_delegation_validate(bench->profile, exact, part, &name, key, BENCH_NOW, NULL, 0), -EBADMSG);
        free(exact);
    }
    uint8_t *longer = calloc(1, length + 1);
    memcpy(longer, bytes, length);
    cr_assert_eq(bypeer_delegation_validate(bench->profile, longer, length + 1, &name, key, BENCH_NOW, NULL, 0),
                 -EBADMSG);
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
        held += bypeer_delegation_validate(bench->profile, bytes, length, &name, bypeer_key_public(bench->keys[2]),
                                           BENCH_NOW, why, sizeof(why)) == 0;
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
        cr_assert_eq(bypeer_delegation_validate(profile, bytes, length, &name, key, BENCH_NOW, why, sizeof(why)), 0,
                     "%s", why);
        cr_assert_eq(bypeer_classifier_read(&name, "Other", why), 0);
        cr_assert_eq(bypeer_delegation_validate(profile, bytes, length, &name, key, BENCH_NOW, why, sizeof(why)),
                     -EKEYREJECTED);
        free(key);
        free(bytes);
    }
}
