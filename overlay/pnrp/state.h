/*
 * What a cloud is made of: for the files that implement cloud.h only.
 *
 *   struct bypeer_pnrp
 *     cache, meter                 tables of their own (cache.h, meter.h)
 *     registrations                publish.c
 *     resolves -- seeks            resolve.c; a seek is one search on its way (seek.c), also of publish.c and upkeep.c
 *     adds                         route entries under test (entry.c)
 *     conversations                SOLICITs of others (conversation.c)
 *     jobs                         signatures that are out (job.c)
 *     pendings                     every message that waits for its answer, whosever it is (pending.c)
 *
 * Nothing but tables and lists: a node that is idle has none of the last four, so that it costs what its cache costs.
 * Each list has a limit; what a stranger can add to is said at the limit.
 */
#pragma once

#include <errno.h>
#include <stdlib.h>

#include "overlay/pnrp/cloud.h"
#include "overlay/pnrp/search.h"
#include "overlay/profile/key.h"

#define BYPEER_CLOUD_ENDPOINTS_MAX 4  /* [MS-PNRP] 3.1.4.1 */
#define BYPEER_CLOUD_REMEMBERED    10 /* reference 2.3 */
#define BYPEER_PENDING_BUCKETS     16
#define BYPEER_PENDING_RETRY_MS    1000
#define BYPEER_PENDING_BUSY_MS     200
#define BYPEER_PENDING_BUSY_MAX    3 /* a node that says B is asked again so often */
#define BYPEER_NEVER               UINT64_MAX

/* A message that waits for its answer: sent twice, a second apart, the same bytes ([MS-PNRP] 3.1.6.1). */
enum bypeer_pending_kind {
    BYPEER_PENDING_ADD,     /* INQUIRE of an entry under test; owner: struct bypeer_add */
    BYPEER_PENDING_LOOKUP,  /* owner: struct bypeer_seek */
    BYPEER_PENDING_INQUIRE, /* likewise */
    BYPEER_PENDING_SOLICIT, /* subject: the conversation's nonce */
    BYPEER_PENDING_REQUEST,
    BYPEER_PENDING_NEIGHBOUR, /* LOOKUP; subject: Validate ID */
    BYPEER_PENDING_FLOOD,     /* subject: Validate ID; owner: the registration whose revocation it is, or NULL */
};

struct bypeer_pending {
    struct bypeer_pending *earlier, *later; /* by due_ms */
    struct bypeer_pending *next;            /* of the same bucket of Message IDs */
    uint64_t due_ms;
    void *owner;
    struct bypeer_reassembly *reassembly; /* an answer in slices, not yet whole */
    uint32_t message_id;
    uint8_t kind;
    uint8_t sends_left;
    uint8_t busy_left;
    bool is_prompted; /* a probe made it be sent again already */
    uint8_t at;       /* which address was asked last */
    uint8_t address_count;
    uint16_t port;
    uint16_t length;
    uint8_t subject[32];
    uint8_t (*addresses)[16]; /* of the node asked; behind it the message */
    uint8_t *bytes;
};

/* A route entry under test ([MS-PNRP] 3.1.5.11). */
enum bypeer_add_why {
    BYPEER_ADD_NEW,     /* is it true? then into the cache */
    BYPEER_ADD_STALE,   /* is it still true? else out of the cache */
    BYPEER_ADD_REVOKED, /* likewise, and its neighbours will want to know */
};

struct bypeer_add {
    struct bypeer_add *next;
    uint64_t number; /* jobs name it by that */
    struct bypeer_pending *pending;
    uint8_t why;
    bool is_asked_again; /* who is known did not answer, and has a second chance */
    bool is_contested;   /* of NEW: it is true, if the ID is not any more where it is known to be, which is asked */
    bool is_noise;       /* maybe: of NEW, in no leaf set */
    bool needs_cpa;
    bool was_flooded; /* it came by a FLOOD, of .sender */
    struct bypeer_pnrp_endpoint sender;
    uint8_t nonce[16];
    uint8_t id[32];
    struct bypeer_pnrp_entry entry;
    uint16_t flooded_count; /* already flooded list */
    uint16_t revoke_bytes;
    /* Behind this struct. */
    uint8_t *addresses; /* 16 bytes each */
    uint8_t *flooded;   /* 18 bytes each */
    uint8_t *revoke;    /* of REVOKED: the CPA to hand on */
};

