/* Memberships, records and the audit log in the database. */
#include <criterion/criterion.h>
#include <string.h>

#include "control/store/groups.h"

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
