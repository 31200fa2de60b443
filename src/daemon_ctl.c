/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The requests of the socket (SPEC §7). */
#include "dockside/daemon.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dockside/config.h"
#include "dockside/edit.h"
#include "dockside/log.h"
#include "dockside/save.h"

#define UNRESOLVED_MAX 100
#define UNJUDGED_MAX 100 /* networks that an answer says more of than their names */

/* ------------------------------------------------------------------ status, reload, refresh */

static void answer_status(struct daemon *d, struct ctl_request *request)
{
	struct buf b = { 0 };
	struct json_out out = { .b = &b };

	daemon_status(d, &out);
	ctl_answer(request, buf_str(&b));
	buf_free(&b);
}

static void answer_metrics(struct daemon *d, struct ctl_request *request)
{
	const struct json_node *from = request_field(ctl_request_get(request), "from");
	struct buf b = { 0 };
	struct json_out out = { .b = &b };

	daemon_metrics(d, from && from->u.integer > 0 ? (uint64_t)from->u.integer : 0, &out);
	ctl_answer(request, buf_str(&b));
	buf_free(&b);
}

static void answer_denied(struct daemon *d, struct ctl_request *request)
{
	const char *network = request_string(ctl_request_get(request), "network");
	struct buf b = { 0 };
	struct json_out out = { .b = &b };
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

static bool settled(const struct daemon *d, uint64_t since_ms)
{
	return daemon_names_settled(d, since_ms) && daemon_docker_settled(d);
}

/* ---- names that did not resolve ---- */

static bool in_ipset(const struct policy *policy, const char *ipset, const char *name)
{
	for (size_t i = 0; i < policy->n_ipsets; i++) {
		const struct ipset *set = &policy->ipsets[i];

		for (size_t k = 0; strcmp(set->name, ipset) == 0 && k < set->n_hostnames; k++)
			if (strcmp(set->hostnames[k], name) == 0)
				return true;
	}
	return false;
}

/* One family that fails is the rule with many names, unless the other has nothing either. */
static bool is_unresolved(const struct name *name)
{
	unsigned trouble = name_trouble(name), both = NAME_IPV4_FAILS | NAME_IPV6_FAILS;

	return (trouble & both) == both || (trouble && name->n_addrs == 0);
}

static void put_unresolved(struct json_out *out, const struct name *name)
{
	struct buf why = { 0 };

	answers_error(name->errors, &why);
	json_out_open(out, NULL, '{');
	json_out_string(out, "name", name->name);
	json_out_string(out, "message",
			why.len > 0 ? buf_str(&why) : "it exists, but has no address");
	json_out_int(out, "addresses", (int64_t)name->n_addrs);
	json_out_close(out, '}');
	buf_free(&why);
}

static void add_unresolved(const struct daemon *d, const char *ipset, struct buf *answer)
{
	const struct names *names = &d->enforcer.names;
	struct json_out out;
	size_t n = 0;

	for (size_t i = 0; i < names->n; i++) {
		const struct name *name = &names->items[i];

		if (!is_unresolved(name) ||
		    (ipset && !in_ipset(&d->enforcer.running->policy, ipset, name->name)))
			continue;
		if (n == 0) {
			ctl_reopen(answer, &out);
			json_out_open(&out, "unresolved", '[');
		}
		if (n++ < UNRESOLVED_MAX)
			put_unresolved(&out, name);
	}
	if (n == 0)
		return;
	json_out_close(&out, ']');
	if (n > UNRESOLVED_MAX)
		json_out_int(&out, "unresolved_more", (int64_t)(n - UNRESOLVED_MAX));
	json_out_close(&out, '}');
}

/* ---- networks whose packets are not judged ---- */

/* Adds the networks whose packets are not judged to a good answer, as the last member. */
static void put_not_judged(struct buf *json, const char *good, const struct policy *policy,
			   const struct judge_result *judged)
{
	struct json_out out = { .b = json, .more = true };

	buf_add(json, good, strlen(good) - strlen("}"));
	json_out_open(&out, "not_judged", '[');
	for (size_t i = 0; i < judged->n; i++)
		if (judged->items[i].state == JUDGED_NOT)
			json_out_string(&out, NULL, policy->networks[i].name);
	json_out_close(&out, ']');
	json_out_close(&out, '}');
}

/* The answer to a reload after which packets are not judged. */
static void put_reload_error(struct buf *json, const struct policy *policy,
			     const struct judge_result *judged)
{
	struct json_out out = { .b = json };
	cleanup(cleanup_free) char *message =
		xasprintf("reloaded, but the packets of %zu network%s are NOT JUDGED",
			  judged->n_not, plural(judged->n_not));

	json_out_open(&out, NULL, '{');
	json_out_string(&out, "status", "error");
	json_out_string(&out, "message", message);
	json_out_open(&out, "errors", '[');
	for (size_t i = 0, left = UNJUDGED_MAX; i < judged->n && left > 0; i++) {
		cleanup(cleanup_free) char *text = NULL;

		if (judged->items[i].state != JUDGED_NOT)
			continue;
		left--;
		text = judged_sentence(policy->networks[i].name, &judged->items[i]);
		json_out_open(&out, NULL, '{');
		json_out_string(&out, "message", text);
		json_out_close(&out, '}');
	}
	json_out_close(&out, ']');
	json_out_close(&out, '}');
}

/* A policy that does not reach every packet is not said to be enforced. */
static void answer_policy(const struct daemon *d, const struct waiter *waiter, const char *good)
{
	const struct policy *policy = &d->enforcer.running->policy;
	struct judge_result judged;
	struct buf b = { 0 };

	daemon_judged_now(d, NULL, &judged);
	if (judged.n_not > 0 && waiter->kind == WAITER_RELOAD) {
		put_reload_error(&b, policy, &judged);
		good = buf_str(&b);
	} else if (judged.n_not > 0) {
		put_not_judged(&b, good, policy, &judged);
		good = buf_str(&b);
	}
	ctl_answer(waiter->request, good);
	judge_result_free(&judged);
	buf_free(&b);
}

/* ---- answers that wait ---- */

static void answer_waiter(const struct daemon *d, const struct waiter *waiter)
{
	bool otherwise = waiter->drained && !enforce_draining(&d->enforcer, waiter->drained);
	struct buf answer = { 0 };

	buf_puts(&answer, otherwise ? waiter->otherwise : waiter->answer);
	if (waiter->tells_names)
		add_unresolved(d, waiter->ipset, &answer);
	if (waiter->kind == WAITER_NAMES)
		ctl_answer(waiter->request, buf_str(&answer));
	else
		answer_policy(d, waiter, buf_str(&answer));
	buf_free(&answer);
}

static void forget_waiter(struct waiter *waiter)
{
	free(waiter->answer);
	free(waiter->drained);
	free(waiter->otherwise);
	free(waiter->ipset);
	*waiter = (struct waiter){ 0 };
}

/*
 * Answers once every name has been asked and Docker has made what it lacked; consumes what waiter has.
 * There are as many places as connections.
 */
static void answer_settled(struct daemon *d, struct waiter waiter)
{
	daemon_names_ask(d);
	waiter.since_ms = daemon_now_ms(d);
	for (size_t i = 0; !settled(d, waiter.since_ms) && i < ARRAY_SIZE(d->waiters); i++) {
		if (d->waiters[i].request)
			continue;
		d->waiters[i] = waiter;
		return;
	}
	answer_waiter(d, &waiter);
	forget_waiter(&waiter);
}

void daemon_ctl_settled(struct daemon *d)
{
	for (size_t i = 0; i < ARRAY_SIZE(d->waiters); i++) {
		struct waiter waiter = d->waiters[i];

		if (!waiter.request || !settled(d, waiter.since_ms))
			continue;
		d->waiters[i] = (struct waiter){ 0 };
		answer_waiter(d, &waiter);
		forget_waiter(&waiter);
	}
}

static void on_gone(struct ctl_request *request, void *data)
{
	struct daemon *d = data;

	for (size_t i = 0; i < ARRAY_SIZE(d->waiters); i++) {
		if (d->waiters[i].request == request)
			forget_waiter(&d->waiters[i]);
		if (d->listings[i] && d->listings[i]->request == request)
			d->listings[i]->request = NULL;
	}
}

static void answer_reload(struct daemon *d, struct ctl_request *request)
{
	const struct diags *diags;
	struct err err = { 0 };

	if (daemon_reload(d, &diags, &err) < 0)
		ctl_answer_error(request, err.text, diags);
	else
		answer_settled(d, (struct waiter){ .kind = WAITER_RELOAD,
						   .request = request,
						   .answer = ctl_ok_json("reloaded", diags),
						   .tells_names = true });
	daemon_forget_rejected(d);
	err_free(&err);
}

static void answer_refresh(struct daemon *d, struct ctl_request *request)
{
	names_refresh(&d->enforcer.names, daemon_now_ms(d));
	answer_settled(d, (struct waiter){ .request = request, .answer = ctl_ok_json(NULL, NULL) });
}

/* ------------------------------------------------------------------ reconcile */

static void put_removed(struct json_out *out, const struct changes *changes)
{
	json_out_open(out, "removed_chains", '[');
	for (size_t i = 0; i < changes->n_chains; i++)
		if (changes->chains[i].kind == CHANGE_DELETE)
			json_out_string(out, NULL, changes->chains[i].name);
	json_out_close(out, ']');
	json_out_open(out, "removed_ipsets", '[');
	for (size_t i = 0; i < changes->n_sets; i++)
		if (changes->sets[i].kind == CHANGE_DELETE)
			json_out_string(out, NULL, changes->sets[i].name);
	json_out_close(out, ']');
	json_out_open(out, "repaired", '[');
	for (size_t i = 0; i < changes->n_chains; i++)
		if (changes->chains[i].kind != CHANGE_DELETE)
			json_out_string(out, NULL, changes->chains[i].name);
	for (size_t i = 0; i < changes->n_sets; i++)
		if (changes->sets[i].kind != CHANGE_DELETE)
			json_out_string(out, NULL, changes->sets[i].name);
	json_out_close(out, ']');
}

/* Completes the answer with what Docker has that is not configured. */
static void on_orphans(void *data, const char *const *names, size_t n, const char *why)
{
	struct listing *listing = data;
	struct json_out out = { .b = &listing->answer, .more = true };

	json_out_open(&out, "docker_orphans", '[');
	for (size_t i = 0; i < n; i++)
		json_out_string(&out, NULL, names[i]);
	json_out_close(&out, ']');
	if (why)
		json_out_string(&out, "message", why);
	json_out_close(&out, '}');
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
	struct json_out out = { .b = &listing->answer };
	struct comparison comparison;
	struct sync_result result;
	struct err err = { 0 };
	int r;

	*listing = (struct listing){ .daemon = d, .request = request };
	r = enforce_compare(&d->enforcer, daemon_now_ms(d), &comparison, &err);
	if (r >= 0) {
		json_out_open(&out, NULL, '{');
		json_out_string(&out, "status", "ok");
		put_removed(&out, &comparison.changes);
		sync_comparison_free(&comparison);
		r = enforce_again(&d->enforcer, daemon_now_ms(d), &result, &err);
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

/* ------------------------------------------------------------------ actions that change the files */

/* Positions in an edited text are nobody's file's. */
static void set_source(struct src *src, const char *path, const char *edited,
		       const struct src *running)
{
	*src = (struct src){ .name = edited ? xasprintf("%s (changed)", path) : xstrdup(path) };
	src->text = xstrdup(edited ? edited : running->text);
	src->len = strlen(src->text);
}

/* `apply` may ask for what runs already, while the file says something else: it is written, too. */
static const char *text_to_save(const char *edited, const struct src *running, bool replace)
{
	return !edited && replace ? running->text : edited;
}

/* `apply` replaces whatever is there; the others must not undo what somebody wrote meanwhile. */
static int prepare_save(struct daemon *d, const struct edit *edit, bool replace,
			struct save **ret_save, struct err *err)
{
	const struct policy *before = &d->enforcer.running->policy;
	const struct save_file files[SAVE_FILES] = {
		[SAVE_NETWORK] = { d->options->network_config,
				   text_to_save(edit->network_text, &before->network_src, replace),
				   replace ? NULL : before->network_src.text },
		[SAVE_FIREWALL] = { d->options->firewall_config,
				    text_to_save(edit->firewall_text, &before->firewall_src,
						 replace),
				    replace ? NULL : before->firewall_src.text },
	};

	return save_prepare(files, NULL, ret_save, err);
}

/*
 * The kernel first, then the files; if these cannot be written, what ran before runs again. That comes at
 * a price, as what was known of names that only that has is forgotten, and Docker may be making networks
 * that it does not have: so whether they can be written is found out before.
 */
static int enforce_and_save(struct daemon *d, struct running *candidate, const struct edit *edit,
			    bool replace, struct err *err)
{
	struct running *before = NULL, *rejected = NULL;
	struct err again = { 0 };
	struct save *save = NULL;
	int r = prepare_save(d, edit, replace, &save, err);

	if (r < 0) {
		running_free(candidate);
		return r;
	}
	r = daemon_enforce(d, candidate, &before, err);
	if (r < 0) {
		save_cancel(save);
		return r;
	}
	r = save_commit(save, err);
	if (r >= 0) {
		running_free(before);
		daemon_files_accepted(d);
		return 0;
	}
	if (daemon_enforce(d, before, &rejected, &again) < 0)
		log_error("going back to the configuration on the disk: %s", again.text);
	err_free(&again);
	running_free(rejected);
	return r;
}

/* remove-network: whether its policy stays for now, or is let go of without the files having it. */
static bool release_forced(struct daemon *d, struct ctl_request *ctl_request)
{
	const struct request *request = ctl_request_get(ctl_request);

	if (request->action != REQUEST_REMOVE_NETWORK || !request_flag(request, "force") ||
	    !daemon_drain_release(d, request_string(request, "name")))
		return false;
	ctl_answer_ok(ctl_request, "released");
	return true;
}

static bool drains(struct daemon *d, const struct request *request)
{
	return request->action == REQUEST_REMOVE_NETWORK && !request_flag(request, "force") &&
	       daemon_drain_network(d, request_string(request, "name"));
}

/* Takes over the answer; adds the names of the networks that there are now. */
static char *add_networks(const struct policy *policy, char *answer)
{
	struct buf b = { 0 };
	struct json_out out;

	buf_puts(&b, answer);
	free(answer);
	ctl_reopen(&b, &out);
	json_out_open(&out, "networks", '[');
	for (size_t i = 0; i < policy->n_networks; i++)
		json_out_string(&out, NULL, policy->networks[i].name);
	json_out_close(&out, ']');
	json_out_close(&out, '}');
	return buf_steal(&b);
}

static bool changes_networks(enum request_action action)
{
	return action == REQUEST_APPLY || action == REQUEST_SET_NETWORK ||
	       action == REQUEST_REMOVE_NETWORK;
}

/* Whether it drains is known when Docker has been asked. */
static struct waiter edit_waiter(struct daemon *d, struct ctl_request *ctl_request, bool draining,
				 const struct diags *diags)
{
	const struct request *request = ctl_request_get(ctl_request);
	const struct policy *policy = &d->enforcer.running->policy;
	const char *name = request_string(request, "name");
	const struct draining *network = draining ? enforce_draining(&d->enforcer, name) : NULL;
	struct waiter waiter = {
		.kind = WAITER_EDIT,
		.request = ctl_request,
		.answer = ctl_ok_json("enforced and saved", diags),
		.tells_names = request->action == REQUEST_APPLY ||
			       request->action == REQUEST_SET_NETWORK ||
			       request->action == REQUEST_SET_IPSET,
		.ipset = request->action == REQUEST_SET_IPSET ? xstrdup(name) : NULL,
	};

	if (changes_networks(request->action))
		waiter.answer = add_networks(policy, waiter.answer);
	if (!network)
		return waiter;
	waiter.otherwise = waiter.answer;
	waiter.drained = xstrdup(network->bridge);
	waiter.answer = add_networks(
		policy, xstrdup("{\"status\":\"ok\",\"draining\":true,\"message\":\"saved; "
				"containers are attached, and its policy stays until they have "
				"left\"}"));
	return waiter;
}

/* While the last accepted configuration is enforced: a change of it is no change of the files, which have
 * errors still, unless it replaces both. */
static bool refuse_edit(struct daemon *d, struct ctl_request *ctl_request)
{
	if (!daemon_files_alarm(d) || ctl_request_get(ctl_request)->action == REQUEST_APPLY)
		return false;
	ctl_answer_error(ctl_request,
			 "the configuration files have errors, and the last accepted ones are "
			 "enforced: correct the files and reload, or replace both with apply",
			 NULL);
	return true;
}

static void answer_edit(struct daemon *d, struct ctl_request *ctl_request)
{
	const struct request *request = ctl_request_get(ctl_request);
	const struct policy *policy = &d->enforcer.running->policy;
	struct running *candidate = running_new();
	struct diags diags = { 0 };
	struct edit edit = { 0 };
	struct err err = { 0 };
	bool draining;
	int r = -EINVAL;

	if (edit_files(request, &policy->network_src, &policy->firewall_src, &edit, &diags)) {
		set_source(&candidate->policy.network_src, d->options->network_config,
			   edit.network_text, &policy->network_src);
		set_source(&candidate->policy.firewall_src, d->options->firewall_config,
			   edit.firewall_text, &policy->firewall_src);
		if (config_parse(&candidate->policy, &diags))
			r = 0;
	}
	if (r < 0) {
		ctl_answer_error(ctl_request, NULL, &diags);
		diags_free(&diags);
		running_free(candidate);
	} else {
		/* A warning may point into the candidate. */
		draining = drains(d, request);
		if (request->action == REQUEST_APPLY)
			daemon_drain_missing(d, &candidate->policy);
		r = enforce_and_save(d, candidate, &edit, request->action == REQUEST_APPLY, &err);
		if (r < 0) /* what was to drain is configured still */
			enforce_drain_configured(&d->enforcer);
		if (r < 0)
			ctl_answer_error(ctl_request, err.text, NULL);
		else
			answer_settled(d, edit_waiter(d, ctl_request, draining, &diags));
		diags_free(&diags);
		daemon_note_load(d, r < 0, r < 0 ? err.text : NULL);
	}
	edit_free(&edit);
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
		if (!release_forced(d, request) && !refuse_edit(d, request))
			answer_edit(d, request);
		break;
	}
}

int daemon_ctl_start(struct daemon *d, struct err *err)
{
	static const struct ctl_handler handler = { .request = on_request, .gone = on_gone };

	if (!d->options->socket)
		return 0;
	return ctl_open(d->event, d->options->socket, &handler, d, &d->ctl, err);
}

void daemon_ctl_stop(struct daemon *d)
{
	if (d->ctl)
		ctl_close(d->ctl);
}
