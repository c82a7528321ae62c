/* What a publisher signs, and what has to be true of it ([MS-PNRP] 3.2.5.9, 3.1.5.7 to 3.1.5.9; reference 4.10). */
#include "overlay/pnrp/state.h"

#define CERTIFIED_SKEW_S   300 /* clocks differ */
#define CERTIFIED_REVOKE_S 900 /* a revocation can be replayed so long */

/* Each endpoint of an application that follows the node's addresses is there once for each of them. */
uint8_t bypeer_certified_applications(const struct bypeer_pnrp *pnrp, const struct bypeer_contents *contents,
                                      struct bypeer_application *ret_applications)
{
    if (!contents->follows_addresses) {
        memcpy(ret_applications, contents->applications, contents->application_count * sizeof(*ret_applications));
        return (uint8_t)contents->application_count;
    }
    uint8_t count = 0;
    for (unsigned i = 0; i < contents->application_count; i++)
        for (unsigned j = 0; j < pnrp->endpoint_count && count < BYPEER_CPA_APPLICATIONS_MAX; j++) {
            ret_applications[count] = contents->applications[i];
            memcpy(ret_applications[count++].address, pnrp->endpoints[j].address, 16);
        }
    return count;
}

static void certified_fill(const struct bypeer_pnrp *pnrp, const struct bypeer_registration *registration,
                           const uint8_t *nonce, struct bypeer_cpa *ret_cpa)
{
    const struct bypeer_peer_name *name = &registration->name;
    *ret_cpa = (struct bypeer_cpa){.has_authority = name->secure,
                                   .has_classifier = !name->secure || name->classifier_length > 0,
                                   .public_key = bypeer_key_public(registration->key)};
    memcpy(ret_cpa->service_location, registration->id + BYPEER_P2P_ID_BYTES, sizeof(ret_cpa->service_location));
    memcpy(ret_cpa->authority, name->authority, sizeof(ret_cpa->authority));
    bypeer_name_classifier_hash(pnrp->profile, name, ret_cpa->classifier_hash);
    if (nonce)
        memcpy(ret_cpa->nonce, nonce, sizeof(ret_cpa->nonce));
}

static void certified_fill_contents(const struct bypeer_pnrp *pnrp, const struct bypeer_contents *contents,
                                    struct bypeer_cpa *cpa)
{
    cpa->not_after = pnrp->now.unix_s + contents->lifetime_s;
    cpa->has_extended = contents->payload_type != BYPEER_PAYLOAD_NONE;
    if (contents->comment_bytes > 0) {
        cpa->comment = (const uint8_t *)contents->comment;
        cpa->comment_bytes = contents->comment_bytes;
        cpa->comment_is_utf8 = true;
    }
    cpa->service_count = pnrp->endpoint_count;
    memcpy(cpa->services, pnrp->endpoints, pnrp->endpoint_count * sizeof(cpa->services[0]));
    cpa->application_count = bypeer_certified_applications(pnrp, contents, cpa->applications);
}

static bool certified_add_piece(struct bypeer_job *job, uint8_t *bytes, size_t length, size_t signed_bytes)
{
    if (length == 0)
        return false;
    job->work.piece[job->work.pieces].bytes = bytes;
    job->work.piece[job->work.pieces].length = signed_bytes;
    job->work.piece[job->work.pieces].signature = bytes + length - job->work.profile->signature_bytes;
    job->work.pieces++;
    return true;
}

static bool certified_write_payload(struct bypeer_job *job, const struct bypeer_registration *registration,
                                    const struct bypeer_cpa *cpa)
{
    const struct bypeer_contents *contents = registration->contents;
    uint8_t *bytes = job->memory + BYPEER_CPA_MAX;
    size_t signed_bytes = 0;
    struct bypeer_extended extended = {.type = contents->payload_type,
                                       .not_after = cpa->not_after,
                                       .payload = contents->payload,
                                       .payload_bytes = contents->payload_bytes};
    memcpy(extended.id, registration->id, sizeof(extended.id));
    memcpy(extended.nonce, cpa->nonce, sizeof(extended.nonce));
    size_t length = bypeer_extended_write(&extended, job->work.profile, bytes, BYPEER_EXTENDED_MAX, &signed_bytes);
    job->answer.payload = bytes;
    job->answer.payload_bytes = (uint16_t)length;
    return certified_add_piece(job, bytes, length, signed_bytes);
}

