/*
 * What a LOOKUP is answered with, against the seven steps of the reference's 4.7 written down one by one over a plain
 * list: random small clouds, random flagged paths, all flags, IDs that share prefixes and addresses that are shared.
 */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "overlay/pnrp/answer_cache.h"
#include "overlay/pnrp/cache.h"
#include "tests/random.h"

#define CLOUDS    3000
#define QUESTIONS 100
#define IDS       50
#define ADDRESSES 24

struct peer {
    uint8_t id[32];
    bool own;
    uint8_t address_count;
    uint8_t addresses[4 * 16];
    uint16_t port;
};

static struct {
    struct bypeer_cache *cache;
    struct peer peers[IDS];
    unsigned count;
    uint8_t own_address[16];
} m;

static uint64_t random_state = 11;

static uint32_t random_below(uint32_t limit)
{
    return random_next_below(&random_state, limit);
}

static void random_id(uint8_t ret_id[static 32])
{
    for (unsigned i = 0; i < 32; i++)
        ret_id[i] = (uint8_t)random_below(256);
    switch (random_below(5)) {
    case 0:
        memset(ret_id, 0x77, 31);
        break;
    case 1:
        memset(ret_id, 0x77, 16);
        break;
    case 2:
        memset(ret_id, random_below(2) ? 0xff : 0, 31);
        break;
    default:
        break;
    }
}

static void random_address(uint8_t ret_address[static 16])
{
    memset(ret_address, 0, 16);
    ret_address[0] = 0x20;
    ret_address[7] = (uint8_t)random_below(ADDRESSES / 2);
    ret_address[15] = (uint8_t)random_below(2);
}

static void make_cloud(void)
{
    unsigned wanted = random_below(IDS + 1), owns = random_below(4);
    m.count = 0;
    cr_assert_eq(bypeer_cache_create(&m.cache, 1000, 1, NULL, NULL), 0);
    memset(m.own_address, 0, 16);
    m.own_address[0] = 0x30;
    for (unsigned i = 0; i < wanted; i++) {
        struct peer *peer = &m.peers[m.count];
        random_id(peer->id);
        peer->own = i < owns;
        peer->port = (uint16_t)(1025 + random_below(1000));
        peer->address_count = peer->own ? 1 : (uint8_t)(1 + random_below(4) * random_below(2));
        for (unsigned at = 0; at < peer->address_count; at++)
            random_address(&peer->addresses[16 * at]);
        if (peer->own)
            memcpy(peer->addresses, m.own_address, 16);
        struct bypeer_pnrp_entry entry = {
            .id = peer->id, .addresses = peer->addresses, .address_count = peer->address_count, .port = peer->port};
        if (bypeer_cache_find(m.cache, peer->id))
            continue;
        if (peer->own ? bypeer_cache_add_own(m.cache, &entry) == 0 : bypeer_cache_put(m.cache, &entry, 0) == 1)
            m.count++;
    }
}

/* --- the reference, step by step --- */

static struct bypeer_id_number asked_target;

/* Nearer to the target first; of two as near, what lies above it. */
static int compare_peers(const void *first, const void *second)
{
    struct bypeer_id_number a = bypeer_id_load(((const struct peer *)first)->id);
    struct bypeer_id_number b = bypeer_id_load(((const struct peer *)second)->id);
    int compared = bypeer_id_compare(bypeer_id_distance(a, asked_target), bypeer_id_distance(b, asked_target));
    if (compared != 0)
        return compared;
    return bypeer_id_compare(bypeer_id_above(a, asked_target), bypeer_id_above(b, asked_target));
}

static bool has_flagged_address(const struct peer *peer, const struct bypeer_pnrp_endpoints *path)
{
    for (unsigned at = 0; at < peer->address_count; at++)
        for (unsigned i = 0; i < path->count; i++)
            if (memcmp(path->bytes + 18 * i + 2, &peer->addresses[16 * at], 16) == 0)
                return true;
    return false;
}

static bool is_closer_than(const struct peer *peer, const uint8_t *validate)
{
    static const uint8_t zero[32];
    return memcmp(validate, zero, 32) == 0 ||
           bypeer_id_is_nearer(asked_target, bypeer_id_load(peer->id), bypeer_id_load(validate));
}

