/*
 * Entries and their ids: making them, finding them, dropping them.
 */
#include "control/model/model.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/model/entries.h"

/* Room for this many groups by API in the tables, beside those of the file: 64 bytes each, and 128 for its own link. */
#define GROUPS_BY_API 1024

/* A writer that has no room after this many times of making some will not have any. */
#define ROOM_ATTEMPTS 4

int bypeer_model_create(struct bypeer_model **ret_model, struct bypeer_store *store,
                        const struct bypeer_model_hooks *hooks)
{
    struct bypeer_model *model = calloc(1, sizeof(*model));
    if (!model)
        return -ENOMEM;
    model->store = store;
    if (hooks)
        model->hooks = *hooks;
    *ret_model = model;
    return 0;
}

static void model_free_link(struct bypeer_model_link *link)
{
    explicit_bzero(link->preshared_key, sizeof(link->preshared_key));
    free(link->why_down);
    free(link);
}

void bypeer_model_free(struct bypeer_model *model)
{
    if (!model)
        return;
    for (uint32_t id = 0; id < model->group_room; id++)
        free(model->groups[id]);
    for (uint32_t id = 0; id < model->link_room; id++)
        if (model->links[id])
            model_free_link(model->links[id]);
    bypeer_ids_free(&model->group_names);
    bypeer_ids_free(&model->link_names);
    bypeer_ids_free(&model->peer_keys);
    free(model->groups);
    free(model->links);
    free(model->routes);
    free(model->configured);
    free(model->followed);
    free(model->adjacencies);
    free(model);
}

void bypeer_model_use_writer(struct bypeer_model *model, struct bypeer_writer *writer)
{
    model->writer = writer;
}

void bypeer_model_limits(const struct bypeer_config *config, struct bypeer_model_limits *ret_limits)
{
    uint16_t mtu = 1500;
    for (uint32_t at = 0; at < config->port_count; at++)
        if (at == 0 || config->ports[at].mtu < mtu)
            mtu = config->ports[at].mtu;
    *ret_limits = (struct bypeer_model_limits){
        .members_max = config->tables.members_max,
        .links = config->tables.links,
        .groups = config->group_count + GROUPS_BY_API,
        .routes = config->tables.prefixes,
        .port_mtu = mtu,
        .wireguard_port = config->wireguard.port,
    };
}

static int model_highest_group(void *context, const struct bypeer_store_group *group)
{
    uint32_t *highest = context;
    if (group->id > *highest)
        *highest = group->id;
    return 0;
}

static int model_highest_link(void *context, const struct bypeer_store_link *link)
{
    uint32_t *highest = context;
    if (link->id > *highest)
        *highest = link->id;
    return 0;
}

/* The larger of two, but not more than the tables can hold at all. */
static uint32_t model_larger(uint64_t one, uint64_t other, uint32_t most)
{
    uint64_t larger = one > other ? one : other;
    return larger > most ? most : (uint32_t)larger;
}

int bypeer_model_first_size(struct bypeer_store *store, const struct bypeer_config *config,
                            struct bypeer_tables_size *ret_size, struct bypeer_problem *problem)
{
    struct bypeer_model_limits limits;
    bypeer_model_limits(config, &limits);
    uint64_t members;
    uint32_t highest_group = 0, highest_link = 0;
    int result = bypeer_store_count_members(store, &members, problem);
    if (result == 0)
        result = bypeer_store_each_group(store, model_highest_group, &highest_group, problem);
    if (result == 0)
        result = bypeer_store_each_link(store, model_highest_link, &highest_link, problem);
    if (result < 0)
        return result;

    members += (uint64_t)config->member_count + config->peer_count + limits.groups;
    members += members / 8; /* so that the first batch after a start needs no larger tables */
    uint64_t links = (uint64_t)limits.links + limits.groups; /* each group may have a link to this host */
    *ret_size = (struct bypeer_tables_size){
        .destinations = model_larger(config->tables.members, members, BYPEER_DESTINATIONS_MAX),
        .links = model_larger(links, highest_link, BYPEER_TABLES_IDS_MAX),
        .adjacencies = limits.links,
        .groups = model_larger(limits.groups, highest_group, BYPEER_TABLES_IDS_MAX),
        .prefixes = limits.routes,
        .group_parts = model_larger(2 * (uint64_t)limits.groups + limits.links / 2, 512, BYPEER_GROUP_PARTS_MAX),
    };
    ret_size->sessions = bypeer_tables_sessions_for(ret_size->links);
    return 0;
}

/* What a full section needs room for. */
static uint32_t model_one_more(uint32_t used, uint32_t capacity)
{
    return used >= capacity ? used + 1 : used;
}

int model_make_room(struct bypeer_model *model, int error, unsigned attempt, struct bypeer_problem *problem)
{
    if (attempt < ROOM_ATTEMPTS && model->hooks.make_room) {
        struct bypeer_writer_usage usage;
        bypeer_writer_usage(model->writer, &usage);
        struct bypeer_tables_size need = {
            .destinations = model_one_more(usage.used.destinations, usage.capacity.destinations),
            .links = model_one_more(usage.used.links, usage.capacity.links),
            .adjacencies = model_one_more(usage.used.adjacencies, usage.capacity.adjacencies),
            .groups = model_one_more(usage.used.groups, usage.capacity.groups),
            .prefixes = model_one_more(usage.used.prefixes, usage.capacity.prefixes),
            .group_parts = usage.used.group_parts + BYPEER_MULTICAST_LINKS_MAX / BYPEER_PART_RECEIVERS + 1,
        };
        return model->hooks.make_room(model->hooks.context, error, &need, problem);
    }
    return bypeer_problem_set(problem, error, error == -EAGAIN ? "busy" : "full",
                              "tables\n%s\ntry again, and look for alarms in the log",
                              error == -EAGAIN ? "no slot is free until the data plane passes a grace period"
                                               : "have no room for another entry");
}

