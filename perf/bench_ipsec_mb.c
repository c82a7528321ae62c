#include "perf/bench_ipsec_mb.h"

#include <stddef.h>

#if defined(BENCH_HAS_IPSEC_MB)
#include <intel-ipsec-mb.h>
#include <string.h>

/* A bench_ipsec_mb is the library's own manager under a name of ours. */
static IMB_MGR *manager(struct bench_ipsec_mb *rival)
{
    return (IMB_MGR *)(void *)rival;
}

struct bench_ipsec_mb *bench_ipsec_mb_new(void)
{
    IMB_MGR *made = alloc_mb_mgr(0);
    if (made)
        init_mb_mgr_auto(made, NULL);
    return (struct bench_ipsec_mb *)(void *)made;
}

void bench_ipsec_mb_free(struct bench_ipsec_mb *rival)
{
    free_mb_mgr(manager(rival));
}

static void submit(struct bench_ipsec_mb *rival, struct bypeer_aead_job jobs[], unsigned count, bool seals,
                   uint8_t tags[][BYPEER_AEAD_TAG])
{
    IMB_JOB *burst[BYPEER_AEAD_BURST];
    uint8_t nonces[BYPEER_AEAD_BURST][12] = {0};
    unsigned given = IMB_GET_NEXT_BURST(manager(rival), count, burst);
    for (unsigned i = 0; i < given; i++) {
        memcpy(nonces[i] + 4, &jobs[i].counter, 8);
        burst[i]->cipher_mode = IMB_CIPHER_CHACHA20_POLY1305;
        burst[i]->hash_alg = IMB_AUTH_CHACHA20_POLY1305;
        burst[i]->cipher_direction = seals ? IMB_DIR_ENCRYPT : IMB_DIR_DECRYPT;
        burst[i]->chain_order = seals ? IMB_ORDER_CIPHER_HASH : IMB_ORDER_HASH_CIPHER;
        burst[i]->enc_keys = jobs[i].key;
        burst[i]->dec_keys = jobs[i].key;
        burst[i]->key_len_in_bytes = 32;
        burst[i]->src = jobs[i].text;
        burst[i]->dst = jobs[i].text;
        burst[i]->cipher_start_src_offset_in_bytes = 0;
        burst[i]->hash_start_src_offset_in_bytes = 0;
        burst[i]->msg_len_to_cipher_in_bytes = jobs[i].bytes;
        burst[i]->msg_len_to_hash_in_bytes = jobs[i].bytes;
        burst[i]->iv = nonces[i];
        burst[i]->iv_len_in_bytes = 12;
        burst[i]->u.CHACHA20_POLY1305.aad = NULL;
        burst[i]->u.CHACHA20_POLY1305.aad_len_in_bytes = 0;
        burst[i]->auth_tag_output = tags[i];
        burst[i]->auth_tag_output_len_in_bytes = BYPEER_AEAD_TAG;
    }
    unsigned done = IMB_SUBMIT_BURST_NOCHECK(manager(rival), given, burst);
    for (unsigned i = 0; i < count; i++)
        jobs[i].is_good = i < done;
}

void bench_ipsec_mb_seal(struct bench_ipsec_mb *rival, struct bypeer_aead_job jobs[], unsigned count)
{
    uint8_t tags[BYPEER_AEAD_BURST][BYPEER_AEAD_TAG];
    submit(rival, jobs, count, true, tags);
    for (unsigned i = 0; i < count; i++)
        memcpy(jobs[i].text + jobs[i].bytes, tags[i], BYPEER_AEAD_TAG);
}

void bench_ipsec_mb_open(struct bench_ipsec_mb *rival, struct bypeer_aead_job jobs[], unsigned count)
{
    uint8_t tags[BYPEER_AEAD_BURST][BYPEER_AEAD_TAG];
    submit(rival, jobs, count, false, tags);
    for (unsigned i = 0; i < count; i++) {
        if (memcmp(jobs[i].text + jobs[i].bytes, tags[i], BYPEER_AEAD_TAG) == 0)
            continue;
        jobs[i].is_good = false;
        memset(jobs[i].text, 0, jobs[i].bytes);
    }
}
#else
struct bench_ipsec_mb *bench_ipsec_mb_new(void)
{
    return NULL;
}

void bench_ipsec_mb_free(struct bench_ipsec_mb *rival)
{
    (void)rival;
}

void bench_ipsec_mb_seal(struct bench_ipsec_mb *rival, struct bypeer_aead_job jobs[], unsigned count)
{
    (void)rival;
    (void)jobs;
    (void)count;
}

void bench_ipsec_mb_open(struct bench_ipsec_mb *rival, struct bypeer_aead_job jobs[], unsigned count)
{
    (void)rival;
    (void)jobs;
    (void)count;
}
#endif
