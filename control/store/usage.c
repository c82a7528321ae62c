#include "control/store/usage.h"

#include <stdio.h>

#include "control/store/statements.h"

/* Counts of 63 bits: SQLite's integers are signed. */
static void usage_bind(sqlite3_stmt *statement, int at, uint64_t number)
{
    sqlite3_bind_int64(statement, at, (sqlite3_int64)(number & INT64_MAX));
}

static void usage_bind_traffic(sqlite3_stmt *statement, int at, const struct bypeer_store_traffic *traffic)
{
    usage_bind(statement, at, traffic->received_packets);
    usage_bind(statement, at + 1, traffic->received_bytes);
    usage_bind(statement, at + 2, traffic->sent_packets);
    usage_bind(statement, at + 3, traffic->sent_bytes);
}

int bypeer_store_put_limit(struct bypeer_store *store, const struct bypeer_store_limit *limit,
                           struct bypeer_problem *problem)
{
    sqlite3_stmt *statement = store->statements[STORE_PUT_LIMIT];
    sqlite3_bind_int(statement, 1, limit->of_group);
    sqlite3_bind_text(statement, 2, limit->name, -1, SQLITE_STATIC);
    usage_bind(statement, 3, limit->bits_s);
    usage_bind(statement, 4, limit->burst);
    usage_bind(statement, 5, limit->quota);
    sqlite3_bind_int(statement, 6, (int)limit->period);
    return store_run(store, statement, "writing a limit", problem);
}

int bypeer_store_remove_limit(struct bypeer_store *store, bool of_group, const char *name,
                              struct bypeer_problem *problem)
{
    sqlite3_stmt *statement = store->statements[STORE_REMOVE_LIMIT];
    sqlite3_bind_int(statement, 1, of_group);
    sqlite3_bind_text(statement, 2, name, -1, SQLITE_STATIC);
    return store_run(store, statement, "removing a limit", problem);
}

int bypeer_store_put_account(struct bypeer_store *store, const struct bypeer_store_account *account,
                             struct bypeer_problem *problem)
{
    sqlite3_stmt *statement = store->statements[STORE_PUT_ACCOUNT];
    sqlite3_bind_text(statement, 1, account->name, -1, SQLITE_STATIC);
    usage_bind_traffic(statement, 2, &account->all);
    usage_bind(statement, 6, account->region);
    usage_bind(statement, 7, account->serial);
    usage_bind_traffic(statement, 8, &account->seen);
    usage_bind(statement, 12, account->period);
    usage_bind(statement, 13, account->period_base);
    return store_run(store, statement, "writing an account", problem);
}

int bypeer_store_remove_account(struct bypeer_store *store, const char *name, struct bypeer_problem *problem)
{
    sqlite3_stmt *statement = store->statements[STORE_REMOVE_ACCOUNT];
    sqlite3_bind_text(statement, 1, name, -1, SQLITE_STATIC);
    return store_run(store, statement, "removing an account", problem);
}

/* Whether it is there and fits. */
static bool usage_read_name(sqlite3_stmt *statement, int column, char ret_name[static 64])
{
    const unsigned char *text = sqlite3_column_text(statement, column);
    int length = snprintf(ret_name, 64, "%s", text ? (const char *)text : "");
    return length > 0 && length < 64;
}

static uint64_t usage_read(sqlite3_stmt *statement, int column)
{
    sqlite3_int64 number = sqlite3_column_int64(statement, column);
    return number > 0 ? (uint64_t)number : 0;
}

static void usage_read_traffic(sqlite3_stmt *statement, int column, struct bypeer_store_traffic *ret_traffic)
{
    ret_traffic->received_packets = usage_read(statement, column);
    ret_traffic->received_bytes = usage_read(statement, column + 1);
    ret_traffic->sent_packets = usage_read(statement, column + 2);
    ret_traffic->sent_bytes = usage_read(statement, column + 3);
}

int bypeer_store_each_limit(struct bypeer_store *store,
                            int (*visit)(void *context, const struct bypeer_store_limit *limit), void *context,
                            struct bypeer_problem *problem)
{
    sqlite3_stmt *statement = store->statements[STORE_EACH_LIMIT];
    int code, verdict = 0;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        struct bypeer_store_limit limit = {
            .of_group = store_read_number(statement, 0, 1) == 1,
            .bits_s = usage_read(statement, 2),
            .burst = usage_read(statement, 3),
            .quota = usage_read(statement, 4),
            .period = (enum bypeer_quota_period)store_read_number(statement, 5, BYPEER_QUOTA_MONTH),
        };
        if (usage_read_name(statement, 1, limit.name) && (verdict = visit(context, &limit)) != 0)
            break;
    }
    return store_end_walk(store, statement, code, verdict, problem);
}

int bypeer_store_each_account(struct bypeer_store *store,
                              int (*visit)(void *context, const struct bypeer_store_account *account), void *context,
                              struct bypeer_problem *problem)
{
    sqlite3_stmt *statement = store->statements[STORE_EACH_ACCOUNT];
    int code, verdict = 0;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        struct bypeer_store_account account = {
            .region = usage_read(statement, 5),
            .serial = store_read_number(statement, 6, UINT32_MAX),
            .period = store_read_number(statement, 11, UINT32_MAX),
            .period_base = usage_read(statement, 12),
        };
        usage_read_traffic(statement, 1, &account.all);
        usage_read_traffic(statement, 7, &account.seen);
        if (usage_read_name(statement, 0, account.name) && (verdict = visit(context, &account)) != 0)
            break;
    }
    return store_end_walk(store, statement, code, verdict, problem);
}
