/*
 * bypeerd: the node on an event loop, in the foreground, until SIGTERM.
 *
 * Start: configuration, database, devices, tables filled with everything the kernel can tell at once, published; only
 * then the sockets, so that a data plane that carries on from a control that died gets nothing worse than it has.
 * SIGHUP reloads the configuration. SIGTERM and SIGINT end it; the devices and the data plane's tables stay as they
 * are.
 */
#pragma once

#include "config/config.h"

/* Runs until it is told to end; takes config over. Returns the status to exit with. */
int bypeer_daemon_run(struct bypeer_config *config);
