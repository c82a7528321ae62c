/*
 * What records make of links, against a reference that asks each question of all records anew, over random groups in
 * which addresses and keys are often the same.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/attach/plan.h"

#define GROUPS      3
#define MEMBERS     8
#define ATTACHMENTS 24
#define ADDRESSES   7 /* of a group */
#define KEYS        9 /* key 0 is none, key 1 this node's */
#define NOW         1000
#define SCENES      30000

struct world {
    struct bypeer_plan_member members[GROUPS][MEMBERS];
    struct bypeer_plan_attachment attachments[GROUPS][ATTACHMENTS];
    struct bypeer_plan_group groups[GROUPS];
    struct bypeer_plan_node nodes[KEYS];
    struct bypeer_plan_input input;
};

static uint64_t state;

static unsigned roll(unsigned sides)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(state >> 33) % sides;
}

static void set_address(uint8_t address[static 16], unsigned group, unsigned number)
{
    memset(address, 0, 16);
    address[0] = 0xfd;
    address[1] = (uint8_t)group;
    address[15] = (uint8_t)number;
}

static void set_key(uint8_t key[static 32], unsigned number)
{
    memset(key, (int)number, 32);
}

static bool same(const uint8_t one[static 16], const uint8_t other[static 16])
{
    return memcmp(one, other, 16) == 0;
}

static void make_attachment(struct bypeer_plan_attachment *ret_attachment, unsigned group)
{
    struct bypeer_plan_attachment attachment = {
        .priority = (uint8_t)(roll(2) ? roll(3) : BYPEER_PLAN_STANDBY + roll(2)),
        .draining = roll(4) == 0,
        .sequence = roll(6),
        .endpoint_count = (uint8_t)roll(BYPEER_PLAN_ENDPOINTS + 1),
    };
    unsigned supernode = 1 + roll(ADDRESSES), member = roll(3) ? 1 + roll(ADDRESSES) : supernode;
    set_address(attachment.member, group, member);
    set_address(attachment.supernode, group, supernode);
    set_address(attachment.creator, group, roll(8) == 0 ? 1 + roll(ADDRESSES) : roll(3) ? supernode : member);
    set_key(attachment.member_key, roll(KEYS));
    set_key(attachment.previous_key, roll(2) ? roll(KEYS) : 0);
    set_key(attachment.supernode_key, roll(5) == 0 ? roll(KEYS) : 1 + (supernode + group) % (KEYS - 1));
    for (unsigned at = 0; at < attachment.endpoint_count; at++) {
        set_address(attachment.endpoints[at].address, 200, 10 * supernode + at);
        attachment.endpoints[at].port = (uint16_t)(1 + roll(3));
    }
    *ret_attachment = attachment;
}

/* Two words of equal age about one pair: which counts is not told, so there are none here. */
static bool is_ambiguous(const struct bypeer_plan_group *group, const struct bypeer_plan_attachment *attachment)
{
    for (size_t at = 0; at < group->attachment_count; at++)
        if (same(group->attachments[at].member, attachment->member) &&
            same(group->attachments[at].supernode, attachment->supernode) &&
            group->attachments[at].sequence == attachment->sequence)
            return true;
    return false;
}

static void make_world(struct world *world)
{
    memset(world, 0, sizeof(*world));
    world->input = (struct bypeer_plan_input){.now = NOW,
                                              .groups = world->groups,
                                              .group_count = roll(GROUPS + 1),
                                              .nodes = world->nodes,
                                              .node_count = roll(KEYS)};
    set_key(world->input.own_key, 1);
    for (unsigned number = 0; number < world->input.node_count; number++) {
        set_key(world->nodes[number].key, KEYS - 1 - number);
        world->nodes[number].heard = roll(3) > 0;
        world->nodes[number].turn = roll(5);
    }
    for (unsigned number = 0; number < world->input.group_count; number++) {
        struct bypeer_plan_group *group = &world->groups[number];
        *group = (struct bypeer_plan_group){.members = world->members[number],
                                            .member_count = roll(MEMBERS + 1),
                                            .attachments = world->attachments[number]};
        set_address(group->own, number, 1 + roll(2));
        for (unsigned at = 0; at < group->member_count; at++) {
            struct bypeer_plan_member *member = &world->members[number][at];
            *member = (struct bypeer_plan_member){.roles = 1 + roll(15),
                                                  .not_before = NOW - 1 + roll(8) / 6,
                                                  .not_after = NOW + (roll(8) ? roll(9) : 0) - (roll(8) ? 0 : 1),
                                                  .revoked = roll(12) == 0};
            set_address(member->address, number, roll(10) ? 1 + at % ADDRESSES : 1 + roll(ADDRESSES));
        }
        unsigned wanted = roll(ATTACHMENTS + 1);
        for (unsigned at = 0; at < wanted; at++) {
            struct bypeer_plan_attachment attachment;
            make_attachment(&attachment, number);
            if (!is_ambiguous(group, &attachment))
                world->attachments[number][group->attachment_count++] = attachment;
        }
    }
}

