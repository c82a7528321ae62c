/* TLS between members: both ends in one process, their bytes carried by hand. */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdlib.h>
#include <string.h>

#include "control/groups/tls.h"
#include "overlay/graph/buffer.h"
#include "overlay/identity/identity.h"

struct end {
    struct bypeer_key *key;
    struct bypeer_certificate *idc;
    struct bypeer_tls *tls;
    struct bypeer_group_tls table;
    void *session;
    const char *why;
    int state;
};

static void end_open(struct end *end, enum bypeer_profile_id profile, const char *classifier, bool is_initiator)
{
    struct bypeer_peer_name name = {.secure = true};
    uint8_t random[BYPEER_CERTIFICATE_SERIAL] = {1, 2, 3};
    char text[160];
    const char *why;
    size_t length;
    *end = (struct end){0};
    cr_assert_eq(bypeer_key_generate(&end->key, bypeer_profile(profile)), 0);
    cr_assert_eq(bypeer_classifier_read(&name, classifier, text), 0);
    cr_assert_eq(bypeer_identity_certify(&end->idc, end->key, &name, NULL, 1000, 4000000000, random, &why), 0);
    const uint8_t *der = bypeer_certificate_der(end->idc, &length);
    cr_assert_eq(bypeer_tls_open(&end->tls, end->key, der, length), 0);
    end->table = bypeer_tls_functions(end->tls);
    cr_assert_eq(end->table.open(end->table.context, &end->session, is_initiator), 0);
}

static void end_close(struct end *end)
{
    end->table.close(end->table.context, end->session);
    bypeer_tls_close(end->tls);
    bypeer_certificate_free(end->idc);
    bypeer_key_free(end->key);
}

/* Takes bytes, appends the answer to out. */
static void end_take(struct end *end, const struct bypeer_buffer *bytes, struct bypeer_buffer *out)
{
    end->state = end->table.handshake(end->table.context, end->session, bytes->bytes, bytes->length, out, &end->why);
}

/* Until both are done, or one has failed. */
static void shake_hands(struct end *initiator, struct end *responder)
{
    struct bypeer_buffer there = {0}, back = {0};
    end_take(initiator, &back, &there);
    for (unsigned turn = 0; turn < 8 && initiator->state >= 0 && responder->state >= 0; turn++) {
        bypeer_buffer_clear(&back);
        if (there.length > 0)
            end_take(responder, &there, &back);
        bypeer_buffer_clear(&there);
        if (back.length > 0 && responder->state >= 0)
            end_take(initiator, &back, &there);
        if (there.length == 0)
            break;
    }
    bypeer_buffer_clear(&there);
    bypeer_buffer_clear(&back);
}

static void expect_says(struct end *from, struct end *to, const char *bytes, size_t length)
{
    struct bypeer_buffer sealed = {0}, opened = {0};
    cr_assert_eq(from->table.seal(from->table.context, from->session, (const uint8_t *)bytes, length, &sealed), 0);
    cr_assert_gt(sealed.length, length);
    cr_assert_null(memmem(sealed.bytes, sealed.length, bytes, length), "it is in the clear");
    /* In two pieces: a record may come in parts. */
    size_t half = sealed.length / 2;
    cr_assert_eq(to->table.unseal(to->table.context, to->session, sealed.bytes, half, &opened), 0);
    cr_assert_eq(to->table.unseal(to->table.context, to->session, sealed.bytes + half, sealed.length - half, &opened),
                 0);
    cr_assert_eq(opened.length, length);
    cr_assert_arr_eq(opened.bytes, bytes, length);
    bypeer_buffer_clear(&sealed);
    bypeer_buffer_clear(&opened);
}

static void expect_peer(struct end *end, const struct end *peer)
{
    size_t length, wanted;
    const uint8_t *der = end->table.peer(end->table.context, end->session, &length);
    const uint8_t *idc = bypeer_certificate_der(peer->idc, &wanted);
    cr_assert_eq(length, wanted);
    cr_assert_arr_eq(der, idc, length);
}

