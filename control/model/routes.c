/*
 * Routes: prefixes behind a member's link. Kept sorted here, so that a list is in order and a prefix is found by
 * bisection; the writer builds the search tree of it at each commit.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/model/entries.h"

static int routes_compare(const uint8_t one[static 16], uint8_t one_bits, const uint8_t other[static 16],
                          uint8_t other_bits)
{
    int order = memcmp(one, other, 16);
    return order ? order : (int)one_bits - (int)other_bits;
}

/* The first route that is not before the prefix. */
static size_t routes_seek(const struct bypeer_model *model, const uint8_t prefix[static 16], uint8_t bits)
{
    size_t low = 0, high = model->route_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (routes_compare(model->routes[middle].prefix, model->routes[middle].bits, prefix, bits) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct bypeer_model_route *model_find_route(const struct bypeer_model *model, const uint8_t prefix[static 16],
                                                  uint8_t bits)
{
    size_t at = routes_seek(model, prefix, bits);
    if (at < model->route_count && routes_compare(model->routes[at].prefix, model->routes[at].bits, prefix, bits) == 0)
        return &model->routes[at];
    return NULL;
}

const struct bypeer_model_route *bypeer_model_routes(const struct bypeer_model *model, size_t *ret_count)
{
    *ret_count = model->route_count;
    return model->routes;
}

/* Makes room for one route more at its place, or finds the one that is there. */
static struct bypeer_model_route *routes_place(struct bypeer_model *model, const uint8_t prefix[static 16],
                                               uint8_t bits, bool *ret_is_new)
{
    size_t at = routes_seek(model, prefix, bits);
    *ret_is_new =
        at == model->route_count || routes_compare(model->routes[at].prefix, model->routes[at].bits, prefix, bits) != 0;
    if (!*ret_is_new)
        return &model->routes[at];
    if (model->route_count == model->route_room) {
        size_t room = model->route_room ? model->route_room * 2 : 64;
        struct bypeer_model_route *longer = reallocarray(model->routes, room, sizeof(*longer));
        if (!longer)
            return NULL;
        model->routes = longer;
        model->route_room = room;
    }
    memmove(&model->routes[at + 1], &model->routes[at], (model->route_count - at) * sizeof(*model->routes));
    model->route_count++;
    return &model->routes[at];
}

static void routes_close(struct bypeer_model *model, const struct bypeer_model_route *route)
{
    size_t at = (size_t)(route - model->routes);
    model->route_count--;
    memmove(&model->routes[at], &model->routes[at + 1], (model->route_count - at) * sizeof(*model->routes));
}

int model_put_route(struct bypeer_model *model, const struct bypeer_model_route *route, struct bypeer_problem *problem)
{
    struct bypeer_model_link *link = model_link(model, route->link);
    if (!link)
        return -EINVAL;
    bool is_new;
    struct bypeer_model_route *place = routes_place(model, route->prefix, route->bits, &is_new);
    if (!place)
        return bypeer_problem_no_memory(problem);

    struct bypeer_destination record = {.link = route->link, .group = link->group, .prefix_bits = route->bits};
    memcpy(record.key, route->prefix, 16);
    int result = -EAGAIN;
    for (unsigned attempt = 0; result < 0; attempt++) {
        result = bypeer_writer_put_prefix(model->writer, &record);
        if (result == -EAGAIN || result == -ENOSPC) {
            int room = model_make_room(model, result, attempt, problem);
            if (room == 0)
                continue;
        }
        if (result < 0) {
            if (is_new)
                routes_close(model, place);
            char text[INET6_ADDRSTRLEN];
            inet_ntop(AF_INET6, route->prefix, text, sizeof(text));
            return bypeer_problem_set(problem, result, "capacity",
                                      "route %s/%u\nthe tables have room for %u routes, and all is used\n"
                                      "raise tables.prefixes and reload",
                                      text, route->bits, model->limits.routes);
        }
    }
    if (!is_new) {
        struct bypeer_model_link *before = model_link(model, place->link);
        if (before)
            before->routes--;
    }
    *place = *route;
    link->routes++;
    if (model->hooks.route_changed)
        model->hooks.route_changed(model->hooks.entries_context, place, model_group(model, link->group), false);
    return 0;
}

void model_take_route(struct bypeer_model *model, const uint8_t prefix[static 16], uint8_t bits)
{
    const struct bypeer_model_route *route = model_find_route(model, prefix, bits);
    if (!route)
        return;
    struct bypeer_model_link *link = model_link(model, route->link);
    if (model->hooks.route_changed)
        model->hooks.route_changed(model->hooks.entries_context, route, link ? model_group(model, link->group) : NULL,
                                   true);
    if (link)
        link->routes--;
    bypeer_writer_remove_prefix(model->writer, prefix, bits);
    routes_close(model, route);
}

int model_commit_routes(struct bypeer_model *model, struct bypeer_problem *problem)
{
    int result = bypeer_writer_commit_prefixes(model->writer);
    if (result == -EAGAIN) {
        result = model_make_room(model, result, 0, problem);
        if (result == 0)
            result = bypeer_writer_commit_prefixes(model->writer);
    }
    /* What still waits, for a grace period or for memory, is committed by bypeer_model_continue(). */
    model->prefixes_wait = result < 0;
    return 0;
}

int bypeer_model_add_route(struct bypeer_model *model, const uint8_t prefix[static 16], uint8_t bits, const char *link,
                           struct bypeer_problem *problem)
{
    int result = model_check_route(prefix, bits, problem);
    if (result < 0)
        return result;
    struct bypeer_model_link *its_link = model_find_link(model, link);
    if (!its_link || !its_link->live || its_link->local)
        return bypeer_problem_set(problem, -ENOENT, "no_such_link",
                                  "link \"%s\"\ndoes not exist\nlist the links with: bypeer links", link);
    if (its_link->followed)
        return model_refuse_followed("link", link, problem);
    char text[INET6_ADDRSTRLEN];
    inet_ntop(AF_INET6, prefix, text, sizeof(text));
    const struct bypeer_model_route *there = model_find_route(model, prefix, bits);
    uint32_t kept_link;
    int kept = there ? 0 : bypeer_store_find_route(model->store, prefix, bits, &kept_link, problem);
    if (kept < 0)
        return kept;
    if (kept > 0 || (there && there->line))
        return bypeer_problem_set(problem, -EEXIST, "route_exists", "route %s/%u\nexists already, %s\nremove it there",
                                  text, bits,
                                  kept > 0 ? "behind a link that is not active" : "in the configuration file");
    bool is_new = !there;
    if (is_new && model->route_count >= model->limits.routes)
        return bypeer_problem_set(problem, -ENOSPC, "capacity",
                                  "route %s/%u\nthere are %zu routes already, as many as tables.prefixes allows\n"
                                  "raise tables.prefixes and reload",
                                  text, bits, model->route_count);

    struct bypeer_store_route row = {.bits = bits, .link = its_link->id};
    memcpy(row.prefix, prefix, 16);
    result = bypeer_store_begin(model->store, problem);
    if (result == 0)
        result = bypeer_store_put_route(model->store, &row, problem);
    result = bypeer_store_end(model->store, result, problem);
    if (result < 0)
        return result;
    struct bypeer_model_route route = {.bits = bits, .link = its_link->id};
    memcpy(route.prefix, prefix, 16);
    result = model_put_route(model, &route, problem);
    if (result == 0)
        result = model_commit_routes(model, problem);
    return result < 0 ? result : is_new;
}

int bypeer_model_remove_route(struct bypeer_model *model, const uint8_t prefix[static 16], uint8_t bits,
                              struct bypeer_problem *problem)
{
    char text[INET6_ADDRSTRLEN];
    inet_ntop(AF_INET6, prefix, text, sizeof(text));
    const struct bypeer_model_route *route = model_find_route(model, prefix, bits);
    uint32_t stored_link = 0;
    int stored = bypeer_store_find_route(model->store, prefix, bits, &stored_link, problem);
    if (stored < 0)
        return stored;
    if (!route && stored == 0)
        return bypeer_problem_set(problem, -ENOENT, "no_such_route",
                                  "route %s/%u\ndoes not exist\nlist the routes with: bypeer routes", text, bits);
    if (route && route->line)
        return bypeer_problem_set(problem, -EPERM, "configured",
                                  "route %s/%u\nis in line %u of the configuration file\nremove it there and reload",
                                  text, bits, route->line);
    int result = bypeer_store_begin(model->store, problem);
    if (result == 0)
        result = bypeer_store_remove_route(model->store, prefix, bits, problem);
    result = bypeer_store_end(model->store, result, problem);
    if (result < 0)
        return result;
    if (!route) { /* a kept one */
        struct bypeer_model_link *link = model_link(model, stored_link);
        if (link && link->kept > 0)
            link->kept--;
        if (model->kept > 0)
            model->kept--;
        return 0;
    }
    model_take_route(model, prefix, bits);
    return model_commit_routes(model, problem);
}
