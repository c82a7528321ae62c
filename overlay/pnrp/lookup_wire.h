/*
 * LOOKUP and its answer at fixed places, for those who read and write them by the million ([MS-PNRP] 2.2.2.8).
 *
 *   0        12         24       60         96
 *   | header | controls | target | validate | [ entry 44 + 16 n ] | path 12 + 18 m |
 *
 *   0        12      20      28      36
 *   | header | acked | split | flags | [ entry 44 + 16 n ] |
 *
 * bypeer_lookup_read() takes the form in which everybody sends a LOOKUP and nothing else: what it does not take may
 * still be one, and is bypeer_pnrp_read()'s to judge (message.h). What it takes, that one reads the same.
 * Section numbers are the reference's. Threads: any.
 */
#pragma once

#include "overlay/ip/wire.h"
#include "overlay/pnrp/answer.h"

#define BYPEER_LOOKUP_ELEMENTS_AT 96
#define BYPEER_LOOKUP_ENTRY_BYTES 44 /* without addresses: element header, entry, two bytes of padding */
#define BYPEER_LOOKUP_PATH_BYTES  12 /* without endpoints */
#define BYPEER_LOOKUP_ANSWER      36 /* bytes of an answer without an entry */

/* A ROUTING_ENTRY element at bytes, of which room are there; its length with padding, or 0. */
static inline size_t bypeer_lookup_entry_read(struct bypeer_pnrp_entry *ret_entry, const struct bypeer_profile *profile,
                                              const uint8_t *bytes, size_t room)
{
    if (room < BYPEER_LOOKUP_ENTRY_BYTES)
        return 0;
    uint8_t count = bytes[41];
    uint16_t port = bypeer_load16(bytes + 38);
    if (count == 0 || count > BYPEER_PNRP_ADDRESSES_MAX || port < BYPEER_PNRP_PORT_MIN ||
        bypeer_load16(bytes + 2) != 42 + 16 * count || bytes[36] != profile->pnrp_major ||
        bytes[37] != profile->pnrp_minor || room < BYPEER_LOOKUP_ENTRY_BYTES + 16u * count)
        return 0;
    *ret_entry =
        (struct bypeer_pnrp_entry){.id = bytes + 4, .addresses = bytes + 42, .address_count = count, .port = port};
    return BYPEER_LOOKUP_ENTRY_BYTES + 16u * count;
}

/* The flagged path, which ends the message. */
static inline bool bypeer_lookup_path_read(struct bypeer_pnrp_endpoints *ret_path, const uint8_t *bytes, size_t length)
{
    if (length < BYPEER_LOOKUP_PATH_BYTES + 18)
        return false;
    uint16_t count = bypeer_load16(bytes + 4);
    if (count == 0 || count > BYPEER_PNRP_PATH_MAX || length != BYPEER_LOOKUP_PATH_BYTES + 18u * count ||
        bypeer_load32(bytes) != (UINT32_C(0x009e) << 16 | (12u + 18u * count)) ||
        bypeer_load16(bytes + 6) != 8 + 18 * count || bypeer_load32(bytes + 8) != UINT32_C(0x009d0012))
        return false;
    for (unsigned i = 0; i < count; i++)
        if (bypeer_load16(bytes + 12 + 18 * (size_t)i) < BYPEER_PNRP_PORT_MIN)
            return false;
    *ret_path = (struct bypeer_pnrp_endpoints){.bytes = bytes + 12, .count = count};
    return true;
}

