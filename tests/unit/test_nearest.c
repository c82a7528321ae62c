/* The nearest-ID index and its clouds, one operation at a time; test_nearest_model.c does millions of them. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "overlay/tables/names.h"
#include "overlay/tables/names_build.h"
#include "overlay/tables/writer.h"

#define NAMES 6000

static const struct bypeer_tables_size size = {
    .destinations = 1000, .links = 4, .adjacencies = 4, .groups = 4, .prefixes = 4, .names = NAMES};

static void *memory;
static struct bypeer_writer *writer;
static struct bypeer_tables tables;

static struct bypeer_cloud_record cloud_of(uint32_t number, uint16_t port)
{
    return (struct bypeer_cloud_record){
        .number = number, .port = port, .version_major = 5, .address_count = 2, .addresses = {{0xfd, 1}, {0xfd, 2}}};
}

static void make(struct bypeer_writer **ret_writer, void **ret_memory, struct bypeer_tables *ret_tables)
{
    char why[160];
    uint64_t bytes = bypeer_tables_bytes(&size);
    *ret_memory = aligned_alloc(4096, bytes);
    memset(*ret_memory, 0, bytes);
    cr_assert_eq(bypeer_writer_create(ret_writer, *ret_memory, bytes, &size, BYPEER_LAYOUT_NEWEST, 7, 1, 1), 0);
    bypeer_writer_publish(*ret_writer);
    cr_assert_eq(bypeer_tables_attach(ret_tables, *ret_memory, bytes, why), 0, "%s", why);
}

static void set_up(void)
{
    struct bypeer_cloud_record cloud = cloud_of(1, 3541);
    make(&writer, &memory, &tables);
    cr_assert_eq(bypeer_writer_put_cloud(writer, &cloud), 1);
}

static void tear_down(void)
{
    bypeer_writer_free(writer);
    free(memory);
}

TestSuite(nearest, .init = set_up, .fini = tear_down);

/* No reader holds anything: every grace period ends at once. */
static void pass_grace_period(void)
{
    bypeer_writer_reclaim(writer, bypeer_writer_request(writer));
}

static void commit(void)
{
    cr_assert_eq(bypeer_writer_commit_names(writer), 0);
    pass_grace_period();
}

/* An ID whose first byte is first and whose last bytes are number. */
static struct bypeer_name name_of(uint8_t first, uint32_t number)
{
    struct bypeer_name name = {.id = {first}, .port = 3541, .address_count = 1, .addresses = {{0xfd, first}}};
    for (unsigned i = 0; i < 4; i++)
        name.id[31 - i] = (uint8_t)(number >> 8 * i);
    return name;
}

static void put(uint8_t first, uint32_t number)
{
    struct bypeer_name name = name_of(first, number);
    cr_assert_eq(bypeer_writer_put_name(writer, 1, &name), 1);
}

static struct bypeer_names_walk locate(uint8_t first, uint32_t number)
{
    struct bypeer_name name = name_of(first, number);
    const uint8_t cloud = 1, *target = name.id;
    struct bypeer_names_walk walk;
    bypeer_names_locate(&tables, &cloud, &target, 1, BYPEER_NAMES_FETCH_ABOVE, &walk);
    return walk;
}

/* The first byte of what a walk gives next; -1: nothing. */
static int first_of(const struct bypeer_name_record *record)
{
    return record ? record->id[0] : -1;
}

/* --- looking --------------------------------------------------------------------------------------------------------
 */

Test(nearest, an_empty_index_has_no_neighbours)
{
    struct bypeer_names_walk walk = locate(5, 5);
    cr_assert_null(bypeer_names_above(&walk));
    cr_assert_null(bypeer_names_below(&walk));
    cr_assert_not(bypeer_names_is_leaf(&tables, 1, name_of(5, 5).id));
}

Test(nearest, a_walk_goes_round_the_ring_and_gives_each_id_once)
{
    for (uint8_t first = 10; first < 60; first += 10)
        put(first, 0);
    commit();
    struct bypeer_names_walk walk = locate(35, 0);
    cr_assert_eq(first_of(bypeer_names_above(&walk)), 40);
    cr_assert_eq(first_of(bypeer_names_above(&walk)), 50);
    cr_assert_eq(first_of(bypeer_names_below(&walk)), 30);
    cr_assert_eq(first_of(bypeer_names_above(&walk)), 10, "next to the highest is the lowest");
    cr_assert_eq(first_of(bypeer_names_below(&walk)), 20);
    cr_assert_eq(first_of(bypeer_names_below(&walk)), -1);
    cr_assert_eq(first_of(bypeer_names_above(&walk)), -1);
    walk = locate(40, 0);
    cr_assert_eq(first_of(bypeer_names_above(&walk)), 40, "an ID that is the target comes first, upwards");
    cr_assert_eq(first_of(bypeer_names_below(&walk)), 30);
}

