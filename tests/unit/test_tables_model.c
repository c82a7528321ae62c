/*
 * The tables against a plain model: tens of millions of random operations of the writer, each with its result foreseen,
 * and look-ups between them whose every answer is foreseen.
 *
 * The model is arrays indexed by number: what destination, link, adjacency, group or prefix of that number there is.
 * Readers are played by holders: each looks at what is there, keeps the pointers, and when it passes its quiescent
 * state finds all of it unchanged. A grace period ends when every holder that began before it has ended.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "overlay/tables/tables.h"
#include "overlay/tables/writer.h"
#include "tests/random.h"

/* More with BYPEER_MODEL_OPERATIONS=100000000 in the environment. */
#define OPERATIONS 30000000

#define KEYS     6000 /* of which a table holds at most so many as its size says */
#define IDS      40
#define PEERS    24 /* of links: fewer than links, so that they get in each other's way */
#define PREFIXES 600
#define HOLDERS  4
#define HELD     16

struct holder {
    bool active;
    uint64_t began; /* newest grace period that was asked for then */
    unsigned count;
    const struct bypeer_destination *seen[HELD];
    struct bypeer_destination copies[HELD];
    const struct bypeer_link *link;
    struct bypeer_link link_copy;
};

static struct {
    /* The real thing. */
    void *memory;
    struct bypeer_writer *writer;
    struct bypeer_tables tables;
    struct bypeer_tables_size size;
    uint64_t generation;
    /* The model. A serial of 0: there is none. */
    uint64_t destinations[KEYS];
    struct bypeer_link links[IDS + 2];
    uint32_t adjacencies[IDS + 2]; /* .mtu, 0: none */
    uint32_t groups[IDS + 2];      /* .vni, 0: none */
    uint64_t prefixes[PREFIXES];
    uint64_t committed[PREFIXES]; /* as of the last commit, which look-ups see */
    struct bypeer_tables_size used;
    struct holder holders[HOLDERS];
    uint64_t requested;
} m;

static uint64_t random_state = 42;

static uint64_t random_64(void)
{
    return random_next(&random_state);
}

static uint32_t random_below(uint32_t limit)
{
    return random_next_below(&random_state, limit);
}

/* --- grace periods --------------------------------------------------------------------------------------------------
 */

static void holder_end(struct holder *holder)
{
    for (unsigned i = 0; i < holder->count; i++)
        cr_assert_eq(memcmp(holder->seen[i], &holder->copies[i], sizeof(holder->copies[i])), 0,
                     "a record changed under a reader's eyes");
    if (holder->active)
        cr_assert_eq(memcmp(holder->link, &holder->link_copy, sizeof(holder->link_copy)), 0);
    holder->active = false;
    holder->count = 0;
}

static void holder_begin(struct holder *holder)
{
    holder_end(holder);
    holder->active = true;
    holder->began = m.requested;
    holder->link = bypeer_tables_link(&m.tables, random_below(IDS + 2));
    holder->link_copy = *holder->link;
}

/* A holder keeps what a look-up found. */
static void holder_see(const struct bypeer_destination *record)
{
    struct holder *holder = &m.holders[random_below(HOLDERS)];
    if (!record || !holder->active || holder->count == HELD)
        return;
    holder->seen[holder->count] = record;
    holder->copies[holder->count++] = *record;
}

static void grace_pass(void)
{
    m.requested = bypeer_writer_request(m.writer);
    uint64_t completed = m.requested;
    for (unsigned i = 0; i < HOLDERS; i++) {
        if (m.holders[i].active && m.holders[i].began < completed)
            completed = m.holders[i].began;
    }
    bypeer_writer_reclaim(m.writer, completed);
}

/* For an operation that returned -EAGAIN: something is retired, and once every holder has ended there is room. */
static void grace_pass_all(void)
{
    struct bypeer_writer_usage usage;
    for (unsigned i = 0; i < HOLDERS; i++)
        holder_end(&m.holders[i]);
    m.requested = bypeer_writer_request(m.writer);
    bypeer_writer_usage(m.writer, &usage);
    cr_assert_gt(usage.retired, 0);
    bypeer_writer_reclaim(m.writer, m.requested);
    bypeer_writer_usage(m.writer, &usage);
    cr_assert_eq(usage.retired, 0);
}