/* Whether the message is a LOOKUP in its usual form. The result points into bytes; the Message ID is at offset 8. */
static inline bool bypeer_lookup_read(struct bypeer_pnrp_lookup *ret_lookup, const struct bypeer_profile *profile,
                                      const uint8_t *bytes, size_t length)
{
    const uint32_t version = UINT32_C(0x51) << 24 | (uint32_t)profile->pnrp_major << 16 |
                             (uint32_t)profile->pnrp_minor << 8 | BYPEER_PNRP_LOOKUP;
    if (length < BYPEER_LOOKUP_ELEMENTS_AT || bypeer_load32(bytes) != UINT32_C(0x0010000c) ||
        bypeer_load32(bytes + 4) != version || bypeer_load32(bytes + 12) != UINT32_C(0x0045000c) ||
        bypeer_load32(bytes + 24) != UINT32_C(0x00380024) || bypeer_load32(bytes + 60) != UINT32_C(0x00390024))
        return false;
    /* The A flag and no other, the criteria that need no precision (0, 1, 2 and 4), and nothing that is reserved. */
    uint16_t flags = bypeer_load16(bytes + 16);
    uint8_t criterion = bytes[20];
    if ((flags & ~0x0002) != 0 || criterion > 4 || (UINT32_C(0x17) >> criterion & 1) == 0 ||
        bypeer_load16(bytes + 22) != 0)
        return false;
    struct bypeer_pnrp_lookup lookup = {.any_distance = flags != 0,
                                        .precision = bypeer_load16(bytes + 18),
                                        .criterion = criterion,
                                        .reason = bytes[21],
                                        .target = bytes + 28,
                                        .validate = bytes + 64};
    const uint8_t *element = bytes + BYPEER_LOOKUP_ELEMENTS_AT;
    size_t room = length - BYPEER_LOOKUP_ELEMENTS_AT;
    if (room >= 2 && bypeer_load16(element) == 0x009a) {
        size_t entry = bypeer_lookup_entry_read(&lookup.entry, profile, element, room);
        if (entry == 0)
            return false;
        element += entry;
        room -= entry;
    }
    if (!bypeer_lookup_path_read(&lookup.path, element, room))
        return false;
    *ret_lookup = lookup;
    return true;
}

/* How many addresses of a known node fit an answer of at most so many bytes: an answer is no larger than its question,
 * so that nobody is flooded by way of this node. Every LOOKUP has room for two. */
static inline unsigned bypeer_lookup_answer_addresses(const struct bypeer_known *known, size_t room)
{
    size_t fit = (room - BYPEER_LOOKUP_ANSWER - BYPEER_LOOKUP_ENTRY_BYTES) / 16;
    return known->address_count < fit ? known->address_count : (unsigned)fit;
}

/*
 * Writes the AUTHORITY that answers the LOOKUP (or INQUIRE) of Message ID acked, in its place if need be. known NULL:
 * without an entry. Returns its length. By whole words, for the sake of the checksum (overlay/ip/datagram.h).
 */
static inline size_t bypeer_lookup_answer_write(uint8_t *ret_bytes, const struct bypeer_profile *profile, uint32_t id,
                                                uint32_t acked, unsigned flags, const struct bypeer_known *known,
                                                unsigned address_count)
{
    size_t entry = known == NULL ? 0 : BYPEER_LOOKUP_ENTRY_BYTES + 16u * address_count;
    bypeer_store64(ret_bytes, UINT64_C(0x0010000c51000000) | (uint64_t)profile->pnrp_major << 16 |
                                  (uint64_t)profile->pnrp_minor << 8 | BYPEER_PNRP_AUTHORITY);
    bypeer_store64(ret_bytes + 8, (uint64_t)id << 32 | UINT32_C(0x00180008));
    bypeer_store64(ret_bytes + 16, (uint64_t)acked << 32 | UINT32_C(0x00980008));
    bypeer_store64(ret_bytes + 24, (8 + entry) << 48 | UINT32_C(0x00400006)); /* whole in one slice, at offset 0 */
    if (known == NULL) {
        bypeer_store32(ret_bytes + 32, flags << 16);
        return BYPEER_LOOKUP_ANSWER;
    }
    uint64_t address[2];
    memcpy(address, known->address, sizeof(address));
    address[0] = be64toh(address[0]);
    address[1] = be64toh(address[1]);
    bypeer_store64(ret_bytes + 32, (uint64_t)flags << 48 | UINT32_C(0x009a) << 16 | (42 + 16 * address_count));
    memcpy(ret_bytes + 40, known->id, BYPEER_ID_BYTES);
    bypeer_store64(ret_bytes + 72, (uint64_t)profile->pnrp_major << 56 | (uint64_t)profile->pnrp_minor << 48 |
                                       (uint64_t)known->port << 32 | (uint64_t)address_count << 16 | address[0] >> 48);
    bypeer_store64(ret_bytes + 80, address[0] << 16 | address[1] >> 48);
    bypeer_store64(ret_bytes + 88, address[1] << 16);
    for (unsigned i = 1; i < address_count; i++) {
        memcpy(ret_bytes + 78 + 16 * (size_t)i, known->more[i - 1], 16);
        bypeer_store16(ret_bytes + 94 + 16 * (size_t)i, 0);
    }
    return BYPEER_LOOKUP_ANSWER + entry;
}
