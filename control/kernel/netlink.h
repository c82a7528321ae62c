/*
 * Control's two netlink sockets: one for requests, whose answers it waits for (the kernel gives them at once), one for
 * events, which the daemon's loop polls.
 *
 * Thread: one (control's loop). Works in the network namespace of the thread that opened it.
 */
#pragma once

#include "control/kernel/message.h"

struct bypeer_netlink;

typedef void bypeer_netlink_call(void *data, const struct bypeer_kernel_message *message);

/* Subscribes to interfaces, addresses, routes and neighbours of IPv4 and IPv6. 0 or negative errno. */
int bypeer_netlink_open(struct bypeer_netlink **ret_netlink);
void bypeer_netlink_close(struct bypeer_netlink *netlink); /* NULL is fine */

/* The descriptor to poll for reading; then bypeer_netlink_ready(). */
int bypeer_netlink_event_fd(const struct bypeer_netlink *netlink);

/*
 * Gives every event that waits to call, at most some hundred a time (the descriptor stays readable for the rest). When
 * events were lost, a message of kind BYPEER_KERNEL_OVERRUN stands for them. 0 or negative errno.
 */
int bypeer_netlink_ready(struct bypeer_netlink *netlink, bypeer_netlink_call *call, void *data);

/* Requests: each returns 0 or the kernel's negative errno. */
int bypeer_netlink_dump(struct bypeer_netlink *netlink, enum bypeer_kernel_kind kind, uint32_t index,
                        bypeer_netlink_call *call, void *data);
int bypeer_netlink_change_link(struct bypeer_netlink *netlink, uint32_t index,
                               const struct bypeer_kernel_link_change *change);
/* Adding what is there and removing what is not are no errors. */
int bypeer_netlink_set_address(struct bypeer_netlink *netlink, bool add, uint32_t index,
                               const uint8_t address[static 16], uint8_t bits);
int bypeer_netlink_set_route(struct bypeer_netlink *netlink, bool add, uint32_t index, const uint8_t prefix[static 16],
                             uint8_t bits, const uint8_t *source);
int bypeer_netlink_find_route(struct bypeer_netlink *netlink, const uint8_t destination[static 16],
                              const uint8_t *source, struct bypeer_kernel_route *ret_route);
int bypeer_netlink_want_neighbour(struct bypeer_netlink *netlink, bool want, uint32_t index,
                                  const uint8_t address[static 16]);
