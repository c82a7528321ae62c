/* The groups of a node, over its database and its files: what is there after a change, and after one that failed. */
#include <criterion/criterion.h>
#include <errno.h>
#include <ftw.h>
#include <jansson.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/api/api.h"
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
    struct bypeer_groups_founded founded;
    int result = bypeer_groups_prepare(&founding, &founded, &problem);
    if (result == 0)
        result = bypeer_groups_create(fixture.node.groups, &founding, &founded, ret_joined, &problem);
    bypeer_groups_founded_clear(&founded);
    return result;
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

/* --- the API --- */

#define NOTE "6f2b5c1a-0d53-4f7e-9c1e-1a2b3c4d5e6f"

static char *answer_text;

static void take_answer(void *context, char *text, size_t length)
{
    (void)context;
    (void)length;
    answer_text = text;
}

/* The result of a request, which is to be released; parameters is taken over. */
static json_t *call(const char *method, json_t *parameters)
{
    static const struct bypeer_api_client client = {.answer = take_answer};
    json_t *request =
        json_pack("{s:s, s:i, s:s, s:o}", "jsonrpc", "2.0", "id", 1, "method", method, "params", parameters);
    char *line = json_dumps(request, JSON_COMPACT);
    cr_assert_null(bypeer_api_take(&fixture.node, line, strlen(line), &client, NULL));
    json_t *answer = json_loads(answer_text, 0, NULL), *result = json_object_get(answer, "result");
    cr_assert_not_null(result, "%s", answer_text);
    json_incref(result);
    json_decref(answer);
    json_decref(request);
    free(answer_text);
    free(line);
    return result;
}

static void publish(size_t bytes, const char *topic, char ret_id[static 40])
{
    char *payload = malloc(bytes + 1), attributes[256];
    memset(payload, 'x', bytes);
    payload[bytes] = '\0';
    snprintf(attributes, sizeof(attributes),
             "<attributes><attribute name=\"Topic\" type=\"string\">%s</attribute></attributes>", topic);
    json_t *result = call("record.publish", json_pack("{s:s, s:s, s:s, s:s}", "group", "lab", "type", NOTE, "payload",
                                                      payload, "attributes", attributes));
    snprintf(ret_id, 40, "%s", json_string_value(json_object_get(result, "id")));
    json_decref(result);
    free(payload);
}

/* is_local: as if its tombstone had expired, too. */
static void delete_record(struct bypeer_joined *joined, const char *id, bool is_local)
{
    struct bypeer_guid guid;
    cr_assert_eq(bypeer_guid_read(&guid, id), 0);
    cr_assert_eq(bypeer_graph_delete(joined->graph, bypeer_groups_now(), &guid, is_local), 0);
}

Test(groups, a_list_is_bounded_in_bytes_and_goes_on_behind_a_record_that_is_gone)
{
    enum { COUNT = 7 };
    struct bypeer_joined *joined;
    char ids[COUNT][40], after[128] = "";
    unsigned seen = 0, pages = 0;
    cr_assert_eq(create("lab", NULL, &joined), 0, "%s", problem.value);
    for (unsigned at = 0; at < COUNT; at++)
        publish(at == 3 ? 1 << 20 : 400 << 10, "chess", ids[at]);
    do {
        json_t *page = call("record.list", json_pack("{s:s, s:s*}", "group", "lab", "after", after[0] ? after : NULL));
        json_t *list = json_object_get(page, "records"), *entry;
        size_t at, count = json_array_size(list), bytes = json_dumpb(list, NULL, 0, JSON_COMPACT);
        cr_assert_gt(count, 0);
        cr_assert(count == 1 || bytes <= (1 << 20) + 2, "%zu records, %zu bytes", count, bytes);
        json_array_foreach (list, at, entry)
            delete_record(joined, json_string_value(json_object_get(entry, "id")), true);
        seen += (unsigned)count;
        pages++;
        const char *next = json_string_value(json_object_get(page, "next"));
        snprintf(after, sizeof(after), "%s", next ? next : "");
        json_decref(page);
    } while (after[0]);
    cr_assert_eq(seen, COUNT);
    cr_assert_gt(pages, 3);
}

