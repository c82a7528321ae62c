/* What changes in an identity: its friendly name, its key; and its way in and out. */
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/identity/state.h"
#include "overlay/certificate/issue.h"
#include "overlay/pnrp/delegation.h"

static int change_refuse_credential(const struct bypeer_identity *identity, const char *what,
                                    struct bypeer_problem *problem)
{
    return bypeer_problem_set(
        problem, -EPERM, "identity_is_credential",
        "identity %.100s\ncomes from $CREDENTIALS_DIRECTORY and cannot be %s\nchange the file that "
        "the unit loads",
        identity->name_text, what);
}

int bypeer_identities_rename(struct bypeer_identities *identities, const struct bypeer_identity *identity,
                             const char *friendly, uint64_t now, struct bypeer_problem *problem)
{
    struct entry *entry = identities_entry(identities, identity);
    struct entry after = *entry;
    if (identity->is_credential)
        return change_refuse_credential(identity, "renamed", problem);
    if (friendly && strlen(friendly) >= sizeof(after.friendly_given))
        return bypeer_problem_set(problem, -EINVAL, "bad_friendly_name",
                                  "friendly name\nis too long\nuse up to 255 characters");
    snprintf(after.friendly_given, sizeof(after.friendly_given), "%s", friendly ? friendly : "");
    int result = entry_certify(&after.identity.idc, &after, after.key, friendly, now, problem);
    if (result < 0)
        return result;
    result = files_update(identities, &after, problem);
    if (result < 0) {
        bypeer_certificate_free(after.identity.idc);
        return result;
    }
    bypeer_certificate_free(entry->identity.idc);
    *entry = after;
    entry_expose(entry);
    identities_tell(identities, entry);
    return 0;
}

/* --- keys --- */

/* One more certificate: the present key lets the new one publish all names of the first one's authority. */
static int rotate_delegate(struct entry *after, const struct entry *before, const struct bypeer_key *key, uint64_t now,
                           struct bypeer_problem *problem)
{
    uint8_t random[2][BYPEER_CERTIFICATE_SERIAL];
    const char *why = "memory is short";
    struct bypeer_peer_name name = before->identity.name, subject;
    struct bypeer_chain *root = NULL;
    uint64_t from = now > 86400 ? now - 86400 : 0;
    int result = 0;
    randombytes_buf(random, sizeof(random));
    if (!before->delegation)
        result = bypeer_chain_found(&root, before->key, &name, before->identity.friendly, from,
                                    now + BYPEER_CERTIFICATE_FOREVER_S, random[0], &why);
    bypeer_identity_name(&subject, key, &before->identity.name);
    const struct bypeer_chain_grant grant = {.subject = &subject,
                                             .friendly = before->identity.friendly,
                                             .public_key = bypeer_key_public(key),
                                             .roles = BYPEER_ROLE_ADMINISTRATOR,
                                             .not_before = from,
                                             .random = random[1]};
    if (result == 0)
        result = bypeer_chain_issue(&after->delegation, root ? root : before->delegation, before->key, &grant, &why);
    bypeer_chain_free(root);
    return result < 0 ? bypeer_problem_set(problem, result, "rotation", "identity %.100s\n%s\nmake a new identity",
                                           before->identity.name_text, why)
                      : 0;
}

static int rotate_state(struct entry *after, const struct entry *before, const struct bypeer_key *key,
                        uint64_t overlap_s, uint64_t now, struct bypeer_problem *problem)
{
    size_t each = bypeer_rotation_bytes(before->identity.profile), had = before->identity.rotations_bytes;
    uint8_t statement[BYPEER_ROTATION_MAX];
    after->rotations = malloc(had + each);
    if (!after->rotations)
        return bypeer_problem_no_memory(problem);
    if (had > 0)
        memcpy(after->rotations, before->rotations, had);
    int result = bypeer_rotation_write(statement, before->key, key, now, now + overlap_s);
    if (result < 0)
        return bypeer_problem_set(problem, result, "rotation",
                                  "identity %.100s\ncannot be given a new key: %s\nsee the "
                                  "log",
                                  before->identity.name_text, strerror(-result));
    memcpy(after->rotations + had, statement, each);
    after->identity.rotations_bytes = had + each;
    after->identity.old_until = now + overlap_s;
    return 0;
}

static void rotate_undo(struct entry *after)
{
    bypeer_key_free(after->key);
    bypeer_certificate_free(after->identity.idc);
    bypeer_chain_free(after->delegation);
    free(after->rotations);
}

static void rotate_finish(struct bypeer_identities *identities, struct entry *entry, struct entry *after)
{
    bypeer_certificate_free(entry->identity.idc);
    bypeer_chain_free(entry->delegation);
    free(entry->rotations);
    after->old_key = entry->key;
    *entry = *after;
    entry_expose(entry);
    identities_tell(identities, entry);
}

