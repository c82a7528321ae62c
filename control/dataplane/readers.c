#include "control/dataplane/readers.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

uint64_t bypeer_process_start_ticks(pid_t pid)
{
    char path[48], text[1024];
    snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t length = read(fd, text, sizeof(text) - 1);
    close(fd);
    if (length <= 0)
        return 0;
    text[length] = '\0';
    /* The second field is the name in parentheses, which may hold spaces and parentheses; the third follows the last.
     */
    const char *at = strrchr(text, ')');
    for (int field = 2; at && field < 22; field++) {
        at = strchr(at + 1, ' ');
    }
    return at ? strtoull(at + 1, NULL, 10) : 0;
}

void bypeer_readers_init(struct bypeer_readers *readers)
{
    *readers = (struct bypeer_readers){0};
}

static void readers_release(struct bypeer_dataplane_process *process)
{
    bypeer_memory_free(&process->status);
    close(process->pidfd);
    *process = (struct bypeer_dataplane_process){0};
}

void bypeer_readers_free(struct bypeer_readers *readers)
{
    for (unsigned at = 0; at < BYPEER_READERS_MAX; at++)
        if (readers->processes[at].used)
            readers_release(&readers->processes[at]);
}

bool bypeer_readers_is_dead(const struct bypeer_readers *readers, unsigned number)
{
    struct pollfd poll_for = {.fd = readers->processes[number].pidfd, .events = POLLIN};
    return poll(&poll_for, 1, 0) == 1;
}

void bypeer_readers_remove(struct bypeer_readers *readers, struct bypeer_generation *generation, unsigned number)
{
    bypeer_grace_remove(&generation->grace, readers->processes[number].grace_reader);
    readers_release(&readers->processes[number]);
}

void bypeer_readers_move(struct bypeer_readers *readers, struct bypeer_generation *generation)
{
    for (unsigned at = 0; at < BYPEER_READERS_MAX; at++) {
        struct bypeer_dataplane_process *process = &readers->processes[at];
        if (!process->used)
            continue;
        /* As many places there as here, and none is taken yet. */
        process->grace_reader = (unsigned)bypeer_grace_add(&generation->grace, process->view.header);
    }
}

uint32_t bypeer_readers_layout(const struct bypeer_readers *readers)
{
    uint32_t oldest = BYPEER_LAYOUT_OLDEST, newest = BYPEER_LAYOUT_NEWEST;
    for (unsigned at = 0; at < BYPEER_READERS_MAX; at++) {
        const struct bypeer_dataplane_process *process = &readers->processes[at];
        if (!process->used)
            continue;
        if (process->layout_oldest > oldest)
            oldest = process->layout_oldest;
        if (process->layout_newest < newest)
            newest = process->layout_newest;
    }
    return oldest <= newest ? newest : 0;
}

static int readers_refuse(int status_fd, int pidfd)
{
    close(status_fd);
    if (pidfd >= 0)
        close(pidfd);
    return -EPROTO;
}

int bypeer_readers_add(struct bypeer_readers *readers, struct bypeer_generation *generation, pid_t pid,
                       const struct bypeer_handover *hello, int status_fd, struct bypeer_problem *problem)
{
    /* The pidfd first: while it is open, the pid cannot come to mean another process unseen. */
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    uint64_t start_ticks = pidfd >= 0 ? bypeer_process_start_ticks(pid) : 0;
    if (pidfd < 0 || start_ticks == 0 || start_ticks != hello->hello.start_ticks) {
        readers_refuse(status_fd, pidfd);
        return bypeer_problem_set(problem, -ESRCH, "data_plane",
                                  "data plane %ld\nis not the process that it says to be\nrestart it", (long)pid);
    }
    unsigned number = BYPEER_READERS_MAX;
    for (unsigned at = 0; at < BYPEER_READERS_MAX; at++) {
        struct bypeer_dataplane_process *process = &readers->processes[at];
        if (process->used && process->pid == pid && process->start_ticks == start_ticks) {
            readers_refuse(status_fd, pidfd); /* the same as ever: it came back after a broken connection */
            return (int)at;
        }
        if (!process->used && number == BYPEER_READERS_MAX)
            number = at;
    }
    if (number == BYPEER_READERS_MAX) {
        readers_refuse(status_fd, pidfd);
        return bypeer_problem_set(problem, -ENOSPC, "data_plane",
                                  "data plane %ld\n%d others are attached, as many as there may be\nend one of them",
                                  (long)pid, BYPEER_READERS_MAX);
    }

    char why[BYPEER_REGION_WHY_BYTES] = "";
    struct bypeer_memory memory = BYPEER_MEMORY_NONE;
    struct bypeer_status_view view;
    int result = bypeer_memory_receive(&memory, BYPEER_MEMORY_STATUS, status_fd, BYPEER_STATUS_BYTES_MAX, false, why);
    if (result < 0)
        close(status_fd);
    if (result == 0)
        result = bypeer_status_attach(&view, memory.base, memory.bytes, why);
    int grace_reader = result == 0 ? bypeer_grace_add(&generation->grace, view.header) : result;
    if (grace_reader < 0) {
        bypeer_memory_free(&memory);
        close(pidfd);
        return bypeer_problem_set(problem, grace_reader, "data_plane",
                                  "data plane %ld\nits status region: %s\nrestart it", (long)pid, why);
    }
    struct bypeer_dataplane_process *process = &readers->processes[number];
    *process = (struct bypeer_dataplane_process){
        .used = true,
        .pid = pid,
        .start_ticks = start_ticks,
        .pidfd = pidfd,
        .grace_reader = (unsigned)grace_reader,
        .layout_oldest = hello->hello.layout_oldest,
        .layout_newest = hello->hello.layout_newest,
        .status = memory,
        .view = view,
    };
    bypeer_status_text(process->release, hello->hello.release, sizeof(process->release));
    return (int)number;
}
