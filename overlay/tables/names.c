#include "overlay/tables/names.h"

#include "overlay/pnrp/id.h"
#include "overlay/tables/names_search.h"

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
    uint32_t dead = bypeer_names_load(&record->dead);
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

/* Whether the half's record comes before what the delta has, of which nothing was given this way: told without a look
 * at the delta, by how far its first one is. */
static inline bool names_is_first(const struct bypeer_names_walk *walk, struct names_next half, bool above)
{
    if (!half.record || half.wrapped)
        return false;
    const uint64_t distance = bypeer_names_word(half.record->id, 0) - walk->word;
    return above ? distance < walk->delta_above : -distance < walk->delta_below;
}

const struct bypeer_name_record *bypeer_names_go_above(struct bypeer_names_walk *walk)
{
    struct bypeer_names_side *half_side = &walk->half, *delta_side = &walk->delta;
    walk->begun = true;
    if (walk->steps_above == BYPEER_NAMES_WALK_STEPS)
        return NULL;
    struct names_next half = names_next_live(walk, half_side, &half_side->above, &walk->dead_above, names_next_above);
    if (delta_side->above == 0 && names_is_first(walk, half, true)) {
        walk->steps_above++;
        half_side->above++;
        return half.record;
    }
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
    walk->begun = true;
    if (walk->steps_below == BYPEER_NAMES_WALK_STEPS)
        return NULL;
    struct names_next half = names_next_live(walk, half_side, &half_side->below, &walk->dead_below, names_next_below);
    if (delta_side->below == 0 && names_is_first(walk, half, false)) {
        walk->steps_below++;
        half_side->below++;
        return half.record;
    }
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

const struct bypeer_name_record *bypeer_names_go_nearest(struct bypeer_names_walk *walk,
                                                         const uint8_t target[static 32])
{
    /* What is left on one side only is NULL on the other, again and again. */
    if (!walk->above)
        walk->above = bypeer_names_go_above(walk);
    if (!walk->below)
        walk->below = bypeer_names_below(walk);
    const struct bypeer_name_record *above = walk->above, *below = walk->below;
    if (!below || (above && bypeer_id_compare_distances(target, above->id, below->id) <= 0)) {
        walk->above = NULL;
        return above;
    }
    walk->below = NULL;
    return below;
}

unsigned bypeer_names_addresses(const struct bypeer_tables *tables, const struct bypeer_name_record *record,
                                const uint8_t (**ret_more)[16])
{
    uint32_t extra = bypeer_names_load(&record->extra);
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
    const struct bypeer_name_part *part = bypeer_names_part(&tables->names, delta, cloud);
    struct names_owns owns = {.count = 0};
    if (part == NULL)
        return owns;
    const uint32_t first = bypeer_names_load(&part->own_first), count = bypeer_names_load(&part->own_count);
    if (!bypeer_names_fit(first, count, tables->names.own_count))
        return owns;
    owns.owns = tables->names.owns + first;
    owns.count = count;
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