/* --- the reference --- */

static bool is_member(const struct bypeer_plan_group *group, const uint8_t address[static 16], uint32_t *ret_roles)
{
    bool found = false;
    uint32_t roles = UINT32_MAX;
    for (size_t at = 0; at < group->member_count; at++) {
        const struct bypeer_plan_member *member = &group->members[at];
        if (!same(member->address, address))
            continue;
        if (member->revoked || NOW < member->not_before || NOW > member->not_after)
            return false;
        found = true;
        roles &= member->roles;
    }
    if (found && ret_roles)
        *ret_roles = roles;
    return found;
}

static bool is_by_one_of_both(const struct bypeer_plan_attachment *attachment)
{
    return same(attachment->creator, attachment->member) || same(attachment->creator, attachment->supernode);
}

/* The last valid word about a pair; by: only by this creator, unless NULL. */
static const struct bypeer_plan_attachment *last_word(const struct bypeer_plan_group *group,
                                                      const uint8_t member[static 16],
                                                      const uint8_t supernode[static 16], const uint8_t *by)
{
    const struct bypeer_plan_attachment *last = NULL;
    if (!is_member(group, member, NULL) || !is_member(group, supernode, NULL))
        return NULL;
    for (size_t at = 0; at < group->attachment_count; at++) {
        const struct bypeer_plan_attachment *attachment = &group->attachments[at];
        if (same(attachment->member, member) && same(attachment->supernode, supernode) &&
            is_by_one_of_both(attachment) && (!by || same(attachment->creator, by)) &&
            (!last || attachment->sequence > last->sequence))
            last = attachment;
    }
    return last;
}

static bool is_usable(const struct world *world, const uint8_t key[static 32])
{
    return key[0] != 0 && memcmp(key, world->input.own_key, 32) != 0;
}

/* The present key and the one before that a client of this node is to come by; 0: none. */
static void wanted_client_keys(const struct world *world, unsigned number, const uint8_t member[static 16],
                               unsigned ret_keys[static 2])
{
    const struct bypeer_plan_group *group = &world->groups[number];
    const struct bypeer_plan_attachment *word =
        same(member, group->own) ? NULL : last_word(group, member, group->own, group->own);
    ret_keys[0] = ret_keys[1] = 0;
    if (!word || !is_usable(world, word->member_key))
        return;
    ret_keys[0] = word->member_key[0];
    if (is_usable(world, word->previous_key) && word->previous_key[0] != word->member_key[0])
        ret_keys[1] = word->previous_key[0];
}

static bool is_wanted_by_client(const struct world *world, unsigned key)
{
    uint8_t address[16];
    unsigned keys[2];
    for (unsigned number = 0; number < world->input.group_count; number++)
        for (unsigned node = 1; node <= ADDRESSES; node++) {
            set_address(address, number, node);
            wanted_client_keys(world, number, address, keys);
            if (keys[0] == key || keys[1] == key)
                return true;
        }
    return false;
}

/* The key of another node's trunk, or 0. */
static unsigned trunk_key(const struct world *world, const struct bypeer_plan_group *group,
                          const uint8_t node[static 16])
{
    if (!is_member(group, group->own, NULL) || same(node, group->own))
        return 0;
    const struct bypeer_plan_attachment *word = last_word(group, node, node, NULL);
    if (!word || !is_usable(world, word->supernode_key) || is_wanted_by_client(world, word->supernode_key[0]))
        return 0;
    return word->supernode_key[0];
}

