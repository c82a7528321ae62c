#include "control/identity/identities.h"

#include <dirent.h>
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/identity/state.h"

#define CREDENTIAL_PREFIX "identity."
#define CREDENTIAL_SUFFIX ".pem"

/* --- one --- */

void entry_expose(struct entry *entry)
{
    struct bypeer_identity *identity = &entry->identity;
    identity->key = entry->key;
    identity->old_key = entry->old_key;
    identity->rotations = entry->rotations;
    identity->delegation = entry->delegation;
    identity->rotation_count =
        entry->rotations ? (unsigned)(identity->rotations_bytes / bypeer_rotation_bytes(identity->profile)) : 0;
    if (!entry->rotations)
        identity->rotations_bytes = 0;
    if (!entry->old_key)
        identity->old_until = 0;
    bypeer_name_write(&identity->name, identity->name_text);
    sodium_bin2hex(entry->authority, sizeof(entry->authority), identity->name.authority, BYPEER_AUTHORITY_BYTES);
    snprintf(identity->friendly, sizeof(identity->friendly), "%s",
             entry->friendly_given[0] ? entry->friendly_given : identity->name_text);
}

void entry_free(struct entry *entry)
{
    if (!entry)
        return;
    bypeer_key_free(entry->key);
    bypeer_key_free(entry->old_key);
    bypeer_certificate_free(entry->identity.idc);
    bypeer_chain_free(entry->delegation);
    free(entry->rotations);
    free(entry);
}

struct entry *entry_allocate(struct bypeer_problem *problem)
{
    struct entry *entry = calloc(1, sizeof(*entry));
    if (!entry)
        bypeer_problem_no_memory(problem);
    return entry;
}

int entry_certify(struct bypeer_certificate **ret_idc, const struct entry *entry, const struct bypeer_key *key,
                  const char *friendly, uint64_t now, struct bypeer_problem *problem)
{
    uint8_t random[BYPEER_CERTIFICATE_SERIAL];
    const char *why = "memory is short";
    randombytes_buf(random, sizeof(random));
    /* From a day ago, since clocks differ. */
    uint64_t from = now > 86400 ? now - 86400 : 0;
    int result = bypeer_identity_certify(ret_idc, key, &entry->identity.name, friendly, from,
                                         now + BYPEER_CERTIFICATE_FOREVER_S, random, &why);
    if (result == -EINVAL)
        return bypeer_problem_set(problem, result, "bad_friendly_name",
                                  "friendly name\n%s\nuse up to 255 characters of UTF-8", why);
    return result < 0 ? bypeer_problem_no_memory(problem) : 0;
}

/* --- opening --- */

static void identities_leave_out(struct bypeer_identities *identities, const char *what,
                                 const struct bypeer_problem *problem)
{
    struct unreadable *unreadable =
        identities->unreadable_count < BYPEER_IDENTITIES_MAX ? calloc(1, sizeof(*unreadable)) : NULL;
    if (!unreadable)
        return;
    snprintf(unreadable->what, sizeof(unreadable->what), "%s", what);
    unreadable->problem = *problem;
    identities->unreadable[identities->unreadable_count++] = unreadable;
}

static void identities_insert(struct bypeer_identities *identities, struct entry *entry)
{
    size_t at = identities->count++;
    for (; at > 0 && strcmp(identities->entries[at - 1]->authority, entry->authority) > 0; at--)
        identities->entries[at] = identities->entries[at - 1];
    identities->entries[at] = entry;
}

static int identities_load(struct bypeer_identities *identities, const char *authority, uint64_t now)
{
    struct bypeer_problem problem;
    struct entry *entry = entry_allocate(NULL);
    if (!entry)
        return -ENOMEM;
    int result = identities->count < BYPEER_IDENTITIES_MAX
                     ? files_read(entry, identities, authority, now, &problem)
                     : bypeer_problem_set(&problem, -ENOSPC, "too_many_identities",
                                          "identities\n%d are the most\nmove the folder away", BYPEER_IDENTITIES_MAX);
    if (result < 0) {
        entry_free(entry);
        identities_leave_out(identities, authority, &problem);
        return 0;
    }
    entry_expose(entry);
    identities_insert(identities, entry);
    return 0;
}

