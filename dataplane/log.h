/*
 * One line to stderr: "bypeer-dataplane: warning: text". Main and host threads only; a worker never logs.
 */
#pragma once

enum bypeer_log_level { BYPEER_LOG_ERROR, BYPEER_LOG_WARNING, BYPEER_LOG_INFO };

__attribute__((format(printf, 2, 3))) void bypeer_log(enum bypeer_log_level level, const char *format, ...);
