/*
 * Opening the database, its schema, and transactions.
 *
 * WAL with synchronous=FULL: a commit is one fsync of the log. The log may grow to 64 MiB before it is written back,
 * because a batch of members touches most pages of the b-tree: their addresses are hashes, so they are spread evenly.
 */
#include "control/store/store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/store/statements.h"

/* What makes each version of the one before; a new database goes through all of them. */
static const char *const store_steps[BYPEER_STORE_SCHEMA] = {
    "CREATE TABLE schema (version INTEGER NOT NULL);"
    "INSERT INTO schema VALUES (1);"
    "CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE groups (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, prefix BLOB, vni INTEGER, address BLOB);"
    "CREATE TABLE links (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, serial INTEGER NOT NULL,"
    "  group_id INTEGER, peer BLOB, local BLOB, vni INTEGER, udp_port INTEGER, mtu INTEGER);"
    "CREATE TABLE members (address BLOB PRIMARY KEY, link INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE routes (prefix BLOB NOT NULL, bits INTEGER NOT NULL, link INTEGER NOT NULL,"
    "  PRIMARY KEY (prefix, bits)) WITHOUT ROWID;",

    "UPDATE schema SET version = 2;"
    "CREATE TABLE publications (name TEXT NOT NULL UNIQUE, clouds TEXT, prefix BLOB, comment TEXT, port INTEGER,"
    "  protocol INTEGER, endpoints BLOB, payload_type INTEGER, payload BLOB);"
    "CREATE TABLE locations (name TEXT NOT NULL, cloud TEXT NOT NULL, location BLOB NOT NULL,"
    "  PRIMARY KEY (name, cloud)) WITHOUT ROWID;"
    "CREATE TABLE nodes (cloud TEXT NOT NULL, position INTEGER NOT NULL, address BLOB NOT NULL, port INTEGER NOT NULL,"
    "  PRIMARY KEY (cloud, position)) WITHOUT ROWID;",

    "UPDATE schema SET version = 3;"
    "ALTER TABLE links ADD COLUMN public_key BLOB;"
    "ALTER TABLE links ADD COLUMN preshared_key BLOB;"
    "ALTER TABLE links ADD COLUMN keepalive INTEGER;"
    "ALTER TABLE links ADD COLUMN endpoint BLOB;"
    "ALTER TABLE links ADD COLUMN endpoint_port INTEGER;"
    "ALTER TABLE links ADD COLUMN address BLOB;"
    "CREATE TABLE relay_members (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, group_name TEXT NOT NULL,"
    "  public_key BLOB NOT NULL, address BLOB NOT NULL, of_peer INTEGER NOT NULL);"
    "CREATE TABLE relay_pairs (number INTEGER PRIMARY KEY, serial INTEGER NOT NULL, one INTEGER NOT NULL,"
    "  other INTEGER NOT NULL, secret_one BLOB NOT NULL, secret_other BLOB NOT NULL, expires INTEGER NOT NULL,"
    "  port_one INTEGER NOT NULL, port_other INTEGER NOT NULL);"
    "CREATE TABLE limits (of_group INTEGER NOT NULL, name TEXT NOT NULL, bits_s INTEGER NOT NULL,"
    "  burst INTEGER NOT NULL, quota INTEGER NOT NULL, period INTEGER NOT NULL, PRIMARY KEY (of_group, name))"
    "  WITHOUT ROWID;"
    "CREATE TABLE accounts (name TEXT PRIMARY KEY, received_packets INTEGER NOT NULL, received_bytes INTEGER NOT NULL,"
    "  sent_packets INTEGER NOT NULL, sent_bytes INTEGER NOT NULL, region INTEGER NOT NULL, serial INTEGER NOT NULL,"
    "  seen_received_packets INTEGER NOT NULL, seen_received_bytes INTEGER NOT NULL,"
    "  seen_sent_packets INTEGER NOT NULL, seen_sent_bytes INTEGER NOT NULL, period INTEGER NOT NULL,"
    "  period_base INTEGER NOT NULL) WITHOUT ROWID;",

    "UPDATE schema SET version = 4;"
    "CREATE TABLE groups_joined (name TEXT PRIMARY KEY, profile TEXT NOT NULL, identity TEXT NOT NULL,"
    "  friendly TEXT NOT NULL, root BLOB, chain BLOB, seeds BLOB, time_delta INTEGER NOT NULL,"
    "  synchronised INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE group_records (group_name TEXT NOT NULL, id BLOB NOT NULL, flags INTEGER NOT NULL,"
    "  record BLOB NOT NULL, PRIMARY KEY (group_name, id)) WITHOUT ROWID;"
    "CREATE TABLE audit (number INTEGER PRIMARY KEY AUTOINCREMENT, time INTEGER NOT NULL, group_name TEXT NOT NULL,"
    "  action TEXT NOT NULL, who TEXT NOT NULL, whom TEXT NOT NULL, text TEXT NOT NULL);"
    "CREATE TABLE policies (group_name TEXT PRIMARY KEY, multicast INTEGER NOT NULL, rules TEXT NOT NULL)"
    "  WITHOUT ROWID;",

    "UPDATE schema SET version = 5;"
    "ALTER TABLE links ADD COLUMN file_key BLOB;",

    "UPDATE schema SET version = 6;"
    "CREATE TABLE group_issued (number INTEGER PRIMARY KEY AUTOINCREMENT, group_name TEXT NOT NULL, key BLOB NOT NULL,"
    "  name TEXT NOT NULL, friendly TEXT NOT NULL, roles INTEGER NOT NULL, issued INTEGER NOT NULL,"
    "  expires INTEGER NOT NULL, how TEXT NOT NULL, UNIQUE (group_name, key));",
};

