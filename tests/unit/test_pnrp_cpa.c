/* Certified peer addresses and extended payloads of both profiles. */
#include <errno.h>
#include <string.h>

#include <criterion/criterion.h>

#include "overlay/pnrp/cpa.h"
#include "overlay/profile/key.h"
#include "tests/random.h"
#include "tests/unit/fixtures/pnrp_vectors.h"
#include "tests/unit/pnrp_bytes.h"

#define NOT_AFTER 1893456000 /* 2030-01-01T00:00:00Z */

static const struct bypeer_profile *profile_at(unsigned at)
{
    return bypeer_profile((enum bypeer_profile_id)at);
}

static uint8_t *vector_of(const struct pnrp_vector *vectors, const char *name, size_t *ret_length)
{
    while (vectors->name && strcmp(vectors->name, name) != 0)
        vectors++;
    cr_assert_not_null(vectors->name, "%s", name);
    return bytes_of(vectors->hex, ret_length);
}

static struct bypeer_key *key_of(unsigned at)
{
    const char *text = pnrp_vectors[at].private_key;
    struct bypeer_key *key;
    cr_assert_eq(bypeer_key_read(&key, profile_at(at), text, strlen(text)), 0);
    return key;
}

/* Signs the record with the vectors' key: both kinds of signature are the same each time. */
static void sign(unsigned at, uint8_t *bytes, size_t length, size_t signed_bytes)
{
    struct bypeer_key *key = key_of(at);
    cr_assert_eq(signed_bytes + 8 + profile_at(at)->signature_bytes, length);
    cr_assert_eq(bypeer_key_sign(key, bytes, signed_bytes, bytes + signed_bytes + 8), 0);
    bypeer_key_free(key);
}

Test(pnrp_cpa, vectors_are_written_and_signed_as_they_were_read)
{
    for (unsigned at = 0; at < BYPEER_PROFILES; at++) {
        unsigned count = 0;
        for (const struct pnrp_vector *vector = pnrp_vectors[at].cpas; vector->name; vector++, count++) {
            struct bypeer_cpa cpa;
            size_t length, signed_bytes;
            uint8_t *bytes = bytes_of(vector->hex, &length), again[BYPEER_CPA_MAX];
            cr_assert_eq(bypeer_cpa_read(&cpa, profile_at(at), bytes, length), 0, "%s", vector->name);
            cr_assert_eq(bypeer_profile_verify(profile_at(at), cpa.public_key, bytes, cpa.signed_bytes, cpa.signature),
                         0, "%s", vector->name);
            if (strcmp(vector->name, "revoke_without_nonce") != 0) {
                cr_assert_eq(bypeer_cpa_write(&cpa, profile_at(at), again, length, &signed_bytes), length);
                cr_assert_eq(signed_bytes, cpa.signed_bytes);
                sign(at, again, length, signed_bytes);
                cr_assert_arr_eq(again, bytes, length, "%s", vector->name);
                cr_assert_eq(bypeer_cpa_write(&cpa, profile_at(at), again, length - 1, &signed_bytes), 0);
            }
            free(bytes);
        }
        cr_assert_eq(count, 5);
    }
}

