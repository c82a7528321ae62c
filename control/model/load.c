/*
 * The first filling: names of the database first, so that ids are theirs; then the file; then what the API had added.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/model/configured.h"
#include "control/model/entries.h"

struct load {
    struct bypeer_model *model;
    struct bypeer_problem *problem;
};

static int load_group_name(void *context, const struct bypeer_store_group *row)
{
    struct load *load = context;
    struct bypeer_model_group *group = model_new_group(load->model, row->id, row->name);
    if (!group)
        return bypeer_problem_no_memory(load->problem);
    group->stored = row->defined;
    return 0;
}

static int load_link_name(void *context, const struct bypeer_store_link *row)
{
    struct load *load = context;
    struct bypeer_model_link *link = model_new_link(load->model, row->id, row->name);
    if (!link)
        return bypeer_problem_no_memory(load->problem);
    link->stored = row->defined;
    link->serial = row->serial;
    link->group = row->group;
    link->local = row->name[0] == '@';
    memcpy(link->public_key, row->public_key, sizeof(link->public_key));
    return 0;
}

static int load_groups(struct bypeer_model *model, const struct bypeer_config *config, struct bypeer_problem *problem)
{
    for (uint32_t at = 0; at < config->group_count; at++) {
        struct bypeer_model_group *group = model_need_configured_group(model, &config->groups[at], problem);
        if (!group)
            return problem->error;
        model_configure_group(group, &config->groups[at]);
        int result = model_check_group_fits(model, group, problem);
        if (result == 0)
            result = model_start_group(model, group, problem);
        if (result < 0)
            return result;
    }
    return 0;
}

static int load_links(struct bypeer_model *model, const struct bypeer_config *config, struct bypeer_problem *problem)
{
    for (uint32_t at = 0; at < config->link_count; at++) {
        struct bypeer_model_link *link = model_need_configured_link(model, config->links[at].name, problem);
        if (!link)
            return problem->error;
        model_configure_link(model, link, &config->links[at]);
        int result = model_check_link_fits(model, link, problem);
        if (result == 0)
            result = model_start_link(model, link, problem);
        if (result < 0)
            return result;
    }
    return 0;
}

static int load_peers(struct bypeer_model *model, const struct bypeer_config *config, struct bypeer_problem *problem)
{
    for (uint32_t at = 0; at < config->peer_count; at++) {
        struct bypeer_model_link *link = model_need_configured_link(model, config->peers[at].name, problem);
        if (!link)
            return problem->error;
        const uint32_t group = link->group;
        uint8_t public_key[32];
        memcpy(public_key, link->public_key, sizeof(public_key));
        int result = model_configure_peer(model, link, &config->peers[at], problem);
        if (result == 0 && (group != link->group || memcmp(public_key, link->public_key, 32) != 0))
            result = model_make_peer_another(model, link, problem);
        if (result == 0)
            result = model_check_link_fits(model, link, problem);
        if (result == 0)
            result = model_start_link(model, link, problem);
        if (result < 0)
            return result;
    }
    return 0;
}

static int load_members(struct bypeer_model *model, const struct bypeer_config *config, struct bypeer_problem *problem)
{
    int result = model_configured_members(model, config, &model->configured, &model->configured_count, problem);
    for (size_t at = 0; at < model->configured_count && result == 0; at++) {
        const struct bypeer_model_member *member = &model->configured[at];
        result = model_put_member(model, member->address, model_link(model, member->link), 0, problem);
    }
    return result;
}

static int load_routes(struct bypeer_model *model, const struct bypeer_config *config, struct bypeer_problem *problem)
{
    int result = 0;
    for (uint32_t at = 0; at < config->route_count && result == 0; at++) {
        struct bypeer_model_route route;
        result = model_configured_route(model, &config->routes[at], &route, problem);
        if (result == 0)
            result = model_put_route(model, &route, problem);
    }
    return result;
}

int model_drop_unused(struct bypeer_model *model, struct bypeer_problem *problem)
{
    int result = 0;
    for (uint32_t id = 1; id < model->link_room && result == 0; id++) {
        struct bypeer_model_link *link = model->links[id];
        if (link && !link->live && !link->stored && link->kept == 0 && !model_is_followed_name(link->name)) {
            result = bypeer_store_remove_link(model->store, id, problem);
            model_drop_link(model, link);
        }
    }
    for (uint32_t id = 1; id < model->group_room && result == 0; id++) {
        struct bypeer_model_group *group = model->groups[id];
        if (group && !group->live && !group->stored && group->kept == 0) {
            result = bypeer_store_remove_group(model->store, id, problem);
            model_drop_group(model, group);
        }
    }
    return result;
}

static int load_file(struct bypeer_model *model, const struct bypeer_config *config, struct bypeer_problem *problem)
{
    int result = load_groups(model, config, problem);
    if (result == 0)
        result = load_links(model, config, problem);
    if (result == 0)
        result = load_peers(model, config, problem);
    if (result == 0)
        result = load_members(model, config, problem);
    if (result == 0)
        result = load_routes(model, config, problem);
    return result;
}

int bypeer_model_load(struct bypeer_model *model, const struct bypeer_config *config,
                      void (*warn)(void *context, const char *line), void *context, struct bypeer_problem *problem)
{
    struct bypeer_problem ignored;
    struct load load = {.model = model, .problem = problem ? problem : &ignored};
    bypeer_model_limits(config, &model->limits);
    int result = bypeer_store_each_group(model->store, load_group_name, &load, load.problem);
    if (result == 0)
        result = bypeer_store_each_link(model->store, load_link_name, &load, load.problem);
    if (result == 0)
        result = bypeer_store_begin(model->store, load.problem);
    if (result == 0)
        result = load_file(model, config, load.problem);
    if (result == 0)
        result = model_wake(model, warn, context, load.problem);
    if (result == 0)
        result = model_drop_unused(model, load.problem);
    return bypeer_store_end(model->store, result, load.problem);
}
