/*
 * Places that groups do not tell: of targets whose key is that of records, which are compared, and of those in crowded
 * groups, which go down the tree and where need be through runs. names.h has the essay.
 */
#include "overlay/pnrp/id.h"
#include "overlay/tables/names_search.h"

/* --- runs -----------------------------------------------------------------------------------------------------------
 */

/* A search that has come to a record with the same first words. */
struct names_search {
    struct bypeer_names_open *open;         /* .at: where it stands */
    const struct bypeer_names_place *cloud; /* all of the cloud's records */
    const uint8_t *target;
    unsigned level;     /* words 0 to this are equal */
    uint32_t run_first; /* of the run that is descended: its first record, counted from the cloud's */
    struct bypeer_names_tree run;
};

/* The first of count neighbours from `from` on, at most the cloud's count, that is not below the target. */
static uint32_t names_window(const struct bypeer_names_place *cloud, const uint8_t *target, uint32_t from,
                             uint32_t count)
{
    uint32_t low = from;
    uint32_t high = count < cloud->count - from ? from + count : cloud->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (memcmp(cloud->records[middle].id, target, BYPEER_ID_BYTES) < 0)
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
        .first = bypeer_names_load(&run->levels[level].first) - (uint32_t)(search->cloud->records - view->records),
        .count = bypeer_names_load(&run->levels[level].count),
        .nodes = bypeer_names_load(&run->levels[level].nodes),
    };
    if (read.first > search->cloud->count || read.count > search->cloud->count - read.first)
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
    struct bypeer_names_open *open = search->open;
    const struct bypeer_name_record *records = search->cloud->records, *record = &records[open->at];
    const struct bypeer_name_run *run = names_run(view, bypeer_names_load(&record->run));
    uint32_t window = BYPEER_NAMES_SHORT;
    uint32_t from = open->at;
    for (; run && search->level < BYPEER_NAMES_LEVELS; search->level++) {
        struct names_level level = names_level(view, search, run, search->level);
        if (level.count == 0)
            break;
        uint64_t wanted = bypeer_names_word(search->target, search->level + 1);
        if (level.nodes != BYPEER_NAME_NO_TREE) {
            if (!bypeer_names_tree(view, level.nodes, level.count, records + level.first, &search->run))
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
            open->at = wanted < word ? level.first : level.first + level.count;
            return false;
        }
    }
    if (!run && search->level == 0)
        window = bypeer_names_load(&record->run);
    open->at = names_window(search->cloud, search->target, from, window);
    return false;
}

/* Whether the search stands at a record whose next word is the target's too. */
static bool names_is_equal(const struct names_search *search, unsigned word)
{
    const uint32_t at = search->open->at;
    return at < search->cloud->count &&
           bypeer_names_word(search->cloud->records[at].id, word) == bypeer_names_word(search->target, word);
}

/* Searches that stand at a record with the target's first word go on through its runs: one round for each word that
 * they fall apart at. */
static void names_enter_runs(const struct bypeer_names_view *view, bypeer_names_descend_function *descend,
                             struct names_search *searches[], unsigned count)
{
    struct bypeer_names_descent descents[BYPEER_NAMES_SEARCHES];
    while (count != 0) {
        for (unsigned i = 0; i < count; i++) {
            const struct names_search *search = searches[i];
            const struct bypeer_name_record *record = &search->cloud->records[search->open->at];
            const struct bypeer_name_run *run = names_run(view, bypeer_names_load(&record->run));
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
            search->open->at = search->run_first + descents[i].place;
            search->level++;
            bool further = descents[i].place < search->run.count && search->level < BYPEER_NAMES_LEVELS &&
                           names_is_equal(search, search->level);
            searches[count] = search;
            count += further;
        }
    }
}

/* --- groups --------------------------------------------------------------------------------------------------------
 */

