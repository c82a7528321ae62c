/*
 * Conflicts between a new configuration file and what the API had added. The file alone is known to be right.
 *
 * Each message names the line of the file where there is one, the entry of the API, and what to do.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "control/model/reload.h"

/* An entry that was added by API: it is live and no line of the file says so. */
static bool is_by_api(bool live, uint32_t line)
{
    return live && line == 0;
}

/* An address that the file has behind a link: the API may not have it behind another. */
static void check_overlay_address(const struct bypeer_model *model, const char *section,
                                  const uint8_t address[static 16], const char *link_name, uint32_t line,
                                  struct bypeer_report *report)
{
    const struct bypeer_destination *there = bypeer_writer_find_destination(model->writer, address);
    if (!there || (there->flags & BYPEER_DESTINATION_LOCAL) || model_configured_member(model, address))
        return;
    const struct bypeer_model_link *link = model_link(model, there->link);
    if (!link || strcmp(link->name, link_name) == 0)
        return;
    char text[INET6_ADDRSTRLEN];
    inet_ntop(AF_INET6, address, text, sizeof(text));
    bypeer_report_add(report, line, section,
                      "member %s was added by API behind link \"%s\"; remove it there (bypeer members remove %s)", text,
                      link->name, text);
}

/* --- groups --- */

static void check_group_added(const struct bypeer_model *model, const struct bypeer_config_group *group,
                              struct bypeer_report *report)
{
    const struct bypeer_model_group *there = model_find_group(model, group->name);
    if (there && there->live && there->followed)
        bypeer_report_add(report, group->origin.line, "groups",
                          "group \"%s\" is one that this node has joined; use another name", group->name);
    else if (there && is_by_api(there->live, there->line))
        bypeer_report_add(
            report, group->origin.line, "groups",
            "group \"%s\" was added by API; remove it there (bypeer groups remove %s), or use another name",
            group->name, group->name);
    for (const struct bypeer_model_group *other = bypeer_model_next_group(model, 0); other;
         other = bypeer_model_next_group(model, other->id))
        if (other != there && is_by_api(other->live, other->line) && memcmp(other->prefix, group->prefix, 16) == 0)
            bypeer_report_add(report, group->origin.line, "groups",
                              "the prefix of group \"%s\" is that of group \"%s\", which was added by API; "
                              "choose another prefix",
                              group->name, other->name);
}

static void check_group_address(const struct bypeer_model *model, const struct bypeer_config_group *group,
                                struct bypeer_report *report)
{
    if (!group->has_address)
        return;
    const struct bypeer_destination *there = bypeer_writer_find_destination(model->writer, group->address);
    if (there && !(there->flags & BYPEER_DESTINATION_LOCAL) && !model_configured_member(model, group->address))
        bypeer_report_add(report, group->origin.line, "groups",
                          "the address of group \"%s\" is a member that was added by API; remove it there first",
                          group->name);
}

/* The group is gone from the file, or has another prefix: no link of the API may be in it. */
static void check_group_links(const struct bypeer_model *model, const struct bypeer_config_group *before, uint32_t line,
                              struct bypeer_report *report)
{
    const struct bypeer_model_group *group = model_find_group(model, before->name);
    for (const struct bypeer_model_link *link = bypeer_model_next_link(model, 0); group && link;
         link = bypeer_model_next_link(model, link->id))
        if (!link->local && is_by_api(link->live, link->line) && link->group == group->id)
            bypeer_report_add(
                report, line, "groups",
                "group \"%s\" %s, but link \"%s\", which was added by API, is in it; remove that link first",
                before->name, line ? "gets another prefix" : "is gone from the file", link->name);
}

static void check_group(const struct bypeer_model *model, const struct bypeer_diff_entry *entry,
                        struct bypeer_report *report)
{
    const struct bypeer_config_group *before = entry->before, *after = entry->after;
    if (!before)
        check_group_added(model, after, report);
    if (before && (!after || memcmp(before->prefix, after->prefix, 16) != 0))
        check_group_links(model, before, after ? after->origin.line : 0, report);
    if (after)
        check_group_address(model, after, report);
}

/* --- links --- */

/* Members and routes behind a link of the file that were added by API. */
static uint32_t link_users_by_api(const struct bypeer_model *model, const struct bypeer_model_link *link)
{
    uint32_t users = link->members + link->routes;
    for (size_t at = 0; at < model->configured_count; at++)
        users -= model->configured[at].link == link->id ? 1 : 0;
    for (size_t at = 0; at < model->route_count; at++)
        users -= model->routes[at].link == link->id && model->routes[at].line ? 1 : 0;
    return users;
}

