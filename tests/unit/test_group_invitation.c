/* Invitations: both forms, and what happens to them on the way. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "overlay/group/export.h"
#include "overlay/group/group.h"
#include "overlay/group/invitation.h"

static char why[160];

static const struct bypeer_profile *modern(void)
{
    return bypeer_profile(BYPEER_PROFILE_MODERN);
}

/* A group's chain in an invitation with one seed; and the group's key. */
static struct bypeer_invitation with_chain_and_key(struct bypeer_key **ret_group_key)
{
    struct bypeer_key *group_key, *key;
    struct bypeer_invitation invitation = {.scope = 1, .cloud = "Global_", .seed_count = 1};
    struct bypeer_group_subject subject = {.friendly = "Alice"};
    struct bypeer_chain *chain;
    size_t length;
    cr_assert_eq(bypeer_key_generate(&group_key, modern()), 0);
    cr_assert_eq(bypeer_key_generate(&key, modern()), 0);
    cr_assert_eq(bypeer_group_name(group_key, "chess", &invitation.group, why), 0);
    subject.name.secure = true;
    subject.key = bypeer_key_public(key);
    bypeer_key_authority(key, subject.name.authority);
    int status = bypeer_group_found(group_key, &invitation.group, "Chess", &subject, 1000, 2000, &chain, why);
    cr_assert_eq(status, 0, "%s", why);
    const uint8_t *bag = bypeer_chain_bag(chain, &length);
    invitation.chain = malloc(length);
    invitation.chain_bytes = length;
    memcpy(invitation.chain, bag, length);
    memcpy(invitation.seeds[0].address, (uint8_t[16]){0x20, 0x01, 0x0d, 0xb8, [15] = 1}, 16);
    invitation.seeds[0].port = 3587;
    bypeer_chain_free(chain);
    bypeer_key_free(key);
    *ret_group_key = group_key;
    return invitation;
}

static struct bypeer_invitation with_chain(void)
{
    struct bypeer_key *group_key;
    struct bypeer_invitation invitation = with_chain_and_key(&group_key);
    bypeer_key_free(group_key);
    return invitation;
}

static struct bypeer_invitation with_password(void)
{
    struct bypeer_invitation invitation = {.wants_password = true, .friendly = "Chess & <go>", .scope = 3};
    cr_assert_eq(bypeer_name_read(&invitation.group, "2bcba40abd09492eb706b74f8f8932a6efb10979.chess", why), 0);
    return invitation;
}

static void expect_same(const struct bypeer_invitation *made, const char *text)
{
    struct bypeer_invitation read;
    cr_assert_eq(bypeer_invitation_read(&read, modern(), text, strlen(text), why), 0, "%s", why);
    cr_expect(bypeer_name_is_equal(&read.group, &made->group));
    cr_expect_eq(read.wants_password, made->wants_password);
    cr_expect_str_eq(read.friendly, made->wants_password ? made->friendly : "Chess");
    cr_expect_str_eq(read.cloud, made->cloud);
    cr_expect_eq(read.scope, made->scope);
    cr_expect_eq(read.chain_bytes, made->chain_bytes);
    if (made->chain)
        cr_expect_arr_eq(read.chain, made->chain, made->chain_bytes);
    cr_expect_eq(read.seed_count, made->seed_count);
    cr_expect_eq(memcmp(read.seeds, made->seeds, sizeof(read.seeds)), 0);
    bypeer_invitation_clear(&read);
}

Test(group_invitation, both_forms_say_the_same)
{
    struct bypeer_invitation invitations[] = {with_chain(), with_password()};
    for (unsigned at = 0; at < 2; at++) {
        char *line, *xml;
        cr_assert_eq(bypeer_invitation_write_line(&invitations[at], &line), 0);
        cr_assert_eq(bypeer_invitation_write_xml(&invitations[at], &xml), 0);
        expect_same(&invitations[at], line);
        expect_same(&invitations[at], xml);
        free(line);
        free(xml);
        bypeer_invitation_clear(&invitations[at]);
    }
}

Test(group_invitation, a_line_survives_a_chat)
{
    struct bypeer_invitation invitation = with_chain();
    char *line;
    cr_assert_eq(bypeer_invitation_write_line(&invitation, &line), 0);
    cr_expect_lt(strlen(line), 2900, "it fits a QR code");
    size_t length = strlen(line);
    char *broken = malloc(length + 8);
    snprintf(broken, length + 8, " \n%.100s\r\n  %s \n", line, line + 100);
    expect_same(&invitation, broken);
    free(broken);
    free(line);
    bypeer_invitation_clear(&invitation);
}

Test(group_invitation, a_damaged_line_is_refused)
{
    struct bypeer_invitation invitation = with_chain(), read;
    char *line;
    cr_assert_eq(bypeer_invitation_write_line(&invitation, &line), 0);
    size_t length = strlen(line);
    for (size_t at = 0; at < length; at += 7) {
        char kept = line[at];
        line[at] = kept == 'A' ? 'B' : 'A';
        cr_expect_eq(bypeer_invitation_read(&read, modern(), line, length, why), -EINVAL, "%zu", at);
        line[at] = kept;
        cr_expect_eq(bypeer_invitation_read(&read, modern(), line, at, why), -EINVAL, "%zu", at);
    }
    cr_expect_eq(bypeer_invitation_read(&read, bypeer_profile(BYPEER_PROFILE_WINDOWS), line, length, why), -EINVAL);
    cr_expect_str_eq(why, "it is of the other wire profile");
    free(line);
    bypeer_invitation_clear(&invitation);
}