Test(nearest, readers_see_a_batch_when_it_is_committed)
{
    put(10, 0);
    put(20, 0);
    struct bypeer_names_walk before = locate(0, 0);
    cr_assert_null(bypeer_names_above(&before));
    commit();
    struct bypeer_names_walk walk = locate(0, 0);
    cr_assert_eq(first_of(bypeer_names_above(&walk)), 10);
    cr_assert_eq(bypeer_writer_remove_name(writer, 1, name_of(20, 0).id), 0);
    cr_assert_eq(first_of(bypeer_names_above(&walk)), 20);
    commit();
    walk = locate(0, 0);
    cr_assert_eq(first_of(bypeer_names_above(&walk)), 10);
    cr_assert_eq(first_of(bypeer_names_above(&walk)), -1);
}

Test(nearest, clouds_do_not_see_each_other)
{
    struct bypeer_cloud_record other = cloud_of(2, 3540);
    struct bypeer_name name = name_of(10, 0);
    cr_assert_eq(bypeer_writer_put_cloud(writer, &other), 1);
    cr_assert_eq(bypeer_writer_put_name(writer, 2, &name), 1);
    put(20, 0);
    commit();
    struct bypeer_names_walk walk = locate(0, 0);
    cr_assert_eq(first_of(bypeer_names_above(&walk)), 20);
    cr_assert_eq(first_of(bypeer_names_above(&walk)), -1);
}

/* As many registrations of one name as the index holds: their first 128 bits are equal. */
Test(nearest, a_long_run_is_searched_like_anything_else)
{
    struct bypeer_names_build *build;
    for (uint32_t number = 0; number < NAMES; number++) {
        if (number == BYPEER_NAMES_DELTA) {
            cr_assert_eq(bypeer_writer_put_name(writer, 1, &(struct bypeer_name){.id = {1}, .address_count = 1}),
                         -ENOBUFS, "the delta is full");
            cr_assert_eq(bypeer_writer_begin_names(writer, NULL, &build), 0);
            cr_assert_eq(bypeer_names_build(build), 0);
            cr_assert_eq(bypeer_writer_swap_names(writer), 0);
            pass_grace_period();
        }
        put(7, 2 * number);
    }
    struct bypeer_name one_more = name_of(8, 0);
    cr_assert_eq(bypeer_writer_put_name(writer, 1, &one_more), -ENOSPC);
    commit();
    for (uint32_t number = 0; number < NAMES; number += 7) {
        struct bypeer_names_walk walk = locate(7, 2 * number + 1);
        const struct bypeer_name_record *above = bypeer_names_above(&walk), *below = bypeer_names_below(&walk);
        cr_assert_eq(memcmp(above->id, name_of(7, number + 1 < NAMES ? 2 * number + 2 : 0).id, 32), 0);
        cr_assert_eq(memcmp(below->id, name_of(7, 2 * number).id, 32), 0);
    }
}

Test(nearest, a_record_has_its_addresses)
{
    const uint8_t(*more)[16];
    struct bypeer_name name = name_of(9, 0);
    name.address_count = 4;
    memset(name.addresses, 0x77, sizeof(name.addresses));
    cr_assert_eq(bypeer_writer_put_name(writer, 1, &name), 1);
    put(10, 0);
    commit();
    struct bypeer_names_walk walk = locate(9, 0);
    cr_assert_eq(bypeer_names_addresses(&tables, bypeer_names_above(&walk), &more), 4);
    cr_assert_eq(memcmp(more, name.addresses[1], 48), 0);
    cr_assert_eq(bypeer_names_addresses(&tables, bypeer_names_above(&walk), &more), 1);
    cr_assert_null(more);
    name.address_count = 5;
    cr_assert_eq(bypeer_writer_put_name(writer, 1, &name), -EINVAL);
}

/* --- own IDs --------------------------------------------------------------------------------------------------------
 */

static struct bypeer_name_own own_of(uint8_t first, uint8_t low, uint8_t high)
{
    return (struct bypeer_name_own){.id = {first}, .leaf_low = {low}, .leaf_high = {high}};
}

