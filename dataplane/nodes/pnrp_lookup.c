/*
 * LOOKUPs, answered from the nearest-ID index ([MS-PNRP] 3.2.5.2; the reference's 4.7): all targets of a burst are
 * found at once, so that what they wait for overlaps; then each is judged by answer.h over its walk.
 */
#include "dataplane/nodes/pnrp.h"

#define PNRP_LEARN_SAMPLE 4 /* entries looked for in one burst: what a flood of known ones costs */

static inline struct bypeer_known pnrp_known(const struct bypeer_tables *tables,
                                             const struct bypeer_name_record *record)
{
    const uint8_t(*more)[16] = NULL;
    unsigned address_count = 1;
    if (record == NULL)
        return (struct bypeer_known){.id = NULL};
    if (unlikely(record->extra != 0))
        address_count = bypeer_names_addresses(tables, record, &more);
    return (struct bypeer_known){.id = record->id,
                                 .address = record->address,
                                 .more = more,
                                 .address_count = (uint8_t)address_count,
                                 .own = (record->flags & BYPEER_NAME_OWN) != 0,
                                 .port = record->port};
}

/* What answer.h walks. */
struct pnrp_walk {
    const struct bypeer_tables *tables;
    const uint8_t *target;
    struct bypeer_names_walk *names;
};

static inline struct bypeer_known pnrp_nearest(void *walk)
{
    const struct pnrp_walk *of = walk;
    return pnrp_known(of->tables, bypeer_names_nearest(of->names, of->target));
}

/* The last Validate ID of the burst, and whether it is registered here: whoever asks a node mostly knows it by one of a
 * few IDs. */
struct pnrp_validated {
    uint8_t id[BYPEER_ID_BYTES];
    uint8_t number; /* of the cloud; 0: there was none yet */
    bool is_own;
};

static inline bool pnrp_is_own(struct pnrp_validated *last, const struct bypeer_tables *tables, uint8_t number,
                               const uint8_t *id)
{
    if (likely(last->number == number && memcmp(last->id, id, BYPEER_ID_BYTES) == 0))
        return last->is_own;
    memcpy(last->id, id, BYPEER_ID_BYTES);
    last->number = number;
    last->is_own = bypeer_names_is_own(tables, number, id);
    return last->is_own;
}

/* Writes the answer over the question. */
static inline rte_edge_t pnrp_answer(struct bypeer_worker *worker, const struct pnrp_datagram *datagram,
                                     const struct bypeer_pnrp_lookup *lookup, uint8_t number,
                                     struct bypeer_names_walk *names, uint64_t random, struct pnrp_validated *last)
{
    const struct bypeer_tables *tables = worker->tables;
    const struct bypeer_known self = pnrp_own(datagram->cloud, NULL);
    struct pnrp_walk walk = {.tables = tables, .target = lookup->target, .names = names};
    bool is_anybody = bypeer_id_is_zero(lookup->validate);
    struct bypeer_lookup_facts facts = {
        .validate_is_local = !is_anybody && pnrp_is_own(last, tables, number, lookup->validate),
        .own_in_path = bypeer_answer_is_flagged(&lookup->path, &self),
        .random = (uint32_t)random,
    };
    struct bypeer_known known;
    bool remote;
    bool is_known = bypeer_answer_choose(lookup, &facts, pnrp_nearest, &walk, &known, &remote);
    unsigned flags = is_anybody || facts.validate_is_local ? 0 : BYPEER_AUTHORITY_NOT_LOCAL;
    if (unlikely(!remote && bypeer_names_is_leaf(tables, number, lookup->target)))
        flags |= BYPEER_AUTHORITY_LEAF_SET;
    bypeer_count(worker, BYPEER_COUNT_PNRP_NAMED, is_known);

