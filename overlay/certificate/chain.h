/*
 * Chains of certificates: who made whom a member, from the group's root on ([MS-PPSEC] 3.1.4; [MS-PNRP] 3.1.5.10).
 *
 *   GRC, signed by the group's key ── GMC of an administrator ── … ── GMC of the member
 *
 * A chain is read once, which checks its syntax and brings its certificates into order, and judged whenever time,
 * revocations or what is asked of it change. Each rule has its own fault, so that a refusal says why.
 *
 * A member's key may change while its peer name stays: the subject of a GMC need not be the hash of its key.
 *
 * Threads: a chain is immutable, and its references are counted atomically. Judging verifies a signature for each
 * certificate: remember the verdict.
 */
#pragma once

#include "overlay/certificate/bag.h"

#define BYPEER_CHAIN_MAX BYPEER_BAG_CERTIFICATES_MAX

enum bypeer_chain_fault {
    BYPEER_CHAIN_SOUND,
    BYPEER_CHAIN_MALFORMED,   /* no bag, or a certificate whose syntax is wrong */
    BYPEER_CHAIN_EMPTY,       /* no certificate */
    BYPEER_CHAIN_TOO_LONG,    /* more than BYPEER_CHAIN_MAX certificates */
    BYPEER_CHAIN_NOT_ROOT,    /* its first is no root, or one behind it is no membership */
    BYPEER_CHAIN_FORGED,      /* a signature is not the issuer's */
    BYPEER_CHAIN_WRONG_GROUP, /* not the group that was asked for, or not one and the same in all certificates */
    BYPEER_CHAIN_BROKEN,      /* an issuer's peer name is not that of the certificate before it */
    BYPEER_CHAIN_LOOP,        /* a peer name or a key is there twice */
    BYPEER_CHAIN_EXPIRED,
    BYPEER_CHAIN_NOT_YET,    /* valid from later on */
    BYPEER_CHAIN_ROLE,       /* roles that its issuer may not give */
    BYPEER_CHAIN_CLASSIFIER, /* classifiers that its issuer may not give */
    BYPEER_CHAIN_PURPOSE,    /* not for authentication */
    BYPEER_CHAIN_WRONG_KEY,  /* the last one's key is not that of who shows the chain */
    BYPEER_CHAIN_SERIAL,     /* the last one's serial number is not that which was claimed */
    BYPEER_CHAIN_REVOKED,
    BYPEER_CHAIN_FAULTS
};

/* For people, made to follow "certificate 2 of the chain": "is expired". Never NULL. */
const char *bypeer_chain_fault_text(enum bypeer_chain_fault fault);

struct bypeer_chain;

/* What was found. */
struct bypeer_chain_verdict {
    enum bypeer_chain_fault fault;
    int at;          /* the certificate, from 0, or -1: the chain as a whole */
    const char *why; /* static; more exact than the fault's text for MALFORMED, else that */
};

#define BYPEER_CHAIN_WHY_MAX 160
/* One line: "certificate 2 of the chain is expired" (counted from 1). */
void bypeer_chain_explain(const struct bypeer_chain_verdict *verdict, char ret_text[static BYPEER_CHAIN_WHY_MAX]);

/* From a bag in any order. 0; -EBADMSG with MALFORMED, EMPTY or TOO_LONG in *ret_verdict (may be NULL); -ENOMEM. */
int bypeer_chain_read(struct bypeer_chain **ret_chain, const struct bypeer_profile *profile, const uint8_t *bytes,
                      size_t length, struct bypeer_chain_verdict *ret_verdict);
struct bypeer_chain *bypeer_chain_reference(struct bypeer_chain *chain);
void bypeer_chain_free(struct bypeer_chain *chain); /* drops one reference; NULL is fine */

size_t bypeer_chain_length(const struct bypeer_chain *chain);
/* 0 is the root, the last the member's. */
const struct bypeer_certificate_facts *bypeer_chain_at(const struct bypeer_chain *chain, size_t at);
const struct bypeer_certificate_facts *bypeer_chain_leaf(const struct bypeer_chain *chain);
struct bypeer_certificate *bypeer_chain_certificate(const struct bypeer_chain *chain, size_t at); /* borrowed */
const struct bypeer_profile *bypeer_chain_profile(const struct bypeer_chain *chain);
/* The bag for sending it on: as it was read, or as it was made. Valid as long as the chain. */
const uint8_t *bypeer_chain_bag(const struct bypeer_chain *chain, size_t *ret_length);
/* The time until which all its certificates are valid, in Unix seconds. */
uint64_t bypeer_chain_not_after(const struct bypeer_chain *chain);

/* What is asked of a chain. Whatever is NULL is not asked. */
struct bypeer_chain_question {
    uint64_t now;                         /* Unix seconds */
    const struct bypeer_peer_name *group; /* the group's peer name */
    const uint8_t *leaf_key;              /* of who shows it: profile->public_key_bytes */
    const uint8_t *leaf_serial;           /* BYPEER_CERTIFICATE_SERIAL bytes */
    bool (*is_revoked)(void *context, const struct bypeer_certificate_facts *facts);
    void *context;
    /* A PNRP name's delegation and not a membership: peer names are needed at its ends alone, alternative names are
     * only compared, purposes do not count, and no rule forbids loops. */
    bool is_delegation;
};

/* The first rule that is broken. ret_verdict may be NULL. */
enum bypeer_chain_fault bypeer_chain_judge_question(const struct bypeer_chain *chain,
                                                    const struct bypeer_chain_question *question,
                                                    struct bypeer_chain_verdict *ret_verdict);
/* An IDC by itself: self-signed, its peer name the hash of its key, for authentication, valid now (0: whenever). */
enum bypeer_chain_fault bypeer_certificate_judge_identity(const struct bypeer_certificate *certificate, uint64_t now);
/* Whether the classifiers of the chain's last certificate cover this classifier. The root's cover all. */
bool bypeer_chain_covers(const struct bypeer_chain *chain, const struct bypeer_peer_name *classifier);
