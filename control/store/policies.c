#include "control/store/policies.h"

#include <stdio.h>
#include <string.h>

#include "control/policy/rule_text.h"
#include "control/store/statements.h"

int bypeer_store_put_policy(struct bypeer_store *store, const struct bypeer_store_policy *policy,
                            struct bypeer_problem *problem)
{
    char text[BYPEER_GROUP_RULES_MAX * BYPEER_RULE_TEXT] = "";
    sqlite3_stmt *statement = store->statements[STORE_PUT_POLICY];
    size_t length = 0;
    for (uint32_t at = 0; at < policy->rule_count; at++) {
        bypeer_rule_write(&policy->rules[at], text + length);
        length += strlen(text + length);
        text[length++] = '\n';
    }
    text[length] = '\0';
    sqlite3_bind_text(statement, 1, policy->group, -1, SQLITE_STATIC);
    sqlite3_bind_int64(statement, 2, policy->multicast_s);
    sqlite3_bind_text(statement, 3, text, (int)length, SQLITE_STATIC);
    return store_run(store, statement, "writing a policy", problem);
}

int bypeer_store_remove_policy(struct bypeer_store *store, const char *group, struct bypeer_problem *problem)
{
    sqlite3_stmt *statement = store->statements[STORE_REMOVE_POLICY];
    sqlite3_bind_text(statement, 1, group, -1, SQLITE_STATIC);
    return store_run(store, statement, "removing a policy", problem);
}

static bool policies_read_rules(const char *text, struct bypeer_store_policy *policy)
{
    while (*text) {
        char line[BYPEER_RULE_TEXT];
        const char *end = strchr(text, '\n'), *why;
        size_t length = end ? (size_t)(end - text) : 0;
        if (!end || length >= sizeof(line) || policy->rule_count == BYPEER_GROUP_RULES_MAX)
            return false;
        memcpy(line, text, length);
        line[length] = '\0';
        if (bypeer_rule_read(line, &policy->rules[policy->rule_count++], &why) < 0)
            return false;
        text = end + 1;
    }
    return true;
}

int bypeer_store_each_policy(struct bypeer_store *store,
                             int (*visit)(void *context, const struct bypeer_store_policy *policy), void *context,
                             struct bypeer_problem *problem)
{
    static const struct bypeer_policy_rule nothing = {.verdict = BYPEER_POLICY_DENY, .port_high = UINT16_MAX};
    sqlite3_stmt *statement = store->statements[STORE_EACH_POLICY];
    int code, verdict = 0;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
        const unsigned char *name = sqlite3_column_text(statement, 0), *rules = sqlite3_column_text(statement, 2);
        struct bypeer_store_policy policy = {.multicast_s = store_read_number(statement, 1, UINT32_MAX)};
        int length = snprintf(policy.group, sizeof(policy.group), "%s", name ? (const char *)name : "");
        if (length <= 0 || (size_t)length >= sizeof(policy.group))
            continue;
        if (!rules || !policies_read_rules((const char *)rules, &policy)) {
            policy.rule_count = 1;
            policy.rules[0] = nothing;
        }
        if ((verdict = visit(context, &policy)) != 0)
            break;
    }
    return store_end_walk(store, statement, code, verdict, problem);
}
