#include <errno.h>

#include "overlay/pnrp/cpa.h"
#include "overlay/pnrp/record.h"

#define TYPE_STRING      0x80000002u
#define TYPE_BINARY      0x80000003u
#define STRING_IS_UTF16  0
#define STRING_IS_UTF8   1
#define STRING_BYTES_MIN 4 /* 2.2.3.3: Payload Length begins at 6 for strings, with the String Type's 2 */
#define PAYLOAD_AT       74
#define PAYLOADS_HEAD    10 /* what Total Payload Bytes counts beside Payload Length */

/* How long a string is before its NUL; bytes: there is none. */
static size_t extended_string_length(const uint8_t *text, size_t bytes, bool is_utf16)
{
    size_t unit = is_utf16 ? 2 : 1;
    for (size_t at = 0; at + unit <= bytes; at += unit)
        if (text[at] == 0 && text[at + unit - 1] == 0)
            return at;
    return bytes;
}

static bool extended_read_string(struct record_reader *reader, size_t length, struct bypeer_extended *extended)
{
    unsigned kind = record_take16(reader);
    if (length < 2 + STRING_BYTES_MIN || length > 2 + BYPEER_PAYLOAD_MAX || kind > STRING_IS_UTF8)
        return false;
    size_t bytes = length - 2;
    extended->type = BYPEER_PAYLOAD_STRING;
    extended->payload_is_utf16 = kind == STRING_IS_UTF16;
    extended->payload = record_take(reader, bytes);
    if (!extended->payload || (extended->payload_is_utf16 && bytes % 2 != 0))
        return false;
    size_t text = extended_string_length(extended->payload, bytes, extended->payload_is_utf16);
    extended->payload_bytes = (uint16_t)text;
    return text < bytes;
}

static bool extended_read_payload(struct record_reader *reader, struct bypeer_extended *extended)
{
    unsigned payloads = record_take16(reader), total = record_take16(reader);
    uint32_t type = record_take32(reader);
    unsigned length = record_take16(reader);
    if (payloads != 1 || total != PAYLOADS_HEAD + length)
        return false;
    if (type == TYPE_STRING)
        return extended_read_string(reader, length, extended);
    if (type != TYPE_BINARY || length == 0 || length > BYPEER_PAYLOAD_MAX)
        return false;
    extended->type = BYPEER_PAYLOAD_BINARY;
    extended->payload = record_take(reader, length);
    extended->payload_bytes = (uint16_t)length;
    return extended->payload != NULL;
}

int bypeer_extended_read(struct bypeer_extended *ret_extended, const struct bypeer_profile *profile,
                         const uint8_t *bytes, size_t length)
{
    struct bypeer_extended extended = {0};
    struct record_reader reader = {bytes, length, 0, false};
    size_t whole = record_take16(&reader);
    unsigned minor = record_take8(&reader), major = record_take8(&reader);
    record_take16(&reader); /* reserved */
    size_t signature_at = record_take16(&reader);
    if (whole != length || minor != RECORD_MINOR || major != RECORD_MAJOR)
        return -EBADMSG;
    extended.not_after = record_take_time(&reader);
    record_take_reversed(&reader, extended.id, sizeof(extended.id));
    record_take_bytes(&reader, extended.nonce, sizeof(extended.nonce));
    if (!extended_read_payload(&reader, &extended) || reader.at != signature_at)
        return -EBADMSG;
    extended.signed_bytes = (uint16_t)reader.at;
    extended.signature = record_take_signature(&reader, profile);
    if (!extended.signature)
        return -EBADMSG;
    *ret_extended = extended;
    return 0;
}

/* Of the payload with what ends it; 0: there can be no such payload. */
static size_t extended_payload_bytes(const struct bypeer_extended *extended)
{
    size_t bytes = extended->payload_bytes;
    if (extended->type == BYPEER_PAYLOAD_BINARY)
        return bytes <= BYPEER_PAYLOAD_MAX ? bytes : 0;
    if (extended->type != BYPEER_PAYLOAD_STRING || (extended->payload_is_utf16 && bytes % 2 != 0) ||
        extended_string_length(extended->payload, bytes, extended->payload_is_utf16) < bytes)
        return 0;
    bytes += extended->payload_is_utf16 ? 2 : 1;
    if (bytes < STRING_BYTES_MIN)
        return STRING_BYTES_MIN;
    return bytes <= BYPEER_PAYLOAD_MAX ? bytes : 0;
}

size_t bypeer_extended_write(const struct bypeer_extended *extended, const struct bypeer_profile *profile,
                             uint8_t *ret_bytes, size_t room, size_t *ret_signed)
{
    struct record_writer writer = {ret_bytes, 0};
    size_t payload = extended_payload_bytes(extended), kind = extended->type == BYPEER_PAYLOAD_STRING ? 2 : 0;
    size_t signature_at = PAYLOAD_AT + kind + payload, length = signature_at + record_signature_bytes(profile);
    if (payload == 0 || length > room)
        return 0;
    record_put16(&writer, length);
    record_put8(&writer, RECORD_MINOR);
    record_put8(&writer, RECORD_MAJOR);
    record_put16(&writer, 0);
    record_put16(&writer, signature_at);
    record_put_time(&writer, extended->not_after);
    record_put_reversed(&writer, extended->id, sizeof(extended->id));
    record_put(&writer, extended->nonce, sizeof(extended->nonce));
    record_put16(&writer, 1);
    record_put16(&writer, PAYLOADS_HEAD + kind + payload);
    record_put32(&writer, kind > 0 ? TYPE_STRING : TYPE_BINARY);
    record_put16(&writer, kind + payload);
    if (kind > 0)
        record_put16(&writer, extended->payload_is_utf16 ? STRING_IS_UTF16 : STRING_IS_UTF8);
    memset(ret_bytes + writer.at, 0, payload);
    record_put(&writer, extended->payload, extended->payload_bytes);
    writer.at = signature_at;
    *ret_signed = signature_at;
    record_put_signature(&writer, profile);
    return length;
}
