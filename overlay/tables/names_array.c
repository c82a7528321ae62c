#include "overlay/tables/names_array.h"

#include <errno.h>

/* --- room ----------------------------------------------------------------------------------------------------------
 */

/*
 * Trees over first words: a node for eight records, with the layers above them 9/64 a record, and of each cloud up to
 * one begun node a layer; their groups: of at least eight records each, and one more. Trees of runs:
 * as much as all records need when they fall apart at two further words; where an attacker makes more, what finds no
 * room is searched without a tree, by halving. Runs: each has more than 32 records and there are three levels.
 */
static struct bypeer_names_room names_room(uint32_t records, uint32_t extras)
{
    if (records == 0)
        return (struct bypeer_names_room){.records = 0};
    return (struct bypeer_names_room){
        .records = records,
        .nodes = records / 7 + records / 8 + BYPEER_CLOUDS_MAX * (BYPEER_NAMES_LAYERS + 1) + records / 4,
        .runs = BYPEER_NAMES_LEVELS * (records / (BYPEER_NAMES_SHORT + 1)),
        .extras = extras,
    };
}

static struct bypeer_names_room names_half_room(uint32_t names)
{
    return names_room(names, names / 4);
}

struct bypeer_names_room bypeer_names_delta_room(uint32_t names)
{
    uint32_t records = names < BYPEER_NAMES_DELTA ? names : BYPEER_NAMES_DELTA;
    struct bypeer_names_room room = names_room(records, records);
    room.owns = names < BYPEER_OWN_MAX ? names : BYPEER_OWN_MAX;
    return room;
}

static uint64_t names_both(uint32_t half, uint32_t delta)
{
    return (uint64_t)half * BYPEER_NAMES_HALVES + (uint64_t)delta * BYPEER_NAMES_DELTAS;
}

void bypeer_names_section_counts(uint32_t names, uint64_t counts[static BYPEER_TABLES_SECTIONS])
{
    struct bypeer_names_room half = names_half_room(names), delta = bypeer_names_delta_room(names);
    counts[BYPEER_NAME_PARTS] = BYPEER_NAMES_ARRAYS * BYPEER_CLOUDS_MAX;
    counts[BYPEER_NAME_RECORDS] = names_both(half.records, delta.records);
    counts[BYPEER_NAME_NODES] = names_both(half.nodes, delta.nodes);
    counts[BYPEER_NAME_RUNS] = names_both(half.runs, delta.runs);
    counts[BYPEER_NAME_EXTRAS] = 1 + names_both(half.extras, delta.extras); /* entry 0 is none */
    counts[BYPEER_NAME_OWNS] = names_both(half.owns, delta.owns);
}

/* --- records -------------------------------------------------------------------------------------------------------
 */

/* Where an array begins in a section of arrays of these sizes. */
static uint32_t array_first(uint32_t number, uint32_t half, uint32_t delta)
{
    if (number < BYPEER_NAMES_HALVES)
        return number * half;
    return BYPEER_NAMES_HALVES * half + (number - BYPEER_NAMES_HALVES) * delta;
}

void bypeer_names_array_begin(struct bypeer_names_array *ret_array, const struct bypeer_names_view *view,
                              uint32_t names, uint32_t number)
{
    struct bypeer_names_room half = names_half_room(names), delta = bypeer_names_delta_room(names);
    *ret_array = (struct bypeer_names_array){
        .view = *view,
        .room = number < BYPEER_NAMES_HALVES ? half : delta,
        .first = {.records = array_first(number, half.records, delta.records),
                  .nodes = array_first(number, half.nodes, delta.nodes),
                  .runs = array_first(number, half.runs, delta.runs),
                  .extras = 1 + array_first(number, half.extras, delta.extras),
                  .owns = array_first(number, half.owns, delta.owns)},
        .number = number,
    };
}

/* Views are const for readers; the writer's mapping is writable. */
static struct bypeer_name_record *array_records(const struct bypeer_names_array *array)
{
    return (struct bypeer_name_record *)(uintptr_t)array->view.records;
}

static struct bypeer_name_node *array_nodes(const struct bypeer_names_array *array)
{
    return (struct bypeer_name_node *)(uintptr_t)array->view.nodes;
}

int bypeer_names_array_add(struct bypeer_names_array *array, uint32_t cloud, const struct bypeer_name_record *record,
                           const uint8_t (*more)[16])
{
    if (array->used.records == array->room.records)
        return -ENOSPC;
    struct bypeer_name_part *part = &array->parts[cloud - 1];
    uint32_t at = array->first.records + array->used.records++;
    if (part->count++ == 0)
        part->first = at;
    struct bypeer_name_record *written = &array_records(array)[at];
    /* Not the mark, which the writer may set meanwhile in the half that this is copied from. */
    memcpy(written, record, offsetof(struct bypeer_name_record, extra));
    written->extra = 0;
    written->run = 0;
    written->dead = 0;
    if (!more || record->address_count < 2 || array->used.extras == array->room.extras) {
        written->address_count = 1;
        return 0;
    }
    written->extra = array->first.extras + array->used.extras++;
    struct bypeer_name_extra *extra = (struct bypeer_name_extra *)(uintptr_t)&array->view.extras[written->extra];
    memcpy(extra->addresses, more, (record->address_count - 1u) * sizeof(*more));
    return 0;
}

