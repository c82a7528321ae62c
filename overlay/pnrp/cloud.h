/*
 * A PNRP node in one cloud: datagrams and time in; datagrams, results and jobs out ([MS-PNRP] 3).
 *
 *                       bypeer_pnrp_register()  _resolve()
 *                                 |               |
 *   datagrams -- _receive() --> struct bypeer_pnrp --> sink: send, found, finished, known, job, discover
 *   time ------- _tick() ------>      ^
 *   signatures - _job_done() ---------+
 *
 * It is a resolver always and a publisher while a name is registered; with .answers it answers also when none is.
 * One implementation runs in bypeerd over sockets, in the simulator by the million, in tests with a clock of their own.
 *
 * Files, in the order to read: name.h, id.h, message.h, cpa.h (formats); cache.h, answer.h, search.h, maintenance.h
 * (rules); state.h (what a cloud is made of), pending.c (what waits for an answer), reassembly.c, conversation.c,
 * lookup.c, entry.c (taking in a route entry), flood.c, neighbour.c, inquire.c (answering with a CPA), certificate.c,
 * job.c, seek.c (one search on its way), publish.c, resolve.c, upkeep.c (timers); this header and cloud.c tie them
 * together.
 *
 * Time. Every entrance takes the present time: ms from any origin that never goes back, and Unix seconds for validity.
 *
 * Signatures are jobs: the cloud hands one to the sink, whoever does it calls bypeer_pnrp_job_run() on any thread, and
 * the owner's thread calls bypeer_pnrp_job_done(). At most .jobs_max are out at once, or as many as the sink
 * takes; an INQUIRE beyond gets B.
 *
 * Thread: one per cloud. The sink's functions are called from within the functions here; they must not call back into
 * the same cloud.
 */
#pragma once

#include "overlay/pnrp/cache.h"
#include "overlay/pnrp/cpa.h"
#include "overlay/pnrp/meter.h"
#include "overlay/pnrp/name.h"

struct bypeer_pnrp;
struct bypeer_key;

struct bypeer_pnrp_time {
    uint64_t ms;
    uint64_t unix_s;
};

enum bypeer_pnrp_scope { BYPEER_SCOPE_GLOBAL = 1, BYPEER_SCOPE_SITE = 2, BYPEER_SCOPE_LINK = 3 };

/* As [MS] shows them to applications; the reference's 2.1. */
enum bypeer_pnrp_state {
    BYPEER_PNRP_VIRTUAL = 0,
    BYPEER_PNRP_SYNCHRONIZING = 1,
    BYPEER_PNRP_ACTIVE = 2,
    BYPEER_PNRP_DEAD = 3,
    BYPEER_PNRP_DISABLED = 4,
    BYPEER_PNRP_NO_NET = 5,
    BYPEER_PNRP_ALONE = 6,
};

enum bypeer_pnrp_job_kind { BYPEER_PNRP_SIGN, BYPEER_PNRP_VERIFY };

/* A signature to make or to check. Whoever gets one owns it until bypeer_pnrp_job_done(). */
struct bypeer_pnrp_job {
    enum bypeer_pnrp_job_kind kind;
    int result; /* 0, or why not; set by bypeer_pnrp_job_run() */
    const struct bypeer_profile *profile;
    const struct bypeer_key *key; /* of SIGN: the registration's; outlives the job */
    void *owner;                  /* for the sink: threads, queues */
    struct bypeer_pnrp_job *next; /* likewise */
    /* What is signed lies in the job's own memory: up to two pieces (CPA, extended payload), and a chain to check. */
    uint8_t pieces;
    struct {
        const uint8_t *bytes;
        size_t length;
        uint8_t *signature; /* profile->signature_bytes */
    } piece[2];
    const uint8_t *public_key;
    const uint8_t *chain; /* NULL: none to check */
    size_t chain_bytes;
    struct bypeer_peer_name *chain_name;
    uint64_t now_unix_s;
};
/* Does the work. Any thread. */
void bypeer_pnrp_job_run(struct bypeer_pnrp_job *job);

