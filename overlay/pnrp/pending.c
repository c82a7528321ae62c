/* What waits for an answer. Everything waits equally long, so the list by time is nearly a queue. */
#include "overlay/pnrp/state.h"

#define PENDING_SENDS 2    /* [MS-PNRP] 3.1.6.1: the retry count starts at 2 */
#define PENDING_MAX   4096 /* 256 resolves with two searches each, tests and floods with their own limits */

static struct bypeer_pending **pending_bucket(struct bypeer_pnrp *pnrp, uint32_t message_id)
{
    return &pnrp->pendings[message_id % BYPEER_PENDING_BUCKETS];
}

static void pending_enqueue(struct bypeer_pnrp *pnrp, struct bypeer_pending *pending, uint64_t due_ms)
{
    struct bypeer_pending *earlier = pnrp->last;
    while (earlier && earlier->due_ms > due_ms)
        earlier = earlier->earlier;
    pending->due_ms = due_ms;
    pending->earlier = earlier;
    pending->later = earlier ? earlier->later : pnrp->first;
    *(earlier ? &earlier->later : &pnrp->first) = pending;
    *(pending->later ? &pending->later->earlier : &pnrp->last) = pending;
}

static void pending_dequeue(struct bypeer_pnrp *pnrp, struct bypeer_pending *pending)
{
    *(pending->earlier ? &pending->earlier->later : &pnrp->first) = pending->later;
    *(pending->later ? &pending->later->earlier : &pnrp->last) = pending->earlier;
}

static void pending_attach(struct bypeer_pnrp *pnrp, struct bypeer_pending *pending, uint64_t due_ms)
{
    struct bypeer_pending **bucket = pending_bucket(pnrp, pending->message_id);
    pending_enqueue(pnrp, pending, due_ms);
    pending->next = *bucket;
    *bucket = pending;
    pnrp->pending_count++;
}

void bypeer_pending_asked(const struct bypeer_pending *pending, struct bypeer_pnrp_endpoint *ret_asked)
{
    memcpy(ret_asked->address, pending->addresses[pending->at], 16);
    ret_asked->port = pending->port;
}

static void pending_transmit(struct bypeer_pnrp *pnrp, struct bypeer_pending *pending)
{
    struct bypeer_pnrp_endpoint to;
    bypeer_pending_asked(pending, &to);
    bypeer_cloud_send_bytes(pnrp, bypeer_cloud_local_for(pnrp, to.address), &to, pending->bytes, pending->length);
}

/* RFC 3484, rule 8, is what is left of it between addresses of one scope: the longest prefix in common. */
uint8_t bypeer_pending_address(const struct bypeer_pnrp *pnrp, const struct bypeer_pnrp_entry *to)
{
    uint8_t best = 0;
    unsigned best_bits = 0;
    for (uint8_t i = 0; i < to->address_count; i++) {
        struct bypeer_id_number a = {{0}}, b = {{0}};
        const uint8_t *address = to->addresses + 16ul * i;
        unsigned local = bypeer_cloud_local_for(pnrp, address);
        memcpy(a.words, address, 16);
        memcpy(b.words, pnrp->endpoints[local].address, 16);
        a.words[0] = be64toh(a.words[0]), a.words[1] = be64toh(a.words[1]);
        b.words[0] = be64toh(b.words[0]), b.words[1] = be64toh(b.words[1]);
        unsigned bits = 1 + bypeer_id_common_bits(a, b);
        if (bits > best_bits) {
            best = i;
            best_bits = bits;
        }
    }
    return best;
}