static int identities_load_folder(struct bypeer_identities *identities, uint64_t now)
{
    DIR *directory = opendir(identities->folder);
    int result = 0;
    for (const struct dirent *each; directory && result == 0 && (each = readdir(directory));)
        if (strlen(each->d_name) == AUTHORITY_TEXT - 1 &&
            strspn(each->d_name, "0123456789abcdef") == AUTHORITY_TEXT - 1)
            result = identities_load(identities, each->d_name, now);
    if (directory)
        closedir(directory);
    return result;
}

static int identities_load_credential(struct bypeer_identities *identities, const char *file, uint64_t now)
{
    char path[IDENTITIES_PATH + 256];
    struct bypeer_problem problem;
    struct entry *entry = entry_allocate(NULL);
    if (!entry)
        return -ENOMEM;
    snprintf(path, sizeof(path), "%s/%s", identities->credentials, file);
    int result = files_read_key(&entry->key, path, &problem);
    if (result == 0) {
        size_t length = strlen(file) - strlen(CREDENTIAL_PREFIX CREDENTIAL_SUFFIX);
        entry->identity.profile = bypeer_key_profile(entry->key);
        entry->identity.is_credential = true;
        entry->identity.created = now;
        snprintf(entry->friendly_given, sizeof(entry->friendly_given), "%.*s", (int)length,
                 file + strlen(CREDENTIAL_PREFIX));
        bypeer_identity_name(&entry->identity.name, entry->key, &(struct bypeer_peer_name){0});
        result = entry_certify(&entry->identity.idc, entry, entry->key, entry->friendly_given, now, &problem);
    }
    if (result == 0 && (identities->count == BYPEER_IDENTITIES_MAX ||
                        bypeer_identities_of(identities, entry->identity.profile, entry->identity.name.authority)))
        result = bypeer_problem_set(&problem, -EEXIST, "identity_exists",
                                    "%.150s\nis of an identity that is in the state directory, too\nremove one of them",
                                    path);
    if (result < 0) {
        entry_free(entry);
        identities_leave_out(identities, file, &problem);
        return 0;
    }
    entry_expose(entry);
    identities_insert(identities, entry);
    return 0;
}

static int identities_load_credentials(struct bypeer_identities *identities, uint64_t now)
{
    const size_t prefix = strlen(CREDENTIAL_PREFIX), suffix = strlen(CREDENTIAL_SUFFIX);
    DIR *directory = identities->credentials[0] ? opendir(identities->credentials) : NULL;
    int result = 0;
    for (const struct dirent *each; directory && result == 0 && (each = readdir(directory));) {
        size_t length = strlen(each->d_name);
        if (length > prefix + suffix && strncmp(each->d_name, CREDENTIAL_PREFIX, prefix) == 0 &&
            strcmp(each->d_name + length - suffix, CREDENTIAL_SUFFIX) == 0)
            result = identities_load_credential(identities, each->d_name, now);
    }
    if (directory)
        closedir(directory);
    return result;
}

static struct entry *identities_by_authority(const struct bypeer_identities *identities, const char *authority)
{
    for (size_t at = 0; at < identities->count; at++)
        if (strcmp(identities->entries[at]->authority, authority) == 0)
            return identities->entries[at];
    return NULL;
}

static void identities_load_default(struct bypeer_identities *identities, const struct bypeer_profile *profile)
{
    char authority[AUTHORITY_TEXT];
    struct bypeer_problem problem;
    int result = files_default(identities, profile, authority, &problem);
    struct entry *entry = result == 1 ? identities_by_authority(identities, authority) : NULL;
    if (entry)
        entry->identity.is_default = entry->identity.profile == profile;
    else if (result < 0)
        identities_leave_out(identities, profile->name, &problem);
}

