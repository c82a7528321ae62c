/*
 * One group on one node: who is a member, who is revoked, what is signed how ([MS-PPSEC]).
 *
 *        host: files, API                      host: TLS
 *            |  issue, revoke, turn                |
 *            v                                     v
 *     struct bypeer_group_node -- bypeer_group_security() ----> struct bypeer_graph
 *            |                   signs, validates, authenticates links; learns of what was stored
 *            '--- sink: members, revocations, new credentials, refusals
 *
 * It is the security provider of a graph whose ID is the group's peer name and whose peer IDs are members' peer names.
 * The graph calls it, and must not be called back: what follows from what it learned is done by bypeer_group_turn(),
 * which the host calls whenever it has called the graph. That costs nothing when there is nothing to do.
 *
 * Files, in the order to read: address.h, membership.h, properties.h, revocation.h, attachment.h, invitation.h
 * (formats); state.h, seal.h (what a record's signature is over), members.c and revocations.c (who is who), judge.c
 * (rules), security.c (the provider), tls.h, password.h, connect.h (one link's authentication), issue.c, turn.c;
 * group.c ties them together.
 *
 * Time: of the graph, bypeer_graph_time; validity is in Unix seconds. Thread: one per group, that of its graph. The
 * sink's functions are called from within the functions here and in the graph; they must not call back into either.
 */
#pragma once

#include <stdbool.h>

#include "overlay/certificate/certificate.h"
#include "overlay/certificate/chain.h"
#include "overlay/graph/security.h"
#include "overlay/group/attachment.h"
#include "overlay/group/properties.h"
#include "overlay/group/revocation.h"
#include "overlay/group/tls.h"
#include "overlay/pnrp/name.h"

struct bypeer_group_node;
struct bypeer_graph;
struct bypeer_key;

/* A member, by the sound membership that outranks all others it has (state.h). Pointers are valid until the next call.
 */
struct bypeer_group_member {
    struct bypeer_peer_name name;
    const char *friendly;
    const uint8_t *key;         /* of its identity, now: profile->public_key_bytes */
    uint8_t address[16];        /* overlay */
    uint32_t roles;             /* BYPEER_ROLE_*, of certificate.h */
    uint64_t not_before, until; /* Unix seconds */
    bool is_self;
    bool is_present; /* has a presence record */
    bool is_revoked; /* itself, or whoever issued its membership; it is listed until the revocation ends */
};

enum bypeer_group_change {
    BYPEER_GROUP_JOINED,  /* a membership of a name that had none */
    BYPEER_GROUP_RENEWED, /* other roles, key or validity */
    BYPEER_GROUP_PRESENT, /* presence began */
    BYPEER_GROUP_ABSENT,
    BYPEER_GROUP_EXPIRED, /* no sound membership is left: cut it off */
    BYPEER_GROUP_REVOKED, /* likewise */
};

struct bypeer_group_sink {
    void (*member)(void *context, enum bypeer_group_change change, const struct bypeer_group_member *member);
    /* A revocation counts from now on. member NULL: the key is of nobody known. Its memberships' changes come, too. */
    void (*revoked)(void *context, const struct bypeer_revocation *revocation, const struct bypeer_peer_name *by,
                    const struct bypeer_group_member *member);
    /* A membership of our own came, newer than what we had: to be stored. */
    void (*credentials)(void *context, const struct bypeer_chain *chain);
    /* This node issued a membership to somebody who knew the password. */
    void (*issued)(void *context, const struct bypeer_chain *chain);
    void (*properties)(void *context, const struct bypeer_group_properties *properties);
    /* A link was refused. who: the peer's name, as far as it is known, else "". */
    void (*refused)(void *context, const char *who, const char *why);
};

