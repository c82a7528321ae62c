/* Any packet before any rule: nothing is read beyond the packet, an allowing rule refuses nothing, and a refusing one
 * lets nothing pass. */
#include <stdlib.h>
#include <string.h>

#include "overlay/ip/ipv6.h"
#include "overlay/policy/rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bypeer_policy_rule rule;
    if (size < sizeof(rule) + BYPEER_IPV6_BYTES)
        return 0;
    memcpy(&rule, data, sizeof(rule));
    size_t length = size - sizeof(rule);
    uint8_t *packet = malloc(length); /* of this size, so that a byte beyond it is seen */
    if (!packet)
        abort();
    memcpy(packet, data + sizeof(rule), length);
    struct bypeer_policy_packet facts = {.from_roles = 4, .to_roles = packet[0] & 1 ? 8 : BYPEER_POLICY_ALL_MEMBERS};
    bypeer_upper_read(&facts.upper, packet, length);
    enum bypeer_policy_step allows, refuses;
    rule.verdict = BYPEER_POLICY_ALLOW;
    allows = bypeer_policy_judge(&rule, &facts);
    rule.verdict = BYPEER_POLICY_DENY;
    refuses = bypeer_policy_judge(&rule, &facts);
    if (allows == BYPEER_POLICY_STEP_REFUSE || refuses == BYPEER_POLICY_STEP_PASS)
        abort();
    if (facts.upper.has_ports && (!facts.upper.has_header || !facts.upper.is_known))
        abort();
    free(packet);
    return 0;
}
