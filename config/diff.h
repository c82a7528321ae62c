/*
 * What a reload changes: the difference of two loaded configurations.
 *
 * Entries of the lists are told apart by what they are called (ports, groups, links, peers, clouds: name) or where they
 * are (members: address, routes: prefix). An entry whose values are the same counts as unchanged, wherever it stands in
 * the file.
 *
 * Thread: any; both configurations must outlive the difference.
 */
#pragma once

#include "config/schema.h"

struct bypeer_diff_entry {
    enum bypeer_config_section section; /* a list: PORTS to ROUTES, CLOUDS, PEERS */
    const void *before;                 /* struct bypeer_config_link and so on; NULL: added */
    const void *after;                  /* NULL: removed */
};

/* A changed value of a section that is no list, or of a port: what it needs to take effect. */
struct bypeer_diff_setting {
    char path[64]; /* "dataplane.workers", "ports[uplink].mtu" */
    char before[160], after[160];
    uint32_t line; /* in the new file; 0: a default */
    enum bypeer_schema_change change;
};

struct bypeer_diff {
    /* In an order in which they can be applied one by one: first what is gone (clouds, routes, members, peers, links,
     * groups, ports), then what is new or different (ports, groups, links, peers, members, routes, clouds). */
    size_t entry_count;
    struct bypeer_diff_entry *entries;
    /* In the order of the schema. A port that is added or removed is here too, with path "ports[uplink]". */
    size_t setting_count;
    struct bypeer_diff_setting *settings;
};

/* Returns 0 or -ENOMEM. */
int bypeer_config_diff(struct bypeer_diff *ret_diff, const struct bypeer_config *before,
                       const struct bypeer_config *after);
void bypeer_diff_free(struct bypeer_diff *diff);
