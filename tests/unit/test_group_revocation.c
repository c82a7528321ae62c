/* Revocations: what ends with one, what stays, and who may make it. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>

#include "tests/unit/group_net.h"

TestSuite(group_revocation, .timeout = 60);

static int revoke(struct net_member *by, const struct net_member *target, bool is_adopt)
{
    char why[160];
    const struct bypeer_group_verdict verdict = {
        .key = bypeer_key_public(target->key), .reason = "lost his phone", .is_adopt = is_adopt};
    by->net->now++;
    int status = bypeer_group_revoke(by->node, net_time(by->net), &verdict, why);
    net_turn(by->net);
    return status;
}

static bool is_revoked(struct net_member *at, const struct net_member *of)
{
    return bypeer_group_is_revoked(at->node, bypeer_key_public(of->key), at->net->now);
}

static struct bypeer_record *revocation_record(struct net_member *at)
{
    for (unsigned i = 0; i < at->graph.count; i++)
        if (bypeer_guid_is_equal(&at->graph.records[i]->type, &BYPEER_RECORD_REVOCATION))
            return at->graph.records[i];
    return NULL;
}

Test(group_revocation, ends_links_records_and_rejoining)
{
    struct net net;
    struct bypeer_guid id, later;
    net_open(&net, BYPEER_PROFILE_MODERN, NULL);
    struct net_member *admin = net_welcome(&net.members[0], "admin", BYPEER_ROLE_ADMINISTRATOR);
    struct net_member *alice = net_welcome(admin, "alice", BYPEER_ROLE_MEMBER);
    struct net_member *bob = net_welcome(admin, "bob", BYPEER_ROLE_MEMBER);
    cr_assert_eq(net_publish(alice, "e4", &id), 0);
    cr_assert_eq(revoke(admin, alice, false), 0);
    cr_expect_eq(bob->revoked, 1);
    cr_expect_eq(bob->changes[BYPEER_GROUP_REVOKED], 1);
    cr_expect_str_eq(bob->cut, alice->id);
    cr_expect_str_eq(admin->cut, alice->id);
    cr_expect_null(net_find(bob, &id), "her records go");
    cr_expect_eq(net_publish(alice, "d4", &later), -EKEYREVOKED, "she knows, too");
    cr_expect_lt(net_connect(alice, bob, NULL), 0);
    cr_expect_str_eq(bob->why, "its membership is revoked");
    struct bypeer_group_member member;
    cr_assert(bypeer_group_find_member(bob->node, &alice->name, &member));
    cr_expect(member.is_revoked);
    net_close(&net);
}

Test(group_revocation, has_records_judged_over_several_turns)
{
    struct net net;
    struct bypeer_guid id;
    net_open(&net, BYPEER_PROFILE_MODERN, NULL);
    struct net_member *admin = net_welcome(&net.members[0], "admin", BYPEER_ROLE_ADMINISTRATOR);
    struct net_member *alice = net_welcome(admin, "alice", BYPEER_ROLE_MEMBER);
    struct net_member *bob = net_welcome(admin, "bob", BYPEER_ROLE_MEMBER);
    cr_assert_eq(net_publish(alice, "e4", &id), 0);
    bob->slices = 3;
    cr_assert_eq(revoke(admin, alice, false), 0);
    cr_expect_str_eq(bob->cut, alice->id, "at once");
    cr_expect_eq(bypeer_group_deadline(bob->node), 0, "it is not done");
    for (unsigned turn = 0; turn < 4; turn++)
        net_turn(&net);
    cr_expect_eq(bob->slices, 0);
    cr_expect_null(net_find(bob, &id));
    cr_expect_neq(bypeer_group_deadline(bob->node), 0);
    net_close(&net);
}

Test(group_revocation, outlives_restarts_and_absence)
{
    struct net net;
    net_open(&net, BYPEER_PROFILE_MODERN, NULL);
    struct net_member *admin = net_welcome(&net.members[0], "admin", BYPEER_ROLE_ADMINISTRATOR);
    struct net_member *alice = net_welcome(admin, "alice", BYPEER_ROLE_MEMBER);
    struct net_member *bob = net_welcome(admin, "bob", BYPEER_ROLE_MEMBER);
    net.is_split = true;
    cr_assert_eq(revoke(admin, alice, false), 0);
    net_restart(admin);
    cr_expect(is_revoked(admin, alice));
    cr_expect_not(is_revoked(bob, alice), "he was away");
    cr_expect_eq(net_connect(alice, bob, NULL), 1);
    net_synchronise(admin, bob);
    cr_expect(is_revoked(bob, alice));
    cr_expect_str_eq(bob->cut, alice->id);
    net_restart(bob);
    cr_expect_lt(net_connect(alice, bob, NULL), 0);
    net_close(&net);
}

Test(group_revocation, comes_before_memberships)
{
    struct net net;
    net_open(&net, BYPEER_PROFILE_MODERN, NULL);
    struct net_member *admin = net_welcome(&net.members[0], "admin", BYPEER_ROLE_ADMINISTRATOR);
    struct net_member *alice = net_welcome(admin, "alice", BYPEER_ROLE_MEMBER);
    cr_assert_eq(revoke(admin, alice, false), 0);
    net.is_split = true;
    struct net_member *bob = net_welcome(&net.members[0], "bob", BYPEER_ROLE_MEMBER);
    cr_expect_eq(net_give(bob, revocation_record(admin)), BYPEER_GRAPH_VALID, "%s", bob->why);
    cr_expect(is_revoked(bob, alice));
    net_close(&net);
}

Test(group_revocation, covers_whom_the_target_invited)
{
    struct net net;
    struct bypeer_guid id;
    net_open(&net, BYPEER_PROFILE_MODERN, NULL);
    struct net_member *admin = net_welcome(&net.members[0], "admin", BYPEER_ROLE_ADMINISTRATOR);
    struct net_member *alice = net_welcome(admin, "alice", BYPEER_ROLE_INVITING);
    struct net_member *bob = net_welcome(alice, "bob", BYPEER_ROLE_MEMBER);
    cr_assert_eq(net_publish(bob, "e4", &id), 0);
    cr_assert_eq(revoke(admin, alice, false), 0);
    cr_expect_null(net_find(admin, &id));
    cr_expect_lt(net_connect(bob, admin, NULL), 0);
    cr_expect_not(is_revoked(admin, bob), "his key is not: he may be invited again");
    struct bypeer_chain *chain = net_invite(admin, bob, BYPEER_ROLE_MEMBER);
    bypeer_chain_free(chain);
    net_close(&net);
}

Test(group_revocation, leaves_whom_somebody_signs_again)
{
    struct net net;
    struct bypeer_guid id;
    net_open(&net, BYPEER_PROFILE_MODERN, NULL);
    struct net_member *admin = net_welcome(&net.members[0], "admin", BYPEER_ROLE_ADMINISTRATOR);
    struct net_member *alice = net_welcome(admin, "alice", BYPEER_ROLE_INVITING);
    struct net_member *bob = net_welcome(alice, "bob", BYPEER_ROLE_MEMBER);
    cr_assert_eq(net_publish(bob, "e4", &id), 0);
    cr_assert_eq(revoke(admin, alice, true), 0);
    cr_expect_eq(bob->renewed, 1);
    cr_expect_not_null(net_find(admin, &id), "his records stay: %s", admin->why);
    cr_expect_eq(net_connect(bob, admin, NULL), 1, "%s", admin->why);
    cr_expect_eq(admin->changes[BYPEER_GROUP_REVOKED], 1, "Alice alone");
    net_close(&net);
}

Test(group_revocation, an_administrator_keeps_a_revoked_members_record_by_signing_it)
{
    struct net net;
    struct bypeer_guid id;
    net_open(&net, BYPEER_PROFILE_MODERN, NULL);
    struct net_member *admin = net_welcome(&net.members[0], "admin", BYPEER_ROLE_ADMINISTRATOR);
    struct net_member *alice = net_welcome(admin, "alice", BYPEER_ROLE_MEMBER);
    cr_assert_eq(net_publish(alice, "e4", &id), 0);
    cr_assert_eq(net_update(admin, &id, "e4"), 0);
    cr_assert_eq(revoke(admin, alice, false), 0);
    cr_expect_not_null(net_find(&net.members[0], &id), "%s", net.members[0].why);
    struct net_member *bob = net_welcome(admin, "bob", BYPEER_ROLE_MEMBER);
    cr_expect_not_null(net_find(bob, &id), "also at those who never knew her: %s", bob->why);
    net_close(&net);
}

/* A member whose key was replaced has two for a while: neither is left, and no third is given out. */
Test(group_revocation, is_of_all_keys_of_a_member)
{
    struct net net;
    struct bypeer_chain *chain;
    struct bypeer_key *keys[2];
    char why[160];
    net_open(&net, BYPEER_PROFILE_MODERN, NULL);
    struct net_member *admin = net_welcome(&net.members[0], "admin", BYPEER_ROLE_ADMINISTRATOR);
    struct net_member *alice = net_welcome(admin, "alice", BYPEER_ROLE_MEMBER);
    struct bypeer_group_order order = {
        .subject = {.name = alice->name, .friendly = "Alice"},
        .roles = BYPEER_ROLE_MEMBER,
        .is_publish = true,
        .is_followed = true,
    };
    for (unsigned at = 0; at < 2; at++)
        cr_assert_eq(bypeer_key_generate(&keys[at], net.profile), 0);
    order.subject.key = bypeer_key_public(keys[0]);
    cr_assert_eq(bypeer_group_issue(admin->node, net_time(&net), &order, &chain, why), 0, "%s", why);
    net_turn(&net);
    const struct bypeer_group_verdict verdict = {.key = bypeer_key_public(keys[0])};
    net.now++;
    cr_assert_eq(bypeer_group_revoke(admin->node, net_time(&net), &verdict, why), 0, "%s", why);
    net_turn(&net);
    cr_expect(is_revoked(&net.members[0], alice), "the first key");
    cr_expect_lt(net_connect(alice, &net.members[0], NULL), 0);
    order.subject.key = bypeer_key_public(keys[1]);
    bypeer_chain_free(chain);
    cr_expect_eq(bypeer_group_issue(admin->node, net_time(&net), &order, &chain, why), -EKEYREVOKED);
    for (unsigned at = 0; at < 2; at++)
        bypeer_key_free(keys[at]);
    net_close(&net);
}

