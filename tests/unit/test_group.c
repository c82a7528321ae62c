/* Members of a group, roles and records: who may what, as the other members see it. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "overlay/certificate/issue.h"
#include "overlay/group/address.h"
#include "overlay/group/membership.h"
#include "tests/unit/group_net.h"

TestSuite(group, .timeout = 60);

static struct bypeer_group_member shown(struct net_member *at, const struct net_member *of)
{
    struct bypeer_group_member member;
    cr_assert(bypeer_group_find_member(at->node, &of->name, &member));
    return member;
}

Test(group, invited_members_know_each_other_and_their_addresses)
{
    struct net net;
    net_open(&net, BYPEER_PROFILE_MODERN, NULL);
    struct net_member *alice = net_welcome(&net.members[0], "alice", BYPEER_ROLE_INVITING | BYPEER_ROLE_MEMBER);
    struct net_member *bob = net_welcome(alice, "bob", BYPEER_ROLE_MEMBER);
    struct bypeer_group_member member = shown(bob, alice);
    uint8_t address[16];
    bypeer_group_address(net.profile, &net.group, &alice->name, address);
    cr_expect_arr_eq(member.address, address, sizeof(address));
    cr_expect_eq(member.roles, BYPEER_ROLE_INVITING | BYPEER_ROLE_MEMBER);
    cr_expect_not(member.is_self);
    cr_expect(shown(bob, bob).is_self);
    cr_expect_arr_eq(shown(&net.members[0], bob).key, bypeer_key_public(bob->key), net.profile->public_key_bytes);
    cr_expect(bypeer_group_find_address(bob->node, address, &member));
    cr_expect_eq(net.members[0].changes[BYPEER_GROUP_JOINED], 2);
    net_close(&net);
}

Test(group, the_founder_describes_the_group_to_all)
{
    struct net net;
    net_open(&net, BYPEER_PROFILE_MODERN, NULL);
    struct net_member *alice = net_welcome(&net.members[0], "alice", BYPEER_ROLE_ADMINISTRATOR);
    const struct bypeer_group_properties *properties = bypeer_group_properties(alice->node);
    cr_assert_not_null(properties);
    cr_expect_str_eq(properties->friendly, "Chess");
    struct bypeer_group_properties next = *properties;
    char why[160];
    snprintf(next.comment, sizeof(next.comment), "Tuesdays");
    net.now++;
    cr_expect_eq(bypeer_group_set_properties(alice->node, net_time(&net), &next, why), -EPERM);
    cr_expect_eq(bypeer_group_set_properties(net.members[0].node, net_time(&net), &next, why), 0, "%s", why);
    cr_expect_str_eq(bypeer_group_properties(alice->node)->comment, "Tuesdays");
    next.membership_s++;
    cr_expect_eq(bypeer_group_set_properties(net.members[0].node, net_time(&net), &next, why), -EINVAL);
    net_close(&net);
}

Test(group, a_record_waits_for_its_authors_membership)
{
    struct net net;
    struct bypeer_guid id;
    net_open(&net, BYPEER_PROFILE_MODERN, NULL);
    struct net_member *alice = net_welcome(&net.members[0], "alice", BYPEER_ROLE_MEMBER);
    net.is_split = true;
    struct net_member *bob = net_welcome(&net.members[0], "bob", BYPEER_ROLE_MEMBER);
    cr_assert_eq(net_publish(bob, "e4", &id), 0);
    cr_expect_eq(net_give(alice, net_find(bob, &id)), BYPEER_GRAPH_DEFERRED);
    net_synchronise(bob, alice);
    cr_expect_not_null(net_find(alice, &id));
    net_close(&net);
}

Test(group, only_administrators_change_the_records_of_others)
{
    struct net net;
    struct bypeer_guid id;
    net_open(&net, BYPEER_PROFILE_MODERN, NULL);
    struct net_member *admin = net_welcome(&net.members[0], "admin", BYPEER_ROLE_ADMINISTRATOR);
    struct net_member *alice = net_welcome(admin, "alice", BYPEER_ROLE_MEMBER);
    struct net_member *bob = net_welcome(admin, "bob", BYPEER_ROLE_MEMBER);
    cr_assert_eq(net_publish(alice, "e4", &id), 0);
    cr_expect_eq(net_update(bob, &id, "d4"), -EPERM);
    cr_expect_eq(net_update(admin, &id, "c4"), 0);
    const struct bypeer_record *record = net_find(bob, &id);
    cr_assert_not_null(record);
    cr_expect_eq(memcmp(record->payload, "c4", 2), 0);
    net_close(&net);
}

/* A record with one thing changed behind its signature is refused, and says why. */
#define FORGED(reason, change)                                                   \
    do {                                                                         \
        struct bypeer_record *forged = bypeer_record_copy(net_find(alice, &id)); \
        change;                                                                  \
        cr_expect_eq(net_give(bob, forged), BYPEER_GRAPH_INVALID, #change);      \
        cr_expect_str_eq(bob->why, reason);                                      \
        free(forged);                                                            \
    } while (0)

Test(group, forged_records_are_refused)
{
    struct net net;
    struct bypeer_guid id;
    uint8_t security[512], payload[] = {'d', '4'};
    net_open(&net, BYPEER_PROFILE_MODERN, NULL);
    struct net_member *alice = net_welcome(&net.members[0], "alice", BYPEER_ROLE_MEMBER);
    struct net_member *bob = net_welcome(&net.members[0], "bob", BYPEER_ROLE_MEMBER);
    cr_assert_eq(net_publish(alice, "e4", &id), 0);
    memcpy(security, net_find(alice, &id)->security, net_find(alice, &id)->security_bytes);
    security[40] ^= 1;
    FORGED("the signature is not its author's", forged->payload = payload);
    FORGED("the signature is not its author's", forged->version = 2);
    FORGED("the signature is not its author's", forged->expires++);
    FORGED("the signature is not its author's", forged->security = security);
    FORGED("its security data is malformed", forged->security_bytes--);
    FORGED("its creator or modifier is no secure peer name", forged->creator = "0.bob");
    security[40] ^= 1;
    security[16] ^= 1;
    struct bypeer_record *stranger = bypeer_record_copy(net_find(alice, &id));
    stranger->security = security;
    cr_expect_eq(net_give(bob, stranger), BYPEER_GRAPH_DEFERRED, "a serial that nobody has");
    free(stranger);
    net_close(&net);
}

Test(group, nobody_publishes_in_the_groups_name)
{
    struct net net;
    struct bypeer_guid id;
    char group[BYPEER_NAME_TEXT_MAX];
    net_open(&net, BYPEER_PROFILE_MODERN, NULL);
    struct net_member *admin = net_welcome(&net.members[0], "admin", BYPEER_ROLE_ADMINISTRATOR);
    bypeer_name_write(&net.group, group);
    struct bypeer_record_draft draft = {
        .type = BYPEER_RECORD_SECURITY, .creator = group, .expires = net_time(&net).utc + 100, .is_internal = true};
    cr_expect_eq(net_draft(admin, &draft, &id), -EPERM);
    draft.type = (struct bypeer_guid){{0xaa}};
    cr_expect_eq(net_draft(&net.members[0], &draft, &id), -EPERM);
    net_close(&net);
}

Test(group, who_may_invite_whom)
{
    struct net net;
    struct bypeer_chain *chain;
    char why[160];
    net_open(&net, BYPEER_PROFILE_MODERN, NULL);
    struct net_member *alice = net_welcome(&net.members[0], "alice", BYPEER_ROLE_INVITING);
    struct net_member *bob = net_welcome(alice, "bob", BYPEER_ROLE_MEMBER);
    struct net_member *carol = net_add(&net, "carol");
    struct bypeer_group_order order = {.subject = {carol->name, bypeer_key_public(carol->key), "Carol"},
                                       .roles = BYPEER_ROLE_MEMBER};
    cr_expect_eq(bypeer_group_issue(bob->node, net_time(&net), &order, &chain, why), -EPERM);
    order.roles = BYPEER_ROLE_ADMINISTRATOR;
    cr_expect_eq(bypeer_group_issue(alice->node, net_time(&net), &order, &chain, why), -EPERM);
    order.roles = BYPEER_ROLE_MEMBER | BYPEER_ROLE_SUPERNODE;
    cr_expect_eq(bypeer_group_issue(alice->node, net_time(&net), &order, &chain, why), -EPERM);
    order.roles = BYPEER_ROLE_MEMBER;
    order.until = net.now + 100 * NET_LIFE;
    cr_expect_neq(bypeer_group_issue(alice->node, net_time(&net), &order, &chain, why), 0, "longer than her own");
    /* Bob's name with Carol's key: nobody says that the one became the other. */
    order.until = 0;
    order.subject.name = bob->name;
    cr_expect_eq(bypeer_group_issue(alice->node, net_time(&net), &order, &chain, why), -EINVAL);
    net_close(&net);
}

Test(group, a_membership_ends)
{
    struct net net;
    struct bypeer_guid id;
    struct bypeer_chain *chain;
    char why[160];
    net_open(&net, BYPEER_PROFILE_MODERN, NULL);
    struct net_member *alice = net_add(&net, "alice");
    const struct bypeer_group_order order = {
        .subject = {alice->name, bypeer_key_public(alice->key), "Alice"},
        .roles = BYPEER_ROLE_MEMBER,
        .until = net.now + 500,
    };
    cr_assert_eq(bypeer_group_issue(net.members[0].node, net_time(&net), &order, &chain, why), 0, "%s", why);
    net_join(alice, chain, NULL);
    cr_expect_eq(net_publish(alice, "e4", &id), -EKEYEXPIRED, "it would last longer than she is a member");
    net.now += 499;
    net_turn(&net);
    cr_expect_eq(net.members[0].changes[BYPEER_GROUP_EXPIRED], 0);
    cr_expect_leq(bypeer_group_deadline(net.members[0].node), net_time(&net).ms + 1000, "it wakes when she expires");
    net.now += 1;
    net_turn(&net);
    cr_expect_eq(net.members[0].changes[BYPEER_GROUP_EXPIRED], 1);
    cr_expect_str_eq(net.members[0].cut, alice->id);
    struct bypeer_group_member member;
    cr_expect_not(bypeer_group_find_member(net.members[0].node, &alice->name, &member));
    cr_expect_lt(net_connect(alice, &net.members[0], NULL), 0);
    bypeer_chain_free(chain);
    net_close(&net);
}

Test(group, a_renewed_membership_reaches_the_member_and_keeps_its_records)
{
    struct net net;
    struct bypeer_guid id;
    struct bypeer_chain *chain;
    char why[160];
    net_open(&net, BYPEER_PROFILE_MODERN, NULL);
    struct net_member *alice = net_welcome(&net.members[0], "alice", BYPEER_ROLE_MEMBER);
    struct net_member *bob = net_welcome(&net.members[0], "bob", BYPEER_ROLE_MEMBER);
    cr_assert_eq(net_publish(alice, "e4", &id), 0);
    const struct bypeer_group_order order = {
        .subject = {alice->name, bypeer_key_public(alice->key), "Alice"},
        .roles = BYPEER_ROLE_INVITING,
        .is_publish = true,
    };
    net.now += 10;
    cr_assert_eq(bypeer_group_issue(net.members[0].node, net_time(&net), &order, &chain, why), 0, "%s", why);
    net_turn(&net);
    cr_expect_eq(alice->renewed, 1);
    cr_expect_eq(shown(bob, alice).roles, BYPEER_ROLE_INVITING);
    cr_expect_eq(bob->changes[BYPEER_GROUP_RENEWED], 1);
    cr_expect_not_null(net_find(bob, &id));
    cr_expect_eq(net_give(bob, net_find(bob, &id)), BYPEER_GRAPH_VALID, "%s", bob->why);
    bypeer_chain_free(chain);
    net_close(&net);
}

Test(group, who_may_invite_cannot_put_an_administrator_down)
{
    struct net net;
    struct bypeer_guid id;
    struct bypeer_chain *chain;
    char why[160];
    net_open(&net, BYPEER_PROFILE_MODERN, NULL);
    struct net_member *admin = net_welcome(&net.members[0], "admin", BYPEER_ROLE_ADMINISTRATOR);
    struct net_member *mallory = net_welcome(&net.members[0], "mallory", BYPEER_ROLE_INVITING);
    struct net_member *alice = net_welcome(&net.members[0], "alice", BYPEER_ROLE_MEMBER);
    const struct bypeer_group_order order = {
        .subject = {admin->name, bypeer_key_public(admin->key), "Nobody"},
        .roles = BYPEER_ROLE_MEMBER,
        .is_publish = true,
    };
    for (unsigned at = 0; at < 10; at++) {
        net.now++;
        if (bypeer_group_issue(mallory->node, net_time(&net), &order, &chain, why) == 0)
            bypeer_chain_free(chain);
        net_turn(&net);
    }
    cr_expect_eq(shown(alice, admin).roles, BYPEER_ROLE_ADMINISTRATOR);
    cr_expect_str_eq(shown(alice, admin).friendly, "Guest");
    cr_expect_eq(admin->renewed, 0);
    cr_assert_eq(net_publish(alice, "e4", &id), 0);
    cr_expect_eq(net_update(admin, &id, "d4"), 0);
    cr_expect_eq(net_find(mallory, &id)->version, 2);
    net_close(&net);
}

Test(group, a_replaced_key_keeps_name_and_address)
{
    struct net net;
    struct bypeer_chain *chain;
    struct bypeer_key *key;
    uint8_t before[16];
    char why[160];
    net_open(&net, BYPEER_PROFILE_MODERN, NULL);
    struct net_member *alice = net_welcome(&net.members[0], "alice", BYPEER_ROLE_MEMBER);
    struct net_member *inviter = net_welcome(&net.members[0], "inviter", BYPEER_ROLE_INVITING);
    memcpy(before, shown(inviter, alice).address, sizeof(before));
    cr_assert_eq(bypeer_key_generate(&key, net.profile), 0);
    struct bypeer_group_order order = {
        .subject = {alice->name, bypeer_key_public(key), "Alice"},
        .roles = BYPEER_ROLE_MEMBER,
        .is_publish = true,
    };
    cr_expect_eq(bypeer_group_issue(net.members[0].node, net_time(&net), &order, &chain, why), -EINVAL);
    order.is_followed = true;
    cr_expect_eq(bypeer_group_issue(inviter->node, net_time(&net), &order, &chain, why), -EPERM,
                 "others could not see the rotation");
    cr_assert_eq(bypeer_group_issue(net.members[0].node, net_time(&net), &order, &chain, why), 0, "%s", why);
    net_turn(&net);
    cr_expect_arr_eq(shown(inviter, alice).key, bypeer_key_public(key), net.profile->public_key_bytes);
    cr_expect_arr_eq(shown(inviter, alice).address, before, sizeof(before));
    bypeer_chain_free(chain);
    order.is_followed = false;
    net.now++;
    cr_assert_eq(bypeer_group_issue(net.members[0].node, net_time(&net), &order, &chain, why), 0, "renewed: %s", why);
    cr_expect_eq(net_connect(alice, inviter, NULL), 1, "the old key is good for a while: %s", inviter->why);
    bypeer_chain_free(chain);
    bypeer_key_free(key);
    net_close(&net);
}

Test(group, memberships_are_not_deleted)
{
    struct net net;
    net_open(&net, BYPEER_PROFILE_MODERN, NULL);
    struct net_member *alice = net_welcome(&net.members[0], "alice", BYPEER_ROLE_MEMBER);
    struct net_member *bob = net_welcome(&net.members[0], "bob", BYPEER_ROLE_MEMBER);
    for (unsigned at = 0; at < bob->graph.count; at++) {
        struct bypeer_record *record = bypeer_record_copy(bob->graph.records[at]);
        record->flags |= BYPEER_RECORD_DELETED;
        record->payload_bytes = 0;
        record->version++;
        cr_expect_eq(net_give(alice, record), BYPEER_GRAPH_INVALID);
        free(record);
    }
    net_close(&net);
}

Test(group, windows_members_sign_and_judge)
{
    struct net net;
    struct bypeer_guid id;
    net_open(&net, BYPEER_PROFILE_WINDOWS, NULL);
    struct net_member *alice = net_welcome(&net.members[0], "alice", BYPEER_ROLE_MEMBER);
    cr_assert_eq(net_publish(alice, "e4", &id), 0);
    cr_expect_not_null(net_find(&net.members[0], &id));
    net_close(&net);
}

/* What Mallory, who may invite, signs for the key of another, under a name of her choice. */
static struct bypeer_chain *forge(struct net_member *mallory, const struct net_member *victim, const char *classifier,
                                  uint32_t roles, uint64_t lasts, const uint8_t *serial)
{
    struct bypeer_peer_name name = victim->name;
    uint8_t address[16], random[BYPEER_CERTIFICATE_SERIAL] = {0x70};
    struct bypeer_chain *chain = NULL;
    const char *reason = "";
    char why[160];
    static uint8_t counter;
    random[15] = ++counter;
    cr_assert_eq(bypeer_classifier_read(&name, classifier, why), 0);
    bypeer_group_address(mallory->net->profile, &mallory->net->group, &name, address);
    const struct bypeer_chain_grant grant = {
        .subject = &name,
        .friendly = "Nobody",
        .public_key = bypeer_key_public(victim->key),
        .roles = roles,
        .not_before = mallory->net->now,
        .not_after = mallory->net->now + lasts,
        .address = address,
        .random = serial ? serial : random,
    };
    int status = bypeer_chain_issue(&chain, bypeer_group_chain(mallory->node), mallory->key, &grant, &reason);
    cr_assert_eq(status, 0, "%s", reason);
    return chain;
}

/* Publishes it past all that Mallory's own node would check. */
static void spread(struct net_member *mallory, struct bypeer_chain *chain)
{
    size_t length;
    struct bypeer_guid id;
    uint8_t payload[32768];
    const uint8_t *bag = bypeer_chain_bag(chain, &length);
    bypeer_membership_write(payload, length);
    memcpy(payload + BYPEER_MEMBERSHIP_FIXED_BYTES, bag, length);
    const struct bypeer_record_draft draft = {
        .type = BYPEER_RECORD_MEMBERSHIP,
        .payload = payload,
        .payload_bytes = BYPEER_MEMBERSHIP_FIXED_BYTES + length,
        .expires = net_time(mallory->net).utc + 400 * BYPEER_PEER_TIME_SECOND,
        .is_internal = true,
    };
    cr_assert_eq(net_draft(mallory, &draft, &id), 0);
    net_turn(mallory->net);
    bypeer_chain_free(chain);
}

static unsigned members_of(struct net_member *at)
{
    struct bypeer_group_member member;
    unsigned count = 0;
    for (bool more = bypeer_group_next_member(at->node, NULL, &member); more;
         more = bypeer_group_next_member(at->node, &member.name, &member))
        count++;
    return count;
}

Test(group, a_second_name_for_an_address_changes_nothing_of_its_member)
{
    struct net net;
    struct bypeer_guid id;
    net_open(&net, BYPEER_PROFILE_MODERN, NULL);
    struct net_member *admin = net_welcome(&net.members[0], "admin", BYPEER_ROLE_ADMINISTRATOR | BYPEER_ROLE_SUPERNODE);
    struct net_member *mallory = net_welcome(&net.members[0], "mallory", BYPEER_ROLE_INVITING);
    struct net_member *alice = net_welcome(&net.members[0], "alice", BYPEER_ROLE_MEMBER);
    net.now++;
    for (unsigned at = 0; at < 10; at++) {
        char classifier[] = {(char)('a' + at), '\0'};
        spread(mallory, forge(mallory, admin, classifier, BYPEER_ROLE_INVITING, 500, NULL));
    }
    struct bypeer_group_member member;
    cr_expect_eq(members_of(alice), 4);
    cr_assert(bypeer_group_find_address(alice->node, shown(alice, admin).address, &member));
    cr_expect(bypeer_name_is_equal(&member.name, &admin->name));
    cr_expect_eq(member.roles, BYPEER_ROLE_ADMINISTRATOR | BYPEER_ROLE_SUPERNODE);
    cr_expect_eq(net_connect(admin, alice, NULL), 1, "%s", alice->why);
    cr_assert_eq(net_publish(alice, "e4", &id), 0);
    cr_expect_eq(net_update(admin, &id, "d4"), 0);
    cr_expect_eq(net_find(mallory, &id)->version, 2);
    net.now += 500;
    net_turn(&net);
    cr_expect_eq(alice->changes[BYPEER_GROUP_EXPIRED], 0, "nor when what she signed ends");
    net_close(&net);
}

Test(group, who_may_invite_takes_nothing_from_whom_another_invited)
{
    struct net net;
    struct bypeer_guid id;
    net_open(&net, BYPEER_PROFILE_MODERN, NULL);
    struct net_member *inviter = net_welcome(&net.members[0], "inviter", BYPEER_ROLE_INVITING);
    struct net_member *mallory = net_welcome(&net.members[0], "mallory", BYPEER_ROLE_INVITING);
    struct net_member *bob = net_welcome(inviter, "bob", BYPEER_ROLE_INVITING);
    uint8_t serial[BYPEER_CERTIFICATE_SERIAL];
    memcpy(serial, bypeer_chain_leaf(bypeer_group_chain(bob->node))->serial, sizeof(serial));
    uint64_t until = shown(inviter, bob).until;
    net.now++;
    /* Of the same serial, brought to somebody who has not seen his own yet. */
    net.is_split = true;
    struct net_member *carol = net_welcome(&net.members[0], "carol", BYPEER_ROLE_MEMBER);
    struct bypeer_chain *chain = forge(mallory, bob, "bob", BYPEER_ROLE_MEMBER, 400, serial);
    spread(mallory, chain);
    net_synchronise(mallory, carol);
    net.is_split = false;
    net_synchronise(bob, carol);
    for (unsigned at = 0; at < 10; at++)
        spread(mallory, forge(mallory, bob, "bob", BYPEER_ROLE_MEMBER, 450 + at, NULL));
    cr_expect_eq(bob->renewed, 0, "he keeps his own");
    cr_expect_eq(shown(carol, bob).roles, BYPEER_ROLE_INVITING);
    cr_expect_eq(shown(carol, bob).until, until);
    cr_assert_eq(net_publish(bob, "e4", &id), 0);
    cr_expect_not_null(net_find(carol, &id), "%s", carol->why);
    net_close(&net);
}

Test(group, a_membership_of_a_higher_issuer_is_not_put_out_by_a_shorter_one)
{
    struct net net;
    struct bypeer_chain *chain;
    struct bypeer_guid id;
    char why[160];
    net_open(&net, BYPEER_PROFILE_MODERN, NULL);
    struct net_member *admin = net_welcome(&net.members[0], "admin", BYPEER_ROLE_ADMINISTRATOR);
    struct net_member *alice = net_welcome(&net.members[0], "alice", BYPEER_ROLE_INVITING);
    uint64_t until = shown(admin, alice).until;
    struct bypeer_group_order order = {
        .subject = {alice->name, bypeer_key_public(alice->key), "Alice"},
        .roles = BYPEER_ROLE_MEMBER,
        .until = net.now + 600,
        .is_publish = true,
    };
    net.now += 10;
    cr_assert_eq(bypeer_group_issue(admin->node, net_time(&net), &order, &chain, why), 0, "%s", why);
    bypeer_chain_free(chain);
    net_turn(&net);
    cr_expect_eq(alice->renewed, 0);
    cr_expect_eq(shown(admin, alice).roles, BYPEER_ROLE_INVITING);
    cr_expect_eq(shown(admin, alice).until, until);
    net.now += 10;
    cr_assert_eq(bypeer_group_issue(net.members[0].node, net_time(&net), &order, &chain, why), 0, "%s", why);
    bypeer_chain_free(chain);
    net_turn(&net);
    cr_expect_eq(shown(admin, alice).roles, BYPEER_ROLE_MEMBER, "whoever gave may take");
    cr_expect_eq(alice->renewed, 1);
    cr_expect_eq(net_publish(alice, "e4", &id), 0, "for longer than that: the older one is good for it");
    cr_expect_not_null(net_find(admin, &id), "%s", admin->why);
    net_close(&net);
}

Test(group, who_may_invite_takes_in_no_more_than_the_group_allows)
{
    struct net net;
    struct bypeer_chain *chain;
    char why[160];
    net_open(&net, BYPEER_PROFILE_MODERN, NULL);
    struct bypeer_group_properties next = *bypeer_group_properties(net.members[0].node);
    next.invited = 2;
    net.now++;
    cr_assert_eq(bypeer_group_set_properties(net.members[0].node, net_time(&net), &next, why), 0, "%s", why);
    struct net_member *mallory = net_welcome(&net.members[0], "mallory", BYPEER_ROLE_INVITING);
    struct net_member *helper = net_welcome(mallory, "helper", BYPEER_ROLE_INVITING);
    net_welcome(helper, "bob", BYPEER_ROLE_MEMBER);
    struct net_member *carol = net_add(&net, "carol");
    const struct bypeer_group_order order = {.subject = {carol->name, bypeer_key_public(carol->key), "Carol"},
                                             .roles = BYPEER_ROLE_MEMBER};
    cr_expect_eq(bypeer_group_issue(helper->node, net_time(&net), &order, &chain, why), -EDQUOT);
    spread(mallory, forge(mallory, carol, "carol", BYPEER_ROLE_MEMBER, 500, NULL));
    cr_expect_eq(members_of(&net.members[0]), 4, "nor by going around her node");
    chain = forge(mallory, carol, "carol", BYPEER_ROLE_MEMBER, 500, NULL);
    net_join(carol, chain, NULL);
    cr_expect_lt(net_connect(carol, &net.members[0], NULL), 0);
    bypeer_chain_free(chain);
    chain = net_invite(&net.members[0], carol, BYPEER_ROLE_MEMBER);
    spread(&net.members[0], chain);
    cr_expect_eq(members_of(mallory), 5, "whom somebody else takes in is not counted");
    net_close(&net);
}

Test(group, an_end_and_a_beginning_cost_what_they_are_of)
{
    struct net net;
    struct bypeer_guid id;
    struct bypeer_chain *chain;
    char why[160];
    net_open(&net, BYPEER_PROFILE_MODERN, NULL);
    struct net_member *alice = net_add(&net, "alice");
    const struct bypeer_group_order order = {
        .subject = {alice->name, bypeer_key_public(alice->key), "Alice"},
        .roles = BYPEER_ROLE_MEMBER,
        .until = net.now + 500,
    };
    cr_assert_eq(bypeer_group_issue(net.members[0].node, net_time(&net), &order, &chain, why), 0, "%s", why);
    net_join(alice, chain, NULL);
    net.is_split = true;
    struct net_member *bob = net_welcome(&net.members[0], "bob", BYPEER_ROLE_MEMBER);
    cr_assert_eq(net_publish(bob, "e4", &id), 0);
    cr_assert_eq(net_give(&net.members[0], net_find(bob, &id)), BYPEER_GRAPH_DEFERRED);
    net_synchronise(bob, &net.members[0]);
    cr_expect_not_null(net_find(&net.members[0], &id));
    net.now += 500;
    net_turn(&net);
    cr_expect_eq(net.members[0].changes[BYPEER_GROUP_EXPIRED], 1);
    cr_expect_eq(net.members[0].revalidated, 0);
    bypeer_chain_free(chain);
    net_close(&net);
}

Test(group, a_replaced_keys_member_is_nobody_else)
{
    struct net net;
    struct bypeer_chain *chain;
    char why[160];
    net_open(&net, BYPEER_PROFILE_MODERN, NULL);
    struct net_member *alice = net_welcome(&net.members[0], "alice", BYPEER_ROLE_MEMBER);
    struct net_member *mallory = net_welcome(&net.members[0], "mallory", BYPEER_ROLE_INVITING);
    /* Whose keys are ordered one way, and the other. */
    for (unsigned at = 0; at < 8; at++) {
        struct net_member heir = {.net = &net};
        cr_assert_eq(bypeer_key_generate(&heir.key, net.profile), 0);
        heir.name = alice->name;
        const struct bypeer_group_order order = {
            .subject = {alice->name, bypeer_key_public(heir.key), "Alice"},
            .roles = BYPEER_ROLE_MEMBER,
            .is_publish = true,
            .is_followed = true,
        };
        cr_assert_eq(bypeer_group_issue(net.members[0].node, net_time(&net), &order, &chain, why), 0, "%s", why);
        bypeer_chain_free(chain);
        net_turn(&net);
        bypeer_key_authority(heir.key, heir.name.authority);
        spread(mallory, forge(mallory, &heir, "alice", BYPEER_ROLE_MEMBER, 500, NULL));
        struct bypeer_group_member member;
        cr_assert(bypeer_group_find_key(net.members[0].node, bypeer_key_public(heir.key), &member));
        cr_expect(bypeer_name_is_equal(&member.name, &alice->name), "%u", at);
        bypeer_key_free(heir.key);
        net.now++;
    }
    net_close(&net);
}