static const char store_settings[] = "PRAGMA journal_mode = WAL;"
                                     "PRAGMA synchronous = FULL;"
                                     "PRAGMA cache_size = -131072;" /* KiB: the b-tree of three million members */
                                     "PRAGMA wal_autocheckpoint = 16384;"
                                     "PRAGMA journal_size_limit = 67108864;"
                                     "PRAGMA trusted_schema = OFF;";

static const char *const store_texts[STORE_STATEMENTS] = {
    [STORE_BEGIN] = "BEGIN IMMEDIATE",
    [STORE_COMMIT] = "COMMIT",
    [STORE_ROLLBACK] = "ROLLBACK",
    [STORE_COUNT_UP] =
        "INSERT INTO counters VALUES (?1, 1) ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value",
    [STORE_CONSTANT] = "INSERT INTO counters (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = "
                       "value RETURNING value",
    [STORE_PUT_GROUP] = "INSERT OR REPLACE INTO groups VALUES (?1, ?2, ?3, ?4, ?5)",
    [STORE_REMOVE_GROUP] = "DELETE FROM groups WHERE id = ?1",
    [STORE_EACH_GROUP] = "SELECT id, name, prefix, vni, address FROM groups ORDER BY id",
    [STORE_PUT_LINK] =
        "INSERT OR REPLACE INTO links VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
    [STORE_REMOVE_LINK] = "DELETE FROM links WHERE id = ?1",
    [STORE_EACH_LINK] = "SELECT id, name, serial, group_id, peer, local, vni, udp_port, mtu, public_key, preshared_key,"
                        " keepalive, endpoint, endpoint_port, address, file_key FROM links ORDER BY id",
    [STORE_PUT_MEMBER] = "INSERT OR REPLACE INTO members VALUES (?1, ?2)",
    [STORE_REMOVE_MEMBER] = "DELETE FROM members WHERE address = ?1",
    [STORE_EACH_MEMBER] = "SELECT address, link FROM members WHERE address >= ?1 ORDER BY address",
    [STORE_FIND_MEMBER] = "SELECT link FROM members WHERE address = ?1",
    [STORE_COUNT_MEMBERS] = "SELECT count(*) FROM members",
    [STORE_PUT_ROUTE] = "INSERT OR REPLACE INTO routes VALUES (?1, ?2, ?3)",
    [STORE_REMOVE_ROUTE] = "DELETE FROM routes WHERE prefix = ?1 AND bits = ?2",
    [STORE_EACH_ROUTE] = "SELECT prefix, bits, link FROM routes ORDER BY prefix, bits",
    [STORE_PUT_PUBLICATION] = "INSERT INTO publications VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"
                              " ON CONFLICT (name) DO UPDATE SET clouds = ?2, prefix = ?3, comment = ?4, port = ?5,"
                              " protocol = ?6, endpoints = ?7, payload_type = ?8, payload = ?9",
    [STORE_REMOVE_PUBLICATION] = "DELETE FROM publications WHERE name = ?1",
    [STORE_EACH_PUBLICATION] = "SELECT name, clouds, prefix, comment, port, protocol, endpoints, payload_type, payload"
                               " FROM publications ORDER BY rowid",
    [STORE_PUT_LOCATION] = "INSERT OR REPLACE INTO locations VALUES (?1, ?2, ?3)",
    [STORE_REMOVE_LOCATIONS] = "DELETE FROM locations WHERE name = ?1",
    [STORE_FIND_LOCATION] = "SELECT location FROM locations WHERE name = ?1 AND cloud = ?2",
    [STORE_PUT_NODE] = "INSERT OR REPLACE INTO nodes VALUES (?1, ?2, ?3, ?4)",
    [STORE_REMOVE_NODES] = "DELETE FROM nodes WHERE cloud = ?1",
    [STORE_EACH_NODE] = "SELECT address, port FROM nodes WHERE cloud = ?1 ORDER BY position",
    [STORE_PUT_RELAY_MEMBER] = "INSERT OR REPLACE INTO relay_members VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    [STORE_REMOVE_RELAY_MEMBER] = "DELETE FROM relay_members WHERE id = ?1",
    [STORE_EACH_RELAY_MEMBER] =
        "SELECT id, name, group_name, public_key, address, of_peer FROM relay_members ORDER BY id",
    [STORE_PUT_RELAY_PAIR] = "INSERT OR REPLACE INTO relay_pairs VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    [STORE_EXPIRE_RELAY_PAIR] = "UPDATE relay_pairs SET expires = ?2 WHERE number = ?1",
    [STORE_REMOVE_RELAY_PAIR] = "DELETE FROM relay_pairs WHERE number = ?1",
    [STORE_EACH_RELAY_PAIR] =
        "SELECT number, serial, one, other, secret_one, secret_other, expires, port_one, port_other"
        " FROM relay_pairs ORDER BY number",
    [STORE_PUT_LIMIT] = "INSERT OR REPLACE INTO limits VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    [STORE_REMOVE_LIMIT] = "DELETE FROM limits WHERE of_group = ?1 AND name = ?2",
    [STORE_EACH_LIMIT] = "SELECT of_group, name, bits_s, burst, quota, period FROM limits ORDER BY of_group, name",
    [STORE_PUT_ACCOUNT] =
        "INSERT OR REPLACE INTO accounts VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
    [STORE_REMOVE_ACCOUNT] = "DELETE FROM accounts WHERE name = ?1",
    [STORE_EACH_ACCOUNT] =
        "SELECT name, received_packets, received_bytes, sent_packets, sent_bytes, region, serial, "
        "seen_received_packets,"
        " seen_received_bytes, seen_sent_packets, seen_sent_bytes, period, period_base FROM accounts ORDER BY name",
    [STORE_PUT_POLICY] = "INSERT OR REPLACE INTO policies VALUES (?1, ?2, ?3)",
    [STORE_REMOVE_POLICY] = "DELETE FROM policies WHERE group_name = ?1",
    [STORE_EACH_POLICY] = "SELECT group_name, multicast, rules FROM policies ORDER BY group_name",
    [STORE_PUT_JOINED] = "INSERT OR REPLACE INTO groups_joined VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
    [STORE_REMOVE_JOINED] = "DELETE FROM groups_joined WHERE name = ?1",
    [STORE_EACH_JOINED] = "SELECT name, profile, identity, friendly, root, chain, seeds, time_delta, synchronised"
                          " FROM groups_joined ORDER BY name",
    [STORE_PUT_RECORD] = "INSERT OR REPLACE INTO group_records VALUES (?1, ?2, ?3, ?4)",
    [STORE_REMOVE_RECORD] = "DELETE FROM group_records WHERE group_name = ?1 AND id = ?2",
    [STORE_REMOVE_RECORDS] = "DELETE FROM group_records WHERE group_name = ?1",
    [STORE_EACH_RECORD] = "SELECT flags, record FROM group_records WHERE group_name = ?1",
    [STORE_PUT_ISSUED] =
        "INSERT INTO group_issued (group_name, key, name, friendly, roles, issued, expires, how)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (group_name, key) DO UPDATE SET name = ?3, friendly = ?4,"
        " roles = ?5, issued = ?6, expires = max(expires, ?7), how = ?8",
    /* What has expired; then, beyond so many, what was issued by a password, and the oldest, first. */
    [STORE_TRIM_ISSUED] =
        "DELETE FROM group_issued WHERE group_name = ?1 AND (expires <= ?2 OR number IN (SELECT number FROM"
        " group_issued WHERE group_name = ?1 ORDER BY how != 'password', number LIMIT max(0, (SELECT count(*) FROM"
        " group_issued WHERE group_name = ?1) - ?3)))",
    [STORE_REMOVE_ISSUED] = "DELETE FROM group_issued WHERE group_name = ?1",
    [STORE_EACH_ISSUED] = "SELECT number, key, name, friendly, roles, issued, expires, how FROM group_issued"
                          " WHERE group_name = ?1 AND number > ?2 ORDER BY number",
    [STORE_PUT_AUDIT] = "INSERT INTO audit (time, group_name, action, who, whom, text) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    [STORE_TRIM_AUDIT] = "DELETE FROM audit WHERE number <= ?1",
    [STORE_EACH_AUDIT] = "SELECT number, time, group_name, action, who, whom, text FROM audit WHERE number > ?1"
                         " ORDER BY number",
    [STORE_LAST_AUDIT] = "SELECT max(number) FROM audit",
    [STORE_FIND_ROUTE] = "SELECT link FROM routes WHERE prefix = ?1 AND bits = ?2",
};

