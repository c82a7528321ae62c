/*
 * Rows of the database: publications, the locations of their registrations, nodes of clouds.
 *
 *   endpoints   [ address 16 | port 2 | protocol 2 ] each, numbers most significant byte first; NULL: own addresses
 */
#include <stdio.h>
#include <string.h>

#include "control/store/statements.h"

#define ENDPOINT_BYTES 20

static void names_write_number(uint8_t bytes[static 2], uint16_t number)
{
    bytes[0] = (uint8_t)(number >> 8);
    bytes[1] = (uint8_t)number;
}

static uint16_t names_read_number(const uint8_t bytes[static 2])
{
    return (uint16_t)(bytes[0] << 8 | bytes[1]);
}

static void names_bind_text(sqlite3_stmt *statement, int at, const char *text)
{
    if (text[0] != '\0')
        sqlite3_bind_text(statement, at, text, -1, SQLITE_STATIC);
    else
        sqlite3_bind_null(statement, at);
}

/* Whether it fits; NULL is the empty text. */
static bool names_read_text(sqlite3_stmt *statement, int column, char *ret_text, size_t room)
{
    const unsigned char *text = sqlite3_column_text(statement, column);
    int length = snprintf(ret_text, room, "%s", text ? (const char *)text : "");
    return length >= 0 && (size_t)length < room;
}

int bypeer_store_put_publication(struct bypeer_store *store, const struct bypeer_store_publication *publication,
                                 struct bypeer_problem *problem)
{
    sqlite3_stmt *statement = store->statements[STORE_PUT_PUBLICATION];
    uint8_t endpoints[BYPEER_CPA_APPLICATIONS_MAX * ENDPOINT_BYTES], *next = endpoints;
    for (unsigned at = 0; at < publication->application_count; at++, next += ENDPOINT_BYTES) {
        const struct bypeer_application *application = &publication->applications[at];
        memcpy(next, application->address, 16);
        names_write_number(next + 16, application->port);
        names_write_number(next + 18, application->protocol);
    }
    sqlite3_bind_text(statement, 1, publication->name, -1, SQLITE_STATIC);
    names_bind_text(statement, 2, publication->clouds);
    if (publication->has_prefix)
        sqlite3_bind_blob(statement, 3, publication->prefix, sizeof(publication->prefix), SQLITE_STATIC);
    else
        sqlite3_bind_null(statement, 3);
    names_bind_text(statement, 4, publication->comment);
    sqlite3_bind_int64(statement, 5, publication->port);
    sqlite3_bind_int64(statement, 6, publication->protocol);
    if (publication->follow)
        sqlite3_bind_null(statement, 7);
    else
        sqlite3_bind_blob(statement, 7, endpoints, (int)(next - endpoints), SQLITE_STATIC);
    sqlite3_bind_int64(statement, 8, publication->payload_type);
    sqlite3_bind_blob(statement, 9, publication->payload, (int)publication->payload_bytes, SQLITE_STATIC);
    return store_run(store, statement, "writing a publication", problem);
}

int bypeer_store_remove_publication(struct bypeer_store *store, const char *name, struct bypeer_problem *problem)
{
    sqlite3_stmt *statement = store->statements[STORE_REMOVE_PUBLICATION];
    sqlite3_bind_text(statement, 1, name, -1, SQLITE_STATIC);
    int result = store_run(store, statement, "removing a publication", problem);
    if (result < 0)
        return result;
    statement = store->statements[STORE_REMOVE_LOCATIONS];
    sqlite3_bind_text(statement, 1, name, -1, SQLITE_STATIC);
    return store_run(store, statement, "removing a publication", problem);
}

static bool names_read_endpoints(sqlite3_stmt *statement, int column, struct bypeer_store_publication *publication)
{
    publication->follow = sqlite3_column_type(statement, column) == SQLITE_NULL;
    const uint8_t *bytes = sqlite3_column_blob(statement, column);
    size_t length = (size_t)sqlite3_column_bytes(statement, column);
    if (length % ENDPOINT_BYTES != 0 || length / ENDPOINT_BYTES > BYPEER_CPA_APPLICATIONS_MAX)
        return false;
    publication->application_count = (unsigned)(length / ENDPOINT_BYTES);
    for (unsigned at = 0; at < publication->application_count; at++, bytes += ENDPOINT_BYTES) {
        struct bypeer_application *application = &publication->applications[at];
        memcpy(application->address, bytes, 16);
        application->port = names_read_number(bytes + 16);
        application->protocol = names_read_number(bytes + 18);
    }
    return true;
}

