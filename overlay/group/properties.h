/*
 * Security Properties: the record with which the owner of the group key describes a group (reference 5.1).
 *
 * The original's integers here are little-endian and its strings UTF-16LE with NUL; the structs hold UTF-8. In the
 * modern profile the password's form is 64 hex digits of password.h, in the windows profile its 40 letters.
 *
 * Threads: any; nothing here has state.
 */
#pragma once

#include <stdbool.h>

#include "overlay/graph/record.h"
#include "overlay/pnrp/name.h"

#define BYPEER_GROUP_TEXT_MAX             (3 * 255 + 1) /* bytes of a comment or friendly name, with NUL */
#define BYPEER_GROUP_PASSWORD_FORM_MAX    128           /* with NUL */
#define BYPEER_GROUP_PROPERTIES_BYTES_MAX 4096

/* Option flags; reference 11, ?4. */
#define BYPEER_GROUP_MEMBERSHIP_ON_DEMAND 1u /* a membership is published with the first own record only */
#define BYPEER_GROUP_NO_PRESENCE          2u /* the graph publishes no presence by itself */
#define BYPEER_GROUP_DEFER_EXPIRATION     4u

#define BYPEER_GROUP_MEMBERSHIP_S 2419200 /* 28 days */
#define BYPEER_GROUP_PRESENCE_S   300
#define BYPEER_GROUP_INVITED      256 /* the default of .invited */

struct bypeer_group_properties {
    uint32_t flags;
    uint64_t membership_s, presence_s; /* lifetimes; fixed for the life of the group, like all names but the friendly */
    char comment[BYPEER_GROUP_TEXT_MAX];
    char cloud[BYPEER_GROUP_TEXT_MAX];
    char friendly[BYPEER_GROUP_TEXT_MAX];
    struct bypeer_peer_name group, creator;
    bool has_password;
    char password[BYPEER_GROUP_PASSWORD_FORM_MAX]; /* its form, of bypeer_password_form(); "" without */
    uint32_t password_role;                        /* BYPEER_ROLE_*: what knowing it makes somebody */
    /* Members whom one inviting member takes in, with all whom they take in in their turn; 0: BYPEER_GROUP_INVITED.
     * This platform's own: the original's nodes do not read the properties of a group that has another. */
    uint32_t invited;
};

/* 0 or -EBADMSG. */
int bypeer_properties_read(struct bypeer_group_properties *ret_properties, const uint8_t *bytes, size_t length);
/* Returns the length, or 0 if room (BYPEER_GROUP_PROPERTIES_BYTES_MAX is enough) is too small. */
size_t bypeer_properties_write(const struct bypeer_group_properties *properties, uint8_t *ret_bytes, size_t room);
/* Whether next may follow: only flags, comment, friendly name, password and .invited differ. */
bool bypeer_properties_may_follow(const struct bypeer_group_properties *now,
                                  const struct bypeer_group_properties *next);