int bypeer_identities_open(struct bypeer_identities **ret_identities, const char *state, const char *credentials,
                           uint64_t now, struct bypeer_problem *problem)
{
    struct bypeer_identities *identities = calloc(1, sizeof(*identities));
    if (!identities)
        return bypeer_problem_no_memory(problem);
    snprintf(identities->state, sizeof(identities->state), "%s", state);
    snprintf(identities->folder, sizeof(identities->folder), "%s/identities", state);
    snprintf(identities->credentials, sizeof(identities->credentials), "%s", credentials ? credentials : "");
    files_clean(identities);
    int result = identities_load_folder(identities, now);
    if (result == 0)
        result = identities_load_credentials(identities, now);
    if (result < 0) {
        bypeer_identities_close(identities);
        return bypeer_problem_no_memory(problem);
    }
    for (unsigned id = 0; id < BYPEER_PROFILES; id++)
        identities_load_default(identities, bypeer_profile((enum bypeer_profile_id)id));
    *ret_identities = identities;
    return 0;
}

void bypeer_identities_close(struct bypeer_identities *identities)
{
    if (!identities)
        return;
    for (size_t at = 0; at < identities->count; at++)
        entry_free(identities->entries[at]);
    for (size_t at = 0; at < identities->unreadable_count; at++)
        free(identities->unreadable[at]);
    for (size_t at = 0; at < identities->retired_count; at++)
        bypeer_key_free(identities->retired[at]);
    free(identities->retired);
    free(identities);
}

bool identities_retire(struct bypeer_identities *identities, struct bypeer_key *key)
{
    size_t bytes = (identities->retired_count + 1) * sizeof(identities->retired[0]);
    struct bypeer_key **larger = realloc(identities->retired, bytes);
    if (!larger)
        return false;
    identities->retired = larger;
    identities->retired[identities->retired_count++] = key;
    return true;
}

/* --- finding --- */

struct entry *identities_entry(struct bypeer_identities *identities, const struct bypeer_identity *identity)
{
    size_t at = 0;
    while (&identities->entries[at]->identity != identity)
        at++;
    return identities->entries[at];
}

size_t bypeer_identities_count(const struct bypeer_identities *identities)
{
    return identities->count;
}

const struct bypeer_identity *bypeer_identities_at(const struct bypeer_identities *identities, size_t at)
{
    return &identities->entries[at]->identity;
}

const char *bypeer_identities_unreadable(const struct bypeer_identities *identities, size_t at,
                                         const struct bypeer_problem **ret_problem)
{
    if (at >= identities->unreadable_count)
        return NULL;
    *ret_problem = &identities->unreadable[at]->problem;
    return identities->unreadable[at]->what;
}

const struct bypeer_identity *bypeer_identities_of(const struct bypeer_identities *identities,
                                                   const struct bypeer_profile *profile,
                                                   const uint8_t authority[static BYPEER_AUTHORITY_BYTES])
{
    for (size_t at = 0; at < identities->count; at++) {
        const struct bypeer_identity *identity = &identities->entries[at]->identity;
        if (identity->profile == profile && memcmp(identity->name.authority, authority, BYPEER_AUTHORITY_BYTES) == 0)
            return identity;
    }
    return NULL;
}

/* The problem of one that is there and cannot be read. False: there is none of that authority. */
static bool identities_explain_unreadable(const struct bypeer_identities *identities, const char *authority,
                                          struct bypeer_problem *problem)
{
    for (size_t at = 0; at < identities->unreadable_count; at++)
        if (strcmp(identities->unreadable[at]->what, authority) == 0) {
            if (problem)
                *problem = identities->unreadable[at]->problem;
            return true;
        }
    return false;
}

const struct bypeer_identity *bypeer_identities_find(const struct bypeer_identities *identities, const char *text,
                                                     struct bypeer_problem *problem)
{
    const struct bypeer_identity *found = NULL;
    char authority[AUTHORITY_TEXT];
    for (size_t at = 0; at < identities->count; at++) {
        const struct entry *entry = identities->entries[at];
        if (strcmp(entry->identity.name_text, text) == 0 || strcmp(entry->authority, text) == 0)
            return &entry->identity;
        if (strcmp(entry->identity.friendly, text) != 0)
            continue;
        if (found) {
            bypeer_problem_set(problem, -EINVAL, "ambiguous_identity",
                               "identity \"%.100s\"\nis the friendly name of several\ngive a peer name: bypeer "
                               "identity list",
                               text);
            return NULL;
        }
        found = &entry->identity;
    }
    snprintf(authority, sizeof(authority), "%s", text);
    if (!found && !identities_explain_unreadable(identities, authority, problem))
        bypeer_problem_set(problem, -ENOENT, "no_such_identity",
                           "identity \"%.100s\"\nis not this node's\nlist what is with: bypeer identity list", text);
    return found;
}

