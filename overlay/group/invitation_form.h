/* What the forms of invitations and of exported groups share; for invitation.c, its two forms and export.c only.
 * Reading functions fill an invitation that the caller clears, also after a failure. */
#pragma once

#include "overlay/group/invitation.h"
#include "overlay/identity/xml.h"

int invitation_read_line(struct bypeer_invitation *invitation, const struct bypeer_profile *profile, const char *text,
                         size_t length, char why[static 160]);
int invitation_read_xml(struct bypeer_invitation *invitation, const struct bypeer_profile *profile, const char *text,
                        size_t length, char why[static 160]);
/* Names and friendly name from .chain. 0, -EINVAL with why, -ENOMEM. */
int invitation_take_chain(struct bypeer_invitation *invitation, const struct bypeer_profile *profile,
                          char why[static 160]);
int invitation_refuse(char why[static 160], const char *text); /* returns -EINVAL */

/* XML: cloud, scope, flags and seeds; and the chain, with what invitation_take_chain() takes from it. */
int invitation_take_place(struct bypeer_invitation *invitation, const struct bypeer_xml *xml, char why[static 160]);
int invitation_take_gmc(struct bypeer_invitation *invitation, const struct bypeer_profile *profile,
                        const struct bypeer_xml_child *child, char why[static 160]);
/* Whether it can be written at all. */
bool invitation_is_legal(const struct bypeer_invitation *invitation);
void invitation_put_place(struct bypeer_xml_writer *writer, const struct bypeer_invitation *invitation);
void invitation_put_seeds(struct bypeer_xml_writer *writer, const struct bypeer_invitation *invitation);
