/*
 * The overlay follows a group: what its records say is in the tables, and what this node carries is in its records.
 * The group is played: members and records are lists of the test, and any record counts.
 */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "control/attach/attach.h"
#include "control/model/followed.h"
#include "control/wireguard/wireguard.h"
#include "node_fixture.h"
#include "overlay/group/address.h"

#define PEOPLE  8
#define RECORDS 32

/* Number 0 is this node. */
struct person {
    struct bypeer_group_member member;
    char text[BYPEER_NAME_TEXT_MAX];
};

static struct node_fixture fixture;
static struct bypeer_problem problem;
static uv_loop_t loop;
static struct bypeer_attach *attach;
static struct bypeer_groups_watcher watcher;

static struct bypeer_peer_name group_name;
static char group_text[BYPEER_NAME_TEXT_MAX];
static struct person people[PEOPLE];
static unsigned person_count;
static struct bypeer_record *records[RECORDS]; /* in the order of their IDs */
static unsigned record_count;
static bool is_joined;
static int publish_error;
static uint64_t update_until = UINT64_MAX; /* peer time of the end of the memberships that sign */
static struct bypeer_joined *const joined = (struct bypeer_joined *)people;

static const struct bypeer_profile *profile(void)
{
    return bypeer_profile(BYPEER_PROFILE_MODERN);
}

/* --- the group that is played --- */

void bypeer_groups_watch(struct bypeer_groups *groups, const struct bypeer_groups_watcher *given)
{
    (void)groups;
    watcher = *given;
}

struct bypeer_joined *bypeer_groups_first(const struct bypeer_groups *groups)
{
    (void)groups;
    return is_joined ? joined : NULL;
}

struct bypeer_joined *bypeer_groups_next(const struct bypeer_joined *after)
{
    (void)after;
    return NULL;
}

struct bypeer_graph_time bypeer_groups_now(void)
{
    return (struct bypeer_graph_time){.ms = 1};
}

void bypeer_groups_audit(struct bypeer_groups *groups, const char *group, const char *action, const char *who,
                         const char *whom, const char *text)
{
    (void)groups, (void)group, (void)action, (void)who, (void)whom, (void)text;
}

struct bypeer_graph *bypeer_joined_graph(const struct bypeer_joined *of)
{
    return (struct bypeer_graph *)(uintptr_t)of;
}

struct bypeer_group_node *bypeer_joined_group(const struct bypeer_joined *of)
{
    return (struct bypeer_group_node *)(uintptr_t)of;
}

void bypeer_joined_touched(struct bypeer_joined *of)
{
    (void)of;
}

const struct bypeer_profile *bypeer_joined_profile(const struct bypeer_joined *of)
{
    (void)of;
    return profile();
}

const struct bypeer_peer_name *bypeer_joined_name(const struct bypeer_joined *of)
{
    (void)of;
    return &group_name;
}

const char *bypeer_joined_name_text(const struct bypeer_joined *of)
{
    (void)of;
    return group_text;
}

const char *bypeer_joined_friendly(const struct bypeer_joined *of)
{
    (void)of;
    return "The friends";
}

const struct bypeer_peer_name *bypeer_joined_self(const struct bypeer_joined *of)
{
    (void)of;
    return &people[0].member.name;
}

const char *bypeer_joined_self_text(const struct bypeer_joined *of)
{
    (void)of;
    return people[0].text;
}

bool bypeer_group_next_member(const struct bypeer_group_node *node, const struct bypeer_peer_name *after,
                              struct bypeer_group_member *ret_member)
{
    unsigned at = 0;
    (void)node;
    while (after && at < person_count && !bypeer_name_is_equal(&people[at].member.name, after))
        at++;
    at += after != NULL;
    if (at >= person_count)
        return false;
    *ret_member = people[at].member;
    return true;
}

bool bypeer_group_find_member(const struct bypeer_group_node *node, const struct bypeer_peer_name *name,
                              struct bypeer_group_member *ret_member)
{
    (void)node;
    for (unsigned at = 0; at < person_count; at++)
        if (bypeer_name_is_equal(&people[at].member.name, name)) {
            *ret_member = people[at].member;
            return true;
        }
    return false;
}

