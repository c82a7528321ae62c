#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "overlay/tables/prefixes.h"
#include "overlay/tables/tables.h"

/* Tables with nothing but prefixes: route i says its slot in .link. */
static struct bypeer_tables_header header;
static struct bypeer_tables tables;
static struct bypeer_prefixes prefixes;

static void make(uint32_t capacity)
{
    uint64_t nodes = bypeer_prefixes_nodes(capacity), values = bypeer_prefixes_values(capacity);
    struct bypeer_destination *routes = calloc(capacity + 1u, sizeof(*routes));
    memset(&header, 0, sizeof(header));
    for (uint32_t i = 0; i <= capacity; i++)
        routes[i].link = i;
    struct bypeer_prefix_node *node_memory = calloc(nodes + 1, sizeof(*node_memory));
    uint32_t *value_memory = calloc(values, sizeof(*value_memory));
    tables = (struct bypeer_tables){
        .header = &header,
        .prefix_routes = {.records = routes, .record_count = capacity + 1},
        .prefix_nodes = node_memory,
        .prefix_values = value_memory,
        .prefix_node_count = (uint32_t)nodes,
        .prefix_value_count = (uint32_t)values,
    };
    bypeer_prefixes_init(&prefixes, &header.prefix_root, node_memory, nodes, value_memory, values);
}

static uint32_t find(const uint8_t address[static 16])
{
    const struct bypeer_destination *route = bypeer_prefixes_lookup(&tables, address);
    return route ? route->link : 0;
}

static struct bypeer_prefix prefix(const char *hex, uint32_t bits, uint32_t slot)
{
    struct bypeer_prefix made = {.bits = bits, .slot = slot};
    for (unsigned i = 0; hex[2 * i] && i < 16; i++) {
        char byte[3] = {hex[2 * i], hex[2 * i + 1], '\0'};
        made.key[i] = (uint8_t)strtoul(byte, NULL, 16);
    }
    return made;
}

static uint32_t find_hex(const char *hex)
{
    return find(prefix(hex, 128, 0).key);
}

static bool holds(const struct bypeer_prefix *a, const uint8_t address[static 16])
{
    for (uint32_t bit = 0; bit < a->bits; bit++)
        if ((a->key[bit / 8] ^ address[bit / 8]) & (0x80 >> bit % 8))
            return false;
    return true;
}

/* The definition: the longest that holds the address. */
static uint32_t reference(const struct bypeer_prefix *list, uint32_t count, const uint8_t address[static 16])
{
    uint32_t slot = 0;
    int bits = -1;
    for (uint32_t i = 0; i < count; i++)
        if ((int)list[i].bits > bits && holds(&list[i], address)) {
            slot = list[i].slot;
            bits = (int)list[i].bits;
        }
    return slot;
}

static int compare(const void *a, const void *b)
{
    const struct bypeer_prefix *left = a, *right = b;
    int order = memcmp(left->key, right->key, 16);
    return order ? order : (int)left->bits - (int)right->bits;
}

static uint64_t seed = 20260101;

