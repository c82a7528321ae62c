/* The identities of a node: what is on disk after each change, after a restart, and after an accident. */
#include <criterion/criterion.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/identity/identities.h"
#include "overlay/pnrp/delegation.h"

#define NOW      1700000000ull
#define PASSWORD "correct horse"

static char state[64], credentials[80];
static struct bypeer_identities *identities;
static struct bypeer_problem problem;
static const struct bypeer_profile *modern;

static void reopen(uint64_t now)
{
    bypeer_identities_close(identities);
    cr_assert_eq(
        bypeer_identities_open(&identities, state, access(credentials, F_OK) == 0 ? credentials : NULL, now, &problem),
        0);
}

static void begin(void)
{
    snprintf(state, sizeof(state), "/tmp/bypeer-identities-XXXXXX");
    cr_assert_not_null(mkdtemp(state));
    snprintf(credentials, sizeof(credentials), "%s/credentials", state);
    modern = bypeer_profile(BYPEER_PROFILE_MODERN);
    reopen(NOW);
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *where)
{
    (void)status;
    (void)type;
    (void)where;
    return remove(path);
}

static void end(void)
{
    bypeer_identities_close(identities);
    identities = NULL;
    nftw(state, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

TestSuite(identities, .init = begin, .fini = end, .timeout = 60);

static const struct bypeer_identity *create(const char *classifier, const char *friendly)
{
    const struct bypeer_identity *identity = NULL;
    cr_assert_eq(bypeer_identities_create(identities, modern, classifier, friendly, NOW, &identity, &problem), 0, "%s",
                 problem.value);
    return identity;
}

static const struct bypeer_identity *find(const char *text)
{
    const struct bypeer_identity *identity = bypeer_identities_find(identities, text, &problem);
    cr_assert_not_null(identity, "%s: %s", text, problem.value);
    return identity;
}

static unsigned mode_of(const char *path)
{
    struct stat status;
    cr_assert_eq(stat(path, &status), 0, "%s", path);
    return status.st_mode & 0777;
}

static void key_path(const struct bypeer_identity *identity, const struct bypeer_key *key, char path[static 256])
{
    uint8_t hash[20];
    size_t length = (size_t)snprintf(path, 256, "%s/identities/%.40s/", state, identity->name_text);
    bypeer_key_authority(key, hash);
    for (unsigned at = 0; at < sizeof(hash); at++)
        length += (size_t)snprintf(path + length, 256 - length, "%02x", hash[at]);
    snprintf(path + length, 256 - length, ".pem");
}

Test(identities, come_back_after_a_restart)
{
    char name[BYPEER_NAME_TEXT_MAX], path[256];
    uint8_t public_key[32];
    const struct bypeer_identity *identity = create("desk", "Ada Löwe");
    snprintf(name, sizeof(name), "%s", identity->name_text);
    memcpy(public_key, bypeer_key_public(identity->key), sizeof(public_key));
    key_path(identity, identity->key, path);
    cr_assert_eq(mode_of(path), 0600);
    *strrchr(path, '/') = '\0';
    cr_assert_eq(mode_of(path), 0700);
    create("other", NULL);
    reopen(NOW + 1);
    cr_assert_eq(bypeer_identities_count(identities), 2);
    identity = find(name);
    cr_assert_str_eq(identity->friendly, "Ada Löwe");
    cr_assert_str_eq(strchr(name, '.'), ".desk");
    cr_assert_eq(identity->created, NOW);
    cr_assert(identity->is_default, "the first is the default");
    cr_assert_eq(memcmp(bypeer_key_public(identity->key), public_key, sizeof(public_key)), 0);
    cr_assert_eq(find("Ada Löwe"), identity);
    name[40] = '\0';
    cr_assert_eq(find(name), identity, "by its authority");
}

Test(identities, default_is_made_once_and_can_be_chosen)
{
    cr_assert_null(bypeer_identities_default(identities, modern, false, NOW, &problem));
    cr_assert_eq(problem.error, -ENOENT);
    const struct bypeer_identity *first = bypeer_identities_default(identities, modern, true, NOW, &problem);
    cr_assert_eq(bypeer_identities_default(identities, modern, true, NOW, &problem), first);
    const struct bypeer_identity *second = create("two", NULL);
    cr_assert(!second->is_default);
    cr_assert_eq(bypeer_identities_set_default(identities, second, &problem), 0);
    reopen(NOW);
    cr_assert_str_eq(strchr(bypeer_identities_default(identities, modern, false, NOW, &problem)->name_text, '.'),
                     ".two");
    const struct bypeer_identity *old =
        bypeer_identities_default(identities, bypeer_profile(BYPEER_PROFILE_WINDOWS), true, NOW, &problem);
    cr_assert(old && old->is_default, "each profile has its own");
}

Test(identities, what_cannot_be_is_refused)
{
    char long_name[200];
    memset(long_name, 'x', sizeof(long_name) - 1);
    long_name[sizeof(long_name) - 1] = '\0';
    cr_assert_eq(bypeer_identities_create(identities, modern, long_name, NULL, NOW, NULL, &problem), -EINVAL);
    cr_assert_eq(bypeer_identities_create(identities, modern, "a", "\xff\xff", NOW, NULL, &problem), -EINVAL);
    cr_assert_eq(bypeer_identities_count(identities), 0);
    cr_assert_null(bypeer_identities_find(identities, "nobody", &problem));
    create("a", "Twin");
    create("b", "Twin");
    cr_assert_null(bypeer_identities_find(identities, "Twin", &problem));
    cr_assert_str_eq(problem.key, "ambiguous_identity");
}

Test(identities, rename_changes_the_certificate_and_not_the_name)
{
    const struct bypeer_identity *identity = create("desk", "Ada");
    char name[BYPEER_NAME_TEXT_MAX];
    snprintf(name, sizeof(name), "%s", identity->name_text);
    cr_assert_eq(bypeer_identities_rename(identities, identity, "Eve", NOW, &problem), 0);
    cr_assert_str_eq(bypeer_certificate_facts(identity->idc)->subject_friendly, "Eve");
    cr_assert_eq(bypeer_identities_rename(identities, identity, "\xff", NOW, &problem), -EINVAL);
    reopen(NOW);
    identity = find(name);
    cr_assert_str_eq(identity->friendly, "Eve");
    cr_assert_eq(bypeer_identities_rename(identities, identity, NULL, NOW, &problem), 0);
    cr_assert_str_eq(identity->friendly, name);
}

static int refuse(void *context, const struct bypeer_identity *identity, struct bypeer_problem *ret_problem)
{
    (void)context;
    return bypeer_problem_set(ret_problem, -EBUSY, "in_use", "identity %.80s\nis in use\n", identity->name_text);
}

Test(identities, deleted_ones_are_gone_with_their_key)
{
    const struct bypeer_identity *identity = create("desk", NULL);
    char path[256], name[BYPEER_NAME_TEXT_MAX];
    const struct bypeer_identities_guard guard = {.context = &problem, .may_delete = refuse};
    snprintf(name, sizeof(name), "%s", identity->name_text);
    key_path(identity, identity->key, path);
    bypeer_identities_guard(identities, &guard);
    cr_assert_eq(bypeer_identities_delete(identities, identity, &problem), -EBUSY);
    cr_assert_eq(access(path, F_OK), 0);
    bypeer_identities_unguard(identities, &problem);
    cr_assert_eq(bypeer_identities_delete(identities, identity, &problem), 0);
    cr_assert_neq(access(path, F_OK), 0);
    reopen(NOW);
    cr_assert_eq(bypeer_identities_count(identities), 0);
    cr_assert_null(bypeer_identities_default(identities, modern, false, NOW, &problem));
}

static unsigned told;

static void count_change(void *context, const struct bypeer_identity *identity)
{
    (void)context;
    (void)identity;
    told++;
}

/* Both keys at first, then the new one alone; always the same name, which names publish by a delegation. */
Test(identities, replaced_key_overlaps_and_keeps_the_name)
{
    const struct bypeer_identity *identity = create("desk", "Ada");
    const struct bypeer_identities_guard guard = {.context = &told, .changed = count_change};
    char name[BYPEER_NAME_TEXT_MAX], path[256], why[160] = "";
    snprintf(name, sizeof(name), "%s", identity->name_text);
    key_path(identity, identity->key, path);
    bypeer_identities_guard(identities, &guard);
    for (unsigned turn = 1; turn <= 3; turn++) {
        uint64_t now = NOW + turn * 1000;
        uint8_t before[32];
        size_t length;
        memcpy(before, bypeer_key_public(identity->key), sizeof(before));
        cr_assert_eq(bypeer_identities_rotate(identities, identity, 500, now, &problem), 0, "%s", problem.value);
        cr_assert_eq(told, 2 * turn - 1);
        cr_assert_eq(bypeer_identities_rotate(identities, identity, 500, now, &problem), -EBUSY,
                     "not while the overlap lasts");
        reopen(now + 1);
        bypeer_identities_guard(identities, &guard);
        identity = find(name);
        cr_assert_eq(identity->rotation_count, turn);
        cr_assert_eq(memcmp(bypeer_key_public(identity->old_key), before, sizeof(before)), 0);
        cr_assert_neq(memcmp(bypeer_key_public(identity->key), before, sizeof(before)), 0);
        cr_assert_eq(bypeer_rotations_follow(modern, identity->name.authority, identity->rotations,
                                             identity->rotations_bytes, bypeer_key_public(identity->key), NULL),
                     0);
        const uint8_t *bag = bypeer_chain_bag(identity->delegation, &length);
        cr_assert_eq(bypeer_delegation_validate(modern, bag, length, &identity->name, bypeer_key_public(identity->key),
                                                now, why, sizeof(why)),
                     0, "%s", why);
        cr_assert_eq(bypeer_delegation_validate(modern, bag, length, &identity->name, before, now, why, sizeof(why)),
                     -EKEYREJECTED);
        bypeer_identities_expire(identities, now + 500);
        cr_assert_null(identity->old_key);
        cr_assert_eq(told, 2 * turn);
    }
    cr_assert_neq(access(path, F_OK), 0, "the first key is gone");
    cr_assert_str_eq(identity->name_text, name);
}

Test(identities, export_is_taken_over_elsewhere_with_its_history)
{
    const struct bypeer_identity *identity = create("desk", "Ada");
    struct bypeer_identity_export given;
    char name[BYPEER_NAME_TEXT_MAX], *text, why[160];
    snprintf(name, sizeof(name), "%s", identity->name_text);
    cr_assert_eq(bypeer_identities_rotate(identities, identity, 10, NOW, &problem), 0);
    cr_assert_eq(bypeer_identities_export(identities, identity, &given, &problem), 0);
    cr_assert_eq(bypeer_identity_export_write(&text, &given, PASSWORD, why), 0);
    bypeer_identity_export_release(&given);

    cr_assert_eq(bypeer_identity_export_read(&given, text, strlen(text), PASSWORD, why), 0, "%s", why);
    cr_assert_eq(bypeer_identities_import(identities, &given, NOW, NULL, &problem), -EEXIST);
    bypeer_identity_export_release(&given);
    cr_assert_eq(bypeer_identities_delete(identities, identity, &problem), 0);
    cr_assert_eq(bypeer_identity_export_read(&given, text, strlen(text), PASSWORD, why), 0, "%s", why);
    cr_assert_eq(bypeer_identities_import(identities, &given, NOW, &identity, &problem), 0, "%s", problem.value);
    bypeer_identity_export_release(&given);
    reopen(NOW);
    identity = find(name);
    cr_assert_str_eq(identity->friendly, "Ada");
    cr_assert_eq(identity->rotation_count, 1);
    cr_assert_not_null(identity->delegation);
    free(text);
}

/* A key that is damaged is told about, and nothing takes its place. */
Test(identities, unreadable_one_is_not_replaced)
{
    const struct bypeer_identity *identity = create("desk", NULL);
    const struct bypeer_problem *why = NULL;
    char path[256];
    key_path(identity, identity->key, path);
    create("fine", NULL);
    FILE *file = fopen(path, "we");
    fputs("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", file);
    fclose(file);
    reopen(NOW);
    cr_assert_eq(bypeer_identities_count(identities), 1);
    cr_assert_not_null(bypeer_identities_unreadable(identities, 0, &why));
    cr_assert_not_null(strstr(why->thing, path));
    cr_assert_null(bypeer_identities_default(identities, modern, true, NOW, &problem));
    cr_assert_not_null(strstr(problem.thing, path));
}

/* What a crash leaves behind: a folder that was being made, one that was being deleted, a key that never counted. */
Test(identities, leftovers_of_a_crash_do_not_count)
{
    const struct bypeer_identity *identity = create("desk", NULL);
    char path[256];
    const char *const leftovers[] = {".new.0123456789012345678901234567890123456789",
                                     ".gone.0123456789012345678901234567890123456789"};
    for (unsigned at = 0; at < 2; at++) {
        snprintf(path, sizeof(path), "%s/identities/%s", state, leftovers[at]);
        cr_assert_eq(mkdir(path, 0700), 0);
        snprintf(path, sizeof(path), "%s/identities/%s/x.pem", state, leftovers[at]);
        FILE *file = fopen(path, "we");
        fclose(file);
    }
    (void)identity;
    reopen(NOW);
    cr_assert_eq(bypeer_identities_count(identities), 1);
    for (unsigned at = 0; at < 2; at++) {
        snprintf(path, sizeof(path), "%s/identities/%s", state, leftovers[at]);
        cr_assert_neq(access(path, F_OK), 0);
    }
}

Test(identities, credential_is_an_identity_whose_key_is_not_written)
{
    const struct bypeer_identity *identity = create("desk", NULL);
    char from[256], to[256], authority[41];
    snprintf(authority, sizeof(authority), "%.40s", identity->name_text);
    key_path(identity, identity->key, from);
    cr_assert_eq(mkdir(credentials, 0700), 0);
    snprintf(to, sizeof(to), "%s/identity.server.pem", credentials);
    cr_assert_eq(rename(from, to), 0);
    snprintf(to, sizeof(to), "%s/identities/%s", state, authority);
    nftw(to, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    reopen(NOW);
    identity = find("server");
    cr_assert_eq(strncmp(identity->name_text, authority, 40), 0);
    cr_assert(identity->is_credential);
    cr_assert(identity->is_default, "as it was");
    cr_assert_neq(access(from, F_OK), 0);
    cr_assert_eq(bypeer_identities_delete(identities, identity, &problem), -EPERM);
    cr_assert_eq(bypeer_identities_rotate(identities, identity, 1, NOW, &problem), -EPERM);
    struct bypeer_identity_export given;
    cr_assert_eq(bypeer_identities_export(identities, identity, &given, &problem), -EPERM);
}
