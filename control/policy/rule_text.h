/*
 * A rule of a group as people write it, and back:
 *
 *   allow|deny FROM TO [PROTOCOL [PORTS]]
 *
 * FROM and TO: any, or roles with commas between them: administrator, inviting, member, supernode. PROTOCOL: any, tcp,
 * udp, icmp, or a number. PORTS: 22, or 6000-6010; of tcp and udp. What it means is in overlay/policy/rules.h.
 *
 *   allow any any udp 5353
 *   allow member administrator,supernode tcp 22
 *   deny any any
 */
#pragma once

#include <stddef.h>

#include "overlay/tables/layout.h"

#define BYPEER_RULE_TEXT 160 /* the longest one that is written, NUL included */

/* 0, or -EINVAL with what is wrong, for people, in *ret_why. */
int bypeer_rule_read(const char *text, struct bypeer_policy_rule *ret_rule, const char **ret_why);
/* What has no name is written as it would be read: roles that are none are left out, all others together are "any". */
void bypeer_rule_write(const struct bypeer_policy_rule *rule, char ret_text[static BYPEER_RULE_TEXT]);
