/* A search on its way: search.h says whom to ask, here it is asked ([MS-PNRP] 3.1.4.4.2, 3.1.5.6.1). */
#include "overlay/pnrp/state.h"

bool bypeer_seek_start(struct bypeer_pnrp *pnrp, struct bypeer_pnrp_endpoint *ret_start)
{
    /* Remembered nodes are those that the cache has, or had: a seed is elsewhere. */
    bool is_lost = bypeer_cache_count(pnrp->cache) == 0 || pnrp->seed_count == 0;
    unsigned count = pnrp->seed_count + (is_lost ? pnrp->remembered_count : 0);
    for (unsigned tries = 0; tries < count; tries++) {
        unsigned at = pnrp->start_at++ % count;
        *ret_start = at < pnrp->seed_count ? pnrp->seeds[at] : pnrp->remembered[at - pnrp->seed_count];
        if (!bypeer_cloud_is_own_address(pnrp, ret_start->address, ret_start->port))
            return true;
    }
    return false;
}

static void seek_free(struct bypeer_pnrp *pnrp, struct bypeer_seek *seek)
{
    struct bypeer_seek **at = &pnrp->seeks;
    while (*at != seek)
        at = &(*at)->next;
    *at = seek->next;
    bypeer_pending_drop(pnrp, seek->pending);
    bypeer_search_free(seek->search);
    free(seek);
}

void bypeer_seek_free_all(struct bypeer_pnrp *pnrp)
{
    while (pnrp->seeks)
        seek_free(pnrp, pnrp->seeks);
}

void bypeer_seek_cancel(struct bypeer_pnrp *pnrp, enum bypeer_seek_purpose purpose, uint64_t owner)
{
    struct bypeer_seek *next;
    for (struct bypeer_seek *seek = pnrp->seeks; seek; seek = next) {
        next = seek->next;
        if (seek->purpose == purpose && seek->owner == owner)
            seek_free(pnrp, seek);
    }
}

/* The owner hears of it after it is out of the lists, so that he may cancel whatever else he has. */
static void seek_end(struct bypeer_pnrp *pnrp, struct bypeer_seek *seek, bool found)
{
    struct bypeer_seek **at = &pnrp->seeks;
    while (*at != seek)
        at = &(*at)->next;
    *at = seek->next;
    switch (seek->purpose) {
    case BYPEER_SEEK_RESOLVE:
        bypeer_resolve_seek_ended(pnrp, seek, found);
        break;
    case BYPEER_SEEK_ANNOUNCE:
        bypeer_publish_seek_ended(pnrp, seek);
        break;
    case BYPEER_SEEK_GAP:
    case BYPEER_SEEK_SPLIT:
        bypeer_upkeep_seek_ended(pnrp, seek);
        break;
    }
    bypeer_search_free(seek->search);
    free(seek);
}

static struct bypeer_pending *seek_lookup(struct bypeer_pnrp *pnrp, struct bypeer_seek *seek,
                                          const struct bypeer_search_action *action)
{
    const struct bypeer_search_settings *settings = bypeer_search_settings(seek->search);
    uint8_t target[32];
    bypeer_id_store(target, settings->target);
    struct bypeer_pnrp_message message = {.type = BYPEER_PNRP_LOOKUP,
                                          .lookup = {.any_distance = action->any_distance,
                                                     .precision = settings->precision,
                                                     .criterion = (uint8_t)settings->criterion,
                                                     .reason = (uint8_t)settings->reason,
                                                     .target = target,
                                                     .validate = action->hop.id,
                                                     .path = action->path}};
    if (action->match)
        message.lookup.entry = *action->match;
    return bypeer_pending_send(pnrp, BYPEER_PENDING_LOOKUP, &action->hop, &message, seek);
}

/* 4.14 item 7 of the reference: with a nonce, always. Upkeep wants no certificate. */
static struct bypeer_pending *seek_inquire(struct bypeer_pnrp *pnrp, struct bypeer_seek *seek,
                                           const struct bypeer_search_action *action)
{
    struct bypeer_pnrp_message message = {.type = BYPEER_PNRP_INQUIRE, .inquire = {.validate = action->hop.id}};
    if (seek->purpose == BYPEER_SEEK_RESOLVE) {
        bypeer_cloud_random_bytes(pnrp, seek->nonce, sizeof(seek->nonce));
        message.inquire.flags = BYPEER_INQUIRE_CPA | BYPEER_INQUIRE_PAYLOAD | BYPEER_INQUIRE_CHAIN;
        message.inquire.nonce = seek->nonce;
    }
    return bypeer_pending_send(pnrp, BYPEER_PENDING_INQUIRE, &action->hop, &message, seek);
}

