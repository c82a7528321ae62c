/*
 * The arguments of rte_eal_init(), made from the configuration.
 *
 * Lcore 0 is the main thread, lcores 1 to N are the workers; each is bound to the CPU that the configuration names, and
 * several may share one (a machine with two cores). The process leaves nothing behind when it is killed: hugepages come
 * from memfds (--in-memory), ordinary memory is anonymous, and no run-time file is shared (--no-shconf).
 *
 * Devices that are no PCI devices are not among the arguments: ports.c adds them one by one, to say which one failed.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"

#define BYPEER_EAL_ARGUMENTS_MAX 128
#define BYPEER_EAL_CPUS_MAX      1024

/* What the machine offers. */
struct bypeer_eal_machine {
    uint32_t cpu_count; /* that this process may use, ascending */
    uint16_t cpus[BYPEER_EAL_CPUS_MAX];
    uint64_t hugepage_bytes_free;
};

struct bypeer_eal_arguments {
    bool hugepages;
    int count;
    char *list[BYPEER_EAL_ARGUMENTS_MAX + 1]; /* point into text, but for what EAL reorders; ends with NULL */
    char text[8192];
};

/* Megabytes that DPDK needs beside the packets: rings, graphs, device state. */
#define BYPEER_EAL_MEGABYTES_BESIDE 64

/* Looks at the machine: CPU affinity, free hugepages of every size. */
void bypeer_eal_look(struct bypeer_eal_machine *ret_machine);

/*
 * Returns 0, or -EINVAL and one line in why that names key, value and remedy: a core that the process may not use,
 * hugepages asked for where too few are free, too many arguments.
 */
int bypeer_eal_arguments(struct bypeer_eal_arguments *ret_arguments, const struct bypeer_config *config,
                         const struct bypeer_eal_machine *machine, char why[static 256]);

/* "0000:01:00.0" or "01:00.0", with or without arguments after a comma. */
bool bypeer_eal_is_pci(const char *device);
