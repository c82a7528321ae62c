/* Two ends of ours wired together, in a time of the test's own: handshakes, floods, cookies, rekeying. */
#include <criterion/criterion.h>
#include <string.h>

#include "tests/unit/pnrp_bytes.h"
#include "tests/wireguard_end.h"

#define S        BYPEER_WIREGUARD_S
#define EPOCH_NS (UINT64_C(1700000000) * S)

static struct wireguard_end left, right;
static uint8_t left_private[32] = {1, 2, 3}, right_private[32] = {4, 5, 6}, other_private[32] = {7, 8, 9};
static const uint8_t preshared[32] = {0x55}, other_preshared[32] = {0x56};
static const uint8_t left_source[6] = {10, 0, 0, 1, 0x10, 0x20}, right_source[6] = {10, 0, 0, 2, 0x10, 0x20};
static const uint8_t packet[40] = {0x60};

static struct bypeer_wireguard_time at(uint64_t ns)
{
    return (struct bypeer_wireguard_time){.ns = 1000 * S + ns, .unix_ns = EPOCH_NS + ns};
}

static void public_of(const uint8_t private_key[static 32], uint8_t ret_public[static 32])
{
    struct bypeer_crypto_pair *pair;
    cr_assert_eq(bypeer_crypto_pair_new(&pair, private_key, ret_public), 0);
    bypeer_crypto_pair_free(pair);
}

/* right believes that its peer has the key of believed_private. */
static void ends_begin(const uint8_t *believed_private, const uint8_t *left_preshared, const uint8_t *right_preshared)
{
    uint8_t left_public[32], right_public[32];
    public_of(believed_private, left_public);
    public_of(right_private, right_public);
    wireguard_end_init(&left, left_private, right_public, left_preshared, 0, 11, at(0));
    wireguard_end_init(&right, right_private, left_public, right_preshared, 0, 22, at(0));
}

static void ends_finish(void)
{
    wireguard_end_free(&left);
    wireguard_end_free(&right);
}

static void set_time(uint64_t ns)
{
    left.now = right.now = at(ns);
}

/* Takes an end's oldest datagram. */
static size_t take(struct wireguard_end *end, uint8_t ret_datagram[static WIREGUARD_END_DATAGRAM])
{
    cr_assert_gt(end->out_count, 0, "nothing was sent");
    size_t length = end->out[0].length;
    memcpy(ret_datagram, end->out[0].bytes, length);
    memmove(&end->out[0], &end->out[1], (WIREGUARD_END_QUEUE - 1) * sizeof(end->out[0]));
    end->out_count--;
    return length;
}

static enum bypeer_wireguard_verdict give(struct wireguard_end *to, const uint8_t *datagram, size_t length,
                                          enum bypeer_wireguard_doubt doubt)
{
    uint8_t *copy = bytes_copy(datagram, length);
    const uint8_t *source = to == &left ? right_source : left_source;
    enum bypeer_wireguard_verdict verdict = wireguard_end_receive(to, copy, length, source, 6, doubt);
    free(copy);
    return verdict;
}

/* Takes one datagram over, and says what became of it. */
static enum bypeer_wireguard_verdict pass(struct wireguard_end *from, enum bypeer_wireguard_doubt doubt)
{
    uint8_t datagram[WIREGUARD_END_DATAGRAM];
    size_t length = take(from, datagram);
    return give(from == &left ? &right : &left, datagram, length, doubt);
}

/* All that is on its way arrives, and what comes of it. */
static void settle(void)
{
    while (left.out_count > 0 || right.out_count > 0) {
        if (left.out_count > 0)
            pass(&left, BYPEER_WIREGUARD_QUIET);
        if (right.out_count > 0)
            pass(&right, BYPEER_WIREGUARD_QUIET);
    }
}

/* A packet goes both ways, now. */
static void expect_link(void)
{
    unsigned at_left = left.packets, at_right = right.packets;
    cr_assert(wireguard_end_send(&left, packet, sizeof(packet)));
    cr_assert(wireguard_end_send(&right, packet, sizeof(packet)));
    settle();
    cr_assert_eq(left.packets, at_left + 1);
    cr_assert_eq(right.packets, at_right + 1);
}

