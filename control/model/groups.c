/*
 * Groups: an RFC 4193 /48, its VNI, and this node's own address in it, which is reached by a link of kind LOCAL.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "control/model/entries.h"

void model_define_group(struct bypeer_model_group *group, const struct bypeer_store_group *definition)
{
    memcpy(group->prefix, definition->prefix, 16);
    memcpy(group->address, definition->address, 16);
    group->has_address = definition->has_address;
    group->vni = definition->vni;
}

int model_put_group_row(struct bypeer_model *model, const struct bypeer_model_group *group,
                        struct bypeer_problem *problem)
{
    struct bypeer_store_group row = {
        .id = group->id, .defined = group->stored, .vni = group->vni, .has_address = group->has_address};
    memcpy(row.name, group->name, sizeof(row.name));
    memcpy(row.prefix, group->prefix, 16);
    memcpy(row.address, group->address, 16);
    return bypeer_store_put_group(model->store, &row, problem);
}

int model_check_group_fits(const struct bypeer_model *model, const struct bypeer_model_group *group,
                           struct bypeer_problem *problem)
{
    if (!group->live && model->live_groups >= model->limits.groups)
        return bypeer_problem_set(problem, -ENOSPC, "capacity",
                                  "group \"%s\"\nthere are %u groups already, the most "
                                  "that the tables hold\nremove one that is no longer needed",
                                  group->name, model->live_groups);
    for (const struct bypeer_model_group *other = bypeer_model_next_group(model, 0); other;
         other = bypeer_model_next_group(model, other->id))
        if (other->live && other->id != group->id && memcmp(other->prefix, group->prefix, 16) == 0)
            return bypeer_problem_set(problem, -EEXIST, "prefix_exists",
                                      "group \"%s\"\ngroup \"%s\" has its prefix already\nchoose another prefix",
                                      group->name, other->name);
    return 0;
}

static int groups_put_record(struct bypeer_model *model, const struct bypeer_model_group *group,
                             struct bypeer_problem *problem)
{
    const struct bypeer_policy_rule *rules = NULL;
    uint32_t rule_count = model->hooks.rules ? model->hooks.rules(model->hooks.context, group->name, &rules) : 0;
    struct bypeer_group record = {.id = group->id, .vni = group->vni};
    memcpy(record.prefix, group->prefix, 16);
    if (group->has_address)
        memcpy(record.address, group->address, 16);
    for (unsigned attempt = 0;; attempt++) {
        int result = bypeer_writer_add_group(model->writer, &record, rules, rule_count);
        if (result >= 0)
            return 0;
        if (result != -EAGAIN && result != -ENOSPC)
            return bypeer_problem_set(problem, result, "capacity",
                                      "group \"%s\"\nthe tables have no place for id %u\nrestart bypeerd", group->name,
                                      group->id);
        result = model_make_room(model, result, attempt, problem);
        if (result < 0)
            return result;
    }
}

/* The link to this host that the group's address needs: an entry, made durable so that its id and counts stay. */
static int groups_need_local_link(struct bypeer_model *model, struct bypeer_model_group *group,
                                  struct bypeer_problem *problem)
{
    char name[64];
    snprintf(name, sizeof(name), "@%.62s", group->name);
    struct bypeer_model_link *link = model_find_link(model, name);
    if (!link) {
        link = model_new_link(model, 0, name);
        if (!link)
            return bypeer_problem_no_memory(problem);
        int result = model_make_link_durable(model, link, problem);
        if (result < 0) {
            model_drop_link(model, link);
            return result;
        }
    }
    link->local = true;
    link->group = group->id;
    group->local_link = link->id;
    return 0;
}

