/*
 * The overlay follows a group: what its records say is in the tables, and what this node carries is in its records.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "attach_fixture.h"
#include "control/model/followed.h"
#include "control/wireguard/wireguard.h"
#include "overlay/group/address.h"

TestSuite(attach, .init = set_up, .fini = tear_down);

Test(attach, a_supernode_says_where_it_is)
{
    struct bypeer_attachment attachment;
    open_attach();
    cr_assert(own_record(0, &attachment));
    cr_assert_eq(memcmp(attachment.supernode_key, bypeer_wireguard_public_key(NULL), 32), 0);
    cr_assert_eq(attachment.priority, 0);
    uint64_t sequence = attachment.sequence;
    change();
    cr_assert(own_record(0, &attachment) && attachment.sequence == sequence, "once");
    cr_assert_not(own_record(1, &attachment));
}

Test(attach, where_clients_are_told_to_go_is_said_first)
{
    struct bypeer_attachment attachment;
    strcpy(fixture.node.config->wireguard.endpoint, "198.51.100.7:4500");
    fixture.node.config->wireguard.address_count = 2;
    memcpy(fixture.node.config->wireguard.addresses[0], (uint8_t[16]){0x20, 1, [15] = 1}, 16);
    memcpy(fixture.node.config->wireguard.addresses[1], (uint8_t[16]){0x20, 1, [15] = 1}, 16);
    open_attach();
    cr_assert(own_record(0, &attachment));
    cr_assert_eq(attachment.endpoint_count, 2, "and each once");
    cr_assert_eq(attachment.endpoints[0].port, 4500);
    cr_assert_eq(memcmp(attachment.endpoints[0].address + 10, (uint8_t[6]){0xff, 0xff, 198, 51, 100, 7}, 6), 0);
    cr_assert_eq(attachment.endpoints[1].port, fixture.node.config->wireguard.port);
    fixture.node.config->wireguard.address_count = 0;
    strcpy(fixture.node.config->wireguard.endpoint, "hub.example.org:51820");
    change();
    cr_assert(own_record(0, &attachment) && attachment.endpoint_count == 0, "a host name is no address");
}

Test(attach, who_has_not_the_role_says_nothing)
{
    struct bypeer_attachment attachment;
    people[0].member.roles = BYPEER_ROLE_MEMBER;
    open_attach();
    cr_assert_not(own_record(0, &attachment));
    people[0].member.roles |= BYPEER_ROLE_SUPERNODE;
    change();
    cr_assert(own_record(0, &attachment), "until it gets it");
}

Test(attach, members_elsewhere_are_reached_by_their_nodes_trunk)
{
    struct person *node = add_person("there", 2, BYPEER_ROLE_SUPERNODE), *client = add_person("phone", 3, 4);
    attach_by(node, NULL, 0);
    attach_by(node, client, 9);
    open_attach();
    const struct bypeer_model_group *group = bypeer_attach_group(attach, joined, NULL);
    cr_assert_str_eq(group->name, "The-friends");
    cr_assert(way_to(&people[0])->flags & BYPEER_DESTINATION_LOCAL);
    const struct bypeer_model_link *trunk = bypeer_model_link(fixture.node.model, way_to(client)->link);
    cr_assert_eq(trunk->group, BYPEER_GROUP_ANY);
    cr_assert_eq(trunk->persistent_s, 1);
    cr_assert_eq(trunk->peer_port, 51820);
    cr_assert_eq(way_to(node)->link, trunk->id);
    cr_assert_eq(way_to(client)->group, group->id);
    cr_assert_eq((way_to(client)->flags & BYPEER_DESTINATION_ROLES) >> BYPEER_DESTINATION_ROLES_SHIFT, 4);
}

Test(attach, a_record_sends_nothing_to_where_no_node_can_be)
{
    static const uint8_t nowhere[][16] = {
        {0},
        {[15] = 1},
        {0xff, 2, [15] = 1},
        {[10] = 0xff, 0xff, 127, 0, 0, 1},
        {[10] = 0xff, 0xff, 224, 0, 0, 1},
        {[10] = 0xff, 0xff, 255, 255, 255, 255},
    };
    struct person *node = add_person("there", 2, BYPEER_ROLE_SUPERNODE);
    open_attach();
    for (size_t at = 0; at <= sizeof(nowhere) / 16; at++) {
        /* The last is in the overlay. */
        memcpy(endpoint_address, at < sizeof(nowhere) / 16 ? nowhere[at] : people[0].member.address, 16);
        attach_by(node, NULL, 0);
        change();
        cr_assert_eq(bypeer_model_link(fixture.node.model, way_to(node)->link)->peer_port, 0, "endpoint %zu", at);
        free(records[--record_count]);
    }
}

