/*
 * The ports of the configuration: DPDK devices, their queues and the packet memory behind them.
 *
 * A port is a PCI device or a virtual one ("net_af_xdp0,iface=eth1"). It has one transmit queue a worker, so no lock is
 * needed, and as many receive queues as configured; worker w reads queues w, w + workers, and so on. An mbuf holds a
 * whole frame of the port's MTU; ports that need the same room share a pool. No checksum offload is used: the graph
 * verifies and computes every checksum itself, since it needs the sums anyway.
 *
 * Thread: main.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include <rte_mempool.h>

#include "config/config.h"
#include "dataplane/wakeup.h"
#include "dataplane/worker.h"

#define BYPEER_PORT_QUEUES_MAX 64
#define BYPEER_PORTS_WHY_BYTES 384

struct bypeer_port_device {
    const struct bypeer_config_port *config;
    bool started;
    uint16_t port_id; /* DPDK's */
    uint16_t receive_queues, transmit_queues;
    uint8_t mac[6];
    char driver[32];
    struct rte_mempool *pool;
    struct bypeer_wakeup_source sources[BYPEER_PORT_QUEUES_MAX]; /* of each receive queue */
};

struct bypeer_ports {
    uint16_t count;
    uint16_t pool_count;
    struct rte_mempool *pools[BYPEER_PORTS_MAX]; /* ascending by room */
    struct bypeer_port_device devices[BYPEER_PORTS_MAX];
};

/*
 * Adds the devices to DPDK, sets them up and starts them. After rte_eal_init(). Returns 0 or negative errno and one
 * line in why that names key, value and remedy; what was started is stopped again.
 */
int bypeer_ports_start(struct bypeer_ports *ret_ports, const struct bypeer_config *config,
                       char why[static BYPEER_PORTS_WHY_BYTES]);
void bypeer_ports_stop(struct bypeer_ports *ports);

/* Fills in what a worker knows of the ports: ports, and the queues that it reads. */
void bypeer_ports_assign(const struct bypeer_ports *ports, struct bypeer_worker *worker, uint16_t workers);

/* Link state and losses, into the rows of the status region. */
void bypeer_ports_report(const struct bypeer_ports *ports, struct bypeer_status_port *rows);

/*
 * The device string that DPDK gets: what the configuration says, completed by what follows from the rest of it unless
 * the string sets it already (queue_count of net_af_xdp, qpairs and frame size of net_af_packet, bsize of net_memif).
 * Returns 0, or -ENOSPC.
 */
int bypeer_ports_device_string(char *text, size_t room, const char *device, uint16_t mtu, uint16_t queues);

/* Bytes of data that an mbuf of such a port holds, beside its headroom. */
uint16_t bypeer_ports_frame_room(const char *device, uint16_t mtu);

/* The largest MTU of such a port, whose driver says reported: net_af_xdp forgets what the kernel needs of each mbuf. */
uint16_t bypeer_ports_mtu_most(const char *device, uint16_t reported);
