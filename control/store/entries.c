/*
 * Rows of the database: groups, links, members, routes.
 *
 * What is read is checked for type and range: a damaged file gives fewer or wrong entries, never a wrong access.
 */
#include <stdio.h>
#include <string.h>

#include "control/store/statements.h"

static void store_read_name(sqlite3_stmt *statement, int column, char ret_name[static 64])
{
    const unsigned char *text = sqlite3_column_text(statement, column);
    snprintf(ret_name, 64, "%s", text ? (const char *)text : "");
}

int bypeer_store_put_group(struct bypeer_store *store, const struct bypeer_store_group *group,
                           struct bypeer_problem *problem)
{
    sqlite3_stmt *statement = store->statements[STORE_PUT_GROUP];
    sqlite3_bind_int64(statement, 1, group->id);
    sqlite3_bind_text(statement, 2, group->name, -1, SQLITE_STATIC);
    store_bind_address(statement, 3, group->defined ? group->prefix : NULL);
    sqlite3_bind_int64(statement, 4, group->vni);
    store_bind_address(statement, 5, group->defined && group->has_address ? group->address : NULL);
    return store_run(store, statement, "writing a group", problem);
}

int bypeer_store_remove_group(struct bypeer_store *store, uint32_t id, struct bypeer_problem *problem)
{
    sqlite3_stmt *statement = store->statements[STORE_REMOVE_GROUP];
    sqlite3_bind_int64(statement, 1, id);
    return store_run(store, statement, "removing a group", problem);
}

int bypeer_store_each_group(struct bypeer_store *store,
                            int (*visit)(void *context, const struct bypeer_store_group *group), void *context,
                            struct bypeer_problem *problem)
{
    sqlite3_stmt *statement = store->statements[STORE_EACH_GROUP];
    int code, verdict = 0;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        struct bypeer_store_group group = {.id = store_read_number(statement, 0, UINT32_MAX)};
        store_read_name(statement, 1, group.name);
        group.defined = store_read_address(statement, 2, group.prefix);
        group.vni = store_read_number(statement, 3, 0xffffff);
        group.has_address = store_read_address(statement, 4, group.address);
        if ((verdict = visit(context, &group)) != 0)
            break;
    }
    return store_end_walk(store, statement, code, verdict, problem);
}

int bypeer_store_put_link(struct bypeer_store *store, const struct bypeer_store_link *link,
                          struct bypeer_problem *problem)
{
    sqlite3_stmt *statement = store->statements[STORE_PUT_LINK];
    sqlite3_bind_int64(statement, 1, link->id);
    sqlite3_bind_text(statement, 2, link->name, -1, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 3, link->serial);
    sqlite3_bind_int64(statement, 4, link->group);
    bool peer = link->defined && link->wireguard;
    store_bind_address(statement, 5, link->defined && !peer ? link->peer : NULL);
    store_bind_address(statement, 6, link->defined && link->has_local ? link->local : NULL);
    sqlite3_bind_int64(statement, 7, link->vni);
    sqlite3_bind_int64(statement, 8, link->udp_port);
    sqlite3_bind_int64(statement, 9, link->mtu);
    store_bind_key(statement, 10, peer ? link->public_key : NULL);
    store_bind_key(statement, 11, peer && link->has_preshared ? link->preshared_key : NULL);
    sqlite3_bind_int64(statement, 12, link->persistent_s);
    store_bind_address(statement, 13, peer && link->endpoint_port ? link->endpoint : NULL);
    sqlite3_bind_int64(statement, 14, link->endpoint_port);
    store_bind_address(statement, 15, peer && link->has_address ? link->address : NULL);
    store_bind_key(statement, 16, !link->defined && link->wireguard ? link->public_key : NULL);
    return store_run(store, statement, "writing a link", problem);
}

int bypeer_store_remove_link(struct bypeer_store *store, uint32_t id, struct bypeer_problem *problem)
{
    sqlite3_stmt *statement = store->statements[STORE_REMOVE_LINK];
    sqlite3_bind_int64(statement, 1, id);
    return store_run(store, statement, "removing a link", problem);
}

int bypeer_store_each_link(struct bypeer_store *store,
                           int (*visit)(void *context, const struct bypeer_store_link *link), void *context,
                           struct bypeer_problem *problem)
{
    sqlite3_stmt *statement = store->statements[STORE_EACH_LINK];
    int code, verdict = 0;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        struct bypeer_store_link link = {.id = store_read_number(statement, 0, UINT32_MAX)};
        store_read_name(statement, 1, link.name);
        link.serial = store_read_number(statement, 2, UINT32_MAX);
        link.group = store_read_number(statement, 3, UINT32_MAX);
        link.defined = store_read_address(statement, 4, link.peer);
        link.has_local = store_read_address(statement, 5, link.local);
        link.vni = store_read_number(statement, 6, 0xffffff);
        link.udp_port = (uint16_t)store_read_number(statement, 7, UINT16_MAX);
        link.mtu = (uint16_t)store_read_number(statement, 8, UINT16_MAX);
        link.wireguard = store_read_key(statement, 9, link.public_key);
        link.defined = link.defined || link.wireguard;
        link.has_preshared = store_read_key(statement, 10, link.preshared_key);
        link.persistent_s = (uint16_t)store_read_number(statement, 11, UINT16_MAX);
        if (store_read_address(statement, 12, link.endpoint))
            link.endpoint_port = (uint16_t)store_read_number(statement, 13, UINT16_MAX);
        link.has_address = store_read_address(statement, 14, link.address);
        if (!link.wireguard)
            link.wireguard = store_read_key(statement, 15, link.public_key);
        if ((verdict = visit(context, &link)) != 0)
            break;
    }
    return store_end_walk(store, statement, code, verdict, problem);
}

