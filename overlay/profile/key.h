/*
 * A private key of a wire profile.
 *
 * Threads: a key is immutable; any number of threads may sign with it at once.
 */
#pragma once

#include "overlay/profile/profile.h"

struct bypeer_key;

#define BYPEER_KEY_TEXT_MAX 2048

/* A new one, from the operating system's random numbers. 0, -ENOMEM or -EIO. */
int bypeer_key_generate(struct bypeer_key **ret_key, const struct bypeer_profile *profile);
/* From PKCS#8 in PEM, not encrypted. -EBADMSG: no such text; -EINVAL: a key that this profile does not use. */
int bypeer_key_read(struct bypeer_key **ret_key, const struct bypeer_profile *profile, const char *text, size_t length);
/* To the same form, NUL-terminated. The caller wipes the text when it is done with it. 0 or -ENOMEM. */
int bypeer_key_write(const struct bypeer_key *key, char ret_text[static BYPEER_KEY_TEXT_MAX]);
void bypeer_key_free(struct bypeer_key *key); /* NULL is fine; wipes it */

const struct bypeer_profile *bypeer_key_profile(const struct bypeer_key *key);
/* profile->public_key_bytes of it are the public key, in the form that a CPA carries. */
const uint8_t *bypeer_key_public(const struct bypeer_key *key);
/* The authority of a secure name: hash of the public key. */
void bypeer_key_authority(const struct bypeer_key *key, uint8_t ret_authority[static 20]);

/* Writes profile->signature_bytes. 0 or -EIO. */
int bypeer_key_sign(const struct bypeer_key *key, const void *bytes, size_t length, uint8_t *ret_signature);
/* The same as records of groups have it: in windows the hash lies in the signature without its DigestInfo. */
int bypeer_key_sign_record(const struct bypeer_key *key, const void *bytes, size_t length, uint8_t *ret_signature);
