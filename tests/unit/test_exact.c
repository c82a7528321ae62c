/* The exact-match table alone, filled far beyond what tables are made for: moves, the stash, and every variant. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "overlay/tables/exact_hash.h"
#include "overlay/tables/exact_writer.h"
#include "tests/random.h"

#define SEED UINT64_C(0xfeedfacecafebeef)

struct table {
    struct bypeer_exact view;
    struct bypeer_exact_writer writer;
};

static struct bypeer_exact_variant variants[BYPEER_EXACT_VARIANTS];

static void *zeroed(size_t bytes)
{
    void *memory = aligned_alloc(BYPEER_CACHE_LINE, bytes);
    cr_assert_not_null(memory);
    return memset(memory, 0, bytes);
}

static void table_make(struct table *table, uint32_t buckets, uint32_t capacity)
{
    table->view = (struct bypeer_exact){
        .buckets = zeroed(buckets * sizeof(struct bypeer_bucket)),
        .stash = zeroed(BYPEER_EXACT_STASH * sizeof(uint32_t)),
        .records = zeroed((capacity + 257) * sizeof(struct bypeer_destination)),
        .seed = SEED,
        .bucket_count = buckets,
        .stash_count = BYPEER_EXACT_STASH,
        .record_count = capacity + 257,
    };
    cr_assert_eq(bypeer_exact_writer_init(&table->writer, &table->view, capacity), 0);
    bypeer_exact_variants(variants);
}

static void table_free(struct table *table)
{
    bypeer_exact_writer_free(&table->writer);
    free((void *)(uintptr_t)table->view.buckets);
    free((void *)(uintptr_t)table->view.stash);
    free((void *)(uintptr_t)table->view.records);
}

static uint64_t random_state = 1;

static uint64_t random_64(void)
{
    return random_next(&random_state);
}

static uint32_t random_below(uint32_t limit)
{
    return random_next_below(&random_state, limit);
}

static struct bypeer_destination record_of(uint32_t number, uint64_t serial)
{
    struct bypeer_destination record = {.link = number, .prefix_bits = 128, .serial = serial};
    uint64_t spread = number * UINT64_C(0x9e3779b97f4a7c15);
    memcpy(record.key, &spread, sizeof(spread));
    memcpy(record.key + 12, &number, sizeof(number));
    return record;
}

/* Looks up numbers[0 .. count) with every variant; expected[i] is the serial that must be found, 0: none. */
static void expect(const struct table *table, const uint32_t numbers[], const uint64_t expected[], unsigned count)
{
    uint8_t unaligned[BYPEER_LOOKUP_BURST][17];
    const uint8_t *keys[BYPEER_LOOKUP_BURST];
    for (unsigned i = 0; i < count; i++) {
        keys[i] = memcpy(unaligned[i] + 1, record_of(numbers[i], 0).key, 16);
    }
    for (unsigned v = 0; v < BYPEER_EXACT_VARIANTS; v++) {
        const struct bypeer_destination *found[BYPEER_LOOKUP_BURST];
        if (!variants[v].lookup)
            continue;
        variants[v].lookup(&table->view, keys, count, found);
        for (unsigned i = 0; i < count; i++) {
            cr_assert_eq(found[i] ? found[i]->serial : 0, expected[i], "%s: key %u: serial %llu, not %llu",
                         variants[v].name, numbers[i], found[i] ? (unsigned long long)found[i]->serial : 0,
                         (unsigned long long)expected[i]);
            cr_assert(!found[i] || memcmp(found[i]->key, keys[i], 16) == 0);
        }
    }
}

static void pass_grace_period(struct bypeer_exact_writer *writer)
{
    static uint64_t token;
    bypeer_pool_request(&writer->pool, ++token);
    bypeer_pool_reclaim(&writer->pool, token);
}

/* 85 % of the ways in use: about every fifth insertion moves something, and each variant must find what is there. */
Test(exact, every_variant_finds_what_a_plain_array_holds)
{
    enum { UNIVERSE = 6000, BUCKETS = 400, CAPACITY = 3400, OPERATIONS = 3000000 };
    static uint64_t serials[UNIVERSE]; /* the reference; 0: not in the table */
    struct table table;
    uint32_t used = 0, stashed_most = 0;
    table_make(&table, BUCKETS, CAPACITY);
    for (uint64_t operation = 1; operation <= OPERATIONS; operation++) {
        uint32_t number = random_below(UNIVERSE);
        struct bypeer_destination record = record_of(number, operation);
        int result;
        /* Growing for a while, then shrinking for a while. */
        if (random_below(100) < (operation / 100000 % 2 == 0 ? 60u : 40u)) {
            result = bypeer_exact_writer_put(&table.writer, &record);
            if (result == -EAGAIN) {
                pass_grace_period(&table.writer);
                result = bypeer_exact_writer_put(&table.writer, &record);
            }
            if (serials[number] == 0 && used == CAPACITY) {
                cr_assert_eq(result, -ENOSPC);
                continue;
            }
            cr_assert_eq(result, serials[number] == 0 ? 1 : 0);
            used += serials[number] == 0;
            serials[number] = operation;
        } else {
            result = bypeer_exact_writer_remove(&table.writer, record.key);
            cr_assert_eq(result, serials[number] == 0 ? -ENOENT : 0);
            used -= serials[number] != 0;
            serials[number] = 0;
        }
        cr_assert_eq(table.writer.used, used);
        stashed_most = table.writer.stashed > stashed_most ? table.writer.stashed : stashed_most;
        if (operation % 16 == 0) {
            uint32_t numbers[BYPEER_LOOKUP_BURST];
            uint64_t expected[BYPEER_LOOKUP_BURST];
            unsigned count = 1 + random_below(BYPEER_LOOKUP_BURST);
            for (unsigned i = 0; i < count; i++) {
                numbers[i] = random_below(UNIVERSE);
                expected[i] = serials[numbers[i]];
            }
            expect(&table, numbers, expected, count);
        }
    }
    cr_assert_leq(stashed_most, 8, "one move makes room nearly always; %u were stashed", stashed_most);
    table_free(&table);
}

