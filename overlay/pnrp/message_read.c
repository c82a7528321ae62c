#include <errno.h>

#include "overlay/pnrp/element.h"

#define IDENTIFIER 0x51

#define FLOOD_NO_ACK       0x0001u
#define ACK_NOT_LOCAL      0x0001u
#define LOOKUP_ANY         0x0002u
#define SOLICIT_TYPE_LOCAL 0x01
#define INQUIRE_FLAGS      (BYPEER_INQUIRE_CPA | BYPEER_INQUIRE_PAYLOAD | BYPEER_INQUIRE_CHAIN)

/* The readers of each message's elements behind the header, in the order of [MS-PNRP] 2.2.2. */

static bool read_solicit(struct element_reader *reader, const struct bypeer_profile *profile,
                         struct bypeer_pnrp_solicit *ret_solicit)
{
    struct bypeer_pnrp_solicit solicit = {0};
    if (element_is_next(reader, ELEMENT_SOLICIT_CONTROLS)) {
        const uint8_t *controls = element_read_fixed(reader, ELEMENT_SOLICIT_CONTROLS, 2);
        if (!controls || controls[1] > SOLICIT_TYPE_LOCAL)
            return false;
        solicit.local_only = controls[1] == SOLICIT_TYPE_LOCAL;
    }
    if (!element_read_entry(reader, profile, &solicit.entry))
        return false;
    solicit.hashed_nonce = element_read_fixed(reader, ELEMENT_HASHED_NONCE, 20);
    *ret_solicit = solicit;
    return solicit.hashed_nonce != NULL;
}

static bool read_acked(struct element_reader *reader, uint32_t *ret_acked)
{
    const uint8_t *acked = element_read_fixed(reader, ELEMENT_ACKED, 4);
    if (acked)
        *ret_acked = bypeer_load32(acked);
    return acked != NULL;
}

static bool read_advertise(struct element_reader *reader, struct bypeer_pnrp_advertise *ret_advertise)
{
    if (!read_acked(reader, &ret_advertise->acked) || !element_read_ids(reader, &ret_advertise->ids))
        return false;
    ret_advertise->hashed_nonce = element_read_fixed(reader, ELEMENT_HASHED_NONCE, 20);
    return ret_advertise->hashed_nonce != NULL;
}

static bool read_request(struct element_reader *reader, struct bypeer_pnrp_request *ret_request)
{
    ret_request->nonce = element_read_fixed(reader, ELEMENT_NONCE, 16);
    return ret_request->nonce && element_read_ids(reader, &ret_request->ids);
}

static bool read_flood(struct element_reader *reader, const struct bypeer_profile *profile,
                       struct bypeer_pnrp_flood *ret_flood)
{
    struct bypeer_pnrp_flood flood = {0};
    const uint8_t *controls = element_read_fixed(reader, ELEMENT_FLOOD_CONTROLS, 3);
    flood.validate = element_read_fixed(reader, ELEMENT_VALIDATE, 32);
    if (!controls || !flood.validate)
        return false;
    flood.no_ack = bypeer_load16(controls) & FLOOD_NO_ACK;
    if (element_is_next(reader, ELEMENT_REVOKE_CPA)) {
        size_t found;
        flood.revoke = element_read(reader, ELEMENT_REVOKE_CPA, &found);
        if (!flood.revoke || found == 0)
            return false;
        flood.revoke_bytes = (uint16_t)found;
    }
    if (!element_read_entry(reader, profile, &flood.entry) || !element_read_endpoints(reader, &flood.flooded))
        return false;
    *ret_flood = flood;
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
        if (!nonce)
            return false;
    }
    *ret_inquire = (struct bypeer_pnrp_inquire){
        .flags = bypeer_load16(flags) & INQUIRE_FLAGS, .validate = validate, .nonce = nonce};
    return true;
}

