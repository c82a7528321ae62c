/* One group as people have it, and what befalls it: by which link a plain client is reached. */
#include <criterion/criterion.h>
#include <string.h>

#include "control/attach/plan.h"

#define NOW 1000

struct world {
    struct bypeer_plan_member members[4];
    struct bypeer_plan_attachment attachments[6];
    struct bypeer_plan_group group;
    struct bypeer_plan_node nodes[2];
    struct bypeer_plan_input input;
};

static void set_address(uint8_t address[static 16], unsigned number)
{
    memset(address, 0, 16);
    address[0] = 0xfd;
    address[15] = (uint8_t)number;
}

static void set_key(uint8_t key[static 32], unsigned number)
{
    memset(key, (int)number, 32);
}

static const struct bypeer_plan_way *find_way(const struct bypeer_plan *plan, const uint8_t address[static 16])
{
    for (size_t at = 0; at < plan->way_count; at++)
        if (memcmp(plan->ways[at].address, address, 16) == 0)
            return &plan->ways[at];
    return NULL;
}

static struct bypeer_plan *plan_of(const struct world *world)
{
    struct bypeer_plan *plan;
    cr_assert_eq(bypeer_plan_make(&plan, &world->input), 0);
    return plan;
}

/* Members 1 (this node), 2 and 3 (nodes with keys 2 and 3) and 4 (a client with key 8). */
static void make_village(struct world *world)
{
    memset(world, 0, sizeof(*world));
    world->group = (struct bypeer_plan_group){
        .members = world->members, .member_count = 4, .attachments = world->attachments, .attachment_count = 5};
    set_address(world->group.own, 1);
    for (unsigned at = 0; at < 4; at++) {
        world->members[at] = (struct bypeer_plan_member){.roles = 4, .not_before = 1, .not_after = 2 * NOW};
        set_address(world->members[at].address, 1 + at);
    }
    for (unsigned at = 0; at < 5; at++) {
        struct bypeer_plan_attachment *attachment = &world->attachments[at];
        unsigned supernode = at < 3 ? 1 + at : at - 1, member = at < 3 ? 1 + at : 4;
        attachment->sequence = 1;
        attachment->priority = (uint8_t)(at == 4 ? 1 : 0);
        set_address(attachment->creator, supernode);
        set_address(attachment->member, member);
        set_address(attachment->supernode, supernode);
        set_key(attachment->supernode_key, supernode);
        if (member == 4)
            set_key(attachment->member_key, 8);
    }
    for (unsigned number = 2; number <= 3; number++) {
        set_key(world->nodes[number - 2].key, number);
        world->nodes[number - 2].heard = true;
    }
    world->input = (struct bypeer_plan_input){
        .now = NOW, .groups = &world->group, .group_count = 1, .nodes = world->nodes, .node_count = 2};
    set_key(world->input.own_key, 1);
}

/* The key that packets for the client leave by; 0: none. */
static unsigned way_of_client(const struct world *world)
{
    uint8_t address[16];
    struct bypeer_plan *plan = plan_of(world);
    set_address(address, 4);
    const struct bypeer_plan_way *way = find_way(plan, address);
    unsigned key = way ? plan->links[way->link].key[0] : 0;
    bypeer_plan_free(plan);
    return key;
}

Test(plan_cases, a_client_is_reached_by_another_supernode_when_one_falls_silent_or_drains)
{
    static struct world world;
    make_village(&world);
    cr_assert_eq(way_of_client(&world), 2, "the lower priority");
    world.nodes[0].heard = false;
    cr_assert_eq(way_of_client(&world), 3, "it is not heard");
    world.nodes[1].heard = false;
    cr_assert_eq(way_of_client(&world), 2, "both are silent: nothing is lost by trying");
    make_village(&world);
    world.attachments[3].draining = true;
    cr_assert_eq(way_of_client(&world), 3, "it drains");
    set_address(world.group.own, 2);
    set_key(world.input.own_key, 2);
    cr_assert_eq(way_of_client(&world), 8, "what still comes to it, it delivers");
    make_village(&world);
    world.attachments[3].priority = BYPEER_PLAN_STANDBY;
    cr_assert_eq(way_of_client(&world), 3, "the client is not heard there");
}

