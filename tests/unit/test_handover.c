#include <errno.h>
#include <string.h>

#include <criterion/criterion.h>

#include "overlay/tables/handover.h"

static struct bypeer_handover hello(void)
{
    return (struct bypeer_handover){
        .type = BYPEER_HANDOVER_HELLO,
        .hello = {.pid = 1234,
                  .start_ticks = 5678,
                  .layout_oldest = 1,
                  .layout_newest = 2,
                  .has_sessions = 1,
                  .has_tables = 1,
                  .release = "0.1.0"},
    };
}

Test(handover, hello_arrives_as_it_was)
{
    uint8_t bytes[BYPEER_HANDOVER_MAX];
    struct bypeer_handover sent = hello(), got;
    size_t length = bypeer_handover_write(&sent, bytes);
    cr_assert_eq(bypeer_handover_read(&got, bytes, length), 0);
    cr_assert_eq(got.type, BYPEER_HANDOVER_HELLO);
    cr_assert_eq(got.hello.pid, 1234);
    cr_assert_eq(got.hello.start_ticks, 5678);
    cr_assert_eq(got.hello.layout_oldest, 1);
    cr_assert_eq(got.hello.layout_newest, 2);
    cr_assert_str_eq(got.hello.release, "0.1.0");
    cr_assert_eq(bypeer_handover_fds(&got), 3);
}

Test(handover, ports_arrive_all_sixteen)
{
    uint8_t bytes[BYPEER_HANDOVER_MAX];
    struct bypeer_handover sent = {.type = BYPEER_HANDOVER_PORTS, .ports = {.count = BYPEER_HANDOVER_PORTS_MAX}}, got;
    for (unsigned i = 0; i < BYPEER_HANDOVER_PORTS_MAX; i++)
        sent.ports.port[i] =
            (struct bypeer_handover_port){.name = "uplink", .mac = {2, 0, 0, 0, 0, (uint8_t)i}, .mtu = 1500};
    cr_assert_eq(bypeer_handover_read(&got, bytes, bypeer_handover_write(&sent, bytes)), 0);
    cr_assert_eq(got.ports.count, BYPEER_HANDOVER_PORTS_MAX);
    cr_assert_eq(got.ports.port[15].mac[5], 15);
    cr_assert_str_eq(got.ports.port[15].name, "uplink");
    cr_assert_eq(bypeer_handover_fds(&got), 0);
}

Test(handover, every_type_says_how_many_descriptors_it_has)
{
    struct bypeer_handover message = {.type = BYPEER_HANDOVER_TABLES};
    cr_assert_eq(bypeer_handover_fds(&message), 1);
    message.type = BYPEER_HANDOVER_SESSIONS_MADE;
    cr_assert_eq(bypeer_handover_fds(&message), 1);
    message = (struct bypeer_handover){.type = BYPEER_HANDOVER_SESSIONS};
    cr_assert_eq(bypeer_handover_fds(&message), 0);
    message.sessions.has_fd = 1;
    cr_assert_eq(bypeer_handover_fds(&message), 1);
    message = (struct bypeer_handover){.type = BYPEER_HANDOVER_MAPPED};
    cr_assert_eq(bypeer_handover_fds(&message), 0);
}

Test(handover, refuses_what_is_cut_anywhere)
{
    uint8_t bytes[BYPEER_HANDOVER_MAX];
    struct bypeer_handover sent = hello(), got = {.type = BYPEER_HANDOVER_GRACE};
    size_t length = bypeer_handover_write(&sent, bytes);
    for (size_t cut = 0; cut < length; cut++) {
        cr_assert_eq(bypeer_handover_read(&got, bytes, cut), -EBADMSG, "cut at %zu", cut);
        /* The same with a length field that agrees. */
        uint8_t shorter[BYPEER_HANDOVER_MAX];
        memcpy(shorter, bytes, length);
        if (cut >= 8) {
            uint32_t rest = (uint32_t)cut - 8;
            memcpy(shorter + 4, &rest, sizeof(rest));
            cr_assert_eq(bypeer_handover_read(&got, shorter, cut), -EBADMSG, "cut at %zu", cut);
        }
    }
    cr_assert_eq(got.type, BYPEER_HANDOVER_GRACE, "a failed read leaves the message as it was");
}

Test(handover, reads_what_a_later_release_appended)
{
    uint8_t bytes[BYPEER_HANDOVER_MAX];
    struct bypeer_handover sent = hello(), got;
    size_t length = bypeer_handover_write(&sent, bytes);
    memset(bytes + length, 0xee, 12);
    uint32_t rest = (uint32_t)length + 12 - 8;
    memcpy(bytes + 4, &rest, sizeof(rest));
    cr_assert_eq(bypeer_handover_read(&got, bytes, length + 12), 0);
    cr_assert_str_eq(got.hello.release, "0.1.0");
}

Test(handover, tells_a_type_of_another_release_from_nonsense)
{
    struct bypeer_handover got;
    uint32_t bytes[3] = {4711, 4, 0};
    cr_assert_eq(bypeer_handover_read(&got, (uint8_t *)bytes, sizeof(bytes)), -ENOMSG);
    bytes[1] = 5;
    cr_assert_eq(bypeer_handover_read(&got, (uint8_t *)bytes, sizeof(bytes)), -EBADMSG);
    struct bypeer_handover unknown = {.type = (enum bypeer_handover_type)4711};
    uint8_t buffer[BYPEER_HANDOVER_MAX];
    cr_assert_eq(bypeer_handover_write(&unknown, buffer), 0);
}

Test(handover, refuses_strings_without_end_counts_too_large_and_flags_that_are_none)
{
    uint8_t bytes[BYPEER_HANDOVER_MAX];
    struct bypeer_handover got, sent = hello();
    size_t length = bypeer_handover_write(&sent, bytes);
    memset(bytes + length - 32, 'x', 32);
    cr_assert_eq(bypeer_handover_read(&got, bytes, length), -EBADMSG);

    length = bypeer_handover_write(&sent, bytes);
    bytes[8 + 8 + 8 + 4 + 4] = 2; /* has_sessions */
    cr_assert_eq(bypeer_handover_read(&got, bytes, length), -EBADMSG);

    sent = (struct bypeer_handover){.type = BYPEER_HANDOVER_PORTS, .ports = {.count = 1}};
    length = bypeer_handover_write(&sent, bytes);
    bytes[8] = BYPEER_HANDOVER_PORTS_MAX + 1;
    cr_assert_eq(bypeer_handover_read(&got, bytes, length), -EBADMSG);
    sent.ports.count = BYPEER_HANDOVER_PORTS_MAX + 1;
    cr_assert_eq(bypeer_handover_write(&sent, bytes), 0);

    sent = (struct bypeer_handover){.type = BYPEER_HANDOVER_TRACED, .traced = {.head_bytes = 129}};
    cr_assert_eq(bypeer_handover_write(&sent, bytes), 0);
}

Test(handover, cuts_a_string_that_has_no_end_when_writing)
{
    uint8_t bytes[BYPEER_HANDOVER_MAX];
    struct bypeer_handover got,
        sent = {.type = BYPEER_HANDOVER_REFUSED, .refused = {.generation = 3, .error = -EPROTO}};
    memset(sent.refused.text, 'y', sizeof(sent.refused.text));
    cr_assert_eq(bypeer_handover_read(&got, bytes, bypeer_handover_write(&sent, bytes)), 0);
    cr_assert_eq(strlen(got.refused.text), sizeof(got.refused.text) - 1);
    cr_assert_eq(got.refused.error, -EPROTO);
}
