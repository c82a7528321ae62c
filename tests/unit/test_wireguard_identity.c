/*
 * The node's own key: made once, for its owner's eyes, and refused if others could have read it.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/wireguard/identity.h"

static char directory[64], path[96];
static struct bypeer_problem problem;

static void setup(void)
{
    unsetenv("CREDENTIALS_DIRECTORY");
    strcpy(directory, "/tmp/bypeer-test-XXXXXX");
    cr_assert_not_null(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/wireguard.key", directory);
}

static void teardown(void)
{
    unlink(path);
    rmdir(directory);
}

TestSuite(wireguard_identity, .init = setup, .fini = teardown);

static void write_key(const char *text, mode_t mode)
{
    FILE *file = fopen(path, "w");
    cr_assert_not_null(file);
    fputs(text, file);
    fclose(file);
    cr_assert_eq(chmod(path, mode), 0);
}

Test(wireguard_identity, is_made_at_the_first_start_and_stays)
{
    uint8_t first[32], second[32];
    struct stat status;
    cr_assert_eq(bypeer_wireguard_identity_load("", directory, first, &problem), 0);
    cr_assert_eq(stat(path, &status), 0);
    cr_assert_eq(status.st_mode & 07777, 0600u);
    cr_assert_eq(bypeer_wireguard_identity_load(path, "/nowhere", second, &problem), 0);
    cr_assert_arr_eq(first, second, 32);
}

Test(wireguard_identity, is_read_as_wg_genkey_writes_it)
{
    uint8_t key[32];
    write_key("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n", 0600);
    cr_assert_eq(bypeer_wireguard_identity_load("", directory, key, &problem), 0);
    for (unsigned at = 0; at < 32; at++)
        cr_assert_eq(key[at], at);
}

Test(wireguard_identity, refuses_what_others_may_read)
{
    uint8_t key[32];
    write_key("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n", 0640);
    cr_assert_eq(bypeer_wireguard_identity_load("", directory, key, &problem), -EACCES);
    cr_assert_str_eq(problem.thing, path);
    cr_assert_not_null(strstr(problem.remedy, "chmod 600"));
}

Test(wireguard_identity, never_writes_over_what_is_no_key)
{
    uint8_t key[32];
    char text[64] = "";
    write_key("something else\n", 0600);
    cr_assert_eq(bypeer_wireguard_identity_load("", directory, key, &problem), -EINVAL);
    FILE *file = fopen(path, "r");
    cr_assert_not_null(file);
    cr_assert_not_null(fgets(text, sizeof(text), file));
    fclose(file);
    cr_assert_str_eq(text, "something else\n");
    cr_assert_null(strstr(problem.value, "something else"));
}

Test(wireguard_identity, comes_from_credentials_before_all)
{
    uint8_t key[32];
    write_key("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n", 0440);
    cr_assert_eq(setenv("CREDENTIALS_DIRECTORY", directory, 1), 0);
    cr_assert_eq(bypeer_wireguard_identity_load("/nowhere/key", "/nowhere", key, &problem), 0);
    cr_assert_eq(key[31], 31);
}

Test(wireguard_identity, says_what_cannot_be_written)
{
    uint8_t key[32];
    cr_assert_eq(bypeer_wireguard_identity_load("/nowhere/key", "/nowhere", key, &problem), -ENOENT);
    cr_assert_str_eq(problem.thing, "/nowhere/key");
}
