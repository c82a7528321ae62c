/* The database: what was committed is there after any end, what was not never was, and foreign files are refused. */
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control/store/store.h"

static char directory[] = "/tmp/bypeer-store-XXXXXX";
static char file[64];
static struct bypeer_problem problem;

static void set_up(void)
{
    cr_assert_not_null(mkdtemp(directory));
    snprintf(file, sizeof(file), "%s/bypeer.db", directory);
}

static void tear_down(void)
{
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    for (size_t at = 0; at < 3; at++) {
        char path[80];
        snprintf(path, sizeof(path), "%s%s", file, suffixes[at]);
        unlink(path);
    }
    rmdir(directory);
}

TestSuite(store, .init = set_up, .fini = tear_down);

static struct bypeer_store *open_store(void)
{
    struct bypeer_store *store;
    char text[BYPEER_PROBLEM_TEXT];
    int result = bypeer_store_open(&store, file, &problem);
    cr_assert_eq(result, 0, "%s", bypeer_problem_text(&problem, text));
    return store;
}

static void put_members(struct bypeer_store *store, uint32_t first, uint32_t count)
{
    for (uint32_t at = first; at < first + count; at++) {
        uint8_t address[16] = {0xfd, 0x12};
        memcpy(address + 12, &at, 4);
        cr_assert_eq(bypeer_store_put_member(store, address, 1 + at % 3, &problem), 0);
    }
}

static uint64_t count_members(struct bypeer_store *store)
{
    uint64_t count = 0;
    cr_assert_eq(bypeer_store_count_members(store, &count, &problem), 0);
    return count;
}

Test(store, a_commit_survives_kill)
{
    pid_t child = fork();
    if (child == 0) {
        struct bypeer_store *store = open_store();
        bypeer_store_begin(store, &problem);
        put_members(store, 0, 1000);
        bypeer_store_commit(store, &problem);
        bypeer_store_begin(store, &problem);
        put_members(store, 1000, 1000);
        kill(getpid(), SIGKILL); /* in the middle of the second transaction */
    }
    int status;
    waitpid(child, &status, 0);
    cr_assert(WIFSIGNALED(status));
    struct bypeer_store *store = open_store();
    cr_assert_eq(count_members(store), 1000);
    bypeer_store_close(store);
}

Test(store, a_rollback_leaves_nothing)
{
    struct bypeer_store *store = open_store();
    cr_assert_eq(bypeer_store_begin(store, &problem), 0);
    cr_assert(bypeer_store_in_transaction(store));
    put_members(store, 0, 10);
    bypeer_store_rollback(store);
    cr_assert_not(bypeer_store_in_transaction(store));
    cr_assert_eq(count_members(store), 0);
    bypeer_store_close(store);
}

static int keep_link(void *context, const struct bypeer_store_link *link)
{
    *(struct bypeer_store_link *)context = *link;
    return 0;
}

Test(store, a_link_comes_back_as_it_was)
{
    struct bypeer_store_link link = {
        .id = 7,
        .name = "beta",
        .serial = 4000000000u,
        .defined = true,
        .has_local = true,
        .group = 3,
        .peer = {0x20, 1, [15] = 2},
        .local = {0x20, 1, [15] = 1},
        .vni = 0xffffff,
        .udp_port = 65535,
        .mtu = 9000,
    };
    struct bypeer_store *store = open_store();
    bypeer_store_begin(store, &problem);
    cr_assert_eq(bypeer_store_put_link(store, &link, &problem), 0);
    cr_assert_eq(bypeer_store_commit(store, &problem), 0);
    bypeer_store_close(store);
    store = open_store();
    struct bypeer_store_link read = {0};
    cr_assert_eq(bypeer_store_each_link(store, keep_link, &read, &problem), 0);
    cr_assert_eq(read.id, link.id);
    cr_assert_str_eq(read.name, link.name);
    cr_assert_eq(read.serial, link.serial);
    cr_assert(read.defined && read.has_local);
    cr_assert_eq(read.group, link.group);
    cr_assert_eq(memcmp(read.peer, link.peer, 16), 0);
    cr_assert_eq(memcmp(read.local, link.local, 16), 0);
    cr_assert_eq(read.vni, link.vni);
    cr_assert_eq(read.udp_port, link.udp_port);
    cr_assert_eq(read.mtu, link.mtu);
    bypeer_store_close(store);
}

