#include "control/store/groups.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "control/store/statements.h"
#include "overlay/ip/wire.h"

#define SEED_BYTES 18 /* address, port in network order */

/* --- memberships --- */

int bypeer_store_put_joined(struct bypeer_store *store, const struct bypeer_store_joined *joined,
                            struct bypeer_problem *problem)
{
    sqlite3_stmt *statement = store->statements[STORE_PUT_JOINED];
    uint8_t seeds[BYPEER_STORE_SEEDS * SEED_BYTES];
    for (unsigned at = 0; at < joined->seed_count; at++) {
        memcpy(seeds + at * SEED_BYTES, joined->seeds[at].address, 16);
        bypeer_store16(seeds + at * SEED_BYTES + 16, joined->seeds[at].port);
    }
    sqlite3_bind_text(statement, 1, joined->name, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 2, joined->profile, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 3, joined->identity, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 4, joined->friendly, -1, SQLITE_STATIC);
    sqlite3_bind_blob64(statement, 5, joined->root, joined->root_bytes, SQLITE_STATIC);
    sqlite3_bind_blob64(statement, 6, joined->chain, joined->chain_bytes, SQLITE_STATIC);
    sqlite3_bind_blob(statement, 7, seeds, (int)(joined->seed_count * SEED_BYTES), SQLITE_STATIC);
    sqlite3_bind_int64(statement, 8, joined->time_delta);
    sqlite3_bind_int(statement, 9, joined->synchronised);
    return store_run(store, statement, "writing a membership", problem);
}

int bypeer_store_remove_joined(struct bypeer_store *store, const char *name, struct bypeer_problem *problem)
{
    static const enum store_statement all[] = {STORE_REMOVE_RECORDS, STORE_REMOVE_ISSUED, STORE_REMOVE_JOINED};
    int result = 0;
    for (unsigned at = 0; at < sizeof(all) / sizeof(all[0]) && result == 0; at++) {
        sqlite3_bind_text(store->statements[all[at]], 1, name, -1, SQLITE_STATIC);
        result = store_run(store, store->statements[all[at]], "removing a membership", problem);
    }
    return result;
}

static const char *groups_text(sqlite3_stmt *statement, int column)
{
    const unsigned char *text = sqlite3_column_text(statement, column);
    return text ? (const char *)text : "";
}

static void groups_read_seeds(sqlite3_stmt *statement, int column, struct bypeer_store_joined *joined)
{
    const uint8_t *bytes = sqlite3_column_blob(statement, column);
    unsigned count = (unsigned)sqlite3_column_bytes(statement, column) / SEED_BYTES;
    joined->seed_count = count < BYPEER_STORE_SEEDS ? count : BYPEER_STORE_SEEDS;
    for (unsigned at = 0; at < joined->seed_count; at++) {
        memcpy(joined->seeds[at].address, bytes + at * SEED_BYTES, 16);
        joined->seeds[at].port = bypeer_load16(bytes + at * SEED_BYTES + 16);
    }
}

int bypeer_store_each_joined(struct bypeer_store *store,
                             int (*visit)(void *context, const struct bypeer_store_joined *joined), void *context,
                             struct bypeer_problem *problem)
{
    sqlite3_stmt *statement = store->statements[STORE_EACH_JOINED];
    int code, verdict = 0;
    while (verdict == 0 && (code = sqlite3_step(statement)) == SQLITE_ROW) {
        struct bypeer_store_joined joined = {
            .name = groups_text(statement, 0),
            .profile = groups_text(statement, 1),
            .identity = groups_text(statement, 2),
            .friendly = groups_text(statement, 3),
            .root = sqlite3_column_blob(statement, 4),
            .root_bytes = (size_t)sqlite3_column_bytes(statement, 4),
            .chain = sqlite3_column_blob(statement, 5),
            .chain_bytes = (size_t)sqlite3_column_bytes(statement, 5),
            .time_delta = sqlite3_column_int64(statement, 7),
            .synchronised = sqlite3_column_int(statement, 8) != 0,
        };
        groups_read_seeds(statement, 6, &joined);
        if (joined.name[0] != '\0' && strlen(joined.name) < BYPEER_NAME_TEXT_MAX)
            verdict = visit(context, &joined);
    }
    return store_end_walk(store, statement, code, verdict, problem);
}

