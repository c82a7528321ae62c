#include "perf/bench_pages.h"

#include <fcntl.h>
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

/* So many pages are to be given back. Others may borrow at the same time, so this is a difference, not a total. */
static volatile sig_atomic_t borrowed;

/* These two also run in a signal handler: no stdio. */
static int64_t read_number(const char *path)
{
    char text[32];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    ssize_t length = read(fd, text, sizeof(text));
    close(fd);
    int64_t number = 0;
    for (ssize_t i = 0; i < length && text[i] >= '0' && text[i] <= '9'; i++)
        number = number * 10 + (text[i] - '0');
    return length > 0 ? number : -1;
}

static bool write_number(const char *path, int64_t number)
{
    char text[32];
    size_t start = sizeof(text);
    do {
        text[--start] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t written = write(fd, text + start, sizeof(text) - start);
    close(fd);
    return written == (ssize_t)(sizeof(text) - start);
}

static void pages_return(void)
{
    int64_t pages = borrowed;
    borrowed = 0;
    int64_t total = pages > 0 ? read_number(PAGES_TOTAL) : -1;
    if (total >= 0)
        write_number(PAGES_TOTAL, total > pages ? total - pages : 0);
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

    borrowed = (sig_atomic_t)(needed - free_now);
    atexit(pages_return);
    const struct sigaction action = {.sa_handler = pages_return_and_die};
    const int signals[] = {SIGINT, SIGTERM, SIGHUP};
    for (unsigned i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        sigaction(signals[i], &action, NULL);
    if (write_number(PAGES_TOTAL, total + needed - free_now) && read_number(PAGES_FREE) >= needed)
        return true;
    /* What the kernel did find goes back at once. */
    int64_t found = read_number(PAGES_TOTAL) - total;
    borrowed = (sig_atomic_t)(found > 0 ? found : 0);
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
    static const char name[] = "MemAvailable:";
    FILE *file = fopen("/proc/meminfo", "re");
    char line[128];
    uint64_t kibibytes = 0;
    while (file && kibibytes == 0 && fgets(line, sizeof(line), file)) {
        if (strncmp(line, name, sizeof(name) - 1) == 0)
            kibibytes = strtoull(line + sizeof(name) - 1, NULL, 10);
    }
    if (file)
        fclose(file);
    return kibibytes * 1024;
}
