/*
 * What wireguard-go sent while our side talked to it, once more: given the same time, keys and random numbers, our side
 * takes every datagram that it took then, and sends the same bytes. The fixtures were recorded by
 * tests/e2e/test_wireguard_go.py --record (tests/wireguard_record.h is their form).
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>

#include "tests/unit/pnrp_bytes.h"
#include "tests/wireguard_end.h"
#include "tests/wireguard_record.h"

#define LINE_BYTES 8192

static struct wireguard_end end;

/* The next word of a line as bytes; "-" is none. */
static size_t bytes_after(char **rest, uint8_t *ret_bytes, size_t room)
{
    char *word = strtok_r(NULL, " \n", rest);
    size_t length = 0;
    cr_assert(word && wireguard_record_bytes(word, ret_bytes, room, &length));
    return length;
}

static struct bypeer_wireguard_time time_after(char **rest)
{
    struct bypeer_wireguard_time time;
    char *ns = strtok_r(NULL, " \n", rest), *unix_ns = strtok_r(NULL, " \n", rest);
    cr_assert(ns && unix_ns);
    time.ns = strtoull(ns, NULL, 10);
    time.unix_ns = strtoull(unix_ns, NULL, 10);
    return time;
}

static void begin(char **rest)
{
    uint8_t private_key[32], peer_key[32], preshared[32];
    struct bypeer_wireguard_time now = time_after(rest);
    unsigned persistent_s = (unsigned)strtoul(strtok_r(NULL, " \n", rest), NULL, 10);
    cr_assert_eq(bytes_after(rest, private_key, 32), 32);
    cr_assert_eq(bytes_after(rest, peer_key, 32), 32);
    bool is_preshared = bytes_after(rest, preshared, 32) == 32;
    wireguard_end_init(&end, private_key, peer_key, is_preshared ? preshared : NULL, persistent_s,
                       WIREGUARD_RECORD_SEED, now);
}

/* out: how many datagrams that the last step made were already found as recorded. */
static void step(const char *name, char **rest, unsigned *out)
{
    uint8_t bytes[2048];
    const uint8_t source[18] = {0};
    end.now = time_after(rest);
    size_t length = bytes_after(rest, bytes, sizeof(bytes));
    if (strcmp(name, "out") == 0) {
        cr_assert_lt(*out, end.out_count, "a datagram of %zu bytes was not sent again", length);
        cr_assert_eq(end.out[*out].length, length);
        cr_assert_arr_eq(end.out[*out].bytes, bytes, length);
        ++*out;
        return;
    }
    cr_assert_eq(*out, end.out_count, "%u datagrams are new", end.out_count - *out);
    *out = end.out_count = 0;
    if (strcmp(name, "in") == 0) {
        uint8_t *exact = bytes_copy(bytes, length);
        enum bypeer_wireguard_verdict verdict =
            wireguard_end_receive(&end, exact, length, source, sizeof(source), BYPEER_WIREGUARD_QUIET);
        cr_assert(verdict == BYPEER_WIREGUARD_TAKEN || verdict == BYPEER_WIREGUARD_IS_DATA, "%d", verdict);
        free(exact);
    } else if (strcmp(name, "send") == 0) {
        wireguard_end_send(&end, bytes, length);
    } else {
        cr_assert_str_eq(name, "tick");
        wireguard_end_tick(&end);
    }
}

static void replay(const char *name)
{
    char path[4096], line[LINE_BYTES];
    unsigned out = 0;
    const char *directory = getenv("BYPEER_FIXTURES");
    cr_assert(directory, "BYPEER_FIXTURES has to name the folder of fixtures");
    snprintf(path, sizeof(path), "%s/%s", directory, name);
    FILE *file = fopen(path, "r");
    cr_assert(file, "%s: %s", path, strerror(errno));
    while (fgets(line, sizeof(line), file)) {
        char *rest, *word = strtok_r(line, " \n", &rest);
        if (strcmp(word, "keys") == 0)
            begin(&rest);
        else
            step(word, &rest, &out);
    }
    fclose(file);
    cr_assert_eq(end.bad + end.replays, 0);
    cr_assert_geq(end.packets, 10);
    cr_assert_geq(end.prefers, 2, "with a rekey");
}

static void finish(void)
{
    wireguard_end_free(&end);
}

TestSuite(wireguard_replay, .fini = finish);

Test(wireguard_replay, we_began)
{
    replay("wireguard_go_we_begin.txt");
    cr_assert_eq(end.responses, 0);
}

Test(wireguard_replay, they_began)
{
    replay("wireguard_go_they_begin.txt");
    cr_assert_eq(end.initiations, 0);
}
