/*
 * The nearest-ID index against a plain model: millions of random puts, removals, commits, rebuilds and look-ups, each
 * with its result foreseen.
 *
 * The model is one sorted universe of IDs, and of each cloud which of them there are: as put, and as readers saw it
 * last. The universe has what is hard: IDs that are equal in one, two and three of four words, in runs short and long,
 * and both ends of the ring. Holders are readers that keep a walk and go on with it while tables change: what they
 * meet is the state that they began with, until their grace period is over.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "overlay/pnrp/id.h"
#include "overlay/tables/names.h"
#include "overlay/tables/names_build.h"
#include "overlay/tables/names_search.h"
#include "overlay/tables/writer.h"
#include "tests/random.h"

/* More with BYPEER_MODEL_OPERATIONS=100000000 in the environment. */
#define OPERATIONS 3000000

#define CLOUDS    3
#define UNIVERSE  9000
#define HOLDERS   3
#define LEAF_OWNS 40

/* Which IDs there are in a cloud: serials, 0: not there. */
struct state {
    uint32_t serials[UNIVERSE];
    uint32_t count;
};

/* A walk and the state that it must show. */
struct holder {
    bool active;
    uint64_t began; /* newest grace period asked for then */
    struct bypeer_names_walk walk;
    struct state state;
    uint32_t up, down; /* places in the universe where it goes on */
    uint32_t given;
};

static struct {
    void *memory;
    struct bypeer_writer *writer;
    struct bypeer_tables tables;
    uint32_t names;
    uint32_t universe; /* how many of the IDs are used */
    struct state put[CLOUDS + 1], seen[CLOUDS + 1];
    bool cloud_is_there[CLOUDS + 1];
    uint8_t owns_put[CLOUDS + 1][UNIVERSE], owns_seen[CLOUDS + 1][UNIVERSE];
    struct bypeer_names_build *build;
    bool built;
    struct holder holders[HOLDERS];
    uint64_t requested;
    uint32_t serial;
} m;

static uint8_t ids[UNIVERSE][32];
static uint64_t random_state;

static uint32_t random_below(uint32_t limit)
{
    return random_next_below(&random_state, limit);
}

/* --- the universe ---------------------------------------------------------------------------------------------------
 */

static int id_compare(const void *a, const void *b)
{
    return memcmp(a, b, 32);
}

/* Words below `equal` are the family's, the others random, or of a few values only, so that they fall apart late. */
static void id_make(uint8_t ret_id[static 32], uint32_t family, unsigned equal)
{
    uint64_t of_family = random_mix(family), words[4];
    for (unsigned word = 0; word < 4; word++) {
        words[word] = word < equal ? random_mix(of_family + word) : random_next(&random_state);
        if (word >= equal && word < 3 && family % 3 == 0)
            words[word] = random_mix(of_family + random_below(3));
        if (family % 7 == 0 && word >= equal && random_below(4) == 0)
            words[word] = random_below(2) ? UINT64_MAX : 0;
    }
    memcpy(ret_id, words, 32);
}

static void universe_make(uint32_t count)
{
    memset(ids[0], 0, 32);
    memset(ids[1], 0xff, 32);
    for (uint32_t i = 2; i < count; i++) {
        switch (random_below(6)) {
        case 0: /* alone, or in runs of a few */
            id_make(ids[i], random_below(count), 1);
            break;
        case 1: /* long runs, by how many words are equal */
            id_make(ids[i], 1 + random_below(4), 1);
            break;
        case 2:
            id_make(ids[i], 10 + random_below(4), 2);
            break;
        case 3:
            id_make(ids[i], 20 + random_below(4), 3);
            break;
        case 4: /* runs around the length from which they have a tree */
            id_make(ids[i], 1000 + random_below(count / 150), 1 + random_below(3));
            break;
        default:
            id_make(ids[i], 0, 0);
        }
    }
    qsort(ids, count, sizeof(ids[0]), id_compare);
    uint32_t kept = 1;
    for (uint32_t i = 1; i < count; i++)
        if (memcmp(ids[i], ids[kept - 1], 32) != 0)
            memcpy(ids[kept++], ids[i], 32);
    m.universe = kept;
}

