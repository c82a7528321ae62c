#include "overlay/wireguard/aead.h"

#include <errno.h>
#include <stdlib.h>

#include "overlay/ip/checksum.h"
#include "overlay/wireguard/aead_lanes.h"
#include "overlay/wireguard/crypto.h"

/* Sizes that are told apart: steps of Poly1305; all above are one. */
#define SIZES 32

struct bypeer_aead {
    const char *name;
    bypeer_aead_lanes_function *seal, *open; /* NULL: one by one, by .crypto */
    struct bypeer_crypto *crypto;
};

#if defined(__x86_64__)
static bool processor_has_avx512(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512ifma") && __builtin_cpu_supports("avx512vbmi2") &&
           __builtin_cpu_supports("bmi2");
}
#endif

int bypeer_aead_new(struct bypeer_aead **ret_aead, enum bypeer_aead_engine engine)
{
    struct bypeer_aead aead = {.name = "portable"};
#if defined(__x86_64__)
    if (engine != BYPEER_AEAD_PORTABLE && processor_has_avx512())
        aead = (struct bypeer_aead){.name = "avx512", .seal = bypeer_aead_avx512_seal, .open = bypeer_aead_avx512_open};
#endif
    if (engine == BYPEER_AEAD_AVX512 && !aead.seal)
        return -ENOTSUP;
    int status = aead.seal ? 0 : bypeer_crypto_new(&aead.crypto);
    if (status < 0)
        return status;
    struct bypeer_aead *made = malloc(sizeof(*made));
    if (!made) {
        bypeer_crypto_free(aead.crypto);
        return -ENOMEM;
    }
    *made = aead;
    *ret_aead = made;
    return 0;
}

void bypeer_aead_free(struct bypeer_aead *aead)
{
    if (!aead)
        return;
    bypeer_crypto_free(aead->crypto);
    free(aead);
}

const char *bypeer_aead_name(const struct bypeer_aead *aead)
{
    return aead->name;
}

static unsigned size_of(const struct bypeer_aead_job *job)
{
    uint32_t steps = bypeer_aead_steps(job->bytes);
    return steps < SIZES ? steps : SIZES - 1;
}

/* The jobs by size, the largest first. */
static void order(struct bypeer_aead_job jobs[], unsigned count, struct bypeer_aead_job *ordered[])
{
    unsigned least = size_of(&jobs[0]), most = least, places[SIZES + 1] = {0};
    for (unsigned i = 0; i < count; i++) {
        unsigned size = size_of(&jobs[i]);
        least = size < least ? size : least;
        most = size > most ? size : most;
        places[size]++;
    }
    if (least == most) {
        for (unsigned i = 0; i < count; i++)
            ordered[i] = &jobs[i];
        return;
    }
    for (unsigned size = most, before = 0; size >= least; size--) {
        unsigned here = places[size];
        places[size] = before;
        before += here;
    }
    for (unsigned i = 0; i < count; i++)
        ordered[places[size_of(&jobs[i])]++] = &jobs[i];
}

static void run_lanes(bypeer_aead_lanes_function *by_lanes, struct bypeer_aead_job jobs[], unsigned count)
{
    struct bypeer_aead_job *ordered[BYPEER_AEAD_BURST];
    order(jobs, count, ordered);
    for (unsigned done = 0; done < count;) {
        unsigned left = count - done, group = left < BYPEER_AEAD_LANES ? left : BYPEER_AEAD_LANES;
        by_lanes(ordered + done, group, left - group);
        done += group;
    }
}

void bypeer_aead_seal(struct bypeer_aead *aead, struct bypeer_aead_job jobs[], unsigned count)
{
    if (aead->seal && count > 0) {
        run_lanes(aead->seal, jobs, count);
        return;
    }
    for (unsigned i = 0; i < count; i++) {
        jobs[i].is_good = bypeer_crypto_seal(aead->crypto, jobs[i].key, jobs[i].counter, NULL, 0, jobs[i].text,
                                             jobs[i].bytes, jobs[i].text) == 0;
        if (jobs[i].is_good)
            jobs[i].sum = bypeer_checksum_sum(jobs[i].text, (size_t)jobs[i].bytes + BYPEER_AEAD_TAG);
    }
}

void bypeer_aead_open(struct bypeer_aead *aead, struct bypeer_aead_job jobs[], unsigned count)
{
    if (aead->open && count > 0) {
        run_lanes(aead->open, jobs, count);
        return;
    }
    for (unsigned i = 0; i < count; i++)
        jobs[i].is_good = bypeer_crypto_open(aead->crypto, jobs[i].key, jobs[i].counter, NULL, 0, jobs[i].text,
                                             (size_t)jobs[i].bytes + BYPEER_AEAD_TAG, jobs[i].text) == 0;
}
