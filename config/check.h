/*
 * Private to the check of a configuration: what its files share.
 */
#pragma once

#include <stdbool.h>

#include "config/index.h"
#include "config/read.h"

struct check {
    struct bypeer_config *config;
    struct bypeer_report *report;
    struct bypeer_index groups, prefixes; /* by name, by /48 */
    struct bypeer_index links, peers;     /* by name */
    struct bypeer_index addresses;        /* of peers */
    uint32_t *link_group, *peer_group;    /* number of each one's group, or BYPEER_INDEX_NONE */
};

/* Reports against one key of one entry. */
__attribute__((format(printf, 5, 6))) void check_report(struct check *check, const char *section, uint32_t entry,
                                                        const char *key, const char *format, ...);
/* Adds an entry to an index, or reports what is there twice. */
void check_once(struct check *check, struct bypeer_index *index, const char *section, uint32_t entry, const char *key,
                const char *value, const char *remedy);
/* Number of the entry's group, which is reported if there is none. */
uint32_t check_group_of(struct check *check, const char *section, uint32_t entry, const char *name);
bool check_is_ipv4(const uint8_t address[static 16]); /* ::ffff:a.b.c.d */
/* The address of another node in the underlay: none of this node, none of a group. */
void check_other_end(struct check *check, const char *section, uint32_t entry, const char *key,
                     const uint8_t address[static 16]);
/* An overlay address behind a link of the group: within its prefix, and not this node's own. what: "link \"beta\"". */
void check_overlay_address(struct check *check, const char *section, uint32_t entry, const uint8_t address[static 16],
                           uint32_t group, const char *what);

/* check_peers.c: the sections wireguard and peers; links must be checked before. 0 or -ENOMEM. */
int check_peers(struct check *check);
void check_wireguard(struct check *check);

/* check_relay.c: the section relay, whose range of ports is taken apart. */
void check_relay(struct check *check);

/* check_clouds.c: the section names, and one entry of clouds, after those before it. */
void check_names(struct check *check);
void check_cloud(struct check *check, uint32_t i);
