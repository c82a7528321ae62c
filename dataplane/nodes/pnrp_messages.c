/*
 * What is no LOOKUP, and seldom ([MS-PNRP] 3.1.5.4, 3.2.5.6): INQUIREs without flags and FLOODs that carry nothing are
 * answered; INQUIREs that want a signature pass the meter; what proves a source is learned; control sees all else.
 */
#include "dataplane/nodes/pnrp.h"

/* What control will answer an INQUIRE with, for the meter: a CPA of one endpoint with classifier and route entry, and
 * headers. Control's own meter knows the exact size. */
#define PNRP_CERTIFIED_BYTES (BYPEER_IPV6_BYTES + BYPEER_UDP_BYTES + 640)

/* Makes the datagram's frame long enough for an answer of length bytes. */
static inline bool pnrp_make_room(const struct pnrp_datagram *datagram, size_t length)
{
    struct rte_mbuf *mbuf = datagram->mbuf;
    size_t whole = BYPEER_DATAGRAM_PAYLOAD_AT + length;
    return whole <= mbuf->data_len || bypeer_room_append(mbuf, (uint16_t)(whole - mbuf->data_len)) != NULL;
}

/* Sends the answer that the payload is now. */
static inline rte_edge_t pnrp_turn(const struct pnrp_datagram *datagram, size_t length)
{
    bypeer_datagram_turn(rte_pktmbuf_mtod(datagram->mbuf, uint8_t *), length, datagram->sum);
    bypeer_room_narrow(datagram->mbuf, 0, (uint16_t)(BYPEER_DATAGRAM_PAYLOAD_AT + length));
    return PNRP_TRANSMIT;
}

static rte_edge_t pnrp_has_no_room(const struct pnrp_datagram *datagram)
{
    return bypeer_refuse(bypeer_packet(datagram->mbuf), BYPEER_DROP_NO_BUFFER, PNRP_DROP);
}

/* Sends length bytes back in the datagram's frame. */
static rte_edge_t pnrp_reply(const struct pnrp_datagram *datagram, const uint8_t *bytes, size_t length)
{
    if (!pnrp_make_room(datagram, length))
        return pnrp_has_no_room(datagram);
    memcpy(datagram->payload, bytes, length);
    return pnrp_turn(datagram, length);
}

static rte_edge_t pnrp_write(const struct pnrp_datagram *datagram, const struct bypeer_pnrp_message *message)
{
    uint8_t bytes[BYPEER_PROBE_BYTES];
    return pnrp_reply(datagram, bytes, bypeer_pnrp_write(message, datagram->profile, bytes, sizeof(bytes)));
}

static struct bypeer_pnrp_endpoint pnrp_source(const struct pnrp_datagram *datagram)
{
    const uint8_t *frame = rte_pktmbuf_mtod(datagram->mbuf, const uint8_t *);
    struct bypeer_pnrp_endpoint source = {.port = bypeer_load16(frame + BYPEER_DATAGRAM_UDP_AT + BYPEER_UDP_SOURCE)};
    memcpy(source.address, frame + BYPEER_DATAGRAM_IP_AT + BYPEER_IPV6_SOURCE, 16);
    return source;
}

static size_t pnrp_ip_bytes(const struct pnrp_datagram *datagram)
{
    return BYPEER_IPV6_BYTES + BYPEER_UDP_BYTES + (size_t)datagram->payload_bytes;
}

/* Makes the meter of a number what its cloud's record says now. Each worker has its share of the node's rates. */
static __rte_noinline void pnrp_make_meter(const struct bypeer_worker *worker, struct pnrp_state *state, uint8_t number,
                                           const struct pnrp_meter_source *source)
{
    struct pnrp_meter_source *made = &state->sources[number];
    struct bypeer_meter_settings settings = {.entries = BYPEER_METER_ENTRIES,
                                             .stranger_bytes_s = source->stranger_bytes_s / source->workers,
                                             .verified_answers_s = source->verified_answers_s,
                                             .answers_s = RTE_MAX(source->answers_s / source->workers, 1u)};
    memcpy(settings.secret, source->secret, sizeof(settings.secret));
    if (made->workers != 0 && memcmp(source->secret, made->secret, sizeof(made->secret)) == 0) {
        bypeer_meter_configure(state->meters[number], &settings);
    } else { /* another cloud has the number now, or the first one: nobody is known yet */
        memset(state->meters[number], 0, bypeer_meter_bytes(&settings));
        bypeer_meter_init(state->meters[number], &settings, worker->now_ms);
    }
    *made = *source;
}