int bypeer_joined_find_member(const struct bypeer_joined *of, const char *text, struct bypeer_group_member *ret_member,
                              struct bypeer_problem *ret_problem)
{
    (void)of;
    for (unsigned at = 0; at < person_count; at++)
        if (strcmp(people[at].member.friendly, text) == 0) {
            *ret_member = people[at].member;
            return 0;
        }
    return bypeer_problem_set(ret_problem, -ENOENT, "no_such_member", "member\nis not known\n");
}

static struct person *add_person(const char *friendly, uint8_t number, uint32_t roles)
{
    struct person *person = &people[person_count++];
    person->member = (struct bypeer_group_member){
        .friendly = friendly, .roles = roles, .until = 4000000000, .is_self = number == 1, .name.secure = true};
    memset(person->member.name.authority, number, BYPEER_AUTHORITY_BYTES);
    bypeer_group_address(profile(), &group_name, &person->member.name, person->member.address);
    bypeer_name_write(&person->member.name, person->text);
    return person;
}

int bypeer_group_issue(struct bypeer_group_node *node, struct bypeer_graph_time now,
                       const struct bypeer_group_order *order, struct bypeer_chain **ret_chain, char why[static 160])
{
    (void)node, (void)now, (void)order, (void)ret_chain, (void)why;
    return -EPERM;
}

void bypeer_group_turn(struct bypeer_group_node *node, struct bypeer_graph_time now)
{
    (void)node, (void)now;
}

const struct bypeer_record *bypeer_graph_next(const struct bypeer_graph *graph, const struct bypeer_guid *type,
                                              const struct bypeer_record *after)
{
    (void)graph, (void)type;
    unsigned at = 0;
    while (after && records[at] != after)
        at++;
    at += after != NULL;
    return at < record_count ? records[at] : NULL;
}

enum bypeer_attachment_fault bypeer_group_judge_attachment(const struct bypeer_group_node *node,
                                                           struct bypeer_graph_time now,
                                                           const struct bypeer_record *record,
                                                           struct bypeer_attachment *ret_attachment)
{
    (void)node, (void)now;
    return bypeer_attachment_read(ret_attachment, profile(), record->payload, record->payload_bytes) < 0
               ? BYPEER_ATTACHMENT_MALFORMED
               : BYPEER_ATTACHMENT_SOUND;
}

static struct bypeer_record *make_record(const char *creator, const uint8_t *payload, size_t length, uint64_t expires)
{
    static uint8_t number;
    struct bypeer_record record = {.type = BYPEER_RECORD_ATTACHMENT,
                                   .id.bytes = {number++},
                                   .creator = creator,
                                   .graph = group_text,
                                   .payload = payload,
                                   .payload_bytes = length,
                                   .expires = expires};
    return bypeer_record_copy(&record);
}

int bypeer_joined_publish(struct bypeer_joined *of, const struct bypeer_record_draft *draft, struct bypeer_guid *ret_id,
                          struct bypeer_problem *ret_problem)
{
    (void)of;
    if (publish_error)
        return bypeer_problem_set(ret_problem, publish_error, "no", "the record\nis refused\n");
    records[record_count] = make_record(people[0].text, draft->payload, draft->payload_bytes, draft->expires);
    *ret_id = records[record_count++]->id;
    return 0;
}

int bypeer_joined_update(struct bypeer_joined *of, const struct bypeer_guid *id,
                         const struct bypeer_record_draft *draft, struct bypeer_problem *ret_problem)
{
    (void)of;
    for (unsigned at = 0; at < record_count; at++)
        if (memcmp(&records[at]->id, id, sizeof(*id)) == 0) {
            struct bypeer_record *old = records[at];
            uint64_t expires = draft->expires ? draft->expires : old->expires;
            if (expires < old->expires || expires > update_until)
                return bypeer_problem_set(ret_problem, -EINVAL, "no", "the record\nmay not end then\n");
            records[at] = make_record(people[0].text, draft->payload, draft->payload_bytes, expires);
            records[at]->id = old->id;
            free(old);
            return 0;
        }
    return -ENOENT;
}

