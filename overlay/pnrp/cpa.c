#include "overlay/pnrp/cpa.h"

#include <errno.h>

#include "overlay/ip/wire.h"
#include "overlay/pnrp/name.h"
#include "overlay/pnrp/record.h"

#define FLAGS_AT        6
#define FLAG_EXTENDED   0x20u
#define FLAG_COMMENT    0x10u
#define FLAG_CLASSIFIER 0x08u
#define FLAG_AUTHORITY  0x04u
#define FLAG_UTF8       0x02u
#define FLAG_REVOKE     0x01u
#define FLAGS           0x3fu

#define SERVICE_BYTES     18
#define APPLICATION_BYTES 20
#define PAYLOADS_HEAD     4 /* NumPayloads and Total Bytes, which counts both */
#define PAYLOAD_HEAD      6 /* Type and DataLength */
#define PAYLOAD_ENDPOINTS 1 /* the one Type there is */
#define PUBLIC_KEY_HEAD   9

static bool cpa_read_comment(struct record_reader *reader, struct bypeer_cpa *cpa, unsigned flags)
{
    if (!(flags & FLAG_COMMENT))
        return !(flags & FLAG_UTF8);
    unsigned bytes = record_take16(reader);
    cpa->comment_is_utf8 = flags & FLAG_UTF8;
    if (bytes == 0 || bytes > BYPEER_COMMENT_MAX || (!cpa->comment_is_utf8 && bytes % 2 != 0))
        return false;
    cpa->comment_bytes = (uint8_t)bytes;
    cpa->comment = record_take(reader, bytes);
    return true;
}

/* Service addresses: where the node is reached. Ports are in network byte order here, too. */
static bool cpa_read_services(struct record_reader *reader, struct bypeer_cpa *cpa)
{
    unsigned count = record_take16(reader), bytes = record_take16(reader);
    if (count > BYPEER_CPA_SERVICES_MAX || (count == 0 && !cpa->revoke) || bytes != SERVICE_BYTES)
        return false;
    for (unsigned at = 0; at < count; at++) {
        const uint8_t *place = record_take(reader, SERVICE_BYTES);
        if (!place)
            return false;
        cpa->services[at].port = bypeer_load16(place);
        memcpy(cpa->services[at].address, place + 2, 16);
        if (cpa->services[at].port < BYPEER_PNRP_PORT_MIN)
            return false;
    }
    cpa->service_count = (uint8_t)count;
    return true;
}

static bool cpa_read_applications(struct record_reader *reader, struct bypeer_cpa *cpa)
{
    unsigned payloads = record_take16(reader), total = record_take16(reader);
    if (payloads == 0)
        return total == PAYLOADS_HEAD;
    uint32_t type = record_take32(reader);
    unsigned bytes = record_take16(reader), count = bytes / APPLICATION_BYTES;
    if (payloads != 1 || cpa->revoke || type != PAYLOAD_ENDPOINTS || bytes % APPLICATION_BYTES != 0 || count == 0 ||
        count > BYPEER_CPA_APPLICATIONS_MAX || total != PAYLOADS_HEAD + PAYLOAD_HEAD + bytes)
        return false;
    for (unsigned at = 0; at < count; at++) {
        const uint8_t *place = record_take(reader, APPLICATION_BYTES - 2);
        if (!place)
            return false;
        memcpy(cpa->applications[at].address, place, 16);
        cpa->applications[at].port = bypeer_load16(place + 16);
        cpa->applications[at].protocol = record_take16(reader);
    }
    cpa->application_count = (uint8_t)count;
    return true;
}

static bool cpa_read_public_key(struct record_reader *reader, const struct bypeer_profile *profile,
                                struct bypeer_cpa *cpa)
{
    size_t algorithm_bytes = strlen(profile->key_algorithm);
    unsigned field = record_take16(reader), algorithm_length = record_take16(reader);
    record_take16(reader); /* reserved */
    unsigned key_bytes = record_take16(reader), unused_bits = record_take8(reader);
    const uint8_t *algorithm = record_take(reader, algorithm_bytes);
    cpa->public_key = record_take(reader, profile->public_key_bytes);
    return field == PUBLIC_KEY_HEAD + algorithm_bytes + profile->public_key_bytes &&
           algorithm_length == algorithm_bytes && key_bytes == profile->public_key_bytes && unused_bits == 0 &&
           algorithm && memcmp(algorithm, profile->key_algorithm, algorithm_bytes) == 0;
}

