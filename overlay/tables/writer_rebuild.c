#include <errno.h>

#include "overlay/tables/writer_state.h"

/* Takes the spare half, which there is, and what from has. */
static void rebuild_begin(struct bypeer_names_writer *names, const struct bypeer_names_writer *from,
                          const struct bypeer_names_source *source)
{
    struct bypeer_names_build *build = &names->build;
    struct bypeer_names_change *changes = build->changes;
    *build = (struct bypeer_names_build){
        .begun = true,
        .spare = bypeer_pool_take(&names->halves),
        .source = source ? *source : (struct bypeer_names_source){.next = NULL},
        .from = from->view,
        .serial = from->root.serial,
        .changes = changes,
    };
    bypeer_names_array_begin(&build->array, &names->view, names->capacity, build->spare - 1);
    if (source)
        return;
    for (uint32_t cloud = 1; cloud <= BYPEER_CLOUDS_MAX; cloud++)
        bypeer_names_place(&from->view, from->root.half, cloud, &build->half[cloud]);
    build->change_count = from->order_count;
    for (uint32_t place = 0; place < from->order_count; place++)
        changes[place] = from->changes[from->order[place]];
}

int bypeer_writer_begin_names(struct bypeer_writer *writer, const struct bypeer_names_source *source,
                              struct bypeer_names_build **ret_build)
{
    struct bypeer_names_writer *names = &writer->names;
    if (names->build.begun)
        return -EALREADY;
    if (bypeer_pool_available(&names->halves) == 0)
        return -EAGAIN;
    rebuild_begin(names, names, source);
    for (uint32_t place = 0; place < names->order_count; place++)
        names->changes[names->order[place]].fresh = false;
    *ret_build = &names->build;
    return 0;
}

static bool change_is_fresh(const struct bypeer_names_change *change, uint32_t cloud)
{
    (void)cloud;
    return change->fresh;
}

/* How many IDs there would be after the swap: those of the new half and what changed since the build began. */
static uint32_t rebuild_used(const struct bypeer_names_writer *names)
{
    const struct bypeer_names_build *build = &names->build;
    uint32_t used = 0;
    for (uint32_t cloud = 1; cloud <= BYPEER_CLOUDS_MAX; cloud++)
        used += build->gone[cloud] ? 0 : build->array.parts[cloud - 1].count;
    for (uint32_t place = 0; place < names->order_count; place++) {
        const struct bypeer_names_change *change = &names->changes[names->order[place]];
        if (!change->fresh)
            continue;
        bool stale = !build->gone[change->cloud] &&
                     bypeer_names_search(&names->view, build->array.number, change->cloud, change->record.id) != NULL;
        used += (uint32_t)!change->removed - stale;
    }
    return used;
}

/* Changes that came since the build began now stand for records of the new half. */
static void rebuild_rebase(struct bypeer_names_writer *names)
{
    const struct bypeer_names_build *build = &names->build;
    bypeer_names_writer_sweep(names, change_is_fresh, 0);
    for (uint32_t cloud = 1; cloud <= BYPEER_CLOUDS_MAX; cloud++) {
        struct bypeer_name_part *part = (struct bypeer_name_part *)(uintptr_t)&names->view
                                            .parts[build->array.number * BYPEER_CLOUDS_MAX + cloud - 1];
        if (build->gone[cloud])
            part->count = 0;
        names->used[cloud] = part->count;
    }
    names->puts = 0;
    for (uint32_t place = 0; place < names->order_count; place++) {
        struct bypeer_names_change *change = &names->changes[names->order[place]];
        const struct bypeer_name_record *stale =
            bypeer_names_search(&names->view, build->array.number, change->cloud, change->record.id);
        change->stale = stale ? (uint32_t)(stale - names->view.records) + 1 : 0;
        names->used[change->cloud] += (uint32_t)!change->removed - (stale != NULL);
        names->puts += !change->removed;
    }
}

/* Changes nothing that readers see: what was removed while the half was built may be forgotten now, as after any
 * commit. */
static void rebuild_abandon(struct bypeer_names_writer *names)
{
    bypeer_pool_retire(&names->halves, names->build.spare);
    names->build.begun = false;
    if (!names->dirty)
        bypeer_names_writer_sweep(names, bypeer_names_change_is_put, 0);
}

static int rebuild_swap(struct bypeer_names_writer *names)
{
    if (bypeer_pool_available(&names->deltas) == 0)
        return -EAGAIN;
    if (rebuild_used(names) > names->capacity) {
        rebuild_abandon(names);
        return -ENOSPC;
    }
    uint32_t left = names->root.half;
    rebuild_rebase(names);
    names->crowded = false;
    bypeer_names_writer_publish(names, names->build.array.number, 1);
    bypeer_pool_retire(&names->halves, left + 1);
    names->build.begun = false;
    bypeer_names_writer_sweep(names, bypeer_names_change_is_put, 0);
    return 0;
}

int bypeer_writer_swap_names(struct bypeer_writer *writer)
{
    struct bypeer_names_writer *names = &writer->names;
    if (!names->build.begun)
        return -EINVAL;
    if (names->build.built && names->build.result == 0)
        return rebuild_swap(names);
    rebuild_abandon(names);
    return -EINVAL;
}

int bypeer_names_writer_copy(struct bypeer_names_writer *to, const struct bypeer_names_writer *from)
{
    uint32_t owns = 0;
    for (uint32_t cloud = 1; cloud <= BYPEER_CLOUDS_MAX; cloud++)
        owns += from->own_counts[cloud];
    if (owns == 0 && bypeer_names_writer_used(from) == 0)
        return 0;
    if (owns > to->owns_max)
        return -ENOSPC;
    memcpy(to->owns, from->owns, owns * sizeof(*to->owns));
    memcpy(to->own_counts, from->own_counts, sizeof(to->own_counts));
    rebuild_begin(to, from, NULL);
    int error = bypeer_names_build(&to->build);
    if (error)
        rebuild_abandon(to);
    return error ? error : rebuild_swap(to);
}
