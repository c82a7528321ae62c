/*
 * bypeerd [--config FILE]: the control daemon.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "control/daemon.h"
#include "control/log.h"

static const char usage[] = "usage: bypeerd [--config FILE] [--debug]\n"
                            "\n"
                            "  --config FILE  configuration, default " BYPEER_CONFIG_FILE "\n"
                            "  --debug        say more on stderr\n"
                            "  --version      print the release\n"
                            "  --help         print this\n"
                            "\n"
                            "Runs in the foreground. SIGHUP reloads the configuration, SIGTERM ends it.\n";

int main(int count, char **arguments)
{
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"debug", no_argument, NULL, 'd'},
        {"version", no_argument, NULL, 'v'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    const char *file = BYPEER_CONFIG_FILE;
    int option;
    while ((option = getopt_long(count, arguments, "c:", options, NULL)) != -1) {
        switch (option) {
        case 'c':
            file = optarg;
            break;
        case 'd':
            bypeer_log_set_level(BYPEER_LOG_DEBUG);
            break;
        case 'v':
            puts("bypeerd " BYPEER_RELEASE);
            return EXIT_SUCCESS;
        case 'h':
            fputs(usage, stdout);
            return EXIT_SUCCESS;
        default:
            fputs(usage, stderr);
            return 2;
        }
    }
    if (optind < count) {
        fputs(usage, stderr);
        return 2;
    }
    struct bypeer_config *config;
    struct bypeer_config_errors errors = {0};
    if (bypeer_config_load(&config, file, &errors) < 0) {
        for (size_t at = 0; at < errors.count; at++)
            bypeer_log(BYPEER_LOG_ERROR, "%s", errors.messages[at]);
        bypeer_config_errors_free(&errors);
        return EXIT_FAILURE;
    }
    return bypeer_daemon_run(config);
}