/* --- records --- */

int bypeer_store_put_record(struct bypeer_store *store, const char *group, const uint8_t id[static 16], uint32_t flags,
                            const uint8_t *record, size_t length, struct bypeer_problem *problem)
{
    sqlite3_stmt *statement = store->statements[STORE_PUT_RECORD];
    sqlite3_bind_text(statement, 1, group, -1, SQLITE_STATIC);
    sqlite3_bind_blob(statement, 2, id, 16, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 3, flags);
    sqlite3_bind_blob64(statement, 4, record, length, SQLITE_STATIC);
    return store_run(store, statement, "writing a record", problem);
}

int bypeer_store_remove_record(struct bypeer_store *store, const char *group, const uint8_t id[static 16],
                               struct bypeer_problem *problem)
{
    sqlite3_stmt *statement = store->statements[STORE_REMOVE_RECORD];
    sqlite3_bind_text(statement, 1, group, -1, SQLITE_STATIC);
    sqlite3_bind_blob(statement, 2, id, 16, SQLITE_STATIC);
    return store_run(store, statement, "removing a record", problem);
}

int bypeer_store_each_record(struct bypeer_store *store, const char *group,
                             int (*visit)(void *context, uint32_t flags, const uint8_t *record, size_t length),
                             void *context, struct bypeer_problem *problem)
{
    sqlite3_stmt *statement = store->statements[STORE_EACH_RECORD];
    int code, verdict = 0;
    sqlite3_bind_text(statement, 1, group, -1, SQLITE_STATIC);
    while (verdict == 0 && (code = sqlite3_step(statement)) == SQLITE_ROW)
        verdict = visit(context, store_read_number(statement, 0, UINT32_MAX), sqlite3_column_blob(statement, 1),
                        (size_t)sqlite3_column_bytes(statement, 1));
    return store_end_walk(store, statement, code, verdict, problem);
}

/* --- what was issued --- */

int bypeer_store_put_issued(struct bypeer_store *store, const struct bypeer_store_issued *issued, uint64_t now_s,
                            struct bypeer_problem *problem)
{
    sqlite3_stmt *statement = store->statements[STORE_PUT_ISSUED];
    sqlite3_bind_text(statement, 1, issued->group, -1, SQLITE_STATIC);
    sqlite3_bind_blob64(statement, 2, issued->key, issued->key_bytes, SQLITE_STATIC);
    sqlite3_bind_text(statement, 3, issued->name, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 4, issued->friendly, -1, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 5, issued->roles);
    sqlite3_bind_int64(statement, 6, (sqlite3_int64)issued->issued_s);
    sqlite3_bind_int64(statement, 7, (sqlite3_int64)issued->expires_s);
    sqlite3_bind_text(statement, 8, issued->how, -1, SQLITE_STATIC);
    int result = store_run(store, statement, "writing what was issued", problem);
    if (result < 0)
        return result;
    statement = store->statements[STORE_TRIM_ISSUED];
    sqlite3_bind_text(statement, 1, issued->group, -1, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 2, (sqlite3_int64)now_s);
    sqlite3_bind_int64(statement, 3, BYPEER_STORE_ISSUED);
    return store_run(store, statement, "trimming what was issued", problem);
}

static void groups_read_text(sqlite3_stmt *statement, int column, char *ret_text, size_t room)
{
    snprintf(ret_text, room, "%s", groups_text(statement, column));
}

