/*
 * After a restart of bypeerd: clients that this node carried are carried on, if the data plane lived on.
 */
#include <criterion/criterion.h>

#include "attach_fixture.h"
#include "control/attach/plan.h"
#include "control/dataplane/channel.h"

static struct bypeer_session session;

TestSuite(attach_restart, .init = set_up, .fini = tear_down);

/* A client that this node carried says its record; the data plane is not back yet. Returns the client's link. */
static const struct bypeer_model_link *restart(void)
{
    struct person *client = add_person("phone", 3, BYPEER_ROLE_MEMBER);
    fixture.node.channel = (struct bypeer_channel *)&fixture; /* only its sessions are asked for */
    attach_by(&people[0], client, 9);
    open_attach();
    const struct bypeer_model_link *link = bypeer_model_link(fixture.node.model, way_to(client)->link);
    cr_assert(link && link->id < PEERS);
    return link;
}

static bool is_carried(void)
{
    struct bypeer_attachment attachment;
    cr_assert(own_record(0, &attachment));
    return attachment.priority < BYPEER_PLAN_STANDBY;
}

Test(attach_restart, who_was_carried_stays_so_while_the_data_plane_lives_on)
{
    const struct bypeer_model_link *link = restart();
    cr_assert(is_carried(), "nobody knows better");
    change();
    cr_assert(is_carried());
    peers[link->id] = (struct bypeer_peer_state){.link_serial = link->serial, .activity.received_ns = uv_hrtime()};
    sessions.entries = &session;
    change();
    cr_assert(is_carried());
    cr_assert_eq(record_count, 2, "its own and the client's");
}

Test(attach_restart, who_was_carried_stands_by_once_new_sessions_know_nothing)
{
    restart();
    sessions.entries = &session;
    change();
    cr_assert_not(is_carried());
}

Test(attach_restart, who_was_carried_stands_by_when_no_data_plane_comes)
{
    restart();
    while (is_carried())
        uv_run(&loop, UV_RUN_ONCE);
}
