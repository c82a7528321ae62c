#include "overlay/group/group.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "overlay/certificate/issue.h"
#include "overlay/group/address.h"
#include "overlay/group/state.h"

static int group_refuse(char why[static GROUP_WHY], const char *text)
{
    snprintf(why, GROUP_WHY, "%s", text);
    return -EINVAL;
}

int bypeer_group_name(const struct bypeer_key *group_key, const char *classifier, struct bypeer_peer_name *ret_group,
                      char why[static GROUP_WHY])
{
    struct bypeer_peer_name name = {.secure = true};
    if (classifier[0] == '\0')
        return group_refuse(why, "a group needs a classifier: a word that tells what it is");
    int status = bypeer_classifier_read(&name, classifier, why);
    if (status)
        return status;
    bypeer_key_authority(group_key, name.authority);
    *ret_group = name;
    return 0;
}

int bypeer_group_found(const struct bypeer_key *group_key, const struct bypeer_peer_name *group, const char *friendly,
                       const struct bypeer_group_subject *founder, uint64_t from, uint64_t until,
                       struct bypeer_chain **ret_chain, char why[static GROUP_WHY])
{
    const struct bypeer_profile *profile = bypeer_key_profile(group_key);
    struct bypeer_peer_name name = *group;
    struct bypeer_chain *root;
    uint8_t address[16], random[2][BYPEER_CERTIFICATE_SERIAL];
    const char *reason = "";
    why[0] = '\0';
    randombytes_buf(random, sizeof(random));
    int status = bypeer_chain_found(&root, group_key, &name, friendly, from, until, random[0], &reason);
    if (status == 0) {
        bypeer_group_address(profile, &name, &founder->name, address);
        const struct bypeer_chain_grant grant = {
            .subject = &founder->name,
            .friendly = founder->friendly,
            .public_key = founder->key,
            .roles = BYPEER_ROLE_ADMINISTRATOR | BYPEER_ROLE_SUPERNODE,
            .not_before = from,
            .address = address,
            .random = random[1],
        };
        status = bypeer_chain_issue(ret_chain, root, group_key, &grant, &reason);
        bypeer_chain_free(root);
    }
    if (status)
        snprintf(why, GROUP_WHY, "%s", reason);
    return status;
}

void group_learn_root(struct bypeer_group_node *node, const struct bypeer_chain *chain)
{
    const struct bypeer_certificate_facts *root = bypeer_chain_at(chain, 0);
    if (node->has_root)
        return;
    memcpy(node->root_key, root->public_key, node->profile->public_key_bytes);
    memcpy(node->root_serial, root->serial, GROUP_SERIAL);
    node->root_until = root->not_after;
    node->has_root = true;
}

void group_adopt(struct bypeer_group_node *node, uint64_t now)
{
    const struct group_credential *own = group_own(node, now);
    if (!own || own->chain == node->chain)
        return;
    bypeer_chain_free(node->chain);
    node->chain = bypeer_chain_reference(own->chain);
    if (node->sink.credentials)
        node->sink.credentials(node->sink_context, node->chain);
}

/* A membership of this node's identity, with this key of it. */
static int group_read_own(const struct bypeer_group_node *node, const struct bypeer_key *key, const uint8_t *bag,
                          size_t length, uint64_t now, struct bypeer_chain **ret_chain, char why[static GROUP_WHY])
{
    struct bypeer_chain *chain;
    struct bypeer_chain_verdict verdict;
    int status = bypeer_chain_read(&chain, node->profile, bag, length, &verdict);
    if (status) {
        if (status == -EBADMSG)
            bypeer_chain_explain(&verdict, why);
        return status == -EBADMSG ? -EINVAL : status;
    }
    if (!judge_chain(node, chain, bypeer_key_public(key), now, why))
        status = -EINVAL;
    else if (!bypeer_name_is_equal(&bypeer_chain_leaf(chain)->subject, &node->self))
        status = group_refuse(why, "the membership is of another identity");
    if (status)
        bypeer_chain_free(chain);
    else
        *ret_chain = chain;
    return status;
}