ParameterizedTestParameters(groups_tls, both_see_the_other_s_certificate_and_nobody_else_what_they_say)
{
    static int profiles[] = {BYPEER_PROFILE_MODERN, BYPEER_PROFILE_WINDOWS};
    return cr_make_param_array(int, profiles, 2);
}

ParameterizedTest(int *profile, groups_tls, both_see_the_other_s_certificate_and_nobody_else_what_they_say)
{
    static char text[40000];
    struct end initiator, responder;
    size_t length;
    end_open(&initiator, (enum bypeer_profile_id) * profile, "alice", true);
    end_open(&responder, (enum bypeer_profile_id) * profile, "bob", false);
    cr_assert_null(initiator.table.peer(initiator.table.context, initiator.session, &length));
    shake_hands(&initiator, &responder);
    cr_assert_eq(initiator.state, 1, "%s", initiator.why);
    cr_assert_eq(responder.state, 1, "%s", responder.why);
    expect_peer(&initiator, &responder);
    expect_peer(&responder, &initiator);
    for (size_t at = 0; at < sizeof(text); at++)
        text[at] = (char)(at * 7 + at / 251);
    expect_says(&initiator, &responder, text, 200);
    expect_says(&responder, &initiator, text, sizeof(text)); /* several records */
    end_close(&initiator);
    end_close(&responder);
}

Test(groups_tls, the_profiles_do_not_meet)
{
    struct end initiator, responder;
    end_open(&initiator, BYPEER_PROFILE_WINDOWS, "alice", true);
    end_open(&responder, BYPEER_PROFILE_MODERN, "bob", false);
    shake_hands(&initiator, &responder);
    cr_assert_lt(responder.state, 0);
    cr_assert_gt(strlen(responder.why), 0);
    end_close(&initiator);
    end_close(&responder);
}

Test(groups_tls, what_is_no_tls_ends_the_handshake_with_a_reason)
{
    struct end responder;
    struct bypeer_buffer bytes = {0}, out = {0};
    end_open(&responder, BYPEER_PROFILE_MODERN, "bob", false);
    bypeer_buffer_append(&bytes, "GET / HTTP/1.1\r\n\r\n", 18);
    end_take(&responder, &bytes, &out);
    cr_assert_lt(responder.state, 0);
    cr_assert_gt(strlen(responder.why), 0);
    bypeer_buffer_clear(&bytes);
    bypeer_buffer_clear(&out);
    end_close(&responder);
}

Test(groups_tls, a_changed_byte_is_not_opened)
{
    struct end initiator, responder;
    struct bypeer_buffer sealed = {0}, opened = {0};
    end_open(&initiator, BYPEER_PROFILE_MODERN, "alice", true);
    end_open(&responder, BYPEER_PROFILE_MODERN, "bob", false);
    shake_hands(&initiator, &responder);
    cr_assert_eq(
        initiator.table.seal(initiator.table.context, initiator.session, (const uint8_t *)"secret", 6, &sealed), 0);
    sealed.bytes[sealed.length - 1] ^= 1;
    cr_assert_lt(
        responder.table.unseal(responder.table.context, responder.session, sealed.bytes, sealed.length, &opened), 0);
    cr_assert_eq(opened.length, 0);
    bypeer_buffer_clear(&sealed);
    end_close(&initiator);
    end_close(&responder);
}

Test(groups_tls, a_key_that_is_not_the_certificate_s_is_refused)
{
    struct end end;
    struct bypeer_key *other;
    struct bypeer_tls *tls = NULL;
    size_t length;
    end_open(&end, BYPEER_PROFILE_MODERN, "alice", true);
    cr_assert_eq(bypeer_key_generate(&other, bypeer_profile(BYPEER_PROFILE_MODERN)), 0);
    const uint8_t *der = bypeer_certificate_der(end.idc, &length);
    cr_assert_lt(bypeer_tls_open(&tls, other, der, length), 0);
    cr_assert_null(tls);
    bypeer_key_free(other);
    end_close(&end);
}
