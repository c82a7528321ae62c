#include "tests/unit/graph_guard.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define SIGNATURE_BYTES 16

int guard_number(const char *name)
{
    for (uint32_t i = 0; i < GUARD_MEMBERS; i++) {
        char known[GRAPH_NET_NAME_BYTES];
        graph_net_name(i, known);
        if (strcmp(known, name) == 0)
            return (int)i;
    }
    return -1;
}

/* Of a membership or a revocation: whom it is about. */
static int guard_target(const struct bypeer_record *record)
{
    char name[GRAPH_NET_NAME_BYTES] = "";
    if (record->payload_bytes >= sizeof(name))
        return -1;
    memcpy(name, record->payload, record->payload_bytes);
    return guard_number(name);
}

static void guard_sign(const struct bypeer_record *record, const char *signer, uint8_t ret_signature[static 16])
{
    const char *modifier = record->modifier ? record->modifier : "";
    struct bypeer_piece pieces[] = {
        {"secret of ", 10},
        {signer, strlen(signer)},
        {&record->type, sizeof(record->type)},
        {&record->id, sizeof(record->id)},
        {&record->version, sizeof(record->version)},
        {&(uint32_t){record->flags & BYPEER_RECORD_DELETED}, sizeof(uint32_t)},
        {&record->created, sizeof(record->created)},
        {&record->expires, sizeof(record->expires)},
        {&record->modified, sizeof(record->modified)},
        {record->creator, strlen(record->creator) + 1},
        {modifier, strlen(modifier) + 1},
        {record->payload, record->payload_bytes},
    };
    uint8_t hash[20];
    bypeer_profile_hash(bypeer_profile(BYPEER_PROFILE_MODERN), pieces, sizeof(pieces) / sizeof(pieces[0]), hash);
    memcpy(ret_signature, hash, SIGNATURE_BYTES);
}

static int guard_secure(void *context, struct bypeer_graph_time now, const struct bypeer_record *record,
                        uint8_t *ret_security, size_t *bytes)
{
    struct guard *guard = context;
    (void)now;
    if (*bytes < SIGNATURE_BYTES)
        return -ENOSPC;
    if (guard->is_revoked[guard_number(guard->name)])
        return -EKEYREVOKED;
    if (!guard->is_reckless && (strcmp(record->creator, guard->name) != 0 && guard_number(guard->name) != 0))
        return -EPERM;
    guard_sign(record, guard->name, ret_security);
    *bytes = SIGNATURE_BYTES;
    return 0;
}

bool guard_is_signed(const struct bypeer_record *record)
{
    uint8_t expected[SIGNATURE_BYTES];
    const char *signer = record->modifier ? record->modifier : record->creator;
    if (record->modifier && strcmp(record->modifier, record->creator) != 0 && guard_number(record->modifier) != 0)
        return false;
    guard_sign(record, signer, expected);
    return record->security_bytes == SIGNATURE_BYTES && memcmp(record->security, expected, SIGNATURE_BYTES) == 0;
}

static bool guard_is_about_members(const struct bypeer_record *record)
{
    return bypeer_guid_is_equal(&record->type, &BYPEER_RECORD_MEMBERSHIP) ||
           bypeer_guid_is_equal(&record->type, &BYPEER_RECORD_REVOCATION);
}

static enum bypeer_graph_verdict guard_judge(const struct guard *guard, const struct bypeer_record *record,
                                             const char **ret_why)
{
    int creator = guard_number(record->creator);
    if (guard->is_reckless && strcmp(guard->name, record->modifier ? record->modifier : record->creator) == 0)
        return BYPEER_GRAPH_VALID;
    *ret_why = "signed by nobody who may";
    if (creator < 0 || !guard_is_signed(record))
        return BYPEER_GRAPH_INVALID;
    if (guard_is_about_members(record) &&
        (creator != 0 || bypeer_record_is_deleted(record) || record->version != 1 || guard_target(record) < 0))
        return BYPEER_GRAPH_INVALID;
    *ret_why = "of a revoked member";
    if (guard->is_revoked[creator])
        return BYPEER_GRAPH_INVALID;
    *ret_why = "of no member that is known";
    return creator == 0 || guard->is_member[creator] ? BYPEER_GRAPH_VALID : BYPEER_GRAPH_DEFERRED;
}