/* The chain that the host kept, or was invited with. */
static int group_open_chain(struct bypeer_group_node *node, const struct bypeer_group_settings *settings, uint64_t now,
                            char why[static GROUP_WHY])
{
    struct bypeer_chain *chain = NULL;
    struct group_credential *credential;
    int status = group_read_own(node, node->key, settings->chain, settings->chain_bytes, now, &chain, why);
    if (status)
        return status;
    group_learn_root(node, chain);
    node->chain = chain;
    return group_take(node, chain, now, &credential);
}

int bypeer_group_renew(struct bypeer_group_node *node, struct bypeer_graph_time now,
                       const struct bypeer_group_renewal *renewal, char why[static GROUP_WHY])
{
    struct bypeer_chain *chain = NULL;
    struct group_credential *credential;
    const struct bypeer_key *before = node->key;
    uint64_t now_s = group_unix(now.utc);
    why[0] = '\0';
    int status = group_read_own(node, renewal->key, renewal->chain, renewal->chain_bytes, now_s, &chain, why);
    if (status)
        return status;
    if (group_is_tainted(node, chain, now_s)) {
        bypeer_chain_free(chain);
        return group_refuse(why, "the membership is revoked");
    }
    group_learn_root(node, chain);
    node->key = renewal->key; /* it says which memberships are this node's */
    status = group_take(node, chain, now_s, &credential);
    bypeer_chain_free(chain);
    if (status < 0 && status != -EEXIST) {
        node->key = before;
        return status == -ENOMEM ? status : group_refuse(why, "there are enough memberships that are better");
    }
    node->tls = renewal->tls;
    node->publish_ms = 0; /* others need it for whatever is signed from now on */
    group_adopt(node, now_s);
    return 0;
}

static int group_fill(struct bypeer_group_node *node, const struct bypeer_group_settings *settings, uint64_t now,
                      char why[static GROUP_WHY])
{
    if (!settings->chain && !settings->password_form)
        return group_refuse(why, "there is neither a membership nor a password");
    if (settings->found && !settings->group_key)
        return group_refuse(why, "only the holder of the group's key publishes its properties");
    if (settings->password_form)
        snprintf(node->password, sizeof(node->password), "%s", settings->password_form);
    return settings->chain ? group_open_chain(node, settings, now, why) : 0;
}

int bypeer_group_open(struct bypeer_group_node **ret_node, const struct bypeer_group_settings *settings,
                      struct bypeer_graph_time now, char why[static GROUP_WHY])
{
    struct bypeer_group_node *node = calloc(1, sizeof(*node));
    why[0] = '\0';
    if (!node)
        return -ENOMEM;
    node->profile = settings->profile;
    node->group = settings->group;
    node->self = settings->self;
    bypeer_name_write(&node->group, node->group_id);
    bypeer_name_write(&node->self, node->self_id);
    node->key = settings->key;
    node->group_key = settings->group_key;
    node->tls = settings->tls;
    node->expiry = UINT64_MAX;
    node->now = group_unix(now.utc);
    node->is_founding = settings->found;
    if (settings->found)
        node->found = *settings->found;
    group_security_fill(node);
    /* Before the sink is there: what the host gives it knows. */
    int status = group_fill(node, settings, node->now, why);
    node->sink = settings->sink;
    node->sink_context = settings->sink_context;
    if (status) {
        bypeer_group_free(node);
        return status;
    }
    *ret_node = node;
    return 0;
}

void bypeer_group_free(struct bypeer_group_node *node)
{
    if (!node)
        return;
    group_members_clear(node);
    for (size_t at = 0; at < node->revocation_count; at++)
        group_revocation_free(node->revocations[at]);
    free(node->revocations);
    free(node->attached);
    group_verified_clear(&node->verified);
    bypeer_chain_free(node->chain);
    sodium_memzero(node->password, sizeof(node->password));
    free(node);
}

const struct bypeer_graph_security *bypeer_group_security(struct bypeer_group_node *node)
{
    return &node->security;
}

void bypeer_group_use_graph(struct bypeer_group_node *node, struct bypeer_graph *graph)
{
    node->graph = graph;
}

const struct bypeer_chain *bypeer_group_chain(const struct bypeer_group_node *node)
{
    return node->chain;
}

const struct bypeer_group_properties *bypeer_group_properties(const struct bypeer_group_node *node)
{
    return node->has_properties ? &node->properties : NULL;
}