int bypeer_joined_delete(struct bypeer_joined *of, const struct bypeer_guid *id, struct bypeer_problem *ret_problem)
{
    (void)of, (void)ret_problem;
    for (unsigned at = 0; at < record_count; at++)
        if (memcmp(&records[at]->id, id, sizeof(*id)) == 0)
            records[at]->flags |= BYPEER_RECORD_DELETED;
    return 0;
}

const uint8_t *bypeer_wireguard_public_key(const struct bypeer_wireguard *engine)
{
    static const uint8_t key[32] = {1, 1, 1};
    (void)engine;
    return key;
}

/* --- scenes --- */

static uint8_t endpoint_address[16] = {0x20, 1, 0xd, 0xb8, [15] = 7};

/* A record by another node: its member is the node itself (NULL) or a client of it with a key. */
static void attach_by(const struct person *node, const struct person *client, uint8_t key)
{
    uint8_t bytes[BYPEER_ATTACHMENT_BYTES_MAX];
    const struct person *member = client ? client : node;
    struct bypeer_attachment attachment = {.member = member->member.name,
                                           .supernode = node->member.name,
                                           .sequence = 1,
                                           .endpoint_count = 1,
                                           .endpoints[0].port = 51820};
    memcpy(attachment.endpoints[0].address, endpoint_address, 16);
    memcpy(attachment.member_address, member->member.address, 16);
    memset(attachment.supernode_key, node->member.name.authority[0], 32);
    if (client)
        memset(attachment.member_key, key, 32);
    size_t length = bypeer_attachment_write(&attachment, profile(), bytes, sizeof(bytes));
    cr_assert_gt(length, 0);
    records[record_count++] = make_record(node->text, bytes, length, UINT64_MAX);
}

static const struct bypeer_destination *way_to(const struct person *person)
{
    char text[INET6_ADDRSTRLEN];
    return node_fixture_look_up(&fixture, inet_ntop(AF_INET6, person->member.address, text, sizeof(text)));
}

static void change(void)
{
    watcher.changed(watcher.context, joined);
    for (unsigned turn = 0; turn < 3; turn++)
        uv_run(&loop, UV_RUN_NOWAIT);
}

/* The at-th record of this node that is not deleted. */
static bool own_record(unsigned at, struct bypeer_attachment *ret_attachment)
{
    for (unsigned number = 0; number < record_count; number++)
        if (strcmp(records[number]->creator, people[0].text) == 0 && !bypeer_record_is_deleted(records[number]) &&
            at-- == 0)
            return bypeer_attachment_read(ret_attachment, profile(), records[number]->payload,
                                          records[number]->payload_bytes) == 0;
    return false;
}

static void set_up(void)
{
    node_fixture_begin(&fixture, node_fixture_sample);
    node_fixture_open(&fixture, NULL);
    fixture.node.wireguard = (struct bypeer_wireguard *)&fixture; /* only its key is asked for */
    uv_loop_init(&loop);
    group_name = (struct bypeer_peer_name){.secure = true};
    memset(group_name.authority, 0xee, BYPEER_AUTHORITY_BYTES);
    bypeer_name_write(&group_name, group_text);
    add_person("here", 1, BYPEER_ROLE_MEMBER | BYPEER_ROLE_SUPERNODE);
    is_joined = true;
}

static void open_attach(void)
{
    cr_assert_eq(bypeer_attach_open(&attach, &loop, &fixture.node, (struct bypeer_groups *)people, &problem), 0);
}

static void tear_down(void)
{
    bypeer_attach_close(attach);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
    fixture.node.wireguard = NULL;
    for (unsigned at = 0; at < record_count; at++)
        free(records[at]);
    node_fixture_end(&fixture);
}

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
    bypeer_group_prefix(profile(), &group_name, definition.prefix);
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
