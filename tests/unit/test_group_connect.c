/* Links of a group: who is let in, by membership or by password. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "overlay/group/password.h"
#include "tests/unit/group_net.h"

TestSuite(group_connect, .timeout = 60);

Test(group_connect, members_meet)
{
    struct net net;
    net_open(&net, BYPEER_PROFILE_MODERN, NULL);
    struct net_member *alice = net_welcome(&net.members[0], "alice", BYPEER_ROLE_MEMBER);
    cr_expect_eq(net_connect(alice, &net.members[0], NULL), 1, "%s", net.members[0].why);
    net_close(&net);
}

Test(group_connect, a_link_makes_a_member_known)
{
    struct net net;
    struct bypeer_guid id;
    net_open(&net, BYPEER_PROFILE_MODERN, NULL);
    struct net_member *alice = net_welcome(&net.members[0], "alice", BYPEER_ROLE_MEMBER);
    net.is_split = true;
    struct net_member *bob = net_welcome(&net.members[0], "bob", BYPEER_ROLE_MEMBER);
    cr_assert_eq(net_publish(bob, "e4", &id), 0);
    cr_assert_eq(net_give(alice, net_find(bob, &id)), BYPEER_GRAPH_DEFERRED);
    cr_expect_eq(net_connect(bob, alice, NULL), 1);
    cr_expect_not_null(net_find(alice, &id), "his waiting record counts now");
    net_close(&net);
}

Test(group_connect, members_of_other_groups_are_refused)
{
    struct net net, other;
    net_open(&net, BYPEER_PROFILE_MODERN, NULL);
    net_open(&other, BYPEER_PROFILE_MODERN, NULL);
    cr_expect_lt(net_connect(&other.members[0], &net.members[0], NULL), 0);
    cr_expect_not_null(strstr(net.members[0].why, "group"), "%s", net.members[0].why);
    net_close(&net);
    net_close(&other);
}

Test(group_connect, a_chain_is_good_for_its_own_identity_alone)
{
    struct net net;
    net_open(&net, BYPEER_PROFILE_MODERN, NULL);
    struct net_member *alice = net_welcome(&net.members[0], "alice", BYPEER_ROLE_MEMBER);
    struct net_member *mallory = net_add(&net, "mallory");
    struct bypeer_certificate *own = alice->idc;
    alice->idc = mallory->idc; /* TLS shows who he is; what he says inside is Alice's */
    cr_expect_lt(net_connect(alice, &net.members[0], NULL), 0);
    alice->idc = own;
    net_close(&net);
}

Test(group_connect, the_password_makes_a_member)
{
    struct net net;
    struct bypeer_group_member member;
    struct bypeer_guid id;
    net_open(&net, BYPEER_PROFILE_MODERN, "castling");
    struct net_member *alice = net_add(&net, "alice");
    net_join(alice, NULL, "castling");
    cr_expect_null(bypeer_group_chain(alice->node));
    cr_assert_eq(net_connect(alice, &net.members[0], NULL), 1, "%s / %s", alice->why, net.members[0].why);
    cr_expect_eq(alice->renewed, 1);
    cr_expect_eq(net.members[0].admitted, 1);
    cr_assert_not_null(bypeer_group_chain(alice->node));
    cr_assert(bypeer_group_find_member(net.members[0].node, &alice->name, &member), "she has said so to all");
    cr_expect_eq(member.roles, BYPEER_ROLE_MEMBER);
    cr_expect_eq(member.until, net.now + NET_LIFE / 2);
    cr_assert_eq(net_publish(alice, "e4", &id), 0);
    cr_expect_not_null(net_find(&net.members[0], &id));
    cr_expect_eq(net_connect(alice, &net.members[0], NULL), 1, "and comes back without it");
    cr_expect_eq(net.members[0].admitted, 1);
    net_close(&net);
}

Test(group_connect, a_password_that_was_changed_is_refused)
{
    struct net net;
    struct bypeer_group_properties next;
    char why[160];
    net_open(&net, BYPEER_PROFILE_MODERN, "castling");
    struct net_member *inviter = net_welcome(&net.members[0], "inviter", BYPEER_ROLE_INVITING);
    next = *bypeer_group_properties(net.members[0].node);
    cr_assert_eq(bypeer_password_form(net.profile, &net.group, "en passant", next.password), 0);
    net.now++;
    cr_assert_eq(bypeer_group_set_properties(net.members[0].node, net_time(&net), &next, why), 0, "%s", why);
    net_restart(inviter);
    struct net_member *alice = net_add(&net, "alice");
    net_join(alice, NULL, "castling");
    cr_expect_lt(net_connect(alice, &net.members[0], NULL), 0);
    cr_expect_lt(net_connect(alice, inviter, NULL), 0, "wherever she tries");
    struct net_member *bob = net_add(&net, "bob");
    net_join(bob, NULL, "en passant");
    cr_expect_eq(net_connect(bob, inviter, NULL), 1, "%s / %s", bob->why, inviter->why);
    next.has_password = false;
    net.now++;
    cr_assert_eq(bypeer_group_set_properties(net.members[0].node, net_time(&net), &next, why), 0, "%s", why);
    struct net_member *carol = net_add(&net, "carol");
    net_join(carol, NULL, "en passant");
    cr_expect_lt(net_connect(carol, inviter, NULL), 0, "there is none any more");
    net_close(&net);
}