Test(attach, a_record_sends_nothing_to_this_node_itself)
{
    static const uint8_t refused[][16] = {
        {0x20, 1, 0xd, 0xb8, 0, 0xa, [15] = 9},         /* in relay.prefix */
        {0x20, 1, 0xd, 0xb8, 0, 0xb, [15] = 1},         /* wireguard.addresses */
        {0xfd, 0x12, 0x34, 0x56, 0x78, 0x9a, [15] = 5}, /* group lab */
        {[10] = 0xff, 0xff, 192, 0, 2, 1},              /* wireguard.addresses */
    };
    struct bypeer_config *config = fixture.node.config;
    struct person *node = add_person("there", 2, BYPEER_ROLE_SUPERNODE);
    memcpy(config->relay.prefix, (uint8_t[16]){0x20, 1, 0xd, 0xb8, 0, 0xa}, 16);
    config->relay.bits = 50;
    memcpy(config->wireguard.addresses[0], refused[1], 16);
    memcpy(config->wireguard.addresses[1], refused[3], 16);
    config->wireguard.address_count = 2;
    open_attach();
    for (size_t at = 0; at <= sizeof(refused) / 16; at++) {
        bool is_refused = at < sizeof(refused) / 16;
        /* The last is next to relay.prefix. */
        memcpy(endpoint_address, is_refused ? refused[at] : (uint8_t[16]){0x20, 1, 0xd, 0xb8, 0, 0xa, 0x40, [15] = 9},
               16);
        attach_by(node, NULL, 0);
        change();
        cr_assert_eq(bypeer_model_link(fixture.node.model, way_to(node)->link)->peer_port, is_refused ? 0 : 51820,
                     "endpoint %zu", at);
        free(records[--record_count]);
    }
}

Test(attach, a_record_sends_nothing_to_where_others_find_this_node)
{
    struct person *node = add_person("there", 2, BYPEER_ROLE_SUPERNODE);
    strcpy(fixture.node.config->wireguard.endpoint, "203.0.113.1:51820");
    memcpy(endpoint_address, (uint8_t[16]){[10] = 0xff, 0xff, 203, 0, 113, 1}, 16);
    open_attach();
    attach_by(node, NULL, 0);
    change();
    cr_assert_eq(bypeer_model_link(fixture.node.model, way_to(node)->link)->peer_port, 0);
    strcpy(fixture.node.config->wireguard.endpoint, "203.0.113.1:4500");
    change();
    cr_assert_eq(bypeer_model_link(fixture.node.model, way_to(node)->link)->peer_port, 51820,
                 "another node behind the same address");
}

Test(attach, who_is_revoked_is_cut_off_before_the_loop_sleeps)
{
    struct person *node = add_person("there", 2, BYPEER_ROLE_SUPERNODE), *client = add_person("phone", 3, 4);
    open_attach();
    attach_by(node, NULL, 0);
    attach_by(node, client, 9);
    cr_assert_null(way_to(client));
    change();
    cr_assert_not_null(way_to(client));
    client->member.is_revoked = true;
    change();
    cr_assert_null(way_to(client));
    cr_assert_not_null(way_to(node));
    uint32_t trunk = way_to(node)->link;
    node->member.is_revoked = true;
    change();
    cr_assert_null(way_to(node));
    cr_assert_null(bypeer_model_link(fixture.node.model, trunk));
}

