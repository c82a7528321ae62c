/* The AEAD across packets for processors with AVX-512, IFMA and VBMI2: aead_lanes.h. */
#include "overlay/wireguard/aead_lanes.h"

#include <string.h>

#include "overlay/wireguard/chacha20_avx512.h"
#include "overlay/wireguard/poly1305_avx512.h"

#define LANES        BYPEER_AEAD_LANES
#define HALF         (LANES / 2) /* packets that Poly1305 takes at once */
#define BLOCK_BYTES  64
#define BLOCKS_MOST  4 /* of Poly1305 a step */
#define AHEAD        4
#define LENGTHS_FROM 48 /* where the block of lengths lies in the last step */
#define FEW          4  /* groups of this many at most may be done sooner one by one */

struct group {
    struct chacha20 packets;
    struct poly1305 poly[2];
    uint64_t tags[2][LANES]; /* their halves */
    uint64_t sums[LANES];    /* of all blocks that a tag is of, if wanted */
};

/* --- ChaCha20 --- */

/* Lanes of a pass that are taken. */
struct pass {
    __m512i packet, block;
    unsigned count;
    uint8_t *text[LANES];
    uint32_t bytes[LANES]; /* of .text, from there on: at most BLOCK_BYTES of them are the lane's */
};

static void pass_run(const struct group *group, struct pass *pass)
{
    __m512i words[16], blocks[LANES];
    chacha20_blocks(&group->packets, pass->packet, pass->block, words);
    chacha20_transpose(words, blocks);
    for (unsigned lane = 0; lane < LANES; lane++) {
        if (lane >= pass->count)
            break;
        __mmask64 mask = pass->bytes[lane] >= BLOCK_BYTES ? ~UINT64_C(0) : _bzhi_u64(~UINT64_C(0), pass->bytes[lane]);
        __m512i text = _mm512_maskz_loadu_epi8(mask, pass->text[lane]);
        _mm512_mask_storeu_epi8(pass->text[lane], mask, _mm512_xor_si512(text, blocks[lane]));
    }
    pass->count = 0;
}

/* Takes lanes for all blocks of a packet's text, and runs each pass that is full. As many bytes are fetched from ahead,
 * since a pass leaves the memory idle. */
static void pass_add(const struct group *group, struct pass *pass, unsigned packet, uint8_t *text, uint32_t bytes,
                     const uint8_t *ahead)
{
    const __m512i lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    for (uint32_t block = 1; bytes > 0;) {
        unsigned first = pass->count;
        while (pass->count < LANES && bytes > 0) {
            uint32_t here = bytes < BLOCK_BYTES ? bytes : BLOCK_BYTES;
            pass->text[pass->count] = text;
            pass->bytes[pass->count++] = here;
            __builtin_prefetch(ahead, 1, 2);
            ahead += BLOCK_BYTES;
            text += here;
            bytes -= here;
        }
        __mmask16 taken = (__mmask16)(_bzhi_u32(~0u, pass->count) & ~_bzhi_u32(~0u, first));
        pass->packet = _mm512_mask_set1_epi32(pass->packet, taken, (int)packet);
        pass->block = _mm512_mask_add_epi32(pass->block, taken, lanes, _mm512_set1_epi32((int)(block - first)));
        block += pass->count - first;
        if (pass->count == LANES)
            pass_run(group, pass);
    }
}

/* Seals or opens the texts of the packets that mask names, and fetches those of the group that comes next. */
static void group_cipher(const struct group *group, struct bypeer_aead_job *const jobs[], unsigned count,
                         unsigned after, unsigned mask)
{
    struct pass pass = {.count = 0};
    for (unsigned i = 0; i < count; i++) {
        const struct bypeer_aead_job *ahead = jobs[i < after ? count + i : i];
        if (mask >> i & 1)
            pass_add(group, &pass, i, jobs[i]->text, jobs[i]->bytes, ahead->text);
    }
    if (pass.count > 0)
        pass_run(group, &pass);
}

/* --- Poly1305 --- */

/* Where the steps of eight texts lie. A lane without a job reads that of lane 0 once more. */
struct reader {
    const uint8_t *at[HALF]; /* step 0, which may be before the text */
    int64_t from[HALF];      /* bytes from there to the text */
    int64_t to[HALF];        /* and to its end */
    uint32_t steps;
    uint32_t plain_from; /* the first step that all texts fill */
};