struct bypeer_conversation {
    struct bypeer_conversation *next;
    struct bypeer_pnrp_endpoint peer;
    uint8_t hashed_nonce[20];
    uint64_t expires_ms;
    bool is_told; /* its IDs were advertised */
    uint8_t count;
    uint8_t ids[BYPEER_PNRP_ADVERTISE_IDS][32];
};

/* What a registration publishes, in one piece of memory. */
struct bypeer_contents {
    char *comment; /* NULL: none */
    uint8_t comment_bytes;
    uint8_t *payload;
    uint16_t payload_bytes;
    enum bypeer_payload_type payload_type;
    bool follows_addresses;
    uint32_t lifetime_s;
    unsigned application_count;
    struct bypeer_application applications[];
};

struct bypeer_registration {
    struct bypeer_registration *next;
    uint64_t handle;
    uint8_t id[32];
    const struct bypeer_key *key;
    struct bypeer_contents *contents;
    uint8_t *chain;
    uint16_t chain_bytes;
    bool is_leaving;
    bool is_signing; /* of one that leaves: its revocation is being signed */
    bool is_signed;  /* it was, and was sent */
    bool is_announcing;
    bool is_crossing;               /* its next announcement begins at a seed */
    uint8_t failures;               /* announcements in a row that met nobody */
    uint16_t jobs;                  /* that use the key */
    uint16_t floods;                /* of the revocation, not yet acknowledged */
    uint64_t due_ms;                /* of its next announcement */
    uint64_t split_test_ms;         /* not before */
    uint32_t announced;             /* how often, at these addresses */
    struct bypeer_leaving *leaving; /* whom one that leaves tells (publish.c) */
    struct bypeer_peer_name name;
};

/* One search on its way. */
enum bypeer_seek_purpose { BYPEER_SEEK_RESOLVE, BYPEER_SEEK_ANNOUNCE, BYPEER_SEEK_GAP, BYPEER_SEEK_SPLIT };

struct bypeer_seek {
    struct bypeer_seek *next;
    uint64_t number; /* jobs name it by that */
    uint64_t owner;  /* number of the resolve, handle of the registration */
    enum bypeer_seek_purpose purpose;
    struct bypeer_search *search;
    struct bypeer_pending *pending; /* NULL: a job is out */
    uint64_t asked_ms;
    struct bypeer_pnrp_endpoint asked; /* whose certificate is being checked */
    uint8_t nonce[16];
    uint8_t hop[32];
    bool has_answers, has_best;
    uint8_t best[32]; /* nearest to the target of those that answered */
};

struct bypeer_resolve {
    struct bypeer_resolve *next;
    uint64_t number;
    struct bypeer_peer_name name;
    uint8_t target[32];
    bool has_name, wants_own, has_answers;
    bool is_starved; /* there was nobody to ask */
    enum bypeer_pnrp_criterion criterion;
    uint16_t precision;
    uint64_t deadline_ms, due_ms; /* of the whole; of the next round */
    unsigned results_max, result_count, seeks, rounds, fruitless;
    uint8_t (*results)[32];
};

/* A job with what is to be done when it comes back. */
enum bypeer_job_purpose {
    BYPEER_JOB_ANSWER,  /* sign an INQUIRE's answer */
    BYPEER_JOB_REVOKE,  /* sign a revocation */
    BYPEER_JOB_ADD,     /* check an entry's CPA; .owner */
    BYPEER_JOB_SEEK,    /* check a match's CPA; .owner */
    BYPEER_JOB_REVOKED, /* check another's revocation */
};