/* left has sent an initiation; whatever was in its way before is over. */
static size_t initiation(uint8_t ret_datagram[static WIREGUARD_END_DATAGRAM])
{
    cr_assert_not(wireguard_end_send(&left, packet, sizeof(packet)));
    size_t length = take(&left, ret_datagram);
    cr_assert_eq(length, 148);
    return length;
}

TestSuite(wireguard_peer, .fini = ends_finish, .timeout = 60);

Test(wireguard_peer, a_packet_makes_a_session_and_follows_it)
{
    ends_begin(left_private, NULL, NULL);
    cr_assert_not(wireguard_end_send(&left, packet, sizeof(packet)));
    cr_assert_eq(pass(&left, BYPEER_WIREGUARD_QUIET), BYPEER_WIREGUARD_TAKEN);
    cr_assert_eq(right.prefers, 0, "the responder waits for the first packet");
    cr_assert_eq(right.heard, 1);
    cr_assert_eq(pass(&right, BYPEER_WIREGUARD_QUIET), BYPEER_WIREGUARD_TAKEN);
    cr_assert_eq(left.out_count, 1, "the packet that waited, and no keepalive");
    cr_assert_eq(pass(&left, BYPEER_WIREGUARD_QUIET), BYPEER_WIREGUARD_IS_DATA);
    cr_assert_eq(right.packets, 1);
    cr_assert_eq(right.packet_bytes, sizeof(packet));
    cr_assert_arr_eq(right.packet, packet, sizeof(packet));
    cr_assert_eq(right.prefers, 1);
    expect_link();
}

Test(wireguard_peer, a_preshared_key_is_of_both_or_nothing_works)
{
    ends_begin(left_private, preshared, preshared);
    wireguard_end_send(&left, packet, sizeof(packet));
    settle();
    expect_link();
    ends_finish();

    ends_begin(left_private, preshared, other_preshared);
    wireguard_end_send(&left, packet, sizeof(packet));
    cr_assert_eq(pass(&left, BYPEER_WIREGUARD_QUIET), BYPEER_WIREGUARD_TAKEN, "mixed in by the second message only");
    cr_assert_eq(pass(&right, BYPEER_WIREGUARD_QUIET), BYPEER_WIREGUARD_FORGED);
    cr_assert_eq(left.prefers, 0);
    ends_finish();

    ends_begin(left_private, NULL, preshared);
    wireguard_end_send(&left, packet, sizeof(packet));
    pass(&left, BYPEER_WIREGUARD_QUIET);
    cr_assert_eq(pass(&right, BYPEER_WIREGUARD_QUIET), BYPEER_WIREGUARD_FORGED);
}

Test(wireguard_peer, whoever_has_another_key_is_a_stranger)
{
    uint8_t datagram[WIREGUARD_END_DATAGRAM];
    ends_begin(other_private, NULL, NULL);
    size_t length = initiation(datagram);
    cr_assert_eq(give(&right, datagram, length, BYPEER_WIREGUARD_QUIET), BYPEER_WIREGUARD_STRANGER);
    cr_assert_eq(right.out_count, 0);
}

/* The sender has the public key that right knows, but not the private one. */
Test(wireguard_peer, a_public_key_alone_proves_nothing)
{
    struct bypeer_noise_state state;
    struct bypeer_wireguard_initiation message;
    struct bypeer_noise_remote remote;
    struct bypeer_noise_opened opened;
    const uint8_t ephemeral[32] = {9}, timestamp[12] = {0x40};
    ends_begin(left_private, NULL, NULL);
    remote = left.peer.remote;
    remote.static_static[0] ^= 1; /* what only the owner of a private key can compute */
    cr_assert_eq(bypeer_noise_initiate(&state, &message, left.crypto, left.identity, &remote, ephemeral, 77, timestamp),
                 0);
    cr_assert_eq(bypeer_noise_open(&opened, right.crypto, right.identity, &message), 0);
    cr_assert_lt(bypeer_peer_take_initiation(&right.peer, &opened, &right.now), 0);
    cr_assert_eq(right.responses, 0);
}

