/* The groups of a node, over its database and its files: what is there after a change, and after one that failed. */
#include <criterion/criterion.h>
#include <errno.h>
#include <ftw.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "control/groups/state.h"
#include "node_fixture.h"

static struct node_fixture fixture;
static struct bypeer_problem problem;
static uv_loop_t loop;

static void open_groups(void)
{
    node_fixture_open(&fixture, NULL);
    cr_assert_eq(bypeer_groups_open(&fixture.node.groups, &loop, &fixture.node, &problem), 0, "%s", problem.value);
}

static void close_groups(void)
{
    bypeer_groups_close(fixture.node.groups);
    fixture.node.groups = NULL;
    uv_run(&loop, UV_RUN_DEFAULT);
    node_fixture_close(&fixture);
}

static void begin(void)
{
    char yaml[256];
    cr_assert_eq(uv_loop_init(&loop), 0);
    node_fixture_begin(&fixture, "");
    snprintf(yaml, sizeof(yaml),
             "node: { name: alpha, state: \"%s\" }\n"
             "grouping: { addresses: [\"2001:db8::%x\"] }\n",
             fixture.directory, (unsigned)getpid() & 0xffff);
    node_fixture_write(&fixture, yaml);
    open_groups();
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *where)
{
    (void)status;
    (void)type;
    (void)where;
    return remove(path);
}

static void end(void)
{
    close_groups();
    node_fixture_end(&fixture);
    nftw(fixture.directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    cr_assert_eq(uv_loop_close(&loop), 0);
}

TestSuite(groups, .init = begin, .fini = end, .timeout = 60);

static int create(const char *friendly, const char *password, struct bypeer_joined **ret_joined)
{
    const struct bypeer_groups_founding founding = {
        .profile = bypeer_profile(BYPEER_PROFILE_MODERN), .friendly = friendly, .password = password};
    return bypeer_groups_create(fixture.node.groups, &founding, ret_joined, &problem);
}

static void run_sql(const char *sql)
{
    sqlite3 *database;
    cr_assert_eq(sqlite3_open(fixture.database, &database), SQLITE_OK);
    cr_assert_eq(sqlite3_exec(database, sql, NULL, NULL, NULL), SQLITE_OK, "%s", sqlite3_errmsg(database));
    sqlite3_close(database);
}

static int count_sql(const char *sql)
{
    sqlite3 *database;
    sqlite3_stmt *statement;
    cr_assert_eq(sqlite3_open(fixture.database, &database), SQLITE_OK);
    cr_assert_eq(sqlite3_prepare_v2(database, sql, -1, &statement, NULL), SQLITE_OK, "%s", sqlite3_errmsg(database));
    cr_assert_eq(sqlite3_step(statement), SQLITE_ROW);
    int count = sqlite3_column_int(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(database);
    return count;
}

static unsigned key_count;

static int count_key(const char *path, const struct stat *status, int type, struct FTW *where)
{
    (void)status;
    (void)where;
    const char *name = strrchr(path, '/');
    key_count += type == FTW_F && strcmp(name, "/group.pem") == 0;
    return 0;
}

static unsigned count_keys(void)
{
    key_count = 0;
    nftw(fixture.directory, count_key, 8, FTW_PHYS);
    return key_count;
}

Test(groups, a_founded_group_is_whole_in_the_database_or_not_there)
{
    struct bypeer_joined *joined;
    close_groups();
    run_sql("CREATE TRIGGER full BEFORE INSERT ON group_records BEGIN SELECT RAISE(ABORT, 'full'); END");
    open_groups();
    cr_assert_lt(create("lab", "secret", &joined), 0);
    cr_assert_str_neq(problem.value, "");
    cr_assert_null(bypeer_groups_first(fixture.node.groups));
    cr_assert_eq(count_keys(), 0);
    close_groups();
    cr_assert_eq(count_sql("SELECT count(*) FROM groups_joined"), 0);
    cr_assert_eq(count_sql("SELECT count(*) FROM audit WHERE group_name != ''"), 0);
    run_sql("DROP TRIGGER full");
    open_groups();
    cr_assert_eq(create("lab", "secret", &joined), 0, "%s", problem.value);
    cr_assert_eq(count_keys(), 1);
    close_groups();
    cr_assert_eq(count_sql("SELECT count(*) FROM audit WHERE action = 'created'"), 1);
    open_groups();
    joined = bypeer_groups_first(fixture.node.groups);
    cr_assert_not_null(joined);
    cr_assert(bypeer_group_properties(bypeer_joined_group(joined))->has_password);
}

static int count_refusals(const char *group, const char *text)
{
    char sql[256];
    cr_assert_eq(groups_flush(fixture.node.groups, &problem), 0, "%s", problem.value);
    snprintf(sql, sizeof(sql),
             "SELECT count(*) FROM audit WHERE action = 'refused' AND group_name = '%s' AND text LIKE '%s'", group,
             text);
    return count_sql(sql);
}

Test(groups, strangers_do_not_hide_in_the_audit_log_what_members_do)
{
    struct bypeer_joined *one, *other;
    const uint64_t minute = 60000;
    cr_assert_eq(create("one", NULL, &one), 0, "%s", problem.value);
    cr_assert_eq(create("other", NULL, &other), 0, "%s", problem.value);
    for (unsigned at = 0; at < GROUPS_REFUSALS + 7; at++) {
        joined_audit_refusal(one, false, NULL, "", "knock", minute);
        cr_assert_eq(groups_flush(fixture.node.groups, &problem), 0);
    }
    cr_assert_eq(count_refusals(one->name_text, "knock"), GROUPS_REFUSALS);
    for (unsigned at = 0; at < GROUPS_REFUSALS + 3; at++) {
        joined_audit_refusal(one, true, "somebody", "", "forged", minute);
        cr_assert_eq(groups_flush(fixture.node.groups, &problem), 0);
    }
    cr_assert_eq(count_refusals(one->name_text, "forged"), GROUPS_REFUSALS);
    joined_audit_refusal(other, true, "somebody", "", "forged", minute);
    cr_assert_eq(count_refusals(other->name_text, "forged"), 1, "each group has its own");
    cr_assert_eq(count_refusals("", "%more%"), 0);
    groups_end_refusals(fixture.node.groups, 2 * minute);
    cr_assert_eq(count_refusals("", "7 more of strangers%"), 1);
    cr_assert_eq(count_refusals(one->name_text, "3 more of members%"), 1);
    joined_audit_refusal(one, false, NULL, "", "knock", 2 * minute);
    cr_assert_eq(count_refusals(one->name_text, "knock"), GROUPS_REFUSALS + 1);
}