#define AGAIN_AFTER_GRACE(call)        \
    ({                                 \
        int again_result = (call);     \
        if (again_result == -EAGAIN) { \
            grace_pass_all();          \
            again_result = (call);     \
        }                              \
        again_result;                  \
    })

/* --- destinations ---------------------------------------------------------------------------------------------------
 */

static struct bypeer_destination destination_of(uint32_t number, uint64_t serial)
{
    struct bypeer_destination destination = {
        .key = {0xfd, 0x12, 0x34}, .link = (uint32_t)serial, .prefix_bits = 128, .serial = serial};
    uint64_t spread = (number + 1) * UINT64_C(0x9e3779b97f4a7c15);
    memcpy(destination.key + 6, &spread, sizeof(spread));
    return destination;
}

static void put_destination(uint64_t operation)
{
    uint32_t number = random_below(KEYS);
    struct bypeer_destination destination = destination_of(number, operation);
    int result = AGAIN_AFTER_GRACE(bypeer_writer_put_destination(m.writer, &destination));
    if (m.destinations[number] == 0 && m.used.destinations == m.size.destinations) {
        cr_assert_eq(result, -ENOSPC);
        return;
    }
    cr_assert_eq(result, m.destinations[number] == 0 ? 1 : 0);
    m.used.destinations += m.destinations[number] == 0;
    m.destinations[number] = operation;
}

static void remove_destination(void)
{
    uint32_t number = random_below(KEYS);
    int result = bypeer_writer_remove_destination(m.writer, destination_of(number, 0).key);
    cr_assert_eq(result, m.destinations[number] == 0 ? -ENOENT : 0);
    m.used.destinations -= m.destinations[number] != 0;
    m.destinations[number] = 0;
}

static void look_up_destinations(unsigned count)
{
    static struct bypeer_destination wanted[BYPEER_LOOKUP_BURST];
    const uint8_t *keys[BYPEER_LOOKUP_BURST];
    const struct bypeer_destination *found[BYPEER_LOOKUP_BURST];
    uint32_t numbers[BYPEER_LOOKUP_BURST] = {0};
    for (unsigned i = 0; i < count; i++) {
        numbers[i] = random_below(KEYS);
        wanted[i] = destination_of(numbers[i], m.destinations[numbers[i]]);
        keys[i] = wanted[i].key;
    }
    bypeer_destinations_lookup(&m.tables, keys, count, found);
    for (unsigned i = 0; i < count; i++) {
        if (m.destinations[numbers[i]] == 0)
            cr_assert_null(found[i], "key %u was removed", numbers[i]);
        else
            cr_assert(found[i] && memcmp(found[i], &wanted[i], sizeof(wanted[i])) == 0, "key %u", numbers[i]);
        holder_see(found[i]);
    }
    const struct bypeer_destination *own = bypeer_writer_find_destination(m.writer, wanted[0].key);
    cr_assert_eq(own ? own->serial : 0, m.destinations[numbers[0]]);
}

/* --- links, adjacencies, groups -------------------------------------------------------------------------------------
 */

static struct bypeer_link link_of(uint32_t id, uint64_t operation)
{
    uint32_t peer = random_below(PEERS);
    return (struct bypeer_link){.id = id,
                                .kind = random_below(8) == 0 ? BYPEER_LINK_LOCAL : BYPEER_LINK_FABRIC,
                                .group = random_below(3),
                                .vni = peer % 3,
                                .udp_port = (uint16_t)(4790 + peer % 2),
                                .serial = (uint32_t)operation,
                                .peer = {0x20, 1, [15] = (uint8_t)(peer / 3)},
                                .local = {0x20, 2, [15] = (uint8_t)random_below(2)}};
}

static bool is_fabric(const struct bypeer_link *link)
{
    return link->kind == BYPEER_LINK_FABRIC;
}

static bool same_peer(const struct bypeer_link *a, const struct bypeer_link *b)
{
    return is_fabric(a) && is_fabric(b) && a->vni == b->vni && memcmp(a->peer, b->peer, 16) == 0;
}