Test(attach, a_group_that_is_left_leaves_nothing_behind)
{
    struct person *node = add_person("there", 2, BYPEER_ROLE_SUPERNODE);
    attach_by(node, NULL, 0);
    open_attach();
    cr_assert_not_null(way_to(node));
    is_joined = false;
    watcher.left(watcher.context, joined);
    change();
    cr_assert_null(way_to(node));
    cr_assert_null(way_to(&people[0]));
    cr_assert_null(bypeer_attach_group(attach, joined, NULL));
    size_t count;
    bypeer_model_followed_members(fixture.node.model, &count);
    cr_assert_eq(count, 0);
}

static int enroll(const char *name, uint8_t key, struct bypeer_attach_enrolled *ret_enrolled)
{
    uint8_t bytes[32];
    memset(bytes, key, sizeof(bytes));
    const struct bypeer_attach_client client = {.name = name, .key = key ? bytes : NULL, .priority = UINT_MAX};
    return bypeer_attach_enroll(attach, joined, &client, ret_enrolled, &problem);
}

Test(attach, a_client_is_carried_here_and_elsewhere)
{
    struct bypeer_attach_enrolled enrolled;
    struct bypeer_attachment attachment;
    struct person *node = add_person("there", 2, BYPEER_ROLE_SUPERNODE), *client = add_person("phone", 3, 4);
    attach_by(node, NULL, 0);
    open_attach();
    cr_assert_eq(enroll("phone", 0, &enrolled), -EINVAL, "nobody knows its key");
    attach_by(node, client, 9);
    change();
    uint32_t trunk = way_to(client)->link;
    cr_assert_eq(enroll("phone", 0, &enrolled), 0, "%s", problem.value);
    cr_assert(own_record(1, &attachment));
    cr_assert_eq(attachment.priority, 129, "after the other, and standing by until it is heard");
    cr_assert_eq(attachment.member_key[0], 9);
    const struct bypeer_model_link *link = bypeer_model_find_link(fixture.node.model, enrolled.link);
    cr_assert_eq(memcmp(link->address, client->member.address, 16), 0);
    /* The other node's trunk is not heard here, so the own link is the better one; both may bring its packets. */
    cr_assert_eq(way_to(client)->link, link->id);
    cr_assert_eq(way_to(client)->others[0], trunk);
    uint64_t sequence = attachment.sequence;
    cr_assert_eq(enroll("phone", 9, &enrolled), 0);
    cr_assert_not(own_record(2, &attachment), "the same record");
    cr_assert(own_record(1, &attachment) && attachment.sequence > sequence && attachment.priority == 129);
    cr_assert_eq(enroll("there", 9, &enrolled), -EEXIST, "one key, one member");
    /* Somebody who is no member yet, and this node may not invite. */
    cr_assert_eq(enroll("stranger", 10, &enrolled), -EPERM);
    cr_assert_eq(bypeer_attach_dismiss(attach, joined, "phone", &problem), 0);
    cr_assert_eq(way_to(client)->link, trunk);
    cr_assert_null(bypeer_model_find_link(fixture.node.model, enrolled.link));
}

Test(attach, a_client_has_two_keys_for_a_while_and_then_one)
{
    struct bypeer_attach_enrolled first, second, third;
    struct person *client = add_person("phone", 3, 4);
    open_attach();
    cr_assert_eq(enroll("phone", 9, &first), 0);
    uint32_t before = way_to(client)->link;
    cr_assert_eq(enroll("phone", 10, &second), 0);
    cr_assert_str_neq(first.link, second.link);
    uint32_t after = way_to(client)->link;
    cr_assert_neq(after, before);
    cr_assert_eq(way_to(client)->others[0], before, "the key before counts, too");
    cr_assert_eq(enroll("phone", 11, &third), 0);
    cr_assert_eq(way_to(client)->others[0], after);
    cr_assert_null(bypeer_model_find_link(fixture.node.model, first.link), "but none before that");
    cr_assert_eq(bypeer_attach_dismiss(attach, joined, "phone", &problem), 0);
    cr_assert_null(way_to(client));
    cr_assert_null(bypeer_model_find_link(fixture.node.model, second.link));
}

