/*
 * The rules of a group, judged: may a packet of one member go to another? overlay/tables/layout.h says what a rule is.
 *
 * A rule matches, does not, or may match: when the packet does not say what the rule asks for (upper.h), or when it is
 * multicast, which goes to members of all roles. Only what certainly matches an allowing rule passes; what may match a
 * refusing one is refused. Errors of ICMPv6 always pass: without them neither path MTU nor refusals would be known.
 */
#pragma once

#include "overlay/policy/upper.h"
#include "overlay/tables/tables.h"

/* The roles of who gets multicast: some members have them and some not. */
#define BYPEER_POLICY_ALL_MEMBERS UINT32_MAX

/* What a packet is to a rule. */
struct bypeer_policy_packet {
    uint32_t from_roles, to_roles;
    struct bypeer_upper upper;
};

enum bypeer_policy_step {
    BYPEER_POLICY_STEP_REFUSE,
    BYPEER_POLICY_STEP_PASS,
    BYPEER_POLICY_STEP_NEXT, /* this rule says nothing of it */
};

/* What one rule says of a packet. After the last rule without an answer a packet is refused. */
enum bypeer_policy_step bypeer_policy_judge(const struct bypeer_policy_rule *rule,
                                            const struct bypeer_policy_packet *packet);

/*
 * Whether the rules of a group let an IPv6 packet of length bytes pass, whose fixed header is whole. A group without
 * rules lets all pass. Reads three rules a cache line. to_roles: BYPEER_POLICY_ALL_MEMBERS of multicast.
 * Threads: any; the tables as of tables.h.
 */
bool bypeer_policy_allows(const struct bypeer_tables *tables, uint32_t group, uint32_t from_roles, uint32_t to_roles,
                          const uint8_t *packet, size_t length);