struct bypeer_job {
    struct bypeer_pnrp_job work; /* first: the sink sees only this */
    struct bypeer_job *next;
    enum bypeer_job_purpose purpose;
    uint64_t owner;
    /* ANSWER and REVOKED: whose. */
    struct bypeer_pnrp_endpoint peer;
    unsigned local;
    uint32_t acked;
    uint16_t flags; /* of the INQUIRE */
    bool has_name;
    uint8_t id[32];
    /* What was read, or is to be sent; all of it points into memory. */
    struct bypeer_pnrp_answer answer;
    struct bypeer_cpa cpa;
    struct bypeer_extended extended;
    struct bypeer_peer_name name;
    uint16_t revoke_bytes;                /* REVOKE, REVOKED: of the CPA, at the start of memory */
    struct bypeer_pnrp_endpoints flooded; /* REVOKED */
    uint8_t addresses[BYPEER_CLOUD_ENDPOINTS_MAX][16];
    uint8_t memory[];
};

struct bypeer_budget {
    uint64_t milli; /* thousandths of a unit left */
    uint64_t at_ms;
    uint32_t per_s, burst;
};

struct bypeer_pnrp {
    const struct bypeer_profile *profile;
    const struct bypeer_pnrp_sink *sink;
    void *sink_context;
    struct bypeer_pnrp_time now; /* of the entrance */
    uint8_t seed[16];
    uint64_t random_count;
    uint64_t numbers; /* of resolves, seeks, adds, registrations: each once */
    uint32_t cache_entries;
    uint16_t jobs_max, resolves_max;
    uint8_t scope;
    bool answers, any_address;
    uint8_t state, announced_state;
    uint8_t endpoint_count, remembered_count, mode;
    bool has_been_active, has_discovered, is_advertising;
    bool is_split_tested; /* once soon after joining */
    struct bypeer_pnrp_endpoint endpoints[BYPEER_CLOUD_ENDPOINTS_MAX];
    struct bypeer_pnrp_endpoint *seeds, *remembered;
    unsigned seed_count, seed_at, start_at;

    struct bypeer_cache *cache;
    struct bypeer_meter *meter; /* NULL until others have something to ask for */
    struct bypeer_meter_settings meter_settings;

    struct bypeer_pending *first, *last, *pendings[BYPEER_PENDING_BUCKETS];
    struct bypeer_add *adds;
    struct bypeer_conversation *conversations;
    struct bypeer_registration *registrations;
    struct bypeer_resolve *resolves;
    struct bypeer_seek *seeks;
    struct bypeer_job *jobs;
    uint32_t pending_count, add_count, noise_count, conversation_count, registration_count, resolve_count, job_count;
    uint32_t announcements, floods; /* of them on their way */

    struct bypeer_budget tests;       /* of entries that strangers name */
    struct bypeer_budget leaf_tests;  /* of those that would be in a leaf set */
    struct bypeer_budget revocations; /* of checks of others' */
    struct bypeer_budget told;        /* bytes of what conversations tell unverified sources */
    uint16_t *targets;                /* tests per target address, and in which period */
    uint32_t target_count;

    uint64_t wake_ms;      /* something besides pendings and upkeep is due */
    uint64_t upkeep_ms;    /* of the next maintenance */
    uint64_t discover_ms;  /* of the first discovery */
    uint64_t alone_ms;     /* from then on nobody is expected to answer any more */
    uint32_t neighbour_at; /* which own ID's neighbours are asked next */
    uint8_t cursor[32];    /* where stale entries are looked for next */

    struct bypeer_pnrp_counters counters;
};

/* cloud.c */
uint64_t bypeer_cloud_random(struct bypeer_pnrp *pnrp);
void bypeer_cloud_random_bytes(struct bypeer_pnrp *pnrp, void *ret_bytes, size_t length);
/* Asks for a tick at that time. */
void bypeer_cloud_wake(struct bypeer_pnrp *pnrp, uint64_t at_ms);
/* From own endpoint local, or the one that suits the address best. */
void bypeer_cloud_send_bytes(struct bypeer_pnrp *pnrp, unsigned local, const struct bypeer_pnrp_endpoint *to,
                             const uint8_t *bytes, size_t length);
void bypeer_cloud_send(struct bypeer_pnrp *pnrp, unsigned local, const struct bypeer_pnrp_endpoint *to,
                       const struct bypeer_pnrp_message *message);