/* A link or peer of the file that is new. */
static void check_new_name(const struct bypeer_model *model, const char *section, const char *name, uint32_t line,
                           struct bypeer_report *report)
{
    const struct bypeer_model_link *link = model_find_link(model, name);
    if (link && is_by_api(link->live, link->line))
        bypeer_report_add(report, line, section,
                          "link \"%s\" was added by API; remove it there (bypeer links remove %s), or use another name",
                          name, name);
}

/* One that is gone (line 0), or changes its group. */
static void check_users(const struct bypeer_model *model, const char *section, const char *name, uint32_t line,
                        struct bypeer_report *report)
{
    const struct bypeer_model_link *link = model_find_link(model, name);
    uint32_t users = link ? link_users_by_api(model, link) : 0;
    if (users > 0)
        bypeer_report_add(report, line, section,
                          "link \"%s\" %s, but %u members or routes that were added by API are behind it; "
                          "remove them first",
                          name, line ? "changes its group" : "is gone from the file", users);
}

static void check_link(const struct bypeer_model *model, const struct bypeer_diff_entry *entry,
                       struct bypeer_report *report)
{
    const struct bypeer_config_link *before = entry->before, *after = entry->after;
    if (!before)
        check_new_name(model, "links", after->name, after->origin.line, report);
    else if (!after || strcmp(before->group, after->group) != 0)
        check_users(model, "links", before->name, after ? after->origin.line : 0, report);
}

/* --- peers --- */

static void check_peer(const struct bypeer_model *model, const struct bypeer_diff_entry *entry,
                       struct bypeer_report *report)
{
    const struct bypeer_config_peer *before = entry->before, *after = entry->after;
    if (!before)
        check_new_name(model, "peers", after->name, after->origin.line, report);
    else if (!after || strcmp(before->group, after->group) != 0)
        check_users(model, "peers", before->name, after ? after->origin.line : 0, report);
    if (!after)
        return;
    char text[BYPEER_WIREGUARD_KEY_TEXT];
    bypeer_wireguard_key_write(after->public_key, text);
    const struct bypeer_model_link *holder = bypeer_model_find_peer(model, text);
    if (holder && holder->live && holder->followed)
        bypeer_report_add(report, after->origin.line, "peers",
                          "the public key of peer \"%s\" is that of a member of a group that this node has joined "
                          "(link \"%s\"); leave it out",
                          after->name, holder->name);
    else if (holder && is_by_api(holder->live, holder->line) && strcmp(holder->name, after->name) != 0)
        bypeer_report_add(
            report, after->origin.line, "peers",
            "the public key of peer \"%s\" is that of peer \"%s\", which was added by API; remove it there "
            "(bypeer peer remove %s)",
            after->name, holder->name, holder->name);
    struct bypeer_problem problem;
    uint8_t preshared[32];
    char why[BYPEER_PROBLEM_TEXT];
    if (after->preshared_key_file[0] && model_read_preshared(after->preshared_key_file, preshared, &problem) < 0)
        bypeer_report_add(report, after->origin.line, "peers", "%s", bypeer_problem_text(&problem, why));
    explicit_bzero(preshared, sizeof(preshared));
    if (after->has_address)
        check_overlay_address(model, "peers", after->address, after->name, after->origin.line, report);
}

/* A (peer, VNI) of the file, sorted. */
struct wire {
    uint8_t peer[16];
    uint32_t vni;
    uint32_t line;
};

static int wire_compare(const void *one, const void *other)
{
    return memcmp(one, other, offsetof(struct wire, line));
}

/* The VNI that a link will have with the next file's groups. */
static uint32_t check_vni(const struct bypeer_model *model, const struct bypeer_config *next,
                          const struct bypeer_model_link *link)
{
    const struct bypeer_model_group *group = bypeer_model_group(model, link->group);
    for (uint32_t at = 0; group && link->vni == 0 && at < next->group_count; at++)
        if (strcmp(next->groups[at].name, group->name) == 0)
            return next->groups[at].vni;
    return bypeer_model_link_vni(model, link);
}

