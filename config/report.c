#include "config/report.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct bypeer_report_message {
    uint32_t line;
    uint32_t order;
    char *text;
};

void bypeer_report_add(struct bypeer_report *report, uint32_t line, const char *key, const char *format, ...)
{
    char *text = NULL;
    char *whole = NULL;
    char place[16] = "";
    va_list arguments;
    int written;

    if (report->count++ >= BYPEER_REPORT_MAX)
        return;
    if (!report->messages)
        report->messages = calloc(BYPEER_REPORT_MAX, sizeof(*report->messages));
    va_start(arguments, format);
    written = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (!report->messages || written < 0) {
        report->out_of_memory = true;
        if (written >= 0)
            free(text);
        report->count--;
        return;
    }
    if (line)
        snprintf(place, sizeof(place), ":%u", line);
    written = asprintf(&whole, "%s%s: %s%s%s", report->file, place, key ? key : "", key ? ": " : "", text);
    free(text);
    if (written < 0) {
        report->out_of_memory = true;
        report->count--;
        return;
    }
    report->messages[report->count - 1] = (struct bypeer_report_message){line, (uint32_t)report->count, whole};
}

bool bypeer_report_full(const struct bypeer_report *report)
{
    return report->out_of_memory || report->count >= BYPEER_REPORT_MAX;
}

static int report_compare(const void *left, const void *right)
{
    const struct bypeer_report_message *a = left;
    const struct bypeer_report_message *b = right;

    if (a->line != b->line)
        return a->line < b->line ? -1 : 1;
    return a->order < b->order ? -1 : 1;
}

int bypeer_report_finish(struct bypeer_report *report, struct bypeer_config_errors *ret_errors)
{
    size_t kept = report->count < BYPEER_REPORT_MAX ? report->count : BYPEER_REPORT_MAX;
    bool wrong = report->count > 0;
    int error = report->out_of_memory ? -ENOMEM : wrong ? -EINVAL : 0;
    char **texts = NULL;

    if (kept && ret_errors) {
        qsort(report->messages, kept, sizeof(*report->messages), report_compare);
        texts = calloc(kept + 1, sizeof(*texts));
        for (size_t i = 0; texts && i < kept; i++) {
            texts[i] = report->messages[i].text;
            report->messages[i].text = NULL;
        }
        if (texts) {
            ret_errors->count = kept;
            if (report->count > kept && asprintf(&texts[kept], "%s: and %zu or more further errors; mend these first",
                                                 report->file, report->count - kept) >= 0)
                ret_errors->count++;
            ret_errors->messages = texts;
        }
    }
    for (size_t i = 0; i < kept; i++)
        free(report->messages[i].text);
    free(report->messages);
    *report = (struct bypeer_report){.file = report->file};
    return error;
}

void bypeer_config_errors_free(struct bypeer_config_errors *errors)
{
    if (!errors)
        return;
    for (size_t i = 0; i < errors->count; i++)
        free(errors->messages[i]);
    free(errors->messages);
    *errors = (struct bypeer_config_errors){0};
}
