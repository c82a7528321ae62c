/* Both wire profiles: hashes, keys and signatures. */
#include <errno.h>
#include <string.h>

#include <criterion/criterion.h>

#include "overlay/profile/key.h"
#include "tests/unit/fixtures/pnrp_vectors.h"
#include "tests/unit/pnrp_bytes.h"

static const struct bypeer_profile *profile_at(unsigned at)
{
    return bypeer_profile((enum bypeer_profile_id)at);
}

static struct bypeer_key *key_read(unsigned at)
{
    const char *text = pnrp_vectors[at].private_key;
    struct bypeer_key *key;
    cr_assert_eq(bypeer_key_read(&key, profile_at(at), text, strlen(text)), 0);
    return key;
}

Test(profile, is_found_by_its_name)
{
    for (unsigned at = 0; at < BYPEER_PROFILES; at++)
        cr_assert_eq(bypeer_profile_find(profile_at(at)->name), profile_at(at));
    cr_assert_null(bypeer_profile_find("Modern"));
    cr_assert_null(bypeer_profile_find(""));
}

/* FIPS 180-2's example of one block, in pieces. */
Test(profile, hashes_over_all_pieces)
{
    const struct bypeer_piece pieces[] = {{"a", 1}, {NULL, 0}, {"bc", 2}};
    uint8_t hash[20];
    bypeer_profile_hash(bypeer_profile(BYPEER_PROFILE_WINDOWS), pieces, 3, hash);
    bytes_expect(hash, sizeof(hash), "a9993e364706816aba3e25717850c26c9cd0d89d", "SHA-1");
    bypeer_profile_hash(bypeer_profile(BYPEER_PROFILE_MODERN), pieces, 3, hash);
    bytes_expect(hash, sizeof(hash), "ba7816bf8f01cfea414140de5dae2223b00361a3", "SHA-256, cut");
    bypeer_profile_hash(bypeer_profile(BYPEER_PROFILE_WINDOWS), NULL, 0, hash);
    bytes_expect(hash, sizeof(hash), "da39a3ee5e6b4b0d3255bfef95601890afd80709", "SHA-1 of nothing");
}

Test(profile, key_of_known_text_has_known_public_key)
{
    for (unsigned at = 0; at < BYPEER_PROFILES; at++) {
        struct bypeer_key *key = key_read(at);
        uint8_t authority[20];
        bypeer_key_authority(key, authority);
        cr_assert_eq(bypeer_key_profile(key), profile_at(at));
        bytes_expect(bypeer_key_public(key), profile_at(at)->public_key_bytes, pnrp_vectors[at].public_key, "key");
        bytes_expect(authority, sizeof(authority), pnrp_vectors[at].authority, "authority");
        bypeer_key_free(key);
    }
}

Test(profile, key_is_the_same_when_written_and_read_again)
{
    for (unsigned at = 0; at < BYPEER_PROFILES; at++) {
        struct bypeer_key *key, *again;
        char text[BYPEER_KEY_TEXT_MAX];
        uint8_t signature[BYPEER_SIGNATURE_MAX];
        cr_assert_eq(bypeer_key_generate(&key, profile_at(at)), 0);
        cr_assert_eq(bypeer_key_write(key, text), 0);
        cr_assert_eq(bypeer_key_read(&again, profile_at(at), text, strlen(text)), 0);
        cr_assert_eq(bypeer_key_sign(again, "text", 4, signature), 0);
        cr_assert_eq(bypeer_profile_verify(profile_at(at), bypeer_key_public(key), "text", 4, signature), 0);
        bypeer_key_free(again);
        bypeer_key_free(key);
    }
}

Test(profile, keys_are_made_anew)
{
    for (unsigned at = 0; at < BYPEER_PROFILES; at++) {
        struct bypeer_key *one, *other;
        cr_assert_eq(bypeer_key_generate(&one, profile_at(at)), 0);
        cr_assert_eq(bypeer_key_generate(&other, profile_at(at)), 0);
        cr_assert_arr_neq(bypeer_key_public(one), bypeer_key_public(other), profile_at(at)->public_key_bytes);
        bypeer_key_free(one);
        bypeer_key_free(other);
    }
}

Test(profile, key_text_of_another_kind_is_refused)
{
    const char *modern = pnrp_vectors[BYPEER_PROFILE_MODERN].private_key;
    const char *windows = pnrp_vectors[BYPEER_PROFILE_WINDOWS].private_key;
    struct bypeer_key *key = NULL;
    const struct bypeer_profile *profile = bypeer_profile(BYPEER_PROFILE_MODERN);
    cr_assert_eq(bypeer_key_read(&key, profile, windows, strlen(windows)), -EINVAL);
    cr_assert_eq(bypeer_key_read(&key, bypeer_profile(BYPEER_PROFILE_WINDOWS), modern, strlen(modern)), -EINVAL);
    cr_assert_eq(bypeer_key_read(&key, profile, "", 0), -EBADMSG);
    cr_assert_eq(bypeer_key_read(&key, profile, modern, strlen(modern) / 2), -EBADMSG);
    cr_assert_eq(bypeer_key_read(&key, profile, "-----BEGIN PRIVATE KEY-----\n", 28), -EBADMSG);
    cr_assert_null(key);
}

