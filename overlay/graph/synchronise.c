/* Synchronisation by types, and which kind of it a link begins with ([MS-PPGRH] 3.1.5.3). */
#include "overlay/graph/state.h"

#define SYNC_QUESTIONS   64    /* that a link may ask at once: each may cost a look at all records */
#define SYNC_QUESTION_MS 10000 /* and then one in so long */

static void sync_ask(struct bypeer_graph *graph, struct bypeer_graph_time now, struct graph_link *link)
{
    struct bypeer_graph_message message = {
        .type = link->sync == SYNC_ALL ? BYPEER_GRAPH_SOLICIT_NEW : BYPEER_GRAPH_SOLICIT_TIME,
    };
    message.solicit.modified = link->sync_from;
    if (link->sync_step < graph->precedence_count) {
        message.solicit.inclusion_count = 1;
        message.solicit.types = graph->precedence[link->sync_step].bytes;
    } else {
        message.solicit.exclusion_count = (uint8_t)graph->precedence_count;
        message.solicit.types = graph->precedence[0].bytes;
    }
    link->sync_step++;
    graph_send(graph, now, link, &message);
}

static void sync_finish(struct bypeer_graph *graph, struct bypeer_graph_time now, struct graph_link *link)
{
    bool is_first = !graph->is_synchronised;
    link->sync = SYNC_NONE;
    graph->counters.synchronised++;
    graph->is_synchronised = graph->was_synchronised = true;
    if (!is_first)
        return;
    graph_hasten(&graph->timers.expiry, now.ms);
    graph_tell_status(graph);
    graph_begin_listening(graph, now);
}

/*
 * Who was never synchronised asks for all. Who was, asks for what changed since. Who had records already then compares
 * by hashes, so that the peer learns of them; so do the links after the first.
 */
void graph_synchronise(struct bypeer_graph *graph, struct bypeer_graph_time now, struct graph_link *link)
{
    link->sync_step = 0;
    link->has_news = graph->database.by_key.count > 0;
    if (graph->database.by_key.count == 0 || !graph->was_synchronised) {
        link->sync = SYNC_ALL;
        sync_ask(graph, now, link);
    } else if (!graph->is_synchronised) {
        link->sync = SYNC_TIME;
        link->sync_from = graph->restored_until;
        sync_ask(graph, now, link);
    } else {
        graph_ask_hashes(graph, now, link);
    }
}

void graph_on_sync_end(struct bypeer_graph *graph, struct bypeer_graph_time now, struct graph_link *link, bool is_final)
{
    if (link->sync == SYNC_NONE || !is_final)
        return;
    if (link->sync == SYNC_HASH) {
        graph_send_rest(graph, now, link);
        if (link->state == LINK_CONNECTED)
            sync_finish(graph, now, link);
    } else if (link->sync_step <= graph->precedence_count) {
        sync_ask(graph, now, link);
    } else if (link->sync == SYNC_TIME || link->has_news) {
        graph_ask_hashes(graph, now, link);
    } else {
        sync_finish(graph, now, link);
    }
}

/* Whether records of a type are asked for. */
static bool sync_has_type(const struct bypeer_graph_solicit *solicit, const struct bypeer_guid *type)
{
    bool is_listed = false;
    unsigned count = (unsigned)solicit->inclusion_count + solicit->exclusion_count;
    for (unsigned at = 0; at < count && !is_listed; at++)
        is_listed = memcmp(solicit->types + 16 * (size_t)at, type->bytes, 16) == 0;
    return solicit->inclusion_count > 0 ? is_listed : !is_listed;
}

/* Revocations and the like, once on each link, before anything that was asked for. */
static void sync_queue_first(struct bypeer_graph *graph, struct bypeer_graph_time now, struct graph_link *link)
{
    const struct graph_index *index = &graph->database.by_type;
    if (graph->security.first == NULL || link->has_first)
        return;
    link->has_first = true;
    for (size_t at = 0; at < index->count; at++)
        if (graph->security.first(graph->security.context, index->at[at]->record) &&
            !graph_queue_record(graph, now, link, &index->at[at]->record->id))
            return;
}

/* All that is asked for by types. */
static void sync_queue_types(struct bypeer_graph *graph, struct bypeer_graph_time now, struct graph_link *link,
                             const struct bypeer_graph_solicit *solicit)
{
    const struct graph_index *index = &graph->database.by_type;
    const struct bypeer_guid *type = NULL;
    bool is_wanted = false;
    for (size_t at = 0; at < index->count; at++) {
        const struct bypeer_record *record = index->at[at]->record;
        if (type == NULL || !bypeer_guid_is_equal(type, &record->type)) {
            type = &record->type;
            is_wanted = sync_has_type(solicit, type);
        }
        if (is_wanted && record->modified >= solicit->modified && !graph_queue_record(graph, now, link, &record->id))
            return;
    }
    graph_end_answer(link);
}

/* A few bytes ask for much: not without end. */
static bool sync_may_ask(struct graph_link *link, struct bypeer_graph_time now)
{
    uint64_t earned = (now.ms - link->questions_ms) / SYNC_QUESTION_MS;
    link->questions_ms += earned * SYNC_QUESTION_MS;
    link->questions -= earned < link->questions ? (uint32_t)earned : link->questions;
    return ++link->questions <= SYNC_QUESTIONS;
}

void graph_on_solicit(struct bypeer_graph *graph, struct bypeer_graph_time now, struct graph_link *link,
                      enum bypeer_graph_type type, const struct bypeer_graph_solicit *solicit)
{
    bool is_hash = type == BYPEER_GRAPH_SOLICIT_HASH;
    if (link->has_end || (is_hash && link->is_asked)) {
        graph_link_close(graph, now, link, "it asks again before it was answered");
        return;
    }
    if (!sync_may_ask(link, now)) {
        graph_link_close(graph, now, link, "it asks too often");
        return;
    }
    sync_queue_first(graph, now, link);
    if (!is_hash)
        sync_queue_types(graph, now, link, solicit);
    graph_send_queue(graph, now, link);
    if (is_hash && link->state == LINK_CONNECTED)
        graph_answer_hashes(graph, now, link, solicit);
}
