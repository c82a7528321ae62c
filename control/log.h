/*
 * One-line messages to stderr, each with a level. Under systemd (JOURNAL_STREAM) a line begins with its syslog number,
 * "<4>", so that the journal knows it; elsewhere with the word.
 *
 * What a stranger can cause is logged through a limit, so that nobody can fill a disk.
 *
 * Thread: any; a line is one write(2).
 */
#pragma once

#include <stdint.h>

enum bypeer_log_level {
    BYPEER_LOG_ERROR = 3, /* syslog's numbers */
    BYPEER_LOG_WARNING = 4,
    BYPEER_LOG_NOTICE = 5,
    BYPEER_LOG_INFO = 6,
    BYPEER_LOG_DEBUG = 7,
};

/* Lines above this level are not written. Default: BYPEER_LOG_INFO. */
void bypeer_log_set_level(enum bypeer_log_level level);

void bypeer_log(enum bypeer_log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* At most ten lines a minute per limit; the next line that passes says how many were left out. Zero to begin with. */
struct bypeer_log_limit {
    uint64_t minute;
    uint32_t written, left_out;
};
void bypeer_log_limited(struct bypeer_log_limit *limit, enum bypeer_log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
