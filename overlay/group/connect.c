#include "overlay/group/connect.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "overlay/group/link.h"
#include "overlay/ip/wire.h"

#define HELLO_BYTES   4
#define HEAD_BYTES    6 /* type and length of all others */
#define MESSAGE_MAX   (BYPEER_BAG_BYTES_MAX + 64)
#define PENDING_MAX   (2 * MESSAGE_MAX)
#define VERSION_MAJOR 1
#define VERSION_MINOR 0

int link_refuse(struct group_link *link, const char *why)
{
    struct bypeer_group_node *node = link->node;
    char who[BYPEER_NAME_TEXT_MAX] = "";
    if (link->why != why)
        snprintf(link->why, sizeof(link->why), "%s", why);
    link->state = LINK_FAILED;
    if (link->peer) {
        /* A certificate names who has replaced his key by the new one: as a member he is known by the first. */
        const struct group_member *member = group_find_key(node, link_peer_key(link));
        bypeer_name_write(member ? &member->name : &bypeer_certificate_facts(link->peer)->subject, who);
    }
    if (node->sink.refused)
        node->sink.refused(node->sink_context, who, link->why);
    return -EACCES;
}

const uint8_t *link_peer_key(const struct group_link *link)
{
    return bypeer_certificate_facts(link->peer)->public_key;
}

int link_put(struct bypeer_buffer *plain, enum group_message type, const void *bytes, size_t length)
{
    uint8_t head[HEAD_BYTES];
    bypeer_store16(head, (uint16_t)type);
    if (type == MESSAGE_HELLO) {
        head[2] = VERSION_MAJOR;
        head[3] = VERSION_MINOR;
        return bypeer_buffer_append(plain, head, HELLO_BYTES);
    }
    /* Reference 3.2: this one's length is little-endian, all others' big-endian. */
    bypeer_store32(head + 2, type == MESSAGE_MINE ? __builtin_bswap32((uint32_t)length) : (uint32_t)length);
    int status = bypeer_buffer_append(plain, head, sizeof(head));
    return status || length == 0 ? status : bypeer_buffer_append(plain, bytes, length);
}

/* 1: a whole message is at the front of bytes; 0: more is needed; -EBADMSG. */
static int link_parse(const uint8_t *bytes, size_t length, struct group_message_view *ret_message, size_t *ret_used)
{
    if (length < HELLO_BYTES)
        return 0;
    enum group_message type = bypeer_load16(bytes);
    if (type == MESSAGE_HELLO) {
        *ret_message = (struct group_message_view){.type = type};
        *ret_used = HELLO_BYTES;
        return bytes[2] == VERSION_MAJOR ? 1 : -EBADMSG;
    }
    if (type != MESSAGE_MINE && type != MESSAGE_YOURS && (type < MESSAGE_PASSWORD || type > MESSAGE_CONFIRM))
        return -EBADMSG;
    if (length < HEAD_BYTES)
        return 0;
    uint32_t size = bypeer_load32(bytes + 2);
    if (type == MESSAGE_MINE)
        size = __builtin_bswap32(size);
    if (size > MESSAGE_MAX)
        return -EBADMSG;
    if (length - HEAD_BYTES < size)
        return 0;
    *ret_message = (struct group_message_view){type, bytes + HEAD_BYTES, size};
    *ret_used = HEAD_BYTES + size;
    return 1;
}

int link_authenticate(struct group_link *link, const struct bypeer_peer_name *name)
{
    bypeer_name_write(name, link->peer_id);
    if (link->wanted[0] != '\0' && strcmp(link->wanted, link->peer_id) != 0) {
        link->peer_id[0] = '\0';
        return link_refuse(link, "it is another member than the one that was looked for");
    }
    link->state = LINK_DONE;
    return 1;
}

int link_take_chain(struct group_link *link, uint64_t now, const uint8_t *bytes, size_t length)
{
    struct bypeer_group_node *node = link->node;
    struct bypeer_chain *chain;
    struct bypeer_chain_verdict verdict;
    struct group_credential *credential;
    if (bypeer_chain_read(&chain, node->profile, bytes, length, &verdict)) {
        bypeer_chain_explain(&verdict, link->why);
        return link_refuse(link, link->why);
    }
    int status = 0;
    if (!judge_chain(node, chain, link_peer_key(link), now, link->why))
        status = link_refuse(link, link->why);
    else if (group_is_tainted(node, chain, now))
        status = link_refuse(link, "its membership is revoked");
    if (status == 0) {
        group_learn_root(node, chain);
        link->shown = bypeer_chain_leaf(chain)->subject;
        status = group_take(node, chain, now, &credential);
        status = status == 0 || status == -EEXIST
                     ? 0
                     : link_refuse(link, status == -EDQUOT ? GROUP_NO_ROOM : "there is no room for its membership");
        if (status == 0 && group_overtaken_at(node, credential, now) <= now)
            status = link_refuse(link, "its key was replaced by another");
    }
    bypeer_chain_free(chain);
    return status;
}

