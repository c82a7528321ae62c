/*
 * A reload: check everything, make new names durable, then change the tables entry by entry.
 *
 * What an entry keeps over a reload it keeps in the tables, too: only what differs is touched. A link whose peer, VNI
 * or group changes is taken out first and put back with its new key, so that two links may swap peers.
 */
#include "control/model/reload.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/model/configured.h"

static bool reload_is_link_moved(const struct bypeer_config_link *before, const struct bypeer_config_link *after)
{
    return memcmp(before->peer, after->peer, 16) != 0 || before->vni != after->vni ||
           strcmp(before->group, after->group) != 0;
}

/* Names get their ids and rows in one transaction. */
static int reload_make_durable(struct bypeer_model *model, const struct bypeer_config *next,
                               struct bypeer_problem *problem)
{
    int result = bypeer_store_begin(model->store, problem);
    for (uint32_t at = 0; at < next->group_count && result == 0; at++)
        if (!model_need_configured_group(model, &next->groups[at], problem))
            result = problem->error;
    for (uint32_t at = 0; at < next->link_count && result == 0; at++)
        if (!model_need_configured_link(model, next->links[at].name, problem))
            result = problem->error;
    for (uint32_t at = 0; at < next->peer_count && result == 0; at++)
        if (!model_need_configured_link(model, next->peers[at].name, problem))
            result = problem->error;
    return bypeer_store_end(model->store, result, problem);
}

/* Room for all that the new configuration brings, at once. */
/* The highest ids once the names that are new in next have one each, while those that leave still hold theirs. */
static void reload_highest_ids(const struct bypeer_model *model, const struct bypeer_config *next, uint32_t *ret_links,
                               uint32_t *ret_groups)
{
    uint32_t links = 0, groups = 0;
    for (const struct bypeer_model_link *link = bypeer_model_next_link(model, 0); link;
         link = bypeer_model_next_link(model, link->id))
        links = link->id;
    for (const struct bypeer_model_group *group = bypeer_model_next_group(model, 0); group;
         group = bypeer_model_next_group(model, group->id))
        groups = group->id;
    for (uint32_t at = 0; at < next->link_count; at++)
        links += bypeer_model_find_link(model, next->links[at].name) == NULL;
    for (uint32_t at = 0; at < next->peer_count; at++)
        links += bypeer_model_find_link(model, next->peers[at].name) == NULL;
    for (uint32_t at = 0; at < next->group_count; at++) {
        bool is_new = bypeer_model_find_group(model, next->groups[at].name) == NULL;
        groups += is_new;
        links += is_new; /* its link to this host */
    }
    *ret_links = links;
    *ret_groups = groups;
}

static int reload_reserve(struct bypeer_model *model, const struct bypeer_config *next, struct bypeer_problem *problem)
{
    struct bypeer_writer_usage usage;
    bypeer_writer_usage(model->writer, &usage);
    uint32_t links, groups, most = model->limits.links + model->limits.groups;
    reload_highest_ids(model, next, &links, &groups);
    if (links < most)
        links = most;
    uint64_t members = (uint64_t)usage.used.destinations + next->member_count + next->peer_count;
    struct bypeer_tables_size need = usage.used;
    need.links = links < BYPEER_TABLES_IDS_MAX ? links : BYPEER_TABLES_IDS_MAX;
    need.adjacencies = model->limits.links;
    if (need.groups < groups)
        need.groups = groups < BYPEER_TABLES_IDS_MAX ? groups : BYPEER_TABLES_IDS_MAX;
    need.prefixes = model->limits.routes;
    if (members > model->configured_count)
        members -= model->configured_count;
    need.destinations = members > UINT32_MAX ? UINT32_MAX : (uint32_t)members;
    if (need.links <= usage.capacity.links && need.groups <= usage.capacity.groups &&
        need.adjacencies <= usage.capacity.adjacencies && need.prefixes <= usage.capacity.prefixes &&
        need.destinations <= usage.capacity.destinations)
        return 0;
    if (!model->hooks.make_room)
        return model_make_room(model, -ENOSPC, UINT32_MAX, problem);
    return model->hooks.make_room(model->hooks.context, -ENOSPC, &need, problem);
}

/* --- taking out --- */

/* Its name goes with the unused ones in the end: the next file may have it in another section. */
static void reload_remove_link(struct bypeer_model *model, const char *name)
{
    struct bypeer_model_link *link = model_find_link(model, name);
    if (!link)
        return;
    model_stop_link(model, link);
    link->line = 0;
}

static void reload_remove_group(struct bypeer_model *model, const char *name)
{
    struct bypeer_model_group *group = model_find_group(model, name);
    if (!group)
        return;
    struct bypeer_model_link *local = model_link(model, group->local_link);
    model_stop_group(model, group);
    if (local) {
        bypeer_store_remove_link(model->store, local->id, NULL);
        model_drop_link(model, local);
    }
    group->line = 0;
    if (group->stored || group->kept > 0)
        return;
    bypeer_store_remove_group(model->store, group->id, NULL);
    model_drop_group(model, group);
}

