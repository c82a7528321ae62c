#include <errno.h>
#include <stdlib.h>

#include "overlay/tables/writer_state.h"

/* --- life ----------------------------------------------------------------------------------------------------------
 */

static const void *names_section(const struct bypeer_tables_header *header, unsigned section)
{
    return (const uint8_t *)header + header->sections[section].offset;
}

static uint32_t names_count(const struct bypeer_tables_header *header, unsigned section)
{
    return (uint32_t)header->sections[section].count;
}

static struct bypeer_names_view names_view(const struct bypeer_tables_header *header)
{
    return (struct bypeer_names_view){
        .parts = names_section(header, BYPEER_NAME_PARTS),
        .records = names_section(header, BYPEER_NAME_RECORDS),
        .nodes = names_section(header, BYPEER_NAME_NODES),
        .runs = names_section(header, BYPEER_NAME_RUNS),
        .extras = names_section(header, BYPEER_NAME_EXTRAS),
        .owns = names_section(header, BYPEER_NAME_OWNS),
        .part_count = names_count(header, BYPEER_NAME_PARTS),
        .record_count = names_count(header, BYPEER_NAME_RECORDS),
        .node_count = names_count(header, BYPEER_NAME_NODES),
        .run_count = names_count(header, BYPEER_NAME_RUNS),
        .extra_count = names_count(header, BYPEER_NAME_EXTRAS),
        .own_count = names_count(header, BYPEER_NAME_OWNS),
    };
}

static uint32_t delta_array(uint32_t slot)
{
    return BYPEER_NAMES_HALVES + slot - 1;
}

static void root_store(struct bypeer_names_writer *names, uint32_t half, uint32_t delta, uint32_t serial)
{
    names->root = (struct bypeer_names_root){.serial = serial, .delta = delta, .half = half};
    /* Orders arrays and marks before the root that makes them count; pairs with the acquire in
     * bypeer_names_root_read(). */
    __atomic_store_n(names->header_root, (uint64_t)serial << 32 | delta << 16 | half, __ATOMIC_RELEASE);
}

/* Memory for count entries, at least one, that is not resident before it is used. */
static void *names_allocate(uint32_t count, size_t bytes)
{
    return calloc(count != 0 ? count : 1, bytes);
}

int bypeer_names_writer_init(struct bypeer_names_writer *names, struct bypeer_tables_header *header, uint32_t capacity)
{
    struct bypeer_names_room delta = bypeer_names_delta_room(capacity);
    *names = (struct bypeer_names_writer){
        .header_root = &header->names_root,
        .view = names_view(header),
        .capacity = capacity,
        .changes_max = 2 * delta.records,
        .puts_max = delta.records,
        .owns_max = delta.owns,
        .changes = names_allocate(2 * delta.records, sizeof(*names->changes)),
        .free = names_allocate(2 * delta.records, sizeof(*names->free)),
        .order = names_allocate(2 * delta.records, sizeof(*names->order)),
        .owns = names_allocate(delta.owns, sizeof(*names->owns)),
        .build = {.changes = names_allocate(2 * delta.records, sizeof(*names->changes))},
    };
    if (!names->changes || !names->free || !names->order || !names->owns || !names->build.changes ||
        bypeer_pool_init(&names->halves, BYPEER_NAMES_HALVES + 1) != 0 ||
        bypeer_pool_init(&names->deltas, BYPEER_NAMES_DELTAS + 1) != 0) {
        bypeer_names_writer_free(names);
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < names->changes_max; i++)
        names->free[i] = i;
    bypeer_pool_take(&names->halves); /* array 0 */
    root_store(names, 0, delta_array(bypeer_pool_take(&names->deltas)), 0);
    return 0;
}

void bypeer_names_writer_free(struct bypeer_names_writer *names)
{
    bypeer_pool_free(&names->deltas);
    bypeer_pool_free(&names->halves);
    free(names->build.changes);
    free(names->owns);
    free(names->order);
    free(names->free);
    free(names->changes);
    *names = (struct bypeer_names_writer){.capacity = 0};
}

uint32_t bypeer_names_writer_used(const struct bypeer_names_writer *names)
{
    uint32_t used = 0;
    for (unsigned cloud = 1; cloud <= BYPEER_CLOUDS_MAX; cloud++)
        used += names->used[cloud];
    return used;
}

/* --- changes -------------------------------------------------------------------------------------------------------
 */