/* The place of the first ID of the universe that is not below the target. */
static uint32_t universe_place(const uint8_t target[static 32])
{
    uint32_t place = 0;
    for (uint32_t step = 1u << 20; step != 0; step >>= 1)
        if (place + step <= m.universe && memcmp(ids[place + step - 1], target, 32) < 0)
            place += step;
    return place;
}

static void random_target(uint8_t ret_target[static 32])
{
    memcpy(ret_target, ids[random_below(m.universe)], 32);
    uint64_t number = random_next(&random_state);
    switch (random_below(4)) {
    case 0: /* with some words of an ID */
        for (unsigned word = random_below(4); word < 4; word++, number = random_mix(number))
            memcpy(ret_target + word * 8, &number, 8);
        break;
    case 1: /* next to an ID */
        ret_target[31] = (uint8_t)(ret_target[31] + (random_below(2) ? 1 : -1));
        break;
    default:;
    }
}

/* --- what belongs to an ID ------------------------------------------------------------------------------------------
 */

static struct bypeer_name name_of(uint32_t place, uint32_t serial)
{
    struct bypeer_name name = {.port = (uint16_t)(1025 + serial % 60000),
                               .address_count = (uint8_t)(serial % 8 < 5 ? 1 : serial % 4 + 1),
                               .flags = serial % 16 == 0 ? BYPEER_NAME_OWN : 0};
    memcpy(name.id, ids[place], 32);
    for (uint32_t i = 0; i < name.address_count; i++) {
        uint32_t words[4] = {place, serial, i, ~serial};
        memcpy(name.addresses[i], words, 16);
    }
    return name;
}

static void check_record(const struct bypeer_name_record *record, uint32_t place, uint32_t serial)
{
    struct bypeer_name name = name_of(place, serial);
    const uint8_t(*more)[16];
    cr_assert_eq(memcmp(record->id, name.id, 32), 0);
    cr_assert_eq(memcmp(record->address, name.addresses[0], 16), 0);
    cr_assert_eq(record->port, name.port);
    cr_assert_eq(record->flags, name.flags);
    unsigned count = bypeer_names_addresses(&m.tables, record, &more);
    /* There is room for the further addresses of every fourth. */
    cr_assert(count == name.address_count || count == 1);
    if (count > 1)
        cr_assert_eq(memcmp(more, name.addresses[1], (count - 1) * 16u), 0);
}

static bool state_put(struct state *state, uint32_t place, uint32_t serial)
{
    bool was = state->serials[place] != 0;
    state->serials[place] = serial;
    state->count += (uint32_t)(serial != 0) - was;
    return was;
}

/* --- looking --------------------------------------------------------------------------------------------------------
 */

static void holder_end(struct holder *holder)
{
    holder->active = false;
}

/* Takes up to steps steps either way. */
static void holder_walk(struct holder *holder, uint32_t steps)
{
    while (steps--) {
        bool above = random_below(2);
        const struct bypeer_name_record *record =
            above ? bypeer_names_above(&holder->walk) : bypeer_names_below(&holder->walk);
        /* Behind so many removed ones IDs may be missed. */
        if ((above ? holder->walk.dead_above : holder->walk.dead_below) == BYPEER_NAMES_WALK_DEAD) {
            holder->active = false;
            return;
        }
        if (!record) {
            uint32_t given = above ? holder->walk.steps_above : holder->walk.steps_below;
            cr_assert(holder->given == holder->state.count || given == BYPEER_NAMES_WALK_STEPS,
                      "the walk ended after %u of %u", holder->given, holder->state.count);
            return;
        }
        cr_assert_lt(holder->given, holder->state.count);
        holder->given++;
        uint32_t *at = above ? &holder->up : &holder->down;
        do {
            if (above)
                *at = *at + 1 == m.universe ? 0 : *at + 1;
            else
                *at = *at == 0 ? m.universe - 1 : *at - 1;
        } while (holder->state.serials[*at] == 0);
        check_record(record, *at, holder->state.serials[*at]);
    }
}

