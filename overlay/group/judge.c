/*
 * Which records count (reference 5.6), and which chains. Rules in order; the first that is broken says why.
 *
 * Who touched a record last is who signs it: its modifier, else its creator. That one needs a membership that is valid
 * now, by the serial that the record names, or another of the same key: a renewed member's records stay good. The
 * creator of a record that an administrator has touched since needs none, so that such a record outlives him.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "overlay/group/address.h"
#include "overlay/group/state.h"

static bool judge_refuse(char ret_why[static GROUP_WHY], const char *why)
{
    snprintf(ret_why, GROUP_WHY, "%s", why);
    return false;
}

/* A name is the hash of its first key. Another key is an administrator's to vouch for, who saw the rotation. */
static bool judge_names(const struct bypeer_group_node *node, const struct bypeer_chain *chain,
                        char ret_why[static GROUP_WHY])
{
    for (size_t at = 1; at < bypeer_chain_length(chain); at++) {
        const struct bypeer_certificate_facts *facts = bypeer_chain_at(chain, at);
        const struct bypeer_certificate_facts *issuer = bypeer_chain_at(chain, at - 1);
        uint8_t authority[20], address[16];
        struct bypeer_piece piece = {facts->public_key, node->profile->public_key_bytes};
        bypeer_profile_hash(node->profile, &piece, 1, authority);
        if (memcmp(authority, facts->subject.authority, sizeof(authority)) != 0 &&
            issuer->kind != BYPEER_CERTIFICATE_ROOT && !(issuer->roles & BYPEER_ROLE_ADMINISTRATOR))
            return judge_refuse(ret_why, "the membership's peer name is not of its key, and no administrator says so");
        bypeer_group_address(node->profile, &node->group, &facts->subject, address);
        /* Windows' memberships have no address. */
        if (facts->has_address ? memcmp(facts->address, address, sizeof(address)) != 0
                               : node->profile->id != BYPEER_PROFILE_WINDOWS)
            return judge_refuse(ret_why, "the membership's overlay address is not the member's");
    }
    return true;
}

bool judge_chain(const struct bypeer_group_node *node, const struct bypeer_chain *chain, const uint8_t *leaf_key,
                 uint64_t now, char ret_why[static GROUP_WHY])
{
    const struct bypeer_chain_question question = {.now = now, .group = &node->group, .leaf_key = leaf_key};
    struct bypeer_chain_verdict verdict;
    if (bypeer_chain_judge_question(chain, &question, &verdict)) {
        bypeer_chain_explain(&verdict, ret_why);
        return false;
    }
    if (bypeer_chain_length(chain) < 2)
        return judge_refuse(ret_why, "the chain has a root and no membership");
    return judge_names(node, chain, ret_why);
}

/* The one text of a secure peer name. */
static bool judge_name(const char *text, struct bypeer_peer_name *ret_name)
{
    char why[160], again[BYPEER_NAME_TEXT_MAX];
    if (!text || bypeer_name_read(ret_name, text, why) || !ret_name->secure)
        return false;
    bypeer_name_write(ret_name, again);
    return strcmp(text, again) == 0;
}

static enum bypeer_graph_verdict judge_invalid(const char **ret_why, const char *why)
{
    *ret_why = why;
    return BYPEER_GRAPH_INVALID;
}

static enum bypeer_graph_verdict judge_deferred(const char **ret_why, const char *why)
{
    *ret_why = why;
    return BYPEER_GRAPH_DEFERRED;
}

/* Records that the group's key signs. */
static enum bypeer_graph_verdict judge_of_group(struct bypeer_group_node *node, const struct bypeer_record *record,
                                                const char **ret_why)
{
    if (!bypeer_guid_is_equal(&record->type, &BYPEER_RECORD_SECURITY))
        return judge_invalid(ret_why, "the group itself publishes properties and revocations, and nothing else");
    if (record->modifier && strcmp(record->modifier, node->group_id) != 0)
        return judge_invalid(ret_why, "only the group's key changes what it has published");
    if (!node->has_root)
        return judge_deferred(ret_why, "the group's root certificate is not known yet");
    if (memcmp(record->security, node->root_serial, GROUP_SERIAL) != 0 ||
        memcmp(record->security + GROUP_SERIAL, node->root_serial, GROUP_SERIAL) != 0)
        return judge_invalid(ret_why, "the serial is not that of the group's root certificate");
    if (!group_seal_is_by(&node->verified, node->profile, record, node->root_key))
        return judge_invalid(ret_why, "the signature is not the group's");
    return BYPEER_GRAPH_VALID;
}

