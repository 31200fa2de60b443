/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Limits the lines that users of the socket may cause in the log. Root has no limit: it
 * can write there anyway. Lines of others beyond the limit are counted. struct ctl_log is pure; its
 * writer logs the counts.
 */
#ifndef DOCKSIDE_CTL_CTL_LOG_H
#define DOCKSIDE_CTL_CTL_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#define CTL_LOG_PERIOD_MS 10000
#define CTL_LOG_LINES 10     /* of one uid in a period */
#define CTL_LOG_LINES_ALL 40 /* of all that are not root */
#define CTL_LOG_USERS 16     /* that are counted by themselves */

struct ctl_log_user {
	uid_t uid;
	uint64_t since_ms; /* its period's begin */
	unsigned written;  /* in that period; 0: a free place */
	uint64_t missing;  /* lines that were not */
};

/* Zero-initialise. */
struct ctl_log {
	struct ctl_log_user users[CTL_LOG_USERS];
	struct ctl_log_user all; /* also those without a place */
};

/* Whether one more line about uid is to be written. */
bool ctl_log_allows(struct ctl_log *log, uid_t uid, uint64_t now_ms);
/* The next count of lines that were not written, of a period that is over (at UINT64_MAX all are), which
 * forgets it: *ret_of_uid false: of several users. False: there is none. */
bool ctl_log_take(struct ctl_log *log, uint64_t now_ms, bool *ret_of_uid, uid_t *ret_uid,
		  uint64_t *ret_missing);
/* Whether there will be. */
bool ctl_log_waits(const struct ctl_log *log);

/* Zero-initialise. */
struct ctl_log_writer {
	struct ctl_log log;
	sd_event *event; /* borrowed */
	sd_event_source *timer;
};

/* Returns 0 or -errno; ctl_log_writer_close() either way. */
int ctl_log_writer_open(struct ctl_log_writer *writer, sd_event *event);
/* Whether the caller is to log a line about that user, now. The writer logs counts when their period is over. */
bool ctl_log_may(struct ctl_log_writer *writer, uid_t uid);
/* Logs the counts that are left. */
void ctl_log_writer_close(struct ctl_log_writer *writer);

#endif
