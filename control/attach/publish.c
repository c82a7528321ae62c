/*
 * What this node says of itself: an attachment for itself in each group in which it is a supernode, and one for each of
 * its clients. A record is written anew when something in it is no longer so; a failure is tried again.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/attach/state.h"
#include "control/wireguard/wireguard.h"
#include "overlay/group/address.h"

#define OWN_MAX 65536 /* attachments of this node in one group that are looked after */

static const struct bypeer_guid attachment_type = BYPEER_RECORD_ATTACHMENT;

struct own {
    struct bypeer_guid id;
    struct bypeer_attachment attachment;
    uint64_t expires;
};

/* --- what is so --- */

bool attach_read_endpoint(const char *text, uint8_t ret_address[static 16], uint16_t *ret_port)
{
    static const uint8_t ipv4_prefix[12] = {[10] = 0xff, [11] = 0xff};
    char host[INET6_ADDRSTRLEN + 2];
    const char *colon = strrchr(text, ':');
    size_t length = colon ? (size_t)(colon - text) : 0;
    if (length < 3 || length >= sizeof(host))
        return false;
    memcpy(host, text, length);
    host[length] = '\0';
    *ret_port = (uint16_t)strtoul(colon + 1, NULL, 10);
    if (host[0] == '[') {
        host[length - 1] = '\0';
        return inet_pton(AF_INET6, host + 1, ret_address) == 1;
    }
    memcpy(ret_address, ipv4_prefix, sizeof(ipv4_prefix));
    return inet_pton(AF_INET, host, ret_address + 12) == 1;
}

static void publish_add_endpoint(struct bypeer_attachment *attachment, const uint8_t address[static 16], uint16_t port)
{
    for (unsigned at = 0; at < attachment->endpoint_count; at++)
        if (attachment->endpoints[at].port == port && memcmp(attachment->endpoints[at].address, address, 16) == 0)
            return;
    if (attachment->endpoint_count == BYPEER_ATTACHMENT_ENDPOINTS_MAX)
        return;
    memcpy(attachment->endpoints[attachment->endpoint_count].address, address, 16);
    attachment->endpoints[attachment->endpoint_count++].port = port;
}

void attach_describe(const struct bypeer_attach *attach, struct bypeer_attachment *attachment)
{
    const struct bypeer_config *config = attach->node->config;
    if (attach->node->wireguard)
        memcpy(attachment->supernode_key, bypeer_wireguard_public_key(attach->node->wireguard), 32);
    attachment->flags = attach->is_draining ? BYPEER_ATTACHMENT_DRAINING : 0;
    attachment->endpoint_count = 0;
    memset(attachment->endpoints, 0, sizeof(attachment->endpoints));
    uint8_t address[16];
    uint16_t port_number;
    if (attach_read_endpoint(config->wireguard.endpoint, address, &port_number))
        publish_add_endpoint(attachment, address, port_number);
    for (uint32_t at = 0; at < config->wireguard.address_count; at++)
        publish_add_endpoint(attachment, config->wireguard.addresses[at], config->wireguard.port);
    for (uint32_t port = 0; port < config->port_count && config->wireguard.address_count == 0; port++)
        for (uint32_t at = 0; at < config->ports[port].address_count; at++)
            publish_add_endpoint(attachment, config->ports[port].addresses[at].address, config->wireguard.port);
}

static bool publish_is_same(const struct bypeer_attachment *one, const struct bypeer_attachment *other)
{
    if (one->flags != other->flags || one->priority != other->priority ||
        one->endpoint_count != other->endpoint_count || memcmp(one->member_key, other->member_key, 32) != 0 ||
        memcmp(one->supernode_key, other->supernode_key, 32) != 0)
        return false;
    for (unsigned at = 0; at < one->endpoint_count; at++)
        if (one->endpoints[at].port != other->endpoints[at].port ||
            memcmp(one->endpoints[at].address, other->endpoints[at].address, 16) != 0)
            return false;
    return true;
}

/* --- what was said --- */

