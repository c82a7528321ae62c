/* The writer of the tables and what a reader then finds, one operation at a time. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "overlay/tables/tables.h"
#include "overlay/tables/writer.h"

#define SEED UINT64_C(0x1234567890abcdef)

static const struct bypeer_tables_size small = {
    .destinations = 1000, .links = 10, .adjacencies = 10, .groups = 4, .prefixes = 16};

static void *memory;
static struct bypeer_writer *writer;
static struct bypeer_tables tables;

static void set_up(void)
{
    char why[160];
    uint64_t bytes = bypeer_tables_bytes(&small);
    memory = aligned_alloc(4096, bytes);
    memset(memory, 0, bytes);
    cr_assert_eq(bypeer_writer_create(&writer, memory, bytes, &small, BYPEER_LAYOUT_NEWEST, 7, SEED, 1), 0);
    cr_assert_eq(bypeer_tables_attach(&tables, memory, bytes, why), -EAGAIN);
    bypeer_writer_publish(writer);
    cr_assert_eq(bypeer_tables_attach(&tables, memory, bytes, why), 0, "%s", why);
}

static void tear_down(void)
{
    bypeer_writer_free(writer);
    free(memory);
}

TestSuite(writer, .init = set_up, .fini = tear_down);

/* No reader holds anything: every grace period ends at once. */
static void pass_grace_period(void)
{
    bypeer_writer_reclaim(writer, bypeer_writer_request(writer));
}

static struct bypeer_destination member(uint32_t number, uint32_t link)
{
    struct bypeer_destination destination = {.key = {0xfd, 1, 2}, .link = link, .group = 1, .prefix_bits = 128};
    memcpy(destination.key + 12, &number, sizeof(number));
    return destination;
}

static const struct bypeer_destination *look_up(uint32_t number)
{
    struct bypeer_destination wanted = member(number, 0);
    const uint8_t *key = wanted.key;
    const struct bypeer_destination *found;
    bypeer_destinations_lookup(&tables, &key, 1, &found);
    return found;
}

static struct bypeer_link fabric_link(uint32_t id, uint8_t peer, uint32_t vni)
{
    return (struct bypeer_link){.id = id,
                                .kind = BYPEER_LINK_FABRIC,
                                .underlay = 6,
                                .group = 1,
                                .vni = vni,
                                .udp_port = 4790,
                                .peer = {0x20, 1, [15] = peer},
                                .local = {0x20, 1, [15] = 99}};
}

static const struct bypeer_destination *ingress(const uint8_t address[static 16], uint32_t vni)
{
    uint8_t key[16];
    const uint8_t *keys = key;
    const struct bypeer_destination *found;
    bypeer_ingress_key(tables.destinations.seed, address, vni, key);
    bypeer_ingresses_lookup(&tables, &keys, 1, &found);
    return found;
}

Test(writer, a_destination_is_found_until_it_is_removed)
{
    struct bypeer_destination one = member(1, 5);
    cr_assert_null(look_up(1));
    cr_assert_eq(bypeer_writer_put_destination(writer, &one), 1);
    cr_assert_eq(look_up(1)->link, 5);
    one.link = 6;
    cr_assert_eq(bypeer_writer_put_destination(writer, &one), 0);
    cr_assert_eq(look_up(1)->link, 6);
    cr_assert_eq(bypeer_writer_find_destination(writer, one.key)->link, 6);
    cr_assert_eq(bypeer_writer_remove_destination(writer, one.key), 0);
    cr_assert_null(look_up(1));
    cr_assert_eq(bypeer_writer_remove_destination(writer, one.key), -ENOENT);
}

Test(writer, a_full_table_says_so_and_replaces_until_a_grace_period_is_due)
{
    for (uint32_t i = 0; i < small.destinations; i++) {
        struct bypeer_destination destination = member(i, 1);
        cr_assert_eq(bypeer_writer_put_destination(writer, &destination), 1);
    }
    struct bypeer_destination more = member(5000, 1);
    cr_assert_eq(bypeer_writer_put_destination(writer, &more), -ENOSPC);

    struct bypeer_destination again = member(0, 0);
    int result;
    do {
        again.link++;
        result = bypeer_writer_put_destination(writer, &again);
    } while (result == 0);
    cr_assert_eq(result, -EAGAIN);
    cr_assert_eq(look_up(0)->link, again.link - 1, "what failed changed nothing");
    cr_assert_eq(bypeer_writer_remove_destination(writer, again.key), 0, "removing never has to wait");
    pass_grace_period();
    cr_assert_eq(bypeer_writer_put_destination(writer, &more), 1);
    for (uint32_t i = 1; i < small.destinations; i++)
        cr_assert_not_null(look_up(i));
}

