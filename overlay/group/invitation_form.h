/* What the two forms of an invitation share; for invitation.c and its two forms only. Each reads into an empty one that
 * the caller clears, also after a failure. */
#pragma once

#include "overlay/group/invitation.h"

int invitation_read_line(struct bypeer_invitation *invitation, const struct bypeer_profile *profile, const char *text,
                         size_t length, char why[static 160]);
int invitation_read_xml(struct bypeer_invitation *invitation, const struct bypeer_profile *profile, const char *text,
                        size_t length, char why[static 160]);
/* Names and friendly name from .chain. 0, -EINVAL with why, -ENOMEM. */
int invitation_take_chain(struct bypeer_invitation *invitation, const struct bypeer_profile *profile,
                          char why[static 160]);
int invitation_refuse(char why[static 160], const char *text); /* returns -EINVAL */