static bool publish_read(const struct bypeer_joined *joined, const struct bypeer_record *record,
                         struct bypeer_attachment *ret_attachment)
{
    char supernode[BYPEER_NAME_TEXT_MAX];
    if (bypeer_record_is_deleted(record) || strcmp(record->creator, bypeer_joined_self_text(joined)) != 0 ||
        bypeer_attachment_read(ret_attachment, bypeer_joined_profile(joined), record->payload, record->payload_bytes) <
            0)
        return false;
    bypeer_name_write(&ret_attachment->supernode, supernode);
    return strcmp(supernode, bypeer_joined_self_text(joined)) == 0;
}

bool attach_find_own(const struct bypeer_joined *joined, const uint8_t member[static 16],
                     struct bypeer_attachment *ret_attachment, struct bypeer_guid *ret_id, uint64_t *ret_expires)
{
    const struct bypeer_graph *graph = bypeer_joined_graph(joined);
    struct bypeer_attachment attachment;
    bool found = false;
    for (const struct bypeer_record *record = bypeer_graph_next(graph, &attachment_type, NULL); record;
         record = bypeer_graph_next(graph, &attachment_type, record)) {
        if (!publish_read(joined, record, &attachment) || memcmp(attachment.member_address, member, 16) != 0 ||
            (found && attachment.sequence <= ret_attachment->sequence))
            continue;
        found = true;
        *ret_attachment = attachment;
        *ret_id = record->id;
        *ret_expires = record->expires;
    }
    return found;
}

/* --- saying it --- */

static uint64_t publish_peer_time(uint64_t unix_s)
{
    return unix_s > UINT32_MAX ? BYPEER_PEER_TIME_1970 + UINT32_MAX * BYPEER_PEER_TIME_SECOND
                               : BYPEER_PEER_TIME_1970 + unix_s * BYPEER_PEER_TIME_SECOND;
}

int attach_say(struct bypeer_joined *joined, struct bypeer_attachment *attachment, const struct bypeer_guid *id,
               uint64_t until, struct bypeer_problem *problem)
{
    uint8_t payload[BYPEER_ATTACHMENT_BYTES_MAX];
    struct bypeer_guid ignored;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    uint64_t now_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
    attachment->sequence = attachment->sequence + 1 > now_ms ? attachment->sequence + 1 : now_ms;
    attachment->is_signed = false;
    size_t length = bypeer_attachment_write(attachment, bypeer_joined_profile(joined), payload, sizeof(payload));
    if (length == 0)
        return bypeer_problem_set(problem, -EMSGSIZE, "too_large", "the attachment\nis too large\nuse shorter names");
    struct bypeer_record_draft draft = {.type = attachment_type,
                                        .payload = payload,
                                        .payload_bytes = length,
                                        .expires = until > 0 ? publish_peer_time(until) : 0,
                                        .is_internal = true};
    return id ? bypeer_joined_update(joined, id, &draft, problem)
              : bypeer_joined_publish(joined, &draft, &ignored, problem);
}

static void publish_failed(struct bypeer_attach *attach, const struct bypeer_joined *joined,
                           const struct bypeer_problem *problem)
{
    char text[BYPEER_PROBLEM_TEXT];
    attach->publish_ms = attach_now_ms() + ATTACH_REPUBLISH_MS;
    if (problem->error != -EAGAIN) /* a membership that has yet to come */
        bypeer_log_limited(&attach->log_limit, BYPEER_LOG_WARNING, "group %s: its attachment is not published: %s",
                           bypeer_joined_friendly(joined), bypeer_problem_text(problem, text));
}

/* Whether the client behind it is heard here, by whichever key; this node itself always is. */
static bool publish_is_here(const struct bypeer_attach *attach, const struct bypeer_attachment *attachment)
{
    static const uint8_t none[32];
    if (memcmp(attachment->member_key, none, 32) == 0)
        return true;
    const struct attach_link *link = attach_find_link(attach, attachment->member_key);
    if (link && !link->is_trunk && link->is_heard)
        return true;
    for (unsigned at = 0; at < attach->previous_count; at++) {
        const struct attach_previous *previous = &attach->previous[at];
        link = memcmp(previous->address, attachment->member_address, 16) == 0 ? attach_find_link(attach, previous->key)
                                                                              : NULL;
        if (link && link->is_heard)
            return true;
    }
    return false;
}

