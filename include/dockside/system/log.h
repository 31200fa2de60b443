/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages for people, on standard error. Under systemd (JOURNAL_STREAM names stderr) each
 * line begins with its severity as "<N>" (sd-daemon(3)); elsewhere with "warning: " and the like.
 */
#ifndef DOCKSIDE_SYSTEM_LOG_H
#define DOCKSIDE_SYSTEM_LOG_H

#include <stdbool.h>

#include "dockside/base/util.h"

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG,
};

/* This level and the more severe ones are logged; LOG_LEVEL_INFO unless somebody wants another. */
void log_set_level(enum log_level level);
bool log_wants(enum log_level level);

/* Whether standard error goes to the journal. */
bool log_is_journal(void);

void log_error(const char *fmt, ...) printf_like(1, 2);
void log_warning(const char *fmt, ...) printf_like(1, 2);
void log_info(const char *fmt, ...) printf_like(1, 2);
void log_at(enum log_level level, const char *fmt, ...) printf_like(2, 3);
/* Logs the error, as -errno and as text, that ended a command that works on the kernel, and what it may lack. */
void log_failure(const char *command, int r, const char *text);

#endif