/* Returns the index of the answer among the sorted peers, or -1. */
static int reference_answer(const struct bypeer_pnrp_lookup *lookup, unsigned rank, bool *ret_remote)
{
    static const uint8_t zero[32];
    asked_target = bypeer_id_load(lookup->target);
    if (m.count > 0)
        qsort(m.peers, m.count, sizeof(m.peers[0]), compare_peers);

    bool validate_not_local = memcmp(lookup->validate, zero, 32) != 0;
    bool own_in_path = false;
    for (unsigned at = 0; at < m.count; at++)
        if (m.peers[at].own && memcmp(m.peers[at].id, lookup->validate, 32) == 0)
            validate_not_local = false;
    for (unsigned i = 0; i < lookup->path.count; i++)
        own_in_path |= memcmp(lookup->path.bytes + 18 * i + 2, m.own_address, 16) == 0;

    int local = -1;
    for (unsigned at = m.count; at-- > 0 && !own_in_path;)
        if (m.peers[at].own && (validate_not_local || is_closer_than(&m.peers[at], lookup->validate)))
            local = (int)at;

    int remote = -1;
    *ret_remote = false;
    for (unsigned at = 0; at < m.count; at++) {
        const struct peer *peer = &m.peers[at];
        if (peer->own || has_flagged_address(peer, &lookup->path))
            continue;
        if (!lookup->any_distance && !is_closer_than(peer, lookup->validate))
            continue;
        if (local >= 0 && (int)at > local) { /* nearer is the own one; is there another at all? */
            *ret_remote |= remote >= 0 || (int)at <= local + BYPEER_ANSWER_BEHIND;
            break;
        }
        *ret_remote = true;
        remote = (int)at;
        if (rank-- == 0)
            break;
    }
    return remote >= 0 ? remote : local;
}

/* --- the same of answer.h --- */

static unsigned ask(void)
{
    uint8_t target[32], validate[32] = {0}, path[22 * 18];
    struct bypeer_pnrp_lookup lookup = {.any_distance = random_below(2), .target = target, .validate = validate};
    struct bypeer_lookup_facts facts = {.random = (uint32_t)random_next(&random_state)};
    random_id(target);
    if (m.count > 0 && random_below(3) == 0)
        memcpy(target, m.peers[random_below(m.count)].id, 32);
    if (random_below(4) == 0)
        random_id(validate);
    else if (m.count > 0 && random_below(4) > 0)
        memcpy(validate, m.peers[random_below(m.count)].id, 32);
    if (random_below(3) == 0)
        for (unsigned at = 0; at < m.count; at++)
            if (m.peers[at].own)
                memcpy(validate, m.peers[at].id, 32);
    lookup.path = (struct bypeer_pnrp_endpoints){.bytes = path, .count = (uint16_t)(1 + random_below(22))};
    for (unsigned i = 0; i < lookup.path.count; i++) {
        path[18 * i] = 9; /* ports do not matter */
        random_address(&path[18 * i + 2]);
        if (random_below(60) == 0)
            memcpy(&path[18 * i + 2], m.own_address, 16);
    }
    for (unsigned i = 0; i < lookup.path.count; i++)
        facts.own_in_path |= memcmp(&path[18 * i + 2], m.own_address, 16) == 0;
    const struct bypeer_route *validated = bypeer_cache_find(m.cache, validate);
    facts.validate_is_local = validated && validated->flags & BYPEER_ROUTE_OWN;

    unsigned rank = facts.random % 8 != 0 ? 0 : facts.random / 8 % 8 != 0 ? 1 : 2;
    bool expected_remote, remote;
    int expected = reference_answer(&lookup, rank, &expected_remote);
    struct bypeer_answer_walk walk;
    struct bypeer_known known = {.id = NULL};
    bypeer_answer_walk(m.cache, target, &walk);
    bool found = bypeer_answer_choose(&lookup, &facts, bypeer_answer_walk_nearest, &walk, &known, &remote);

    cr_assert_eq(found, expected >= 0);
    cr_assert_eq(remote, expected_remote);
    if (!found)
        return 0;
    cr_assert_eq(memcmp(known.id, m.peers[expected].id, 32), 0);
    cr_assert_eq(known.own, m.peers[expected].own);
    cr_assert_eq(known.port, m.peers[expected].port);
    return 1 + known.own;
}

Test(pnrp_answer, answers_are_those_of_the_reference, .timeout = 600)
{
    unsigned answers[3] = {0};
    for (unsigned cloud = 0; cloud < CLOUDS; cloud++) {
        make_cloud();
        for (unsigned question = 0; question < QUESTIONS; question++)
            answers[ask()]++;
        bypeer_cache_free(m.cache);
    }
    for (unsigned i = 0; i < 3; i++)
        cr_assert_gt(answers[i], CLOUDS, "too few questions of one kind");
}
