#include "overlay/group/invitation.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "overlay/certificate/chain.h"
#include "overlay/group/invitation_form.h"

#define WHY_BYTES 160

int invitation_refuse(char why[static WHY_BYTES], const char *text)
{
    snprintf(why, WHY_BYTES, "%s", text);
    return -EINVAL;
}

int invitation_take_chain(struct bypeer_invitation *invitation, const struct bypeer_profile *profile,
                          char why[static WHY_BYTES])
{
    struct bypeer_chain *chain;
    struct bypeer_chain_verdict verdict;
    int status = bypeer_chain_read(&chain, profile, invitation->chain, invitation->chain_bytes, &verdict);
    if (status == -ENOMEM)
        return status;
    if (status) {
        char fault[BYPEER_CHAIN_WHY_MAX];
        bypeer_chain_explain(&verdict, fault);
        snprintf(why, WHY_BYTES, "its membership is damaged or of another wire profile: %.100s", fault);
        return -EINVAL;
    }
    const struct bypeer_certificate_facts *root = bypeer_chain_at(chain, 0);
    invitation->group = root->group;
    snprintf(invitation->friendly, sizeof(invitation->friendly), "%s", root->subject_friendly);
    bypeer_chain_free(chain);
    return invitation->group.secure ? 0 : invitation_refuse(why, "its membership names no group");
}

int bypeer_invitation_read(struct bypeer_invitation *ret_invitation, const struct bypeer_profile *profile,
                           const char *text, size_t length, char why[static WHY_BYTES])
{
    static const char spaces[] = " \t\r\n";
    static const char prefix[] = BYPEER_INVITATION_LINE_PREFIX;
    while (length > 0 && memchr(spaces, *text, sizeof(spaces) - 1)) {
        text++;
        length--;
    }
    while (length > 0 && memchr(spaces, text[length - 1], sizeof(spaces) - 1))
        length--;
    if (length > BYPEER_INVITATION_TEXT_MAX)
        return invitation_refuse(why, "it is too long for an invitation");
    struct bypeer_invitation invitation = {.scope = 1, .is_windows = profile->id == BYPEER_PROFILE_WINDOWS};
    int status;
    if (length > 0 && *text == '<')
        status = invitation_read_xml(&invitation, profile, text, length, why);
    else if (length >= sizeof(prefix) - 1 && memcmp(text, prefix, sizeof(prefix) - 1) == 0)
        status = invitation_read_line(&invitation, profile, text, length, why);
    else
        status = invitation_refuse(why, "it is no invitation: one begins with \"" BYPEER_INVITATION_LINE_PREFIX
                                        "\" or \"<PEERINVITATION\"");
    if (status == 0)
        *ret_invitation = invitation;
    else
        bypeer_invitation_clear(&invitation);
    return status;
}

void bypeer_invitation_clear(struct bypeer_invitation *invitation)
{
    free(invitation->chain);
    *invitation = (struct bypeer_invitation){0};
}
