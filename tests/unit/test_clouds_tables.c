/* What workers know of clouds: the index in the tables follows the caches, and says who may answer for which cloud. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clouds_fixture.h"
#include "control/names/cloud.h"

TestSuite(clouds_tables, .init = clouds_set_up, .fini = clouds_tear_down, .timeout = 120);

static struct bypeer_tables attach(const struct clouds_side *side)
{
    struct bypeer_tables tables;
    char why[160];
    const struct bypeer_memory *memory = &side->fixture.node.generation->memory;
    cr_assert_eq(bypeer_tables_attach(&tables, memory->base, memory->bytes, why), 0, "%s", why);
    return tables;
}

/* How many IDs workers know in cloud 1, at most most; own ones too. */
static unsigned count_known(const struct clouds_side *side)
{
    struct bypeer_tables tables = attach(side);
    struct bypeer_names_walk walk;
    uint8_t cloud = 1, target[32] = {0};
    const uint8_t *targets[1] = {target};
    bypeer_names_locate(&tables, &cloud, targets, 1, BYPEER_NAMES_FETCH_ABOVE, &walk);
    return walk.half.count + walk.delta.count;
}

static bool worker_knows(const struct clouds_side *side, const uint8_t id[static 32])
{
    struct bypeer_tables tables = attach(side);
    struct bypeer_names_walk walk;
    uint8_t cloud = 1;
    bypeer_names_locate(&tables, &cloud, &id, 1, BYPEER_NAMES_FETCH_ABOVE, &walk);
    const struct bypeer_name_record *record = bypeer_names_above(&walk);
    return record && memcmp(record->id, id, 32) == 0;
}

static void id_of(uint32_t number, uint8_t ret_id[static 32])
{
    for (unsigned at = 0; at < 32; at++)
        ret_id[at] = (uint8_t)((number * 2654435761u >> (at % 4 * 8)) + at * number);
}

/* Gives alpha's cloud so many IDs, from number first on. */
static void load(uint32_t first, uint32_t count)
{
    json_t *entries = json_array();
    for (uint32_t number = first; number < first + count; number++) {
        uint8_t id[32];
        char text[65], endpoint[64];
        id_of(number, id);
        for (unsigned at = 0; at < 32; at++)
            snprintf(text + 2 * at, 3, "%02x", id[at]);
        snprintf(endpoint, sizeof(endpoint), "[2001:db8:%x:%x::1]:3541", number >> 8, number & 0xff);
        json_array_append_new(entries, json_pack("{s:s, s:[s]}", "id", text, "endpoints", endpoint));
    }
    json_t *request = json_pack("{s:s, s:i, s:s, s:{s:s, s:o}}", "jsonrpc", "2.0", "id", 1, "method", "clouds.load",
                                "params", "cloud", "global", "entries", entries);
    char *line = json_dumps(request, JSON_COMPACT);
    static const struct bypeer_api_client client = {.answer = clouds_on_answer};
    struct clouds_reply reply = {0};
    cr_assert_null(bypeer_api_take(&clouds_alpha.fixture.node, line, strlen(line), &client, &reply));
    const json_t *added = json_object_get(json_object_get(reply.answer, "result"), "added");
    cr_assert_eq(json_integer_value(added), count, "%s", json_dumps(reply.answer, 0));
    json_decref(reply.answer);
    json_decref(request);
    free(line);
}

static void wait_until_known(unsigned count)
{
    uint64_t end = uv_hrtime() / 1000000 + CLOUDS_PATIENCE_MS;
    while (count_known(&clouds_alpha) < count && uv_hrtime() / 1000000 < end)
        clouds_run_some();
    cr_assert_geq(count_known(&clouds_alpha), count);
}