int store_failed(struct bypeer_store *store, const char *what, struct bypeer_problem *problem)
{
    int code = sqlite3_errcode(store->database);
    int error = -EIO;
    const char *remedy = "check the file system and the file; see the log of the system";
    switch (code) {
    case SQLITE_FULL:
        error = -ENOSPC;
        remedy = "free space on its file system";
        break;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        error = -EBUSY;
        remedy = "another program holds the database open for writing: end it";
        break;
    case SQLITE_NOMEM:
        error = -ENOMEM;
        remedy = "give the process more memory";
        break;
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_CANTOPEN:
        error = -EACCES;
        remedy = "let the daemon's user write to the file and its directory";
        break;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        error = -EBADMSG;
        remedy = "restore the file from a backup, or remove it to begin with the configuration alone";
        break;
    default:
        break;
    }
    return bypeer_problem_set(problem, error, "store", "%s\n%s failed: %s\n%s", store->file, what,
                              sqlite3_errmsg(store->database), remedy);
}

int store_run(struct bypeer_store *store, sqlite3_stmt *statement, const char *what, struct bypeer_problem *problem)
{
    int code = sqlite3_step(statement);
    int result = code == SQLITE_DONE || code == SQLITE_ROW ? 0 : store_failed(store, what, problem);
    sqlite3_reset(statement);
    return result;
}