/* A match that cannot be validated is none (4.14 item 10 of the reference). */
static void seek_give_up_hop(struct bypeer_seek *seek, const struct bypeer_pnrp_endpoint *asked, bool is_validation,
                             bool busy)
{
    if (is_validation)
        bypeer_search_validated(seek->search, false);
    else
        bypeer_search_unanswered(seek->search, asked, busy);
}

static void seek_step(struct bypeer_pnrp *pnrp, struct bypeer_seek *seek)
{
    struct bypeer_search_action action;
    struct bypeer_pnrp_endpoint asked;
    for (;;) {
        bypeer_search_next(seek->search, pnrp->cache, &action);
        if (action.step == BYPEER_SEARCH_FOUND || action.step == BYPEER_SEARCH_FAILED) {
            seek_end(pnrp, seek, action.step == BYPEER_SEARCH_FOUND);
            return;
        }
        if (action.step == BYPEER_SEARCH_INQUIRE && bypeer_resolve_has(pnrp, seek, action.hop.id)) {
            bypeer_search_validated(seek->search, true);
            bypeer_search_reject(seek->search);
            continue;
        }
        memcpy(seek->hop, action.hop.id, sizeof(seek->hop));
        seek->asked_ms = pnrp->now.ms;
        seek->pending =
            action.step == BYPEER_SEARCH_LOOKUP ? seek_lookup(pnrp, seek, &action) : seek_inquire(pnrp, seek, &action);
        if (seek->pending)
            return;
        memcpy(asked.address, action.hop.addresses, 16);
        asked.port = action.hop.port;
        seek_give_up_hop(seek, &asked, action.step == BYPEER_SEARCH_INQUIRE, false);
    }
}

int bypeer_seek_begin(struct bypeer_pnrp *pnrp, enum bypeer_seek_purpose purpose, uint64_t owner,
                      struct bypeer_search_settings *settings)
{
    settings->self = pnrp->endpoints[0];
    struct bypeer_seek *seek = calloc(1, sizeof(*seek));
    if (!seek)
        return -ENOMEM;
    int error = bypeer_search_begin(&seek->search, settings, pnrp->cache);
    if (error < 0) {
        free(seek);
        return error;
    }
    seek->number = ++pnrp->numbers;
    seek->purpose = purpose;
    seek->owner = owner;
    seek->next = pnrp->seeks;
    pnrp->seeks = seek;
    seek_step(pnrp, seek);
    return 0;
}

static bool seek_knows_hop(const struct bypeer_seek *seek)
{
    return !bypeer_id_is_zero(seek->hop);
}

static void seek_note_best(struct bypeer_seek *seek)
{
    struct bypeer_id_number target = bypeer_search_settings(seek->search)->target;
    if (!seek->has_best || bypeer_id_is_nearer(target, bypeer_id_load(seek->hop), bypeer_id_load(seek->best)))
        memcpy(seek->best, seek->hop, sizeof(seek->best));
    seek->has_best = true;
}

/* What an answer says of the node that was asked: it has its ID, or it has not. */
static void seek_judge_hop(struct bypeer_pnrp *pnrp, struct bypeer_seek *seek, const struct bypeer_pending *pending,
                           const struct bypeer_pnrp_endpoint *from, bool is_there)
{
    const struct bypeer_pnrp_entry hop = {.id = seek->hop,
                                          .addresses = pending->addresses[0],
                                          .address_count = pending->address_count,
                                          .port = pending->port};
    if (!seek_knows_hop(seek))
        return;
    if (!is_there) {
        if (bypeer_entry_at(pnrp, seek->hop, from))
            bypeer_cache_remove(pnrp->cache, seek->hop);
        return;
    }
    seek_note_best(seek);
    /* What a split test finds is compared with what was known without it. */
    if (seek->purpose != BYPEER_SEEK_SPLIT)
        bypeer_entry_confirm(pnrp, &hop, from);
}

static void seek_go_on(struct bypeer_pnrp *pnrp, struct bypeer_seek *seek, const struct bypeer_pnrp_endpoint *from,
                       const struct bypeer_pnrp_answer *given)
{
    struct bypeer_pnrp_answer usable = *given;
    const struct bypeer_pnrp_answer *answer = &usable;
    struct bypeer_id_number target = bypeer_search_settings(seek->search)->target;
    /* Whoever answers chooses whom we ask next. */
    if (usable.entry.id && !bypeer_entry_is_usable(pnrp, &usable.entry))
        usable.entry.id = NULL;
    bool leads_on = answer->entry.id || bypeer_id_common_bits(bypeer_id_load(seek->hop), target) >= 128;
    bypeer_resolve_hop(pnrp, seek, from, false, leads_on ? BYPEER_HOP_ACCEPTED : BYPEER_HOP_DEAD_END);
    bypeer_search_answered(seek->search, from, answer, pnrp->cache);
    /* It will be asked anyway if the search goes there; a neighbour is wanted in any case. */
    if (answer->entry.id && seek->purpose != BYPEER_SEEK_SPLIT &&
        bypeer_cache_is_leaf(pnrp->cache, answer->entry.id, NULL))
        bypeer_entry_offer(pnrp, &answer->entry, &(struct bypeer_entry_origin){.sender = from});
    seek_step(pnrp, seek);
}