Test(group_connect, a_wrong_password_makes_none)
{
    struct net net;
    net_open(&net, BYPEER_PROFILE_MODERN, "castling");
    struct net_member *alice = net_add(&net, "alice");
    net_join(alice, NULL, "Castling");
    cr_expect_lt(net_connect(alice, &net.members[0], NULL), 0);
    cr_expect_str_eq(net.members[0].why, "the password is wrong");
    cr_expect_str_eq(alice->why, "the group did not take the password: it may be wrong");
    cr_expect_eq(net.members[0].admitted, 0);
    cr_expect_null(bypeer_group_chain(alice->node));
    net_close(&net);
}

Test(group_connect, passwords_cannot_be_tried_on_and_on)
{
    struct net net;
    const struct bypeer_graph_address here = {.address = {0x20, 0x01, [15] = 1}, .port = 1};
    const struct bypeer_graph_address beside = {.address = {0x20, 0x01, [15] = 2}, .port = 1};
    const struct bypeer_graph_address there = {.address = {0x20, 0x02, [15] = 1}, .port = 1};
    net_open(&net, BYPEER_PROFILE_MODERN, "castling");
    struct net_member *mallory = net_add(&net, "mallory");
    struct net_member *alice = net_add(&net, "alice");
    net_join(mallory, NULL, "guess");
    net_join(alice, NULL, "castling");
    for (unsigned tries = 0; tries < 5; tries++) {
        cr_expect_lt(net_connect(mallory, &net.members[0], &here), 0);
        cr_expect_str_eq(net.members[0].why, "the password is wrong");
    }
    cr_expect_lt(net_connect(mallory, &net.members[0], &beside), 0, "the same /64");
    cr_expect_str_eq(net.members[0].why, "passwords are tried too often: wait a minute");
    cr_expect_eq(net_connect(alice, &net.members[0], &there), 1, "who is elsewhere is not kept out");
    net.now += 61;
    cr_expect_lt(net_connect(mallory, &net.members[0], &here), 0);
    cr_expect_str_eq(net.members[0].why, "the password is wrong");
    net_close(&net);
}

Test(group_connect, members_who_may_invite_nobody_take_nobody_in)
{
    struct net net;
    net_open(&net, BYPEER_PROFILE_MODERN, "castling");
    struct net_member *bob = net_welcome(&net.members[0], "bob", BYPEER_ROLE_MEMBER);
    struct net_member *alice = net_add(&net, "alice");
    net_join(alice, NULL, "castling");
    cr_expect_lt(net_connect(alice, bob, NULL), 0);
    cr_expect_str_eq(bob->why, "this node may not take anybody in by password: another one may");
    net_close(&net);
}

Test(group_connect, a_group_without_password_takes_none)
{
    struct net net;
    net_open(&net, BYPEER_PROFILE_MODERN, NULL);
    struct net_member *alice = net_add(&net, "alice");
    net_join(alice, NULL, "castling");
    cr_expect_lt(net_connect(alice, &net.members[0], NULL), 0);
    cr_expect_str_eq(net.members[0].why, "the group cannot be joined by password");
    net_close(&net);
}

Test(group_connect, windows_members_join_by_its_own_proof)
{
    struct net net;
    net_open(&net, BYPEER_PROFILE_WINDOWS, "castling");
    struct net_member *alice = net_add(&net, "alice");
    struct net_member *mallory = net_add(&net, "mallory");
    net_join(alice, NULL, "castling");
    net_join(mallory, NULL, "guess");
    cr_expect_eq(net_connect(alice, &net.members[0], NULL), 1, "%s / %s", alice->why, net.members[0].why);
    cr_expect_lt(net_connect(mallory, &net.members[0], NULL), 0);
    cr_expect_str_eq(net.members[0].why, "the password is wrong");
    net_close(&net);
}

