/*
 * Members: overlay addresses behind links.
 *
 * A batch is sorted first: the rows of the database are in order of address, so that neighbours in the batch change the
 * same page of its b-tree. What is a member of this link already costs neither a row nor a record.
 */
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/model/entries.h"
#include "overlay/ip/ipv6.h"

/* One page of a list looks at no more rows than this, whatever its filter leaves. */
#define LIST_ROWS_MAX 50000

#define PREFETCH_AHEAD 12

static int members_compare(const void *one, const void *other)
{
    uint64_t a, b;
    memcpy(&a, one, 8);
    memcpy(&b, other, 8);
    if (a == b) {
        memcpy(&a, (const uint8_t *)one + 8, 8);
        memcpy(&b, (const uint8_t *)other + 8, 8);
    }
    a = be64toh(a);
    b = be64toh(b);
    return (a > b) - (a < b);
}

/* Sorts, and leaves each address once; returns how many. */
static size_t members_sort(uint8_t (*addresses)[16], size_t count)
{
    qsort(addresses, count, 16, members_compare);
    size_t kept = 0;
    for (size_t at = 0; at < count; at++)
        if (kept == 0 || memcmp(addresses[kept - 1], addresses[at], 16) != 0)
            memmove(addresses[kept++], addresses[at], 16);
    return kept;
}

const struct bypeer_model_member *model_configured_member(const struct bypeer_model *model,
                                                          const uint8_t address[static 16])
{
    if (model->configured_count == 0)
        return NULL;
    return bsearch(address, model->configured, model->configured_count, sizeof(*model->configured), members_compare);
}

/* Starts to fetch the address some places ahead in a batch, so that the misses of many overlap. */
static void members_prefetch(const struct bypeer_model *model, uint8_t (*addresses)[16], size_t at, size_t count)
{
    if (at + PREFETCH_AHEAD < count)
        bypeer_writer_prefetch_destination(model->writer, addresses[at + PREFETCH_AHEAD]);
}

/* The link's count of members and the model's. */
static void members_count(struct bypeer_model *model, uint32_t link_id, bool more)
{
    struct bypeer_model_link *link = model_link(model, link_id);
    if (link && link->local)
        return;
    if (link) /* one that a reload has dropped is gone, its members not yet */
        link->members += more ? 1u : UINT32_MAX;
    model->members += more ? 1u : UINT64_MAX;
}

int model_put_member(struct bypeer_model *model, const uint8_t address[static 16], struct bypeer_model_link *link,
                     uint32_t flags, struct bypeer_problem *problem)
{
    struct bypeer_destination record = {.link = link->id, .group = link->group, .flags = flags, .prefix_bits = 128};
    memcpy(record.key, address, 16);
    return model_put_destination(model, &record, problem);
}

int model_put_destination(struct bypeer_model *model, const struct bypeer_destination *record,
                          struct bypeer_problem *problem)
{
    const struct bypeer_destination *there = bypeer_writer_find_destination(model->writer, record->key);
    uint32_t link_before = there ? there->link : 0;
    for (unsigned attempt = 0;; attempt++) {
        int result = bypeer_writer_put_destination(model->writer, record);
        if (result >= 0)
            break;
        if (result == -EAGAIN || result == -ENOSPC)
            result = model_make_room(model, result, attempt, problem);
        if (result < 0)
            return result;
    }
    if (there)
        members_count(model, link_before, false);
    members_count(model, record->link, true);
    return 0;
}

void model_take_member(struct bypeer_model *model, const uint8_t address[static 16])
{
    const struct bypeer_destination *there = bypeer_writer_find_destination(model->writer, address);
    if (!there)
        return;
    uint32_t link = there->link;
    for (unsigned attempt = 0;; attempt++) {
        int result = bypeer_writer_remove_destination(model->writer, address);
        if (result != -EAGAIN || model_make_room(model, result, attempt, NULL) < 0)
            break;
    }
    members_count(model, link, false);
}

