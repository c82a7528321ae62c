/* Identities on disk: identities.h draws the folder. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/identity/state.h"
#include "control/secret_file.h"

#define JSON_BYTES_MAX 262144

static int files_failed(const char *path, const char *what, int error, struct bypeer_problem *problem)
{
    return bypeer_problem_set(problem, error, "identity_file",
                              "%.150s\ncannot be %s: %s\nlet the daemon's user do that", path, what, strerror(-error));
}

static int files_bad(const char *path, const char *what, struct bypeer_problem *problem)
{
    return bypeer_problem_set(problem, -EBADMSG, "identity_file",
                              "%.150s\n%s\nrestore it from a backup, or import the identity's export", path, what);
}

static void files_folder(const struct bypeer_identities *identities, const char *authority,
                         char ret_path[static IDENTITIES_PATH])
{
    snprintf(ret_path, IDENTITIES_PATH, "%s/%s", identities->folder, authority);
}

static void files_key_name(const struct bypeer_key *key, char ret_name[static AUTHORITY_TEXT])
{
    uint8_t hash[BYPEER_AUTHORITY_BYTES];
    bypeer_key_authority(key, hash);
    sodium_bin2hex(ret_name, AUTHORITY_TEXT, hash, sizeof(hash));
}

static void files_sync(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    fsync(fd);
    close(fd);
}

int files_read_key(struct bypeer_key **ret_key, const char *path, struct bypeer_problem *problem)
{
    char text[BYPEER_KEY_TEXT_MAX];
    long length = bypeer_secret_file_read(path, text, sizeof(text), NULL);
    if (length < 0)
        return files_failed(path, "read", (int)length, problem);
    int result = -EINVAL;
    for (unsigned id = 0; id < BYPEER_PROFILES && result == -EINVAL; id++)
        result = bypeer_key_read(ret_key, bypeer_profile((enum bypeer_profile_id)id), text, (size_t)length);
    explicit_bzero(text, sizeof(text));
    return result == 0 ? 0 : files_bad(path, "is no private key of a profile: Ed25519 or RSA of 1024 bits", problem);
}

static int files_write_key(const char *folder, const struct bypeer_key *key, struct bypeer_problem *problem)
{
    char name[AUTHORITY_TEXT], path[IDENTITIES_PATH + 64], text[BYPEER_KEY_TEXT_MAX];
    files_key_name(key, name);
    snprintf(path, sizeof(path), "%s/%s.pem", folder, name);
    if (access(path, F_OK) == 0)
        return 0;
    int result = bypeer_key_write(key, text);
    if (result == 0)
        result = bypeer_secret_file_write(folder, path, text, strlen(text));
    explicit_bzero(text, sizeof(text));
    return result < 0 ? files_failed(path, "written", result, problem) : 0;
}

/* --- identity.json --- */

static json_t *files_base64(const uint8_t *bytes, size_t length)
{
    if (!bytes)
        return json_null();
    size_t room = sodium_base64_encoded_len(length, sodium_base64_VARIANT_ORIGINAL);
    char *text = malloc(room);
    json_t *json =
        text ? json_string(sodium_bin2base64(text, room, bytes, length, sodium_base64_VARIANT_ORIGINAL)) : NULL;
    free(text);
    return json;
}

/* NULL: there is none, or it is no base64. To be freed. */
static uint8_t *files_bytes(const json_t *json, const char *key, size_t *ret_length)
{
    const char *text = json_string_value(json_object_get(json, key));
    uint8_t *bytes = text ? malloc(strlen(text) + 1) : NULL;
    if (bytes && sodium_base642bin(bytes, strlen(text) + 1, text, strlen(text), NULL, ret_length, NULL,
                                   sodium_base64_VARIANT_ORIGINAL) != 0) {
        free(bytes);
        return NULL;
    }
    return bytes;
}