static bool cpa_read(struct bypeer_cpa *cpa, const struct bypeer_profile *profile, const uint8_t *bytes, size_t length,
                     bool has_nonce)
{
    struct record_reader reader = {bytes, length, 0, false};
    size_t whole = record_take16(&reader);
    unsigned minor = record_take8(&reader), major = record_take8(&reader);
    unsigned pnrp_minor = record_take8(&reader), pnrp_major = record_take8(&reader);
    unsigned flags = record_take8(&reader);
    record_take8(&reader); /* reserved */
    if (whole != length || minor != RECORD_MINOR || major != RECORD_MAJOR || pnrp_minor != profile->pnrp_minor ||
        pnrp_major != profile->pnrp_major || (flags & ~FLAGS) || !(flags & (FLAG_AUTHORITY | FLAG_CLASSIFIER)))
        return false;

    *cpa = (struct bypeer_cpa){.revoke = flags & FLAG_REVOKE,
                               .has_extended = flags & FLAG_EXTENDED,
                               .has_authority = flags & FLAG_AUTHORITY,
                               .has_classifier = flags & FLAG_CLASSIFIER};
    cpa->not_after = record_take_time(&reader);
    record_take_reversed(&reader, cpa->service_location, sizeof(cpa->service_location));
    if (has_nonce)
        record_take_bytes(&reader, cpa->nonce, sizeof(cpa->nonce));
    if (cpa->has_authority)
        record_take_reversed(&reader, cpa->authority, sizeof(cpa->authority));
    if (cpa->has_classifier)
        record_take_bytes(&reader, cpa->classifier_hash, sizeof(cpa->classifier_hash));
    if (!cpa_read_comment(&reader, cpa, flags) || !cpa_read_services(&reader, cpa) ||
        !cpa_read_applications(&reader, cpa) || !cpa_read_public_key(&reader, profile, cpa))
        return false;
    cpa->signed_bytes = (uint16_t)reader.at;
    cpa->signature = record_take_signature(&reader, profile);
    return cpa->signature != NULL;
}

int bypeer_cpa_read(struct bypeer_cpa *ret_cpa, const struct bypeer_profile *profile, const uint8_t *bytes,
                    size_t length)
{
    struct bypeer_cpa cpa;
    if (length > BYPEER_CPA_MAX)
        return -EBADMSG;
    bool is_read = cpa_read(&cpa, profile, bytes, length, true);
    /* Whether a revocation's nonce is zeros or nothing at all is open (2.2.3.1 says "zero"): its length tells. */
    if (!is_read && length > FLAGS_AT && (bytes[FLAGS_AT] & FLAG_REVOKE))
        is_read = cpa_read(&cpa, profile, bytes, length, false);
    if (!is_read)
        return -EBADMSG;
    *ret_cpa = cpa;
    return 0;
}

static size_t cpa_bytes(const struct bypeer_cpa *cpa, const struct bypeer_profile *profile)
{
    size_t bytes = 8 + 8 + sizeof(cpa->service_location) + sizeof(cpa->nonce);
    bytes += cpa->has_authority ? sizeof(cpa->authority) : 0;
    bytes += cpa->has_classifier ? sizeof(cpa->classifier_hash) : 0;
    bytes += cpa->comment_bytes > 0 ? 2 + (size_t)cpa->comment_bytes : 0;
    bytes += 4 + (size_t)cpa->service_count * SERVICE_BYTES + PAYLOADS_HEAD;
    bytes += cpa->application_count > 0 ? PAYLOAD_HEAD + (size_t)cpa->application_count * APPLICATION_BYTES : 0;
    bytes += PUBLIC_KEY_HEAD + strlen(profile->key_algorithm) + profile->public_key_bytes;
    return bytes + record_signature_bytes(profile);
}

static uint8_t cpa_flags(const struct bypeer_cpa *cpa)
{
    unsigned flags = cpa->revoke ? FLAG_REVOKE : 0;
    flags |= cpa->has_extended ? FLAG_EXTENDED : 0;
    flags |= cpa->has_authority ? FLAG_AUTHORITY : 0;
    flags |= cpa->has_classifier ? FLAG_CLASSIFIER : 0;
    if (cpa->comment_bytes > 0)
        flags |= FLAG_COMMENT | (cpa->comment_is_utf8 ? FLAG_UTF8 : 0);
    return (uint8_t)flags;
}