static void put_link(uint64_t operation)
{
    uint32_t id = random_below(m.size.links + 2);
    struct bypeer_link link = link_of(id, operation);
    bool taken = false;
    for (uint32_t i = 1; i <= m.size.links; i++)
        taken |= i != id && same_peer(&m.links[i], &link);
    int result = AGAIN_AFTER_GRACE(bypeer_writer_put_link(m.writer, &link));
    if (id == 0 || id > m.size.links) {
        cr_assert_eq(result, -EINVAL);
        return;
    }
    if (taken) {
        cr_assert_eq(result, -EEXIST);
        return;
    }
    cr_assert_eq(result, m.links[id].kind == BYPEER_LINK_NONE ? 1 : 0);
    m.used.links += m.links[id].kind == BYPEER_LINK_NONE;
    m.links[id] = link;
}

static void remove_link(void)
{
    uint32_t id = random_below(m.size.links + 2);
    bool present = id <= m.size.links && m.links[id].kind != BYPEER_LINK_NONE;
    cr_assert_eq(bypeer_writer_remove_link(m.writer, id), present ? 0 : -ENOENT);
    if (present) {
        m.used.links--;
        m.links[id] = (struct bypeer_link){.id = 0};
    }
}

static const struct bypeer_destination *look_up_ingress(const uint8_t address[static 16], uint32_t vni)
{
    uint8_t key[16];
    const uint8_t *keys = key;
    const struct bypeer_destination *found;
    bypeer_ingress_key(m.tables.ingresses.seed, address, vni, key);
    bypeer_ingresses_lookup(&m.tables, &keys, 1, &found);
    return found;
}

static void look_up_link(uint64_t operation)
{
    uint32_t id = random_below(m.size.links + 2);
    const struct bypeer_link none = {.id = 0};
    const struct bypeer_link *expected = id <= m.size.links ? &m.links[id] : &none;
    cr_assert_eq(memcmp(bypeer_tables_link(&m.tables, id), expected, sizeof(*expected)), 0);

    struct bypeer_link any = link_of(1, operation);
    uint32_t owner = 0, group = 0;
    bool endpoint = false;
    any.kind = BYPEER_LINK_FABRIC;
    for (uint32_t i = 1; i <= m.size.links; i++) {
        if (same_peer(&m.links[i], &any)) {
            owner = i;
            group = m.links[i].group;
        }
        endpoint |= is_fabric(&m.links[i]) && m.links[i].udp_port == any.udp_port &&
                    memcmp(m.links[i].local, any.local, 16) == 0;
    }
    const struct bypeer_destination *found = look_up_ingress(any.peer, any.vni);
    cr_assert_eq(found ? found->link : 0, owner);
    cr_assert(!found || found->group == group);
    cr_assert_eq(look_up_ingress(any.local, BYPEER_INGRESS_ENDPOINT | any.udp_port) != NULL, endpoint);
}

static void change_small(uint64_t operation)
{
    bool adjacency = random_below(2) == 0;
    uint32_t limit = adjacency ? m.size.adjacencies : m.size.groups;
    uint32_t *model = adjacency ? m.adjacencies : m.groups;
    uint32_t *used = adjacency ? &m.used.adjacencies : &m.used.groups;
    uint32_t id = random_below(limit + 2);
    bool present = id <= limit && model[id] != 0;
    if (random_below(3) == 0) {
        int result =
            adjacency ? bypeer_writer_remove_adjacency(m.writer, id) : bypeer_writer_remove_group(m.writer, id);
        cr_assert_eq(result, present ? 0 : -ENOENT);
        if (present) {
            model[id] = 0;
            --*used;
        }
        return;
    }
    uint32_t value = 1 + (uint32_t)operation % 60000;
    struct bypeer_adjacency next_hop = {.id = id, .valid = 1, .mtu = (uint16_t)value};
    struct bypeer_group group = {.id = id, .vni = value};
    int result = adjacency ? AGAIN_AFTER_GRACE(bypeer_writer_put_adjacency(m.writer, &next_hop))
                           : AGAIN_AFTER_GRACE(bypeer_writer_put_group(m.writer, &group));
    if (id == 0 || id > limit) {
        cr_assert_eq(result, -EINVAL);
        return;
    }
    cr_assert_eq(result, present ? 0 : 1);
    *used += !present;
    model[id] = value;
}

