/*
 * One resolve: from node to node towards a target, with backtracking ([MS-PNRP] 3.1.4.4.2, 3.1.5.6.1; reference 4.5,
 * 4.6).
 *
 *   next hops  a stack: the newest and nearest on top; asked up to 3 times each
 *   path       who was asked, so that nobody names the same node twice
 *   matches    the nearest confirmed entry so far, and the ones before it
 *
 * Where the reference leaves a choice: a node that names nothing, or nothing usable, is not asked again before another
 * one leads back to it, and an entry that is what is looked for is validated as soon as it is named (6.5.1). An entry
 * that turns out invalid never counts again, and the search goes on from what else it knows. When an application's
 * search has nowhere to go and nothing to show, it begins anew at the next nearest entry of the cache that was not
 * asked, BYPEER_SEARCH_STARTS times in all. A split test's search accepts whatever it ended at. Of a node's addresses
 * the first four are kept.
 *
 * A search sends nothing: it says what is to be sent next and is told what came back. Who runs it (resolve.c,
 * publish.c, maintenance.c) owns time-outs and messages. Its stacks grow up to a bound, so that a search is 1 to 2 KiB,
 * and 9 at most.
 *
 * Thread: one.
 */
#pragma once

#include "overlay/pnrp/cache.h"
#include "overlay/pnrp/id.h"

#define BYPEER_SEARCH_USES       3  /* of one next hop */
#define BYPEER_SEARCH_HOPS       22 /* answered LOOKUPs: TotalUsefulHops */
#define BYPEER_SEARCH_SUSPICIOUS 6  /* answers with L */
#define BYPEER_SEARCH_STARTS     3
#define BYPEER_SMALL_CACHE       8 /* fewer entries than this: any distance is welcome */

struct bypeer_search;

struct bypeer_search_settings {
    struct bypeer_id_number target;
    enum bypeer_pnrp_criterion criterion;
    uint16_t precision;
    enum bypeer_pnrp_reason reason;
    bool consider_own;                             /* own registrations may be the answer */
    struct bypeer_pnrp_endpoint self;              /* one own endpoint: the first of the path */
    const struct bypeer_pnrp_entry *initial_match; /* optional; of a registration: the own entry */
    const struct bypeer_pnrp_entry *first_hop;     /* optional; else the nearest of the cache */
};

enum bypeer_search_step {
    BYPEER_SEARCH_LOOKUP,  /* ask .hop */
    BYPEER_SEARCH_INQUIRE, /* validate .hop, which is the best match */
    BYPEER_SEARCH_FOUND,   /* done: .hop was validated */
    BYPEER_SEARCH_FAILED,  /* done: nothing */
};

/* What to do next. .hop is valid until the search is told of the outcome. */
struct bypeer_search_action {
    enum bypeer_search_step step;
    struct bypeer_pnrp_entry hop;
    const struct bypeer_pnrp_entry *match; /* of a LOOKUP: the entry that rides in it, or NULL */
    struct bypeer_pnrp_endpoints path;     /* of a LOOKUP */
    bool any_distance;                     /* flag A */
};

/* The cache is asked during calls only. 0, -ENOMEM, -ENOENT (nobody to ask). */
int bypeer_search_begin(struct bypeer_search **ret_search, const struct bypeer_search_settings *settings,
                        const struct bypeer_cache *cache);
void bypeer_search_free(struct bypeer_search *search);          /* NULL is fine */
size_t bypeer_search_bytes(const struct bypeer_search *search); /* of memory, all in all */
const struct bypeer_search_settings *bypeer_search_settings(const struct bypeer_search *search);
void bypeer_search_next(struct bypeer_search *search, const struct bypeer_cache *cache,
                        struct bypeer_search_action *ret_action);

/*
 * Outcomes. asked: which endpoint of the hop. After each, bypeer_search_next().
 * The caller itself removes from its cache a hop that said N or never answered, and validates one that answered.
 * busy: it answered with B; it names nobody then, and stays in the cache.
 */
void bypeer_search_answered(struct bypeer_search *search, const struct bypeer_pnrp_endpoint *asked,
                            const struct bypeer_pnrp_answer *answer, const struct bypeer_cache *cache);
void bypeer_search_unanswered(struct bypeer_search *search, const struct bypeer_pnrp_endpoint *asked, bool busy);
void bypeer_search_validated(struct bypeer_search *search, bool valid);
/* A validated match that the caller does not want (another instance of the name, its own): look on. */
void bypeer_search_reject(struct bypeer_search *search);

unsigned bypeer_search_hops(const struct bypeer_search *search); /* LOOKUPs answered */