unsigned bypeer_cloud_local_for(const struct bypeer_pnrp *pnrp, const uint8_t address[static 16]);
bool bypeer_cloud_is_own_address(const struct bypeer_pnrp *pnrp, const uint8_t address[static 16], uint16_t port);
bool bypeer_cloud_is_usable(const struct bypeer_pnrp *pnrp, const uint8_t address[static 16]);
bool bypeer_cloud_is_own_id(const struct bypeer_pnrp *pnrp, const uint8_t id[static 32]);
/* This node's endpoints as an entry of that ID; addresses has room for BYPEER_CLOUD_ENDPOINTS_MAX. */
void bypeer_cloud_own_entry(const struct bypeer_pnrp *pnrp, const uint8_t *id, uint8_t (*ret_addresses)[16],
                            struct bypeer_pnrp_entry *ret_entry);
/* Whether there were so many units left; they are taken. */
bool bypeer_budget_take(struct bypeer_budget *budget, uint32_t units, uint64_t now_ms);
bool bypeer_cloud_is_publishing(const struct bypeer_pnrp *pnrp);

/* pending.c. The message gets its ID. NULL: no memory, no endpoint, or too many. */
struct bypeer_pending *bypeer_pending_send(struct bypeer_pnrp *pnrp, enum bypeer_pending_kind kind,
                                           const struct bypeer_pnrp_entry *to, struct bypeer_pnrp_message *message,
                                           void *owner);
/* Which address of a node is asked first; the others follow in turn. There is an own endpoint. */
uint8_t bypeer_pending_address(const struct bypeer_pnrp *pnrp, const struct bypeer_pnrp_entry *to);
/* The one that an answer of that kind from there is for, or NULL. */
struct bypeer_pending *bypeer_pending_match(struct bypeer_pnrp *pnrp, uint32_t acked, enum bypeer_pnrp_type type,
                                            const struct bypeer_pnrp_endpoint *from);
void bypeer_pending_detach(struct bypeer_pnrp *pnrp, struct bypeer_pending *pending); /* from the lists */
void bypeer_pending_free(struct bypeer_pending *pending);                             /* a detached one */
void bypeer_pending_drop(struct bypeer_pnrp *pnrp, struct bypeer_pending *pending);   /* both; NULL is fine */
void bypeer_pending_asked(const struct bypeer_pending *pending, struct bypeer_pnrp_endpoint *ret_asked);
/* A node wants to see that we are there: INQUIREs and REQUESTs to it are sent again. */
void bypeer_pending_prompt(struct bypeer_pnrp *pnrp, const struct bypeer_pnrp_endpoint *from);
void bypeer_pending_tick(struct bypeer_pnrp *pnrp);
void bypeer_pending_authority(struct bypeer_pnrp *pnrp, const struct bypeer_pnrp_endpoint *from,
                              const struct bypeer_pnrp_message *message);

/* reassembly.c. Takes in a slice; 1: *ret_bytes is the whole buffer, valid until the next; 0: not yet; negative: no
 * slice of this answer. *reassembly is NULL at first. */
struct bypeer_reassembly;
int bypeer_reassembly_put(struct bypeer_reassembly **reassembly, const struct bypeer_pnrp_endpoint *from,
                          const struct bypeer_pnrp_message *message, uint64_t now_ms, const uint8_t **ret_bytes,
                          size_t *ret_length);
void bypeer_reassembly_free(struct bypeer_reassembly *reassembly); /* NULL is fine */

/* conversation.c */
int bypeer_conversation_begin(struct bypeer_pnrp *pnrp, const struct bypeer_pnrp_endpoint *node);
void bypeer_conversation_solicit(struct bypeer_pnrp *pnrp, unsigned local, const struct bypeer_pnrp_endpoint *from,
                                 const struct bypeer_pnrp_message *message);
void bypeer_conversation_advertise(struct bypeer_pnrp *pnrp, const struct bypeer_pnrp_endpoint *from,
                                   const struct bypeer_pnrp_message *message);
void bypeer_conversation_request(struct bypeer_pnrp *pnrp, unsigned local, const struct bypeer_pnrp_endpoint *from,
                                 const struct bypeer_pnrp_message *message);
void bypeer_conversation_expire(struct bypeer_pnrp *pnrp, bool all);

