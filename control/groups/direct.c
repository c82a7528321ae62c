/*
 * Direct links of a group: what programs on two members say to each other, past the records.
 *
 *   bypeer_direct_open() --> the addresses that the member's presence tells, one after the other --> OPENED or CLOSED
 *   the peer's data ----> events, by number; the oldest go when there are too many or too large ones
 *
 * A link has an owner: whoever opened it here, or the member who opened it elsewhere. None has more than a share of
 * them, and those of an owner who is gone are closed.
 *
 * The graph's sink only notes; links are dialled by the turn.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/groups/state.h"

/* Links and events are numbered on from the clock's seconds, so that what a program kept over a restart means nothing
 * else than it did. */
#define DIRECT_NUMBERS_A_SECOND (1u << 20)

struct direct_link {
    struct direct_link *next;
    uint64_t id;
    uint32_t number;   /* of the graph; 0: none at the moment */
    const void *owner; /* of an initiator; NULL: gone, or nobody in particular */
    bool is_open, is_initiator;
    char member[BYPEER_GRAPH_TEXT_BYTES];
    struct bypeer_graph_address candidates[BYPEER_GRAPH_LISTENING_MAX];
    unsigned count, tried;
};

struct direct_kept {
    struct direct_kept *next;
    struct bypeer_direct_event event;
    char member[BYPEER_GRAPH_TEXT_BYTES];
    uint8_t bytes[];
};

struct joined_direct {
    struct direct_link *links;
    unsigned opened_here, opened_there;
    uint64_t last_id, sequence;
    struct direct_kept *oldest, **newest; /* *newest: where the next one goes */
    size_t kept_count, kept_bytes;
};

int joined_direct_init(struct bypeer_joined *joined)
{
    struct joined_direct *direct = calloc(1, sizeof(*direct));
    if (!direct)
        return -ENOMEM;
    direct->newest = &direct->oldest;
    direct->last_id = direct->sequence = (uint64_t)time(NULL) * DIRECT_NUMBERS_A_SECOND;
    joined->direct = direct;
    return 0;
}

/* --- events --- */

static void direct_drop_oldest(struct joined_direct *direct)
{
    struct direct_kept *kept = direct->oldest;
    direct->oldest = kept->next;
    if (!direct->oldest)
        direct->newest = &direct->oldest;
    direct->kept_count--;
    direct->kept_bytes -= kept->event.length;
    free(kept);
}

/* What cannot be kept leaves a gap in the numbers, which says so. */
static void direct_keep(struct bypeer_joined *joined, const struct direct_link *link, enum bypeer_direct_kind kind,
                        const struct bypeer_guid *type, const uint8_t *bytes, size_t length)
{
    struct joined_direct *direct = joined->direct;
    uint64_t sequence = ++direct->sequence;
    joined->is_heard = true;
    if (length > BYPEER_DIRECT_DATA_MAX)
        return;
    struct direct_kept *kept = malloc(sizeof(*kept) + length);
    if (!kept)
        return;
    *kept = (struct direct_kept){.event = {.sequence = sequence,
                                           .kind = kind,
                                           .link = link->id,
                                           .is_initiator = link->is_initiator,
                                           .member = kept->member,
                                           .bytes = kept->bytes,
                                           .length = length}};
    memcpy(kept->member, link->member, sizeof(kept->member));
    if (type)
        kept->event.type = *type;
    if (length > 0)
        memcpy(kept->bytes, bytes, length);
    *direct->newest = kept;
    direct->newest = &kept->next;
    direct->kept_count++;
    direct->kept_bytes += length;
    while (direct->kept_count > BYPEER_DIRECT_EVENTS || direct->kept_bytes > BYPEER_DIRECT_BYTES)
        direct_drop_oldest(direct);
}

const struct bypeer_direct_event *bypeer_direct_event_after(const struct bypeer_joined *joined, uint64_t sequence,
                                                            bool *ret_whole)
{
    const struct direct_kept *kept = joined->direct->oldest;
    while (kept && kept->event.sequence <= sequence && sequence <= joined->direct->sequence)
        kept = kept->next;
    *ret_whole = kept ? kept->event.sequence == sequence + 1 : sequence == joined->direct->sequence;
    return kept ? &kept->event : NULL;
}

uint64_t bypeer_direct_sequence(const struct bypeer_joined *joined)
{
    return joined->direct->sequence;
}

/* --- links --- */

static struct direct_link *direct_find(const struct bypeer_joined *joined, uint64_t id)
{
    struct direct_link *link = joined->direct->links;
    while (link && link->id != id)
        link = link->next;
    return link;
}

static struct direct_link *direct_find_number(const struct bypeer_joined *joined, uint32_t number)
{
    struct direct_link *link = joined->direct->links;
    while (link && link->number != number)
        link = link->next;
    return link;
}