const struct bypeer_identity *bypeer_identities_default(struct bypeer_identities *identities,
                                                        const struct bypeer_profile *profile, bool make, uint64_t now,
                                                        struct bypeer_problem *problem)
{
    char authority[AUTHORITY_TEXT];
    const struct bypeer_identity *made = NULL;
    for (size_t at = 0; at < identities->count; at++) {
        const struct bypeer_identity *identity = &identities->entries[at]->identity;
        if (identity->is_default && identity->profile == profile)
            return identity;
    }
    /* One that is named and cannot be read is not replaced behind its owner's back. */
    int named = files_default(identities, profile, authority, problem);
    if (named < 0 || (named == 1 && identities_explain_unreadable(identities, authority, problem)))
        return NULL;
    if (!make) {
        bypeer_problem_set(problem, -ENOENT, "no_such_identity",
                           "default identity of profile %s\ndoes not exist\nmake one: bypeer identity create",
                           profile->name);
        return NULL;
    }
    if (bypeer_identities_create(identities, profile, NULL, NULL, now, &made, problem) < 0 || !made ||
        (!made->is_default && bypeer_identities_set_default(identities, made, problem) < 0))
        return NULL;
    return made;
}

/* --- guards --- */

void bypeer_identities_guard(struct bypeer_identities *identities, const struct bypeer_identities_guard *guard)
{
    if (identities->guard_count < IDENTITIES_GUARDS)
        identities->guards[identities->guard_count++] = *guard;
}

void bypeer_identities_unguard(struct bypeer_identities *identities, const void *context)
{
    size_t kept = 0;
    for (size_t at = 0; at < identities->guard_count; at++)
        if (identities->guards[at].context != context)
            identities->guards[kept++] = identities->guards[at];
    identities->guard_count = kept;
}

void identities_tell(struct bypeer_identities *identities, const struct entry *entry)
{
    for (size_t at = 0; at < identities->guard_count; at++)
        if (identities->guards[at].changed)
            identities->guards[at].changed(identities->guards[at].context, &entry->identity);
}

/* --- more and fewer --- */

static bool identities_has_default(const struct bypeer_identities *identities, const struct bypeer_profile *profile)
{
    char authority[AUTHORITY_TEXT];
    return files_default(identities, profile, authority, NULL) != 0;
}

/* Its files too. The entry is taken over if it succeeds. */
static int identities_add(struct bypeer_identities *identities, struct entry *entry, struct bypeer_problem *problem)
{
    const struct bypeer_profile *profile = entry->identity.profile;
    if (identities->count >= BYPEER_IDENTITIES_MAX)
        return bypeer_problem_set(problem, -ENOSPC, "too_many_identities",
                                  "identities\n%d are the most\ndelete one that is not needed", BYPEER_IDENTITIES_MAX);
    entry_expose(entry);
    if (identities_by_authority(identities, entry->authority) ||
        identities_explain_unreadable(identities, entry->authority, NULL))
        return bypeer_problem_set(problem, -EEXIST, "identity_exists",
                                  "identity %.100s\nis here already\ndelete that one first", entry->identity.name_text);
    bool is_first = !identities_has_default(identities, profile);
    int result = files_make(identities, entry, problem);
    if (result == 0 && is_first) {
        result = files_set_default(identities, profile, entry->authority, problem);
        if (result < 0)
            files_remove(identities, entry, NULL);
    }
    if (result < 0)
        return result;
    entry->identity.is_default = is_first;
    identities_insert(identities, entry);
    return 0;
}

