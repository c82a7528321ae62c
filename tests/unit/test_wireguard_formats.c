/* Primitives against published vectors; messages as bytes; one packet sealed and opened; rules of time. */
#include <criterion/criterion.h>
#include <errno.h>
#include <sodium.h>
#include <string.h>

#include "overlay/wireguard/activity.h"
#include "overlay/wireguard/keypair.h"
#include "overlay/wireguard/transport.h"
#include "tests/unit/pnrp_bytes.h"

#define S BYPEER_WIREGUARD_S

static struct bypeer_crypto *crypto;
static uint8_t key[32], sequence[100];

static void setup(void)
{
    cr_assert_eq(bypeer_crypto_new(&crypto), 0);
    for (unsigned i = 0; i < sizeof(sequence); i++)
        sequence[i] = (uint8_t)i;
    memcpy(key, sequence, sizeof(key));
}

static void teardown(void)
{
    bypeer_crypto_free(crypto);
}

TestSuite(wireguard_formats, .init = setup, .fini = teardown);

/* --- primitives --- */

Test(wireguard_formats, hash_is_blake2s_of_rfc_7693)
{
    uint8_t hash[32];
    cr_assert_eq(bypeer_crypto_hash(crypto, "a", 1, "bc", 2, hash), 0);
    bytes_expect(hash, 32, "508c5e8c327c14e2e1a72ba34eeb452f37458b209ed63a294d999b4c86675982", "RFC 7693, appendix B");
}

/* Expected: Python's hmac. */
Test(wireguard_formats, keys_are_derived_by_hkdf)
{
    uint8_t first[32], second[32], chained[32];
    memcpy(chained, key, 32);
    cr_assert_eq(bypeer_crypto_derive(crypto, chained, sequence, 100, 3, (uint8_t *const[]){chained, first, second}),
                 0);
    bytes_expect(chained, 32, "90d0e91cdaea20e41b7e43ef99a35292921d3d49c1d86f48ddf62dbc1cc1bb01", "first");
    bytes_expect(first, 32, "8814819cb396ee544e3a8314285739d6527a8d87cf930252e61501140ddbba51", "second");
    bytes_expect(second, 32, "2d4748e29b90d92057489d6aaa0ee0d2a135113b4baaefb8d82fb54bffe16496", "third");
}

