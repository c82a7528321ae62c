/* Chains as this node makes them: what they say, and how each fault is told from the others. */
#include <errno.h>
#include <stdlib.h>

#include "tests/unit/certificate_fixture.h"

struct club {
    const struct bypeer_profile *profile;
    struct fixture_person group, admin, inviting, member, other;
    struct bypeer_chain *root, *of_admin, *of_inviting, *of_member;
};

static struct club club_open(enum bypeer_profile_id id)
{
    struct club club = {.profile = bypeer_profile(id)};
    club.group = fixture_person(club.profile);
    club.admin = fixture_person(club.profile);
    club.inviting = fixture_person(club.profile);
    club.member = fixture_person(club.profile);
    club.other = fixture_person(club.profile);
    club.root = fixture_group(&club.group);
    club.of_admin = fixture_issue(club.root, &club.group, &club.admin, BYPEER_ROLE_ADMINISTRATOR);
    club.of_inviting = fixture_issue(club.of_admin, &club.admin, &club.inviting, BYPEER_ROLE_INVITING);
    club.of_member = fixture_issue(club.of_inviting, &club.inviting, &club.member, BYPEER_ROLE_MEMBER);
    return club;
}

static void club_close(struct club *club)
{
    struct bypeer_chain *chains[] = {club->root, club->of_admin, club->of_inviting, club->of_member};
    struct bypeer_key *keys[] = {club->group.key, club->admin.key, club->inviting.key, club->member.key,
                                 club->other.key};
    for (unsigned at = 0; at < 4; at++)
        bypeer_chain_free(chains[at]);
    for (unsigned at = 0; at < 5; at++)
        bypeer_key_free(keys[at]);
}

static struct bypeer_chain_question club_question(const struct club *club)
{
    return (struct bypeer_chain_question){
        .now = FIXTURE_NOW, .group = &club->group.name, .leaf_key = bypeer_key_public(club->member.key)};
}

static void expect(const struct bypeer_chain *chain, const struct bypeer_chain_question *question,
                   enum bypeer_chain_fault fault, int at)
{
    struct bypeer_chain_verdict verdict;
    char text[BYPEER_CHAIN_WHY_MAX];
    bypeer_chain_judge_question(chain, question, &verdict);
    bypeer_chain_explain(&verdict, text);
    cr_assert_eq(verdict.fault, fault, "expected \"%s\": %s", bypeer_chain_fault_text(fault), text);
    if (fault != BYPEER_CHAIN_SOUND)
        cr_assert_eq(verdict.at, at, "%s", text);
}

/* Through a bag and back, as another node gets it. */
static struct bypeer_chain *received(const struct bypeer_chain *chain)
{
    struct bypeer_chain *copy = NULL;
    struct bypeer_chain_verdict verdict;
    size_t length;
    const uint8_t *bag = bypeer_chain_bag(chain, &length);
    cr_assert_eq(bypeer_chain_read(&copy, bypeer_chain_profile(chain), bag, length, &verdict), 0, "%s", verdict.why);
    return copy;
}

Test(certificate, chain_says_what_was_issued)
{
    for (unsigned id = 0; id < BYPEER_PROFILES; id++) {
        struct club club = club_open(id);
        struct bypeer_chain *chain = received(club.of_member);
        const struct bypeer_certificate_facts *leaf = bypeer_chain_leaf(chain), *root = bypeer_chain_at(chain, 0);
        cr_assert_eq(bypeer_chain_length(chain), 4);
        cr_assert_eq(root->kind, BYPEER_CERTIFICATE_ROOT);
        cr_assert_str_eq(root->subject_friendly, "Club");
        cr_assert(bypeer_name_is_equal(&root->subject, &club.group.name));
        cr_assert_eq(leaf->kind, BYPEER_CERTIFICATE_MEMBERSHIP);
        cr_assert_str_eq(leaf->subject_friendly, "Sömebody");
        cr_assert(bypeer_name_is_equal(&leaf->subject, &club.member.name));
        cr_assert(bypeer_name_is_equal(&leaf->issuer, &club.inviting.name));
        cr_assert(bypeer_name_is_equal(&leaf->group, &club.group.name));
        cr_assert_eq(leaf->roles, BYPEER_ROLE_MEMBER);
        cr_assert_eq(bypeer_chain_at(chain, 1)->classifier_count, 0, "an administrator has all classifiers");
        cr_assert_eq(leaf->classifier_count, 1);
        cr_assert_eq(leaf->not_before, FIXTURE_NOW - 100);
        cr_assert_eq(leaf->not_after, FIXTURE_NOW + FIXTURE_YEAR, "as long as the issuer's");
        cr_assert(leaf->has_address && leaf->address[0] == 0xfd && leaf->address[15] == 9);
        cr_assert_lt(leaf->serial[0], 0x80);
        cr_assert_eq(memcmp(leaf->public_key, bypeer_key_public(club.member.key), club.profile->public_key_bytes), 0);
        const struct bypeer_chain_question question = club_question(&club);
        expect(chain, &question, BYPEER_CHAIN_SOUND, 0);
        bypeer_chain_free(chain);
        club_close(&club);
    }
}

