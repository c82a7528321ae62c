/*
 * What is refused, in the audit log: so many a minute of the members of each group, and so many of all strangers, who
 * can thereby not hide what a member does.
 */
#include <stdio.h>

#include "control/groups/state.h"

static void refusals_end_minute(struct bypeer_groups *groups, struct groups_refusals *refusals, const char *group,
                                const char *whose, uint64_t minute)
{
    char text[64];
    if (minute == refusals->minute)
        return;
    if (refusals->count > GROUPS_REFUSALS) {
        snprintf(text, sizeof(text), "%u more %s within a minute", refusals->count - GROUPS_REFUSALS, whose);
        bypeer_groups_audit(groups, group, "refused", NULL, NULL, text);
    }
    *refusals = (struct groups_refusals){.minute = minute};
}

void groups_end_refusals(struct bypeer_groups *groups, uint64_t now_ms)
{
    uint64_t minute = now_ms / 60000;
    refusals_end_minute(groups, &groups->strangers, NULL, "of strangers", minute);
    for (struct bypeer_joined *joined = groups->joined; joined; joined = joined->next)
        refusals_end_minute(groups, &joined->refusals, joined->name_text, "of members", minute);
}

void joined_audit_refusal(struct bypeer_joined *joined, bool is_member, const char *who, const char *whom,
                          const char *why, uint64_t now_ms)
{
    struct groups_refusals *refusals = is_member ? &joined->refusals : &joined->groups->strangers;
    snprintf(joined->refusal, sizeof(joined->refusal), "%s", why);
    groups_end_refusals(joined->groups, now_ms);
    if (++refusals->count <= GROUPS_REFUSALS)
        bypeer_groups_audit(joined->groups, joined->name_text, "refused", who, whom, why);
}