static void cpa_put_services(struct record_writer *writer, const struct bypeer_cpa *cpa)
{
    record_put16(writer, cpa->service_count);
    record_put16(writer, SERVICE_BYTES);
    for (unsigned at = 0; at < cpa->service_count; at++, writer->at += SERVICE_BYTES)
        bypeer_pnrp_endpoint_put(writer->bytes + writer->at, &cpa->services[at]);
}

static void cpa_put_applications(struct record_writer *writer, const struct bypeer_cpa *cpa)
{
    size_t bytes = (size_t)cpa->application_count * APPLICATION_BYTES;
    record_put16(writer, bytes > 0);
    record_put16(writer, PAYLOADS_HEAD + (bytes > 0 ? PAYLOAD_HEAD + bytes : 0));
    if (bytes == 0)
        return;
    record_put32(writer, PAYLOAD_ENDPOINTS);
    record_put16(writer, bytes);
    for (unsigned at = 0; at < cpa->application_count; at++) {
        uint16_t port = htobe16(cpa->applications[at].port);
        record_put(writer, cpa->applications[at].address, 16);
        record_put(writer, &port, sizeof(port));
        record_put16(writer, cpa->applications[at].protocol);
    }
}

static void cpa_put_public_key(struct record_writer *writer, const struct bypeer_cpa *cpa,
                               const struct bypeer_profile *profile)
{
    size_t algorithm_bytes = strlen(profile->key_algorithm);
    record_put16(writer, PUBLIC_KEY_HEAD + algorithm_bytes + profile->public_key_bytes);
    record_put16(writer, algorithm_bytes);
    record_put16(writer, 0);
    record_put16(writer, profile->public_key_bytes);
    record_put8(writer, 0);
    record_put(writer, profile->key_algorithm, algorithm_bytes);
    record_put(writer, cpa->public_key, profile->public_key_bytes);
}

size_t bypeer_cpa_write(const struct bypeer_cpa *cpa, const struct bypeer_profile *profile, uint8_t *ret_bytes,
                        size_t room, size_t *ret_signed)
{
    struct record_writer writer = {ret_bytes, 0};
    size_t length = cpa_bytes(cpa, profile);
    if (length > room)
        return 0;
    record_put16(&writer, length);
    record_put8(&writer, RECORD_MINOR);
    record_put8(&writer, RECORD_MAJOR);
    record_put8(&writer, profile->pnrp_minor);
    record_put8(&writer, profile->pnrp_major);
    record_put8(&writer, cpa_flags(cpa));
    record_put8(&writer, 0);
    record_put_time(&writer, cpa->not_after);
    record_put_reversed(&writer, cpa->service_location, sizeof(cpa->service_location));
    record_put(&writer, cpa->nonce, sizeof(cpa->nonce));
    if (cpa->has_authority)
        record_put_reversed(&writer, cpa->authority, sizeof(cpa->authority));
    if (cpa->has_classifier)
        record_put(&writer, cpa->classifier_hash, sizeof(cpa->classifier_hash));
    if (cpa->comment_bytes > 0) {
        record_put16(&writer, cpa->comment_bytes);
        record_put(&writer, cpa->comment, cpa->comment_bytes);
    }
    cpa_put_services(&writer, cpa);
    cpa_put_applications(&writer, cpa);
    cpa_put_public_key(&writer, cpa, profile);
    *ret_signed = writer.at;
    record_put_signature(&writer, profile);
    return length;
}

void bypeer_cpa_id(const struct bypeer_cpa *cpa, const struct bypeer_profile *profile, uint8_t ret_id[static 32])
{
    uint8_t nothing[20]; /* what the name's classifier hashes to where the CPA has none */
    if (!cpa->has_classifier)
        bypeer_profile_hash(profile, NULL, 0, nothing);
    bypeer_p2p_id(profile, cpa->has_authority ? cpa->authority : NULL,
                  cpa->has_classifier ? cpa->classifier_hash : nothing, ret_id);
    memcpy(ret_id + 16, cpa->service_location, sizeof(cpa->service_location));
}
