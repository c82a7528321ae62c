/* Accounts, limits and quotas over a node without sockets; the test counts in place of a data plane. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/usage/usage.h"
#include "tests/unit/node_fixture.h"

#define DAY 86400u

static struct node_fixture fixture;
static struct bypeer_sessions sessions;
static struct bypeer_sessions_view view;
static void *region;
static struct bypeer_problem problem;
static uint64_t now_s = 20000 * DAY; /* the 4th of October 2024 */

static void make_region(uint64_t generation)
{
    const struct bypeer_sessions_size size = {.workers = 2, .links = 64, .slots = 1, .relays = 1, .groups = 1};
    uint64_t bytes = bypeer_sessions_bytes(&size);
    char why[BYPEER_REGION_WHY_BYTES];
    free(region);
    region = aligned_alloc(BYPEER_CACHE_LINE, bytes);
    memset(region, 0, bytes);
    cr_assert_eq(bypeer_sessions_init(&sessions, region, bytes, &size, generation, 1), 0);
    cr_assert_eq(bypeer_sessions_use_rows(&sessions, 2), 0);
    cr_assert_eq(bypeer_sessions_view(&view, region, bytes, why), 0);
}

static void begin(void)
{
    node_fixture_begin(&fixture, node_fixture_sample);
    node_fixture_open(&fixture, NULL);
    make_region(1);
}

static void end(void)
{
    node_fixture_end(&fixture);
    free(region);
}

TestSuite(usage, .init = begin, .fini = end);

static const struct bypeer_model_link *beta(void)
{
    const struct bypeer_model_link *link = bypeer_model_find_link(fixture.node.model, "beta");
    cr_assert_not_null(link);
    return link;
}

/* A worker carries so many bytes each way for beta. */
static void carry(uint32_t worker, uint64_t received, uint64_t sent)
{
    struct bypeer_session *entry = &sessions.entries[worker * sessions.size.links + beta()->id];
    bypeer_session_begin(entry, beta()->serial);
    entry->received_packets++;
    entry->received_bytes += received;
    entry->sent_packets += 2;
    entry->sent_bytes += sent;
}

static void turns(unsigned seconds)
{
    for (unsigned i = 0; i < seconds; i++)
        bypeer_usage_turn(fixture.node.usage, &view, now_s++);
}

static struct bypeer_store_traffic account(uint64_t *ret_used)
{
    struct bypeer_store_traffic all;
    uint64_t used;
    cr_assert(bypeer_usage_account(fixture.node.usage, &view, beta(), &all, &used));
    if (ret_used)
        *ret_used = used;
    return all;
}

/* As by kill -9: nothing is saved at the end. */
static void restart(void)
{
    node_fixture_close(&fixture);
    node_fixture_open(&fixture, NULL);
}

static void set(const char *name, bool of_group, uint64_t bits_s, uint64_t quota, enum bypeer_quota_period period)
{
    struct bypeer_store_limit limit = {
        .of_group = of_group, .bits_s = bits_s, .burst = bits_s ? 20000 : 0, .quota = quota, .period = period};
    snprintf(limit.name, sizeof(limit.name), "%s", name);
    cr_assert_eq(bypeer_usage_set_limit(fixture.node.usage, &limit, &problem), 0, "%s", problem.value);
}

static const struct bypeer_limit *in_tables(void)
{
    return bypeer_writer_find_link_limit(fixture.node.generation->writer, beta()->id);
}

Test(usage, accounts_are_the_sum_of_all_workers_and_survive_a_killed_daemon)
{
    carry(0, 100, 1000);
    carry(1, 200, 2000);
    turns(10);
    carry(1, 50, 500); /* counted, not saved */
    restart();
    struct bypeer_store_traffic all = account(NULL);
    cr_assert_eq(all.received_packets, 3);
    cr_assert_eq(all.received_bytes, 350);
    cr_assert_eq(all.sent_packets, 6);
    cr_assert_eq(all.sent_bytes, 3500);
    restart();
    cr_assert_eq(account(NULL).received_bytes, 350, "each byte once");
}

Test(usage, accounts_survive_the_loss_of_the_region)
{
    carry(0, 100, 1000);
    turns(10);
    make_region(2); /* the machine was off */
    restart();
    cr_assert_eq(account(NULL).received_bytes, 100);
    carry(0, 7, 70);
    cr_assert_eq(account(NULL).received_bytes, 107);
    carry(0, 93, 0); /* as much as was seen before: it is another region */
    turns(10);
    restart();
    cr_assert_eq(account(NULL).received_bytes, 200);
}