int bypeer_names_array_own(struct bypeer_names_array *array, uint32_t cloud, const struct bypeer_name_own owns[],
                           uint32_t count)
{
    if (count > array->room.owns - array->used.owns)
        return -ENOSPC;
    struct bypeer_name_part *part = &array->parts[cloud - 1];
    part->own_first = array->first.owns + array->used.owns;
    part->own_count = count;
    if (count != 0)
        memcpy((struct bypeer_name_own *)(uintptr_t)&array->view.owns[part->own_first], owns, count * sizeof(*owns));
    array->used.owns += count;
    return 0;
}

/* --- trees ---------------------------------------------------------------------------------------------------------
 */

/* A record's word, or beyond the last one all ones. */
static uint64_t tree_word(const struct bypeer_name_record records[], uint32_t count, unsigned word, uint64_t at)
{
    return at < count ? bypeer_names_word(records[at].id, word) : UINT64_MAX;
}

/* The last word below a child of so many records, or all ones when no other child comes after it. */
static uint64_t tree_separator(const struct bypeer_name_record records[], uint32_t count, unsigned word, uint64_t child,
                               uint64_t child_records)
{
    uint64_t next = (child + 1) * child_records;
    return next < count ? bypeer_names_word(records[next - 1].id, word) : UINT64_MAX;
}

static void tree_layers(struct bypeer_name_node nodes[], const struct bypeer_names_shape *shape,
                        const struct bypeer_name_record records[], uint32_t count, unsigned word)
{
    uint32_t layer = shape->layers - 1;
    struct bypeer_name_node *at = nodes + shape->layer[layer].first;
    for (uint64_t i = 0; i < (uint64_t)shape->layer[layer].nodes * BYPEER_NAME_NODE_KEYS; i++)
        at[i / BYPEER_NAME_NODE_KEYS].keys[i % BYPEER_NAME_NODE_KEYS] = tree_word(records, count, word, i);
    for (uint64_t child_records = BYPEER_NAME_NODE_KEYS; layer-- > 0; child_records *= BYPEER_NAMES_CHILDREN) {
        at = nodes + shape->layer[layer].first;
        for (uint64_t node = 0; node < shape->layer[layer].nodes; node++)
            for (unsigned key = 0; key < BYPEER_NAME_NODE_KEYS; key++)
                at[node].keys[key] =
                    tree_separator(records, count, word, node * BYPEER_NAMES_CHILDREN + key, child_records);
    }
}

/* The end of the run of records that have the words 0 to level of the first one. */
static uint32_t run_end(const struct bypeer_name_record records[], uint32_t first, uint32_t end, unsigned level)
{
    uint32_t at = first + 1;
    while (at < end && memcmp(records[at].id, records[first].id, (level + 1) * sizeof(uint64_t)) == 0)
        at++;
    return at;
}

/* Writes the group of the records from first to end, which has no room for their keys. */
static void array_crowd(struct bypeer_name_crowd *crowd, const struct bypeer_name_record records[], uint32_t first,
                        uint32_t end)
{
    uint32_t longest = first, length = 0;
    for (uint32_t at = first, next; at < end; at = next) {
        next = run_end(records, at, end, 0);
        if (next - at > length) {
            longest = at;
            length = next - at;
        }
    }
    *crowd = (struct bypeer_name_crowd){.count = BYPEER_NAME_GROUP_CROWDED,
                                        .word = bypeer_names_word(records[longest].id, 0),
                                        .run_at = longest,
                                        .first = first};
}

/* Writes the groups of a part. Their room is part of that of the cloud's tree. */
static void array_groups(struct bypeer_names_array *array, struct bypeer_name_part *part)
{
    const struct bypeer_name_record *records = array_records(array) + part->first;
    const unsigned bits = bypeer_names_group_bits(part->count);
    const uint32_t count = bypeer_names_group_count(part->count);
    part->groups = array->first.nodes + array->used.nodes;
    array->used.nodes += count;
    struct bypeer_name_group *groups = (struct bypeer_name_group *)(void *)(array_nodes(array) + part->groups);
    uint32_t at = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct bypeer_name_group group = {.first = at};
        memset(group.keys, 0xff, sizeof(group.keys));
        for (; at < part->count; at++) {
            uint64_t word = bypeer_names_word(records[at].id, 0);
            if (bypeer_names_group_of(word, bits) != i)
                break;
            if (at - group.first < BYPEER_NAME_GROUP_KEYS)
                group.keys[at - group.first] = bypeer_names_group_key(bypeer_names_group_rest(word, bits));
        }
        group.count = (uint16_t)(at - group.first);
        if (at - group.first <= BYPEER_NAME_GROUP_KEYS)
            groups[i] = group;
        else
            array_crowd((struct bypeer_name_crowd *)(void *)&groups[i], records, group.first, at);
    }
}

