#include "attach_fixture.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/dataplane/channel.h"
#include "control/wireguard/wireguard.h"
#include "overlay/group/address.h"

struct node_fixture fixture;
struct bypeer_problem problem;
uv_loop_t loop;
struct bypeer_attach *attach;
struct bypeer_groups_watcher watcher;

struct person people[PEOPLE];
struct bypeer_record *records[RECORDS];
unsigned record_count;
int publish_error;
uint64_t update_until = UINT64_MAX;
bool is_joined;
struct bypeer_joined *const joined = (struct bypeer_joined *)people;

static struct bypeer_peer_name group_name;
static char group_text[BYPEER_NAME_TEXT_MAX];
static unsigned person_count;

static const struct bypeer_profile *profile(void)
{
    return bypeer_profile(BYPEER_PROFILE_MODERN);
}

/* --- the data plane that is played --- */

struct bypeer_peer_state peers[PEERS];
struct bypeer_sessions_view sessions = {.peers = peers, .size.links = PEERS};

/* The linker puts it in the place of the channel's: meson.build. */
const struct bypeer_sessions_view *__wrap_bypeer_channel_sessions(const struct bypeer_channel *channel);
const struct bypeer_sessions_view *__wrap_bypeer_channel_sessions(const struct bypeer_channel *channel)
{
    (void)channel;
    return &sessions;
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

struct person *add_person(const char *friendly, uint8_t number, uint32_t roles)
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

uint8_t endpoint_address[16] = {0x20, 1, 0xd, 0xb8, [15] = 7};

/* A record by another node: its member is the node itself (NULL) or a client of it with a key. */
void attach_by(const struct person *node, const struct person *client, uint8_t key)
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

const struct bypeer_destination *way_to(const struct person *person)
{
    char text[INET6_ADDRSTRLEN];
    return node_fixture_look_up(&fixture, inet_ntop(AF_INET6, person->member.address, text, sizeof(text)));
}

void change(void)
{
    watcher.changed(watcher.context, joined);
    for (unsigned turn = 0; turn < 3; turn++)
        uv_run(&loop, UV_RUN_NOWAIT);
}

/* The at-th record of this node that is not deleted. */
bool own_record(unsigned at, struct bypeer_attachment *ret_attachment)
{
    for (unsigned number = 0; number < record_count; number++)
        if (strcmp(records[number]->creator, people[0].text) == 0 && !bypeer_record_is_deleted(records[number]) &&
            at-- == 0)
            return bypeer_attachment_read(ret_attachment, profile(), records[number]->payload,
                                          records[number]->payload_bytes) == 0;
    return false;
}

void set_up(void)
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

void open_attach(void)
{
    cr_assert_eq(bypeer_attach_open(&attach, &loop, &fixture.node, (struct bypeer_groups *)people, &problem), 0);
}

void tear_down(void)
{
    bypeer_attach_close(attach);
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_loop_close(&loop);
    fixture.node.wireguard = NULL;
    fixture.node.channel = NULL;
    for (unsigned at = 0; at < record_count; at++)
        free(records[at]);
    node_fixture_end(&fixture);
}
