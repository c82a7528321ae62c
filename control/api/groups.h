/*
 * Private to the API: what its methods about groups share.
 */
#pragma once

#include "control/api/call.h"
#include "control/groups/groups.h"
#include "overlay/group/address.h"

/* 0; -ENOENT with the problem: this node serves no groups. */
int call_need_groups(struct call *call);
/* The group of the parameter "group"; NULL with the problem. */
struct bypeer_joined *call_group(struct call *call);
/* The parameter "roles"; 0: none were given. Negative with the problem. */
int call_read_roles(struct call *call, uint32_t *ret_roles);

/* What peers say may be no UTF-8. */
json_t *call_peer_text(const char *text);
json_t *call_name_text(const struct bypeer_peer_name *name);
json_t *call_roles(uint32_t roles);
json_t *call_member(const struct bypeer_joined *joined, const struct bypeer_group_member *member);
json_t *call_group_address(const struct bypeer_graph_address *address);
