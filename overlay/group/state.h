/*
 * What a group on one node is made of; for the files of this folder only.
 *
 * A member is one authority, the hash of its first key, and so one address: the classifier behind it in peer names
 * makes no other member. Members are sorted by it. A chain is here only when all that does not change was found right
 * (judge.h); what changes, time and revocations, is asked each time.
 *
 * A member has up to GROUP_CREDENTIALS chains, of which the first that is sound counts: it says name, key and roles.
 * The others stay, since records that were signed by one are good while it lasts. Their order makes that nobody is put
 * down by who could not put him up:
 *   1. who is trusted, the group's key or an administrator, before inviting members, and of these who is nearer to them
 *   2. last, what its own issuer, or the group's key, took back by a newer one of fewer roles
 *   3. more roles
 *   4. a key that replaced the name's first one, the newest
 *   5. what lasts longer; then the shorter chain, then the newer
 * A membership of a replaced key ends GROUP_OVERLAP_S after one of a key that came later, as long as that is good: to
 * connect, to sign, and to be shown by. It is an administrator who says that a key replaced another; so that none is
 * put down by who may not revoke him, of an administrator whom the group's key made only the group's key says so. What
 * the old key signed before stays.
 *
 * Of one inviting member there are up to GROUP_CREDENTIALS_INVITED, so that it cannot put out what others gave.
 *
 * A revocation *counts* as revocation.h says; that depends on other revocations and on who is an administrator, and is
 * weighed again whenever those change (group_weigh()).
 */
#pragma once

#include "overlay/graph/graph.h"
#include "overlay/graph/tokens.h"
#include "overlay/group/connect.h"
#include "overlay/group/group.h"
#include "overlay/group/membership.h"
#include "overlay/group/seal.h"

#define GROUP_CREDENTIALS         8
#define GROUP_CREDENTIALS_INVITED 3
#define GROUP_PASSWORD_SOURCES    64
#define GROUP_WHY                 160
#define GROUP_NO_ROOM             "the inviting member whom its membership comes from has taken in as many as the group allows"
/* Memberships begin so much earlier, for members whose clocks are behind by as much as peer time lets them. */
#define GROUP_BACKDATE_S 1200
/* A replaced key is good for so long after the membership of its successor begins, if that is seen. */
#define GROUP_OVERLAP_S 86400

struct group_member;

struct group_credential {
    const struct group_member *member; /* whose it is */
    struct bypeer_chain *chain;
    const struct bypeer_certificate_facts *leaf; /* of chain */
    uint64_t not_before, not_after;              /* of all its certificates together */
    unsigned rank; /* inviting members between who is trusted and this one; 0 for an administrator */
    const struct bypeer_certificate_facts *sponsor; /* in chain; NULL: none */
    bool is_replaced;                               /* its issuer, or the group's key, has since given less */
    bool is_first_key;                              /* its key hashes to the name's authority */
    bool is_published;                              /* the graph has a membership record of it */
};

enum group_standing { GROUP_UNTOLD, GROUP_SOUND, GROUP_EXPIRED, GROUP_REVOKED };

struct group_member {
    struct bypeer_peer_name name; /* of the first credential */
    struct group_credential credentials[GROUP_CREDENTIALS];
    unsigned credential_count;
    unsigned presences;           /* records */
    enum group_standing standing; /* as the sink was told */
    uint8_t serial[GROUP_SERIAL]; /* of the membership that the sink was told, with its roles */
    uint32_t roles;
    unsigned overtaken;            /* credentials of replaced keys that ended by that */
    uint64_t change;               /* Unix seconds when a credential begins or ends next */
    bool is_cut_due;               /* its links are to be closed */
    char id[BYPEER_NAME_TEXT_MAX]; /* the text of name */
};

struct group_revocation {
    struct bypeer_guid id;
    uint8_t key[BYPEER_PUBLIC_KEY_MAX];
    struct bypeer_peer_name by; /* the group itself: by its key */
    bool is_by_group;
    bool counts;
    uint64_t until;              /* Unix seconds */
    uint64_t signer_end;         /* likewise, of the signer's membership; UINT64_MAX: by the group's key */
    struct bypeer_chain *signer; /* NULL: by the group's key */
    uint8_t signature[BYPEER_SIGNATURE_MAX];
    char reason[BYPEER_REVOCATION_REASON_MAX + 1];
};

/* The newest attachment of a member to a supernode. */
struct group_attached {
    uint8_t member[16], supernode[16]; /* overlay addresses */
    uint64_t sequence;
    uint64_t expires; /* peer time */
};

struct bypeer_group_node {
    const struct bypeer_profile *profile;
    struct bypeer_peer_name group, self;
    char group_id[BYPEER_NAME_TEXT_MAX], self_id[BYPEER_NAME_TEXT_MAX];
    const struct bypeer_key *key, *group_key;
    struct bypeer_chain *chain; /* own; NULL: none yet */
    uint8_t root_key[BYPEER_PUBLIC_KEY_MAX], root_serial[GROUP_SERIAL];
    uint64_t root_until; /* Unix seconds */
    bool has_root;
    char password[BYPEER_GROUP_PASSWORD_FORM_MAX]; /* form of the one to join with; "": none */
    struct bypeer_group_tls tls;
    struct bypeer_group_sink sink;
    void *sink_context;
    struct bypeer_graph_security security;
    struct bypeer_graph *graph;

