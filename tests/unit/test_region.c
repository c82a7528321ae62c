#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <criterion/criterion.h>

#include "overlay/tables/region.h"

static const uint64_t counts[BYPEER_TABLES_SECTIONS] = {4, 3, 10, 2, 3, 5, 5, 5, 3, 3, 3, 3, 4, 2, 10, 5};
static char why[BYPEER_REGION_WHY_BYTES];

/* A published tables region; free() it. */
static struct bypeer_tables_header *made(uint64_t *ret_bytes)
{
    uint64_t bytes = bypeer_region_bytes(BYPEER_REGION_TABLES, counts);
    struct bypeer_tables_header *tables = aligned_alloc(BYPEER_CACHE_LINE, bytes);
    memset(tables, 0, bytes);
    cr_assert_eq(bypeer_region_init(tables, bytes, BYPEER_REGION_TABLES, 1, 7, 99, counts), 0);
    bypeer_region_publish(tables);
    *ret_bytes = bytes;
    return tables;
}

Test(region, what_was_made_passes_and_says_where_all_is)
{
    uint64_t bytes;
    struct bypeer_tables_header *tables = made(&bytes);
    struct bypeer_region region;
    cr_assert_eq(bypeer_region_check(&region, BYPEER_REGION_TABLES, tables, bytes, why), 0, "%s", why);
    cr_assert_eq(region.generation, 7);
    cr_assert_eq(region.layout, 1);
    uint64_t end = sizeof(struct bypeer_tables_header);
    for (unsigned i = 0; i < BYPEER_TABLES_SECTIONS; i++) {
        cr_assert_eq(region.sections[i].count, counts[i]);
        cr_assert_eq(region.sections[i].offset % BYPEER_CACHE_LINE, 0);
        cr_assert_geq(region.sections[i].offset, end);
        end = region.sections[i].offset + counts[i] * region.sections[i].entry_bytes;
    }
    cr_assert_leq(end, bytes);
    /* A mapping is often longer than the region: huge pages. */
    cr_assert_eq(bypeer_region_check(&region, BYPEER_REGION_TABLES, tables, bytes + 4096, why), 0);
    free(tables);
}

Test(region, is_not_used_before_it_is_published)
{
    uint64_t bytes;
    struct bypeer_tables_header *tables = made(&bytes);
    struct bypeer_region region;
    tables->region.published = 0;
    cr_assert_eq(bypeer_region_check(&region, BYPEER_REGION_TABLES, tables, bytes, why), -EAGAIN);
    cr_assert(strstr(why, "7"), "%s", why);
    tables->region.published = 8;
    cr_assert_eq(bypeer_region_check(&region, BYPEER_REGION_TABLES, tables, bytes, why), -EPROTO);
    free(tables);
}

Test(region, another_layout_is_refused_with_both_versions_named)
{
    uint64_t bytes;
    struct bypeer_tables_header *tables = made(&bytes);
    struct bypeer_region region;
    tables->region.layout = 4711;
    cr_assert_eq(bypeer_region_check(&region, BYPEER_REGION_TABLES, tables, bytes, why), -ENOTSUP);
    char known[32];
    snprintf(known, sizeof(known), "%u to %u", BYPEER_LAYOUT_OLDEST, BYPEER_LAYOUT_NEWEST);
    cr_assert(strstr(why, "4711") && strstr(why, known), "%s", why);
    tables->region.layout = 1;
    tables->region.layout_hash ^= 1;
    cr_assert_eq(bypeer_region_check(&region, BYPEER_REGION_TABLES, tables, bytes, why), -ENOTSUP);
    free(tables);
}

Test(region, one_kind_is_not_another)
{
    uint64_t bytes;
    struct bypeer_tables_header *tables = made(&bytes);
    struct bypeer_region region = {.generation = 42};
    cr_assert_eq(bypeer_region_check(&region, BYPEER_REGION_STATUS, tables, bytes, why), -EPROTO);
    cr_assert_eq(bypeer_region_check(&region, BYPEER_REGION_SESSIONS, tables, bytes, why), -EPROTO);
    cr_assert_eq(bypeer_region_check(&region, (enum bypeer_region_kind)9, tables, bytes, why), -EPROTO);
    cr_assert_eq(region.generation, 42, "a refused region leaves the caller's as it was");
    tables->region.magic++;
    cr_assert_eq(bypeer_region_check(&region, BYPEER_REGION_TABLES, tables, bytes, why), -EPROTO);
    free(tables);
}

static int check_with(unsigned section, struct bypeer_section wrong)
{
    uint64_t bytes;
    struct bypeer_tables_header *tables = made(&bytes);
    struct bypeer_region region;
    tables->sections[section] = wrong;
    int error = bypeer_region_check(&region, BYPEER_REGION_TABLES, tables, bytes, why);
    free(tables);
    return error;
}