static void holder_begin(struct holder *holder, uint32_t cloud, const uint8_t target[static 32],
                         const struct bypeer_names_walk *walk)
{
    uint32_t place = universe_place(target);
    holder->active = true;
    holder->began = m.requested;
    holder->walk = *walk;
    holder->state = m.seen[cloud];
    holder->up = (place + m.universe - 1) % m.universe;
    holder->down = place % m.universe;
    holder->given = 0;
}

/* The next place that is in the state, from one on that direction. */
static uint32_t state_next(const struct state *state, uint32_t place, bool above)
{
    do
        place = above ? (place + 1) % m.universe : (place + m.universe - 1) % m.universe;
    while (state->serials[place] == 0);
    return place;
}

/* By ascending distance, of two equally far ones the one above. */
static void check_nearest(uint32_t cloud, const uint8_t target[static 32], struct bypeer_names_walk walk,
                          uint32_t steps)
{
    const struct state *state = &m.seen[cloud];
    const struct bypeer_id_number wanted = bypeer_id_load(target);
    uint32_t place = universe_place(target), up = 0, down = 0;
    if (state->count != 0) {
        up = state_next(state, (place + m.universe - 1) % m.universe, true);
        down = state_next(state, place % m.universe, false);
    }
    for (uint32_t given = 0; given < steps; given++) {
        const struct bypeer_name_record *record = bypeer_names_nearest(&walk, target);
        if (walk.dead_above == BYPEER_NAMES_WALK_DEAD || walk.dead_below == BYPEER_NAMES_WALK_DEAD)
            return;
        if (given == state->count) {
            cr_assert_null(record);
            return;
        }
        cr_assert_not_null(record);
        bool above = !bypeer_id_is_nearer(wanted, bypeer_id_load(ids[down]), bypeer_id_load(ids[up]));
        uint32_t *next = above ? &up : &down;
        check_record(record, *next, state->serials[*next]);
        *next = state_next(state, *next, above);
    }
}

static void look(void)
{
    static struct holder now;
    uint8_t targets[BYPEER_NAMES_BURST][32], clouds[BYPEER_NAMES_BURST] = {0};
    const uint8_t *pointers[BYPEER_NAMES_BURST];
    struct bypeer_names_walk walks[BYPEER_NAMES_BURST];
    unsigned count = random_below(8) ? 1 + random_below(4) : BYPEER_NAMES_BURST;
    for (unsigned i = 0; i < count; i++) {
        random_target(targets[i]);
        clouds[i] = (uint8_t)random_below(CLOUDS + 1);
        pointers[i] = targets[i];
    }
    /* Each variant in turn; they find the same. */
    static struct bypeer_names_variant variants[BYPEER_NAMES_VARIANTS];
    bypeer_names_variants(variants);
    const struct bypeer_names_variant *variant = &variants[random_below(BYPEER_NAMES_VARIANTS)];
    const enum bypeer_names_fetch fetch = random_below(2) ? BYPEER_NAMES_FETCH_ABOVE : BYPEER_NAMES_FETCH_NEAREST;
    (variant->locate ? variant : &variants[0])->locate(&m.tables, clouds, pointers, count, fetch, walks);
    for (unsigned i = 0; i < count; i++) {
        check_nearest(clouds[i], targets[i], walks[i], 1 + random_below(6));
        holder_begin(&now, clouds[i], targets[i], &walks[i]);
        holder_walk(&now, 1 + random_below(6));
    }
    struct holder *holder = &m.holders[random_below(HOLDERS)];
    if (holder->active) {
        holder_walk(holder, 10);
        if (random_below(40) == 0)
            holder_end(holder);
    } else {
        holder_begin(holder, clouds[0], targets[0], &walks[0]);
    }
}

