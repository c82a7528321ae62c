/*
 * The outer headers of a fabric link, prepared once by control and copied before every packet by a worker.
 *
 *   IPv6 underlay   0           40         48       56        IPv4 underlay   0           20         28       36
 *                   | IPv6      | UDP      | GPE    |                         | IPv4      | UDP      | GPE    |
 *
 * Before the GPE header: overlay/ip/outer.h, which says what its checksum fields hold; to UDP's the GPE header is
 * added, and the UDP source port is zero, for the worker to fill in (send.h).
 */
#pragma once

#include "overlay/tables/layout.h"

#define BYPEER_FABRIC_IPV6_TEMPLATE_BYTES 56
#define BYPEER_FABRIC_IPV4_TEMPLATE_BYTES 36
_Static_assert(BYPEER_FABRIC_IPV6_TEMPLATE_BYTES <= BYPEER_LINK_TEMPLATE_BYTES, "fits the link record");

/*
 * Fills in header, template_bytes and underlay of a link whose peer, local, vni and udp_port are set. Returns 0, or
 * -EINVAL with the link untouched: addresses of different families, a peer or local address that is no single routable
 * node, a VNI of more than 24 bits, or port 0.
 */
int bypeer_fabric_link_prepare(struct bypeer_link *link);