Test(wireguard_peer, a_recorded_initiation_is_refused)
{
    uint8_t first[WIREGUARD_END_DATAGRAM], second[WIREGUARD_END_DATAGRAM];
    ends_begin(left_private, NULL, NULL);
    size_t length = initiation(first);
    set_time(6 * S);
    wireguard_end_tick(&left);
    cr_assert_eq(take(&left, second), length);
    cr_assert_eq(give(&right, second, length, BYPEER_WIREGUARD_QUIET), BYPEER_WIREGUARD_TAKEN);
    set_time(7 * S);
    cr_assert_eq(give(&right, second, length, BYPEER_WIREGUARD_QUIET), BYPEER_WIREGUARD_REPLAYED);
    cr_assert_eq(give(&right, first, length, BYPEER_WIREGUARD_QUIET), BYPEER_WIREGUARD_REPLAYED, "an older one");
    cr_assert_eq(right.responses, 1);
}

Test(wireguard_peer, a_restart_keeps_sessions_and_refuses_recorded_initiations)
{
    uint8_t datagram[WIREGUARD_END_DATAGRAM], left_public[32];
    ends_begin(left_private, NULL, NULL);
    size_t length = initiation(datagram);
    cr_assert_eq(give(&right, datagram, length, BYPEER_WIREGUARD_QUIET), BYPEER_WIREGUARD_TAKEN);
    settle();
    struct wireguard_end_session kept = *right.preferred;
    wireguard_end_free(&right);

    public_of(left_private, left_public);
    wireguard_end_init(&right, right_private, left_public, NULL, 0, 33, at(2 * S));
    right.sessions[0] = kept;
    right.preferred = &right.sessions[0];
    kept.record.send_key[5] ^= 1;
    cr_assert_lt(bypeer_peer_adopt(&right.peer, &kept.record, true), 0, "half written");
    cr_assert_eq(bypeer_peer_adopt(&right.peer, &right.sessions[0].record, true), 0);
    expect_link();
    cr_assert_eq(give(&right, datagram, length, BYPEER_WIREGUARD_QUIET), BYPEER_WIREGUARD_REPLAYED);
}

Test(wireguard_peer, initiations_of_one_peer_are_looked_at_50_times_a_second)
{
    uint8_t datagram[WIREGUARD_END_DATAGRAM];
    ends_begin(left_private, NULL, NULL);
    unsigned taken = 0, soon = 0;
    for (unsigned i = 0; i < 200; i++) {
        set_time(i * S / 100);
        left.peer.initiation_ns = 0;
        left.peer.is_attempting = false;
        enum bypeer_wireguard_verdict verdict = give(&right, datagram, initiation(datagram), BYPEER_WIREGUARD_QUIET);
        taken += verdict == BYPEER_WIREGUARD_TAKEN;
        soon += verdict == BYPEER_WIREGUARD_TOO_SOON;
        right.out_count = 0;
    }
    cr_assert_eq(taken, 100);
    cr_assert_eq(soon, 100);
}