int model_forget_kept_member(struct bypeer_model *model, const uint8_t address[static 16],
                             struct bypeer_problem *problem)
{
    if (model->kept == 0)
        return 0;
    uint32_t stored;
    int found = bypeer_store_find_member(model->store, address, &stored, problem);
    if (found <= 0)
        return found;
    struct bypeer_model_link *link = model_link(model, stored);
    if (!link || (link->live && !model_configured_member(model, address)))
        return 0;
    if (link->kept > 0)
        link->kept--;
    model->kept--;
    return 0;
}

const char *model_member_is_wrong(const struct bypeer_model *model, const struct bypeer_model_link *link,
                                  const uint8_t address[static 16], const char **ret_remedy)
{
    const struct bypeer_model_group *group = model_group(model, link->group);
    if (!bypeer_ipv6_in_prefix(address, group->prefix, 48)) {
        *ret_remedy = "use an address of the group's /48";
        return "is not in the prefix of the link's group";
    }
    if (group->has_address && memcmp(address, group->address, 16) == 0) {
        *ret_remedy = "leave it out";
        return "is this node's own address in the group";
    }
    const struct bypeer_model_member *member = model_configured_member(model, address);
    if (member && member->link != link->id) {
        *ret_remedy = "change it there and reload";
        return "is in the configuration file, behind another link";
    }
    return NULL;
}

/* Is every address one that may be a member behind link by API? */
static int members_check(const struct bypeer_model *model, const struct bypeer_model_link *link,
                         uint8_t (*addresses)[16], size_t count, struct bypeer_problem *problem)
{
    char text[INET6_ADDRSTRLEN];
    for (size_t at = 0; at < count; at++) {
        const char *remedy, *wrong = model_member_is_wrong(model, link, addresses[at], &remedy);
        if (!wrong)
            continue;
        inet_ntop(AF_INET6, addresses[at], text, sizeof(text));
        return bypeer_problem_set(problem, -EINVAL, "bad_member", "member %s\n%s\n%s", text, wrong, remedy);
    }
    return 0;
}

int model_reserve(struct bypeer_model *model, size_t links, size_t members, struct bypeer_problem *problem)
{
    struct bypeer_writer_usage usage;
    bypeer_writer_usage(model->writer, &usage);
    uint64_t need = (uint64_t)usage.used.destinations + members, need_links = (uint64_t)usage.used.links + links;
    if (need <= usage.capacity.destinations && need_links <= usage.capacity.links)
        return 0;
    if (!model->hooks.make_room)
        return model_make_room(model, -ENOSPC, 0, problem);
    struct bypeer_tables_size size = usage.used;
    size.destinations = need > UINT32_MAX ? UINT32_MAX : (uint32_t)need;
    size.links = need_links > BYPEER_TABLES_IDS_MAX ? BYPEER_TABLES_IDS_MAX : (uint32_t)need_links;
    return model->hooks.make_room(model->hooks.context, -ENOSPC, &size, problem);
}