static void look_at_own(void)
{
    uint32_t cloud = 1 + random_below(CLOUDS), place = random_below(m.universe);
    cr_assert_eq(bypeer_names_is_own(&m.tables, (uint8_t)cloud, ids[place]), m.owns_seen[cloud][place]);
    uint8_t other[32];
    memcpy(other, ids[place], 32);
    other[31] ^= 0x55;
    place = universe_place(other);
    bool is = place < m.universe && memcmp(ids[place], other, 32) == 0 && m.owns_seen[cloud][place];
    cr_assert_eq(bypeer_names_is_own(&m.tables, (uint8_t)cloud, other), is);
}

/* --- grace periods --------------------------------------------------------------------------------------------------
 */

static void grace_pass(void)
{
    m.requested = bypeer_writer_request(m.writer);
    uint64_t completed = m.requested;
    for (unsigned i = 0; i < HOLDERS; i++)
        if (m.holders[i].active && m.holders[i].began < completed)
            completed = m.holders[i].began;
    bypeer_writer_reclaim(m.writer, completed);
}

static void grace_pass_all(void)
{
    for (unsigned i = 0; i < HOLDERS; i++)
        holder_end(&m.holders[i]);
    grace_pass();
}

static void seen_now(void)
{
    memcpy(m.seen, m.put, sizeof(m.seen));
    memcpy(m.owns_seen, m.owns_put, sizeof(m.owns_seen));
}

static void commit(void)
{
    int result = bypeer_writer_commit_names(m.writer);
    if (result == -EAGAIN) {
        grace_pass_all();
        result = bypeer_writer_commit_names(m.writer);
    }
    cr_assert_eq(result, 0);
    seen_now();
}

/* --- rebuilds -------------------------------------------------------------------------------------------------------
 */

/* Everything that is put, as of when the rebuild began. */
static struct {
    struct state state[CLOUDS + 1];
    uint32_t cloud, place;
} source;

static int source_next(void *context, uint32_t *ret_cloud, struct bypeer_name *ret_name)
{
    (void)context;
    for (; source.cloud <= CLOUDS; source.cloud++, source.place = 0)
        for (; source.place < m.universe; source.place++)
            if (source.state[source.cloud].serials[source.place] != 0) {
                *ret_cloud = source.cloud;
                *ret_name = name_of(source.place, source.state[source.cloud].serials[source.place]);
                source.place++;
                return 1;
            }
    return 0;
}

static void rebuild_begin(void)
{
    static const struct bypeer_names_source from = {.next = source_next};
    memcpy(source.state, m.put, sizeof(source.state));
    source.cloud = 1;
    source.place = 0;
    const struct bypeer_names_source *given = random_below(4) == 0 ? &from : NULL;
    int result = bypeer_writer_begin_names(m.writer, given, &m.build);
    if (result == -EAGAIN) {
        grace_pass_all();
        result = bypeer_writer_begin_names(m.writer, given, &m.build);
    }
    cr_assert_eq(result, 0);
    cr_assert_eq(bypeer_writer_begin_names(m.writer, NULL, &m.build), -EALREADY);
    m.built = false;
}

static void rebuild_build(void)
{
    cr_assert_eq(bypeer_names_build(m.build), 0);
    m.built = true;
}

static void rebuild_swap(void)
{
    int result = bypeer_writer_swap_names(m.writer);
    if (m.built && result == -EAGAIN) {
        grace_pass_all();
        result = bypeer_writer_swap_names(m.writer);
    }
    /* One that is not built ends without a change. */
    cr_assert_eq(result, m.built ? 0 : -EINVAL);
    if (m.built)
        seen_now();
    m.build = NULL;
}

static void rebuild_whole(void)
{
    if (!m.build)
        rebuild_begin();
    if (!m.built)
        rebuild_build();
    rebuild_swap();
}

static void rebuild_go_on(void)
{
    if (!m.build)
        rebuild_begin();
    else if (!m.built && random_below(8))
        rebuild_build();
    else
        rebuild_swap();
}

