/* Addresses, payloads of a group's own records, and the mathematics of passwords. */
#include <criterion/criterion.h>
#include <errno.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "overlay/certificate/roles.h"
#include "overlay/group/address.h"
#include "overlay/group/attachment.h"
#include "overlay/group/membership.h"
#include "overlay/group/password.h"
#include "overlay/group/properties.h"
#include "overlay/group/revocation.h"
#include "overlay/profile/key.h"

static const char group_text[] = "2bcba40abd09492eb706b74f8f8932a6efb10979.HomeGroupPeerGroupClassifier";
static const char member_text[] = "b736cee3ae549b6baebea4c1a377740b96d359f6.HomeGroupClassifier_1";

static struct bypeer_peer_name name(const char *text)
{
    struct bypeer_peer_name read;
    char why[160];
    cr_assert_eq(bypeer_name_read(&read, text, why), 0, "%s", why);
    return read;
}

static const struct bypeer_profile *modern(void)
{
    return bypeer_profile(BYPEER_PROFILE_MODERN);
}

static void expect_hex(const uint8_t *bytes, size_t length, const char *hex)
{
    char text[129];
    sodium_bin2hex(text, sizeof(text), bytes, length);
    cr_expect_str_eq(text, hex);
}

/* fd, 5 bytes of SHA-256(group), 10 bytes of SHA-256(group, NUL, authority): computed with Python. */
Test(group_formats, addresses_follow_from_names)
{
    const struct bypeer_peer_name group = name(group_text), member = name(member_text);
    uint8_t address[16];
    bypeer_group_prefix(modern(), &group, address);
    expect_hex(address, 16, "fd73dab45ab200000000000000000000");
    bypeer_group_address(modern(), &group, &member, address);
    expect_hex(address, 16, "fd73dab45ab23baed7dab700d3346581");
    bypeer_group_address(bypeer_profile(BYPEER_PROFILE_WINDOWS), &group, &member, address);
    expect_hex(address, 16, "fdad517fb33c1bb42d0523f3b8738817");
}

/* The reference's vectors 1 to 4, 7 and 8. */
Test(group_formats, windows_passwords)
{
    const struct bypeer_profile *windows = bypeer_profile(BYPEER_PROFILE_WINDOWS);
    const struct bypeer_peer_name group = name(group_text);
    char form[BYPEER_GROUP_PASSWORD_FORM_MAX];
    uint8_t key[32], proof[20];
    cr_assert_eq(bypeer_password_form(windows, &group, "password", form), 0);
    cr_expect_str_eq(form, "ekpckgmohmldapihpfphiebdkkcaheipipcjcpai");
    bypeer_password_key(form, key);
    expect_hex(key, 32, "c5006ab14d63fc5580960af2f11faccf6c38270c767c4ac95dd80bd960648091");
    bypeer_password_proof(form, member_text, proof);
    expect_hex(proof, 20, "78b6e5d39b63eda2336931fb9c284c27644177e7");
    cr_assert_eq(bypeer_password_form(windows, &group, "pF5f6jH3XA", form), 0);
    cr_expect_str_eq(form, "jjcpheakmbdegaajmbbjhlmplfiobohpmoeenahg");
    bypeer_password_key(form, key);
    expect_hex(key, 32, "b80b35700e11e08c0333179e9ba8d1509c72f867a897e506648a16ab6f646665");
    cr_expect_eq(bypeer_password_form(windows, &group, "", form), -EINVAL);
}

Test(group_formats, a_modern_passwords_form_is_of_one_group)
{
    const struct bypeer_peer_name group = name(group_text), other = name(member_text);
    char form[BYPEER_GROUP_PASSWORD_FORM_MAX], again[BYPEER_GROUP_PASSWORD_FORM_MAX];
    cr_assert_eq(bypeer_password_form(modern(), &group, "castling", form), 0);
    cr_assert_eq(bypeer_password_form(modern(), &group, "castling", again), 0);
    cr_expect_str_eq(form, again);
    cr_assert_eq(bypeer_password_form(modern(), &other, "castling", again), 0);
    cr_expect_str_neq(form, again);
}

