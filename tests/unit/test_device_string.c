/* What DPDK is told about a device beside what the configuration says. */
#include <errno.h>

#include <criterion/criterion.h>

#include "dataplane/eal.h"
#include "dataplane/ports.h"

static void expect(const char *device, uint16_t mtu, uint16_t queues, const char *completed)
{
    char text[256];
    cr_assert_eq(bypeer_ports_device_string(text, sizeof(text), device, mtu, queues), 0);
    cr_assert_str_eq(text, completed);
}

Test(device_string, queues_follow_the_configuration)
{
    expect("net_af_xdp0,iface=eth1", 1500, 1, "net_af_xdp0,iface=eth1,busy_budget=0");
    expect("net_af_xdp0,iface=eth1", 1500, 2, "net_af_xdp0,iface=eth1,queue_count=2,busy_budget=0");
    expect("net_af_xdp0,iface=eth1,queue_count=4", 1500, 2, "net_af_xdp0,iface=eth1,queue_count=4,busy_budget=0");
    expect("net_null0", 9000, 4, "net_null0");
    expect("net_af_xdprogram0", 1500, 2, "net_af_xdprogram0");
    expect("0000:01:00.0", 1500, 2, "0000:01:00.0");
}

Test(device_string, the_kernel_polls_for_us_only_if_told_to)
{
    expect("net_af_xdp0,iface=eth1,busy_budget=64", 1500, 1, "net_af_xdp0,iface=eth1,busy_budget=64");
}

Test(device_string, af_packet_slots_hold_a_frame_and_divide_a_block)
{
    expect("net_af_packet0,iface=eth1", 1500, 1, "net_af_packet0,iface=eth1,framesz=2048,blocksz=65536,framecnt=2048");
    expect("net_af_packet0,iface=eth1", 3500, 2,
           "net_af_packet0,iface=eth1,qpairs=2,framesz=4096,blocksz=65536,framecnt=2048");
    expect("net_af_packet0,iface=eth1,framesz=8192", 1500, 1,
           "net_af_packet0,iface=eth1,framesz=8192,blocksz=65536,framecnt=2048");
    cr_assert_geq(bypeer_ports_frame_room("net_af_packet0", 3500), 4096 - 32, "the driver wants an mbuf that large");
}

Test(device_string, memif_buffers_hold_a_frame)
{
    expect("net_memif0,role=client", 1500, 1, "net_memif0,role=client,bsize=2048");
    expect("net_memif0,role=client", 9000, 1, "net_memif0,role=client,bsize=9024");
}

Test(device_string, too_long)
{
    char text[40];
    cr_assert_eq(bypeer_ports_device_string(text, sizeof(text), "net_af_packet0,iface=eth1", 1500, 1), -ENOSPC);
    cr_assert_eq(bypeer_ports_device_string(text, 10, "net_af_packet0", 1500, 1), -ENOSPC);
}

Test(device_string, every_frame_of_the_mtu_fits_an_mbuf)
{
    for (uint16_t mtu = 1280; mtu <= 9000; mtu++)
        for (unsigned i = 0; i < 2; i++)
            cr_assert_geq(bypeer_ports_frame_room(i ? "net_af_packet0" : "net_pcap0", mtu), mtu + 14 + 8);
    /* A chunk of AF_XDP, mempool header, mbuf and headroom included, is at most a page. */
    cr_assert_leq(bypeer_ports_frame_room("net_af_xdp0", 3542) + 64 + 128 + 128, 4096);
}

Test(device_string, tells_pci_devices_from_virtual_ones)
{
    cr_assert(bypeer_eal_is_pci("0000:01:00.0"));
    cr_assert(bypeer_eal_is_pci("01:00.1"));
    cr_assert(bypeer_eal_is_pci("0000:81:00.0,representor=0"));
    cr_assert_not(bypeer_eal_is_pci("net_af_xdp0,iface=eth1"));
    cr_assert_not(bypeer_eal_is_pci("net_tap0"));
    cr_assert_not(bypeer_eal_is_pci(""));
}
