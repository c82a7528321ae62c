/*
 * Making live what the database has: at the start everything, later what was kept because something was in its way.
 *
 * Walks through all groups, links, routes and members of the database: about half a second for a million members. So it
 * is done at the start, and later only while something is kept and a change may have set it free.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "control/model/entries.h"
#include "overlay/ip/ipv6.h"

/* Members on their way from the database to the tables: while one waits, what its place needs is fetched. */
#define WAITING 16

struct waiting {
    uint8_t address[16];
    uint32_t link;
};

struct wake {
    struct bypeer_model *model;
    void (*warn)(void *context, const char *line);
    void *context;
    uint64_t strays; /* members that stay kept */
    struct waiting waiting[WAITING];
    uint64_t waiting_from, waiting_to; /* count up for ever */
    struct bypeer_problem *problem;
};

static void wake_warn(const struct wake *wake, const struct bypeer_problem *problem)
{
    if (!wake->warn)
        return;
    char text[BYPEER_PROBLEM_TEXT], line[BYPEER_PROBLEM_TEXT + 64];
    snprintf(line, sizeof(line), "kept in the database but not active: %s", bypeer_problem_text(problem, text));
    wake->warn(wake->context, line);
}

static int wake_group(void *context, const struct bypeer_store_group *row)
{
    struct wake *wake = context;
    struct bypeer_model *model = wake->model;
    struct bypeer_model_group *group = model_group(model, row->id);
    if (!group || !row->defined)
        return 0;
    group->stored = true;
    group->kept = 0;
    if (group->line) { /* the file's definition shadows this one */
        model->kept++;
        return 0;
    }
    if (group->live)
        return 0;
    model_define_group(group, row);
    struct bypeer_problem why = {0};
    int result = model_check_group(row, &why);
    if (result == 0)
        result = model_check_group_fits(model, group, &why);
    if (result < 0) {
        wake_warn(wake, &why);
        model->kept++;
        return 0;
    }
    return model_start_group(model, group, wake->problem);
}

static int wake_link(void *context, const struct bypeer_store_link *row)
{
    struct wake *wake = context;
    struct bypeer_model *model = wake->model;
    struct bypeer_model_link *link = model_link(model, row->id);
    if (!link || !row->defined)
        return 0;
    link->stored = true;
    struct bypeer_model_group *group = model_group(model, row->group);
    if (link->line || link->live) {
        model->kept += link->line ? 1 : 0;
        return 0;
    }
    model_define_link(link, row);
    struct bypeer_problem why = {0};
    int result = model_check_link(row, &why);
    if (result == 0 && (!group || !group->live))
        result =
            bypeer_problem_set(&why, -ENOENT, "no_such_group", "link \"%s\"\nits group %s%s%sdoes not exist\nadd it",
                               link->name, group ? "\"" : "", group ? group->name : "", group ? "\" " : "");
    if (result == 0)
        result = model_check_link_fits(model, link, &why);
    if (result == 0)
        result = model_start_link(model, link, &why);
    if (result < 0) {
        wake_warn(wake, &why);
        model->kept++;
        if (group)
            group->kept++;
        return 0;
    }
    return 0;
}

static int wake_route(void *context, const struct bypeer_store_route *row)
{
    struct wake *wake = context;
    struct bypeer_model *model = wake->model;
    struct bypeer_model_link *link = model_link(model, row->link);
    const struct bypeer_model_route *there = model_find_route(model, row->prefix, row->bits);
    if (there && !there->line)
        return 0;
    if (there || !link || !link->live || link->local) {
        model->kept++;
        if (link)
            link->kept++;
        return 0;
    }
    struct bypeer_model_route route = {.bits = row->bits, .link = row->link};
    memcpy(route.prefix, row->prefix, 16);
    return model_put_route(model, &route, wake->problem);
}

static int wake_put_member(struct wake *wake, const uint8_t address[static 16], uint32_t link_id)
{
    struct bypeer_model *model = wake->model;
    struct bypeer_model_link *link = model_link(model, link_id);
    if (link && link->live && !link->local && !model_configured_member(model, address)) {
        const struct bypeer_destination *there = bypeer_writer_find_destination(model->writer, address);
        if (there && there->link == link_id)
            return 0;
        struct bypeer_model_group *group = model_group(model, link->group);
        if (bypeer_ipv6_in_prefix(address, group->prefix, 48) &&
            !(group->has_address && memcmp(address, group->address, 16) == 0))
            return model_put_member(model, address, link, 0, wake->problem);
    }
    wake->strays++;
    model->kept++;
    if (link)
        link->kept++;
    return 0;
}

static int wake_next_member(struct wake *wake)
{
    const struct waiting *next = &wake->waiting[wake->waiting_from++ % WAITING];
    return wake_put_member(wake, next->address, next->link);
}

static int wake_member(void *context, const uint8_t address[static 16], uint32_t link)
{
    struct wake *wake = context;
    int result = 0;
    if (wake->waiting_to - wake->waiting_from == WAITING)
        result = wake_next_member(wake);
    struct waiting *last = &wake->waiting[wake->waiting_to++ % WAITING];
    memcpy(last->address, address, 16);
    last->link = link;
    bypeer_writer_prefetch_destination(wake->model->writer, address);
    return result;
}

int model_wake(struct bypeer_model *model, void (*warn)(void *context, const char *line), void *context,
               struct bypeer_problem *problem)
{
    struct wake wake = {.model = model, .warn = warn, .context = context, .problem = problem};
    model->kept = 0;
    for (uint32_t id = 1; id < model->group_room; id++)
        if (model->groups[id])
            model->groups[id]->kept = 0;
    for (uint32_t id = 1; id < model->link_room; id++)
        if (model->links[id])
            model->links[id]->kept = 0;

    int result = bypeer_store_each_group(model->store, wake_group, &wake, problem);
    if (result == 0)
        result = bypeer_store_each_link(model->store, wake_link, &wake, problem);
    if (result == 0)
        result = bypeer_store_each_route(model->store, wake_route, &wake, problem);
    if (result == 0)
        result = bypeer_store_each_member(model->store, NULL, wake_member, &wake, problem);
    while (result == 0 && wake.waiting_from < wake.waiting_to)
        result = wake_next_member(&wake);
    if (result == 0)
        result = model_commit_routes(model, problem);
    if (result == 0 && wake.strays > 0 && warn) {
        char line[160];
        snprintf(
            line, sizeof(line),
            "kept in the database but not active: %llu members whose link does not exist, or that the file has too",
            (unsigned long long)wake.strays);
        warn(context, line);
    }
    return result < 0 ? result : 0;
}