static bool names_read_publication(sqlite3_stmt *statement, struct bypeer_store_publication *ret_publication)
{
    struct bypeer_store_publication *publication = ret_publication;
    *publication = (struct bypeer_store_publication){0};
    if (!names_read_text(statement, 0, publication->name, sizeof(publication->name)) || publication->name[0] == '\0' ||
        !names_read_text(statement, 1, publication->clouds, sizeof(publication->clouds)) ||
        !names_read_text(statement, 3, publication->comment, sizeof(publication->comment)) ||
        !names_read_endpoints(statement, 6, publication))
        return false;
    publication->has_prefix = sqlite3_column_bytes(statement, 2) == sizeof(publication->prefix);
    if (publication->has_prefix)
        memcpy(publication->prefix, sqlite3_column_blob(statement, 2), sizeof(publication->prefix));
    publication->port = (uint16_t)store_read_number(statement, 4, UINT16_MAX);
    publication->protocol = (uint16_t)store_read_number(statement, 5, UINT16_MAX);
    publication->payload_type = (enum bypeer_payload_type)store_read_number(statement, 7, BYPEER_PAYLOAD_STRING);
    const void *payload = sqlite3_column_blob(statement, 8);
    int bytes = sqlite3_column_bytes(statement, 8);
    if (bytes < 0 || bytes > BYPEER_PAYLOAD_MAX)
        return false;
    publication->payload_bytes = (unsigned)bytes;
    if (bytes > 0)
        memcpy(publication->payload, payload, (size_t)bytes);
    return true;
}

int bypeer_store_each_publication(struct bypeer_store *store,
                                  int (*visit)(void *context, const struct bypeer_store_publication *publication),
                                  void *context, struct bypeer_problem *problem)
{
    sqlite3_stmt *statement = store->statements[STORE_EACH_PUBLICATION];
    struct bypeer_store_publication publication;
    int code, verdict = 0;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW)
        if (names_read_publication(statement, &publication) && (verdict = visit(context, &publication)) != 0)
            break;
    return store_end_walk(store, statement, code, verdict, problem);
}

int bypeer_store_put_location(struct bypeer_store *store, const char *name, const char *cloud,
                              const uint8_t location[static 16], struct bypeer_problem *problem)
{
    sqlite3_stmt *statement = store->statements[STORE_PUT_LOCATION];
    sqlite3_bind_text(statement, 1, name, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 2, cloud, -1, SQLITE_STATIC);
    store_bind_address(statement, 3, location);
    return store_run(store, statement, "writing a location", problem);
}

int bypeer_store_find_location(struct bypeer_store *store, const char *name, const char *cloud,
                               uint8_t ret_location[static 16], struct bypeer_problem *problem)
{
    sqlite3_stmt *statement = store->statements[STORE_FIND_LOCATION];
    sqlite3_bind_text(statement, 1, name, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 2, cloud, -1, SQLITE_STATIC);
    int code = sqlite3_step(statement);
    int result = code == SQLITE_ROW && store_read_address(statement, 0, ret_location) ? 1 : 0;
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        result = store_failed(store, "reading", problem);
    sqlite3_reset(statement);
    return result;
}

int bypeer_store_put_nodes(struct bypeer_store *store, const char *cloud, const struct bypeer_pnrp_endpoint *nodes,
                           unsigned count, struct bypeer_problem *problem)
{
    sqlite3_stmt *statement = store->statements[STORE_REMOVE_NODES];
    sqlite3_bind_text(statement, 1, cloud, -1, SQLITE_STATIC);
    int result = store_run(store, statement, "writing nodes", problem);
    statement = store->statements[STORE_PUT_NODE];
    for (unsigned at = 0; result == 0 && at < count; at++) {
        sqlite3_bind_text(statement, 1, cloud, -1, SQLITE_STATIC);
        sqlite3_bind_int64(statement, 2, at);
        store_bind_address(statement, 3, nodes[at].address);
        sqlite3_bind_int64(statement, 4, nodes[at].port);
        result = store_run(store, statement, "writing nodes", problem);
    }
    return result;
}

int bypeer_store_nodes(struct bypeer_store *store, const char *cloud, struct bypeer_pnrp_endpoint *ret_nodes,
                       unsigned room, struct bypeer_problem *problem)
{
    sqlite3_stmt *statement = store->statements[STORE_EACH_NODE];
    sqlite3_bind_text(statement, 1, cloud, -1, SQLITE_STATIC);
    unsigned count = 0;
    int code = SQLITE_ROW;
    while (count < room && (code = sqlite3_step(statement)) == SQLITE_ROW) {
        if (!store_read_address(statement, 0, ret_nodes[count].address))
            continue;
        ret_nodes[count].port = (uint16_t)store_read_number(statement, 1, UINT16_MAX);
        count += ret_nodes[count].port >= BYPEER_PNRP_PORT_MIN ? 1 : 0;
    }
    int result = code == SQLITE_ROW || code == SQLITE_DONE ? 0 : store_failed(store, "reading", problem);
    sqlite3_reset(statement);
    return result < 0 ? result : (int)count;
}
