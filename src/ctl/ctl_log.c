/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl_log.h"

static bool is_over(const struct ctl_log_user *user, uint64_t now_ms)
{
	return now_ms >= user->since_ms && now_ms - user->since_ms >= CTL_LOG_PERIOD_MS;
}

/* A count that nobody has taken yet stays for the next period. */
static void begin_period(struct ctl_log_user *user, uint64_t now_ms)
{
	if (user->written > 0 && !is_over(user, now_ms))
		return;
	user->since_ms = now_ms;
	user->written = 0;
}

/* Its place, or a new one; NULL: all are taken. */
static struct ctl_log_user *find_user(struct ctl_log *log, uid_t uid, uint64_t now_ms)
{
	struct ctl_log_user *free_place = NULL;

	for (size_t i = 0; i < CTL_LOG_USERS; i++) {
		struct ctl_log_user *user = &log->users[i];

		if (user->written > 0 && user->uid == uid)
			return user;
		if (user->written == 0 || (is_over(user, now_ms) && user->missing == 0))
			free_place = user;
	}
	if (free_place)
		*free_place = (struct ctl_log_user){ .uid = uid, .since_ms = now_ms };
	return free_place;
}

bool ctl_log_allows(struct ctl_log *log, uid_t uid, uint64_t now_ms)
{
	struct ctl_log_user *user;

	if (uid == 0)
		return true;
	user = find_user(log, uid, now_ms);
	if (!user) {
		log->all.missing++;
		return false;
	}
	begin_period(user, now_ms);
	begin_period(&log->all, now_ms);
	if (user->written < CTL_LOG_LINES && log->all.written < CTL_LOG_LINES_ALL) {
		user->written++;
		log->all.written++;
		return true;
	}
	/* A user without a line has no place either. */
	if (user->written > 0)
		user->missing++;
	else
		log->all.missing++;
	return false;
}

bool ctl_log_take(struct ctl_log *log, uint64_t now_ms, bool *ret_of_uid, uid_t *ret_uid,
		  uint64_t *ret_missing)
{
	for (size_t i = 0; i <= CTL_LOG_USERS; i++) {
		struct ctl_log_user *user = i < CTL_LOG_USERS ? &log->users[i] : &log->all;

		if (user->missing == 0 || !is_over(user, now_ms))
			continue;
		*ret_of_uid = user != &log->all;
		*ret_uid = user->uid;
		*ret_missing = user->missing;
		user->missing = 0;
		user->written = user == &log->all ? user->written : 0;
		return true;
	}
	return false;
}

bool ctl_log_waits(const struct ctl_log *log)
{
	for (size_t i = 0; i < CTL_LOG_USERS; i++)
		if (log->users[i].missing > 0)
			return true;
	return log->all.missing > 0;
}
