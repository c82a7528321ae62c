#include <errno.h>

#include "overlay/pnrp/element.h"

#define IDENTIFIER 0x51

#define FLOOD_NO_ACK       0x0001u
#define ACK_NOT_LOCAL      0x0001u
#define LOOKUP_ANY         0x0002u
#define SOLICIT_TYPE_LOCAL 0x01
#define INQUIRE_FLAGS      (BYPEER_INQUIRE_CPA | BYPEER_INQUIRE_PAYLOAD | BYPEER_INQUIRE_CHAIN)

/*
 * The readers of each message's elements behind the header, in the order of [MS-PNRP] 2.2.2. They store what they found
 * when all is well, and field by field: a struct that is filled and then copied as a whole is as dear as the reading.
 */

static bool read_solicit(struct element_reader *reader, const struct bypeer_profile *profile,
                         struct bypeer_pnrp_solicit *ret_solicit)
{
    struct bypeer_pnrp_entry entry;
    bool local_only = false;
    if (element_is_next(reader, ELEMENT_SOLICIT_CONTROLS)) {
        const uint8_t *controls = element_read_fixed(reader, ELEMENT_SOLICIT_CONTROLS, 2);
        if (!controls || controls[1] > SOLICIT_TYPE_LOCAL)
            return false;
        local_only = controls[1] == SOLICIT_TYPE_LOCAL;
    }
    if (!element_read_entry(reader, profile, &entry))
        return false;
    const uint8_t *hashed_nonce = element_read_fixed(reader, ELEMENT_HASHED_NONCE, 20);
    if (!hashed_nonce || !element_is_end(reader))
        return false;
    ret_solicit->local_only = local_only;
    ret_solicit->entry = entry;
    ret_solicit->hashed_nonce = hashed_nonce;
    return true;
}

static bool read_advertise(struct element_reader *reader, struct bypeer_pnrp_advertise *ret_advertise)
{
    struct bypeer_pnrp_ids ids;
    const uint8_t *acked = element_read_fixed(reader, ELEMENT_ACKED, 4);
    if (!acked || !element_read_ids(reader, &ids))
        return false;
    const uint8_t *hashed_nonce = element_read_fixed(reader, ELEMENT_HASHED_NONCE, 20);
    if (!hashed_nonce || !element_is_end(reader))
        return false;
    ret_advertise->acked = bypeer_load32(acked);
    ret_advertise->ids = ids;
    ret_advertise->hashed_nonce = hashed_nonce;
    return true;
}

static bool read_request(struct element_reader *reader, struct bypeer_pnrp_request *ret_request)
{
    struct bypeer_pnrp_ids ids;
    const uint8_t *nonce = element_read_fixed(reader, ELEMENT_NONCE, 16);
    if (!nonce || !element_read_ids(reader, &ids) || !element_is_end(reader))
        return false;
    ret_request->nonce = nonce;
    ret_request->ids = ids;
    return true;
}

static bool read_flood(struct element_reader *reader, const struct bypeer_profile *profile,
                       struct bypeer_pnrp_flood *ret_flood)
{
    struct bypeer_pnrp_entry entry;
    struct bypeer_pnrp_endpoints flooded;
    const uint8_t *controls = element_read_fixed(reader, ELEMENT_FLOOD_CONTROLS, 3);
    const uint8_t *validate = element_read_fixed(reader, ELEMENT_VALIDATE, 32), *revoke = NULL;
    size_t revoke_bytes = 0;
    if (!controls || !validate)
        return false;
    if (element_is_next(reader, ELEMENT_REVOKE_CPA)) {
        revoke = element_read(reader, ELEMENT_REVOKE_CPA, &revoke_bytes);
        if (!revoke || revoke_bytes == 0)
            return false;
    }
    if (!element_read_entry(reader, profile, &entry) || !element_read_endpoints(reader, &flooded) ||
        !element_is_end(reader))
        return false;
    ret_flood->no_ack = bypeer_load16(controls) & FLOOD_NO_ACK;
    ret_flood->validate = validate;
    ret_flood->revoke = revoke;
    ret_flood->revoke_bytes = (uint16_t)revoke_bytes;
    ret_flood->entry = entry;
    ret_flood->flooded = flooded;
    return true;
}

static bool read_inquire(struct element_reader *reader, struct bypeer_pnrp_inquire *ret_inquire)
{
    const uint8_t *flags = element_read_fixed(reader, ELEMENT_FLAGS, 2);
    const uint8_t *validate = element_read_fixed(reader, ELEMENT_VALIDATE, 32), *nonce = NULL;
    if (!flags || !validate)
        return false;
    if (!element_is_end(reader)) {
        nonce = element_read_fixed(reader, ELEMENT_NONCE, 16);
        if (!nonce || !element_is_end(reader))
            return false;
    }
    ret_inquire->flags = bypeer_load16(flags) & INQUIRE_FLAGS;
    ret_inquire->validate = validate;
    ret_inquire->nonce = nonce;
    return true;
}

