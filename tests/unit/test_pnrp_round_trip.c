/* Whatever is written of messages and answers is read as the same. */
#include <stddef.h>
#include <string.h>

#include <criterion/criterion.h>

#include "overlay/pnrp/message.h"
#include "overlay/pnrp/name.h"
#include "tests/random.h"
#include "tests/unit/pnrp_bytes.h"

#define ROOM 40000

/* Random, yet legal in all values; what it points to is in the arena. */
struct arena {
    uint64_t state;
    uint8_t ids[40 * 32], addresses[20 * 16], endpoints[22 * 18], blob[1500], nonce[20];
};

static void arena_fill(struct arena *arena)
{
    uint8_t *bytes = arena->ids;
    for (size_t at = 0; at < sizeof(*arena) - offsetof(struct arena, ids); at++)
        bytes[at] = (uint8_t)random_next(&arena->state);
    for (unsigned at = 0; at < 22; at++)
        arena->endpoints[18 * at] |= 0x08;
}

static struct bypeer_pnrp_entry random_entry(struct arena *arena, bool is_there)
{
    if (!is_there)
        return (struct bypeer_pnrp_entry){0};
    return (struct bypeer_pnrp_entry){.id = arena->ids,
                                      .addresses = arena->addresses,
                                      .address_count = (uint8_t)(1 + random_next_below(&arena->state, 20)),
                                      .port = (uint16_t)(1025 + random_next_below(&arena->state, 64511))};
}

static struct bypeer_pnrp_endpoints random_endpoints(struct arena *arena, unsigned least)
{
    return (struct bypeer_pnrp_endpoints){arena->endpoints,
                                          (uint16_t)(least + random_next_below(&arena->state, 23 - least))};
}

static struct bypeer_pnrp_ids random_ids(struct arena *arena)
{
    return (struct bypeer_pnrp_ids){arena->ids, (uint16_t)random_next_below(&arena->state, 38)};
}

static struct bypeer_pnrp_lookup random_lookup(struct arena *arena)
{
    static const uint8_t criteria[] = {BYPEER_PNRP_NONE, BYPEER_PNRP_ANY, BYPEER_PNRP_NEAREST, BYPEER_PNRP_NEAREST_64,
                                       BYPEER_PNRP_UPPER_BITS};
    return (struct bypeer_pnrp_lookup){.any_distance = random_next_below(&arena->state, 2),
                                       .precision = (uint16_t)random_next_below(&arena->state, 257),
                                       .criterion = criteria[random_next_below(&arena->state, 5)],
                                       .reason = (uint8_t)random_next_below(&arena->state, 256),
                                       .target = arena->ids + 32,
                                       .validate = arena->ids + 64,
                                       .entry = random_entry(arena, random_next_below(&arena->state, 2)),
                                       .path = random_endpoints(arena, 1)};
}

static struct bypeer_pnrp_authority random_authority(struct arena *arena)
{
    unsigned size = 1 + random_next_below(&arena->state, BYPEER_PNRP_BUFFER_MAX);
    unsigned slices = (size + BYPEER_PNRP_SLICE_BYTES - 1) / BYPEER_PNRP_SLICE_BYTES;
    unsigned offset = BYPEER_PNRP_SLICE_BYTES * random_next_below(&arena->state, slices);
    unsigned left = size - offset;
    return (struct bypeer_pnrp_authority){
        .acked = (uint32_t)random_next(&arena->state),
        .size = (uint16_t)size,
        .offset = (uint16_t)offset,
        .slice = arena->blob,
        .slice_bytes = (uint16_t)(left < BYPEER_PNRP_SLICE_BYTES ? left : BYPEER_PNRP_SLICE_BYTES)};
}

