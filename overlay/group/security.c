/* The provider's functions, as the graph calls them: security.h of overlay/graph says when. */
#include <errno.h>
#include <string.h>

#include "overlay/group/state.h"

static bool security_is(const struct bypeer_record *record, struct bypeer_guid type)
{
    return bypeer_guid_is_equal(&record->type, &type);
}

static bool security_is_name(const char *text, struct bypeer_peer_name *ret_name)
{
    char why[160];
    return bypeer_name_read(ret_name, text, why) == 0;
}

/* Records that the group's key signs. */
static int security_secure_as_group(struct bypeer_group_node *node, const struct bypeer_record *record,
                                    uint8_t *ret_security)
{
    if (!node->group_key ||
        !(security_is(record, BYPEER_RECORD_SECURITY) || security_is(record, BYPEER_RECORD_REVOCATION)))
        return -EPERM;
    return group_seal(node->group_key, record, node->root_serial, node->root_serial, ret_security);
}

/* The serial of a creator whose record an administrator changes: as it was, or as he is known. */
static int security_creator_serial(const struct bypeer_group_node *node, const struct bypeer_record *record,
                                   uint8_t ret_serial[static GROUP_SERIAL])
{
    struct bypeer_peer_name name;
    if (record->security_bytes >= GROUP_SERIAL) {
        memcpy(ret_serial, record->security, GROUP_SERIAL);
        return 0;
    }
    const struct group_member *member = security_is_name(record->creator, &name) ? group_find(node, &name) : NULL;
    if (!member)
        return -EPERM;
    memcpy(ret_serial, member->credentials[0].leaf->serial, GROUP_SERIAL);
    return 0;
}

static int security_secure_as_self(struct bypeer_group_node *node, uint64_t now, const struct bypeer_record *record,
                                   uint8_t *ret_security)
{
    uint8_t creator_serial[GROUP_SERIAL];
    bool is_own = strcmp(record->creator, node->self_id) == 0;
    uint64_t expires = security_is(record, BYPEER_RECORD_REVOCATION) ? 0 : group_unix(record->expires);
    struct group_wish wish = {.from = now, .until = now};
    if (!group_own_signer(node, &wish, now))
        return node->chain && group_is_tainted(node, node->chain, now) ? -EKEYREVOKED : -EKEYEXPIRED;
    wish.roles = is_own ? 0 : BYPEER_ROLE_ADMINISTRATOR;
    if (strcmp(record->modifier ? record->modifier : record->creator, node->self_id) != 0 ||
        !group_own_signer(node, &wish, now))
        return -EPERM;
    wish.from = group_unix(record->modified);
    wish.until = expires;
    const struct group_credential *own = group_own_signer(node, &wish, now);
    if (!own)
        return -EKEYEXPIRED;
    memcpy(creator_serial, own->leaf->serial, GROUP_SERIAL);
    int status = is_own ? 0 : security_creator_serial(node, record, creator_serial);
    if (status)
        return status;
    node->has_signed = true;
    return group_seal(node->key, record, creator_serial, own->leaf->serial, ret_security);
}

static int security_secure(void *context, struct bypeer_graph_time now, const struct bypeer_record *record,
                           uint8_t *ret_security, size_t *bytes)
{
    struct bypeer_group_node *node = context;
    size_t needed = GROUP_SECURITY_FIXED + (size_t)node->profile->signature_bytes;
    if (*bytes < needed)
        return -ENOSPC;
    if (bypeer_record_is_deleted(record) &&
        (security_is(record, BYPEER_RECORD_SECURITY) || security_is(record, BYPEER_RECORD_REVOCATION) ||
         security_is(record, BYPEER_RECORD_MEMBERSHIP)))
        return -EPERM;
    int status = strcmp(record->creator, node->group_id) == 0
                     ? security_secure_as_group(node, record, ret_security)
                     : security_secure_as_self(node, group_unix(now.utc), record, ret_security);
    if (status == 0)
        *bytes = needed;
    return status;
}

static enum bypeer_graph_verdict security_validate(void *context, struct bypeer_graph_time now,
                                                   const struct bypeer_record *record, const char **ret_why)
{
    struct bypeer_group_node *node = context;
    node->now = group_unix(now.utc);
    return judge_record(node, now, record, ret_why);
}