static void store_bind_bytes(sqlite3_stmt *statement, int at, const uint8_t *bytes, int count)
{
    if (bytes)
        sqlite3_bind_blob(statement, at, bytes, count, SQLITE_STATIC);
    else
        sqlite3_bind_null(statement, at);
}

void store_bind_address(sqlite3_stmt *statement, int at, const uint8_t *address)
{
    store_bind_bytes(statement, at, address, 16);
}

void store_bind_key(sqlite3_stmt *statement, int at, const uint8_t *key)
{
    store_bind_bytes(statement, at, key, 32);
}

static bool store_read_bytes(sqlite3_stmt *statement, int column, uint8_t *ret_bytes, int count)
{
    if (sqlite3_column_type(statement, column) != SQLITE_BLOB || sqlite3_column_bytes(statement, column) != count)
        return false;
    memcpy(ret_bytes, sqlite3_column_blob(statement, column), (size_t)count);
    return true;
}

bool store_read_address(sqlite3_stmt *statement, int column, uint8_t ret_address[static 16])
{
    return store_read_bytes(statement, column, ret_address, 16);
}

bool store_read_key(sqlite3_stmt *statement, int column, uint8_t ret_key[static 32])
{
    return store_read_bytes(statement, column, ret_key, 32);
}

uint32_t store_read_number(sqlite3_stmt *statement, int column, uint32_t limit)
{
    sqlite3_int64 value = sqlite3_column_int64(statement, column);
    return value < 0 || value > (sqlite3_int64)limit ? 0 : (uint32_t)value;
}

