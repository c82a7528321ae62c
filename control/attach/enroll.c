/*
 * Plain WireGuard clients: members without a program of ours, who are carried by the nodes that attach them.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "control/attach/state.h"
#include "overlay/group/address.h"
#include "overlay/profile/key.h"

#define PRIORITY_MAX (BYPEER_PLAN_STANDBY - 1)

static const uint8_t no_key[32];

/* What others say of the member already. */
struct before {
    const uint8_t *address;
    unsigned priority; /* the one after theirs */
    uint8_t key[32];   /* the member's; zero: none */
};

static void enroll_look_back(const struct attach_group *group, struct before *before)
{
    uint64_t newest = 0;
    for (size_t at = 0; at < group->attachment_count; at++) {
        const struct bypeer_plan_attachment *attachment = &group->attachments[at];
        unsigned priority = attachment->priority & ~BYPEER_PLAN_STANDBY;
        if (memcmp(attachment->member, before->address, 16) != 0)
            continue;
        if (priority + 1 > before->priority)
            before->priority = priority + 1;
        if (attachment->sequence >= newest && memcmp(attachment->member_key, no_key, 32) != 0)
            memcpy(before->key, attachment->member_key, 32);
        if (attachment->sequence > newest)
            newest = attachment->sequence;
    }
    if (before->priority > PRIORITY_MAX)
        before->priority = PRIORITY_MAX;
}

/* A membership for an identity whose private key nobody has. */
static int enroll_issue(struct bypeer_joined *joined, const struct bypeer_attach_client *client,
                        struct bypeer_group_member *ret_member, struct bypeer_problem *problem)
{
    struct bypeer_key *key;
    struct bypeer_chain *chain;
    char why[160] = "";
    int result = bypeer_key_generate(&key, bypeer_joined_profile(joined));
    if (result < 0)
        return bypeer_problem_set(problem, result, "key", "the member's key\ncannot be made: %s\ntry again",
                                  strerror(-result));
    struct bypeer_group_order order = {
        .subject = {.key = bypeer_key_public(key), .friendly = client->name},
        .roles = BYPEER_ROLE_MEMBER,
        .until = client->lifetime_s ? (uint64_t)time(NULL) + client->lifetime_s : 0,
        .is_publish = true,
    };
    order.subject.name.secure = true;
    bypeer_key_authority(key, order.subject.name.authority);
    result = bypeer_group_issue(bypeer_joined_group(joined), bypeer_groups_now(), &order, &chain, why);
    bypeer_key_free(key);
    bypeer_joined_touched(joined);
    if (result < 0)
        return bypeer_problem_set(problem, result, result == -EPERM ? "not_permitted" : "refused",
                                  "member \"%.80s\"\n%s\nsee bypeer group members for who may", client->name,
                                  why[0] ? why : strerror(-result));
    struct bypeer_peer_name name = bypeer_chain_leaf(chain)->subject;
    char whom[BYPEER_NAME_TEXT_MAX];
    bypeer_name_write(&name, whom);
    bypeer_chain_free(chain);
    bypeer_group_turn(bypeer_joined_group(joined), bypeer_groups_now());
    if (!bypeer_group_find_member(bypeer_joined_group(joined), &name, ret_member))
        return bypeer_problem_set(problem, -EAGAIN, "not_published",
                                  "member \"%.80s\"\nits membership is not published yet\ntry again", client->name);
    return 0;
}

static int enroll_check(const struct bypeer_attach *attach, const struct bypeer_joined *joined,
                        const struct bypeer_attach_client *client, struct bypeer_problem *problem)
{
    struct bypeer_group_member self;
    if (!attach->node->wireguard)
        return bypeer_problem_set(problem, -ENODEV, "no_wireguard", "this node\nhas no WireGuard\nset wireguard.port");
    if (!bypeer_group_find_member(bypeer_joined_group(joined), bypeer_joined_self(joined), &self) || self.is_revoked ||
        !(self.roles & BYPEER_ROLE_SUPERNODE))
        return bypeer_problem_set(problem, -EPERM, "not_permitted",
                                  "this node\nis no supernode of group %.60s, and may carry nobody else\n"
                                  "let an administrator give it the role: bypeer group renew",
                                  bypeer_joined_friendly(joined));
    if (client->priority != UINT_MAX && client->priority > PRIORITY_MAX)
        return bypeer_problem_set(problem, -EINVAL, "bad_priority", "priority %u\nis out of range\nuse 0 to %u",
                                  client->priority, PRIORITY_MAX);
    return 0;
}

