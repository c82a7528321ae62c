#include "config/config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/read.h"

#define FILE_BYTES_MAX ((size_t)8 << 30) /* 100 million members take 6 GB */
#define READ_BYTES     ((size_t)256 << 10)

static int load_text(const char *file, char **ret_text, size_t *ret_length, struct bypeer_report *report)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    char *text = NULL;
    size_t length = 0;
    size_t capacity = 0;
    ssize_t got = -1;
    int error = fd < 0 ? -errno : 0;

    while (!error) {
        if (capacity - length < READ_BYTES) {
            char *larger = realloc(text, capacity ? capacity * 2 : READ_BYTES * 2);

            if (!larger) {
                error = -ENOMEM;
                break;
            }
            text = larger;
            capacity = capacity ? capacity * 2 : READ_BYTES * 2;
        }
        got = read(fd, text + length, capacity - length);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            error = got < 0 ? -errno : 0;
            break;
        }
        length += (size_t)got;
        error = length > FILE_BYTES_MAX ? -EFBIG : 0;
    }
    if (fd >= 0)
        close(fd);
    if (error) {
        free(text);
        bypeer_report_add(report, 0, NULL, "cannot be read: %s; name a readable file with --config", strerror(-error));
        return error;
    }
    *ret_text = text;
    *ret_length = length;
    return 0;
}

int bypeer_config_load(struct bypeer_config **ret_config, const char *file, struct bypeer_config_errors *ret_errors)
{
    struct bypeer_report report = {.file = file};
    char *text = NULL;
    size_t length = 0;
    int error = load_text(file, &text, &length, &report);

    if (error) {
        bypeer_report_finish(&report, ret_errors);
        return error;
    }
    error = bypeer_config_parse(ret_config, file, text, length, ret_errors);
    free(text);
    return error;
}

int bypeer_config_parse(struct bypeer_config **ret_config, const char *name, const char *text, size_t length,
                        struct bypeer_config_errors *ret_errors)
{
    struct bypeer_report report = {.file = name};
    struct bypeer_document document = {0};
    struct bypeer_config *config = calloc(1, sizeof(*config));
    int error = config ? bypeer_document_parse(&document, text, length, &report) : -ENOMEM;
    int wrong;

    if (!error) {
        snprintf(config->file, sizeof(config->file), "%s", name);
        error = bypeer_config_read(config, &document, &report);
    }
    /* The document goes before the check: with a million members it is the larger part of the memory. */
    bypeer_document_free(&document);
    if (!error)
        error = bypeer_config_check(config, &report);
    wrong = bypeer_report_finish(&report, ret_errors);
    error = error ? error : wrong;
    if (error) {
        bypeer_config_free(config);
        return error;
    }
    *ret_config = config;
    return 0;
}

void bypeer_config_free(struct bypeer_config *config)
{
    if (!config)
        return;
    for (uint32_t i = 0; config->ports && i < config->port_count; i++)
        free(config->ports[i].addresses);
    free(config->ports);
    free(config->groups);
    free(config->links);
    free(config->peers);
    free(config->members);
    free(config->routes);
    free(config->clouds);
    for (int i = 0; i < BYPEER_CONFIG_SECTIONS; i++)
        free(config->lines[i]);
    free(config);
}
