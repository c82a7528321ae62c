/*
 * Answering an INQUIRE ([MS-PNRP] 3.2.5.9): is this ID registered here, and where is its certificate?
 *
 * The bare question costs nothing. A certificate costs a signature and up to 38 KB, for anybody who can write a source
 * address, so the meter is asked first (meter.h), and at most jobs_max signatures are out at once.
 */
#include "overlay/pnrp/state.h"

int bypeer_inquire_open_meter(struct bypeer_pnrp *pnrp)
{
    if (pnrp->meter)
        return 0;
    size_t bytes = (bypeer_meter_bytes(&pnrp->meter_settings) + 63) & ~(size_t)63;
    void *memory = aligned_alloc(64, bytes);
    if (!memory)
        return -ENOMEM;
    memset(memory, 0, bytes);
    pnrp->meter = bypeer_meter_init(memory, &pnrp->meter_settings, pnrp->now.ms);
    return 0;
}

void bypeer_inquire_verified(struct bypeer_pnrp *pnrp, const struct bypeer_pnrp_endpoint *source)
{
    if (pnrp->meter)
        bypeer_meter_verify(pnrp->meter, source->address, pnrp->now.ms);
}

static void inquire_send_slices(struct bypeer_pnrp *pnrp, unsigned local, const struct bypeer_pnrp_endpoint *to,
                                uint32_t acked, const uint8_t *bytes, size_t length)
{
    struct bypeer_pnrp_message message = {.type = BYPEER_PNRP_AUTHORITY,
                                          .id = (uint32_t)bypeer_cloud_random(pnrp),
                                          .authority = {.acked = acked, .size = (uint16_t)length}};
    for (size_t at = 0; at < length; at += BYPEER_PNRP_SLICE_BYTES) {
        size_t left = length - at;
        message.authority.offset = (uint16_t)at;
        message.authority.slice = bytes + at;
        message.authority.slice_bytes = (uint16_t)(left < BYPEER_PNRP_SLICE_BYTES ? left : BYPEER_PNRP_SLICE_BYTES);
        bypeer_cloud_send(pnrp, local, to, &message);
    }
}

void bypeer_inquire_send(struct bypeer_pnrp *pnrp, unsigned local, const struct bypeer_pnrp_endpoint *to,
                         uint32_t acked, const struct bypeer_pnrp_answer *answer)
{
    uint8_t small[BYPEER_PNRP_SLICE_BYTES];
    size_t length = bypeer_pnrp_answer_write(answer, pnrp->profile, small, sizeof(small));
    if (length > 0) {
        inquire_send_slices(pnrp, local, to, acked, small, length);
        return;
    }
    uint8_t *large = malloc(BYPEER_PNRP_BUFFER_MAX);
    if (!large)
        return;
    length = bypeer_pnrp_answer_write(answer, pnrp->profile, large, BYPEER_PNRP_BUFFER_MAX);
    inquire_send_slices(pnrp, local, to, acked, large, length);
    free(large);
}

static void inquire_refuse(struct bypeer_pnrp *pnrp, unsigned local, const struct bypeer_pnrp_endpoint *to,
                           uint32_t acked, uint16_t flags)
{
    if (flags & BYPEER_AUTHORITY_BUSY)
        pnrp->counters.busy++;
    bypeer_inquire_send(pnrp, local, to, acked, &(struct bypeer_pnrp_answer){.flags = flags});
}

void bypeer_inquire_probe(struct bypeer_pnrp *pnrp, unsigned local, const struct bypeer_pnrp_endpoint *to)
{
    static const uint8_t zero[32];
    struct bypeer_pnrp_message probe = {.type = BYPEER_PNRP_FLOOD,
                                        .id = bypeer_meter_cookie(pnrp->meter, to, pnrp->now.ms),
                                        .flood = {.validate = zero}};
    pnrp->counters.probes++;
    bypeer_cloud_send(pnrp, local, to, &probe);
}

/* Sent again while its signature is made. */
static bool inquire_is_repeated(const struct bypeer_pnrp *pnrp, const struct bypeer_pnrp_endpoint *from, uint32_t id)
{
    for (const struct bypeer_job *job = pnrp->jobs; job; job = job->next)
        if (job->purpose == BYPEER_JOB_ANSWER && job->acked == id && job->peer.port == from->port &&
            memcmp(job->peer.address, from->address, 16) == 0)
            return true;
    return false;
}

static enum bypeer_meter_verdict inquire_judge(struct bypeer_pnrp *pnrp, const struct bypeer_pnrp_endpoint *from,
                                               size_t answer_bytes)
{
    if (!pnrp->meter)
        return BYPEER_METER_ANSWER;
    return bypeer_meter_judge(pnrp->meter, from->address, answer_bytes, pnrp->now.ms);
}

