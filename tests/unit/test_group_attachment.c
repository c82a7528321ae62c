/* Attachments: whose word counts that a member is reached through a supernode. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>

#include "overlay/group/address.h"
#include "tests/unit/group_net.h"

TestSuite(group_attachment, .timeout = 60);

/* A group with a supernode, a member of no such role, and one to be attached. */
struct scene {
    struct net net;
    struct net_member *super, *plain, *alice;
};

static void scene_open(struct scene *scene)
{
    net_open(&scene->net, BYPEER_PROFILE_MODERN, NULL);
    struct net_member *founder = &scene->net.members[0];
    scene->super = net_welcome(founder, "super", BYPEER_ROLE_MEMBER | BYPEER_ROLE_SUPERNODE);
    scene->plain = net_welcome(founder, "plain", BYPEER_ROLE_MEMBER);
    scene->alice = net_welcome(founder, "alice", BYPEER_ROLE_MEMBER);
}

static struct bypeer_attachment attachment(const struct scene *scene, const struct net_member *member,
                                           const struct net_member *supernode)
{
    struct bypeer_attachment made = {
        .sequence = 7,
        .member = member->name,
        .member_key = {1},
        .supernode = supernode->name,
        .supernode_key = {2},
        .endpoints = {{.address = {0x20, 0x01}, .port = 51820}},
        .endpoint_count = 1,
    };
    bypeer_group_address(scene->net.profile, &scene->net.group, &member->name, made.member_address);
    return made;
}

static void publish(struct net_member *by, const struct bypeer_attachment *attachment, struct bypeer_guid *ret_id)
{
    uint8_t payload[BYPEER_ATTACHMENT_BYTES_MAX];
    const struct bypeer_record_draft draft = {
        .type = BYPEER_RECORD_ATTACHMENT,
        .payload = payload,
        .payload_bytes = bypeer_attachment_write(attachment, by->net->profile, payload, sizeof(payload)),
        .expires = net_time(by->net).utc + 1000 * BYPEER_PEER_TIME_SECOND,
        .is_internal = true,
    };
    by->net->now++;
    cr_assert_eq(net_draft(by, &draft, ret_id), 0);
}

/* Published by somebody, it is taken by the others or refused with this reason. */
static void expect(struct scene *scene, struct net_member *by, const struct bypeer_attachment *attachment,
                   enum bypeer_attachment_fault fault)
{
    struct bypeer_guid id;
    struct bypeer_attachment read;
    struct net_member *judge = &scene->net.members[0];
    publish(by, attachment, &id);
    if (fault == BYPEER_ATTACHMENT_SOUND)
        cr_expect_not_null(net_find(judge, &id), "%s", judge->why);
    else
        cr_expect_str_eq(judge->why, bypeer_attachment_fault_text(fault));
    cr_expect_eq(bypeer_group_judge_attachment(judge->node, net_time(&scene->net), net_find(by, &id), &read), fault);
}

Test(group_attachment, counts_from_the_member_and_from_its_supernode)
{
    struct scene scene;
    scene_open(&scene);
    struct bypeer_attachment alices = attachment(&scene, scene.alice, scene.super);
    expect(&scene, scene.alice, &alices, BYPEER_ATTACHMENT_SOUND);
    expect(&scene, scene.super, &alices, BYPEER_ATTACHMENT_SOUND);
    struct bypeer_attachment own = attachment(&scene, scene.super, scene.super);
    expect(&scene, scene.super, &own, BYPEER_ATTACHMENT_SOUND);
    net_close(&scene.net);
}

Test(group_attachment, of_another_is_a_hijack)
{
    struct scene scene;
    scene_open(&scene);
    struct bypeer_attachment alices = attachment(&scene, scene.alice, scene.super);
    expect(&scene, scene.plain, &alices, BYPEER_ATTACHMENT_STRANGER);
    struct bypeer_attachment here = attachment(&scene, scene.alice, scene.plain);
    expect(&scene, scene.plain, &here, BYPEER_ATTACHMENT_ROLE);
    struct bypeer_attachment own = attachment(&scene, scene.plain, scene.plain);
    expect(&scene, scene.plain, &own, BYPEER_ATTACHMENT_ROLE);
    struct bypeer_attachment stolen = attachment(&scene, scene.super, scene.super);
    memcpy(stolen.member_address, alices.member_address, 16);
    expect(&scene, scene.super, &stolen, BYPEER_ATTACHMENT_ADDRESS);
    net_close(&scene.net);
}

Test(group_attachment, counts_from_anybody_with_the_members_signature)
{
    struct scene scene;
    scene_open(&scene);
    struct bypeer_attachment alices = attachment(&scene, scene.alice, scene.super);
    cr_assert_eq(bypeer_attachment_sign(&alices, &scene.net.group, scene.alice->key), 0);
    expect(&scene, scene.plain, &alices, BYPEER_ATTACHMENT_SOUND);
    alices.sequence++;
    expect(&scene, scene.plain, &alices, BYPEER_ATTACHMENT_SIGNATURE);
    expect(&scene, scene.super, &alices, BYPEER_ATTACHMENT_SIGNATURE);
    net_close(&scene.net);
}

Test(group_attachment, replayed_is_stale)
{
    struct scene scene;
    scene_open(&scene);
    struct bypeer_attachment alices = attachment(&scene, scene.alice, scene.super);
    expect(&scene, scene.alice, &alices, BYPEER_ATTACHMENT_SOUND);
    alices.sequence--;
    expect(&scene, scene.alice, &alices, BYPEER_ATTACHMENT_STALE);
    expect(&scene, scene.super, &alices, BYPEER_ATTACHMENT_STALE);
    net_restart(&scene.net.members[0]);
    expect(&scene, scene.super, &alices, BYPEER_ATTACHMENT_STALE);
    alices.sequence += 2;
    expect(&scene, scene.super, &alices, BYPEER_ATTACHMENT_SOUND);
    net_close(&scene.net);
}

Test(group_attachment, ends_with_its_members_and_its_supernodes_membership)
{
    struct scene scene;
    struct bypeer_guid id, own;
    char why[160];
    scene_open(&scene);
    struct bypeer_attachment alices = attachment(&scene, scene.alice, scene.super);
    struct bypeer_attachment super = attachment(&scene, scene.super, scene.super);
    publish(scene.super, &alices, &id);
    publish(scene.super, &super, &own);
    const struct bypeer_group_verdict verdict = {.key = bypeer_key_public(scene.super->key)};
    cr_assert_eq(bypeer_group_revoke(scene.net.members[0].node, net_time(&scene.net), &verdict, why), 0, "%s", why);
    net_turn(&scene.net);
    cr_expect_null(net_find(scene.alice, &id));
    cr_expect_null(net_find(scene.alice, &own));
    net_close(&scene.net);
}
