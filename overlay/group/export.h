/*
 * A group as a file, to move it to another machine or to keep it: PEERGROUPCONFIG (reference 6.4). The identity is
 * exported by itself (overlay/identity/export.h) and is imported first.
 *
 * Who founded the group has its key in it, under a password: GROUPKEY of this program's own, since how Windows carries
 * it is not documented: salt 16 | nonce 24 | XSalsa20-Poly1305 under Argon2id of the password, over the key in PEM.
 *
 * Threads: any. With a key slow on purpose (some tenths of a second): a thread's work, never the event loop's.
 */
#pragma once

#include "overlay/group/invitation.h"
#include "overlay/profile/key.h"

struct bypeer_group_export {
    struct bypeer_peer_name identity; /* whose membership it is */
    struct bypeer_invitation group;   /* its chain is that of the membership */
    struct bypeer_key *group_key;     /* NULL: this is not who founded it */
};

/*
 * *ret_text is NUL-terminated, to be wiped and freed by the caller. password: NULL without a group key. 0; -EINVAL with
 * why; -ENOMEM.
 */
int bypeer_group_export_write(char **ret_text, const struct bypeer_group_export *group, const char *password,
                              char why[static 160]);
/* 0 with what is in it, to be released; -EINVAL: no such text, or damaged; -EACCES: not this password, or none; each
 * with why. -ENOMEM. */
int bypeer_group_export_read(struct bypeer_group_export *ret_group, const struct bypeer_profile *profile,
                             const char *text, size_t length, const char *password, char why[static 160]);
void bypeer_group_export_release(struct bypeer_group_export *group);
