/*
 * Wire profiles: the same layouts with the cryptography of today, or with that of 2006.
 *
 * Every protocol of the platform exists in two profiles. They never meet: each has its own version number in the
 * headers and its own port, so that each makes clouds and graphs of its own. What hashes a field, what a public key
 * looks like and what signs is decided in this folder and nowhere else (profile.c is the table).
 *
 *                    modern (default)                        windows ([MS-PNRP] as specified)
 *   hash of a field  SHA-256, cut to the field's 16 or 20    SHA-1, cut likewise
 *   key              Ed25519: 32 bytes, "1.3.101.112"        RSA-1024: DER RSAPublicKey of 140 bytes
 *   signature        Ed25519: 64 bytes                       RSASSA-PKCS1-v1_5 with SHA-1: 128 bytes
 *   of records       the same                            the same without DigestInfo ([MS-PPSEC], records)
 *   PNRP             version 5.0, UDP port 3541              version 4.0, UDP port 3540
 *
 * Threads: any; nothing here has state.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum bypeer_profile_id { BYPEER_PROFILE_MODERN, BYPEER_PROFILE_WINDOWS, BYPEER_PROFILES };

#define BYPEER_PUBLIC_KEY_MAX 140
#define BYPEER_SIGNATURE_MAX  128

struct bypeer_profile {
    enum bypeer_profile_id id;
    const char *name; /* "modern", as in the configuration */
    uint8_t pnrp_major, pnrp_minor;
    uint16_t pnrp_port;
    const char *key_algorithm;    /* object identifier as text: what the CPA's Algorithm ObjId holds */
    uint16_t public_key_bytes;    /* of the CPA's PublicKey Data; no other length is legal in this profile */
    uint16_t signature_bytes;     /* of Signature Data */
    uint32_t signature_algorithm; /* ALG_ID of a SIGNATURE */
};

const struct bypeer_profile *bypeer_profile(enum bypeer_profile_id id); /* of an id of the enum; never NULL */
const struct bypeer_profile *bypeer_profile_find(const char *name);     /* NULL: there is none of that name */

/* One piece of what is hashed. */
struct bypeer_piece {
    const void *bytes;
    size_t length;
};

/* The profile's hash over the pieces, as a field of 20 bytes has it; one of 16 bytes has the first 16. */
void bypeer_profile_hash(const struct bypeer_profile *profile, const struct bypeer_piece *pieces, size_t count,
                         uint8_t ret_hash[static 20]);

/*
 * Whether signature is public_key's over bytes. 0; -EKEYREJECTED: it is not, or memory for finding out is short;
 * -EINVAL: no key of this profile. public_key has profile->public_key_bytes, signature profile->signature_bytes.
 */
int bypeer_profile_verify(const struct bypeer_profile *profile, const uint8_t *public_key, const void *bytes,
                          size_t length, const uint8_t *signature);
/* The same of bypeer_key_sign_record(). */
int bypeer_profile_verify_record(const struct bypeer_profile *profile, const uint8_t *public_key, const void *bytes,
                                 size_t length, const uint8_t *signature);