static enum bypeer_graph_verdict judge_properties(struct bypeer_group_node *node, const struct bypeer_record *record,
                                                  const char **ret_why)
{
    struct bypeer_group_properties properties;
    if (bypeer_record_is_deleted(record))
        return judge_invalid(ret_why, "properties of a group are not deleted");
    if (strcmp(record->creator, node->group_id) != 0)
        return judge_invalid(ret_why, "only the group's key publishes its properties");
    if (bypeer_properties_read(&properties, record->payload, record->payload_bytes))
        return judge_invalid(ret_why, "the properties are malformed");
    if (!bypeer_name_is_equal(&properties.group, &node->group))
        return judge_invalid(ret_why, "the properties are of another group");
    if (node->has_properties && (!bypeer_guid_is_equal(&record->id, &node->properties_id) ||
                                 !bypeer_properties_may_follow(&node->properties, &properties)))
        return judge_invalid(ret_why, "the properties change what is fixed for the life of the group");
    return BYPEER_GRAPH_VALID;
}

/* Why a record takes an administrator; NULL: it does not. */
static const char *judge_privilege(const struct bypeer_record *record)
{
    if (bypeer_guid_is_equal(&record->type, &BYPEER_RECORD_GRAPH_INFO))
        return "only an administrator publishes the graph's settings";
    if (record->modifier && strcmp(record->modifier, record->creator) != 0)
        return "only an administrator changes the records of others";
    return NULL;
}

/*
 * Whether the member's membership of that serial signed the record, and it counts: that membership itself, or another
 * of the same key, so that a renewed member's records stay good.
 */
static const char *judge_signer(struct bypeer_group_node *node, const struct group_member *member,
                                const struct group_credential *signer, const struct bypeer_record *record, uint64_t now)
{
    const char *privilege = judge_privilege(record);
    struct group_wish wish = {
        .key = signer->leaf->public_key,
        .from = group_unix(record->modified),
        .until = group_unix(record->expires),
    };
    if (!group_signer(node, member, &wish, now))
        return group_is_tainted(node, signer->chain, now) ? "its author is revoked"
                                                          : "its times are not within its author's membership";
    wish.roles = BYPEER_ROLE_ADMINISTRATOR;
    if (privilege && !group_signer(node, member, &wish, now))
        return privilege;
    return group_seal_is_by(&node->verified, node->profile, record, signer->leaf->public_key)
               ? NULL
               : "the signature is not its author's";
}

static enum bypeer_graph_verdict judge_attachment(struct bypeer_group_node *node, struct bypeer_graph_time now,
                                                  const struct bypeer_record *record, const char **ret_why)
{
    struct bypeer_attachment attachment;
    if (bypeer_record_is_deleted(record))
        return BYPEER_GRAPH_VALID;
    enum bypeer_attachment_fault fault = bypeer_group_judge_attachment(node, now, record, &attachment);
    if (fault == BYPEER_ATTACHMENT_SOUND)
        return BYPEER_GRAPH_VALID;
    *ret_why = bypeer_attachment_fault_text(fault);
    return fault == BYPEER_ATTACHMENT_UNKNOWN_MEMBER || fault == BYPEER_ATTACHMENT_UNKNOWN_SUPERNODE
               ? BYPEER_GRAPH_DEFERRED
               : BYPEER_GRAPH_INVALID;
}

