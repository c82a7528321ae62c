#include "overlay/tables/names.h"

#include "overlay/pnrp/id.h"
#include "overlay/tables/names_search.h"

/* --- what lies where: every number is checked against private counts ------------------------------------------------
 */

static uint32_t names_load(const uint32_t *word)
{
    return __atomic_load_n(word, __ATOMIC_RELAXED);
}

static bool names_fit(uint32_t first, uint32_t count, uint32_t room)
{
    return first <= room && count <= room - first;
}

/* The tree over count records; false: it does not fit in the section. */
static bool names_tree(const struct bypeer_names_view *view, uint32_t nodes, uint32_t count,
                       const struct bypeer_name_record *records, struct bypeer_names_tree *ret_tree)
{
    ret_tree->count = count;
    bypeer_names_shape(count, &ret_tree->shape);
    if (!names_fit(nodes, ret_tree->shape.nodes, view->node_count))
        return false;
    ret_tree->nodes = view->nodes + nodes;
    ret_tree->leaves = ret_tree->nodes;
    if (ret_tree->shape.layers != 0)
        ret_tree->leaves += ret_tree->shape.layer[ret_tree->shape.layers - 1].first;
    ret_tree->guide = NULL;
    ret_tree->records = records;
    return true;
}

/* What one cloud has of one array, as read once; own IDs within their section, the rest as it was found. */
static struct bypeer_name_part names_part(const struct bypeer_names_view *view, uint32_t array, uint32_t cloud)
{
    struct bypeer_name_part part = {.count = 0};
    uint32_t number = array * BYPEER_CLOUDS_MAX + cloud - 1;
    if (cloud >= 1 && cloud <= BYPEER_CLOUDS_MAX && array < BYPEER_NAMES_ARRAYS && number < view->part_count) {
        const struct bypeer_name_part *shared = &view->parts[number];
        part.first = names_load(&shared->first);
        part.count = names_load(&shared->count);
        part.guide = names_load(&shared->guide);
        part.nodes = names_load(&shared->nodes);
        part.own_first = names_load(&shared->own_first);
        part.own_count = names_load(&shared->own_count);
    }
    if (!names_fit(part.own_first, part.own_count, view->own_count))
        part.own_first = part.own_count = 0;
    return part;
}

void bypeer_names_place(const struct bypeer_names_view *view, uint32_t array, uint32_t cloud,
                        struct bypeer_names_place *ret_place)
{
    struct bypeer_name_part part = names_part(view, array, cloud);
    if (!names_fit(part.first, part.count, view->record_count) ||
        !names_tree(view, part.nodes, part.count, view->records + part.first, &ret_place->tree)) {
        part.first = part.count = 0;
        (void)names_tree(view, 0, 0, view->records, &ret_place->tree);
    }
    if (part.count != 0 && names_fit(part.guide, bypeer_names_guide_nodes(part.count), view->node_count)) {
        ret_place->tree.guide = (const uint32_t *)(const void *)(view->nodes + part.guide);
        ret_place->tree.guide_bits = bypeer_names_guide_bits(part.count);
    }
    ret_place->first = part.first;
    ret_place->count = part.count;
}

/* --- runs -----------------------------------------------------------------------------------------------------------
 */

/* A search that has come to a record with the same first words. */
struct names_search {
    struct bypeer_names_descent *descent;  /* .place: where it stands */
    const struct bypeer_names_tree *cloud; /* all of the cloud's records */
    const uint8_t *target;
    unsigned level;     /* words 0 to this are equal */
    uint32_t run_first; /* of the run that is descended: its first record, counted from the cloud's */
    struct bypeer_names_tree run;
};