/* One run; whether both sides get what the other expects. */
static bool cpace_agree(const char *form, const char *other_form, const char *group, const char *other_group,
                        const uint8_t seen_key[static 32])
{
    static const uint8_t keys[2][32] = {{1}, {2}};
    struct bypeer_cpace first, second;
    bypeer_cpace_begin(&first, true, form, group);
    bypeer_cpace_begin(&second, false, other_form, other_group);
    uint8_t share[BYPEER_CPACE_SHARE];
    memcpy(share, first.share, sizeof(share));
    cr_assert_eq(bypeer_cpace_finish(&first, second.share, keys[0], keys[1], 32), 0);
    cr_assert_eq(bypeer_cpace_finish(&second, share, keys[1], seen_key, 32), 0);
    bool is_first = bypeer_cpace_is_expected(&first, second.confirm, sizeof(second.confirm));
    bool is_second = bypeer_cpace_is_expected(&second, first.confirm, sizeof(first.confirm));
    cr_expect_eq(is_first, is_second);
    cr_expect_not(bypeer_cpace_is_expected(&first, first.confirm, sizeof(first.confirm)), "its own, sent back");
    cr_expect_not(bypeer_cpace_is_expected(&first, second.confirm, sizeof(second.confirm) - 1));
    return is_first && is_second;
}

Test(group_formats, cpace_agrees_on_one_password_group_and_pair_of_keys)
{
    static const uint8_t key[32] = {1}, middle[32] = {3};
    cr_expect(cpace_agree("a", "a", "g", "g", key));
    cr_expect_not(cpace_agree("a", "b", "g", "g", key));
    cr_expect_not(cpace_agree("a", "a", "g", "h", key));
    cr_expect_not(cpace_agree("a", "a", "g", "g", middle), "somebody in the middle shows a key of his own");
}

Test(group_formats, cpace_refuses_points_that_give_nothing_away)
{
    static const uint8_t zero[BYPEER_CPACE_SHARE], key[32] = {1};
    uint8_t none[BYPEER_CPACE_SHARE];
    struct bypeer_cpace cpace;
    memset(none, 0xff, sizeof(none));
    bypeer_cpace_begin(&cpace, true, "a", "g");
    cr_expect_eq(bypeer_cpace_finish(&cpace, zero, key, key, 32), -EBADMSG);
    bypeer_cpace_begin(&cpace, true, "a", "g");
    cr_expect_eq(bypeer_cpace_finish(&cpace, none, key, key, 32), -EBADMSG);
}

Test(group_formats, attachments_are_read_as_written)
{
    struct bypeer_key *key;
    const struct bypeer_peer_name group = name(group_text);
    uint8_t bytes[BYPEER_ATTACHMENT_BYTES_MAX];
    struct bypeer_attachment read, made = {
                                       .flags = BYPEER_ATTACHMENT_DRAINING,
                                       .priority = 3,
                                       .sequence = UINT64_C(0x0102030405060708),
                                       .member = name(member_text),
                                       .member_key = {4},
                                       .supernode = group,
                                       .supernode_key = {5},
                                       .endpoints = {{{0x20}, 51820}, {{[10] = 0xff, 0xff, 192, 0, 2, 1}, 51821}},
                                       .endpoint_count = 2,
                                   };
    cr_assert_eq(bypeer_key_generate(&key, modern()), 0);
    cr_assert_eq(bypeer_attachment_sign(&made, &group, key), 0);
    size_t length = bypeer_attachment_write(&made, modern(), bytes, sizeof(bytes));
    cr_assert_gt(length, 0);
    cr_assert_eq(bypeer_attachment_read(&read, modern(), bytes, length), 0);
    cr_expect_eq(read.sequence, made.sequence);
    cr_expect_eq(read.flags, made.flags);
    cr_expect_eq(read.endpoints[1].port, 51821);
    cr_expect(bypeer_name_is_equal(&read.member, &made.member));
    cr_expect(bypeer_attachment_is_signed_by(&read, modern(), &group, bypeer_key_public(key)));
    read.supernode_key[0]++;
    cr_expect_not(bypeer_attachment_is_signed_by(&read, modern(), &group, bypeer_key_public(key)));
    for (size_t cut = 0; cut < length; cut++)
        if (cut != length - modern()->signature_bytes) /* without its signature it is one, too */
            cr_expect_eq(bypeer_attachment_read(&read, modern(), bytes, cut), -EBADMSG, "%zu", cut);
    cr_expect_eq(bypeer_attachment_write(&made, modern(), bytes, length - 1), 0);
    bypeer_key_free(key);
}

