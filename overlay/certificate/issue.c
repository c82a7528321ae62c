#include "overlay/certificate/issue.h"

#include <errno.h>
#include <string.h>

#include "overlay/certificate/state.h"

/* What members and inviting members get ([MS-PPSEC] 3.1.4.1). */
#define ISSUE_CLASSIFIER "participant"

static int issue_refuse(int status, const char **ret_why, const char *why)
{
    *ret_why = why;
    return status;
}

int bypeer_chain_found(struct bypeer_chain **ret_chain, const struct bypeer_key *group_key,
                       struct bypeer_peer_name *group, const char *friendly, uint64_t not_before, uint64_t not_after,
                       const uint8_t random[static BYPEER_CERTIFICATE_SERIAL], const char **ret_why)
{
    char text[BYPEER_NAME_TEXT_MAX];
    struct bypeer_certificate *root;
    group->secure = true;
    bypeer_key_authority(group_key, group->authority);
    text[bypeer_utf8_write(group->classifier, group->classifier_length, text)] = '\0';
    if (!text[0])
        bypeer_name_write(group, text);
    const struct bypeer_certificate_order order = {.kind = BYPEER_CERTIFICATE_ROOT,
                                                   .issuer_key = group_key,
                                                   .random = random,
                                                   .subject = group,
                                                   .subject_friendly = friendly && *friendly ? friendly : text,
                                                   .not_before = not_before,
                                                   .not_after = not_after};
    int status = bypeer_certificate_make(&root, &order, ret_why);
    if (status != 0)
        return status;
    status = bypeer_chain_make(ret_chain, &root, 1);
    bypeer_certificate_free(root);
    return status;
}

/* Whether the issuer may do this; 0, or as bypeer_chain_issue(). */
static int issue_check(const struct bypeer_chain *issuer, const struct bypeer_key *issuer_key,
                       const struct bypeer_chain_grant *grant, uint64_t not_after, const char **ret_why)
{
    const struct bypeer_certificate_facts *own = bypeer_chain_leaf(issuer);
    const struct bypeer_profile *profile = issuer->profile;
    if (bypeer_key_profile(issuer_key) != profile ||
        memcmp(bypeer_key_public(issuer_key), own->public_key, profile->public_key_bytes) != 0)
        return issue_refuse(-EPERM, ret_why, "the issuer's key is not that of its own membership: renew that first");
    if (issuer->count >= BYPEER_CHAIN_MAX)
        return issue_refuse(-E2BIG, ret_why,
                            "the issuer's chain has 25 certificates, the most: let somebody nearer to the root issue");
    if (own->kind != BYPEER_CERTIFICATE_ROOT && !bypeer_roles_may_issue(own->roles, grant->roles))
        return issue_refuse(-EPERM, ret_why,
                            "the issuer may not give these roles: an administrator gives all, an inviting member makes "
                            "members and inviting members");
    for (size_t at = 0; at < issuer->count; at++) {
        const struct bypeer_certificate_facts *facts = &issuer->certificates[at]->facts;
        if (bypeer_name_is_equal(&facts->subject, grant->subject) ||
            memcmp(facts->public_key, grant->public_key, profile->public_key_bytes) == 0)
            return issue_refuse(-ELOOP, ret_why,
                                "the issuer has its own membership from this member: let somebody nearer to the root "
                                "issue");
    }
    if (not_after > bypeer_chain_not_after(issuer))
        return issue_refuse(-EINVAL, ret_why, "a membership ends no later than its issuer's: shorten it");
    return 0;
}

int bypeer_chain_issue(struct bypeer_chain **ret_chain, const struct bypeer_chain *issuer,
                       const struct bypeer_key *issuer_key, const struct bypeer_chain_grant *grant,
                       const char **ret_why)
{
    char why[160];
    struct bypeer_peer_name participant = {0};
    struct bypeer_certificate *certificates[BYPEER_CHAIN_MAX];
    const struct bypeer_certificate_facts *own = bypeer_chain_leaf(issuer);
    uint64_t not_after = grant->not_after ? grant->not_after : bypeer_chain_not_after(issuer);
    int status = issue_check(issuer, issuer_key, grant, not_after, ret_why);
    if (status != 0)
        return status;
    bypeer_classifier_read(&participant, ISSUE_CLASSIFIER, why);
    const struct bypeer_certificate_order order = {
        .kind = BYPEER_CERTIFICATE_MEMBERSHIP,
        .issuer_key = issuer_key,
        .public_key = grant->public_key,
        .random = grant->random,
        .subject = grant->subject,
        .issuer = &own->subject,
        .group = &own->group,
        .subject_friendly = grant->friendly,
        .issuer_friendly = own->subject_friendly,
        .not_before = grant->not_before > own->not_before ? grant->not_before : own->not_before,
        .not_after = not_after,
        .roles = grant->roles,
        .classifiers = &participant,
        .classifier_count = grant->roles & BYPEER_ROLE_ADMINISTRATOR ? 0 : 1,
        .address = grant->address,
    };
    memcpy(certificates, issuer->certificates, issuer->count * sizeof(certificates[0]));
    status = bypeer_certificate_make(&certificates[issuer->count], &order, ret_why);
    if (status != 0)
        return status;
    status = bypeer_chain_make(ret_chain, certificates, issuer->count + 1);
    bypeer_certificate_free(certificates[issuer->count]);
    return status == -E2BIG ? issue_refuse(status, ret_why, "the chain would be longer than 32768 bytes") : status;
}