int identities_take(struct bypeer_identities *identities, struct entry *entry, int result,
                    const struct bypeer_identity **ret_identity, struct bypeer_problem *problem)
{
    if (result == 0)
        result = identities_add(identities, entry, problem);
    if (result < 0) {
        entry_free(entry);
        return result;
    }
    if (ret_identity)
        *ret_identity = &entry->identity;
    return 0;
}

int bypeer_identities_create(struct bypeer_identities *identities, const struct bypeer_profile *profile,
                             const char *classifier, const char *friendly, uint64_t now,
                             const struct bypeer_identity **ret_identity, struct bypeer_problem *problem)
{
    char why[160];
    struct bypeer_peer_name name = {0};
    if (classifier && bypeer_classifier_read(&name, classifier, why) != 0)
        return bypeer_problem_set(problem, -EINVAL, "bad_name", "classifier \"%.100s\"\n%s\nuse up to 149 characters",
                                  classifier, why);
    if (friendly && strlen(friendly) >= BYPEER_FRIENDLY_NAME_TEXT_MAX)
        return bypeer_problem_set(problem, -EINVAL, "bad_friendly_name",
                                  "friendly name\nis too long\nuse up to 255 characters");
    struct entry *entry = entry_allocate(problem);
    if (!entry)
        return -ENOMEM;
    int result = bypeer_key_generate(&entry->key, profile);
    if (result < 0) {
        free(entry);
        return bypeer_problem_set(problem, result, "key", "key\ncannot be made: %s\nsee the log", strerror(-result));
    }
    entry->identity.profile = profile;
    entry->identity.created = now;
    bypeer_identity_name(&entry->identity.name, entry->key, &name);
    snprintf(entry->friendly_given, sizeof(entry->friendly_given), "%s", friendly ? friendly : "");
    result = entry_certify(&entry->identity.idc, entry, entry->key, friendly, now, problem);
    return identities_take(identities, entry, result, ret_identity, problem);
}

static int identities_may_delete(const struct bypeer_identities *identities, const struct bypeer_identity *identity,
                                 struct bypeer_problem *problem)
{
    int result = 0;
    if (identity->is_credential)
        return bypeer_problem_set(problem, -EPERM, "identity_is_credential",
                                  "identity %.100s\ncomes from $CREDENTIALS_DIRECTORY\ntake it out of the unit's "
                                  "credentials",
                                  identity->name_text);
    for (size_t at = 0; at < identities->guard_count && result == 0; at++)
        if (identities->guards[at].may_delete)
            result = identities->guards[at].may_delete(identities->guards[at].context, identity, problem);
    return result;
}

int bypeer_identities_delete(struct bypeer_identities *identities, const struct bypeer_identity *identity,
                             struct bypeer_problem *problem)
{
    struct entry *entry = identities_entry(identities, identity);
    int result = identities_may_delete(identities, identity, problem);
    if (result < 0)
        return result;
    if (!identities_retire(identities, entry->key) ||
        (entry->old_key && !identities_retire(identities, entry->old_key)))
        return bypeer_problem_no_memory(problem);
    result = files_remove(identities, entry, problem);
    if (result < 0) {
        identities->retired_count -= entry->old_key ? 2 : 1;
        return result;
    }
    if (identity->is_default)
        files_set_default(identities, identity->profile, NULL, NULL);
    entry->key = entry->old_key = NULL;
    size_t at = 0;
    while (identities->entries[at] != entry)
        at++;
    memmove(&identities->entries[at], &identities->entries[at + 1],
            (--identities->count - at) * sizeof(identities->entries[0]));
    entry_free(entry);
    return 0;
}

int bypeer_identities_set_default(struct bypeer_identities *identities, const struct bypeer_identity *identity,
                                  struct bypeer_problem *problem)
{
    struct entry *chosen = identities_entry(identities, identity);
    int result = files_set_default(identities, identity->profile, chosen->authority, problem);
    if (result < 0)
        return result;
    for (size_t at = 0; at < identities->count; at++)
        if (identities->entries[at]->identity.profile == identity->profile)
            identities->entries[at]->identity.is_default = identities->entries[at] == chosen;
    return 0;
}