/* Nobody is asked for a word on the terminal. */
Test(profile, encrypted_key_is_refused)
{
    static const char text[] = "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
                               "MIGbMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAiLHjNRvjKcCwICCAAw\n"
                               "-----END ENCRYPTED PRIVATE KEY-----\n";
    struct bypeer_key *key;
    cr_assert_eq(bypeer_key_read(&key, bypeer_profile(BYPEER_PROFILE_MODERN), text, strlen(text)), -EBADMSG);
}

Test(profile, signature_holds_for_these_bytes_and_this_key_only)
{
    for (unsigned at = 0; at < BYPEER_PROFILES; at++) {
        const struct bypeer_profile *profile = profile_at(at);
        struct bypeer_key *key = key_read(at), *other;
        cr_assert_eq(bypeer_key_generate(&other, profile), 0);
        uint8_t *signature = malloc(profile->signature_bytes);
        uint8_t *public_key = bytes_copy(bypeer_key_public(key), profile->public_key_bytes);
        cr_assert_eq(bypeer_key_sign(key, "signed text", 11, signature), 0);
        cr_assert_eq(bypeer_profile_verify(profile, public_key, "signed text", 11, signature), 0);
        cr_assert_eq(bypeer_profile_verify(profile, public_key, "signed texs", 11, signature), -EKEYREJECTED);
        cr_assert_eq(bypeer_profile_verify(profile, public_key, "signed text", 10, signature), -EKEYREJECTED);
        cr_assert_eq(bypeer_profile_verify(profile, bypeer_key_public(other), "signed text", 11, signature),
                     -EKEYREJECTED);
        for (unsigned byte = 0; byte < profile->signature_bytes; byte++) {
            signature[byte] ^= 1;
            cr_assert_eq(bypeer_profile_verify(profile, public_key, "signed text", 11, signature), -EKEYREJECTED,
                         "byte %u of the signature", byte);
            signature[byte] ^= 1;
        }
        free(signature);
        free(public_key);
        bypeer_key_free(other);
        bypeer_key_free(key);
    }
}

/* In windows the padded block ends with the hash alone: what a public key's operation gives back is its 20 bytes. */
Test(profile, signature_of_a_record_has_no_digest_info_in_windows)
{
    for (unsigned at = 0; at < BYPEER_PROFILES; at++) {
        const struct bypeer_profile *profile = profile_at(at);
        struct bypeer_key *key = key_read(at);
        const uint8_t *public_key = bypeer_key_public(key);
        uint8_t signature[BYPEER_SIGNATURE_MAX];
        bool is_same = at != BYPEER_PROFILE_WINDOWS;
        cr_assert_eq(bypeer_key_sign_record(key, "signed text", 11, signature), 0);
        cr_assert_eq(bypeer_profile_verify_record(profile, public_key, "signed text", 11, signature), 0);
        cr_assert_eq(bypeer_profile_verify_record(profile, public_key, "signed texs", 11, signature), -EKEYREJECTED);
        cr_assert_eq(bypeer_profile_verify(profile, public_key, "signed text", 11, signature) == 0, is_same);
        cr_assert_eq(bypeer_key_sign(key, "signed text", 11, signature), 0);
        cr_assert_eq(bypeer_profile_verify_record(profile, public_key, "signed text", 11, signature) == 0, is_same);
        bypeer_key_free(key);
    }
}

Test(profile, public_key_that_is_none_is_told_from_a_wrong_signature)
{
    const struct bypeer_profile *windows = bypeer_profile(BYPEER_PROFILE_WINDOWS);
    uint8_t signature[BYPEER_SIGNATURE_MAX] = {0};
    size_t length;
    uint8_t *public_key = bytes_of(pnrp_vectors[BYPEER_PROFILE_WINDOWS].public_key, &length);
    cr_assert_eq(length, windows->public_key_bytes);
    public_key[0] = 0x31; /* no SEQUENCE */
    cr_assert_eq(bypeer_profile_verify(windows, public_key, "", 0, signature), -EINVAL);
    public_key[0] = 0x30;
    public_key[2] -= 1; /* ends before the last byte */
    cr_assert_eq(bypeer_profile_verify(windows, public_key, "", 0, signature), -EINVAL);
    public_key[2] += 1;
    public_key[7] &= 0x7f; /* a modulus of fewer bits */
    cr_assert_eq(bypeer_profile_verify(windows, public_key, "", 0, signature), -EINVAL);
    free(public_key);
}
