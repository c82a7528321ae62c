/* Identities: their certificates, XML forms, exports under a password, and keys that are replaced. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "overlay/certificate/chain.h"
#include "overlay/identity/export.h"
#include "overlay/identity/rotation.h"
#include "overlay/identity/xml.h"
#include "tests/unit/certificate_fixture.h"

#define PASSWORD "correct horse"

static struct bypeer_certificate *certify(const struct fixture_person *person, const char *friendly)
{
    struct bypeer_certificate *idc = NULL;
    const char *why = "";
    cr_assert_eq(bypeer_identity_certify(&idc, person->key, &person->name, friendly, FIXTURE_NOW,
                                         FIXTURE_NOW + BYPEER_CERTIFICATE_FOREVER_S, fixture_random(), &why),
                 0, "%s", why);
    return idc;
}

Test(identity, information_comes_back)
{
    for (unsigned id = 0; id < BYPEER_PROFILES; id++) {
        struct fixture_person person = fixture_person(bypeer_profile(id));
        struct bypeer_certificate *idc = certify(&person, "Ada Löwe");
        struct bypeer_identity_info info;
        char *text, why[160] = "";
        cr_assert_eq(bypeer_identity_info_write(&text, idc, NULL, 0), 0);
        cr_assert_eq(bypeer_identity_info_read(&info, text, strlen(text), why), 0, "%s", why);
        const struct bypeer_certificate_facts *facts = bypeer_certificate_facts(info.idc);
        cr_assert(bypeer_name_is_equal(&info.name, &person.name));
        cr_assert_str_eq(facts->subject_friendly, "Ada Löwe");
        cr_assert_eq(memcmp(facts->public_key, bypeer_key_public(person.key),
                            bypeer_certificate_profile(info.idc)->public_key_bytes),
                     0);
        cr_assert_eq(bypeer_certificate_judge_identity(info.idc, FIXTURE_NOW + 900 * FIXTURE_YEAR), BYPEER_CHAIN_SOUND);
        cr_assert_eq(bypeer_certificate_judge_identity(info.idc, FIXTURE_NOW - 1), BYPEER_CHAIN_NOT_YET);
        bypeer_identity_info_release(&info);
        bypeer_certificate_free(idc);
        bypeer_key_free(person.key);
        free(text);
    }
}

/* Whoever certifies himself under another's name is found out. */
Test(identity, certificate_is_of_the_key_that_it_names)
{
    struct fixture_person person = fixture_person(bypeer_profile(BYPEER_PROFILE_MODERN));
    struct fixture_person other = fixture_person(bypeer_profile(BYPEER_PROFILE_MODERN));
    struct bypeer_certificate *idc = NULL, *root;
    const char *why;
    const struct bypeer_certificate_order order = {.kind = BYPEER_CERTIFICATE_IDENTITY,
                                                   .issuer_key = person.key,
                                                   .random = fixture_random(),
                                                   .subject = &other.name,
                                                   .subject_friendly = "Other",
                                                   .not_before = FIXTURE_NOW,
                                                   .not_after = FIXTURE_NOW + 10};
    cr_assert_eq(bypeer_certificate_make(&idc, &order, &why), 0);
    cr_assert_eq(bypeer_certificate_judge_identity(idc, FIXTURE_NOW), BYPEER_CHAIN_WRONG_KEY);
    struct bypeer_chain *group = fixture_group(&person);
    root = bypeer_chain_certificate(group, 0);
    cr_assert_eq(bypeer_certificate_judge_identity(root, FIXTURE_NOW), BYPEER_CHAIN_NOT_ROOT, "a root is no identity");
    bypeer_chain_free(group);
    bypeer_certificate_free(idc);
    bypeer_key_free(person.key);
    bypeer_key_free(other.key);
}

Test(identity, friendly_name_is_up_to_255_characters)
{
    struct fixture_person person = fixture_person(bypeer_profile(BYPEER_PROFILE_MODERN));
    struct bypeer_certificate *idc = NULL;
    char name[3 * 256 + 1] = "";
    const char *why;
    for (unsigned at = 0; at < 256; at++)
        memcpy(name + 3 * at, "€", 4);
    cr_assert_eq(bypeer_identity_certify(&idc, person.key, &person.name, name, FIXTURE_NOW, FIXTURE_NOW + 1,
                                         fixture_random(), &why),
                 -EINVAL);
    name[3 * 255] = '\0';
    idc = certify(&person, name);
    cr_assert_str_eq(bypeer_certificate_facts(idc)->subject_friendly, name);
    bypeer_certificate_free(idc);
    cr_assert_eq(bypeer_identity_certify(&idc, person.key, &person.name, "\xff", FIXTURE_NOW, FIXTURE_NOW + 1,
                                         fixture_random(), &why),
                 -EINVAL);
    cr_assert_eq(bypeer_identity_certify(&idc, person.key, &person.name, "A\x1b[2J", FIXTURE_NOW, FIXTURE_NOW + 1,
                                         fixture_random(), &why),
                 -EINVAL, "what a terminal obeys");
    idc = certify(&person, NULL);
    char text[BYPEER_NAME_TEXT_MAX];
    bypeer_name_write(&person.name, text);
    cr_assert_str_eq(bypeer_certificate_facts(idc)->subject_friendly, text);
    bypeer_certificate_free(idc);
    bypeer_key_free(person.key);
}

