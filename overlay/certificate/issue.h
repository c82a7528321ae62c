/*
 * New chains: the root of a new group, and memberships issued from an existing chain.
 *
 * Threads: any. Each call makes one signature.
 */
#pragma once

#include "overlay/certificate/chain.h"

/* A membership that is to be issued. All is borrowed for the call. */
struct bypeer_chain_grant {
    const struct bypeer_peer_name *subject; /* the member's peer name */
    const char *friendly;                   /* its friendly name */
    const uint8_t *public_key;              /* its key: profile->public_key_bytes */
    uint32_t roles;
    /* Unix seconds. Begin some minutes early, since clocks differ: never before the issuer's own. not_after 0: as the
     * issuer's. */
    uint64_t not_before, not_after;
    const uint8_t *address; /* 16 bytes, or NULL */
    const uint8_t *random;  /* BYPEER_CERTIFICATE_SERIAL random bytes */
};

/*
 * A chain of the GRC alone, self-signed. The group's peer name is *group, whose authority is set here to that of the
 * group's key; its friendly name is the classifier's text if friendly is NULL. 0; -EINVAL with *ret_why; -ENOMEM.
 */
int bypeer_chain_found(struct bypeer_chain **ret_chain, const struct bypeer_key *group_key,
                       struct bypeer_peer_name *group, const char *friendly, uint64_t not_before, uint64_t not_after,
                       const uint8_t random[static BYPEER_CERTIFICATE_SERIAL], const char **ret_why);
/*
 * The issuer's chain and one GMC more, signed with issuer_key, which is the chain's last (the group's key for the chain
 * of a GRC alone). Classifiers are the roles' own: all for an administrator, else "participant". 0; -EPERM: the issuer
 * may not give these roles, or key and chain are not of each other; -E2BIG: the chain is as long as one may be; -ELOOP:
 * the member is in it already; -EINVAL: anything else that is wrong. Each with *ret_why (static text for people, a
 * whole line); -ENOMEM.
 */
int bypeer_chain_issue(struct bypeer_chain **ret_chain, const struct bypeer_chain *issuer,
                       const struct bypeer_key *issuer_key, const struct bypeer_chain_grant *grant,
                       const char **ret_why);
