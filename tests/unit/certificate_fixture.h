/* Groups, identities and chains for tests: deterministic but for the keys. */
#pragma once

#include <criterion/criterion.h>
#include <string.h>

#include "overlay/certificate/issue.h"
#include "overlay/identity/identity.h"

#define FIXTURE_NOW  1700000000ull
#define FIXTURE_YEAR 31536000ull

static inline const uint8_t *fixture_random(void)
{
    static uint8_t random[BYPEER_CERTIFICATE_SERIAL] = {0xff, 1};
    random[15]++;
    random[14] = (uint8_t)(random[14] + (random[15] == 0));
    return random;
}

/* Somebody with a key, and the peer name KEY.person. */
struct fixture_person {
    struct bypeer_key *key;
    struct bypeer_peer_name name;
};

static inline struct fixture_person fixture_person(const struct bypeer_profile *profile)
{
    struct fixture_person person;
    struct bypeer_peer_name classifier = {0};
    char why[160];
    cr_assert_eq(bypeer_key_generate(&person.key, profile), 0);
    cr_assert_eq(bypeer_classifier_read(&classifier, "person", why), 0);
    bypeer_identity_name(&person.name, person.key, &classifier);
    return person;
}

/* The chain of a group's root alone. */
static inline struct bypeer_chain *fixture_group(const struct fixture_person *group)
{
    struct bypeer_chain *chain = NULL;
    struct bypeer_peer_name name = group->name;
    const char *why = "";
    cr_assert_eq(bypeer_chain_found(&chain, group->key, &name, "Club", FIXTURE_NOW - 1000, FIXTURE_NOW + FIXTURE_YEAR,
                                    fixture_random(), &why),
                 0, "%s", why);
    return chain;
}

static inline int fixture_try(struct bypeer_chain **ret_chain, const struct bypeer_chain *issuer,
                              const struct fixture_person *from, const struct fixture_person *to, uint32_t roles,
                              const char **ret_why)
{
    static const uint8_t address[16] = {0xfd, 1, 2, 3, 4, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9};
    const struct bypeer_chain_grant grant = {.subject = &to->name,
                                             .friendly = "Sömebody",
                                             .public_key = bypeer_key_public(to->key),
                                             .roles = roles,
                                             .not_before = FIXTURE_NOW - 100,
                                             .not_after = 0,
                                             .address = address,
                                             .random = fixture_random()};
    return bypeer_chain_issue(ret_chain, issuer, from->key, &grant, ret_why);
}

static inline struct bypeer_chain *fixture_issue(const struct bypeer_chain *issuer, const struct fixture_person *from,
                                                 const struct fixture_person *to, uint32_t roles)
{
    struct bypeer_chain *chain = NULL;
    const char *why = "";
    cr_assert_eq(fixture_try(&chain, issuer, from, to, roles, &why), 0, "%s", why);
    return chain;
}
