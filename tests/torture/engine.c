#include "tests/torture/engine.h"

#include <stdint.h>
#include <time.h>

#include <urcu-qsbr.h>

/* --- liburcu ------------------------------------------------------------------------------------------------------ */

static void urcu_begin(unsigned thread)
{
    (void)thread;
    rcu_register_thread();
}

static void urcu_end(void)
{
    rcu_unregister_thread();
}

static void urcu_quiescent(void)
{
    rcu_quiescent_state();
}

static void urcu_offline(void)
{
    rcu_thread_offline();
}

static void urcu_online(void)
{
    rcu_thread_online();
}

static void urcu_synchronize(void *unused)
{
    (void)unused;
    synchronize_rcu();
}

const struct torture_engine torture_engine_urcu = {
    .name = "urcu",
    .begin = urcu_begin,
    .end = urcu_end,
    .quiescent = urcu_quiescent,
    .offline = urcu_offline,
    .online = urcu_online,
    .synchronize = urcu_synchronize,
};

/* --- epoch slots -------------------------------------------------------------------------------------------------- */

#define EPOCH_SLOTS 64

static uint64_t epoch_now = 1;
static struct {
    _Alignas(64) uint64_t seen; /* 0: offline */
} epoch_slots[EPOCH_SLOTS];
static _Thread_local unsigned epoch_slot;

/* The slot must be seen before this thread's loads happen, and they must see what was taken out before the epoch. */
static void epoch_online(void)
{
    uint64_t epoch = __atomic_load_n(&epoch_now, __ATOMIC_SEQ_CST);
    __atomic_exchange_n(&epoch_slots[epoch_slot].seen, epoch, __ATOMIC_SEQ_CST);
    (void)__atomic_load_n(&epoch_now, __ATOMIC_SEQ_CST);
}

static void epoch_offline(void)
{
    __atomic_store_n(&epoch_slots[epoch_slot].seen, 0, __ATOMIC_RELEASE);
}

static void epoch_begin(unsigned thread)
{
    epoch_slot = thread % EPOCH_SLOTS;
    epoch_online();
}

static void epoch_quiescent(void)
{
    uint64_t epoch = __atomic_load_n(&epoch_now, __ATOMIC_ACQUIRE);
    __atomic_store_n(&epoch_slots[epoch_slot].seen, epoch, __ATOMIC_RELEASE);
}

static void epoch_synchronize(void *unused)
{
    (void)unused;
    uint64_t epoch = __atomic_add_fetch(&epoch_now, 1, __ATOMIC_SEQ_CST);
    for (unsigned i = 0; i < EPOCH_SLOTS; i++) {
        for (;;) {
            uint64_t seen = __atomic_load_n(&epoch_slots[i].seen, __ATOMIC_SEQ_CST);
            if (seen == 0 || seen >= epoch)
                break;
            nanosleep(&(struct timespec){.tv_nsec = 20000}, NULL);
        }
    }
}

const struct torture_engine torture_engine_epoch = {
    .name = "epoch",
    .begin = epoch_begin,
    .end = epoch_offline,
    .quiescent = epoch_quiescent,
    .offline = epoch_offline,
    .online = epoch_online,
    .synchronize = epoch_synchronize,
};