/* The member whose key TLS has shown, by what is known of it already. */
static int link_find_peer(struct group_link *link, uint64_t now)
{
    const struct bypeer_group_node *node = link->node;
    const uint8_t *key = link_peer_key(link);
    const struct group_member *member = group_find_key(node, key);
    const struct group_credential *credential = member ? group_with_key(node, member, key, now) : NULL;
    if (credential)
        return link_authenticate(link, &credential->leaf->subject);
    return link_refuse(link, member && group_is_revoked(node, key, now)
                                 ? "its membership is revoked"
                                 : "it shows no membership, and none of it is known here");
}

/* Hello, with the own chain while it is valid. */
static int link_greet(struct group_link *link, uint64_t now, struct bypeer_buffer *plain)
{
    const struct group_credential *own = group_own(link->node, now);
    size_t length;
    int status = link_put(plain, MESSAGE_HELLO, NULL, 0);
    if (status || !own)
        return status;
    const uint8_t *bag = bypeer_chain_bag(own->chain, &length);
    return link_put(plain, MESSAGE_MINE, bag, length);
}

static int link_begin(struct group_link *link, uint64_t now, struct bypeer_buffer *plain)
{
    link->state = link->is_initiator ? LINK_HELLO_SENT : LINK_HELLO;
    if (!link->is_initiator)
        return 0;
    link->by_password = !link->node->chain;
    if (link->by_password && link->node->password[0] == '\0')
        return link_refuse(link, "this node has neither a membership nor a password");
    return link->by_password ? link_offer_password(plain) : link_greet(link, now, plain);
}

/* The responder's greeting, or the initiator's: what comes with Hello. message NULL: nothing does. */
static int link_take_greeting(struct group_link *link, struct bypeer_graph_time now,
                              const struct group_message_view *message, struct bypeer_buffer *plain)
{
    uint64_t now_s = group_unix(now.utc);
    int status;
    if (message && message->type == MESSAGE_PASSWORD)
        return link_take_password(link, now, message, plain);
    if (message && message->type != MESSAGE_MINE)
        return link_refuse(link, "its messages come out of order");
    if (link->is_initiator && link->by_password) {
        if (!message)
            return link_refuse(link, "it has no valid membership, and so cannot take anybody in");
        status = link_take_chain(link, now_s, message->bytes, message->length);
        return status ? status : link_prove_password(link, plain);
    }
    if (message) {
        status = link_take_chain(link, now_s, message->bytes, message->length);
        if (status)
            return status;
    }
    status = message ? link_authenticate(link, &link->shown) : link_find_peer(link, now_s);
    if (status == 1 && !link->is_initiator) {
        int greeting = link_greet(link, now_s, plain);
        return greeting ? greeting : 1;
    }
    return status;
}

static int link_take_message(struct group_link *link, struct bypeer_graph_time now,
                             const struct group_message_view *message, struct bypeer_buffer *plain)
{
    if (link->state == LINK_HELLO || link->state == LINK_HELLO_SENT) {
        if (link->said_hello == (message->type == MESSAGE_HELLO))
            return link_refuse(link, "its messages come out of order");
        link->said_hello = true;
        return message->type == MESSAGE_HELLO ? 0 : link_take_greeting(link, now, message, plain);
    }
    return link_take_password(link, now, message, plain);
}

/* All whole messages of link->in. A Hello at the very end of what came stands alone. */
static int link_take_messages(struct group_link *link, struct bypeer_graph_time now, struct bypeer_buffer *plain)
{
    int status = 0;
    while (status == 0 && link->state != LINK_DONE) {
        struct group_message_view message;
        size_t used = 0;
        int parsed = link_parse(link->in.bytes, link->in.length, &message, &used);
        if (parsed < 0)
            return link_refuse(link, "it sends what is no message of Group Connect");
        if (parsed == 0)
            break;
        status = link_take_message(link, now, &message, plain);
        bypeer_buffer_drop(&link->in, used);
    }
    bool is_waiting = link->state == LINK_HELLO || link->state == LINK_HELLO_SENT;
    if (status == 0 && is_waiting && link->said_hello && link->in.length == 0)
        status = link_take_greeting(link, now, NULL, plain);
    return status;
}