struct bypeer_pending *bypeer_pending_send(struct bypeer_pnrp *pnrp, enum bypeer_pending_kind kind,
                                           const struct bypeer_pnrp_entry *to, struct bypeer_pnrp_message *message,
                                           void *owner)
{
    uint8_t bytes[BYPEER_PNRP_DATAGRAM_MAX];
    if (pnrp->endpoint_count == 0 || pnrp->pending_count >= PENDING_MAX)
        return NULL;
    message->id = (uint32_t)bypeer_cloud_random(pnrp);
    size_t length = bypeer_pnrp_write(message, pnrp->profile, bytes, sizeof(bytes));
    if (length == 0)
        return NULL;
    size_t addresses_bytes = 16ul * to->address_count;
    struct bypeer_pending *pending = calloc(1, sizeof(*pending) + addresses_bytes + length);
    if (!pending)
        return NULL;
    pending->owner = owner;
    pending->message_id = message->id;
    pending->kind = (uint8_t)kind;
    pending->sends_left = PENDING_SENDS - 1;
    pending->busy_left = BYPEER_PENDING_BUSY_MAX;
    pending->at = bypeer_pending_address(pnrp, to);
    pending->address_count = to->address_count;
    pending->port = to->port;
    pending->length = (uint16_t)length;
    pending->addresses = (uint8_t(*)[16])(pending + 1);
    pending->bytes = (uint8_t *)(pending + 1) + addresses_bytes;
    memcpy(pending->addresses, to->addresses, addresses_bytes);
    memcpy(pending->bytes, bytes, length);
    pending_attach(pnrp, pending, pnrp->now.ms + BYPEER_PENDING_RETRY_MS);
    pending_transmit(pnrp, pending);
    return pending;
}

static bool pending_is_answered_by(const struct bypeer_pending *pending, enum bypeer_pnrp_type type)
{
    switch ((enum bypeer_pending_kind)pending->kind) {
    case BYPEER_PENDING_ADD:
    case BYPEER_PENDING_LOOKUP:
    case BYPEER_PENDING_INQUIRE:
    case BYPEER_PENDING_NEIGHBOUR:
        return type == BYPEER_PNRP_AUTHORITY;
    case BYPEER_PENDING_SOLICIT:
        return type == BYPEER_PNRP_ADVERTISE;
    case BYPEER_PENDING_REQUEST:
    case BYPEER_PENDING_FLOOD:
        return type == BYPEER_PNRP_ACK;
    }
    return false;
}

static bool pending_is_to(const struct bypeer_pending *pending, const struct bypeer_pnrp_endpoint *node)
{
    if (node->port != pending->port)
        return false;
    for (unsigned i = 0; i < pending->address_count; i++)
        if (memcmp(pending->addresses[i], node->address, 16) == 0)
            return true;
    return false;
}

struct bypeer_pending *bypeer_pending_match(struct bypeer_pnrp *pnrp, uint32_t acked, enum bypeer_pnrp_type type,
                                            const struct bypeer_pnrp_endpoint *from)
{
    struct bypeer_pending *pending = *pending_bucket(pnrp, acked);
    while (pending &&
           !(pending->message_id == acked && pending_is_answered_by(pending, type) && pending_is_to(pending, from)))
        pending = pending->next;
    return pending;
}

void bypeer_pending_detach(struct bypeer_pnrp *pnrp, struct bypeer_pending *pending)
{
    struct bypeer_pending **at = pending_bucket(pnrp, pending->message_id);
    while (*at != pending)
        at = &(*at)->next;
    *at = pending->next;
    pending_dequeue(pnrp, pending);
    pnrp->pending_count--;
}

void bypeer_pending_free(struct bypeer_pending *pending)
{
    bypeer_reassembly_free(pending->reassembly);
    free(pending);
}

void bypeer_pending_drop(struct bypeer_pnrp *pnrp, struct bypeer_pending *pending)
{
    if (!pending)
        return;
    bypeer_pending_detach(pnrp, pending);
    bypeer_pending_free(pending);
}

void bypeer_pending_prompt(struct bypeer_pnrp *pnrp, const struct bypeer_pnrp_endpoint *from)
{
    for (struct bypeer_pending *pending = pnrp->first; pending; pending = pending->later) {
        bool is_metered = pending->kind == BYPEER_PENDING_INQUIRE || pending->kind == BYPEER_PENDING_ADD ||
                          pending->kind == BYPEER_PENDING_REQUEST;
        if (!is_metered || pending->is_prompted || !pending_is_to(pending, from))
            continue;
        pending->is_prompted = true;
        pnrp->counters.retries++;
        pending_transmit(pnrp, pending);
    }
}