Test(clouds_tables, workers_know_what_the_cache_knows)
{
    /* More than the first tables have room for, and than a delta holds. */
    enum { ENTRIES = 12000, EACH = 2000 };
    for (uint32_t first = 0; first < ENTRIES; first += EACH)
        load(first, EACH);
    char own[65];
    clouds_publish(&clouds_alpha, "{\"name\":\"0.own\",\"port\":80}", own);
    wait_until_known(ENTRIES + 1);
    for (uint32_t number = 0; number < ENTRIES; number += 97) {
        uint8_t id[32];
        id_of(number, id);
        cr_assert(worker_knows(&clouds_alpha, id), "%u", number);
    }
    struct bypeer_tables tables = attach(&clouds_alpha);
    const struct bypeer_cloud_record *record = bypeer_names_cloud(&tables, 1);
    cr_assert_eq(record->port, 3541);
    cr_assert_eq(record->version_major, 5);
    cr_assert_eq(record->flags & BYPEER_CLOUD_ANSWERS, BYPEER_CLOUD_ANSWERS);
    uint8_t id[32];
    for (unsigned at = 0; at < 32; at++)
        id[at] = (uint8_t)strtoul((char[3]){own[2 * at], own[2 * at + 1], '\0'}, NULL, 16);
    cr_assert(bypeer_names_is_own(&tables, 1, id));
    json_decref(clouds_ask(&clouds_alpha, "names.unpublish", "{\"name\":\"0.own\"}"));
    clouds_run_some();
    cr_assert(!bypeer_names_is_own(&tables, 1, id));

    json_t *cache = clouds_ask(&clouds_alpha, "clouds.cache", "{\"cloud\":\"global\",\"limit\":7000}");
    cr_assert_eq(json_array_size(json_object_get(cache, "entries")), 7000);
    char next[128];
    snprintf(next, sizeof(next), "{\"cloud\":\"global\",\"limit\":7000,\"after\":\"%s\"}",
             json_string_value(json_object_get(cache, "next")));
    json_decref(cache);
    cache = clouds_ask(&clouds_alpha, "clouds.cache", next);
    cr_assert_eq(json_array_size(json_object_get(cache, "entries")), ENTRIES - 7000);
    cr_assert_null(json_object_get(cache, "next"));
    json_decref(cache);
}

/* The tables of 1000 IDs have a delta for as many. */
Test(clouds_tables, an_index_at_rest_is_not_built_anew)
{
    load(0, 100);
    wait_until_known(100);
    for (unsigned turn = 0; turn < 200; turn++)
        clouds_run_some();
    const uint8_t *base = clouds_alpha.fixture.node.generation->memory.base;
    const uint64_t root = ((const struct bypeer_tables_header *)(const void *)base)->names_root;
    for (unsigned turn = 0; turn < 400; turn++) {
        clouds_run_some();
        cr_assert_eq(((const struct bypeer_tables_header *)(const void *)base)->names_root, root);
    }
}

Test(clouds_tables, the_index_goes_on_after_tables_that_could_not_be_made)
{
    struct bypeer_problem problem;
    clouds_publish(&clouds_alpha, "{\"name\":\"0.own\",\"port\":80}", NULL);
    load(0, 3000);
    uint64_t end = uv_hrtime() / 1000000 + CLOUDS_PATIENCE_MS;
    while (count_known(&clouds_alpha) < 3001 && uv_hrtime() / 1000000 < end) {
        clouds_run_some(); /* some time, the index is being built */
        struct bypeer_tables_size size = clouds_alpha.fixture.node.generation->size;
        size.names = 0;
        cr_assert_eq(bypeer_node_renew(&clouds_alpha.fixture.node, &size, BYPEER_LAYOUT_NEWEST, &problem), -ENOSPC);
    }
    cr_assert_geq(count_known(&clouds_alpha), 3001);
}

/* Whether workers have a cloud at this port, and answer for it. */
static void look_at_port(uint16_t port, bool *ret_there, bool *ret_answers)
{
    struct bypeer_tables tables = attach(&clouds_alpha);
    *ret_there = *ret_answers = false;
    for (uint8_t number = 1; number <= BYPEER_CLOUDS_MAX; number++) {
        const struct bypeer_cloud_record *record = bypeer_names_cloud(&tables, number);
        if (record->port != port)
            continue;
        *ret_there = true;
        *ret_answers = (record->flags & BYPEER_CLOUD_ANSWERS) != 0;
    }
}

static void wait_until_answers(uint16_t port, bool wanted)
{
    uint64_t end = uv_hrtime() / 1000000 + CLOUDS_PATIENCE_MS;
    bool there, answers;
    look_at_port(port, &there, &answers);
    while ((!there || answers != wanted) && uv_hrtime() / 1000000 < end) {
        clouds_run_some();
        look_at_port(port, &there, &answers);
    }
    cr_assert(there);
    cr_assert_eq(answers, wanted);
}

