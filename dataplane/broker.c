#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <rte_cycles.h>

#define URCU_INLINE_SMALL_FUNCTIONS
#include <urcu-qsbr.h>

#include "dataplane/broker.h"
#include "dataplane/log.h"
#include "overlay/tables/grace.h"

#define FIRST_ALARM_MS 100

/* --- the thread --------------------------------------------------------------------------------------------------- */

static void broker_synchronize(void *context)
{
    struct bypeer_broker *broker = context;
    __atomic_store_n(&broker->waits_since_tsc, rte_rdtsc(), __ATOMIC_RELAXED);
    synchronize_rcu();
    __atomic_store_n(&broker->waits_since_tsc, 0, __ATOMIC_RELAXED);
}

static void broker_signal(int event)
{
    uint64_t one = 1;
    while (write(event, &one, sizeof(one)) < 0 && errno == EINTR)
        ;
}

static void broker_do_change(struct bypeer_broker *broker, struct bypeer_view *next)
{
    struct bypeer_view *old = bypeer_view_swap(next);
    broker_synchronize(broker);
    bypeer_grace_use(broker->status, next->tables.header != NULL ? next->tables.generation : 0);
    pthread_mutex_lock(&broker->mutex);
    broker->old = old;
    pthread_mutex_unlock(&broker->mutex);
    broker_signal(broker->done);
}

static void *broker_run(void *argument)
{
    struct bypeer_broker *broker = argument;
    const struct bypeer_tables_header *tables = NULL; /* in use: freed only after a change that this thread made */
    pthread_setname_np(pthread_self(), "bypeer-broker");
    for (;;) {
        uint64_t wakes;
        if (read(broker->wake, &wakes, sizeof(wakes)) < 0 && errno != EINTR)
            return NULL;
        pthread_mutex_lock(&broker->mutex);
        struct bypeer_view *next = broker->next;
        bool stop = broker->stop;
        broker->next = NULL;
        pthread_mutex_unlock(&broker->mutex);
        if (next != NULL) {
            broker_do_change(broker, next);
            tables = next->tables.header;
        }
        if (stop)
            return NULL;
        if (tables != NULL)
            bypeer_grace_serve(broker->status, tables, broker_synchronize, broker);
    }
}

/* --- main --------------------------------------------------------------------------------------------------------- */

int bypeer_broker_start(struct bypeer_broker *ret_broker, struct bypeer_status_header *status)
{
    struct bypeer_broker *broker = ret_broker;
    memset(broker, 0, sizeof(*broker));
    broker->status = status;
    broker->alarm_ms = FIRST_ALARM_MS;
    broker->wake = eventfd(0, EFD_CLOEXEC);
    broker->done = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pthread_mutex_init(&broker->mutex, NULL);
    int result = broker->wake < 0 || broker->done < 0 ? errno : 0;
    if (result == 0)
        result = pthread_create(&broker->thread, NULL, broker_run, broker);
    broker->running = result == 0;
    if (result != 0)
        bypeer_broker_stop(broker);
    return -result;
}

void bypeer_broker_stop(struct bypeer_broker *broker)
{
    if (broker->running) {
        pthread_mutex_lock(&broker->mutex);
        broker->stop = true;
        pthread_mutex_unlock(&broker->mutex);
        broker_signal(broker->wake);
        pthread_join(broker->thread, NULL);
        broker->running = false;
    }
    if (broker->wake >= 0)
        close(broker->wake);
    if (broker->done >= 0)
        close(broker->done);
    broker->wake = broker->done = -1;
    pthread_mutex_destroy(&broker->mutex);
}

void bypeer_broker_wake(struct bypeer_broker *broker)
{
    broker_signal(broker->wake);
}

void bypeer_broker_change(struct bypeer_broker *broker, struct bypeer_view *next)
{
    pthread_mutex_lock(&broker->mutex);
    broker->next = next;
    pthread_mutex_unlock(&broker->mutex);
    broker_signal(broker->wake);
}

struct bypeer_view *bypeer_broker_take_old(struct bypeer_broker *broker)
{
    uint64_t changes;
    if (read(broker->done, &changes, sizeof(changes)) < 0)
        return NULL;
    pthread_mutex_lock(&broker->mutex);
    struct bypeer_view *old = broker->old;
    broker->old = NULL;
    pthread_mutex_unlock(&broker->mutex);
    return old;
}

void bypeer_broker_watch(struct bypeer_broker *broker, const struct bypeer_workers *workers)
{
    uint64_t since = __atomic_load_n(&broker->waits_since_tsc, __ATOMIC_RELAXED);
    if (since == 0) {
        if (broker->alarm_ms > FIRST_ALARM_MS)
            bypeer_log(BYPEER_LOG_INFO, "all workers are quiescent again");
        broker->alarm_ms = FIRST_ALARM_MS;
        return;
    }
    uint64_t ms = (rte_rdtsc() - since) * 1000 / rte_get_tsc_hz();
    if (ms < broker->alarm_ms)
        return;
    for (uint16_t i = 0; i < workers->count; i++) {
        const struct bypeer_worker_thread *thread = &workers->threads[i];
        uint64_t quiescent = __atomic_load_n(&thread->status->quiescent_tsc, __ATOMIC_RELAXED);
        if (quiescent < since && !bypeer_wakeup_sleeps(&thread->wakeup))
            bypeer_log(
                BYPEER_LOG_WARNING,
                "worker %u has not finished its walk for %lu ms; until it does, control cannot reuse memory of the "
                "tables; is its core free, does its device block?",
                i, (unsigned long)ms);
    }
    while (broker->alarm_ms <= ms)
        broker->alarm_ms *= 2;
}