static void reader_begin(struct reader *reader, struct bypeer_aead_job *const jobs[], unsigned count)
{
    uint32_t steps[HALF], least = UINT32_MAX;
    reader->steps = 0;
    for (unsigned lane = 0; lane < count; lane++) {
        steps[lane] = bypeer_aead_steps(jobs[lane]->bytes);
        reader->steps = steps[lane] > reader->steps ? steps[lane] : reader->steps;
        least = steps[lane] < least ? steps[lane] : least;
    }
    reader->plain_from = reader->steps - least + 1;
    for (unsigned lane = 0; lane < HALF; lane++) {
        const struct bypeer_aead_job *job = jobs[lane < count ? lane : 0];
        int64_t bytes = job->bytes;
        /* The blocks of text end where the lengths begin. */
        reader->from[lane] = (int64_t)(reader->steps - 1) * BLOCK_BYTES + LENGTHS_FROM - (bytes + 15) / 16 * 16;
        reader->to[lane] = reader->from[lane] + bytes;
        reader->at[lane] = job->text - reader->from[lane];
    }
}

static inline uint64_t bits_below(int64_t count)
{
    return count <= 0 ? 0 : count >= BLOCK_BYTES ? ~UINT64_C(0) : (UINT64_C(1) << count) - 1;
}

/* A step in which texts begin or end. */
static inline __attribute__((always_inline)) void step_at_edge(struct poly1305 *poly, const struct reader *reader,
                                                               uint32_t step, struct poly1305_checksum *checksum)
{
    int64_t offset = (int64_t)step * BLOCK_BYTES;
    __m512i texts[HALF], low[BLOCKS_MOST], high[BLOCKS_MOST], above[BLOCKS_MOST];
    unsigned present[BLOCKS_MOST] = {0};
    for (unsigned lane = 0; lane < HALF; lane++) {
        int64_t from = reader->from[lane] - offset;
        uint64_t mask = bits_below(reader->to[lane] - offset) & ~bits_below(from);
        texts[lane] = _mm512_maskz_loadu_epi8(mask, reader->at[lane] + offset);
        for (unsigned block = 0; block < BLOCKS_MOST; block++)
            present[block] |= (unsigned)(from <= (int64_t)block * 16) << lane;
    }
    poly1305_transpose(texts, low, high);
    for (unsigned block = 0; block < BLOCKS_MOST; block++)
        above[block] = _mm512_maskz_set1_epi64((__mmask8)present[block], INT64_C(1) << 40);
    if (step == reader->steps - 1)
        high[BLOCKS_MOST - 1] =
            _mm512_sub_epi64(_mm512_loadu_si512(reader->to), _mm512_loadu_si512(reader->from)); /* bytes of text */
    poly1305_step(poly, low, high, above, checksum);
}

static inline __attribute__((always_inline)) void step_plain(struct poly1305 *poly, const struct reader *reader,
                                                             uint32_t step, struct poly1305_checksum *checksum)
{
    const __m512i bit = _mm512_set1_epi64(INT64_C(1) << 40), above[BLOCKS_MOST] = {bit, bit, bit, bit};
    __m512i texts[HALF], low[BLOCKS_MOST], high[BLOCKS_MOST];
    for (unsigned lane = 0; lane < HALF; lane++) {
        const uint8_t *text = reader->at[lane] + (size_t)step * BLOCK_BYTES;
        texts[lane] = _mm512_loadu_si512(text);
        __builtin_prefetch(text + (size_t)AHEAD * BLOCK_BYTES);
    }
    poly1305_transpose(texts, low, high);
    poly1305_step(poly, low, high, above, checksum);
}

/* Tags of up to eight texts. sums: a constant, so that opening does not pay for sums that it has no use for. */
static inline __attribute__((always_inline)) void
half_authenticate(struct group *group, unsigned half, struct bypeer_aead_job *const jobs[], unsigned count, bool sums)
{
    struct poly1305_checksum checksum = {0};
    struct reader reader;
    struct poly1305 *poly = &group->poly[half];
    reader_begin(&reader, jobs, count);
    for (uint32_t step = 0; step < reader.steps; step++) {
        if (step < reader.plain_from || step == reader.steps - 1)
            step_at_edge(poly, &reader, step, sums ? &checksum : NULL);
        else
            step_plain(poly, &reader, step, sums ? &checksum : NULL);
    }
    __m512i tag[2];
    poly1305_finish(poly->h, poly->s, tag);
    for (unsigned i = 0; i < 2; i++)
        _mm512_storeu_si512(&group->tags[i][half * HALF], tag[i]);
    if (sums)
        _mm512_storeu_si512(&group->sums[half * HALF], poly1305_checksum_finish(&checksum));
}

