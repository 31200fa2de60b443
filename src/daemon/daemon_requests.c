/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The requests of the socket. */
#include "daemon_requests.h"

#include "daemon_edit.h"
#include "daemon_explain.h"
#include "daemon_follow.h"
#include "daemon_metrics.h"
#include "daemon_status.h"
#include "dockside/base/buf.h"
#include "dockside/base/diag.h"
#include "dockside/base/err.h"
#include "dockside/base/util.h"

#include <stdlib.h>

/* A `reconcile` that waits for Docker's list. */
struct listing {
	struct daemon_requests *requests;
	struct ctl_request *request; /* NULL: the client is gone */
	struct buf answer;	     /* all but the end */
};

struct daemon_requests {
	const struct services *services;
	struct ctl *ctl;
	struct daemon_follow *follow;
	struct listing *listings[CTL_CONNECTIONS_MAX];
};

/* ------------------------------------------------------------------ status, reload, refresh */

static void answer_status(const struct services *s, struct ctl_request *request)
{
	struct buf b = { 0 };
	struct json_writer out = { .b = &b };
	struct counters_view counters = daemon_counters_read(s->counters);
	struct daemon_view view;

	daemon_files_look(s->files);
	daemon_gate_look(s->gate);
	daemon_view_take(s, &counters, &view);
	daemon_status(&view, &out);
	ctl_answer(request, buf_str(&b));
	daemon_view_free(&view);
	buf_free(&b);
}

static void answer_metrics(const struct services *s, struct ctl_request *request)
{
	struct buf b = { 0 };

	daemon_metrics_now(s, &b);
	ctl_answer_text(request, &b);
	buf_free(&b);
}

static void answer_denied(const struct daemon_requests *r, struct ctl_request *request)
{
	const struct services *s = r->services;
	const char *network = request_string(ctl_request_get(request), "network");
	struct buf b = { 0 };
	struct json_writer out = { .b = &b };
	struct err err = { 0 };

	if (network && !daemon_denied_knows(s->denied, network, &err)) {
		ctl_answer_error(request, err.text, NULL);
		err_free(&err);
		return;
	}
	if (daemon_follow_take(r->follow, request))
		return;
	daemon_denied_answer(s->denied, ctl_request_get(request), &out);
	ctl_answer(request, buf_str(&b));
	buf_free(&b);
}

static void answer_reload(const struct services *s, struct ctl_request *request)
{
	const struct diags *diags;
	struct err err = { 0 };

	if (daemon_load_reload(s->load, &diags, &err) < 0)
		ctl_answer_error(request, err.text, diags);
	else
		daemon_wait_answer(s->wait,
				   (struct waiter){ .kind = WAITER_RELOAD,
						    .request = request,
						    .answer = ctl_ok_json("reloaded", diags),
						    .tells_names = true });
	daemon_load_forget_rejected(s->load);
	err_free(&err);
}

static void answer_refresh(const struct services *s, struct ctl_request *request)
{
	names_refresh(&s->enforcer->names, loop_now_ms(s->loop));
	daemon_wait_answer(
		s->wait, (struct waiter){ .request = request, .answer = ctl_ok_json(NULL, NULL) });
}

/* ------------------------------------------------------------------ reconcile */

/* The names of chains that are deleted, or of those that are not. */
static void put_chains(struct json_writer *out, const struct comparison *comparison, bool deleted)
{
	for (int t = 0; t < N_TABLES; t++) {
		const struct changes *changes = &comparison->tables[t].changes;

		for (size_t i = 0; i < changes->n_chains; i++)
			if ((changes->chains[i].kind == CHANGE_DELETE) == deleted)
				json_write_string(out, NULL, changes->chains[i].name);
	}
}

static void put_sets(struct json_writer *out, const struct comparison *comparison, bool deleted)
{
	for (int t = 0; t < N_TABLES; t++) {
		const struct changes *changes = &comparison->tables[t].changes;

		for (size_t i = 0; i < changes->n_sets; i++)
			if ((changes->sets[i].kind == CHANGE_DELETE) == deleted)
				json_write_string(out, NULL, changes->sets[i].name);
	}
}

static void put_removed(struct json_writer *out, const struct comparison *comparison)
{
	json_write_open(out, "removed_chains", '[');
	put_chains(out, comparison, true);
	json_write_close(out, ']');
	json_write_open(out, "removed_ipsets", '[');
	put_sets(out, comparison, true);
	json_write_close(out, ']');
	json_write_open(out, "repaired", '[');
	put_chains(out, comparison, false);
	put_sets(out, comparison, false);
	json_write_close(out, ']');
}

