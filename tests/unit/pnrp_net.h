/*
 * Clouds wired together in one process: a queue of datagrams, a clock that jumps from one event to the next, and
 * signatures made at once. What the tests of overlay/pnrp's cloud stand on.
 */
#pragma once

#include "overlay/pnrp/cloud.h"
#include "overlay/profile/key.h"

#define NET_NODES   32
#define NET_RESULTS 32
#define NET_TYPES   16

struct net_result {
    uint64_t resolve;
    uint8_t id[32];
    char name[BYPEER_NAME_TEXT_MAX];
    char comment[128];
    struct bypeer_application applications[BYPEER_CPA_APPLICATIONS_MAX];
    unsigned application_count, service_count;
    enum bypeer_payload_type payload_type;
    unsigned payload_bytes;
    uint8_t payload[BYPEER_PAYLOAD_MAX];
    uint64_t at_ms;
};

struct net_node {
    struct net *net;
    unsigned at;
    struct bypeer_pnrp *pnrp; /* NULL: killed */
    struct bypeer_pnrp_endpoint endpoint;
    unsigned side; /* of a cut */
    struct net_result results[NET_RESULTS];
    unsigned result_count;
    uint64_t finished; /* the last resolve that was over */
    int status;
    uint64_t finished_ms;
    unsigned unregistered;
    struct bypeer_pnrp_hop hop; /* the last one of a resolve */
    bool advertises;
};

struct net_datagram {
    struct net_datagram *next;
    uint64_t at_ms;
    struct bypeer_pnrp_endpoint from, to;
    size_t length;
    uint8_t bytes[];
};

struct net {
    const struct bypeer_profile *profile;
    struct bypeer_pnrp_time now;
    uint64_t random;
    unsigned node_count;
    struct net_node nodes[NET_NODES];
    struct net_datagram *queue;
    struct bypeer_key *key;
    uint32_t latency_ms; /* one way; 10 */
    uint32_t loss;       /* of a thousand datagrams */
    bool is_cut;         /* sides do not reach each other */
    bool is_slow;        /* jobs wait until net_do_jobs() */
    struct bypeer_pnrp_job *jobs[1024];
    unsigned job_count;
    unsigned sent[NET_TYPES]; /* by message type */
    /* Sees every datagram before it is on its way; false: it is lost. May be NULL. */
    bool (*pass)(struct net *net, const struct net_datagram *datagram, const struct bypeer_pnrp_message *message);
    void *context;
};

void net_begin(struct net *net, enum bypeer_profile_id profile);
void net_end(struct net *net);
/* A node that knows one seed (NULL: none). It answers without a name if answers says so. */
struct net_node *net_add(struct net *net, const struct net_node *seed, bool answers);
struct net_node *net_add_with(struct net *net, const struct bypeer_pnrp_settings *settings);
void net_kill(struct net_node *node);
/* Another address for a node. */
void net_move(struct net_node *node, uint8_t host);
void net_run(struct net *net, uint32_t ms);
void net_do_jobs(struct net *net);
/* Sends bytes as if they came from there. */
void net_inject(struct net *net, const struct bypeer_pnrp_endpoint *from, const struct net_node *to,
                const uint8_t *bytes, size_t length);
void net_inject_message(struct net *net, const struct bypeer_pnrp_endpoint *from, const struct net_node *to,
                        const struct bypeer_pnrp_message *message);

/* Publishes an application at this node's address, port 80. Returns the handle; *ret_id may be NULL. */
uint64_t net_publish(struct net_node *node, const char *name, uint8_t *ret_id);
/* The secure name of the net's key with this classifier. */
void net_secure_name(const struct net *net, const char *classifier, char ret_name[static BYPEER_NAME_TEXT_MAX]);
/* Begins a resolve of the first instance that is found. */
uint64_t net_resolve(struct net_node *node, const char *name, unsigned results);
/* Resolves and runs until it is over or ms have passed; returns how many results, *ret_result the last. */
unsigned net_find(struct net_node *node, const char *name, uint32_t ms, struct net_result *ret_result);
/* Whether the node has the ID in its cache. */
bool net_knows(const struct net_node *node, const uint8_t id[static 32]);