Test(groups, a_watch_with_a_search_tells_of_records_by_their_attributes)
{
    struct bypeer_joined *joined;
    char chess[40], go[40];
    cr_assert_eq(create("lab", NULL, &joined), 0, "%s", problem.value);
    publish(10, "chess", chess);
    publish(10, "go", go);
    json_t *told = call("record.watch",
                        json_pack("{s:s, s:i, s:s, s:s}", "group", "lab", "after", 0, "type", NOTE, "search",
                                  "<peersearch><clause attrib=\"Topic\" type=\"string\">che*</clause></peersearch>"));
    const json_t *events = json_object_get(told, "events");
    cr_assert_eq(json_array_size(events), 1);
    cr_assert_str_eq(json_string_value(json_object_get(json_object_get(json_array_get(events, 0), "record"), "id")),
                     chess);
    json_int_t next = json_integer_value(json_object_get(told, "next"));
    json_decref(told);
    delete_record(joined, chess, false);
    told = call("record.watch",
                json_pack("{s:s, s:I, s:s, s:s}", "group", "lab", "after", next, "type", NOTE, "search",
                          "<peersearch><clause attrib=\"Topic\" type=\"string\">che*</clause></peersearch>"));
    cr_assert_eq(json_array_size(json_object_get(told, "events")), 1, "that it is gone");
    json_decref(told);
}

Test(groups, a_watch_is_bounded_in_bytes)
{
    struct bypeer_joined *joined;
    char id[40];
    cr_assert_eq(create("lab", NULL, &joined), 0, "%s", problem.value);
    for (unsigned at = 0; at < 4; at++)
        publish(400 << 10, "chess", id);
    json_int_t after = 0;
    for (unsigned seen = 0; seen < 4;) {
        json_t *told = call("record.watch", json_pack("{s:s, s:I, s:s}", "group", "lab", "after", after, "type", NOTE));
        size_t count = json_array_size(json_object_get(told, "events"));
        cr_assert(count == 1 || count == 2, "%zu", count);
        seen += (unsigned)count;
        after = json_integer_value(json_object_get(told, "next"));
        json_decref(told);
    }
}

static json_t *find_listed(json_t *listed, const char *name)
{
    size_t at;
    json_t *group;
    json_array_foreach (json_object_get(listed, "groups"), at, group)
        if (strcmp(json_string_value(json_object_get(group, "name")), name) == 0)
            return group;
    return NULL;
}

static void expect_unopened(json_t *listed, const char *name, const char *key, bool has_key)
{
    const json_t *group = find_listed(listed, name), *why = json_object_get(group, "problem");
    cr_assert_str_eq(json_string_value(json_object_get(group, "state")), "unopened");
    cr_assert_str_eq(json_string_value(json_object_get(why, "key")), key);
    cr_assert_gt(strlen(json_string_value(json_object_get(why, "value"))), 0);
    cr_assert_gt(strlen(json_string_value(json_object_get(why, "remedy"))), 0);
    cr_assert_eq(json_is_true(json_object_get(group, "founder")), has_key);
}

static void damage_key(const struct bypeer_joined *joined)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/groups/%.40s/group.pem", fixture.directory, bypeer_joined_name_text(joined));
    FILE *file = fopen(path, "w");
    cr_assert(file && fputs("no key", file) >= 0 && fclose(file) == 0);
}