static bool is_any_trunk(const struct world *world, unsigned key)
{
    uint8_t address[16];
    for (unsigned number = 0; number < world->input.group_count; number++)
        for (unsigned node = 1; node <= ADDRESSES; node++) {
            set_address(address, number, node);
            if (trunk_key(world, &world->groups[number], address) == key)
                return true;
        }
    return false;
}

/* Of a member that comes before. */
static bool is_anothers(const struct world *world, unsigned key, unsigned number, const uint8_t member[static 16])
{
    uint8_t address[16];
    unsigned keys[2];
    for (unsigned other = 0; other <= number; other++)
        for (unsigned node = 1; node <= (other == number ? member[15] - 1u : (unsigned)ADDRESSES); node++) {
            set_address(address, other, node);
            wanted_client_keys(world, other, address, keys);
            if (keys[0] == key || keys[1] == key)
                return true;
        }
    return false;
}

/* The keys of links to a plain client of this node, or 0. */
static void client_keys(const struct world *world, unsigned number, const uint8_t member[static 16],
                        unsigned ret_keys[static 2])
{
    wanted_client_keys(world, number, member, ret_keys);
    for (unsigned at = 0; at < 2; at++)
        if (ret_keys[at] != 0 && is_anothers(world, ret_keys[at], number, member))
            ret_keys[at] = 0;
}

static bool is_client_key(const struct world *world, unsigned number, const uint8_t member[static 16], unsigned key)
{
    unsigned keys[2];
    client_keys(world, number, member, keys);
    return key != 0 && (keys[0] == key || keys[1] == key);
}

static bool is_heard(const struct world *world, unsigned key)
{
    for (size_t at = 0; at < world->input.node_count; at++)
        if (world->nodes[at].key[0] == key)
            return world->nodes[at].heard;
    return false;
}

/* What an attachment is worth, as one number: the first question weighs most. */
static uint64_t worth(const struct bypeer_plan_attachment *word, bool heard, bool here)
{
    bool itself = same(word->member, word->supernode);
    uint64_t sum = heard;
    sum = sum * 2 + (here || !word->draining);
    sum = sum * 2 + (word->priority < BYPEER_PLAN_STANDBY);
    sum = sum * 2 + here;
    sum = sum * 2 + (here || itself);
    sum = sum * 256 + (255u - word->priority);
    sum = sum * 256 + word->sequence;
    return sum * 256 + (255u - word->supernode[15]);
}

struct ways {
    unsigned keys[ADDRESSES + 1];
    uint64_t worths[ADDRESSES + 1];
    unsigned count;
};

static void add_way(struct ways *ways, unsigned key, uint64_t its_worth)
{
    if (key == 0)
        return;
    for (unsigned at = 0; at < ways->count; at++) {
        if (ways->keys[at] != key)
            continue;
        if (ways->worths[at] >= its_worth)
            return;
        for (ways->count--; at < ways->count; at++) {
            ways->keys[at] = ways->keys[at + 1];
            ways->worths[at] = ways->worths[at + 1];
        }
    }
    unsigned at = ways->count;
    for (ways->count++; at > 0 && ways->worths[at - 1] < its_worth; at--) {
        ways->worths[at] = ways->worths[at - 1];
        ways->keys[at] = ways->keys[at - 1];
    }
    ways->worths[at] = its_worth;
    ways->keys[at] = key;
}

/* The links to a member, the best first. */
static void ways_to(const struct world *world, unsigned number, const uint8_t member[static 16], struct ways *ret_ways)
{
    const struct bypeer_plan_group *group = &world->groups[number];
    ret_ways->count = 0;
    for (unsigned node = 1; node <= ADDRESSES; node++) {
        uint8_t supernode[16];
        set_address(supernode, number, node);
        const struct bypeer_plan_attachment *word = last_word(group, member, supernode, NULL);
        if (word && same(supernode, group->own)) {
            unsigned keys[2], wanted[2];
            client_keys(world, number, member, keys);
            wanted_client_keys(world, number, member, wanted);
            bool is_old_better = is_heard(world, last_word(group, member, supernode, supernode)
                                                     ? last_word(group, member, supernode, supernode)->previous_key[0]
                                                     : 0) &&
                                 !is_heard(world, wanted[0]);
            add_way(ret_ways, keys[is_old_better], worth(word, true, true));
            add_way(ret_ways, keys[!is_old_better], worth(word, true, true));
        } else if (word) {
            unsigned key = trunk_key(world, group, supernode);
            add_way(ret_ways, key, worth(word, is_heard(world, key), false));
        }
    }
}

