#include <errno.h>
#include <string.h>

#include <sys/capability.h>

#include "dataplane/privilege.h"

static void *privilege_run(void *argument)
{
    struct bypeer_privilege *privilege = argument;
    while (sem_wait(&privilege->order) < 0)
        continue; /* a signal */
    if (privilege->work != NULL)
        privilege->status = privilege->work(privilege->argument);
    return NULL;
}

/* Of the calling thread alone, for good: neither it nor what it starts can take the capability again. */
static int privilege_drop(void)
{
    static const cap_value_t dropped[] = {CAP_SYS_ADMIN};
    cap_t capabilities = cap_get_proc();
    if (capabilities == NULL)
        return -errno;
    int status = 0;
    for (cap_flag_t flag = CAP_EFFECTIVE; flag <= CAP_INHERITABLE && status == 0; flag++)
        status = cap_set_flag(capabilities, flag, 1, dropped, CAP_CLEAR);
    if (status == 0)
        status = cap_set_proc(capabilities);
    status = status < 0 ? -errno : 0;
    cap_free(capabilities);
    return status;
}

int bypeer_privilege_set_apart(struct bypeer_privilege *ret_privilege)
{
    memset(ret_privilege, 0, sizeof(*ret_privilege));
    sem_init(&ret_privilege->order, 0, 0);
    int status = pthread_create(&ret_privilege->thread, NULL, privilege_run, ret_privilege);
    if (status != 0)
        return -status;
    ret_privilege->waits = true;
    status = privilege_drop();
    if (status < 0)
        bypeer_privilege_end(ret_privilege);
    return status;
}

int bypeer_privilege_use(struct bypeer_privilege *privilege, int (*work)(void *), void *argument)
{
    privilege->work = work;
    privilege->argument = argument;
    bypeer_privilege_end(privilege);
    return privilege->status;
}

void bypeer_privilege_end(struct bypeer_privilege *privilege)
{
    if (!privilege->waits)
        return;
    privilege->waits = false;
    sem_post(&privilege->order);
    pthread_join(privilege->thread, NULL);
    sem_destroy(&privilege->order);
}
