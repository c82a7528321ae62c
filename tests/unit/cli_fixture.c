#include "cli_fixture.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

struct cli_fixture cli_played;

static json_t *play_answer(const char *method, const json_t *params)
{
    json_t *answer = cli_played.play ? cli_played.play(method, params) : NULL;
    if (answer)
        return answer;
    char *text = json_dumps(params, JSON_COMPACT);
    if (cli_played.request_count < 16)
        snprintf(cli_played.requests[cli_played.request_count++], sizeof(cli_played.requests[0]), "%s %s", method,
                 text);
    free(text);
    for (size_t i = 0; i < cli_played.answer_count; i++)
        if (strcmp(cli_played.answers[i].method, method) == 0)
            return json_loads(cli_played.answers[i].text, 0, NULL);
    return json_loads("{\"error\":{\"code\":-32601,\"message\":\"no such method\"}}", 0, NULL);
}

static void *play(void *unused)
{
    (void)unused;
    for (;;) {
        int fd = accept(cli_played.listener, NULL, NULL);
        if (fd < 0)
            return NULL;
        FILE *in = fdopen(dup(fd), "r");
        char *line = NULL;
        size_t room = 0;
        while (getline(&line, &room, in) > 0) {
            json_t *request = json_loads(line, 0, NULL);
            json_t *body =
                play_answer(json_string_value(json_object_get(request, "method")), json_object_get(request, "params"));
            json_t *refusal = json_object_get(body, "error");
            json_t *answer = json_pack("{s:s, s:O, s:O}", "jsonrpc", "2.0", "id", json_object_get(request, "id"),
                                       refusal ? "error" : "result", refusal ? refusal : body);
            char *text = json_dumps(answer, JSON_COMPACT);
            dprintf(fd, "%s\n", text);
            free(text);
            json_decref(answer);
            json_decref(body);
            json_decref(request);
        }
        free(line);
        fclose(in);
        close(fd);
    }
}

void cli_fixture_start(const struct cli_fixture_answer *answers, size_t count,
                       json_t *(*play_this)(const char *method, const json_t *params))
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    cli_played.answers = answers;
    cli_played.answer_count = count;
    cli_played.play = play_this;
    snprintf(cli_played.directory, sizeof(cli_played.directory), "/tmp/bypeer-cli-XXXXXX");
    cr_assert_not_null(mkdtemp(cli_played.directory));
    snprintf(cli_played.socket, sizeof(cli_played.socket), "%s/control.sock", cli_played.directory);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", cli_played.socket);
    cli_played.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    cr_assert_eq(bind(cli_played.listener, (const struct sockaddr *)&address, sizeof(address)), 0);
    cr_assert_eq(listen(cli_played.listener, 8), 0);
    cr_assert_eq(pthread_create(&cli_played.thread, NULL, play, NULL), 0);
    setenv("BYPEER_SOCKET", cli_played.socket, 1);
    unsetenv("NO_COLOR");
}

void cli_fixture_stop(void)
{
    char path[128];
    shutdown(cli_played.listener, SHUT_RDWR);
    pthread_join(cli_played.thread, NULL);
    snprintf(path, sizeof(path), "%s/file", cli_played.directory);
    unlink(path);
    unlink(cli_played.socket);
    rmdir(cli_played.directory);
}

static void slurp(const char *path, char *text, size_t room)
{
    int fd = open(path, O_RDONLY);
    ssize_t got = read(fd, text, room - 1);
    text[got > 0 ? got : 0] = '\0';
    close(fd);
    unlink(path);
}

int cli_fixture_run_with(const char *arguments, const char *input)
{
    const char *program = getenv("BYPEER_PROGRAM");
    char words[1024];
    char *argv[32] = {"bypeer"};
    char out_path[128], err_path[128];
    posix_spawn_file_actions_t actions;
    int argc = 1, status;
    pid_t pid;
    cr_assert_not_null(program, "run by meson test, or set BYPEER_PROGRAM");
    snprintf(words, sizeof(words), "%s", arguments);
    for (char *word = strtok(words, " "); word; word = strtok(NULL, " "))
        argv[argc++] = word;
    snprintf(out_path, sizeof(out_path), "%s/out", cli_played.directory);
    snprintf(err_path, sizeof(err_path), "%s/err", cli_played.directory);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 0, input ? input : "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 1, out_path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    posix_spawn_file_actions_addopen(&actions, 2, err_path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    cr_assert_eq(posix_spawn(&pid, program, &actions, NULL, argv, environ), 0);
    posix_spawn_file_actions_destroy(&actions);
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    slurp(out_path, cli_played.out, sizeof(cli_played.out));
    slurp(err_path, cli_played.err, sizeof(cli_played.err));
    cr_assert(WIFEXITED(status), "bypeer %s: signal %d", arguments, WTERMSIG(status));
    return WEXITSTATUS(status);
}

int cli_fixture_run(const char *arguments)
{
    return cli_fixture_run_with(arguments, NULL);
}

void cli_fixture_expect_in(const char *text, const char *part)
{
    cr_expect_not_null(strstr(text, part), "no \"%s\" in:\n%s", part, text);
}

const char *cli_fixture_file(const char *content)
{
    static char path[128];
    snprintf(path, sizeof(path), "%s/file", cli_played.directory);
    FILE *file = fopen(path, "w");
    fputs(content, file);
    fclose(file);
    return path;
}