/* 0: the certificate is being checked. -EBADMSG: it is none. -EBUSY: not now. */
static int seek_check(struct bypeer_pnrp *pnrp, const struct bypeer_seek *seek, const uint8_t *bytes, size_t length)
{
    struct bypeer_job *job;
    if (bypeer_certified_check(pnrp, bytes, length, seek->hop, seek->nonce, true, &job) < 0)
        return -EBADMSG;
    job->owner = seek->number;
    return bypeer_job_hand_out(pnrp, job) ? 0 : -EBUSY;
}

bool bypeer_seek_answered(struct bypeer_pnrp *pnrp, struct bypeer_seek *seek, const struct bypeer_pending *pending,
                          const struct bypeer_pnrp_endpoint *from, const struct bypeer_pnrp_answer *answer,
                          const uint8_t *bytes, size_t length)
{
    bool is_there = !(answer->flags & BYPEER_AUTHORITY_NOT_LOCAL);
    bool is_lookup = pending->kind == BYPEER_PENDING_LOOKUP;
    bool is_checked = is_there && !is_lookup && seek->purpose == BYPEER_SEEK_RESOLVE;
    int error = is_checked ? seek_check(pnrp, seek, bytes, length) : 0;
    if (error == -EBUSY)
        return false;
    seek->pending = NULL;
    seek->has_answers = true;
    seek_judge_hop(pnrp, seek, pending, from, is_there);
    if (is_lookup) {
        seek_go_on(pnrp, seek, from, answer);
        return true;
    }
    if (is_checked && error == 0) {
        seek->asked = *from;
        return true;
    }
    bool is_good = is_there && error == 0;
    bypeer_resolve_hop(pnrp, seek, from, true, is_good ? BYPEER_HOP_ACCEPTED : BYPEER_HOP_DEAD_END);
    bypeer_search_validated(seek->search, is_good);
    seek_step(pnrp, seek);
    return true;
}

void bypeer_seek_unanswered(struct bypeer_pnrp *pnrp, struct bypeer_seek *seek, const struct bypeer_pending *pending,
                            bool busy)
{
    struct bypeer_pnrp_endpoint asked;
    bypeer_pending_asked(pending, &asked);
    seek->pending = NULL;
    bypeer_resolve_hop(pnrp, seek, &asked, pending->kind == BYPEER_PENDING_INQUIRE,
                       busy ? BYPEER_HOP_BUSY : BYPEER_HOP_UNREACHABLE);
    const struct bypeer_route *route = seek_knows_hop(seek) ? bypeer_entry_at(pnrp, seek->hop, &asked) : NULL;
    if (!busy && route) {
        /* Two lost datagrams cost no neighbour: it is asked twice more. */
        bool is_leaf = bypeer_cache_is_leaf(pnrp->cache, seek->hop, NULL);
        if (!is_leaf || !bypeer_entry_retest(pnrp, route, NULL))
            bypeer_cache_remove(pnrp->cache, seek->hop);
    }
    seek_give_up_hop(seek, &asked, pending->kind == BYPEER_PENDING_INQUIRE, busy);
    seek_step(pnrp, seek);
}

void bypeer_seek_checked(struct bypeer_pnrp *pnrp, struct bypeer_job *job)
{
    struct bypeer_seek *seek = pnrp->seeks;
    while (seek && seek->number != job->owner)
        seek = seek->next;
    if (!seek)
        return;
    if (job->work.result < 0)
        pnrp->counters.bad_signatures++;
    bypeer_resolve_hop(pnrp, seek, &seek->asked, true,
                       job->work.result == 0 ? BYPEER_HOP_ACCEPTED : BYPEER_HOP_DEAD_END);
    enum bypeer_resolve_verdict verdict =
        job->work.result < 0 ? BYPEER_RESOLVE_BAD : bypeer_resolve_take(pnrp, seek, job);
    bypeer_search_validated(seek->search, verdict != BYPEER_RESOLVE_BAD);
    if (verdict == BYPEER_RESOLVE_MORE)
        bypeer_search_reject(seek->search);
    seek_step(pnrp, seek);
}
