/*
 * Which of a member's memberships counts. state.h has the order; here it is made.
 */
#include <stdlib.h>
#include <string.h>

#include "overlay/group/state.h"

const struct bypeer_certificate_facts *group_sponsor(const struct bypeer_chain *chain, bool is_issuing)
{
    size_t end = bypeer_chain_length(chain) - !is_issuing;
    if (!is_issuing && (bypeer_chain_leaf(chain)->roles & BYPEER_ROLE_ADMINISTRATOR))
        return NULL;
    for (size_t at = 1; at < end; at++)
        if (!(bypeer_chain_at(chain, at)->roles & BYPEER_ROLE_ADMINISTRATOR))
            return bypeer_chain_at(chain, at);
    return NULL;
}

/* Inviting members between who is trusted, the group's key or an administrator, and the member. */
static unsigned credential_rank(const struct bypeer_chain *chain)
{
    unsigned rank = 0;
    if (bypeer_chain_leaf(chain)->roles & BYPEER_ROLE_ADMINISTRATOR)
        return 0; /* which takes an administrator, or the group's key, to give */
    for (size_t at = 1; at + 1 < bypeer_chain_length(chain); at++)
        rank += !(bypeer_chain_at(chain, at)->roles & BYPEER_ROLE_ADMINISTRATOR);
    return rank;
}

/* With all that they imply. */
static uint32_t credential_powers(uint32_t roles)
{
    if (roles & BYPEER_ROLE_ADMINISTRATOR)
        return roles | BYPEER_ROLE_INVITING | BYPEER_ROLE_MEMBER;
    return roles & BYPEER_ROLE_INVITING ? roles | BYPEER_ROLE_MEMBER : roles;
}

/* For comparing: an administrator before an inviting member before a member, and of the same a supernode first. */
static unsigned credential_power(uint32_t roles)
{
    unsigned level = roles & BYPEER_ROLE_ADMINISTRATOR ? 3 : roles & BYPEER_ROLE_INVITING ? 2 : 1;
    return 2 * level + ((roles & BYPEER_ROLE_SUPERNODE) != 0);
}

static const struct bypeer_certificate_facts *credential_issuer(const struct group_credential *credential)
{
    return bypeer_chain_at(credential->chain, bypeer_chain_length(credential->chain) - 2);
}

static bool credential_is_issued_alike(const struct bypeer_group_node *node, const struct group_credential *a,
                                       const struct group_credential *b)
{
    return memcmp(credential_issuer(a)->public_key, credential_issuer(b)->public_key,
                  node->profile->public_key_bytes) == 0;
}

/* Whether newer takes back what older gives the same key: by the same issuer, or by the group's key. */
static bool credential_replaces(const struct bypeer_group_node *node, const struct group_credential *newer,
                                const struct group_credential *older)
{
    return newer->leaf->not_before > older->leaf->not_before &&
           (credential_powers(older->leaf->roles) & ~credential_powers(newer->leaf->roles)) != 0 &&
           memcmp(newer->leaf->public_key, older->leaf->public_key, node->profile->public_key_bytes) == 0 &&
           (credential_is_issued_alike(node, newer, older) ||
            credential_issuer(newer)->kind == BYPEER_CERTIFICATE_ROOT);
}

static bool credential_is_first_key(const struct bypeer_group_node *node, const struct group_credential *credential)
{
    uint8_t authority[BYPEER_AUTHORITY_BYTES];
    const struct bypeer_piece piece = {credential->leaf->public_key, node->profile->public_key_bytes};
    bypeer_profile_hash(node->profile, &piece, 1, authority);
    return memcmp(authority, credential->leaf->subject.authority, sizeof(authority)) == 0;
}

static bool credential_outranks(const struct group_credential *a, const struct group_credential *b)
{
    unsigned power = credential_power(a->leaf->roles), other = credential_power(b->leaf->roles);
    size_t length = bypeer_chain_length(a->chain), other_length = bypeer_chain_length(b->chain);
    if (a->rank != b->rank)
        return a->rank < b->rank;
    if (a->is_replaced != b->is_replaced)
        return b->is_replaced;
    if (power != other)
        return power > other;
    if (a->is_first_key != b->is_first_key)
        return b->is_first_key;
    if (!a->is_first_key && a->leaf->not_before != b->leaf->not_before)
        return a->leaf->not_before > b->leaf->not_before;
    if (a->not_after != b->not_after)
        return a->not_after > b->not_after;
    if (length != other_length)
        return length < other_length;
    if (a->leaf->not_before != b->leaf->not_before)
        return a->leaf->not_before > b->leaf->not_before;
    return memcmp(a->leaf->serial, b->leaf->serial, GROUP_SERIAL) < 0;
}