/* --- changes --------------------------------------------------------------------------------------------------------
 */

static uint32_t all_put(void)
{
    uint32_t count = 0;
    for (uint32_t cloud = 1; cloud <= CLOUDS; cloud++)
        count += m.put[cloud].count;
    return count;
}

static void put(void)
{
    uint32_t cloud = 1 + random_below(CLOUDS), place = random_below(m.universe);
    uint32_t present = m.put[cloud].serials[place];
    uint32_t serial = present != 0 && random_below(4) == 0 ? present : ++m.serial;
    struct bypeer_name name = name_of(place, serial);
    int result = bypeer_writer_put_name(m.writer, cloud, &name);
    if (m.cloud_is_there[cloud] && result == -ENOBUFS) {
        cr_assert_eq(bypeer_writer_names_room(m.writer), 0);
        rebuild_whole();
        result = bypeer_writer_put_name(m.writer, cloud, &name);
        if (result == -ENOBUFS) { /* the changes that came during the rebuild are the next one's */
            rebuild_whole();
            result = bypeer_writer_put_name(m.writer, cloud, &name);
        }
    }
    if (!m.cloud_is_there[cloud]) {
        cr_assert_eq(result, -EINVAL);
    } else if (present == 0 && all_put() >= m.names) {
        cr_assert_eq(result, -ENOSPC);
    } else {
        cr_assert_eq(result, present == 0, "put of %u in %u gave %d", place, cloud, result);
        state_put(&m.put[cloud], place, serial);
    }
}

static void remove_one(void)
{
    uint32_t cloud = 1 + random_below(CLOUDS), place = random_below(m.universe);
    int result = bypeer_writer_remove_name(m.writer, cloud, ids[place]);
    if (result == -ENOBUFS) {
        cr_assert_eq(bypeer_writer_names_room(m.writer), 0);
        rebuild_whole();
        result = bypeer_writer_remove_name(m.writer, cloud, ids[place]);
    }
    cr_assert_eq(result, state_put(&m.put[cloud], place, 0) ? 0 : -ENOENT);
}

static void set_own(void)
{
    static struct bypeer_name_own owns[LEAF_OWNS];
    uint32_t cloud = 1 + random_below(CLOUDS), count = 0;
    memset(m.owns_put[cloud], 0, sizeof(m.owns_put[cloud]));
    for (uint32_t place = random_below(m.universe); place < m.universe && count < LEAF_OWNS && count < m.names / CLOUDS;
         place += 1 + random_below(m.universe / 20)) {
        owns[count] = (struct bypeer_name_own){.id = {0}};
        memcpy(owns[count++].id, ids[place], 32);
        m.owns_put[cloud][place] = m.cloud_is_there[cloud];
    }
    cr_assert_eq(bypeer_writer_set_own(m.writer, cloud, owns, count), m.cloud_is_there[cloud] ? 0 : -EINVAL);
}

static int cloud_put(uint32_t number)
{
    struct bypeer_cloud_record cloud = {.number = number,
                                        .port = (uint16_t)(3540 + random_below(2)),
                                        .version_major = 5,
                                        .flags = BYPEER_CLOUD_ANSWERS,
                                        .address_count = 1};
    cloud.addresses[0][15] = (uint8_t)number;
    return bypeer_writer_put_cloud(m.writer, &cloud);
}

static void change_clouds(void)
{
    uint32_t cloud = 1 + random_below(CLOUDS);
    if (m.cloud_is_there[cloud] && random_below(3) == 0) {
        for (unsigned i = 0; i < HOLDERS; i++) /* a walk through a cloud that goes may end */
            holder_end(&m.holders[i]);
        cr_assert_eq(bypeer_writer_remove_cloud(m.writer, cloud), 0);
        memset(&m.put[cloud], 0, sizeof(m.put[cloud]));
        memset(m.owns_put[cloud], 0, sizeof(m.owns_put[cloud]));
        m.cloud_is_there[cloud] = false;
        commit();
        cr_assert_eq(bypeer_names_cloud(&m.tables, (uint8_t)cloud)->port, 0);
        return;
    }
    int result = cloud_put(cloud);
    if (result == -EAGAIN) {
        grace_pass_all();
        result = cloud_put(cloud);
    }
    cr_assert_eq(result, !m.cloud_is_there[cloud]);
    m.cloud_is_there[cloud] = true;
    cr_assert_eq(bypeer_names_cloud(&m.tables, (uint8_t)cloud)->number, cloud);
}