Test(group_revocation, is_for_administrators_and_against_them_for_the_group_alone)
{
    struct net net;
    net_open(&net, BYPEER_PROFILE_MODERN, NULL);
    struct net_member *admin = net_welcome(&net.members[0], "admin", BYPEER_ROLE_ADMINISTRATOR);
    struct net_member *other = net_welcome(&net.members[0], "other", BYPEER_ROLE_ADMINISTRATOR);
    struct net_member *alice = net_welcome(admin, "alice", BYPEER_ROLE_MEMBER);
    cr_expect_eq(revoke(alice, other, false), -EPERM);
    cr_expect_eq(revoke(admin, other, false), -EPERM);
    cr_expect_eq(revoke(admin, admin, false), -EINVAL);
    cr_expect_eq(revoke(&net.members[0], other, false), 0);
    cr_expect(is_revoked(alice, other));
    cr_expect_eq(revoke(&net.members[0], other, false), -EALREADY);
    net_close(&net);
}

/* An administrator's revocation against another, brought to somebody who does not know yet that it is against one. */
Test(group_revocation, against_an_administrator_falls_when_he_turns_out_to_be_one)
{
    struct net net;
    net_open(&net, BYPEER_PROFILE_MODERN, NULL);
    struct net_member *admin = net_welcome(&net.members[0], "admin", BYPEER_ROLE_ADMINISTRATOR);
    net.is_split = true;
    struct net_member *other = net_welcome(&net.members[0], "other", BYPEER_ROLE_ADMINISTRATOR);
    struct net_member *bob = net_welcome(&net.members[0], "bob", BYPEER_ROLE_MEMBER);
    cr_assert_eq(revoke(admin, other, false), 0, "the admin does not know that the other is one");
    cr_assert_eq(net_give(bob, revocation_record(admin)), BYPEER_GRAPH_VALID, "%s", bob->why);
    cr_expect(is_revoked(bob, other));
    net_synchronise(other, bob);
    cr_expect_not(is_revoked(bob, other));
    cr_expect_null(revocation_record(bob), "and it is kept no longer");
    cr_expect_eq(net_connect(other, bob, NULL), 1, "%s", bob->why);
    net_close(&net);
}

