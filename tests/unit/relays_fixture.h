/*
 * A node that is a relay, for tests: its members are called "a" to "z" and are of the group "lab".
 */
#pragma once

#include "control/relay/relays.h"
#include "overlay/tables/relays.h"
#include "tests/unit/node_fixture.h"

#define RELAYS_HEAD                                                                                \
    "node: { name: alpha }\n"                                                                      \
    "tables: { members: 1000, members-max: 4000, links: 8, prefixes: 16 }\n"                       \
    "groups:\n"                                                                                    \
    "  - { name: lab, prefix: \"fd12:3456:789a::/48\", vni: 7, address: \"fd12:3456:789a::1\" }\n" \
    "  - { name: games, prefix: \"fdaa::/48\", vni: 9 }\n"
#define RELAYS_RELAY  "relay: { prefix: \"2001:db8:5::/64\", port: 4500 }\n"
#define RELAYS_ANYONE NULL

extern struct node_fixture relays_fixture;
extern struct bypeer_problem relays_problem; /* of the last call that set one */
extern struct bypeer_relay_joined relays_joined;

void relays_set_up(void);
void relays_tear_down(void);
struct bypeer_relays *relays(void);

const uint8_t *relays_key(unsigned number); /* that stands for one member; number: below 4096 */
struct bypeer_relay_entry relays_entry(char letter);
int relays_mesh(const char *letters, uint64_t expires_s);
const struct bypeer_relay_member *relays_member(char letter);

/* The pair of two, and the side of the first; NULL: they are none. */
const struct bypeer_relay_pair *relays_pair(char one, char other, unsigned *ret_side);
/* What a worker finds under an address. */
const struct bypeer_relay_record *relays_look_up(const uint8_t address[static 16]);
/* Whether one reaches the other: what the first was told is there. */
bool relays_reaches(char one, char other);
