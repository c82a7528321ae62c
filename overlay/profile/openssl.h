/*
 * Keys of a profile as OpenSSL's, for certificates, PFX and TLS.
 *
 * Threads: any.
 */
#pragma once

#include "overlay/profile/key.h"

struct evp_pkey_st; /* EVP_PKEY */

/* Borrowed: valid as long as the key. */
struct evp_pkey_st *bypeer_key_pair(const struct bypeer_key *key);
/* A key of that pair; takes its own reference. 0; -EINVAL: a key that this profile does not use; -ENOMEM. */
int bypeer_key_from_pair(struct bypeer_key **ret_key, const struct bypeer_profile *profile, struct evp_pkey_st *pair);
/* A public key of the profile (profile->public_key_bytes); NULL: it is none. To be freed by EVP_PKEY_free(). */
struct evp_pkey_st *bypeer_profile_public_pair(const struct bypeer_profile *profile, const uint8_t *public_key);