Test(nearest, own_ids_and_their_leaf_sets)
{
    const struct bypeer_name_own owns[] = {own_of(10, 250, 20), own_of(100, 90, 110)};
    const struct bypeer_name_own unsorted[] = {owns[1], owns[0]};
    cr_assert_eq(bypeer_writer_set_own(writer, 1, unsorted, 2), -EINVAL);
    cr_assert_eq(bypeer_writer_set_own(writer, 1, owns, 2), 0);
    commit();
    cr_assert(bypeer_names_is_own(&tables, 1, name_of(100, 0).id));
    cr_assert_not(bypeer_names_is_own(&tables, 1, name_of(100, 1).id));
    cr_assert_not(bypeer_names_is_own(&tables, 2, name_of(100, 0).id));
    static const struct {
        uint8_t first;
        bool leaf;
    } cases[] = {{250, true}, {255, true}, {0, true},   {20, true},   {21, false},
                 {89, false}, {90, true},  {110, true}, {111, false}, {249, false}};
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        cr_expect_eq(bypeer_names_is_leaf(&tables, 1, name_of(cases[i].first, 0).id), cases[i].leaf, "%u",
                     cases[i].first);

    const struct bypeer_name_own alone = own_of(50, 50, 50);
    cr_assert_eq(bypeer_writer_set_own(writer, 1, &alone, 1), 0);
    commit();
    cr_assert(bypeer_names_is_leaf(&tables, 1, name_of(200, 0).id), "a leaf set that is not full takes anybody");
    cr_assert_not(bypeer_names_is_own(&tables, 1, name_of(100, 0).id));
}

Test(nearest, no_more_own_ids_than_there_is_room_for)
{
    static struct bypeer_name_own owns[BYPEER_OWN_MAX + 1];
    for (uint32_t i = 0; i <= BYPEER_OWN_MAX; i++)
        memcpy(owns[i].id, name_of(1, i).id, 32);
    cr_assert_eq(bypeer_writer_set_own(writer, 1, owns, BYPEER_OWN_MAX + 1), -ENOSPC);
    cr_assert_eq(bypeer_writer_set_own(writer, 1, owns, BYPEER_OWN_MAX), 0);
    struct bypeer_cloud_record other = cloud_of(2, 3540);
    bypeer_writer_put_cloud(writer, &other);
    cr_assert_eq(bypeer_writer_set_own(writer, 2, owns, 1), -ENOSPC, "all clouds share it");
    commit();
    cr_assert(bypeer_names_is_own(&tables, 1, owns[BYPEER_OWN_MAX - 1].id));
}

/* --- clouds ---------------------------------------------------------------------------------------------------------
 */

static const struct bypeer_destination *endpoint(const uint8_t address[static 16], uint16_t port)
{
    uint8_t key[16];
    const uint8_t *keys[] = {key};
    const struct bypeer_destination *found;
    bypeer_ingress_key(tables.ingresses.seed, address, BYPEER_INGRESS_ENDPOINT | port, key);
    bypeer_ingresses_lookup(&tables, keys, 1, &found);
    return found;
}

Test(nearest, a_clouds_endpoints_are_ways_in)
{
    struct bypeer_cloud_record cloud = cloud_of(1, 3541);
    const struct bypeer_destination *way_in = endpoint(cloud.addresses[1], 3541);
    cr_assert_not_null(way_in);
    cr_assert(way_in->flags & BYPEER_DESTINATION_CLOUD);
    cr_assert_eq(way_in->link, 1);
    cr_assert_null(endpoint(cloud.addresses[1], 3540));

    /* One address goes, one stays. */
    cloud.address_count = 1;
    cr_assert_eq(bypeer_writer_put_cloud(writer, &cloud), 0);
    cr_assert_not_null(endpoint(cloud.addresses[0], 3541));
    cr_assert_null(endpoint(cloud.addresses[1], 3541));
    /* Another port. */
    cloud.port = 4000;
    cr_assert_eq(bypeer_writer_put_cloud(writer, &cloud), 0);
    cr_assert_null(endpoint(cloud.addresses[0], 3541));
    cr_assert_not_null(endpoint(cloud.addresses[0], 4000));
    cr_assert_eq(bypeer_names_cloud(&tables, 1)->port, 4000);

    cr_assert_eq(bypeer_writer_remove_cloud(writer, 1), 0);
    cr_assert_null(endpoint(cloud.addresses[0], 4000));
    cr_assert_eq(bypeer_names_cloud(&tables, 1)->port, 0);
    cr_assert_eq(bypeer_writer_remove_cloud(writer, 1), -ENOENT);
}

