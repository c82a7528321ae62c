/*
 * libnss_bypeer.so.2 as programs use it, through libc's getaddrinfo() and gethostbyname2_r(), with a daemon that the
 * test plays. The run sets LD_LIBRARY_PATH so that libc finds the module of this build.
 */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <nss.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static char directory[] = "/tmp/bypeer-nss-XXXXXX", path[64];
static int listener;
static pthread_t thread;
static const char *answer; /* NULL: nothing is said */
static char question[300]; /* that came last */
static unsigned question_count;

static void *play(void *unused)
{
    (void)unused;
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        if (fd < 0)
            return NULL;
        ssize_t got = recv(fd, question, sizeof(question) - 1, 0);
        question[got > 0 ? got : 0] = '\0';
        question_count++;
        if (answer)
            send(fd, answer, strlen(answer), MSG_NOSIGNAL);
        else
            recv(fd, (char[1]){0}, 1, 0); /* until the client has had enough */
        close(fd);
    }
}

static void set_up(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    cr_assert_not_null(mkdtemp(directory));
    snprintf(path, sizeof(path), "%s/names.sock", directory);
    memcpy(address.sun_path, path, strlen(path) + 1);
    listener = socket(AF_UNIX, SOCK_STREAM, 0);
    cr_assert_eq(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
    cr_assert_eq(listen(listener, 8), 0);
    cr_assert_eq(pthread_create(&thread, NULL, play, NULL), 0);
    setenv("BYPEER_NAMES_SOCKET", path, 1);
    /* As in nsswitch.conf, with another local service in the place of DNS. */
    cr_assert_eq(__nss_configure_lookup("hosts", "bypeer [!UNAVAIL=return] files"), 0);
}

static void tear_down(void)
{
    shutdown(listener, SHUT_RDWR);
    pthread_join(thread, NULL);
    close(listener);
    unlink(path);
    rmdir(directory);
}

TestSuite(nss, .init = set_up, .fini = tear_down, .timeout = 60);

static int look_up(const char *name, int family, char ret_text[static 512])
{
    struct addrinfo hints = {.ai_family = family, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    int result = getaddrinfo(name, NULL, &hints, &list);
    ret_text[0] = '\0';
    for (const struct addrinfo *entry = list; entry && result == 0; entry = entry->ai_next) {
        char text[INET6_ADDRSTRLEN];
        getnameinfo(entry->ai_addr, entry->ai_addrlen, text, sizeof(text), NULL, 0, NI_NUMERICHOST);
        snprintf(ret_text + strlen(ret_text), 512 - strlen(ret_text), "%s ", text);
    }
    if (result == 0)
        freeaddrinfo(list);
    return result;
}

Test(nss, any_program_gets_the_addresses)
{
    static const int families[] = {AF_UNSPEC, AF_INET6};
    char text[512];
    answer = "WAIT\nOK 2\nfd00::1\nfd00::2\n";
    for (unsigned i = 0; i < 2; i++) {
        cr_expect_eq(look_up("web.pnrp.net", families[i], text), 0);
        cr_expect(strcmp(text, "fd00::1 fd00::2 ") == 0 || strcmp(text, "fd00::2 fd00::1 ") == 0, "%s", text);
        cr_expect_str_eq(question, "web.pnrp.net\n");
    }
    answer = "OK 1\nfd00::7\n";
    cr_expect_eq(look_up("WEB.PNRP.NET.", AF_UNSPEC, text), 0);
    cr_expect_str_eq(text, "fd00::7 ");
}

Test(nss, a_name_of_ours_ends_here_whatever_happens)
{
    static const char *const answers[] = {"NOTFOUND\n",
                                          "WAIT\nNOTFOUND\n",
                                          "",
                                          "WAIT\n",
                                          "OK 0\n",
                                          "OK 11\n",
                                          "OK 2\nfd00::1\nfd00::2",
                                          "OK 1\n192.0.2.1\n",
                                          "HELLO\n",
                                          "WAIT\nWAIT\nOK 1\nfd00::1\n"};
    char text[512];
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        answer = answers[i];
        cr_expect_eq(look_up("web.pnrp.net", AF_UNSPEC, text), EAI_NONAME, "%s: %s", answers[i], text);
    }
    cr_expect_neq(look_up("web.pnrp.net", AF_INET, text), 0);
    cr_expect_eq(question_count, sizeof(answers) / sizeof(answers[0]), "nobody is asked for IPv4");
    setenv("BYPEER_NAMES_SOCKET", "/nowhere/names.sock", 1);
    cr_expect_eq(look_up("web.pnrp.net", AF_UNSPEC, text), EAI_NONAME, "nor without a daemon");
}

Test(nss, other_names_go_on_to_the_next_service)
{
    char text[512];
    answer = "OK 1\nfd00::1\n";
    cr_expect_eq(look_up("localhost", AF_INET, text), 0);
    cr_expect_str_eq(text, "127.0.0.1 ");
    static const char *const others[] = {"www.example.net", "pnrp.net", "xpnrp.net", ".pnrp.net.x", "pnrp.net.example"};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        cr_expect_neq(look_up(others[i], AF_UNSPEC, text), 0);
    cr_expect_eq(question_count, 0);
}

Test(nss, a_silent_daemon_costs_a_tenth_of_a_second)
{
    char text[512];
    struct timespec before, after;
    clock_gettime(CLOCK_MONOTONIC, &before);
    cr_expect_eq(look_up("web.pnrp.net", AF_UNSPEC, text), EAI_NONAME);
    clock_gettime(CLOCK_MONOTONIC, &after);
    int64_t ms = (after.tv_sec - before.tv_sec) * 1000 + (after.tv_nsec - before.tv_nsec) / 1000000;
    cr_expect_geq(ms, 99, "a slow machine may need it");
    cr_expect_lt(ms, 2900, "the 3 s of a daemon that lives are not waited for");
}

Test(nss, what_is_no_host_name_is_not_asked)
{
    char name[400], text[512];
    memset(name, 'a', sizeof(name));
    memcpy(name + 300, ".pnrp.net", sizeof(".pnrp.net"));
    cr_expect_neq(look_up(name, AF_INET6, text), 0);
    cr_expect_neq(look_up("a\nb.pnrp.net", AF_INET6, text), 0);
    cr_expect_neq(look_up("a b.pnrp.net", AF_INET6, text), 0);
    cr_expect_eq(question_count, 0);
}

typedef enum nss_status (*find_hostent)(const char *, int, struct hostent *, char *, size_t, int *, int *);
typedef enum nss_status (*find_tuples)(const char *, struct gaih_addrtuple **, char *, size_t, int *, int *, int32_t *);

Test(nss, a_buffer_that_is_too_small_is_told_so_and_not_overrun)
{
    void *module = dlopen("libnss_bypeer.so.2", RTLD_NOW);
    cr_assert_not_null(module, "%s", dlerror());
    find_hostent two = (find_hostent)(uintptr_t)dlsym(module, "_nss_bypeer_gethostbyname2_r");
    find_tuples four = (find_tuples)(uintptr_t)dlsym(module, "_nss_bypeer_gethostbyname4_r");
    unsigned successes = 0;
    answer = "OK 2\nfd00::1\nfd00::2\n";
    for (size_t size = 0; size < 200; size++) {
        char buffer[208];
        struct hostent host;
        struct gaih_addrtuple *tuple = NULL;
        int error, host_error;
        size_t offset = size % 8; /* callers' buffers lie anywhere */
        for (unsigned which = 0; which < 2; which++) {
            memset(buffer, 0x5a, sizeof(buffer));
            enum nss_status status =
                which ? four("web.pnrp.net", &tuple, buffer + offset, size, &error, &host_error, NULL)
                      : two("web.pnrp.net", AF_INET6, &host, buffer + offset, size, &error, &host_error);
            for (size_t at = offset + size; at < sizeof(buffer); at++)
                cr_assert_eq(buffer[at], 0x5a);
            successes += status == NSS_STATUS_SUCCESS;
            if (status != NSS_STATUS_SUCCESS)
                cr_expect(status == NSS_STATUS_TRYAGAIN && error == ERANGE && host_error == NETDB_INTERNAL);
        }
    }
    cr_expect(successes > 20 && successes < 380, "%u", successes);
    dlclose(module);
}

Test(nss, gethostbyname_has_name_and_addresses)
{
    struct hostent host, *result = NULL;
    char buffer[1024];
    int error;
    answer = "WAIT\nOK 10\n::1:1\n::1:2\n::1:3\n::1:4\n::1:5\n::1:6\n::1:7\n::1:8\n::1:9\n::1:a\n";
    cr_assert_eq(gethostbyname2_r("web.pnrp.net", AF_INET6, &host, buffer, sizeof(buffer), &result, &error), 0);
    cr_assert_not_null(result);
    cr_expect_str_eq(host.h_name, "web.pnrp.net");
    cr_expect_eq(host.h_length, 16);
    for (unsigned i = 0; i < 10; i++)
        cr_expect_eq(((uint8_t *)host.h_addr_list[i])[15], i + 1);
    cr_expect_null(host.h_addr_list[10]);
    cr_expect_null(host.h_aliases[0]);
}