static void inquire_certify(struct bypeer_pnrp *pnrp, unsigned local, const struct bypeer_pnrp_endpoint *from,
                            const struct bypeer_pnrp_message *message, struct bypeer_registration *registration)
{
    uint16_t flags = message->inquire.flags;
    if (inquire_is_repeated(pnrp, from, message->id))
        return;
    switch (inquire_judge(pnrp, from, bypeer_certified_bytes(pnrp, registration, flags))) {
    case BYPEER_METER_PROBE: /* which is smaller than an INQUIRE with a nonce, and larger than one without */
        if (message->inquire.nonce)
            bypeer_inquire_probe(pnrp, local, from);
        else
            inquire_refuse(pnrp, local, from, message->id, BYPEER_AUTHORITY_BUSY);
        return;
    case BYPEER_METER_BUSY:
        inquire_refuse(pnrp, local, from, message->id, BYPEER_AUTHORITY_BUSY);
        return;
    case BYPEER_METER_DROP:
        pnrp->counters.metered++;
        return;
    case BYPEER_METER_ANSWER:
        break;
    }
    struct bypeer_job *job =
        bypeer_certified_make(pnrp, registration, message->inquire.nonce, false, (flags & BYPEER_INQUIRE_PAYLOAD) != 0);
    if (job) {
        job->peer = *from;
        job->local = local;
        job->acked = message->id;
        job->flags = flags;
        job->owner = registration->handle;
    }
    if (!job || !bypeer_job_hand_out(pnrp, job)) {
        inquire_refuse(pnrp, local, from, message->id, BYPEER_AUTHORITY_BUSY);
        return;
    }
    registration->jobs++;
}

void bypeer_inquire_answer(struct bypeer_pnrp *pnrp, unsigned local, const struct bypeer_pnrp_endpoint *from,
                           const struct bypeer_pnrp_message *message)
{
    uint8_t addresses[BYPEER_CLOUD_ENDPOINTS_MAX][16];
    bool is_own = bypeer_cloud_is_own_id(pnrp, message->inquire.validate);
    struct bypeer_registration *registration = is_own ? bypeer_publish_find(pnrp, message->inquire.validate) : NULL;
    if (!registration) {
        inquire_refuse(pnrp, local, from, message->id, BYPEER_AUTHORITY_NOT_LOCAL);
        return;
    }
    if (message->inquire.flags & (BYPEER_INQUIRE_CPA | BYPEER_INQUIRE_PAYLOAD | BYPEER_INQUIRE_CHAIN)) {
        inquire_certify(pnrp, local, from, message, registration);
        return;
    }
    struct bypeer_pnrp_answer answer = {0};
    bypeer_cloud_own_entry(pnrp, registration->id, addresses, &answer.entry);
    pnrp->counters.inquires++;
    bypeer_inquire_send(pnrp, local, from, message->id, &answer);
}

void bypeer_inquire_signed(struct bypeer_pnrp *pnrp, struct bypeer_job *job)
{
    uint8_t addresses[BYPEER_CLOUD_ENDPOINTS_MAX][16], classifier[2 * BYPEER_CLASSIFIER_MAX];
    struct bypeer_registration *registration = bypeer_publish_by_handle(pnrp, job->owner);
    if (!registration)
        return;
    registration->jobs--;
    bool is_gone = registration->is_leaving || job->local >= pnrp->endpoint_count;
    if (is_gone || job->work.result < 0) {
        inquire_refuse(pnrp, job->local, &job->peer, job->acked,
                       is_gone ? BYPEER_AUTHORITY_NOT_LOCAL : BYPEER_AUTHORITY_BUSY);
        bypeer_publish_settle(pnrp, registration);
        return;
    }
    struct bypeer_pnrp_answer *answer = &job->answer;
    const struct bypeer_peer_name *name = &registration->name;
    if (!(job->flags & BYPEER_INQUIRE_CPA))
        answer->cpa = NULL;
    else if (name->classifier_length > 0) {
        /* GAP-8: no flag asks for it. */
        bypeer_classifier_put(name, classifier);
        answer->classifier = classifier;
        answer->classifier_length = name->classifier_length;
    }
    if (job->flags & BYPEER_INQUIRE_CHAIN && registration->chain) {
        answer->chain = registration->chain;
        answer->chain_bytes = registration->chain_bytes;
    }
    bypeer_cloud_own_entry(pnrp, registration->id, addresses, &answer->entry);
    pnrp->counters.inquires++;
    if (answer->cpa)
        pnrp->counters.certified++;
    bypeer_inquire_send(pnrp, job->local, &job->peer, job->acked, answer);
}