/* --- generations ----------------------------------------------------------------------------------------------------
 */

static void generation_begin(uint32_t names)
{
    const struct bypeer_tables_size size = {.destinations = BYPEER_DESTINATIONS_MIN,
                                            .links = 4,
                                            .adjacencies = 4,
                                            .groups = 4,
                                            .prefixes = 4,
                                            .names = names};
    uint64_t bytes = bypeer_tables_bytes(&size);
    void *memory = aligned_alloc(4096, bytes);
    struct bypeer_writer *writer;
    cr_assert(memory);
    memset(memory, 0, bytes);
    cr_assert_eq(bypeer_writer_create(&writer, memory, bytes, &size, 1, 1, random_next(&random_state), 0), 0);
    if (m.writer)
        cr_assert_eq(bypeer_writer_copy(writer, m.writer), 0);
    bypeer_writer_publish(writer);
    char why[160];
    cr_assert_eq(bypeer_tables_attach(&m.tables, memory, bytes, why), 0, "%s", why);
    for (unsigned i = 0; i < HOLDERS; i++)
        holder_end(&m.holders[i]);
    bypeer_writer_free(m.writer);
    free(m.memory);
    m.memory = memory;
    m.writer = writer;
    m.names = names;
    m.build = NULL;
    m.requested = 0;
    seen_now();
}

static void generation_end(void)
{
    bypeer_writer_free(m.writer);
    free(m.memory);
    memset(&m, 0, sizeof(m));
}

static void operate(uint32_t puts)
{
    uint32_t what = random_below(1000);
    if (what < puts)
        put();
    else if (what < 800)
        remove_one();
    else if (what < 810)
        commit();
    else if (what < 815)
        rebuild_go_on();
    else if (what < 820)
        set_own();
    else if (what < 840)
        grace_pass();
    else if (what < 842 && random_below(20) == 0)
        change_clouds();
    else if (what < 860)
        look_at_own();
    else
        look();
    struct bypeer_writer_usage usage;
    bypeer_writer_usage(m.writer, &usage);
    cr_assert_eq(usage.used.names, all_put());
}

static uint64_t operations(void)
{
    const char *given = getenv("BYPEER_MODEL_OPERATIONS");
    return given ? strtoull(given, NULL, 10) : OPERATIONS;
}

static void run(uint32_t universe, uint32_t names, uint64_t count)
{
    random_state = universe;
    universe_make(universe);
    generation_begin(names);
    for (uint32_t cloud = 1; cloud <= CLOUDS; cloud++)
        m.cloud_is_there[cloud] = cloud_put(cloud) == 1;
    for (uint64_t i = 0; i < count; i++) {
        /* Turns of growing and shrinking, so that it is full at times and empty at times. */
        uint32_t phase = (uint32_t)(i * 8 / count);
        operate(phase % 2 ? 350 : 650);
        if (i == count / 2)
            generation_begin(names + names / 4);
    }
    generation_end();
}

/* Every size at which a tree gets another node or layer is met on the way. */
Test(nearest, few, .timeout = 600)
{
    for (uint32_t universe = 4; universe < 200; universe += 1 + universe / 8)
        run(universe, 2 * universe, operations() / 100);
}

/* The index is full at times, and the delta holds all of it. */
Test(nearest, full, .timeout = 600)
{
    run(900, 1200, operations() / 3);
}

/* The delta overflows. */
Test(nearest, overflow, .timeout = 600)
{
    run(UNIVERSE, 16000, operations() / 3);
}