int store_end_walk(struct bypeer_store *store, sqlite3_stmt *statement, int code, int verdict,
                   struct bypeer_problem *problem)
{
    if (verdict == 0 && code != SQLITE_DONE)
        verdict = store_failed(store, "reading", problem);
    sqlite3_reset(statement);
    return verdict;
}

static int store_execute(struct bypeer_store *store, const char *text, const char *what, struct bypeer_problem *problem)
{
    return sqlite3_exec(store->database, text, NULL, NULL, NULL) == SQLITE_OK ? 0 : store_failed(store, what, problem);
}

/* One number that a query answers with; -1: it answers nothing. */
static int store_ask(struct bypeer_store *store, const char *text, sqlite3_int64 *ret_value,
                     struct bypeer_problem *problem)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(store->database, text, -1, &statement, NULL) != SQLITE_OK)
        return store_failed(store, "reading", problem);
    int code = sqlite3_step(statement);
    int result = 0;
    if (code == SQLITE_ROW)
        *ret_value = sqlite3_column_int64(statement, 0);
    else if (code == SQLITE_DONE)
        *ret_value = -1;
    else
        result = store_failed(store, "reading", problem);
    sqlite3_finalize(statement);
    return result;
}

/* From a version to ours, in one transaction. */
static int store_upgrade(struct bypeer_store *store, sqlite3_int64 version, struct bypeer_problem *problem)
{
    int result = store_execute(store, "BEGIN IMMEDIATE", "beginning", problem);
    for (; result == 0 && version < BYPEER_STORE_SCHEMA; version++)
        result = store_execute(store, store_steps[version], "making the schema", problem);
    return result == 0 ? store_execute(store, "COMMIT", "making the schema", problem) : result;
}

/* Makes the schema in an empty database, upgrades an older one, accepts ours, refuses any other. */
static int store_check_schema(struct bypeer_store *store, struct bypeer_problem *problem)
{
    sqlite3_int64 tables = 0, version = 0;
    int result = store_ask(store, "SELECT count(*) FROM sqlite_master", &tables, problem);
    if (result < 0)
        return result;
    if (tables == 0)
        return store_upgrade(store, 0, problem);
    result = store_ask(store, "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'schema'", &tables,
                       problem);
    if (result < 0)
        return result;
    if (tables == 0)
        return bypeer_problem_set(problem, -EBADMSG, "foreign_database",
                                  "%s\nis a database of another program\nset node.state to a directory of its own",
                                  store->file);
    result = store_ask(store, "SELECT version FROM schema", &version, problem);
    if (result < 0)
        return result;
    if (version > BYPEER_STORE_SCHEMA)
        return bypeer_problem_set(problem, -ENOTSUP, "newer_schema",
                                  "%s\nhas schema %lld, made by a newer release; this one (%s) knows up to %d\n"
                                  "start the newer release, or restore the file from a backup",
                                  store->file, (long long)version, BYPEER_RELEASE, BYPEER_STORE_SCHEMA);
    if (version < 1)
        return bypeer_problem_set(problem, -EBADMSG, "foreign_database",
                                  "%s\nnames no schema version\nrestore the file from a backup", store->file);
    return version < BYPEER_STORE_SCHEMA ? store_upgrade(store, version, problem) : 0;
}