/* Keys of which each has the buckets 0 and 1 in some order, as only one who knows the seed could find them. */
static void grind(uint32_t buckets, uint32_t numbers[], unsigned count)
{
    for (uint32_t number = 1, found = 0; found < count; number++) {
        struct bypeer_exact_place place = bypeer_exact_place(record_of(number, 0).key, SEED, buckets);
        if (place.first + place.second == 1)
            numbers[found++] = number;
    }
}

Test(exact, what_finds_no_room_is_found_in_the_stash_until_that_is_full)
{
    enum { BUCKETS = 16, ROOM = 2 * BYPEER_BUCKET_WAYS + BYPEER_EXACT_STASH };
    uint32_t numbers[ROOM + 1];
    uint64_t expected[ROOM + 1];
    struct table table;
    table_make(&table, BUCKETS, 1000);
    grind(BUCKETS, numbers, ROOM + 1);
    for (uint32_t i = 0; i <= ROOM; i++) {
        struct bypeer_destination record = record_of(numbers[i], i + 1);
        cr_assert_eq(bypeer_exact_writer_put(&table.writer, &record), i < ROOM ? 1 : -ENOSPC);
        expected[i] = i < ROOM ? i + 1 : 0;
        expect(&table, numbers, expected, i + 1);
    }
    cr_assert_eq(table.writer.stashed, BYPEER_EXACT_STASH);

    for (uint32_t i = 0; i < ROOM; i++) {
        struct bypeer_destination record = record_of(numbers[i], 1000 + i);
        cr_assert_eq(bypeer_exact_writer_put(&table.writer, &record), 0);
        expected[i] = 1000 + i;
    }
    expect(&table, numbers, expected, ROOM + 1);

    struct table copy;
    table_make(&copy, BUCKETS * 100, 1000);
    cr_assert_eq(bypeer_exact_writer_copy(&copy.writer, &table.writer), 0);
    expect(&copy, numbers, expected, ROOM + 1);
    cr_assert_eq(copy.writer.stashed, 0, "the larger table has room");
    table_free(&copy);

    for (uint32_t i = ROOM; i-- > 0;) {
        cr_assert_eq(bypeer_exact_writer_remove(&table.writer, record_of(numbers[i], 0).key), 0);
        expected[i] = 0;
        expect(&table, numbers, expected, ROOM + 1);
    }
    cr_assert_eq(table.view.buckets[0].flags | table.view.buckets[1].flags, 0, "nobody looks there any more");
    table_free(&table);
}

Test(exact, an_empty_table_and_a_burst_of_none)
{
    struct table table;
    uint32_t numbers[BYPEER_LOOKUP_BURST] = {0};
    uint64_t expected[BYPEER_LOOKUP_BURST] = {0};
    table_make(&table, BYPEER_EXACT_BUCKETS_MIN, 1000);
    expect(&table, numbers, expected, 0);
    expect(&table, numbers, expected, BYPEER_LOOKUP_BURST);
    table_free(&table);
}

/* Random bytes where buckets, stash and records should be: any answer, but from within. */
Test(exact, garbage_leads_nowhere_else)
{
    enum { BUCKETS = 64, CAPACITY = 400 };
    struct table table;
    table_make(&table, BUCKETS, CAPACITY);
    for (unsigned round = 0; round < 200; round++) {
        uint32_t *words = (uint32_t *)(uintptr_t)table.view.buckets;
        for (unsigned i = 0; i < BUCKETS * sizeof(struct bypeer_bucket) / 4; i++)
            words[i] = (uint32_t)random_64() & (round % 2 == 0 ? UINT32_MAX : UINT32_C(0x000301ff));
        for (unsigned i = 0; i < BYPEER_EXACT_STASH; i++)
            table.writer.stash[i] = (uint32_t)random_64();
        for (unsigned burst = 0; burst < 200; burst++) {
            uint8_t bytes[BYPEER_LOOKUP_BURST][16];
            const uint8_t *keys[BYPEER_LOOKUP_BURST];
            for (unsigned i = 0; i < BYPEER_LOOKUP_BURST; i++) {
                uint64_t halves[2] = {random_64(), random_64()};
                keys[i] = memcpy(bytes[i], halves, sizeof(halves));
            }
            for (unsigned v = 0; v < BYPEER_EXACT_VARIANTS; v++) {
                const struct bypeer_destination *found[BYPEER_LOOKUP_BURST];
                if (!variants[v].lookup)
                    continue;
                variants[v].lookup(&table.view, keys, BYPEER_LOOKUP_BURST, found);
                for (unsigned i = 0; i < BYPEER_LOOKUP_BURST; i++)
                    cr_assert_null(found[i], "no record has that key");
            }
        }
    }
    table_free(&table);
}
