#include <string.h>

#include <criterion/criterion.h>

#include "overlay/wireguard/seen.h"

static const struct bypeer_seen there = {.remote = {0x20, 1, [15] = 9},
                                         .local = {0x20, 1, [15] = 1},
                                         .port = 51820,
                                         .mac = {2, 4, 6, 8, 10, 12},
                                         .device = 3};

Test(seen, comes_back_as_it_was_written)
{
    struct bypeer_seen_words record = {0};
    struct bypeer_seen seen;
    cr_assert_not(bypeer_seen_read(&record, 7, &seen), "nothing was seen");
    bypeer_seen_write(&record, 7, &there);
    cr_assert(bypeer_seen_read(&record, 7, &seen));
    cr_assert_eq(memcmp(&seen, &there, sizeof(seen)), 0);
    bypeer_seen_clear(&record);
    cr_assert_not(bypeer_seen_read(&record, 7, &seen));
}

Test(seen, is_another_links_under_another_serial)
{
    struct bypeer_seen_words record = {0};
    struct bypeer_seen seen;
    bypeer_seen_write(&record, 7, &there);
    for (uint64_t serial = 0; serial < 1000; serial++)
        cr_assert_eq(bypeer_seen_read(&record, serial, &seen), serial == 7);
}

/* Every mixture of two records that a crash, or two workers at once, can leave. */
Test(seen, halves_of_two_records_are_none)
{
    struct bypeer_seen elsewhere = there, seen;
    elsewhere.remote[15] = 10;
    elsewhere.local[15] = 2;
    elsewhere.remote[0] = 0x21;
    elsewhere.local[0] = 0x21;
    elsewhere.port = 51821;
    elsewhere.device = 4;
    struct bypeer_seen_words one = {0}, other = {0};
    bypeer_seen_write(&one, 7, &there);
    bypeer_seen_write(&other, 7, &elsewhere);
    for (unsigned mixture = 0; mixture < 128; mixture++) {
        struct bypeer_seen_words record = other;
        bool is_one = true, is_other = true;
        for (unsigned i = 0; i < 7; i++) {
            record.words[i] = mixture >> i & 1 ? one.words[i] : other.words[i];
            is_one &= record.words[i] == one.words[i];
            is_other &= record.words[i] == other.words[i];
        }
        cr_assert_eq(bypeer_seen_read(&record, 7, &seen), is_other);
        record.check = one.check;
        cr_assert_eq(bypeer_seen_read(&record, 7, &seen), is_one);
    }
}
