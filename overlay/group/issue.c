/* Memberships that this node issues, and revocations and properties that it publishes. */
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "overlay/certificate/issue.h"
#include "overlay/graph/graph.h"
#include "overlay/group/address.h"
#include "overlay/group/state.h"

static int issue_refuse(char why[static GROUP_WHY], int status, const char *text)
{
    snprintf(why, GROUP_WHY, "%s", text);
    return status;
}

static int issue_publish(struct bypeer_group_node *node, struct bypeer_graph_time now,
                         const struct bypeer_record_draft *draft, char why[static GROUP_WHY])
{
    struct bypeer_guid id;
    if (!node->graph)
        return issue_refuse(why, -ENOTCONN, "the group's graph is not open");
    int status = bypeer_graph_publish(node->graph, now, draft, &id);
    if (status)
        snprintf(why, GROUP_WHY, "its record cannot be published: %s", strerror(-status));
    return status;
}

/* The root certificate alone, as a chain: what the group's key issues from. */
static int issue_root(const struct bypeer_chain *chain, struct bypeer_chain **ret_root)
{
    struct bypeer_certificate *root = bypeer_chain_certificate(chain, 0);
    uint8_t *bag;
    size_t length;
    int status = bypeer_bag_write(&bag, &length, &root, 1);
    if (status)
        return status;
    status = bypeer_chain_read(ret_root, bypeer_chain_profile(chain), bag, length, NULL);
    free(bag);
    return status;
}

/*
 * Who issues: the group's key where it is at hand, since that keeps chains short and outlives the founder's identity;
 * else this node's own membership.
 */
static int issue_issuer(const struct bypeer_group_node *node, uint64_t now, const struct bypeer_group_order *order,
                        struct bypeer_chain **ret_issuer, const struct bypeer_key **ret_key, char why[static GROUP_WHY])
{
    if (node->group_key && node->chain) {
        *ret_key = node->group_key;
        return issue_root(node->chain, ret_issuer);
    }
    const struct group_credential *issuer = group_own_issuer(node, order->roles, order->until, now);
    if (!issuer)
        issuer = group_own_issuer(node, order->roles, 0, now); /* whose end is shorter: issuing says so */
    if (issuer) {
        *ret_key = node->key;
        *ret_issuer = bypeer_chain_reference(issuer->chain);
        return 0;
    }
    if (group_own(node, now))
        return issue_refuse(why, -EPERM, "the roles of this node's membership may not give these roles");
    return issue_refuse(why, -EPERM,
                        node->chain && group_is_tainted(node, node->chain, now)
                            ? "this node's own membership is revoked"
                            : "this node has no valid membership itself");
}

/* Whether the member is known by that name. */
static bool issue_is_name(const struct group_member *member, const struct bypeer_peer_name *name)
{
    for (unsigned at = 0; at < member->credential_count; at++)
        if (bypeer_name_is_equal(&member->credentials[at].leaf->subject, name))
            return true;
    return false;
}

/* Whether this name may have a membership with this key. */
static int issue_check_subject(const struct bypeer_group_node *node, const struct bypeer_group_order *order,
                               const struct bypeer_chain *issuer, uint64_t now, char why[static GROUP_WHY])
{
    const struct bypeer_group_subject *subject = &order->subject;
    if (!subject->name.secure)
        return issue_refuse(why, -EINVAL, "only identities with a secure peer name become members");
    const struct group_member *member = group_find(node, &subject->name);
    const struct bypeer_certificate_facts *giver = bypeer_chain_leaf(issuer);
    bool may_readmit = giver->kind == BYPEER_CERTIFICATE_ROOT || (giver->roles & BYPEER_ROLE_ADMINISTRATOR);
    bool (*is_out)(const struct bypeer_group_node *, const uint8_t *, uint64_t) =
        may_readmit ? group_is_barred : group_is_revoked;
    bool is_revoked = is_out(node, subject->key, now);
    for (unsigned at = 0; member && at < member->credential_count; at++)
        is_revoked |= is_out(node, member->credentials[at].leaf->public_key, now);
    if (is_revoked)
        return issue_refuse(why, -EKEYREVOKED, "this key is revoked: make a new identity");
    uint8_t authority[20];
    struct bypeer_piece piece = {subject->key, node->profile->public_key_bytes};
    bypeer_profile_hash(node->profile, &piece, 1, authority);
    if (memcmp(authority, subject->name.authority, sizeof(authority)) != 0) {
        if (!order->is_followed && !(member && group_with_key(node, member, subject->key, now)))
            return issue_refuse(why, -EINVAL, "the key is not that of the peer name");
        if (!may_readmit)
            return issue_refuse(why, -EPERM, "only an administrator takes in a key that replaced another");
    }
    if (!member && !group_has_room(node, group_sponsor(issuer, true)))
        return issue_refuse(why, -EDQUOT,
                            "this node, with all whom it invited, has taken in as many as the group allows: let an "
                            "administrator invite");
    if (member && group_current(node, member, now) && !issue_is_name(member, &subject->name))
        return issue_refuse(why, -EADDRINUSE,
                            "this identity is a member by another name, and has its overlay address by that");
    return 0;
}

