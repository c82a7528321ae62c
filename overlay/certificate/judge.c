/*
 * The rules of a chain. What costs little is asked of all certificates first: a stranger's rubbish is to take no
 * signature's time.
 */
#include <string.h>

#include "overlay/certificate/state.h"

static bool judge_is_classifier(const struct bypeer_peer_name *a, const struct bypeer_peer_name *b)
{
    return a->classifier_length == b->classifier_length &&
           memcmp(a->classifier, b->classifier, a->classifier_length * sizeof(a->classifier[0])) == 0;
}

static bool judge_begins_with(const struct bypeer_peer_name *name, const struct bypeer_peer_name *start)
{
    return name->classifier_length >= start->classifier_length &&
           memcmp(name->classifier, start->classifier, start->classifier_length * sizeof(start->classifier[0])) == 0;
}

static bool judge_may_hand_on(const struct bypeer_certificate_facts *facts)
{
    return facts->roles & (BYPEER_ROLE_ADMINISTRATOR | BYPEER_ROLE_INVITING);
}

/*
 * [MS-PNRP] 2.2.3.5: whether a classifier of the holder's, in its role, is covered by a list. Who may hand on may take
 * longer ones, too. The root has no list: there is no restriction.
 */
static bool judge_covers(const struct bypeer_certificate_facts *list, const struct bypeer_certificate_facts *holder,
                         const struct bypeer_peer_name *classifier)
{
    if (list->classifier_count == 0)
        return true;
    for (size_t at = 0; at < list->classifier_count; at++) {
        const struct bypeer_peer_name *listed = &list->classifiers[at];
        if (judge_may_hand_on(holder) ? judge_begins_with(classifier, listed) : judge_is_classifier(classifier, listed))
            return true;
    }
    return false;
}

/* Whether all classifiers of holder are covered by list. Having none means all: more than any one, but the empty one.
 */
static bool judge_covers_all(const struct bypeer_certificate_facts *list, const struct bypeer_certificate_facts *holder)
{
    static const struct bypeer_peer_name empty;
    if (holder->classifier_count == 0)
        return list->classifier_count == 0 || (judge_may_hand_on(holder) && judge_covers(list, holder, &empty));
    for (size_t at = 0; at < holder->classifier_count; at++)
        if (!judge_covers(list, holder, &holder->classifiers[at]))
            return false;
    return true;
}

bool bypeer_chain_covers(const struct bypeer_chain *chain, const struct bypeer_peer_name *classifier)
{
    const struct bypeer_certificate_facts *leaf = bypeer_chain_leaf(chain);
    return judge_covers(leaf, leaf, classifier);
}

static enum bypeer_chain_fault judge_time(const struct bypeer_certificate_facts *facts, uint64_t now)
{
    if (now < facts->not_before)
        return BYPEER_CHAIN_NOT_YET;
    return now < facts->not_after ? BYPEER_CHAIN_SOUND : BYPEER_CHAIN_EXPIRED;
}

/* Whether a key hashes to the name's authority. */
static bool judge_is_key_of(const struct bypeer_profile *profile, const uint8_t *public_key,
                            const struct bypeer_peer_name *name)
{
    uint8_t authority[BYPEER_AUTHORITY_BYTES];
    bypeer_profile_hash(profile, &(struct bypeer_piece){public_key, profile->public_key_bytes}, 1, authority);
    return name->secure && memcmp(authority, name->authority, sizeof(authority)) == 0;
}

static enum bypeer_chain_fault judge_root(const struct bypeer_certificate *root,
                                          const struct bypeer_chain_question *question)
{
    if (root->facts.kind != BYPEER_CERTIFICATE_ROOT)
        return BYPEER_CHAIN_NOT_ROOT;
    if (!root->has_group || !judge_is_key_of(root->profile, root->facts.public_key, &root->facts.group) ||
        (question->group && !bypeer_name_is_equal(&root->facts.group, question->group)))
        return BYPEER_CHAIN_WRONG_GROUP;
    if (!question->is_delegation && !bypeer_name_is_equal(&root->facts.subject, &root->facts.group))
        return BYPEER_CHAIN_BROKEN;
    return BYPEER_CHAIN_SOUND;
}

static enum bypeer_chain_fault judge_link(const struct bypeer_certificate *certificate,
                                          const struct bypeer_certificate *issuer)
{
    const struct bypeer_certificate_facts *facts = &certificate->facts;
    if (facts->kind != BYPEER_CERTIFICATE_MEMBERSHIP)
        return BYPEER_CHAIN_NOT_ROOT;
    if (!issuer->subject_names || !certificate->issuer_names ||
        ASN1_OCTET_STRING_cmp(issuer->subject_names, certificate->issuer_names) != 0)
        return BYPEER_CHAIN_BROKEN;
    /* A member hands nothing on, and an inviting member makes no administrator: else each could make itself one. */
    if (!certificate->has_roles ||
        (issuer->facts.kind != BYPEER_CERTIFICATE_ROOT && !bypeer_roles_may_issue(issuer->facts.roles, facts->roles)))
        return BYPEER_CHAIN_ROLE;
    if (!certificate->has_classifiers || !judge_covers_all(&issuer->facts, facts))
        return BYPEER_CHAIN_CLASSIFIER;
    return BYPEER_CHAIN_SOUND;
}