/* lookup.c. length: of the message in bytes, which the answer does not exceed. */
void bypeer_lookup_answer(struct bypeer_pnrp *pnrp, unsigned local, const struct bypeer_pnrp_endpoint *from,
                          const struct bypeer_pnrp_message *message, size_t length);

/* entry.c */
struct bypeer_entry_origin {
    const struct bypeer_pnrp_endpoint *sender;
    bool was_flooded;
    struct bypeer_pnrp_endpoints flooded; /* already flooded list */
};
/* Whether all of its addresses are such as a node of this cloud may have, and none is an own one. */
bool bypeer_entry_is_usable(const struct bypeer_pnrp *pnrp, const struct bypeer_pnrp_entry *entry);
/* The cached entry of that ID if it has that endpoint, or NULL: what a node says of an ID, or does not say, counts
 * against no other node. */
const struct bypeer_route *bypeer_entry_at(const struct bypeer_pnrp *pnrp, const uint8_t id[static 32],
                                           const struct bypeer_pnrp_endpoint *node);
/* An entry that somebody names: tested, if it is worth it. */
void bypeer_entry_offer(struct bypeer_pnrp *pnrp, const struct bypeer_pnrp_entry *entry,
                        const struct bypeer_entry_origin *origin);
/* The node of this entry just answered for it, from there: as good as a test without CPA. */
void bypeer_entry_confirm(struct bypeer_pnrp *pnrp, const struct bypeer_pnrp_entry *entry,
                          const struct bypeer_pnrp_endpoint *from);
/* Tests a cached entry again; whether a test is under way. revocation NULL: because it is stale. */
struct bypeer_revocation {
    struct bypeer_entry_origin origin;
    const uint8_t *cpa;
    uint16_t cpa_bytes;
};
bool bypeer_entry_retest(struct bypeer_pnrp *pnrp, const struct bypeer_route *route,
                         const struct bypeer_revocation *revocation);
/* False: there is no room for a check of its certificate now, and nothing has changed. */
bool bypeer_entry_answered(struct bypeer_pnrp *pnrp, struct bypeer_add *add, const struct bypeer_pnrp_endpoint *from,
                           const struct bypeer_pnrp_answer *answer, const uint8_t *bytes, size_t length);
void bypeer_entry_unanswered(struct bypeer_pnrp *pnrp, struct bypeer_add *add);
void bypeer_entry_checked(struct bypeer_pnrp *pnrp, struct bypeer_job *job);
void bypeer_entry_free_all(struct bypeer_pnrp *pnrp);

/* flood.c */
void bypeer_flood_receive(struct bypeer_pnrp *pnrp, unsigned local, const struct bypeer_pnrp_endpoint *from,
                          const struct bypeer_pnrp_message *message);
/* A new member of a leaf set: tells its neighbours, and tells it of own (one of ours beside it). */
void bypeer_flood_spread(struct bypeer_pnrp *pnrp, const struct bypeer_pnrp_entry *entry, const uint8_t *own,
                         const struct bypeer_entry_origin *origin);
/* One FLOOD. validate NULL: zero. */
struct bypeer_flood {
    const struct bypeer_pnrp_entry *to; /* its ID is the Validate ID; NULL: zero */
    struct bypeer_pnrp_entry entry;
    const uint8_t *revoke;
    uint16_t revoke_bytes;
    struct bypeer_pnrp_endpoints flooded;
    struct bypeer_registration *leaving;
};
void bypeer_flood_send(struct bypeer_pnrp *pnrp, const struct bypeer_flood *flood);
/* Tells the neighbours of an own ID that it is there. */
void bypeer_flood_announce(struct bypeer_pnrp *pnrp, const uint8_t own[static 32]);
enum bypeer_flood_end { BYPEER_FLOOD_ACKNOWLEDGED, BYPEER_FLOOD_DISOWNED, BYPEER_FLOOD_UNANSWERED };
void bypeer_flood_ended(struct bypeer_pnrp *pnrp, struct bypeer_pending *pending, enum bypeer_flood_end end);
/* Hands a revocation on, from an ID that was in a leaf set until now. */
void bypeer_flood_revoke(struct bypeer_pnrp *pnrp, const uint8_t id[static 32],
                         const struct bypeer_revocation *revocation);
