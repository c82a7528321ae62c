/*
 * Collects what is wrong with a configuration while it is read, to be told all at once in the order of the file.
 *
 * At most BYPEER_REPORT_MAX messages are kept, with a last one that counts the rest: a generated list with a million
 * entries may be wrong a million times. Once full, a reader may stop (bypeer_report_full()).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/config.h"

#define BYPEER_REPORT_MAX 1000

struct bypeer_report_message;

struct bypeer_report {
    const char *file; /* the caller's, must outlive the report */
    size_t count;     /* messages added, kept or not */
    struct bypeer_report_message *messages;
    bool out_of_memory;
};

/* Adds "file:line: key: ..."; without a key if it is NULL, without a line if that is 0. */
__attribute__((format(printf, 4, 5))) void bypeer_report_add(struct bypeer_report *report, uint32_t line,
                                                             const char *key, const char *format, ...);
bool bypeer_report_full(const struct bypeer_report *report);

/* Hands the messages over (if ret_errors is not NULL) and empties the report. -ENOMEM, -EINVAL or, with none, 0. */
int bypeer_report_finish(struct bypeer_report *report, struct bypeer_config_errors *ret_errors);
