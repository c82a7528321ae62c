/*
 * Random histories of five members beside a simple reference: a list of all that was ever published by somebody who
 * might. Members publish, change and delete, join and are revoked, end with and without a word, come back, are cut
 * apart and find each other again, with clocks that differ; one of them, in half of the histories, publishes in other
 * members' names and changes what is not its own.
 *
 * At every moment no honest member takes what nobody might publish, what has expired, or what is of somebody whom it
 * knows to be revoked. In the end, when all that are honest are up and reach each other, all have the same, and of each
 * record the version that [MS-PPGRH] 3.1.7.32 says is the greatest that was ever published.
 *
 * BYPEER_HISTORIES says how many (default 500), BYPEER_SEED which is the first: a failure names its own.
 */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "perf/graph_net.h"
#include "tests/random.h"
#include "tests/unit/graph_guard.h"

#define MEMBERS     5
#define STEPS       60
#define SETTLE_S    (75 * 60) /* whatever is to expire has, by then */
#define PATIENCE_S  (3 * 3600)
#define MINUTE      (60 * BYPEER_PEER_TIME_SECOND)
#define HISTORIES   500
#define FAILURE_MAX 200

static const struct bypeer_guid note_type = {{0x7a, 0x3c, 0x11, 0x90, 0x52, 0x08, 0x4e, 0x61, 0x8b, 0x2f, 0x5d}};

struct version {
    struct version *next;
    struct bypeer_record *record;
};

struct history {
    struct graph_net *net;
    struct guard guards[MEMBERS];
    struct version *published;
    uint64_t random;
    int reckless, revoked; /* member; -1: none */
    char failure[FAILURE_MAX];
};

/* --- the reference ------------------------------------------------------------------------------------------------ */

