/*
 * Which of this host's addresses a cloud uses, when the configuration leaves the choice: from the kernel's list,
 * /proc/net/if_inet6.
 *
 *   20010db8000000000000000000000001 02 40 00 80     eth0
 *   address                          |  |  |  flags  interface
 *                       interface number |  scope
 *                            prefix length
 *
 * Thread: any.
 */
#pragma once

#include "config/config.h"
#include "overlay/pnrp/message.h"

/*
 * Chooses up to BYPEER_CONFIG_CLOUD_ADDRESSES addresses of the cloud's scope and zone from the list; those of ports'
 * TAPs come first, the overlay's device is left out, and so are addresses that are tentative, temporary or deprecated.
 * A global cloud takes unique local addresses (fc00::/7) only where there is no other. Returns how many.
 */
unsigned bypeer_addresses_choose(const char *list, size_t length, const struct bypeer_config *config,
                                 const struct bypeer_config_cloud *cloud,
                                 uint8_t ret_addresses[static BYPEER_CONFIG_CLOUD_ADDRESSES][16]);
/* The same from the kernel's present list. */
unsigned bypeer_addresses_find(const struct bypeer_config *config, const struct bypeer_config_cloud *cloud,
                               uint8_t ret_addresses[static BYPEER_CONFIG_CLOUD_ADDRESSES][16]);

/* A descriptor that becomes readable when an address of this host came, went or changed; negative errno. */
int bypeer_addresses_watch(void);
/* Takes what waits there. */
void bypeer_addresses_drain(int watch);