struct bypeer_group_settings {
    const struct bypeer_profile *profile;
    struct bypeer_peer_name group, self;
    const struct bypeer_key *key; /* of this node's identity; outlives the group */
    const uint8_t *chain;         /* own chain as a bag; NULL: none yet, join by password */
    size_t chain_bytes;
    const struct bypeer_key *group_key; /* at the founder, and whoever holds it; else NULL. Outlives the group */
    const char *password_form;          /* of bypeer_password_form(): with which to join; NULL: by a membership */
    const struct bypeer_group_properties *found; /* to be published, at the founder; NULL: the graph has them */
    struct bypeer_group_tls tls;
    struct bypeer_group_sink sink; /* any of it may be NULL */
    void *sink_context;
};

/* The name that a group with this key has: hash of the key, and the classifier (1 to 149 UTF-16 units). */
int bypeer_group_name(const struct bypeer_key *group_key, const char *classifier, struct bypeer_peer_name *ret_group,
                      char why[static 160]);

/* Whom a membership is issued to. */
struct bypeer_group_subject {
    struct bypeer_peer_name name;
    const uint8_t *key; /* profile->public_key_bytes */
    const char *friendly;
};
/*
 * The first membership of a new group: the group's root certificate, and the founder's, an administrator's and
 * supernode's. From and until in Unix seconds; from a while ago, for members whose clocks are behind. 0; -EINVAL with
 * why; -ENOMEM; -EIO.
 */
int bypeer_group_found(const struct bypeer_key *group_key, const struct bypeer_peer_name *group, const char *friendly,
                       const struct bypeer_group_subject *founder, uint64_t from, uint64_t until,
                       struct bypeer_chain **ret_chain, char why[static 160]);

/* 0; -EINVAL with why: the chain is none, of another group or key, or expired; -ENOMEM. */
int bypeer_group_open(struct bypeer_group_node **ret_group, const struct bypeer_group_settings *settings,
                      struct bypeer_graph_time now, char why[static 160]);
void bypeer_group_free(struct bypeer_group_node *group); /* NULL is fine; after its graph */

struct bypeer_group_renewal {
    const struct bypeer_key
        *key; /* of this node's identity; outlives the group, and takes the place of the one before */
    struct bypeer_group_tls tls; /* that shows it; sessions of the one before go on */
    const uint8_t *chain;        /* as a bag */
    size_t chain_bytes;
};
/*
 * Takes another membership of this node's identity, of its key or of one that replaced it: what is signed, and links
 * that begin, are by it from now on; links that are up stay, and records that the key before has signed are good as
 * long as its membership is; a day later it signs and connects no more (state.h). The sink hears of credentials if the
 * membership is better than what there was. 0; -EINVAL with why, and nothing is changed: the chain is none, of another
 * group, name or key, expired or revoked; -ENOMEM.
 */
int bypeer_group_renew(struct bypeer_group_node *group, struct bypeer_graph_time now,
                       const struct bypeer_group_renewal *renewal, char why[static 160]);

/* For the graph; valid as long as the group. */
const struct bypeer_graph_security *bypeer_group_security(struct bypeer_group_node *group);
/* The graph that it secures; NULL before the graph is freed. */
void bypeer_group_use_graph(struct bypeer_group_node *group, struct bypeer_graph *graph);
/*
 * Does what is due: publishes own membership (and the properties, at the founder), has waiting records judged again,
 * cuts links of those who are members no more, lets memberships expire.
 */
void bypeer_group_turn(struct bypeer_group_node *group, struct bypeer_graph_time now);
uint64_t bypeer_group_deadline(const struct bypeer_group_node *group); /* ms when turn() is due; UINT64_MAX: never */

/* The own chain, as it is now; NULL: none yet. Valid until the next call. */
const struct bypeer_chain *bypeer_group_chain(const struct bypeer_group_node *group);
/* As the group key's owner published them; NULL: they are not known yet. */
const struct bypeer_group_properties *bypeer_group_properties(const struct bypeer_group_node *group);

