#include "control/model/configured.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct bypeer_model_group *model_need_configured_group(struct bypeer_model *model,
                                                       const struct bypeer_config_group *from,
                                                       struct bypeer_problem *problem)
{
    struct bypeer_model_group *group = model_find_group(model, from->name);
    if (group)
        return group;
    if (!(group = model_new_group(model, 0, from->name))) {
        bypeer_problem_no_memory(problem);
        return NULL;
    }
    if (model_put_group_row(model, group, problem) < 0) {
        model_drop_group(model, group);
        return NULL;
    }
    return group;
}

struct bypeer_model_link *model_need_configured_link(struct bypeer_model *model, const char *name,
                                                     struct bypeer_problem *problem)
{
    struct bypeer_model_link *link = model_find_link(model, name);
    if (link)
        return link;
    if (!(link = model_new_link(model, 0, name))) {
        bypeer_problem_no_memory(problem);
        return NULL;
    }
    if (model_make_link_durable(model, link, problem) < 0) {
        model_drop_link(model, link);
        return NULL;
    }
    return link;
}

void model_configure_group(struct bypeer_model_group *group, const struct bypeer_config_group *from)
{
    group->line = from->origin.line;
    group->vni = from->vni;
    group->has_address = from->has_address;
    memcpy(group->prefix, from->prefix, 16);
    memcpy(group->address, from->address, 16);
}

void model_configure_link(struct bypeer_model *model, struct bypeer_model_link *link,
                          const struct bypeer_config_link *from)
{
    const struct bypeer_model_group *group = model_find_group(model, from->group);
    link->line = from->origin.line;
    link->group = group ? group->id : 0;
    link->has_local = from->has_local;
    link->vni = from->vni;
    link->udp_port = from->udp_port;
    link->mtu = from->mtu;
    link->wireguard = false;
    memcpy(link->peer, from->peer, 16);
    memcpy(link->local_address, from->local, 16);
}

int model_configure_peer(struct bypeer_model *model, struct bypeer_model_link *link,
                         const struct bypeer_config_peer *from, struct bypeer_problem *problem)
{
    bool has_preshared = from->preshared_key_file[0] != '\0';
    if (has_preshared) {
        int result = model_read_preshared(from->preshared_key_file, link->preshared_key, problem);
        if (result < 0)
            return result;
    }
    link->has_preshared = has_preshared;
    const struct bypeer_model_group *group = model_find_group(model, from->group);
    link->line = from->origin.line;
    link->group = group ? group->id : 0;
    link->vni = 0;
    link->mtu = 0;
    link->wireguard = true;
    link->has_address = from->has_address;
    link->persistent_s = from->keepalive;
    link->endpoint_port = from->endpoint.port;
    memcpy(link->endpoint, from->endpoint.address, 16);
    memcpy(link->address, from->address, 16);
    model_set_key(link, from->public_key);
    return 0;
}

int model_keep_configured_peer(struct bypeer_model *model, const struct bypeer_model_link *link,
                               struct bypeer_problem *problem)
{
    return link->stored ? 0 : model_put_link_row(model, link, problem);
}

int model_make_peer_another(struct bypeer_model *model, struct bypeer_model_link *link, struct bypeer_problem *problem)
{
    return link->stored ? 0 : model_make_link_durable(model, link, problem);
}

static int configured_no_link(const char *what, uint32_t line, const char *link, struct bypeer_problem *problem)
{
    return bypeer_problem_set(problem, -ENOENT, "no_such_link", "%s in line %u\nlink \"%s\" does not exist\nadd it",
                              what, line, link);
}

static int configured_compare(const void *one, const void *other)
{
    return memcmp(one, other, 16); /* address comes first */
}

/* 0 or -ENOENT. */
static int configured_add(const struct bypeer_model *model, const uint8_t address[static 16], const char *link_name,
                          uint32_t line, struct bypeer_model_member *ret_member)
{
    const struct bypeer_model_link *link = model_find_link(model, link_name);
    if (!link)
        return -ENOENT;
    *ret_member = (struct bypeer_model_member){.link = link->id, .line = line};
    memcpy(ret_member->address, address, 16);
    return 0;
}

int model_configured_members(struct bypeer_model *model, const struct bypeer_config *config,
                             struct bypeer_model_member **ret_members, size_t *ret_count,
                             struct bypeer_problem *problem)
{
    struct bypeer_model_member *members =
        calloc((size_t)config->member_count + config->peer_count + 1, sizeof(*members));
    size_t count = 0;
    int result = 0;
    if (!members)
        return bypeer_problem_no_memory(problem);
    for (uint32_t at = 0; at < config->member_count && result == 0; at++) {
        const struct bypeer_config_member *from = &config->members[at];
        result = configured_add(model, from->address, from->link, from->origin.line, &members[count++]);
        if (result < 0)
            configured_no_link("member", from->origin.line, from->link, problem);
    }
    for (uint32_t at = 0; at < config->peer_count && result == 0; at++) {
        const struct bypeer_config_peer *from = &config->peers[at];
        if (from->has_address)
            result = configured_add(model, from->address, from->name, from->origin.line, &members[count++]);
        if (result < 0)
            configured_no_link("peer", from->origin.line, from->name, problem);
    }
    if (result < 0) {
        free(members);
        return result;
    }
    qsort(members, count, sizeof(*members), configured_compare);
    *ret_members = members;
    *ret_count = count;
    return 0;
}

int model_configured_route(struct bypeer_model *model, const struct bypeer_config_route *from,
                           struct bypeer_model_route *ret_route, struct bypeer_problem *problem)
{
    const struct bypeer_model_link *link = model_find_link(model, from->link);
    if (!link)
        return configured_no_link("route", from->origin.line, from->link, problem);
    *ret_route = (struct bypeer_model_route){.bits = from->bits, .link = link->id, .line = from->origin.line};
    memcpy(ret_route->prefix, from->prefix, 16);
    return 0;
}