/* The first of count neighbours from `from` on that is not below the target. */
static uint32_t names_window(const struct names_search *search, uint32_t from, uint32_t count)
{
    uint32_t low = from;
    uint32_t high = count < search->cloud->count - from ? from + count : search->cloud->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (memcmp(search->cloud->records[middle].id, search->target, BYPEER_ID_BYTES) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The description of the runs that a record is in; NULL: none of them is long. */
static const struct bypeer_name_run *names_run(const struct bypeer_names_view *view, uint32_t run)
{
    uint32_t number = run - BYPEER_NAMES_SHORT - 1;
    return run > BYPEER_NAMES_SHORT && number < view->run_count ? &view->runs[number] : NULL;
}

/* Level of a run by private numbers, first counted from the cloud's first record. */
struct names_level {
    uint32_t first, count, nodes;
};

static struct names_level names_level(const struct bypeer_names_view *view, const struct names_search *search,
                                      const struct bypeer_name_run *run, unsigned level)
{
    struct names_level read = {
        .first = names_load(&run->levels[level].first) - (uint32_t)(search->cloud->records - view->records),
        .count = names_load(&run->levels[level].count),
        .nodes = names_load(&run->levels[level].nodes),
    };
    if (!names_fit(read.first, read.count, search->cloud->count))
        read.count = 0;
    return read;
}

/*
 * One step into the runs around the place: either it ends with a place, or *ret_descent is to be descended.
 * Where the run does not fall apart at the next word, one comparison decides it.
 */
static bool names_step(const struct bypeer_names_view *view, struct names_search *search,
                       struct bypeer_names_descent *ret_descent)
{
    struct bypeer_names_descent *at = search->descent;
    const struct bypeer_name_record *records = search->cloud->records, *record = &records[at->place];
    const struct bypeer_name_run *run = names_run(view, names_load(&record->run));
    uint32_t window = BYPEER_NAMES_SHORT;
    uint32_t from = at->place;
    for (; run && search->level < BYPEER_NAMES_LEVELS; search->level++) {
        struct names_level level = names_level(view, search, run, search->level);
        if (level.count == 0)
            break;
        uint64_t wanted = bypeer_names_word(search->target, search->level + 1);
        if (level.nodes != BYPEER_NAME_NO_TREE) {
            if (!names_tree(view, level.nodes, level.count, records + level.first, &search->run))
                break;
            search->run_first = level.first;
            *ret_descent = (struct bypeer_names_descent){.key = wanted, .tree = &search->run};
            return true;
        }
        from = level.first;
        window = level.count;
        if (search->level + 1 == BYPEER_NAMES_LEVELS ||
            names_level(view, search, run, search->level + 1).count != level.count)
            break;
        uint64_t word = bypeer_names_word(record->id, search->level + 1);
        if (wanted != word) {
            at->place = wanted < word ? level.first : level.first + level.count;
            return false;
        }
    }
    if (!run && search->level == 0)
        window = names_load(&record->run);
    at->place = names_window(search, from, window);
    return false;
}

/* Whether the search stands at a record whose next word is the target's too. */
static bool names_is_equal(const struct names_search *search, unsigned word)
{
    const struct bypeer_names_descent *at = search->descent;
    return at->place < search->cloud->count &&
           bypeer_names_word(search->cloud->records[at->place].id, word) == bypeer_names_word(search->target, word);
}

/* Searches that stand at a record with the target's first word go on through its runs: one round for each word that
 * they fall apart at. */
static void names_enter_runs(const struct bypeer_names_view *view, bypeer_names_descend_function *descend,
                             struct names_search *searches[], unsigned count)
{
    struct bypeer_names_descent descents[BYPEER_NAMES_DESCENTS];
    while (count != 0) {
        for (unsigned i = 0; i < count; i++) {
            const struct names_search *search = searches[i];
            const struct bypeer_name_record *record = &search->cloud->records[search->descent->place];
            const struct bypeer_name_run *run = names_run(view, names_load(&record->run));
            if (run)
                __builtin_prefetch(run);
        }
        unsigned descending = 0;
        for (unsigned i = 0; i < count; i++) {
            searches[descending] = searches[i];
            descending += names_step(view, searches[i], &descents[descending]);
        }
        descend(descents, descending);
        count = 0;
        for (unsigned i = 0; i < descending; i++) {
            struct names_search *search = searches[i];
            search->descent->place = search->run_first + descents[i].place;
            search->level++;
            bool further = descents[i].place < search->run.count && search->level < BYPEER_NAMES_LEVELS &&
                           names_is_equal(search, search->level);
            searches[count] = search;
            count += further;
        }
    }
}

/* --- locate --------------------------------------------------------------------------------------------------------
 */

/* Where the clouds of a burst lie; looked up when one is met first. */
struct names_places {
    const struct bypeer_names_view *view;
    uint32_t array;
    bool known[BYPEER_CLOUDS_MAX + 1];
    struct bypeer_names_place of[BYPEER_CLOUDS_MAX + 1]; /* [0]: of a number that is none */
};

/* Not the places: to clear all of them costs a nanosecond a target. */
static void names_places_init(struct names_places *places, const struct bypeer_names_view *view, uint32_t array)
{
    places->view = view;
    places->array = array;
    memset(places->known, 0, sizeof(places->known));
}

static const struct bypeer_names_place *names_place_of(struct names_places *places, uint8_t cloud)
{
    cloud = cloud <= BYPEER_CLOUDS_MAX ? cloud : 0;
    if (!places->known[cloud])
        bypeer_names_place(places->view, places->array, cloud, &places->of[cloud]);
    places->known[cloud] = true;
    return &places->of[cloud];
}

static void names_descent(struct names_places *places, uint8_t cloud, const uint8_t *target,
                          struct bypeer_names_descent *ret_descent)
{
    ret_descent->key = bypeer_names_word(target, 0);
    ret_descent->tree = &names_place_of(places, cloud)->tree;
}

/* Finds all places. Target i is that of descent i, and of descent i + target_count. */
static void names_find(const struct bypeer_names_view *view, bypeer_names_descend_function *descend,
                       struct bypeer_names_descent descents[], unsigned count, const uint8_t *const targets[],
                       unsigned target_count)
{
    struct names_search searches[BYPEER_NAMES_DESCENTS], *equal[BYPEER_NAMES_DESCENTS];
    unsigned equal_count = 0;
    descend(descents, count);
    for (unsigned i = 0; i < count; i++) {
        const struct bypeer_names_tree *cloud = descents[i].tree;
        if (descents[i].place == cloud->count ||
            bypeer_names_word(cloud->records[descents[i].place].id, 0) != descents[i].key)
            continue;
        struct names_search *search = &searches[equal_count];
        search->descent = &descents[i];
        search->cloud = cloud;
        search->target = targets[i < target_count ? i : i - target_count];
        search->level = 0;
        equal[equal_count++] = search;
    }
    if (equal_count != 0)
        names_enter_runs(view, descend, equal, equal_count);
}

static struct bypeer_names_side names_side(const struct bypeer_names_view *view,
                                           const struct bypeer_names_descent *descent)
{
    return (struct bypeer_names_side){.first = (uint32_t)(descent->tree->records - view->records),
                                      .count = descent->tree->count,
                                      .place = descent->place};
}

void bypeer_names_locate_by(bypeer_names_descend_function *descend, const struct bypeer_tables *tables,
                            const uint8_t *clouds, const uint8_t *const targets[], unsigned count,
                            struct bypeer_names_walk ret_walks[])
{
    const struct bypeer_names_view *view = &tables->names;
    const struct bypeer_names_root root = bypeer_names_root_read(tables->header);
    struct names_places halves, deltas;
    struct bypeer_names_descent descents[BYPEER_NAMES_DESCENTS];

    names_places_init(&halves, view, root.half);
    names_places_init(&deltas, view, root.delta);
    count = count < BYPEER_NAMES_BURST ? count : BYPEER_NAMES_BURST;
    for (unsigned i = 0; i < count; i++) {
        names_descent(&halves, clouds[i], targets[i], &descents[i]);
        names_descent(&deltas, clouds[i], targets[i], &descents[count + i]);
    }
    names_find(view, descend, descents, 2 * count, targets, count);
    for (unsigned i = 0; i < count; i++)
        ret_walks[i] = (struct bypeer_names_walk){.records = view->records,
                                                  .half = names_side(view, &descents[i]),
                                                  .delta = names_side(view, &descents[count + i]),
                                                  .serial = root.serial};
}

const struct bypeer_name_record *bypeer_names_search(const struct bypeer_names_view *view, uint32_t array,
                                                     uint32_t cloud, const uint8_t id[static 32])
{
    struct names_places places;
    struct bypeer_names_descent descent;
    names_places_init(&places, view, array);
    names_descent(&places, (uint8_t)cloud, id, &descent);
    names_find(view, bypeer_names_descend_generic, &descent, 1, &id, 1);
    const struct bypeer_name_record *record = descent.tree->records + descent.place;
    return descent.place < descent.tree->count && memcmp(record->id, id, BYPEER_ID_BYTES) == 0 ? record : NULL;
}

/* --- walks ---------------------------------------------------------------------------------------------------------
 */

/* What a walk meets next on one side. */
struct names_next {
    const struct bypeer_name_record *record; /* NULL: nothing is left */
    bool wrapped;                            /* past the end of the ring */
};

static struct names_next names_next_above(const struct bypeer_names_walk *walk, const struct bypeer_names_side *side)
{
    if ((uint64_t)side->above + side->below >= side->count)
        return (struct names_next){.record = NULL};
    uint64_t at = (uint64_t)side->place + side->above;
    bool wrapped = at >= side->count;
    return (struct names_next){walk->records + side->first + (wrapped ? at - side->count : at), wrapped};
}

static struct names_next names_next_below(const struct bypeer_names_walk *walk, const struct bypeer_names_side *side)
{
    if ((uint64_t)side->above + side->below >= side->count)
        return (struct names_next){.record = NULL};
    bool wrapped = side->below >= side->place;
    uint64_t at = (uint64_t)side->place + (wrapped ? side->count : 0) - 1 - side->below;
    return (struct names_next){walk->records + side->first + at, wrapped};
}

static bool names_is_dead(const struct bypeer_name_record *record, uint32_t serial)
{
    uint32_t dead = names_load(&record->dead);
    return dead != 0 && dead <= serial;
}

/* Which of two IDs comes first; words, because the first one tells nearly always. */
static inline bool names_precedes(const struct bypeer_name_record *a, const struct bypeer_name_record *b)
{
    uint64_t word_a = bypeer_names_word(a->id, 0), word_b = bypeer_names_word(b->id, 0);
    return word_a != word_b ? word_a < word_b : memcmp(a->id, b->id, BYPEER_ID_BYTES) < 0;
}

typedef struct names_next names_next_function(const struct bypeer_names_walk *walk,
                                              const struct bypeer_names_side *side);

/* The next record of one side that is there; dead ones are used up. */
static inline __attribute__((always_inline)) struct names_next names_next_live(const struct bypeer_names_walk *walk,
                                                                               const struct bypeer_names_side *side,
                                                                               uint32_t *used, uint8_t *dead,
                                                                               names_next_function *next)
{
    struct names_next found = next(walk, side);
    while (found.record && names_is_dead(found.record, walk->serial)) {
        if (*dead == BYPEER_NAMES_WALK_DEAD)
            return (struct names_next){.record = NULL};
        ++*dead;
        ++*used;
        found = next(walk, side);
    }
    return found;
}

const struct bypeer_name_record *bypeer_names_above(struct bypeer_names_walk *walk)
{
    struct bypeer_names_side *half_side = &walk->half, *delta_side = &walk->delta;
    if (walk->steps_above == BYPEER_NAMES_WALK_STEPS)
        return NULL;
    struct names_next half = names_next_live(walk, half_side, &half_side->above, &walk->dead_above, names_next_above);
    struct names_next delta =
        names_next_live(walk, delta_side, &delta_side->above, &walk->dead_above, names_next_above);
    bool from_half =
        half.record &&
        (!delta.record || (half.wrapped != delta.wrapped ? delta.wrapped : names_precedes(half.record, delta.record)));
    if (!half.record && !delta.record)
        return NULL;
    walk->steps_above++;
    half_side->above += from_half;
    delta_side->above += !from_half;
    return from_half ? half.record : delta.record;
}

const struct bypeer_name_record *bypeer_names_below(struct bypeer_names_walk *walk)
{
    struct bypeer_names_side *half_side = &walk->half, *delta_side = &walk->delta;
    if (walk->steps_below == BYPEER_NAMES_WALK_STEPS)
        return NULL;
    struct names_next half = names_next_live(walk, half_side, &half_side->below, &walk->dead_below, names_next_below);
    struct names_next delta =
        names_next_live(walk, delta_side, &delta_side->below, &walk->dead_below, names_next_below);
    bool from_half =
        half.record &&
        (!delta.record || (half.wrapped != delta.wrapped ? delta.wrapped : names_precedes(delta.record, half.record)));
    if (!half.record && !delta.record)
        return NULL;
    walk->steps_below++;
    half_side->below += from_half;
    delta_side->below += !from_half;
    return from_half ? half.record : delta.record;
}

unsigned bypeer_names_addresses(const struct bypeer_tables *tables, const struct bypeer_name_record *record,
                                const uint8_t (**ret_more)[16])
{
    uint32_t extra = names_load(&record->extra);
    unsigned count = __atomic_load_n(&record->address_count, __ATOMIC_RELAXED);
    bool more = extra != 0 && extra < tables->names.extra_count && count > 1;
    *ret_more = more ? tables->names.extras[extra].addresses : NULL;
    if (!more)
        return 1;
    return count < BYPEER_NAME_ADDRESSES ? count : BYPEER_NAME_ADDRESSES;
}

/* --- this node's own -----------------------------------------------------------------------------------------------
 */

/* Own IDs of a cloud, and the place of an ID among them. */
struct names_owns {
    const struct bypeer_name_own *owns;
    uint32_t count;
    uint32_t place; /* of the first that is not below the ID */
};

static struct names_owns names_owns(const struct bypeer_tables *tables, uint8_t cloud, const uint8_t id[static 32])
{
    const uint32_t delta = bypeer_names_root_read(tables->header).delta;
    const struct bypeer_name_part part = names_part(&tables->names, delta, cloud);
    struct names_owns owns = {.owns = tables->names.owns + part.own_first, .count = part.own_count};
    uint32_t high = owns.count;
    while (owns.place < high) {
        uint32_t middle = owns.place + (high - owns.place) / 2;
        if (memcmp(owns.owns[middle].id, id, BYPEER_ID_BYTES) < 0)
            owns.place = middle + 1;
        else
            high = middle;
    }
    return owns;
}

bool bypeer_names_is_own(const struct bypeer_tables *tables, uint8_t cloud, const uint8_t id[static 32])
{
    struct names_owns owns = names_owns(tables, cloud, id);
    return owns.place < owns.count && memcmp(owns.owns[owns.place].id, id, BYPEER_ID_BYTES) == 0;
}

/* Whether the target is on the way up from the leaf set's lower end to its upper one. */
static bool own_has_leaf(const struct bypeer_name_own *own, struct bypeer_id_number target)
{
    struct bypeer_id_number low = bypeer_id_load(own->leaf_low), high = bypeer_id_load(own->leaf_high);
    if (bypeer_id_compare(low, high) == 0)
        return true;
    return bypeer_id_compare(bypeer_id_above(target, low), bypeer_id_above(high, low)) <= 0;
}

bool bypeer_names_is_leaf(const struct bypeer_tables *tables, uint8_t cloud, const uint8_t target[static 32])
{
    struct names_owns owns = names_owns(tables, cloud, target);
    if (owns.count == 0)
        return false;
    /* All leaf sets are of one ring, so those of the own IDs next to the target reach farthest. */
    const struct bypeer_name_own *above = &owns.owns[owns.place < owns.count ? owns.place : 0];
    const struct bypeer_name_own *below = &owns.owns[(owns.place != 0 ? owns.place : owns.count) - 1];
    struct bypeer_id_number number = bypeer_id_load(target);
    return own_has_leaf(above, number) || own_has_leaf(below, number);
}

const struct bypeer_cloud_record *bypeer_names_cloud(const struct bypeer_tables *tables, uint8_t cloud)
{
    return bypeer_slots_find(&tables->clouds, cloud, sizeof(struct bypeer_cloud_record));
}
