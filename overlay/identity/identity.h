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

#define BYPEER_IDENTITY_XML_MAX 65536 /* bytes of any XML form of an identity */

/* The peer name of the key with this classifier (which may be empty): hash(key).classifier. */
void bypeer_identity_name(struct bypeer_peer_name *ret_name, const struct bypeer_key *key,
                          const struct bypeer_peer_name *classifier);
/*
 * The certificate of a key. friendly NULL or "": the text of the peer name. 0; -EINVAL with *ret_why (static); -ENOMEM.
 */
int bypeer_identity_certify(struct bypeer_certificate **ret_idc, const struct bypeer_key *key,
                            const struct bypeer_peer_name *name, const char *friendly, uint64_t not_before,
                            uint64_t not_after, const uint8_t random[static BYPEER_CERTIFICATE_SERIAL],
                            const char **ret_why);

/* PEERIDENTITYINFO. *ret_text is NUL-terminated, to be freed by free(). 0 or -ENOMEM. */
int bypeer_identity_info_write(char **ret_text, struct bypeer_certificate *idc);
/*
 * The IDC of such a text, of either profile, sound by bypeer_certificate_judge_identity() at any time. 0; -EBADMSG with
 * one line in why; -ENOMEM. The caller owns a reference.
 */
int bypeer_identity_info_read(struct bypeer_certificate **ret_idc, const char *text, size_t length,
                              char why[static 160]);