struct bypeer_job *bypeer_certified_make(struct bypeer_pnrp *pnrp, const struct bypeer_registration *registration,
                                         const uint8_t *nonce, bool revoke, bool payload)
{
    struct bypeer_cpa cpa;
    size_t signed_bytes = 0;
    payload = payload && !revoke && registration->contents->payload_type != BYPEER_PAYLOAD_NONE;
    struct bypeer_job *job = bypeer_job_create(pnrp, revoke ? BYPEER_JOB_REVOKE : BYPEER_JOB_ANSWER,
                                               BYPEER_CPA_MAX + (payload ? BYPEER_EXTENDED_MAX : 0));
    if (!job)
        return NULL;
    job->work.kind = BYPEER_PNRP_SIGN;
    job->work.key = registration->key;
    memcpy(job->id, registration->id, sizeof(job->id));
    certified_fill(pnrp, registration, nonce, &cpa);
    if (revoke) {
        cpa.revoke = true;
        cpa.not_after = pnrp->now.unix_s + CERTIFIED_REVOKE_S;
    } else
        certified_fill_contents(pnrp, registration->contents, &cpa);
    size_t length = bypeer_cpa_write(&cpa, pnrp->profile, job->memory, BYPEER_CPA_MAX, &signed_bytes);
    job->answer.cpa = job->memory;
    job->answer.cpa_bytes = (uint16_t)length;
    if (!certified_add_piece(job, job->memory, length, signed_bytes) ||
        (payload && !certified_write_payload(job, registration, &cpa))) {
        bypeer_job_free(job);
        return NULL;
    }
    return job;
}

size_t bypeer_certified_bytes(const struct bypeer_pnrp *pnrp, const struct bypeer_registration *registration,
                              uint16_t flags)
{
    const struct bypeer_contents *contents = registration->contents;
    size_t buffer = 8 + 12 + 2ul * registration->name.classifier_length + 3 + 44 + 16ul * pnrp->endpoint_count;
    if (flags & BYPEER_INQUIRE_CPA)
        buffer += 4 + BYPEER_CPA_MAX;
    if (flags & BYPEER_INQUIRE_PAYLOAD && contents->payload_type != BYPEER_PAYLOAD_NONE)
        buffer += 4 + 74 + 2 + 2 + contents->payload_bytes + 8ul + pnrp->profile->signature_bytes + 3;
    if (flags & BYPEER_INQUIRE_CHAIN)
        buffer += 4ul + registration->chain_bytes + 3;
    size_t slices = (buffer + BYPEER_PNRP_SLICE_BYTES - 1) / BYPEER_PNRP_SLICE_BYTES;
    return buffer + slices * (28 + 48);
}

static bool certified_is_current(const struct bypeer_pnrp *pnrp, uint64_t not_after)
{
    return pnrp->now.unix_s <= not_after + CERTIFIED_SKEW_S;
}

/* Whether the CPA's own key is the authority's. */
static bool certified_is_own_key(const struct bypeer_profile *profile, const struct bypeer_cpa *cpa)
{
    uint8_t hash[20];
    bypeer_profile_hash(profile, &(struct bypeer_piece){cpa->public_key, profile->public_key_bytes}, 1, hash);
    return memcmp(hash, cpa->authority, sizeof(hash)) == 0;
}

/* The name, as far as the answer tells it. Whether it contradicts the CPA. */
static bool certified_read_name(struct bypeer_job *job)
{
    const struct bypeer_cpa *cpa = &job->cpa;
    uint8_t hash[20];
    job->name.secure = cpa->has_authority;
    if (cpa->has_authority)
        memcpy(job->name.authority, cpa->authority, sizeof(job->name.authority));
    if (!cpa->has_classifier) {
        job->has_name = true;
        return true;
    }
    if (!job->answer.classifier)
        return true;
    if (job->answer.classifier_length > BYPEER_CLASSIFIER_MAX)
        return false;
    job->name.classifier_length = job->answer.classifier_length;
    for (unsigned i = 0; i < job->name.classifier_length; i++)
        job->name.classifier[i] =
            (uint16_t)(job->answer.classifier[2ul * i] << 8 | job->answer.classifier[2ul * i + 1]);
    bypeer_name_classifier_hash(job->work.profile, &job->name, hash);
    job->has_name = true;
    return memcmp(hash, cpa->classifier_hash, sizeof(hash)) == 0;
}

/* A structure inside job->memory that is to be verified. */
static void certified_add_signed(struct bypeer_job *job, const uint8_t *bytes, uint16_t signed_bytes,
                                 const uint8_t *signature)
{
    job->work.piece[job->work.pieces].bytes = bytes;
    job->work.piece[job->work.pieces].length = signed_bytes;
    job->work.piece[job->work.pieces].signature = job->memory + (signature - job->memory);
    job->work.pieces++;
}