int bypeer_identities_rotate(struct bypeer_identities *identities, const struct bypeer_identity *identity,
                             uint64_t overlap_s, uint64_t now, struct bypeer_problem *problem)
{
    struct entry *entry = identities_entry(identities, identity);
    struct entry after = *entry;
    after.key = NULL;
    after.identity.idc = NULL;
    after.delegation = NULL;
    after.rotations = NULL;
    if (identity->is_credential)
        return change_refuse_credential(identity, "given a new key", problem);
    if (identity->old_key)
        return bypeer_problem_set(problem, -EBUSY, "overlap",
                                  "identity %.100s\nhas an old key that is still valid\nwait until its overlap is over",
                                  identity->name_text);
    if (identity->rotation_count >= BYPEER_ROTATIONS_MAX)
        return bypeer_problem_set(problem, -ENOSPC, "rotation",
                                  "identity %.100s\nhas been given %d keys, which is the most\nmake a new identity",
                                  identity->name_text, BYPEER_ROTATIONS_MAX);
    int result = bypeer_key_generate(&after.key, identity->profile);
    if (result < 0)
        return bypeer_problem_set(problem, result, "key", "key\ncannot be made: %s\nsee the log", strerror(-result));
    after.old_key = entry->key;
    result = rotate_state(&after, entry, after.key, overlap_s, now, problem);
    if (result == 0)
        result = rotate_delegate(&after, entry, after.key, now, problem);
    if (result == 0)
        result = entry_certify(&after.identity.idc, entry, after.key, entry->friendly_given, now, problem);
    if (result == 0)
        result = files_update(identities, &after, problem);
    if (result < 0)
        rotate_undo(&after);
    else
        rotate_finish(identities, entry, &after);
    return result;
}

void bypeer_identities_expire(struct bypeer_identities *identities, uint64_t now)
{
    for (size_t at = 0; at < identities->count; at++) {
        struct entry *entry = identities->entries[at], after = *entry;
        if (!entry->old_key || entry->identity.old_until > now)
            continue;
        after.old_key = NULL;
        after.identity.old_until = 0;
        if (files_update(identities, &after, NULL) < 0 || !identities_retire(identities, entry->old_key))
            continue; /* tried again the next time */
        *entry = after;
        entry_expose(entry);
        identities_tell(identities, entry);
    }
}

/* --- in and out --- */

/* Another one of the same key. */
static struct bypeer_key *change_copy_key(const struct bypeer_key *key)
{
    char text[BYPEER_KEY_TEXT_MAX];
    struct bypeer_key *copy = NULL;
    if (bypeer_key_write(key, text) == 0 && bypeer_key_read(&copy, bypeer_key_profile(key), text, strlen(text)) != 0)
        copy = NULL;
    explicit_bzero(text, sizeof(text));
    return copy;
}

static bool change_copy(uint8_t **ret_bytes, size_t *ret_length, const uint8_t *bytes, size_t length)
{
    *ret_bytes = malloc(length);
    if (!*ret_bytes)
        return false;
    memcpy(*ret_bytes, bytes, length);
    *ret_length = length;
    return true;
}

int bypeer_identities_export(const struct bypeer_identities *identities, const struct bypeer_identity *identity,
                             struct bypeer_identity_export *ret_export, struct bypeer_problem *problem)
{
    (void)identities;
    struct bypeer_identity_export given = {.name = identity->name};
    size_t bag_bytes;
    if (identity->is_credential)
        return change_refuse_credential(identity, "exported", problem);
    given.key = change_copy_key(identity->key);
    given.idc = bypeer_certificate_reference(identity->idc);
    bool is_copied = given.key;
    if (identity->rotations) {
        const uint8_t *bag = bypeer_chain_bag(identity->delegation, &bag_bytes);
        is_copied =
            change_copy(&given.rotations, &given.rotations_bytes, identity->rotations, identity->rotations_bytes) &&
            change_copy(&given.delegation, &given.delegation_bytes, bag, bag_bytes) && is_copied;
    }
    if (!is_copied) {
        bypeer_identity_export_release(&given);
        return bypeer_problem_no_memory(problem);
    }
    *ret_export = given;
    return 0;
}

/* Its chain has to let its key publish its names, as its statements have to lead to it. */
static int import_delegation(struct entry *entry, const struct bypeer_identity_export *given, uint64_t now,
                             struct bypeer_problem *problem)
{
    char why[BYPEER_CHAIN_WHY_MAX] = "it has none";
    int result = given->delegation
                     ? bypeer_delegation_validate(entry->identity.profile, given->delegation, given->delegation_bytes,
                                                  &given->name, bypeer_key_public(given->key), now, why, sizeof(why))
                     : -EBADMSG;
    if (result == 0)
        result = bypeer_chain_read(&entry->delegation, entry->identity.profile, given->delegation,
                                   given->delegation_bytes, NULL);
    return result < 0 ? bypeer_problem_set(problem, result, "bad_export",
                                           "export\nits key was replaced, and its delegation is wrong: %s\nexport the "
                                           "identity again",
                                           why)
                      : 0;
}

static int import_fill(struct entry *entry, struct bypeer_identity_export *given, uint64_t now,
                       struct bypeer_problem *problem)
{
    struct bypeer_identity *identity = &entry->identity;
    const char *friendly = bypeer_certificate_facts(given->idc)->subject_friendly;
    identity->profile = bypeer_key_profile(given->key);
    identity->name = given->name;
    identity->created = now;
    bypeer_name_write(&identity->name, identity->name_text);
    if (strcmp(friendly, identity->name_text) != 0)
        snprintf(entry->friendly_given, sizeof(entry->friendly_given), "%s", friendly);
    int result = given->rotations ? import_delegation(entry, given, now, problem) : 0;
    if (result < 0)
        return result;
    entry->key = given->key;
    entry->rotations = given->rotations;
    identity->rotations_bytes = given->rotations_bytes;
    identity->idc = bypeer_certificate_reference(given->idc);
    given->key = NULL;
    given->rotations = NULL;
    return 0;
}

int bypeer_identities_import(struct bypeer_identities *identities, struct bypeer_identity_export *given, uint64_t now,
                             const struct bypeer_identity **ret_identity, struct bypeer_problem *problem)
{
    struct entry *entry = entry_allocate(problem);
    if (!entry)
        return -ENOMEM;
    int result = import_fill(entry, given, now, problem);
    return identities_take(identities, entry, result, ret_identity, problem);
}