void bypeer_flood_checked(struct bypeer_pnrp *pnrp, struct bypeer_job *job);

/* neighbour.c. Asks a member of an own ID's leaf set who is missing in it. */
void bypeer_neighbour_ask(struct bypeer_pnrp *pnrp, const uint8_t own[static 32]);
void bypeer_neighbour_answered(struct bypeer_pnrp *pnrp, const struct bypeer_pending *pending,
                               const struct bypeer_pnrp_endpoint *from, const struct bypeer_pnrp_answer *answer);
void bypeer_neighbour_unanswered(struct bypeer_pnrp *pnrp, const struct bypeer_pending *pending);

/* inquire.c */
void bypeer_inquire_answer(struct bypeer_pnrp *pnrp, unsigned local, const struct bypeer_pnrp_endpoint *from,
                           const struct bypeer_pnrp_message *message);
void bypeer_inquire_signed(struct bypeer_pnrp *pnrp, struct bypeer_job *job);
void bypeer_inquire_send(struct bypeer_pnrp *pnrp, unsigned local, const struct bypeer_pnrp_endpoint *to,
                         uint32_t acked, const struct bypeer_pnrp_answer *answer);
void bypeer_inquire_verified(struct bypeer_pnrp *pnrp, const struct bypeer_pnrp_endpoint *source);
/* Asks for a proof of address, with less than what asks for a certificate or for entries. Needs the meter. */
void bypeer_inquire_probe(struct bypeer_pnrp *pnrp, unsigned local, const struct bypeer_pnrp_endpoint *to);
/* Somebody may ask for more than he sends from now on. 0 or -ENOMEM. */
int bypeer_inquire_open_meter(struct bypeer_pnrp *pnrp);

/* certified.c: what a publisher signs, and what a resolver checks. */
/* Writes the CPA of a registration (revoke: its revocation) and, if it has one and it is wanted, its payload into a
 * new SIGN job. NULL: no memory. */
struct bypeer_job *bypeer_certified_make(struct bypeer_pnrp *pnrp, const struct bypeer_registration *registration,
                                         const uint8_t *nonce, bool revoke, bool payload);
/* What a resolver gets of an own registration now; returns how many. */
uint8_t bypeer_certified_applications(const struct bypeer_pnrp *pnrp, const struct bypeer_contents *contents,
                                      struct bypeer_application *ret_applications);
/* The largest answer to an INQUIRE with these flags, in bytes of IP. */
size_t bypeer_certified_bytes(const struct bypeer_pnrp *pnrp, const struct bypeer_registration *registration,
                              uint16_t flags);
/* Checks all of 4.10 of the reference that costs nothing. 0: *ret_job is a VERIFY job for the rest, with a copy of the
 * answer; -EBADMSG; -ENOMEM. id is what was asked for; payload: so was it. */
int bypeer_certified_check(struct bypeer_pnrp *pnrp, const uint8_t *bytes, size_t length, const uint8_t *id,
                           const uint8_t *nonce, bool payload, struct bypeer_job **ret_job);
/* Likewise of a revocation; the job has copies of it and of the list. */
int bypeer_certified_check_revocation(struct bypeer_pnrp *pnrp, const uint8_t *bytes, uint16_t length,
                                      const struct bypeer_pnrp_endpoints *flooded, struct bypeer_job **ret_job);

/* job.c */
struct bypeer_job *bypeer_job_create(struct bypeer_pnrp *pnrp, enum bypeer_job_purpose purpose, size_t memory_bytes);
void bypeer_job_free(struct bypeer_job *job);
/* Whether there was room for one more; if not, the job is freed. What others' FLOODs cause gets a part of it only, so
 * that names can be signed for and found meanwhile. */
bool bypeer_job_hand_out(struct bypeer_pnrp *pnrp, struct bypeer_job *job);

