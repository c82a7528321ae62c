/* The sanitizer build's word on what is not ours. */
#include "dataplane/room.h"

#ifdef BYPEER_ROOM_WATCHED
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:xsk_umem__create\n"; /* libxdp 1.3 forgets 80 bytes a queue */
}
#endif
