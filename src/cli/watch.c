/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "watch.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "ask_denied.h"
#include "dockside/base/buf.h"
#include "dockside/base/diag.h"
#include "dockside/base/err.h"
#include "dockside/base/exit_status.h"
#include "dockside/base/util.h"
#include "dockside/ctl/ctl_server.h"
#include "dockside/system/clock.h"
#include "dockside/system/log.h"
#include "screen.h"
#include "watch_page.h"

#define ASK_TIMEOUT_MS 3000
#define FIRST_MS 1000 /* the second answer, with the first rates, need not wait longer */

struct watch {
	const char *socket;
	struct watch_view view;
	struct denied_question denied;
};

/* ------------------------------------------------------------------ answers */

static void ask_status(struct watch *w)
{
	cleanup(json_tree_free) struct json_tree tree = { 0 };
	struct diags diags = { 0 };
	struct err err = { 0 };
	struct src src = { 0 };
	int r = ctl_call(w->socket, "{\"action\":\"status\"}", ASK_TIMEOUT_MS, &src.text, &err);
	const struct json_node *root = NULL;

	if (r >= 0) {
		src.len = strlen(src.text);
		if (json_parse(&src, &tree, &diags) && tree.root->kind == JSON_OBJECT)
			root = tree.root;
	}
	if (r < 0)
		watch_view_lost(&w->view, err.text, unix_ms());
	else if (strcmp(json_text(root, "status", ""), "ok") == 0)
		watch_view_status(&w->view, root, unix_ms());
	else
		watch_view_lost(&w->view,
				json_text(root, "message",
					  "what answers at the socket is no dsfw-nft daemon"),
				unix_ms());
	diags_free(&diags);
	src_free(&src);
	err_free(&err);
}

static void take_answer(void *data, const struct json_node *answer)
{
	struct watch_view *view = data;

	view->no_denied = json_is_true(answer, "listening")
				  ? NULL
				  : "The daemon is not told what is refused (--log-group).";
}

static void take_event(void *data, const struct json_node *event)
{
	struct watch_view *view = data;

	denied_rows_add(&view->denied, event);
	denied_rows_forget(&view->denied);
}

static void ask(struct watch *w)
{
	static const struct denied_taker taker = { .take = take_answer, .event = take_event };

	ask_status(w);
	if (!w->view.error && ask_denied(&w->denied, &taker, &w->view) < 0)
		w->view.no_denied = "The daemon does not say what was refused.";
}

/* ------------------------------------------------------------------ pages */

static int on_screen(struct watch *w)
{
	size_t height;
	struct term term = screen_size(&height);
	struct buf b = { 0 };
	int r;

	watch_page(&w->view, &term, height, &b);
	r = screen_show(buf_str(&b));
	buf_free(&b);
	return r;
}

static int on_paper(struct watch *w)
{
	struct buf b = { 0 };

	watch_page(&w->view, &(const struct term){ 0 }, 0, &b);
	printf("%s\n", buf_str(&b));
	buf_free(&b);
	if (fflush(stdout) == 0)
		return 0;
	clearerr(stdout); /* we say what went wrong */
	return -errno;
}

static int run_on_screen(struct watch *w, uint64_t interval_ms)
{
	uint64_t wait_ms = interval_ms < FIRST_MS ? interval_ms : FIRST_MS;
	enum screen_event event = SCREEN_TIMEOUT;
	uint64_t asked_ms = 0;
	int r = screen_open();

	while (r >= 0 && event != SCREEN_END) {
		uint64_t now_ms;

		if (event == SCREEN_TIMEOUT) {
			ask(w);
			/* Only now: keys have their time, too, where an answer takes long. */
			asked_ms = monotonic_ms();
		}
		r = on_screen(w);
		now_ms = monotonic_ms();
		if (r >= 0)
			event = screen_wait(
				asked_ms + wait_ms > now_ms ? asked_ms + wait_ms - now_ms : 0);
		if (event == SCREEN_TIMEOUT)
			wait_ms = interval_ms;
	}
	screen_close();
	return r;
}

static int run_on_paper(struct watch *w, uint64_t interval_ms)
{
	const struct timespec pause = { (time_t)(interval_ms / 1000),
					(long)(interval_ms % 1000 * 1000000) };
	int r;

	for (;;) {
		ask(w);
		r = on_paper(w);
		if (r < 0)
			return r;
		nanosleep(&pause, NULL);
	}
}

int watch(const char *socket, unsigned interval_s)
{
	struct watch w = { .socket = socket,
			   .denied = { .command = "status",
				       .socket = socket,
				       .after = AFTER_NONE,
				       .quiet = true } };
	uint64_t interval_ms = interval_s * 1000ull;
	int r = screen_is_possible() ? run_on_screen(&w, interval_ms)
				     : run_on_paper(&w, interval_ms);

	watch_view_free(&w.view);
	if (r >= 0)
		return EXIT_DONE;
	log_error("status: write the page: %s", strerror(-r));
	return EXIT_FAILED;
}
