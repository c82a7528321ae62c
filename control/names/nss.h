/*
 * The socket that libnss_bypeer asks: one question a connection (nss_message.h).
 *
 * Everybody on the machine may connect. Bounds: 128 connections; a second for the question to come; the answer comes
 * within BYPEER_HOSTS_TIMEOUT_MS. An answer always fits into the kernel's buffer, so nobody who does not read is waited
 * for.
 *
 * Thread: one (the loop's).
 */
#pragma once

#include "control/names/hosts.h"

struct bypeer_nss;

/* Listens on path, replacing what is there. hosts must outlive it. */
int bypeer_nss_open(struct bypeer_nss **ret_nss, uv_loop_t *loop, struct bypeer_hosts *hosts, const char *path,
                    struct bypeer_problem *problem);
/* Ends all connections. Freed when the loop has closed its handles; run the loop until then. NULL is fine. */
void bypeer_nss_close(struct bypeer_nss *nss);