static int files_write_json(const char *folder, const struct entry *entry, struct bypeer_problem *problem)
{
    const struct bypeer_identity *identity = &entry->identity;
    char path[IDENTITIES_PATH + 64], key[AUTHORITY_TEXT], old_key[AUTHORITY_TEXT] = "";
    size_t der_bytes, bag_bytes = 0;
    const uint8_t *der = bypeer_certificate_der(identity->idc, &der_bytes);
    const uint8_t *bag = entry->delegation ? bypeer_chain_bag(entry->delegation, &bag_bytes) : NULL;
    files_key_name(entry->key, key);
    if (entry->old_key)
        files_key_name(entry->old_key, old_key);
    snprintf(path, sizeof(path), "%s/identity.json", folder);
    json_t *json =
        json_pack("{s:s, s:s, s:s, s:I, s:s, s:s, s:I, s:o, s:o, s:o}", "profile", identity->profile->name, "name",
                  identity->name_text, "friendly_name", entry->friendly_given, "created", (json_int_t)identity->created,
                  "key", key, "old_key", old_key, "old_until", (json_int_t)identity->old_until, "certificate",
                  files_base64(der, der_bytes), "rotations", files_base64(entry->rotations, identity->rotations_bytes),
                  "delegation", files_base64(bag, bag_bytes));
    char *text = json ? json_dumps(json, JSON_INDENT(2)) : NULL;
    int result = text ? bypeer_secret_file_write(folder, path, text, strlen(text)) : -ENOMEM;
    free(text);
    json_decref(json);
    return result < 0 ? files_failed(path, "written", result, problem) : 0;
}

static int files_load_json(json_t **ret_json, const char *path, struct bypeer_problem *problem)
{
    char *text = malloc(JSON_BYTES_MAX);
    long length = text ? bypeer_secret_file_read(path, text, JSON_BYTES_MAX, NULL) : -ENOMEM;
    json_t *json = length > 0 ? json_loadb(text, (size_t)length, JSON_REJECT_DUPLICATES, NULL) : NULL;
    free(text);
    if (length < 0)
        return files_failed(path, "read", (int)length, problem);
    if (!json_is_object(json)) {
        json_decref(json);
        return files_bad(path, "is no JSON object", problem);
    }
    *ret_json = json;
    return 0;
}

static int files_take_keys(struct entry *entry, const json_t *json, const char *folder, uint64_t now,
                           struct bypeer_problem *problem)
{
    char path[2 * IDENTITIES_PATH];
    const char *old_key = json_string_value(json_object_get(json, "old_key"));
    const char *key = json_string_value(json_object_get(json, "key"));
    if (!key || strlen(key) != AUTHORITY_TEXT - 1)
        return files_bad(folder, "names no key in its identity.json", problem);
    snprintf(path, sizeof(path), "%s/%s.pem", folder, key);
    int result = files_read_key(&entry->key, path, problem);
    entry->identity.old_until = (uint64_t)json_integer_value(json_object_get(json, "old_until"));
    if (result == 0 && old_key && strlen(old_key) == AUTHORITY_TEXT - 1 && entry->identity.old_until > now) {
        snprintf(path, sizeof(path), "%s/%s.pem", folder, old_key);
        result = files_read_key(&entry->old_key, path, problem);
    }
    return result;
}

