/*
 * Hostile contents: whatever a region holds, and however it changes meanwhile, a look-up stays within it.
 *
 * hostile tables|status|sessions [--rounds N]     BYPEER_HOSTILE_ROUNDS is the default (120)
 *
 * The region lies between two pages that nobody may touch. First its header and sections are damaged, and attaching
 * must either refuse them or lead to look-ups that stay inside; then a good one is attached and all of it (or some bits
 * of it) replaced by random bytes before look-ups of every kind, some 100,000 a round, while a second thread goes on
 * damaging it. A step outside ends the program with SIGSEGV.
 */
#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "overlay/meter/rate.h"
#include "overlay/policy/rules.h"
#include "overlay/tables/events.h"
#include "overlay/tables/exact.h"
#include "overlay/tables/grace.h"
#include "overlay/tables/names_build.h"
#include "overlay/tables/names_search.h"
#include "overlay/tables/relays.h"
#include "overlay/tables/sessions.h"
#include "overlay/tables/status.h"
#include "overlay/tables/writer.h"
#include "overlay/wireguard/counter.h"
#include "tests/torture/torture.h"

#define PAGE          4096
#define LOOKUP_BURSTS 400
#define HEADERS       40 /* damaged headers a round */
#define BURST         32
#define NAMES         1000

static uint64_t random_state = UINT64_C(88172645463325252);
static volatile uint64_t sink; /* what is read must be read */
static uint64_t lookups, attached;

static uint64_t draw(void)
{
    return torture_draw(&random_state);
}

/* --- memory between guard pages ----------------------------------------------------------------------------------- */

struct guarded {
    uint8_t *base; /* before it and behind it lies a page that nobody may touch */
    uint64_t bytes;
    uint8_t *good; /* what it should hold */
};