static void pending_give_up(struct bypeer_pnrp *pnrp, struct bypeer_pending *pending, bool busy)
{
    if (!busy)
        pnrp->counters.timeouts++;
    switch ((enum bypeer_pending_kind)pending->kind) {
    case BYPEER_PENDING_ADD:
        bypeer_entry_unanswered(pnrp, pending->owner);
        break;
    case BYPEER_PENDING_LOOKUP:
    case BYPEER_PENDING_INQUIRE:
        bypeer_seek_unanswered(pnrp, pending->owner, pending, busy);
        break;
    case BYPEER_PENDING_NEIGHBOUR:
        if (!busy)
            bypeer_neighbour_unanswered(pnrp, pending);
        break;
    case BYPEER_PENDING_FLOOD:
        bypeer_flood_ended(pnrp, pending, BYPEER_FLOOD_UNANSWERED);
        break;
    case BYPEER_PENDING_SOLICIT:
    case BYPEER_PENDING_REQUEST:
        break;
    }
    bypeer_pending_free(pending);
}

void bypeer_pending_tick(struct bypeer_pnrp *pnrp)
{
    while (pnrp->first && pnrp->first->due_ms <= pnrp->now.ms) {
        struct bypeer_pending *pending = pnrp->first;
        if (pending->sends_left == 0 || pnrp->endpoint_count == 0) {
            bypeer_pending_detach(pnrp, pending);
            pending_give_up(pnrp, pending, false);
            continue;
        }
        pending->sends_left--;
        pending->at = (uint8_t)((pending->at + 1) % pending->address_count);
        pending_dequeue(pnrp, pending);
        pending_enqueue(pnrp, pending, pnrp->now.ms + BYPEER_PENDING_RETRY_MS);
        pnrp->counters.retries++;
        pending_transmit(pnrp, pending);
    }
}

/* It is there, and is to be asked again a little later: it says B, or there is no room for a check of what it says. */
static void pending_busy(struct bypeer_pnrp *pnrp, struct bypeer_pending *pending)
{
    if (pending->busy_left == 0) {
        pending_give_up(pnrp, pending, true);
        return;
    }
    pending->busy_left--;
    if (pending->sends_left == 0)
        pending->sends_left = 1;
    bypeer_reassembly_free(pending->reassembly);
    pending->reassembly = NULL;
    pending_attach(pnrp, pending, pnrp->now.ms + BYPEER_PENDING_BUSY_MS);
}

void bypeer_pending_authority(struct bypeer_pnrp *pnrp, const struct bypeer_pnrp_endpoint *from,
                              const struct bypeer_pnrp_message *message)
{
    struct bypeer_pnrp_answer answer;
    const uint8_t *bytes;
    size_t length;
    struct bypeer_pending *pending = bypeer_pending_match(pnrp, message->authority.acked, BYPEER_PNRP_AUTHORITY, from);
    if (!pending) {
        pnrp->counters.unmatched++;
        return;
    }
    int whole = bypeer_reassembly_put(&pending->reassembly, from, message, pnrp->now.ms, &bytes, &length);
    if (whole == 0)
        return;
    if (whole < 0 || bypeer_pnrp_answer_read(&answer, pnrp->profile, bytes, length) < 0) {
        pnrp->counters.malformed++;
        return;
    }
    bypeer_inquire_verified(pnrp, from);
    bypeer_pending_detach(pnrp, pending);
    bool is_busy = (answer.flags & BYPEER_AUTHORITY_BUSY) != 0;
    if (!is_busy && pending->kind == BYPEER_PENDING_ADD)
        is_busy = !bypeer_entry_answered(pnrp, pending->owner, from, &answer, bytes, length);
    else if (!is_busy && pending->kind == BYPEER_PENDING_NEIGHBOUR)
        bypeer_neighbour_answered(pnrp, pending, from, &answer);
    else if (!is_busy)
        is_busy = !bypeer_seek_answered(pnrp, pending->owner, pending, from, &answer, bytes, length);
    if (is_busy)
        pending_busy(pnrp, pending);
    else
        bypeer_pending_free(pending);
}