/* A registration that was found. Pointers are valid during the call. */
struct bypeer_pnrp_found {
    const uint8_t *id;
    const struct bypeer_peer_name *name;
    const char *comment; /* UTF-8; "": none */
    const struct bypeer_application *applications;
    unsigned application_count;
    const struct bypeer_pnrp_endpoint *services; /* of the publishing node */
    unsigned service_count;
    enum bypeer_payload_type payload_type;
    const uint8_t *payload;
    unsigned payload_bytes;
    uint64_t not_after; /* Unix seconds */
    unsigned hops;      /* LOOKUPs that were answered on the way */
};

/* One step of a resolve, for people: name lookup-path. */
enum bypeer_pnrp_verdict { BYPEER_HOP_ACCEPTED, BYPEER_HOP_DEAD_END, BYPEER_HOP_UNREACHABLE, BYPEER_HOP_BUSY };
struct bypeer_pnrp_hop {
    struct bypeer_pnrp_endpoint endpoint;
    const uint8_t *id;
    unsigned common_bits; /* with the target */
    uint32_t took_ms;
    enum bypeer_pnrp_verdict verdict;
    bool validation; /* an INQUIRE, not a LOOKUP */
};

enum bypeer_pnrp_discovery {
    BYPEER_DISCOVER_SSDP,   /* send an SSDP search for this cloud; report responders by bypeer_pnrp_contact() */
    BYPEER_ADVERTISE_START, /* answer SSDP searches from now on: the first name is registered */
    BYPEER_ADVERTISE_STOP,
};

struct bypeer_pnrp_sink {
    /* Sends from own endpoint number `local`. bytes is valid during the call. */
    void (*send)(void *context, unsigned local, const struct bypeer_pnrp_endpoint *to, const uint8_t *bytes,
                 size_t length);
    bool (*job)(void *context, struct bypeer_pnrp_job *job); /* false: there is nobody to do it now */
    void (*found)(void *context, uint64_t resolve, const struct bypeer_pnrp_found *found);
    void (*hop)(void *context, uint64_t resolve, const struct bypeer_pnrp_hop *hop); /* may be NULL */
    /* The resolve is over: 0 (its results were all given), -ETIMEDOUT, -ENOENT, -ENETUNREACH, -ECANCELED. */
    void (*finished)(void *context, uint64_t resolve, int status);
    /* The registration's revocation has been spread (or given up) after bypeer_pnrp_unregister(): its key and handle
     * are free. */
    void (*unregistered)(void *context, uint64_t registration);
    void (*known)(void *context, enum bypeer_cache_change change, const struct bypeer_route *route); /* may be NULL */
    void (*discover)(void *context, enum bypeer_pnrp_discovery what);                                /* may be NULL */
    void (*state)(void *context, enum bypeer_pnrp_state state);                                      /* may be NULL */
};

struct bypeer_pnrp_settings {
    const struct bypeer_profile *profile;
    enum bypeer_pnrp_scope scope;
    const struct bypeer_pnrp_sink *sink;
    void *sink_context;
    uint8_t seed[16];                   /* random: Message IDs, nonces, choices */
    uint32_t cache_entries;             /* 0: a small cache; else everything, up to so many */
    bool answers;                       /* also without a registered name: a supernode */
    bool any_address;                   /* entries with loopback addresses are taken: tests on one host */
    uint16_t jobs_max;                  /* 0: 64 */
    uint16_t resolves_max;              /* 0: 256; at once */
    struct bypeer_meter_settings meter; /* .entries 0: a small one; a daemon wants BYPEER_METER_ENTRIES */
    /* Who to ask first. Both may be changed later. */
    const struct bypeer_pnrp_endpoint *seeds;
    unsigned seed_count;
    const struct bypeer_pnrp_endpoint *remembered; /* at most 10 are used */
    unsigned remembered_count;
};

/* -ENOMEM, -EINVAL. Nothing is sent before the first bypeer_pnrp_tick(). */
int bypeer_pnrp_create(struct bypeer_pnrp **ret_pnrp, const struct bypeer_pnrp_settings *settings,
                       struct bypeer_pnrp_time now);
