/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The requests of the socket. */
#include "daemon/daemon_metrics.h"
#include "daemon/daemon_status.h"
#include "dockside/base/buf.h"
#include "dockside/base/diag.h"
#include "dockside/base/err.h"
#include "dockside/base/util.h"
#include "dockside/daemon/daemon.h"

#include <stdlib.h>

/* ------------------------------------------------------------------ status, reload, refresh */

static char *find_resolver(const struct daemon *d)
{
	struct buf text = { 0 };

	dns_trouble(d->dns, &text);
	return text.len > 0 ? buf_steal(&text) : NULL;
}

/* What is refused is counted as of the same moment as what the table holds. */
static void take_view(struct daemon *d, struct daemon_view *ret)
{
	*ret = (struct daemon_view){
		.now_ms = loop_now_ms(d->loop),
		.started_ms = d->started_ms,
		.enforcer = &d->enforcer,
		.counters = daemon_counters_read(d->counters),
		.dns_alarm = daemon_judged_dns(d->judged),
		.legs = daemon_judged_legs(d->judged),
		.settings_error = daemon_settings_error(d->settings),
		.resolver = find_resolver(d),
		.load = d->load,
		.repair = daemon_repair_state(d),
		.files = daemon_files_view(d),
		.denied = daemon_denied_view(d),
		.n_ended = daemon_unjudged_ended(d->unjudged),
		.docker = d->docker,
		.loop = loop_times(d->loop),
	};
	daemon_judged_now(d->judged, &ret->counters, &ret->judged);
}

static void answer_status(struct daemon *d, struct ctl_request *request)
{
	struct buf b = { 0 };
	struct json_writer out = { .b = &b };
	bool fresh = daemon_counters_stale(d->counters);
	struct daemon_view view;

	daemon_counters_read(d->counters);
	if (fresh)
		daemon_denied_count(d);
	daemon_files_look(d);
	take_view(d, &view);
	daemon_status(&view, &out);
	ctl_answer(request, buf_str(&b));
	daemon_view_free(&view);
	buf_free(&b);
}

static void answer_metrics(struct daemon *d, struct ctl_request *request)
{
	const struct json_node *from = request_field(ctl_request_get(request), "from");
	struct buf b = { 0 };
	struct json_writer out = { .b = &b };
	struct daemon_view view;

	daemon_counters_read(d->counters);
	daemon_denied_count(d);
	take_view(d, &view);
	daemon_metrics(&view, from && from->u.integer > 0 ? (uint64_t)from->u.integer : 0, &out);
	ctl_answer(request, buf_str(&b));
	daemon_view_free(&view);
	buf_free(&b);
}

static void answer_denied(struct daemon *d, struct ctl_request *request)
{
	const char *network = request_string(ctl_request_get(request), "network");
	struct buf b = { 0 };
	struct json_writer out = { .b = &b };
	struct err err = { 0 };

	if (network && !daemon_denied_knows(d, network, &err)) {
		ctl_answer_error(request, err.text, NULL);
		err_free(&err);
		return;
	}
	daemon_denied_answer(d, ctl_request_get(request), &out);
	ctl_answer(request, buf_str(&b));
	buf_free(&b);
}

static void answer_reload(struct daemon *d, struct ctl_request *request)
{
	const struct diags *diags;
	struct err err = { 0 };

	if (daemon_reload(d, &diags, &err) < 0)
		ctl_answer_error(request, err.text, diags);
	else
		daemon_wait_answer(d, (struct waiter){ .kind = WAITER_RELOAD,
						       .request = request,
						       .answer = ctl_ok_json("reloaded", diags),
						       .tells_names = true });
	daemon_forget_rejected(d);
	err_free(&err);
}

static void answer_refresh(struct daemon *d, struct ctl_request *request)
{
	names_refresh(&d->enforcer.names, loop_now_ms(d->loop));
	daemon_wait_answer(
		d, (struct waiter){ .request = request, .answer = ctl_ok_json(NULL, NULL) });
}

/* ------------------------------------------------------------------ reconcile */

