#include "control/log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE_BYTES       1024
#define LINES_PER_MINUTE 10

static enum bypeer_log_level log_level = BYPEER_LOG_INFO;

void bypeer_log_set_level(enum bypeer_log_level level)
{
    log_level = level;
}

static const char *log_word(enum bypeer_log_level level)
{
    switch (level) {
    case BYPEER_LOG_ERROR:
        return "error: ";
    case BYPEER_LOG_WARNING:
        return "warning: ";
    case BYPEER_LOG_DEBUG:
        return "debug: ";
    default:
        return "";
    }
}

static void log_write(enum bypeer_log_level level, const char *format, va_list arguments)
{
    char line[LINE_BYTES];
    int used;
    if (getenv("JOURNAL_STREAM"))
        used = snprintf(line, sizeof(line), "<%d>", (int)level);
    else
        used = snprintf(line, sizeof(line), "bypeerd: %s", log_word(level));
    size_t length = (size_t)used;
    int text = vsnprintf(line + length, sizeof(line) - length - 1, format, arguments);
    if (text < 0)
        return;
    length += (size_t)text;
    if (length > sizeof(line) - 2)
        length = sizeof(line) - 2;
    for (size_t at = 0; at < length; at++) /* one message, one line; no control characters to a terminal */
        if ((unsigned char)line[at] < ' ' || line[at] == 0x7f)
            line[at] = ' ';
    line[length++] = '\n';
    ssize_t ignored = write(STDERR_FILENO, line, length);
    (void)ignored;
}

void bypeer_log(enum bypeer_log_level level, const char *format, ...)
{
    if (level > log_level)
        return;
    va_list arguments;
    va_start(arguments, format);
    log_write(level, format, arguments);
    va_end(arguments);
}

void bypeer_log_limited(struct bypeer_log_limit *limit, enum bypeer_log_level level, const char *format, ...)
{
    if (level > log_level)
        return;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    uint64_t minute = (uint64_t)now.tv_sec / 60 + 1;
    if (minute != limit->minute) {
        if (limit->left_out > 0)
            bypeer_log(level, "%u more messages like the following were left out in the last minutes", limit->left_out);
        *limit = (struct bypeer_log_limit){.minute = minute};
    }
    if (limit->written >= LINES_PER_MINUTE) {
        limit->left_out++;
        return;
    }
    limit->written++;
    va_list arguments;
    va_start(arguments, format);
    log_write(level, format, arguments);
    va_end(arguments);
}