static int link_end_handshake(struct group_link *link, uint64_t now)
{
    struct bypeer_group_node *node = link->node;
    size_t length;
    const char *why;
    const uint8_t *der = node->tls.peer(node->tls.context, link->session, &length);
    if (!der || bypeer_certificate_read(&link->peer, node->profile, der, length, &why))
        return link_refuse(link, "it shows no identity certificate");
    enum bypeer_chain_fault fault = bypeer_certificate_judge_identity(link->peer, now);
    if (fault) {
        snprintf(link->why, sizeof(link->why), "its identity certificate %s", bypeer_chain_fault_text(fault));
        return link_refuse(link, link->why);
    }
    return 0;
}

/* TLS first, then messages. plain: what is to be sent inside TLS. */
static int link_take_token(struct group_link *link, struct bypeer_graph_time now, const uint8_t *token, size_t length,
                           struct bypeer_buffer *out, struct bypeer_buffer *plain)
{
    struct bypeer_group_tls *tls = &link->node->tls;
    const char *why = "TLS failed";
    int status;
    if (link->state == LINK_TLS) {
        status = tls->handshake(tls->context, link->session, token, length, out, &why);
        if (status < 0)
            return link_refuse(link, why);
        if (status == 0)
            return 0;
        status = link_end_handshake(link, group_unix(now.utc));
        if (status == 0)
            status = link_begin(link, group_unix(now.utc), plain);
        if (status)
            return status;
        token = NULL;
        length = 0;
    }
    if (tls->unseal(tls->context, link->session, token, length, &link->in) || link->in.length > PENDING_MAX)
        return link_refuse(link, "what it sends cannot be decrypted, or does not end");
    return link->in.length > 0 ? link_take_messages(link, now, plain) : 0;
}

int group_link_token(struct group_link *link, struct bypeer_graph_time now, const uint8_t *token, size_t length,
                     struct bypeer_buffer *out, const char **ret_why)
{
    struct bypeer_group_tls *tls = &link->node->tls;
    struct bypeer_buffer plain = {0};
    int status = link->state == LINK_FAILED ? -EACCES : link_take_token(link, now, token, length, out, &plain);
    if (status >= 0 && plain.length > 0 && tls->seal(tls->context, link->session, plain.bytes, plain.length, out))
        status = -EIO;
    if (status < 0 && link->why[0] == '\0')
        status = link_refuse(link, "there is no memory");
    bypeer_buffer_clear(&plain);
    if (status < 0)
        *ret_why = link->why;
    return status;
}

int group_link_open(struct bypeer_group_node *node, struct group_link **ret_link, bool is_initiator,
                    const char *peer_id, const struct bypeer_graph_address *address)
{
    struct group_link *link = calloc(1, sizeof(*link));
    if (!link)
        return -ENOMEM;
    link->node = node;
    link->is_initiator = is_initiator;
    if (address)
        link->address = *address;
    snprintf(link->wanted, sizeof(link->wanted), "%s", peer_id ? peer_id : "");
    int status = node->tls.open(node->tls.context, &link->session, is_initiator);
    if (status) {
        free(link);
        return status;
    }
    *ret_link = link;
    return 0;
}

const char *group_link_peer(const struct group_link *link)
{
    return link->peer_id;
}

int group_link_seal(struct group_link *link, const uint8_t *plain, size_t length, struct bypeer_buffer *out)
{
    struct bypeer_group_tls *tls = &link->node->tls;
    return tls->seal(tls->context, link->session, plain, length, out);
}

int group_link_unseal(struct group_link *link, const uint8_t *bytes, size_t length, struct bypeer_buffer *out)
{
    struct bypeer_group_tls *tls = &link->node->tls;
    return tls->unseal(tls->context, link->session, bytes, length, out);
}

void group_link_close(struct group_link *link)
{
    if (!link)
        return;
    /* Who closes now has not said why, and has no other reason. */
    if (link->is_initiator && link->by_password && (link->state == LINK_CONFIRM || link->state == LINK_YOURS))
        link_refuse(link, "the group did not take the password: it may be wrong");
    link->node->tls.close(link->node->tls.context, link->session);
    bypeer_certificate_free(link->peer);
    bypeer_buffer_clear(&link->in);
    bypeer_cpace_clear(&link->cpace);
    free(link);
}
