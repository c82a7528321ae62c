#include <stdarg.h>
#include <stdio.h>

#include "dataplane/log.h"

void bypeer_log(enum bypeer_log_level level, const char *format, ...)
{
    static const char *const prefixes[] = {
        [BYPEER_LOG_ERROR] = "error: ", [BYPEER_LOG_WARNING] = "warning: ", [BYPEER_LOG_INFO] = ""};
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    /* One call, so that lines of two threads do not mix. */
    fprintf(stderr, "bypeer-dataplane: %s%s\n", prefixes[level], text);
}