int bypeer_store_each_issued(struct bypeer_store *store, const char *group, int64_t after,
                             int (*visit)(void *context, const struct bypeer_store_issued *issued), void *context,
                             struct bypeer_problem *problem)
{
    sqlite3_stmt *statement = store->statements[STORE_EACH_ISSUED];
    int code, verdict = 0;
    sqlite3_bind_text(statement, 1, group, -1, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 2, after);
    while (verdict == 0 && (code = sqlite3_step(statement)) == SQLITE_ROW) {
        struct bypeer_store_issued issued = {
            .number = sqlite3_column_int64(statement, 0),
            .key_bytes = (size_t)sqlite3_column_bytes(statement, 1),
            .roles = store_read_number(statement, 4, UINT32_MAX),
            .issued_s = (uint64_t)sqlite3_column_int64(statement, 5),
            .expires_s = (uint64_t)sqlite3_column_int64(statement, 6),
        };
        if (issued.key_bytes == 0 || issued.key_bytes > sizeof(issued.key))
            continue; /* a damaged row */
        memcpy(issued.key, sqlite3_column_blob(statement, 1), issued.key_bytes);
        snprintf(issued.group, sizeof(issued.group), "%s", group);
        groups_read_text(statement, 2, issued.name, sizeof(issued.name));
        groups_read_text(statement, 3, issued.friendly, sizeof(issued.friendly));
        groups_read_text(statement, 7, issued.how, sizeof(issued.how));
        verdict = visit(context, &issued);
    }
    return store_end_walk(store, statement, code, verdict, problem);
}

/* --- the audit log --- */

int bypeer_store_put_audit(struct bypeer_store *store, const struct bypeer_store_audit *entry,
                           struct bypeer_problem *problem)
{
    sqlite3_stmt *statement = store->statements[STORE_PUT_AUDIT];
    sqlite3_bind_int64(statement, 1, (sqlite3_int64)entry->time_s);
    sqlite3_bind_text(statement, 2, entry->group, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 3, entry->action, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 4, entry->who, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 5, entry->whom, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 6, entry->text, -1, SQLITE_STATIC);
    int result = store_run(store, statement, "writing the audit log", problem);
    if (result < 0)
        return result;
    statement = store->statements[STORE_TRIM_AUDIT];
    sqlite3_bind_int64(statement, 1, sqlite3_last_insert_rowid(store->database) - BYPEER_STORE_AUDIT_ROWS);
    return store_run(store, statement, "trimming the audit log", problem);
}

int bypeer_store_each_audit(struct bypeer_store *store, int64_t after,
                            int (*visit)(void *context, const struct bypeer_store_audit *entry), void *context,
                            struct bypeer_problem *problem)
{
    sqlite3_stmt *statement = store->statements[STORE_EACH_AUDIT];
    int code, verdict = 0;
    sqlite3_bind_int64(statement, 1, after);
    while (verdict == 0 && (code = sqlite3_step(statement)) == SQLITE_ROW) {
        struct bypeer_store_audit entry = {
            .number = sqlite3_column_int64(statement, 0),
            .time_s = (uint64_t)sqlite3_column_int64(statement, 1),
        };
        groups_read_text(statement, 2, entry.group, sizeof(entry.group));
        groups_read_text(statement, 3, entry.action, sizeof(entry.action));
        groups_read_text(statement, 4, entry.who, sizeof(entry.who));
        groups_read_text(statement, 5, entry.whom, sizeof(entry.whom));
        groups_read_text(statement, 6, entry.text, sizeof(entry.text));
        verdict = visit(context, &entry);
    }
    return store_end_walk(store, statement, code, verdict, problem);
}

int bypeer_store_audit_tail(struct bypeer_store *store, unsigned entries, int64_t *ret_after,
                            struct bypeer_problem *problem)
{
    sqlite3_stmt *statement = store->statements[STORE_LAST_AUDIT];
    int code = sqlite3_step(statement);
    int64_t last = code == SQLITE_ROW ? sqlite3_column_int64(statement, 0) : 0;
    int result = code == SQLITE_ROW || code == SQLITE_DONE ? 0 : store_failed(store, "reading", problem);
    sqlite3_reset(statement);
    if (result == 0)
        *ret_after = last > entries ? last - entries : 0;
    return result;
}
