/* Payloads of a group's own records, of both profiles: what is read can be written, and is the same then. */
#include <stdlib.h>
#include <string.h>

#include "overlay/group/attachment.h"
#include "overlay/group/membership.h"
#include "overlay/group/properties.h"
#include "overlay/group/revocation.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void attachments(const struct bypeer_profile *profile, const uint8_t *data, size_t size)
{
    struct bypeer_attachment attachment, again;
    uint8_t bytes[BYPEER_ATTACHMENT_BYTES_MAX];
    if (bypeer_attachment_read(&attachment, profile, data, size))
        return;
    size_t length = bypeer_attachment_write(&attachment, profile, bytes, sizeof(bytes));
    if (length != size || bypeer_attachment_read(&again, profile, bytes, length) ||
        !bypeer_name_is_equal(&attachment.member, &again.member) || attachment.sequence != again.sequence)
        abort();
}

static void revocations(const struct bypeer_profile *profile, const uint8_t *data, size_t size)
{
    struct bypeer_revocation revocation;
    if (bypeer_revocation_read(&revocation, profile, data, size))
        return;
    uint8_t *bytes = malloc(size);
    if (bypeer_revocation_write(&revocation, profile, bytes, size) != size ||
        memcmp(bytes + BYPEER_REVOCATION_FIXED_BYTES, data + BYPEER_REVOCATION_FIXED_BYTES,
               size - BYPEER_REVOCATION_FIXED_BYTES) != 0)
        abort();
    free(bytes);
}

static void properties(const uint8_t *data, size_t size)
{
    struct bypeer_group_properties read, again;
    uint8_t bytes[BYPEER_GROUP_PROPERTIES_BYTES_MAX];
    if (bypeer_properties_read(&read, data, size))
        return;
    size_t length = bypeer_properties_write(&read, bytes, sizeof(bytes));
    if (length == 0 || bypeer_properties_read(&again, bytes, length) || !bypeer_properties_may_follow(&read, &again) ||
        strcmp(read.friendly, again.friendly) != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *chain;
    size_t length;
    for (unsigned id = 0; id < BYPEER_PROFILES; id++) {
        attachments(bypeer_profile((enum bypeer_profile_id)id), data, size);
        revocations(bypeer_profile((enum bypeer_profile_id)id), data, size);
    }
    properties(data, size);
    if (bypeer_membership_read(&chain, &length, data, size) == 0 && chain + length != data + size)
        abort();
    return 0;
}