/* No revocations are sent: unregister first. Jobs must have come back. */
void bypeer_pnrp_free(struct bypeer_pnrp *pnrp);

/* This node's endpoints: 1 to 4 addresses of the cloud's scope, one port. 0 addresses: no network. A change announces
 * every registration again (3.2.7.2). */
int bypeer_pnrp_set_endpoints(struct bypeer_pnrp *pnrp, struct bypeer_pnrp_time now,
                              const struct bypeer_pnrp_endpoint *endpoints, unsigned count);
void bypeer_pnrp_set_seeds(struct bypeer_pnrp *pnrp, const struct bypeer_pnrp_endpoint *seeds, unsigned count);
/* Starts a conversation with a node that was found in another way: an SSDP answer, an operator's wish. */
int bypeer_pnrp_contact(struct bypeer_pnrp *pnrp, struct bypeer_pnrp_time now, const struct bypeer_pnrp_endpoint *node);

/* A datagram that came to own endpoint number `local`. Whatever it is, it is dealt with and counted. */
void bypeer_pnrp_receive(struct bypeer_pnrp *pnrp, struct bypeer_pnrp_time now, unsigned local,
                         const struct bypeer_pnrp_endpoint *from, const uint8_t *bytes, size_t length);
/* Does what is due. */
void bypeer_pnrp_tick(struct bypeer_pnrp *pnrp, struct bypeer_pnrp_time now);
/* When bypeer_pnrp_tick() is wanted next, in .ms; UINT64_MAX: never. Ask again after each call of any function. */
uint64_t bypeer_pnrp_deadline(const struct bypeer_pnrp *pnrp);
/* Takes the job back; the memory is the cloud's again. */
void bypeer_pnrp_job_done(struct bypeer_pnrp *pnrp, struct bypeer_pnrp_time now, struct bypeer_pnrp_job *job);

/* What is published. Everything pointed to is copied, but key. */
struct bypeer_pnrp_registration {
    const struct bypeer_peer_name *name;
    const struct bypeer_key *key; /* signs; of a secure name its hash is the authority unless there is a chain */
    const uint8_t *chain;         /* of a delegated name; NULL: none */
    size_t chain_bytes;
    bool has_location; /* an earlier registration's service location, to stay the same ID */
    uint8_t location[16];
    bool has_prefix; /* location's upper half: a hint; else the first own address's */
    uint8_t prefix[8];
    const char *comment; /* UTF-8; NULL: none */
    const struct bypeer_application *applications;
    unsigned application_count; /* at most 10; with none there must be a payload */
    bool follow_addresses;      /* applications[].address is this node's address at the time of asking */
    enum bypeer_payload_type payload_type;
    const uint8_t *payload;
    unsigned payload_bytes;
    uint32_t lifetime_s; /* of a CPA; 0: 12 hours */
};

/* Returns a handle above 0 in *ret_registration, and the PNRP ID. -EINVAL, -EEXIST, -ENOSPC, -ENOMEM. */
int bypeer_pnrp_register(struct bypeer_pnrp *pnrp, struct bypeer_pnrp_time now,
                         const struct bypeer_pnrp_registration *registration, uint64_t *ret_registration,
                         uint8_t ret_id[static 32]);
/* Everything but name, key and location; what resolvers get from now on. -ENOENT, -EINVAL, -ENOMEM. */
int bypeer_pnrp_update(struct bypeer_pnrp *pnrp, uint64_t registration,
                       const struct bypeer_pnrp_registration *contents);
/* Gone at once for whoever asks here; a revocation goes to its neighbours, then sink's unregistered(). -ENOENT. */
int bypeer_pnrp_unregister(struct bypeer_pnrp *pnrp, struct bypeer_pnrp_time now, uint64_t registration);

struct bypeer_pnrp_query {
    const struct bypeer_peer_name *name;
    enum bypeer_pnrp_criterion criterion; /* ANY, NEAREST or NEAREST_64; the others with .id only */
    bool has_prefix;                      /* nearest to this; else to an own address */
    uint8_t prefix[8];
    const uint8_t *id;    /* instead of a name: this very ID */
    uint16_t precision;   /* of UPPER_BITS */
    unsigned results_max; /* different registrations; 0: 1 */
    uint32_t timeout_ms;  /* 0: 30 s; at most 600 s */
    bool own;             /* this node's own registrations count */
};

