#include "overlay/certificate/chain.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "overlay/certificate/state.h"

static const char *const fault_texts[BYPEER_CHAIN_FAULTS] = {
    [BYPEER_CHAIN_SOUND] = "is sound",
    [BYPEER_CHAIN_MALFORMED] = "is malformed",
    [BYPEER_CHAIN_EMPTY] = "has no certificate",
    [BYPEER_CHAIN_TOO_LONG] = "has more than 25 certificates",
    [BYPEER_CHAIN_NOT_ROOT] = "is not of the kind that its place is for",
    [BYPEER_CHAIN_FORGED] = "is not signed by its issuer",
    [BYPEER_CHAIN_WRONG_GROUP] = "is of another group",
    [BYPEER_CHAIN_BROKEN] = "does not follow from the one before it",
    [BYPEER_CHAIN_LOOP] = "has a peer name or a key that was there before",
    [BYPEER_CHAIN_EXPIRED] = "is expired",
    [BYPEER_CHAIN_NOT_YET] = "is not valid yet",
    [BYPEER_CHAIN_ROLE] = "has roles that its issuer may not give",
    [BYPEER_CHAIN_CLASSIFIER] = "has classifiers that its issuer may not give",
    [BYPEER_CHAIN_PURPOSE] = "is not for authentication",
    [BYPEER_CHAIN_WRONG_KEY] = "is not of the key that was shown",
    [BYPEER_CHAIN_SERIAL] = "has another serial number than was claimed",
    [BYPEER_CHAIN_REVOKED] = "is revoked",
};

const char *bypeer_chain_fault_text(enum bypeer_chain_fault fault)
{
    return (unsigned)fault < BYPEER_CHAIN_FAULTS ? fault_texts[fault] : "has an unknown fault";
}

void bypeer_chain_explain(const struct bypeer_chain_verdict *verdict, char ret_text[static BYPEER_CHAIN_WHY_MAX])
{
    if (verdict->at < 0)
        snprintf(ret_text, BYPEER_CHAIN_WHY_MAX, "the chain %s", verdict->why);
    else
        snprintf(ret_text, BYPEER_CHAIN_WHY_MAX, "certificate %d of the chain %s", verdict->at + 1, verdict->why);
}

/* Whether b says that a is its issuer. */
static bool chain_follows(const struct bypeer_certificate *a, const struct bypeer_certificate *b)
{
    return a->subject_names && b->issuer_names && ASN1_OCTET_STRING_cmp(a->subject_names, b->issuer_names) == 0;
}

/*
 * Brings them into order: a bag is a set, and Windows may store any order. What does not follow from anything stays
 * where it is, to be found broken later; and what is in order already is not touched.
 */
static void chain_sort(struct bypeer_certificate *certificates[], size_t count)
{
    for (size_t place = 0; place < count; place++)
        for (size_t at = place; at < count; at++) {
            bool fits = place == 0 ? certificates[at]->facts.kind == BYPEER_CERTIFICATE_ROOT
                                   : chain_follows(certificates[place - 1], certificates[at]);
            if (!fits)
                continue;
            struct bypeer_certificate *moved = certificates[at];
            memmove(certificates + place + 1, certificates + place, (at - place) * sizeof(certificates[0]));
            certificates[place] = moved;
            break;
        }
}

static int chain_allocate(struct bypeer_chain **ret_chain, const struct bypeer_profile *profile)
{
    struct bypeer_chain *chain = calloc(1, sizeof(*chain));
    if (!chain)
        return -ENOMEM;
    atomic_init(&chain->references, 1);
    chain->profile = profile;
    *ret_chain = chain;
    return 0;
}

static int chain_refuse(struct bypeer_chain *chain, struct bypeer_chain_verdict *ret_verdict,
                        enum bypeer_chain_fault fault, int at, const char *why)
{
    bypeer_chain_free(chain);
    if (ret_verdict)
        *ret_verdict = (struct bypeer_chain_verdict){fault, at, why ? why : fault_texts[fault]};
    return -EBADMSG;
}