/* Everything but the keys; each part has to be of the others. */
static const char *files_take_facts(struct entry *entry, const json_t *json, const char *authority)
{
    struct bypeer_identity *identity = &entry->identity;
    const char *profile = json_string_value(json_object_get(json, "profile"));
    const char *name = json_string_value(json_object_get(json, "name"));
    const char *friendly = json_string_value(json_object_get(json, "friendly_name"));
    char why[160], text[AUTHORITY_TEXT];
    const char *problem = "";
    size_t der_bytes, bag_bytes;
    identity->profile = profile ? bypeer_profile_find(profile) : NULL;
    if (!identity->profile || bypeer_key_profile(entry->key) != identity->profile)
        return "has a profile that is not its key's";
    if (!name || bypeer_name_read(&identity->name, name, why) != 0)
        return "has a name that is no peer name";
    sodium_bin2hex(text, sizeof(text), identity->name.authority, BYPEER_AUTHORITY_BYTES);
    if (strcmp(text, authority) != 0)
        return "has a name that is not its folder's";
    if (!friendly || strlen(friendly) >= sizeof(entry->friendly_given))
        return "has a friendly name that is too long";
    snprintf(entry->friendly_given, sizeof(entry->friendly_given), "%s", friendly);
    identity->created = (uint64_t)json_integer_value(json_object_get(json, "created"));
    entry->rotations = files_bytes(json, "rotations", &identity->rotations_bytes);
    if (bypeer_rotations_follow(identity->profile, identity->name.authority, entry->rotations,
                                entry->rotations ? identity->rotations_bytes : 0, bypeer_key_public(entry->key),
                                NULL) != 0)
        return "has statements that do not lead to its key";
    uint8_t *bytes = files_bytes(json, "certificate", &der_bytes);
    int result =
        bytes ? bypeer_certificate_read(&identity->idc, identity->profile, bytes, der_bytes, &problem) : -EBADMSG;
    free(bytes);
    if (result != 0 || bypeer_certificate_judge_identity(identity->idc, 0) != BYPEER_CHAIN_SOUND ||
        memcmp(bypeer_certificate_facts(identity->idc)->public_key, bypeer_key_public(entry->key),
               identity->profile->public_key_bytes) != 0)
        return "has a certificate that is not its key's";
    bytes = files_bytes(json, "delegation", &bag_bytes);
    result = bytes ? bypeer_chain_read(&entry->delegation, identity->profile, bytes, bag_bytes, NULL) : 0;
    free(bytes);
    return result != 0 || (entry->rotations && !entry->delegation) ? "has a delegation that cannot be read" : NULL;
}

int files_read(struct entry *entry, const struct bypeer_identities *identities, const char *authority, uint64_t now,
               struct bypeer_problem *problem)
{
    char folder[IDENTITIES_PATH], path[IDENTITIES_PATH + 64];
    json_t *json = NULL;
    files_folder(identities, authority, folder);
    snprintf(path, sizeof(path), "%s/identity.json", folder);
    int result = files_load_json(&json, path, problem);
    if (result < 0)
        return result;
    result = files_take_keys(entry, json, folder, now, problem);
    if (result == 0) {
        const char *why = files_take_facts(entry, json, authority);
        if (why)
            result = files_bad(path, why, problem);
    }
    json_decref(json);
    return result;
}

/* --- changes --- */

static void files_unlink_all(const char *folder)
{
    char path[2 * IDENTITIES_PATH + 256];
    DIR *directory = opendir(folder);
    for (const struct dirent *each; directory && (each = readdir(directory));) {
        if (each->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), "%s/%s", folder, each->d_name);
        unlink(path);
    }
    if (directory)
        closedir(directory);
    rmdir(folder);
}

int files_make(const struct bypeer_identities *identities, const struct entry *entry, struct bypeer_problem *problem)
{
    char folder[IDENTITIES_PATH], beside[IDENTITIES_PATH + 64];
    files_folder(identities, entry->authority, folder);
    snprintf(beside, sizeof(beside), "%s/.new.%s", identities->folder, entry->authority);
    int result = bypeer_secret_file_make_directory(identities->state, identities->folder);
    if (result == 0)
        result = bypeer_secret_file_make_directory(identities->folder, beside);
    if (result < 0)
        return files_failed(beside, "made", result, problem);
    result = files_write_key(beside, entry->key, problem);
    if (result == 0 && entry->old_key)
        result = files_write_key(beside, entry->old_key, problem);
    if (result == 0)
        result = files_write_json(beside, entry, problem);
    if (result == 0 && rename(beside, folder) < 0)
        result = files_failed(folder, "made", -errno, problem);
    if (result < 0)
        files_unlink_all(beside);
    else
        files_sync(identities->folder);
    return result;
}