Test(nearest, an_endpoint_belongs_to_one_cloud_or_to_links)
{
    struct bypeer_cloud_record cloud = cloud_of(1, 3541), other = cloud_of(2, 3541);
    struct bypeer_link link = {.id = 1, .kind = BYPEER_LINK_FABRIC, .peer = {9}, .vni = 5, .udp_port = 3541};
    memcpy(link.local, cloud.addresses[1], 16);
    other.addresses[0][15] = 1; /* the first is free, the second is taken */
    cr_assert_eq(bypeer_writer_put_cloud(writer, &other), -EEXIST);
    cr_assert_null(endpoint(other.addresses[0], 3541), "nothing is half done");
    cr_assert_eq(bypeer_writer_put_link(writer, &link), -EEXIST);
    link.udp_port = 4790;
    cr_assert_eq(bypeer_writer_put_link(writer, &link), 1, "the same address with another port is fine");
    cloud.port = 4790;
    cr_assert_eq(bypeer_writer_put_cloud(writer, &cloud), -EEXIST);
    cr_assert_not_null(endpoint(cloud.addresses[1], 3541), "it is what it was");
}

Test(nearest, what_is_no_cloud)
{
    struct bypeer_cloud_record cloud = cloud_of(0, 3541);
    struct bypeer_name name = name_of(1, 1);
    cr_assert_eq(bypeer_writer_put_cloud(writer, &cloud), -EINVAL);
    cloud = cloud_of(BYPEER_CLOUDS_MAX + 1, 3541);
    cr_assert_eq(bypeer_writer_put_cloud(writer, &cloud), -EINVAL);
    cloud = cloud_of(2, 0);
    cr_assert_eq(bypeer_writer_put_cloud(writer, &cloud), -EINVAL);
    cloud = cloud_of(2, 3540);
    cloud.address_count = 5;
    cr_assert_eq(bypeer_writer_put_cloud(writer, &cloud), -EINVAL);
    cr_assert_eq(bypeer_writer_put_name(writer, 2, &name), -EINVAL);
    cr_assert_eq(bypeer_writer_set_own(writer, 2, NULL, 0), -EINVAL);
}

/* --- rebuilds -------------------------------------------------------------------------------------------------------
 */

struct list {
    const struct bypeer_name *names;
    unsigned count, next;
};

static int list_next(void *context, uint32_t *ret_cloud, struct bypeer_name *ret_name)
{
    struct list *list = context;
    if (list->next == list->count)
        return 0;
    *ret_cloud = 1;
    *ret_name = list->names[list->next++];
    return 1;
}

static int rebuild(const struct bypeer_name names[], unsigned count)
{
    struct list list = {.names = names, .count = count};
    struct bypeer_names_source source = {.next = list_next, .context = &list};
    struct bypeer_names_build *build;
    cr_assert_eq(bypeer_writer_begin_names(writer, &source, &build), 0);
    int result = bypeer_names_build(build);
    cr_assert_eq(bypeer_writer_swap_names(writer), result ? -EINVAL : 0);
    pass_grace_period();
    return result;
}

Test(nearest, a_source_is_all_there_is)
{
    const struct bypeer_name names[] = {name_of(40, 0), name_of(50, 0)};
    put(10, 0);
    commit();
    cr_assert_eq(rebuild(names, 2), 0);
    struct bypeer_names_walk walk = locate(0, 0);
    cr_assert_eq(first_of(bypeer_names_above(&walk)), 40);
    cr_assert_eq(first_of(bypeer_names_above(&walk)), 50);
    cr_assert_eq(first_of(bypeer_names_above(&walk)), -1);
}

Test(nearest, a_rebuild_that_fails_changes_nothing)
{
    const struct bypeer_name twice[] = {name_of(40, 0), name_of(40, 0)};
    static struct bypeer_name many[NAMES + 1];
    for (uint32_t i = 0; i <= NAMES; i++)
        many[i] = name_of(3, i);
    put(10, 0);
    commit();
    cr_assert_eq(rebuild(twice, 2), -EINVAL);
    cr_assert_eq(rebuild(many, NAMES + 1), -ENOSPC);
    cr_assert_eq(bypeer_writer_swap_names(writer), -EINVAL, "none is under way");
    struct bypeer_names_walk walk = locate(0, 0);
    cr_assert_eq(first_of(bypeer_names_above(&walk)), 10);
    cr_assert_eq(first_of(bypeer_names_above(&walk)), -1);
    cr_assert_eq(rebuild(many, NAMES), 0);
}

