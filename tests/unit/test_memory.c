#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "overlay/tables/memory.h"

static char why[BYPEER_REGION_WHY_BYTES];

static struct bypeer_memory made(enum bypeer_memory_use use, uint64_t bytes)
{
    struct bypeer_memory memory;
    cr_assert_eq(bypeer_memory_create(&memory, use, "test", bytes, false), 0);
    return memory;
}

/* A memfd made by hand: with these seals and pages. */
static int raw(uint64_t bytes, unsigned flags, int seals)
{
    int fd = memfd_create("raw", MFD_CLOEXEC | MFD_ALLOW_SEALING | flags);
    if (fd < 0 || ftruncate(fd, (off_t)bytes) || (seals && fcntl(fd, F_ADD_SEALS, seals)))
        return -1;
    return fd;
}

Test(memory, other_side_sees_what_the_maker_writes)
{
    struct bypeer_memory maker = made(BYPEER_MEMORY_TABLES, 10000), reader;
    cr_assert_eq(maker.bytes, 12288, "whole pages");
    memset(maker.base, 0x5a, 10000);
    cr_assert_eq(bypeer_memory_receive(&reader, BYPEER_MEMORY_TABLES, dup(maker.fd), 1 << 20, false, why), 0, "%s",
                 why);
    cr_assert_eq(reader.bytes, 12288);
    cr_assert_eq(((uint8_t *)reader.base)[9999], 0x5a);
    cr_assert_eq(((uint8_t *)reader.base)[10000], 0);
    ((uint8_t *)maker.base)[10000] = 1;
    cr_assert_eq(((uint8_t *)reader.base)[10000], 1);
    bypeer_memory_free(&maker);
    cr_assert_eq(((uint8_t *)reader.base)[9999], 0x5a, "it outlives its maker");
    bypeer_memory_free(&reader);
    bypeer_memory_free(&reader);
}

Test(memory, nobody_but_the_maker_can_ever_write_tables)
{
    struct bypeer_memory maker = made(BYPEER_MEMORY_TABLES, 8192);
    cr_assert_eq(mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, maker.fd, 0), MAP_FAILED);
    void *read_only = mmap(NULL, 8192, PROT_READ, MAP_SHARED, maker.fd, 0);
    cr_assert_neq(read_only, MAP_FAILED);
    cr_assert_eq(mprotect(read_only, 8192, PROT_READ | PROT_WRITE), -1);
    cr_assert_eq(pwrite(maker.fd, "x", 1, 0), -1);
    cr_assert_eq(fallocate(maker.fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096), -1);
    cr_assert_eq(ftruncate(maker.fd, 4096), -1, "or shrink them");
    cr_assert_eq(ftruncate(maker.fd, 65536), -1, "or let them grow");
    cr_assert_eq(fcntl(maker.fd, F_ADD_SEALS, F_SEAL_WRITE), -1, "or seal the maker out");
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", maker.fd);
    int again = open(path, O_RDWR | O_CLOEXEC);
    cr_assert(again < 0 || pwrite(again, "x", 1, 0) == -1);
    ((volatile uint8_t *)maker.base)[0] = 1;
    bypeer_memory_free(&maker);
}

Test(memory, a_received_mapping_cannot_be_written, .signal = SIGSEGV)
{
    struct bypeer_memory maker = made(BYPEER_MEMORY_TABLES, 4096), reader;
    /* Even if it asked for that. */
    cr_assert_eq(bypeer_memory_receive(&reader, BYPEER_MEMORY_TABLES, dup(maker.fd), 1 << 20, true, why), 0);
    signal(SIGSEGV, SIG_DFL); /* a sanitizer would make an exit status of it */
    ((volatile uint8_t *)reader.base)[0] = 1;
}

Test(memory, sessions_go_from_hand_to_hand)
{
    struct bypeer_memory first = made(BYPEER_MEMORY_SESSIONS, 4096), second, control;
    int parked = dup(first.fd);
    ((uint8_t *)first.base)[0] = 7;
    bypeer_memory_free(&first);
    cr_assert_eq(bypeer_memory_receive(&control, BYPEER_MEMORY_SESSIONS, dup(parked), 4096, false, why), 0, "%s", why);
    cr_assert_eq(bypeer_memory_receive(&second, BYPEER_MEMORY_SESSIONS, parked, 4096, true, why), 0, "%s", why);
    cr_assert_eq(((uint8_t *)second.base)[0], 7);
    ((uint8_t *)second.base)[0] = 8;
    cr_assert_eq(((volatile uint8_t *)control.base)[0], 8);
    cr_assert_eq(ftruncate(second.fd, 0), -1);
    bypeer_memory_free(&control);
    bypeer_memory_free(&second);
}

static int refused(enum bypeer_memory_use use, int fd, uint64_t bytes_max)
{
    struct bypeer_memory memory = {.page_bytes = 42};
    why[0] = '\0';
    int error = bypeer_memory_receive(&memory, use, fd, bytes_max, false, why);
    cr_assert_eq(memory.page_bytes, 42);
    cr_assert_neq(why[0], '\0');
    cr_assert_neq(fcntl(fd, F_GETFD), -1, "a refused descriptor is still its receiver's");
    close(fd);
    return error;
}