static int certified_check_cpa(struct bypeer_pnrp *pnrp, struct bypeer_job *job, const uint8_t *bytes, size_t length)
{
    struct bypeer_cpa *cpa = &job->cpa;
    if (bypeer_cpa_read(cpa, pnrp->profile, bytes, length) < 0 || !certified_is_current(pnrp, cpa->not_after))
        return -EBADMSG;
    job->work.kind = BYPEER_PNRP_VERIFY;
    job->work.public_key = cpa->public_key;
    certified_add_signed(job, bytes, cpa->signed_bytes, cpa->signature);
    return 0;
}

/* A signed payload that was asked for and is not there was taken away. */
static int certified_check_payload(struct bypeer_pnrp *pnrp, struct bypeer_job *job, bool is_wanted)
{
    struct bypeer_extended *extended = &job->extended;
    if (!job->answer.payload)
        return is_wanted && job->cpa.has_extended ? -EBADMSG : 0;
    if (!job->cpa.has_extended ||
        bypeer_extended_read(extended, pnrp->profile, job->answer.payload, job->answer.payload_bytes) < 0 ||
        !certified_is_current(pnrp, extended->not_after) || memcmp(extended->id, job->id, 32) != 0 ||
        memcmp(extended->nonce, job->cpa.nonce, sizeof(extended->nonce)) != 0)
        return -EBADMSG;
    certified_add_signed(job, job->answer.payload, extended->signed_bytes, extended->signature);
    return 0;
}

static int certified_check_answer(struct bypeer_pnrp *pnrp, struct bypeer_job *job, size_t length, const uint8_t *nonce,
                                  bool payload)
{
    uint8_t id[32];
    const struct bypeer_cpa *cpa = &job->cpa;
    if (bypeer_pnrp_answer_read(&job->answer, pnrp->profile, job->memory, length) < 0 || !job->answer.cpa ||
        certified_check_cpa(pnrp, job, job->answer.cpa, job->answer.cpa_bytes) < 0)
        return -EBADMSG;
    bypeer_cpa_id(cpa, pnrp->profile, id);
    if (cpa->revoke || memcmp(cpa->nonce, nonce, sizeof(cpa->nonce)) != 0 || memcmp(id, job->id, sizeof(id)) != 0 ||
        (job->answer.entry.id && memcmp(id, job->answer.entry.id, sizeof(id)) != 0) || !certified_read_name(job))
        return -EBADMSG;
    if (cpa->has_authority && !certified_is_own_key(pnrp->profile, cpa)) {
        if (!job->answer.chain || !job->has_name)
            return -EBADMSG;
        job->work.chain = job->answer.chain;
        job->work.chain_bytes = job->answer.chain_bytes;
        job->work.chain_name = &job->name;
    }
    return certified_check_payload(pnrp, job, payload);
}

int bypeer_certified_check(struct bypeer_pnrp *pnrp, const uint8_t *bytes, size_t length, const uint8_t *id,
                           const uint8_t *nonce, bool payload, struct bypeer_job **ret_job)
{
    struct bypeer_job *job = bypeer_job_create(pnrp, BYPEER_JOB_SEEK, length);
    if (!job)
        return -ENOMEM;
    memcpy(job->memory, bytes, length);
    memcpy(job->id, id, sizeof(job->id));
    int error = certified_check_answer(pnrp, job, length, nonce, payload);
    if (error < 0) {
        bypeer_job_free(job);
        return error;
    }
    *ret_job = job;
    return 0;
}

int bypeer_certified_check_revocation(struct bypeer_pnrp *pnrp, const uint8_t *bytes, uint16_t length,
                                      const struct bypeer_pnrp_endpoints *flooded, struct bypeer_job **ret_job)
{
    struct bypeer_job *job = bypeer_job_create(pnrp, BYPEER_JOB_REVOKED, length + 18ul * flooded->count);
    if (!job)
        return -ENOMEM;
    memcpy(job->memory, bytes, length);
    if (flooded->count > 0)
        memcpy(job->memory + length, flooded->bytes, 18ul * flooded->count);
    job->revoke_bytes = length;
    job->flooded = (struct bypeer_pnrp_endpoints){job->memory + length, flooded->count};
    int error = certified_check_cpa(pnrp, job, job->memory, length);
    /* A delegate's revocation has no chain with it that would say whose delegate he is. */
    if (error < 0 || !job->cpa.revoke || (job->cpa.has_authority && !certified_is_own_key(pnrp->profile, &job->cpa))) {
        bypeer_job_free(job);
        return -EBADMSG;
    }
    bypeer_cpa_id(&job->cpa, pnrp->profile, job->id);
    *ret_job = job;
    return 0;
}
