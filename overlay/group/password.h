/*
 * Joining by password: what is stored of a password, and how two sides find out that both know it.
 *
 *                modern                                       windows (reference 4)
 *   form         Argon2id over the group's name, hex          PHS: 40 letters of a SHA-1
 *   proof        CPace (below)                                SHA-1 of form and peer name: a thief of one may try words
 *   membership   as it is: TLS carries it                     AES-256-CBC under a key of the form
 *
 * CPace (draft-irtf-cfrg-cpace) over ristretto255 and SHA-512: the initiator is who joins. Its channel identifier is
 * the group's name, the associated data of each side the key of its identity certificate, which TLS has authenticated:
 * somebody in the middle has other keys, and so gets other results. A wrong guess costs a whole run, and the side
 * that holds the form counts runs (connect_password.c); what it sends before the initiator has proved itself tells
 * nothing.
 *
 * Thread: any, one per run. Randomness is the operating system's.
 */
#pragma once

#include <stdbool.h>

#include "overlay/group/properties.h"

#define BYPEER_CPACE_SHARE   32
#define BYPEER_CPACE_CONFIRM 64
#define BYPEER_PASSWORD_MAX  255 /* bytes of UTF-8 */

/*
 * The form of a password in this group. Modern: 64 MiB and a tenth of a second, so that words cannot be tried by the
 * million. 0; -EINVAL: empty or too long; -ENOMEM.
 */
int bypeer_password_form(const struct bypeer_profile *profile, const struct bypeer_peer_name *group,
                         const char *password, char ret_form[static BYPEER_GROUP_PASSWORD_FORM_MAX]);

struct bypeer_cpace {
    bool is_initiator;
    uint8_t secret[32]; /* wiped by finish() and clear() */
    uint8_t share[BYPEER_CPACE_SHARE];
    uint8_t confirm[BYPEER_CPACE_CONFIRM], expect[BYPEER_CPACE_CONFIRM];
};

/* Begins a run and makes .share, which is to be sent. */
void bypeer_cpace_begin(struct bypeer_cpace *cpace, bool is_initiator, const char *form, const char *group);
/*
 * Takes the peer's share; then .confirm is to be sent, and the peer's is to be .expect. own and peer: the public keys
 * of the identities, key_bytes each. 0; -EBADMSG: no share that an honest peer sends.
 */
int bypeer_cpace_finish(struct bypeer_cpace *cpace, const uint8_t peer_share[static BYPEER_CPACE_SHARE],
                        const uint8_t *own_key, const uint8_t *peer_key, size_t key_bytes);
bool bypeer_cpace_is_expected(const struct bypeer_cpace *cpace, const uint8_t *confirm, size_t length);
void bypeer_cpace_clear(struct bypeer_cpace *cpace);

/* windows: what is sent for the password (reference 4.2), and the key of YourGMC (4.3). */
void bypeer_password_proof(const char *form, const char *requestor, uint8_t ret_proof[static 20]);
void bypeer_password_key(const char *form, uint8_t ret_key[static 32]);