/* Completes the answer with what Docker has that is not configured. */
static void on_orphans(void *data, const char *const *names, size_t n, const char *why)
{
	struct listing *listing = data;
	struct json_writer out = { .b = &listing->answer, .more = true };

	json_write_open(&out, "docker_orphans", '[');
	for (size_t i = 0; i < n; i++)
		json_write_string(&out, NULL, names[i]);
	json_write_close(&out, ']');
	if (why)
		json_write_string(&out, "message", why);
	json_write_close(&out, '}');
	if (listing->request)
		ctl_answer(listing->request, buf_str(&listing->answer));
	for (size_t i = 0; i < ARRAY_SIZE(listing->requests->listings); i++)
		if (listing->requests->listings[i] == listing)
			listing->requests->listings[i] = NULL;
	buf_free(&listing->answer);
	free(listing);
}

/* Without a free place (clients that left while Docker hangs) Docker is not asked. */
static void ask_orphans(struct daemon_requests *r, struct listing *listing)
{
	for (size_t i = 0; i < ARRAY_SIZE(r->listings); i++) {
		if (r->listings[i])
			continue;
		r->listings[i] = listing;
		daemon_docker_orphans(r->services->docker, on_orphans, listing);
		return;
	}
	on_orphans(listing, NULL, 0, "Docker has not answered earlier questions yet");
}

static void answer_reconcile(struct daemon_requests *requests, struct ctl_request *request)
{
	const struct services *s = requests->services;
	struct listing *listing = xcalloc(1, sizeof(*listing));
	struct json_writer out = { .b = &listing->answer };
	struct comparison comparison;
	struct reconcile_result result;
	struct err err = { 0 };
	int r;

	*listing = (struct listing){ .requests = requests, .request = request };
	r = enforcer_compare(s->enforcer, loop_now_ms(s->loop), &comparison, &err);
	if (r >= 0) {
		json_write_open(&out, NULL, '{');
		json_write_string(&out, "status", "ok");
		put_removed(&out, &comparison);
		reconcile_comparison_free(&comparison);
		r = enforcer_again(s->enforcer, loop_now_ms(s->loop), &result, &err);
	}
	if (r >= 0) {
		ask_orphans(requests, listing);
		return;
	}
	daemon_repair_soon(s->repair, "reconcile failed");
	ctl_answer_error(request, err.text, NULL);
	buf_free(&listing->answer);
	free(listing);
	err_free(&err);
}

/* ------------------------------------------------------------------ the socket */

static void on_request(struct ctl_request *request, void *data)
{
	struct daemon_requests *r = data;
	const struct services *s = r->services;

	switch (ctl_request_get(request)->action) {
	case REQUEST_STATUS:
		answer_status(s, request);
		break;
	case REQUEST_METRICS:
		answer_metrics(s, request);
		break;
	case REQUEST_RELOAD:
		answer_reload(s, request);
		break;
	case REQUEST_REFRESH:
		answer_refresh(s, request);
		break;
	case REQUEST_RECONCILE:
		answer_reconcile(r, request);
		break;
	case REQUEST_EXPLAIN:
		daemon_explain(s, request);
		break;
	case REQUEST_DENIED:
		answer_denied(r, request);
		break;
	case REQUEST_APPLY:
	case REQUEST_SET_NETWORK:
	case REQUEST_REMOVE_NETWORK:
	case REQUEST_SET_IPSET:
	case REQUEST_ADD_IPSET:
	case REQUEST_DEL_IPSET:
	case REQUEST_REMOVE_IPSET:
	case REQUEST_ALLOW:
	case REQUEST_DENY:
		daemon_edit(s, request);
		break;
	}
}

static void on_gone(struct ctl_request *request, void *data)
{
	struct daemon_requests *r = data;

	daemon_wait_gone(r->services->wait, request);
	daemon_follow_gone(r->follow, request);
	for (size_t i = 0; i < ARRAY_SIZE(r->listings); i++)
		if (r->listings[i] && r->listings[i]->request == request)
			r->listings[i]->request = NULL;
}

int daemon_requests_open(const struct services *services, const char *path,
			 struct daemon_requests **ret_requests, struct err *err)
{
	static const struct ctl_handler handler = { .request = on_request, .gone = on_gone };
	struct daemon_requests *r = xcalloc(1, sizeof(*r));

	*ret_requests = r;
	r->services = services;
	r->follow = daemon_follow_open(services);
	return path ? ctl_open(loop_event(services->loop), path, &handler, r, &r->ctl, err) : 0;
}

void daemon_requests_denied(struct daemon_requests *r)
{
	if (r && r->ctl)
		daemon_follow_answer(r->follow);
}

void daemon_requests_stop(struct daemon_requests *r)
{
	if (r && r->ctl)
		ctl_close(r->ctl);
	if (r)
		r->ctl = NULL;
}

void daemon_requests_close(struct daemon_requests *r)
{
	daemon_requests_stop(r);
	if (r)
		daemon_follow_close(r->follow);
	free(r);
}