/* Members by name, revoked ones included; after NULL: the first. False: there is no more. */
bool bypeer_group_next_member(const struct bypeer_group_node *group, const struct bypeer_peer_name *after,
                              struct bypeer_group_member *ret_member);
bool bypeer_group_find_member(const struct bypeer_group_node *group, const struct bypeer_peer_name *name,
                              struct bypeer_group_member *ret_member);
bool bypeer_group_find_key(const struct bypeer_group_node *group, const uint8_t *key,
                           struct bypeer_group_member *ret_member);
bool bypeer_group_find_address(const struct bypeer_group_node *group, const uint8_t address[static 16],
                               struct bypeer_group_member *ret_member);
bool bypeer_group_is_revoked(const struct bypeer_group_node *group, const uint8_t *key, uint64_t now_unix_s);

struct bypeer_group_order {
    struct bypeer_group_subject subject;
    uint32_t roles;  /* BYPEER_ROLE_* */
    uint64_t until;  /* Unix seconds; 0: as long as the issuer's own */
    bool is_publish; /* as a membership record, at once: for members who renew */
    /* The caller has seen the rotations that lead from the name's first key to this one, as who reads an identity's
     * information does. */
    bool is_followed;
};
/*
 * Issues a membership: for an invitation, or to renew one. Needs the group key, or a membership that may issue the
 * roles. A name keeps its address, whatever its key. Another key than the name's first is taken from administrators
 * alone, since others cannot see the rotation's statements. 0; -EPERM, -EINVAL, -EKEYREVOKED, -EADDRINUSE,
 * -EDQUOT with why; -ENOMEM, -EIO.
 */
int bypeer_group_issue(struct bypeer_group_node *group, struct bypeer_graph_time now,
                       const struct bypeer_group_order *order, struct bypeer_chain **ret_chain, char why[static 160]);

struct bypeer_group_verdict {
    const uint8_t *key; /* of the target */
    const char *reason; /* up to BYPEER_REVOCATION_REASON_MAX bytes of UTF-8 */
    /* Memberships that the target issued are signed again by this node, and so stay; but nobody's as administrator, and
     * if the target only invited, as members alone. */
    bool is_adopt;
    /* What the target itself revoked counts no more, since it was done with bad intent. Else this node revokes it, too.
     */
    bool is_undo;
};
/*
 * Revokes a key, with all others of the same member; here at once, everywhere else by its record. By the group key
 * where it is at hand, else as an administrator (revocation.h says against whom).
 *
 * The key may be of nobody who is known here: that of somebody who was invited and never came, or never published his
 * membership. So the host keeps what bypeer_group_issue() and the sink's .issued gave it for as long as it lasts:
 * bypeer_chain_leaf() has the name and the key to find it by. And it takes a bare key: what cannot be found in any list
 * can be read off the identity itself.
 *
 * 0; -EPERM, -EINVAL, -EALREADY with why; what publishing gives.
 */
int bypeer_group_revoke(struct bypeer_group_node *group, struct bypeer_graph_time now,
                        const struct bypeer_group_verdict *verdict, char why[static 160]);

/*
 * Sets the properties anew: with the group key only. To change the password, or to have none any more: the properties
 * as they are, with .password made by bypeer_password_form(), or without .has_password; each member takes the new one
 * as soon as it has the record, and refuses the old one from then on. Who is a member stays so. 0; -EPERM, -EINVAL with
 * why; what publishing gives.
 */
int bypeer_group_set_properties(struct bypeer_group_node *group, struct bypeer_graph_time now,
                                const struct bypeer_group_properties *properties, char why[static 160]);

/* What the provider thinks of an attachment record of the graph; ret_attachment is set unless it is MALFORMED. */
enum bypeer_attachment_fault bypeer_group_judge_attachment(const struct bypeer_group_node *group,
                                                           struct bypeer_graph_time now,
                                                           const struct bypeer_record *record,
                                                           struct bypeer_attachment *ret_attachment);