Test(pnrp_cpa, says_who_is_where)
{
    for (unsigned at = 0; at < BYPEER_PROFILES; at++) {
        struct bypeer_cpa cpa;
        uint8_t id[32];
        size_t length;
        uint8_t *bytes = vector_of(pnrp_vectors[at].cpas, "secure", &length);
        cr_assert_eq(bypeer_cpa_read(&cpa, profile_at(at), bytes, length), 0);
        cr_assert_not(cpa.revoke);
        cr_assert(cpa.has_extended);
        cr_assert_eq(cpa.not_after, NOT_AFTER);
        bytes_expect(cpa.service_location, 16, "20010db8000000021122334455667788", "service location");
        bytes_expect(cpa.nonce, 16, "000102030405060708090a0b0c0d0e0f", "nonce");
        cr_assert(cpa.has_authority);
        bytes_expect(cpa.authority, 20, pnrp_vectors[at].authority, "authority");
        cr_assert(cpa.has_classifier);
        bytes_expect(cpa.classifier_hash, 20, pnrp_vectors[at].names[0].classifier_hash, "classifier");
        cr_assert(cpa.comment_is_utf8);
        bytes_expect(cpa.comment, cpa.comment_bytes, "6869", "comment");
        cr_assert_eq(cpa.service_count, 1);
        bytes_expect(cpa.services[0].address, 16, "20010db800000002000000000000000b", "service");
        cr_assert_eq(cpa.services[0].port, profile_at(at)->pnrp_port);
        cr_assert_eq(cpa.application_count, 1);
        bytes_expect(cpa.applications[0].address, 16, "20010db800000002000000000000000b", "application");
        cr_assert_eq(cpa.applications[0].port, 443);
        cr_assert_eq(cpa.applications[0].protocol, 6);
        bytes_expect(cpa.public_key, profile_at(at)->public_key_bytes, pnrp_vectors[at].public_key, "key");
        bypeer_cpa_id(&cpa, profile_at(at), id);
        bytes_expect(id, 32, pnrp_vectors[at].id_secure, "ID");
        free(bytes);

        bytes = vector_of(pnrp_vectors[at].cpas, "unsecured", &length);
        cr_assert_eq(bypeer_cpa_read(&cpa, profile_at(at), bytes, length), 0);
        cr_assert_not(cpa.has_authority);
        cr_assert_not(cpa.has_extended);
        cr_assert_eq(cpa.comment_bytes, 0);
        bypeer_cpa_id(&cpa, profile_at(at), id);
        bytes_expect(id, 32, pnrp_vectors[at].id_unsecured, "ID");
        free(bytes);
    }
}

Test(pnrp_cpa, authority_alone_is_the_name_without_classifier)
{
    for (unsigned at = 0; at < BYPEER_PROFILES; at++) {
        const struct pnrp_name_vector *name = pnrp_vectors[at].names;
        while (strlen(name->text) != 41) /* the authority and its dot */
            name++;
        struct bypeer_cpa cpa = {.has_authority = true};
        uint8_t id[32];
        size_t length;
        uint8_t *authority = bytes_of(pnrp_vectors[at].authority, &length);
        memcpy(cpa.authority, authority, length);
        bypeer_cpa_id(&cpa, profile_at(at), id);
        bytes_expect(id, 16, name->p2p_id, "P2P ID");
        free(authority);
    }
}

Test(pnrp_cpa, revocation_has_no_addresses_and_maybe_no_nonce)
{
    static const char *const names[] = {"revoke", "revoke_without_nonce"};
    for (unsigned at = 0; at < BYPEER_PROFILES; at++)
        for (unsigned name = 0; name < 2; name++) {
            static const uint8_t zeros[16];
            struct bypeer_cpa cpa;
            uint8_t id[32];
            size_t length;
            uint8_t *bytes = vector_of(pnrp_vectors[at].cpas, names[name], &length);
            cr_assert_eq(bypeer_cpa_read(&cpa, profile_at(at), bytes, length), 0, "%s", names[name]);
            cr_assert(cpa.revoke);
            cr_assert_eq(cpa.service_count, 0);
            cr_assert_eq(cpa.application_count, 0);
            cr_assert_arr_eq(cpa.nonce, zeros, sizeof(zeros));
            bypeer_cpa_id(&cpa, profile_at(at), id);
            bytes_expect(id, 32, pnrp_vectors[at].id_secure, names[name]);
            free(bytes);
        }
}

