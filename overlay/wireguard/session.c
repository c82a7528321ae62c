#include "overlay/wireguard/session.h"

#include <xxhash.h>

static uint32_t session_checksum(const struct bypeer_wireguard_session *session)
{
    return (uint32_t)XXH3_64bits(session, offsetof(struct bypeer_wireguard_session, checksum));
}

void bypeer_wireguard_session_finish(struct bypeer_wireguard_session *session)
{
    session->checksum = session_checksum(session);
}

bool bypeer_wireguard_session_is_whole(const struct bypeer_wireguard_session *session)
{
    return session->local_index != 0 && session->checksum == session_checksum(session);
}
