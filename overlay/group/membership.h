/*
 * Membership: the record that carries a member's chain (reference 5.2). Anybody who issued or has one may publish it:
 * it proves itself. It is never deleted.
 *
 *   0      1      2                6
 *   minor  major  length, little-  chain: PKCS#7, root first
 *                 endian
 */
#pragma once

#include "overlay/graph/record.h"

#define BYPEER_MEMBERSHIP_FIXED_BYTES 6

/* The chain lies in bytes. 0 or -EBADMSG. */
int bypeer_membership_read(const uint8_t **ret_chain, size_t *ret_chain_bytes, const uint8_t *bytes, size_t length);
/* Writes what goes before a chain of so many bytes. */
void bypeer_membership_write(uint8_t ret_bytes[static BYPEER_MEMBERSHIP_FIXED_BYTES], size_t chain_bytes);
