#include "overlay/pnrp/element.h"

static void write_header(struct element_writer *writer, const struct bypeer_profile *profile,
                         const struct bypeer_pnrp_message *message)
{
    uint8_t *place = element_put(writer, ELEMENT_HEADER, BYPEER_PNRP_HEADER_BYTES - ELEMENT_BYTES, true);
    if (!place)
        return;
    place[0] = 0x51;
    place[1] = profile->pnrp_major;
    place[2] = profile->pnrp_minor;
    place[3] = (uint8_t)message->type;
    bypeer_store32(place + 4, message->id);
}

/* Controls are optional and mean ANY where they are absent: a node without names, which asks for all, sends none. */
static void write_solicit(struct element_writer *writer, const struct bypeer_profile *profile,
                          const struct bypeer_pnrp_solicit *solicit)
{
    const uint8_t controls[2] = {0, solicit->local_only};
    if (solicit->local_only || solicit->entry.id)
        element_put_bytes(writer, ELEMENT_SOLICIT_CONTROLS, controls, sizeof(controls), true);
    element_put_entry(writer, profile, &solicit->entry);
    element_put_bytes(writer, ELEMENT_HASHED_NONCE, solicit->hashed_nonce, 20, true);
}

static void write_ids(struct element_writer *writer, const struct bypeer_pnrp_ids *ids)
{
    element_put_array(writer, ELEMENT_ID_ARRAY, ELEMENT_ID, 32, ids->bytes, ids->count, true);
}

/* Always the last one, which has no padding behind it. */
static void write_endpoints(struct element_writer *writer, const struct bypeer_pnrp_endpoints *endpoints)
{
    element_put_array(writer, ELEMENT_ENDPOINT_ARRAY, ELEMENT_IPV6_ENDPOINT, ELEMENT_ENDPOINT, endpoints->bytes,
                      endpoints->count, false);
}

static void write_advertise(struct element_writer *writer, const struct bypeer_pnrp_advertise *advertise)
{
    element_put32(writer, ELEMENT_ACKED, advertise->acked);
    write_ids(writer, &advertise->ids);
    element_put_bytes(writer, ELEMENT_HASHED_NONCE, advertise->hashed_nonce, 20, true);
}

static void write_request(struct element_writer *writer, const struct bypeer_pnrp_request *request)
{
    element_put_bytes(writer, ELEMENT_NONCE, request->nonce, 16, true);
    write_ids(writer, &request->ids);
}

static void write_flood(struct element_writer *writer, const struct bypeer_profile *profile,
                        const struct bypeer_pnrp_flood *flood)
{
    const uint8_t controls[3] = {0, flood->no_ack, 0};
    element_put_bytes(writer, ELEMENT_FLOOD_CONTROLS, controls, sizeof(controls), true);
    element_put_bytes(writer, ELEMENT_VALIDATE, flood->validate, 32, true);
    if (flood->revoke)
        element_put_bytes(writer, ELEMENT_REVOKE_CPA, flood->revoke, flood->revoke_bytes, true);
    element_put_entry(writer, profile, &flood->entry);
    write_endpoints(writer, &flood->flooded);
}

static void write_inquire(struct element_writer *writer, const struct bypeer_pnrp_inquire *inquire)
{
    element_put16(writer, ELEMENT_FLAGS, inquire->flags, true);
    element_put_bytes(writer, ELEMENT_VALIDATE, inquire->validate, 32, true);
    if (inquire->nonce)
        element_put_bytes(writer, ELEMENT_NONCE, inquire->nonce, 16, true);
}

static void write_authority(struct element_writer *writer, const struct bypeer_pnrp_authority *authority)
{
    element_put32(writer, ELEMENT_ACKED, authority->acked);
    element_put32(writer, ELEMENT_SPLIT_CONTROLS, (uint32_t)authority->size << 16 | authority->offset);
    size_t at = writer->length;
    writer->length += authority->slice_bytes;
    if (element_written(writer) && authority->slice != writer->bytes + at)
        memcpy(writer->bytes + at, authority->slice, authority->slice_bytes);
}

static void write_ack(struct element_writer *writer, const struct bypeer_pnrp_ack *ack)
{
    element_put32(writer, ELEMENT_ACKED, ack->acked);
    if (ack->not_local)
        element_put16(writer, ELEMENT_FLAGS, 1, false);
}

static void write_lookup(struct element_writer *writer, const struct bypeer_profile *profile,
                         const struct bypeer_pnrp_lookup *lookup)
{
    uint8_t *controls = element_put(writer, ELEMENT_LOOKUP_CONTROLS, 8, true);
    if (controls) {
        bypeer_store16(controls, lookup->any_distance ? 2 : 0);
        bypeer_store16(controls + 2, lookup->precision);
        controls[4] = lookup->criterion;
        controls[5] = lookup->reason;
        bypeer_store16(controls + 6, 0);
    }
    element_put_bytes(writer, ELEMENT_TARGET, lookup->target, 32, true);
    element_put_bytes(writer, ELEMENT_VALIDATE, lookup->validate, 32, true);
    element_put_entry(writer, profile, &lookup->entry);
    write_endpoints(writer, &lookup->path);
}

size_t bypeer_pnrp_write(const struct bypeer_pnrp_message *message, const struct bypeer_profile *profile,
                         uint8_t *ret_bytes, size_t room)
{
    struct element_writer writer = {ret_bytes, room, 0};
    write_header(&writer, profile, message);
    switch (message->type) {
    case BYPEER_PNRP_SOLICIT:
        write_solicit(&writer, profile, &message->solicit);
        break;
    case BYPEER_PNRP_ADVERTISE:
        write_advertise(&writer, &message->advertise);
        break;
    case BYPEER_PNRP_REQUEST:
        write_request(&writer, &message->request);
        break;
    case BYPEER_PNRP_FLOOD:
        write_flood(&writer, profile, &message->flood);
        break;
    case BYPEER_PNRP_INQUIRE:
        write_inquire(&writer, &message->inquire);
        break;
    case BYPEER_PNRP_AUTHORITY:
        write_authority(&writer, &message->authority);
        break;
    case BYPEER_PNRP_ACK:
        write_ack(&writer, &message->ack);
        break;
    case BYPEER_PNRP_LOOKUP:
        write_lookup(&writer, profile, &message->lookup);
        break;
    }
    return element_written(&writer);
}