int bypeer_store_put_member(struct bypeer_store *store, const uint8_t address[static 16], uint32_t link,
                            struct bypeer_problem *problem)
{
    sqlite3_stmt *statement = store->statements[STORE_PUT_MEMBER];
    store_bind_address(statement, 1, address);
    sqlite3_bind_int64(statement, 2, link);
    return store_run(store, statement, "writing a member", problem);
}

int bypeer_store_remove_member(struct bypeer_store *store, const uint8_t address[static 16],
                               struct bypeer_problem *problem)
{
    sqlite3_stmt *statement = store->statements[STORE_REMOVE_MEMBER];
    store_bind_address(statement, 1, address);
    return store_run(store, statement, "removing a member", problem);
}

int bypeer_store_each_member(struct bypeer_store *store, const uint8_t *first,
                             int (*visit)(void *context, const uint8_t address[static 16], uint32_t link),
                             void *context, struct bypeer_problem *problem)
{
    static const uint8_t lowest[16];
    sqlite3_stmt *statement = store->statements[STORE_EACH_MEMBER];
    store_bind_address(statement, 1, first ? first : lowest);
    int code, verdict = 0;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        uint8_t address[16];
        if (!store_read_address(statement, 0, address))
            continue;
        if ((verdict = visit(context, address, store_read_number(statement, 1, UINT32_MAX))) != 0)
            break;
    }
    return store_end_walk(store, statement, code, verdict, problem);
}

/* The link that a bound query answers with: 1 and *ret_link, 0: no row. */
static int store_find_link(struct bypeer_store *store, sqlite3_stmt *statement, uint32_t *ret_link,
                           struct bypeer_problem *problem)
{
    int code = sqlite3_step(statement);
    int result = 0;
    if (code == SQLITE_ROW) {
        *ret_link = store_read_number(statement, 0, UINT32_MAX);
        result = 1;
    } else if (code != SQLITE_DONE) {
        result = store_failed(store, "reading", problem);
    }
    sqlite3_reset(statement);
    return result;
}

int bypeer_store_find_member(struct bypeer_store *store, const uint8_t address[static 16], uint32_t *ret_link,
                             struct bypeer_problem *problem)
{
    sqlite3_stmt *statement = store->statements[STORE_FIND_MEMBER];
    store_bind_address(statement, 1, address);
    return store_find_link(store, statement, ret_link, problem);
}

int bypeer_store_count_members(struct bypeer_store *store, uint64_t *ret_count, struct bypeer_problem *problem)
{
    sqlite3_stmt *statement = store->statements[STORE_COUNT_MEMBERS];
    int result = 0;
    if (sqlite3_step(statement) == SQLITE_ROW)
        *ret_count = (uint64_t)sqlite3_column_int64(statement, 0);
    else
        result = store_failed(store, "counting members", problem);
    sqlite3_reset(statement);
    return result;
}

int bypeer_store_put_route(struct bypeer_store *store, const struct bypeer_store_route *route,
                           struct bypeer_problem *problem)
{
    sqlite3_stmt *statement = store->statements[STORE_PUT_ROUTE];
    store_bind_address(statement, 1, route->prefix);
    sqlite3_bind_int64(statement, 2, route->bits);
    sqlite3_bind_int64(statement, 3, route->link);
    return store_run(store, statement, "writing a route", problem);
}

int bypeer_store_remove_route(struct bypeer_store *store, const uint8_t prefix[static 16], uint8_t bits,
                              struct bypeer_problem *problem)
{
    sqlite3_stmt *statement = store->statements[STORE_REMOVE_ROUTE];
    store_bind_address(statement, 1, prefix);
    sqlite3_bind_int64(statement, 2, bits);
    return store_run(store, statement, "removing a route", problem);
}

int bypeer_store_find_route(struct bypeer_store *store, const uint8_t prefix[static 16], uint8_t bits,
                            uint32_t *ret_link, struct bypeer_problem *problem)
{
    sqlite3_stmt *statement = store->statements[STORE_FIND_ROUTE];
    store_bind_address(statement, 1, prefix);
    sqlite3_bind_int64(statement, 2, bits);
    return store_find_link(store, statement, ret_link, problem);
}

int bypeer_store_each_route(struct bypeer_store *store,
                            int (*visit)(void *context, const struct bypeer_store_route *route), void *context,
                            struct bypeer_problem *problem)
{
    sqlite3_stmt *statement = store->statements[STORE_EACH_ROUTE];
    int code, verdict = 0;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        struct bypeer_store_route route;
        if (!store_read_address(statement, 0, route.prefix))
            continue;
        route.bits = (uint8_t)store_read_number(statement, 1, 128);
        route.link = store_read_number(statement, 2, UINT32_MAX);
        if ((verdict = visit(context, &route)) != 0)
            break;
    }
    return store_end_walk(store, statement, code, verdict, problem);
}