/* --- the plan against it --- */

static const struct bypeer_plan_way *find_way(const struct bypeer_plan *plan, unsigned group,
                                              const uint8_t address[static 16])
{
    for (size_t at = 0; at < plan->way_count; at++)
        if (plan->ways[at].group == group && same(plan->ways[at].address, address))
            return &plan->ways[at];
    return NULL;
}

static void expect_way(const struct world *world, const struct bypeer_plan *plan, unsigned number,
                       const uint8_t address[static 16], uint64_t seed)
{
    const struct bypeer_plan_group *group = &world->groups[number];
    const struct bypeer_plan_way *way = find_way(plan, number, address);
    struct ways ways = {.count = 0};
    uint32_t roles = 0;
    if (is_member(group, group->own, NULL) && is_member(group, address, &roles) && !same(address, group->own))
        ways_to(world, number, address, &ways);
    const unsigned *keys = ways.keys, count = ways.count;
    cr_assert_eq(way != NULL, count > 0, "seed %lu: group %u, member %u", seed, number, address[15]);
    if (!way)
        return;
    cr_assert_eq(way->roles, roles, "seed %lu", seed);
    cr_assert_eq(plan->links[way->link].key[0], keys[0], "seed %lu: group %u, member %u by key %u, not %u", seed,
                 number, address[15], plan->links[way->link].key[0], keys[0]);
    cr_assert_eq(way->other_count, count - 1 < BYPEER_PLAN_OTHERS ? count - 1 : BYPEER_PLAN_OTHERS, "seed %lu", seed);
    for (unsigned at = 0; at < way->other_count; at++)
        cr_assert_eq(plan->links[way->others[at]].key[0], keys[at + 1], "seed %lu", seed);
}

static void expect_multicast(const struct world *world, const struct bypeer_plan *plan, unsigned number, uint64_t seed)
{
    const struct bypeer_plan_group *group = &world->groups[number];
    const struct bypeer_plan_multicast *list = &plan->multicast[number];
    bool wanted[KEYS] = {false};
    unsigned count = 1; /* this node itself */
    cr_assert_eq(list->carried, is_member(group, group->own, NULL), "seed %lu", seed);
    if (!list->carried) {
        cr_assert_eq(list->count, 0, "seed %lu: nobody of a group that is not carried", seed);
        return;
    }
    for (unsigned node = 1; node <= ADDRESSES; node++) {
        uint8_t address[16];
        struct ways ways;
        set_address(address, number, node);
        wanted[trunk_key(world, group, address)] = true;
        ways_to(world, number, address, &ways);
        if (is_member(group, address, NULL) && ways.count > 0 && is_client_key(world, number, address, ways.keys[0]))
            wanted[ways.keys[0]] = true;
    }
    for (unsigned key = 1; key < KEYS; key++)
        count += wanted[key];
    cr_assert_eq(list->count, count, "seed %lu: group %u has %u receivers, not %u", seed, number, list->count, count);
    for (unsigned at = 0; at + 1 < list->count; at++)
        cr_assert(wanted[plan->links[plan->receivers[list->first + at]].key[0]], "seed %lu", seed);
    cr_assert_eq(plan->receivers[list->first + list->count - 1], BYPEER_PLAN_HERE, "seed %lu", seed);
}

static void expect_links(const struct world *world, const struct bypeer_plan *plan, uint64_t seed)
{
    bool wanted[KEYS] = {false};
    unsigned count = 0;
    for (unsigned number = 0; number < world->input.group_count; number++)
        for (unsigned node = 1; node <= ADDRESSES; node++) {
            uint8_t address[16];
            set_address(address, number, node);
            wanted[trunk_key(world, &world->groups[number], address)] = true;
            if (is_member(&world->groups[number], world->groups[number].own, NULL))
                for (unsigned key = 1; key < KEYS; key++)
                    wanted[key] |= is_client_key(world, number, address, key);
        }
    for (unsigned key = 1; key < KEYS; key++)
        count += wanted[key];
    cr_assert_eq(plan->link_count, count, "seed %lu: %zu links, not %u", seed, plan->link_count, count);
    for (size_t at = 0; at < plan->link_count; at++) {
        const struct bypeer_plan_link *link = &plan->links[at];
        cr_assert(wanted[link->key[0]], "seed %lu", seed);
        cr_assert(at == 0 || memcmp(plan->links[at - 1].key, link->key, 32) < 0, "seed %lu", seed);
        if (link->group == BYPEER_PLAN_ANY)
            cr_assert(is_any_trunk(world, link->key[0]), "seed %lu", seed);
        else
            cr_assert(is_client_key(world, link->group, link->address, link->key[0]), "seed %lu", seed);
    }
}