/* What a group asks beyond a delegation. */
static enum bypeer_chain_fault judge_membership(const struct bypeer_chain *chain, size_t at)
{
    const struct bypeer_certificate *certificate = chain->certificates[at];
    const struct bypeer_certificate_facts *facts = &certificate->facts;
    if (!certificate->has_group || !bypeer_name_is_equal(&facts->group, &chain->certificates[0]->facts.group))
        return BYPEER_CHAIN_WRONG_GROUP;
    if (!facts->subject.secure)
        return BYPEER_CHAIN_BROKEN;
    if (at > 0 && facts->roles == 0)
        return BYPEER_CHAIN_ROLE;
    if (!facts->has_purpose)
        return BYPEER_CHAIN_PURPOSE;
    for (size_t before = 0; before < at; before++) {
        const struct bypeer_certificate_facts *other = &chain->certificates[before]->facts;
        if (bypeer_name_is_equal(&facts->subject, &other->subject) ||
            memcmp(facts->public_key, other->public_key, chain->profile->public_key_bytes) == 0)
            return BYPEER_CHAIN_LOOP;
    }
    return BYPEER_CHAIN_SOUND;
}

static enum bypeer_chain_fault judge_certificate(const struct bypeer_chain *chain, size_t at,
                                                 const struct bypeer_chain_question *question)
{
    const struct bypeer_certificate *certificate = chain->certificates[at];
    enum bypeer_chain_fault fault =
        at == 0 ? judge_root(certificate, question) : judge_link(certificate, chain->certificates[at - 1]);
    if (fault == BYPEER_CHAIN_SOUND && !question->is_delegation)
        fault = judge_membership(chain, at);
    if (fault == BYPEER_CHAIN_SOUND)
        fault = judge_time(&certificate->facts, question->now);
    if (fault == BYPEER_CHAIN_SOUND && question->is_revoked &&
        question->is_revoked(question->context, &certificate->facts))
        fault = BYPEER_CHAIN_REVOKED;
    return fault;
}

static enum bypeer_chain_fault judge_leaf(const struct bypeer_chain *chain,
                                          const struct bypeer_chain_question *question)
{
    const struct bypeer_certificate *leaf = chain->certificates[chain->count - 1];
    if (!leaf->has_group || !bypeer_name_is_equal(&leaf->facts.group, &chain->certificates[0]->facts.group))
        return BYPEER_CHAIN_WRONG_GROUP;
    if (question->leaf_key && memcmp(leaf->facts.public_key, question->leaf_key, chain->profile->public_key_bytes) != 0)
        return BYPEER_CHAIN_WRONG_KEY;
    if (question->leaf_serial && memcmp(leaf->facts.serial, question->leaf_serial, BYPEER_CERTIFICATE_SERIAL) != 0)
        return BYPEER_CHAIN_SERIAL;
    return BYPEER_CHAIN_SOUND;
}

static enum bypeer_chain_fault judge_signature(const struct bypeer_chain *chain, size_t at)
{
    const struct bypeer_certificate *issuer = chain->certificates[at == 0 ? 0 : at - 1];
    return bypeer_certificate_is_signed_by(chain->certificates[at], issuer) ? BYPEER_CHAIN_SOUND : BYPEER_CHAIN_FORGED;
}

enum bypeer_chain_fault bypeer_chain_judge_question(const struct bypeer_chain *chain,
                                                    const struct bypeer_chain_question *question,
                                                    struct bypeer_chain_verdict *ret_verdict)
{
    enum bypeer_chain_fault fault = BYPEER_CHAIN_SOUND;
    size_t at;
    for (at = 0; at < chain->count && fault == BYPEER_CHAIN_SOUND; at++)
        fault = judge_certificate(chain, at, question);
    if (fault == BYPEER_CHAIN_SOUND)
        fault = judge_leaf(chain, question);
    if (fault == BYPEER_CHAIN_SOUND)
        for (at = 0; at < chain->count && fault == BYPEER_CHAIN_SOUND; at++)
            fault = judge_signature(chain, at);
    if (ret_verdict)
        *ret_verdict = (struct bypeer_chain_verdict){fault, (int)at - 1, bypeer_chain_fault_text(fault)};
    return fault;
}

enum bypeer_chain_fault bypeer_certificate_judge_identity(const struct bypeer_certificate *certificate, uint64_t now)
{
    const struct bypeer_certificate_facts *facts = &certificate->facts;
    if (facts->kind != BYPEER_CERTIFICATE_IDENTITY)
        return BYPEER_CHAIN_NOT_ROOT;
    if (!judge_is_key_of(certificate->profile, facts->public_key, &facts->subject))
        return BYPEER_CHAIN_WRONG_KEY;
    if (!facts->has_purpose)
        return BYPEER_CHAIN_PURPOSE;
    enum bypeer_chain_fault fault = now > 0 ? judge_time(facts, now) : BYPEER_CHAIN_SOUND;
    if (fault == BYPEER_CHAIN_SOUND && !bypeer_certificate_is_signed_by(certificate, certificate))
        fault = BYPEER_CHAIN_FORGED;
    return fault;
}
