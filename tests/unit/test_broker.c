/* A worker that does not finish its walk is named, again each time the wait has doubled, and only it. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>
#include <rte_cycles.h>
#include <rte_eal.h>
#include <urcu-qsbr.h>

#include "dataplane/broker.h"

static struct bypeer_status_header status;
static struct bypeer_status_worker rows[3];
static struct bypeer_worker_thread threads[3];
static struct bypeer_workers workers = {.count = 3, .threads = threads};
static struct bypeer_broker broker;
static struct bypeer_view first, second;
static uint32_t late; /* 1: it is in its walk; 2: let it end */

static void *late_run(void *argument)
{
    (void)argument;
    rcu_register_thread();
    __atomic_store_n(&late, 1, __ATOMIC_RELEASE);
    while (__atomic_load_n(&late, __ATOMIC_ACQUIRE) == 1)
        usleep(1000);
    rcu_unregister_thread();
    return NULL;
}

/* Watches for so long; returns what was said. */
static char *watch(unsigned ms)
{
    static char said[4096];
    char file[] = "/tmp/bypeer-test-XXXXXX";
    int fd = mkstemp(file), stderr_fd = dup(STDERR_FILENO);
    cr_assert_geq(fd, 0);
    unlink(file);
    dup2(fd, STDERR_FILENO);
    for (unsigned i = 0; i < ms; i++) {
        bypeer_broker_watch(&broker, &workers);
        usleep(1000);
    }
    dup2(stderr_fd, STDERR_FILENO);
    close(stderr_fd);
    ssize_t bytes = pread(fd, said, sizeof(said) - 1, 0);
    cr_assert_geq(bytes, 0);
    said[bytes] = '\0';
    close(fd);
    return said;
}

static unsigned count(const char *text, const char *what)
{
    unsigned found = 0;
    for (const char *at = text; (at = strstr(at, what)) != NULL; at++)
        found++;
    return found;
}

Test(broker, names_a_late_worker, .timeout = 30)
{
    char *arguments[] = {"test",
                         "--no-huge",
                         "--no-shconf",
                         "-m",
                         "16",
                         "--no-pci",
                         "--file-prefix=bypeer-test-broker",
                         "--log-level=*:error",
                         "--no-telemetry",
                         "--iova-mode=va",
                         NULL};
    cr_assert_geq(rte_eal_init(10, arguments), 0);
    for (unsigned i = 0; i < 3; i++)
        threads[i].status = &rows[i];
    threads[2].wakeup.asleep = 1;
    bypeer_view_swap(&first);
    cr_assert_eq(bypeer_broker_start(&broker, &status), 0);
    pthread_t reader;
    cr_assert_eq(pthread_create(&reader, NULL, late_run, NULL), 0);
    while (__atomic_load_n(&late, __ATOMIC_ACQUIRE) != 1)
        usleep(100);

    bypeer_broker_change(&broker, &second);
    usleep(5000);
    rows[0].quiescent_tsc = rte_rdtsc(); /* worker 0 walks on, 1 is late, 2 sleeps */
    const char *said = watch(900);
    cr_assert_geq(count(said, "worker 1 has not finished its walk"), 2, "said: %s", said);
    cr_assert_leq(count(said, "worker 1"), 8, "not once a turn: %s", said);
    cr_assert_eq(count(said, "worker 0") + count(said, "worker 2"), 0, "said: %s", said);

    __atomic_store_n(&late, 2, __ATOMIC_RELEASE);
    pthread_join(reader, NULL);
    struct bypeer_view *old;
    while ((old = bypeer_broker_take_old(&broker)) == NULL)
        usleep(100);
    cr_assert_eq(old, &first);
    cr_assert_eq(count(watch(5), "quiescent again"), 1);
    bypeer_broker_stop(&broker);
    rmdir(rte_eal_get_runtime_dir());
    rte_eal_cleanup();
}