/* As a home group's members wrote it: reference 6.2. */
Test(group_invitation, of_windows_by_password)
{
    static const char xml[] =
        "<PEERINVITATION VERSION=\"1.1\"><CLOUDNAME>LinkLocal_ff00::%10/8</CLOUDNAME><SCOPE>LINKLOCAL</SCOPE>"
        "<CLOUDFLAGS>1</CLOUDFLAGS><GROUPPEERNAME>2bcba40abd09492eb706b74f8f8932a6efb10979.HomeGroupPeerGroupClassifier"
        "</GROUPPEERNAME><GROUPFRIENDLYNAME>HomeGroup Peer Group</GROUPFRIENDLYNAME></PEERINVITATION>";
    struct bypeer_invitation read;
    int status = bypeer_invitation_read(&read, bypeer_profile(BYPEER_PROFILE_WINDOWS), xml, sizeof(xml) - 1, why);
    cr_assert_eq(status, 0, "%s", why);
    cr_expect(read.wants_password);
    cr_expect(read.is_private_cloud);
    cr_expect_eq(read.scope, 3);
    cr_expect_str_eq(read.cloud, "LinkLocal_ff00::%10/8");
    cr_expect_str_eq(read.friendly, "HomeGroup Peer Group");
    bypeer_invitation_clear(&read);
}

Test(group_invitation, what_is_none_says_why)
{
    static const struct {
        const char *text, *why;
    } cases[] = {
        {"", "it is no invitation: one begins with \"bypeer1:\" or \"<PEERINVITATION\""},
        {"bypeer2:AAAA", "it is no invitation: one begins with \"bypeer1:\" or \"<PEERINVITATION\""},
        {"bypeer1:", "it is cut short: copy the whole line"},
        {"bypeer1:AA!A", "it has a character that no invitation has: copy the whole line"},
        {"<PEERIDENTITYINFO VERSION=\"1.0\"/>", "it is XML, but no PEERINVITATION"},
        {"<PEERINVITATION VERSION=\"1.0\"><SCOPE>MARS</SCOPE></PEERINVITATION>",
         "its SCOPE is none of GLOBAL, SITELOCAL and LINKLOCAL"},
        {"<PEERINVITATION VERSION=\"1.0\"><SCOPE>GLOBAL</SCOPE><SEED>[::1]:0</SEED></PEERINVITATION>",
         "a SEED of it is no [address]:port, or the fifth"},
        {"<PEERINVITATION VERSION=\"1.0\"><SCOPE>GLOBAL</SCOPE><GMC>!</GMC></PEERINVITATION>",
         "its GMC is no base64, or too long"},
        {"<PEERINVITATION VERSION=\"1.0\"><SCOPE>GLOBAL</SCOPE><GROUPPEERNAME>0.x</GROUPPEERNAME></PEERINVITATION>",
         "it has neither GMC nor GROUPPEERNAME"},
    };
    struct bypeer_invitation read;
    for (size_t at = 0; at < sizeof(cases) / sizeof(*cases); at++) {
        int status = bypeer_invitation_read(&read, modern(), cases[at].text, strlen(cases[at].text), why);
        cr_expect_eq(status, -EINVAL, "%s", cases[at].text);
        cr_expect_str_eq(why, cases[at].why);
    }
}

static struct bypeer_group_export founders(void)
{
    struct bypeer_group_export group = {0};
    struct bypeer_chain *chain;
    group.group = with_chain_and_key(&group.group_key);
    cr_assert_eq(bypeer_chain_read(&chain, modern(), group.group.chain, group.group.chain_bytes, NULL), 0);
    group.identity = bypeer_chain_leaf(chain)->subject;
    bypeer_chain_free(chain);
    return group;
}

Test(group_invitation, a_group_moves_with_its_key)
{
    struct bypeer_group_export group = founders(), read;
    char *text;
    cr_expect_eq(bypeer_group_export_write(&text, &group, NULL, why), -EINVAL, "a key without a password");
    cr_assert_eq(bypeer_group_export_write(&text, &group, "castling", why), 0, "%s", why);
    cr_expect_null(strstr(text, "PRIVATE KEY"));
    cr_expect_eq(bypeer_group_export_read(&read, modern(), text, strlen(text), "Castling", why), -EACCES);
    cr_expect_eq(bypeer_group_export_read(&read, modern(), text, strlen(text), NULL, why), -EACCES);
    cr_assert_eq(bypeer_group_export_read(&read, modern(), text, strlen(text), "castling", why), 0, "%s", why);
    cr_expect(bypeer_name_is_equal(&read.identity, &group.identity));
    cr_expect(bypeer_name_is_equal(&read.group.group, &group.group.group));
    cr_expect_eq(read.group.seed_count, 1);
    cr_expect_arr_eq(bypeer_key_public(read.group_key), bypeer_key_public(group.group_key), 32);
    bypeer_group_export_release(&read);
    bypeer_group_export_release(&group);
    free(text);
}

Test(group_invitation, an_export_of_a_member_needs_no_password)
{
    struct bypeer_group_export group = founders(), read;
    char *text;
    bypeer_key_free(group.group_key);
    group.group_key = NULL;
    cr_assert_eq(bypeer_group_export_write(&text, &group, NULL, why), 0, "%s", why);
    cr_assert_eq(bypeer_group_export_read(&read, modern(), text, strlen(text), NULL, why), 0, "%s", why);
    cr_expect_null(read.group_key);
    bypeer_group_export_release(&read);
    /* Another identity's name beside it. */
    char *name = strstr(text, "IDENTITYPEERNAME>") + strlen("IDENTITYPEERNAME>");
    *name = *name == 'a' ? 'b' : 'a';
    cr_expect_eq(bypeer_group_export_read(&read, modern(), text, strlen(text), NULL, why), -EINVAL);
    bypeer_group_export_release(&group);
    free(text);
}