/* A membership begins a little earlier than now, not before its issuer's, and later than what it renews, or who revoked
 * its key ended. */
static uint64_t issue_begin(const struct bypeer_group_node *node, const struct bypeer_chain *issuer,
                            const struct bypeer_group_subject *subject, uint64_t now)
{
    uint64_t begin = now > GROUP_BACKDATE_S ? now - GROUP_BACKDATE_S : 0;
    uint64_t revoked = group_revoked_until(node, subject->key, now); /* over by now, or it was refused */
    const struct group_member *member = group_find(node, &subject->name);
    if (revoked > begin)
        begin = revoked;
    for (size_t at = 0; at < bypeer_chain_length(issuer); at++)
        if (bypeer_chain_at(issuer, at)->not_before > begin)
            begin = bypeer_chain_at(issuer, at)->not_before;
    for (unsigned at = 0; member && at < member->credential_count; at++)
        if (member->credentials[at].leaf->not_before >= begin)
            begin = member->credentials[at].leaf->not_before + 1;
    return begin < now ? begin : now;
}

static int issue_publish_membership(struct bypeer_group_node *node, struct bypeer_graph_time now,
                                    struct bypeer_chain *chain, char why[static GROUP_WHY])
{
    struct group_credential *credential;
    int status = judge_chain(node, chain, NULL, group_unix(now.utc), why) ? 0 : -EINVAL;
    if (status == 0)
        status = group_take(node, chain, group_unix(now.utc), &credential);
    if (status && status != -EEXIST)
        return status;
    status = group_publish_membership(node, now, chain);
    if (status)
        snprintf(why, GROUP_WHY, "its record cannot be published: %s", strerror(-status));
    return status;
}

int bypeer_group_issue(struct bypeer_group_node *node, struct bypeer_graph_time now,
                       const struct bypeer_group_order *order, struct bypeer_chain **ret_chain,
                       char why[static GROUP_WHY])
{
    struct bypeer_chain *issuer, *chain;
    const struct bypeer_key *key;
    uint8_t address[16], random[BYPEER_CERTIFICATE_SERIAL];
    uint64_t now_s = group_unix(now.utc);
    const char *reason = "";
    why[0] = '\0';
    int status = issue_issuer(node, now_s, order, &issuer, &key, why);
    if (status)
        return status;
    status = issue_check_subject(node, order, issuer, now_s, why);
    if (status) {
        bypeer_chain_free(issuer);
        return status;
    }
    bypeer_group_address(node->profile, &node->group, &order->subject.name, address);
    randombytes_buf(random, sizeof(random));
    struct bypeer_chain_grant grant = {
        .subject = &order->subject.name,
        .friendly = order->subject.friendly,
        .public_key = order->subject.key,
        .roles = order->roles,
        .not_before = issue_begin(node, issuer, &order->subject, now_s),
        .not_after = order->until,
        .address = address,
        .random = random,
    };
    status = bypeer_chain_issue(&chain, issuer, key, &grant, &reason);
    bypeer_chain_free(issuer);
    if (status)
        return issue_refuse(why, status, reason);
    if (order->is_publish) {
        status = issue_publish_membership(node, now, chain, why);
        if (status) {
            bypeer_chain_free(chain);
            return status;
        }
    }
    *ret_chain = chain;
    return 0;
}

static bool issue_is_key(const struct bypeer_group_node *node, const uint8_t *a, const uint8_t *b)
{
    return memcmp(a, b, node->profile->public_key_bytes) == 0;
}

/*
 * The roles that somebody keeps whose membership came by a key that is revoked; 0: none. Nobody is an administrator by
 * a revoked one's word, and what an inviting member gave is only to be a member: else the friends of who is thrown out
 * would come to stand higher by it, in the name of who threw him out.
 */
static uint32_t issue_roles_kept(const struct bypeer_group_node *node, const struct bypeer_chain *chain,
                                 const uint8_t *key)
{
    uint32_t roles = bypeer_chain_leaf(chain)->roles;
    for (size_t at = 1; at + 1 < bypeer_chain_length(chain); at++) {
        const struct bypeer_certificate_facts *facts = bypeer_chain_at(chain, at);
        if (!issue_is_key(node, facts->public_key, key))
            continue;
        if (roles & BYPEER_ROLE_ADMINISTRATOR)
            return 0;
        return facts->roles & BYPEER_ROLE_ADMINISTRATOR ? roles : BYPEER_ROLE_MEMBER;
    }
    return 0;
}

