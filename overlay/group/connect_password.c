/* Joining by password, both sides: connect.h draws it, password.h has the mathematics. */
#include <errno.h>
#include <openssl/evp.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "overlay/group/link.h"

#define PROOF_BYTES 20

static bool link_is_windows(const struct group_link *link)
{
    return link->node->profile->id == BYPEER_PROFILE_WINDOWS;
}

/* YourGMC of windows: AES-256-CBC, a vector of zeros, PKCS#5. *ret_bytes is to be freed. */
static int password_crypt(const char *form, bool is_sealing, const uint8_t *bytes, size_t length, uint8_t **ret_bytes,
                          size_t *ret_length)
{
    static const uint8_t vector[16];
    uint8_t key[32];
    int first = 0, last = 0;
    uint8_t *result = malloc(length + sizeof(vector));
    EVP_CIPHER_CTX *state = EVP_CIPHER_CTX_new();
    bypeer_password_key(form, key);
    bool is_done = result && state && EVP_CipherInit_ex(state, EVP_aes_256_cbc(), NULL, key, vector, is_sealing) == 1 &&
                   EVP_CipherUpdate(state, result, &first, bytes, (int)length) == 1 &&
                   EVP_CipherFinal_ex(state, result + first, &last) == 1;
    EVP_CIPHER_CTX_free(state);
    sodium_memzero(key, sizeof(key));
    if (!is_done) {
        free(result);
        return -EBADMSG;
    }
    *ret_bytes = result;
    *ret_length = (size_t)first + (size_t)last;
    return 0;
}

int link_offer_password(struct bypeer_buffer *plain)
{
    int status = link_put(plain, MESSAGE_HELLO, NULL, 0);
    return status ? status : link_put(plain, MESSAGE_PASSWORD, NULL, 0);
}

int link_prove_password(struct group_link *link, struct bypeer_buffer *plain)
{
    struct bypeer_group_node *node = link->node;
    if (link_is_windows(link)) {
        uint8_t proof[PROOF_BYTES];
        bypeer_password_proof(node->password, node->self_id, proof);
        link->state = LINK_YOURS;
        return link_put(plain, MESSAGE_PASSWORD, proof, sizeof(proof));
    }
    bypeer_cpace_begin(&link->cpace, true, node->password, node->group_id);
    link->state = LINK_SHARE;
    return link_put(plain, MESSAGE_SHARE, link->cpace.share, sizeof(link->cpace.share));
}

/* Whether this node may take somebody in who knows the password; if not, why. */
static const char *password_obstacle(const struct bypeer_group_node *node, uint64_t now)
{
    if (!node->has_properties || !node->properties.has_password)
        return "the group cannot be joined by password";
    if (!node->chain || bypeer_chain_not_after(node->chain) <= now || group_is_tainted(node, node->chain, now) ||
        !bypeer_roles_may_issue(bypeer_chain_leaf(node->chain)->roles, node->properties.password_role))
        return "this node may not take anybody in by password: another one may";
    return NULL;
}

/* The responder learns that the initiator wants in by password. */
static int password_take_wish(struct group_link *link, uint64_t now, struct bypeer_buffer *plain)
{
    size_t length;
    const char *obstacle = password_obstacle(link->node, now);
    if (obstacle)
        return link_refuse(link, obstacle);
    const uint8_t *bag = bypeer_chain_bag(link->node->chain, &length);
    int status = link_put(plain, MESSAGE_HELLO, NULL, 0);
    link->state = LINK_SHARE;
    return status ? status : link_put(plain, MESSAGE_MINE, bag, length);
}

/*
 * Each try of a password is counted before anything tells whether it was right, and one that was right is not given
 * back; of all sources together, too, since a source costs an attacker little.
 */