Test(groups, what_cannot_be_opened_is_listed_with_the_reason)
{
    struct bypeer_joined *joined;
    cr_assert_eq(create("lab", NULL, &joined), 0, "%s", problem.value);
    cr_assert_eq(create("club", NULL, &joined), 0, "%s", problem.value);
    cr_assert_eq(create("inn", NULL, &joined), 0, "%s", problem.value);
    damage_key(joined);
    cr_assert_eq(create("band", NULL, &joined), 0, "%s", problem.value);
    cr_assert_eq(create("kept", NULL, &joined), 0, "%s", problem.value);
    close_groups();
    run_sql("UPDATE groups_joined SET chain = x'00' WHERE friendly = 'lab'");
    run_sql("UPDATE groups_joined SET name = 'no/../name' WHERE friendly = 'club'");
    run_sql("UPDATE groups_joined SET identity = '0123456789012345678901234567890123456789.x' WHERE friendly = 'band'");
    open_groups();
    json_t *listed = call("group.list", json_object());
    cr_assert_eq(json_array_size(json_object_get(listed, "groups")), 5);
    cr_assert_str_eq(json_string_value(json_object_get(find_listed(listed, "kept"), "state")), "alone");
    expect_unopened(listed, "lab", "not_a_member", true);
    expect_unopened(listed, "club", "damaged_group", false);
    expect_unopened(listed, "inn", "group_key", true);
    expect_unopened(listed, "band", "no_such_identity", true);
    json_decref(listed);
    cr_assert_null(bypeer_groups_find(fixture.node.groups, "inn", &problem));
    cr_assert_str_eq(problem.key, "group_unopened");
    cr_assert_not_null(strstr(problem.value, "group.pem"));
    cr_assert_not_null(strstr(problem.remedy, "backup"));
    struct bypeer_groups_removed removed;
    cr_assert_eq(bypeer_groups_leave_unopened(fixture.node.groups, "inn", &removed, &problem), 0);
    listed = call("group.list", json_object());
    cr_assert_null(find_listed(listed, "inn"));
    json_decref(listed);
}

static void leave(const char *text, bool has_key)
{
    json_t *removed = call("group.leave", json_pack("{s:s}", "group", text));
    cr_assert(json_is_true(json_object_get(removed, "unopened")));
    cr_assert_eq(json_is_true(json_object_get(removed, "key")), has_key);
    json_decref(removed);
}

Test(groups, what_cannot_be_opened_can_be_left)
{
    struct bypeer_joined *joined;
    cr_assert_eq(create("lab", NULL, &joined), 0, "%s", problem.value);
    cr_assert_eq(create("club", NULL, &joined), 0, "%s", problem.value);
    cr_assert_eq(create("kept", NULL, &joined), 0, "%s", problem.value);
    close_groups();
    run_sql("UPDATE groups_joined SET chain = x'00' WHERE friendly = 'lab'");
    run_sql("UPDATE groups_joined SET name = 'no/../name' WHERE friendly = 'club'");
    open_groups();
    joined = bypeer_groups_first(fixture.node.groups);
    cr_assert_str_eq(bypeer_joined_friendly(joined), "kept");
    cr_assert_null(bypeer_groups_next(joined));
    cr_assert_eq(count_keys(), 3);
    leave("lab", true);
    leave("no/../name", false);
    struct bypeer_groups_removed removed;
    cr_assert_eq(bypeer_groups_leave_unopened(fixture.node.groups, "kept", &removed, &problem), -ENOENT);
    cr_assert_eq(bypeer_groups_leave_unopened(fixture.node.groups, "lab", &removed, &problem), -ENOENT);
    cr_assert_eq(count_keys(), 2);
    cr_assert_eq(count_sql("SELECT count(*) FROM groups_joined"), 1);
    cr_assert_eq(count_sql("SELECT count(*) FROM audit WHERE action = 'left'"), 2);
}

/* --- what was issued --- */

/* Somebody with this friendly name is invited, and does not come; his peer name. */
static void invite(const char *friendly, char ret_name[static BYPEER_NAME_TEXT_MAX])
{
    json_t *made = call("identities.create", json_pack("{s:s}", "friendly_name", friendly));
    const json_t *identity = json_object_get(made, "identity");
    snprintf(ret_name, BYPEER_NAME_TEXT_MAX, "%s", json_string_value(json_object_get(identity, "name")));
    json_t *shown = call("identities.show", json_pack("{s:s}", "identity", ret_name));
    json_decref(call("group.invite",
                     json_pack("{s:s, s:O, s:i}", "group", "lab", "identity",
                               json_object_get(json_object_get(shown, "identity"), "xml"), "lifetime_s", 3600)));
    json_decref(shown);
    json_decref(made);
}

static void expect_issued(const char *name, const char *state)
{
    json_t *listed = call("group.issued", json_pack("{s:s}", "group", "lab")), *entry;
    size_t at;
    bool is_found = false;
    json_array_foreach (json_object_get(listed, "issued"), at, entry) {
        if (strcmp(json_string_value(json_object_get(entry, "member")), name) != 0)
            continue;
        is_found = true;
        cr_assert_str_eq(json_string_value(json_object_get(entry, "state")), state);
        cr_assert_str_eq(json_string_value(json_array_get(json_object_get(entry, "roles"), 0)), "member");
    }
    cr_assert(is_found);
    json_decref(listed);
}