Test(writer, a_removed_record_stays_whole_until_its_grace_period_has_passed)
{
    struct bypeer_destination one = member(1, 5);
    bypeer_writer_put_destination(writer, &one);
    const struct bypeer_destination *held = look_up(1);
    bypeer_writer_remove_destination(writer, one.key);
    uint64_t token = bypeer_writer_request(writer);
    cr_assert_eq(token, 1);
    cr_assert_eq(bypeer_writer_request(writer), token, "nothing new waits");
    for (uint32_t i = 0; i < small.destinations; i++) {
        struct bypeer_destination other = member(100 + i, 1);
        cr_assert_eq(bypeer_writer_put_destination(writer, &other), 1);
    }
    cr_assert_eq(memcmp(held, &one, sizeof(one)), 0);
}

Test(writer, links_own_their_ways_in)
{
    struct bypeer_link a = fabric_link(1, 10, 7), b = fabric_link(2, 11, 7), c = fabric_link(3, 10, 7);
    cr_assert_eq(bypeer_writer_put_link(writer, &a), 1);
    cr_assert_eq(bypeer_writer_put_link(writer, &b), 1);
    cr_assert_eq(bypeer_writer_put_link(writer, &c), -EEXIST, "the same peer and VNI as link 1");
    cr_assert_eq(ingress(a.peer, 7)->link, 1);
    cr_assert_eq(ingress(b.peer, 7)->link, 2);
    cr_assert_not_null(ingress(a.local, BYPEER_INGRESS_ENDPOINT | 4790));
    cr_assert_null(ingress(a.local, BYPEER_INGRESS_ENDPOINT | 4789));
    cr_assert_eq(bypeer_tables_link(&tables, 2)->peer[15], 11);

    a.peer[15] = 12;
    cr_assert_eq(bypeer_writer_put_link(writer, &a), 0);
    cr_assert_eq(ingress(a.peer, 7)->link, 1);
    cr_assert_eq(bypeer_writer_put_link(writer, &c), 1, "link 1 has left that peer");
    cr_assert_eq(ingress(c.peer, 7)->link, 3);

    cr_assert_eq(bypeer_writer_remove_link(writer, 1), 0);
    cr_assert_eq(bypeer_writer_remove_link(writer, 2), 0);
    cr_assert_null(ingress(a.peer, 7));
    cr_assert_eq(bypeer_tables_link(&tables, 1)->kind, BYPEER_LINK_NONE);
    cr_assert_not_null(ingress(a.local, BYPEER_INGRESS_ENDPOINT | 4790), "link 3 still has it");
    cr_assert_eq(bypeer_writer_remove_link(writer, 3), 0);
    cr_assert_null(ingress(a.local, BYPEER_INGRESS_ENDPOINT | 4790));
    cr_assert_eq(bypeer_writer_remove_link(writer, 3), -ENOENT);
}

Test(writer, ids_are_checked)
{
    struct bypeer_adjacency adjacency = {.id = 0, .valid = 1};
    cr_assert_eq(bypeer_writer_put_adjacency(writer, &adjacency), -EINVAL);
    adjacency.id = small.adjacencies + 1;
    cr_assert_eq(bypeer_writer_put_adjacency(writer, &adjacency), -EINVAL);
    adjacency.id = small.adjacencies;
    cr_assert_eq(bypeer_writer_put_adjacency(writer, &adjacency), 1);
    cr_assert_eq(bypeer_tables_adjacency(&tables, small.adjacencies)->valid, 1);
    cr_assert_eq(bypeer_tables_adjacency(&tables, small.adjacencies + 1)->valid, 0);
    cr_assert_eq(bypeer_tables_adjacency(&tables, UINT32_MAX)->valid, 0);
    cr_assert_eq(bypeer_writer_remove_adjacency(writer, small.adjacencies), 0);
    cr_assert_eq(bypeer_tables_adjacency(&tables, small.adjacencies)->valid, 0);
}