/* Any record by members who are known. */
static enum bypeer_graph_verdict judge_of_member(struct bypeer_group_node *node, struct bypeer_graph_time now,
                                                 const struct bypeer_record *record, const char **ret_why)
{
    struct bypeer_peer_name creator, toucher;
    uint64_t now_s = group_unix(now.utc);
    if (!judge_name(record->creator, &creator) ||
        !judge_name(record->modifier ? record->modifier : record->creator, &toucher))
        return judge_invalid(ret_why, "its creator or modifier is no secure peer name");
    const struct group_member *member = group_find(node, &toucher);
    const char *fault = NULL;
    bool is_known = false;
    /* Serials are their issuers' choice: two may have the same. */
    for (unsigned at = 0; member && at < member->credential_count; at++) {
        const struct group_credential *signer = &member->credentials[at];
        if (memcmp(signer->leaf->serial, record->security + GROUP_SERIAL, GROUP_SERIAL) != 0 ||
            !bypeer_name_is_equal(&signer->leaf->subject, &toucher))
            continue;
        is_known = true;
        fault = judge_signer(node, member, signer, record, now_s);
        if (!fault)
            return BYPEER_GRAPH_VALID;
    }
    return is_known ? judge_invalid(ret_why, fault)
                    : judge_deferred(ret_why, "its author's membership is not known yet");
}

/*
 * A membership record brings what it is judged by: any chain that is right makes a member, so all that its chain says
 * is taken before the record itself is looked at.
 */
static enum bypeer_graph_verdict judge_membership(struct bypeer_group_node *node, struct bypeer_graph_time now,
                                                  const struct bypeer_record *record, const char **ret_why)
{
    static _Thread_local char why[GROUP_WHY];
    const uint8_t *bytes;
    size_t length;
    struct bypeer_chain *chain;
    struct group_credential *credential;
    uint64_t now_s = group_unix(now.utc);
    if (bypeer_record_is_deleted(record))
        return judge_invalid(ret_why, "memberships are not deleted");
    if (bypeer_membership_read(&bytes, &length, record->payload, record->payload_bytes) ||
        bypeer_chain_read(&chain, node->profile, bytes, length, NULL))
        return judge_invalid(ret_why, "the membership is malformed");
    /* A chain that is here was judged when it came. */
    struct group_member *member = group_find(node, &bypeer_chain_leaf(chain)->subject);
    bool is_known = member && group_find_chain(member, chain);
    if (!is_known && !judge_chain(node, chain, NULL, now_s, why)) {
        bypeer_chain_free(chain);
        return judge_invalid(ret_why, why);
    }
    int status = group_take(node, chain, now_s, &credential);
    bypeer_chain_free(chain);
    if (status && status != -EEXIST)
        return judge_invalid(ret_why, status == -EDQUOT ? GROUP_NO_ROOM : "this member has enough better memberships");
    return judge_of_member(node, now, record, ret_why);
}

enum bypeer_graph_verdict judge_record(struct bypeer_group_node *node, struct bypeer_graph_time now,
                                       const struct bypeer_record *record, const char **ret_why)
{
    if (record->security_bytes != GROUP_SECURITY_FIXED + (size_t)node->profile->signature_bytes)
        return judge_invalid(ret_why, "its security data is malformed");
    if (bypeer_guid_is_equal(&record->type, &BYPEER_RECORD_REVOCATION))
        return judge_revocation(node, group_unix(now.utc), record, ret_why);
    enum bypeer_graph_verdict verdict = BYPEER_GRAPH_VALID;
    if (bypeer_guid_is_equal(&record->type, &BYPEER_RECORD_SECURITY))
        verdict = judge_properties(node, record, ret_why);
    if (verdict != BYPEER_GRAPH_VALID)
        return verdict;
    if (strcmp(record->creator, node->group_id) == 0)
        return judge_of_group(node, record, ret_why);
    if (bypeer_guid_is_equal(&record->type, &BYPEER_RECORD_MEMBERSHIP))
        return judge_membership(node, now, record, ret_why);
    verdict = judge_of_member(node, now, record, ret_why);
    if (verdict == BYPEER_GRAPH_VALID && bypeer_guid_is_equal(&record->type, &BYPEER_RECORD_ATTACHMENT))
        return judge_attachment(node, now, record, ret_why);
    return verdict;
}