Test(clouds_tables, workers_answer_for_a_cloud_that_they_know_wholly)
{
    static const char small[] = "node: { name: alpha, state: %s }\n"
                                "tables: { members: 1000, links: 8, prefixes: 16 }\n"
                                "names: { ids: 1000, ids-max: 2000 }\n"
                                "clouds:\n"
                                "  - { name: global, addresses: [\"2001:db8::1\"], answers: true, cache: 20000 }\n";
    char own[65];
    uint8_t id[32];
    clouds_reload(&clouds_alpha, small);
    clouds_publish(&clouds_alpha, "{\"name\":\"0.own\",\"port\":80}", own);
    for (unsigned at = 0; at < 32; at++)
        id[at] = (uint8_t)strtoul((char[3]){own[2 * at], own[2 * at + 1], '\0'}, NULL, 16);
    wait_until_answers(3541, true);
    load(0, 3000);
    wait_until_answers(3541, false);
    uint64_t end = uv_hrtime() / 1000000 + CLOUDS_PATIENCE_MS;
    while (count_known(&clouds_alpha) != 1 && uv_hrtime() / 1000000 < end)
        clouds_run_some();
    cr_assert_eq(count_known(&clouds_alpha), 1, "no part of the ring is missing while another is there");
    cr_assert(worker_knows(&clouds_alpha, id));
    /* There is room. */
    clouds_reload(&clouds_alpha, clouds_alpha_yaml);
    wait_until_known(3001);
    wait_until_answers(3541, true);
    cr_assert(worker_knows(&clouds_alpha, id));
}

Test(clouds_tables, a_cloud_whose_endpoint_was_taken_has_it_when_it_is_free)
{
    static const char moved[] = "node: { name: alpha, state: %s }\n"
                                "tables: { members: 1000, links: 8, prefixes: 16 }\n"
                                "clouds:\n"
                                "  - { name: global, addresses: [\"2001:db8::1\"], port: 4000, answers: true }\n";
    wait_until_answers(3541, true);
    json_decref(clouds_ask(&clouds_alpha, "groups.add", "{\"name\":\"g\",\"prefix\":\"fd07::/48\",\"vni\":7}"));
    json_decref(clouds_ask(&clouds_alpha, "links.add",
                           "{\"name\":\"l\",\"group\":\"g\",\"peer\":\"2001:db8::3\",\"local\":\"2001:db8::1\","
                           "\"udp_port\":4000}"));
    clouds_reload(&clouds_alpha, moved);
    for (unsigned turn = 0; turn < 50; turn++)
        clouds_run_some();
    bool there, answers;
    look_at_port(4000, &there, &answers);
    cr_assert_not(there);
    json_decref(clouds_ask(&clouds_alpha, "links.remove", "{\"name\":\"l\"}"));
    wait_until_answers(4000, true);
}

Test(clouds_tables, entries_that_are_none_are_refused_whole)
{
    static const char id[] = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    static const char *const wrong[] = {
        "{\"id\":\"00\",\"endpoints\":[\"[2001:db8::1]:3541\"]}",
        "{\"id\":\"%s\",\"endpoints\":[]}",
        "{\"id\":\"%s\",\"endpoints\":[\"[2001:db8::1]:80\"]}",
        "{\"id\":\"%s\",\"endpoints\":[\"[2001:db8::1]:3541\",\"[2001:db8::2]:3542\"]}",
        "{\"id\":\"%s\",\"endpoints\":[\"2001:db8::1:3541\"]}",
        "7",
    };
    char entry[512], parameters[1400];
    for (size_t at = 0; at < sizeof(wrong) / sizeof(wrong[0]); at++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(entry, sizeof(entry), wrong[at], id);
#pragma GCC diagnostic pop
        snprintf(parameters, sizeof(parameters),
                 "{\"cloud\":\"global\",\"entries\":[{\"id\":\"%s\",\"endpoints\":[\"[2001:db8::7]:3541\"]},%s]}", id,
                 entry);
        cr_assert_str_eq(clouds_refusal(&clouds_alpha, "clouds.load", parameters), "bad_entry", "%s", parameters);
    }
    json_t *cache = clouds_ask(&clouds_alpha, "clouds.cache", "{\"cloud\":\"global\"}");
    cr_assert_eq(json_array_size(json_object_get(cache, "entries")), 0);
    json_decref(cache);
}
