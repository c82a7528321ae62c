/*
 * Invitations: what somebody gets who is to join a group, as XML (reference 6.2) or as one line for chat or a QR code:
 *
 *   bypeer1:BASE64URL   of   0  flags: 1 by password, 2 windows profile, 4 private cloud; scope above bit 4
 *                            1  seeds
 *                            2  bytes of the chain, of the friendly name, of the group's peer name: 2 each
 *                            8  seeds (18 bytes each: address, port), chain, friendly name, group's peer name
 *                            +  4 bytes of SHA-256 over all before
 *
 * With a chain it is a membership for one identity and proves itself; the names are the chain's then. Without, it names
 * a group whose password is needed; nothing of that is authenticated, and need not be: the group's peer name is the
 * hash of its key.
 *
 * Both forms carry seed hints, where members listen, so that a join works in an empty cloud. In XML they are elements
 * SEED behind those of the original, which ignores what it does not know.
 *
 * Threads: any; nothing here has state.
 */
#pragma once

#include <stdbool.h>

#include "overlay/certificate/certificate.h"

#define BYPEER_INVITATION_SEEDS_MAX    4
#define BYPEER_INVITATION_CHAIN_MAX    32768
#define BYPEER_INVITATION_FRIENDLY_MAX (BYPEER_FRIENDLY_NAME_TEXT_MAX - 1) /* bytes of UTF-8 */
#define BYPEER_INVITATION_CLOUD_MAX    254
#define BYPEER_INVITATION_LINE_PREFIX  "bypeer1:"
#define BYPEER_INVITATION_TEXT_MAX     (256 * 1024) /* longer texts are refused unread */

struct bypeer_invitation {
    struct bypeer_peer_name group; /* with a chain: filled in from it when read */
    char friendly[BYPEER_INVITATION_FRIENDLY_MAX + 1];
    bool wants_password; /* no chain: join by password */
    uint8_t *chain;      /* the invitee's chain as a bag; owned: bypeer_invitation_clear(); NULL: none */
    size_t chain_bytes;
    char cloud[BYPEER_INVITATION_CLOUD_MAX + 1]; /* "Global_" where the form has none */
    uint8_t scope;                               /* as enum bypeer_pnrp_scope: 1 global, 2 site, 3 link */
    bool is_private_cloud;                       /* CLOUDFLAGS 1 */
    bool is_windows;                             /* of the windows profile; read: of the profile that was asked for */
    struct {
        uint8_t address[16]; /* IPv4 as ::ffff:a.b.c.d */
        uint16_t port;
    } seeds[BYPEER_INVITATION_SEEDS_MAX];
    unsigned seed_count;
};

/*
 * Reads either form; space around it is ignored. The chain's certificates are read, to know the group, but not judged:
 * bypeer_group_open() does. 0; -EINVAL with why: no invitation, or a damaged one; -ENOMEM.
 */
int bypeer_invitation_read(struct bypeer_invitation *ret_invitation, const struct bypeer_profile *profile,
                           const char *text, size_t length, char why[static 160]);
void bypeer_invitation_clear(struct bypeer_invitation *invitation);

/* The texts, NUL-terminated; the caller frees. 0; -EINVAL: what the form cannot hold; -ENOMEM. */
int bypeer_invitation_write_line(const struct bypeer_invitation *invitation, char **ret_text);
int bypeer_invitation_write_xml(const struct bypeer_invitation *invitation, char **ret_text);