static void refuse_info(const char *text)
{
    struct bypeer_identity_info info;
    char why[160] = "";
    cr_assert_eq(bypeer_identity_info_read(&info, text, strlen(text), why), -EBADMSG, "%s", text);
    cr_assert_neq(why[0], '\0', "no reason for %s", text);
}

Test(identity, text_that_is_no_information_is_refused)
{
    refuse_info("");
    refuse_info("hello");
    refuse_info("<PEERIDENTITYINFO VERSION=\"1.0\"/>");
    refuse_info("<PEERIDENTITYINFO VERSION=\"1.0\"><IDC>AAAA</IDC></PEERIDENTITYINFO>");
    refuse_info("<PEERIDENTITYINFO VERSION=\"1.0\"><IDC>!</IDC></PEERIDENTITYINFO>");
    refuse_info("<PEERIDENTITYINFO VERSION=\"1.0\"><IDC><B/></IDC></PEERIDENTITYINFO>");
    refuse_info("<!DOCTYPE a [<!ENTITY b \"c\">]><PEERIDENTITYINFO VERSION=\"1.0\"><IDC>&b;</IDC></PEERIDENTITYINFO>");
}

Test(identity, xml_keeps_what_is_put_into_it)
{
    struct bypeer_xml_writer writer;
    struct bypeer_xml xml;
    static const uint8_t bytes[] = {0, 1, 2, 0xff};
    char *text, why[160];
    uint8_t *back;
    size_t length;
    bypeer_xml_begin(&writer, "A", "1.1");
    bypeer_xml_put_text(&writer, "T", "a<b>&\"c\"\n d");
    bypeer_xml_put_bytes(&writer, "B", bytes, sizeof(bytes));
    bypeer_xml_put_text(&writer, "D", "1");
    bypeer_xml_put_text(&writer, "D", "2");
    cr_assert_eq(bypeer_xml_end(&writer, &text), 0);
    cr_assert_eq(bypeer_xml_read(&xml, text, strlen(text), 1000, why), 0, "%s", why);
    cr_assert_str_eq(xml.root, "A");
    cr_assert_str_eq(xml.version, "1.1");
    cr_assert_str_eq(bypeer_xml_find(&xml, "T")->text, "a<b>&\"c\"\n d");
    cr_assert(bypeer_xml_find(&xml, "B")->is_binary);
    cr_assert_eq(bypeer_xml_bytes(bypeer_xml_find(&xml, "B"), &back, &length), 0);
    cr_assert_eq(length, sizeof(bytes));
    cr_assert_eq(memcmp(back, bytes, length), 0);
    cr_assert_null(bypeer_xml_find(&xml, "D"), "which of the two?");
    cr_assert_null(bypeer_xml_find(&xml, "E"));
    free(back);
    bypeer_xml_release(&xml);
    cr_assert_eq(bypeer_xml_read(&xml, text, strlen(text), 10, why), -EBADMSG);
    free(text);
}

Test(identity, export_moves_the_key_for_who_has_the_password)
{
    for (unsigned id = 0; id < BYPEER_PROFILES; id++) {
        struct fixture_person person = fixture_person(bypeer_profile(id));
        struct bypeer_identity_export identity = {.name = person.name, .key = person.key}, back;
        char *text, why[160] = "";
        identity.idc = certify(&person, "Ada");
        cr_assert_eq(bypeer_identity_export_write(&text, &identity, "short", why), -EINVAL);
        cr_assert_eq(bypeer_identity_export_write(&text, &identity, PASSWORD, why), 0, "%s", why);
        cr_assert_null(strstr(text, "PRIVATE"));
        cr_assert_eq(bypeer_identity_export_read(&back, text, strlen(text), "wrong horse", why), -EACCES);
        cr_assert_eq(bypeer_identity_export_read(&back, text, strlen(text), PASSWORD, why), 0, "%s", why);
        cr_assert(bypeer_name_is_equal(&back.name, &person.name));
        cr_assert_eq(memcmp(bypeer_key_public(back.key), bypeer_key_public(person.key),
                            bypeer_key_profile(person.key)->public_key_bytes),
                     0);
        bypeer_identity_export_release(&back);
        /* The name in clear is bound to the key. */
        char *digit = strstr(text, "<PEERNAME>") + strlen("<PEERNAME>");
        *digit = *digit == '0' ? '1' : '0';
        cr_assert_eq(bypeer_identity_export_read(&back, text, strlen(text), PASSWORD, why), -EBADMSG);
        bypeer_identity_export_release(&identity);
        free(text);
    }
}