Test(group_revocation, by_an_administrator_ends_with_him_unless_the_group_takes_it_over)
{
    struct net net;
    net_open(&net, BYPEER_PROFILE_MODERN, NULL);
    struct net_member *admin = net_welcome(&net.members[0], "admin", BYPEER_ROLE_ADMINISTRATOR);
    struct net_member *alice = net_welcome(&net.members[0], "alice", BYPEER_ROLE_MEMBER);
    struct net_member *bob = net_welcome(&net.members[0], "bob", BYPEER_ROLE_MEMBER);
    cr_assert_eq(revoke(admin, alice, false), 0);
    cr_assert_eq(revoke(&net.members[0], admin, false), 0);
    cr_expect(is_revoked(bob, admin));
    cr_expect(is_revoked(bob, alice), "the founder, who was there, has signed it again");
    net_close(&net);
}

Test(group_revocation, is_neither_changed_nor_replaced)
{
    struct net net;
    net_open(&net, BYPEER_PROFILE_MODERN, NULL);
    struct net_member *admin = net_welcome(&net.members[0], "admin", BYPEER_ROLE_ADMINISTRATOR);
    struct net_member *alice = net_welcome(admin, "alice", BYPEER_ROLE_MEMBER);
    struct net_member *bob = net_welcome(admin, "bob", BYPEER_ROLE_MEMBER);
    cr_assert_eq(revoke(admin, alice, false), 0);
    struct bypeer_guid id = revocation_record(bob)->id;
    cr_expect_eq(net_update(admin, &id, "never mind"), 0, "the admin's own node does what he tells it");
    cr_expect_str_eq(bob->why, "revocations are neither changed nor deleted");
    cr_expect_eq(revocation_record(bob)->version, 1);
    struct bypeer_record *other = bypeer_record_copy(revocation_record(bob));
    other->id.bytes[15] ^= 1;
    cr_expect_eq(net_give(bob, other), BYPEER_GRAPH_INVALID);
    cr_expect_str_eq(bob->why, "the revocation's record ID is not of its target");
    free(other);
    cr_expect(is_revoked(bob, alice));
    net_close(&net);
}