Test(attach, a_client_that_changes_its_key_over_and_over_takes_no_other_ones_key_before)
{
    struct bypeer_attach_enrolled first, enrolled;
    struct person *steady = add_person("tablet", 3, 4), *restless = add_person("phone", 4, 4);
    open_attach();
    cr_assert_eq(enroll("tablet", 20, &first), 0);
    cr_assert_eq(enroll("tablet", 21, &enrolled), 0);
    uint32_t before = way_to(steady)->others[0];
    for (unsigned at = 0; at < 300; at++)
        cr_assert_eq(enroll("phone", (uint8_t)(9 + at % 3), &enrolled), 0);
    cr_assert_neq(way_to(restless)->others[0], 0);
    cr_assert_eq(way_to(restless)->others[1], 0, "two links of one client at most");
    cr_assert_eq(way_to(steady)->others[0], before);
    cr_assert_not_null(bypeer_model_find_link(fixture.node.model, first.link));
}

Test(attach, a_drain_is_said_of_all_and_taken_back)
{
    struct bypeer_attachment attachment;
    struct bypeer_attach_enrolled enrolled;
    add_person("phone", 3, 4);
    open_attach();
    cr_assert_eq(enroll("phone", 9, &enrolled), 0);
    cr_assert_eq(bypeer_attach_drain(attach, true, &problem), 0);
    for (unsigned at = 0; at < 2; at++)
        cr_assert(own_record(at, &attachment) && attachment.flags == BYPEER_ATTACHMENT_DRAINING);
    cr_assert_eq(bypeer_attach_drain(attach, false, &problem), 0);
    for (unsigned at = 0; at < 2; at++)
        cr_assert(own_record(at, &attachment) && attachment.flags == 0);
}

Test(attach, what_could_not_be_said_is_said_later)
{
    struct bypeer_attachment attachment;
    publish_error = -EAGAIN;
    open_attach();
    cr_assert_not(own_record(0, &attachment));
    publish_error = 0;
    change();
    cr_assert(own_record(0, &attachment));
}

Test(attach, a_renewal_for_a_shorter_time_freezes_nothing)
{
    struct bypeer_attachment attachment;
    struct bypeer_attach_enrolled enrolled;
    add_person("phone", 3, 4);
    open_attach();
    cr_assert_eq(enroll("phone", 9, &enrolled), 0);
    people[0].member.until -= 1000;
    people[1].member.until -= 2000;
    cr_assert_eq(bypeer_attach_drain(attach, true, &problem), 0);
    for (unsigned at = 0; at < 2; at++)
        cr_assert(own_record(at, &attachment) && attachment.flags == BYPEER_ATTACHMENT_DRAINING);
    update_until = records[0]->expires - 1; /* the longer membership is gone */
    cr_assert_eq(bypeer_attach_drain(attach, false, &problem), 0);
    for (unsigned at = 0; at < 2; at++)
        cr_assert(own_record(at, &attachment) && attachment.flags == 0);
    cr_assert_not(own_record(2, &attachment), "the former ones are deleted");
}

Test(attach, what_the_model_refused_is_tried_again)
{
    struct bypeer_store_group definition = {.name = "taken", .vni = 4711};
    uint64_t end = uv_hrtime() + 30000000000u;
    bypeer_group_prefix(bypeer_joined_profile(joined), bypeer_joined_name(joined), definition.prefix);
    add_person("phone", 3, 4);
    attach_by(&people[0], &people[1], 9);
    cr_assert_eq(bypeer_model_add_group(fixture.node.model, &definition, &problem), 0, "%s", problem.value);
    open_attach();
    change();
    cr_assert_null(way_to(&people[1]));
    cr_assert_eq(bypeer_model_remove_group(fixture.node.model, "taken", &problem), 0);
    while (!way_to(&people[1]) && uv_hrtime() < end)
        uv_run(&loop, UV_RUN_ONCE);
    cr_assert_not_null(way_to(&people[1]), "without a word of the group");
}