int bypeer_chain_read(struct bypeer_chain **ret_chain, const struct bypeer_profile *profile, const uint8_t *bytes,
                      size_t length, struct bypeer_chain_verdict *ret_verdict)
{
    struct bypeer_chain *chain;
    const char *why = NULL;
    int at = -1, status = chain_allocate(&chain, profile);
    if (status != 0)
        return status;
    status = bypeer_bag_read(chain->certificates, &chain->count, profile, bytes, length, &why, &at);
    if (status == -E2BIG)
        return chain_refuse(chain, ret_verdict, BYPEER_CHAIN_TOO_LONG, at, why);
    if (status == -EBADMSG)
        return chain_refuse(chain, ret_verdict, BYPEER_CHAIN_MALFORMED, at, why);
    if (status == 0 && chain->count == 0)
        return chain_refuse(chain, ret_verdict, BYPEER_CHAIN_EMPTY, -1, NULL);
    for (size_t certificate = 0; certificate < chain->count; certificate++)
        if (chain->certificates[certificate]->facts.kind == BYPEER_CERTIFICATE_IDENTITY)
            return chain_refuse(chain, ret_verdict, BYPEER_CHAIN_MALFORMED, (int)certificate,
                                "is an identity's, which no chain has");
    if (status == 0 && !(chain->bag = malloc(length)))
        status = -ENOMEM;
    if (status != 0) {
        bypeer_chain_free(chain);
        return status;
    }
    memcpy(chain->bag, bytes, length);
    chain->bag_bytes = length;
    chain_sort(chain->certificates, chain->count);
    *ret_chain = chain;
    return 0;
}

int bypeer_chain_make(struct bypeer_chain **ret_chain, struct bypeer_certificate *const certificates[], size_t count)
{
    struct bypeer_chain *chain;
    int status = chain_allocate(&chain, certificates[0]->profile);
    if (status != 0)
        return status;
    for (; chain->count < count; chain->count++)
        chain->certificates[chain->count] = bypeer_certificate_reference(certificates[chain->count]);
    status = bypeer_bag_write(&chain->bag, &chain->bag_bytes, certificates, count);
    if (status != 0) {
        bypeer_chain_free(chain);
        return status;
    }
    *ret_chain = chain;
    return 0;
}

struct bypeer_chain *bypeer_chain_reference(struct bypeer_chain *chain)
{
    atomic_fetch_add_explicit(&chain->references, 1, memory_order_relaxed);
    return chain;
}

void bypeer_chain_free(struct bypeer_chain *chain)
{
    if (!chain || atomic_fetch_sub_explicit(&chain->references, 1, memory_order_acq_rel) > 1)
        return;
    for (size_t at = 0; at < chain->count; at++)
        bypeer_certificate_free(chain->certificates[at]);
    free(chain->bag);
    free(chain);
}

size_t bypeer_chain_length(const struct bypeer_chain *chain)
{
    return chain->count;
}

const struct bypeer_certificate_facts *bypeer_chain_at(const struct bypeer_chain *chain, size_t at)
{
    return &chain->certificates[at]->facts;
}

const struct bypeer_certificate_facts *bypeer_chain_leaf(const struct bypeer_chain *chain)
{
    return &chain->certificates[chain->count - 1]->facts;
}

struct bypeer_certificate *bypeer_chain_certificate(const struct bypeer_chain *chain, size_t at)
{
    return chain->certificates[at];
}

const struct bypeer_profile *bypeer_chain_profile(const struct bypeer_chain *chain)
{
    return chain->profile;
}

const uint8_t *bypeer_chain_bag(const struct bypeer_chain *chain, size_t *ret_length)
{
    *ret_length = chain->bag_bytes;
    return chain->bag;
}

uint64_t bypeer_chain_not_after(const struct bypeer_chain *chain)
{
    uint64_t end = UINT64_MAX;
    for (size_t at = 0; at < chain->count; at++)
        if (chain->certificates[at]->facts.not_after < end)
            end = chain->certificates[at]->facts.not_after;
    return end;
}