Test(wireguard_peer, every_changed_or_cut_handshake_message_is_refused)
{
    uint8_t datagram[WIREGUARD_END_DATAGRAM];
    ends_begin(left_private, preshared, preshared);
    size_t length = initiation(datagram);
    for (size_t cut = 0; cut < length; cut++)
        cr_assert_eq(give(&right, datagram, cut, BYPEER_WIREGUARD_QUIET), BYPEER_WIREGUARD_MALFORMED);
    for (size_t byte = 4; byte < length - 16; byte++) { /* MAC2 is nobody's business without load */
        datagram[byte] ^= 4;
        cr_assert_eq(give(&right, datagram, length, BYPEER_WIREGUARD_QUIET), BYPEER_WIREGUARD_BAD_MAC, "%zu", byte);
        if (byte < 116 && byte >= 8)
            cr_assert_neq(give(&right, datagram, length, BYPEER_WIREGUARD_CHECKED), BYPEER_WIREGUARD_TAKEN, "%zu",
                          byte);
        datagram[byte] ^= 4;
    }
    cr_assert_eq(right.responses, 0);
    cr_assert_eq(give(&right, datagram, length, BYPEER_WIREGUARD_QUIET), BYPEER_WIREGUARD_TAKEN);

    length = take(&right, datagram);
    for (size_t cut = 0; cut < length; cut++)
        cr_assert_eq(give(&left, datagram, cut, BYPEER_WIREGUARD_QUIET), BYPEER_WIREGUARD_MALFORMED);
    for (size_t byte = 4; byte < length - 16; byte++) {
        datagram[byte] ^= 4;
        cr_assert_eq(give(&left, datagram, length, BYPEER_WIREGUARD_QUIET), BYPEER_WIREGUARD_BAD_MAC);
        if (byte < 60 && byte >= 8) /* the sender's index is only under MAC1 */
            cr_assert_neq(give(&left, datagram, length, BYPEER_WIREGUARD_CHECKED), BYPEER_WIREGUARD_TAKEN, "%zu", byte);
        datagram[byte] ^= 4;
    }
    cr_assert_eq(left.prefers, 0);
    cr_assert_eq(give(&left, datagram, length, BYPEER_WIREGUARD_QUIET), BYPEER_WIREGUARD_TAKEN, "still waited for");
    cr_assert_eq(give(&left, datagram, length, BYPEER_WIREGUARD_QUIET), BYPEER_WIREGUARD_FORGED, "not twice");
    settle();
    expect_link();
}

/* --- cookies --- */

Test(wireguard_peer, under_load_a_source_shows_that_it_is_there)
{
    uint8_t datagram[WIREGUARD_END_DATAGRAM];
    ends_begin(left_private, NULL, NULL);
    size_t length = initiation(datagram);
    cr_assert_eq(give(&right, datagram, length, BYPEER_WIREGUARD_LOADED), BYPEER_WIREGUARD_UNPROVEN);
    cr_assert_eq(right.responses, 0);
    cr_assert_eq(pass(&right, BYPEER_WIREGUARD_QUIET), BYPEER_WIREGUARD_TAKEN, "a cookie reply");
    cr_assert_eq(left.out_count, 0, "the retry waits for its time");
    set_time(6 * S);
    wireguard_end_tick(&left);
    length = take(&left, datagram);
    uint8_t *copy = bytes_copy(datagram, length);
    cr_assert_eq(wireguard_end_receive(&right, copy, length, right_source, 6, BYPEER_WIREGUARD_LOADED),
                 BYPEER_WIREGUARD_UNPROVEN, "from another source it is no proof");
    free(copy);
    right.out_count = 0;
    cr_assert_eq(give(&right, datagram, length, BYPEER_WIREGUARD_LOADED), BYPEER_WIREGUARD_TAKEN);
    settle();
    expect_link();
}

Test(wireguard_peer, a_cookie_is_good_for_two_minutes_of_its_holder_and_no_more)
{
    uint8_t datagram[WIREGUARD_END_DATAGRAM];
    ends_begin(left_private, NULL, NULL);
    size_t length = initiation(datagram);
    cr_assert_eq(give(&right, datagram, length, BYPEER_WIREGUARD_LOADED), BYPEER_WIREGUARD_UNPROVEN);
    cr_assert_eq(pass(&right, BYPEER_WIREGUARD_QUIET), BYPEER_WIREGUARD_TAKEN);
    for (unsigned s = 6; s < 119; s += 6) {
        set_time(s * S);
        bypeer_peer_request(&left.peer, &left.now);
        wireguard_end_tick(&left);
        length = take(&left, datagram);
        left.out_count = 0;
        enum bypeer_cookie_verdict verdict =
            bypeer_cookie_check(&right.device.checker, datagram, length, left_source, 6, true, right.now.ns);
        cr_assert_eq(verdict, BYPEER_COOKIE_PROVEN, "after %u s", s);
    }
    set_time(121 * S);
    wireguard_end_tick(&left);
    length = take(&left, datagram);
    cr_assert_eq(datagram[length - 1] | datagram[length - 7], 0, "no cookie any more");
}