static struct bypeer_pnrp_message random_message(struct arena *arena)
{
    static const enum bypeer_pnrp_type types[] = {BYPEER_PNRP_SOLICIT, BYPEER_PNRP_ADVERTISE, BYPEER_PNRP_REQUEST,
                                                  BYPEER_PNRP_FLOOD,   BYPEER_PNRP_INQUIRE,   BYPEER_PNRP_AUTHORITY,
                                                  BYPEER_PNRP_ACK,     BYPEER_PNRP_LOOKUP};
    struct bypeer_pnrp_message message = {.type = types[random_next_below(&arena->state, 8)],
                                          .id = (uint32_t)random_next(&arena->state)};
    uint32_t number = (uint32_t)random_next(&arena->state);
    bool coin = number & 1, other_coin = number & 2;
    switch (message.type) {
    case BYPEER_PNRP_SOLICIT:
        message.solicit = (struct bypeer_pnrp_solicit){
            .local_only = coin, .entry = random_entry(arena, other_coin), .hashed_nonce = arena->nonce};
        break;
    case BYPEER_PNRP_ADVERTISE:
        message.advertise =
            (struct bypeer_pnrp_advertise){.acked = number, .ids = random_ids(arena), .hashed_nonce = arena->nonce};
        break;
    case BYPEER_PNRP_REQUEST:
        message.request = (struct bypeer_pnrp_request){.nonce = arena->nonce, .ids = random_ids(arena)};
        break;
    case BYPEER_PNRP_FLOOD:
        message.flood = (struct bypeer_pnrp_flood){.no_ack = coin,
                                                   .validate = arena->ids,
                                                   .revoke = other_coin ? arena->blob : NULL,
                                                   .revoke_bytes = other_coin ? (uint16_t)(1 + number % 759) : 0,
                                                   .entry = random_entry(arena, coin),
                                                   .flooded = random_endpoints(arena, 0)};
        break;
    case BYPEER_PNRP_INQUIRE:
        message.inquire = (struct bypeer_pnrp_inquire){
            .flags = number & 0x1c, .validate = arena->ids, .nonce = coin ? arena->nonce : NULL};
        break;
    case BYPEER_PNRP_AUTHORITY:
        message.authority = random_authority(arena);
        break;
    case BYPEER_PNRP_ACK:
        message.ack = (struct bypeer_pnrp_ack){.acked = number, .not_local = coin};
        break;
    case BYPEER_PNRP_LOOKUP:
        message.lookup = random_lookup(arena);
        break;
    }
    return message;
}

static void expect_same_bytes(const uint8_t *a, const uint8_t *b, size_t length)
{
    cr_assert_eq(!a, !b);
    if (a)
        cr_assert_arr_eq(a, b, length);
}

static void expect_same_entry(const struct bypeer_pnrp_entry *a, const struct bypeer_pnrp_entry *b)
{
    expect_same_bytes(a->id, b->id, 32);
    cr_assert_eq(a->address_count, b->address_count);
    cr_assert_eq(a->port, b->port);
    expect_same_bytes(a->addresses, b->addresses, (size_t)16 * a->address_count);
}

static void expect_same_endpoints(const struct bypeer_pnrp_endpoints *a, const struct bypeer_pnrp_endpoints *b)
{
    cr_assert_eq(a->count, b->count);
    expect_same_bytes(a->bytes, b->bytes, (size_t)18 * a->count);
}

static void expect_same_ids(const struct bypeer_pnrp_ids *a, const struct bypeer_pnrp_ids *b)
{
    cr_assert_eq(a->count, b->count);
    expect_same_bytes(a->bytes, b->bytes, (size_t)32 * a->count);
}

static void expect_same(const struct bypeer_pnrp_message *a, const struct bypeer_pnrp_message *b)
{
    cr_assert_eq(a->type, b->type);
    cr_assert_eq(a->id, b->id);
    switch (a->type) {
    case BYPEER_PNRP_SOLICIT:
        cr_assert_eq(a->solicit.local_only, b->solicit.local_only);
        expect_same_entry(&a->solicit.entry, &b->solicit.entry);
        expect_same_bytes(a->solicit.hashed_nonce, b->solicit.hashed_nonce, 20);
        break;
    case BYPEER_PNRP_ADVERTISE:
        cr_assert_eq(a->advertise.acked, b->advertise.acked);
        expect_same_ids(&a->advertise.ids, &b->advertise.ids);
        expect_same_bytes(a->advertise.hashed_nonce, b->advertise.hashed_nonce, 20);
        break;
    case BYPEER_PNRP_REQUEST:
        expect_same_bytes(a->request.nonce, b->request.nonce, 16);
        expect_same_ids(&a->request.ids, &b->request.ids);
        break;
    case BYPEER_PNRP_FLOOD:
        cr_assert_eq(a->flood.no_ack, b->flood.no_ack);
        expect_same_bytes(a->flood.validate, b->flood.validate, 32);
        cr_assert_eq(a->flood.revoke_bytes, b->flood.revoke_bytes);
        expect_same_bytes(a->flood.revoke, b->flood.revoke, a->flood.revoke_bytes);
        expect_same_entry(&a->flood.entry, &b->flood.entry);
        expect_same_endpoints(&a->flood.flooded, &b->flood.flooded);
        break;
    case BYPEER_PNRP_INQUIRE:
        cr_assert_eq(a->inquire.flags, b->inquire.flags);
        expect_same_bytes(a->inquire.validate, b->inquire.validate, 32);
        expect_same_bytes(a->inquire.nonce, b->inquire.nonce, 16);
        break;
    case BYPEER_PNRP_AUTHORITY:
        cr_assert_eq(a->authority.acked, b->authority.acked);
        cr_assert_eq(a->authority.size, b->authority.size);
        cr_assert_eq(a->authority.offset, b->authority.offset);
        cr_assert_eq(a->authority.slice_bytes, b->authority.slice_bytes);
        expect_same_bytes(a->authority.slice, b->authority.slice, a->authority.slice_bytes);
        break;
    case BYPEER_PNRP_ACK:
        cr_assert_eq(a->ack.acked, b->ack.acked);
        cr_assert_eq(a->ack.not_local, b->ack.not_local);
        break;
    case BYPEER_PNRP_LOOKUP:
        cr_assert_eq(a->lookup.any_distance, b->lookup.any_distance);
        cr_assert_eq(a->lookup.precision, b->lookup.precision);
        cr_assert_eq(a->lookup.criterion, b->lookup.criterion);
        cr_assert_eq(a->lookup.reason, b->lookup.reason);
        expect_same_bytes(a->lookup.target, b->lookup.target, 32);
        expect_same_bytes(a->lookup.validate, b->lookup.validate, 32);
        expect_same_entry(&a->lookup.entry, &b->lookup.entry);
        expect_same_endpoints(&a->lookup.path, &b->lookup.path);
        break;
    }
}