    struct group_member **members;
    size_t member_count, member_room;
    struct group_revocation **revocations;
    size_t revocation_count, revocation_room;
    struct group_attached *attached; /* sorted by both addresses */
    size_t attached_count, attached_room;

    bool has_properties;
    struct bypeer_guid properties_id;
    struct bypeer_group_properties properties;
    bool is_founding; /* .found is to be published */
    struct bypeer_group_properties found;

    uint64_t expiry; /* Unix seconds when a membership or revocation begins or ends next */
    bool is_stale;   /* stored and waiting records are to be judged again */
    bool is_judging; /* some of them were, the others are in the next turns */
    bool is_fresh;   /* there is a membership more: waiting ones are */
    bool is_cut_due;
    bool has_signed;                      /* a record, since it was opened */
    uint64_t publish_ms;                  /* when the own membership may be published again */
    uint64_t now;                         /* Unix seconds, of the last call that knew it */
    uint64_t deadline_ms;                 /* of .expiry, by the clock of the last turn */
    struct bypeer_tokens password_tokens; /* runs of all sources, and of each */
    struct bypeer_tokens_source password_sources[GROUP_PASSWORD_SOURCES];
    struct group_verified verified;
};

static inline uint64_t group_unix(uint64_t peer_time)
{
    return peer_time < BYPEER_PEER_TIME_1970 ? 0 : (peer_time - BYPEER_PEER_TIME_1970) / BYPEER_PEER_TIME_SECOND;
}

static inline uint64_t group_peer_time(uint64_t unix_s)
{
    return unix_s * BYPEER_PEER_TIME_SECOND + BYPEER_PEER_TIME_1970;
}

/* members.c */
int group_compare_members(const struct bypeer_peer_name *a, const struct bypeer_peer_name *b); /* by authority */
/* Whoever has the name's authority, under whatever name. */
struct group_member *group_find(const struct bypeer_group_node *node, const struct bypeer_peer_name *name);
/* By a key of any of its credentials; of several members the one whose credential ranks first. */
struct group_member *group_find_key(const struct bypeer_group_node *node, const uint8_t *key);
/*
 * Takes a chain that judge_chain() found right; it keeps a reference. *ret_credential is what holds it, also if it was
 * there before (then -EEXIST), until the next one is taken. The sink hears of it. 0, -EEXIST, -ENOMEM; -ENOSPC: this
 * member has enough better ones; -EDQUOT: its sponsor has too many members already.
 */
int group_take(struct bypeer_group_node *node, struct bypeer_chain *chain, uint64_t now,
               struct group_credential **ret_credential);

/* Whether a sponsor (NULL: nobody) may have a member more. */
bool group_has_room(const struct bypeer_group_node *node, const struct bypeer_certificate_facts *sponsor);

/* credentials.c */
/*
 * The inviting member whom an administrator, or the group's key, has let in, and who answers for this chain's; NULL:
 * nobody between. is_issuing: for who is invited by the chain's last.
 */
const struct bypeer_certificate_facts *group_sponsor(const struct bypeer_chain *chain, bool is_issuing);
/* The one of these very certificates; NULL: there is none. */
struct group_credential *group_find_chain(struct group_member *member, const struct bypeer_chain *chain);
/* Puts a chain in its place, and a reference of it; what does not count any more for that goes. NULL: there are enough
 * better ones. */
struct group_credential *group_add_credential(const struct bypeer_group_node *node, struct group_member *member,
                                              struct bypeer_chain *chain);
void group_drop_credential(const struct bypeer_group_node *node, struct group_member *member, unsigned at);
/* The first that is valid at now and that no revocation touches; NULL: it is no member. */
const struct group_credential *group_current(const struct bypeer_group_node *node, const struct group_member *member,
                                             uint64_t now);
/* Unix seconds from when on its key counts no more, since another replaced it; UINT64_MAX: none did. */
uint64_t group_overtaken_at(const struct bypeer_group_node *node, const struct group_credential *credential,
                            uint64_t now);
/* What somebody needs to sign by. */
struct group_wish {
    const uint8_t *key;
    uint64_t from, until; /* Unix seconds that it has to be valid, beside now */
    uint32_t roles;       /* that it has to give still; 0: any */
};
/* Whether this one will do, at now, and the member's first that does; NULL: none. */
bool group_is_signer(const struct bypeer_group_node *node, const struct group_credential *credential,
                     const struct group_wish *wish, uint64_t now);
const struct group_credential *group_signer(const struct bypeer_group_node *node, const struct group_member *member,
                                            const struct group_wish *wish, uint64_t now);
