/*
 * Private to the store: its statements, prepared once at opening, and the few things that all of its files do with
 * them.
 */
#pragma once

#include <sqlite3.h>

#include "control/store/store.h"

enum store_statement {
    STORE_BEGIN,
    STORE_COMMIT,
    STORE_ROLLBACK,
    STORE_COUNT_UP,
    STORE_CONSTANT,
    STORE_PUT_GROUP,
    STORE_REMOVE_GROUP,
    STORE_EACH_GROUP,
    STORE_PUT_LINK,
    STORE_REMOVE_LINK,
    STORE_EACH_LINK,
    STORE_PUT_MEMBER,
    STORE_REMOVE_MEMBER,
    STORE_EACH_MEMBER,
    STORE_FIND_MEMBER,
    STORE_COUNT_MEMBERS,
    STORE_PUT_ROUTE,
    STORE_REMOVE_ROUTE,
    STORE_EACH_ROUTE,
    STORE_FIND_ROUTE,
    STORE_PUT_PUBLICATION,
    STORE_REMOVE_PUBLICATION,
    STORE_EACH_PUBLICATION,
    STORE_PUT_LOCATION,
    STORE_REMOVE_LOCATIONS,
    STORE_FIND_LOCATION,
    STORE_PUT_NODE,
    STORE_REMOVE_NODES,
    STORE_EACH_NODE,
    STORE_PUT_RELAY_MEMBER,
    STORE_REMOVE_RELAY_MEMBER,
    STORE_EACH_RELAY_MEMBER,
    STORE_PUT_RELAY_PAIR,
    STORE_EXPIRE_RELAY_PAIR,
    STORE_REMOVE_RELAY_PAIR,
    STORE_EACH_RELAY_PAIR,
    STORE_PUT_LIMIT,
    STORE_REMOVE_LIMIT,
    STORE_EACH_LIMIT,
    STORE_PUT_ACCOUNT,
    STORE_REMOVE_ACCOUNT,
    STORE_EACH_ACCOUNT,
    STORE_PUT_POLICY,
    STORE_REMOVE_POLICY,
    STORE_EACH_POLICY,
    STORE_PUT_JOINED,
    STORE_REMOVE_JOINED,
    STORE_EACH_JOINED,
    STORE_PUT_RECORD,
    STORE_REMOVE_RECORD,
    STORE_REMOVE_RECORDS,
    STORE_EACH_RECORD,
    STORE_PUT_ISSUED,
    STORE_TRIM_ISSUED,
    STORE_REMOVE_ISSUED,
    STORE_EACH_ISSUED,
    STORE_PUT_AUDIT,
    STORE_TRIM_AUDIT,
    STORE_EACH_AUDIT,
    STORE_LAST_AUDIT,
    STORE_STATEMENTS,
};

struct bypeer_store {
    sqlite3 *database;
    char *file;
    sqlite3_stmt *statements[STORE_STATEMENTS];
};

/* Fills in problem from SQLite's last error; returns the negative errno that fits it. */
int store_failed(struct bypeer_store *store, const char *what, struct bypeer_problem *problem);

/* Runs a bound statement that returns no row, and makes it ready again. */
int store_run(struct bypeer_store *store, sqlite3_stmt *statement, const char *what, struct bypeer_problem *problem);

/* Binds an address, or NULL. The bytes must live until the statement has run. */
void store_bind_address(sqlite3_stmt *statement, int at, const uint8_t *address);
void store_bind_key(sqlite3_stmt *statement, int at, const uint8_t *key); /* 32 bytes, likewise */

/* Ends a walk: ready again, and visit's verdict or the error of the walk itself. */
int store_end_walk(struct bypeer_store *store, sqlite3_stmt *statement, int code, int verdict,
                   struct bypeer_problem *problem);

/* Copies a column of 16 bytes; false: it is NULL or of another size, *ret_address is then untouched. */
bool store_read_address(sqlite3_stmt *statement, int column, uint8_t ret_address[static 16]);
bool store_read_key(sqlite3_stmt *statement, int column, uint8_t ret_key[static 32]); /* of 32 bytes, likewise */

/* A column as a number from 0 to limit; what is outside (a damaged file) is 0. */
uint32_t store_read_number(sqlite3_stmt *statement, int column, uint32_t limit);
