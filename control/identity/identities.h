/*
 * The identities of this node: who it can be in names and in groups.
 *
 *   STATE/identities/                  0700
 *     default.PROFILE                  the authority of that profile's default identity
 *     AUTHORITY/                       of the identity's first key; stays when keys change
 *       key.pem                        the private key, PKCS#8, 0600
 *       key.next.pem                   only while a replacement is being written
 *       key.old.pem                    the key before, until the end of its overlap
 *       identity.json                  profile, classifier, friendly name, times: nothing secret
 *       idc.der                        the certificate
 *       rotations                      the statements of rotation.h
 *
 * Where $CREDENTIALS_DIRECTORY holds identity.AUTHORITY.pem, that is the key, and no key is written to disk; such an
 * identity is not rotated or exported here.
 *
 * Each change is whole or not at all, also after a power failure. A key never leaves this module but by an export.
 *
 * Thread: one (control's loop).
 */
#pragma once

#include <stdbool.h>

#include "control/problem.h"
#include "overlay/identity/export.h"
#include "overlay/identity/rotation.h"

#define BYPEER_IDENTITIES_MAX 64

struct bypeer_identities;

/* One identity. Borrowed from the store until the next change of it. */
struct bypeer_identity {
    const struct bypeer_profile *profile;
    struct bypeer_peer_name name;
    char name_text[BYPEER_NAME_TEXT_MAX];
    char friendly[BYPEER_FRIENDLY_NAME_TEXT_MAX]; /* never empty: the name's text where none was given */
    const struct bypeer_key *key;
    struct bypeer_certificate *idc;   /* of that key; reference it to keep it */
    uint64_t created;                 /* Unix seconds */
    bool is_default;                  /* of its profile */
    bool is_credential;               /* the key comes from $CREDENTIALS_DIRECTORY */
    unsigned rotations;               /* replacements of the key so far */
    const struct bypeer_key *old_key; /* still valid beside key, or NULL */
    uint64_t old_until;
    const uint8_t *rotation_bytes; /* statements, oldest first */
    size_t rotation_length;
};

/* Reads all of them. credentials NULL: $CREDENTIALS_DIRECTORY is not set. now: Unix seconds. One that cannot be read is
 * a failure that names the file: nothing is left out silently. */
int bypeer_identities_open(struct bypeer_identities **ret_identities, const char *state, const char *credentials,
                           uint64_t now, struct bypeer_problem *problem);
void bypeer_identities_close(struct bypeer_identities *identities); /* wipes the keys; NULL is fine */

size_t bypeer_identities_count(const struct bypeer_identities *identities);
const struct bypeer_identity *bypeer_identities_at(const struct bypeer_identities *identities, size_t at);
/* By peer name, by authority, or by an unambiguous friendly name. NULL with -ENOENT or -EINVAL in problem. */
const struct bypeer_identity *bypeer_identities_find(const struct bypeer_identities *identities, const char *text,
                                                     struct bypeer_problem *problem);
/* The default one of a profile; make: a new one where there is none. NULL with the problem. */
const struct bypeer_identity *bypeer_identities_default(struct bypeer_identities *identities,
                                                        const struct bypeer_profile *profile, bool make, uint64_t now,
                                                        struct bypeer_problem *problem);

/* Changes. 0 or a negative errno with the problem. ret_identity may be NULL. The first of a profile becomes its
 * default. */
int bypeer_identities_create(struct bypeer_identities *identities, const struct bypeer_profile *profile,
                             const char *classifier, const char *friendly, uint64_t now,
                             const struct bypeer_identity **ret_identity, struct bypeer_problem *problem);
/* friendly NULL or "": back to the peer name. The certificate is made anew. */
int bypeer_identities_rename(struct bypeer_identities *identities, const struct bypeer_identity *identity,
                             const char *friendly, uint64_t now, struct bypeer_problem *problem);
/* Key, certificate and all, for ever. -EBUSY: something still uses it (see bypeer_identities_guard()). */
int bypeer_identities_delete(struct bypeer_identities *identities, const struct bypeer_identity *identity,
                             struct bypeer_problem *problem);
int bypeer_identities_set_default(struct bypeer_identities *identities, const struct bypeer_identity *identity,
                                  struct bypeer_problem *problem);
/* A new key; the old one stays valid beside it for overlap_s, and the peer name for ever. */
int bypeer_identities_rotate(struct bypeer_identities *identities, const struct bypeer_identity *identity,
                             uint64_t overlap_s, uint64_t now, struct bypeer_problem *problem);
/* Takes over what an export held; its key is moved, the rest copied. -EEXIST: it is here already. */
int bypeer_identities_import(struct bypeer_identities *identities, struct bypeer_identity_export *identity,
                             uint64_t now, const struct bypeer_identity **ret_identity, struct bypeer_problem *problem);
/* What export.h is to write. Key and certificate are new references, to be released. -EPERM: of a credential. */
int bypeer_identities_export(const struct bypeer_identities *identities, const struct bypeer_identity *identity,
                             struct bypeer_identity_export *ret_identity, struct bypeer_problem *problem);
/* Drops old keys whose overlap is over. Returns the next time at which that is to be done, or UINT64_MAX. */
uint64_t bypeer_identities_expire(struct bypeer_identities *identities, uint64_t now);

/* Who uses identities: refuses a deletion with a problem, and hears of changes of key and certificate. At most 4 of
 * them. */
struct bypeer_identities_guard {
    void *context;
    /* 0, or negative with the problem: "is in group ...". May be NULL. */
    int (*may_delete)(void *context, const struct bypeer_identity *identity, struct bypeer_problem *problem);
    /* After a rename, a rotation, or the end of an overlap. May be NULL. */
    void (*changed)(void *context, const struct bypeer_identity *identity);
};
void bypeer_identities_guard(struct bypeer_identities *identities, const struct bypeer_identities_guard *guard);