int bypeer_model_load_members(struct bypeer_model *model, const char *link_name, uint8_t (*addresses)[16], size_t count,
                              size_t *ret_added, size_t *ret_replaced, struct bypeer_problem *problem)
{
    struct bypeer_model_link *link = model_find_link(model, link_name);
    if (!link || !link->live || link->local)
        return bypeer_problem_set(problem, -ENOENT, "no_such_link",
                                  "link \"%s\"\ndoes not exist\nlist the links with: bypeer links", link_name);
    if (link->followed)
        return model_refuse_followed("link", link_name, problem);
    count = members_sort(addresses, count);
    int result = members_check(model, link, addresses, count, problem);
    if (result < 0)
        return result;

    size_t changed = 0, replaced = 0;
    for (size_t at = 0; at < count; at++) {
        members_prefetch(model, addresses, at, count);
        const struct bypeer_destination *there = bypeer_writer_find_destination(model->writer, addresses[at]);
        replaced += there ? 1 : 0;
        if (!there || there->link != link->id)
            memmove(addresses[changed++], addresses[at], 16);
    }
    result = model_reserve(model, 0, count - replaced, problem);
    if (result < 0)
        return result;

    result = bypeer_store_begin(model->store, problem);
    for (size_t at = 0; at < changed && result == 0; at++) {
        result = model_forget_kept_member(model, addresses[at], problem);
        if (result == 0)
            result = bypeer_store_put_member(model->store, addresses[at], link->id, problem);
    }
    result = bypeer_store_end(model->store, result, problem);
    if (result < 0)
        return result;
    for (size_t at = 0; at < changed; at++) {
        members_prefetch(model, addresses, at, changed);
        result = model_put_member(model, addresses[at], link, 0, problem);
        if (result < 0)
            return result;
    }
    *ret_added = count - replaced;
    *ret_replaced = replaced;
    return 0;
}

int bypeer_model_unload_members(struct bypeer_model *model, uint8_t (*addresses)[16], size_t count, size_t *ret_removed,
                                struct bypeer_problem *problem)
{
    count = members_sort(addresses, count);
    size_t removed = 0;
    for (size_t at = 0; at < count; at++) {
        const struct bypeer_model_member *member = model_configured_member(model, addresses[at]);
        if (member) {
            char text[INET6_ADDRSTRLEN];
            inet_ntop(AF_INET6, addresses[at], text, sizeof(text));
            return bypeer_problem_set(problem, -EPERM, "configured",
                                      "member %s\nis in line %u of the configuration file\nremove it there and reload",
                                      text, member->line);
        }
        if (model_followed_member(model, addresses[at])) {
            char text[INET6_ADDRSTRLEN];
            return model_refuse_followed("member", inet_ntop(AF_INET6, addresses[at], text, sizeof(text)), problem);
        }
        const struct bypeer_destination *there = bypeer_writer_find_destination(model->writer, addresses[at]);
        if (there ? !(there->flags & BYPEER_DESTINATION_LOCAL) : model->kept > 0)
            memmove(addresses[removed++], addresses[at], 16);
    }
    uint64_t members_before = model->members, kept_before = model->kept;
    int result = bypeer_store_begin(model->store, problem);
    for (size_t at = 0; at < removed && result == 0; at++) {
        result = model_forget_kept_member(model, addresses[at], problem);
        if (result == 0)
            result = bypeer_store_remove_member(model->store, addresses[at], problem);
    }
    result = bypeer_store_end(model->store, result, problem);
    if (result < 0)
        return result;
    for (size_t at = 0; at < removed; at++) {
        members_prefetch(model, addresses, at, removed);
        model_take_member(model, addresses[at]);
    }
    *ret_removed = (size_t)(members_before - model->members + kept_before - model->kept);
    return 0;
}

/* --- a page of the list --- */

struct members_page {
    const struct bypeer_model *model;
    uint32_t group, link;
    struct bypeer_model_member *members;
    size_t limit, filled;
    size_t rows;       /* looked at */
    size_t configured; /* next one of the file */
    size_t followed;   /* next one of those that follow records */
    uint8_t *last;
    uint8_t end[16]; /* of the group's prefix, if there is a filter by group */
    bool more;
};

/* Behind a trunk are members of several groups. */
static uint32_t members_group(const struct bypeer_model *model, const struct bypeer_model_link *link,
                              const uint8_t address[static 16])
{
    if (link->group != BYPEER_GROUP_ANY)
        return link->group;
    const struct bypeer_destination *there = bypeer_writer_find_destination(model->writer, address);
    return there ? there->group : 0;
}