Test(memory, refuses_what_could_change_under_its_reader)
{
    const int all = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL;
    cr_assert_eq(refused(BYPEER_MEMORY_TABLES, raw(4096, 0, 0), 4096), -EPROTO);
    cr_assert_eq(refused(BYPEER_MEMORY_TABLES, raw(4096, 0, all & ~F_SEAL_SHRINK), 4096), -EPROTO);
    cr_assert_eq(refused(BYPEER_MEMORY_TABLES, raw(4096, 0, all & ~F_SEAL_FUTURE_WRITE), 4096), -EPROTO);
    cr_assert_eq(refused(BYPEER_MEMORY_STATUS, raw(4096, 0, all & ~F_SEAL_FUTURE_WRITE), 4096), -EPROTO);
    cr_assert_eq(refused(BYPEER_MEMORY_SESSIONS, raw(4096, 0, F_SEAL_GROW), 4096), -EPROTO);
    cr_assert_eq(refused(BYPEER_MEMORY_TABLES, raw(8192, 0, all), 4096), -EFBIG);
    cr_assert_eq(refused(BYPEER_MEMORY_TABLES, raw(0, 0, all), 4096), -EPROTO);
    cr_assert_eq(refused(BYPEER_MEMORY_TABLES, raw(5000, 0, all), 8192), -EPROTO, "half a page");
    cr_assert_eq(refused(BYPEER_MEMORY_TABLES, open("/dev/null", O_RDWR | O_CLOEXEC), 4096), -EPROTO);
    cr_assert_eq(refused(BYPEER_MEMORY_TABLES, open("/proc/self/exe", O_RDONLY | O_CLOEXEC), 4096), -EPROTO);
    struct bypeer_memory memory;
    cr_assert_eq(bypeer_memory_receive(&memory, BYPEER_MEMORY_TABLES, -1, 4096, false, why), -EPROTO);
}

Test(memory, refuses_sessions_in_huge_pages)
{
    int fd = raw(2 << 20, MFD_HUGETLB, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
    if (fd < 0)
        cr_skip_test("this kernel has no huge pages");
    cr_assert_eq(refused(BYPEER_MEMORY_SESSIONS, fd, 4 << 20), -EPROTO);
}

Test(memory, takes_huge_pages_only_where_they_are)
{
    struct bypeer_memory memory;
    cr_assert_eq(bypeer_memory_create(&memory, BYPEER_MEMORY_TABLES, "test", 5000, true), 0);
    cr_assert_eq(memory.bytes % memory.page_bytes, 0);
    cr_assert_geq(memory.bytes, 5000);
    memset(memory.base, 1, memory.bytes);
    bypeer_memory_free(&memory);
}

Test(memory, size_that_no_machine_has_is_an_error)
{
    struct bypeer_memory memory;
    cr_assert_eq(bypeer_memory_create(&memory, BYPEER_MEMORY_TABLES, "test", 0, true), -EINVAL);
    cr_assert_eq(bypeer_memory_create(&memory, BYPEER_MEMORY_TABLES, "test", UINT64_MAX, true), -ENOMEM);
    cr_assert_eq(bypeer_memory_create(&memory, BYPEER_MEMORY_TABLES, "test", UINT64_C(1) << 60, true), -ENOMEM);
    cr_assert_eq(bypeer_memory_create(&memory, BYPEER_MEMORY_TABLES, "test", UINT64_C(1) << 45, false), -ENOMEM,
                 "an error, and not the end of some process");
}

#define MEBIBYTE (UINT64_C(1) << 20)

/* How many KiB of the memory are allocated. */
static uint64_t allocated_kib(const struct bypeer_memory *memory)
{
    struct stat status;
    cr_assert_eq(fstat(memory->fd, &status), 0);
    return (uint64_t)status.st_blocks / 2;
}

Test(memory, gathers_what_is_asked_for_and_keeps_what_is_in_it)
{
    struct bypeer_memory memory = made(BYPEER_MEMORY_SESSIONS, 128 * MEBIBYTE);
    uint8_t *bytes = memory.base;
    uint64_t before = allocated_kib(&memory);
    cr_assert_lt(before, 1024, "most of it is not there yet");
    memset(bytes + 11 * MEBIBYTE, 0x5a, 3 * MEBIBYTE);

    bypeer_memory_gather(&memory, bytes + 10 * MEBIBYTE + 64, 17 * MEBIBYTE);
    cr_assert_geq(allocated_kib(&memory), before + 17 * 1024);
    cr_assert_leq(allocated_kib(&memory), before + 20 * 1024);
    for (uint64_t at = 10 * MEBIBYTE; at < 30 * MEBIBYTE; at++)
        cr_assert_eq(bytes[at], at >= 11 * MEBIBYTE && at < 14 * MEBIBYTE ? 0x5a : 0);

    /* A little takes no large page; nothing, nothing; and none goes beyond the end. */
    before = allocated_kib(&memory);
    bypeer_memory_gather(&memory, bytes + 40 * MEBIBYTE + 100, 5000);
    cr_assert_eq(allocated_kib(&memory), before + 8);
    bypeer_memory_gather(&memory, bytes + 50 * MEBIBYTE, 0);
    bypeer_memory_gather(&memory, bytes + 127 * MEBIBYTE, 100 * MEBIBYTE);
    cr_assert_leq(allocated_kib(&memory), before + 8 + 2048);
    bypeer_memory_free(&memory);
}