static int collect(void *context, const uint8_t address[static 16], uint32_t link)
{
    uint8_t *previous = context;
    cr_assert_lt(memcmp(previous, address, 16), 0, "ascending");
    cr_assert_geq(link, 1);
    memcpy(previous, address, 16);
    previous[16]++;
    return previous[16] == 5 ? 42 : 0;
}

Test(store, members_come_by_ascending_address_until_told_to_stop)
{
    struct bypeer_store *store = open_store();
    bypeer_store_begin(store, &problem);
    put_members(store, 1, 100);
    bypeer_store_commit(store, &problem);
    uint8_t context[17] = {0};
    cr_assert_eq(bypeer_store_each_member(store, NULL, collect, context, &problem), 42);
    cr_assert_eq(context[16], 5);
    uint8_t first[16] = {0xfd, 0x13};
    context[16] = 0;
    cr_assert_eq(bypeer_store_each_member(store, first, collect, context, &problem), 0);
    cr_assert_eq(context[16], 0, "none lies beyond");
    bypeer_store_close(store);
}

Test(store, counters_never_give_a_number_twice)
{
    uint64_t value;
    for (uint64_t expected = 1; expected <= 3; expected++) {
        struct bypeer_store *store = open_store();
        bypeer_store_begin(store, &problem);
        cr_assert_eq(bypeer_store_count_up(store, "start", &value, &problem), 0);
        cr_assert_eq(value, expected);
        bypeer_store_commit(store, &problem);
        bypeer_store_close(store);
    }
}

static void execute(const char *text)
{
    sqlite3 *database;
    cr_assert_eq(sqlite3_open(file, &database), SQLITE_OK);
    cr_assert_eq(sqlite3_exec(database, text, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(database);
}

Test(store, a_newer_schema_is_refused_and_left_alone)
{
    bypeer_store_close(open_store());
    execute("UPDATE schema SET version = 2");
    struct bypeer_store *store;
    cr_assert_eq(bypeer_store_open(&store, file, &problem), -ENOTSUP);
    cr_assert_str_eq(problem.key, "newer_schema");
    cr_assert(strstr(problem.value, "schema 2"), "%s", problem.value);
    execute("UPDATE schema SET version = 1");
    bypeer_store_close(open_store());
}

Test(store, the_database_of_another_program_is_refused)
{
    execute("CREATE TABLE members (name TEXT)");
    struct bypeer_store *store;
    cr_assert_eq(bypeer_store_open(&store, file, &problem), -EBADMSG);
    cr_assert_str_eq(problem.key, "foreign_database");
}

Test(store, what_is_no_database_is_refused)
{
    FILE *garbage = fopen(file, "w");
    for (int at = 0; at < 1000; at++)
        fputs("not a database ", garbage);
    fclose(garbage);
    struct bypeer_store *store;
    cr_assert_eq(bypeer_store_open(&store, file, &problem), -EBADMSG);
    cr_assert_str_eq(problem.key, "store");
}

static int count_rows(void *context, const uint8_t address[static 16], uint32_t link)
{
    (void)address;
    (void)link;
    ++*(int *)context;
    return 0;
}

Test(store, damaged_rows_are_left_out)
{
    bypeer_store_close(open_store());
    execute("INSERT INTO members VALUES (x'00', 1), (x'fd000000000000000000000000000001', 'seven'), ('text', 5);"
            "INSERT INTO members VALUES (x'fd000000000000000000000000000002', -3)");
    struct bypeer_store *store = open_store();
    int rows = 0;
    cr_assert_eq(bypeer_store_each_member(store, NULL, count_rows, &rows, &problem), 0);
    cr_assert_eq(rows, 2, "those with an address of 16 bytes");
    bypeer_store_close(store);
}