Test(wireguard_peer, a_proof_that_somebody_kept_expires)
{
    struct bypeer_cookie_checker checker;
    struct bypeer_cookie_jar jar;
    struct bypeer_wireguard_cookie cookie;
    uint8_t datagram[148] = {1}, reply[64];
    const uint8_t secret[32] = {5}, nonce[24] = {6};
    ends_begin(left_private, NULL, NULL);
    const uint8_t *public_key = bypeer_noise_public(right.identity);
    bypeer_cookie_checker_init(&checker, public_key, secret);
    bypeer_cookie_jar_init(&jar, public_key);
    bypeer_cookie_stamp(&jar, datagram, 148, 1200 * S);
    cr_assert_eq(bypeer_cookie_reply(&checker, datagram, 148, left_source, 6, nonce, 1200 * S, reply), 0);
    cr_assert_eq(bypeer_wireguard_read_cookie(&cookie, reply, 64), 0);
    cr_assert_eq(bypeer_cookie_take(&jar, &cookie, 1200 * S), 0);
    cr_assert_lt(bypeer_cookie_take(&jar, &cookie, 1200 * S), 0, "one cookie for one message");
    bypeer_cookie_stamp(&jar, datagram, 148, 1201 * S);
    static const struct {
        uint64_t s;
        enum bypeer_cookie_verdict verdict;
    } times[] = {{1200, BYPEER_COOKIE_PROVEN},
                 {1320, BYPEER_COOKIE_PROVEN},
                 {1439, BYPEER_COOKIE_PROVEN},
                 {1440, BYPEER_COOKIE_UNPROVEN}};
    for (unsigned i = 0; i < sizeof(times) / sizeof(*times); i++)
        cr_assert_eq(bypeer_cookie_check(&checker, datagram, 148, left_source, 6, true, times[i].s * S),
                     times[i].verdict, "after %lu s", times[i].s - 1200);

    /* Whoever shares the secret knows the cookie, and nobody else does. */
    bypeer_cookie_checker_init(&checker, public_key, secret);
    cr_assert_eq(bypeer_cookie_check(&checker, datagram, 148, left_source, 6, true, 1201 * S), BYPEER_COOKIE_PROVEN);
    bypeer_cookie_checker_init(&checker, public_key, preshared);
    cr_assert_eq(bypeer_cookie_check(&checker, datagram, 148, left_source, 6, true, 1201 * S), BYPEER_COOKIE_UNPROVEN);
}

Test(wireguard_peer, a_forged_cookie_reply_changes_nothing)
{
    uint8_t datagram[WIREGUARD_END_DATAGRAM], reply[WIREGUARD_END_DATAGRAM];
    ends_begin(left_private, NULL, NULL);
    size_t length = initiation(datagram);
    cr_assert_eq(give(&right, datagram, length, BYPEER_WIREGUARD_LOADED), BYPEER_WIREGUARD_UNPROVEN);
    cr_assert_eq(take(&right, reply), 64);
    for (size_t byte = 8; byte < 64; byte++) {
        reply[byte] ^= 1;
        cr_assert_eq(give(&left, reply, 64, BYPEER_WIREGUARD_QUIET), BYPEER_WIREGUARD_FORGED);
        reply[byte] ^= 1;
    }
    cr_assert_not(left.peer.jar.has_cookie);
    cr_assert_eq(give(&left, reply, 64, BYPEER_WIREGUARD_QUIET), BYPEER_WIREGUARD_TAKEN);
}

/* --- timers --- */

