#include "overlay/group/export.h"

#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "overlay/certificate/chain.h"
#include "overlay/group/invitation_form.h"
#include "overlay/group/password.h"

#define ROOT       "PEERGROUPCONFIG"
#define SALT       crypto_pwhash_SALTBYTES
#define NONCE      crypto_secretbox_NONCEBYTES
#define LOCK_BYTES (SALT + NONCE + crypto_secretbox_MACBYTES)
#define LOCKED_MAX (LOCK_BYTES + BYPEER_KEY_TEXT_MAX)

static int export_refuse(char why[static 160], int status, const char *text)
{
    snprintf(why, 160, "%s", text);
    return status;
}

static int export_derive(const char *password, const uint8_t salt[static SALT],
                         uint8_t ret_key[static crypto_secretbox_KEYBYTES])
{
    return crypto_pwhash(ret_key, crypto_secretbox_KEYBYTES, password, strlen(password), salt,
                         crypto_pwhash_OPSLIMIT_INTERACTIVE, crypto_pwhash_MEMLIMIT_INTERACTIVE,
                         crypto_pwhash_ALG_ARGON2ID13)
               ? -ENOMEM
               : 0;
}

static int export_lock(const struct bypeer_key *key, const char *password, uint8_t ret_locked[static LOCKED_MAX],
                       size_t *ret_length)
{
    char text[BYPEER_KEY_TEXT_MAX];
    uint8_t lock[crypto_secretbox_KEYBYTES];
    int status = bypeer_key_write(key, text);
    if (status)
        return status;
    randombytes_buf(ret_locked, SALT + NONCE);
    status = export_derive(password, ret_locked, lock);
    if (status == 0) {
        crypto_secretbox_easy(ret_locked + SALT + NONCE, (const uint8_t *)text, strlen(text), ret_locked + SALT, lock);
        *ret_length = LOCK_BYTES + strlen(text);
    }
    sodium_memzero(text, sizeof(text));
    sodium_memzero(lock, sizeof(lock));
    return status;
}

static int export_unlock(struct bypeer_key **ret_key, const struct bypeer_profile *profile, const uint8_t *locked,
                         size_t length, const char *password, char why[static 160])
{
    char text[BYPEER_KEY_TEXT_MAX];
    uint8_t lock[crypto_secretbox_KEYBYTES];
    if (length < LOCK_BYTES || length > LOCKED_MAX)
        return export_refuse(why, -EINVAL, "its GROUPKEY is damaged");
    int status = export_derive(password, locked, lock);
    if (status)
        return status;
    if (crypto_secretbox_open_easy((uint8_t *)text, locked + SALT + NONCE, length - SALT - NONCE, locked + SALT, lock))
        status = export_refuse(why, -EACCES, "this is not its password, or it is damaged");
    else if (bypeer_key_read(ret_key, profile, text, length - LOCK_BYTES))
        status = export_refuse(why, -EINVAL, "its GROUPKEY is no key of this wire profile");
    sodium_memzero(text, sizeof(text));
    sodium_memzero(lock, sizeof(lock));
    return status;
}

int bypeer_group_export_write(char **ret_text, const struct bypeer_group_export *group, const char *password,
                              char why[static 160])
{
    char name[BYPEER_NAME_TEXT_MAX];
    uint8_t locked[LOCKED_MAX];
    size_t locked_bytes = 0;
    if (!invitation_is_legal(&group->group) || group->group.wants_password)
        return export_refuse(why, -EINVAL, "there is no membership to export");
    if (group->group_key && (!password || password[0] == '\0' || strlen(password) > BYPEER_PASSWORD_MAX))
        return export_refuse(why, -EINVAL, "the group's key is exported under a password of 1 to 255 bytes");
    int status = group->group_key ? export_lock(group->group_key, password, locked, &locked_bytes) : 0;
    if (status)
        return status;
    struct bypeer_xml_writer writer;
    bypeer_xml_begin(&writer, ROOT, "1.0");
    bypeer_name_write(&group->identity, name);
    bypeer_xml_put_text(&writer, "IDENTITYPEERNAME", name);
    bypeer_name_write(&group->group.group, name);
    bypeer_xml_put_text(&writer, "GROUPPEERNAME", name);
    invitation_put_place(&writer, &group->group);
    bypeer_xml_put_bytes(&writer, "GMC", group->group.chain, group->group.chain_bytes);
    if (group->group_key)
        bypeer_xml_put_bytes(&writer, "GROUPKEY", locked, locked_bytes);
    invitation_put_seeds(&writer, &group->group);
    return bypeer_xml_end(&writer, ret_text);
}

