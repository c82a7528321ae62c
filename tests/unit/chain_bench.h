/*
 * Chains of certificates as OpenSSL makes them, not overlay/certificate: right ones at first, of which a test changes
 * what it wants before they are signed.
 */
#pragma once

#include <openssl/evp.h>

#include "overlay/pnrp/name.h"
#include "overlay/profile/key.h"

#define BENCH_NOW   1700000000
#define BENCH_ARC   "1.3.6.1.4.1.311.44."
#define BENCH_KEYS  6
#define BENCH_CERTS 4

/* Roles, as 16 bytes. */
extern const char bench_admin[], bench_inviting[], bench_inviting_too[], bench_member[];

/* One certificate as it is to be made. */
struct bench_wanted {
    unsigned key, issuer_key;
    const char *subject, *issuer, *subject_name, *issuer_name; /* the latter two: alternative names */
    uint8_t type, version;
    const char *peer_name; /* its classifier; NULL: none */
    const char *role;
    const char *const *classifiers; /* up to NULL; NULL: no list */
    long valid_from, valid_to;      /* seconds from BENCH_NOW */
    unsigned serial_bytes, x509_version;
    const char *extra; /* an extension of this type, too */
    bool extra_is_critical, is_not_critical;
    int string_type;
};

struct bench {
    const struct bypeer_profile *profile;
    struct bypeer_key *keys[BENCH_KEYS];
    EVP_PKEY *pairs[BENCH_KEYS];
    struct bench_wanted wanted[BENCH_CERTS];
    unsigned count;
};

/* A group, its administrator Ada, and Bob, a member whom she let publish "fish" and "cheese". */
struct bench *bench_open(enum bypeer_profile_id id);
void bench_close(struct bench *bench);
/* The chain, to be freed by the caller. */
uint8_t *bench_chain(struct bench *bench, size_t *ret_length);
/* Whether the last one's key may publish this classifier below the first one's authority. */
int bench_validate(struct bench *bench, const char *classifier, char why[static 160]);