static inline struct bypeer_meter *pnrp_meter(const struct bypeer_worker *worker, struct pnrp_state *state,
                                              const struct pnrp_datagram *datagram)
{
    const struct bypeer_cloud_record *cloud = datagram->cloud;
    struct pnrp_meter_source source = {.stranger_bytes_s = cloud->stranger_bytes_s,
                                       .verified_answers_s = cloud->verified_answers_s,
                                       .answers_s = cloud->answers_s,
                                       .workers = RTE_MAX(worker->workers, 1u)};
    memcpy(source.secret, cloud->cookie_secret, sizeof(source.secret));
    if (unlikely(memcmp(&source, &state->sources[datagram->number], sizeof(source)) != 0))
        pnrp_make_meter(worker, state, datagram->number, &source);
    return state->meters[datagram->number];
}

/* "Are you there?": the entry of the ID, or N. An entry that makes the answer larger than the question goes to those
 * only who are known to be where they say; the others learn as much without it. */
static rte_edge_t pnrp_confirm(struct bypeer_worker *worker, struct pnrp_state *state,
                               const struct pnrp_datagram *datagram, const struct bypeer_pnrp_message *message)
{
    uint8_t bytes[BYPEER_LOOKUP_ANSWER + BYPEER_LOOKUP_ENTRY_BYTES + 16 * BYPEER_CLOUD_ADDRESSES];
    const uint8_t *id = message->inquire.validate;
    bool is_own = bypeer_names_is_own(worker->tables, datagram->number, id);
    struct bypeer_known own = pnrp_own(datagram->cloud, id);
    struct bypeer_pnrp_endpoint source = pnrp_source(datagram);
    bool with_entry =
        is_own && bypeer_meter_is_verified(pnrp_meter(worker, state, datagram), source.address, worker->now_ms);
    size_t length = bypeer_lookup_answer_write(
        bytes, datagram->profile, (uint32_t)pnrp_random(state), bypeer_load32(datagram->payload + 8),
        is_own ? 0 : BYPEER_AUTHORITY_NOT_LOCAL, with_entry ? &own : NULL, own.address_count);
    bypeer_count(worker, BYPEER_COUNT_PNRP_INQUIRES, 1);
    return pnrp_reply(datagram, bytes, length);
}

/* Something empty that wants to be acknowledged, with a cookie for its Message ID (meter.h). */
static rte_edge_t pnrp_probe(struct bypeer_worker *worker, const struct pnrp_state *state,
                             const struct pnrp_datagram *datagram, const struct bypeer_meter *meter,
                             const struct bypeer_pnrp_endpoint *source)
{
    const uint8_t *probe = state->probes[datagram->profile->id];
    const uint64_t id = bypeer_meter_cookie(meter, source, worker->now_ms);
    if (unlikely(!pnrp_make_room(datagram, BYPEER_PROBE_BYTES)))
        return pnrp_has_no_room(datagram);
    memcpy(datagram->payload, probe, BYPEER_PROBE_BYTES);
    bypeer_store64(datagram->payload + 8, id << 32 | bypeer_load32(probe + 12)); /* whole: bypeer_datagram_turn() */
    bypeer_count(worker, BYPEER_COUNT_PNRP_PROBES, 1);
    return pnrp_turn(datagram, BYPEER_PROBE_BYTES);
}

static rte_edge_t pnrp_busy(struct bypeer_worker *worker, struct pnrp_state *state,
                            const struct pnrp_datagram *datagram)
{
    uint8_t bytes[BYPEER_LOOKUP_ANSWER];
    size_t length = bypeer_lookup_answer_write(bytes, datagram->profile, (uint32_t)pnrp_random(state),
                                               bypeer_load32(datagram->payload + 8), BYPEER_AUTHORITY_BUSY, NULL, 0);
    bypeer_count(worker, BYPEER_COUNT_PNRP_BUSY, 1);
    return pnrp_reply(datagram, bytes, length);
}