Test(region, sections_must_lie_where_they_may)
{
    uint64_t bytes;
    struct bypeer_tables_header *tables = made(&bytes);
    const struct bypeer_section good = tables->sections[BYPEER_DESTINATIONS];
    struct bypeer_section bad = good;
    cr_assert_eq(check_with(BYPEER_DESTINATIONS, good), 0);

    bad.offset += 4;
    cr_assert_eq(check_with(BYPEER_DESTINATIONS, bad), -EPROTO, "not on a line");
    bad = good, bad.offset = 0;
    cr_assert_eq(check_with(BYPEER_DESTINATIONS, bad), -EPROTO, "in the header");
    bad = good, bad.offset = bytes;
    cr_assert_eq(check_with(BYPEER_DESTINATIONS, bad), -EPROTO, "behind the end");
    bad = good, bad.offset = UINT64_MAX - 63;
    cr_assert_eq(check_with(BYPEER_DESTINATIONS, bad), -EPROTO, "far behind the end");
    bad = good, bad.count = bytes;
    cr_assert_eq(check_with(BYPEER_DESTINATIONS, bad), -EPROTO, "too many");
    bad = good, bad.count = UINT64_MAX / 64 + 1;
    cr_assert_eq(check_with(BYPEER_DESTINATIONS, bad), -EPROTO, "so many that the product wraps");
    bad = good, bad.entry_bytes = 128;
    cr_assert_eq(check_with(BYPEER_DESTINATIONS, bad), -EPROTO, "entries of another size");
    bad = good, bad.count++;
    cr_assert_eq(check_with(BYPEER_DESTINATIONS, bad), -EPROTO, "overlaps the next");
    free(tables);
}

Test(region, size_in_the_header_must_be_that_of_the_mapping_or_less)
{
    uint64_t bytes;
    struct bypeer_tables_header *tables = made(&bytes);
    struct bypeer_region region;
    cr_assert_eq(bypeer_region_check(&region, BYPEER_REGION_TABLES, tables, bytes - 64, why), -EPROTO);
    cr_assert_eq(bypeer_region_check(&region, BYPEER_REGION_TABLES, tables, 63, why), -EPROTO);
    cr_assert_eq(bypeer_region_check(&region, BYPEER_REGION_TABLES, tables, 0, why), -EPROTO);
    tables->region.bytes = 1;
    cr_assert_eq(bypeer_region_check(&region, BYPEER_REGION_TABLES, tables, bytes, why), -EPROTO);
    free(tables);
}

Test(region, cannot_be_made_wrong)
{
    uint64_t memory[1024] = {0};
    uint64_t many[BYPEER_TABLES_SECTIONS] = {[BYPEER_LINKS] = UINT64_C(1) << 32};
    cr_assert_eq(bypeer_region_bytes(BYPEER_REGION_TABLES, many), 0);
    cr_assert_eq(bypeer_region_bytes((enum bypeer_region_kind)9, many), 0);
    cr_assert_eq(bypeer_region_init(memory, 64, BYPEER_REGION_TABLES, 1, 1, 0, counts), -EINVAL, "no room");
    cr_assert_eq(bypeer_region_init(memory, sizeof(memory), BYPEER_REGION_TABLES, 1, 0, 0, counts), -EINVAL);
    cr_assert_eq(bypeer_region_init(memory, sizeof(memory), BYPEER_REGION_TABLES, 99, 1, 0, counts), -EINVAL);
}

/* A layout version that some release has never changes again: what differs needs a new version. */
Test(region, layouts_are_what_they_were)
{
    cr_expect_eq(bypeer_layout_hash(BYPEER_REGION_TABLES, 1), UINT64_C(0xe2c5474c33de6997), "%#lx",
                 bypeer_layout_hash(BYPEER_REGION_TABLES, 1));
    cr_expect_eq(bypeer_layout_hash(BYPEER_REGION_STATUS, 1), UINT64_C(0x0c38f0fd7915aac9), "%#lx",
                 bypeer_layout_hash(BYPEER_REGION_STATUS, 1));
    cr_expect_eq(bypeer_layout_hash(BYPEER_REGION_SESSIONS, 1), UINT64_C(0x12dcbb25d304e154), "%#lx",
                 bypeer_layout_hash(BYPEER_REGION_SESSIONS, 1));
}

Test(region, releases_meet_at_the_newest_layout_that_both_know)
{
    cr_assert_eq(bypeer_layout_common(1, 1), 1);
    cr_assert_eq(bypeer_layout_common(1, 2), BYPEER_LAYOUT_NEWEST);
    cr_assert_eq(bypeer_layout_common(BYPEER_LAYOUT_NEWEST, 99), BYPEER_LAYOUT_NEWEST);
    cr_assert_eq(bypeer_layout_common(BYPEER_LAYOUT_NEWEST + 1, 99), 0);
    cr_assert_eq(bypeer_layout_common(0, 0), 0);
    cr_assert_eq(bypeer_layout_common(2, 1), 0, "nobody knows that");
    for (uint32_t layout = BYPEER_LAYOUT_OLDEST; layout <= BYPEER_LAYOUT_NEWEST; layout++)
        cr_assert_neq(bypeer_layout_hash(BYPEER_REGION_TABLES, layout), 0);
    cr_assert_eq(bypeer_layout_hash(BYPEER_REGION_TABLES, 0), 0);
    cr_assert_eq(bypeer_layout_hash(BYPEER_REGION_TABLES, BYPEER_LAYOUT_NEWEST + 1), 0);
    cr_assert_eq(bypeer_layout_hash(BYPEER_REGION_STATUS, 2), 0);
}