/* Keys of the folder that are neither of these two. */
static void files_drop_keys(const char *folder, const struct entry *entry)
{
    char path[2 * IDENTITIES_PATH + 256], key[AUTHORITY_TEXT], old_key[AUTHORITY_TEXT] = "";
    files_key_name(entry->key, key);
    if (entry->old_key)
        files_key_name(entry->old_key, old_key);
    DIR *directory = opendir(folder);
    for (const struct dirent *each; directory && (each = readdir(directory));) {
        const char *end = strrchr(each->d_name, '.');
        if (!end || strcmp(end, ".pem") != 0 || strncmp(each->d_name, key, AUTHORITY_TEXT - 1) == 0 ||
            (old_key[0] && strncmp(each->d_name, old_key, AUTHORITY_TEXT - 1) == 0))
            continue;
        snprintf(path, sizeof(path), "%s/%s", folder, each->d_name);
        unlink(path);
    }
    if (directory)
        closedir(directory);
}

int files_update(const struct bypeer_identities *identities, const struct entry *entry, struct bypeer_problem *problem)
{
    char folder[IDENTITIES_PATH];
    files_folder(identities, entry->authority, folder);
    int result = files_write_key(folder, entry->key, problem);
    if (result == 0)
        result = files_write_json(folder, entry, problem);
    if (result == 0)
        files_drop_keys(folder, entry);
    return result;
}

int files_remove(const struct bypeer_identities *identities, const struct entry *entry, struct bypeer_problem *problem)
{
    char folder[IDENTITIES_PATH], beside[IDENTITIES_PATH + 64];
    files_folder(identities, entry->authority, folder);
    snprintf(beside, sizeof(beside), "%s/.gone.%s", identities->folder, entry->authority);
    if (rename(folder, beside) < 0)
        return files_failed(folder, "removed", -errno, problem);
    files_sync(identities->folder);
    files_unlink_all(beside);
    return 0;
}

void files_clean(const struct bypeer_identities *identities)
{
    char path[IDENTITIES_PATH + 256];
    DIR *directory = opendir(identities->folder);
    for (const struct dirent *each; directory && (each = readdir(directory));) {
        if (strncmp(each->d_name, ".new.", 5) != 0 && strncmp(each->d_name, ".gone.", 6) != 0)
            continue;
        snprintf(path, sizeof(path), "%s/%s", identities->folder, each->d_name);
        files_unlink_all(path);
    }
    if (directory)
        closedir(directory);
}

/* --- the default --- */

int files_default(const struct bypeer_identities *identities, const struct bypeer_profile *profile,
                  char ret_authority[static AUTHORITY_TEXT], struct bypeer_problem *problem)
{
    char path[IDENTITIES_PATH], text[AUTHORITY_TEXT + 1];
    snprintf(path, sizeof(path), "%s/default.%s", identities->folder, profile->name);
    long length = bypeer_secret_file_read(path, text, sizeof(text), NULL);
    if (length == -ENOENT)
        return 0;
    if (length < 0)
        return files_failed(path, "read", (int)length, problem);
    if (length < AUTHORITY_TEXT - 1)
        return files_bad(path, "holds no authority of 40 hex digits", problem);
    memcpy(ret_authority, text, AUTHORITY_TEXT - 1);
    ret_authority[AUTHORITY_TEXT - 1] = '\0';
    return 1;
}

int files_set_default(const struct bypeer_identities *identities, const struct bypeer_profile *profile,
                      const char *authority, struct bypeer_problem *problem)
{
    char path[IDENTITIES_PATH], text[AUTHORITY_TEXT + 1];
    int result = bypeer_secret_file_make_directory(identities->state, identities->folder);
    snprintf(path, sizeof(path), "%s/default.%s", identities->folder, profile->name);
    if (result == 0 && authority) {
        int length = snprintf(text, sizeof(text), "%s\n", authority);
        result = bypeer_secret_file_write(identities->folder, path, text, (size_t)length);
    } else if (result == 0 && unlink(path) < 0 && errno != ENOENT) {
        result = -errno;
    }
    return result < 0 ? files_failed(path, "written", result, problem) : 0;
}
