/* intel-ipsec-mb's ChaCha20-Poly1305 in bursts, as a rival of overlay/wireguard/aead.h: same jobs, same results. */
#pragma once

#include "overlay/wireguard/aead.h"

struct bench_ipsec_mb;

/* NULL: this build has no intel-ipsec-mb. */
struct bench_ipsec_mb *bench_ipsec_mb_new(void);
void bench_ipsec_mb_free(struct bench_ipsec_mb *rival);

void bench_ipsec_mb_seal(struct bench_ipsec_mb *rival, struct bypeer_aead_job jobs[], unsigned count);
void bench_ipsec_mb_open(struct bench_ipsec_mb *rival, struct bypeer_aead_job jobs[], unsigned count);