static size_t rotate(uint8_t *ret_bytes, const struct fixture_person *from, const struct fixture_person *to)
{
    cr_assert_eq(bypeer_rotation_write(ret_bytes, from->key, to->key, FIXTURE_NOW, FIXTURE_NOW + 60), 0);
    return bypeer_rotation_bytes(bypeer_key_profile(from->key));
}

Test(identity, name_of_the_first_key_follows_its_successors)
{
    for (unsigned id = 0; id < BYPEER_PROFILES; id++) {
        const struct bypeer_profile *profile = bypeer_profile(id);
        struct fixture_person people[4];
        uint8_t bytes[3 * BYPEER_ROTATION_MAX];
        struct bypeer_rotation last;
        for (unsigned at = 0; at < 4; at++)
            people[at] = fixture_person(profile);
        size_t each = rotate(bytes, &people[0], &people[1]);
        rotate(bytes + each, &people[1], &people[2]);
        const uint8_t *first = people[0].name.authority;
        const uint8_t *third = bypeer_key_public(people[2].key);
        cr_assert_eq(bypeer_rotations_follow(profile, first, bytes, 2 * each, third, &last), 0);
        cr_assert_eq(last.until, FIXTURE_NOW + 60);
        cr_assert_eq(bypeer_rotations_follow(profile, first, NULL, 0, bypeer_key_public(people[0].key), NULL), 0);
        cr_assert_eq(bypeer_rotations_follow(profile, first, NULL, 0, third, NULL), -EKEYREJECTED);
        cr_assert_eq(bypeer_rotations_follow(profile, first, bytes, each, third, NULL), -EKEYREJECTED,
                     "a step is missing");
        cr_assert_eq(bypeer_rotations_follow(profile, first, bytes + each, each, third, NULL), -EKEYREJECTED);
        rotate(bytes + each, &people[3], &people[2]);
        cr_assert_eq(bypeer_rotations_follow(profile, first, bytes, 2 * each, third, NULL), -EKEYREJECTED,
                     "a stranger's step");
        cr_assert_eq(bypeer_rotations_follow(profile, first, bytes, 2 * each - 1, third, NULL), -EBADMSG);

        struct bypeer_certificate *idc = certify(&people[1], "Ada");
        struct bypeer_identity_info info;
        char *text, why[160] = "";
        cr_assert_eq(bypeer_identity_info_write(&text, idc, bytes, each), 0);
        cr_assert_eq(bypeer_identity_info_read(&info, text, strlen(text), why), 0, "%s", why);
        cr_assert(bypeer_name_is_equal(&info.name, &people[0].name), "who it was, it is");
        bypeer_identity_info_release(&info);
        free(text);
        cr_assert_eq(bypeer_identity_info_write(&text, idc, bytes + each, each), 0);
        cr_assert_eq(bypeer_identity_info_read(&info, text, strlen(text), why), -EBADMSG, "another's statement");
        free(text);
        bypeer_certificate_free(idc);
        for (unsigned at = 0; at < 4; at++)
            bypeer_key_free(people[at].key);
    }
}

Test(identity, rotation_is_signed_by_both_keys)
{
    struct fixture_person a = fixture_person(bypeer_profile(BYPEER_PROFILE_MODERN));
    struct fixture_person b = fixture_person(bypeer_profile(BYPEER_PROFILE_MODERN));
    uint8_t bytes[BYPEER_ROTATION_MAX];
    struct bypeer_rotation rotation;
    size_t length = rotate(bytes, &a, &b);
    cr_assert_eq(bypeer_rotation_read(&rotation, bytes, length), 0);
    for (size_t at = 0; at < length; at++) {
        bytes[at] ^= 1;
        cr_assert_neq(bypeer_rotation_read(&rotation, bytes, length), 0, "byte %zu", at);
        bytes[at] ^= 1;
    }
    cr_assert_eq(bypeer_rotation_read(&rotation, bytes, length - 1), -EBADMSG);
    cr_assert_eq(bypeer_rotation_write(bytes, a.key, a.key, FIXTURE_NOW, FIXTURE_NOW), -EINVAL);
    cr_assert_eq(bypeer_rotation_write(bytes, a.key, b.key, FIXTURE_NOW, FIXTURE_NOW - 1), -EINVAL);
    bypeer_key_free(a.key);
    bypeer_key_free(b.key);
}
