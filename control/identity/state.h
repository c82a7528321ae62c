/* Private to control/identity: an identity and its files. */
#pragma once

#include "control/identity/identities.h"

#define IDENTITIES_PATH   384
#define IDENTITIES_GUARDS 4
#define AUTHORITY_TEXT    (2 * BYPEER_AUTHORITY_BYTES + 1)

struct entry {
    struct bypeer_identity identity; /* first; its pointers go to what is owned here */
    struct bypeer_key *key, *old_key;
    struct bypeer_chain *delegation;
    uint8_t *rotations;
    char friendly_given[BYPEER_FRIENDLY_NAME_TEXT_MAX]; /* "" if none was */
    char authority[AUTHORITY_TEXT];
};

struct unreadable {
    char what[IDENTITIES_PATH];
    struct bypeer_problem problem;
};

struct bypeer_identities {
    char state[256], folder[288], credentials[256];
    struct entry *entries[BYPEER_IDENTITIES_MAX];
    size_t count;
    struct unreadable *unreadable[BYPEER_IDENTITIES_MAX];
    size_t unreadable_count;
    /* Keys that are not used any more, for threads that still sign with them. */
    struct bypeer_key **retired;
    size_t retired_count;
    struct bypeer_identities_guard guards[IDENTITIES_GUARDS];
    size_t guard_count;
};

/* Sets the public view from what is owned; friendly from friendly_given. */
void entry_expose(struct entry *entry);
struct entry *entry_allocate(struct bypeer_problem *problem); /* NULL: no memory, and the problem says so */
void entry_free(struct entry *entry);
/* The entry of what the store gave out. */
struct entry *identities_entry(struct bypeer_identities *identities, const struct bypeer_identity *identity);
/* A new certificate for the entry's key. 0 or negative with the problem. */
int entry_certify(struct bypeer_certificate **ret_idc, const struct entry *entry, const struct bypeer_key *key,
                  const char *friendly, uint64_t now, struct bypeer_problem *problem);
/* Keeps a key until the store is closed. False: memory is short, and the key is still the caller's. */
bool identities_retire(struct bypeer_identities *identities, struct bypeer_key *key);
void identities_tell(struct bypeer_identities *identities, const struct entry *entry);
/* Takes a new entry over and adds it, its files too. result: of what made it; below 0 the entry is freed, and it is
 * returned. ret_identity may be NULL. */
int identities_take(struct bypeer_identities *identities, struct entry *entry, int result,
                    const struct bypeer_identity **ret_identity, struct bypeer_problem *problem);

/* --- files.c --- */

/* Reads the identity of that authority. 0 or negative with the problem. */
int files_read(struct entry *entry, const struct bypeer_identities *identities, const char *authority, uint64_t now,
               struct bypeer_problem *problem);
/* A new directory with all that is the entry's. */
int files_make(const struct bypeer_identities *identities, const struct entry *entry, struct bypeer_problem *problem);
/* After a change: a key that is not there yet, then identity.json; then keys that count no more go. */
int files_update(const struct bypeer_identities *identities, const struct entry *entry, struct bypeer_problem *problem);
int files_remove(const struct bypeer_identities *identities, const struct entry *entry, struct bypeer_problem *problem);
/* Of the default identity of a profile: 1 with its authority, 0: none is named; negative with the problem. */
int files_default(const struct bypeer_identities *identities, const struct bypeer_profile *profile,
                  char ret_authority[static AUTHORITY_TEXT], struct bypeer_problem *problem);
int files_set_default(const struct bypeer_identities *identities, const struct bypeer_profile *profile,
                      const char *authority, struct bypeer_problem *problem); /* NULL: none */
/* A key in PEM, of whichever profile it is. */
int files_read_key(struct bypeer_key **ret_key, const char *path, struct bypeer_problem *problem);
/* Takes away what a crash left behind. */
void files_clean(const struct bypeer_identities *identities);