Test(group_revocation, of_a_key_holds_for_new_memberships)
{
    struct net net;
    struct bypeer_chain *chain;
    char why[160];
    net_open(&net, BYPEER_PROFILE_MODERN, NULL);
    struct net_member *admin = net_welcome(&net.members[0], "admin", BYPEER_ROLE_ADMINISTRATOR);
    struct net_member *alice = net_add(&net, "alice");
    struct bypeer_chain *unused = net_invite(&net.members[0], alice, BYPEER_ROLE_MEMBER);
    cr_assert_eq(revoke(admin, alice, false), 0, "the invitation was never used");
    const struct bypeer_group_order order = {.subject = {alice->name, bypeer_key_public(alice->key), "Alice"},
                                             .roles = BYPEER_ROLE_MEMBER};
    cr_expect_eq(bypeer_group_issue(admin->node, net_time(&net), &order, &chain, why), -EKEYREVOKED);
    net_join(alice, unused, NULL);
    cr_expect_lt(net_connect(alice, admin, NULL), 0);
    bypeer_chain_free(unused);
    net_close(&net);
}

/* An administrator signs a record in the name of another, who is about to revoke somebody, under the ID that needs. */
Test(group_revocation, has_an_id_that_no_other_record_can_have)
{
    struct net net;
    struct bypeer_guid id;
    char group[BYPEER_NAME_TEXT_MAX];
    net_open(&net, BYPEER_PROFILE_MODERN, NULL);
    struct net_member *admin = net_welcome(&net.members[0], "admin", BYPEER_ROLE_ADMINISTRATOR);
    struct net_member *mallory = net_welcome(&net.members[0], "mallory", BYPEER_ROLE_ADMINISTRATOR);
    struct net_member *alice = net_welcome(mallory, "alice", BYPEER_ROLE_MEMBER);
    cr_assert_eq(net_publish(alice, "e4", &id), 0);
    cr_assert_eq(net_update(mallory, &id, "e4"), 0);
    struct bypeer_record *squatter = bypeer_record_copy(net_find(admin, &id));
    bypeer_name_write(&net.group, group);
    bypeer_revocation_id(net.profile, admin->id, group, bypeer_key_public(alice->key), &squatter->id);
    squatter->creator = admin->id;
    const struct bypeer_record_rules rules = {.profile = net.profile, .graph = group};
    const char *fault = bypeer_record_fault(squatter, &rules);
    cr_assert_not_null(fault);
    cr_expect_str_eq(fault, "its ID is not one of its creator's");
    free(squatter);
    cr_assert_eq(revoke(admin, alice, false), 0);
    cr_expect_null(bypeer_record_fault(revocation_record(admin), &rules));
    net_close(&net);
}