Test(wireguard_peer, initiations_go_on_for_90_s_and_are_5_s_apart)
{
    uint8_t datagram[WIREGUARD_END_DATAGRAM], last[12] = {0};
    uint64_t sent = 0;
    ends_begin(left_private, NULL, NULL);
    wireguard_end_send(&left, packet, sizeof(packet));
    cr_assert_eq(take(&left, datagram), 148);
    unsigned count = 1;
    while (left.gave_ups == 0) {
        uint64_t due = wireguard_end_due(&left) - 1000 * S;
        cr_assert_lt(due, 100 * S);
        set_time(due);
        wireguard_end_tick(&left);
        if (left.out_count == 0)
            continue;
        cr_assert_eq(take(&left, datagram), 148);
        cr_assert_geq(due - sent, 5 * S);
        cr_assert_leq(due - sent, 5 * S + BYPEER_PEER_JITTER_NS);
        cr_assert_gt(memcmp(left.peer.sent_timestamp, last, 12), 0);
        memcpy(last, left.peer.sent_timestamp, 12);
        sent = due;
        count++;
    }
    cr_assert_geq(count, 17);
    cr_assert_leq(count, 19);
    cr_assert_eq(left.waiting_bytes, 0);
    /* What comes later begins anew. */
    cr_assert_not(wireguard_end_send(&left, packet, sizeof(packet)));
    settle();
    expect_link();
}

Test(wireguard_peer, a_clock_that_goes_back_does_not_stop_handshakes)
{
    uint8_t datagram[WIREGUARD_END_DATAGRAM];
    ends_begin(left_private, NULL, NULL);
    cr_assert_eq(give(&right, datagram, initiation(datagram), BYPEER_WIREGUARD_QUIET), BYPEER_WIREGUARD_TAKEN);
    right.out_count = 0;
    set_time(6 * S);
    left.now.unix_ns = EPOCH_NS - 86400 * S;
    wireguard_end_tick(&left);
    cr_assert_eq(pass(&left, BYPEER_WIREGUARD_QUIET), BYPEER_WIREGUARD_TAKEN);
}

/* One packet each way every half second, for ten minutes, with time and datagrams on their way. */
static void run_across_rekeys(bool from_left, bool from_right)
{
    unsigned sent_left = 0, sent_right = 0;
    wireguard_end_send(&left, packet, sizeof(packet));
    settle();
    sent_left++;
    for (unsigned step = 1; step < 1200; step++) {
        set_time(step * S / 2);
        wireguard_end_tick(&left);
        wireguard_end_tick(&right);
        if (from_left) {
            cr_assert(wireguard_end_send(&left, packet, sizeof(packet)), "no session after %u s", step / 2);
            sent_left++;
        }
        if (from_right) {
            cr_assert(wireguard_end_send(&right, packet, sizeof(packet)), "no session after %u s", step / 2);
            sent_right++;
        }
        settle();
        cr_assert_eq(right.packets, sent_left, "lost after %u s", step / 2);
        cr_assert_eq(left.packets, sent_right, "lost after %u s", step / 2);
    }
    cr_assert_eq(left.bad + right.bad + left.replays + right.replays, 0);
}

Test(wireguard_peer, rekeys_every_two_minutes_without_a_gap)
{
    ends_begin(left_private, preshared, preshared);
    run_across_rekeys(true, true);
    cr_assert_eq(left.initiations, 5, "the initiator begins each");
    cr_assert_eq(right.initiations, 0);
    cr_assert_eq(left.prefers, 5);
    cr_assert_eq(right.prefers, 5);
    cr_assert_eq(left.withdrawn, 4, "each after 180 s");
}

Test(wireguard_peer, an_initiator_that_only_receives_rekeys_in_time)
{
    ends_begin(left_private, NULL, NULL);
    run_across_rekeys(false, true);
    cr_assert_geq(left.initiations, 4);
    cr_assert_eq(right.initiations, 0);
}

