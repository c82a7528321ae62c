/*
 * One generation of tables: sealed memory, its writer, and the grace periods asked for in it.
 *
 * A generation never grows. Control makes a larger one (or one of another layout, or a fresh one after a restart),
 * fills it, and hands it over; it updates only the newest. The one before lives on in the data plane's own mapping
 * until it has changed over, so control may free its side at once.
 *
 * Thread: one (control's loop).
 */
#pragma once

#include "control/problem.h"
#include "overlay/tables/grace.h"
#include "overlay/tables/memory.h"
#include "overlay/tables/writer.h"

struct bypeer_generation {
    uint64_t number;
    uint32_t layout;
    struct bypeer_tables_size size;
    struct bypeer_memory memory;
    struct bypeer_writer *writer;
    struct bypeer_grace grace; /* without readers at first */
};

/* Makes empty, unpublished tables. huge: of huge pages, if there are enough. */
int bypeer_generation_create(struct bypeer_generation **ret_generation, uint64_t number, uint32_t layout,
                             const struct bypeer_tables_size *size, bool huge, struct bypeer_problem *problem);
void bypeer_generation_free(struct bypeer_generation *generation); /* NULL is fine */

/*
 * How large the next generation should be, so that it has room for need: twice as large where there is too little, at
 * most members_max destinations. -ENOSPC with the limit and the memory that more would take.
 */
int bypeer_generation_grow(const struct bypeer_tables_size *size, const struct bypeer_tables_size *need,
                           uint32_t members_max, struct bypeer_tables_size *ret_size, struct bypeer_problem *problem);
