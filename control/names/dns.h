/*
 * A DNS responder for pnrp.net, for programs that go around NSS and for members' DNS= lines. Off unless addresses are
 * configured.
 *
 *   AAAA below pnrp.net   addresses, TTL 30 s; NXDOMAIN, kept for 5 s, if nobody has the name
 *   other types           NODATA, if the name is there
 *   any other name        REFUSED: it recurses for nobody
 *
 * UDP and TCP. Bounds: BYPEER_HOSTS_DNS_MAX questions at once, SERVFAIL beyond; 32 TCP connections an address,
 * each for one question at a time and 5 s without one. A source (an IPv6 /64, an IPv4 address) gets 50 answers a second
 * over UDP, and beyond that a truncated one no longer than its question: forged sources gain nothing, a real client
 * comes by TCP.
 *
 * Thread: one (the loop's).
 */
#pragma once

#include "config/config.h"
#include "control/names/hosts.h"

struct bypeer_dns;

/* Listens on each address, also on one that the kernel does not have yet. hosts must outlive it. */
int bypeer_dns_open(struct bypeer_dns **ret_dns, uv_loop_t *loop, struct bypeer_hosts *hosts,
                    const struct bypeer_config_endpoint *endpoints, unsigned count, struct bypeer_problem *problem);
/* Freed when the loop has closed its handles; run the loop until then. NULL is fine. */
void bypeer_dns_close(struct bypeer_dns *dns);