Test(wireguard_peer, what_was_on_its_way_during_a_rekey_arrives)
{
    uint8_t late[WIREGUARD_END_DATAGRAM], back[WIREGUARD_END_DATAGRAM];
    ends_begin(left_private, NULL, NULL);
    wireguard_end_send(&left, packet, sizeof(packet));
    settle();
    set_time(121 * S);
    cr_assert(wireguard_end_send(&left, packet, sizeof(packet)));
    cr_assert(wireguard_end_send(&right, packet, sizeof(packet)));
    size_t late_bytes = take(&left, late), back_bytes = take(&right, back);
    settle(); /* the handshake, and its confirmation */
    cr_assert_eq(left.prefers, 2);
    cr_assert_eq(right.prefers, 2);
    unsigned at_left = left.packets, at_right = right.packets;
    give(&right, late, late_bytes, BYPEER_WIREGUARD_QUIET);
    give(&left, back, back_bytes, BYPEER_WIREGUARD_QUIET);
    cr_assert_eq(right.packets, at_right + 1);
    cr_assert_eq(left.packets, at_left + 1);
    give(&right, late, late_bytes, BYPEER_WIREGUARD_QUIET);
    cr_assert_eq(right.replays, 1);
    cr_assert_eq(right.packets, at_right + 1);
}

Test(wireguard_peer, both_begin_at_once)
{
    uint8_t old_left[WIREGUARD_END_DATAGRAM], old_right[WIREGUARD_END_DATAGRAM];
    ends_begin(left_private, NULL, NULL);
    wireguard_end_send(&left, packet, sizeof(packet));
    wireguard_end_send(&right, packet, sizeof(packet));
    settle();
    cr_assert_eq(left.packets, 1, "without a retry");
    cr_assert_eq(right.packets, 1);
    expect_link();
    expect_link();

    /* The same while a session exists: what was sealed by it before arrives, too. */
    set_time(100 * S);
    wireguard_end_send(&left, packet, sizeof(packet));
    wireguard_end_send(&right, packet, sizeof(packet));
    size_t old_left_bytes = take(&left, old_left), old_right_bytes = take(&right, old_right);
    bypeer_peer_request(&left.peer, &left.now);
    bypeer_peer_request(&right.peer, &right.now);
    cr_assert_eq(pass(&left, BYPEER_WIREGUARD_QUIET), BYPEER_WIREGUARD_TAKEN);
    cr_assert_eq(pass(&right, BYPEER_WIREGUARD_QUIET), BYPEER_WIREGUARD_TAKEN);
    cr_assert_eq(pass(&left, BYPEER_WIREGUARD_QUIET), BYPEER_WIREGUARD_TAKEN);
    cr_assert_eq(pass(&right, BYPEER_WIREGUARD_QUIET), BYPEER_WIREGUARD_TAKEN);
    unsigned at_left = left.packets, at_right = right.packets;
    give(&right, old_left, old_left_bytes, BYPEER_WIREGUARD_QUIET);
    give(&left, old_right, old_right_bytes, BYPEER_WIREGUARD_QUIET);
    cr_assert_eq(left.packets, at_left + 1);
    cr_assert_eq(right.packets, at_right + 1);
    settle();
    expect_link();
    cr_assert_eq(left.bad + right.bad, 0);
    cr_assert_eq(left.preferred->record.serial, right.preferred->record.serial, "both send by one of the two");
    cr_assert_neq(left.preferred->record.flags, right.preferred->record.flags, "which one of them renews");
}

/* Whichever of the two sessions has the smaller serial. */
Test(wireguard_peer, a_peer_that_is_started_anew_is_followed_at_once)
{
    uint8_t left_public[32];
    public_of(left_private, left_public);
    for (unsigned seed = 1; seed <= 16; seed++) {
        ends_begin(left_private, NULL, NULL);
        right.random = seed;
        wireguard_end_send(&left, packet, sizeof(packet));
        settle();
        wireguard_end_free(&right);
        wireguard_end_init(&right, right_private, left_public, NULL, 0, seed + 100, at(S));
        set_time(S);
        wireguard_end_send(&right, packet, sizeof(packet));
        settle();
        expect_link();
        if (seed < 16)
            ends_finish();
    }
}