static void look_up_small(void)
{
    uint32_t id = random_below(IDS + 2);
    cr_assert_eq(bypeer_tables_adjacency(&m.tables, id)->mtu, id <= m.size.adjacencies ? m.adjacencies[id] : 0);
    cr_assert_eq(bypeer_tables_group(&m.tables, id)->vni, id <= m.size.groups ? m.groups[id] : 0);
}

/* --- prefixes -------------------------------------------------------------------------------------------------------
 */

/* Prefix number n: short and long ones, of which many lie within others. */
static struct bypeer_destination prefix_of(uint32_t number, uint64_t serial)
{
    static const uint32_t lengths[6] = {0, 16, 17, 48, 64, 128};
    struct bypeer_destination route = {.prefix_bits = lengths[number % 6], .serial = serial, .link = (uint32_t)serial};
    uint32_t path = number / 6;
    route.key[0] = 0xfd;
    route.key[1] = (uint8_t)(path % 4);
    route.key[2] = (uint8_t)(path / 4 % 2 * 0x80);
    route.key[5] = (uint8_t)(path / 8 % 4);
    route.key[7] = (uint8_t)(path / 32);
    route.key[15] = (uint8_t)(path / 16 % 2 * 0xff);
    for (uint32_t bit = route.prefix_bits; bit < 128; bit++)
        route.key[bit / 8] &= (uint8_t) ~(0x80 >> (bit % 8));
    return route;
}

/* Numbers that name the same prefix as a smaller one are not used. */
static bool prefix_is_new(uint32_t number)
{
    static int8_t known[PREFIXES]; /* 0: not known yet, 1: yes, -1: no */
    struct bypeer_destination own = prefix_of(number, 0);
    if (known[number] == 0) {
        known[number] = 1;
        for (uint32_t i = 0; i < number; i++) {
            struct bypeer_destination other = prefix_of(i, 0);
            if (other.prefix_bits == own.prefix_bits && memcmp(other.key, own.key, 16) == 0)
                known[number] = -1;
        }
    }
    return known[number] == 1;
}

static void change_prefix(uint64_t operation)
{
    uint32_t number = random_below(PREFIXES);
    if (!prefix_is_new(number))
        return;
    struct bypeer_destination route = prefix_of(number, operation);
    bool present = m.prefixes[number] != 0;
    if (random_below(5) < 2) {
        int result = bypeer_writer_remove_prefix(m.writer, route.key, route.prefix_bits);
        cr_assert_eq(result, present ? 0 : -ENOENT);
        m.prefixes[number] = 0;
        m.used.prefixes -= present;
        return;
    }
    int result = bypeer_writer_put_prefix(m.writer, &route);
    if (!present && m.used.prefixes == m.size.prefixes) {
        cr_assert_eq(result, -ENOSPC);
        return;
    }
    if (result == -EAGAIN)
        return; /* until the next commit and grace period */
    cr_assert_eq(result, present ? 0 : 1);
    m.prefixes[number] = operation;
    m.used.prefixes += !present;
}

static void commit_prefixes(void)
{
    cr_assert_eq(AGAIN_AFTER_GRACE(bypeer_writer_commit_prefixes(m.writer)), 0);
    memcpy(m.committed, m.prefixes, sizeof(m.committed));
}

static void look_up_prefix(void)
{
    struct bypeer_destination near = prefix_of(random_below(PREFIXES), 0);
    near.key[random_below(16)] ^= (uint8_t)(random_below(4) == 0 ? 1u << random_below(8) : 0);
    uint64_t longest = 0;
    int bits = -1;
    for (uint32_t number = 0; number < PREFIXES; number++) {
        if (m.committed[number] == 0)
            continue;
        struct bypeer_destination route = prefix_of(number, 0);
        bool holds = (int)route.prefix_bits > bits;
        for (uint32_t bit = 0; holds && bit < route.prefix_bits; bit++)
            holds = ((route.key[bit / 8] ^ near.key[bit / 8]) & (0x80 >> (bit % 8))) == 0;
        if (holds) {
            bits = (int)route.prefix_bits;
            longest = m.committed[number];
        }
    }
    const struct bypeer_destination *found = bypeer_prefixes_lookup(&m.tables, near.key);
    cr_assert_eq(found ? found->serial : 0, longest);
    holder_see(found);
}