static int password_count(struct group_link *link, uint64_t now_ms)
{
    static const struct bypeer_tokens_rate rate = {.burst = 5, .every_ms = 60000};
    static const struct bypeer_tokens_rate rate_of_all = {.burst = 30, .every_ms = 10000};
    struct bypeer_group_node *node = link->node;
    struct bypeer_tokens *tokens =
        bypeer_tokens_of(node->password_sources, GROUP_PASSWORD_SOURCES, link->address.address);
    if (!bypeer_tokens_are_left(tokens, &rate, now_ms) ||
        !bypeer_tokens_are_left(&node->password_tokens, &rate_of_all, now_ms))
        return link_refuse(link, "passwords are tried too often: wait a minute");
    bypeer_tokens_take(tokens, &rate, now_ms);
    bypeer_tokens_take(&node->password_tokens, &rate_of_all, now_ms);
    return 0;
}

/* Makes who has proved to know the password a member, and says so. */
static int password_admit(struct group_link *link, struct bypeer_graph_time now, struct bypeer_buffer *plain)
{
    struct bypeer_group_node *node = link->node;
    const struct bypeer_certificate_facts *idc = bypeer_certificate_facts(link->peer);
    struct bypeer_group_order order = {
        .subject = {idc->subject, idc->public_key, idc->subject_friendly},
        .roles = node->properties.password_role,
        .until = node->properties.membership_s ? group_unix(now.utc) + node->properties.membership_s : 0,
    };
    struct bypeer_chain *chain;
    size_t length, sealed_length;
    uint8_t *sealed;
    int status = bypeer_group_issue(node, now, &order, &chain, link->why);
    if (status)
        return link_refuse(link, link->why[0] ? link->why : "no membership could be issued");
    const uint8_t *bag = bypeer_chain_bag(chain, &length);
    if (!link_is_windows(link)) {
        status = link_put(plain, MESSAGE_YOURS, bag, length);
    } else {
        status = password_crypt(node->properties.password, true, bag, length, &sealed, &sealed_length);
        if (status == 0) {
            status = link_put(plain, MESSAGE_YOURS, sealed, sealed_length);
            free(sealed);
        }
    }
    if (status == 0 && node->sink.issued)
        node->sink.issued(node->sink_context, chain);
    bypeer_chain_free(chain);
    return status ? status : link_authenticate(link, &idc->subject);
}

static int password_respond_share(struct group_link *link, struct bypeer_graph_time now,
                                  const struct group_message_view *message, struct bypeer_buffer *plain)
{
    struct bypeer_group_node *node = link->node;
    int status = password_count(link, now.ms);
    if (status)
        return status;
    bypeer_cpace_begin(&link->cpace, false, node->properties.password, node->group_id);
    if (message->length != BYPEER_CPACE_SHARE ||
        bypeer_cpace_finish(&link->cpace, message->bytes, bypeer_key_public(node->key), link_peer_key(link),
                            node->profile->public_key_bytes))
        return link_refuse(link, "its part of the password's proof is malformed");
    link->state = LINK_CONFIRM;
    return link_put(plain, MESSAGE_SHARE, link->cpace.share, sizeof(link->cpace.share));
}

static int password_respond_confirm(struct group_link *link, struct bypeer_graph_time now,
                                    const struct group_message_view *message, struct bypeer_buffer *plain)
{
    if (!bypeer_cpace_is_expected(&link->cpace, message->bytes, message->length))
        return link_refuse(link, "the password is wrong");
    int status = link_put(plain, MESSAGE_CONFIRM, link->cpace.confirm, sizeof(link->cpace.confirm));
    return status ? status : password_admit(link, now, plain);
}

static int password_respond_proof(struct group_link *link, struct bypeer_graph_time now,
                                  const struct group_message_view *message, struct bypeer_buffer *plain)
{
    char requestor[BYPEER_NAME_TEXT_MAX];
    uint8_t proof[PROOF_BYTES];
    int status = password_count(link, now.ms);
    if (status)
        return status;
    bypeer_name_write(&bypeer_certificate_facts(link->peer)->subject, requestor);
    bypeer_password_proof(link->node->properties.password, requestor, proof);
    if (message->length != sizeof(proof) || sodium_memcmp(proof, message->bytes, sizeof(proof)) != 0)
        return link_refuse(link, "the password is wrong");
    return password_admit(link, now, plain);
}