static void reload_take_out(struct bypeer_model *model, const struct bypeer_diff_entry *entry)
{
    switch (entry->section) {
    case BYPEER_CONFIG_ROUTES: {
        const struct bypeer_config_route *route = entry->before;
        model_take_route(model, route->prefix, route->bits);
        break;
    }
    case BYPEER_CONFIG_MEMBERS: {
        const struct bypeer_config_member *member = entry->before;
        model_take_member(model, member->address);
        break;
    }
    case BYPEER_CONFIG_LINKS: {
        const struct bypeer_config_link *link = entry->before;
        reload_remove_link(model, link->name);
        break;
    }
    case BYPEER_CONFIG_PEERS: {
        const struct bypeer_config_peer *peer = entry->before;
        if (peer->has_address)
            model_take_member(model, peer->address);
        reload_remove_link(model, peer->name);
        break;
    }
    case BYPEER_CONFIG_GROUPS: {
        const struct bypeer_config_group *group = entry->before;
        reload_remove_group(model, group->name);
        break;
    }
    default:
        break;
    }
}

/* Another key or group makes it another peer, that counts from zero; another address another member. */
static int reload_stop_peer(struct bypeer_model *model, const struct bypeer_config_peer *before,
                            const struct bypeer_config_peer *after, struct bypeer_problem *problem)
{
    struct bypeer_model_link *link = model_find_link(model, before->name);
    if (before->has_address && (!after->has_address || memcmp(before->address, after->address, 16) != 0))
        model_take_member(model, before->address);
    if (!link || (memcmp(before->public_key, after->public_key, 32) == 0 && strcmp(before->group, after->group) == 0))
        return 0;
    model_stop_link(model, link);
    return model_make_link_durable(model, link, problem);
}

/* Links whose key changes make room for each other; a group that changes starts anew. */
static int reload_stop_moved(struct bypeer_model *model, const struct bypeer_diff_entry *entry,
                             struct bypeer_problem *problem)
{
    if (entry->section == BYPEER_CONFIG_PEERS)
        return reload_stop_peer(model, entry->before, entry->after, problem);
    if (entry->section == BYPEER_CONFIG_LINKS && reload_is_link_moved(entry->before, entry->after)) {
        struct bypeer_model_link *link =
            model_find_link(model, ((const struct bypeer_config_link *)entry->before)->name);
        if (link)
            model_stop_link(model, link);
    } else if (entry->section == BYPEER_CONFIG_GROUPS) {
        struct bypeer_model_group *group =
            model_find_group(model, ((const struct bypeer_config_group *)entry->before)->name);
        if (group)
            model_suspend_group(model, group);
    }
    return 0;
}

/* --- putting in --- */

/* Links of the API that take their VNI from the group; those of the file are entries of the difference themselves. */
static int reload_refresh_links(struct bypeer_model *model, uint32_t group, struct bypeer_problem *problem)
{
    int result = 0;
    for (const struct bypeer_model_link *link = bypeer_model_next_link(model, 0); link && result >= 0;
         link = bypeer_model_next_link(model, link->id))
        if (link->live && !link->local && link->line == 0 && link->group == group && link->vni == 0)
            result = model_refresh_link(model, model_link(model, link->id), problem);
    return result;
}

/* A peer stays where it was last heard, unless the file has another endpoint than before. */
static int reload_start_peer(struct bypeer_model *model, struct bypeer_model_link *link,
                             const struct bypeer_config_peer *before, struct bypeer_problem *problem)
{
    bool moves =
        before && link->live && link->endpoint_port != 0 &&
        (before->endpoint.port != link->endpoint_port || memcmp(before->endpoint.address, link->endpoint, 16) != 0);
    int result = model_start_link(model, link, problem);
    return result == 0 && moves ? bypeer_model_set_endpoint(model, link->id, link->endpoint, link->endpoint_port, NULL)
                                : result;
}

static int reload_put_in(struct bypeer_model *model, const struct bypeer_diff_entry *entry,
                         struct bypeer_problem *problem)
{
    switch (entry->section) {
    case BYPEER_CONFIG_GROUPS: {
        const struct bypeer_config_group *from = entry->after;
        struct bypeer_model_group *group = model_find_group(model, from->name);
        if (!group)
            return -ENOENT;
        model_configure_group(group, from);
        int result = model_start_group(model, group, problem);
        return result < 0 ? result : reload_refresh_links(model, group->id, problem);
    }
    case BYPEER_CONFIG_LINKS: {
        const struct bypeer_config_link *from = entry->after;
        struct bypeer_model_link *link = model_find_link(model, from->name);
        if (!link)
            return -ENOENT;
        model_configure_link(model, link, from);
        return model_start_link(model, link, problem);
    }
    case BYPEER_CONFIG_PEERS: {
        const struct bypeer_config_peer *from = entry->after;
        struct bypeer_model_link *link = model_find_link(model, from->name);
        if (!link)
            return -ENOENT;
        int result = model_configure_peer(model, link, from, problem);
        if (result == 0)
            result = model_keep_configured_peer(model, link, problem);
        return result < 0 ? result : reload_start_peer(model, link, entry->before, problem);
    }
    case BYPEER_CONFIG_ROUTES: {
        struct bypeer_model_route route;
        int result = model_configured_route(model, entry->after, &route, problem);
        return result < 0 ? result : model_put_route(model, &route, problem);
    }
    default:
        return 0; /* members: reload_members() */
    }
}