Test(wireguard_formats, aead_is_that_of_rfc_8439)
{
    static const char text[] = "Internet-Drafts are draft documents valid for a maximum of six months and may be "
                               "updated, replaced, or obsoleted by other documents at any time. It is inappropriate to "
                               "use Internet-Drafts as reference material or to cite them other than as "
                               "/\xe2\x80\x9cwork in progress./\xe2\x80\x9d";
    uint8_t sealed[sizeof(text) - 1 + 16], opened[sizeof(text) - 1];
    size_t length;
    uint8_t *secret = bytes_of("1c9240a5eb55d38af333888604f6b5f0473917c1402b80099dca5cbc207075c0", &length);
    uint8_t *associated = bytes_of("f33388860000000000004e91", &length);
    const uint64_t counter = UINT64_C(0x0807060504030201);
    cr_assert_eq(bypeer_crypto_seal(crypto, secret, counter, associated, length, text, sizeof(text) - 1, sealed), 0);
    bytes_expect(sealed, 8, "64a0861575861af4", "appendix A.5, ciphertext");
    bytes_expect(sealed + sizeof(text) - 1, 16, "eead9d67890cbb22392336fea1851f38", "appendix A.5, tag");
    cr_assert_eq(bypeer_crypto_open(crypto, secret, counter, associated, length, sealed, sizeof(sealed), opened), 0);
    cr_assert_arr_eq(opened, text, sizeof(opened));
    cr_assert_eq(bypeer_crypto_open(crypto, secret, counter, associated, length, sealed, 15, opened), -EBADMSG);
    for (unsigned bit = 0; bit < 8 * sizeof(sealed); bit += 61) {
        sealed[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        cr_assert_eq(bypeer_crypto_open(crypto, secret, counter, associated, length, sealed, sizeof(sealed), opened),
                     -EBADMSG);
        cr_assert_neq(opened[0], 'I', "what was not authentic was handed out");
        sealed[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
    free(associated);
    free(secret);
}

/* XChaCha20-Poly1305 is HChaCha20 (draft-irtf-cfrg-xchacha, 2.2.1) and then the AEAD of RFC 8439, here libcrypto's. */
Test(wireguard_formats, cookies_are_sealed_by_xchacha20)
{
    uint8_t subkey[32], nonce[24], sealed[32], expected[32], cookie[16];
    size_t length;
    uint8_t *input = bytes_of("000000090000004a0000000031415927", &length);
    cr_assert_eq(crypto_core_hchacha20(subkey, input, key, NULL), 0);
    bytes_expect(subkey, 32, "82413b4227b27bfed30e42508a877d73a0f9e4d58a74a853c12ec41326d3ecdc", "HChaCha20");
    memcpy(nonce, input, 16);
    memcpy(nonce + 16, sequence + 1, 8);
    cr_assert_eq(bypeer_crypto_seal_cookie(key, nonce, sequence + 50, sequence + 70, sealed), 0);
    cr_assert_eq(bypeer_crypto_seal(crypto, subkey, UINT64_C(0x0807060504030201), sequence + 50, 16, sequence + 70, 16,
                                    expected),
                 0);
    cr_assert_arr_eq(sealed, expected, 32);
    cr_assert_eq(bypeer_crypto_open_cookie(key, nonce, sequence + 50, sealed, cookie), 0);
    cr_assert_arr_eq(cookie, sequence + 70, 16);
    cr_assert_eq(bypeer_crypto_open_cookie(key, nonce, sequence + 51, sealed, cookie), -EBADMSG);
    free(input);
}

Test(wireguard_formats, agreement_is_x25519_of_rfc_7748)
{
    struct bypeer_crypto_pair *bob;
    uint8_t public_key[32], shared[32];
    size_t length;
    uint8_t *secret = bytes_of("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb", &length);
    uint8_t *alice = bytes_of("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a", &length);
    cr_assert_eq(bypeer_crypto_pair_new(&bob, secret, public_key), 0);
    bytes_expect(public_key, 32, "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f", "public key");
    cr_assert_eq(bypeer_crypto_agree(bob, alice, shared), 0);
    bytes_expect(shared, 32, "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742", "section 6.1");
    bypeer_crypto_pair_free(bob);
    free(alice);
    free(secret);
}

Test(wireguard_formats, points_of_low_order_agree_with_nobody)
{
    static const char *const points[] = {
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    };
    struct bypeer_crypto_pair *pair;
    uint8_t public_key[32], shared[32];
    cr_assert_eq(bypeer_crypto_pair_new(&pair, key, public_key), 0);
    for (unsigned i = 0; i < sizeof(points) / sizeof(*points); i++) {
        size_t length;
        uint8_t *point = bytes_of(points[i], &length);
        cr_assert_eq(bypeer_crypto_agree(pair, point, shared), -EINVAL, "%s", points[i]);
        free(point);
    }
    bypeer_crypto_pair_free(pair);
}

/* --- messages --- */

Test(wireguard_formats, type_and_length_say_what_a_datagram_is)
{
    static const size_t lengths[] = {[1] = 148, [2] = 92, [3] = 64};
    uint8_t datagram[200] = {0};
    for (uint8_t type = 0; type < 6; type++) {
        datagram[0] = type;
        for (size_t length = 0; length <= sizeof(datagram); length++) {
            bool expected = type == 4 ? length >= 32 : type >= 1 && type <= 3 && length == lengths[type];
            uint8_t *exact = bytes_copy(datagram, length);
            cr_assert_eq(bypeer_wireguard_type(exact, length), expected ? type : 0, "%u, %zu bytes", type, length);
            free(exact);
        }
    }
    datagram[0] = 4;
    for (unsigned reserved = 1; reserved < 4; reserved++) {
        datagram[reserved] = 1;
        cr_assert_eq(bypeer_wireguard_type(datagram, 64), BYPEER_WIREGUARD_NONE);
        datagram[reserved] = 0;
    }
}

Test(wireguard_formats, messages_are_as_drawn)
{
    struct bypeer_wireguard_initiation initiation;
    struct bypeer_wireguard_response response;
    struct bypeer_wireguard_cookie cookie;
    uint8_t bytes[148] = {1}, again[148];
    for (unsigned i = 4; i < 116; i++)
        bytes[i] = (uint8_t)i;

    cr_assert_eq(bypeer_wireguard_read_initiation(&initiation, bytes, 148), 0);
    cr_assert_eq(initiation.sender, 0x07060504);
    cr_assert_eq(initiation.ephemeral[0], 8);
    cr_assert_eq(initiation.sealed_static[0], 40);
    cr_assert_eq(initiation.sealed_timestamp[0], 88);
    memset(again, 0xff, sizeof(again));
    bypeer_wireguard_write_initiation(&initiation, again);
    cr_assert_arr_eq(again, bytes, 148);

    bytes[0] = 2;
    memset(bytes + 60, 0, 32);
    cr_assert_eq(bypeer_wireguard_read_response(&response, bytes, 92), 0);
    cr_assert_eq(response.sender, 0x07060504);
    cr_assert_eq(response.receiver, 0x0b0a0908);
    cr_assert_eq(response.ephemeral[0], 12);
    cr_assert_eq(response.sealed_none[0], 44);
    memset(again, 0xff, sizeof(again));
    bypeer_wireguard_write_response(&response, again);
    cr_assert_arr_eq(again, bytes, 92);

    bytes[0] = 3;
    cr_assert_eq(bypeer_wireguard_read_cookie(&cookie, bytes, 64), 0);
    cr_assert_eq(cookie.receiver, 0x07060504);
    cr_assert_eq(cookie.nonce[0], 8);
    cr_assert_eq(cookie.sealed_cookie[0], 32);
    bypeer_wireguard_write_cookie(&cookie, again);
    cr_assert_arr_eq(again, bytes, 64);
    cr_assert_eq(bypeer_wireguard_read_cookie(&cookie, bytes, 63), -EBADMSG);
}

Test(wireguard_formats, timestamps_are_tai64n_and_tell_no_more_than_they_must)
{
    uint8_t timestamp[12];
    bypeer_wireguard_write_timestamp(timestamp, UINT64_C(1234567890) * S + 0x3456789);
    bytes_expect(timestamp, 12, "40000000499602dc03000000", "2009-02-13 23:31:30");
}

/* --- packets --- */

static const struct bypeer_wireguard_session session = {
    .local_index = 7, .remote_index = 0x11223344, .created_ns = 1000, .send_key = {1}, .receive_key = {1}};

Test(wireguard_formats, padding_is_to_16_but_not_beyond_the_mtu)
{
    cr_assert_eq(bypeer_transport_padded(0, 1420), 0);
    cr_assert_eq(bypeer_transport_padded(1, 1420), 16);
    cr_assert_eq(bypeer_transport_padded(1408, 1420), 1408);
    cr_assert_eq(bypeer_transport_padded(1409, 1420), 1420);
    cr_assert_eq(bypeer_transport_padded(1420, 1420), 1420);
    cr_assert_eq(bypeer_transport_padded(1421, 1420), 1421, "too long, but nothing is cut off");
}

Test(wireguard_formats, a_packet_is_opened_as_it_was_sealed)
{
    uint8_t datagram[160];
    memset(datagram, 0xff, sizeof(datagram));
    memcpy(datagram + 16, sequence, 100);
    cr_assert_eq(bypeer_transport_seal(crypto, &session, UINT64_C(0x0102030405060708), datagram, 100, 112), 0);
    bytes_expect(datagram, 16, "04000000443322110807060504030201", "header");
    cr_assert_eq(bypeer_wireguard_type(datagram, 144), BYPEER_WIREGUARD_DATA);
    cr_assert_eq(bypeer_wireguard_data_receiver(datagram), 0x11223344);
    cr_assert_eq(bypeer_transport_open(crypto, &session, datagram, 144), 112);
    cr_assert_arr_eq(datagram + 16, sequence, 100);
    for (unsigned i = 100; i < 112; i++)
        cr_assert_eq(datagram[16 + i], 0, "padding is zero");
}

Test(wireguard_formats, a_keepalive_is_32_bytes)
{
    uint8_t datagram[32];
    cr_assert_eq(bypeer_transport_seal(crypto, &session, 0, datagram, 0, 0), 0);
    cr_assert_eq(bypeer_transport_open(crypto, &session, datagram, sizeof(datagram)), 0);
}

Test(wireguard_formats, nothing_of_a_changed_or_cut_packet_is_handed_out)
{
    uint8_t datagram[96];
    for (unsigned at = 8; at < sizeof(datagram); at++) {
        memcpy(datagram + 16, sequence, 64);
        cr_assert_eq(bypeer_transport_seal(crypto, &session, 5, datagram, 64, 64), 0);
        datagram[at] ^= 1;
        cr_assert_eq(bypeer_transport_open(crypto, &session, datagram, sizeof(datagram)), -EBADMSG, "byte %u", at);
        for (unsigned i = 16; i < 80; i++)
            cr_assert_eq(datagram[i], 0);
    }
    for (size_t length = 32; length < sizeof(datagram); length++) {
        memcpy(datagram + 16, sequence, 64);
        cr_assert_eq(bypeer_transport_seal(crypto, &session, 5, datagram, 64, 64), 0);
        uint8_t *cut = bytes_copy(datagram, length);
        cr_assert_eq(bypeer_transport_open(crypto, &session, cut, length), -EBADMSG, "%zu bytes", length);
        free(cut);
    }
}

Test(wireguard_formats, the_inner_header_says_where_padding_begins)
{
    uint8_t inner[64] = {0x60, [5] = 10};
    cr_assert_eq(bypeer_transport_inner_bytes(inner, 64), 50);
    cr_assert_eq(bypeer_transport_inner_bytes(inner, 50), 50);
    cr_assert_eq(bypeer_transport_inner_bytes(inner, 49), -EBADMSG);
    inner[0] = 0x45;
    inner[3] = 30;
    cr_assert_eq(bypeer_transport_inner_bytes(inner, 32), 30);
    inner[3] = 19;
    cr_assert_eq(bypeer_transport_inner_bytes(inner, 32), -EBADMSG);
    inner[0] = 0x50;
    cr_assert_eq(bypeer_transport_inner_bytes(inner, 64), -EBADMSG);
    for (size_t length = 0; length < 20; length++) {
        uint8_t *exact = bytes_copy(inner, length);
        cr_assert_eq(bypeer_transport_inner_bytes(exact, length), -EBADMSG);
        free(exact);
    }
}

/* --- records and their rules --- */

Test(wireguard_formats, a_half_written_record_is_noticed)
{
    struct bypeer_wireguard_session record = session;
    cr_assert_not(bypeer_wireguard_session_is_whole(&record));
    bypeer_wireguard_session_finish(&record);
    cr_assert(bypeer_wireguard_session_is_whole(&record));
    for (size_t at = 0; at < sizeof(record); at++) {
        ((uint8_t *)&record)[at] ^= 0x10;
        cr_assert_not(bypeer_wireguard_session_is_whole(&record), "byte %zu", at);
        ((uint8_t *)&record)[at] ^= 0x10;
    }
    memset(&record, 0, sizeof(record));
    bypeer_wireguard_session_finish(&record);
    cr_assert_not(bypeer_wireguard_session_is_whole(&record), "no session");
}

Test(wireguard_formats, a_session_ends_by_time_and_by_count)
{
    struct bypeer_wireguard_session one = session;
    one.created_ns = 1000 * S;
    cr_assert(bypeer_wireguard_session_is_usable(&one, 0, 999 * S), "a clock that is a little behind");
    cr_assert(bypeer_wireguard_session_is_usable(&one, 0, 1180 * S - 1));
    cr_assert_not(bypeer_wireguard_session_is_usable(&one, 0, 1180 * S));
    cr_assert(bypeer_wireguard_session_is_usable(&one, UINT64_MAX - 8193, 1001 * S));
    cr_assert_not(bypeer_wireguard_session_is_usable(&one, UINT64_MAX - 8192, 1001 * S));

    cr_assert_not(bypeer_wireguard_session_is_stale_to_send(&one, 0, 1179 * S), "the responder does not begin");
    cr_assert_not(bypeer_wireguard_session_is_stale_to_receive(&one, 1179 * S));
    cr_assert(bypeer_wireguard_session_is_stale_to_send(&one, UINT64_C(1) << 60, 1001 * S), "but for its count");
    one.flags = BYPEER_WIREGUARD_INITIATOR;
    cr_assert_not(bypeer_wireguard_session_is_stale_to_send(&one, (UINT64_C(1) << 60) - 1, 1120 * S - 1));
    cr_assert(bypeer_wireguard_session_is_stale_to_send(&one, 0, 1120 * S));
    cr_assert_not(bypeer_wireguard_session_is_stale_to_receive(&one, 1165 * S - 1));
    cr_assert(bypeer_wireguard_session_is_stale_to_receive(&one, 1165 * S));
}

static struct bypeer_wireguard_session session_of(uint32_t index, uint32_t flags, uint64_t created_s)
{
    return (struct bypeer_wireguard_session){.local_index = index, .flags = flags, .created_ns = created_s * S};
}

Test(wireguard_formats, a_responder_sends_by_a_session_after_its_first_packet)
{
    struct bypeer_keypairs pairs = {.next = {0}};
    struct bypeer_wireguard_session one = session_of(1, 0, 100), two = session_of(2, 0, 220), dropped;
    bypeer_keypairs_add(&pairs, &one, &dropped);
    cr_assert_null(bypeer_keypairs_sendable(&pairs, 101 * S));
    cr_assert_not(bypeer_keypairs_confirm(&pairs, 9, &dropped));
    cr_assert(bypeer_keypairs_confirm(&pairs, 1, &dropped));
    cr_assert_not(bypeer_keypairs_confirm(&pairs, 1, &dropped), "only the first packet changes anything");
    bypeer_keypairs_add(&pairs, &two, &dropped);
    cr_assert_eq(bypeer_keypairs_sendable(&pairs, 221 * S)->local_index, 1);
    cr_assert(bypeer_keypairs_confirm(&pairs, 2, &dropped));
    cr_assert_eq(bypeer_keypairs_sendable(&pairs, 221 * S)->local_index, 2);
    cr_assert_eq(pairs.previous.local_index, 1, "receives what is on its way");
    cr_assert_eq(dropped.local_index, 0);
}

Test(wireguard_formats, sessions_leave_one_by_one)
{
    struct bypeer_keypairs pairs = {.next = {0}};
    struct bypeer_wireguard_session dropped;
    for (uint32_t index = 1; index <= 3; index++) {
        struct bypeer_wireguard_session one = session_of(index, BYPEER_WIREGUARD_INITIATOR, 100 + index);
        bypeer_keypairs_add(&pairs, &one, &dropped);
        cr_assert_eq(dropped.local_index, index == 3 ? 1 : 0);
    }
    cr_assert_eq(bypeer_keypairs_due(&pairs), 282 * S);
    cr_assert_not(bypeer_keypairs_expire(&pairs, 282 * S - 1, false, &dropped));
    cr_assert(bypeer_keypairs_expire(&pairs, 282 * S, false, &dropped));
    cr_assert_eq(dropped.local_index, 2);
    cr_assert_not(bypeer_keypairs_expire(&pairs, 282 * S, false, &dropped));
    cr_assert(bypeer_keypairs_expire(&pairs, 0, true, &dropped));
    cr_assert_eq(dropped.local_index, 3);
    cr_assert_eq(bypeer_keypairs_due(&pairs), UINT64_MAX);
}

/* --- timers that data sets --- */

Test(wireguard_formats, data_without_an_answer_of_ours_is_answered_by_a_keepalive)
{
    struct bypeer_activity activity = {0};
    bypeer_activity_received(&activity, true, 100 * S);
    bypeer_activity_received(&activity, true, 105 * S);
    cr_assert_eq(bypeer_activity_next(&activity, 0), 110 * S);
    cr_assert_eq(bypeer_activity_due(&activity, 0, 110 * S - 1), 0);
    cr_assert_eq(bypeer_activity_due(&activity, 0, 110 * S), BYPEER_ACTIVITY_KEEPALIVE);
    bypeer_activity_sent(&activity, false, 110 * S);
    cr_assert_eq(bypeer_activity_due(&activity, 0, 200 * S), 0);
    bypeer_activity_received(&activity, false, 200 * S);
    cr_assert_eq(bypeer_activity_next(&activity, 0), UINT64_MAX, "keepalives are not answered");
}

Test(wireguard_formats, silence_after_data_calls_for_a_handshake)
{
    struct bypeer_activity activity = {0};
    bypeer_activity_sent(&activity, false, 90 * S);
    bypeer_activity_sent(&activity, true, 100 * S);
    bypeer_activity_sent(&activity, true, 114 * S);
    cr_assert_eq(bypeer_activity_due(&activity, 0, 115 * S - 1), 0);
    cr_assert_eq(bypeer_activity_due(&activity, 0, 115 * S), BYPEER_ACTIVITY_HANDSHAKE);
    cr_assert_eq(bypeer_activity_due(&activity, 0, 116 * S), 0, "not again at once");
    cr_assert_eq(bypeer_activity_due(&activity, 0, 120 * S), BYPEER_ACTIVITY_HANDSHAKE);
    bypeer_activity_received(&activity, false, 121 * S);
    cr_assert_eq(bypeer_activity_next(&activity, 0), UINT64_MAX);
}

Test(wireguard_formats, a_persistent_keepalive_counts_from_the_last_packet_of_either_way)
{
    struct bypeer_activity activity = {0};
    cr_assert_eq(bypeer_activity_due(&activity, 25 * S, 100 * S), BYPEER_ACTIVITY_KEEPALIVE, "the first at once");
    bypeer_activity_sent(&activity, false, 100 * S);
    bypeer_activity_received(&activity, false, 110 * S);
    cr_assert_eq(bypeer_activity_next(&activity, 25 * S), 135 * S);
    cr_assert_eq(bypeer_activity_due(&activity, 25 * S, 135 * S - 1), 0);
    cr_assert_eq(bypeer_activity_due(&activity, 25 * S, 135 * S), BYPEER_ACTIVITY_KEEPALIVE);
}
