#include "control/store/relays.h"

#include <stdio.h>
#include <string.h>

#include "control/store/statements.h"

int bypeer_store_put_relay_member(struct bypeer_store *store, const struct bypeer_store_relay_member *member,
                                  struct bypeer_problem *problem)
{
    sqlite3_stmt *statement = store->statements[STORE_PUT_RELAY_MEMBER];
    sqlite3_bind_int64(statement, 1, member->id);
    sqlite3_bind_text(statement, 2, member->name, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 3, member->group, -1, SQLITE_STATIC);
    sqlite3_bind_blob(statement, 4, member->public_key, sizeof(member->public_key), SQLITE_STATIC);
    store_bind_address(statement, 5, member->address);
    sqlite3_bind_int64(statement, 6, member->of_peer);
    return store_run(store, statement, "writing a relay member", problem);
}

int bypeer_store_put_relay_pair(struct bypeer_store *store, const struct bypeer_store_relay_pair *pair,
                                struct bypeer_problem *problem)
{
    sqlite3_stmt *statement = store->statements[STORE_PUT_RELAY_PAIR];
    sqlite3_bind_int64(statement, 1, pair->number);
    sqlite3_bind_int64(statement, 2, (sqlite3_int64)pair->serial);
    sqlite3_bind_int64(statement, 3, pair->members[0]);
    sqlite3_bind_int64(statement, 4, pair->members[1]);
    store_bind_address(statement, 5, pair->secrets[0]);
    store_bind_address(statement, 6, pair->secrets[1]);
    sqlite3_bind_int64(statement, 7, (sqlite3_int64)pair->expires_s);
    sqlite3_bind_int64(statement, 8, pair->ports[0]);
    sqlite3_bind_int64(statement, 9, pair->ports[1]);
    return store_run(store, statement, "writing a relay pair", problem);
}

int bypeer_store_expire_relay_pair(struct bypeer_store *store, uint32_t number, uint64_t expires_s,
                                   struct bypeer_problem *problem)
{
    sqlite3_stmt *statement = store->statements[STORE_EXPIRE_RELAY_PAIR];
    sqlite3_bind_int64(statement, 1, number);
    sqlite3_bind_int64(statement, 2, (sqlite3_int64)expires_s);
    return store_run(store, statement, "writing a relay pair", problem);
}

static int relays_remove(struct bypeer_store *store, enum store_statement which, uint32_t key,
                         struct bypeer_problem *problem)
{
    sqlite3_stmt *statement = store->statements[which];
    sqlite3_bind_int64(statement, 1, key);
    return store_run(store, statement, "removing a relay link", problem);
}

int bypeer_store_remove_relay_member(struct bypeer_store *store, uint32_t id, struct bypeer_problem *problem)
{
    return relays_remove(store, STORE_REMOVE_RELAY_MEMBER, id, problem);
}

int bypeer_store_remove_relay_pair(struct bypeer_store *store, uint32_t number, struct bypeer_problem *problem)
{
    return relays_remove(store, STORE_REMOVE_RELAY_PAIR, number, problem);
}

/* Whether it is there and fits. */
static bool relays_read_name(sqlite3_stmt *statement, int column, char ret_name[static 64])
{
    const unsigned char *text = sqlite3_column_text(statement, column);
    int length = snprintf(ret_name, 64, "%s", text ? (const char *)text : "");
    return length > 0 && length < 64;
}

static bool relays_read_member(sqlite3_stmt *statement, struct bypeer_store_relay_member *ret_member)
{
    *ret_member = (struct bypeer_store_relay_member){.id = store_read_number(statement, 0, INT32_MAX)};
    if (ret_member->id == 0 || !relays_read_name(statement, 1, ret_member->name) ||
        !relays_read_name(statement, 2, ret_member->group) ||
        sqlite3_column_bytes(statement, 3) != sizeof(ret_member->public_key))
        return false;
    memcpy(ret_member->public_key, sqlite3_column_blob(statement, 3), sizeof(ret_member->public_key));
    ret_member->of_peer = store_read_number(statement, 5, 1) != 0;
    return store_read_address(statement, 4, ret_member->address);
}

int bypeer_store_each_relay_member(struct bypeer_store *store,
                                   int (*visit)(void *context, const struct bypeer_store_relay_member *member),
                                   void *context, struct bypeer_problem *problem)
{
    sqlite3_stmt *statement = store->statements[STORE_EACH_RELAY_MEMBER];
    struct bypeer_store_relay_member member;
    int code, verdict = 0;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW)
        if (relays_read_member(statement, &member) && (verdict = visit(context, &member)) != 0)
            break;
    return store_end_walk(store, statement, code, verdict, problem);
}

static bool relays_read_pair(sqlite3_stmt *statement, struct bypeer_store_relay_pair *ret_pair)
{
    sqlite3_int64 expires = sqlite3_column_int64(statement, 6);
    *ret_pair = (struct bypeer_store_relay_pair){
        .number = store_read_number(statement, 0, INT32_MAX),
        .serial = (uint64_t)sqlite3_column_int64(statement, 1),
        .members = {store_read_number(statement, 2, INT32_MAX), store_read_number(statement, 3, INT32_MAX)},
        .expires_s = (uint64_t)expires,
        .ports = {(uint16_t)store_read_number(statement, 7, UINT16_MAX),
                  (uint16_t)store_read_number(statement, 8, UINT16_MAX)},
    };
    return ret_pair->number > 0 && expires >= 0 && (ret_pair->ports[0] == 0) == (ret_pair->ports[1] == 0) &&
           store_read_address(statement, 4, ret_pair->secrets[0]) &&
           store_read_address(statement, 5, ret_pair->secrets[1]);
}

int bypeer_store_each_relay_pair(struct bypeer_store *store,
                                 int (*visit)(void *context, const struct bypeer_store_relay_pair *pair), void *context,
                                 struct bypeer_problem *problem)
{
    sqlite3_stmt *statement = store->statements[STORE_EACH_RELAY_PAIR];
    struct bypeer_store_relay_pair pair;
    int code, verdict = 0;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW)
        if (relays_read_pair(statement, &pair) && (verdict = visit(context, &pair)) != 0)
            break;
    return store_end_walk(store, statement, code, verdict, problem);
}
