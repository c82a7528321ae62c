#include "node_fixture.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char node_fixture_sample[] =
    "node: { name: alpha }\n"
    "tables: { members: 1000, members-max: 4000, links: 8, prefixes: 16 }\n"
    "groups:\n"
    "  - { name: lab, prefix: \"fd12:3456:789a::/48\", vni: 7, address: \"fd12:3456:789a::1\" }\n"
    "links:\n"
    "  - { name: beta, group: lab, peer: \"2001:db8:1::2\" }\n"
    "members:\n"
    "  - { address: \"fd12:3456:789a::2\", link: beta }\n"
    "routes:\n"
    "  - { prefix: \"fd12:3456:789a:b::/64\", link: beta }\n";

void node_fixture_write(struct node_fixture *fixture, const char *yaml)
{
    FILE *file = fopen(fixture->file, "w");
    cr_assert_not_null(file);
    cr_assert_geq(fputs(yaml, file), 0);
    fclose(file);
}

void node_fixture_begin(struct node_fixture *fixture, const char *yaml)
{
    *fixture = (struct node_fixture){0};
    strcpy(fixture->directory, "/tmp/bypeer-test-XXXXXX");
    cr_assert_not_null(mkdtemp(fixture->directory));
    snprintf(fixture->file, sizeof(fixture->file), "%s/bypeer.yaml", fixture->directory);
    snprintf(fixture->database, sizeof(fixture->database), "%s/bypeer.db", fixture->directory);
    node_fixture_write(fixture, yaml);
}

void node_fixture_open(struct node_fixture *fixture, const struct bypeer_node_hooks *hooks)
{
    struct bypeer_config *config;
    struct bypeer_config_errors errors = {0};
    int result = bypeer_config_load(&config, fixture->file, &errors);
    cr_assert_eq(result, 0, "%s", errors.count ? errors.messages[0] : "cannot be read");
    config->dataplane.memory = BYPEER_MEMORY_NORMAL;
    struct bypeer_problem problem;
    char text[BYPEER_PROBLEM_TEXT];
    result = bypeer_node_open(&fixture->node, config, fixture->database, hooks, &problem);
    cr_assert_eq(result, 0, "%s", bypeer_problem_text(&problem, text));
    bypeer_writer_publish(fixture->node.generation->writer);
    fixture->open = true;
}

void node_fixture_close(struct node_fixture *fixture)
{
    if (fixture->open)
        bypeer_node_close(&fixture->node);
    fixture->open = false;
}

void node_fixture_end(struct node_fixture *fixture)
{
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    node_fixture_close(fixture);
    for (size_t at = 0; at < 3; at++) {
        char path[112];
        snprintf(path, sizeof(path), "%s%s", fixture->database, suffixes[at]);
        unlink(path);
    }
    unlink(fixture->file);
    rmdir(fixture->directory);
}

int node_fixture_reload(struct node_fixture *fixture, const char *yaml, struct bypeer_config_errors *ret_errors)
{
    struct bypeer_node_reload reload;
    *ret_errors = (struct bypeer_config_errors){0};
    node_fixture_write(fixture, yaml);
    int result = bypeer_node_reload(&fixture->node, &reload, ret_errors);
    if (result < 0)
        return result;
    result = (int)reload.changed;
    bypeer_node_reload_free(&reload);
    return result;
}

unsigned node_fixture_must_reload(struct node_fixture *fixture, const char *yaml)
{
    struct bypeer_config_errors errors;
    int result = node_fixture_reload(fixture, yaml, &errors);
    cr_assert_geq(result, 0, "%s", errors.count ? errors.messages[0] : "cannot be read");
    return (unsigned)result;
}

/* --- what a worker sees --- */

static struct bypeer_tables node_fixture_attach(const struct node_fixture *fixture)
{
    struct bypeer_tables tables;
    char why[160];
    const struct bypeer_memory *memory = &fixture->node.generation->memory;
    cr_assert_eq(bypeer_tables_attach(&tables, memory->base, memory->bytes, why), 0, "%s", why);
    return tables;
}

const struct bypeer_destination *node_fixture_look_up(const struct node_fixture *fixture, const char *address)
{
    struct bypeer_tables tables = node_fixture_attach(fixture);
    uint8_t key[16];
    const uint8_t *keys[1] = {key};
    const struct bypeer_destination *found;
    cr_assert_eq(inet_pton(AF_INET6, address, key), 1);
    bypeer_destinations_lookup(&tables, keys, 1, &found);
    return found ? found : bypeer_prefixes_lookup(&tables, key);
}

struct bypeer_link node_fixture_way(const struct node_fixture *fixture, const char *address)
{
    struct bypeer_tables tables = node_fixture_attach(fixture);
    const struct bypeer_destination *destination = node_fixture_look_up(fixture, address);
    return *bypeer_tables_link(&tables, destination ? destination->link : 0);
}

/* --- changes --- */

static size_t node_fixture_addresses(const char *const texts[], uint8_t (*addresses)[16], size_t room)
{
    size_t count = 0;
    for (; texts[count]; count++) {
        cr_assert_lt(count, room);
        cr_assert_eq(inet_pton(AF_INET6, texts[count], addresses[count]), 1);
    }
    return count;
}

int node_fixture_load(struct node_fixture *fixture, const char *link, const char *const texts[],
                      struct bypeer_problem *problem)
{
    uint8_t addresses[16][16];
    size_t added, replaced, count = node_fixture_addresses(texts, addresses, 16);
    int result = bypeer_model_load_members(fixture->node.model, link, addresses, count, &added, &replaced, problem);
    return result < 0 ? result : (int)(added * 100 + replaced);
}

int node_fixture_unload(struct node_fixture *fixture, const char *const texts[], struct bypeer_problem *problem)
{
    uint8_t addresses[16][16];
    size_t removed, count = node_fixture_addresses(texts, addresses, 16);
    int result = bypeer_model_unload_members(fixture->node.model, addresses, count, &removed, problem);
    return result < 0 ? result : (int)removed;
}
