/*
 * A membership as a text, to be kept or moved: PEERGROUPCONFIG (reference 6.4), of which the original documents all but
 * the group's key. Ours is GROUPKEY, PKCS#8 in DER under a password (PBES2, AES-256). SEED is as in invitations.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <openssl/evp.h>
#include <openssl/pkcs12.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/groups/state.h"
#include "control/identity/identities.h"
#include "overlay/identity/xml.h"
#include "overlay/profile/openssl.h"

#define CONFIG_MAX     (256 * 1024)
#define KEY_BYTES_MAX  4096
#define KEY_ITERATIONS 600000

/* --- the key --- */

/* *ret_bytes is to be freed by OPENSSL_free(). */
static int transfer_seal(const struct bypeer_key *key, const char *password, uint8_t **ret_bytes, size_t *ret_length)
{
    PKCS8_PRIV_KEY_INFO *form = EVP_PKEY2PKCS8(bypeer_key_pair(key));
    X509_SIG *sealed =
        form ? PKCS8_encrypt(-1, EVP_aes_256_cbc(), password, (int)strlen(password), NULL, 0, KEY_ITERATIONS, form)
             : NULL;
    *ret_bytes = NULL;
    int length = sealed ? i2d_X509_SIG(sealed, ret_bytes) : -1;
    PKCS8_PRIV_KEY_INFO_free(form);
    X509_SIG_free(sealed);
    if (length <= 0)
        return -ENOMEM;
    *ret_length = (size_t)length;
    return 0;
}

static int transfer_unseal(const struct bypeer_profile *profile, const struct bypeer_peer_name *group,
                           const uint8_t *bytes, size_t length, const char *password, struct bypeer_key **ret_key)
{
    const unsigned char *end = bytes;
    uint8_t authority[BYPEER_AUTHORITY_BYTES];
    X509_SIG *sealed = length <= KEY_BYTES_MAX ? d2i_X509_SIG(NULL, &end, (long)length) : NULL;
    PKCS8_PRIV_KEY_INFO *form = sealed ? PKCS8_decrypt(sealed, password, (int)strlen(password)) : NULL;
    EVP_PKEY *pair = form ? EVP_PKCS82PKEY(form) : NULL;
    int result = !sealed ? -EBADMSG : !form ? -EACCES : !pair ? -EBADMSG : bypeer_key_from_pair(ret_key, profile, pair);
    X509_SIG_free(sealed);
    PKCS8_PRIV_KEY_INFO_free(form);
    EVP_PKEY_free(pair);
    if (result < 0)
        return result;
    bypeer_key_authority(*ret_key, authority);
    if (memcmp(authority, group->authority, sizeof(authority)) == 0)
        return 0;
    bypeer_key_free(*ret_key);
    *ret_key = NULL;
    return -EBADMSG;
}

/* --- writing --- */

static void transfer_put_seeds(struct bypeer_xml_writer *writer, const struct bypeer_joined *joined)
{
    char address[INET6_ADDRSTRLEN], text[INET6_ADDRSTRLEN + 8];
    for (unsigned at = 0; at < joined->seed_count; at++) {
        inet_ntop(AF_INET6, joined->seeds[at].address, address, sizeof(address));
        snprintf(text, sizeof(text), "[%s]:%u", address, joined->seeds[at].port);
        bypeer_xml_put_text(writer, "SEED", text);
    }
}

int bypeer_joined_export(const struct bypeer_joined *joined, const char *password, char **ret_text,
                         struct bypeer_problem *problem)
{
    struct bypeer_xml_writer writer;
    uint8_t *key = NULL;
    size_t key_bytes = 0;
    if (!joined->chain)
        return bypeer_problem_set(problem, -EAGAIN, "not_a_member", "group %.100s\nis not joined yet\ntry again later",
                                  joined->friendly);
    if (password && !joined->group_key)
        return bypeer_problem_set(problem, -EPERM, "no_group_key",
                                  "group %.100s\nwas not founded here, so its key is not\nleave the password out",
                                  joined->friendly);
    if (password && transfer_seal(joined->group_key, password, &key, &key_bytes) < 0)
        return bypeer_problem_no_memory(problem);
    bypeer_xml_begin(&writer, "PEERGROUPCONFIG", "1.0");
    bypeer_xml_put_text(&writer, "IDENTITYPEERNAME", joined->self_text);
    bypeer_xml_put_text(&writer, "GROUPPEERNAME", joined->name_text);
    bypeer_xml_put_text(&writer, "GROUPFRIENDLYNAME", joined->friendly);
    bypeer_xml_put_text(&writer, "CLOUDNAME", "Global_");
    bypeer_xml_put_text(&writer, "SCOPE", "GLOBAL");
    bypeer_xml_put_text(&writer, "CLOUDFLAGS", "0");
    bypeer_xml_put_bytes(&writer, "GMC", joined->chain, joined->chain_bytes);
    if (key)
        bypeer_xml_put_bytes(&writer, "GROUPKEY", key, key_bytes);
    transfer_put_seeds(&writer, joined);
    OPENSSL_clear_free(key, key_bytes);
    if (bypeer_xml_end(&writer, ret_text) < 0)
        return bypeer_problem_no_memory(problem);
    bypeer_groups_audit(joined->groups, joined->name_text, "exported", joined->self_text, NULL,
                        password ? "with the group's key" : "");
    return 0;
}

