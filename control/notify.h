/*
 * What systemd is told, and what it keeps for us (sd_notify(3), without libsystemd). Without NOTIFY_SOCKET every call
 * does nothing. Thread: control's loop.
 */
#pragma once

#include <stdint.h>

/* Sends lines such as "READY=1\nSTATUS=forwarding". 0 or negative errno. */
int bypeer_notify(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Parks a descriptor under a name in the service's descriptor store, in place of what had that name. */
int bypeer_notify_park(const char *name, int fd);

/* The descriptor that was parked under name by the process before this one, or -1. The caller owns it; asked once. */
int bypeer_notify_parked(const char *name);

/* How often the watchdog wants to hear from us, in milliseconds; 0: there is none. */
uint64_t bypeer_notify_watchdog_ms(void);