/* A slice is as long as its place allows: whoever puts them together needs no more than offsets. */
static bool read_authority(struct element_reader *reader, struct bypeer_pnrp_authority *ret_authority)
{
    if (!read_acked(reader, &ret_authority->acked))
        return false;
    const uint8_t *controls = element_read_fixed(reader, ELEMENT_SPLIT_CONTROLS, 4);
    if (!controls)
        return false;
    unsigned size = bypeer_load16(controls), offset = bypeer_load16(controls + 2);
    if (size > BYPEER_PNRP_BUFFER_MAX || offset >= size || offset % BYPEER_PNRP_SLICE_BYTES != 0)
        return false;
    unsigned slice = size - offset < BYPEER_PNRP_SLICE_BYTES ? size - offset : BYPEER_PNRP_SLICE_BYTES;
    if (reader->length - reader->at != slice)
        return false;
    ret_authority->size = (uint16_t)size;
    ret_authority->offset = (uint16_t)offset;
    ret_authority->slice = reader->bytes + reader->at;
    ret_authority->slice_bytes = (uint16_t)slice;
    reader->at = reader->length;
    return true;
}

static bool read_ack(struct element_reader *reader, struct bypeer_pnrp_ack *ret_ack)
{
    if (!read_acked(reader, &ret_ack->acked))
        return false;
    ret_ack->not_local = false;
    if (element_is_end(reader))
        return true;
    const uint8_t *flags = element_read_fixed(reader, ELEMENT_FLAGS, 2);
    if (flags)
        ret_ack->not_local = bypeer_load16(flags) & ACK_NOT_LOCAL;
    return flags != NULL;
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
    if (reader->length < 96 || bypeer_load32(bytes + 12) != (ELEMENT_LOOKUP_CONTROLS << 16 | 12) ||
        bypeer_load32(bytes + 24) != (ELEMENT_TARGET << 16 | 36) ||
        bypeer_load32(bytes + 60) != (ELEMENT_VALIDATE << 16 | 36))
        return false;
    uint16_t precision = bypeer_load16(bytes + 18);
    if (!read_is_criterion(bytes[20], precision))
        return false;
    reader->at = 96;
    if (!element_read_entry(reader, profile, &ret_lookup->entry) ||
        !element_read_endpoints(reader, &ret_lookup->path) || ret_lookup->path.count == 0)
        return false;
    ret_lookup->any_distance = bypeer_load16(bytes + 16) & LOOKUP_ANY;
    ret_lookup->precision = precision;
    ret_lookup->criterion = bytes[20];
    ret_lookup->reason = bytes[21];
    ret_lookup->target = bytes + 28;
    ret_lookup->validate = bytes + 64;
    return true;
}

static bool read_elements(struct element_reader *reader, const struct bypeer_profile *profile,
                          struct bypeer_pnrp_message *message)
{
    switch (message->type) {
    case BYPEER_PNRP_SOLICIT:
        return read_solicit(reader, profile, &message->solicit);
    case BYPEER_PNRP_ADVERTISE:
        return read_advertise(reader, &message->advertise);
    case BYPEER_PNRP_REQUEST:
        return read_request(reader, &message->request);
    case BYPEER_PNRP_FLOOD:
        return read_flood(reader, profile, &message->flood);
    case BYPEER_PNRP_INQUIRE:
        return read_inquire(reader, &message->inquire);
    case BYPEER_PNRP_AUTHORITY:
        return read_authority(reader, &message->authority);
    case BYPEER_PNRP_ACK:
        return read_ack(reader, &message->ack);
    case BYPEER_PNRP_LOOKUP:
        return read_lookup(reader, profile, &message->lookup);
    }
    return false;
}

int bypeer_pnrp_read(struct bypeer_pnrp_message *ret_message, const struct bypeer_profile *profile,
                     const uint8_t *bytes, size_t length)
{
    struct bypeer_pnrp_message message;
    struct element_reader reader = {bytes, length, BYPEER_PNRP_HEADER_BYTES};
    if (length < BYPEER_PNRP_HEADER_BYTES ||
        bypeer_load32(bytes) != (ELEMENT_HEADER << 16 | BYPEER_PNRP_HEADER_BYTES) || bytes[4] != IDENTIFIER)
        return -EBADMSG;
    if (bytes[5] != profile->pnrp_major || bytes[6] != profile->pnrp_minor)
        return -EPROTONOSUPPORT;
    message.type = (enum bypeer_pnrp_type)bytes[7];
    message.id = bypeer_load32(bytes + 8);
    if (!read_elements(&reader, profile, &message) || !element_is_end(&reader))
        return -EBADMSG;
    *ret_message = message;
    return 0;
}
