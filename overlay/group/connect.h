/*
 * Group Connect: one link's authentication inside TLS (reference 3), for the files of this folder only.
 *
 *   initiator                                responder
 *   ------------------ TLS, both identities ------------------
 *   Hello, MyGMC                        -->
 *                                       <--  Hello, MyGMC              both are members
 *
 *   Hello, Password (empty)             -->                            the initiator has a password instead
 *                                       <--  Hello, MyGMC
 *   Share, modern                       -->
 *                                       <--  Share
 *   Confirm                             -->
 *                                       <--  Confirm, YourGMC
 *   Password (proof), windows           -->
 *                                       <--  YourGMC (encrypted)
 *
 *   type 2   Hello 0x0000: major 1, minor 0        MyGMC 0x0001: length 4 (little-endian), chain
 *            YourGMC 0x0002, Password 0x0005, Share 0x0006, Confirm 0x0007: length 4, bytes; the last two are ours
 *
 * Whose membership has expired says Hello alone: somebody may have published a new one. Whoever joins trusts nothing of
 * what comes before the responder has shown a chain of the group, and takes nothing before its Confirm is right.
 */
#pragma once

#include "overlay/graph/security.h"
#include "overlay/group/password.h"

struct bypeer_group_node;
struct group_link;

int group_link_open(struct bypeer_group_node *node, struct group_link **ret_link, bool is_initiator,
                    const char *peer_id, const struct bypeer_graph_address *address);
int group_link_token(struct group_link *link, struct bypeer_graph_time now, const uint8_t *token, size_t length,
                     struct bypeer_buffer *out, const char **ret_why);
const char *group_link_peer(const struct group_link *link);
int group_link_seal(struct group_link *link, const uint8_t *plain, size_t length, struct bypeer_buffer *out);
int group_link_unseal(struct group_link *link, const uint8_t *bytes, size_t length, struct bypeer_buffer *out);
void group_link_close(struct group_link *link);
