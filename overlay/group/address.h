/*
 * Overlay addresses of a group (DESIGN D6, RFC 4193).
 *
 *   | fd | 40 bits of hash(group ID) | 16 + 64 bits of hash(group ID, authority) |
 *   '------- /48: the group ---------'
 *
 * The group ID is the text of the group's peer name. The authority is that of the member's own peer name: the hash of
 * its first key, which the name keeps when the key is replaced. So an address is checked from names alone, before and
 * after a rotation, and nobody who issues memberships can give out another's.
 *
 * Threads: any; nothing here has state.
 */
#pragma once

#include "overlay/pnrp/name.h"

#define BYPEER_GROUP_PREFIX_BITS 48

/* The first 6 bytes of every member's address; the other ten are zero. */
void bypeer_group_prefix(const struct bypeer_profile *profile, const struct bypeer_peer_name *group,
                         uint8_t ret_prefix[static 16]);
void bypeer_group_address(const struct bypeer_profile *profile, const struct bypeer_peer_name *group,
                          const struct bypeer_peer_name *member, uint8_t ret_address[static 16]);