Test(plan_cases, a_membership_that_ends_takes_link_and_way_with_it)
{
    static struct world world;
    make_village(&world);
    world.members[3].not_after = NOW;
    struct bypeer_plan *plan = plan_of(&world);
    cr_assert_eq(plan->deadline, NOW + 1);
    bypeer_plan_free(plan);
    cr_assert_eq(way_of_client(&world), 2, "its last second");
    world.input.now = NOW + 1;
    cr_assert_eq(way_of_client(&world), 0);
    make_village(&world);
    world.members[1].revoked = true;
    cr_assert_eq(way_of_client(&world), 3, "a supernode was revoked");
    make_village(&world);
    world.members[0].revoked = true;
    plan = plan_of(&world);
    cr_assert_eq(plan->link_count + plan->way_count + plan->receiver_count, 0, "this node itself was");
    cr_assert_not(plan->multicast[0].carried);
    bypeer_plan_free(plan);
}

Test(plan_cases, nobody_draws_anothers_traffic)
{
    static struct world world;
    make_village(&world);
    /* Member 3 says that the client is at 2 by another key, at 3 for that matter, and that it has key 3's node. */
    struct bypeer_plan_attachment *lie = &world.attachments[world.group.attachment_count++];
    *lie = world.attachments[3];
    lie->sequence = 100;
    set_address(lie->creator, 3);
    set_key(lie->supernode_key, 7);
    cr_assert_eq(way_of_client(&world), 2);
    /* That node 2 has another key. */
    *lie = world.attachments[1];
    lie->sequence = 100;
    set_address(lie->creator, 3);
    set_key(lie->supernode_key, 3);
    cr_assert_eq(way_of_client(&world), 2);
    /* An older word of the true creator, played back. */
    *lie = world.attachments[3];
    lie->sequence = 0;
    lie->draining = true;
    cr_assert_eq(way_of_client(&world), 2);
}

Test(plan_cases, naming_anothers_key_takes_it_from_nobody)
{
    static struct world world;
    make_village(&world);
    set_address(world.group.own, 3);
    set_key(world.input.own_key, 3);
    set_key(world.attachments[1].supernode_key, 8);
    world.attachments[1].sequence = UINT64_MAX;
    cr_assert_eq(way_of_client(&world), 8, "the client's link is the client's");
    struct bypeer_plan *plan = plan_of(&world);
    for (size_t at = 0; at < plan->link_count; at++)
        cr_assert(plan->links[at].key[0] != 8 || plan->links[at].group == 0, "and no trunk");
    bypeer_plan_free(plan);

    /* Node 2 names the key of node 3, with an endpoint where nobody answers. */
    make_village(&world);
    set_key(world.attachments[1].supernode_key, 3);
    world.attachments[1].sequence = UINT64_MAX;
    world.attachments[1].endpoint_count = world.attachments[2].endpoint_count = 1;
    world.attachments[1].endpoints[0].port = 666;
    world.attachments[2].endpoints[0].port = 100;
    for (unsigned turn = 0; turn < 2; turn++) {
        world.nodes[1].turn = turn;
        plan = plan_of(&world);
        cr_assert_eq(plan->link_count, 1);
        cr_assert_eq(plan->links[0].endpoint.port, turn == 0 ? 666 : 100, "the true one has its turn");
        const struct bypeer_plan_way *way = find_way(plan, world.attachments[2].supernode);
        cr_assert(way && way->link == 0, "node 3 is reached");
        cr_assert_eq(plan->multicast[0].count, 2, "and gets one copy");
        bypeer_plan_free(plan);
    }
    cr_assert_eq(way_of_client(&world), 3);
}

Test(plan_cases, a_client_changes_its_key_while_both_are_heard)
{
    static struct world world;
    make_village(&world);
    set_address(world.group.own, 2);
    set_key(world.input.own_key, 2);
    set_key(world.attachments[3].previous_key, 6);
    set_key(world.nodes[0].key, 6);
    cr_assert_eq(way_of_client(&world), 6, "the new one is not heard yet");
    set_key(world.nodes[1].key, 8);
    cr_assert_eq(way_of_client(&world), 8);
    struct bypeer_plan *plan = plan_of(&world);
    const struct bypeer_plan_way *way = find_way(plan, world.attachments[3].member);
    cr_assert_eq(plan->links[way->others[0]].key[0], 6, "what still comes by the old one passes");
    bypeer_plan_free(plan);
}

Test(plan_cases, endpoints_take_turns_while_none_answers)
{
    static struct world world;
    make_village(&world);
    world.attachments[1].endpoint_count = 3;
    for (unsigned at = 0; at < 3; at++)
        world.attachments[1].endpoints[at].port = (uint16_t)(100 + at);
    for (unsigned turn = 0; turn < 7; turn++) {
        world.nodes[0].turn = turn;
        struct bypeer_plan *plan = plan_of(&world);
        cr_assert_eq(plan->links[0].endpoint.port, 100 + turn % 3);
        cr_assert_eq(plan->links[1].endpoint.port, 0, "that one has said none");
        bypeer_plan_free(plan);
    }
}