    unsigned addresses = is_known ? bypeer_lookup_answer_addresses(&known, datagram->payload_bytes) : 0;
    size_t bytes =
        bypeer_lookup_answer_write(datagram->payload, datagram->profile, (uint32_t)(random >> 32),
                                   bypeer_load32(datagram->payload + 8), flags, is_known ? &known : NULL, addresses);
    bypeer_datagram_turn(rte_pktmbuf_mtod(datagram->mbuf, uint8_t *), bytes, datagram->sum);
    bypeer_room_narrow(datagram->mbuf, 0, (uint16_t)(BYPEER_DATAGRAM_PAYLOAD_AT + bytes));
    return PNRP_TRANSMIT;
}

/*
 * Which LOOKUPs of the burst go to control, because their route entry is of an ID that the index has not: their .target
 * is taken away. A sample is looked at, and the tokens are few, so that what is told here stays a hint.
 */
static __rte_noinline void pnrp_learn(struct bypeer_worker *worker, struct pnrp_state *state,
                                      struct pnrp_lookups *lookups, rte_edge_t *nexts)
{
    const uint8_t *ids[PNRP_LEARN_SAMPLE];
    uint8_t clouds[PNRP_LEARN_SAMPLE], samples[PNRP_LEARN_SAMPLE];
    struct bypeer_names_walk walks[PNRP_LEARN_SAMPLE];
    unsigned count = 0;
    for (unsigned i = 0; i < lookups->count && count < PNRP_LEARN_SAMPLE; i++) {
        if (lookups->messages[i].entry.id == NULL ||
            !pnrp_can_hint(state, worker->now_tsc, lookups->datagrams[i].cloud->learn_s))
            continue;
        samples[count] = (uint8_t)i;
        clouds[count] = lookups->clouds[i];
        ids[count++] = lookups->messages[i].entry.id;
    }
    if (count == 0)
        return;
    bypeer_names_locate(worker->tables, clouds, ids, count, BYPEER_NAMES_FETCH_ABOVE, walks);
    for (unsigned i = 0; i < count; i++) {
        const struct bypeer_name_record *record = bypeer_names_above(&walks[i]);
        const struct pnrp_datagram *datagram = &lookups->datagrams[samples[i]];
        if ((record != NULL && memcmp(record->id, ids[i], BYPEER_ID_BYTES) == 0) ||
            !pnrp_may_hint(state, worker->now_tsc, datagram->cloud->learn_s))
            continue;
        bypeer_count(worker, BYPEER_COUNT_PNRP_LEARNED, 1);
        nexts[lookups->numbers[samples[i]]] = pnrp_punt(worker, datagram->mbuf);
        lookups->messages[samples[i]].target = NULL;
    }
}

void bypeer_pnrp_lookup_burst(struct bypeer_worker *worker, struct pnrp_state *state, struct pnrp_lookups *lookups,
                              rte_edge_t *nexts)
{
    struct bypeer_names_walk walks[BYPEER_BURST_MAX];
    uint64_t randoms[BYPEER_BURST_MAX], answered = 0;
    struct pnrp_validated validated = {.number = 0};
    _Static_assert(BYPEER_BURST_MAX <= BYPEER_NAMES_BURST, "a burst in one look-up");

    bypeer_names_locate(worker->tables, lookups->clouds, lookups->targets, lookups->count, BYPEER_NAMES_FETCH_NEAREST,
                        walks);
    for (unsigned i = 0; i < lookups->count; i++) {
        randoms[i] = pnrp_random(state);
        if (bypeer_answer_rank((uint32_t)randoms[i]) != 0)
            bypeer_names_fetch_second(&walks[i]);
    }
    pnrp_learn(worker, state, lookups, nexts);
    for (unsigned i = 0; i < lookups->count; i++) {
        if (unlikely(lookups->messages[i].target == NULL))
            continue;
        nexts[lookups->numbers[i]] = pnrp_answer(worker, &lookups->datagrams[i], &lookups->messages[i],
                                                 lookups->clouds[i], &walks[i], randoms[i], &validated);
        answered++;
    }
    bypeer_count(worker, BYPEER_COUNT_PNRP_LOOKUPS, answered);
}