static int password_join_share(struct group_link *link, const struct group_message_view *message,
                               struct bypeer_buffer *plain)
{
    struct bypeer_group_node *node = link->node;
    if (message->length != BYPEER_CPACE_SHARE ||
        bypeer_cpace_finish(&link->cpace, message->bytes, bypeer_key_public(node->key), link_peer_key(link),
                            node->profile->public_key_bytes))
        return link_refuse(link, "its part of the password's proof is malformed");
    link->state = LINK_CONFIRM;
    return link_put(plain, MESSAGE_CONFIRM, link->cpace.confirm, sizeof(link->cpace.confirm));
}

/* The membership that knowing the password has earned. */
static int password_join_end(struct group_link *link, uint64_t now, const struct group_message_view *message)
{
    struct bypeer_group_node *node = link->node;
    const uint8_t *bag = message->bytes;
    uint8_t *opened = NULL;
    size_t length = message->length;
    struct bypeer_chain *chain;
    struct group_credential *credential;
    if (link_is_windows(link)) {
        if (password_crypt(node->password, false, bag, length, &opened, &length))
            return link_refuse(link, "the membership that it sends cannot be decrypted");
        bag = opened;
    }
    int status = bypeer_chain_read(&chain, node->profile, bag, length, NULL);
    free(opened);
    if (status)
        return link_refuse(link, "the membership that it sends is malformed");
    if (!judge_chain(node, chain, bypeer_key_public(node->key), now, link->why)) {
        status = link_refuse(link, link->why);
    } else if (!bypeer_name_is_equal(&bypeer_chain_leaf(chain)->subject, &node->self)) {
        status = link_refuse(link, "the membership that it sends is another's");
    } else {
        status = group_take(node, chain, now, &credential);
        status = status == -EEXIST ? 0 : status;
    }
    bypeer_chain_free(chain);
    if (status)
        return status;
    return link_authenticate(link, &link->shown);
}

static int password_join(struct group_link *link, uint64_t now, const struct group_message_view *message,
                         struct bypeer_buffer *plain)
{
    if (link->state == LINK_SHARE && message->type == MESSAGE_SHARE)
        return password_join_share(link, message, plain);
    if (link->state == LINK_CONFIRM && message->type == MESSAGE_CONFIRM) {
        link->state = LINK_YOURS;
        return bypeer_cpace_is_expected(&link->cpace, message->bytes, message->length)
                   ? 0
                   : link_refuse(link, "it does not know the password either");
    }
    if (link->state == LINK_YOURS && message->type == MESSAGE_YOURS)
        return password_join_end(link, now, message);
    return link_refuse(link, "its messages come out of order");
}

int link_take_password(struct group_link *link, struct bypeer_graph_time now, const struct group_message_view *message,
                       struct bypeer_buffer *plain)
{
    if (link->is_initiator)
        return password_join(link, group_unix(now.utc), message, plain);
    if (link->state == LINK_HELLO && message->type == MESSAGE_PASSWORD && message->length == 0)
        return password_take_wish(link, group_unix(now.utc), plain);
    if (link->state == LINK_SHARE && !link_is_windows(link) && message->type == MESSAGE_SHARE)
        return password_respond_share(link, now, message, plain);
    if (link->state == LINK_SHARE && link_is_windows(link) && message->type == MESSAGE_PASSWORD)
        return password_respond_proof(link, now, message, plain);
    if (link->state == LINK_CONFIRM && message->type == MESSAGE_CONFIRM)
        return password_respond_confirm(link, now, message, plain);
    return link_refuse(link, "its messages come out of order");
}
