/*
 * SSDP messages as far as PNRP uses them ([MS-PNRP] 3.1.4.2.2): a search for a cloud, and the answer of a node in it.
 *
 *   M-SEARCH * HTTP/1.1                                   HTTP/1.1 200 OK
 *   HOST: [ff02::c]:1900                                  CACHE-CONTROL: max-age=1800
 *   MAN: "ssdp:discover"                                  EXT:
 *   MX: 1                                                 ST: urn:...
 *   ST: urn:Microsoft Windows Peer Name                   USN: urn:...
 *       Resolution Protocol: V4:IPV6:LinkLocal            AL: [fe80::1]:3540
 *
 * Threads: any.
 */
#pragma once

#include "overlay/pnrp/cloud.h"

#define BYPEER_SSDP_PORT        1900
#define BYPEER_SSDP_MESSAGE_MAX 1400 /* bytes; a longer datagram is none of ours */
#define BYPEER_SSDP_TARGET_MAX  80

/* What is searched for: the cloud of this profile and scope. */
void bypeer_ssdp_target(const struct bypeer_profile *profile, enum bypeer_pnrp_scope scope,
                        char ret_target[static BYPEER_SSDP_TARGET_MAX]);
/* The group of the scope: ff02::c, or ff05::c. */
void bypeer_ssdp_group(enum bypeer_pnrp_scope scope, uint8_t ret_group[static 16]);

/* Both return the length. */
size_t bypeer_ssdp_write_search(const char *target, enum bypeer_pnrp_scope scope,
                                char ret_text[static BYPEER_SSDP_MESSAGE_MAX]);
size_t bypeer_ssdp_write_answer(const char *target, const struct bypeer_pnrp_endpoint *node,
                                char ret_text[static BYPEER_SSDP_MESSAGE_MAX]);

/* Whether the datagram is a search for target. */
bool bypeer_ssdp_is_search(const char *text, size_t length, const char *target);
/* Whether it is an answer for target; *ret_node is who says so: a unicast address and a port above 1024. */
bool bypeer_ssdp_is_answer(const char *text, size_t length, const char *target, struct bypeer_pnrp_endpoint *ret_node);
