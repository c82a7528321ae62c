#include "overlay/pnrp/chain.h"

#include <errno.h>
#include <openssl/pkcs7.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "overlay/pnrp/chain_certificate.h"

struct chain {
    PKCS7 *bag;
    unsigned count;
    struct chain_certificate certificates[BYPEER_CHAIN_CERTIFICATES_MAX];
};

/* NULL, or what is wrong with the bytes; *ret_at is then the certificate, counted from 1, or 0. */
static const char *chain_read(struct chain *chain, const struct bypeer_profile *profile, const uint8_t *bytes,
                              size_t length, unsigned *ret_at)
{
    const unsigned char *end = bytes;
    *ret_at = 0;
    if (length > BYPEER_CHAIN_BYTES_MAX)
        return "is longer than 32768 bytes";
    chain->bag = d2i_PKCS7(NULL, &end, (long)length);
    if (!chain->bag || end != bytes + length || !PKCS7_type_is_signed(chain->bag) || !chain->bag->d.sign)
        return "is no PKCS#7 SignedData";
    int count = sk_X509_num(chain->bag->d.sign->cert);
    if (count < 1 || count > BYPEER_CHAIN_CERTIFICATES_MAX)
        return "has not 1 to 25 certificates";
    for (int at = 0; at < count; at++) {
        *ret_at = ++chain->count;
        const char *problem =
            chain_certificate_read(&chain->certificates[at], profile, sk_X509_value(chain->bag->d.sign->cert, at));
        if (problem)
            return problem;
    }
    return NULL;
}

static void chain_release(struct chain *chain)
{
    for (unsigned at = 0; at < chain->count; at++)
        chain_certificate_release(&chain->certificates[at]);
    PKCS7_free(chain->bag);
}

static bool chain_is_classifier(const struct bypeer_peer_name *a, const struct bypeer_peer_name *b)
{
    return a->classifier_length == b->classifier_length &&
           memcmp(a->classifier, b->classifier, a->classifier_length * sizeof(a->classifier[0])) == 0;
}

static bool chain_begins_with(const struct bypeer_peer_name *name, const struct bypeer_peer_name *start)
{
    return name->classifier_length >= start->classifier_length &&
           memcmp(name->classifier, start->classifier, start->classifier_length * sizeof(start->classifier[0])) == 0;
}

static bool chain_may_hand_on(const struct chain_certificate *certificate)
{
    return certificate->is_admin || certificate->is_inviting;
}

/*
 * 2.2.3.5: whether a classifier of the holder's, in its role, is covered by a list. Who may hand on may take longer
 * ones, too. The root has no list: there is no restriction.
 */
static bool chain_covers(const struct chain_certificate *list, const struct chain_certificate *holder,
                         const struct bypeer_peer_name *classifier)
{
    if (list->classifier_count == 0)
        return true;
    for (size_t at = 0; at < list->classifier_count; at++) {
        const struct bypeer_peer_name *listed = &list->classifiers[at];
        if (chain_may_hand_on(holder) ? chain_begins_with(classifier, listed) : chain_is_classifier(classifier, listed))
            return true;
    }
    return false;
}

/* Whether all classifiers of holder are covered by list. Having none means all: more than any one, but the empty one.
 */
static bool chain_covers_all(const struct chain_certificate *list, const struct chain_certificate *holder)
{
    static const struct bypeer_peer_name empty;
    if (holder->classifier_count == 0)
        return list->classifier_count == 0 || (chain_may_hand_on(holder) && chain_covers(list, holder, &empty));
    for (size_t at = 0; at < holder->classifier_count; at++)
        if (!chain_covers(list, holder, &holder->classifiers[at]))
            return false;
    return true;
}

static bool chain_is_valid_at(const X509 *x509, time_t now)
{
    return X509_cmp_time(X509_get0_notBefore(x509), &now) < 0 && X509_cmp_time(X509_get0_notAfter(x509), &now) > 0;
}

static bool chain_is_signed_by(X509 *x509, X509 *issuer)
{
    EVP_PKEY *key = X509_get0_pubkey(issuer);
    return key && X509_NAME_cmp(X509_get_issuer_name(x509), X509_get_subject_name(issuer)) == 0 &&
           X509_verify(x509, key) == 1;
}

