/*
 * One cloud on this host: the protocol (overlay/pnrp/cloud.h) over UDP sockets, a timer and threads for signatures.
 *
 *   kernel's addresses -> one bound socket per own address -> bypeer_pnrp_receive()
 *   timer              -> bypeer_pnrp_tick()                                           all on the loop
 *   sink               -> sockets, uv_queue_work(), hooks
 *
 * names.h opens and closes clouds; the API reads them and calls the protocol. The hooks that say so come from within
 * the protocol and must not call back into the cloud.
 *
 * Thread: one (the loop's).
 */
#pragma once

#include <uv.h>

#include "config/config.h"
#include "control/log.h"
#include "control/problem.h"
#include "overlay/pnrp/cloud.h"

struct bypeer_cloud;
struct bypeer_discovery;

struct bypeer_cloud_hooks {
    /* From within the protocol, as in its sink. */
    void (*found)(struct bypeer_cloud *cloud, uint64_t resolve, const struct bypeer_pnrp_found *found);
    void (*hop)(struct bypeer_cloud *cloud, uint64_t resolve, const struct bypeer_pnrp_hop *hop);
    void (*finished)(struct bypeer_cloud *cloud, uint64_t resolve, int status);
    void (*unregistered)(struct bypeer_cloud *cloud, uint64_t registration);
    void (*known)(struct bypeer_cloud *cloud, enum bypeer_cache_change change, const struct bypeer_route *route);
    /* The own endpoints are others now. */
    void (*endpoints)(struct bypeer_cloud *cloud);
    /* After bypeer_cloud_close(), before the cloud is freed. */
    void (*closed)(struct bypeer_cloud *cloud);
};

struct bypeer_cloud_socket;

#define BYPEER_CLOUD_JOBS 64 /* on threads at once */
struct bypeer_cloud_job {
    uv_work_t work;
    struct bypeer_cloud *cloud;
    struct bypeer_pnrp_job *job; /* NULL: free */
};

struct bypeer_cloud {
    struct bypeer_cloud *next;
    void *owner;
    const struct bypeer_cloud_hooks *hooks;
    uint8_t number; /* 1 to 8: in the tables */
    bool leaving;   /* its configuration is gone; it ends when its revocations have been spread */
    unsigned unregistering;
    struct bypeer_config_cloud config;
    uint32_t interface; /* its number, of scope link */
    struct bypeer_pnrp *pnrp;
    struct bypeer_meter_settings meter;

    unsigned endpoint_count;
    struct bypeer_pnrp_endpoint endpoints[BYPEER_CONFIG_CLOUD_ADDRESSES];
    /* Private. */
    uv_loop_t *loop;
    uv_timer_t timer;
    uint64_t timer_due; /* 0: it does not run */
    struct bypeer_cloud_socket *sockets[BYPEER_CONFIG_CLOUD_ADDRESSES];
    struct bypeer_discovery *discovery;
    unsigned handles; /* of the loop, and jobs on threads */
    struct bypeer_cloud_job jobs[BYPEER_CLOUD_JOBS];
    bool closing;
    bool dirty; /* called into since the timer was set */
    struct bypeer_log_limit log_limit;
    uint64_t unsent; /* datagrams that a socket did not take */
};

struct bypeer_pnrp_time bypeer_cloud_now(void);

/* Opens the cloud, without sockets yet. nodes: remembered ones. meter: secret and rates. */
int bypeer_cloud_open(struct bypeer_cloud **ret_cloud, uv_loop_t *loop, const struct bypeer_config_cloud *config,
                      uint8_t number, const struct bypeer_meter_settings *meter,
                      const struct bypeer_pnrp_endpoint *nodes, unsigned node_count,
                      const struct bypeer_cloud_hooks *hooks, void *owner, struct bypeer_problem *problem);
/* Sockets are closed at once; the rest when its jobs have come back: run the loop until then. Sends nothing. */
void bypeer_cloud_close(struct bypeer_cloud *cloud);

/* Sockets for the addresses of the configuration or of the kernel, as they are now. */
void bypeer_cloud_follow_addresses(struct bypeer_cloud *cloud, const struct bypeer_config *config);
/* Takes over another configuration of the cloud, if it differs in seeds and addresses only; else false, and the cloud
 * must be opened anew. */
bool bypeer_cloud_reconfigure(struct bypeer_cloud *cloud, const struct bypeer_config *config,
                              const struct bypeer_config_cloud *next);

/* After any call of the protocol: the timer is set before the loop sleeps. */
static inline void bypeer_cloud_touched(struct bypeer_cloud *cloud)
{
    cloud->dirty = true;
}
/* Before the loop sleeps. */
void bypeer_cloud_settle(struct bypeer_cloud *cloud);

const struct bypeer_profile *bypeer_cloud_profile(const struct bypeer_config_cloud *config);
