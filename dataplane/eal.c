#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/eal.h"
#include "dataplane/room.h"

#define HUGEPAGES "/sys/kernel/mm/hugepages"

/* The number in a file of one line; 0 if there is none. */
static uint64_t eal_read_number(const char *file)
{
    char line[32] = "";
    FILE *stream = fopen(file, "re");
    if (stream == NULL)
        return 0;
    if (fgets(line, sizeof(line), stream) == NULL)
        line[0] = '\0';
    fclose(stream);
    return strtoull(line, NULL, 10);
}

static uint64_t eal_hugepage_bytes_free(void)
{
    uint64_t bytes = 0;
    DIR *sizes = opendir(HUGEPAGES);
    if (sizes == NULL)
        return 0;
    const struct dirent *size;
    while ((size = readdir(sizes)) != NULL) {
        static const char prefix[] = "hugepages-";
        char file[300];
        if (strncmp(size->d_name, prefix, sizeof(prefix) - 1) != 0)
            continue;
        uint64_t kilobytes = strtoull(size->d_name + sizeof(prefix) - 1, NULL, 10);
        snprintf(file, sizeof(file), HUGEPAGES "/%s/free_hugepages", size->d_name);
        bytes += eal_read_number(file) * kilobytes * 1024;
    }
    closedir(sizes);
    return bytes;
}

void bypeer_eal_look(struct bypeer_eal_machine *ret_machine)
{
    memset(ret_machine, 0, sizeof(*ret_machine));
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof(set), &set) == 0)
        for (uint16_t cpu = 0; cpu < BYPEER_EAL_CPUS_MAX && cpu < CPU_SETSIZE; cpu++)
            if (CPU_ISSET(cpu, &set))
                ret_machine->cpus[ret_machine->cpu_count++] = cpu;
    if (ret_machine->cpu_count == 0) /* more CPUs than a cpu_set_t holds */
        ret_machine->cpu_count = 1;
    ret_machine->hugepage_bytes_free = eal_hugepage_bytes_free();
}

bool bypeer_eal_is_pci(const char *device)
{
    /* [domain:]bus:device.function, hexadecimal; the name of a virtual device begins with "net_". */
    unsigned colons = 0, dots = 0;
    for (; *device != '\0' && *device != ','; device++) {
        if (*device == ':')
            colons++;
        else if (*device == '.')
            dots++;
        else if (!isxdigit((unsigned char)*device))
            return false;
    }
    return (colons == 1 || colons == 2) && dots == 1;
}

static bool eal_may_use(const struct bypeer_eal_machine *machine, int32_t cpu)
{
    for (uint32_t i = 0; i < machine->cpu_count; i++)
        if (machine->cpus[i] == cpu)
            return true;
    return false;
}

/* Appends one argument; false when there is no room. */
__attribute__((format(printf, 3, 4))) static bool eal_add(struct bypeer_eal_arguments *arguments, size_t *used,
                                                          const char *format, ...)
{
    if (arguments->count == BYPEER_EAL_ARGUMENTS_MAX)
        return false;
    size_t room = sizeof(arguments->text) - *used;
    va_list values;
    va_start(values, format);
    int length = vsnprintf(arguments->text + *used, room, format, values);
    va_end(values);
    if (length < 0 || (size_t)length >= room)
        return false;
    arguments->list[arguments->count++] = arguments->text + *used;
    *used += (size_t)length + 1;
    return true;
}

/* The CPU of each lcore, main first: "0@0,1@2,2@3". */
static int eal_lcores(char *text, size_t room, const struct bypeer_config *config,
                      const struct bypeer_eal_machine *machine, char why[static 256])
{
    int32_t main_core = config->dataplane.main_core >= 0 ? config->dataplane.main_core : machine->cpus[0];
    if (!eal_may_use(machine, main_core)) {
        snprintf(why, 256,
                 "dataplane.main-core: this process may not use core %d; use one of its CPU affinity, such as %u",
                 main_core, machine->cpus[0]);
        return -EINVAL;
    }
    size_t used = (size_t)snprintf(text, room, "0@%d", main_core);
    for (uint16_t worker = 0; worker < config->dataplane.workers; worker++) {
        uint32_t count = config->dataplane.core_count;
        int32_t core;
        if (count > 0) /* fewer cores than workers: they take turns */
            core = config->dataplane.cores[worker % count];
        else /* the last ones, from the end; again from the end when there are not enough */
            core = machine->cpus[machine->cpu_count - 1 - worker % machine->cpu_count];
        if (!eal_may_use(machine, core)) {
            snprintf(why, 256,
                     "dataplane.cores: this process may not use core %d; use one of its CPU affinity, such as %u", core,
                     machine->cpus[machine->cpu_count - 1]);
            return -EINVAL;
        }
        used += (size_t)snprintf(text + used, used < room ? room - used : 0, ",%u@%d", worker + 1u, core);
    }
    return 0;
}