/* Signs anew, as this node, the memberships that the key issued. What cannot be is left to be revoked. */
static void issue_adopt(struct bypeer_group_node *node, struct bypeer_graph_time now, const uint8_t *key)
{
    char why[GROUP_WHY];
    uint64_t now_s = group_unix(now.utc);
    for (size_t at = 0; at < node->member_count; at++) {
        const struct group_credential *current = group_current(node, node->members[at], now_s);
        uint32_t roles = current ? issue_roles_kept(node, current->chain, key) : 0;
        if (roles == 0)
            continue;
        const struct group_credential *issuer = group_own_issuer(node, roles, 0, now_s);
        uint64_t own_end = node->group_key ? node->root_until : issuer ? issuer->not_after : 0;
        struct bypeer_chain *chain, *old = bypeer_chain_reference(current->chain);
        const struct bypeer_group_order order = {
            .subject = {current->leaf->subject, current->leaf->public_key, current->leaf->subject_friendly},
            .roles = roles,
            .until = current->not_after < own_end ? current->not_after : own_end,
            .is_publish = true,
        };
        if (bypeer_group_issue(node, now, &order, &chain, why) == 0)
            bypeer_chain_free(chain);
        bypeer_chain_free(old);
    }
}

#define ISSUE_NO_REVOKER "only an administrator, or the holder of the group's key, revokes"

/* What this node revokes with: the chain that the fewest can end. */
static const struct group_credential *issue_own_administrator(const struct bypeer_group_node *node, uint64_t now)
{
    return group_own_issuer(node, BYPEER_ROLE_ADMINISTRATOR, 0, now);
}

static int issue_publish_revocation(struct bypeer_group_node *node, struct bypeer_graph_time now,
                                    const struct bypeer_group_verdict *verdict, bool is_by_group,
                                    char why[static GROUP_WHY])
{
    struct bypeer_revocation revocation = {.key = verdict->key, .until = node->root_until};
    struct bypeer_guid id;
    snprintf(revocation.reason, sizeof(revocation.reason), "%s", verdict->reason ? verdict->reason : "");
    if (!is_by_group) {
        const struct group_credential *own = issue_own_administrator(node, group_unix(now.utc));
        if (!own)
            return issue_refuse(why, -EPERM, ISSUE_NO_REVOKER);
        revocation.chain = bypeer_chain_bag(own->chain, &revocation.chain_bytes);
    }
    uint8_t *payload = malloc(BYPEER_REVOCATION_BYTES_MAX);
    if (!payload)
        return -ENOMEM;
    bypeer_revocation_id(node->profile, is_by_group ? node->group_id : node->self_id, node->group_id, verdict->key,
                         &id);
    const struct bypeer_record_draft draft = {
        .type = BYPEER_RECORD_REVOCATION,
        .id = &id,
        .creator = is_by_group ? node->group_id : NULL,
        .payload = payload,
        .payload_bytes = bypeer_revocation_write(&revocation, node->profile, payload, BYPEER_REVOCATION_BYTES_MAX),
        .expires = group_peer_time(revocation.until),
        .is_internal = true,
    };
    int status = issue_publish(node, now, &draft, why);
    free(payload);
    return status;
}

/*
 * What an administrator revoked counts no more once he is revoked himself: who does it takes over what counts now.
 * Before he is, so that nobody is let in meanwhile.
 */
static void issue_inherit(struct bypeer_group_node *node, struct bypeer_graph_time now, const uint8_t *key,
                          bool is_by_group)
{
    char why[GROUP_WHY];
    for (size_t at = 0; at < node->revocation_count; at++) {
        /* Copied: the list may change under it. */
        struct group_revocation taken = *node->revocations[at];
        if (!taken.counts || !taken.signer || !issue_is_key(node, bypeer_chain_leaf(taken.signer)->public_key, key) ||
            issue_is_key(node, taken.key, bypeer_key_public(node->key)))
            continue;
        const struct bypeer_group_verdict verdict = {.key = taken.key, .reason = taken.reason};
        issue_publish_revocation(node, now, &verdict, is_by_group, why);
    }
}

/*
 * The other keys of whose key is revoked, old ones that are good for a while yet. An administrator may say of any key
 * that it replaced another's: so never this node's own, nor by that detour who is shielded, if the target is not.
 */
