/*
 * Huge pages for a benchmark: borrowed from the kernel and given back, also when the program is interrupted.
 *
 * All that is compared in one run must lie on pages of one kind, so they are asked for once, for everything; if there
 * are not enough, everything uses normal pages.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define BENCH_HUGE_PAGE (UINT64_C(2) << 20)

/*
 * Makes at least bytes of free 2 MiB pages available, raising their number if this is root. Returns whether there are;
 * if not, nothing was changed. They are given back at exit and by SIGINT, SIGTERM and SIGHUP.
 */
bool bench_pages_borrow(uint64_t bytes);

/* Zeroed and resident memory on huge or normal pages; NULL: there is not so much. */
void *bench_pages_map(uint64_t bytes, bool huge);

/* What /proc/meminfo calls MemAvailable. */
uint64_t bench_pages_memory_available(void);
