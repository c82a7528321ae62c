/* The arguments that DPDK gets for a configuration and a machine. */
#include <errno.h>
#include <string.h>

#include <criterion/criterion.h>

#include "dataplane/eal.h"

static struct bypeer_config config;
static struct bypeer_config_port ports[2];
static struct bypeer_eal_machine machine;
static struct bypeer_eal_arguments arguments;
static char why[256];

static void set_up(void)
{
    memset(&config, 0, sizeof(config));
    config.dataplane.workers = 1;
    config.dataplane.main_core = -1;
    config.dataplane.megabytes = 128;
    strcpy(config.dataplane.file_prefix, "bypeer");
    config.ports = ports;
    config.port_count = 1;
    strcpy(ports[0].device, "net_af_xdp0,iface=eth1");
    machine = (struct bypeer_eal_machine){.cpu_count = 4, .cpus = {0, 1, 2, 3}};
}

TestSuite(eal, .init = set_up);

static bool has(const char *argument)
{
    for (int i = 0; i < arguments.count; i++)
        if (strcmp(arguments.list[i], argument) == 0)
            return true;
    return false;
}

static void make(void)
{
    int status = bypeer_eal_arguments(&arguments, &config, &machine, why);
    cr_assert_eq(status, 0, "%s", status < 0 ? why : "");
    cr_assert_null(arguments.list[arguments.count]);
}

static void refuse(const char *text)
{
    cr_assert_eq(bypeer_eal_arguments(&arguments, &config, &machine, why), -EINVAL);
    cr_assert_not_null(strstr(why, text), "%s", why);
}

Test(eal, without_hugepages_leaves_no_files_behind)
{
    make();
    cr_assert_not(arguments.hugepages);
    cr_assert(has("--no-huge") && has("--no-shconf") && has("192") && has("--no-pci"));
    cr_assert_not(has("--in-memory"), "DPDK 22.11 refuses it beside --no-huge");
    cr_assert(has("--lcores=0@0,1@3"), "main first, workers on the last cores");
}

Test(eal, free_hugepages_are_taken_if_they_suffice)
{
    machine.hugepage_bytes_free = UINT64_C(192) << 20;
    make();
    cr_assert(arguments.hugepages && has("--in-memory") && !has("--no-huge") && !has("--no-shconf"));
    machine.hugepage_bytes_free--;
    make();
    cr_assert_not(arguments.hugepages);
    config.dataplane.memory = BYPEER_MEMORY_HUGEPAGES;
    refuse("191 MB of hugepages are free, 192 MB are needed");
    machine.hugepage_bytes_free++;
    config.dataplane.memory = BYPEER_MEMORY_NORMAL;
    make();
    cr_assert_not(arguments.hugepages);
}

Test(eal, cores_are_as_configured)
{
    config.dataplane.workers = 2;
    config.dataplane.main_core = 1;
    config.dataplane.core_count = 2;
    config.dataplane.cores[0] = 3;
    config.dataplane.cores[1] = 2;
    make();
    cr_assert(has("--lcores=0@1,1@3,2@2") && has("--main-lcore=0"));
}

Test(eal, workers_take_turns_where_cores_are_few)
{
    machine.cpu_count = 2;
    config.dataplane.workers = 3;
    make();
    cr_assert(has("--lcores=0@0,1@1,2@0,3@1"));
    config.dataplane.core_count = 1;
    config.dataplane.cores[0] = 0;
    make();
    cr_assert(has("--lcores=0@0,1@0,2@0,3@0"));
}

Test(eal, refuses_cores_that_it_may_not_use)
{
    config.dataplane.main_core = 9;
    refuse("dataplane.main-core: this process may not use core 9");
    config.dataplane.main_core = 0;
    config.dataplane.core_count = 1;
    config.dataplane.cores[0] = 7;
    refuse("dataplane.cores: this process may not use core 7");
}

Test(eal, pci_devices_are_allowed_one_by_one)
{
    config.port_count = 2;
    strcpy(ports[1].device, "0000:01:00.0");
    make();
    cr_assert(has("--allow=0000:01:00.0") && !has("--no-pci") && !has("--iova-mode=va"));
}

Test(eal, further_arguments_are_split_and_come_last)
{
    strcpy(config.dataplane.eal, "--log-level=pmd.*:debug  --force-max-simd-bitwidth=512");
    make();
    cr_assert_str_eq(arguments.list[arguments.count - 2], "--log-level=pmd.*:debug");
    cr_assert_str_eq(arguments.list[arguments.count - 1], "--force-max-simd-bitwidth=512");
    for (size_t i = 0; i + 2 < sizeof(config.dataplane.eal); i += 2)
        memcpy(config.dataplane.eal + i, "x ", 2);
    refuse("dataplane.eal: more arguments than fit");
}

Test(eal, the_widest_configuration_fits)
{
    machine.cpu_count = 0;
    for (uint16_t i = 0; i < 64; i++)
        machine.cpus[machine.cpu_count++] = (uint16_t)(1000 + i);
    config.dataplane.workers = 64;
    make();
    cr_assert(has("--main-lcore=0"));
    cr_assert_not_null(strstr(arguments.list[1], ",64@1000"));
}
