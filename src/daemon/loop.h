/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The event loop, its clock, one-shot timers, and notes. Knows no service and no daemon.
 *
 * A service does not call those above it: it posts a note, which is handled once the handler of the event has
 * returned. So nobody is called back in the middle of a walk over his own array, and there is no circle.
 */
#ifndef DOCKSIDE_DAEMON_LOOP_H
#define DOCKSIDE_DAEMON_LOOP_H

#include <stdint.h>
#include <systemd/sd-event.h>

#include "dockside/base/err.h"
#include "dockside/report/metrics.h"
#include "note.h"

#define LOOP_ACCURACY_US 1000

struct loop;

typedef void (*loop_note_fn)(void *data, enum note note);

/* handle gets each note, with data. Returns 0 or -errno; loop_close(NULL) is valid. */
int loop_open(loop_note_fn handle, void *data, struct loop **ret_loop, struct err *err);
void loop_close(struct loop *loop);

/* For watching descriptors and signals. Borrowed. */
sd_event *loop_event(struct loop *loop);

/* The time at which the current event began, in milliseconds of CLOCK_MONOTONIC: see enforcer.h. */
uint64_t loop_now_ms(const struct loop *loop);

/* (Re)arms a one-shot timer at a time of loop_now_ms(); UINT64_MAX disarms it. handler and data count when it
 * is armed for the first time. The timer is the caller's, for sd_event_source_disable_unref(). */
int loop_arm(struct loop *loop, sd_event_source **timer, uint64_t at_ms,
	     sd_event_time_handler_t handler, void *data);

/* The note is handled after the current event, before the next one. One that waits already is not handled twice. */
void loop_post(struct loop *loop, enum note note);
/* Handles what was posted, and what is posted meanwhile. For the end, when no loop runs any more. */
void loop_handle_notes(struct loop *loop);

/* Runs until sd_event_exit(). Returns 0 or -errno. */
int loop_run(struct loop *loop);
/* The times for which each event, with the notes that it led to, has kept the others waiting.
 * Borrowed. */
const struct loop_times *loop_times(const struct loop *loop);

#endif