Test(certificate, order_of_the_bag_does_not_matter)
{
    struct club club = club_open(BYPEER_PROFILE_MODERN);
    const struct bypeer_chain_question question = club_question(&club);
    static const unsigned orders[][4] = {{3, 2, 1, 0}, {1, 0, 3, 2}, {2, 3, 0, 1}};
    for (unsigned order = 0; order < 3; order++) {
        struct bypeer_certificate *certificates[4];
        struct bypeer_chain *chain = NULL;
        uint8_t *bag;
        size_t length;
        for (unsigned at = 0; at < 4; at++)
            certificates[at] = bypeer_chain_certificate(club.of_member, orders[order][at]);
        cr_assert_eq(bypeer_bag_write(&bag, &length, certificates, 4), 0);
        cr_assert_eq(bypeer_chain_read(&chain, club.profile, bag, length, NULL), 0);
        expect(chain, &question, BYPEER_CHAIN_SOUND, 0);
        bypeer_chain_free(chain);
        free(bag);
    }
    club_close(&club);
}

/* As a membership of that group, now, by that key (or NULL: anybody's). */
static enum bypeer_chain_fault judged(const struct bypeer_chain *chain, const struct bypeer_peer_name *group,
                                      const uint8_t *leaf_key)
{
    const struct bypeer_chain_question question = {.now = FIXTURE_NOW, .group = group, .leaf_key = leaf_key};
    return bypeer_chain_judge_question(chain, &question, NULL);
}

/* A chain of these certificates, as somebody puts it together. */
static struct bypeer_chain *pieced(struct bypeer_certificate *const certificates[], size_t count)
{
    struct bypeer_chain *chain = NULL;
    uint8_t *bag;
    size_t length;
    cr_assert_eq(bypeer_bag_write(&bag, &length, certificates, count), 0);
    cr_assert_eq(bypeer_chain_read(&chain, bypeer_certificate_profile(certificates[0]), bag, length, NULL), 0);
    free(bag);
    return chain;
}

static bool is_admin_revoked(void *context, const struct bypeer_certificate_facts *facts)
{
    return bypeer_name_is_equal(&facts->subject, context);
}

Test(certificate, each_fault_of_what_is_asked_has_its_name)
{
    for (unsigned id = 0; id < BYPEER_PROFILES; id++) {
        struct club club = club_open(id);
        const struct bypeer_chain_question right = club_question(&club);
        struct bypeer_chain_question question = right;
        question.now = FIXTURE_NOW + FIXTURE_YEAR;
        expect(club.of_member, &question, BYPEER_CHAIN_EXPIRED, 0);
        question.now = FIXTURE_NOW - 101;
        expect(club.of_member, &question, BYPEER_CHAIN_NOT_YET, 1);
        question = right;
        question.group = &club.other.name;
        expect(club.of_member, &question, BYPEER_CHAIN_WRONG_GROUP, 0);
        question = right;
        question.leaf_key = bypeer_key_public(club.other.key);
        expect(club.of_member, &question, BYPEER_CHAIN_WRONG_KEY, 3);
        question = right;
        question.leaf_serial = bypeer_chain_at(club.of_member, 2)->serial;
        expect(club.of_member, &question, BYPEER_CHAIN_SERIAL, 3);
        question = right;
        question.is_revoked = is_admin_revoked;
        question.context = &club.admin.name;
        expect(club.of_member, &question, BYPEER_CHAIN_REVOKED, 1);
        cr_assert_eq(judged(club.of_member, &club.group.name, NULL), BYPEER_CHAIN_SOUND);
        club_close(&club);
    }
}