/* A signature is wanted: of an ID that is not here, none; else if the source may have one, control makes it. */
static rte_edge_t pnrp_certify(struct bypeer_worker *worker, struct pnrp_state *state,
                               const struct pnrp_datagram *datagram, const struct bypeer_pnrp_message *message)
{
    if (!bypeer_names_is_own(worker->tables, datagram->number, message->inquire.validate))
        return pnrp_confirm(worker, state, datagram, message);
    struct bypeer_meter *meter = pnrp_meter(worker, state, datagram);
    struct bypeer_pnrp_endpoint source = pnrp_source(datagram);
    bypeer_meter_received(meter, source.address, pnrp_ip_bytes(datagram), worker->now_ms);
    switch (bypeer_meter_judge(meter, source.address, PNRP_CERTIFIED_BYTES, worker->now_ms)) {
    case BYPEER_METER_ANSWER:
        return pnrp_punt(worker, datagram->mbuf);
    case BYPEER_METER_PROBE: /* which is smaller than an INQUIRE with a nonce, and larger than one without */
        return message->inquire.nonce != NULL ? pnrp_probe(worker, state, datagram, meter, &source)
                                              : pnrp_busy(worker, state, datagram);
    case BYPEER_METER_BUSY:
        return pnrp_busy(worker, state, datagram);
    case BYPEER_METER_DROP:
        break;
    }
    return bypeer_refuse(bypeer_packet(datagram->mbuf), BYPEER_DROP_PNRP_METER, PNRP_DROP);
}

static rte_edge_t pnrp_inquire(struct bypeer_worker *worker, struct pnrp_state *state,
                               const struct pnrp_datagram *datagram, const struct bypeer_pnrp_message *message)
{
    const uint16_t wants = BYPEER_INQUIRE_CPA | BYPEER_INQUIRE_PAYLOAD | BYPEER_INQUIRE_CHAIN;
    return (message->inquire.flags & wants) == 0 ? pnrp_confirm(worker, state, datagram, message)
                                                 : pnrp_certify(worker, state, datagram, message);
}

/* One that carries nothing asks only whether somebody is there. It may be the probe of somebody whom control has asked
 * for a certificate, and wants to know that at once; but not of everybody at any rate. */
static rte_edge_t pnrp_flood(struct bypeer_worker *worker, struct pnrp_state *state,
                             const struct pnrp_datagram *datagram, const struct bypeer_pnrp_message *message)
{
    const struct bypeer_pnrp_flood *flood = &message->flood;
    if (flood->no_ack || flood->entry.id != NULL || flood->revoke != NULL ||
        pnrp_may_hint(state, worker->now_tsc, datagram->cloud->learn_s))
        return pnrp_punt(worker, datagram->mbuf);
    bool is_here =
        bypeer_id_is_zero(flood->validate) || bypeer_names_is_own(worker->tables, datagram->number, flood->validate);
    struct bypeer_pnrp_message ack = {.type = BYPEER_PNRP_ACK,
                                      .id = (uint32_t)pnrp_random(state),
                                      .ack = {.acked = message->id, .not_local = !is_here}};
    bypeer_count(worker, BYPEER_COUNT_PNRP_ACKS, 1);
    return pnrp_write(datagram, &ack);
}

/* An answer. If it is to a probe of ours, its source is where it says; control's meter is to know that, too. */
static rte_edge_t pnrp_answered(struct bypeer_worker *worker, struct pnrp_state *state,
                                const struct pnrp_datagram *datagram, uint32_t acked)
{
    struct bypeer_meter *meter = pnrp_meter(worker, state, datagram);
    struct bypeer_pnrp_endpoint source = pnrp_source(datagram);
    if (bypeer_meter_is_cookie(meter, &source, acked, worker->now_ms)) {
        bypeer_meter_verify(meter, source.address, worker->now_ms);
        bypeer_count(worker, BYPEER_COUNT_PNRP_VERIFIED, 1);
    }
    return pnrp_punt(worker, datagram->mbuf);
}

rte_edge_t bypeer_pnrp_message(struct bypeer_worker *worker, struct pnrp_state *state,
                               const struct pnrp_datagram *datagram, const struct bypeer_pnrp_message *message)
{
    switch (message->type) {
    case BYPEER_PNRP_INQUIRE:
        return pnrp_inquire(worker, state, datagram, message);
    case BYPEER_PNRP_FLOOD:
        return pnrp_flood(worker, state, datagram, message);
    case BYPEER_PNRP_ACK:
        return pnrp_answered(worker, state, datagram, message->ack.acked);
    case BYPEER_PNRP_AUTHORITY:
        return pnrp_answered(worker, state, datagram, message->authority.acked);
    default:
        return pnrp_punt(worker, datagram->mbuf);
    }
}