Test(pnrp_cpa, other_profile_s_record_is_refused)
{
    for (unsigned at = 0; at < BYPEER_PROFILES; at++)
        for (const struct pnrp_vector *vector = pnrp_vectors[at].cpas; vector->name; vector++) {
            struct bypeer_cpa cpa;
            size_t length;
            uint8_t *bytes = bytes_of(vector->hex, &length);
            cr_assert_eq(bypeer_cpa_read(&cpa, profile_at(!at), bytes, length), -EBADMSG);
            bytes[4] = profile_at(!at)->pnrp_minor;
            bytes[5] = profile_at(!at)->pnrp_major; /* the right version does not make it one */
            cr_assert_eq(bypeer_cpa_read(&cpa, profile_at(!at), bytes, length), -EBADMSG);
            free(bytes);
        }
}

/* With its length put right, too, so that what is behind is what is missed. */
Test(pnrp_cpa, part_of_a_record_is_none)
{
    for (unsigned at = 0; at < BYPEER_PROFILES; at++)
        for (const struct pnrp_vector *vector = pnrp_vectors[at].cpas; vector->name; vector++) {
            size_t length;
            uint8_t *bytes = bytes_of(vector->hex, &length);
            for (size_t part = 0; part < length; part++) {
                struct bypeer_cpa cpa;
                uint8_t *exact = bytes_copy(bytes, part);
                cr_assert_eq(bypeer_cpa_read(&cpa, profile_at(at), exact, part), -EBADMSG, "%s, %zu bytes",
                             vector->name, part);
                if (part >= 2) {
                    exact[0] = (uint8_t)part;
                    exact[1] = (uint8_t)(part >> 8);
                }
                cr_assert_eq(bypeer_cpa_read(&cpa, profile_at(at), exact, part), -EBADMSG, "%s, %zu bytes",
                             vector->name, part);
                free(exact);
            }
            free(bytes);
        }
}

struct change {
    const char *vector;
    size_t at;
    uint8_t value;
};

Test(pnrp_cpa, wrong_values_are_refused)
{
    /* secure: authority at 48, classifier at 68, comment at 88, services at 92, payloads at 114, key at 144. */
    static const struct change changes[] = {
        {"secure", 0, 0xc0},    /* length */
        {"secure", 2, 1},       /* version */
        {"secure", 3, 1},       /* version */
        {"secure", 4, 1},       /* version of PNRP */
        {"secure", 6, 0x7e},    /* a flag that there is not */
        {"secure", 6, 0x3a},    /* no authority, whose bytes are there */
        {"secure", 6, 0x2e},    /* no comment, yet it is UTF-8 */
        {"secure", 88, 0},      /* comment: empty */
        {"secure", 88, 79},     /* comment: too long */
        {"secure", 89, 1},      /* comment: longer than the record */
        {"secure", 92, 0},      /* no services */
        {"secure", 92, 2},      /* more than there are */
        {"secure", 92, 5},      /* more than there may be */
        {"secure", 94, 17},     /* bytes of one */
        {"secure", 96, 0x03},   /* port of less than 1025 */
        {"secure", 114, 2},     /* payloads */
        {"secure", 114, 0},     /* none, whose bytes are there */
        {"secure", 116, 29},    /* bytes of payloads */
        {"secure", 118, 2},     /* type */
        {"secure", 122, 0},     /* applications: none */
        {"secure", 122, 19},    /* no whole number of them */
        {"secure", 122, 40},    /* more than there are */
        {"secure", 122, 220},   /* more than there may be */
        {"secure", 144, 168},   /* key: length */
        {"secure", 146, 19},    /* key: length of its algorithm's name */
        {"secure", 150, 0x8b},  /* key: bytes */
        {"secure", 152, 1},     /* key: unused bits */
        {"secure", 153, '2'},   /* key: algorithm */
        {"secure", 313, 0x87},  /* signature: length */
        {"secure", 315, 0x7f},  /* signature: bytes */
        {"secure", 317, 0x03},  /* signature: algorithm */
        {"unsecured", 6, 0},    /* neither authority nor classifier */
        {"unsecured", 6, 0x0a}, /* UTF-8 without a comment */
        {"revoke", 6, 0x0c},    /* a registration without addresses */
    };
    const struct pnrp_vector *vectors = pnrp_vectors[BYPEER_PROFILE_WINDOWS].cpas;
    for (size_t at = 0; at < sizeof(changes) / sizeof(changes[0]); at++) {
        struct bypeer_cpa cpa;
        size_t length;
        uint8_t *bytes = vector_of(vectors, changes[at].vector, &length);
        cr_assert_lt(changes[at].at, length);
        cr_assert_neq(bytes[changes[at].at], changes[at].value, "case %zu changes nothing", at);
        bytes[changes[at].at] = changes[at].value;
        cr_assert_eq(bypeer_cpa_read(&cpa, profile_at(BYPEER_PROFILE_WINDOWS), bytes, length), -EBADMSG,
                     "%s with %#x at %zu", changes[at].vector, changes[at].value, changes[at].at);
        free(bytes);
    }
}