/* A slice is as long as its place allows: whoever puts them together needs no more than offsets. */
static bool read_authority(struct element_reader *reader, struct bypeer_pnrp_authority *ret_authority)
{
    const uint8_t *acked = element_read_fixed(reader, ELEMENT_ACKED, 4);
    const uint8_t *controls = element_read_fixed(reader, ELEMENT_SPLIT_CONTROLS, 4);
    if (!acked || !controls)
        return false;
    unsigned size = bypeer_load16(controls), offset = bypeer_load16(controls + 2);
    if (size > BYPEER_PNRP_BUFFER_MAX || offset >= size || offset % BYPEER_PNRP_SLICE_BYTES != 0)
        return false;
    unsigned slice = size - offset < BYPEER_PNRP_SLICE_BYTES ? size - offset : BYPEER_PNRP_SLICE_BYTES;
    if (reader->length - reader->at != slice)
        return false;
    ret_authority->acked = bypeer_load32(acked);
    ret_authority->size = (uint16_t)size;
    ret_authority->offset = (uint16_t)offset;
    ret_authority->slice = reader->bytes + reader->at;
    ret_authority->slice_bytes = (uint16_t)slice;
    return true;
}

static bool read_ack(struct element_reader *reader, struct bypeer_pnrp_ack *ret_ack)
{
    const uint8_t *acked = element_read_fixed(reader, ELEMENT_ACKED, 4), *flags = NULL;
    if (!acked)
        return false;
    if (!element_is_end(reader)) {
        flags = element_read_fixed(reader, ELEMENT_FLAGS, 2);
        if (!flags || !element_is_end(reader))
            return false;
    }
    ret_ack->acked = bypeer_load32(acked);
    ret_ack->not_local = flags && (bypeer_load16(flags) & ACK_NOT_LOCAL);
    return true;
}

static bool read_is_criterion(unsigned criterion, unsigned precision)
{
    switch (criterion) {
    case BYPEER_PNRP_NONE:
    case BYPEER_PNRP_ANY:
    case BYPEER_PNRP_NEAREST:
    case BYPEER_PNRP_NEAREST_64:
        return true;
    case BYPEER_PNRP_UPPER_BITS:
        return precision <= 256;
    default:
        return false;
    }
}

/*
 * The one that workers read most. Up to the entry all is at a fixed place:
 *
 *   12            16    18        20        21     22  24            28     60            64       96
 *   | 0x0045, 12 | flags | precision | criterion | reason | 0 | 0x0038, 36 | target | 0x0039, 36 | validate | entry,
 * path
 */
static bool read_lookup(struct element_reader *reader, const struct bypeer_profile *profile,
                        struct bypeer_pnrp_lookup *ret_lookup)
{
    const uint8_t *bytes = reader->bytes;
    struct bypeer_pnrp_entry entry;
    struct bypeer_pnrp_endpoints path;
    if (reader->length < 96 || bypeer_load32(bytes + 12) != (ELEMENT_LOOKUP_CONTROLS << 16 | 12) ||
        bypeer_load32(bytes + 24) != (ELEMENT_TARGET << 16 | 36) ||
        bypeer_load32(bytes + 60) != (ELEMENT_VALIDATE << 16 | 36))
        return false;
    uint16_t precision = bypeer_load16(bytes + 18);
    if (!read_is_criterion(bytes[20], precision))
        return false;
    reader->at = 96;
    if (!element_read_entry(reader, profile, &entry) || !element_read_endpoints(reader, &path) || path.count == 0 ||
        !element_is_end(reader))
        return false;
    ret_lookup->any_distance = bypeer_load16(bytes + 16) & LOOKUP_ANY;
    ret_lookup->precision = precision;
    ret_lookup->criterion = bytes[20];
    ret_lookup->reason = bytes[21];
    ret_lookup->target = bytes + 28;
    ret_lookup->validate = bytes + 64;
    ret_lookup->entry = entry;
    ret_lookup->path = path;
    return true;
}

static bool read_elements(struct element_reader *reader, const struct bypeer_profile *profile,
                          struct bypeer_pnrp_message *ret_message)
{
    switch (reader->bytes[7]) {
    case BYPEER_PNRP_SOLICIT:
        return read_solicit(reader, profile, &ret_message->solicit);
    case BYPEER_PNRP_ADVERTISE:
        return read_advertise(reader, &ret_message->advertise);
    case BYPEER_PNRP_REQUEST:
        return read_request(reader, &ret_message->request);
    case BYPEER_PNRP_FLOOD:
        return read_flood(reader, profile, &ret_message->flood);
    case BYPEER_PNRP_INQUIRE:
        return read_inquire(reader, &ret_message->inquire);
    case BYPEER_PNRP_AUTHORITY:
        return read_authority(reader, &ret_message->authority);
    case BYPEER_PNRP_ACK:
        return read_ack(reader, &ret_message->ack);
    case BYPEER_PNRP_LOOKUP:
        return read_lookup(reader, profile, &ret_message->lookup);
    default:
        return false;
    }
}

int bypeer_pnrp_read(struct bypeer_pnrp_message *ret_message, const struct bypeer_profile *profile,
                     const uint8_t *bytes, size_t length)
{
    struct element_reader reader = {bytes, length, BYPEER_PNRP_HEADER_BYTES};
    if (length < BYPEER_PNRP_HEADER_BYTES ||
        bypeer_load32(bytes) != (ELEMENT_HEADER << 16 | BYPEER_PNRP_HEADER_BYTES) || bytes[4] != IDENTIFIER)
        return -EBADMSG;
    if (bytes[5] != profile->pnrp_major || bytes[6] != profile->pnrp_minor)
        return -EPROTONOSUPPORT;
    if (!read_elements(&reader, profile, ret_message))
        return -EBADMSG;
    ret_message->type = (enum bypeer_pnrp_type)bytes[7];
    ret_message->id = bypeer_load32(bytes + 8);
    return 0;
}
