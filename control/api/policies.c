/*
 * Methods of policies: what members of a group may send to each other, and multicast.
 */
#include <stdio.h>
#include <string.h>

#include "control/api/call.h"
#include "control/node.h"
#include "control/policy/policies.h"
#include "control/policy/rule_text.h"

static int policies_read_rules(struct call *call, const json_t *list, struct bypeer_store_policy *policy)
{
    size_t at;
    json_t *entry;
    policy->rule_count = 0;
    json_array_foreach (list, at, entry) {
        const char *text = json_string_value(entry), *why = "it is no text";
        if (!text || bypeer_rule_read(text, &policy->rules[policy->rule_count], &why) < 0)
            return bypeer_problem_set(&call->problem, BYPEER_API_BAD_PARAMETER, "bad_parameter",
                                      "rule \"%.80s\"\n%s\nsee bypeer(1), policies", text ? text : "", why);
        policy->rule_count++;
    }
    return 0;
}

int method_policies_set(struct call *call)
{
    struct bypeer_policies *policies = call->node->policies;
    const char *group = call_string(call, "group");
    const struct bypeer_store_policy *present = bypeer_policies_find(policies, group);
    const json_t *rules = json_object_get(call->parameters, "rules");
    struct bypeer_store_policy policy = {.rule_count = 0};
    if (present)
        policy = *present;
    /* What is too long is no name, and said so. */
    snprintf(policy.group, sizeof(policy.group), "%s", strlen(group) < sizeof(policy.group) ? group : "");
    policy.multicast_s = (uint32_t)call_integer(call, "multicast", policy.multicast_s);
    int result = json_is_array(rules) ? policies_read_rules(call, rules, &policy) : 0;
    if (result == 0)
        result = bypeer_policies_set(policies, &policy, &call->problem);
    return result < 0 ? result : call_number(call, "set", 1);
}

int method_policies_remove(struct call *call)
{
    const char *group = call_string(call, "group");
    const struct bypeer_store_policy *present = bypeer_policies_find(call->node->policies, group);
    struct bypeer_store_policy none = {.rule_count = 0};
    if (!present)
        return call_number(call, "removed", 0);
    memcpy(none.group, present->group, sizeof(none.group));
    int result = bypeer_policies_set(call->node->policies, &none, &call->problem);
    return result < 0 ? result : call_number(call, "removed", 1);
}

int method_policies_list(struct call *call)
{
    json_t *list = json_array();
    const struct bypeer_store_policy *policy;
    for (size_t at = 0; (policy = bypeer_policies_at(call->node->policies, at)) != NULL; at++) {
        json_t *rules = json_array();
        for (uint32_t rule = 0; rule < policy->rule_count; rule++) {
            char text[BYPEER_RULE_TEXT];
            bypeer_rule_write(&policy->rules[rule], text);
            json_array_append_new(rules, json_string(text));
        }
        json_array_append_new(list, json_pack("{s:s, s:I, s:o}", "group", policy->group, "multicast",
                                              (json_int_t)policy->multicast_s, "rules", rules));
    }
    call->result = json_pack("{s:o}", "policies", list);
    return 0;
}