Test(pnrp_cpa, utf16_comment_has_whole_units)
{
    static const uint8_t key[BYPEER_PUBLIC_KEY_MAX];
    uint8_t bytes[BYPEER_CPA_MAX];
    struct bypeer_cpa cpa = {.has_classifier = true, .service_count = 1, .public_key = key, .comment = key}, again;
    cpa.services[0].port = 3541;
    for (unsigned length = 1; length <= 4; length++) {
        size_t signed_bytes;
        cpa.comment_bytes = (uint8_t)length;
        size_t written = bypeer_cpa_write(&cpa, profile_at(0), bytes, sizeof(bytes), &signed_bytes);
        cr_assert_eq(bypeer_cpa_read(&again, profile_at(0), bytes, written), length % 2 == 0 ? 0 : -EBADMSG);
    }
}

Test(pnrp_cpa, times_outside_of_both_scales_are_held_at_their_ends)
{
    static const uint8_t key[BYPEER_PUBLIC_KEY_MAX];
    uint8_t bytes[BYPEER_CPA_MAX] = {0};
    struct bypeer_cpa cpa = {.has_classifier = true, .service_count = 1, .public_key = key, .not_after = UINT64_MAX},
                      again;
    size_t signed_bytes;
    cpa.services[0].port = 3541;
    size_t length = bypeer_cpa_write(&cpa, profile_at(0), bytes, sizeof(bytes), &signed_bytes);
    cr_assert_eq(bypeer_cpa_read(&again, profile_at(0), bytes, length), 0);
    cr_assert_gt(again.not_after, UINT64_C(1800000000000), "as far as a FILETIME goes");
    memset(bytes + 8, 0, 8);
    cr_assert_eq(bypeer_cpa_read(&again, profile_at(0), bytes, length), 0);
    cr_assert_eq(again.not_after, 0, "1601 is before 1970");
}

static void random_bytes(uint64_t *state, void *ret_bytes, size_t length)
{
    uint8_t *bytes = ret_bytes;
    for (size_t at = 0; at < length; at++)
        bytes[at] = (uint8_t)random_next(state);
}