/* Memberships that are published, so that they need not be again. */
static void security_stored_membership(struct bypeer_group_node *node, bool is_there,
                                       const struct bypeer_record *record)
{
    const uint8_t *bytes;
    size_t length;
    struct bypeer_chain *chain;
    if (bypeer_membership_read(&bytes, &length, record->payload, record->payload_bytes) ||
        bypeer_chain_read(&chain, node->profile, bytes, length, NULL))
        return;
    struct group_member *member = group_find(node, &bypeer_chain_leaf(chain)->subject);
    struct group_credential *credential = member ? group_find_chain(member, chain) : NULL;
    if (credential)
        credential->is_published = is_there;
    bypeer_chain_free(chain);
}

static void security_stored_properties(struct bypeer_group_node *node, const struct bypeer_record *record)
{
    if (bypeer_properties_read(&node->properties, record->payload, record->payload_bytes))
        return;
    node->has_properties = true;
    node->properties_id = record->id;
    if (node->sink.properties)
        node->sink.properties(node->sink_context, &node->properties);
}

static void security_stored(void *context, struct bypeer_graph_time now, enum bypeer_record_change change,
                            const struct bypeer_record *record)
{
    struct bypeer_group_node *node = context;
    struct bypeer_peer_name creator;
    uint64_t now_s = node->now = group_unix(now.utc);
    bool is_there = change == BYPEER_RECORD_ADDED || change == BYPEER_RECORD_UPDATED;
    const char *why;
    if (security_is(record, BYPEER_RECORD_MEMBERSHIP))
        security_stored_membership(node, is_there, record);
    else if (security_is(record, BYPEER_RECORD_SECURITY) && is_there)
        security_stored_properties(node, record);
    else if (security_is(record, BYPEER_RECORD_REVOCATION) && is_there)
        judge_revocation(node, now_s, record, &why); /* our own was not judged before */
    else if (security_is(record, BYPEER_RECORD_REVOCATION))
        group_drop_revocation(node, &record->id, now_s);
    else if (security_is(record, BYPEER_RECORD_ATTACHMENT) && is_there)
        group_note_attached(node, record);
    else if (security_is(record, BYPEER_RECORD_PRESENCE) && change != BYPEER_RECORD_UPDATED &&
             !(change == BYPEER_RECORD_EXPIRED && bypeer_record_is_deleted(record)) &&
             security_is_name(record->creator, &creator))
        group_note_presence(node, &creator, is_there, now_s);
}

static bool security_first(void *context, const struct bypeer_record *record)
{
    (void)context;
    return security_is(record, BYPEER_RECORD_REVOCATION);
}

static int security_link_open(void *context, void **ret_link, bool is_initiator, const char *peer_id,
                              enum bypeer_graph_link_kind kind, const struct bypeer_graph_address *address)
{
    (void)kind; /* direct links are authenticated like any */
    struct group_link *link;
    int status = group_link_open(context, &link, is_initiator, peer_id, address);
    if (status == 0)
        *ret_link = link;
    return status;
}

static int security_link_token(void *context, void *link, struct bypeer_graph_time now, const uint8_t *token,
                               size_t length, struct bypeer_buffer *out, const char **ret_why)
{
    (void)context;
    return group_link_token(link, now, token, length, out, ret_why);
}

static const char *security_link_peer(void *context, void *link)
{
    (void)context;
    return group_link_peer(link);
}

static int security_link_seal(void *context, void *link, const uint8_t *plain, size_t length, struct bypeer_buffer *out)
{
    (void)context;
    return group_link_seal(link, plain, length, out);
}

static int security_link_unseal(void *context, void *link, const uint8_t *bytes, size_t length,
                                struct bypeer_buffer *out)
{
    (void)context;
    return group_link_unseal(link, bytes, length, out);
}

static void security_link_close(void *context, void *link)
{
    (void)context;
    group_link_close(link);
}

void group_security_fill(struct bypeer_group_node *node)
{
    node->security = (struct bypeer_graph_security){
        .context = node,
        .secure = security_secure,
        .validate = security_validate,
        .stored = security_stored,
        .first = security_first,
        .link_open = security_link_open,
        .link_token = security_link_token,
        .link_peer = security_link_peer,
        .link_seal = security_link_seal,
        .link_unseal = security_link_unseal,
        .link_close = security_link_close,
    };
}