/* publish.c */
struct bypeer_registration *bypeer_publish_find(const struct bypeer_pnrp *pnrp, const uint8_t id[static 32]);
/* Also one that leaves. */
struct bypeer_registration *bypeer_publish_by_handle(const struct bypeer_pnrp *pnrp, uint64_t handle);
void bypeer_publish_tick(struct bypeer_pnrp *pnrp);
/* Announces it from a seed on, since the cache knows only one part of the cloud. */
void bypeer_publish_cross(struct bypeer_pnrp *pnrp, struct bypeer_registration *registration);
void bypeer_publish_hurry(struct bypeer_pnrp *pnrp); /* what could not be announced may be now */
void bypeer_publish_seek_ended(struct bypeer_pnrp *pnrp, const struct bypeer_seek *seek);
void bypeer_publish_signed(struct bypeer_pnrp *pnrp, struct bypeer_job *job);
/* One that leaves is gone when nothing of it is on its way: do not use it after this. */
void bypeer_publish_settle(struct bypeer_pnrp *pnrp, struct bypeer_registration *registration);
void bypeer_publish_endpoints(struct bypeer_pnrp *pnrp); /* after a change of own endpoints */
void bypeer_publish_free_all(struct bypeer_pnrp *pnrp);

/* seek.c. 0, or why it did not begin: -ENOENT (nobody to ask), -ENOMEM. */
int bypeer_seek_begin(struct bypeer_pnrp *pnrp, enum bypeer_seek_purpose purpose, uint64_t owner,
                      struct bypeer_search_settings *settings);
/* As bypeer_entry_answered(). */
bool bypeer_seek_answered(struct bypeer_pnrp *pnrp, struct bypeer_seek *seek, const struct bypeer_pending *pending,
                          const struct bypeer_pnrp_endpoint *from, const struct bypeer_pnrp_answer *answer,
                          const uint8_t *bytes, size_t length);
void bypeer_seek_unanswered(struct bypeer_pnrp *pnrp, struct bypeer_seek *seek, const struct bypeer_pending *pending,
                            bool busy);
void bypeer_seek_checked(struct bypeer_pnrp *pnrp, struct bypeer_job *job);
void bypeer_seek_cancel(struct bypeer_pnrp *pnrp, enum bypeer_seek_purpose purpose, uint64_t owner);
void bypeer_seek_free_all(struct bypeer_pnrp *pnrp);
/* An endpoint to begin with when nobody is known: a seed or a remembered node, each in turn. */
bool bypeer_seek_start(struct bypeer_pnrp *pnrp, struct bypeer_pnrp_endpoint *ret_start);

/* resolve.c */
void bypeer_resolve_tick(struct bypeer_pnrp *pnrp);
void bypeer_resolve_seek_ended(struct bypeer_pnrp *pnrp, const struct bypeer_seek *seek, bool found);
/* A match whose certificate is good: whether it is wanted and was the last that is wanted of this search. */
enum bypeer_resolve_verdict { BYPEER_RESOLVE_BAD, BYPEER_RESOLVE_MORE, BYPEER_RESOLVE_ENOUGH };
enum bypeer_resolve_verdict bypeer_resolve_take(struct bypeer_pnrp *pnrp, const struct bypeer_seek *seek,
                                                struct bypeer_job *job);
/* Whether an ID is a result that there is already, or this node's own, so that nobody needs to be asked for it. */
bool bypeer_resolve_has(const struct bypeer_pnrp *pnrp, const struct bypeer_seek *seek, const uint8_t id[static 32]);
void bypeer_resolve_hop(struct bypeer_pnrp *pnrp, const struct bypeer_seek *seek,
                        const struct bypeer_pnrp_endpoint *asked, bool validation, enum bypeer_pnrp_verdict verdict);
void bypeer_resolve_wake_starved(struct bypeer_pnrp *pnrp);
void bypeer_resolve_free_all(struct bypeer_pnrp *pnrp);

/* upkeep.c */
void bypeer_upkeep_tick(struct bypeer_pnrp *pnrp);
void bypeer_upkeep_state(struct bypeer_pnrp *pnrp);
/* Somebody is known who was not, or a name wants to be found: joins at once. */
void bypeer_upkeep_hurry(struct bypeer_pnrp *pnrp);
void bypeer_upkeep_seek_ended(struct bypeer_pnrp *pnrp, const struct bypeer_seek *seek);
