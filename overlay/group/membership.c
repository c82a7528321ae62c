#include "overlay/group/membership.h"

#include <errno.h>
#include <string.h>

#define MINOR 0
#define MAJOR 1

static uint32_t membership_load(const uint8_t bytes[static 4])
{
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

int bypeer_membership_read(const uint8_t **ret_chain, size_t *ret_chain_bytes, const uint8_t *bytes, size_t length)
{
    /* Minor 1 is that of groups with a password, and says nothing about what follows. */
    if (length < BYPEER_MEMBERSHIP_FIXED_BYTES || bytes[0] > 1 || bytes[1] != MAJOR ||
        membership_load(bytes + 2) != length - BYPEER_MEMBERSHIP_FIXED_BYTES)
        return -EBADMSG;
    *ret_chain = bytes + BYPEER_MEMBERSHIP_FIXED_BYTES;
    *ret_chain_bytes = length - BYPEER_MEMBERSHIP_FIXED_BYTES;
    return 0;
}

void bypeer_membership_write(uint8_t ret_bytes[static BYPEER_MEMBERSHIP_FIXED_BYTES], size_t chain_bytes)
{
    ret_bytes[0] = MINOR;
    ret_bytes[1] = MAJOR;
    for (unsigned at = 0; at < 4; at++)
        ret_bytes[2 + at] = (uint8_t)(chain_bytes >> 8 * at);
}
