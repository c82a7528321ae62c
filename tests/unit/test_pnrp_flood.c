/* Leaf sets in a row of nodes: who hears of a newcomer, who hears that one is gone, and when the waves end. */
#include <criterion/criterion.h>

#include "tests/unit/pnrp_net.h"

#define ROW 24

/* Nodes whose IDs have one name in common and stand in a row. */
struct row {
    struct net net;
    uint64_t registrations[ROW];
    uint8_t ids[ROW][32];
};

static void row_register(struct row *row, unsigned at)
{
    struct bypeer_peer_name name;
    const struct bypeer_application application = {.port = 80, .protocol = 6};
    char why[160];
    cr_assert_eq(bypeer_name_read(&name, "0.row", why), 0);
    struct bypeer_pnrp_registration given = {
        .name = &name, .key = row->net.key, .applications = &application, .application_count = 1, .has_location = true};
    given.location[0] = (uint8_t)(0x40 + at);
    cr_assert_eq(
        bypeer_pnrp_register(row->net.nodes[at].pnrp, row->net.now, &given, &row->registrations[at], row->ids[at]), 0);
}

static void row_begin(struct row *row, unsigned missing)
{
    *row = (struct row){0};
    net_begin(&row->net, BYPEER_PROFILE_MODERN);
    for (unsigned i = 0; i < ROW; i++)
        net_add(&row->net, i > 0 ? &row->net.nodes[0] : NULL, i == 0);
    for (unsigned i = 0; i < ROW; i++)
        if (i != missing)
            row_register(row, i);
    net_run(&row->net, 180000);
}

/* Whether each node's leaf set is of the nearest that there are. Those at the row's ends have the rest of the ring on
 * one side, where nobody is. */
static void row_check(const struct row *row, unsigned missing)
{
    unsigned places[ROW], count = 0;
    for (unsigned i = 0; i < ROW; i++)
        if (i != missing)
            places[count++] = i;
    for (unsigned i = BYPEER_LEAF_SET; i < count - BYPEER_LEAF_SET; i++)
        for (unsigned side = 0; side < 2; side++) {
            const struct bypeer_route *leaves[BYPEER_LEAF_SET];
            const struct net_node *node = &row->net.nodes[places[i]];
            unsigned found = bypeer_cache_leaves(bypeer_pnrp_cache(node->pnrp), row->ids[places[i]], side == 1, leaves);
            cr_assert_eq(found, (unsigned)BYPEER_LEAF_SET);
            for (unsigned j = 0; j < found; j++) {
                unsigned neighbour = places[side == 1 ? i + j + 1 : i - j - 1];
                cr_assert_arr_eq(leaves[j]->id, row->ids[neighbour], 32, "%u's neighbour %u", places[i], neighbour);
            }
        }
}

Test(pnrp_flood, a_newcomer_is_in_all_leaf_sets_that_it_belongs_to)
{
    static struct row row;
    row_begin(&row, 11);
    row_check(&row, 11);
    unsigned before = row.net.sent[BYPEER_PNRP_FLOOD];
    row_register(&row, 11);
    net_run(&row.net, 1000);
    for (unsigned i = 8; i <= 14; i++)
        cr_assert(net_knows(&row.net.nodes[i], row.ids[11]), "%u", i);
    /* The ten that took it in tell two neighbours, the newcomer, and whoever told them. */
    cr_assert_leq(row.net.sent[BYPEER_PNRP_FLOOD] - before, 100u);
    before = row.net.sent[BYPEER_PNRP_FLOOD];
    net_run(&row.net, 4000);
    cr_assert_leq(row.net.sent[BYPEER_PNRP_FLOOD] - before, 4u);
    /* Those who heard of it before the wave came did not pass it on; they ask later. */
    net_run(&row.net, 120000);
    row_check(&row, ROW);
    net_end(&row.net);
}

Test(pnrp_flood, a_name_withdrawn_leaves_no_hole)
{
    static struct row row;
    row_begin(&row, ROW);
    row_check(&row, ROW);
    cr_assert_eq(bypeer_pnrp_unregister(row.net.nodes[6].pnrp, row.net.now, row.registrations[6]), 0);
    net_run(&row.net, 1000);
    for (unsigned i = 1; i < 12; i++)
        cr_assert_not(net_knows(&row.net.nodes[i], row.ids[6]), "%u", i);
    cr_assert_eq(row.net.nodes[6].unregistered, 1u);
    row_check(&row, 6);
    net_end(&row.net);
}

Test(pnrp_flood, a_secure_name_is_gone_at_once)
{
    struct net net;
    char name[BYPEER_NAME_TEXT_MAX];
    uint8_t id[32];
    net_begin(&net, BYPEER_PROFILE_MODERN);
    struct net_node *seed = net_add(&net, NULL, true);
    struct net_node *node = net_add(&net, seed, false), *neighbour = net_add(&net, seed, false);
    net_secure_name(&net, "gone", name);
    net_publish(neighbour, "0.neighbour", NULL);
    uint64_t registration = net_publish(node, name, id);
    net_run(&net, 2000);
    cr_assert(net_knows(neighbour, id));
    cr_assert_eq(bypeer_pnrp_unregister(node->pnrp, net.now, registration), 0);
    net_run(&net, 50);
    cr_assert_not(net_knows(neighbour, id));
    cr_assert_eq(bypeer_pnrp_counters(neighbour->pnrp)->revoked, 1u);
    net_end(&net);
}

Test(pnrp_flood, who_vanishes_is_forgotten)
{
    static struct row row;
    row_begin(&row, ROW);
    net_kill(&row.net.nodes[6]);
    net_run(&row.net, 240000);
    for (unsigned i = 1; i < 12; i++)
        if (i != 6)
            cr_assert_not(net_knows(&row.net.nodes[i], row.ids[6]), "%u", i);
    net_end(&row.net);
}
