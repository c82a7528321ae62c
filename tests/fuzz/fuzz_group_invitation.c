/* Invitations of both forms, and exported groups: what is read can be written in either, and reads the same then. */
#include <stdlib.h>
#include <string.h>

#include "overlay/group/export.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect_same(const struct bypeer_invitation *invitation, const struct bypeer_profile *profile,
                        const char *text)
{
    struct bypeer_invitation again;
    char why[160];
    if (bypeer_invitation_read(&again, profile, text, strlen(text), why) ||
        !bypeer_name_is_equal(&invitation->group, &again.group) || invitation->wants_password != again.wants_password ||
        invitation->chain_bytes != again.chain_bytes || invitation->seed_count != again.seed_count)
        abort();
    bypeer_invitation_clear(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (unsigned id = 0; id < BYPEER_PROFILES; id++) {
        const struct bypeer_profile *profile = bypeer_profile((enum bypeer_profile_id)id);
        struct bypeer_invitation invitation;
        struct bypeer_group_export group;
        char why[160], *line = NULL, *xml = NULL;
        if (bypeer_group_export_read(&group, profile, (const char *)data, size, NULL, why) == 0)
            bypeer_group_export_release(&group);
        if (bypeer_invitation_read(&invitation, profile, (const char *)data, size, why))
            continue;
        if (bypeer_invitation_write_line(&invitation, &line) || bypeer_invitation_write_xml(&invitation, &xml))
            abort();
        expect_same(&invitation, profile, line);
        expect_same(&invitation, profile, xml);
        free(line);
        free(xml);
        bypeer_invitation_clear(&invitation);
    }
    return 0;
}
