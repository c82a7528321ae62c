#include "overlay/tables/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <linux/memfd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#define PAGE_NORMAL UINT64_C(4096)
#define PAGE_2MB    (UINT64_C(1) << 21)
#define PAGE_1GB    (UINT64_C(1) << 30)

/* From here on 1 GiB pages: rounding up to one costs at most a quarter. */
#define PAGE_1GB_FROM (4 * PAGE_1GB)

static int memory_seals(enum bypeer_memory_use use)
{
    int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
    return use == BYPEER_MEMORY_SESSIONS ? seals : seals | F_SEAL_FUTURE_WRITE;
}

/* Whether pages come when they are touched. */
static bool memory_is_sparse(enum bypeer_memory_use use)
{
    return use == BYPEER_MEMORY_SESSIONS;
}

/*
 * Populating allocates every page, by huge ones where the advice is heeded, and fills in the page table. So a lack of
 * memory is an error here and not a SIGBUS later, and no worker takes a page fault. Sparse memory gets none of both but
 * where bypeer_memory_gather() asks for it: one touched entry would take 2 MiB.
 */
/*
 * Maps at a multiple of the size of a huge page: else the kernel could never use one for a part of the mapping, as its
 * place in the file and in memory would be out of step. A reservation finds the room.
 */
static void *memory_map(const struct bypeer_memory *memory, int protection, int flags)
{
    const uint64_t bytes = memory->bytes, step = memory->page_bytes > PAGE_2MB ? memory->page_bytes : PAGE_2MB;
    uint8_t *room = mmap(NULL, bytes + step, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (room == MAP_FAILED)
        return MAP_FAILED;
    uint8_t *base = room + (step - (uintptr_t)room % step) % step;
    if (base > room)
        munmap(room, (size_t)(base - room));
    munmap(base + bytes, (size_t)(room + step - base));
    void *mapped = mmap(base, bytes, protection, flags | MAP_FIXED, memory->fd, 0);
    if (mapped == MAP_FAILED)
        munmap(base, bytes);
    return mapped;
}

static int memory_fill(struct bypeer_memory *memory, enum bypeer_memory_use use)
{
    if (memory->bytes > INT64_MAX)
        return -ENOMEM;
    if (ftruncate(memory->fd, (off_t)memory->bytes))
        return -errno;
    void *base = memory_map(memory, PROT_READ | PROT_WRITE, MAP_SHARED);
    if (base == MAP_FAILED)
        return -errno;
    memory->base = base;
    /* The kernel may have no transparent huge pages for shared memory: advice, and nothing depends on it. */
    if (memory->page_bytes == PAGE_NORMAL && !memory_is_sparse(use))
        madvise(base, memory->bytes, MADV_HUGEPAGE);
    if (!memory_is_sparse(use) && madvise(base, memory->bytes, MADV_POPULATE_WRITE))
        return errno == EFAULT ? -ENOMEM : -errno;
    if (madvise(base, memory->bytes, MADV_DONTDUMP) || fcntl(memory->fd, F_ADD_SEALS, memory_seals(use)))
        return -errno;
    return 0;
}

/* What the kernel could give away without swapping; so much that it does not matter if it does not say. */
static uint64_t memory_available(void)
{
    char text[1024];
    int fd = open("/proc/meminfo", O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    if (fd >= 0)
        close(fd);
    if (length <= 0)
        return UINT64_MAX;
    text[length] = '\0';
    static const char name[] = "MemAvailable:";
    const char *line = strstr(text, name);
    return line ? strtoull(line + strlen(name), NULL, 10) << 10 : UINT64_MAX;
}

static int memory_try(struct bypeer_memory *ret_memory, enum bypeer_memory_use use, const char *name, uint64_t bytes,
                      uint64_t page_bytes)
{
    unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
    if (page_bytes == PAGE_2MB)
        flags |= MFD_HUGETLB | MFD_HUGE_2MB;
    else if (page_bytes == PAGE_1GB)
        flags |= MFD_HUGETLB | MFD_HUGE_1GB;
    if (bytes > UINT64_MAX - page_bytes)
        return -ENOMEM;

    struct bypeer_memory memory = {
        .bytes = (bytes + page_bytes - 1) & ~(page_bytes - 1),
        .page_bytes = page_bytes,
        .fd = memfd_create(name, flags),
        .writable = true,
    };
    if (memory.fd < 0)
        return -errno;
    int error = memory_fill(&memory, use);
    if (error) {
        bypeer_memory_free(&memory);
        return error;
    }
    *ret_memory = memory;
    return 0;
}

int bypeer_memory_create(struct bypeer_memory *ret_memory, enum bypeer_memory_use use, const char *name, uint64_t bytes,
                         bool huge)
{
    if (bytes == 0)
        return -EINVAL;
    if (huge && use != BYPEER_MEMORY_SESSIONS) {
        if (bytes >= PAGE_1GB_FROM && memory_try(ret_memory, use, name, bytes, PAGE_1GB) == 0)
            return 0;
        if (memory_try(ret_memory, use, name, bytes, PAGE_2MB) == 0)
            return 0;
    }
    /* Normal pages are overcommitted: to take more than there is would not fail but kill some process. */
    if (!memory_is_sparse(use) && bytes > memory_available())
        return -ENOMEM;
    return memory_try(ret_memory, use, name, bytes, PAGE_NORMAL);
}

static int refuse(char why[static BYPEER_REGION_WHY_BYTES], const char *what)
{
    snprintf(why, BYPEER_REGION_WHY_BYTES, "%s", what);
    return -EPROTO;
}

static int memory_check(enum bypeer_memory_use use, int fd, uint64_t bytes_max, struct bypeer_memory *memory,
                        char why[static BYPEER_REGION_WHY_BYTES])
{
    struct stat status;
    struct statfs system;
    int seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0 || fstat(fd, &status) || !S_ISREG(status.st_mode) || fstatfs(fd, &system))
        return refuse(why, "descriptor is not that of a memfd");
    int missing = memory_seals(use) & ~seals;
    /* A seal against all writing is more than one against future writers. */
    if (seals & F_SEAL_WRITE)
        missing &= ~F_SEAL_FUTURE_WRITE;
    if (missing) {
        snprintf(why, BYPEER_REGION_WHY_BYTES, "memfd has seals %#x, which lack %#x", (unsigned)seals,
                 (unsigned)missing);
        return -EPROTO;
    }
    bool huge = (uint64_t)system.f_type == HUGETLBFS_MAGIC;
    if (huge && use == BYPEER_MEMORY_SESSIONS)
        return refuse(why, "sessions memfd is of huge pages, in which its writer could punch deadly holes");

    uint64_t page_bytes = huge ? (uint64_t)system.f_bsize : PAGE_NORMAL;
    uint64_t bytes = (uint64_t)status.st_size;
    if (bytes == 0 || bytes % page_bytes) {
        snprintf(why, BYPEER_REGION_WHY_BYTES, "memfd of %" PRIu64 " bytes is not whole pages of %" PRIu64, bytes,
                 page_bytes);
        return -EPROTO;
    }
    if (bytes > bytes_max) {
        snprintf(why, BYPEER_REGION_WHY_BYTES, "memfd has %" PRIu64 " bytes; at most %" PRIu64 " are accepted", bytes,
                 bytes_max);
        return -EFBIG;
    }
    *memory = (struct bypeer_memory){.bytes = bytes, .page_bytes = page_bytes, .fd = fd};
    return 0;
}

int bypeer_memory_receive(struct bypeer_memory *ret_memory, enum bypeer_memory_use use, int fd, uint64_t bytes_max,
                          bool writable, char why[static BYPEER_REGION_WHY_BYTES])
{
    struct bypeer_memory memory;
    int error = memory_check(use, fd, bytes_max, &memory, why);
    if (error)
        return error;

    memory.writable = writable && use == BYPEER_MEMORY_SESSIONS;
    int protection = PROT_READ | (memory.writable ? PROT_WRITE : 0);
    /* Workers must not wait for pages; nobody else needs pages of a region that its sender may have made of holes. */
    int populate = use == BYPEER_MEMORY_TABLES ? MAP_POPULATE : 0;
    memory.base = memory_map(&memory, protection, MAP_SHARED | populate);
    if (memory.base == MAP_FAILED) {
        error = -errno;
        snprintf(why, BYPEER_REGION_WHY_BYTES, "cannot map %" PRIu64 " bytes: %s", memory.bytes, strerror(-error));
        return error;
    }
    /* Advice that may be refused: huge page tables where the maker got transparent ones, and no place in a core dump.
     */
    if (memory.page_bytes == PAGE_NORMAL && !memory_is_sparse(use))
        madvise(memory.base, memory.bytes, MADV_HUGEPAGE);
    if (madvise(memory.base, memory.bytes, MADV_DONTDUMP)) {
        error = -errno;
        munmap(memory.base, memory.bytes);
        snprintf(why, BYPEER_REGION_WHY_BYTES, "cannot keep the memory out of core dumps: %s", strerror(-error));
        return error;
    }
    *ret_memory = memory;
    return 0;
}

/* Linux 6.1; older headers do not say it, and older kernels refuse it. */
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

/* From here on large pages are worth asking for: the kernel waits for all processors first, which takes 100 ms on a
 * machine that is busy, and a processor remembers the addresses of so many normal pages. */
#define GATHER_2MB_FROM (16 * (UINT64_C(1) << 20))

void bypeer_memory_gather(const struct bypeer_memory *memory, const void *from, uint64_t bytes)
{
    const uint64_t step = bytes < GATHER_2MB_FROM ? PAGE_NORMAL : PAGE_2MB;
    uint64_t begin = (uint64_t)((const uint8_t *)from - (const uint8_t *)memory->base), end = begin + bytes;
    begin -= begin % step;
    end += (step - end % step) % step;
    if (end > memory->bytes)
        end = memory->bytes - memory->bytes % step;
    if (end <= begin)
        return;
    uint8_t *base = (uint8_t *)memory->base + begin;
    /* Pages that the kernel has not got, or will not make large, come one by one when they are touched. */
    if (madvise(base, end - begin, MADV_POPULATE_WRITE) == 0 && step == PAGE_2MB)
        madvise(base, end - begin, MADV_COLLAPSE);
}

void bypeer_memory_free(struct bypeer_memory *memory)
{
    if (memory->base)
        munmap(memory->base, memory->bytes);
    if (memory->fd >= 0)
        close(memory->fd);
    *memory = (struct bypeer_memory)BYPEER_MEMORY_NONE;
}