Test(wireguard_peer, lost_responses_are_asked_for_again)
{
    ends_begin(left_private, NULL, NULL);
    wireguard_end_send(&left, packet, sizeof(packet));
    for (unsigned lost = 0; lost < 5; lost++) {
        cr_assert_eq(pass(&left, BYPEER_WIREGUARD_QUIET), BYPEER_WIREGUARD_TAKEN);
        right.out_count = 0;
        set_time((lost + 1) * 6 * S);
        wireguard_end_tick(&left);
    }
    settle();
    cr_assert_eq(right.packets, 1);
    expect_link();
    cr_assert_leq(right.withdrawn, 5);
    cr_assert_geq(right.withdrawn, 4, "sessions that came to nothing do not pile up");
}

Test(wireguard_peer, a_silent_peer_is_called_again)
{
    ends_begin(left_private, NULL, NULL);
    wireguard_end_send(&left, packet, sizeof(packet));
    settle();
    set_time(10 * S);
    wireguard_end_tick(&right);
    settle(); /* the keepalive that answers it */
    cr_assert_eq(left.keepalives, 1);
    set_time(20 * S);
    wireguard_end_send(&left, packet, sizeof(packet));
    left.out_count = 0; /* lost */
    set_time(35 * S - 1);
    wireguard_end_tick(&left);
    cr_assert_eq(left.out_count, 0);
    set_time(35 * S);
    wireguard_end_tick(&left);
    cr_assert_eq(left.initiations, 2);
    settle();
    expect_link();
}

Test(wireguard_peer, a_persistent_peer_has_a_session_before_anybody_sends)
{
    uint8_t right_public[32];
    ends_begin(left_private, NULL, NULL);
    wireguard_end_free(&left);
    public_of(right_private, right_public);
    wireguard_end_init(&left, left_private, right_public, NULL, 25, 44, at(0));
    for (unsigned s = 0; s < 600; s++) {
        set_time(s * S);
        wireguard_end_tick(&left);
        wireguard_end_tick(&right);
        settle();
        cr_assert_not_null(bypeer_peer_sendable(&left.peer, left.now.ns));
        cr_assert_not_null(bypeer_peer_sendable(&right.peer, right.now.ns));
    }
    cr_assert_geq(right.keepalives, 600 / 25);
    cr_assert_leq(right.keepalives, 600 / 25 + 12);
}

Test(wireguard_peer, nothing_is_left_of_a_peer_that_went_away)
{
    static const uint8_t none[32];
    ends_begin(left_private, NULL, NULL);
    wireguard_end_send(&left, packet, sizeof(packet));
    settle();
    wireguard_end_send(&right, packet, sizeof(packet));
    settle();
    wireguard_end_keepalive(&left);
    left.out_count = 0;
    set_time(179 * S);
    wireguard_end_tick(&left);
    cr_assert_not_null(bypeer_peer_sendable(&left.peer, left.now.ns));
    set_time(180 * S);
    wireguard_end_tick(&left);
    cr_assert_eq(left.withdrawn, 1);
    cr_assert_arr_eq(left.peer.keypairs.current.send_key, none, 32);
    cr_assert_arr_eq(left.peer.keypairs.current.receive_key, none, 32);
    cr_assert_arr_eq(left.peer.waiting.chaining_key, none, 32);
    set_time(540 * S);
    wireguard_end_tick(&left);
    cr_assert_eq(bypeer_peer_due(&left.peer, left.now.ns), UINT64_MAX, "and nothing more to do");
    for (unsigned i = 0; i < WIREGUARD_END_SESSIONS; i++)
        cr_assert_not(left.sessions[i].is_taken, "every index was given back");
}

Test(wireguard_peer, without_room_there_is_no_response_and_a_later_try_works)
{
    ends_begin(left_private, NULL, NULL);
    wireguard_end_send(&left, packet, sizeof(packet));
    right.wants_nothing_published = true;
    cr_assert_eq(pass(&left, BYPEER_WIREGUARD_QUIET), BYPEER_WIREGUARD_NO_ROOM);
    cr_assert_eq(right.out_count, 0, "no response to a session that nobody would know");
    right.wants_nothing_published = false;
    set_time(6 * S);
    wireguard_end_tick(&left);
    settle();
    cr_assert_eq(right.packets, 1);
    expect_link();
}
