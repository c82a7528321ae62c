/*
 * A node whose overlay follows a group. The group is played: members and records are lists, and any record counts; and
 * so are the sessions of the data plane.
 */
#pragma once

#include <uv.h>

#include "control/attach/attach.h"
#include "node_fixture.h"
#include "overlay/tables/sessions.h"

#define PEOPLE  8
#define RECORDS 32
#define PEERS   16

/* Number 0 is this node. */
struct person {
    struct bypeer_group_member member;
    char text[BYPEER_NAME_TEXT_MAX];
};

extern struct node_fixture fixture;
extern struct bypeer_problem problem;
extern uv_loop_t loop;
extern struct bypeer_attach *attach;
extern struct bypeer_groups_watcher watcher;

extern struct person people[PEOPLE];
extern struct bypeer_record *records[RECORDS]; /* in the order of their IDs */
extern unsigned record_count;
extern int publish_error;
extern uint64_t update_until; /* peer time of the end of the memberships that sign */
extern bool is_joined;
extern struct bypeer_joined *const joined;

extern struct bypeer_peer_state peers[PEERS];
extern struct bypeer_sessions_view sessions; /* .entries is NULL: they are not here yet */

extern uint8_t endpoint_address[16]; /* of what is attached next */

struct person *add_person(const char *friendly, uint8_t number, uint32_t roles);
/* A record by a node: its member is the node itself (NULL) or a client of it with a key. */
void attach_by(const struct person *node, const struct person *client, uint8_t key);
const struct bypeer_destination *way_to(const struct person *person);
/* The records have changed; the loop turns. */
void change(void);
/* The at-th record of this node that is not deleted. */
bool own_record(unsigned at, struct bypeer_attachment *ret_attachment);

/* Of a suite. */
void set_up(void);
void open_attach(void);
void tear_down(void);