/* Promoted by whoever may promote: that undoes no revocation, and shields from none that comes. */
Test(group_revocation, is_not_undone_by_an_administrators_promotion)
{
    struct net net;
    net_open(&net, BYPEER_PROFILE_MODERN, NULL);
    struct net_member *admin = net_welcome(&net.members[0], "admin", BYPEER_ROLE_ADMINISTRATOR);
    struct net_member *mallory = net_welcome(&net.members[0], "mallory", BYPEER_ROLE_ADMINISTRATOR);
    struct net_member *alice = net_welcome(mallory, "alice", BYPEER_ROLE_MEMBER);
    struct bypeer_chain *promotion = net_invite(mallory, alice, BYPEER_ROLE_ADMINISTRATOR);
    cr_assert_eq(revoke(admin, alice, false), 0);
    bypeer_group_free(alice->node);
    net_join(alice, promotion, NULL);
    net_synchronise(alice, admin);
    net_synchronise(alice, mallory);
    cr_expect(is_revoked(admin, alice));
    cr_expect(is_revoked(mallory, alice));
    cr_expect_lt(net_connect(alice, admin, NULL), 0);
    struct net_member *bob = net_welcome(mallory, "bob", BYPEER_ROLE_ADMINISTRATOR);
    cr_expect_eq(revoke(admin, bob, false), 0, "whom an administrator made one another may revoke");
    cr_expect(is_revoked(&net.members[0], bob));
    bypeer_chain_free(promotion);
    net_close(&net);
}

/* Somebody who became an administrator a moment ago, and somebody who says that he signed long before that. */
Test(group_revocation, does_not_go_by_the_date_that_its_signer_says)
{
    struct net net;
    net_open(&net, BYPEER_PROFILE_MODERN, NULL);
    struct net_member *mallory = net_welcome(&net.members[0], "mallory", BYPEER_ROLE_ADMINISTRATOR);
    net.is_split = true;
    net.now += 5000;
    struct net_member *young = net_welcome(&net.members[0], "young", BYPEER_ROLE_ADMINISTRATOR);
    net.now -= 4000;
    cr_assert_eq(revoke(mallory, young, false), 0, "his own node does not know better");
    net.now += 4000;
    struct net_member *bob = net_welcome(&net.members[0], "bob", BYPEER_ROLE_MEMBER);
    net_synchronise(young, bob);
    cr_expect_eq(net_give(bob, revocation_record(mallory)), BYPEER_GRAPH_INVALID);
    cr_expect_str_eq(bob->why, "only the group's key revokes an administrator whom it made one");
    cr_expect_not(is_revoked(bob, young));
    net_close(&net);
}