static void expect_same(const struct bypeer_plan *one, const struct bypeer_plan *other, uint64_t seed)
{
    cr_assert_eq(one->link_count, other->link_count, "seed %lu", seed);
    cr_assert_eq(one->way_count, other->way_count, "seed %lu", seed);
    cr_assert_eq(one->receiver_count, other->receiver_count, "seed %lu", seed);
    cr_assert_eq(one->deadline, other->deadline, "seed %lu", seed);
    cr_assert_eq(memcmp(one->links, other->links, one->link_count * sizeof(*one->links)), 0, "seed %lu", seed);
    cr_assert_eq(memcmp(one->receivers, other->receivers, one->receiver_count * 4), 0, "seed %lu", seed);
    for (size_t at = 0; at < one->way_count; at++)
        cr_assert(one->ways[at].link == other->ways[at].link && same(one->ways[at].address, other->ways[at].address),
                  "seed %lu", seed);
}

static struct bypeer_plan *plan_of(const struct world *world)
{
    struct bypeer_plan *plan;
    cr_assert_eq(bypeer_plan_make(&plan, &world->input), 0);
    return plan;
}

Test(plan, agrees_with_the_reference)
{
    static struct world world;
    size_t ways = 0, others = 0, clients = 0;
    for (uint64_t seed = 1; seed <= SCENES; seed++) {
        state = seed;
        make_world(&world);
        struct bypeer_plan *plan = plan_of(&world);
        size_t expected_ways = 0;
        for (unsigned number = 0; number < world.input.group_count; number++) {
            for (unsigned node = 1; node <= ADDRESSES; node++) {
                uint8_t address[16];
                set_address(address, number, node);
                expect_way(&world, plan, number, address, seed);
                expected_ways += find_way(plan, number, address) != NULL;
            }
            expect_multicast(&world, plan, number, seed);
        }
        cr_assert_eq(plan->way_count, expected_ways, "seed %lu: a way twice", seed);
        expect_links(&world, plan, seed);
        ways += plan->way_count;
        for (size_t at = 0; at < plan->way_count; at++)
            others += plan->ways[at].other_count;
        for (size_t at = 0; at < plan->link_count; at++)
            clients += plan->links[at].group != BYPEER_PLAN_ANY;
        bypeer_plan_free(plan);
    }
    cr_assert_gt(ways, SCENES, "the worlds are not all empty");
    cr_assert_gt(others, SCENES / 8);
    cr_assert_gt(clients, SCENES / 8);
}

Test(plan, the_order_of_records_does_not_matter)
{
    static struct world world;
    for (uint64_t seed = 1; seed <= 2000; seed++) {
        state = seed;
        make_world(&world);
        struct bypeer_plan *plan = plan_of(&world);
        for (unsigned number = 0; number < world.input.group_count; number++) {
            struct bypeer_plan_group *group = &world.groups[number];
            for (size_t at = group->attachment_count; at > 1; at--) {
                size_t with = roll((unsigned)at);
                struct bypeer_plan_attachment kept = world.attachments[number][at - 1];
                world.attachments[number][at - 1] = world.attachments[number][with];
                world.attachments[number][with] = kept;
            }
            for (size_t at = group->member_count; at > 1; at--) {
                size_t with = roll((unsigned)at);
                struct bypeer_plan_member kept = world.members[number][at - 1];
                world.members[number][at - 1] = world.members[number][with];
                world.members[number][with] = kept;
            }
        }
        struct bypeer_plan *shuffled = plan_of(&world);
        expect_same(plan, shuffled, seed);
        bypeer_plan_free(plan);
        bypeer_plan_free(shuffled);
    }
}
