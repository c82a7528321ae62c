/*
 * Messages of both profiles: what is read can be written, in no more bytes than it may take, and is then the same; and
 * the straight reader of LOOKUPs agrees with the whole one.
 */
#include <stdlib.h>
#include <string.h>

#include "overlay/pnrp/lookup_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t *written(const struct bypeer_pnrp_message *message, const struct bypeer_profile *profile, size_t room,
                        size_t *ret_length)
{
    uint8_t *bytes = malloc(room);
    *ret_length = bypeer_pnrp_write(message, profile, bytes, room);
    if (*ret_length == 0 || *ret_length > room)
        abort();
    return bytes;
}

static void read_and_write(const struct bypeer_profile *profile, const uint8_t *data, size_t size)
{
    struct bypeer_pnrp_message message, again;
    if (bypeer_pnrp_read(&message, profile, data, size) != 0)
        return;
    /* A SOLICIT's controls may be added where there were none, and 3 bytes of padding. */
    size_t room = size + 8 + 3, length, length_again;
    uint8_t *first = written(&message, profile, room, &length);
    uint8_t *exact = malloc(length);
    memcpy(exact, first, length);
    if (bypeer_pnrp_read(&again, profile, exact, length) != 0)
        abort();
    uint8_t *second = written(&again, profile, length, &length_again);
    if (length_again != length || memcmp(first, second, length) != 0)
        abort();
    free(second);
    free(exact);
    free(first);
}

/* What the straight reader takes, the whole one reads the same. */
static void read_straight(const struct bypeer_profile *profile, const uint8_t *data, size_t size)
{
    struct bypeer_pnrp_lookup straight;
    struct bypeer_pnrp_message message;
    if (!bypeer_lookup_read(&straight, profile, data, size))
        return;
    if (bypeer_pnrp_read(&message, profile, data, size) != 0 || message.type != BYPEER_PNRP_LOOKUP)
        abort();
    const struct bypeer_pnrp_lookup *whole = &message.lookup;
    if (whole->any_distance != straight.any_distance || whole->precision != straight.precision ||
        whole->criterion != straight.criterion || whole->reason != straight.reason ||
        whole->target != straight.target || whole->validate != straight.validate ||
        whole->entry.id != straight.entry.id || whole->entry.addresses != straight.entry.addresses ||
        whole->entry.address_count != straight.entry.address_count || whole->entry.port != straight.entry.port ||
        whole->path.bytes != straight.path.bytes || whole->path.count != straight.path.count)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (unsigned id = 0; id < BYPEER_PROFILES; id++) {
        const struct bypeer_profile *profile = bypeer_profile((enum bypeer_profile_id)id);
        read_and_write(profile, data, size);
        read_straight(profile, data, size);
    }
    return 0;
}