/*
 * Says one again if it is no longer so. Until it is known who is heard, a client is here if the record says so: a data
 * plane that lives on may still carry it, and others would change their ways for nothing. A record never ends earlier
 * than before: after a renewal for a shorter time it keeps its end, and if no membership of this node lasts until then,
 * another takes its place.
 */
static void publish_refresh(struct bypeer_attach *attach, struct bypeer_joined *joined, struct own *own,
                            const struct bypeer_group_member *self)
{
    struct bypeer_problem problem;
    struct bypeer_group_member member;
    struct bypeer_attachment now = own->attachment;
    if (!bypeer_group_find_member(bypeer_joined_group(joined), &own->attachment.member, &member) || member.is_revoked)
        return;
    uint64_t until = member.until < self->until ? member.until : self->until;
    attach_describe(attach, &now);
    if (publish_is_here(attach, &own->attachment))
        now.priority &= BYPEER_PLAN_STANDBY - 1;
    else if (attach->adopt_ms == 0)
        now.priority |= BYPEER_PLAN_STANDBY;
    bool is_shorter = publish_peer_time(until) < own->expires;
    if (publish_is_same(&now, &own->attachment) && (is_shorter || publish_peer_time(until) == own->expires))
        return;
    int result = attach_say(joined, &now, &own->id, is_shorter ? 0 : until, &problem);
    if (result < 0 && is_shorter && attach_say(joined, &now, NULL, until, &problem) == 0)
        result = bypeer_joined_delete(joined, &own->id, &problem);
    if (result < 0)
        publish_failed(attach, joined, &problem);
}

/* A copy, since saying one changes the database that they are in. Returns how many; *ret_own is to be freed. */
static size_t publish_list(const struct bypeer_joined *joined, struct own **ret_own)
{
    const struct bypeer_graph *graph = bypeer_joined_graph(joined);
    struct own *list = NULL;
    size_t count = 0, room = 0;
    struct bypeer_attachment attachment;
    for (const struct bypeer_record *record = bypeer_graph_next(graph, &attachment_type, NULL);
         record && count < OWN_MAX; record = bypeer_graph_next(graph, &attachment_type, record)) {
        if (!publish_read(joined, record, &attachment))
            continue;
        if (count == room) {
            size_t next = room ? room * 2 : 16;
            struct own *longer = reallocarray(list, next, sizeof(*list));
            if (!longer)
                break;
            list = longer;
            room = next;
        }
        list[count++] = (struct own){.id = record->id, .attachment = attachment, .expires = record->expires};
    }
    *ret_own = list;
    return count;
}

static void publish_group(struct bypeer_attach *attach, struct bypeer_joined *joined)
{
    struct bypeer_group_member self;
    struct bypeer_problem problem;
    struct own *list;
    bool has_own = false;
    if (!bypeer_group_find_member(bypeer_joined_group(joined), bypeer_joined_self(joined), &self) || self.is_revoked ||
        !(self.roles & BYPEER_ROLE_SUPERNODE))
        return;
    size_t count = publish_list(joined, &list);
    for (size_t at = 0; at < count; at++) {
        has_own |= memcmp(list[at].attachment.member_address, self.address, 16) == 0;
        publish_refresh(attach, joined, &list[at], &self);
    }
    free(list);
    if (has_own)
        return;
    struct bypeer_attachment attachment = {.member = self.name, .supernode = self.name};
    memcpy(attachment.member_address, self.address, 16);
    attach_describe(attach, &attachment);
    if (attach_say(joined, &attachment, NULL, self.until, &problem) < 0)
        publish_failed(attach, joined, &problem);
}

void attach_publish(struct bypeer_attach *attach)
{
    attach->publish_ms = 0;
    if (!attach->node->wireguard)
        return;
    for (unsigned at = 0; at < attach->count; at++)
        publish_group(attach, attach->list[at]->joined);
    for (size_t at = 0; at < attach->link_count && attach->publish_ms == 0 && attach->adopt_ms == 0; at++)
        attach->links[at].is_said = true;
}
