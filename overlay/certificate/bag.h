/*
 * Certificates in transport: a PKCS#7 SignedData with certificates and nothing signed ("certs only"), in DER. An
 * identity's has its IDC alone, a chain's all certificates from the root to the member's.
 *
 * Threads: any.
 */
#pragma once

#include "overlay/certificate/certificate.h"

#define BYPEER_BAG_CERTIFICATES_MAX 25 /* [MS-PNRP] 2.2.3.5 */
#define BYPEER_BAG_BYTES_MAX        32768

/* *ret_bytes is to be freed by free(). 0; -E2BIG: longer than BYPEER_BAG_BYTES_MAX; -ENOMEM. */
int bypeer_bag_write(uint8_t **ret_bytes, size_t *ret_length, struct bypeer_certificate *const certificates[],
                     size_t count);
/*
 * Certificates in the order in which they lie in the bag; each is the caller's reference. Syntax only. 0; -EBADMSG, and
 * -E2BIG for more than BYPEER_BAG_CERTIFICATES_MAX or BYPEER_BAG_BYTES_MAX, with *ret_why (static text, made to follow
 * "the bag ...") and *ret_at the certificate that it is about, from 0, or -1: the bag; -ENOMEM.
 */
int bypeer_bag_read(struct bypeer_certificate *ret_certificates[static BYPEER_BAG_CERTIFICATES_MAX], size_t *ret_count,
                    const struct bypeer_profile *profile, const uint8_t *bytes, size_t length, const char **ret_why,
                    int *ret_at);
/* An identity's bag: its one certificate, an IDC that bypeer_certificate_judge_identity() finds sound. 0, -EBADMSG with
 * *ret_why, -ENOMEM. */
int bypeer_bag_read_identity(struct bypeer_certificate **ret_certificate, const struct bypeer_profile *profile,
                             const uint8_t *bytes, size_t length, const char **ret_why);
