/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ask_denied.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "dockside/base/buf.h"
#include "dockside/base/diag.h"
#include "dockside/base/err.h"
#include "dockside/base/util.h"
#include "dockside/ctl/ctl_server.h"
#include "dockside/system/log.h"
#include "term.h"

#define TIMEOUT_MS 10000
#define WAIT_MS 1000 /* the daemon answers when a packet was refused, or after that */

/* ------------------------------------------------------------------ one question */

/* The daemon's answer, parsed. Locations point into src. */
struct answer_text {
	struct src src;
	struct json_tree tree;
	struct diags diags;
};

static void answer_free(struct answer_text *answer)
{
	json_tree_free(&answer->tree);
	diags_free(&answer->diags);
	src_free(&answer->src);
}

static char *request_text(const struct denied_question *q)
{
	struct buf b = { 0 };
	struct json_writer out = { .b = &b };

	json_write_open(&out, NULL, '{');
	json_write_string(&out, "action", request_action_name(REQUEST_DENIED));
	if (q->network)
		json_write_string(&out, "network", q->network);
	if (q->since_ms > 0)
		json_write_int(&out, "since_ms", (int64_t)q->since_ms);
	if (q->after != AFTER_NONE)
		json_write_int(&out, "after", (int64_t)q->after);
	if (q->follow && q->after != AFTER_NONE)
		json_write_int(&out, "wait_ms", WAIT_MS);
	json_write_close(&out, '}');
	return buf_steal(&b);
}

/* Returns 0, or -errno after saying why; -EAGAIN: it may be there again later. */
static int ask(struct denied_question *q, struct answer_text *ret)
{
	cleanup(cleanup_free) char *request = request_text(q);
	struct err err = { 0 };
	char *text = NULL;
	const char *status = NULL;
	int r;

	if (!q->follow && !q->quiet)
		term_progress("waiting for the daemon");
	r = ctl_call(q->socket, request, TIMEOUT_MS, &text, &err);
	if (!q->quiet)
		term_progress_end();
	if (r < 0) {
		if (!q->waiting && !q->quiet)
			log_error("%s: %s%s", q->command, err.text,
				  q->follow ? "; waiting for it" : "");
		q->waiting = q->follow;
		err_free(&err);
		return q->follow ? -EAGAIN : r;
	}
	q->waiting = false;
	ret->src = (struct src){ .text = text, .len = strlen(text) };
	if (json_parse(&ret->src, &ret->tree, &ret->diags) && ret->tree.root &&
	    ret->tree.root->kind == JSON_OBJECT)
		status = json_text(ret->tree.root, "status", NULL);
	if (status && strcmp(status, "ok") == 0)
		return 0;
	if (!q->quiet)
		log_error(
			"%s: %s", q->command,
			status ? json_text(ret->tree.root, "message", "the daemon does not say why")
			       : "what answers at the socket is no dsfw-nft daemon");
	return -EPROTO;
}

/* ------------------------------------------------------------------ one after another */

/* Decides at which number to go on after an answer. Smaller numbers than before come from another
 * daemon: then we begin again. */
static void go_on(struct denied_question *q, const struct json_node *answer, bool *ret_more)
{
	bool first = q->after == AFTER_NONE;
	int64_t number = json_integer(answer, "next");
	uint64_t next = number > 0 ? (uint64_t)number : 0;
	bool restarted = !first && next < q->after;

	*ret_more = restarted || (json_is_true(answer, "more") && (first || next > q->after));
	q->after = restarted ? 0 : next;
}

/* One answer; *ret_more: there are further events already. Returns 0, or -errno after saying why. */
static int take_answer(struct denied_question *q, const struct denied_taker *taker, void *data,
		       bool *ret_more)
{
	cleanup(answer_free) struct answer_text answer = { 0 };
	const struct json_node *events, *root;
	bool first = q->after == AFTER_NONE;
	int r = ask(q, &answer);

	if (r < 0)
		return r;
	root = answer.tree.root;
	events = json_member(root, "events", JSON_ARRAY);
	if (first && !q->quiet && !json_is_true(root, "listening"))
		log_warning("%s: the daemon is not told what is refused (--log-group)", q->command);
	if (!first && !q->quiet && json_integer(root, "missed") > 0)
		log_warning("%s: %" PRId64 " events came and went unseen", q->command,
			    json_integer(root, "missed"));
	q->polls = json_member(root, "ignored", JSON_ARRAY) != NULL;
	taker->take(data, root);
	for (size_t i = 0; events && i < events->u.children.n; i++)
		if (events->u.children.items[i].kind == JSON_OBJECT)
			taker->event(data, &events->u.children.items[i]);
	go_on(q, root, ret_more);
	if (!*ret_more && taker->end)
		taker->end(data, root);
	return 0;
}

int ask_denied(struct denied_question *q, const struct denied_taker *taker, void *data)
{
	bool more = true;
	int r = 0;

	while (r >= 0 && more)
		r = take_answer(q, taker, data, &more);
	return r;
}