Test(groups, who_was_invited_and_never_came_is_revoked_by_name)
{
    const struct bypeer_joined_verdict verdict = {.reason = "lost"};
    struct bypeer_joined *joined;
    char bob[BYPEER_NAME_TEXT_MAX], other_bob[BYPEER_NAME_TEXT_MAX], carol[BYPEER_NAME_TEXT_MAX];
    cr_assert_eq(create("lab", NULL, &joined), 0, "%s", problem.value);
    invite("Bob", bob);
    invite("Carol", carol);
    expect_issued(bob, "invited");
    close_groups();
    open_groups();
    joined = bypeer_groups_first(fixture.node.groups);
    expect_issued(bob, "invited");
    cr_assert_eq(bypeer_joined_revoke(joined, "Carol", &verdict, &problem), 0, "%s", problem.value);
    expect_issued(carol, "revoked");
    expect_issued(bob, "invited");
    cr_assert_eq(bypeer_joined_revoke(joined, "Carol", &verdict, &problem), -ENOENT);
    invite("Bob", other_bob);
    cr_assert_eq(bypeer_joined_revoke(joined, "Bob", &verdict, &problem), -EINVAL);
    cr_assert_str_eq(problem.key, "ambiguous_member");
    cr_assert_eq(bypeer_joined_revoke(joined, other_bob, &verdict, &problem), 0, "%s", problem.value);
    expect_issued(other_bob, "revoked");
    expect_issued(bob, "invited");
    cr_assert_eq(bypeer_joined_revoke(joined, "Bob", &verdict, &problem), 0, "%s", problem.value);
    expect_issued(bob, "revoked");
    cr_assert_eq(bypeer_groups_leave(fixture.node.groups, joined, &problem), 0);
    cr_assert_eq(count_sql("SELECT count(*) FROM group_issued"), 0);
}

Test(groups, an_invitation_that_cannot_be_noted_is_not_given_away)
{
    struct bypeer_joined *joined;
    struct bypeer_invitation invitation = {0};
    struct bypeer_group_member member;
    char bob[BYPEER_NAME_TEXT_MAX];
    cr_assert_eq(create("lab", NULL, &joined), 0, "%s", problem.value);
    invite("Bob", bob);
    json_t *shown = call("identities.show", json_pack("{s:s}", "identity", bob));
    const struct bypeer_joined_order order = {
        .identity = json_string_value(json_object_get(json_object_get(shown, "identity"), "xml"))};
    run_sql("CREATE TRIGGER full BEFORE INSERT ON group_issued BEGIN SELECT RAISE(ABORT, 'full'); END");
    cr_assert_lt(bypeer_joined_invite(joined, &order, &invitation, &member, &problem), 0);
    cr_assert_str_eq(problem.key, "store");
    bypeer_invitation_clear(&invitation);
    run_sql("DROP TRIGGER full");
    json_decref(shown);
}

/* --- direct links --- */

#define ANN "1111111111111111111111111111111111111111.ann"
#define BOB "2222222222222222222222222222222222222222.bob"

/* A member has opened a link, as the graph says. */
static void hear_of_link(struct bypeer_joined *joined, uint32_t number, const char *member)
{
    const struct bypeer_graph_link_event event = {.change = BYPEER_GRAPH_LINK_CONNECTED,
                                                  .link = number,
                                                  .kind = BYPEER_GRAPH_DIRECT,
                                                  .peer_id = member,
                                                  .why = ""};
    joined_direct_linked(joined, &event);
}

static void expect_received(json_int_t after, size_t events, bool is_whole, json_int_t *ret_next)
{
    json_t *told = call("direct.receive", json_pack("{s:s, s:I}", "group", "lab", "after", after));
    cr_assert_eq(json_array_size(json_object_get(told, "events")), events);
    cr_assert_eq(json_is_true(json_object_get(told, "whole")), is_whole);
    *ret_next = json_integer_value(json_object_get(told, "next"));
    json_decref(told);
}

