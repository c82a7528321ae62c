/* The index of names beside a plain list: a million random additions, removals and look-ups agree. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "control/model/ids.h"

#define NAMES 5000

Test(ids, agree_with_a_plain_list)
{
    static char names[NAMES][16];
    static bool present[NAMES];
    struct bypeer_ids index = {0};
    unsigned seed = 7, count = 0;
    for (unsigned at = 0; at < NAMES; at++)
        snprintf(names[at], sizeof(names[at]), "link-%u", at);
    cr_assert_eq(bypeer_ids_find(&index, "link-1"), 0);
    bypeer_ids_remove(&index, "link-1");
    for (unsigned round = 0; round < 1000000; round++) {
        unsigned at = (unsigned)rand_r(&seed) % NAMES;
        cr_assert_eq(bypeer_ids_find(&index, names[at]), present[at] ? at + 1 : 0);
        if (rand_r(&seed) % 2)
            continue;
        if (present[at])
            bypeer_ids_remove(&index, names[at]);
        else
            cr_assert_eq(bypeer_ids_add(&index, names[at], at + 1), 0);
        count += present[at] ? -1u : 1u;
        present[at] = !present[at];
        cr_assert_eq(index.used, count);
    }
    bypeer_ids_free(&index);
}