/* --- generations ----------------------------------------------------------------------------------------------------
 */

static void generation_begin(const struct bypeer_tables_size *size)
{
    struct bypeer_writer *writer;
    char why[160];
    uint64_t bytes = bypeer_tables_bytes(size);
    void *memory = aligned_alloc(4096, bytes);
    cr_assert(memory && bytes > 0);
    memset(memory, 0, bytes);
    cr_assert_eq(
        bypeer_writer_create(&writer, memory, bytes, size, BYPEER_LAYOUT_NEWEST, ++m.generation, random_64(), 0), 0);
    if (m.writer) {
        for (unsigned i = 0; i < HOLDERS; i++)
            holder_end(&m.holders[i]);
        cr_assert_eq(bypeer_writer_copy(writer, m.writer), 0);
        memcpy(m.committed, m.prefixes, sizeof(m.committed));
        bypeer_writer_free(m.writer);
        free(m.memory);
    }
    bypeer_writer_publish(writer);
    cr_assert_eq(bypeer_tables_attach(&m.tables, memory, bytes, why), 0, "%s", why);
    m.writer = writer;
    m.memory = memory;
    m.size = *size;
    m.requested = 0;
}

static uint32_t random_size(uint32_t used, uint32_t limit)
{
    uint32_t least = used > 1 ? used : 1;
    return least < limit ? least + random_below(limit - least + 1) : least;
}

/* Another size, now and then exactly as large as needed. Ids keep their numbers, so those tables only grow. */
static void generation_change(void)
{
    struct bypeer_tables_size size = {
        .destinations = random_size(m.used.destinations, 4500),
        .links = random_size(m.size.links, IDS),
        .adjacencies = random_size(m.size.adjacencies, IDS),
        .groups = random_size(m.size.groups, IDS),
        .prefixes = random_size(m.used.prefixes, PREFIXES / 2),
    };
    size.destinations = size.destinations < BYPEER_DESTINATIONS_MIN ? BYPEER_DESTINATIONS_MIN : size.destinations;
    generation_begin(&size);
}

static void check_usage(void)
{
    struct bypeer_writer_usage usage;
    bypeer_writer_usage(m.writer, &usage);
    cr_assert_eq(memcmp(&usage.used, &m.used, sizeof(m.used)), 0);
    cr_assert_eq(memcmp(&usage.capacity, &m.size, sizeof(m.size)), 0);
}

Test(tables_model, the_tables_hold_what_a_plain_model_holds, .timeout = 3000)
{
    const char *wanted = getenv("BYPEER_MODEL_OPERATIONS");
    const uint64_t operations = wanted ? strtoull(wanted, NULL, 10) : OPERATIONS;
    const struct bypeer_tables_size size = {
        .destinations = 1000, .links = 10, .adjacencies = 10, .groups = 4, .prefixes = 50};
    generation_begin(&size);
    for (uint64_t operation = 1; operation <= operations; operation++) {
        /* Growing for a while, then shrinking for a while, so that every fill is met. */
        const uint32_t insertions = operation / 200000 % 2 == 0 ? 45 : 30;
        uint32_t what = random_below(100);
        if (what < insertions)
            put_destination(operation);
        else if (what < 75)
            remove_destination();
        else if (what < 80)
            put_link(operation);
        else if (what < 82)
            remove_link();
        else if (what < 88)
            change_small(operation);
        else if (what < 92)
            change_prefix(operation);
        else if (what < 93)
            look_up_destinations(1 + random_below(BYPEER_LOOKUP_BURST));
        else if (what < 95)
            look_up_link(operation);
        else if (what < 96)
            look_up_small();
        else if (what < 97)
            grace_pass();
        else if (what < 99)
            holder_begin(&m.holders[random_below(HOLDERS)]);
        else if (random_below(10) == 0)
            commit_prefixes();
        else if (random_below(4) == 0)
            look_up_prefix();
        if (operation % 500000 == 0)
            generation_change();
        if (operation % 10000 == 0)
            check_usage();
    }
    bypeer_writer_free(m.writer);
    free(m.memory);
}