/* Whatever a peer sends instead of messages, the link ends and nothing else does. */
Test(group_connect, nonsense_ends_the_link)
{
    static const uint8_t nonsense[][8] = {
        {0, 9, 0, 0, 0, 0}, {0, 0, 7, 0}, {0, 1, 0, 0, 0, 0}, {0, 2, 0, 0, 0, 0}, {0, 6, 0xff, 0xff, 0xff, 0xff}};
    struct net net;
    net_open(&net, BYPEER_PROFILE_MODERN, "castling");
    const struct bypeer_graph_security *security = bypeer_group_security(net.members[0].node);
    struct net_member *alice = net_add(&net, "alice");
    size_t length;
    const uint8_t *der = bypeer_certificate_der(alice->idc, &length);
    for (size_t at = 0; at < sizeof(nonsense) / sizeof(*nonsense); at++) {
        void *link;
        struct bypeer_buffer out = {0};
        const char *why = NULL;
        uint8_t last[9] = "F";
        memcpy(last + 1, nonsense[at], 8);
        cr_assert_eq(security->link_open(security->context, &link, false, NULL, BYPEER_GRAPH_NEIGHBOR, NULL), 0);
        cr_expect_eq(security->link_token(security->context, link, net_time(&net), der, length, &out, &why), 0);
        cr_expect_lt(security->link_token(security->context, link, net_time(&net), last, sizeof(last), &out, &why), 0);
        cr_expect_not_null(why);
        cr_expect_lt(security->link_token(security->context, link, net_time(&net), last, sizeof(last), &out, &why), 0,
                     "it stays ended");
        security->link_close(security->context, link);
        bypeer_buffer_clear(&out);
    }
    net_close(&net);
}

/* A key that somebody issues a membership for in a member's name. */
static struct bypeer_key *replace_key(struct net_member *issuer, const struct net_member *member, uint32_t roles)
{
    struct net *net = issuer->net;
    struct bypeer_key *key;
    struct bypeer_chain *chain;
    char why[160];
    cr_assert_eq(bypeer_key_generate(&key, net->profile), 0);
    const struct bypeer_group_order order = {
        .subject = {member->name, bypeer_key_public(key), "heir"},
        .roles = roles,
        .is_publish = true,
        .is_followed = true,
    };
    cr_assert_eq(bypeer_group_issue(issuer->node, net_time(net), &order, &chain, why), 0, "%s", why);
    bypeer_chain_free(chain);
    net_turn(net);
    return key;
}

Test(group_connect, a_replaced_key_is_good_for_a_while)
{
    struct net net;
    struct bypeer_guid before, after;
    net_open(&net, BYPEER_PROFILE_MODERN, NULL);
    struct net_member *alice = net_welcome(&net.members[0], "alice", BYPEER_ROLE_MEMBER);
    struct net_member *bob = net_welcome(&net.members[0], "bob", BYPEER_ROLE_MEMBER);
    cr_assert_eq(net_publish(alice, "e4", &before), 0);
    net.is_split = true; /* the thief of her old key has not heard of the new one */
    struct bypeer_key *key = replace_key(&net.members[0], alice, BYPEER_ROLE_MEMBER);
    net_synchronise(&net.members[0], bob);
    net_turn(&net);
    cr_expect_eq(net_connect(alice, bob, NULL), 1, "%s", bob->why);
    bob->cut[0] = '\0';
    net.now += 86400 - 1300;
    net_turn(&net);
    cr_expect_eq(net_connect(alice, bob, NULL), 1, "%s", bob->why);
    cr_expect_str_eq(bob->cut, "");
    net.now += 1300;
    net_turn(&net);
    cr_expect_str_eq(bob->cut, alice->id);
    cr_expect_lt(net_connect(alice, bob, NULL), 0);
    cr_expect_str_eq(bob->why, "its key was replaced by another");
    cr_expect_not_null(net_find(bob, &before), "what it signed before stays");
    cr_assert_eq(net_publish(alice, "d4", &after), 0);
    cr_expect_eq(net_give(bob, net_find(alice, &after)), BYPEER_GRAPH_INVALID);
    struct bypeer_group_member member;
    cr_assert(bypeer_group_find_member(bob->node, &alice->name, &member));
    cr_expect_arr_eq(member.key, bypeer_key_public(key), net.profile->public_key_bytes);
    cr_expect_not(member.is_revoked);
    bypeer_key_free(key);
    net_close(&net);
}

/* It is as much as revoking him, which takes the group's key. */
Test(group_connect, an_administrator_says_of_no_other_that_his_key_was_replaced)
{
    struct net net;
    net_open(&net, BYPEER_PROFILE_MODERN, NULL);
    struct net_member *mallory = net_welcome(&net.members[0], "mallory", BYPEER_ROLE_ADMINISTRATOR);
    struct net_member *alice = net_welcome(&net.members[0], "alice", BYPEER_ROLE_ADMINISTRATOR);
    struct net_member *bob = net_welcome(&net.members[0], "bob", BYPEER_ROLE_MEMBER);
    bypeer_key_free(replace_key(mallory, alice, BYPEER_ROLE_ADMINISTRATOR));
    net.now += 90000;
    net_turn(&net);
    cr_expect_eq(net_connect(alice, bob, NULL), 1, "%s", bob->why);
    bypeer_key_free(replace_key(&net.members[0], alice, BYPEER_ROLE_ADMINISTRATOR));
    net.now += 5000;
    cr_expect_eq(net_connect(alice, bob, NULL), 1, "for a while: %s", bob->why);
    net_close(&net);
}