static int eal_choose_memory(bool *ret_hugepages, const struct bypeer_config *config,
                             const struct bypeer_eal_machine *machine, char why[static 256])
{
    uint64_t megabytes = (uint64_t)config->dataplane.megabytes + BYPEER_EAL_MEGABYTES_BESIDE;
    bool enough = machine->hugepage_bytes_free >= megabytes << 20;
    if (config->dataplane.memory == BYPEER_MEMORY_HUGEPAGES && !enough) {
        snprintf(why, 256,
                 "dataplane.memory: hugepages: %lu MB of hugepages are free, %lu MB are needed; reserve more "
                 "(sysctl vm.nr_hugepages) or use memory: auto",
                 (unsigned long)(machine->hugepage_bytes_free >> 20), (unsigned long)megabytes);
        return -EINVAL;
    }
    *ret_hugepages = enough && config->dataplane.memory != BYPEER_MEMORY_NORMAL;
    return 0;
}

int bypeer_eal_arguments(struct bypeer_eal_arguments *ret_arguments, const struct bypeer_config *config,
                         const struct bypeer_eal_machine *machine, char why[static 256])
{
    char lcores[1024];
    bool hugepages = false;
    int status = eal_lcores(lcores, sizeof(lcores), config, machine, why);
    if (status == 0)
        status = eal_choose_memory(&hugepages, config, machine, why);
    if (status < 0)
        return status;

    memset(ret_arguments, 0, sizeof(*ret_arguments));
    ret_arguments->hugepages = hugepages;
    size_t used = 0;
    bool fits = eal_add(ret_arguments, &used, "bypeer-dataplane") &&
                eal_add(ret_arguments, &used, "--lcores=%s", lcores) &&
                eal_add(ret_arguments, &used, "--main-lcore=0") &&
                eal_add(ret_arguments, &used, "--file-prefix=%s", config->dataplane.file_prefix) &&
                eal_add(ret_arguments, &used, "--log-level=*:error");
    if (hugepages) /* memfds: needs no hugetlbfs mount, and a killed process gives its pages back */
        fits = fits && eal_add(ret_arguments, &used, "--in-memory");
    else /* DPDK 22.11 refuses --in-memory beside --no-huge; without --no-shconf two nodes need two prefixes */
        fits = fits && eal_add(ret_arguments, &used, "--no-huge") && eal_add(ret_arguments, &used, "--no-shconf") &&
               eal_add(ret_arguments, &used, "-m") &&
               eal_add(ret_arguments, &used, "%u", config->dataplane.megabytes + BYPEER_EAL_MEGABYTES_BESIDE);
#ifdef BYPEER_ROOM_WATCHED
    /* DPDK's usual base lies in AddressSanitizer's shadow. */
    fits = fits && eal_add(ret_arguments, &used, "--base-virtaddr=0x200000000000");
#endif

    bool pci = false;
    for (uint32_t i = 0; i < config->port_count; i++)
        if (bypeer_eal_is_pci(config->ports[i].device)) {
            fits = fits && eal_add(ret_arguments, &used, "--allow=%s", config->ports[i].device);
            pci = true;
        }
    if (!pci)
        fits = fits && eal_add(ret_arguments, &used, "--no-pci") && eal_add(ret_arguments, &used, "--iova-mode=va");

    char further[sizeof(config->dataplane.eal)];
    memcpy(further, config->dataplane.eal, sizeof(further));
    further[sizeof(further) - 1] = '\0';
    char *rest = NULL;
    for (char *word = strtok_r(further, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest))
        fits = fits && eal_add(ret_arguments, &used, "%s", word);

    if (!fits) {
        snprintf(why, 256, "dataplane.eal: more arguments than fit (%d, %zu bytes); use fewer",
                 BYPEER_EAL_ARGUMENTS_MAX, sizeof(ret_arguments->text));
        return -EINVAL;
    }
    return 0;
}