static void credentials_sort(const struct bypeer_group_node *node, struct group_credential *credentials, unsigned count)
{
    for (unsigned at = 0; at < count; at++) {
        credentials[at].is_replaced = false;
        for (unsigned other = 0; other < count; other++)
            credentials[at].is_replaced |= credential_replaces(node, &credentials[other], &credentials[at]);
    }
    for (unsigned at = 1; at < count; at++)
        for (unsigned i = at; i > 0 && credential_outranks(&credentials[i], &credentials[i - 1]); i--) {
            struct group_credential lower = credentials[i - 1];
            credentials[i - 1] = credentials[i];
            credentials[i] = lower;
        }
}

/* Which of too many has to go; count: none has. */
static unsigned credentials_excess(const struct bypeer_group_node *node, const struct group_credential *credentials,
                                   unsigned count)
{
    for (unsigned at = count; at-- > 0;) {
        unsigned alike = 0;
        for (unsigned other = 0; other < at; other++)
            alike += credential_is_issued_alike(node, &credentials[other], &credentials[at]);
        if (credentials[at].rank > 0 && alike >= GROUP_CREDENTIALS_INVITED)
            return at;
    }
    return count > GROUP_CREDENTIALS ? count - 1 : count;
}

static bool credentials_are_alike(const struct bypeer_chain *a, const struct bypeer_chain *b)
{
    size_t length, other_length;
    if (bypeer_chain_length(a) != bypeer_chain_length(b))
        return false;
    for (size_t at = bypeer_chain_length(a); at-- > 0;) {
        const uint8_t *der = bypeer_certificate_der(bypeer_chain_certificate(a, at), &length);
        const uint8_t *other = bypeer_certificate_der(bypeer_chain_certificate(b, at), &other_length);
        if (length != other_length || memcmp(der, other, length) != 0)
            return false;
    }
    return true;
}

struct group_credential *group_find_chain(struct group_member *member, const struct bypeer_chain *chain)
{
    for (unsigned at = 0; at < member->credential_count; at++)
        if (credentials_are_alike(member->credentials[at].chain, chain))
            return &member->credentials[at];
    return NULL;
}

struct group_credential *group_add_credential(const struct bypeer_group_node *node, struct group_member *member,
                                              struct bypeer_chain *chain)
{
    struct group_credential all[GROUP_CREDENTIALS + 1];
    unsigned count = member->credential_count;
    struct group_credential added = {
        .member = member,
        .chain = chain,
        .leaf = bypeer_chain_leaf(chain),
        .not_after = bypeer_chain_not_after(chain),
        .rank = credential_rank(chain),
        .sponsor = group_sponsor(chain, false),
    };
    for (size_t at = 0; at < bypeer_chain_length(chain); at++)
        if (bypeer_chain_at(chain, at)->not_before > added.not_before)
            added.not_before = bypeer_chain_at(chain, at)->not_before;
    added.is_first_key = credential_is_first_key(node, &added);
    memcpy(all, member->credentials, count * sizeof(all[0]));
    all[count++] = added;
    credentials_sort(node, all, count);
    unsigned excess = credentials_excess(node, all, count);
    if (excess < count) {
        if (all[excess].chain == chain)
            return NULL;
        bypeer_chain_free(all[excess].chain);
        count--;
        memmove(all + excess, all + excess + 1, (count - excess) * sizeof(all[0]));
        credentials_sort(node, all, count);
    }
    bypeer_chain_reference(chain);
    memcpy(member->credentials, all, count * sizeof(all[0]));
    member->credential_count = count;
    return group_find_chain(member, chain);
}

void group_drop_credential(const struct bypeer_group_node *node, struct group_member *member, unsigned at)
{
    bypeer_chain_free(member->credentials[at].chain);
    member->credential_count--;
    memmove(member->credentials + at, member->credentials + at + 1,
            (member->credential_count - at) * sizeof(struct group_credential));
    credentials_sort(node, member->credentials, member->credential_count);
}

static bool credential_is_sound(const struct bypeer_group_node *node, const struct group_credential *credential,
                                uint64_t now)
{
    return credential->not_before <= now && now < credential->not_after &&
           !group_is_tainted(node, credential->chain, now);
}