/* The model must not have the key already, for whomever. */
static int enroll_check_key(const struct bypeer_attach *attach, const uint8_t key[static 32],
                            const uint8_t address[static 16], struct bypeer_problem *problem)
{
    char text[BYPEER_WIREGUARD_KEY_TEXT];
    bypeer_wireguard_key_write(key, text);
    const struct bypeer_model_link *peer = bypeer_model_find_peer(attach->node->model, text);
    if (memcmp(key, no_key, 32) == 0)
        return bypeer_problem_set(
            problem, -EINVAL, "bad_key",
            "the member\nis attached by nobody yet, so its key is not known\ngive its public key");
    if (!peer || (peer->followed && memcmp(peer->address, address, 16) == 0))
        return 0;
    return bypeer_problem_set(problem, -EEXIST, "key_exists",
                              "the public key\nis that of peer \"%s\" already\neach member has a key of its own",
                              peer->name);
}

int bypeer_attach_enroll(struct bypeer_attach *attach, struct bypeer_joined *joined,
                         const struct bypeer_attach_client *client, struct bypeer_attach_enrolled *ret_enrolled,
                         struct bypeer_problem *problem)
{
    struct bypeer_attach_enrolled enrolled = {.is_new = false};
    int result = enroll_check(attach, joined, client, problem);
    if (result < 0)
        return result;
    struct bypeer_problem ignored;
    if (bypeer_joined_find_member(joined, client->name, &enrolled.member, &ignored) < 0) {
        if (ignored.error != -ENOENT) {
            *problem = ignored;
            return ignored.error;
        }
        const uint8_t *key = client->key ? client->key : no_key;
        static const uint8_t nobody[16];
        result = enroll_check_key(attach, key, nobody, problem);
        if (result == 0)
            result = enroll_issue(joined, client, &enrolled.member, problem);
        enrolled.is_new = true;
    } else if (enrolled.member.is_revoked || enrolled.member.is_self) {
        return bypeer_problem_set(problem, -EINVAL, "bad_member", "member \"%.80s\"\n%s\nchoose another name",
                                  client->name, enrolled.member.is_self ? "is this node itself" : "was revoked");
    }
    if (result < 0)
        return result;

    attach_replan(attach);
    struct attach_group *group = attach_find_group(attach, joined);
    struct before before = {.address = enrolled.member.address};
    if (group)
        enroll_look_back(group, &before);
    struct bypeer_attachment attachment = {.priority = BYPEER_PLAN_STANDBY}, present;
    struct bypeer_guid id;
    uint64_t expires;
    struct bypeer_group_member self;
    bool has_own = attach_find_own(joined, enrolled.member.address, &present, &id, &expires);
    if (has_own) {
        before.priority = present.priority & ~BYPEER_PLAN_STANDBY;
        attachment.sequence = present.sequence;
    }
    memcpy(attachment.member_key, client->key ? client->key : before.key, 32);
    result = enroll_check_key(attach, attachment.member_key, enrolled.member.address, problem);
    if (result < 0 || !bypeer_group_find_member(bypeer_joined_group(joined), bypeer_joined_self(joined), &self))
        return result;
    attachment.priority =
        (uint8_t)(attachment.priority | (client->priority == UINT_MAX ? before.priority : client->priority));
    attachment.member = enrolled.member.name;
    attachment.supernode = self.name;
    memcpy(attachment.member_address, enrolled.member.address, 16);
    attach_describe(attach, &attachment);
    uint64_t until = enrolled.member.until < self.until ? enrolled.member.until : self.until;
    result = attach_say(joined, &attachment, has_own ? &id : NULL, until, problem);
    if (result < 0)
        return result;
    if (has_own && memcmp(present.member_key, attachment.member_key, 32) != 0)
        attach_add_previous(attach, joined, present.member_address, present.member_key);
    bypeer_groups_audit(attach->groups, bypeer_joined_name_text(joined), "attached", bypeer_joined_self_text(joined),
                        NULL, client->name);
    attach_replan(attach);
    const struct attach_link *link = attach_find_link(attach, attachment.member_key);
    const struct bypeer_model_link *peer = link ? bypeer_model_link(attach->node->model, link->id) : NULL;
    if (!peer)
        return bypeer_problem_set(problem, -EAGAIN, "not_attached",
                                  "member \"%.80s\"\nis attached, but has no link yet\nsee the log", client->name);
    snprintf(enrolled.link, sizeof(enrolled.link), "%s", peer->name);
    if (!bypeer_group_find_member(bypeer_joined_group(joined), &attachment.member, &enrolled.member))
        return -ENOENT;
    *ret_enrolled = enrolled;
    return 0;
}

int bypeer_attach_dismiss(struct bypeer_attach *attach, struct bypeer_joined *joined, const char *text,
                          struct bypeer_problem *problem)
{
    struct bypeer_group_member member;
    struct bypeer_attachment attachment;
    struct bypeer_guid id;
    uint64_t expires;
    int result = bypeer_joined_find_member(joined, text, &member, problem);
    if (result < 0)
        return result;
    if (member.is_self || !attach_find_own(joined, member.address, &attachment, &id, &expires))
        return bypeer_problem_set(
            problem, -ENOENT, "not_attached",
            "member \"%.80s\"\nis not carried by this node\nlist who is: bypeer group attachments", text);
    result = bypeer_joined_delete(joined, &id, problem);
    attach_replan(attach);
    return result;
}