/* --- entries by id --- */

/* Makes an array of pointers long enough for id. */
static int model_ensure(void ***array, uint32_t *room, uint32_t id)
{
    if (id < *room)
        return 0;
    uint32_t next = *room ? *room : 64;
    while (next <= id)
        next *= 2;
    void **longer = reallocarray(*array, next, sizeof(void *));
    if (!longer)
        return -ENOMEM;
    memset(longer + *room, 0, (next - *room) * sizeof(void *));
    *array = longer;
    *room = next;
    return 0;
}

/* The lowest free id; none below *hint is. */
static uint32_t model_free_id(void *const *array, uint32_t room, uint32_t *hint)
{
    uint32_t id = *hint > 0 ? *hint : 1;
    while (id < room && array[id])
        id++;
    return *hint = id;
}

struct bypeer_model_group *model_new_group(struct bypeer_model *model, uint32_t id, const char *name)
{
    if (id == 0)
        id = model_free_id((void *const *)model->groups, model->group_room, &model->group_hint);
    if (model_ensure((void ***)&model->groups, &model->group_room, id) < 0 || model->groups[id])
        return NULL;
    struct bypeer_model_group *group = calloc(1, sizeof(*group));
    if (!group)
        return NULL;
    group->id = id;
    snprintf(group->name, sizeof(group->name), "%s", name);
    if (bypeer_ids_add(&model->group_names, group->name, id) < 0) {
        free(group);
        return NULL;
    }
    return model->groups[id] = group;
}

struct bypeer_model_link *model_new_link(struct bypeer_model *model, uint32_t id, const char *name)
{
    if (id == 0)
        id = model_free_id((void *const *)model->links, model->link_room, &model->link_hint);
    if (model_ensure((void ***)&model->links, &model->link_room, id) < 0 || model->links[id])
        return NULL;
    struct bypeer_model_link *link = calloc(1, sizeof(*link));
    if (!link)
        return NULL;
    link->id = id;
    snprintf(link->name, sizeof(link->name), "%s", name);
    if (bypeer_ids_add(&model->link_names, link->name, id) < 0) {
        free(link);
        return NULL;
    }
    return model->links[id] = link;
}

void model_drop_group(struct bypeer_model *model, struct bypeer_model_group *group)
{
    if (model->hooks.name_dropped)
        model->hooks.name_dropped(model->hooks.entries_context, group->name, 0);
    bypeer_ids_remove(&model->group_names, group->name);
    model->groups[group->id] = NULL;
    if (group->id < model->group_hint)
        model->group_hint = group->id;
    free(group);
}

void model_drop_link(struct bypeer_model *model, struct bypeer_model_link *link)
{
    if (model->hooks.name_dropped)
        model->hooks.name_dropped(model->hooks.entries_context, link->name, link->id);
    bypeer_ids_remove(&model->link_names, link->name);
    model->links[link->id] = NULL;
    if (link->id < model->link_hint)
        model->link_hint = link->id;
    model_free_link(link);
}

struct bypeer_model_group *model_group(const struct bypeer_model *model, uint32_t id)
{
    return id < model->group_room ? model->groups[id] : NULL;
}

struct bypeer_model_link *model_link(const struct bypeer_model *model, uint32_t id)
{
    return id < model->link_room ? model->links[id] : NULL;
}

struct bypeer_model_group *model_find_group(const struct bypeer_model *model, const char *name)
{
    return model_group(model, bypeer_ids_find(&model->group_names, name));
}

struct bypeer_model_link *model_find_link(const struct bypeer_model *model, const char *name)
{
    return model_link(model, bypeer_ids_find(&model->link_names, name));
}

/* --- what there is --- */

const struct bypeer_model_group *bypeer_model_next_group(const struct bypeer_model *model, uint32_t id)
{
    while (++id < model->group_room)
        if (model->groups[id])
            return model->groups[id];
    return NULL;
}

const struct bypeer_model_link *bypeer_model_next_link(const struct bypeer_model *model, uint32_t id)
{
    while (++id < model->link_room)
        if (model->links[id])
            return model->links[id];
    return NULL;
}

const struct bypeer_model_group *bypeer_model_find_group(const struct bypeer_model *model, const char *name)
{
    return model_find_group(model, name);
}

const struct bypeer_model_link *bypeer_model_find_link(const struct bypeer_model *model, const char *name)
{
    return model_find_link(model, name);
}

const struct bypeer_model_group *bypeer_model_group(const struct bypeer_model *model, uint32_t id)
{
    return model_group(model, id);
}

const struct bypeer_model_link *bypeer_model_link(const struct bypeer_model *model, uint32_t id)
{
    return model_link(model, id);
}

uint64_t bypeer_model_count_members(const struct bypeer_model *model)
{
    return model->members;
}

void bypeer_model_continue(struct bypeer_model *model)
{
    if (model->prefixes_wait)
        model->prefixes_wait = bypeer_writer_commit_prefixes(model->writer) == -EAGAIN;
}
