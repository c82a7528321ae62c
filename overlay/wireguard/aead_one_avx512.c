/* The AEAD of one packet over its own blocks, for processors with AVX-512, IFMA and VBMI2: aead_lanes.h. */
#include <string.h>

#include "overlay/wireguard/aead_lanes.h"
#include "overlay/wireguard/chacha20_avx512.h"
#include "overlay/wireguard/poly1305_one_avx512.h"

#define BLOCK_BYTES 64
#define PASS        16 /* blocks */

struct one {
    struct poly1305_one poly;
    unsigned blocks;          /* of key stream that are there */
    __m512i stream[2 * PASS]; /* from block 0 on, which is Poly1305's key */
};

/* Key stream from a block on, where at most needed blocks are of use: how many have come. */
static inline __attribute__((always_inline)) unsigned stream_pass(const struct bypeer_aead_job *job, uint64_t block,
                                                                  uint64_t needed, __m512i *ret_blocks)
{
    if (needed <= PASS / 2) {
        chacha20_eight(job->key, job->counter, (uint32_t)block, ret_blocks);
        return PASS / 2;
    }
    chacha20_sixteen(job->key, job->counter, (uint32_t)block, ret_blocks);
    return PASS;
}

/* Blocks of a job's text, and the one that is Poly1305's key. */
static inline uint64_t blocks_of(const struct bypeer_aead_job *job)
{
    return 1 + ((uint64_t)job->bytes + BLOCK_BYTES - 1) / BLOCK_BYTES;
}

/* The powers of r wait for each other, and so are made beside the key stream's second pass. */
static void one_begin(struct one *one, const struct bypeer_aead_job *job)
{
    uint64_t needed = blocks_of(job);
    for (uint32_t at = 0; at < job->bytes && at < 2 * PASS * BLOCK_BYTES; at += BLOCK_BYTES)
        __builtin_prefetch(job->text + at, 1);
    one->blocks = stream_pass(job, 0, needed, one->stream);
    poly1305_one_begin(&one->poly, one->stream[0], job->bytes);
    if (needed > one->blocks)
        one->blocks += stream_pass(job, one->blocks, needed - one->blocks, one->stream + one->blocks);
}

static void text_cipher(uint8_t *text, uint64_t bytes, const __m512i blocks[], unsigned count)
{
    for (unsigned i = 0; i < count && bytes > 0; i++) {
        uint64_t here = bytes < BLOCK_BYTES ? bytes : BLOCK_BYTES;
        __mmask64 mask = _bzhi_u64(~UINT64_C(0), (unsigned)here);
        _mm512_mask_storeu_epi8(text, mask, _mm512_xor_si512(_mm512_maskz_loadu_epi8(mask, text), blocks[i]));
        text += here;
        bytes -= here;
    }
}

/* Seals or opens the text, by the key stream that is there and, if it is longer, by more. */
static void one_cipher(struct one *one, const struct bypeer_aead_job *job)
{
    uint64_t needed = blocks_of(job), done = one->blocks;
    text_cipher(job->text, job->bytes, one->stream + 1, one->blocks - 1);
    while (done < needed) {
        uint64_t offset = (done - 1) * BLOCK_BYTES;
        unsigned count = stream_pass(job, done, needed - done, one->stream);
        text_cipher(job->text + offset, job->bytes - offset, one->stream, count);
        done += count;
    }
}

static inline __attribute__((always_inline)) void one_authenticate(const struct one *one,
                                                                   const struct bypeer_aead_job *job,
                                                                   uint64_t ret_tag[static 2],
                                                                   struct poly1305_checksum *checksum)
{
    __m512i tag[2];
    poly1305_one_run(&one->poly, job->text, job->bytes, tag, checksum);
    for (unsigned i = 0; i < 2; i++)
        ret_tag[i] = (uint64_t)_mm_cvtsi128_si64(_mm512_castsi512_si128(tag[i]));
}

void bypeer_aead_avx512_seal_one(struct bypeer_aead_job *job)
{
    struct one one;
    struct poly1305_checksum checksum = {0};
    uint64_t tag[2];
    one_begin(&one, job);
    one_cipher(&one, job);
    one_authenticate(&one, job, tag, &checksum);
    memcpy(job->text + job->bytes, tag, sizeof(tag));
    /* Eight lanes below 2^62 each may not fit one word as they are. */
    __m512i lanes = poly1305_checksum_finish(&checksum);
    lanes = _mm512_add_epi64(_mm512_and_si512(lanes, poly1305_bits(32)), _mm512_srli_epi64(lanes, 32));
    job->sum = bypeer_aead_sum(job, (uint64_t)_mm512_reduce_add_epi64(lanes), tag);
    job->is_good = true;
}

void bypeer_aead_avx512_open_one(struct bypeer_aead_job *job)
{
    struct one one;
    uint64_t expected[2], tag[2];
    one_begin(&one, job);
    one_authenticate(&one, job, expected, NULL);
    memcpy(tag, job->text + job->bytes, sizeof(tag));
    job->is_good = ((tag[0] ^ expected[0]) | (tag[1] ^ expected[1])) == 0;
    if (job->is_good)
        one_cipher(&one, job);
    else
        memset(job->text, 0, job->bytes);
}
