/* bypeer members load and unload: a file, or standard input, of one member a line. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tools/cli/batches.h"
#include "tools/cli/line.h"
#include "tools/cli/table.h"

#define MESSAGES_MAX 20 /* about wrong lines; the rest is counted */
#define PROGRESS_NS  200000000

struct load {
    struct cli *cli;
    const char *name; /* of the file, for messages */
    FILE *in;
    bool removing;
    const char *link; /* of lines that name none; NULL: they must */
    char *text;       /* of the line */
    size_t room;
    unsigned long lines, members, wrong;
    double started, shown;
};

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void wrong_line(struct load *load, const char *why)
{
    if (load->wrong++ < MESSAGES_MAX)
        fprintf(stderr, "%s:%lu: %s\n", load->name, load->lines, why);
}

/* The next member, and the link that it is to be behind (NULL: it is to be removed); false at the end. */
static bool next_member(struct load *load, uint8_t ret_address[static 16], const char **ret_link)
{
    struct line line;
    while (getline(&load->text, &load->room, load->in) >= 0) {
        load->lines++;
        enum line_kind kind = line_read(load->text, &line);
        const char *link = load->removing ? NULL : line.link ? line.link : load->link;
        if (kind == LINE_MEMBER && !link && !load->removing) {
            snprintf(line.why, sizeof(line.why), "there is no link; write it after the address, or use --link for all");
            kind = LINE_WRONG;
        }
        if (kind == LINE_WRONG)
            wrong_line(load, line.why);
        if (kind != LINE_MEMBER)
            continue;
        load->members++;
        memcpy(ret_address, line.address, 16);
        *ret_link = link;
        return true;
    }
    return false;
}

static int load_failed(const struct load *load, const char *what)
{
    if (load->wrong > MESSAGES_MAX)
        cli_fail(CLI_FAILED, "%s: and %lu more wrong lines", load->name, load->wrong - MESSAGES_MAX);
    return cli_fail(CLI_FAILED, "%s: %s", load->name, what);
}

/* Reads a file to its end without sending anything: all of it is good, or nothing happens. */
static int check_file(struct load *load)
{
    uint8_t address[16];
    const char *link;
    while (next_member(load, address, &link))
        ;
    if (ferror(load->in))
        return load_failed(load, strerror(errno));
    if (load->wrong)
        return load_failed(load, "nothing was loaded; mend the lines");
    rewind(load->in);
    load->lines = load->members = 0;
    return CLI_OK;
}

/* On a terminal, one line that is written over. */
static void show_progress(struct load *load, const struct bypeer_loader *loader, bool end)
{
    struct bypeer_loaded done;
    double time = now();
    if (!isatty(STDERR_FILENO) || (!end && time - load->shown < PROGRESS_NS / 1e9))
        return;
    load->shown = time;
    if (end) {
        fputs("\r\033[K", stderr);
        return;
    }
    bypeer_loader_progress(loader, &done);
    fprintf(stderr, "\r%lu read, %lu done, %.0f a second\033[K", load->members, (unsigned long)done.acknowledged,
            (double)done.acknowledged / (time - load->started + 1e-9));
}

static int send_members(struct load *load, struct bypeer_loader *loader)
{
    struct batches *batches = batches_begin(loader);
    uint8_t address[16];
    const char *link;
    int error = batches ? 0 : -ENOMEM;
    while (!error && next_member(load, address, &link)) {
        error = load->wrong ? -EBADMSG : batches_add(batches, link, address);
        if (load->members % 4096 == 0)
            show_progress(load, loader, false);
    }
    if (!error && (load->wrong || ferror(load->in)))
        error = -EBADMSG;
    if (!error)
        error = batches_flush(batches);
    batches_free(batches);
    return error;
}

static void print_loaded(const struct load *load, const struct bypeer_loaded *done)
{
    double seconds = now() - load->started;
    if (load->cli->json) {
        json_t *result = load->removing ? json_pack("{s:I, s:I}", "members", (json_int_t)load->members, "removed",
                                                    (json_int_t)done->removed)
                                        : json_pack("{s:I, s:I, s:I}", "members", (json_int_t)load->members, "added",
                                                    (json_int_t)done->added, "replaced", (json_int_t)done->replaced);
        cli_print_json(result);
        json_decref(result);
    } else if (load->removing) {
        printf("%lu members: %lu removed, in %.1f s\n", load->members, (unsigned long)done->removed, seconds);
    } else {
        printf("%lu members: %lu added, %lu replaced, in %.1f s\n", load->members, (unsigned long)done->added,
               (unsigned long)done->replaced, seconds);
    }
}

static int transfer(struct load *load)
{
    struct cli *cli = load->cli;
    struct bypeer_loader *loader;
    struct bypeer_loaded done;
    int status = cli_connect(cli);
    if (status != CLI_OK)
        return status;
    if (bypeer_loader_begin(&loader, cli->node) < 0)
        return cli_fail(CLI_FAILED, "out of memory");
    load->started = load->shown = now();
    int error = send_members(load, loader);
    int last = bypeer_loader_finish(loader, &done);
    show_progress(load, NULL, true);
    error = error ? error : last;
    if (!error) {
        print_loaded(load, &done);
        return CLI_OK;
    }
    if (error == -EBADMSG && (load->wrong || ferror(load->in)))
        status = load_failed(load, load->wrong ? "stopped at a wrong line; mend it" : "cannot be read to its end");
    else if (error == -ENOMEM)
        status = cli_fail(CLI_FAILED, "out of memory");
    else
        status = cli_call_failed(cli, error);
    fprintf(stderr, "bypeer: %lu members were %s before; it does no harm to do it again\n",
            (unsigned long)done.acknowledged, load->removing ? "unloaded" : "loaded");
    return status;
}

static int run_load(struct cli *cli, bool removing)
{
    const char *file = cli->arguments[0];
    bool standard = strcmp(file, "-") == 0;
    struct load load = {.cli = cli, .name = standard ? "standard input" : file, .removing = removing};
    struct stat status;
    int result = CLI_OK;
    load.link = cli->options[CLI_OPTION_LINK];
    load.in = standard ? stdin : fopen(file, "re");
    if (!load.in)
        return cli_fail(CLI_FAILED, "%s: %s", file, strerror(errno));
    /* What can be read twice is checked first. */
    if (fstat(fileno(load.in), &status) == 0 && S_ISREG(status.st_mode) && ftello(load.in) == 0)
        result = check_file(&load);
    if (result == CLI_OK)
        result = transfer(&load);
    if (!standard)
        fclose(load.in);
    free(load.text);
    return result;
}

int cli_run_members_load(struct cli *cli)
{
    return run_load(cli, false);
}

int cli_run_members_unload(struct cli *cli)
{
    return run_load(cli, true);
}