/* --- reading --- */

static int transfer_refuse(const char *what, struct bypeer_problem *problem)
{
    return bypeer_problem_set(problem, -EBADMSG, "bad_group_config",
                              "the text\n%s\ngive all that bypeer group export has printed", what);
}

static void transfer_take_seeds(const struct bypeer_xml *xml, struct bypeer_store_joined *row)
{
    char address[INET6_ADDRSTRLEN];
    unsigned port;
    for (size_t at = 0; at < xml->count && row->seed_count < BYPEER_STORE_SEEDS; at++) {
        if (strcmp(xml->children[at].name, "SEED") != 0 ||
            sscanf(xml->children[at].text, "[%45[0-9a-fA-F:.]]:%5u", address, &port) != 2 || port == 0 ||
            port > UINT16_MAX || inet_pton(AF_INET6, address, row->seeds[row->seed_count].address) != 1)
            continue;
        row->seeds[row->seed_count++].port = (uint16_t)port;
    }
}

static int transfer_take_key(const struct bypeer_xml *xml, const struct bypeer_profile *profile,
                             const struct bypeer_peer_name *group, const char *password, struct bypeer_key **ret_key,
                             struct bypeer_problem *problem)
{
    const struct bypeer_xml_child *child = bypeer_xml_find(xml, "GROUPKEY");
    uint8_t *bytes;
    size_t length;
    *ret_key = NULL;
    if (!child)
        return 0;
    if (!password)
        return bypeer_problem_set(problem, -EINVAL, "needs_password",
                                  "the text\nholds the group's key under a password\ngive it, too");
    int result = bypeer_xml_bytes(child, &bytes, &length);
    if (result < 0)
        return transfer_refuse("has a GROUPKEY that is no base64", problem);
    result = transfer_unseal(profile, group, bytes, length, password, ret_key);
    free(bytes);
    if (result == -EACCES)
        return bypeer_problem_set(problem, result, "wrong_password",
                                  "the password\nis another one, or the text was changed\ntry again");
    return result < 0 ? transfer_refuse("has a GROUPKEY that is not the group's", problem) : 0;
}

static int transfer_read(struct bypeer_groups *groups, const struct bypeer_xml *xml, const char *password,
                         struct bypeer_joined **ret_joined, struct bypeer_problem *problem)
{
    const struct bypeer_xml_child *identity_name = bypeer_xml_find(xml, "IDENTITYPEERNAME");
    const struct bypeer_xml_child *group_name = bypeer_xml_find(xml, "GROUPPEERNAME");
    const struct bypeer_xml_child *friendly = bypeer_xml_find(xml, "GROUPFRIENDLYNAME");
    const struct bypeer_xml_child *gmc = bypeer_xml_find(xml, "GMC");
    struct bypeer_peer_name group;
    struct bypeer_key *key;
    char why[160], name[BYPEER_NAME_TEXT_MAX];
    uint8_t *chain;
    if (strcmp(xml->root, "PEERGROUPCONFIG") != 0 || !identity_name || !group_name || !gmc)
        return transfer_refuse("is no PEERGROUPCONFIG with IDENTITYPEERNAME, GROUPPEERNAME and GMC", problem);
    if (bypeer_name_read(&group, group_name->text, why) < 0 || !group.secure)
        return transfer_refuse("names no group", problem);
    const struct bypeer_identity *identity =
        bypeer_identities_find(groups->node->identities, identity_name->text, problem);
    if (!identity)
        return problem->error;
    bypeer_name_write(&group, name);
    struct bypeer_store_joined row = {.name = name,
                                      .profile = identity->profile->name,
                                      .identity = identity->name_text,
                                      .friendly = friendly ? friendly->text : name};
    if (bypeer_xml_bytes(gmc, &chain, &row.chain_bytes) < 0)
        return transfer_refuse("has a GMC that is no base64", problem);
    row.chain = chain;
    transfer_take_seeds(xml, &row);
    int result = transfer_take_key(xml, identity->profile, &group, password, &key, problem);
    if (result == 0)
        result = groups_adopt(groups, &row, &group, key, ret_joined, problem);
    bypeer_key_free(key);
    free(chain);
    return result;
}

int bypeer_groups_import(struct bypeer_groups *groups, const char *text, const char *password,
                         struct bypeer_joined **ret_joined, struct bypeer_problem *problem)
{
    struct bypeer_xml xml;
    char why[160];
    int result = bypeer_xml_read(&xml, text, strlen(text), CONFIG_MAX, why);
    if (result < 0)
        return transfer_refuse(why, problem);
    result = transfer_read(groups, &xml, password, ret_joined, problem);
    bypeer_xml_release(&xml);
    if (result < 0)
        return result;
    bypeer_groups_audit(groups, (*ret_joined)->name_text, "joined", (*ret_joined)->self_text, NULL, "by import");
    return groups_flush(groups, problem);
}