static const char *chain_check_root(const struct chain_certificate *root, const struct bypeer_profile *profile,
                                    const struct bypeer_peer_name *name)
{
    uint8_t authority[BYPEER_AUTHORITY_BYTES];
    struct bypeer_piece piece = {root->public_key, profile->public_key_bytes};
    bypeer_profile_hash(profile, &piece, 1, authority);
    if (root->type != CHAIN_ROOT)
        return "is first, and no root";
    if (!name->secure || memcmp(authority, name->authority, sizeof(authority)) != 0)
        return "its key is not the name's authority";
    if (!root->has_peer_name || !root->peer_name.secure ||
        memcmp(root->peer_name.authority, authority, sizeof(authority)) != 0)
        return "has no peer name with its key's authority";
    return chain_is_signed_by(root->x509, root->x509) ? NULL : "has not signed itself";
}

static const char *chain_check_link(const struct chain_certificate *certificate, const struct chain_certificate *issuer)
{
    if (certificate->type != CHAIN_MEMBER)
        return "is not first, and no member";
    if (!certificate->has_roles || !certificate->has_classifiers)
        return "has no roles or no classifiers";
    if (!issuer->subject_names || !certificate->issuer_names ||
        ASN1_OCTET_STRING_cmp(issuer->subject_names, certificate->issuer_names) != 0)
        return "its issuer's alternative name is not that of the certificate before it";
    if (!chain_is_signed_by(certificate->x509, issuer->x509))
        return "is not signed by the one before it";
    return NULL;
}

/* A member hands nothing on, and an inviting member makes no admin ([MS-PPSEC] 3.1: else each could make itself one).
 */
static const char *chain_check_delegation(const struct chain_certificate *certificate,
                                          const struct chain_certificate *issuer)
{
    if (issuer->type != CHAIN_ROOT && !chain_may_hand_on(issuer))
        return "is issued by a member";
    if (issuer->type != CHAIN_ROOT && certificate->is_admin && !issuer->is_admin)
        return "is an admin's, and not issued by one";
    if (!chain_covers_all(issuer, certificate))
        return "has classifiers that the one before it has not";
    return NULL;
}

static const char *chain_check_last(const struct chain_certificate *last, const struct chain_certificate *root,
                                    const struct bypeer_profile *profile, const struct bypeer_peer_name *name,
                                    const uint8_t *public_key)
{
    if (!last->has_peer_name || !bypeer_name_is_equal(&last->peer_name, &root->peer_name))
        return "is last, and its peer name is not the root's";
    if (memcmp(last->public_key, public_key, profile->public_key_bytes) != 0)
        return "is last, and its key is not the publisher's";
    return chain_covers(last, last, name) ? NULL : "does not cover this name's classifier";
}

/* 3.1.5.10. NULL, or the rule that is broken, and by which certificate. */
static const char *chain_check(const struct chain *chain, const struct bypeer_profile *profile,
                               const struct bypeer_peer_name *name, const uint8_t *public_key, time_t now,
                               unsigned *ret_at)
{
    const struct chain_certificate *root = &chain->certificates[0], *last = &chain->certificates[chain->count - 1];
    *ret_at = 1;
    const char *problem = chain_check_root(root, profile, name);
    for (unsigned at = 0; at < chain->count && !problem; at++) {
        const struct chain_certificate *certificate = &chain->certificates[at];
        *ret_at = at + 1;
        if (at > 0)
            problem = chain_check_link(certificate, certificate - 1);
        if (at > 0 && !problem)
            problem = chain_check_delegation(certificate, certificate - 1);
        if (!problem && !chain_is_valid_at(certificate->x509, now))
            problem = "is not valid now";
    }
    return problem ? problem : chain_check_last(last, root, profile, name, public_key);
}

int bypeer_chain_validate(const struct bypeer_profile *profile, const uint8_t *bytes, size_t length,
                          const struct bypeer_peer_name *name, const uint8_t *public_key, uint64_t now, char *why,
                          size_t why_bytes)
{
    struct chain chain = {0};
    unsigned at;
    int status = -EBADMSG;
    const char *problem = chain_read(&chain, profile, bytes, length, &at);
    if (!problem) {
        problem = chain_check(&chain, profile, name, public_key, (time_t)now, &at);
        status = problem ? -EKEYREJECTED : 0;
    }
    if (problem && why && at > 0)
        snprintf(why, why_bytes, "certificate %u of the chain %s", at, problem);
    else if (problem && why)
        snprintf(why, why_bytes, "the chain %s", problem);
    chain_release(&chain);
    return status;
}
