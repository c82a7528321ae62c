/*
 * The rebuild of the nearest-ID index: the part of it that takes long, for a thread of its own.
 *
 *   half in use  --\
 *                   merge by ID --> spare half: records, tree, runs
 *   delta        --/
 *
 * It reads what nobody changes (the half in use, but for marks that it ignores, and a copy of the delta that
 * bypeer_writer_begin_names() took), and writes what nobody reads. Some 50 ns an ID; allocates nothing.
 */
#pragma once

#include "overlay/tables/writer.h"

/* Gives the next ID, by ascending cloud, then ID, each (cloud, ID) once. Returns 1, or 0 after the last. Called on the
 * builder's thread. */
typedef int bypeer_names_next(void *context, uint32_t *ret_cloud, struct bypeer_name *ret_name);
struct bypeer_names_source {
    bypeer_names_next *next;
    void *context;
};

/* Thread: any; the writer's may go on putting and committing. 0; -EINVAL: a source's IDs do not ascend, or are of no
 * cloud of 1 to BYPEER_CLOUDS_MAX; -ENOSPC: they are more than the index holds. bypeer_writer_swap_names() comes next
 * in either case. */
int bypeer_names_build(struct bypeer_names_build *build);