static inline __attribute__((always_inline)) void
group_authenticate(struct group *group, struct bypeer_aead_job *const jobs[], unsigned count, bool sums)
{
    for (unsigned half = 0; half * HALF < count; half++) {
        unsigned left = count - half * HALF;
        half_authenticate(group, half, jobs + half * HALF, left < HALF ? left : HALF, sums);
    }
}

/* --- both --- */

/* Pairs of words of half the lanes: as numbers of 64 bits. */
static inline __m512i pair(__m512i low, __m512i high, unsigned half)
{
    __m256i l = half == 0 ? _mm512_castsi512_si256(low) : _mm512_extracti64x4_epi64(low, 1);
    __m256i h = half == 0 ? _mm512_castsi512_si256(high) : _mm512_extracti64x4_epi64(high, 1);
    return _mm512_or_si512(_mm512_cvtepu32_epi64(l), _mm512_slli_epi64(_mm512_cvtepu32_epi64(h), 32));
}

/* Loads keys and makes those of Poly1305, which are the first half of each packet's block 0. */
static void group_begin(struct group *group, struct bypeer_aead_job *const jobs[], unsigned count)
{
    const __m512i lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    const uint8_t *keys[LANES];
    uint64_t counters[LANES];
    for (unsigned i = 0; i < LANES; i++) {
        const struct bypeer_aead_job *job = jobs[i < count ? i : 0];
        keys[i] = job->key;
        counters[i] = job->counter;
    }
    chacha20_load(&group->packets, keys, counters);
    __m512i words[16];
    chacha20_blocks(&group->packets, lanes, _mm512_setzero_si512(), words);
    for (unsigned half = 0; half < 2 && half * HALF < count; half++) {
        const __m512i r[2] = {pair(words[0], words[1], half), pair(words[2], words[3], half)};
        const __m512i s[2] = {pair(words[4], words[5], half), pair(words[6], words[7], half)};
        poly1305_begin(&group->poly[half], r, s);
    }
}

/* Whether packets are done sooner one by one than side by side, which costs what the largest one does, the first. As
 * measured. */
static bool are_few(struct bypeer_aead_job *const jobs[], unsigned count)
{
    static const uint32_t bytes_from[FEW + 1] = {[3] = 512, [4] = 1200};
    return count <= FEW && jobs[0]->bytes >= bytes_from[count];
}

void bypeer_aead_avx512_seal(struct bypeer_aead_job *const jobs[], unsigned count, unsigned after)
{
    if (are_few(jobs, count)) {
        for (unsigned i = 0; i < count; i++)
            bypeer_aead_avx512_seal_one(jobs[i]);
        return;
    }
    struct group group;
    group_begin(&group, jobs, count);
    group_cipher(&group, jobs, count, after, ~0u);
    group_authenticate(&group, jobs, count, true);
    for (unsigned i = 0; i < count; i++) {
        const uint64_t tag[2] = {group.tags[0][i], group.tags[1][i]};
        memcpy(jobs[i]->text + jobs[i]->bytes, tag, sizeof(tag));
        jobs[i]->sum = bypeer_aead_sum(jobs[i], group.sums[i], tag);
        jobs[i]->is_good = true;
    }
}

void bypeer_aead_avx512_open(struct bypeer_aead_job *const jobs[], unsigned count, unsigned after)
{
    if (are_few(jobs, count)) {
        for (unsigned i = 0; i < count; i++)
            bypeer_aead_avx512_open_one(jobs[i]);
        return;
    }
    struct group group;
    unsigned good = 0;
    group_begin(&group, jobs, count);
    group_authenticate(&group, jobs, count, false);
    for (unsigned i = 0; i < count; i++) {
        uint64_t tag[2];
        memcpy(tag, jobs[i]->text + jobs[i]->bytes, sizeof(tag));
        jobs[i]->is_good = ((tag[0] ^ group.tags[0][i]) | (tag[1] ^ group.tags[1][i])) == 0;
        good |= (unsigned)jobs[i]->is_good << i;
        if (!jobs[i]->is_good)
            memset(jobs[i]->text, 0, jobs[i]->bytes);
    }
    group_cipher(&group, jobs, count, after, good);
}