/* state.h has the rule. */
static bool credential_overtakes(const struct bypeer_group_node *node, const struct group_credential *newer,
                                 const struct group_credential *older, uint64_t now)
{
    return !newer->is_first_key &&
           memcmp(newer->leaf->public_key, older->leaf->public_key, node->profile->public_key_bytes) != 0 &&
           (older->is_first_key || newer->leaf->not_before > older->leaf->not_before) &&
           (!group_is_direct(older->chain) || credential_issuer(newer)->kind == BYPEER_CERTIFICATE_ROOT) &&
           credential_is_sound(node, newer, now);
}

uint64_t group_overtaken_at(const struct bypeer_group_node *node, const struct group_credential *credential,
                            uint64_t now)
{
    const struct group_member *member = credential->member;
    uint64_t first = UINT64_MAX;
    for (unsigned at = 0; at < member->credential_count; at++) {
        const struct group_credential *newer = &member->credentials[at];
        if (newer->leaf->not_before < first && credential_overtakes(node, newer, credential, now))
            first = newer->leaf->not_before;
    }
    return first < UINT64_MAX - GROUP_OVERLAP_S ? first + GROUP_OVERLAP_S : UINT64_MAX;
}

const struct group_credential *group_current(const struct bypeer_group_node *node, const struct group_member *member,
                                             uint64_t now)
{
    for (unsigned at = 0; at < member->credential_count; at++)
        if (credential_is_sound(node, &member->credentials[at], now) &&
            now < group_overtaken_at(node, &member->credentials[at], now))
            return &member->credentials[at];
    return NULL;
}

bool group_is_signer(const struct bypeer_group_node *node, const struct group_credential *credential,
                     const struct group_wish *wish, uint64_t now)
{
    return memcmp(credential->leaf->public_key, wish->key, node->profile->public_key_bytes) == 0 &&
           credential->not_before <= wish->from && wish->until <= credential->not_after &&
           (wish->roles == 0 || (!credential->is_replaced && (credential->leaf->roles & wish->roles) == wish->roles)) &&
           credential_is_sound(node, credential, now) && wish->from < group_overtaken_at(node, credential, now);
}

const struct group_credential *group_signer(const struct bypeer_group_node *node, const struct group_member *member,
                                            const struct group_wish *wish, uint64_t now)
{
    for (unsigned at = 0; at < member->credential_count; at++)
        if (group_is_signer(node, &member->credentials[at], wish, now))
            return &member->credentials[at];
    return NULL;
}

const struct group_credential *group_with_key(const struct bypeer_group_node *node, const struct group_member *member,
                                              const uint8_t *key, uint64_t now)
{
    return group_signer(node, member, &(struct group_wish){.key = key, .from = now, .until = now}, now);
}

/* Whether it is this node's: of its key, and by the name that it signs with. */
static bool credential_is_own(const struct bypeer_group_node *node, const struct group_credential *credential)
{
    return bypeer_name_is_equal(&credential->leaf->subject, &node->self) &&
           memcmp(credential->leaf->public_key, bypeer_key_public(node->key), node->profile->public_key_bytes) == 0;
}

const struct group_credential *group_own(const struct bypeer_group_node *node, uint64_t now)
{
    return group_own_signer(node, &(struct group_wish){.from = now, .until = now}, now);
}

const struct group_credential *group_own_signer(const struct bypeer_group_node *node, const struct group_wish *wish,
                                                uint64_t now)
{
    const struct group_member *self = group_find(node, &node->self);
    struct group_wish own = *wish;
    own.key = bypeer_key_public(node->key);
    for (unsigned at = 0; self && at < self->credential_count; at++)
        if (credential_is_own(node, &self->credentials[at]) && group_is_signer(node, &self->credentials[at], &own, now))
            return &self->credentials[at];
    return NULL;
}

const struct group_credential *group_own_issuer(const struct bypeer_group_node *node, uint32_t roles, uint64_t until,
                                                uint64_t now)
{
    const struct group_member *self = group_find(node, &node->self);
    const struct group_credential *best = NULL;
    for (unsigned at = 0; self && at < self->credential_count; at++) {
        const struct group_credential *own = &self->credentials[at];
        if (!credential_is_own(node, own) || !credential_is_sound(node, own, now) || own->is_replaced ||
            until > own->not_after || !bypeer_roles_may_issue(own->leaf->roles, roles))
            continue;
        size_t length = bypeer_chain_length(own->chain);
        if (!best || length < bypeer_chain_length(best->chain) ||
            (length == bypeer_chain_length(best->chain) && own->not_after > best->not_after))
            best = own;
    }
    return best;
}