static unsigned *direct_count(struct joined_direct *direct, bool is_initiator)
{
    return is_initiator ? &direct->opened_here : &direct->opened_there;
}

/* Those of one owner: of a member (those that he opened), or of an owner here, member NULL. */
static unsigned direct_count_of(const struct joined_direct *direct, const char *member, const void *owner)
{
    unsigned count = 0;
    for (const struct direct_link *link = direct->links; link; link = link->next)
        count += member ? !link->is_initiator && strcmp(link->member, member) == 0
                        : link->is_initiator && link->owner == owner;
    return count;
}

static struct direct_link *direct_add(struct bypeer_joined *joined, const char *member, bool is_initiator,
                                      const void *owner)
{
    struct joined_direct *direct = joined->direct;
    bool has_room = *direct_count(direct, is_initiator) < BYPEER_DIRECT_LINKS &&
                    direct_count_of(direct, is_initiator ? NULL : member, owner) < BYPEER_DIRECT_OF_OWNER;
    struct direct_link *link = has_room ? calloc(1, sizeof(*link)) : NULL;
    if (!link)
        return NULL;
    link->id = ++direct->last_id;
    link->is_initiator = is_initiator;
    link->owner = owner;
    snprintf(link->member, sizeof(link->member), "%s", member);
    link->next = direct->links;
    direct->links = link;
    ++*direct_count(direct, is_initiator);
    return link;
}

static void direct_remove(struct bypeer_joined *joined, struct direct_link *link)
{
    struct direct_link **place = &joined->direct->links;
    while (*place != link)
        place = &(*place)->next;
    *place = link->next;
    --*direct_count(joined->direct, link->is_initiator);
    direct_keep(joined, link, BYPEER_DIRECT_CLOSED, NULL, NULL, 0);
    free(link);
}

void joined_direct_linked(struct bypeer_joined *joined, const struct bypeer_graph_link_event *event)
{
    if (event->kind != BYPEER_GRAPH_DIRECT)
        return;
    struct direct_link *link = direct_find_number(joined, event->link);
    if (event->change == BYPEER_GRAPH_LINK_CONNECTED) {
        if (!link)
            link = direct_add(joined, event->peer_id, false, NULL);
        if (!link) {
            joined->has_surplus = true;
            return;
        }
        link->number = event->link;
        link->is_open = true;
        direct_keep(joined, link, BYPEER_DIRECT_OPENED, NULL, NULL, 0);
    } else if (link && link->is_open) {
        direct_remove(joined, link);
    } else if (link) {
        link->number = 0;
    }
}

void joined_direct_data(struct bypeer_joined *joined, uint32_t number, const struct bypeer_guid *type,
                        const uint8_t *bytes, size_t length)
{
    const struct direct_link *link = direct_find_number(joined, number);
    if (link && link->is_open)
        direct_keep(joined, link, BYPEER_DIRECT_DATA, type, bytes, length);
}

/* Links that peers made beyond what is kept are closed. */
static void direct_close_surplus(struct bypeer_joined *joined, struct bypeer_graph_time now)
{
    struct bypeer_graph_link_event event;
    uint32_t after = 0;
    joined->has_surplus = false;
    for (; bypeer_graph_next_link(joined->graph, after, &event); after = event.link)
        if (event.kind == BYPEER_GRAPH_DIRECT && event.change == BYPEER_GRAPH_LINK_CONNECTED &&
            !direct_find_number(joined, event.link))
            bypeer_graph_disconnect(joined->graph, now, event.link);
}

void joined_direct_turn(struct bypeer_joined *joined, struct bypeer_graph_time now)
{
    struct direct_link *link = joined->direct->links, *next;
    if (joined->has_surplus)
        direct_close_surplus(joined, now);
    for (; link; link = next) {
        next = link->next;
        while (link->number == 0 && link->tried < link->count) {
            uint32_t number;
            if (bypeer_graph_connect(joined->graph, now, &link->candidates[link->tried++], link->member,
                                     BYPEER_GRAPH_DIRECT, &number) == 0)
                link->number = number;
        }
        if (link->number == 0)
            direct_remove(joined, link);
    }
}

void joined_direct_free(struct bypeer_joined *joined)
{
    struct joined_direct *direct = joined->direct;
    while (direct && direct->oldest)
        direct_drop_oldest(direct);
    while (direct && direct->links) {
        struct direct_link *link = direct->links;
        direct->links = link->next;
        free(link);
    }
    free(direct);
    joined->direct = NULL;
}

/* --- for programs --- */

static int direct_no_link(uint64_t id, struct bypeer_problem *problem)
{
    return bypeer_problem_set(problem, -ENOENT, "no_such_link",
                              "direct link %llu\nis not open\nopen one by direct.open, and take events by "
                              "direct.receive",
                              (unsigned long long)id);
}