static uint64_t draw(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

Test(prefixes, nothing_is_found_in_nothing)
{
    make(0);
    cr_assert_eq(find_hex("fd12"), 0);
    cr_assert_eq(bypeer_prefixes_rebuild(&prefixes, NULL, 0), 0);
    cr_assert_eq(find_hex("fd12"), 0);
    struct bypeer_prefix one = prefix("fd12", 16, 1);
    cr_assert_eq(bypeer_prefixes_rebuild(&prefixes, &one, 1), -ENOSPC);
}

Test(prefixes, the_longest_match_wins)
{
    make(8);
    const struct bypeer_prefix sorted[] = {
        prefix("", 0, 1),
        prefix("fd12", 16, 2),
        prefix("fd123456789a", 48, 3),
        prefix("fd123456789a000b", 64, 4),
        prefix("fd123456789a000b0000000000000000", 128, 5),
        prefix("fd123456789b", 48, 6),
        prefix("ffffffffffffffffffffffffffffffff", 128, 7),
    };
    cr_assert_geq(bypeer_prefixes_rebuild(&prefixes, sorted, 7), 0);
    cr_assert_eq(find_hex(""), 1);
    cr_assert_eq(find_hex("fd11ffffffffffffffffffffffffffff"), 1);
    cr_assert_eq(find_hex("fd12"), 2);
    cr_assert_eq(find_hex("fd123456789a"), 3);
    cr_assert_eq(find_hex("fd123456789a000affffffffffffffff"), 3);
    cr_assert_eq(find_hex("fd123456789a000b"), 5);
    cr_assert_eq(find_hex("fd123456789a000b0000000000000001"), 4);
    cr_assert_eq(find_hex("fd123456789a000bffffffffffffffff"), 4);
    cr_assert_eq(find_hex("fd123456789a000c"), 3);
    cr_assert_eq(find_hex("fd123456789b00000000000000000001"), 6);
    cr_assert_eq(find_hex("fd123456789c"), 2);
    cr_assert_eq(find_hex("fd13"), 1);
    cr_assert_eq(find_hex("fffffffffffffffffffffffffffffffe"), 1);
    cr_assert_eq(find_hex("ffffffffffffffffffffffffffffffff"), 7);
}

Test(prefixes, the_very_ends_of_the_address_space)
{
    make(4);
    const struct bypeer_prefix ends[] = {
        prefix("00000000000000000000000000000000", 128, 1),
        prefix("80", 1, 2),
    };
    cr_assert_geq(bypeer_prefixes_rebuild(&prefixes, ends, 2), 0);
    cr_assert_eq(find_hex(""), 1);
    cr_assert_eq(find_hex("00000000000000000000000000000001"), 0);
    cr_assert_eq(find_hex("7fffffffffffffffffffffffffffffff"), 0);
    cr_assert_eq(find_hex("80"), 2);
    cr_assert_eq(find_hex("ffffffffffffffffffffffffffffffff"), 2);
    cr_assert_geq(bypeer_prefixes_rebuild(&prefixes, NULL, 0), 0);
    cr_assert_eq(find_hex("80"), 0);
}

Test(prefixes, what_is_not_sorted_is_refused_and_changes_nothing)
{
    make(4);
    const struct bypeer_prefix good = prefix("fd", 8, 1);
    const struct bypeer_prefix wrong[][2] = {
        {prefix("fd", 8, 1), prefix("fc", 8, 2)},   {prefix("fd", 8, 1), prefix("fd", 8, 2)},
        {prefix("fd", 16, 1), prefix("fd", 8, 2)},  {prefix("fd01", 8, 1), prefix("fe", 8, 2)},
        {prefix("fd", 8, 1), prefix("fe", 129, 2)},
    };
    cr_assert_geq(bypeer_prefixes_rebuild(&prefixes, &good, 1), 0);
    for (unsigned i = 0; i < 5; i++)
        cr_assert_eq(bypeer_prefixes_rebuild(&prefixes, wrong[i], 2), -EINVAL, "%u", i);
    cr_assert_eq(find_hex("fd12"), 1);
}

Test(prefixes, readers_see_the_old_tree_until_the_swap)
{
    make(2);
    const struct bypeer_prefix first = prefix("fd", 8, 1), second = prefix("fe", 8, 2);
    unsigned spare = bypeer_prefixes_spare(&prefixes);
    int left = bypeer_prefixes_rebuild(&prefixes, &first, 1);
    cr_assert_eq(left, (int)(1 - spare));
    uint64_t root = header.prefix_root;
    cr_assert_eq(bypeer_prefixes_rebuild(&prefixes, &second, 1), (int)spare);
    cr_assert_eq(find_hex("fe"), 2);
    /* A reader that had loaded the root before still finds all that was there. */
    header.prefix_root = root;
    cr_assert_eq(find_hex("fd"), 1);
    cr_assert_eq(find_hex("fe"), 0);
}

static void check_random(uint32_t count, unsigned shape)
{
    struct bypeer_prefix *list = calloc(count + 1u, sizeof(*list));
    for (uint32_t i = 0; i < count; i++) {
        uint32_t bits = shape == 0 ? (uint32_t)(draw() % 129) : shape == 1 ? 48 : 120 + (uint32_t)(draw() % 9);
        uint64_t words[2] = {draw(), draw()};
        memcpy(list[i].key, words, 16);
        /* Few different bytes, so that many nest and touch. */
        for (unsigned b = 0; b < 16; b++)
            list[i].key[b] = shape == 2 && b < 15 ? 0xfd : list[i].key[b] & 3 ? list[i].key[b] & 0x81 : list[i].key[b];
        for (uint32_t bit = bits; bit < 128; bit++)
            list[i].key[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
        list[i].bits = bits;
    }
    qsort(list, count, sizeof(*list), compare);
    uint32_t unique = 0;
    for (uint32_t i = 0; i < count; i++)
        if (unique == 0 || compare(&list[unique - 1], &list[i]) != 0)
            list[unique++] = list[i];
    for (uint32_t i = 0; i < unique; i++)
        list[i].slot = 1 + (uint32_t)(draw() % count);

    cr_assert_geq(bypeer_prefixes_rebuild(&prefixes, list, unique), 0);
    for (uint32_t i = 0; i < 200 + 3 * unique; i++) {
        uint64_t words[2] = {draw(), draw()};
        uint8_t address[16];
        memcpy(address, words, 16);
        if (unique && i >= 200) {
            /* Just before, at, and somewhere in a prefix. */
            const struct bypeer_prefix *near = &list[(i - 200) / 3];
            memcpy(address, near->key, 16);
            if (i % 3 == 1 && near->bits < 128)
                address[15] |= (uint8_t)words[0];
            for (unsigned b = 16; i % 3 == 2 && b-- > 0 && address[b]-- == 0;)
                ;
        }
        cr_assert_eq(find(address), reference(list, unique, address));
    }
    free(list);
}

Test(prefixes, agree_with_the_definition)
{
    make(2000);
    for (uint32_t count = 0; count < 60; count++)
        for (unsigned shape = 0; shape < 3; shape++)
            check_random(count, shape);
    for (unsigned shape = 0; shape < 3; shape++)
        check_random(2000, shape);
}

Test(prefixes, any_contents_keep_the_search_inside)
{
    make(50);
    /* Exactly sized, so that a sanitizer sees a step outside. */
    uint64_t *nodes = malloc(tables.prefix_node_count * 8 * sizeof(*nodes));
    uint32_t *values = malloc(tables.prefix_value_count * sizeof(uint32_t));
    tables.prefix_nodes = (struct bypeer_prefix_node *)nodes;
    tables.prefix_values = values;
    for (unsigned round = 0; round < 2000; round++) {
        for (uint32_t i = 0; i < tables.prefix_node_count * 8; i++)
            nodes[i] = round % 3 ? draw() : round % 2 ? UINT64_MAX : 0;
        for (uint32_t i = 0; i < tables.prefix_value_count; i++)
            values[i] = (uint32_t)draw();
        for (unsigned i = 0; i < 100; i++) {
            uint64_t words[2] = {draw(), draw()};
            uint8_t address[16];
            header.prefix_root = draw() >> draw() % 64;
            memcpy(address, words, 16);
            find(address);
        }
    }
    free(nodes);
    free(values);
}
