#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "overlay/group/state.h"

#define FIRST_ROOM 4

static bool revocations_is_of(const struct bypeer_group_node *node, const struct group_revocation *revocation,
                              const uint8_t *key)
{
    return memcmp(revocation->key, key, node->profile->public_key_bytes) == 0;
}

uint64_t group_revoked_until(const struct bypeer_group_node *node, const uint8_t *key, uint64_t now)
{
    uint64_t end = 0;
    for (size_t at = 0; at < node->revocation_count; at++) {
        const struct group_revocation *revocation = node->revocations[at];
        if (revocation->counts && now < revocation->until && revocation->signer_end > end &&
            revocations_is_of(node, revocation, key))
            end = revocation->signer_end;
    }
    return end;
}

bool group_is_revoked(const struct bypeer_group_node *node, const uint8_t *key, uint64_t now)
{
    return group_revoked_until(node, key, now) > 0;
}

bool group_is_barred(const struct bypeer_group_node *node, const uint8_t *key, uint64_t now)
{
    return group_revoked_until(node, key, now) > now;
}

/* The membership at this place was given by somebody who may revoke, after those who revoked its key were over. */
static bool revocations_is_readmitted(const struct bypeer_chain *chain, size_t at, uint64_t revoked_until, uint64_t now)
{
    const struct bypeer_certificate_facts *facts = bypeer_chain_at(chain, at), *issuer = bypeer_chain_at(chain, at - 1);
    return (issuer->kind == BYPEER_CERTIFICATE_ROOT || (issuer->roles & BYPEER_ROLE_ADMINISTRATOR)) &&
           revoked_until <= now && facts->not_before >= revoked_until;
}

bool group_is_tainted(const struct bypeer_group_node *node, const struct bypeer_chain *chain, uint64_t now)
{
    if (node->revocation_count == 0)
        return false;
    for (size_t at = 1; at < bypeer_chain_length(chain); at++) {
        uint64_t until = group_revoked_until(node, bypeer_chain_at(chain, at)->public_key, now);
        if (until > 0 && !revocations_is_readmitted(chain, at, until, now))
            return true;
    }
    return false;
}

static bool revocations_is_by_group(const struct bypeer_group_node *node, const uint8_t *key, uint64_t now)
{
    for (size_t at = 0; at < node->revocation_count; at++) {
        const struct group_revocation *revocation = node->revocations[at];
        if (revocation->is_by_group && now < revocation->until && revocations_is_of(node, revocation, key))
            return true;
    }
    return false;
}

bool group_is_direct(const struct bypeer_chain *chain)
{
    return bypeer_chain_length(chain) == 2 && (bypeer_chain_leaf(chain)->roles & BYPEER_ROLE_ADMINISTRATOR);
}

bool group_is_shielded(const struct bypeer_group_node *node, const uint8_t *key, uint64_t now)
{
    for (size_t at = 0; at < node->member_count; at++) {
        const struct group_member *member = node->members[at];
        for (unsigned i = 0; i < member->credential_count; i++) {
            const struct group_credential *credential = &member->credentials[i];
            if (group_is_direct(credential->chain) && now < credential->not_after &&
                memcmp(credential->leaf->public_key, key, node->profile->public_key_bytes) == 0)
                return true;
        }
    }
    return false;
}

/* Whether an administrator whom the group's key made, and has not revoked, revoked this key, and that counts. */
static bool revocations_is_by_direct(const struct bypeer_group_node *node, const uint8_t *key, uint64_t now)
{
    for (size_t at = 0; at < node->revocation_count; at++) {
        const struct group_revocation *revocation = node->revocations[at];
        if (revocation->signer && now < revocation->until && revocations_is_of(node, revocation, key) &&
            group_is_direct(revocation->signer) &&
            !revocations_is_by_group(node, bypeer_chain_leaf(revocation->signer)->public_key, now) &&
            !group_is_shielded(node, key, now))
            return true;
    }
    return false;
}

/* Whether who signs by this chain may revoke: nobody above who signed it may have ended it. */
static bool revocations_may_sign(const struct bypeer_group_node *node, const struct bypeer_chain *chain, uint64_t now)
{
    for (size_t at = 1; at < bypeer_chain_length(chain); at++) {
        const uint8_t *key = bypeer_chain_at(chain, at)->public_key;
        if (revocations_is_by_group(node, key, now) ||
            (!group_is_direct(chain) && revocations_is_by_direct(node, key, now)))
            return false;
    }
    return true;
}