/* The old half had room for it, the new one has not. */
Test(nearest, an_index_never_holds_more_than_it_has_room_for)
{
    static struct bypeer_name many[NAMES];
    struct list list = {.names = many, .count = NAMES};
    struct bypeer_names_source source = {.next = list_next, .context = &list};
    struct bypeer_names_build *build;
    struct bypeer_writer *to;
    void *to_memory;
    for (uint32_t i = 0; i < NAMES; i++)
        many[i] = name_of(3, i);
    put(10, 0);
    cr_assert_eq(bypeer_writer_begin_names(writer, &source, &build), 0);
    put(20, 0);
    cr_assert_eq(bypeer_names_build(build), 0);
    cr_assert_eq(bypeer_writer_swap_names(writer), -ENOSPC);
    cr_assert_eq(bypeer_writer_swap_names(writer), -EINVAL, "it is over");
    commit();
    struct bypeer_names_walk walk = locate(0, 0);
    cr_assert_eq(first_of(bypeer_names_above(&walk)), 10);
    cr_assert_eq(first_of(bypeer_names_above(&walk)), 20);
    cr_assert_eq(first_of(bypeer_names_above(&walk)), -1);

    /* What replaces an ID of the source needs no further room. */
    struct bypeer_name again = many[7];
    again.port++;
    list.next = 0;
    cr_assert_eq(bypeer_writer_begin_names(writer, &source, &build), 0);
    cr_assert_eq(bypeer_writer_put_name(writer, 1, &again), 1);
    cr_assert_eq(bypeer_names_build(build), 0);
    cr_assert_eq(bypeer_writer_swap_names(writer), 0);
    struct bypeer_name one_more = name_of(8, 0);
    cr_assert_eq(bypeer_writer_put_name(writer, 1, &one_more), -ENOSPC);
    make(&to, &to_memory, &tables);
    cr_assert_eq(bypeer_writer_copy(to, writer), 0, "it fits into another one of its size");
    bypeer_writer_free(to);
    free(to_memory);
}

/* Every node of a small cloud gets another address: what the half had of them is all passed over. */
Test(nearest, a_rebuild_is_wanted_when_replaced_ids_lie_side_by_side)
{
    struct bypeer_names_build *build;
    static struct bypeer_name names[200];
    for (uint32_t i = 0; i < 200; i++)
        names[i] = name_of((uint8_t)(i + 1), 0);
    cr_assert_eq(rebuild(names, 200), 0);
    for (uint32_t i = 0; i < 200; i += 2) { /* every other one: nobody minds */
        names[i].port++;
        cr_assert_eq(bypeer_writer_put_name(writer, 1, &names[i]), 0);
    }
    commit();
    cr_assert_not(bypeer_writer_names_crowded(writer));
    for (uint32_t i = 1; i < 200; i += 2) {
        names[i].port++;
        cr_assert_eq(bypeer_writer_put_name(writer, 1, &names[i]), 0);
    }
    commit();
    cr_assert(bypeer_writer_names_crowded(writer));
    cr_assert_gt(bypeer_writer_names_room(writer), 0, "the delta is not short of it");
    struct bypeer_names_walk walk = locate(100, 0);
    for (int first = 100; first < 120; first++) {
        const struct bypeer_name_record *record = bypeer_names_above(&walk);
        cr_assert_eq(first_of(record), first);
        cr_assert_eq(record->port, 3542);
    }
    cr_assert_eq(bypeer_writer_begin_names(writer, NULL, &build), 0);
    cr_assert_eq(bypeer_names_build(build), 0);
    cr_assert_eq(bypeer_writer_swap_names(writer), 0);
    cr_assert_not(bypeer_writer_names_crowded(writer));
}

Test(nearest, a_copy_has_all_that_was_put)
{
    struct bypeer_writer *to;
    void *to_memory;
    const struct bypeer_name_own own = own_of(20, 10, 30);
    const struct bypeer_name names[] = {name_of(10, 0)};
    cr_assert_eq(rebuild(names, 1), 0);
    put(20, 0);
    cr_assert_eq(bypeer_writer_set_own(writer, 1, &own, 1), 0);
    commit();
    put(30, 0); /* not committed */
    make(&to, &to_memory, &tables);
    cr_assert_eq(bypeer_writer_copy(to, writer), 0);
    struct bypeer_names_walk walk = locate(0, 0);
    for (int first = 10; first <= 30; first += 10)
        cr_assert_eq(first_of(bypeer_names_above(&walk)), first);
    cr_assert_eq(first_of(bypeer_names_above(&walk)), -1);
    cr_assert(bypeer_names_is_own(&tables, 1, name_of(20, 0).id));
    cr_assert_not_null(endpoint(cloud_of(1, 3541).addresses[0], 3541));
    bypeer_writer_free(to);
    free(to_memory);
}