/* No link of the file may go where one of the API goes. */
static void check_wires(const struct bypeer_model *model, const struct bypeer_config *next,
                        struct bypeer_report *report)
{
    struct wire *wires = calloc(next->link_count + 1u, sizeof(*wires));
    if (!wires) {
        report->out_of_memory = true;
        return;
    }
    for (uint32_t at = 0; at < next->link_count; at++) {
        memcpy(wires[at].peer, next->links[at].peer, 16);
        wires[at].vni = next->links[at].vni;
        wires[at].line = next->links[at].origin.line;
    }
    qsort(wires, next->link_count, sizeof(*wires), wire_compare);
    for (const struct bypeer_model_link *link = bypeer_model_next_link(model, 0); link;
         link = bypeer_model_next_link(model, link->id)) {
        if (link->local || link->wireguard || !is_by_api(link->live, link->line))
            continue;
        struct wire wire = {.vni = check_vni(model, next, link)};
        memcpy(wire.peer, link->peer, 16);
        const struct wire *there = bsearch(&wire, wires, next->link_count, sizeof(*wires), wire_compare);
        if (there)
            bypeer_report_add(report, there->line, "links",
                              "link \"%s\", which was added by API, goes to this peer with VNI %u; remove it there, or "
                              "use another VNI",
                              link->name, wire.vni);
    }
    free(wires);
}

/* --- members and routes --- */

static void check_member(const struct bypeer_model *model, const struct bypeer_diff_entry *entry,
                         struct bypeer_report *report)
{
    const struct bypeer_config_member *after = entry->after;
    if (after)
        check_overlay_address(model, "members", after->address, after->link, after->origin.line, report);
}

static void check_route(const struct bypeer_model *model, const struct bypeer_diff_entry *entry,
                        struct bypeer_report *report)
{
    const struct bypeer_config_route *after = entry->after;
    const struct bypeer_model_route *there = after ? model_find_route(model, after->prefix, after->bits) : NULL;
    if (!there || there->line)
        return;
    const struct bypeer_model_link *link = model_link(model, there->link);
    if (!link || strcmp(link->name, after->link) == 0)
        return;
    char text[INET6_ADDRSTRLEN];
    inet_ntop(AF_INET6, after->prefix, text, sizeof(text));
    bypeer_report_add(report, after->origin.line, "routes",
                      "route %s/%u was added by API behind link \"%s\"; remove it there (bypeer routes remove %s/%u)",
                      text, after->bits, link->name, text, after->bits);
}

/* --- all --- */

static void check_limit(const char *key, uint64_t by_api, uint64_t of_file, uint64_t limit,
                        struct bypeer_report *report)
{
    if (by_api + of_file > limit)
        bypeer_report_add(report, 0, key,
                          "%llu are too few for the %llu of the file and the %llu added by API; raise it",
                          (unsigned long long)limit, (unsigned long long)of_file, (unsigned long long)by_api);
}

static void check_limits(const struct bypeer_model *model, const struct bypeer_config *next,
                         struct bypeer_report *report)
{
    uint64_t links = 0, routes = 0;
    for (const struct bypeer_model_link *link = bypeer_model_next_link(model, 0); link;
         link = bypeer_model_next_link(model, link->id))
        links += !link->local && is_by_api(link->live, link->line) ? 1 : 0;
    for (size_t at = 0; at < model->route_count; at++)
        routes += model->routes[at].line == 0 ? 1 : 0;
    check_limit("tables.links", links, (uint64_t)next->link_count + next->peer_count, next->tables.links, report);
    check_limit("tables.prefixes", routes, next->route_count, next->tables.prefixes, report);
    uint64_t members = model->members > model->configured_count ? model->members - model->configured_count : 0;
    check_limit("tables.members-max", members, (uint64_t)next->member_count + next->peer_count,
                next->tables.members_max, report);
}

void model_check_reload(const struct bypeer_model *model, const struct bypeer_config *next,
                        const struct bypeer_diff *diff, struct bypeer_report *report)
{
    for (size_t at = 0; at < diff->entry_count && !bypeer_report_full(report); at++) {
        const struct bypeer_diff_entry *entry = &diff->entries[at];
        if (entry->section == BYPEER_CONFIG_GROUPS)
            check_group(model, entry, report);
        else if (entry->section == BYPEER_CONFIG_LINKS)
            check_link(model, entry, report);
        else if (entry->section == BYPEER_CONFIG_PEERS)
            check_peer(model, entry, report);
        else if (entry->section == BYPEER_CONFIG_MEMBERS)
            check_member(model, entry, report);
        else if (entry->section == BYPEER_CONFIG_ROUTES)
            check_route(model, entry, report);
    }
    check_wires(model, next, report);
    check_limits(model, next, report);
}