int model_start_group(struct bypeer_model *model, struct bypeer_model_group *group, struct bypeer_problem *problem)
{
    int result = groups_put_record(model, group, problem);
    if (result < 0)
        return result;
    if (!group->live)
        model->live_groups++;
    group->live = true;
    if (group->has_address) {
        result = groups_need_local_link(model, group, problem);
        struct bypeer_model_link *link = model_link(model, group->local_link);
        if (result == 0)
            result = model_start_link(model, link, problem);
        if (result == 0)
            result = model_put_member(model, group->address, link, BYPEER_DESTINATION_LOCAL, problem);
        if (result < 0) {
            model_stop_group(model, group);
            return result;
        }
    }
    if (model->hooks.group_changed)
        model->hooks.group_changed(model->hooks.entries_context, group, false);
    return 0;
}

void model_suspend_group(struct bypeer_model *model, struct bypeer_model_group *group)
{
    if (!group->live)
        return;
    if (model->hooks.group_changed)
        model->hooks.group_changed(model->hooks.entries_context, group, true);
    struct bypeer_model_link *local = model_link(model, group->local_link);
    if (local) {
        model_take_member(model, group->address);
        model_stop_link(model, local);
        group->local_link = 0;
    }
    group->live = false;
    model->live_groups--;
}

void model_stop_group(struct bypeer_model *model, struct bypeer_model_group *group)
{
    model_suspend_group(model, group);
    bypeer_writer_remove_group(model->writer, group->id);
}

int bypeer_model_add_group(struct bypeer_model *model, const struct bypeer_store_group *definition,
                           struct bypeer_problem *problem)
{
    int result = model_check_group(definition, problem);
    if (result < 0)
        return result;
    struct bypeer_model_group *group = model_find_group(model, definition->name);
    if (group && (group->live || group->stored))
        return bypeer_problem_set(problem, -EEXIST, "group_exists",
                                  "group \"%s\"\nexists already%s\n"
                                  "choose another name, or remove it first",
                                  group->name, group->line ? ", in the configuration file" : "");
    bool is_new = !group;
    if (is_new && !(group = model_new_group(model, 0, definition->name)))
        return bypeer_problem_no_memory(problem);
    model_define_group(group, definition);
    group->stored = true;
    result = model_check_group_fits(model, group, problem);
    if (result == 0)
        result = bypeer_store_begin(model->store, problem);
    if (result == 0)
        result = model_put_group_row(model, group, problem);
    result = bypeer_store_end(model->store, result, problem);
    if (result < 0) {
        group->stored = false;
        if (is_new)
            model_drop_group(model, group);
        return result;
    }
    result = model_start_group(model, group, problem);
    if (result == 0 && model->kept > 0)
        result = model_wake(model, NULL, NULL, problem);
    return result;
}

int bypeer_model_remove_group(struct bypeer_model *model, const char *name, struct bypeer_problem *problem)
{
    struct bypeer_model_group *group = model_find_group(model, name);
    if (!group || (!group->live && !group->stored))
        return bypeer_problem_set(problem, -ENOENT, "no_such_group",
                                  "group \"%s\"\ndoes not exist\nlist the groups with: bypeer groups", name);
    if (group->line)
        return bypeer_problem_set(problem, -EPERM, "configured",
                                  "group \"%s\"\nis in line %u of the configuration file\nremove it there and reload",
                                  name, group->line);
    if (group->followed)
        return model_refuse_followed("group", name, problem);
    if (group->links + group->kept > 0)
        return bypeer_problem_set(problem, -EBUSY, "in_use", "group \"%s\"\nis used by %u links\nremove them first",
                                  name, group->links + group->kept);
    char local_name[64];
    snprintf(local_name, sizeof(local_name), "@%.62s", name);
    struct bypeer_model_link *local = model_find_link(model, local_name);
    int result = bypeer_store_begin(model->store, problem);
    if (result == 0)
        result = bypeer_store_remove_group(model->store, group->id, problem);
    if (result == 0 && local)
        result = bypeer_store_remove_link(model->store, local->id, problem);
    result = bypeer_store_end(model->store, result, problem);
    if (result < 0)
        return result;
    if (!group->live)
        model->kept--;
    model_stop_group(model, group);
    model_drop_group(model, group);
    if (local)
        model_drop_link(model, local);
    return model->kept > 0 ? model_wake(model, NULL, NULL, problem) : 0;
}