Test(pnrp_cpa, whatever_is_written_is_read_as_the_same)
{
    uint64_t state = 5;
    size_t longest = 0;
    for (unsigned round = 0; round < 4000; round++) {
        const struct bypeer_profile *profile = profile_at(round % BYPEER_PROFILES);
        uint8_t bytes[BYPEER_CPA_MAX] = {0}, comment[BYPEER_COMMENT_MAX], key[BYPEER_PUBLIC_KEY_MAX];
        struct bypeer_cpa cpa, again;
        uint32_t number = (uint32_t)random_next(&state);
        size_t signed_bytes;
        random_bytes(&state, &cpa, sizeof(cpa));
        random_bytes(&state, comment, sizeof(comment));
        random_bytes(&state, key, sizeof(key));
        cpa.revoke = number & 1;
        cpa.has_extended = number & 2;
        cpa.has_authority = number & 4;
        cpa.has_classifier = (number & 8) || !cpa.has_authority;
        cpa.not_after = number;
        cpa.comment_bytes = (uint8_t)random_next_below(&state, 79);
        cpa.comment_is_utf8 = cpa.comment_bytes % 2 != 0 || (cpa.comment_bytes > 0 && (number & 16));
        cpa.comment = cpa.comment_bytes > 0 ? comment : NULL;
        cpa.service_count = (uint8_t)(cpa.revoke ? 0 : 1 + random_next_below(&state, 4));
        for (unsigned at = 0; at < 4; at++)
            cpa.services[at].port |= 0x0401;
        cpa.application_count = (uint8_t)(cpa.revoke ? 0 : random_next_below(&state, 11));
        cpa.public_key = key;

        size_t length = bypeer_cpa_write(&cpa, profile, bytes, sizeof(bytes), &signed_bytes);
        cr_assert_gt(length, 0);
        longest = length > longest ? length : longest;
        uint8_t *exact = bytes_copy(bytes, length);
        cr_assert_eq(bypeer_cpa_read(&again, profile, exact, length), 0, "round %u", round);
        cr_assert_eq(again.revoke, cpa.revoke);
        cr_assert_eq(again.has_extended, cpa.has_extended);
        cr_assert_eq(again.not_after, cpa.not_after);
        cr_assert_arr_eq(again.service_location, cpa.service_location, 16);
        cr_assert_arr_eq(again.nonce, cpa.nonce, 16);
        cr_assert_eq(again.has_authority, cpa.has_authority);
        if (cpa.has_authority)
            cr_assert_arr_eq(again.authority, cpa.authority, 20);
        cr_assert_eq(again.has_classifier, cpa.has_classifier);
        if (cpa.has_classifier)
            cr_assert_arr_eq(again.classifier_hash, cpa.classifier_hash, 20);
        cr_assert_eq(again.comment_bytes, cpa.comment_bytes);
        cr_assert_eq(again.comment_is_utf8, cpa.comment_is_utf8);
        if (cpa.comment_bytes > 0)
            cr_assert_arr_eq(again.comment, comment, cpa.comment_bytes);
        cr_assert_eq(again.service_count, cpa.service_count);
        for (unsigned at = 0; at < cpa.service_count; at++) {
            cr_assert_arr_eq(again.services[at].address, cpa.services[at].address, 16);
            cr_assert_eq(again.services[at].port, cpa.services[at].port);
        }
        cr_assert_eq(again.application_count, cpa.application_count);
        for (unsigned at = 0; at < cpa.application_count; at++) {
            cr_assert_arr_eq(again.applications[at].address, cpa.applications[at].address, 16);
            cr_assert_eq(again.applications[at].port, cpa.applications[at].port);
            cr_assert_eq(again.applications[at].protocol, cpa.applications[at].protocol);
        }
        cr_assert_arr_eq(again.public_key, key, profile->public_key_bytes);
        cr_assert_eq(again.signed_bytes, signed_bytes);
        free(exact);
    }
    cr_assert_leq(longest, BYPEER_CPA_MAX);
}

Test(pnrp_cpa, longest_record_is_as_long_as_said)
{
    static const uint8_t key[BYPEER_PUBLIC_KEY_MAX], comment[BYPEER_COMMENT_MAX];
    uint8_t bytes[BYPEER_CPA_MAX];
    struct bypeer_cpa cpa = {.has_authority = true,
                             .has_classifier = true,
                             .comment = comment,
                             .comment_bytes = BYPEER_COMMENT_MAX,
                             .service_count = BYPEER_CPA_SERVICES_MAX,
                             .application_count = BYPEER_CPA_APPLICATIONS_MAX,
                             .public_key = key};
    size_t signed_bytes;
    cr_assert_eq(bypeer_cpa_write(&cpa, profile_at(BYPEER_PROFILE_WINDOWS), bytes, sizeof(bytes), &signed_bytes),
                 BYPEER_CPA_MAX);
}