/* Where the member listens, as its presence says. Returns how many addresses. */
static unsigned direct_addresses(const struct bypeer_joined *joined, const char *member,
                                 struct bypeer_graph_address ret_addresses[static BYPEER_GRAPH_LISTENING_MAX])
{
    const struct bypeer_guid type = BYPEER_RECORD_PRESENCE;
    const struct bypeer_record *record = NULL;
    struct bypeer_graph_presence presence;
    unsigned count = 0;
    while (count == 0 && (record = bypeer_graph_next(joined->graph, &type, record))) {
        if (bypeer_record_is_deleted(record) || strcmp(record->creator, member) != 0 ||
            bypeer_graph_presence_read(&presence, record->payload, record->payload_bytes) < 0)
            continue;
        count = presence.address_count;
        memcpy(ret_addresses, presence.addresses, count * sizeof(*ret_addresses));
        bypeer_graph_presence_clear(&presence);
    }
    return count;
}

int bypeer_direct_open(struct bypeer_joined *joined, const char *member, const void *owner, uint64_t *ret_link,
                       struct bypeer_problem *problem)
{
    struct bypeer_graph_address addresses[BYPEER_GRAPH_LISTENING_MAX];
    struct bypeer_group_member found;
    char name[BYPEER_NAME_TEXT_MAX];
    int result = bypeer_joined_find_member(joined, member, &found, problem);
    if (result < 0)
        return result;
    if (found.is_self)
        return bypeer_problem_set(problem, -EINVAL, "own_address", "member %.60s\nis this node itself\nname another",
                                  found.friendly);
    bypeer_name_write(&found.name, name);
    unsigned count = direct_addresses(joined, name, addresses);
    if (count == 0)
        return bypeer_problem_set(problem, -EHOSTUNREACH, "not_present",
                                  "member %.60s\nhas published no address\ntry again when it is present",
                                  found.friendly);
    struct direct_link *link = direct_add(joined, name, true, owner);
    if (!link)
        return bypeer_problem_set(
            problem, -ENOBUFS, "too_many_links",
            "group %.60s\nhas %u direct links, %u of this connection; at most %u and %u, or there "
            "is no memory\nclose one",
            joined->friendly, joined->direct->opened_here, direct_count_of(joined->direct, NULL, owner),
            BYPEER_DIRECT_LINKS, BYPEER_DIRECT_OF_OWNER);
    memcpy(link->candidates, addresses, count * sizeof(*addresses));
    link->count = count;
    *ret_link = link->id;
    bypeer_joined_touched(joined);
    return 0;
}

enum bypeer_direct_state bypeer_direct_state(const struct bypeer_joined *joined, uint64_t id)
{
    const struct direct_link *link = direct_find(joined, id);
    if (!link)
        return BYPEER_DIRECT_GONE;
    return link->is_open ? BYPEER_DIRECT_OPEN : BYPEER_DIRECT_OPENING;
}

int bypeer_direct_send(struct bypeer_joined *joined, uint64_t id, const struct bypeer_guid *type, const uint8_t *bytes,
                       size_t length, struct bypeer_problem *problem)
{
    const struct direct_link *link = direct_find(joined, id);
    if (!link || !link->is_open)
        return direct_no_link(id, problem);
    int result = bypeer_graph_send(joined->graph, bypeer_groups_now(), link->number, type, bytes, length);
    bypeer_joined_touched(joined);
    if (result == -EAGAIN)
        return bypeer_problem_set(problem, -EAGAIN, "link_full",
                                  "direct link %llu\nis full: its peer takes less than it was sent\n"
                                  "send this again later; nothing of it was sent",
                                  (unsigned long long)id);
    return result < 0 ? direct_no_link(id, problem) : 0;
}

/* Frees it, now or in the next turn. */
static void direct_end(struct bypeer_joined *joined, struct direct_link *link)
{
    link->count = 0; /* no other address is tried */
    link->owner = NULL;
    bypeer_joined_touched(joined);
    if (link->number != 0)
        bypeer_graph_disconnect(joined->graph, bypeer_groups_now(), link->number);
}

void bypeer_groups_disown(struct bypeer_groups *groups, const void *owner)
{
    for (struct bypeer_joined *joined = groups->joined; joined; joined = joined->next)
        for (struct direct_link *link = joined->direct->links, *next; link; link = next) {
            next = link->next;
            if (link->is_initiator && link->owner == owner)
                direct_end(joined, link);
        }
}

int bypeer_direct_close(struct bypeer_joined *joined, uint64_t id, struct bypeer_problem *problem)
{
    struct direct_link *link = direct_find(joined, id);
    if (!link)
        return direct_no_link(id, problem);
    direct_end(joined, link);
    return 0;
}
