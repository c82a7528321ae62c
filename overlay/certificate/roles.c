#include "overlay/certificate/roles.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define UUID_BYTES 16

/* The first of each role is the one that is written. */
static const struct role {
    uint32_t role;
    const char *name;
    uint8_t uuid[UUID_BYTES];
} roles[] = {
    {BYPEER_ROLE_ADMINISTRATOR,
     "administrator",
     {0x04, 0x38, 0x71, 0x27, 0xaa, 0x56, 0x45, 0x0a, 0x8c, 0xe5, 0x4f, 0x56, 0x5c, 0x67, 0x90, 0xf4}},
    {BYPEER_ROLE_INVITING,
     "inviting",
     {0x43, 0x70, 0xfd, 0x89, 0xdc, 0x18, 0x4c, 0xfb, 0x8d, 0xbf, 0x98, 0x53, 0xa8, 0xa9, 0xf9, 0x05}},
    {BYPEER_ROLE_MEMBER,
     "member",
     {0xf1, 0x2d, 0xc4, 0xc7, 0x08, 0x57, 0x4c, 0xa0, 0x93, 0xfc, 0xb1, 0xbb, 0x19, 0xa3, 0xd8, 0xc2}},
    {BYPEER_ROLE_SUPERNODE,
     "supernode",
     {0xdf, 0x4c, 0x0b, 0x31, 0xde, 0xc6, 0x44, 0x28, 0x96, 0x81, 0x55, 0x43, 0x3b, 0xf3, 0xb7, 0xd1}},
    /* What [MS-PNRP] 2.2.3.5.1.5 prints for an inviting member. */
    {BYPEER_ROLE_INVITING,
     NULL,
     {0xdd, 0x15, 0xf4, 0x1f, 0xfc, 0x4e, 0x49, 0x22, 0xb0, 0x35, 0x4c, 0x06, 0xa7, 0x54, 0xd0, 0x1d}},
};

#define ROLES (sizeof(roles) / sizeof(roles[0]))

bool bypeer_roles_may_issue(uint32_t issuer, uint32_t wanted)
{
    uint32_t may = 0;
    if (issuer & BYPEER_ROLE_INVITING)
        may = BYPEER_ROLE_INVITING | BYPEER_ROLE_MEMBER;
    if (issuer & BYPEER_ROLE_ADMINISTRATOR)
        may = BYPEER_ROLES_ALL;
    return may != 0 && (wanted & ~may) == 0;
}

/* A UUID as Windows has it in memory: its first three numbers with their least significant byte first. */
static void role_swap(const uint8_t uuid[static UUID_BYTES], uint8_t ret_swapped[static UUID_BYTES])
{
    static const uint8_t order[UUID_BYTES] = {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};
    for (unsigned at = 0; at < UUID_BYTES; at++)
        ret_swapped[at] = uuid[order[at]];
}

uint32_t bypeer_role_of_uuid(const uint8_t uuid[static UUID_BYTES])
{
    uint8_t swapped[UUID_BYTES];
    role_swap(uuid, swapped);
    for (size_t at = 0; at < ROLES; at++)
        if (memcmp(roles[at].uuid, uuid, UUID_BYTES) == 0 || memcmp(roles[at].uuid, swapped, UUID_BYTES) == 0)
            return roles[at].role;
    return 0;
}

const uint8_t *bypeer_role_uuid(uint32_t role)
{
    for (size_t at = 0; at < ROLES; at++)
        if (roles[at].role == role)
            return roles[at].uuid;
    return NULL;
}

static uint32_t role_find(const char *name, size_t length)
{
    for (size_t at = 0; at < ROLES; at++)
        if (roles[at].name && strlen(roles[at].name) == length && memcmp(roles[at].name, name, length) == 0)
            return roles[at].role;
    return 0;
}

int bypeer_roles_read(uint32_t *ret_roles, const char *text)
{
    uint32_t found = 0;
    for (;;) {
        size_t length = strcspn(text, ",");
        uint32_t role = role_find(text, length);
        if (role == 0)
            return -EINVAL;
        found |= role;
        if (text[length] == '\0')
            break;
        text += length + 1;
    }
    *ret_roles = found;
    return 0;
}

void bypeer_roles_write(uint32_t wanted, char ret_text[static BYPEER_ROLES_TEXT_MAX])
{
    size_t length = 0;
    ret_text[0] = '\0';
    for (size_t at = 0; at < ROLES; at++)
        if (roles[at].name && wanted & roles[at].role)
            length += (size_t)snprintf(ret_text + length, BYPEER_ROLES_TEXT_MAX - length, "%s%s", length > 0 ? "," : "",
                                       roles[at].name);
}
