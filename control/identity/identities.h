/*
 * The identities of this node: who it can be in names and in groups.
 *
 *   STATE/identities/            0700
 *     default.PROFILE            the authority of that profile's default identity
 *     AUTHORITY/                 of the identity's first key; stays when keys change. 0700
 *       identity.json            profile, name, certificate, statements, which keys: nothing secret
 *       KEY.pem                  a private key, PKCS#8, 0600; KEY is the hash of its public key
 *
 * A change of an identity replaces identity.json, which names the keys that count: so it is whole or not at all, also
 * after a power failure. A key never leaves this module but by an export.
 *
 * Where $CREDENTIALS_DIRECTORY holds identity.NAME.pem, that is an identity, too, whose key is never written to disk:
 * it cannot be deleted, exported or given another key here.
 *
 * Thread: one (control's loop). Keys, old ones too, stay valid until the store is closed: threads may be signing.
 */
#pragma once

#include <stdbool.h>

#include "control/problem.h"
#include "overlay/certificate/chain.h"
#include "overlay/identity/export.h"
#include "overlay/identity/rotation.h"

#define BYPEER_IDENTITIES_MAX 64

struct bypeer_identities;

/* One identity. Valid until it is deleted; what it points to, until its next change. */
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
    const struct bypeer_key *old_key; /* still valid beside key, or NULL */
    uint64_t old_until;
    unsigned rotation_count;  /* replacements of the key so far */
    const uint8_t *rotations; /* their statements, oldest first, or NULL */
    size_t rotations_bytes;
    /* By which key may publish names of the first key's authority in PNRP; NULL: it is the first. */
    const struct bypeer_chain *delegation;
};

/* Reads all of them; credentials NULL: $CREDENTIALS_DIRECTORY is not set. now: Unix seconds. What cannot be read is
 * left out, and told by bypeer_identities_unreadable(). */
int bypeer_identities_open(struct bypeer_identities **ret_identities, const char *state, const char *credentials,
                           uint64_t now, struct bypeer_problem *problem);
void bypeer_identities_close(struct bypeer_identities *identities); /* wipes the keys; NULL is fine */

size_t bypeer_identities_count(const struct bypeer_identities *identities);
const struct bypeer_identity *bypeer_identities_at(const struct bypeer_identities *identities, size_t at);
/* The at-th that could not be read, by its authority or file, with the problem; NULL: no more. */
const char *bypeer_identities_unreadable(const struct bypeer_identities *identities, size_t at,
                                         const struct bypeer_problem **ret_problem);
/* By peer name, by authority, or by a friendly name that only one has. NULL with the problem. */
const struct bypeer_identity *bypeer_identities_find(const struct bypeer_identities *identities, const char *text,
                                                     struct bypeer_problem *problem);
/* By authority; NULL: it is none of this node's. */
const struct bypeer_identity *bypeer_identities_of(const struct bypeer_identities *identities,
                                                   const struct bypeer_profile *profile,
                                                   const uint8_t authority[static BYPEER_AUTHORITY_BYTES]);
/* The default one of a profile; make: a new one where there is none. NULL with the problem. */
const struct bypeer_identity *bypeer_identities_default(struct bypeer_identities *identities,
                                                        const struct bypeer_profile *profile, bool make, uint64_t now,
                                                        struct bypeer_problem *problem);

/* Changes: 0, or a negative errno with the problem and nothing changed. ret_identity may be NULL. */

/* The first one of a profile becomes its default. classifier NULL: the empty one. */
int bypeer_identities_create(struct bypeer_identities *identities, const struct bypeer_profile *profile,
                             const char *classifier, const char *friendly, uint64_t now,
                             const struct bypeer_identity **ret_identity, struct bypeer_problem *problem);
/* friendly NULL or "": back to the peer name. The certificate is made anew. */
int bypeer_identities_rename(struct bypeer_identities *identities, const struct bypeer_identity *identity,
                             const char *friendly, uint64_t now, struct bypeer_problem *problem);
/* Key, certificate and all, for ever. -EBUSY: something still uses it. */
int bypeer_identities_delete(struct bypeer_identities *identities, const struct bypeer_identity *identity,
                             struct bypeer_problem *problem);
int bypeer_identities_set_default(struct bypeer_identities *identities, const struct bypeer_identity *identity,
                                  struct bypeer_problem *problem);
/* A new key; the old one stays valid beside it for overlap_s, and the peer name for ever. */
int bypeer_identities_rotate(struct bypeer_identities *identities, const struct bypeer_identity *identity,
                             uint64_t overlap_s, uint64_t now, struct bypeer_problem *problem);
/* Takes over what an export held; its key is moved, the rest copied. -EEXIST: it is here already. */
int bypeer_identities_import(struct bypeer_identities *identities, struct bypeer_identity_export *given, uint64_t now,
                             const struct bypeer_identity **ret_identity, struct bypeer_problem *problem);
/* What export.h is to write, of its own, to be released. -EPERM: of a credential. */
int bypeer_identities_export(const struct bypeer_identities *identities, const struct bypeer_identity *identity,
                             struct bypeer_identity_export *ret_export, struct bypeer_problem *problem);
/* Drops old keys whose overlap is over. */
void bypeer_identities_expire(struct bypeer_identities *identities, uint64_t now);

/* Who uses identities. At most 4 of them; a context outlives the store or is taken away by unguard. */
struct bypeer_identities_guard {
    void *context;
    /* 0, or negative with the problem: "is in group ...". May be NULL. */
    int (*may_delete)(void *context, const struct bypeer_identity *identity, struct bypeer_problem *problem);
    /* After a rename, a rotation, or the end of an overlap. May be NULL. */
    void (*changed)(void *context, const struct bypeer_identity *identity);
};
void bypeer_identities_guard(struct bypeer_identities *identities, const struct bypeer_identities_guard *guard);
void bypeer_identities_unguard(struct bypeer_identities *identities, const void *context);
