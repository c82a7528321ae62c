#include <stdlib.h>
#include <string.h>

#include "overlay/group/state.h"

/* The record's own form, before anybody's signature: revocation.h says why it never changes. */
static const char *revocation_fault(const struct bypeer_group_node *node, const struct bypeer_record *record,
                                    struct bypeer_revocation *ret_revocation)
{
    struct bypeer_guid id;
    if (bypeer_record_is_deleted(record) || record->version != 1 || record->modifier)
        return "revocations are neither changed nor deleted";
    if (bypeer_revocation_read(ret_revocation, node->profile, record->payload, record->payload_bytes))
        return "the revocation is malformed";
    bypeer_revocation_id(node->profile, record->creator, node->group_id, ret_revocation->key, &id);
    if (!bypeer_guid_is_equal(&id, &record->id))
        return "the revocation's record ID is not of its target";
    if (record->expires != group_peer_time(ret_revocation->until))
        return "the revocation's record does not last as long as it says";
    if (node->has_root && memcmp(ret_revocation->key, node->root_key, node->profile->public_key_bytes) == 0)
        return "the group's own key cannot be revoked";
    return NULL;
}

/* When all of a chain was valid, by what its issuers say: the time that a record tells is its signer's word alone. */
static uint64_t revocation_chain_time(const struct bypeer_chain *chain)
{
    uint64_t begin = 0;
    for (size_t at = 0; at < bypeer_chain_length(chain); at++)
        if (bypeer_chain_at(chain, at)->not_before > begin)
            begin = bypeer_chain_at(chain, at)->not_before;
    return begin;
}

/* Whether creator was ever an administrator, and signed the record. */
static const char *revocation_signer_fault(struct bypeer_group_node *node, uint64_t now,
                                           const struct bypeer_record *record,
                                           const struct bypeer_revocation *revocation, struct bypeer_chain **ret_signer)
{
    static _Thread_local char why[GROUP_WHY];
    struct bypeer_chain *chain;
    char subject[BYPEER_NAME_TEXT_MAX];
    if (bypeer_chain_read(&chain, node->profile, revocation->chain, revocation->chain_bytes, NULL))
        return "the chain of the revocation's signer is malformed";
    const struct bypeer_certificate_facts *leaf = bypeer_chain_leaf(chain);
    const char *fault = NULL;
    bypeer_name_write(&leaf->subject, subject);
    uint64_t valid = revocation_chain_time(chain);
    if (!judge_chain(node, chain, NULL, valid < now ? valid : now, why))
        fault = why;
    else if (!(leaf->roles & BYPEER_ROLE_ADMINISTRATOR))
        fault = "only an administrator revokes";
    else if (strcmp(subject, record->creator) != 0 || memcmp(leaf->serial, record->security, GROUP_SERIAL) != 0 ||
             memcmp(leaf->serial, record->security + GROUP_SERIAL, GROUP_SERIAL) != 0)
        fault = "the revocation's chain is not its creator's";
    else if (!group_seal_is_by(&node->verified, node->profile, record, leaf->public_key))
        fault = "the signature is not its author's";
    if (fault)
        bypeer_chain_free(chain);
    else
        *ret_signer = chain;
    return fault;
}

static const char *revocation_group_fault(struct bypeer_group_node *node, const struct bypeer_record *record)
{
    if (memcmp(record->security, node->root_serial, GROUP_SERIAL) != 0 ||
        memcmp(record->security + GROUP_SERIAL, node->root_serial, GROUP_SERIAL) != 0)
        return "the serial is not that of the group's root certificate";
    return group_seal_is_by(&node->verified, node->profile, record, node->root_key)
               ? NULL
               : "the signature is not the group's";
}

static enum bypeer_graph_verdict revocation_invalid(const char **ret_why, const char *why)
{
    *ret_why = why;
    return BYPEER_GRAPH_INVALID;
}

/* One that counts already is judged again: its signer may be revoked by now, its target be known as administrator. */
static enum bypeer_graph_verdict revocation_again(const struct bypeer_group_node *node, uint64_t now,
                                                  const struct group_revocation *known,
                                                  const struct bypeer_record *record, const char **ret_why)
{
    if (memcmp(known->signature, record->security + GROUP_SECURITY_FIXED, node->profile->signature_bytes) != 0)
        return revocation_invalid(ret_why, "the same author has revoked this key already");
    return group_may_count(node, known, now, ret_why) ? BYPEER_GRAPH_VALID : BYPEER_GRAPH_INVALID;
}

enum bypeer_graph_verdict judge_revocation(struct bypeer_group_node *node, uint64_t now,
                                           const struct bypeer_record *record, const char **ret_why)
{
    struct bypeer_revocation revocation;
    if (!node->has_root) {
        *ret_why = "the group's root certificate is not known yet";
        return BYPEER_GRAPH_DEFERRED;
    }
    const struct group_revocation *known = group_find_revocation(node, &record->id);
    const char *fault = revocation_fault(node, record, &revocation);
    if (fault)
        return revocation_invalid(ret_why, fault);
    if (known)
        return revocation_again(node, now, known, record, ret_why);
    struct group_revocation *taken = calloc(1, sizeof(*taken));
    if (!taken)
        return revocation_invalid(ret_why, "there is no memory for another revocation");
    taken->is_by_group = strcmp(record->creator, node->group_id) == 0;
    fault = taken->is_by_group ? revocation_group_fault(node, record)
                               : revocation_signer_fault(node, now, record, &revocation, &taken->signer);
    taken->by = taken->is_by_group || fault ? node->group : bypeer_chain_leaf(taken->signer)->subject;
    taken->id = record->id;
    taken->until = revocation.until;
    taken->signer_end = taken->signer ? bypeer_chain_not_after(taken->signer) : UINT64_MAX;
    taken->signer_end += taken->signer_end == 0; /* which group_revoked_until() says of what nobody revoked */
    memcpy(taken->key, revocation.key, node->profile->public_key_bytes);
    memcpy(taken->signature, record->security + GROUP_SECURITY_FIXED, node->profile->signature_bytes);
    memcpy(taken->reason, revocation.reason, sizeof(taken->reason));
    if (fault || !group_may_count(node, taken, now, &fault)) {
        group_revocation_free(taken);
        return revocation_invalid(ret_why, fault);
    }
    if (group_revoke(node, taken, now)) {
        group_revocation_free(taken);
        return revocation_invalid(ret_why, "there is no memory for another revocation");
    }
    return BYPEER_GRAPH_VALID;
}
