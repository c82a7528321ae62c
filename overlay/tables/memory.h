/*
 * Memory that two processes share: a memfd, its mapping, its seals. The only file of overlay/ that makes system calls
 * for files, because a region without its seals would be another contract.
 *
 * The maker creates a memfd (huge pages where there are enough free, else normal ones), allocates every page of it
 * (but of sessions), maps it, and only then seals it: of tables and status the maker's mapping is the last writable one
 * that will ever exist. Whoever gets the
 * descriptor checks size and seals before he maps, so that nobody can shrink the memory under him (SIGBUS) or hand him
 * something that is no memfd at all.
 *
 *   use       who writes                      seals                                pages
 *   tables    the maker alone                 shrink, grow, future write, seal     huge or normal
 *   status    the maker alone                 shrink, grow, future write, seal     huge or normal
 *   sessions  each data plane in turn         shrink, grow, seal                   normal, when they are touched
 *
 * Sessions are made at their largest size, so that they never have to grow, and most of that is never touched: a page
 * is allocated when somebody first writes to it, or reads it. A worker would wait some microseconds for each page that
 * it is the first to touch, so what the tables can refer to is gathered before they are used.
 *
 * Sessions are not of huge pages, because he who may write may punch a hole, and a hole in huge pages is a SIGBUS for
 * the reader when the pool is empty; a hole in normal pages reads as zero. The normal pages of the others may still be
 * backed by transparent huge ones; they are asked for.
 *
 * All mappings are kept out of core dumps: they hold keys.
 *
 * Thread: any; calls that create or receive take milliseconds per gigabyte.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "overlay/tables/region.h"

enum bypeer_memory_use {
    BYPEER_MEMORY_TABLES,
    BYPEER_MEMORY_STATUS,
    BYPEER_MEMORY_SESSIONS,
};

struct bypeer_memory {
    void *base;          /* NULL: none */
    uint64_t bytes;      /* of the file, a multiple of page_bytes; all of it is mapped */
    uint64_t page_bytes; /* 4096, 2 MiB or 1 GiB */
    int fd;              /* close-on-exec; -1: none */
    bool writable;       /* this mapping */
};

#define BYPEER_MEMORY_NONE \
    {                      \
        .fd = -1           \
    }

/*
 * Makes at least bytes of zeroed memory for this use, allocated (but of sessions), mapped read-write and sealed. huge:
 * try huge pages first (1 GiB ones from 4 GiB on, then 2 MiB), and take normal ones where there are not enough; name is
 * for /proc. Returns 0, -EINVAL (bytes is 0), -ENOMEM (also when the machine has less available than is to be
 * allocated), or what memfd_create, ftruncate, mmap, madvise or fcntl said.
 */
int bypeer_memory_create(struct bypeer_memory *ret_memory, enum bypeer_memory_use use, const char *name, uint64_t bytes,
                         bool huge);

/*
 * Maps what another process sent as fd, after checking that it is a memfd with the seals of this use, not larger than
 * bytes_max. Tables and status are mapped read-only; sessions read-write if writable.
 * On success fd belongs to the memory. On failure it stays the caller's, *ret_memory is untouched and why says in one
 * line what was found. Returns 0, -EPROTO (no memfd, seals or pages of another use), -EFBIG, or what mmap said.
 */
int bypeer_memory_receive(struct bypeer_memory *ret_memory, enum bypeer_memory_use use, int fd, uint64_t bytes_max,
                          bool writable, char why[static BYPEER_REGION_WHY_BYTES]);

/*
 * Has a part of writable sessions, bytes from an address in them, allocated now, and from 16 MiB on made of transparent
 * huge pages: a worker that looks at one of a million entries waits for the translation of its address longer than for
 * the entry. Advice: what the kernel refuses stays as it is. Takes milliseconds for each 2 MiB that are not gathered
 * yet, in which nobody else can touch them.
 */
void bypeer_memory_gather(const struct bypeer_memory *memory, const void *from, uint64_t bytes);

/* Unmaps and closes; *memory is none afterwards. None is fine. */
void bypeer_memory_free(struct bypeer_memory *memory);