static unsigned issue_other_keys(const struct bypeer_group_node *node, const struct bypeer_group_verdict *verdict,
                                 uint64_t now, uint8_t ret_keys[static GROUP_CREDENTIALS][BYPEER_PUBLIC_KEY_MAX])
{
    const struct group_member *member = group_find_key(node, verdict->key);
    bool is_shielded = group_is_shielded(node, verdict->key, now);
    unsigned count = 0;
    for (unsigned at = 0; member && at < member->credential_count; at++) {
        const uint8_t *key = member->credentials[at].leaf->public_key;
        bool is_known = issue_is_key(node, key, verdict->key) ||
                        issue_is_key(node, key, bypeer_key_public(node->key)) || group_is_barred(node, key, now) ||
                        (!is_shielded && group_is_shielded(node, key, now));
        for (unsigned before = 0; before < count; before++)
            is_known |= issue_is_key(node, key, ret_keys[before]);
        if (!is_known)
            memcpy(ret_keys[count++], key, node->profile->public_key_bytes);
    }
    return count;
}

int bypeer_group_revoke(struct bypeer_group_node *node, struct bypeer_graph_time now,
                        const struct bypeer_group_verdict *verdict, char why[static GROUP_WHY])
{
    uint64_t now_s = group_unix(now.utc);
    bool is_by_group = node->group_key;
    uint8_t others[GROUP_CREDENTIALS][BYPEER_PUBLIC_KEY_MAX];
    char other_why[GROUP_WHY];
    const struct group_credential *own = issue_own_administrator(node, now_s);
    const char *reason = "";
    why[0] = '\0';
    if (verdict->reason && strlen(verdict->reason) > BYPEER_REVOCATION_REASON_MAX)
        return issue_refuse(why, -EINVAL, "the reason is longer than 255 bytes: shorten it");
    if (node->has_root && issue_is_key(node, verdict->key, node->root_key))
        return issue_refuse(why, -EINVAL, "the group's own key cannot be revoked");
    if (!is_by_group && !own)
        return issue_refuse(why, -EPERM, ISSUE_NO_REVOKER);
    if (!is_by_group && issue_is_key(node, verdict->key, own->leaf->public_key))
        return issue_refuse(why, -EINVAL, "this is the own key: leave the group instead");
    if (group_is_barred(node, verdict->key, now_s))
        return issue_refuse(why, -EALREADY, "this key is revoked already");
    struct group_revocation wish = {.is_by_group = is_by_group, .signer = is_by_group ? NULL : own->chain};
    memcpy(wish.key, verdict->key, node->profile->public_key_bytes);
    if (!group_may_count(node, &wish, now_s, &reason))
        return issue_refuse(why, -EPERM, reason);
    unsigned other_count = issue_other_keys(node, verdict, now_s, others);
    if (verdict->is_adopt)
        issue_adopt(node, now, verdict->key);
    if (!verdict->is_undo)
        issue_inherit(node, now, verdict->key, is_by_group);
    int status = issue_publish_revocation(node, now, verdict, is_by_group, why);
    for (unsigned at = 0; status == 0 && at < other_count; at++) {
        const struct bypeer_group_verdict other = {.key = others[at], .reason = verdict->reason};
        if (!verdict->is_undo)
            issue_inherit(node, now, others[at], is_by_group);
        issue_publish_revocation(node, now, &other, is_by_group, other_why);
    }
    if (status == 0)
        bypeer_group_turn(node, now);
    return status;
}

int bypeer_group_set_properties(struct bypeer_group_node *node, struct bypeer_graph_time now,
                                const struct bypeer_group_properties *properties, char why[static GROUP_WHY])
{
    uint8_t payload[BYPEER_GROUP_PROPERTIES_BYTES_MAX];
    if (!node->group_key)
        return issue_refuse(why, -EPERM, "only the holder of the group's key changes its properties");
    if (!node->graph || !node->has_properties)
        return issue_refuse(why, -EAGAIN, "the group's properties are not known yet: connect first");
    if (!bypeer_properties_may_follow(&node->properties, properties))
        return issue_refuse(why, -EINVAL, "names, cloud and lifetimes of a group are fixed for its life");
    size_t length = bypeer_properties_write(properties, payload, sizeof(payload));
    if (length == 0)
        return issue_refuse(why, -EINVAL, "a text of the properties is too long, or no UTF-8");
    struct bypeer_record_draft draft = {
        .type = BYPEER_RECORD_SECURITY,
        .creator = node->group_id,
        .payload = payload,
        .payload_bytes = length,
        .is_internal = true,
    };
    struct bypeer_guid id = node->properties_id;
    int status = bypeer_graph_update(node->graph, now, &id, &draft);
    sodium_memzero(payload, sizeof(payload));
    if (status)
        snprintf(why, GROUP_WHY, "the record cannot be published: %s", strerror(-status));
    return status;
}