Test(pnrp_extended, vectors_are_written_and_signed_as_they_were_read)
{
    for (unsigned at = 0; at < BYPEER_PROFILES; at++) {
        unsigned count = 0;
        for (const struct pnrp_vector *vector = pnrp_vectors[at].extendeds; vector->name; vector++, count++) {
            struct bypeer_extended extended;
            size_t length, signed_bytes, key_length;
            uint8_t *key = bytes_of(pnrp_vectors[at].public_key, &key_length);
            uint8_t *bytes = bytes_of(vector->hex, &length), again[BYPEER_EXTENDED_MAX];
            cr_assert_eq(bypeer_extended_read(&extended, profile_at(at), bytes, length), 0, "%s", vector->name);
            cr_assert_eq(bypeer_profile_verify(profile_at(at), key, bytes, extended.signed_bytes, extended.signature),
                         0, "%s", vector->name);
            cr_assert_eq(extended.not_after, NOT_AFTER);
            bytes_expect(extended.id, 32, pnrp_vectors[at].id_secure, "ID");
            bytes_expect(extended.nonce, 16, "000102030405060708090a0b0c0d0e0f", "nonce");
            cr_assert_eq(bypeer_extended_write(&extended, profile_at(at), again, length, &signed_bytes), length);
            sign(at, again, length, signed_bytes);
            cr_assert_arr_eq(again, bytes, length, "%s", vector->name);
            cr_assert_eq(bypeer_extended_write(&extended, profile_at(at), again, length - 1, &signed_bytes), 0);
            for (size_t part = 0; part < length; part++) {
                uint8_t *exact = bytes_copy(bytes, part);
                cr_assert_eq(bypeer_extended_read(&extended, profile_at(at), exact, part), -EBADMSG);
                if (part >= 2) {
                    exact[0] = (uint8_t)part;
                    exact[1] = (uint8_t)(part >> 8);
                }
                cr_assert_eq(bypeer_extended_read(&extended, profile_at(at), exact, part), -EBADMSG);
                free(exact);
            }
            free(bytes);
            free(key);
        }
        cr_assert_eq(count, 3);
    }
}

Test(pnrp_extended, payload_is_without_what_ends_it)
{
    const struct pnrp_vector *vectors = pnrp_vectors[BYPEER_PROFILE_WINDOWS].extendeds;
    const struct bypeer_profile *profile = profile_at(BYPEER_PROFILE_WINDOWS);
    struct bypeer_extended extended;
    size_t length;
    uint8_t *bytes = vector_of(vectors, "binary", &length);
    cr_assert_eq(bypeer_extended_read(&extended, profile, bytes, length), 0);
    cr_assert_eq(extended.type, BYPEER_PAYLOAD_BINARY);
    bytes_expect(extended.payload, extended.payload_bytes, "68656c6c6f", "hello");
    free(bytes);
    bytes = vector_of(vectors, "utf8", &length);
    cr_assert_eq(bypeer_extended_read(&extended, profile, bytes, length), 0);
    cr_assert_eq(extended.type, BYPEER_PAYLOAD_STRING);
    cr_assert_not(extended.payload_is_utf16);
    cr_assert_eq(extended.payload_bytes, strlen("grüß dich"));
    cr_assert_arr_eq(extended.payload, "grüß dich", strlen("grüß dich"));
    free(bytes);
    bytes = vector_of(vectors, "utf16", &length);
    cr_assert_eq(bypeer_extended_read(&extended, profile, bytes, length), 0);
    cr_assert(extended.payload_is_utf16);
    cr_assert_eq(extended.payload_bytes, 18);
    free(bytes);
}