/* In whatever order they come: a higher one's word against a lower one's. */
Test(group_revocation, by_a_lower_administrator_ends_with_him)
{
    for (unsigned order = 0; order < 2; order++) {
        struct net net;
        net_open(&net, BYPEER_PROFILE_MODERN, NULL);
        struct net_member *admin = net_welcome(&net.members[0], "admin", BYPEER_ROLE_ADMINISTRATOR);
        struct net_member *mallory = net_welcome(admin, "mallory", BYPEER_ROLE_ADMINISTRATOR);
        struct net_member *alice = net_welcome(&net.members[0], "alice", BYPEER_ROLE_MEMBER);
        net.is_split = true;
        struct net_member *bob = net_welcome(&net.members[0], "bob", BYPEER_ROLE_MEMBER);
        cr_assert_eq(revoke(mallory, alice, false), 0);
        cr_assert_eq(revoke(admin, mallory, false), 0);
        net_give(bob, revocation_record(order ? mallory : admin));
        net_give(bob, revocation_record(order ? admin : mallory));
        net_turn(&net);
        cr_expect(is_revoked(bob, mallory));
        cr_expect_not(is_revoked(bob, alice), "%u", order);
        net_close(&net);
    }
}

Test(group_revocation, of_who_revoked_with_bad_intent_undoes_that)
{
    struct net net;
    net_open(&net, BYPEER_PROFILE_MODERN, NULL);
    struct net_member *mallory = net_welcome(&net.members[0], "mallory", BYPEER_ROLE_ADMINISTRATOR);
    struct net_member *alice = net_welcome(&net.members[0], "alice", BYPEER_ROLE_MEMBER);
    struct net_member *bob = net_welcome(&net.members[0], "bob", BYPEER_ROLE_MEMBER);
    char why[160];
    cr_assert_eq(revoke(mallory, alice, false), 0);
    const struct bypeer_group_verdict verdict = {.key = bypeer_key_public(mallory->key), .is_undo = true};
    net.now++;
    cr_assert_eq(bypeer_group_revoke(net.members[0].node, net_time(&net), &verdict, why), 0, "%s", why);
    net_turn(&net);
    cr_expect(is_revoked(bob, mallory));
    cr_expect_not(is_revoked(bob, alice));
    cr_expect_eq(net_connect(alice, bob, NULL), 1, "%s", bob->why);
    net_close(&net);
}

Test(group_revocation, lets_nobody_rise_whose_membership_is_signed_again)
{
    struct net net;
    struct bypeer_group_member member;
    net_open(&net, BYPEER_PROFILE_MODERN, NULL);
    struct net_member *mallory = net_welcome(&net.members[0], "mallory", BYPEER_ROLE_INVITING);
    struct net_member *friend = net_welcome(mallory, "friend", BYPEER_ROLE_INVITING);
    struct net_member *admin = net_welcome(&net.members[0], "admin", BYPEER_ROLE_ADMINISTRATOR);
    struct net_member *heir = net_welcome(admin, "heir", BYPEER_ROLE_ADMINISTRATOR);
    cr_assert_eq(revoke(&net.members[0], mallory, true), 0);
    cr_assert(bypeer_group_find_member(admin->node, &friend->name, &member));
    cr_expect_not(member.is_revoked);
    cr_expect_eq(member.roles, BYPEER_ROLE_MEMBER);
    cr_assert_eq(revoke(&net.members[0], admin, true), 0);
    cr_assert(bypeer_group_find_member(friend->node, &heir->name, &member));
    cr_expect(member.is_revoked, "no administrator by a revoked one's word");
    net_close(&net);
}