static int change_compare(const struct bypeer_names_change *change, uint32_t cloud, const uint8_t id[static 32])
{
    return change->cloud != cloud ? (change->cloud > cloud) - (change->cloud < cloud)
                                  : memcmp(change->record.id, id, sizeof(change->record.id));
}

/* The place of the first change that is not below (cloud, id); *ret_change: it, if it is of that ID, else NULL. */
static uint32_t changes_place(const struct bypeer_names_writer *names, uint32_t cloud, const uint8_t id[static 32],
                              struct bypeer_names_change **ret_change)
{
    uint32_t low = 0, high = names->order_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (change_compare(&names->changes[names->order[middle]], cloud, id) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    struct bypeer_names_change *change = low < names->order_count ? &names->changes[names->order[low]] : NULL;
    *ret_change = change && change_compare(change, cloud, id) == 0 ? change : NULL;
    return low;
}

/* A new change in its place; there is a free one. */
static struct bypeer_names_change *changes_insert(struct bypeer_names_writer *names, uint32_t place)
{
    uint32_t number = names->free[names->order_count];
    memmove(&names->order[place + 1], &names->order[place], (names->order_count - place) * sizeof(*names->order));
    names->order[place] = number;
    names->order_count++;
    return &names->changes[number];
}

void bypeer_names_writer_sweep(struct bypeer_names_writer *names, bypeer_names_keep_function *keep, uint32_t cloud)
{
    uint32_t kept = 0, let_go = names->order_count;
    for (uint32_t place = 0; place < names->order_count; place++) {
        uint32_t number = names->order[place];
        if (keep(&names->changes[number], cloud))
            names->order[kept++] = number;
        else
            names->free[--let_go] = number;
    }
    names->order_count = kept;
}

bool bypeer_names_change_is_put(const struct bypeer_names_change *change, uint32_t cloud)
{
    (void)cloud;
    return !change->removed;
}

static bool change_is_of_other(const struct bypeer_names_change *change, uint32_t cloud)
{
    return change->cloud != cloud;
}

static void changes_drop(struct bypeer_names_writer *names, uint32_t place)
{
    uint32_t number = names->order[place];
    names->order_count--;
    memmove(&names->order[place], &names->order[place + 1], (names->order_count - place) * sizeof(*names->order));
    names->free[names->order_count] = number;
}

/* --- put and remove ------------------------------------------------------------------------------------------------
 */

/* The record of an ID in the half in use, if it counts; NULL: none. */
static const struct bypeer_name_record *names_in_half(const struct bypeer_names_writer *names, uint32_t cloud,
                                                      const uint8_t id[static 32])
{
    const struct bypeer_name_record *record = bypeer_names_search(&names->view, names->root.half, cloud, id);
    return record && record->dead == 0 ? record : NULL;
}

static bool name_is_same(const struct bypeer_name *name, const struct bypeer_name_record *record,
                         const uint8_t (*more)[16])
{
    return memcmp(name->addresses[0], record->address, 16) == 0 && name->port == record->port &&
           name->flags == record->flags && name->address_count == record->address_count &&
           memcmp(name->addresses[1], more, (name->address_count - 1u) * sizeof(*more)) == 0;
}

static void change_set(struct bypeer_names_change *change, uint32_t cloud, const struct bypeer_name *name)
{
    change->record =
        (struct bypeer_name_record){.port = name->port, .address_count = name->address_count, .flags = name->flags};
    memcpy(change->record.id, name->id, sizeof(change->record.id));
    memcpy(change->record.address, name->addresses[0], sizeof(change->record.address));
    memcpy(change->more, name->addresses[1], sizeof(change->more));
    change->cloud = (uint8_t)cloud;
    change->removed = false;
    change->fresh = true;
}

/* Puts an ID that readers, after the next commit, would not find; change: what is known of it, NULL: nothing. */
static int names_put(struct bypeer_names_writer *names, uint32_t cloud, const struct bypeer_name *name, uint32_t place,
                     struct bypeer_names_change *change, const struct bypeer_name_record *stale)
{
    if (!stale && bypeer_names_writer_used(names) >= names->capacity)
        return -ENOSPC;
    if (names->puts == names->puts_max || (!change && names->order_count == names->changes_max))
        return -ENOBUFS;
    if (!change) {
        change = changes_insert(names, place);
        change->stale = stale ? (uint32_t)(stale - names->view.records) + 1 : 0;
    }
    change_set(change, cloud, name);
    names->puts++;
    names->used[cloud] += !stale;
    names->dirty = true;
    return !stale;
}

int bypeer_writer_put_name(struct bypeer_writer *writer, uint32_t cloud, const struct bypeer_name *name)
{
    struct bypeer_names_writer *names = &writer->names;
    if (name->address_count < 1 || name->address_count > BYPEER_NAME_ADDRESSES ||
        !bypeer_slots_writer_find(&writer->clouds, cloud))
        return -EINVAL;
    struct bypeer_names_change *change;
    uint32_t place = changes_place(names, cloud, name->id, &change);
    if (change && change->removed)
        return names_put(names, cloud, name, place, change, NULL);
    if (change) {
        if (!name_is_same(name, &change->record, change->more)) {
            change_set(change, cloud, name);
            names->dirty = true;
        }
        return 0;
    }
    const struct bypeer_name_record *stale = names_in_half(names, cloud, name->id);
    if (stale && name_is_same(name, stale, names->view.extras[stale->extra].addresses))
        return 0;
    return names_put(names, cloud, name, place, NULL, stale);
}

int bypeer_writer_remove_name(struct bypeer_writer *writer, uint32_t cloud, const uint8_t id[static 32])
{
    struct bypeer_names_writer *names = &writer->names;
    struct bypeer_names_change *change;
    uint32_t place = changes_place(names, cloud, id, &change);
    if (change && change->removed)
        return -ENOENT;
    if (change) {
        names->puts--;
        change->removed = true;
        change->fresh = true;
        /* What stands for nothing in the half is gone; a rebuild under way may be putting it there, though. */
        if (change->stale == 0 && !names->build.begun)
            changes_drop(names, place);
    } else {
        const struct bypeer_name_record *stale = names_in_half(names, cloud, id);
        if (!stale)
            return -ENOENT;
        if (names->order_count == names->changes_max)
            return -ENOBUFS;
        change = changes_insert(names, place);
        *change = (struct bypeer_names_change){.stale = (uint32_t)(stale - names->view.records) + 1,
                                               .cloud = (uint8_t)cloud,
                                               .removed = true,
                                               .fresh = true};
        memcpy(change->record.id, id, sizeof(change->record.id));
    }
    names->used[cloud]--;
    names->dirty = true;
    return 0;
}

uint32_t bypeer_writer_names_room(const struct bypeer_writer *writer)
{
    const struct bypeer_names_writer *names = &writer->names;
    uint32_t puts = names->puts_max - names->puts, changes = names->changes_max - names->order_count;
    return puts < changes ? puts : changes;
}

bool bypeer_writer_names_crowded(const struct bypeer_writer *writer)
{
    return writer->names.crowded;
}

/* --- own IDs -------------------------------------------------------------------------------------------------------
 */

/* Where a cloud's own IDs begin; that of the cloud behind the last is how many there are. */
static uint32_t owns_first(const struct bypeer_names_writer *names, uint32_t cloud)
{
    uint32_t first = 0;
    for (uint32_t before = 1; before < cloud; before++)
        first += names->own_counts[before];
    return first;
}

/* Makes the place of a cloud's own IDs so large. */
static struct bypeer_name_own *owns_resize(struct bypeer_names_writer *names, uint32_t cloud, uint32_t count)
{
    uint32_t first = owns_first(names, cloud), end = first + names->own_counts[cloud];
    uint32_t behind = owns_first(names, BYPEER_CLOUDS_MAX + 1) - end;
    memmove(&names->owns[first + count], &names->owns[end], behind * sizeof(*names->owns));
    names->own_counts[cloud] = count;
    names->dirty = true;
    return &names->owns[first];
}

int bypeer_writer_set_own(struct bypeer_writer *writer, uint32_t cloud, const struct bypeer_name_own owns[],
                          uint32_t count)
{
    struct bypeer_names_writer *names = &writer->names;
    if (!bypeer_slots_writer_find(&writer->clouds, cloud))
        return -EINVAL;
    for (uint32_t i = 1; i < count; i++)
        if (memcmp(owns[i - 1].id, owns[i].id, sizeof(owns[i].id)) >= 0)
            return -EINVAL;
    uint32_t others = owns_first(names, BYPEER_CLOUDS_MAX + 1) - names->own_counts[cloud];
    if (count > names->owns_max - others)
        return -ENOSPC;
    struct bypeer_name_own *place = owns_resize(names, cloud, count);
    if (count != 0)
        memcpy(place, owns, count * sizeof(*owns));
    return 0;
}

/* --- what readers see ----------------------------------------------------------------------------------------------
 */

/* Whether a walk would have to pass over this marked record of a half and many others beside it. */
static bool names_is_crowded(const struct bypeer_names_writer *names, const struct bypeer_name_part *part,
                             uint32_t number)
{
    const struct bypeer_name_record *records = names->view.records;
    uint32_t first = number, end = number + 1;
    while (first > part->first && number - first < BYPEER_NAMES_CROWD && records[first - 1].dead != 0)
        first--;
    while (end < part->first + part->count && end - number < BYPEER_NAMES_CROWD && records[end].dead != 0)
        end++;
    return end - first >= BYPEER_NAMES_CROWD;
}

/* Marks the record of a half that a change replaces, unless it is marked. */
static void names_mark(struct bypeer_names_writer *names, const struct bypeer_names_change *change, uint32_t half,
                       uint32_t serial)
{
    if (change->stale == 0)
        return;
    struct bypeer_name_record *stale = (struct bypeer_name_record *)(uintptr_t)&names->view.records[change->stale - 1];
    if (stale->dead != 0)
        return;
    __atomic_store_n(&stale->dead, serial, __ATOMIC_RELAXED); /* counts from the root on that names the serial */
    const struct bypeer_name_part *part = &names->view.parts[half * BYPEER_CLOUDS_MAX + change->cloud - 1];
    names->crowded = names->crowded || names_is_crowded(names, part, change->stale - 1);
}

void bypeer_names_writer_publish(struct bypeer_names_writer *names, uint32_t half, uint32_t serial)
{
    uint32_t left = names->root.delta;
    uint32_t delta = delta_array(bypeer_pool_take(&names->deltas));
    struct bypeer_names_array array;
    bypeer_names_array_begin(&array, &names->view, names->capacity, delta);
    for (uint32_t place = 0; place < names->order_count; place++) {
        const struct bypeer_names_change *change = &names->changes[names->order[place]];
        names_mark(names, change, half, serial);
        if (!change->removed)
            (void)bypeer_names_array_add(&array, change->cloud, &change->record, change->more); /* puts_max fit */
    }
    const struct bypeer_name_own *owns = names->owns;
    for (uint32_t cloud = 1; cloud <= BYPEER_CLOUDS_MAX; owns += names->own_counts[cloud++])
        (void)bypeer_names_array_own(&array, cloud, owns, names->own_counts[cloud]); /* owns_max fit */
    bypeer_names_array_finish(&array);
    root_store(names, half, delta, serial);
    bypeer_pool_retire(&names->deltas, left - BYPEER_NAMES_HALVES + 1);
    names->dirty = false;
}

int bypeer_writer_commit_names(struct bypeer_writer *writer)
{
    struct bypeer_names_writer *names = &writer->names;
    if (!names->dirty)
        return 0;
    if (names->root.serial == UINT32_MAX)
        return -ENOBUFS;
    if (bypeer_pool_available(&names->deltas) == 0)
        return -EAGAIN;
    bypeer_names_writer_publish(names, names->root.half, names->root.serial + 1);
    /* A removal is done once its record is marked, unless the half that is being built has that record, too. */
    if (!names->build.begun)
        bypeer_names_writer_sweep(names, bypeer_names_change_is_put, 0);
    return 0;
}

void bypeer_names_writer_forget(struct bypeer_names_writer *names, uint32_t cloud)
{
    for (uint32_t place = 0; place < names->order_count; place++) {
        const struct bypeer_names_change *change = &names->changes[names->order[place]];
        names->puts -= change->cloud == cloud && !change->removed;
    }
    bypeer_names_writer_sweep(names, change_is_of_other, cloud);
    struct bypeer_name_part *part =
        (struct bypeer_name_part *)(uintptr_t)&names->view.parts[names->root.half * BYPEER_CLOUDS_MAX + cloud - 1];
    __atomic_store_n(&part->count, 0, __ATOMIC_RELAXED);
    names->used[cloud] = 0;
    names->build.gone[cloud] = true;
    (void)owns_resize(names, cloud, 0);
}