static enum bypeer_graph_verdict guard_validate(void *context, struct bypeer_graph_time now,
                                                const struct bypeer_record *record, const char **ret_why)
{
    (void)now;
    return guard_judge(context, record, ret_why);
}

static void guard_stored(void *context, struct bypeer_graph_time now, enum bypeer_record_change change,
                         const struct bypeer_record *record)
{
    struct guard *guard = context;
    (void)now;
    if (change != BYPEER_RECORD_ADDED || !guard_is_about_members(record))
        return;
    int target = guard_target(record);
    bool *known = bypeer_guid_is_equal(&record->type, &BYPEER_RECORD_REVOCATION) ? guard->is_revoked : guard->is_member;
    if (target < 0 || known[target])
        return;
    known[target] = true;
    guard->has_learned = true;
}

static bool guard_first(void *context, const struct bypeer_record *record)
{
    (void)context;
    return bypeer_guid_is_equal(&record->type, &BYPEER_RECORD_REVOCATION);
}

/* --- links: each end says its name -------------------------------------------------------------------------------- */

struct guard_link {
    const struct guard *guard;
    bool is_initiator;
    char peer[GRAPH_NET_NAME_BYTES];
};

static int guard_link_open(void *context, void **ret_link, bool is_initiator, const char *peer_id,
                           enum bypeer_graph_link_kind kind, const struct bypeer_graph_address *address)
{
    struct guard_link *link = calloc(1, sizeof(*link));
    (void)peer_id;
    (void)kind;
    (void)address;
    if (link == NULL)
        return -ENOMEM;
    link->guard = context;
    link->is_initiator = is_initiator;
    *ret_link = link;
    return 0;
}

static int guard_link_token(void *context, void *link_pointer, struct bypeer_graph_time now, const uint8_t *token,
                            size_t length, struct bypeer_buffer *out, const char **ret_why)
{
    struct guard_link *link = link_pointer;
    const struct guard *guard = context;
    (void)now;
    if (token != NULL) {
        *ret_why = "no name";
        if (length == 0 || length >= sizeof(link->peer))
            return -EBADMSG;
        memcpy(link->peer, token, length);
        int peer = guard_number(link->peer);
        *ret_why = "a revoked member";
        if (peer < 0 || guard->is_revoked[peer])
            return -EKEYREVOKED;
    }
    if (token == NULL || !link->is_initiator)
        bypeer_buffer_append(out, guard->name, strlen(guard->name));
    return token != NULL;
}

static const char *guard_link_peer(void *context, void *link)
{
    (void)context;
    return ((struct guard_link *)link)->peer;
}

static int guard_link_copy(void *context, void *link, const uint8_t *bytes, size_t length, struct bypeer_buffer *out)
{
    (void)context;
    (void)link;
    return bypeer_buffer_append(out, bytes, length);
}

static void guard_link_close(void *context, void *link)
{
    (void)context;
    free(link);
}

void guard_init(struct guard *guard, uint32_t node, bool is_reckless)
{
    *guard = (struct guard){
        .security = {.context = guard,
                     .secure = guard_secure,
                     .validate = guard_validate,
                     .stored = guard_stored,
                     .first = guard_first,
                     .link_open = guard_link_open,
                     .link_token = guard_link_token,
                     .link_peer = guard_link_peer,
                     .link_seal = guard_link_copy,
                     .link_unseal = guard_link_copy,
                     .link_close = guard_link_close},
        .is_reckless = is_reckless,
    };
    graph_net_name(node, guard->name);
}

void guard_turn(struct guard *guard, struct bypeer_graph *graph, struct bypeer_graph_time now)
{
    while (guard->has_learned) {
        guard->has_learned = false;
        for (bool is_anew = true; !bypeer_graph_revalidate(graph, now, is_anew);)
            is_anew = false;
        for (uint32_t i = 0; i < GUARD_MEMBERS; i++) {
            char name[GRAPH_NET_NAME_BYTES];
            graph_net_name(i, name);
            if (guard->is_revoked[i])
                bypeer_graph_cut(graph, now, name);
        }
    }
}