/* An administrator says of a friend's key that it replaced the founder's: revoking the friend is not to hit him. */
Test(group_revocation, of_a_key_does_not_reach_an_administrator_by_a_false_rotation)
{
    struct net net;
    struct bypeer_chain *chain;
    char why[160];
    net_open(&net, BYPEER_PROFILE_MODERN, NULL);
    struct net_member *other = net_welcome(&net.members[0], "other", BYPEER_ROLE_ADMINISTRATOR);
    struct net_member *mallory = net_welcome(&net.members[0], "mallory", BYPEER_ROLE_ADMINISTRATOR);
    struct net_member *friend = net_welcome(mallory, "friend", BYPEER_ROLE_MEMBER);
    const struct net_member *targets[] = {&net.members[0], other};
    for (unsigned at = 0; at < 2; at++) {
        const struct bypeer_group_order order = {
            .subject = {targets[at]->name, bypeer_key_public(friend->key), "Friend"},
            .roles = BYPEER_ROLE_ADMINISTRATOR,
            .is_publish = true,
            .is_followed = true,
        };
        cr_assert_eq(bypeer_group_issue(mallory->node, net_time(&net), &order, &chain, why), 0, "%s", why);
        bypeer_chain_free(chain);
        net_turn(&net);
    }
    cr_assert_eq(revoke(&net.members[0], friend, false), 0);
    for (unsigned at = 0; at < 2; at++)
        cr_expect_not(is_revoked(mallory, targets[at]), "%u", at);
    cr_expect(is_revoked(mallory, friend));
    net_close(&net);
}

/* He says that he signed it in time: then nobody knows better, and so it reaches none who is renewed. */
Test(group_revocation, by_whose_membership_is_over_ends_with_a_renewal)
{
    struct net net;
    struct bypeer_chain *chain;
    char why[160];
    net_open(&net, BYPEER_PROFILE_MODERN, NULL);
    struct net_member *old = net_add(&net, "old");
    struct bypeer_group_order order = {
        .subject = {old->name, bypeer_key_public(old->key), "old"},
        .roles = BYPEER_ROLE_ADMINISTRATOR,
        .until = net.now + 1000,
    };
    cr_assert_eq(bypeer_group_issue(net.members[0].node, net_time(&net), &order, &chain, why), 0, "%s", why);
    net_join(old, chain, NULL);
    bypeer_chain_free(chain);
    struct net_member *admin = net_welcome(&net.members[0], "admin", BYPEER_ROLE_ADMINISTRATOR);
    struct net_member *friend = net_welcome(&net.members[0], "friend", BYPEER_ROLE_INVITING);
    struct net_member *bob = net_welcome(admin, "bob", BYPEER_ROLE_MEMBER);
    net.is_split = true;
    cr_assert_eq(revoke(old, bob, false), 0);
    net.is_split = false;
    net.now += 2000;
    net_synchronise(old, admin);
    net_synchronise(old, friend);
    net_turn(&net);
    cr_assert(is_revoked(admin, bob));
    cr_assert_lt(net_connect(bob, admin, NULL), 0);

    order = (struct bypeer_group_order){
        .subject = {bob->name, bypeer_key_public(bob->key), "bob"}, .roles = BYPEER_ROLE_MEMBER, .is_publish = true};
    cr_expect_eq(bypeer_group_issue(friend->node, net_time(&net), &order, &chain, why), -EKEYREVOKED);
    cr_assert_eq(bypeer_group_issue(admin->node, net_time(&net), &order, &chain, why), 0, "%s", why);
    bypeer_chain_free(chain);
    net_turn(&net);
    cr_expect_not(is_revoked(friend, bob));
    cr_expect_eq(net_connect(bob, friend, NULL), 1, "%s %s", bob->why, friend->why);

    cr_assert_eq(revoke(admin, bob, false), 0, "who is in office does");
    cr_expect(is_revoked(friend, bob));
    cr_expect_lt(net_connect(bob, friend, NULL), 0);
    cr_expect_eq(bypeer_group_issue(admin->node, net_time(&net), &order, &chain, why), -EKEYREVOKED);
    net_close(&net);
}