/* The tree of a cloud, made when it is first needed; where a wrong writer has put it elsewhere it is empty. */
static const struct bypeer_names_tree *names_tree_of(struct bypeer_names_place *place)
{
    if (!place->has_tree && !bypeer_names_tree(place->view, place->nodes, place->count, place->records, &place->tree))
        (void)bypeer_names_tree(place->view, 0, 0, place->records, &place->tree);
    place->has_tree = true;
    return &place->tree;
}

/* Whether a target has the first word of its group's longest run, which begins at .at then. */
static bool names_is_of_run(struct bypeer_names_open *open)
{
    const struct bypeer_name_crowd *crowd = (const struct bypeer_name_crowd *)(const void *)open->group;
    if (!crowd || __atomic_load_n(&crowd->word, __ATOMIC_RELAXED) != bypeer_names_word(open->target, 0))
        return false;
    const uint32_t at = bypeer_names_load(&crowd->run_at);
    open->at = at < open->place->count ? at : open->place->count;
    return true;
}

/* Those in crowded groups: down the tree, and where a first word is that of a record, through runs. */
static void names_settle_crowded(bypeer_names_descend_function *descend, struct bypeer_names_open *crowded[],
                                 unsigned count)
{
    struct bypeer_names_descent descents[BYPEER_NAMES_SEARCHES];
    struct names_search searches[BYPEER_NAMES_SEARCHES], *equal[BYPEER_NAMES_SEARCHES];
    uint8_t descending[BYPEER_NAMES_SEARCHES];
    unsigned descending_count = 0, equal_count = 0;
    for (unsigned i = 0; i < count; i++) {
        descending[descending_count] = (uint8_t)i;
        if (names_is_of_run(crowded[i])) {
            __builtin_prefetch(&crowded[i]->place->records[crowded[i]->at]);
            continue;
        }
        descents[descending_count++] = (struct bypeer_names_descent){.key = bypeer_names_word(crowded[i]->target, 0),
                                                                     .tree = names_tree_of(crowded[i]->place)};
    }
    descend(descents, descending_count);
    for (unsigned i = 0; i < descending_count; i++)
        crowded[descending[i]]->at = descents[i].place;
    for (unsigned i = 0; i < count; i++) {
        struct names_search *search = &searches[equal_count];
        search->open = crowded[i];
        search->cloud = crowded[i]->place;
        search->target = crowded[i]->target;
        search->level = 0;
        if (names_is_equal(search, 0))
            equal[equal_count++] = search;
    }
    if (equal_count != 0)
        names_enter_runs(crowded[0]->place->view, descend, equal, equal_count);
}

void bypeer_names_settle(bypeer_names_descend_function *descend, struct bypeer_names_open opens[], unsigned count)
{
    struct bypeer_names_open *crowded[BYPEER_NAMES_SEARCHES];
    unsigned crowded_count = 0;
    for (unsigned i = 0; i < count; i++) {
        if (opens[i].equal == BYPEER_NAMES_RANK_CROWDED)
            crowded[crowded_count++] = &opens[i];
        else
            __builtin_prefetch(&opens[i].place->records[opens[i].at]);
    }
    if (crowded_count != 0)
        names_settle_crowded(descend, crowded, crowded_count);
    for (unsigned i = 0; i < count; i++) {
        if (opens[i].equal != BYPEER_NAMES_RANK_CROWDED)
            opens[i].at = names_window(opens[i].place, opens[i].target, opens[i].at, opens[i].equal);
    }
}

const struct bypeer_name_record *bypeer_names_search(const struct bypeer_names_view *view, uint32_t array,
                                                     uint32_t cloud, const uint8_t id[static 32])
{
    struct bypeer_names_place place;
    bypeer_names_place(view, array, cloud, &place);
    /* As if its group were crowded: the same place, by the tree. */
    struct bypeer_names_open open = {.place = &place, .target = id, .equal = BYPEER_NAMES_RANK_CROWDED};
    bypeer_names_settle(bypeer_names_descend_generic, &open, 1);
    const struct bypeer_name_record *record = place.records + open.at;
    return open.at < place.count && memcmp(record->id, id, BYPEER_ID_BYTES) == 0 ? record : NULL;
}
