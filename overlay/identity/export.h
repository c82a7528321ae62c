/*
 * An identity with its private key, under a password (identity.md 3): PEERIDENTITYEXPORT with a PFX (RFC 7292). The
 * modern profile encrypts with AES-256 and PBKDF2 over SHA-256, that of Windows with triple DES and SHA-1, as it does.
 *
 * Where a key was replaced, the statements that lead from the first one to it go with it (ROTATIONS, this program's
 * own).
 *
 * Threads: any. Slow on purpose (some tenths of a second): a thread's work, never the event loop's.
 */
#pragma once

#include "overlay/identity/identity.h"

#define BYPEER_EXPORT_PASSWORD_MAX 255 /* bytes of UTF-8 */

struct bypeer_identity_export {
    struct bypeer_peer_name name; /* stays when keys change */
    struct bypeer_key *key;
    struct bypeer_certificate *idc; /* of that key */
    uint8_t *rotations;             /* as rotation.h writes them, one after the other, or NULL */
    uint8_t *delegation;            /* a bag: by which the key may publish the name in PNRP, or NULL; not judged here */
    size_t rotations_bytes, delegation_bytes;
};

/* *ret_text is to be wiped and freed by the caller. 0; -EINVAL with one line in why; -ENOMEM. */
int bypeer_identity_export_write(char **ret_text, const struct bypeer_identity_export *identity, const char *password,
                                 char why[static 160]);
/* 0, and what is in it, to be released; -EBADMSG: no such text, or changed; -EACCES: not this password; each with one
 * line in why. -ENOMEM. Of either profile. */
int bypeer_identity_export_read(struct bypeer_identity_export *ret_identity, const char *text, size_t length,
                                const char *password, char why[static 160]);
void bypeer_identity_export_release(struct bypeer_identity_export *identity);