/* Members whose record is not as the file says: new ones, moved ones, and those whose link changed its group. */
static int reload_members(struct bypeer_model *model, struct bypeer_problem *problem)
{
    for (size_t at = 0; at < model->configured_count; at++) {
        const struct bypeer_model_member *member = &model->configured[at];
        struct bypeer_model_link *link = model_link(model, member->link);
        const struct bypeer_destination *there = bypeer_writer_find_destination(model->writer, member->address);
        if (!link || (there && there->link == link->id && there->group == link->group))
            continue;
        int result = model_put_member(model, member->address, link, 0, problem);
        if (result < 0)
            return result;
    }
    return 0;
}

/* Entries that are the same may stand in another line. */
static void reload_lines(struct bypeer_model *model, const struct bypeer_config *next)
{
    for (uint32_t at = 0; at < next->group_count; at++)
        model_find_group(model, next->groups[at].name)->line = next->groups[at].origin.line;
    for (uint32_t at = 0; at < next->link_count; at++)
        model_find_link(model, next->links[at].name)->line = next->links[at].origin.line;
    for (uint32_t at = 0; at < next->peer_count; at++)
        model_find_link(model, next->peers[at].name)->line = next->peers[at].origin.line;
    for (uint32_t at = 0; at < next->route_count; at++) {
        const struct bypeer_model_route *route =
            model_find_route(model, next->routes[at].prefix, next->routes[at].bits);
        if (route)
            model->routes[route - model->routes].line = next->routes[at].origin.line;
    }
}

static int reload_apply(struct bypeer_model *model, const struct bypeer_config *next, const struct bypeer_diff *diff,
                        struct bypeer_model_member *members, size_t member_count, struct bypeer_problem *problem)
{
    int result = 0;
    for (size_t at = 0; at < diff->entry_count; at++)
        if (!diff->entries[at].after)
            reload_take_out(model, &diff->entries[at]);
    for (size_t at = 0; at < diff->entry_count; at++)
        if (diff->entries[at].before && diff->entries[at].after && result == 0)
            result = reload_stop_moved(model, &diff->entries[at], problem);
    for (size_t at = 0; at < diff->entry_count && result == 0; at++)
        if (diff->entries[at].after)
            result = reload_put_in(model, &diff->entries[at], problem);
    free(model->configured);
    model->configured = members;
    model->configured_count = member_count;
    if (result == 0)
        result = reload_members(model, problem);
    if (result == 0)
        result = model_commit_routes(model, problem);
    reload_lines(model, next);
    /* An entry that left the file may have hidden one of the database, or the other way round. */
    if (result == 0 && diff->entry_count > 0)
        result = model_wake(model, NULL, NULL, problem);
    return result == 0 ? model_drop_unused(model, problem) : result;
}

int bypeer_model_reload(struct bypeer_model *model, const struct bypeer_config *next, const struct bypeer_diff *diff,
                        struct bypeer_config_errors *ret_errors)
{
    struct bypeer_report report = {.file = next->file};
    model_check_reload(model, next, diff, &report);
    if (report.count > 0 || report.out_of_memory)
        return bypeer_report_finish(&report, ret_errors);

    struct bypeer_problem problem = {0};
    struct bypeer_model_limits limits_before = model->limits;
    struct bypeer_model_member *members = NULL;
    size_t member_count = 0;
    bypeer_model_limits(next, &model->limits);
    int result = reload_reserve(model, next, &problem);
    if (result == 0)
        result = reload_make_durable(model, next, &problem);
    if (result == 0)
        result = model_configured_members(model, next, &members, &member_count, &problem);
    if (result == 0)
        result = bypeer_store_begin(model->store, &problem);
    if (result < 0) {
        model->limits = limits_before;
        free(members);
    } else {
        result = reload_apply(model, next, diff, members, member_count, &problem);
        /* Should this fail, names that left the file keep their ids for longer; nothing else is in it. */
        bypeer_store_end(model->store, 0, NULL);
    }
    if (result == 0)
        return 0;
    char text[BYPEER_PROBLEM_TEXT];
    bypeer_report_add(&report, 0, NULL, "%s", bypeer_problem_text(&problem, text));
    bypeer_report_finish(&report, ret_errors);
    return result;
}
