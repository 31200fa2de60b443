/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "loop.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>

#include "dockside/base/util.h"
#include "dockside/system/clock.h"

static_assert(N_NOTES <= 32, "a bit for each note");

struct loop {
	sd_event *event;
	loop_note_fn handle;
	void *data;
	uint32_t posted; /* a bit for each note that waits */
	struct loop_times times;
};

int loop_open(loop_note_fn handle, void *data, struct loop **ret_loop, struct err *err)
{
	struct loop *loop = xcalloc(1, sizeof(*loop));
	int r = sd_event_new(&loop->event);

	loop->handle = handle;
	loop->data = data;
	if (r >= 0)
		r = sd_event_set_watchdog(loop->event, true);
	if (r < 0) {
		loop_close(loop);
		return err_errno(err, -r, "event loop");
	}
	*ret_loop = loop;
	return 0;
}

void loop_close(struct loop *loop)
{
	if (!loop)
		return;
	sd_event_unref(loop->event);
	free(loop);
}

sd_event *loop_event(struct loop *loop)
{
	return loop->event;
}

uint64_t loop_now_ms(const struct loop *loop)
{
	uint64_t us = 0;

	if (sd_event_now(loop->event, CLOCK_MONOTONIC, &us) < 0)
		abort(); /* the event loop has no clock */
	return us / 1000;
}

int loop_arm(struct loop *loop, sd_event_source **timer, uint64_t at_ms,
	     sd_event_time_handler_t handler, void *data)
{
	uint64_t us = at_ms == UINT64_MAX ? UINT64_MAX : at_ms * 1000;
	int r;

	if (!*timer)
		return sd_event_add_time(loop->event, timer, CLOCK_MONOTONIC, us, LOOP_ACCURACY_US,
					 handler, data);
	r = sd_event_source_set_time(*timer, us);
	return r < 0 ? r : sd_event_source_set_enabled(*timer, SD_EVENT_ONESHOT);
}

/* ------------------------------------------------------------------ notes */

void loop_post(struct loop *loop, enum note note)
{
	loop->posted |= 1U << note;
}

/* The first that waits. */
static enum note take_note(struct loop *loop)
{
	enum note note = (enum note)__builtin_ctz(loop->posted);

	loop->posted &= ~(1U << note);
	return note;
}

void loop_handle_notes(struct loop *loop)
{
	while (loop->posted != 0)
		loop->handle(loop->data, take_note(loop));
}

/* ------------------------------------------------------------------ events */

/* sd_event_loop(), and how long each event takes: the others wait for so long. */
int loop_run(struct loop *loop)
{
	int r = 0;

	loop_handle_notes(loop); /* posted while everything was opened */
	while (r >= 0 && sd_event_get_state(loop->event) != SD_EVENT_FINISHED) {
		uint64_t begin_us;

		r = sd_event_prepare(loop->event);
		if (r == 0)
			r = sd_event_wait(loop->event, UINT64_MAX);
		if (r <= 0)
			continue;
		begin_us = monotonic_us();
		r = sd_event_dispatch(loop->event);
		loop_handle_notes(loop);
		loop_times_add(&loop->times, monotonic_us() - begin_us);
	}
	return r < 0 ? r : 0;
}

const struct loop_times *loop_times(const struct loop *loop)
{
	return &loop->times;
}