static int store_prepare(struct bypeer_store *store, struct bypeer_problem *problem)
{
    for (int at = 0; at < STORE_STATEMENTS; at++)
        if (sqlite3_prepare_v3(store->database, store_texts[at], -1, SQLITE_PREPARE_PERSISTENT, &store->statements[at],
                               NULL) != SQLITE_OK)
            return store_failed(store, "preparing a statement", problem);
    return 0;
}

int bypeer_store_open(struct bypeer_store **ret_store, const char *file, struct bypeer_problem *problem)
{
    struct bypeer_store *store = calloc(1, sizeof(*store));
    if (!store || !(store->file = strdup(file))) {
        free(store);
        return bypeer_problem_set(problem, -ENOMEM, "memory", "%s\nno memory to open it\n", file);
    }
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    int result = 0;
    if (sqlite3_open_v2(file, &store->database, flags, NULL) != SQLITE_OK)
        result = store_failed(store, "opening", problem);
    if (result == 0)
        result = store_check_schema(store, problem);
    if (result == 0)
        result = store_execute(store, store_settings, "setting WAL mode", problem);
    if (result == 0)
        result = store_prepare(store, problem);
    if (result < 0) {
        bypeer_store_close(store);
        return result;
    }
    *ret_store = store;
    return 0;
}

void bypeer_store_close(struct bypeer_store *store)
{
    if (!store)
        return;
    for (int at = 0; at < STORE_STATEMENTS; at++)
        sqlite3_finalize(store->statements[at]);
    sqlite3_close(store->database);
    free(store->file);
    free(store);
}

int bypeer_store_begin(struct bypeer_store *store, struct bypeer_problem *problem)
{
    return store_run(store, store->statements[STORE_BEGIN], "beginning", problem);
}

int bypeer_store_end(struct bypeer_store *store, int result, struct bypeer_problem *problem)
{
    if (result == 0)
        result = store_run(store, store->statements[STORE_COMMIT], "committing", problem);
    if (result != 0 && bypeer_store_in_transaction(store))
        store_run(store, store->statements[STORE_ROLLBACK], "rolling back", NULL);
    return result;
}

bool bypeer_store_in_transaction(const struct bypeer_store *store)
{
    return !sqlite3_get_autocommit(store->database);
}

/* The value that a statement returns, whose parameters but the name are bound. */
static int store_count(struct bypeer_store *store, sqlite3_stmt *statement, const char *name, uint64_t *ret_value,
                       struct bypeer_problem *problem)
{
    sqlite3_bind_text(statement, 1, name, -1, SQLITE_STATIC);
    uint64_t value = 0;
    int status = sqlite3_step(statement);
    if (status == SQLITE_ROW) {
        value = (uint64_t)sqlite3_column_int64(statement, 0);
        status = sqlite3_step(statement); /* outside of a transaction the value is durable only with this */
    }
    int result = status == SQLITE_DONE ? 0 : store_failed(store, "counting", problem);
    sqlite3_reset(statement);
    if (result == 0)
        *ret_value = value;
    return result;
}

int bypeer_store_count_up(struct bypeer_store *store, const char *counter, uint64_t *ret_value,
                          struct bypeer_problem *problem)
{
    return store_count(store, store->statements[STORE_COUNT_UP], counter, ret_value, problem);
}

int bypeer_store_constant(struct bypeer_store *store, const char *name, uint64_t first, uint64_t *ret_value,
                          struct bypeer_problem *problem)
{
    sqlite3_bind_int64(store->statements[STORE_CONSTANT], 2, (sqlite3_int64)first);
    return store_count(store, store->statements[STORE_CONSTANT], name, ret_value, problem);
}
