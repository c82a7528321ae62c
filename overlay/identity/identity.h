/*
 * An identity: a key, its certificate (IDC) and a peer name (identity.md 1 to 3). A peer name is hash(key).classifier
 * of the identity's first key, and stays when the key is replaced: rotation.h.
 *
 * What an identity hands to an inviter is the identity information: XML with its IDC.
 *
 * Threads: any.
 */
#pragma once

#include "overlay/certificate/certificate.h"

#define BYPEER_IDENTITY_XML_MAX 131072 /* bytes of any XML form of an identity */

/* The peer name of the key with this classifier (which may be empty): hash(key).classifier. */
void bypeer_identity_name(struct bypeer_peer_name *ret_name, const struct bypeer_key *key,
                          const struct bypeer_peer_name *classifier);
/*
 * The certificate of a key: its peer name is hash(key).classifier, of the key as it is now. friendly NULL or "": the
 * text of that. 0; -EINVAL with *ret_why (static); -ENOMEM.
 */
int bypeer_identity_certify(struct bypeer_certificate **ret_idc, const struct bypeer_key *key,
                            const struct bypeer_peer_name *classifier, const char *friendly, uint64_t not_before,
                            uint64_t not_after, const uint8_t random[static BYPEER_CERTIFICATE_SERIAL],
                            const char **ret_why);

/* What an inviter learns of an identity. */
struct bypeer_identity_info {
    struct bypeer_peer_name name;   /* of its first key: the subject of its memberships */
    struct bypeer_certificate *idc; /* of its key now; a reference */
};

/*
 * PEERIDENTITYINFO. Where the key was replaced, the statements of rotation.h go with it (ROTATIONS, this program's
 * own), else rotations is NULL. *ret_text is NUL-terminated, to be freed by free(). 0 or -ENOMEM.
 */
int bypeer_identity_info_write(char **ret_text, struct bypeer_certificate *idc, const uint8_t *rotations,
                               size_t rotations_bytes);
/*
 * Reads such a text, of either profile. Its IDC is sound by bypeer_certificate_judge_identity() at some time, and its
 * key that of the name. 0, and the info is to be released; -EBADMSG with one line in why; -ENOMEM.
 */
int bypeer_identity_info_read(struct bypeer_identity_info *ret_info, const char *text, size_t length,
                              char why[static 160]);
void bypeer_identity_info_release(struct bypeer_identity_info *info);

/*
 * Who the holder of an IDC is: the name of its first key. rotations NULL: it has replaced none. 0; -EBADMSG with one
 * line in why: the statements do not lead from one to the other.
 */
int bypeer_identity_first_name(struct bypeer_peer_name *ret_name, const struct bypeer_certificate *idc,
                               const uint8_t *rotations, size_t rotations_bytes, char why[static 160]);
