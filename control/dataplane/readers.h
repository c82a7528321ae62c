/*
 * The data planes that control knows: one entry a process, from its HELLO until its pidfd says that it has died.
 *
 * A process is who the kernel says it is: the pid comes from the socket (SO_PEERCRED), and a start time that does not
 * fit what /proc says of that pid is refused, so that a pid used again is nobody's old entry. Its status region is
 * mapped read-only after the checks of memory.h and status.h, and believed only as hints.
 *
 * A connection may end and come back while the process goes on reading its tables; so the entry, and with it the
 * process's part in grace periods, does not follow the connection but the process.
 *
 * Thread: one (control's loop).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "control/dataplane/generation.h"
#include "control/problem.h"
#include "overlay/tables/handover.h"
#include "overlay/tables/status.h"

struct bypeer_dataplane_process {
    bool used;
    pid_t pid;
    uint64_t start_ticks;
    int pidfd;
    unsigned grace_reader; /* its number in the generation's grace */
    uint32_t layout_oldest, layout_newest;
    char release[32];
    struct bypeer_memory status;
    struct bypeer_status_view view;
};

struct bypeer_readers {
    struct bypeer_dataplane_process processes[BYPEER_READERS_MAX];
};

void bypeer_readers_init(struct bypeer_readers *readers);
void bypeer_readers_free(struct bypeer_readers *readers);

/*
 * Registers the process behind a HELLO with the present generation, or finds it registered. status_fd is taken over in
 * any case. Returns its number, or negative errno with problem filled in.
 */
int bypeer_readers_add(struct bypeer_readers *readers, struct bypeer_generation *generation, pid_t pid,
                       const struct bypeer_handover *hello, int status_fd, struct bypeer_problem *problem);

/* Has the process ended? */
bool bypeer_readers_is_dead(const struct bypeer_readers *readers, unsigned number);
void bypeer_readers_remove(struct bypeer_readers *readers, struct bypeer_generation *generation, unsigned number);

/* Registers all with another generation. */
void bypeer_readers_move(struct bypeer_readers *readers, struct bypeer_generation *generation);

/* The newest layout that all of them and this release read; 0: none is common. */
uint32_t bypeer_readers_layout(const struct bypeer_readers *readers);

/* Field 22 of /proc/PID/stat, or 0. */
uint64_t bypeer_process_start_ticks(pid_t pid);