Test(usage, a_new_link_of_an_old_name_begins_at_zero)
{
    struct bypeer_config_errors errors = {0};
    struct bypeer_store_link gamma = {.defined = true, .name = "gamma", .udp_port = 4790, .peer = {0x20, 1, [15] = 9}};
    cr_assert_eq(bypeer_model_add_link(fixture.node.model, &gamma, "lab", &problem), 0, "%s", problem.value);
    const struct bypeer_model_link *link = bypeer_model_find_link(fixture.node.model, "gamma");
    struct bypeer_session *entry = &sessions.entries[link->id];
    bypeer_session_begin(entry, link->serial);
    entry->received_bytes = 5000;
    set("gamma", false, 1000000, 0, BYPEER_QUOTA_ALL);
    turns(10);
    cr_assert_eq(bypeer_model_remove_link(fixture.node.model, "gamma", &problem), 0);
    turns(10);
    cr_assert_eq(bypeer_model_add_link(fixture.node.model, &gamma, "lab", &problem), 0);
    struct bypeer_store_traffic all;
    uint64_t used;
    link = bypeer_model_find_link(fixture.node.model, "gamma");
    cr_assert(bypeer_usage_account(fixture.node.usage, &view, link, &all, &used));
    cr_assert_eq(all.received_bytes, 0);
    cr_assert_null(bypeer_usage_find_limit(fixture.node.usage, false, "gamma"));
    cr_assert_null(bypeer_writer_find_link_limit(fixture.node.generation->writer, link->id));
    bypeer_config_errors_free(&errors);
}

/* Before the next turn could see that the name was free. */
Test(usage, a_name_that_comes_back_at_once_has_nothing_of_the_old)
{
    carry(0, 100, 1000);
    turns(10);
    set("beta", false, 1000000, 0, BYPEER_QUOTA_ALL);
    set("lab", true, 1000000, 0, BYPEER_QUOTA_ALL);
    node_fixture_must_reload(&fixture, "node: { name: alpha }\n");
    node_fixture_must_reload(&fixture, node_fixture_sample);
    cr_assert_eq(account(NULL).sent_bytes, 0);
    for (unsigned i = 0; i < 2; i++) {
        const struct bypeer_model_group *lab = bypeer_model_find_group(fixture.node.model, "lab");
        cr_assert_null(in_tables());
        cr_assert_null(bypeer_writer_find_group_limit(fixture.node.generation->writer, lab->id));
        cr_assert_null(bypeer_usage_find_limit(fixture.node.usage, false, "beta"));
        turns(20);
    }
    restart();
    cr_assert_null(in_tables());
    cr_assert_eq(account(NULL).sent_bytes, 0);
}

Test(usage, limits_are_in_force_at_once_and_after_restarts_and_renewals)
{
    set("beta", false, 8000000, 0, BYPEER_QUOTA_ALL);
    cr_assert_eq(in_tables()->bits_s, 8000000);
    cr_assert_eq(in_tables()->flags, BYPEER_LIMIT_RATE);
    set("beta", false, 9000000, 0, BYPEER_QUOTA_ALL);
    cr_assert_eq(in_tables()->bits_s, 9000000);
    restart();
    cr_assert_eq(in_tables()->bits_s, 9000000);
    cr_assert_eq(bypeer_node_renew(&fixture.node, &fixture.node.generation->size, BYPEER_LAYOUT_NEWEST, &problem), 0);
    cr_assert_eq(in_tables()->bits_s, 9000000);
    set("beta", false, 0, 0, BYPEER_QUOTA_ALL);
    cr_assert_null(in_tables());
    restart();
    cr_assert_null(in_tables());

    set("lab", true, 1000000, 0, BYPEER_QUOTA_ALL);
    const struct bypeer_model_group *lab = bypeer_model_find_group(fixture.node.model, "lab");
    cr_assert_eq(bypeer_writer_find_group_limit(fixture.node.generation->writer, lab->id)->bits_s, 1000000);
}

Test(usage, what_cannot_be_a_limit_is_refused)
{
    struct bypeer_store_limit bad[] = {
        {.name = "nobody", .bits_s = 1000000, .burst = 20000},
        {.name = "beta", .bits_s = 10, .burst = 20000},
        {.name = "beta", .bits_s = 1000000, .burst = 10},
        {.name = "lab", .of_group = true, .quota = 100},
        {.name = "beta", .of_group = true, .bits_s = 1000000, .burst = 20000},
    };
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        cr_assert_lt(bypeer_usage_set_limit(fixture.node.usage, &bad[i], &problem), 0, "%u", i);
        cr_assert_gt(strlen(problem.remedy), 5, "%u", i);
    }
    cr_assert_null(in_tables());
    cr_assert_null(bypeer_usage_limit(fixture.node.usage, 0));
}

Test(usage, a_used_up_quota_blocks_until_its_period_ends)
{
    uint64_t used;
    carry(0, 500, 500); /* before there was a quota: not of this day */
    account(NULL);
    set("beta", false, 0, 1000, BYPEER_QUOTA_DAY);
    turns(1);
    carry(0, 400, 500);
    turns(1);
    account(&used);
    cr_assert_eq(used, 900);
    cr_assert_null(in_tables(), "nothing is left to limit yet");
    carry(1, 0, 100);
    turns(1);
    cr_assert_eq(in_tables()->flags, BYPEER_LIMIT_BLOCKED);
    turns(9);
    restart();
    turns(1);
    cr_assert_eq(in_tables()->flags, BYPEER_LIMIT_BLOCKED, "a restart does not help");
    now_s += DAY;
    turns(1);
    cr_assert_null(in_tables());
    carry(1, 999, 0);
    turns(1);
    cr_assert_null(in_tables());
    carry(1, 1, 0);
    turns(1);
    cr_assert_eq(in_tables()->flags, BYPEER_LIMIT_BLOCKED);
    set("beta", false, 0, 5000, BYPEER_QUOTA_DAY);
    turns(1);
    cr_assert_null(in_tables(), "raised");
}