/* The same by another membership of the signer's, which somebody else has signed. */
static bool revocations_may_sign_otherwise(const struct bypeer_group_node *node, const uint8_t *key, uint64_t now)
{
    for (size_t at = 0; at < node->member_count; at++) {
        const struct group_member *member = node->members[at];
        for (unsigned i = 0; i < member->credential_count; i++) {
            const struct group_credential *credential = &member->credentials[i];
            if ((credential->leaf->roles & BYPEER_ROLE_ADMINISTRATOR) && !credential->is_replaced &&
                now < credential->not_after &&
                memcmp(credential->leaf->public_key, key, node->profile->public_key_bytes) == 0 &&
                revocations_may_sign(node, credential->chain, now))
                return true;
        }
    }
    return false;
}

bool group_may_count(const struct bypeer_group_node *node, const struct group_revocation *revocation, uint64_t now,
                     const char **ret_why)
{
    if (revocation->is_by_group)
        return true;
    if (!revocations_may_sign(node, revocation->signer, now) &&
        !revocations_may_sign_otherwise(node, bypeer_chain_leaf(revocation->signer)->public_key, now)) {
        *ret_why = "the revocation's signer is revoked";
        return false;
    }
    if (group_is_shielded(node, revocation->key, now)) {
        *ret_why = "only the group's key revokes an administrator whom it made one";
        return false;
    }
    return true;
}

struct group_revocation *group_find_revocation(const struct bypeer_group_node *node, const struct bypeer_guid *id)
{
    for (size_t at = 0; at < node->revocation_count; at++)
        if (bypeer_guid_is_equal(&node->revocations[at]->id, id))
            return node->revocations[at];
    return NULL;
}

static void revocations_report(struct bypeer_group_node *node, const struct group_revocation *revocation, uint64_t now)
{
    if (!node->sink.revoked)
        return;
    struct bypeer_revocation shown = {.key = revocation->key, .until = revocation->until};
    memcpy(shown.reason, revocation->reason, sizeof(shown.reason));
    struct bypeer_group_member member;
    const struct group_member *found = group_find_key(node, revocation->key);
    if (found)
        group_show(node, found, now, &member);
    node->sink.revoked(node->sink_context, &shown, &revocation->by, found ? &member : NULL);
}

void group_weigh(struct bypeer_group_node *node, uint64_t now)
{
    bool has_changed = false;
    for (size_t at = 0; at < node->revocation_count; at++) {
        struct group_revocation *revocation = node->revocations[at];
        const char *why;
        bool counts = group_may_count(node, revocation, now, &why);
        if (counts == revocation->counts)
            continue;
        revocation->counts = counts;
        has_changed = true;
        if (counts)
            revocations_report(node, revocation, now);
    }
    if (!has_changed)
        return;
    node->is_stale = true;
    group_tell_all(node, now);
}

int group_revoke(struct bypeer_group_node *node, struct group_revocation *revocation, uint64_t now)
{
    if (node->revocation_count == node->revocation_room) {
        size_t room = node->revocation_room ? 2 * node->revocation_room : FIRST_ROOM;
        struct group_revocation **revocations =
            reallocarray(node->revocations, room, sizeof(struct group_revocation *));
        if (!revocations)
            return -ENOMEM;
        node->revocations = revocations;
        node->revocation_room = room;
    }
    node->revocations[node->revocation_count++] = revocation;
    if (revocation->until < node->expiry)
        node->expiry = revocation->until;
    group_weigh(node, now);
    return 0;
}

void group_drop_revocation(struct bypeer_group_node *node, const struct bypeer_guid *id, uint64_t now)
{
    for (size_t at = 0; at < node->revocation_count; at++)
        if (bypeer_guid_is_equal(&node->revocations[at]->id, id)) {
            group_revocation_free(node->revocations[at]);
            node->revocations[at] = node->revocations[--node->revocation_count];
            node->is_stale = true;
            group_weigh(node, now);
            group_tell_all(node, now);
            return;
        }
}

void group_revocation_free(struct group_revocation *revocation)
{
    if (revocation)
        bypeer_chain_free(revocation->signer);
    free(revocation);
}
