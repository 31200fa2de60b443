/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>

#include "ctl_log.h"
#include "dockside/system/log.h"

#define ACCURACY_US 1000000

static void tell_missing(struct ctl_log_writer *writer, uint64_t now_ms)
{
	uint64_t missing;
	bool of_uid;
	uid_t uid;

	while (ctl_log_take(&writer->log, now_ms, &of_uid, &uid, &missing))
		if (of_uid)
			log_info("socket: uid %u: %" PRIu64 " more lines were not logged (limit)",
				 uid, missing);
		else
			log_info("socket: of several users %" PRIu64
				 " more lines were not logged (limit)",
				 missing);
}

/* If this fails, the count waits for the next timer or for the end. */
static void arm(struct ctl_log_writer *writer)
{
	if (sd_event_source_set_time_relative(writer->timer, CTL_LOG_PERIOD_MS * 1000ull) >= 0)
		sd_event_source_set_enabled(writer->timer, SD_EVENT_ONESHOT);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *data)
{
	struct ctl_log_writer *writer = data;

	(void)source;
	tell_missing(writer, usec / 1000);
	if (ctl_log_waits(&writer->log))
		arm(writer);
	return 0;
}

int ctl_log_writer_open(struct ctl_log_writer *writer, sd_event *event)
{
	int r;

	writer->event = event;
	r = sd_event_add_time(event, &writer->timer, CLOCK_MONOTONIC, UINT64_MAX, ACCURACY_US,
			      on_timer, writer);
	return r < 0 ? r : sd_event_source_set_enabled(writer->timer, SD_EVENT_OFF);
}

bool ctl_log_may(struct ctl_log_writer *writer, uid_t uid)
{
	bool waits = ctl_log_waits(&writer->log);
	uint64_t us = 0;

	if (sd_event_now(writer->event, CLOCK_MONOTONIC, &us) < 0)
		return false;
	if (ctl_log_allows(&writer->log, uid, us / 1000))
		return true;
	if (!waits)
		arm(writer);
	return false;
}

void ctl_log_writer_close(struct ctl_log_writer *writer)
{
	sd_event_source_disable_unref(writer->timer);
	tell_missing(writer, UINT64_MAX);
}