/* Takes a member into the page if it passes the filter; false: the page is full, or has looked at enough. */
static bool members_take(struct members_page *page, const uint8_t address[static 16], uint32_t link_id, uint32_t line)
{
    if (page->filled == page->limit || page->rows == LIST_ROWS_MAX) {
        page->more = true;
        return false;
    }
    page->rows++;
    memcpy(page->last, address, 16);
    const struct bypeer_model_link *link = model_link(page->model, link_id);
    uint32_t group = link ? members_group(page->model, link, address) : 0;
    if (!link || !link->live || (page->link && link_id != page->link) || (page->group && group != page->group))
        return true;
    struct bypeer_model_member *member = &page->members[page->filled++];
    memcpy(member->address, address, 16);
    member->link = link_id;
    member->group = group;
    member->line = line;
    return true;
}

/* The next member that no row of the database stands for: *ret_next is the place to count up. NULL: none is left. */
static const struct bypeer_model_member *members_next_rowless(struct members_page *page, size_t **ret_next)
{
    const struct bypeer_model *model = page->model;
    const struct bypeer_model_member *configured =
        page->configured < model->configured_count ? &model->configured[page->configured] : NULL;
    const struct bypeer_model_member *followed =
        page->followed < model->followed_count ? &model->followed[page->followed] : NULL;
    bool is_followed = followed && (!configured || members_compare(followed->address, configured->address) < 0);
    *ret_next = is_followed ? &page->followed : &page->configured;
    return is_followed ? followed : configured;
}

/* Members of the file and of records that come before address (NULL: all that are left). */
static bool members_take_rowless(struct members_page *page, const uint8_t *address)
{
    const struct bypeer_model_member *member;
    size_t *next;
    while ((member = members_next_rowless(page, &next))) {
        if (address && members_compare(member->address, address) >= 0)
            break;
        if (page->group && members_compare(member->address, page->end) > 0)
            break;
        if (!members_take(page, member->address, member->link, member->line))
            return false;
        ++*next;
    }
    return true;
}

static int members_visit(void *context, const uint8_t address[static 16], uint32_t link)
{
    struct members_page *page = context;
    if (page->group && members_compare(address, page->end) > 0)
        return 1;
    if (!members_take_rowless(page, address))
        return 1;
    if (page->configured < page->model->configured_count &&
        memcmp(page->model->configured[page->configured].address, address, 16) == 0)
        return 0; /* the file's entry comes next, this one is kept */
    return members_take(page, address, link, 0) ? 0 : 1;
}

/* The address after this one; false: there is none. */
static bool members_next_address(uint8_t address[static 16])
{
    for (int at = 15; at >= 0; at--)
        if (++address[at] != 0)
            return true;
    return false;
}

long bypeer_model_list_members(struct bypeer_model *model, const uint8_t *after, uint32_t group_id, uint32_t link,
                               struct bypeer_model_member *ret_members, size_t limit, uint8_t ret_last[static 16],
                               bool *ret_more, struct bypeer_problem *problem)
{
    struct members_page page = {
        .model = model, .group = group_id, .link = link, .members = ret_members, .limit = limit, .last = ret_last};
    uint8_t first[16] = {0};
    *ret_more = false;
    if (after) {
        memcpy(first, after, 16);
        if (!members_next_address(first))
            return 0;
    }
    memcpy(ret_last, first, 16);
    const struct bypeer_model_group *group = model_group(model, group_id);
    if (group) {
        memcpy(page.end, group->prefix, 16);
        memset(page.end + 6, 0xff, 10);
        if (members_compare(first, group->prefix) < 0)
            memcpy(first, group->prefix, 16);
    } else {
        page.group = 0;
    }
    while (page.configured < model->configured_count &&
           members_compare(model->configured[page.configured].address, first) < 0)
        page.configured++;
    while (page.followed < model->followed_count && members_compare(model->followed[page.followed].address, first) < 0)
        page.followed++;

    int result = bypeer_store_each_member(model->store, first, members_visit, &page, problem);
    if (result < 0)
        return result;
    if (!page.more)
        members_take_rowless(&page, NULL);
    *ret_more = page.more;
    return (long)page.filled;
}