/* A membership made by hand, which the issuer would refuse to make; by default it is right. */
static struct bypeer_certificate *forged(const struct club *club, const struct bypeer_certificate_order *change)
{
    struct bypeer_certificate *certificate = NULL;
    struct bypeer_certificate_order order = *change;
    static struct bypeer_peer_name participant;
    char text[160];
    const char *why = "";
    cr_assert_eq(bypeer_classifier_read(&participant, "participant", text), 0);
    order.kind = BYPEER_CERTIFICATE_MEMBERSHIP;
    order.random = fixture_random();
    if (!order.issuer_key)
        order.issuer_key = club->inviting.key;
    if (!order.public_key)
        order.public_key = bypeer_key_public(club->member.key);
    if (!order.subject)
        order.subject = &club->member.name;
    if (!order.issuer)
        order.issuer = &club->inviting.name;
    if (!order.group)
        order.group = &club->group.name;
    order.subject_friendly = order.issuer_friendly = "Sömebody";
    order.not_before = FIXTURE_NOW - 10;
    order.not_after = FIXTURE_NOW + 10;
    if (!order.roles)
        order.roles = BYPEER_ROLE_MEMBER;
    if (!order.classifiers) {
        order.classifiers = &participant;
        order.classifier_count = 1;
    }
    cr_assert_eq(bypeer_certificate_make(&certificate, &order, &why), 0, "%s", why);
    return certificate;
}

static void expect_forged(const struct club *club, const struct bypeer_certificate_order *change,
                          enum bypeer_chain_fault fault)
{
    struct bypeer_chain_question question = club_question(club);
    question.leaf_key = NULL;
    struct bypeer_certificate *certificates[4];
    for (unsigned at = 0; at < 3; at++)
        certificates[at] = bypeer_chain_certificate(club->of_inviting, at);
    certificates[3] = forged(club, change);
    struct bypeer_chain *chain = pieced(certificates, 4);
    expect(chain, &question, fault, 3);
    bypeer_chain_free(chain);
    bypeer_certificate_free(certificates[3]);
}

Test(certificate, each_fault_of_a_certificate_has_its_name)
{
    for (unsigned id = 0; id < BYPEER_PROFILES; id++) {
        struct club club = club_open(id);
        static struct bypeer_peer_name chairman;
        char why[160];
        cr_assert_eq(bypeer_classifier_read(&chairman, "chairman", why), 0);
        expect_forged(&club, &(struct bypeer_certificate_order){0}, BYPEER_CHAIN_SOUND);
        expect_forged(&club, &(struct bypeer_certificate_order){.issuer_key = club.other.key}, BYPEER_CHAIN_FORGED);
        expect_forged(&club, &(struct bypeer_certificate_order){.issuer = &club.admin.name}, BYPEER_CHAIN_BROKEN);
        expect_forged(&club, &(struct bypeer_certificate_order){.group = &club.other.name}, BYPEER_CHAIN_WRONG_GROUP);
        expect_forged(&club, &(struct bypeer_certificate_order){.roles = BYPEER_ROLE_ADMINISTRATOR}, BYPEER_CHAIN_ROLE);
        expect_forged(&club, &(struct bypeer_certificate_order){.roles = BYPEER_ROLE_MEMBER | BYPEER_ROLE_SUPERNODE},
                      BYPEER_CHAIN_ROLE);
        expect_forged(&club, &(struct bypeer_certificate_order){.classifiers = &chairman, .classifier_count = 1},
                      BYPEER_CHAIN_CLASSIFIER);
        expect_forged(&club, &(struct bypeer_certificate_order){.subject = &club.admin.name}, BYPEER_CHAIN_LOOP);
        expect_forged(&club, &(struct bypeer_certificate_order){.public_key = bypeer_key_public(club.admin.key)},
                      BYPEER_CHAIN_LOOP);
        club_close(&club);
    }
}