Test(group_formats, revocations_are_read_as_written)
{
    static const uint8_t key[32] = {1}, chain[] = {2, 3, 4};
    uint8_t bytes[256];
    struct bypeer_revocation read, made = {key, chain, sizeof(chain), 1900000000, "lost his phone"};
    size_t length = bypeer_revocation_write(&made, modern(), bytes, sizeof(bytes));
    cr_assert_gt(length, 0);
    cr_assert_eq(bypeer_revocation_read(&read, modern(), bytes, length), 0);
    cr_expect_eq(read.until, made.until);
    cr_expect_str_eq(read.reason, made.reason);
    cr_expect_eq(read.chain_bytes, sizeof(chain));
    cr_expect_arr_eq(read.chain, chain, sizeof(chain));
    for (size_t cut = 0; cut < length; cut++)
        cr_expect_eq(bypeer_revocation_read(&read, modern(), bytes, cut), -EBADMSG);
    cr_expect_eq(bypeer_revocation_read(&read, bypeer_profile(BYPEER_PROFILE_WINDOWS), bytes, length), -EBADMSG);
    bytes[length - 1] = '\0';
    cr_expect_eq(bypeer_revocation_read(&read, modern(), bytes, length), -EBADMSG);
}

/* So that nobody puts another in its place: the ID tells signer, group and key. */
Test(group_formats, a_revocations_id_is_of_its_target)
{
    static const uint8_t key[32] = {1}, other[32] = {2};
    struct bypeer_guid ids[4];
    bypeer_revocation_id(modern(), member_text, group_text, key, &ids[0]);
    bypeer_revocation_id(modern(), member_text, group_text, other, &ids[1]);
    bypeer_revocation_id(modern(), group_text, group_text, key, &ids[2]);
    bypeer_revocation_id(modern(), member_text, member_text, key, &ids[3]);
    for (unsigned a = 0; a < 4; a++)
        for (unsigned b = 0; b < a; b++)
            cr_expect_not(bypeer_guid_is_equal(&ids[a], &ids[b]));
}

Test(group_formats, properties_are_read_as_written)
{
    uint8_t bytes[BYPEER_GROUP_PROPERTIES_BYTES_MAX];
    struct bypeer_group_properties read, made = {
                                             .flags = BYPEER_GROUP_NO_PRESENCE,
                                             .membership_s = 100,
                                             .presence_s = 300,
                                             .comment = "Tuesdays \xe2\x99\x9e",
                                             .cloud = "Global_",
                                             .friendly = "Chess",
                                             .group = name(group_text),
                                             .creator = name(member_text),
                                             .has_password = true,
                                             .password = "form",
                                             .password_role = BYPEER_ROLE_INVITING,
                                         };
    size_t length = bypeer_properties_write(&made, bytes, sizeof(bytes));
    cr_assert_gt(length, 0);
    cr_assert_eq(bypeer_properties_read(&read, bytes, length), 0);
    cr_expect_str_eq(read.comment, made.comment);
    cr_expect_str_eq(read.password, "form");
    cr_expect_eq(read.password_role, BYPEER_ROLE_INVITING);
    cr_expect(bypeer_properties_may_follow(&made, &read));
    /* The reference, 5.1: flags little-endian, the role as Windows keeps it in memory. */
    cr_expect_eq(bytes[2], BYPEER_GROUP_NO_PRESENCE);
    expect_hex(bytes + length - 16, 16, "89fd704318dcfb4c8dbf9853a8a9f905");
    for (size_t cut = 0; cut < length; cut++)
        cr_expect_eq(bypeer_properties_read(&read, bytes, cut), -EBADMSG, "%zu", cut);
    made.invited = 0x1020;
    size_t longer = bypeer_properties_write(&made, bytes, sizeof(bytes));
    expect_hex(bytes + length, longer - length, "20100000");
    cr_assert_eq(bypeer_properties_read(&read, bytes, longer), 0);
    cr_expect_eq(read.invited, 0x1020);
    cr_expect(bypeer_properties_may_follow(&made, &read));
    memset(bytes + length, 0, 4);
    cr_expect_eq(bypeer_properties_read(&read, bytes, longer), -EBADMSG, "the default has one form");
    made.group = made.creator;
    cr_expect_not(bypeer_properties_may_follow(&made, &read));
}

Test(group_formats, a_membership_says_its_chains_length)
{
    uint8_t bytes[BYPEER_MEMBERSHIP_FIXED_BYTES + 300] = {0};
    const uint8_t *chain;
    size_t length;
    bypeer_membership_write(bytes, 300);
    expect_hex(bytes, BYPEER_MEMBERSHIP_FIXED_BYTES, "00012c010000");
    cr_assert_eq(bypeer_membership_read(&chain, &length, bytes, sizeof(bytes)), 0);
    cr_expect_eq(length, 300);
    cr_expect_eq(bypeer_membership_read(&chain, &length, bytes, sizeof(bytes) - 1), -EBADMSG);
}
