/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Notes are handled after the event that led to them, once, and a cause before what follows from it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "between.h"
#include "daemon/loop.h"
#include "dockside/base/util.h"

#define HANDLED_MAX 16

struct world {
	struct loop *loop;
	sd_event_source *timer, *end;
	enum note handled[HANDLED_MAX];
	size_t n_handled;
	size_t n_in_handler; /* that were handled before the event's handler had returned */
	size_t n_events;
	bool posts_again; /* the handler of NOTE_STATUS posts NOTE_SETTLED */
};

static void on_note(void *data, enum note note)
{
	struct world *w = data;

	assert_between(w->n_handled, 0, HANDLED_MAX - 1);
	w->handled[w->n_handled++] = note;
	if (note == NOTE_STATUS && w->posts_again) {
		w->posts_again = false;
		loop_post(w->loop, NOTE_SETTLED);
	}
}

static int setup(void **state)
{
	struct world *w = xcalloc(1, sizeof(*w));
	struct err err = { 0 };

	assert_int_equal(loop_open(on_note, w, &w->loop, &err), 0);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	sd_event_source_disable_unref(w->timer);
	sd_event_source_disable_unref(w->end);
	loop_close(w->loop);
	free(w);
	return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *data)
{
	struct world *w = data;
	size_t before = w->n_handled;

	(void)source;
	(void)usec;
	w->n_events++;
	loop_post(w->loop, NOTE_STATUS);
	loop_post(w->loop, NOTE_SETTLED);
	loop_post(w->loop, NOTE_STATUS);
	w->n_in_handler = w->n_handled - before;
	return 0;
}

/* Due at the same time as on_timer(), and dispatched after it. */
static int on_end(sd_event_source *source, uint64_t usec, void *data)
{
	struct world *w = data;

	(void)source;
	(void)usec;
	assert_int_equal(w->n_events, 1);
	assert_int_not_equal(w->n_handled, 0);
	return sd_event_exit(loop_event(w->loop), 0);
}

static void run(struct world *w)
{
	uint64_t now_ms = loop_now_ms(w->loop);

	assert_true(loop_arm(w->loop, &w->timer, now_ms, on_timer, w) >= 0);
	assert_true(loop_arm(w->loop, &w->end, now_ms, on_end, w) >= 0);
	assert_true(sd_event_source_set_priority(w->end, SD_EVENT_PRIORITY_IDLE) >= 0);
	assert_int_equal(loop_run(w->loop), 0);
}

static void test_after_the_event(void **state)
{
	struct world *w = *state;

	run(w);
	assert_int_equal(w->n_in_handler, 0);
	assert_int_equal(w->n_handled, 2);
	assert_int_equal(w->handled[0], NOTE_SETTLED);
	assert_int_equal(w->handled[1], NOTE_STATUS);
	assert_true(loop_times(w->loop)->n >= 2);
}

static void test_posted_by_a_note(void **state)
{
	struct world *w = *state;

	w->posts_again = true;
	run(w);
	assert_int_equal(w->n_handled, 3);
	assert_int_equal(w->handled[2], NOTE_SETTLED);
}

static void test_posted_before_it_runs(void **state)
{
	struct world *w = *state;

	loop_post(w->loop, NOTE_SETTLED);
	assert_int_equal(w->n_handled, 0);
	run(w);
	assert_int_equal(w->n_handled, 3);
	assert_int_equal(w->handled[0], NOTE_SETTLED);
}

static void test_at_the_end(void **state)
{
	struct world *w = *state;

	run(w);
	loop_post(w->loop, NOTE_STATUS);
	assert_int_equal(w->n_handled, 2);
	loop_handle_notes(w->loop);
	assert_int_equal(w->n_handled, 3);
	loop_handle_notes(w->loop);
	assert_int_equal(w->n_handled, 3);
}

static void test_disarmed(void **state)
{
	struct world *w = *state;
	uint64_t now_ms = loop_now_ms(w->loop);

	assert_true(loop_arm(w->loop, &w->timer, now_ms, on_timer, w) >= 0);
	assert_true(loop_arm(w->loop, &w->timer, UINT64_MAX, on_timer, w) >= 0);
	assert_int_equal(sd_event_run(loop_event(w->loop), 1000), 0);
	assert_int_equal(w->n_events, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_after_the_event, setup, teardown),
		cmocka_unit_test_setup_teardown(test_posted_by_a_note, setup, teardown),
		cmocka_unit_test_setup_teardown(test_posted_before_it_runs, setup, teardown),
		cmocka_unit_test_setup_teardown(test_at_the_end, setup, teardown),
		cmocka_unit_test_setup_teardown(test_disarmed, setup, teardown),
	};

	return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
