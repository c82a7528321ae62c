/* Where the clouds' records are in an array: every number is checked against private counts. */
#include "overlay/tables/names_search.h"

static bool names_fit(uint32_t first, uint32_t count, uint32_t room)
{
    return first <= room && count <= room - first;
}

bool bypeer_names_tree(const struct bypeer_names_view *view, uint32_t nodes, uint32_t count,
                       const struct bypeer_name_record *records, struct bypeer_names_tree *ret_tree)
{
    ret_tree->count = count;
    bypeer_names_shape(count, &ret_tree->shape);
    if (!names_fit(nodes, ret_tree->shape.nodes, view->node_count))
        return false;
    ret_tree->nodes = view->nodes + nodes;
    ret_tree->records = records;
    return true;
}

struct bypeer_name_part bypeer_names_part(const struct bypeer_names_view *view, uint32_t array, uint32_t cloud)
{
    struct bypeer_name_part part = {.count = 0};
    uint32_t number = array * BYPEER_CLOUDS_MAX + cloud - 1;
    if (cloud >= 1 && cloud <= BYPEER_CLOUDS_MAX && array < BYPEER_NAMES_ARRAYS && number < view->part_count) {
        const struct bypeer_name_part *shared = &view->parts[number];
        part.first = bypeer_names_load(&shared->first);
        part.count = bypeer_names_load(&shared->count);
        part.groups = bypeer_names_load(&shared->groups);
        part.nodes = bypeer_names_load(&shared->nodes);
        part.leaves = bypeer_names_load(&shared->leaves);
        part.own_first = bypeer_names_load(&shared->own_first);
        part.own_count = bypeer_names_load(&shared->own_count);
    }
    if (!names_fit(part.own_first, part.own_count, view->own_count))
        part.own_first = part.own_count = 0;
    return part;
}

void bypeer_names_place(const struct bypeer_names_view *view, uint32_t array, uint32_t cloud,
                        struct bypeer_names_place *ret_place)
{
    static const _Alignas(BYPEER_CACHE_LINE) struct bypeer_name_group empty = {
        .keys = {[0 ... BYPEER_NAME_GROUP_KEYS - 1] = UINT16_MAX}};
    struct bypeer_name_part part = bypeer_names_part(view, array, cloud);
    if (!names_fit(part.first, part.count, view->record_count) ||
        !names_fit(part.leaves, bypeer_names_leaf_count(part.count), view->node_count) ||
        !names_fit(part.groups, bypeer_names_group_count(part.count), view->node_count))
        part.first = part.count = 0;
    *ret_place = (struct bypeer_names_place){.view = view,
                                             .first = part.first,
                                             .count = part.count,
                                             .nodes = part.nodes,
                                             .records = view->records + part.first,
                                             .groups = &empty};
    if (part.count == 0)
        return;
    ret_place->leaves = view->nodes + part.leaves;
    ret_place->groups = (const struct bypeer_name_group *)(const void *)(view->nodes + part.groups);
    ret_place->group_bits = bypeer_names_group_bits(part.count);
    /* Of larger groups the end may be farther than the rest of the ring. */
    if (ret_place->group_bits >= 2)
        ret_place->nearer = BYPEER_NAMES_NEARER_ABOVE | BYPEER_NAMES_NEARER_BELOW;
}