Test(certificate, chain_without_its_root_or_its_middle_is_refused)
{
    struct club club = club_open(BYPEER_PROFILE_MODERN);
    const struct bypeer_chain_question question = club_question(&club);
    struct bypeer_certificate *certificates[4];
    for (unsigned at = 0; at < 4; at++)
        certificates[at] = bypeer_chain_certificate(club.of_member, at);
    struct bypeer_chain *headless = pieced(certificates + 1, 3);
    expect(headless, &question, BYPEER_CHAIN_NOT_ROOT, 0);
    certificates[2] = certificates[3];
    struct bypeer_chain *gap = pieced(certificates, 3);
    expect(gap, &question, BYPEER_CHAIN_BROKEN, 2);
    bypeer_chain_free(headless);
    bypeer_chain_free(gap);
    club_close(&club);
}

Test(certificate, chain_has_25_certificates_at_most)
{
    const struct bypeer_profile *profile = bypeer_profile(BYPEER_PROFILE_MODERN);
    struct fixture_person people[BYPEER_CHAIN_MAX + 1];
    struct bypeer_chain *chain, *longer = NULL;
    struct bypeer_certificate *certificates[BYPEER_CHAIN_MAX + 1];
    struct bypeer_chain_verdict verdict;
    const char *why = "";
    for (unsigned at = 0; at <= BYPEER_CHAIN_MAX; at++)
        people[at] = fixture_person(profile);
    chain = fixture_group(&people[0]);
    for (unsigned at = 1; at < BYPEER_CHAIN_MAX; at++) {
        struct bypeer_chain *next = fixture_issue(chain, &people[at - 1], &people[at], BYPEER_ROLE_ADMINISTRATOR);
        bypeer_chain_free(chain);
        chain = next;
    }
    cr_assert_eq(judged(chain, &people[0].name, NULL), BYPEER_CHAIN_SOUND);
    cr_assert_eq(fixture_try(&longer, chain, &people[24], &people[25], BYPEER_ROLE_MEMBER, &why), -E2BIG);

    size_t length;
    uint8_t *bag;
    for (unsigned at = 0; at < BYPEER_CHAIN_MAX; at++)
        certificates[at] = bypeer_chain_certificate(chain, at);
    certificates[BYPEER_CHAIN_MAX] = certificates[1];
    cr_assert_eq(bypeer_bag_write(&bag, &length, certificates, BYPEER_CHAIN_MAX + 1), 0);
    cr_assert_eq(bypeer_chain_read(&longer, profile, bag, length, &verdict), -EBADMSG);
    cr_assert_eq(verdict.fault, BYPEER_CHAIN_TOO_LONG);
    free(bag);
    cr_assert_eq(bypeer_bag_write(&bag, &length, certificates, 0), 0);
    cr_assert_eq(bypeer_chain_read(&longer, profile, bag, length, &verdict), -EBADMSG);
    cr_assert_eq(verdict.fault, BYPEER_CHAIN_EMPTY);
    free(bag);
    bypeer_chain_free(chain);
    for (unsigned at = 0; at <= BYPEER_CHAIN_MAX; at++)
        bypeer_key_free(people[at].key);
}

Test(certificate, issuer_gives_no_more_than_it_may)
{
    static const struct {
        bool by_admin;
        uint32_t roles;
        int status;
    } cases[] = {
        {true, BYPEER_ROLE_ADMINISTRATOR, 0},
        {true, BYPEER_ROLE_MEMBER | BYPEER_ROLE_SUPERNODE, 0},
        {true, 0, -EINVAL},
        {false, BYPEER_ROLE_INVITING | BYPEER_ROLE_MEMBER, 0},
        {false, BYPEER_ROLE_ADMINISTRATOR, -EPERM},
        {false, BYPEER_ROLE_MEMBER | BYPEER_ROLE_SUPERNODE, -EPERM},
    };
    struct club club = club_open(BYPEER_PROFILE_MODERN);
    const char *why = "";
    for (unsigned at = 0; at < sizeof(cases) / sizeof(cases[0]); at++) {
        struct bypeer_chain *chain = NULL;
        int status = fixture_try(&chain, cases[at].by_admin ? club.of_admin : club.of_inviting,
                                 cases[at].by_admin ? &club.admin : &club.inviting, &club.other, cases[at].roles, &why);
        cr_assert_eq(status, cases[at].status, "case %u: %d, %s", at, status, why);
        bypeer_chain_free(chain);
    }
    struct bypeer_chain *chain = NULL;
    cr_assert_eq(fixture_try(&chain, club.of_member, &club.member, &club.other, BYPEER_ROLE_MEMBER, &why), -EPERM,
                 "a member issues nothing");
    cr_assert_eq(fixture_try(&chain, club.of_admin, &club.inviting, &club.other, BYPEER_ROLE_MEMBER, &why), -EPERM,
                 "another's chain");
    cr_assert_eq(fixture_try(&chain, club.of_inviting, &club.inviting, &club.admin, BYPEER_ROLE_MEMBER, &why), -ELOOP);
    club_close(&club);
}

