/* Where the clouds' records are in an array: every number is checked against private counts. */
#include "overlay/tables/names_search.h"

bool bypeer_names_tree(const struct bypeer_names_view *view, uint32_t nodes, uint32_t count,
                       const struct bypeer_name_record *records, struct bypeer_names_tree *ret_tree)
{
    ret_tree->count = count;
    bypeer_names_shape(count, &ret_tree->shape);
    if (!bypeer_names_fit(nodes, ret_tree->shape.nodes, view->node_count))
        return false;
    ret_tree->nodes = view->nodes + nodes;
    ret_tree->records = records;
    return true;
}

/* As read once. */
struct names_part {
    uint32_t first, count, groups, nodes, leaves;
};

static struct names_part names_part(const struct bypeer_names_view *view, uint32_t array, uint32_t cloud)
{
    const struct bypeer_name_part *part = bypeer_names_part(view, array, cloud);
    if (part == NULL)
        return (struct names_part){.count = 0};
    return (struct names_part){
        .first = bypeer_names_load(&part->first),
        .count = bypeer_names_load(&part->count),
        .groups = bypeer_names_load(&part->groups),
        .nodes = bypeer_names_load(&part->nodes),
        .leaves = bypeer_names_load(&part->leaves),
    };
}

void bypeer_names_place(const struct bypeer_names_view *view, uint32_t array, uint32_t cloud,
                        struct bypeer_names_place *ret_place)
{
    static const _Alignas(BYPEER_CACHE_LINE) struct bypeer_name_group empty = {
        .keys = {[0 ... BYPEER_NAME_GROUP_KEYS - 1] = UINT16_MAX}};
    struct names_part part = names_part(view, array, cloud);
    if (!bypeer_names_fit(part.first, part.count, view->record_count) ||
        !bypeer_names_fit(part.leaves, bypeer_names_leaf_count(part.count), view->node_count) ||
        !bypeer_names_fit(part.groups, bypeer_names_group_count(part.count), view->node_count))
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
