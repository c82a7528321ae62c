/* Memberships, records and the audit log in the database. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "control/store/groups.h"
#include "control/store/statements.h"

static struct bypeer_problem problem;

static struct bypeer_store *open_store(void)
{
    struct bypeer_store *store;
    cr_assert_eq(bypeer_store_open(&store, ":memory:", &problem), 0, "%s", problem.value);
    cr_assert_eq(bypeer_store_begin(store, &problem), 0);
    return store;
}

static struct bypeer_store_joined kept;
static uint8_t kept_chain[8];
static unsigned count;

static int keep_joined(void *context, const struct bypeer_store_joined *joined)
{
    (void)context;
    kept = *joined;
    cr_assert_leq(joined->chain_bytes, sizeof(kept_chain));
    if (joined->chain_bytes > 0)
        memcpy(kept_chain, joined->chain, joined->chain_bytes);
    cr_assert_str_eq(joined->name, count == 0 ? "aa.one" : "bb.two");
    cr_assert_str_eq(joined->friendly, "A group");
    count++;
    return 0;
}

Test(store_groups, a_membership_comes_back_as_it_was_and_goes_with_its_records)
{
    struct bypeer_store *store = open_store();
    const uint8_t id[16] = {9}, record[] = "a record";
    struct bypeer_store_joined joined = {
        .name = "bb.two",
        .profile = "modern",
        .identity = "cc.me",
        .friendly = "A group",
        .chain = (const uint8_t *)"chain",
        .chain_bytes = 5,
        .seeds = {{.address = {0x20, 1}, .port = 3587}, {.address = {[10] = 0xff, [11] = 0xff, [15] = 1}, .port = 99}},
        .seed_count = 2,
        .time_delta = -77,
        .synchronised = true,
    };
    cr_assert_eq(bypeer_store_put_joined(store, &joined, &problem), 0);
    joined.name = "aa.one";
    joined.chain = NULL;
    joined.chain_bytes = 0;
    cr_assert_eq(bypeer_store_put_joined(store, &joined, &problem), 0);
    cr_assert_eq(bypeer_store_put_record(store, "aa.one", id, 1, record, sizeof(record), &problem), 0);
    cr_assert_eq(bypeer_store_each_joined(store, keep_joined, NULL, &problem), 0);
    cr_assert_eq(count, 2);
    cr_assert_eq(kept.chain_bytes, 5);
    cr_assert_arr_eq(kept_chain, "chain", 5);
    cr_assert_eq(kept.seed_count, 2);
    cr_assert_eq(kept.seeds[1].port, 99);
    cr_assert_eq(kept.seeds[1].address[15], 1);
    cr_assert_eq(kept.time_delta, -77);
    cr_assert(kept.synchronised);

    cr_assert_eq(bypeer_store_remove_joined(store, "bb.two", &problem), 0);
    count = 0;
    cr_assert_eq(bypeer_store_each_joined(store, keep_joined, NULL, &problem), 0);
    cr_assert_eq(count, 1);
    cr_assert_null(kept.chain);
    bypeer_store_close(store);
}

static int keep_record(void *context, uint32_t flags, const uint8_t *record, size_t length)
{
    char *text = context;
    cr_assert_eq(flags, 1);
    memcpy(text + strlen(text), record, length);
    return 0;
}

Test(store_groups, records_are_their_group_s_and_one_for_each_id)
{
    struct bypeer_store *store = open_store();
    const uint8_t one[16] = {1}, two[16] = {2};
    char text[64] = "";
    cr_assert_eq(bypeer_store_put_record(store, "a", one, 1, (const uint8_t *)"old", 3, &problem), 0);
    cr_assert_eq(bypeer_store_put_record(store, "a", one, 1, (const uint8_t *)"new", 3, &problem), 0);
    cr_assert_eq(bypeer_store_put_record(store, "a", two, 1, (const uint8_t *)"gone", 4, &problem), 0);
    cr_assert_eq(bypeer_store_put_record(store, "b", two, 1, (const uint8_t *)"other", 5, &problem), 0);
    cr_assert_eq(bypeer_store_remove_record(store, "a", two, &problem), 0);
    cr_assert_eq(bypeer_store_each_record(store, "a", keep_record, text, &problem), 0);
    cr_assert_str_eq(text, "new");
    cr_assert_eq(bypeer_store_remove_joined(store, "a", &problem), 0);
    memset(text, 0, sizeof(text));
    cr_assert_eq(bypeer_store_each_record(store, "a", keep_record, text, &problem), 0);
    cr_assert_eq(bypeer_store_each_record(store, "b", keep_record, text, &problem), 0);
    cr_assert_str_eq(text, "other");
    bypeer_store_close(store);
}

static struct bypeer_store_audit last;

static int keep_entry(void *context, const struct bypeer_store_audit *entry)
{
    (void)context;
    cr_assert(count == 0 || entry->number == last.number + 1, "an entry is missing");
    last = *entry;
    count++;
    return 0;
}

Test(store_groups, the_audit_log_has_the_last_entries_in_order)
{
    struct bypeer_store *store = open_store();
    struct bypeer_store_audit entry = {
        .time_s = 1700000000, .group = "aa.g", .action = "revoked", .who = "w", .whom = "m", .text = "lost"};
    int64_t after;
    cr_assert_eq(bypeer_store_audit_tail(store, 5, &after, &problem), 0);
    cr_assert_eq(after, 0);
    for (unsigned at = 0; at < 12; at++)
        cr_assert_eq(bypeer_store_put_audit(store, &entry, &problem), 0);
    cr_assert_eq(bypeer_store_audit_tail(store, 5, &after, &problem), 0);
    cr_assert_eq(bypeer_store_each_audit(store, after, keep_entry, NULL, &problem), 0);
    cr_assert_eq(count, 5);
    cr_assert_eq(last.number, 12);
    cr_assert_eq(last.time_s, 1700000000);
    cr_assert_str_eq(last.group, "aa.g");
    cr_assert_str_eq(last.action, "revoked");
    cr_assert_str_eq(last.who, "w");
    cr_assert_str_eq(last.whom, "m");
    cr_assert_str_eq(last.text, "lost");
    bypeer_store_close(store);
}

Test(store_groups, the_audit_log_forgets_what_is_oldest)
{
    struct bypeer_store *store = open_store();
    struct bypeer_store_audit entry = {.action = "refused"};
    const unsigned more = 10;
    for (unsigned at = 0; at < BYPEER_STORE_AUDIT_ROWS + more; at++)
        cr_assert_eq(bypeer_store_put_audit(store, &entry, &problem), 0);
    cr_assert_eq(bypeer_store_each_audit(store, 0, keep_entry, NULL, &problem), 0);
    cr_assert_eq(count, BYPEER_STORE_AUDIT_ROWS);
    cr_assert_eq(last.number, BYPEER_STORE_AUDIT_ROWS + more);
    bypeer_store_close(store);
}

static struct bypeer_store_issued issued;
static unsigned issued_count;

static int keep_issued(void *context, const struct bypeer_store_issued *row)
{
    (void)context;
    issued = *row;
    issued_count++;
    return 0;
}

static unsigned count_issued(struct bypeer_store *store, const char *group)
{
    issued_count = 0;
    cr_assert_eq(bypeer_store_each_issued(store, group, 0, keep_issued, NULL, &problem), 0, "%s", problem.value);
    return issued_count;
}

Test(store_groups, what_was_issued_is_kept_by_key_until_it_expires)
{
    struct bypeer_store *store = open_store();
    struct bypeer_store_issued row = {.group = "aa.one",
                                      .key = {1},
                                      .key_bytes = 32,
                                      .name = "cc.bob",
                                      .friendly = "Bob",
                                      .roles = 4,
                                      .issued_s = 10,
                                      .expires_s = 100,
                                      .how = "invited"};
    cr_assert_eq(bypeer_store_put_issued(store, &row, 10, &problem), 0, "%s", problem.value);
    row.issued_s = 20;
    row.expires_s = 50;
    row.roles = 2;
    cr_assert_eq(bypeer_store_put_issued(store, &row, 20, &problem), 0);
    cr_assert_eq(count_issued(store, "aa.one"), 1);
    cr_assert_eq(issued.issued_s, 20);
    cr_assert_eq(issued.expires_s, 100, "what was issued first lasts as it said");
    cr_assert_eq(issued.roles, 2);
    cr_assert_str_eq(issued.how, "invited");
    cr_assert_eq(issued.key[0], 1);
    row.key[0] = 2;
    row.expires_s = 500;
    cr_assert_eq(bypeer_store_put_issued(store, &row, 100, &problem), 0);
    cr_assert_eq(count_issued(store, "aa.one"), 1, "the other has expired");
    cr_assert_eq(issued.key[0], 2);
    cr_assert_eq(count_issued(store, "bb.two"), 0);
    cr_assert_eq(bypeer_store_remove_joined(store, "aa.one", &problem), 0);
    cr_assert_eq(count_issued(store, "aa.one"), 0);
    bypeer_store_close(store);
}

static int count_invited(void *context, const struct bypeer_store_issued *row)
{
    *(unsigned *)context += strcmp(row->how, "invited") == 0;
    issued_count++;
    return 0;
}

Test(store_groups, whoever_knows_a_password_pushes_no_invitation_out)
{
    struct bypeer_store *store = open_store();
    struct bypeer_store_issued row = {
        .group = "aa.one", .key_bytes = 32, .name = "cc.bob", .expires_s = 100, .how = "invited"};
    char sql[512];
    unsigned invited = 0;
    cr_assert_eq(bypeer_store_put_issued(store, &row, 10, &problem), 0);
    snprintf(sql, sizeof(sql),
             "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) INSERT INTO group_issued"
             " SELECT NULL, 'aa.one', CAST(i AS BLOB), 'dd.eve', 'Eve', 4, 20, 100, 'password' FROM n",
             BYPEER_STORE_ISSUED + 5);
    cr_assert_eq(sqlite3_exec(store->database, sql, NULL, NULL, NULL), SQLITE_OK);
    snprintf(row.how, sizeof(row.how), "password");
    row.key[0] = 1;
    cr_assert_eq(bypeer_store_put_issued(store, &row, 10, &problem), 0);
    issued_count = 0;
    cr_assert_eq(bypeer_store_each_issued(store, "aa.one", 0, count_invited, &invited, &problem), 0);
    cr_assert_eq(issued_count, BYPEER_STORE_ISSUED);
    cr_assert_eq(invited, 1);
    bypeer_store_close(store);
}
