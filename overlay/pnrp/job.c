/* Signatures, made and checked on whatever thread the sink likes. */
#include "overlay/pnrp/delegation.h"
#include "overlay/pnrp/state.h"

#define JOB_STRANGERS 4 /* this part of all jobs at once may be checks of what strangers flood */

struct bypeer_job *bypeer_job_create(struct bypeer_pnrp *pnrp, enum bypeer_job_purpose purpose, size_t memory_bytes)
{
    struct bypeer_job *job = calloc(1, sizeof(*job) + memory_bytes);
    if (!job)
        return NULL;
    job->purpose = purpose;
    job->work.profile = pnrp->profile;
    job->work.now_unix_s = pnrp->now.unix_s;
    return job;
}

void bypeer_job_free(struct bypeer_job *job)
{
    free(job);
}

/* ADD and REVOKED together. */
static bool job_is_strangers(const struct bypeer_job *job)
{
    return job->purpose == BYPEER_JOB_ADD || job->purpose == BYPEER_JOB_REVOKED;
}

static bool job_has_room(const struct bypeer_pnrp *pnrp, const struct bypeer_job *wanted)
{
    unsigned strangers = 0, most = pnrp->jobs_max / JOB_STRANGERS;
    if (pnrp->job_count >= pnrp->jobs_max)
        return false;
    if (!job_is_strangers(wanted))
        return true;
    for (const struct bypeer_job *job = pnrp->jobs; job; job = job->next)
        strangers += job_is_strangers(job);
    return strangers < (most > 0 ? most : 1);
}

bool bypeer_job_hand_out(struct bypeer_pnrp *pnrp, struct bypeer_job *job)
{
    if (!job_has_room(pnrp, job) || !pnrp->sink->job(pnrp->sink_context, &job->work)) {
        bypeer_job_free(job);
        return false;
    }
    job->next = pnrp->jobs;
    pnrp->jobs = job;
    pnrp->job_count++;
    return true;
}

static int job_verify(struct bypeer_pnrp_job *job)
{
    for (unsigned i = 0; i < job->pieces; i++) {
        int error = bypeer_profile_verify(job->profile, job->public_key, job->piece[i].bytes, job->piece[i].length,
                                          job->piece[i].signature);
        if (error < 0)
            return error;
    }
    if (!job->chain)
        return 0;
    return bypeer_delegation_validate(job->profile, job->chain, job->chain_bytes, job->chain_name, job->public_key,
                                      job->now_unix_s, NULL, 0);
}

static int job_sign(struct bypeer_pnrp_job *job)
{
    for (unsigned i = 0; i < job->pieces; i++) {
        int error = bypeer_key_sign(job->key, job->piece[i].bytes, job->piece[i].length, job->piece[i].signature);
        if (error < 0)
            return error;
    }
    return 0;
}

void bypeer_pnrp_job_run(struct bypeer_pnrp_job *job)
{
    job->result = job->kind == BYPEER_PNRP_SIGN ? job_sign(job) : job_verify(job);
}