/* One of its chains for this very key that is valid and untouched, the first; NULL: none. */
const struct group_credential *group_with_key(const struct bypeer_group_node *node, const struct group_member *member,
                                              const uint8_t *key, uint64_t now);
/* What this node is a member by; NULL: it is none now. */
const struct group_credential *group_own(const struct bypeer_group_node *node, uint64_t now);
/* What it signs with; the wish's key is its own. NULL: nothing. */
const struct group_credential *group_own_signer(const struct bypeer_group_node *node, const struct group_wish *wish,
                                                uint64_t now);
/*
 * What it issues these roles with, until then: the nearest to the group's key, so that the fewest can take it back.
 * NULL: nothing.
 */
const struct group_credential *group_own_issuer(const struct bypeer_group_node *node, uint32_t roles, uint64_t until,
                                                uint64_t now);

/* members.c */
/* Tells the sink what changed for one, or for all. */
void group_tell(struct bypeer_group_node *node, struct group_member *member, uint64_t now);
void group_tell_all(struct bypeer_group_node *node, uint64_t now);
/* Drops what has expired; returns the time in Unix seconds when there will be more. */
uint64_t group_expire(struct bypeer_group_node *node, uint64_t now);
/* A presence record of name came or went. */
void group_note_presence(struct bypeer_group_node *node, const struct bypeer_peer_name *name, bool is_there,
                         uint64_t now);
void group_show(const struct bypeer_group_node *node, const struct group_member *member, uint64_t now,
                struct bypeer_group_member *ret_member);
void group_members_clear(struct bypeer_group_node *node);

/* revocations.c */
/* When the last of those who revoked a key is over (struct group_revocation, .signer_end); 0: nobody revoked it. */
uint64_t group_revoked_until(const struct bypeer_group_node *node, const uint8_t *key, uint64_t now);
bool group_is_revoked(const struct bypeer_group_node *node, const uint8_t *key, uint64_t now);
/* Whether an administrator, or the group's key, may give this key no membership now: it was revoked by whom that is not
 * over for. */
bool group_is_barred(const struct bypeer_group_node *node, const uint8_t *key, uint64_t now);
/* Whether any membership of the chain is of a revoked key, but for those that revocation.h lets be. */
bool group_is_tainted(const struct bypeer_group_node *node, const struct bypeer_chain *chain, uint64_t now);
/* A chain that makes an administrator by the group's key itself; and whether such a one has this key: that key alone
 * revokes him. */
bool group_is_direct(const struct bypeer_chain *chain);
bool group_is_shielded(const struct bypeer_group_node *node, const uint8_t *key, uint64_t now);
/* Whether it would count now: its signer and its target are asked. *ret_why: if not. */
bool group_may_count(const struct bypeer_group_node *node, const struct group_revocation *revocation, uint64_t now,
                     const char **ret_why);
struct group_revocation *group_find_revocation(const struct bypeer_group_node *node, const struct bypeer_guid *id);
/* Takes one over that was judged, and weighs. 0 or -ENOMEM: then it is the caller's still. */
int group_revoke(struct bypeer_group_node *node, struct group_revocation *revocation, uint64_t now);
void group_drop_revocation(struct bypeer_group_node *node, const struct bypeer_guid *id, uint64_t now);
/* Finds out which count; if that changed, tells the sink, and all members' changes. */
void group_weigh(struct bypeer_group_node *node, uint64_t now);
void group_revocation_free(struct group_revocation *revocation);

/* judge.c */
/* All rules of a chain but revocation; leaf_key and leaf_serial may be NULL. ret_why is set if it is false. */
bool judge_chain(const struct bypeer_group_node *node, const struct bypeer_chain *chain, const uint8_t *leaf_key,
                 uint64_t now, char ret_why[static GROUP_WHY]);
enum bypeer_graph_verdict judge_record(struct bypeer_group_node *node, struct bypeer_graph_time now,
                                       const struct bypeer_record *record, const char **ret_why);
/* judge_revocation.c */
enum bypeer_graph_verdict judge_revocation(struct bypeer_group_node *node, uint64_t now,
                                           const struct bypeer_record *record, const char **ret_why);

/* attached.c */
const struct group_attached *group_find_attached(const struct bypeer_group_node *node, const uint8_t member[static 16],
                                                 const uint8_t supernode[static 16]);
void group_note_attached(struct bypeer_group_node *node, const struct bypeer_record *record);
void group_expire_attached(struct bypeer_group_node *node, uint64_t peer_time);

/* security.c: the functions of the provider. */
void group_security_fill(struct bypeer_group_node *node);
/* group.c */
/* The group's key and root certificate, from a chain that was judged. */
void group_learn_root(struct bypeer_group_node *node, const struct bypeer_chain *chain);
/* Makes what this node is a member by now its own chain. The sink hears of another. */
void group_adopt(struct bypeer_group_node *node, uint64_t now);

/* turn.c: publishes a membership record of the chain. What the graph gives; -ENOTCONN: it is not open. */
int group_publish_membership(struct bypeer_group_node *node, struct bypeer_graph_time now,
                             const struct bypeer_chain *chain);
