/*
 * From "link 7 goes to peer P" to "write this Ethernet header and send by port 0", and whatever changes that.
 *
 * Of every link's peer, the kernel is asked for the route: which port's TAP it leaves by, by which gateway or directly,
 * and from which source address. (Port, next hop) is an adjacency; links with the same next hop share it. The kernel
 * resolves and refreshes the neighbour (NTF_EXT_MANAGED: the traffic that keeps an ordinary entry fresh does not pass
 * through the kernel here), and its events change the adjacency.
 *
 *   link --peer, local--> route --port, gateway--> adjacency --neighbour--> MAC
 *
 * What is known is kept while no data plane is attached (hold): then nobody carries neighbour discovery, so entries
 * fail for no fault of the neighbour. After a hold each entry stays as it was until the kernel, asked again, says
 * otherwise.
 *
 * Time does not occur here: everything follows from calls and events. The kernel is reached by four functions
 * (bypeer_adjacencies_kernel), so that tests can play it; bypeer_adjacencies_netlink is the real one.
 *
 * Thread: one (control's loop). Callbacks come from within the functions below, and must not call back into them.
 */
#pragma once

#include "control/kernel/netlink.h"
#include "overlay/tables/layout.h"

struct bypeer_adjacencies;

/* How a link's packets leave; adjacency 0: they cannot, and why says for people what is missing. */
struct bypeer_link_path {
    uint32_t link;
    uint32_t adjacency;
    uint8_t local[16]; /* outer source address; zero when there is no path and none was given */
    uint16_t mtu;      /* largest outer IP packet; 0 when there is no path */
    char why[128];
};

/*
 * What is reported. An adjacency is reported before the first path that uses it, and gone after the last. Everything is
 * reported only when it differs from the last report.
 */
struct bypeer_adjacencies_reports {
    void (*adjacency)(void *data,
                      const struct bypeer_adjacency *adjacency); /* ethertype 0; id is stable while it lives */
    void (*adjacency_gone)(void *data, uint32_t id);
    void (*path)(void *data, const struct bypeer_link_path *path);
    void *data;
};

struct bypeer_adjacencies_kernel {
    int (*find_route)(void *kernel, const uint8_t destination[static 16], const uint8_t *source,
                      struct bypeer_kernel_route *ret_route);
    int (*want_neighbour)(void *kernel, bool want, uint32_t index, const uint8_t address[static 16]);
    /* Gives every neighbour that is known now to bypeer_adjacencies_event(). */
    int (*dump_neighbours)(void *kernel, bypeer_netlink_call *call, void *data);
    void *kernel;
};
struct bypeer_adjacencies_kernel bypeer_adjacencies_netlink(struct bypeer_netlink *netlink);

/* ids: largest adjacency id to give out. It begins on hold: bypeer_adjacencies_hold(). 0 or -ENOMEM. */
int bypeer_adjacencies_create(struct bypeer_adjacencies **ret_adjacencies, uint32_t ids,
                              const struct bypeer_adjacencies_kernel *kernel,
                              const struct bypeer_adjacencies_reports *reports);
void bypeer_adjacencies_free(struct bypeer_adjacencies *adjacencies); /* NULL is fine; reports nothing */

/*
 * Port number (of the configuration) is on the TAP with this index, has this MAC (zero: not known yet) and MTU; again
 * when they change. index 0: there is no such port any more. 0, -EINVAL or -ENOMEM.
 */
int bypeer_adjacencies_set_port(struct bypeer_adjacencies *adjacencies, uint16_t number, uint32_t index,
                                const uint8_t mac[static 6], uint16_t mtu);

/*
 * Adds a link, or changes its peer or local address (NULL: the kernel's choice). Its path is reported at the next
 * bypeer_adjacencies_settle(). 0 or -ENOMEM.
 */
int bypeer_adjacencies_set_link(struct bypeer_adjacencies *adjacencies, uint32_t link, const uint8_t peer[static 16],
                                const uint8_t *local);
void bypeer_adjacencies_remove_link(struct bypeer_adjacencies *adjacencies, uint32_t link);

/* Takes an event of bypeer_netlink_ready() (data is the bypeer_adjacencies). */
void bypeer_adjacencies_event(void *adjacencies, const struct bypeer_kernel_message *message);

/*
 * Looks up again what events and changes made doubtful, and reports. To be called after a batch of the calls above (at
 * start, too: after it all paths are known that the kernel can tell without waiting for a neighbour to answer).
 */
void bypeer_adjacencies_settle(struct bypeer_adjacencies *adjacencies);

/* true: no data plane is attached, keep what is known. false: one is; unresolved neighbours are asked for again. */
void bypeer_adjacencies_hold(struct bypeer_adjacencies *adjacencies, bool hold);