Test(pnrp_extended, wrong_values_are_refused)
{
    static const struct change changes[] = {
        {"binary", 0, 0xda},  /* length */
        {"binary", 2, 1},     /* version */
        {"binary", 3, 1},     /* version */
        {"binary", 6, 0x50},  /* where the signature is */
        {"binary", 64, 2},    /* payloads */
        {"binary", 66, 14},   /* bytes of payloads */
        {"binary", 68, 1},    /* type */
        {"binary", 68, 2},    /* a string, without an end */
        {"binary", 72, 4},    /* bytes of this one */
        {"binary", 79, 0x87}, /* signature: length */
        {"binary", 81, 0x7f}, /* signature: bytes */
        {"binary", 83, 0x05}, /* signature: algorithm */
        {"utf8", 74, 2},      /* no such kind of string */
        {"utf8", 87, '!'},    /* no end */
        {"utf16", 94, '!'},   /* no end */
    };
    const struct pnrp_vector *vectors = pnrp_vectors[BYPEER_PROFILE_WINDOWS].extendeds;
    for (size_t at = 0; at < sizeof(changes) / sizeof(changes[0]); at++) {
        struct bypeer_extended extended;
        size_t length;
        uint8_t *bytes = vector_of(vectors, changes[at].vector, &length);
        cr_assert_lt(changes[at].at, length);
        cr_assert_neq(bytes[changes[at].at], changes[at].value, "case %zu changes nothing", at);
        bytes[changes[at].at] = changes[at].value;
        cr_assert_eq(bypeer_extended_read(&extended, profile_at(BYPEER_PROFILE_WINDOWS), bytes, length), -EBADMSG,
                     "%s with %#x at %zu", changes[at].vector, changes[at].value, changes[at].at);
        free(bytes);
    }
}

Test(pnrp_extended, payloads_up_to_the_limit_come_back)
{
    static uint8_t bytes[BYPEER_EXTENDED_MAX + 100], payload[BYPEER_PAYLOAD_MAX + 1];
    const struct {
        enum bypeer_payload_type type;
        bool is_utf16;
        uint16_t least, most;
    } kinds[] = {
        {BYPEER_PAYLOAD_BINARY, false, 1, BYPEER_PAYLOAD_MAX},
        {BYPEER_PAYLOAD_STRING, false, 0, BYPEER_PAYLOAD_MAX - 1},
        {BYPEER_PAYLOAD_STRING, true, 0, BYPEER_PAYLOAD_MAX - 2},
    };
    memset(payload, 'x', sizeof(payload));
    for (unsigned kind = 0; kind < 3; kind++)
        for (unsigned length = 0; length <= BYPEER_PAYLOAD_MAX + 1; length++) {
            const struct bypeer_profile *profile = profile_at(length % BYPEER_PROFILES);
            struct bypeer_extended extended = {.type = kinds[kind].type,
                                               .not_after = NOT_AFTER,
                                               .payload = payload,
                                               .payload_bytes = (uint16_t)length,
                                               .payload_is_utf16 = kinds[kind].is_utf16},
                                   again;
            size_t signed_bytes;
            bool is_one =
                length >= kinds[kind].least && length <= kinds[kind].most && !(kinds[kind].is_utf16 && length % 2 != 0);
            size_t written = bypeer_extended_write(&extended, profile, bytes, sizeof(bytes), &signed_bytes);
            cr_assert_eq(written > 0, is_one, "kind %u, %u bytes", kind, length);
            if (!is_one)
                continue;
            cr_assert_leq(written, BYPEER_EXTENDED_MAX);
            cr_assert_eq(bypeer_extended_read(&again, profile, bytes, written), 0, "kind %u, %u bytes", kind, length);
            cr_assert_eq(again.type, extended.type);
            cr_assert_eq(again.payload_is_utf16, extended.payload_is_utf16);
            cr_assert_eq(again.payload_bytes, length);
            cr_assert_arr_eq(again.payload, payload, length);
        }
}

Test(pnrp_extended, string_with_a_nul_is_not_cut_short_silently)
{
    uint8_t bytes[BYPEER_EXTENDED_MAX];
    struct bypeer_extended extended = {
        .type = BYPEER_PAYLOAD_STRING, .payload = (const uint8_t *)"a\0b", .payload_bytes = 3};
    size_t signed_bytes;
    cr_assert_eq(bypeer_extended_write(&extended, profile_at(0), bytes, sizeof(bytes), &signed_bytes), 0);
}