static int compare_counts(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

/* The first difference decides. */
static int reference_compare(const struct bypeer_record *a, const struct bypeer_record *b)
{
    int result = compare_counts(a->version, b->version);
    if (result == 0)
        result = (a->modifier != NULL) - (b->modifier != NULL);
    if (result == 0 && a->modifier != NULL)
        result = strcmp(a->modifier, b->modifier);
    if (result == 0)
        result = compare_counts(a->modified, b->modified);
    if (result == 0)
        result = compare_counts(a->security_bytes, b->security_bytes);
    return result != 0 ? result : memcmp(a->security, b->security, a->security_bytes);
}

static bool is_same(const struct bypeer_record *a, const struct bypeer_record *b)
{
    return bypeer_guid_is_equal(&a->id, &b->id) && reference_compare(a, b) == 0 &&
           a->payload_bytes == b->payload_bytes &&
           (a->payload_bytes == 0 || memcmp(a->payload, b->payload, a->payload_bytes) == 0) &&
           a->expires == b->expires && a->flags % 2 == 0 && bypeer_record_is_deleted(a) == bypeer_record_is_deleted(b);
}

static bool history_knows(const struct history *history, const struct bypeer_record *record)
{
    struct bypeer_record seen = *record;
    seen.flags &= BYPEER_RECORD_DELETED;
    for (const struct version *version = history->published; version; version = version->next)
        if (is_same(&seen, version->record))
            return true;
    return false;
}

static void history_add(struct history *history, const struct bypeer_record *record)
{
    struct version *version = calloc(1, sizeof(*version));
    version->record = bypeer_record_copy(record);
    version->record->flags &= BYPEER_RECORD_DELETED;
    version->next = history->published;
    history->published = version;
}

static const struct bypeer_record *history_greatest(const struct history *history, const struct bypeer_guid *id)
{
    const struct bypeer_record *greatest = NULL;
    for (const struct version *version = history->published; version; version = version->next)
        if (bypeer_guid_is_equal(&version->record->id, id) &&
            (greatest == NULL || reference_compare(version->record, greatest) > 0))
            greatest = version->record;
    return greatest;
}

static void history_fail(struct history *history, uint32_t node, const char *what, const struct bypeer_record *record)
{
    if (history->failure[0] == '\0')
        snprintf(history->failure, sizeof(history->failure),
                 "member %" PRIu32 " %s: version %" PRIu32 " of member %s, modified by %s, type %02x%02x, at %" PRIu64
                 " ms",
                 node, what, record->version, record->creator, record->modifier ? record->modifier : "nobody",
                 record->type.bytes[0], record->type.bytes[2], graph_net_now_ms(history->net));
}

/* --- what is true at every moment --------------------------------------------------------------------------------- */

static void on_record(void *context, uint32_t node, enum bypeer_record_change change,
                      const struct bypeer_record *record)
{
    struct history *history = context;
    const char *signer = record->modifier ? record->modifier : record->creator;
    const struct bypeer_graph *graph = graph_net_graph(history->net, node);
    if (change == BYPEER_RECORD_EXPIRED || bypeer_graph_find(graph, &record->id) == NULL)
        return;
    if (guard_number(signer) == (int)node && guard_is_signed(record) && !history_knows(history, record))
        history_add(history, record);
    if ((int)node == history->reckless)
        return;
    if (record->expires <= bypeer_graph_peer_time(graph, graph_net_time(history->net, node)))
        history_fail(history, node, "took what has expired", record);
    if (!history_knows(history, record))
        history_fail(history, node, "took what nobody might publish", record);
    int creator = guard_number(record->creator);
    if (creator >= 0 && history->guards[node].is_revoked[creator])
        history_fail(history, node, "took a record of a revoked member", record);
}

static const struct bypeer_graph_security *on_security(void *context, uint32_t node)
{
    struct history *history = context;
    guard_init(&history->guards[node], node, (int)node == history->reckless);
    return &history->guards[node].security;
}

static void on_turn(void *context, uint32_t node, struct bypeer_graph_time now)
{
    struct history *history = context;
    guard_turn(&history->guards[node], graph_net_graph(history->net, node), now);
}

/* --- what happens ------------------------------------------------------------------------------------------------- */

static uint32_t below(struct history *history, uint32_t limit)
{
    return random_next_below(&history->random, limit);
}

static uint64_t random_expiry(struct history *history, uint64_t now)
{
    return now + (below(history, 2) ? 1440 * MINUTE : (10 + below(history, 40)) * MINUTE);
}

/* In another member's name if creator says so. */
static void step_publish(struct history *history, uint32_t node, const char *creator)
{
    struct bypeer_graph *graph = graph_net_graph(history->net, node);
    struct bypeer_graph_time now = graph_net_time(history->net, node);
    uint64_t payload = random_next(&history->random);
    struct bypeer_guid id;
    struct bypeer_record_draft draft = {
        .type = note_type,
        .creator = creator,
        .payload = (const uint8_t *)&payload,
        .payload_bytes = 1 + below(history, sizeof(payload)),
        .expires = random_expiry(history, bypeer_graph_peer_time(graph, now)),
    };
    bypeer_graph_publish(graph, now, &draft, &id);
}

/* One of the notes that a node has; NULL: it has none. */
static const struct bypeer_record *random_note(struct history *history, const struct bypeer_graph *graph)
{
    const struct bypeer_record *chosen = NULL;
    uint32_t count = 0;
    for (const struct bypeer_record *record = bypeer_graph_next(graph, &note_type, NULL); record;
         record = bypeer_graph_next(graph, &note_type, record))
        if (below(history, ++count) == 0)
            chosen = record;
    return chosen;
}

static void step_change(struct history *history, uint32_t node, bool is_delete)
{
    struct bypeer_graph *graph = graph_net_graph(history->net, node);
    struct bypeer_graph_time now = graph_net_time(history->net, node);
    const struct bypeer_record *record = random_note(history, graph);
    uint64_t payload = random_next(&history->random);
    if (record == NULL)
        return;
    struct bypeer_guid id = record->id;
    struct bypeer_record_draft draft = {
        .type = note_type,
        .payload = (const uint8_t *)&payload,
        .payload_bytes = sizeof(payload),
        .expires = below(history, 2) ? 0 : record->expires + 5 * MINUTE,
    };
    if (is_delete)
        bypeer_graph_delete(graph, now, &id, false);
    else
        bypeer_graph_update(graph, now, &id, &draft);
}

/* A membership or a revocation, by the administrator. */
static void step_decide(struct history *history, struct bypeer_guid type, uint32_t about)
{
    struct bypeer_graph *graph = graph_net_graph(history->net, 0);
    struct bypeer_graph_time now = graph_net_time(history->net, 0);
    char name[GRAPH_NET_NAME_BYTES];
    struct bypeer_guid id;
    graph_net_name(about, name);
    struct bypeer_record_draft draft = {
        .type = type,
        .payload = (const uint8_t *)name,
        .payload_bytes = strlen(name),
        .expires = bypeer_graph_peer_time(graph, now) + 30 * 1440 * MINUTE,
        .is_internal = true,
    };
    cr_assert_eq(bypeer_graph_publish(graph, now, &draft, &id), 0);
    graph_net_touched(history->net, 0);
}

static void step_admit(struct history *history, uint32_t node)
{
    if (node != 0 && (int)node != history->revoked && !history->guards[0].is_member[node])
        step_decide(history, BYPEER_RECORD_MEMBERSHIP, node);
}

static void step_revoke(struct history *history, uint32_t node)
{
    if (history->revoked >= 0 || node == 0 || (int)node == history->reckless)
        return;
    history->revoked = (int)node;
    step_decide(history, BYPEER_RECORD_REVOCATION, node);
}

static void step_forge(struct history *history, uint32_t node)
{
    char other[GRAPH_NET_NAME_BYTES];
    graph_net_name((node + 1 + below(history, MEMBERS - 1)) % MEMBERS, other);
    if (below(history, 2))
        step_publish(history, node, other);
    else
        step_change(history, node, below(history, 2));
}

static void history_step(struct history *history)
{
    uint32_t node = below(history, MEMBERS), what = below(history, 100);
    struct graph_net *net = history->net;
    if (what < 8 && graph_net_is_up(net, node))
        graph_net_stop(net, node, what < 3);
    else if (what < 20)
        graph_net_start(net, node);
    else if (what < 26)
        graph_net_part(net, node, below(history, 2));
    else if (what < 32)
        for (uint32_t i = 0; i < MEMBERS; i++)
            graph_net_part(net, i, 0);
    else if (what < 40 && graph_net_is_up(net, 0))
        step_admit(history, node);
    else if (what < 42 && graph_net_is_up(net, 0))
        step_revoke(history, node);
    else if (graph_net_is_up(net, node) && (int)node == history->reckless && what < 70)
        step_forge(history, node);
    else if (graph_net_is_up(net, node) && what < 75)
        step_publish(history, node, NULL);
    else if (graph_net_is_up(net, node))
        step_change(history, node, what >= 92);
    graph_net_touched(net, node);
    graph_net_run(net, below(history, 4) ? below(history, 3000) : below(history, 120000));
}

/* --- how it ends -------------------------------------------------------------------------------------------------- */

static bool takes_part(const struct history *history, uint32_t node)
{
    return (int)node != history->reckless && (int)node != history->revoked;
}

static const struct bypeer_record *find(const struct history *history, uint32_t node, const struct bypeer_guid *id)
{
    return bypeer_graph_find(graph_net_graph(history->net, node), id);
}

/* Whether a node has of this record what it should, or NULL; the administrator's database is what others are compared
 * with where the reference leaves it open. */
static const char *check_record(const struct history *history, uint32_t node, const struct bypeer_guid *id)
{
    const struct bypeer_record *greatest = history_greatest(history, id), *here = find(history, node, id);
    const struct bypeer_record *there = find(history, 0, id);
    const struct bypeer_graph *graph = graph_net_graph(history->net, node);
    uint64_t now = bypeer_graph_peer_time(graph, graph_net_time(history->net, node));
    int creator = guard_number(greatest->creator);
    if (here != NULL && here->expires + MINUTE <= now)
        return "still has what has expired";
    if (here != NULL && creator == history->revoked)
        return "still has a record of a revoked member";
    if ((here == NULL) != (there == NULL) || (here != NULL && reference_compare(here, there) != 0))
        return "has another version than the administrator";
    bool is_lost = creator == history->revoked || creator == history->reckless || greatest->expires <= now;
    if (!is_lost && (here == NULL || reference_compare(here, greatest) != 0))
        return "has not the greatest version";
    return NULL;
}

static const char *check_node(const struct history *history, uint32_t node, const struct bypeer_record **ret_record)
{
    for (const struct version *version = history->published; version; version = version->next) {
        const struct bypeer_guid *type = &version->record->type;
        if (bypeer_record_is_reserved(type) && !bypeer_guid_is_equal(type, &BYPEER_RECORD_MEMBERSHIP) &&
            !bypeer_guid_is_equal(type, &BYPEER_RECORD_REVOCATION))
            continue; /* presence and the like are renewed all the time */
        const char *problem = check_record(history, node, &version->record->id);
        *ret_record = version->record;
        if (problem != NULL)
            return problem;
    }
    return NULL;
}

static const char *history_check(struct history *history, bool is_last)
{
    for (uint32_t node = 0; node < MEMBERS; node++) {
        const struct bypeer_record *record = NULL;
        const char *problem = takes_part(history, node) ? check_node(history, node, &record) : NULL;
        if (problem != NULL && is_last)
            history_fail(history, node, problem, record);
        if (problem != NULL)
            return problem;
    }
    return NULL;
}

static void history_end(struct history *history)
{
    for (uint32_t i = 0; i < MEMBERS; i++) {
        graph_net_part(history->net, i, 0);
        if (takes_part(history, i))
            graph_net_start(history->net, i);
        else
            graph_net_stop(history->net, i, false);
    }
    for (uint32_t i = 0; i < MEMBERS; i++)
        if (takes_part(history, i))
            step_admit(history, i);
    graph_net_run(history->net, SETTLE_S * UINT64_C(1000));
    uint64_t end_ms = graph_net_now_ms(history->net) + PATIENCE_S * UINT64_C(1000);
    while (history_check(history, false) != NULL && graph_net_now_ms(history->net) < end_ms)
        graph_net_run(history->net, 60000);
    history_check(history, true);
}

static void history_run(uint64_t seed, char ret_failure[static FAILURE_MAX])
{
    struct history history = {.random = seed, .reckless = -1, .revoked = -1};
    if (below(&history, 2))
        history.reckless = MEMBERS - 1;
    history.net = graph_net_open(&(struct graph_net_options){
        .nodes = MEMBERS,
        .seed = seed,
        .latency_ms = 5 + below(&history, 50),
        .profile = bypeer_profile(BYPEER_PROFILE_MODERN),
        .hooks = {.record = on_record, .security = on_security, .turn = on_turn, .context = &history},
        .presence_max = UINT32_MAX,
    });
    for (uint32_t i = 1; i < MEMBERS; i++)
        graph_net_skew(history.net, i, (int64_t)below(&history, 600000) - 300000);
    graph_net_start(history.net, 0);
    graph_net_run(history.net, 1000);
    for (uint32_t i = 1; i < MEMBERS; i++) {
        if (below(&history, 2))
            step_admit(&history, i);
        graph_net_start(history.net, i);
        graph_net_run(history.net, below(&history, 5000));
    }
    for (unsigned step = 0; step < STEPS && history.failure[0] == '\0'; step++)
        history_step(&history);
    if (history.failure[0] == '\0')
        history_end(&history);
    graph_net_close(history.net);
    for (struct version *version = history.published, *next; version; version = next) {
        next = version->next;
        free(version->record);
        free(version);
    }
    memcpy(ret_failure, history.failure, FAILURE_MAX);
}

static uint64_t number_from(const char *variable, uint64_t otherwise)
{
    const char *text = getenv(variable);
    return text != NULL ? strtoull(text, NULL, 10) : otherwise;
}

Test(graph_model, histories_end_the_same_everywhere, .timeout = 3600)
{
    uint64_t first = number_from("BYPEER_SEED", 1), count = number_from("BYPEER_HISTORIES", HISTORIES);
    for (uint64_t seed = first; seed < first + count; seed++) {
        char failure[FAILURE_MAX];
        history_run(seed, failure);
        cr_assert_eq(failure[0], '\0', "BYPEER_SEED=%" PRIu64 ": %s", seed, failure);
    }
}