Test(writer, prefixes_show_when_they_are_committed)
{
    struct bypeer_destination route = {.key = {0xfd, 1, 2, 3}, .link = 3, .prefix_bits = 32};
    const uint8_t address[16] = {0xfd, 1, 2, 3, 4};
    cr_assert_eq(bypeer_writer_put_prefix(writer, &route), 1);
    cr_assert_null(bypeer_prefixes_lookup(&tables, address));
    cr_assert_eq(bypeer_writer_commit_prefixes(writer), 0);
    cr_assert_eq(bypeer_prefixes_lookup(&tables, address)->link, 3);

    route.link = 4;
    cr_assert_eq(bypeer_writer_put_prefix(writer, &route), 0);
    cr_assert_eq(bypeer_prefixes_lookup(&tables, address)->link, 3);
    cr_assert_eq(bypeer_writer_commit_prefixes(writer), -EAGAIN, "readers may still be in the tree before");
    pass_grace_period();
    cr_assert_eq(bypeer_writer_commit_prefixes(writer), 0);
    cr_assert_eq(bypeer_prefixes_lookup(&tables, address)->link, 4);

    pass_grace_period();
    cr_assert_eq(bypeer_writer_remove_prefix(writer, route.key, 32), 0);
    cr_assert_eq(bypeer_writer_remove_prefix(writer, route.key, 32), -ENOENT);
    cr_assert_eq(bypeer_writer_commit_prefixes(writer), 0);
    cr_assert_null(bypeer_prefixes_lookup(&tables, address));

    route.prefix_bits = 31;
    cr_assert_eq(bypeer_writer_put_prefix(writer, &route), -EINVAL, "bit 32 is set");
    route.prefix_bits = 129;
    cr_assert_eq(bypeer_writer_put_prefix(writer, &route), -EINVAL);
}

Test(writer, a_copy_holds_the_same)
{
    const struct bypeer_tables_size larger = {
        .destinations = 5000, .links = 20, .adjacencies = 20, .groups = 8, .prefixes = 32};
    uint64_t bytes = bypeer_tables_bytes(&larger);
    void *more = aligned_alloc(4096, bytes);
    memset(more, 0, bytes);
    struct bypeer_writer *copy;
    cr_assert_eq(bypeer_writer_create(&copy, more, bytes, &larger, BYPEER_LAYOUT_NEWEST, 8, ~SEED, 1), 0);

    for (uint32_t i = 0; i < small.destinations; i++) {
        struct bypeer_destination destination = member(i, i);
        bypeer_writer_put_destination(writer, &destination);
    }
    struct bypeer_link link = fabric_link(9, 10, 7);
    struct bypeer_adjacency adjacency = {.id = 8, .valid = 1};
    struct bypeer_group group = {.id = 4, .vni = 77};
    struct bypeer_destination route = {.key = {0xfd, 1, 2, 3}, .link = 3, .prefix_bits = 32};
    bypeer_writer_put_link(writer, &link);
    bypeer_writer_put_adjacency(writer, &adjacency);
    bypeer_writer_put_group(writer, &group);
    bypeer_writer_put_prefix(writer, &route);

    char why[160];
    cr_assert_eq(bypeer_writer_copy(copy, writer), 0);
    bypeer_writer_publish(copy);
    cr_assert_eq(bypeer_tables_attach(&tables, more, bytes, why), 0, "%s", why);
    for (uint32_t i = 0; i < small.destinations; i++)
        cr_assert_eq(look_up(i)->link, i);
    cr_assert_null(look_up(small.destinations));
    cr_assert_eq(bypeer_tables_link(&tables, 9)->vni, 7);
    cr_assert_eq(ingress(link.peer, 7)->link, 9);
    cr_assert_eq(bypeer_tables_adjacency(&tables, 8)->valid, 1);
    cr_assert_eq(bypeer_tables_group(&tables, 4)->vni, 77);
    cr_assert_eq(bypeer_prefixes_lookup(&tables, (const uint8_t[16]){0xfd, 1, 2, 3, 9})->link, 3);

    struct bypeer_writer_usage usage;
    bypeer_writer_usage(copy, &usage);
    cr_assert_eq(usage.used.destinations, small.destinations);
    cr_assert_eq(usage.used.links, 1);
    cr_assert_eq(usage.used.prefixes, 1);
    bypeer_writer_free(copy);
    free(more);
}

#ifdef BYPEER_NEXT_LAYOUT
Test(writer, the_layout_before_keeps_its_reserved_bytes_zero)
{
    uint64_t bytes = bypeer_tables_bytes(&small);
    void *older_memory = aligned_alloc(4096, bytes);
    memset(older_memory, 0, bytes);
    struct bypeer_writer *older;
    cr_assert_eq(bypeer_writer_create(&older, older_memory, bytes, &small, BYPEER_LAYOUT_NEWEST - 1, 7, SEED, 1), 0);
    struct bypeer_destination one = member(1, 5);
    one.expires_s = 1700000000;
    cr_assert_eq(bypeer_writer_put_destination(older, &one), 1);
    cr_assert_eq(bypeer_writer_find_destination(older, one.key)->expires_s, 0);
    cr_assert_eq(bypeer_writer_put_destination(writer, &one), 1);
    cr_assert_eq(bypeer_writer_find_destination(writer, one.key)->expires_s, 1700000000);
    bypeer_writer_free(older);
    free(older_memory);
}
#endif