/* Whose membership it is, and of which group, as the chain says; the texts beside it are to say the same. */
static int export_check_names(struct bypeer_group_export *group, const struct bypeer_profile *profile,
                              const struct bypeer_xml *xml, char why[static 160])
{
    const struct bypeer_xml_child *identity = bypeer_xml_find(xml, "IDENTITYPEERNAME");
    const struct bypeer_xml_child *name = bypeer_xml_find(xml, "GROUPPEERNAME");
    struct bypeer_peer_name said;
    struct bypeer_chain *chain;
    if (bypeer_chain_read(&chain, profile, group->group.chain, group->group.chain_bytes, NULL))
        return -ENOMEM; /* it was read before */
    group->identity = bypeer_chain_leaf(chain)->subject;
    bypeer_chain_free(chain);
    if (!identity || bypeer_name_read(&said, identity->text, why) || !bypeer_name_is_equal(&said, &group->identity))
        return export_refuse(why, -EINVAL, "its IDENTITYPEERNAME is not that of its membership");
    if (!name || bypeer_name_read(&said, name->text, why) || !bypeer_name_is_equal(&said, &group->group.group))
        return export_refuse(why, -EINVAL, "its GROUPPEERNAME is not that of its membership");
    return 0;
}

static int export_take_key(struct bypeer_group_export *group, const struct bypeer_profile *profile,
                           const struct bypeer_xml_child *child, const char *password, char why[static 160])
{
    uint8_t *locked, authority[BYPEER_AUTHORITY_BYTES];
    size_t length;
    if (!password)
        return export_refuse(why, -EACCES, "the group's key is in it: give its password");
    int status = bypeer_xml_bytes(child, &locked, &length);
    if (status)
        return status == -ENOMEM ? status : export_refuse(why, -EINVAL, "its GROUPKEY is no base64");
    status = export_unlock(&group->group_key, profile, locked, length, password, why);
    free(locked);
    if (status)
        return status;
    bypeer_key_authority(group->group_key, authority);
    return memcmp(authority, group->group.group.authority, sizeof(authority)) == 0
               ? 0
               : export_refuse(why, -EINVAL, "its GROUPKEY is another group's");
}

static int export_take(struct bypeer_group_export *group, const struct bypeer_profile *profile,
                       const struct bypeer_xml *xml, const char *password, char why[static 160])
{
    const struct bypeer_xml_child *chain = bypeer_xml_find(xml, "GMC");
    const struct bypeer_xml_child *key = bypeer_xml_find(xml, "GROUPKEY");
    if (strcmp(xml->root, ROOT) != 0 || !chain)
        return export_refuse(why, -EINVAL, "it is XML, but no " ROOT " with a GMC");
    int status = invitation_take_place(&group->group, xml, why);
    if (status == 0)
        status = invitation_take_gmc(&group->group, profile, chain, why);
    if (status == 0)
        status = export_check_names(group, profile, xml, why);
    return status || !key ? status : export_take_key(group, profile, key, password, why);
}

int bypeer_group_export_read(struct bypeer_group_export *ret_group, const struct bypeer_profile *profile,
                             const char *text, size_t length, const char *password, char why[static 160])
{
    struct bypeer_group_export group = {.group.is_windows = profile->id == BYPEER_PROFILE_WINDOWS};
    struct bypeer_xml xml;
    int status = bypeer_xml_read(&xml, text, length, BYPEER_INVITATION_TEXT_MAX, why);
    if (status)
        return status == -EBADMSG ? -EINVAL : status;
    status = export_take(&group, profile, &xml, password, why);
    bypeer_xml_release(&xml);
    if (status)
        bypeer_group_export_release(&group);
    else
        *ret_group = group;
    return status;
}

void bypeer_group_export_release(struct bypeer_group_export *group)
{
    bypeer_invitation_clear(&group->group);
    bypeer_key_free(group->group_key);
    *group = (struct bypeer_group_export){0};
}
