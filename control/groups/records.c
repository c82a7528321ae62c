/*
 * One group for others: what it is, and records of this node's own.
 */
#include <errno.h>
#include <string.h>

#include "control/groups/state.h"

struct bypeer_graph *bypeer_joined_graph(const struct bypeer_joined *joined)
{
    return joined->graph;
}

struct bypeer_group_node *bypeer_joined_group(const struct bypeer_joined *joined)
{
    return joined->group;
}

void bypeer_joined_touched(struct bypeer_joined *joined)
{
    joined->is_touched = joined->is_changed = true;
}

const struct bypeer_profile *bypeer_joined_profile(const struct bypeer_joined *joined)
{
    return joined->profile;
}

const struct bypeer_peer_name *bypeer_joined_name(const struct bypeer_joined *joined)
{
    return &joined->name;
}

const char *bypeer_joined_name_text(const struct bypeer_joined *joined)
{
    return joined->name_text;
}

const char *bypeer_joined_friendly(const struct bypeer_joined *joined)
{
    return joined->friendly;
}

const struct bypeer_peer_name *bypeer_joined_self(const struct bypeer_joined *joined)
{
    return &joined->self;
}

const char *bypeer_joined_self_text(const struct bypeer_joined *joined)
{
    return joined->self_text;
}

bool bypeer_joined_is_founder(const struct bypeer_joined *joined)
{
    return joined->group_key != NULL;
}

uint32_t bypeer_joined_status(const struct bypeer_joined *joined)
{
    return bypeer_graph_status(joined->graph);
}

const char *bypeer_joined_refusal(const struct bypeer_joined *joined)
{
    return joined->refusal;
}

/* --- own records --- */

static int records_failed(int error, struct bypeer_problem *problem)
{
    static const struct {
        int error;
        const char *key, *value, *remedy;
    } known[] = {
        {-EINVAL, "bad_record", "is of a reserved type, has wrong attributes, or would have expired",
         "see bypeer-api(7)"},
        {-EMSGSIZE, "too_large", "is larger than the group allows", "publish less, or where to find it"},
        {-ENOENT, "no_such_record", "does not exist", "list the records with: bypeer record list"},
        {-ESTALE, "no_such_record", "is deleted already", "list the records with: bypeer record list"},
        {-EEXIST, "record_exists", "has an ID that is taken", "let the group choose one"},
        {-ENOSPC, "group_full", "has no room in the group's database", "delete others, or let them expire"},
        {-EPERM, "not_permitted", "is another member's, and this node is no administrator", "ask one"},
        {-EACCES, "not_permitted", "is another member's, and this node is no administrator", "ask one"},
        {-EAGAIN, "not_a_member", "cannot be signed: this node's membership is not known yet", "try again"},
    };
    for (size_t at = 0; at < sizeof(known) / sizeof(known[0]); at++)
        if (known[at].error == error)
            return bypeer_problem_set(problem, error, known[at].key, "the record\n%s\n%s", known[at].value,
                                      known[at].remedy);
    return bypeer_problem_set(problem, error, "not_published", "the record\nis refused: %s\nsee bypeer group show",
                              strerror(-error));
}

static int records_done(struct bypeer_joined *joined, int result, struct bypeer_problem *problem)
{
    bypeer_joined_touched(joined);
    return result < 0 ? records_failed(result, problem) : groups_flush(joined->groups, problem);
}

int bypeer_joined_publish(struct bypeer_joined *joined, const struct bypeer_record_draft *draft,
                          struct bypeer_guid *ret_id, struct bypeer_problem *problem)
{
    return records_done(joined, bypeer_graph_publish(joined->graph, bypeer_groups_now(), draft, ret_id), problem);
}

int bypeer_joined_update(struct bypeer_joined *joined, const struct bypeer_guid *id,
                         const struct bypeer_record_draft *draft, struct bypeer_problem *problem)
{
    return records_done(joined, bypeer_graph_update(joined->graph, bypeer_groups_now(), id, draft), problem);
}

int bypeer_joined_delete(struct bypeer_joined *joined, const struct bypeer_guid *id, struct bypeer_problem *problem)
{
    return records_done(joined, bypeer_graph_delete(joined->graph, bypeer_groups_now(), id, false), problem);
}

/* --- neighbours --- */

int bypeer_joined_connect(struct bypeer_joined *joined, const struct bypeer_graph_address *to,
                          struct bypeer_problem *problem)
{
    uint32_t link;
    unsigned at = 0;
    while (at < joined->seed_count &&
           (joined->seeds[at].port != to->port || memcmp(joined->seeds[at].address, to->address, 16) != 0))
        at++;
    if (at == joined->seed_count) {
        /* The newest is first; the oldest goes. */
        unsigned kept = joined->seed_count < BYPEER_STORE_SEEDS ? joined->seed_count++ : BYPEER_STORE_SEEDS - 1;
        memmove(joined->seeds + 1, joined->seeds, kept * sizeof(*joined->seeds));
        memcpy(joined->seeds[0].address, to->address, sizeof(joined->seeds[0].address));
        joined->seeds[0].port = to->port;
        joined->is_stale = true;
    }
    int result = bypeer_graph_connect(joined->graph, bypeer_groups_now(), to, NULL, BYPEER_GRAPH_NEIGHBOR, &link);
    bypeer_joined_touched(joined);
    if (result == -EADDRINUSE)
        return bypeer_problem_set(problem, result, "own_address",
                                  "the endpoint\nis this node's own\ngive that of another member");
    if (result < 0 && result != -EISCONN)
        return bypeer_problem_set(problem, result, "not_connected",
                                  "the endpoint\ncannot be connected to: %s\ntry again", strerror(-result));
    return groups_flush(joined->groups, problem);
}
