#include "overlay/dns/message.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "overlay/ip/wire.h"

/* Bits of the header's second word: RFC 1035, 4.1.1. */
#define IS_ANSWER         0x8000u
#define OPCODE            0x7800u
#define AUTHORITATIVE     0x0400u
#define TRUNCATED         0x0200u
#define RECURSION_DESIRED 0x0100u

#define LABEL_MAX     63
#define NAME_MAX_WIRE 255
#define RECORD_BYTES  10 /* type, class, TTL, length of the data */
#define OPT_BYTES     (1 + RECORD_BYTES)
#define AAAA_BYTES    (2 + RECORD_BYTES + 16)
#define SOA_DATA      (2 + 1 + 20) /* MNAME: a pointer to the zone; RNAME: the root, nobody; five numbers */
#define SOA_BYTES     (2 + RECORD_BYTES + SOA_DATA)
#define POINTER       0xc000u

/* --- reading --- */

struct cursor {
    const uint8_t *at, *end;
};

static bool cursor_has(const struct cursor *cursor, size_t bytes)
{
    return (size_t)(cursor->end - cursor->at) >= bytes;
}

static char name_character(uint8_t byte)
{
    if (byte >= 'A' && byte <= 'Z')
        return (char)(byte | 0x20);
    return (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') || byte == '-' || byte == '_' ? (char)byte
                                                                                                      : '?';
}

/* The question's name; a pointer there would point to nothing that came before. */
static bool name_read(struct cursor *cursor, char ret_text[static BYPEER_DNS_TEXT_MAX])
{
    const uint8_t *start = cursor->at;
    size_t used = 0;
    while (cursor_has(cursor, 1)) {
        uint8_t label = *cursor->at++;
        if (label == 0) {
            ret_text[used] = '\0';
            return true;
        }
        if (label > LABEL_MAX || !cursor_has(cursor, label) || (size_t)(cursor->at - start) + label + 1 > NAME_MAX_WIRE)
            return false;
        if (used)
            ret_text[used++] = '.';
        for (unsigned i = 0; i < label; i++)
            ret_text[used++] = name_character(*cursor->at++);
    }
    return false;
}

/* A record's owner, which may be a pointer; where it leads does not matter here. */
static bool owner_skip(struct cursor *cursor)
{
    while (cursor_has(cursor, 1)) {
        uint8_t label = *cursor->at++;
        if (label == 0)
            return true;
        if (label >> 6 == 3)
            return cursor_has(cursor, 1) && cursor->at++;
        if (label > LABEL_MAX || !cursor_has(cursor, label))
            return false;
        cursor->at += label;
    }
    return false;
}

/* One additional record. What is not OPT (a signature, a cookie of its own) asks for nothing that we do. */
static bool additional_read(struct bypeer_dns_query *query, struct cursor *cursor)
{
    bool root = cursor_has(cursor, 1) && *cursor->at == 0;
    if (!owner_skip(cursor) || !cursor_has(cursor, RECORD_BYTES))
        return false;
    const uint8_t *record = cursor->at;
    uint16_t data = bypeer_load16(record + 8);
    cursor->at += RECORD_BYTES;
    if (!cursor_has(cursor, data))
        return false;
    cursor->at += data;
    if (bypeer_load16(record) != BYPEER_DNS_OPT)
        return true;
    if (!root || query->edns)
        return false; /* RFC 6891, 6.1.1 */
    uint16_t takes = bypeer_load16(record + 2);
    query->edns = true;
    query->answer_bytes = takes < BYPEER_DNS_UDP_LEAST   ? BYPEER_DNS_UDP_LEAST
                          : takes > BYPEER_DNS_UDP_BYTES ? BYPEER_DNS_UDP_BYTES
                                                         : takes;
    if (record[5] != 0)
        query->rcode = BYPEER_DNS_BADVERS;
    return true;
}

static bool query_read(struct bypeer_dns_query *query, struct cursor *cursor)
{
    const uint8_t *header = query->header;
    if (bypeer_load16(header + 4) != 1 || bypeer_load16(header + 6) != 0 || bypeer_load16(header + 8) != 0)
        return false;
    const uint8_t *question = cursor->at;
    if (!name_read(cursor, query->name) || !cursor_has(cursor, 4))
        return false;
    query->type = bypeer_load16(cursor->at);
    query->class = bypeer_load16(cursor->at + 2);
    cursor->at += 4;
    query->question = question;
    query->question_bytes = (uint16_t)(cursor->at - question);
    for (unsigned left = bypeer_load16(header + 10); left > 0; left--)
        if (!additional_read(query, cursor))
            return false;
    return cursor->at == cursor->end;
}

int bypeer_dns_read(struct bypeer_dns_query *ret_query, const uint8_t *bytes, size_t length)
{
    struct bypeer_dns_query query = {.answer_bytes = BYPEER_DNS_UDP_LEAST};
    if (length < BYPEER_DNS_HEADER_BYTES || bypeer_load16(bytes + 2) & IS_ANSWER)
        return -EBADMSG;
    memcpy(query.header, bytes, BYPEER_DNS_HEADER_BYTES);
    struct cursor cursor = {bytes + BYPEER_DNS_HEADER_BYTES, bytes + length};
    if (bypeer_load16(bytes + 2) & OPCODE)
        query.rcode = BYPEER_DNS_NOTIMP;
    else if (!query_read(&query, &cursor))
        query.rcode = BYPEER_DNS_FORMERR;
    *ret_query = query;
    return 0;
}

/* --- writing --- */

static uint8_t *record_write(uint8_t *at, uint16_t owner, uint16_t type, uint32_t ttl_s, uint16_t data)
{
    bypeer_store16(at, owner);
    bypeer_store16(at + 2, type);
    bypeer_store16(at + 4, BYPEER_DNS_CLASS_IN);
    bypeer_store32(at + 6, ttl_s);
    bypeer_store16(at + 10, data);
    return at + 2 + RECORD_BYTES;
}

/* The zone as nobody transfers it: the numbers of a transfer are those of RFC 1912, 2.2, and mean nothing. */
static uint8_t *soa_write(uint8_t *at, uint16_t zone, uint32_t negative_s)
{
    const uint32_t numbers[5] = {1, 7200, 3600, 1209600, negative_s};
    at = record_write(at, zone, BYPEER_DNS_SOA, negative_s, SOA_DATA);
    bypeer_store16(at, zone);
    at[2] = 0;
    at += 3;
    for (unsigned i = 0; i < 5; i++, at += 4)
        bypeer_store32(at, numbers[i]);
    return at;
}

static uint8_t *opt_write(uint8_t *at, enum bypeer_dns_rcode rcode)
{
    at[0] = 0;
    bypeer_store16(at + 1, BYPEER_DNS_OPT);
    bypeer_store16(at + 3, BYPEER_DNS_UDP_BYTES);
    bypeer_store32(at + 5, (uint32_t)rcode >> 4 << 24);
    bypeer_store16(at + 9, 0);
    return at + OPT_BYTES;
}

size_t bypeer_dns_write(uint8_t *ret_bytes, size_t room, const struct bypeer_dns_query *query,
                        const struct bypeer_dns_answer *answer)
{
    size_t head = BYPEER_DNS_HEADER_BYTES + (size_t)query->question_bytes + (query->edns ? OPT_BYTES : 0);
    if (room < head)
        return 0;
    bool soa = answer->zone_bytes > 0 && query->question;
    bool fits = !answer->truncated && room - head >= (size_t)answer->address_count * AAAA_BYTES + (soa ? SOA_BYTES : 0);
    unsigned addresses = fits ? answer->address_count : 0;
    soa = soa && fits;

    uint16_t asked = bypeer_load16(query->header + 2);
    memcpy(ret_bytes, query->header, 2);
    bypeer_store16(ret_bytes + 2, (uint16_t)(IS_ANSWER | (asked & (OPCODE | RECURSION_DESIRED)) |
                                             (addresses || soa ? AUTHORITATIVE : 0) | (fits ? 0 : TRUNCATED) |
                                             ((unsigned)answer->rcode & 0xf)));
    bypeer_store16(ret_bytes + 4, query->question ? 1 : 0);
    bypeer_store16(ret_bytes + 6, (uint16_t)(addresses + (soa && answer->soa_asked ? 1 : 0)));
    bypeer_store16(ret_bytes + 8, soa && !answer->soa_asked ? 1 : 0);
    bypeer_store16(ret_bytes + 10, query->edns ? 1 : 0);

    uint8_t *at = ret_bytes + BYPEER_DNS_HEADER_BYTES;
    if (query->question)
        memcpy(at, query->question, query->question_bytes);
    at += query->question_bytes;
    for (unsigned i = 0; i < addresses; i++) {
        at = record_write(at, POINTER | BYPEER_DNS_HEADER_BYTES, BYPEER_DNS_AAAA, answer->ttl_s, 16);
        memcpy(at, answer->addresses[i], 16);
        at += 16;
    }
    if (soa) {
        unsigned zone = BYPEER_DNS_HEADER_BYTES + query->question_bytes - 4u - answer->zone_bytes;
        at = soa_write(at, (uint16_t)(POINTER | zone), answer->negative_s);
    }
    if (query->edns)
        at = opt_write(at, answer->rcode);
    return (size_t)(at - ret_bytes);
}