static struct guarded guarded_make(uint64_t bytes)
{
    bytes = (bytes + PAGE - 1) & ~(uint64_t)(PAGE - 1);
    uint8_t *all = mmap(NULL, bytes + 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (all == MAP_FAILED || mprotect(all + PAGE, bytes, PROT_READ | PROT_WRITE)) {
        perror("hostile: memory");
        exit(EXIT_FAILURE);
    }
    return (struct guarded){.base = all + PAGE, .bytes = bytes, .good = malloc(bytes)};
}

static void guarded_free(struct guarded *region)
{
    free(region->good);
    munmap(region->base - PAGE, region->bytes + 2 * PAGE);
}

static void keep_good(struct guarded *region)
{
    memcpy(region->good, region->base, region->bytes);
}

static void restore(struct guarded *region)
{
    memcpy(region->base, region->good, region->bytes);
}

/* Random words, few values that are likely to hurt, or single bits. */
static void damage(const struct guarded *region, uint64_t from, uint64_t to, unsigned way, uint64_t *state)
{
    static const uint64_t edges[] = {0, UINT64_MAX, UINT32_MAX, UINT64_C(1) << 63, UINT64_C(0x7fffffff), 1};
    if (way % 4 == 0) {
        for (uint64_t i = 0; i < 64; i++) {
            uint64_t bit = torture_draw(state) % ((to - from) * 8);
            region->base[from + bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        return;
    }
    for (uint64_t at = from; at + 8 <= to; at += 8) {
        uint64_t word = way % 4 == 1 ? torture_draw(state) : edges[torture_draw(state) % 6];
        if (way % 4 == 3) /* small slots: most are in range, so look-ups go all the way */
            word = (torture_draw(state) % 2000) << 32 | torture_draw(state) % 2000;
        memcpy(region->base + at, &word, 8);
    }
}

/* --- tables ------------------------------------------------------------------------------------------------------- */

static void touch(const void *record, size_t bytes)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < bytes; i++)
        sum += ((const uint8_t *)record)[i];
    sink += sum;
}

static void look_up_relay(const struct bypeer_tables *tables, const uint8_t key[static 16])
{
    uint32_t end;
    const struct bypeer_relay_record *record = bypeer_relays_find(tables, key, &end);
    if (record)
        touch(record, sizeof(*record));
}

static void look_up_all(const struct bypeer_tables *tables, const uint8_t keys[BURST][16])
{
    const uint8_t *pointers[BURST];
    const struct bypeer_destination *found[BURST];
    struct bypeer_exact_variant variants[BYPEER_EXACT_VARIANTS];
    for (unsigned i = 0; i < BURST; i++)
        pointers[i] = keys[i];
    bypeer_exact_variants(variants);
    const struct bypeer_exact *exacts[] = {&tables->destinations, &tables->ingresses};
    for (unsigned v = 0; v < 2 * BYPEER_EXACT_VARIANTS; v++) {
        if (!variants[v / 2].lookup)
            continue;
        variants[v / 2].lookup(exacts[v % 2], pointers, BURST, found);
        for (unsigned i = 0; i < BURST; i++)
            if (found[i])
                touch(found[i], sizeof(*found[i]));
        lookups += BURST;
    }
    for (unsigned i = 0; i < BURST; i++) {
        uint32_t id = (uint32_t)(i % 2 ? draw() % 64 : draw());
        const struct bypeer_wireguard_session *session = bypeer_tables_session(tables, id);
        bypeer_tables_prefetch_session(tables, id);
        if (session)
            touch(session, sizeof(*session));
        session = bypeer_tables_session_in(tables, id);
        if (session)
            touch(session, sizeof(*session));
        look_up_relay(tables, keys[i]);
        look_up_relay(tables, (uint8_t[16]){[8] = (uint8_t)draw(), (uint8_t)id}); /* of a port */
        touch(bypeer_tables_link(tables, id), sizeof(struct bypeer_link));
        touch(bypeer_tables_adjacency(tables, id), sizeof(struct bypeer_adjacency));
        touch(bypeer_tables_group(tables, id), sizeof(struct bypeer_group));
        touch(bypeer_tables_link_limit(tables, id), sizeof(struct bypeer_limit));
        touch(bypeer_tables_group_limit(tables, id), sizeof(struct bypeer_limit));
        const struct bypeer_destination *route = bypeer_prefixes_lookup(tables, keys[i]);
        if (route)
            touch(route, sizeof(*route));
        lookups += 4;
    }
}

/* The rules of groups for packets of any kind, and their multicast lists, as a worker walks them. */
static void judge_all(const struct bypeer_tables *tables)
{
    uint8_t packet[128];
    for (unsigned i = 0; i < BURST; i++) {
        for (size_t at = 0; at < sizeof(packet); at += sizeof(uint64_t)) {
            uint64_t word = draw();
            memcpy(packet + at, &word, sizeof(word));
        }
        uint32_t id = (uint32_t)(draw() % 12);
        const struct bypeer_group *group = bypeer_tables_group(tables, id);
        unsigned count = group->multicast_links;
        uint32_t slot = group->multicast;
        for (unsigned at = 0; at < count && at < BYPEER_MULTICAST_LINKS_MAX; at += BYPEER_PART_RECEIVERS) {
            const struct bypeer_group_part *part = bypeer_tables_group_part(tables, slot);
            touch(part, sizeof(*part));
            slot = part->next;
        }
        sink += bypeer_policy_allows(tables, id, 4, i % 2 ? 8 : BYPEER_POLICY_ALL_MEMBERS, packet, sizeof(packet));
        lookups++;
    }
}

/* IDs with equal first words, so that there are runs of every level; some are in the delta. */
static struct bypeer_name hostile_name(uint32_t number)
{
    struct bypeer_name name = {.port = 3541, .address_count = (uint8_t)(1 + number % 4)};
    memset(name.id, (int)(number % 5), 32);
    memcpy(name.id + 32 - 8 * (1 + number % 4), &number, sizeof(number));
    memset(name.addresses, (int)number, sizeof(name.addresses));
    return name;
}

static void locate_all(const struct bypeer_tables *tables)
{
    uint8_t ids[BYPEER_NAMES_BURST][32], clouds[BYPEER_NAMES_BURST];
    const uint8_t *targets[BYPEER_NAMES_BURST];
    struct bypeer_names_variant variants[BYPEER_NAMES_VARIANTS];
    struct bypeer_names_walk walks[BYPEER_NAMES_BURST];
    for (unsigned i = 0; i < BYPEER_NAMES_BURST; i++) {
        memcpy(ids[i], hostile_name((uint32_t)(draw() % (2 * NAMES))).id, 32);
        if (i % 8 == 0)
            ids[i][draw() % 32] ^= (uint8_t)draw();
        targets[i] = ids[i];
        clouds[i] = (uint8_t)(i % 16 ? 1 + i % 2 : draw());
        touch(bypeer_names_cloud(tables, clouds[i]), sizeof(struct bypeer_cloud_record));
        sink += bypeer_names_is_own(tables, clouds[i], ids[i]) + bypeer_names_is_leaf(tables, clouds[i], ids[i]);
    }
    bypeer_names_variants(variants);
    const struct bypeer_names_variant *variant = &variants[draw() % BYPEER_NAMES_VARIANTS];
    (variant->locate ? variant : &variants[0])
        ->locate(tables, clouds, targets, BYPEER_NAMES_BURST, BYPEER_NAMES_FETCH_NEAREST, walks);
    for (unsigned i = 0; i < BYPEER_NAMES_BURST; i++) {
        const struct bypeer_name_record *record;
        const uint8_t(*more)[16];
        for (unsigned step = 0; step < 4; step++) {
            record = i % 2           ? bypeer_names_nearest(&walks[i], targets[i])
                     : step % 2 == 0 ? bypeer_names_above(&walks[i])
                                     : bypeer_names_below(&walks[i]);
            if (!record)
                break;
            touch(record, sizeof(*record));
            unsigned count = bypeer_names_addresses(tables, record, &more);
            touch(more, (count - 1) * sizeof(*more));
        }
    }
    lookups += BYPEER_NAMES_BURST;
}

/* Keys that are there in the good tables, and some that are not. */
static void draw_keys(uint8_t keys[BURST][16], uint32_t present)
{
    for (unsigned i = 0; i < BURST; i++) {
        uint32_t bits;
        if (i % 4 == 0)
            torture_prefix_key((uint32_t)(draw() % TORTURE_PREFIXES), keys[i], &bits);
        else
            torture_destination_key((uint32_t)(draw() % (present + present / 4)), keys[i]);
    }
}

static void put_names(struct bypeer_writer *writer)
{
    struct bypeer_names_build *build;
    struct bypeer_name_own own = {.id = {1}, .leaf_low = {0}, .leaf_high = {2}};
    for (uint32_t number = 1; number <= 2; number++) {
        struct bypeer_cloud_record cloud = {.number = number, .port = (uint16_t)(3539 + number), .address_count = 1};
        bypeer_writer_put_cloud(writer, &cloud);
        bypeer_writer_set_own(writer, number, &own, 1);
    }
    for (uint32_t number = 0; number < NAMES; number++) {
        struct bypeer_name name = hostile_name(number);
        bypeer_writer_put_name(writer, 1 + number % 2, &name);
        if (number == NAMES * 3 / 4 && (bypeer_writer_begin_names(writer, NULL, &build) || bypeer_names_build(build) ||
                                        bypeer_writer_swap_names(writer)))
            exit(EXIT_FAILURE);
    }
    if (bypeer_writer_commit_names(writer))
        exit(EXIT_FAILURE);
}

static void put_groups(struct bypeer_writer *writer)
{
    struct bypeer_multicast_receiver receivers[20];
    struct bypeer_policy_rule rules[7];
    for (uint32_t i = 0; i < 20; i++)
        receivers[i] = (struct bypeer_multicast_receiver){.link = i};
    for (uint32_t i = 0; i < 7; i++)
        rules[i] = (struct bypeer_policy_rule){
            .from_roles = i, .protocol = (uint8_t)(i % 2 * 6), .verdict = i == 6, .port_high = UINT16_MAX};
    for (uint32_t id = 1; id <= 8; id++)
        if (bypeer_writer_put_group(writer, &(struct bypeer_group){.id = id}) != 1 ||
            bypeer_writer_set_multicast(writer, id, receivers, 20, 10) || bypeer_writer_set_rules(writer, id, rules, 7))
            exit(EXIT_FAILURE);
}

static void put_relay(struct bypeer_writer *writer, uint32_t number, const uint8_t address[static 16])
{
    struct bypeer_relay_record record = {.serial = number};
    memcpy(record.keys[0], address, 16);
    bypeer_relay_address_set_end(0, 2 * number, record.keys[0]);
    bypeer_store16(record.keys[1] + 8, (uint16_t)number); /* a port */
    if (bypeer_writer_put_relay(writer, number, &record) != 1)
        exit(EXIT_FAILURE);
}

static struct guarded make_tables(void)
{
    const struct bypeer_tables_size size = {.destinations = 1000,
                                            .links = 40,
                                            .adjacencies = 20,
                                            .groups = 10,
                                            .prefixes = 100,
                                            .names = NAMES,
                                            .sessions = 50,
                                            .relays = 100,
                                            .group_parts = 100};
    struct guarded region = guarded_make(bypeer_tables_bytes(&size));
    struct bypeer_writer *writer;
    if (bypeer_writer_create(&writer, region.base, region.bytes, &size, BYPEER_LAYOUT_NEWEST, 1, draw(), 0))
        exit(EXIT_FAILURE);
    for (uint32_t i = 0; i < size.destinations; i++) {
        struct bypeer_destination destination = torture_destination(i, 1), prefix = torture_prefix(i, 1);
        struct bypeer_link link = torture_link(i, 1);
        bypeer_writer_put_destination(writer, &destination);
        if (i < size.prefixes)
            bypeer_writer_put_prefix(writer, &prefix);
        if (i < size.links)
            bypeer_writer_put_link(writer, &link);
        if (i < size.relays)
            put_relay(writer, 1 + i, destination.key);
    }
    for (uint32_t slot, i = 0; i < size.sessions; i++) {
        if (bypeer_writer_take_session(writer, &slot))
            exit(EXIT_FAILURE);
        bypeer_writer_put_session(writer, slot, &(struct bypeer_wireguard_session){.local_index = slot});
    }
    put_groups(writer);
    bypeer_writer_commit_prefixes(writer);
    put_names(writer);
    bypeer_writer_publish(writer);
    bypeer_writer_free(writer);
    keep_good(&region);
    return region;
}

struct damager {
    const struct guarded *region;
    bool stop;
};

/* Goes on damaging while look-ups run: what was checked a moment ago may be different now. */
static void *damage_on(void *argument)
{
    struct damager *damager = argument;
    uint64_t state = UINT64_C(0x2545f4914f6cdd1d);
    while (!__atomic_load_n(&damager->stop, __ATOMIC_RELAXED))
        for (unsigned way = 0; way < 4; way++) {
            uint64_t from = torture_draw(&state) % (damager->region->bytes - 2048) & ~UINT64_C(7);
            damage(damager->region, from, from + 2048, way, &state);
        }
    return NULL;
}

static void attach_and_look(struct guarded *region, const uint8_t keys[BURST][16])
{
    struct bypeer_tables tables;
    char why[BYPEER_REGION_WHY_BYTES];
    if (bypeer_tables_attach(&tables, region->base, region->bytes, why))
        return;
    attached++;
    look_up_all(&tables, keys);
    locate_all(&tables);
    judge_all(&tables);
    damage(region, sizeof(struct bypeer_tables_header), region->bytes, 1 + (unsigned)(attached % 3), &random_state);
    look_up_all(&tables, keys);
    locate_all(&tables);
    judge_all(&tables);
}

static void attack_tables(unsigned rounds)
{
    struct guarded region = make_tables();
    struct bypeer_tables tables;
    char why[BYPEER_REGION_WHY_BYTES];
    uint8_t keys[BURST][16];
    for (unsigned round = 0; round < rounds; round++) {
        for (unsigned i = 0; i < HEADERS; i++) {
            restore(&region);
            draw_keys(keys, 1000);
            /* The sections alone (so that something gets past magic and hash), or one word of the whole header. */
            uint64_t from = offsetof(struct bypeer_tables_header, sections), to = sizeof(struct bypeer_tables_header);
            if (i % 2)
                from = draw() % (to / 8) * 8;
            else
                from += draw() % BYPEER_TABLES_SECTIONS * sizeof(struct bypeer_section);
            damage(&region, from, from + 8, i % 4 ? 2 : 0, &random_state);
            attach_and_look(&region, keys);
        }
        restore(&region);
        if (bypeer_tables_attach(&tables, region.base, region.bytes, why)) {
            fprintf(stderr, "hostile: %s\n", why);
            exit(EXIT_FAILURE);
        }
        damage(&region, round % 2 ? 0 : sizeof(struct bypeer_tables_header), region.bytes, round, &random_state);
        pthread_t thread;
        struct damager damager = {.region = &region};
        pthread_create(&thread, NULL, damage_on, &damager);
        for (unsigned i = 0; i < LOOKUP_BURSTS; i++) {
            draw_keys(keys, 1000);
            look_up_all(&tables, keys);
            locate_all(&tables);
            judge_all(&tables);
        }
        __atomic_store_n(&damager.stop, true, __ATOMIC_RELAXED);
        pthread_join(thread, NULL);
    }
    guarded_free(&region);
}

/* --- status and sessions ------------------------------------------------------------------------------------------ */

static void read_status(const struct bypeer_status_view *view)
{
    char text[128];
    struct bypeer_grace grace;
    bypeer_grace_init(&grace, 1);
    bypeer_grace_add(&grace, view->header);
    bypeer_grace_asked(&grace, 5, 1);
    struct bypeer_grace_turn turn = bypeer_grace_turn(&grace, true, UINT64_C(1) << 40);
    if (turn.completed > 5)
        abort();
    sink += (uint64_t)bypeer_status_latest(view);
    for (uint32_t worker = 0; worker <= view->size.workers; worker++)
        for (uint32_t counter = 0; counter <= view->size.counters; counter++)
            sink += bypeer_status_counter(view, worker, counter);
    for (unsigned i = 0; i < 100; i++)
        sink += bypeer_status_counter(view, (uint32_t)draw() >> i % 32, (uint32_t)draw() >> i % 32);
    for (uint32_t i = 0; i < view->size.counters; i++) {
        bypeer_status_text(text, view->counters[i].text, sizeof(view->counters[i].text));
        sink += strlen(text);
    }
    for (uint32_t i = 0; i < view->size.workers; i++) {
        uint64_t tail = i % 2 ? draw() : view->events[i].head - 5000, value;
        enum bypeer_event type;
        bool lost = false;
        for (unsigned n = 0; n < 5000 && bypeer_event_take(&view->events[i], &tail, &type, &value, &lost); n++)
            sink += value + (uint64_t)type;
    }
    for (uint32_t i = 0; i < view->size.ports; i++) {
        bypeer_status_text(text, view->ports[i].name, sizeof(view->ports[i].name));
        sink += strlen(text);
    }
    lookups++;
}

static void attack_status(unsigned rounds)
{
    const struct bypeer_status_size size = {.counters = 60, .workers = 4, .ports = 3};
    struct guarded region = guarded_make(bypeer_status_bytes(&size));
    struct bypeer_status status;
    struct bypeer_status_view view;
    char why[BYPEER_REGION_WHY_BYTES];
    bypeer_status_init(&status, region.base, region.bytes, &size, 1, 0);
    bypeer_region_publish(region.base);
    keep_good(&region);
    for (unsigned round = 0; round < rounds * 20; round++) {
        restore(&region);
        uint64_t from = draw() % (sizeof(struct bypeer_status_header) / 8) * 8;
        damage(&region, from, from + 8, round % 4 ? 2 : 0, &random_state);
        if (bypeer_status_attach(&view, region.base, region.bytes, why) == 0) {
            attached++;
            read_status(&view);
        }
        restore(&region);
        if (bypeer_status_attach(&view, region.base, region.bytes, why))
            exit(EXIT_FAILURE);
        damage(&region, 0, region.bytes, round, &random_state);
        read_status(&view);
    }
    guarded_free(&region);
}

static void read_sessions(const struct bypeer_sessions_view *view)
{
    struct bypeer_session sum;
    for (unsigned i = 0; i < 200; i++) {
        uint32_t session = (uint32_t)(i % 2 ? draw() % (view->size.links + 1) : draw());
        bypeer_sessions_sum(view, session, i % 4 ? 7 : draw(), &sum);
        sink += sum.received_packets;
        if (session < view->size.links) {
            struct bypeer_seen seen;
            sink += bypeer_seen_read(&view->peers[session].seen, 7, &seen);
        }
        lookups++;
    }
}

/* The first and last entry of each section, whatever it holds. */
static void write_sessions(const struct bypeer_sessions *sessions)
{
    const struct bypeer_sessions_size *size = &sessions->size;
    const uint32_t links[] = {0, size->links - 1}, slots[] = {0, size->slots - 1};
    uint64_t first;
    for (unsigned i = 0; i < 2; i++) {
        bypeer_session_begin(&sessions->entries[(uint64_t)(size->workers - 1) * size->links + links[i]], draw());
        bypeer_peer_begin(&sessions->peers[links[i]], draw());
        struct bypeer_wireguard_state *state = &sessions->wireguard[slots[i]];
        sink += bypeer_counter_take(&state->next_counter, (uint32_t)draw() >> 12, 32, &first);
        sink += bypeer_counter_next_use(0, &state->next_counter, &state->greatest);
        sink += bypeer_window_accept(&state->greatest, &sessions->windows[slots[i]], draw());
        sink += sessions->relays[i ? size->relays - 1 : 0].bytes;
        sink += sessions->claims[i ? size->relays - 1 : 0].serial;
        struct bypeer_share *share = &sessions->groups[i ? size->groups - 1 : 0].share;
        struct bypeer_link_meter *meter = &sessions->meters[links[i]];
        uint64_t round = bypeer_share_turn(share, 1000, draw());
        sink += bypeer_share_take(share, &meter->share, 1000, 4000, 1400, round);
        sink += bypeer_rate_take(&meter->sent, draw() >> 16, draw(), 1400, draw());
    }
    bypeer_sessions_use_rows(sessions, size->workers);
}

static void attack_sessions(unsigned rounds)
{
    const struct bypeer_sessions_size size = {.workers = 3, .links = 100, .slots = 20, .relays = 30, .groups = 10};
    struct guarded region = guarded_make(bypeer_sessions_bytes(&size));
    struct bypeer_sessions sessions;
    struct bypeer_sessions_view view;
    char why[BYPEER_REGION_WHY_BYTES];
    bypeer_sessions_init(&sessions, region.base, region.bytes, &size, 1, 0);
    bypeer_sessions_use_rows(&sessions, size.workers);
    for (unsigned i = 0; i < 300; i++)
        sessions.entries[i].link_serial = 7;
    keep_good(&region);
    for (unsigned round = 0; round < rounds * 20; round++) {
        restore(&region);
        uint64_t from = draw() % (sizeof(struct bypeer_sessions_header) / 8) * 8;
        damage(&region, from, from + 8, round % 4 ? 3 : 0, &random_state);
        if (bypeer_sessions_view(&view, region.base, region.bytes, why) == 0) {
            attached++;
            read_sessions(&view);
        }
        /* A data plane that takes over what another left behind. */
        if (bypeer_sessions_attach(&sessions, region.base, region.bytes, why) == 0)
            write_sessions(&sessions);
        restore(&region);
        if (bypeer_sessions_view(&view, region.base, region.bytes, why))
            exit(EXIT_FAILURE);
        damage(&region, 0, region.bytes, round, &random_state);
        read_sessions(&view);
    }
    guarded_free(&region);
}

int main(int argc, char **argv)
{
    const char *wanted = getenv("BYPEER_HOSTILE_ROUNDS");
    unsigned rounds = wanted ? (unsigned)strtoul(wanted, NULL, 10) : 120;
    if (argc == 4 && strcmp(argv[2], "--rounds") == 0)
        rounds = (unsigned)strtoul(argv[3], NULL, 10);
    if (argc >= 2 && strcmp(argv[1], "tables") == 0)
        attack_tables(rounds);
    else if (argc >= 2 && strcmp(argv[1], "status") == 0)
        attack_status(rounds);
    else if (argc >= 2 && strcmp(argv[1], "sessions") == 0)
        attack_sessions(rounds);
    else
        return 2;
    printf("%s: %lu look-ups in hostile memory, %lu damaged headers accepted\n", argv[1], (unsigned long)lookups,
           (unsigned long)attached);
    return EXIT_SUCCESS;
}