/* A rotated key: the same name and a later start. The chain is of the new key, and of it alone. */
Test(certificate, membership_moves_to_a_new_key_and_keeps_its_name)
{
    struct club club = club_open(BYPEER_PROFILE_MODERN);
    struct fixture_person moved = {.key = club.other.key, .name = club.member.name};
    struct bypeer_chain *chain = fixture_issue(club.of_inviting, &club.inviting, &moved, BYPEER_ROLE_MEMBER);
    cr_assert_eq(judged(chain, &club.group.name, bypeer_key_public(club.other.key)), BYPEER_CHAIN_SOUND);
    cr_assert_eq(judged(chain, &club.group.name, bypeer_key_public(club.member.key)), BYPEER_CHAIN_WRONG_KEY);
    cr_assert(bypeer_name_is_equal(&bypeer_chain_leaf(chain)->subject, &club.member.name));
    bypeer_chain_free(chain);
    club_close(&club);
}

Test(certificate, changed_bytes_are_never_a_sound_chain_of_other_facts)
{
    struct club club = club_open(BYPEER_PROFILE_MODERN);
    const struct bypeer_chain_question question = club_question(&club);
    size_t length;
    const uint8_t *bag = bypeer_chain_bag(club.of_member, &length);
    uint8_t *bytes = malloc(length);
    unsigned sound = 0;
    for (size_t at = 0; at < length; at++) {
        struct bypeer_chain *chain = NULL;
        memcpy(bytes, bag, length);
        bytes[at] ^= 1;
        if (bypeer_chain_read(&chain, club.profile, bytes, length, NULL) != 0)
            continue;
        sound += bypeer_chain_judge_question(chain, &question, NULL) == BYPEER_CHAIN_SOUND;
        bypeer_chain_free(chain);
    }
    cr_assert_lt(sound, 32, "%u of %zu bytes mean nothing", sound, length);
    free(bytes);
    club_close(&club);
}

Test(certificate, roles_have_names)
{
    uint32_t roles;
    char text[BYPEER_ROLES_TEXT_MAX];
    cr_assert_eq(bypeer_roles_read(&roles, "supernode,member"), 0);
    cr_assert_eq(roles, BYPEER_ROLE_MEMBER | BYPEER_ROLE_SUPERNODE);
    bypeer_roles_write(BYPEER_ROLES_ALL, text);
    cr_assert_str_eq(text, "administrator,inviting,member,supernode");
    cr_assert_eq(bypeer_roles_read(&roles, "king"), -EINVAL);
    cr_assert_eq(bypeer_roles_read(&roles, ""), -EINVAL);
    cr_assert_eq(bypeer_roles_read(&roles, "member,"), -EINVAL);
}

/* Windows has the first three numbers of a UUID in its own byte order. */
Test(certificate, roles_are_known_in_both_byte_orders)
{
    static const uint8_t member[16] = {0xf1, 0x2d, 0xc4, 0xc7, 0x08, 0x57, 0x4c, 0xa0,
                                       0x93, 0xfc, 0xb1, 0xbb, 0x19, 0xa3, 0xd8, 0xc2};
    static const uint8_t mixed[16] = {0xc7, 0xc4, 0x2d, 0xf1, 0x57, 0x08, 0xa0, 0x4c,
                                      0x93, 0xfc, 0xb1, 0xbb, 0x19, 0xa3, 0xd8, 0xc2};
    cr_assert_eq(bypeer_role_of_uuid(member), BYPEER_ROLE_MEMBER);
    cr_assert_eq(bypeer_role_of_uuid(mixed), BYPEER_ROLE_MEMBER);
    cr_assert_eq(memcmp(bypeer_role_uuid(BYPEER_ROLE_MEMBER), member, 16), 0);
}