static void put_removed(struct json_writer *out, const struct changes *changes)
{
	json_write_open(out, "removed_chains", '[');
	for (size_t i = 0; i < changes->n_chains; i++)
		if (changes->chains[i].kind == CHANGE_DELETE)
			json_write_string(out, NULL, changes->chains[i].name);
	json_write_close(out, ']');
	json_write_open(out, "removed_ipsets", '[');
	for (size_t i = 0; i < changes->n_sets; i++)
		if (changes->sets[i].kind == CHANGE_DELETE)
			json_write_string(out, NULL, changes->sets[i].name);
	json_write_close(out, ']');
	json_write_open(out, "repaired", '[');
	for (size_t i = 0; i < changes->n_chains; i++)
		if (changes->chains[i].kind != CHANGE_DELETE)
			json_write_string(out, NULL, changes->chains[i].name);
	for (size_t i = 0; i < changes->n_sets; i++)
		if (changes->sets[i].kind != CHANGE_DELETE)
			json_write_string(out, NULL, changes->sets[i].name);
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
	for (size_t i = 0; i < ARRAY_SIZE(listing->daemon->listings); i++)
		if (listing->daemon->listings[i] == listing)
			listing->daemon->listings[i] = NULL;
	buf_free(&listing->answer);
	free(listing);
}

/* Without a free place (clients that left while Docker hangs) Docker is not asked. */
static void ask_orphans(struct daemon *d, struct listing *listing)
{
	for (size_t i = 0; i < ARRAY_SIZE(d->listings); i++) {
		if (d->listings[i])
			continue;
		d->listings[i] = listing;
		daemon_docker_orphans(d, on_orphans, listing);
		return;
	}
	on_orphans(listing, NULL, 0, "Docker has not answered earlier questions yet");
}

static void answer_reconcile(struct daemon *d, struct ctl_request *request)
{
	struct listing *listing = xcalloc(1, sizeof(*listing));
	struct json_writer out = { .b = &listing->answer };
	struct comparison comparison;
	struct reconcile_result result;
	struct err err = { 0 };
	int r;

	*listing = (struct listing){ .daemon = d, .request = request };
	r = enforcer_compare(&d->enforcer, loop_now_ms(d->loop), &comparison, &err);
	if (r >= 0) {
		json_write_open(&out, NULL, '{');
		json_write_string(&out, "status", "ok");
		put_removed(&out, &comparison.changes);
		reconcile_comparison_free(&comparison);
		r = enforcer_again(&d->enforcer, loop_now_ms(d->loop), &result, &err);
	}
	if (r >= 0) {
		ask_orphans(d, listing);
		return;
	}
	daemon_repair_soon(d, "reconcile failed");
	ctl_answer_error(request, err.text, NULL);
	buf_free(&listing->answer);
	free(listing);
	err_free(&err);
}

/* ------------------------------------------------------------------ the socket */

static void on_request(struct ctl_request *request, void *data)
{
	struct daemon *d = data;

	switch (ctl_request_get(request)->action) {
	case REQUEST_STATUS:
		answer_status(d, request);
		break;
	case REQUEST_METRICS:
		answer_metrics(d, request);
		break;
	case REQUEST_RELOAD:
		answer_reload(d, request);
		break;
	case REQUEST_REFRESH:
		answer_refresh(d, request);
		break;
	case REQUEST_RECONCILE:
		answer_reconcile(d, request);
		break;
	case REQUEST_EXPLAIN:
		daemon_explain(d, request);
		break;
	case REQUEST_DENIED:
		answer_denied(d, request);
		break;
	case REQUEST_APPLY:
	case REQUEST_SET_NETWORK:
	case REQUEST_REMOVE_NETWORK:
	case REQUEST_SET_IPSET:
	case REQUEST_REMOVE_IPSET:
		daemon_edit(d, request);
		break;
	}
}

static void on_gone(struct ctl_request *request, void *data)
{
	struct daemon *d = data;

	daemon_wait_gone(d, request);
	for (size_t i = 0; i < ARRAY_SIZE(d->listings); i++)
		if (d->listings[i] && d->listings[i]->request == request)
			d->listings[i]->request = NULL;
}

int daemon_requests_start(struct daemon *d, struct err *err)
{
	static const struct ctl_handler handler = { .request = on_request, .gone = on_gone };

	if (!d->options->socket)
		return 0;
	return ctl_open(loop_event(d->loop), d->options->socket, &handler, d, &d->ctl, err);
}

void daemon_requests_stop(struct daemon *d)
{
	if (d->ctl)
		ctl_close(d->ctl);
}
