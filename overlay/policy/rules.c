#include "overlay/policy/rules.h"

#include "overlay/ip/ipv6.h"

/* In this order: of several conditions the least certain one counts. */
enum rules_match { RULES_NO, RULES_MAY, RULES_YES };

static enum rules_match rules_least(enum rules_match one, enum rules_match other)
{
    return one < other ? one : other;
}

static enum rules_match rules_match_roles(uint32_t asked, uint32_t roles)
{
    if (asked == 0)
        return RULES_YES;
    if (roles == BYPEER_POLICY_ALL_MEMBERS)
        return RULES_MAY;
    return asked & roles ? RULES_YES : RULES_NO;
}

static enum rules_match rules_match_protocol(const struct bypeer_policy_rule *rule, const struct bypeer_upper *upper)
{
    if (rule->protocol == 0)
        return RULES_YES;
    if (!upper->is_known)
        return RULES_MAY;
    return rule->protocol == upper->protocol ? RULES_YES : RULES_NO;
}

static bool rules_has_ports(const struct bypeer_policy_rule *rule)
{
    return rule->port_low != 0 || rule->port_high != UINT16_MAX;
}

static enum rules_match rules_match_port(const struct bypeer_policy_rule *rule, const struct bypeer_upper *upper,
                                         uint16_t port)
{
    if (!rules_has_ports(rule))
        return RULES_YES;
    if (!upper->has_ports)
        return upper->has_header ? RULES_NO : RULES_MAY; /* ICMPv6 certainly has none */
    return port >= rule->port_low && port <= rule->port_high ? RULES_YES : RULES_NO;
}

static bool rules_answers(const struct bypeer_policy_rule *rule, const struct bypeer_policy_packet *packet)
{
    const struct bypeer_upper *upper = &packet->upper;
    if (upper->is_known && upper->protocol == BYPEER_NEXT_TCP && upper->opens)
        return false;
    if (upper->is_known && upper->protocol == BYPEER_NEXT_ICMPV6 &&
        (!upper->has_header || upper->icmp_type != BYPEER_ICMPV6_ECHOREPLY))
        return false;
    enum rules_match match = rules_match_roles(rule->from_roles, packet->to_roles);
    match = rules_least(match, rules_match_roles(rule->to_roles, packet->from_roles));
    match = rules_least(match, rules_match_protocol(rule, upper));
    return rules_least(match, rules_match_port(rule, upper, upper->source_port)) == RULES_YES;
}

enum bypeer_policy_step bypeer_policy_judge(const struct bypeer_policy_rule *rule,
                                            const struct bypeer_policy_packet *packet)
{
    enum rules_match match = rules_match_roles(rule->from_roles, packet->from_roles);
    match = rules_least(match, rules_match_roles(rule->to_roles, packet->to_roles));
    match = rules_least(match, rules_match_protocol(rule, &packet->upper));
    match = rules_least(match, rules_match_port(rule, &packet->upper, packet->upper.destination_port));
    if (rule->verdict != BYPEER_POLICY_ALLOW)
        return match == RULES_NO ? BYPEER_POLICY_STEP_NEXT : BYPEER_POLICY_STEP_REFUSE;
    return match == RULES_YES || rules_answers(rule, packet) ? BYPEER_POLICY_STEP_PASS : BYPEER_POLICY_STEP_NEXT;
}

/* Whether a packet passes whatever the rules say: an ICMPv6 error to one member. */
static bool rules_is_exempt(const struct bypeer_policy_packet *packet)
{
    const struct bypeer_upper *upper = &packet->upper;
    return packet->to_roles != BYPEER_POLICY_ALL_MEMBERS && upper->is_known && upper->protocol == BYPEER_NEXT_ICMPV6 &&
           upper->has_header && upper->icmp_type < BYPEER_ICMPV6_INFORM;
}

bool bypeer_policy_allows(const struct bypeer_tables *tables, uint32_t group_id, uint32_t from_roles, uint32_t to_roles,
                          const uint8_t *data, size_t length)
{
    const struct bypeer_group *group = bypeer_tables_group(tables, group_id);
    const unsigned said = group->rule_count, count = said < BYPEER_GROUP_RULES_MAX ? said : BYPEER_GROUP_RULES_MAX;
    if (count == 0)
        return true;
    struct bypeer_policy_packet packet = {.from_roles = from_roles, .to_roles = to_roles};
    bypeer_upper_read(&packet.upper, data, length);
    if (rules_is_exempt(&packet))
        return true;
    uint32_t slot = group->rules;
    for (unsigned at = 0; at < count;) {
        const struct bypeer_group_part *part = bypeer_tables_group_part(tables, slot);
        for (unsigned i = 0; i < BYPEER_PART_RULES && at < count; i++, at++) {
            enum bypeer_policy_step step = bypeer_policy_judge(&part->rules[i], &packet);
            if (step != BYPEER_POLICY_STEP_NEXT)
                return step == BYPEER_POLICY_STEP_PASS;
        }
        slot = part->next;
    }
    return false;
}