/* Starts a resolve; it tries again, from other places, until there are results_max results or its time is over.
 * *ret_resolve: its number, above 0. -EINVAL, -ENOSPC (too many at once), -ENETUNREACH (no endpoint), -ENOMEM. */
int bypeer_pnrp_resolve(struct bypeer_pnrp *pnrp, struct bypeer_pnrp_time now, const struct bypeer_pnrp_query *query,
                        uint64_t *ret_resolve);
void bypeer_pnrp_cancel(struct bypeer_pnrp *pnrp, struct bypeer_pnrp_time now, uint64_t resolve);

/* Puts an entry into the cache as if validated: from a trusted file. As bypeer_cache_put(). */
int bypeer_pnrp_preload(struct bypeer_pnrp *pnrp, struct bypeer_pnrp_time now, const struct bypeer_pnrp_entry *entry);

const struct bypeer_cache *bypeer_pnrp_cache(const struct bypeer_pnrp *pnrp);
enum bypeer_pnrp_state bypeer_pnrp_state(const struct bypeer_pnrp *pnrp);
/* Endpoints of recently verified other nodes, best first: what to remember for the next start. Returns how many. */
unsigned bypeer_pnrp_bootstrap(const struct bypeer_pnrp *pnrp, struct bypeer_pnrp_endpoint *ret_nodes, unsigned room);
size_t bypeer_pnrp_bytes(const struct bypeer_pnrp *pnrp); /* of memory, all in all */

/* What happened, since the start. */
#define BYPEER_PNRP_COUNTERS(COUNT)                                          \
    COUNT(received, "datagrams received")                                    \
    COUNT(received_bytes, "bytes of them")                                   \
    COUNT(sent, "datagrams sent")                                            \
    COUNT(sent_bytes, "bytes of them")                                       \
    COUNT(malformed, "dropped: not as specified")                            \
    COUNT(other_profile, "dropped: of another wire profile")                 \
    COUNT(low_port, "dropped: source port up to 1024")                       \
    COUNT(unmatched, "dropped: answers to nothing that was asked")           \
    COUNT(lookups, "LOOKUPs answered")                                       \
    COUNT(inquires, "INQUIREs answered")                                     \
    COUNT(certified, "of them with a CPA")                                   \
    COUNT(busy, "answers with B")                                            \
    COUNT(probes, "proofs of address asked for")                             \
    COUNT(metered, "dropped: beyond what a source may make this node spend") \
    COUNT(solicits, "conversations begun by others")                         \
    COUNT(floods, "FLOODs received")                                         \
    COUNT(revoked, "entries removed by a revocation")                        \
    COUNT(entries_tested, "route entries tested")                            \
    COUNT(entries_taken, "of them taken into the cache")                     \
    COUNT(entries_refused, "of them refused")                                \
    COUNT(bad_signatures, "CPAs that did not verify")                        \
    COUNT(retries, "messages sent again")                                    \
    COUNT(timeouts, "messages never answered")                               \
    COUNT(resolves, "resolves begun")                                        \
    COUNT(resolved, "of them with a result")                                 \
    COUNT(split_tests, "tests for a split cloud")                            \
    COUNT(splits, "of them that found one")

struct bypeer_pnrp_counters {
#define BYPEER_PNRP_COUNTER(name, text) uint64_t name;
    BYPEER_PNRP_COUNTERS(BYPEER_PNRP_COUNTER)
#undef BYPEER_PNRP_COUNTER
};
const struct bypeer_pnrp_counters *bypeer_pnrp_counters(const struct bypeer_pnrp *pnrp);
/* Nodes in the cloud, by the density of IDs around own ones (reference 4.13); 0: no way to tell. */
uint64_t bypeer_pnrp_estimate(const struct bypeer_pnrp *pnrp);