Test(groups, one_member_does_not_take_all_direct_links)
{
    struct bypeer_joined *joined;
    cr_assert_eq(create("lab", NULL, &joined), 0, "%s", problem.value);
    for (uint32_t number = 100; number < 100 + BYPEER_DIRECT_OF_OWNER; number++)
        hear_of_link(joined, number, ANN);
    cr_assert(!joined->has_surplus);
    hear_of_link(joined, 200, ANN);
    cr_assert(joined->has_surplus);
    joined->has_surplus = false;
    hear_of_link(joined, 300, BOB);
    cr_assert(!joined->has_surplus, "another has his own");
}

Test(groups, what_was_received_last_is_never_stale)
{
    static const uint8_t bytes[BYPEER_DIRECT_DATA_MAX + 1];
    const struct bypeer_guid type = {{1}};
    struct bypeer_joined *joined;
    json_int_t begun, after, later;
    cr_assert_eq(create("lab", NULL, &joined), 0, "%s", problem.value);
    begun = (json_int_t)bypeer_direct_sequence(joined);
    hear_of_link(joined, 100, ANN);
    joined_direct_data(joined, 100, &type, bytes, 1);
    expect_received(begun, 2, true, &after);
    joined_direct_data(joined, 100, &type, bytes, sizeof(bytes));
    expect_received(after, 0, false, &later);
    cr_assert_eq(later, after + 1, "what was lost is told once");
    joined_direct_data(joined, 100, &type, bytes, 1);
    expect_received(later, 1, true, &after);
    expect_received(0, 3, false, &later);
    cr_assert_eq(later, after);
    expect_received(INT64_MAX, 3, false, &later);
    cr_assert_eq(later, after, "a number that was none of this group's begins with the oldest");

    close_groups();
    sleep(1);
    open_groups();
    joined = bypeer_groups_first(fixture.node.groups);
    for (unsigned at = 0; at < 8; at++)
        hear_of_link(joined, 100 + at, ANN);
    expect_received(after, 8, false, &later);
    cr_assert_gt(later, after);
}

/* --- what a thread does --- */

static unsigned answers, turns;

static void take_late_answer(void *context, char *text, size_t length)
{
    (void)context;
    (void)length;
    cr_assert(!text || strstr(text, "\"result\""), "%s", text);
    free(text);
    answers++;
}

static void on_idle(uv_idle_t *idle)
{
    (void)idle;
    turns += answers == 0;
}

static const struct bypeer_api_client late_client = {.answer = take_late_answer};

static struct bypeer_exchange *begin_call(const char *line)
{
    return bypeer_api_take(&fixture.node, line, strlen(line), &late_client, NULL);
}

Test(groups, the_loop_goes_on_while_a_password_becomes_a_key)
{
    uv_idle_t idle;
    struct bypeer_joined *joined;
    cr_assert_eq(create("lab", "secret", &joined), 0, "%s", problem.value);
    fixture.node.loop = &loop;
    uv_idle_init(&loop, &idle);
    uv_idle_start(&idle, on_idle);
    const char *const lines[] = {
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"group.create\",\"params\":{\"name\":\"a\",\"password\":\"x\"}}",
        "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"group.create\",\"params\":{\"name\":\"b\",\"password\":\"y\"}}",
        "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"group.password\",\"params\":{\"group\":\"lab\",\"password\":\"z\"}"
        "}",
        "{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"group.export\",\"params\":{\"group\":\"lab\",\"password\":\"z\"}}",
    };
    for (unsigned at = 0; at < 4; at++)
        cr_assert_not_null(begin_call(lines[at]), "it comes later");
    cr_assert_eq(answers, 0);
    while (answers < 4)
        uv_run(&loop, UV_RUN_NOWAIT);
    cr_assert_gt(turns, 0);
    cr_assert_eq(fixture.node.groups->count, 3, "both that overlapped");
    /* Whoever went away, and a daemon that stops, leave nothing behind. */
    struct bypeer_exchange *gone = begin_call(lines[0]);
    bypeer_api_cancel(gone);
    cr_assert_eq(fixture.node.groups->count, 3);
    uv_close((uv_handle_t *)&idle, NULL);
    close_groups();
    cr_assert_eq(answers, 4);
    open_groups();
    cr_assert_eq(fixture.node.groups->count, 3);
}
