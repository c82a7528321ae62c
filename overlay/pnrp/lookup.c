/* Answering a LOOKUP out of the cache ([MS-PNRP] 3.2.5.2): answer.h decides. */
#include "overlay/pnrp/answer_cache.h"
#include "overlay/pnrp/lookup_wire.h"
#include "overlay/pnrp/state.h"

#define LOOKUP_SAMPLE 16 /* one in so many entries that are none of our business is tested all the same */

/* Whoever speaks for himself is worth a test; others seldom, since the sender chooses whom we would test. */
static void lookup_offer(struct bypeer_pnrp *pnrp, const struct bypeer_pnrp_endpoint *from,
                         const struct bypeer_pnrp_entry *entry)
{
    bool is_senders = false;
    for (unsigned i = 0; i < entry->address_count && !is_senders; i++)
        is_senders = memcmp(entry->addresses + 16ul * i, from->address, 16) == 0;
    if (is_senders || bypeer_cache_is_leaf(pnrp->cache, entry->id, NULL) ||
        bypeer_cloud_random(pnrp) % LOOKUP_SAMPLE == 0)
        bypeer_entry_offer(pnrp, entry, &(struct bypeer_entry_origin){.sender = from});
}

void bypeer_lookup_answer(struct bypeer_pnrp *pnrp, unsigned local, const struct bypeer_pnrp_endpoint *from,
                          const struct bypeer_pnrp_message *message, size_t length)
{
    const struct bypeer_pnrp_lookup *lookup = &message->lookup;
    struct bypeer_lookup_facts facts = {.random = (uint32_t)bypeer_cloud_random(pnrp)};
    struct bypeer_pnrp_answer answer = {0};
    struct bypeer_answer_walk walk;
    struct bypeer_known known = {.id = NULL};
    uint8_t addresses[BYPEER_PNRP_ADDRESSES_MAX * 16];
    bool is_remote = false;

    bool is_anybody = bypeer_id_is_zero(lookup->validate);
    facts.validate_is_local = !is_anybody && bypeer_cloud_is_own_id(pnrp, lookup->validate);
    if (!is_anybody && !facts.validate_is_local)
        answer.flags |= BYPEER_AUTHORITY_NOT_LOCAL;
    if (!bypeer_cloud_is_publishing(pnrp)) {
        /* A resolver has no part in searches; N tells at once what silence would in two seconds. */
        if (answer.flags)
            bypeer_inquire_send(pnrp, local, from, message->id, &answer);
        return;
    }
    for (unsigned i = 0; i < pnrp->endpoint_count; i++)
        facts.own_in_path |= bypeer_pnrp_endpoints_have(&lookup->path, pnrp->endpoints[i].address);
    bypeer_answer_walk(pnrp->cache, lookup->target, &walk);
    if (bypeer_answer_choose(lookup, &facts, bypeer_answer_walk_nearest, &walk, &known, &is_remote)) {
        unsigned count = bypeer_lookup_answer_addresses(&known, length);
        memcpy(addresses, known.address, 16);
        if (count > 1)
            memcpy(addresses + 16, known.more, 16ul * (count - 1));
        answer.entry = (struct bypeer_pnrp_entry){
            .id = known.id, .addresses = addresses, .address_count = (uint8_t)count, .port = known.port};
    }
    if (!is_remote && bypeer_cache_is_leaf(pnrp->cache, lookup->target, NULL))
        answer.flags |= BYPEER_AUTHORITY_LEAF_SET;
    pnrp->counters.lookups++;
    bypeer_inquire_send(pnrp, local, from, message->id, &answer);
    if (lookup->entry.id != NULL)
        lookup_offer(pnrp, from, &lookup->entry);
}