Test(pnrp_message, whatever_is_written_is_read_as_the_same)
{
    static struct arena arena = {.state = 7};
    static uint8_t bytes[ROOM];
    for (unsigned round = 0; round < 4000; round++) {
        const struct bypeer_profile *profile = bypeer_profile((enum bypeer_profile_id)(round % BYPEER_PROFILES));
        struct bypeer_pnrp_message again;
        arena_fill(&arena);
        struct bypeer_pnrp_message message = random_message(&arena);
        size_t length = bypeer_pnrp_write(&message, profile, bytes, sizeof(bytes));
        cr_assert_gt(length, 0);
        uint8_t *exact = bytes_copy(bytes, length);
        cr_assert_eq(bypeer_pnrp_read(&again, profile, exact, length), 0, "round %u, type %d", round, message.type);
        expect_same(&message, &again);
        free(exact);
    }
}

Test(pnrp_answer, whatever_is_written_is_read_as_the_same)
{
    static struct arena arena = {.state = 11};
    static uint8_t bytes[ROOM], chain[33000];
    for (unsigned round = 0; round < 2000; round++) {
        const struct bypeer_profile *profile = bypeer_profile((enum bypeer_profile_id)(round % BYPEER_PROFILES));
        struct bypeer_pnrp_answer answer = {0}, again;
        uint32_t number = (uint32_t)random_next(&arena.state);
        arena_fill(&arena);
        memset(chain, (int)number, sizeof(chain));
        answer.flags = number & 0x0209;
        if (number & 0x10) {
            answer.chain = chain;
            answer.chain_bytes = (uint16_t)(1 + random_next_below(&arena.state, 32768));
        }
        if (number & 0x20) {
            answer.classifier = arena.blob;
            answer.classifier_length = (uint16_t)random_next_below(&arena.state, 150);
        }
        if (number & 0x40) {
            answer.payload = arena.blob;
            answer.payload_bytes = (uint16_t)(1 + random_next_below(&arena.state, 1500));
        }
        answer.entry = random_entry(&arena, number & 0x80);
        if (number & 0x100) {
            answer.cpa = arena.blob;
            answer.cpa_bytes = (uint16_t)(1 + random_next_below(&arena.state, 759));
        }
        size_t length = bypeer_pnrp_answer_write(&answer, profile, bytes, sizeof(bytes));
        uint8_t *exact = bytes_copy(bytes, length);
        cr_assert_eq(bypeer_pnrp_answer_read(&again, profile, exact, length), 0);
        cr_assert_eq(again.flags, answer.flags);
        cr_assert_eq(again.chain_bytes, answer.chain_bytes);
        expect_same_bytes(again.chain, answer.chain, answer.chain_bytes);
        cr_assert_eq(again.classifier_length, answer.classifier_length);
        expect_same_bytes(again.classifier, answer.classifier, 2u * answer.classifier_length);
        cr_assert_eq(again.payload_bytes, answer.payload_bytes);
        expect_same_bytes(again.payload, answer.payload, answer.payload_bytes);
        expect_same_entry(&again.entry, &answer.entry);
        cr_assert_eq(again.cpa_bytes, answer.cpa_bytes);
        expect_same_bytes(again.cpa, answer.cpa, answer.cpa_bytes);
        free(exact);
    }
}
