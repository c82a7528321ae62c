/*
 * The outer headers of a link of kind WIREGUARD, prepared once by control and copied before every packet by a worker.
 *
 *   0                  48 (IPv4: 28)     64               + bytes    + 16
 *   | overlay/ip/outer | data header     | sealed packet  | tag      |
 *
 * What is constant and what the checksum fields hold is said in overlay/ip/outer.h; both UDP ports are constant here. A
 * peer is sent to where it was last heard by, which may be another place than the record says (seen.h): then the worker
 * prepares headers of its own.
 */
#pragma once

#include "overlay/ip/outer.h"
#include "overlay/tables/layout.h"

/* Of outer headers, data header and tag; what the MTU of a path loses (whitepaper, 5.4.6). */
#define BYPEER_WIREGUARD_IPV6_OVERHEAD (BYPEER_OUTER_IPV6_BYTES + 32)
#define BYPEER_WIREGUARD_IPV4_OVERHEAD (BYPEER_OUTER_IPV4_BYTES + 32)

/*
 * Fills in wireguard.header, template_bytes and underlay of a link whose peer, peer_port, local and udp_port
 * are set. Returns 0, or -EINVAL with the link untouched: port 0, or as bypeer_outer_prepare().
 */
int bypeer_wireguard_link_prepare(struct bypeer_link *link);
