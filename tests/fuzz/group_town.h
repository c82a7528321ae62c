/*
 * For fuzz targets: a group's founder with a graph of one, and somebody who was invited and knows nothing yet. Made
 * once a process, with keys of its own.
 */
#pragma once

#include "overlay/certificate/certificate.h"
#include "overlay/graph/graph.h"
#include "overlay/group/group.h"

struct group_town {
    struct bypeer_group_node *founder, *guest;
    struct bypeer_graph *graph;        /* the founder's */
    struct bypeer_certificate *idc[2]; /* the founder's and the guest's */
    char group_id[BYPEER_NAME_TEXT_MAX];
    struct bypeer_graph_time now;
};

/* The founder's graph has its properties, its membership, an attachment and a record of an application's. */
struct group_town *group_town(void);