/* Builds the tree over one word of count records, at least one. Returns its first node, or BYPEER_NAME_NO_TREE. */
static uint32_t array_tree(struct bypeer_names_array *array, const struct bypeer_name_record records[], uint32_t count,
                           unsigned word)
{
    struct bypeer_names_shape shape;
    bypeer_names_shape(count, &shape);
    if (shape.layers == 0 || shape.nodes > array->room.nodes - array->used.nodes)
        return BYPEER_NAME_NO_TREE;
    uint32_t first = array->first.nodes + array->used.nodes;
    array->used.nodes += shape.nodes;
    tree_layers(array_nodes(array) + first, &shape, records, count, word);
    return first;
}

/* --- runs ----------------------------------------------------------------------------------------------------------
 */

/* Fills in one level of a description; records are the cloud's, of which the first has number cloud_first. */
static void run_describe(struct bypeer_names_array *array, const struct bypeer_name_record records[],
                         uint32_t cloud_first, struct bypeer_name_run *run, unsigned level, uint32_t first,
                         uint32_t end)
{
    bool splits = run_end(records, first, end, level + 1) != end;
    run->levels[level].first = cloud_first + first;
    run->levels[level].count = end - first;
    run->levels[level].nodes = BYPEER_NAME_NO_TREE;
    if (splits)
        run->levels[level].nodes = array_tree(array, records + first, end - first, level + 1);
}

/* Gives the records from first to end, whose deepest long run this is, its description: a new one if need be. */
static void run_assign(struct bypeer_names_array *array, struct bypeer_name_record records[], uint32_t first,
                       uint32_t end, const struct bypeer_name_run *run, uint32_t *number)
{
    if (first == end)
        return;
    if (*number == 0) {
        if (array->used.runs == array->room.runs)
            return; /* never: room for as many as there can be */
        uint32_t at = array->first.runs + array->used.runs++;
        ((struct bypeer_name_run *)(uintptr_t)array->view.runs)[at] = *run;
        *number = at + BYPEER_NAMES_SHORT + 1;
    }
    for (uint32_t i = first; i < end; i++)
        records[i].run = *number;
}

/* A long run at one level and the long ones in it at the next ones: three levels of calls at most. */
static void runs_within(struct bypeer_names_array *array, struct bypeer_name_record records[], uint32_t cloud_first,
                        struct bypeer_name_run run, unsigned level, uint32_t first, uint32_t end)
{
    uint32_t number = 0;
    run_describe(array, records, cloud_first, &run, level, first, end);
    for (uint32_t at = first, next; at < end; at = next) {
        next = level + 1 < BYPEER_NAMES_LEVELS ? run_end(records, at, end, level + 1) : end;
        if (level + 1 < BYPEER_NAMES_LEVELS && next - at > BYPEER_NAMES_SHORT)
            runs_within(array, records, cloud_first, run, level + 1, at, next);
        else
            run_assign(array, records, at, next, &run, &number);
    }
}

static void array_runs(struct bypeer_names_array *array, const struct bypeer_name_part *part)
{
    struct bypeer_name_record *records = array_records(array) + part->first;
    for (uint32_t at = 0, next; at < part->count; at = next) {
        next = run_end(records, at, part->count, 0);
        if (next - at > BYPEER_NAMES_SHORT)
            runs_within(array, records, part->first, (struct bypeer_name_run){.levels = {{0}}}, 0, at, next);
        else
            records[at].run = next - at;
    }
}

void bypeer_names_array_finish(struct bypeer_names_array *array)
{
    struct bypeer_name_part *parts = (struct bypeer_name_part *)(uintptr_t)array->view.parts;
    for (unsigned i = 0; i < BYPEER_CLOUDS_MAX; i++) {
        struct bypeer_name_part *part = &array->parts[i];
        if (part->count == 0)
            continue;
        array_groups(array, part);
        part->nodes = array_tree(array, array->view.records + part->first, part->count, 0);
        part->leaves = array->first.nodes + array->used.nodes - bypeer_names_leaf_count(part->count);
    }
    /* Trees of runs come second: they may find no room, those of clouds always do. */
    for (unsigned i = 0; i < BYPEER_CLOUDS_MAX; i++) {
        array_runs(array, &array->parts[i]);
        parts[array->number * BYPEER_CLOUDS_MAX + i] = array->parts[i];
    }
}
