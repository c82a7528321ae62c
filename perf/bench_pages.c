#include "perf/bench_pages.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MAP_HUGE_2MB
#define MAP_HUGE_2MB (21 << 26)
#endif

#define PAGES_TOTAL "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"
#define PAGES_FREE  "/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages"

/* What to write back, as text: a signal handler may not format. */
static char former_text[32];
static volatile sig_atomic_t borrowed;

static int64_t read_number(const char *path)
{
    FILE *file = fopen(path, "re");
    int64_t number = -1;
    if (file) {
        if (fscanf(file, "%" SCNd64, &number) != 1)
            number = -1;
        fclose(file);
    }
    return number;
}

static bool write_text(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t written = write(fd, text, strlen(text));
    close(fd);
    return written == (ssize_t)strlen(text);
}

static void pages_return(void)
{
    if (borrowed) {
        borrowed = 0;
        write_text(PAGES_TOTAL, former_text);
    }
}

/* Pages that are mapped now are freed by the kernel when the process ends, since the pool is smaller by then. */
static void pages_return_and_die(int number)
{
    pages_return();
    signal(number, SIG_DFL);
    raise(number);
}

bool bench_pages_borrow(uint64_t bytes)
{
    int64_t needed = (int64_t)((bytes + BENCH_HUGE_PAGE - 1) / BENCH_HUGE_PAGE);
    int64_t total = read_number(PAGES_TOTAL);
    int64_t free_now = read_number(PAGES_FREE);
    if (total < 0 || free_now < 0)
        return false;
    if (free_now >= needed)
        return true;

    char text[32];
    snprintf(text, sizeof(text), "%" PRId64, total + needed - free_now);
    snprintf(former_text, sizeof(former_text), "%" PRId64, total);
    borrowed = 1;
    atexit(pages_return);
    const struct sigaction action = {.sa_handler = pages_return_and_die};
    const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    for (unsigned i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        sigaction(signals[i], &action, NULL);
    if (write_text(PAGES_TOTAL, text) && read_number(PAGES_FREE) >= needed)
        return true;
    pages_return();
    return false;
}

void *bench_pages_map(uint64_t bytes, bool huge)
{
    bytes = (bytes + BENCH_HUGE_PAGE - 1) / BENCH_HUGE_PAGE * BENCH_HUGE_PAGE;
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE | (huge ? MAP_HUGETLB | MAP_HUGE_2MB : 0);
    void *base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, -1, 0);
    return base == MAP_FAILED ? NULL : base;
}

uint64_t bench_pages_memory_available(void)
{
    FILE *file = fopen("/proc/meminfo", "re");
    char line[128];
    uint64_t kibibytes = 0;
    while (file && fgets(line, sizeof(line), file)) {
        if (sscanf(line, "MemAvailable: %" SCNu64, &kibibytes) == 1)
            break;
    }
    if (file)
        fclose(file);
    return kibibytes * 1024;
}
