/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Requests that change the files: apply, set and remove. */
#include "daemon_edit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dockside/base/buf.h"
#include "dockside/base/diag.h"
#include "dockside/base/err.h"
#include "dockside/base/util.h"
#include "dockside/ctl/edit.h"
#include "dockside/policy/config.h"
#include "dockside/system/log.h"
#include "dockside/system/save.h"

/* Positions in an edited text are in no file until it is saved. */
static void set_source(struct src *src, const char *path, const char *edited,
		       const struct src *running)
{
	*src = (struct src){ .name = edited ? xasprintf("%s (changed)", path) : xstrdup(path) };
	src->text = xstrdup(edited ? edited : running->text);
	src->len = strlen(src->text);
}

static void name_source(struct src *src, const char *path)
{
	free(src->name);
	src->name = xstrdup(path);
}

/* The files have the texts now. */
static void name_saved(const struct services *s)
{
	struct policy *policy = &s->enforcer->running->policy;

	name_source(&policy->network_src, s->network_config);
	name_source(&policy->firewall_src, s->firewall_config);
}

/* `apply` may ask for what runs already, while the file says something else: it is written, too. */
static const char *text_to_save(const char *edited, const struct src *running, bool replace)
{
	return !edited && replace ? running->text : edited;
}

/* `apply` replaces any files; the other requests must not undo an edit that somebody made
 * meanwhile. */
static int prepare_save(const struct services *s, const struct edit *edit, bool replace,
			struct save **ret_save, struct err *err)
{
	const struct policy *before = &s->enforcer->running->policy;
	const struct save_file files[SAVE_FILES] = {
		[SAVE_NETWORK] = { s->network_config,
				   text_to_save(edit->network_text, &before->network_src, replace),
				   replace ? NULL : before->network_src.text },
		[SAVE_FIREWALL] = { s->firewall_config,
				    text_to_save(edit->firewall_text, &before->firewall_src,
						 replace),
				    replace ? NULL : before->firewall_src.text },
	};

	return save_prepare(files, NULL, ret_save, err);
}

/*
 * The kernel first, then the files. If we cannot write these, the configuration from before runs
 * again. That has a price: the addresses of names that only it has are forgotten, and Docker may be
 * making networks that it does not have. So we find out before whether we can write them.
 */
static int enforce_and_save(const struct services *s, struct running *candidate,
			    const struct edit *edit, bool replace, struct err *err)
{
	struct running *before = NULL, *rejected = NULL;
	struct err again = { 0 };
	struct save *save = NULL;
	int r = prepare_save(s, edit, replace, &save, err);

	if (r < 0) {
		running_free(candidate);
		return r;
	}
	r = daemon_load_enforce(s->load, candidate, &before, err);
	if (r < 0) {
		save_cancel(save);
		return r;
	}
	r = save_commit(save, err);
	if (r >= 0) {
		running_free(before);
		name_saved(s);
		daemon_files_accepted(s->files);
		return 0;
	}
	if (daemon_load_enforce(s->load, before, &rejected, &again) < 0) {
		cleanup(cleanup_free) char *trouble = xstrdup(err->text);

		err_set(err, -r,
			"%s; what ran before cannot be put back (%s): the change is "
			"enforced until a reload, and not saved",
			trouble, again.text);
	}
	err_free(&again);
	running_free(rejected);
	return r;
}

/* remove-network: whether its policy stays for now, or is let go of without the files having it. */
static bool release_forced(const struct services *s, struct ctl_request *ctl_request)
{
	const struct request *request = ctl_request_get(ctl_request);

	if (request->action != REQUEST_REMOVE_NETWORK || !request_flag(request, "force") ||
	    !daemon_drain_release(s->drain, request_string(request, "name")))
		return false;
	ctl_answer_ok(ctl_request, "released");
	return true;
}

/* The bridge of the network that is to drain, or NULL. The caller frees it. */
static char *begin_draining(const struct services *s, const struct request *request)
{
	if (request->action != REQUEST_REMOVE_NETWORK || request_flag(request, "force"))
		return NULL;
	return daemon_drain_network(s->drain, request_string(request, "name"));
}

/* Takes over the answer; adds the names of the networks that there are now. */
static char *add_networks(const struct policy *policy, char *answer)
{
	struct buf b = { 0 };
	struct json_writer out;

	buf_puts(&b, answer);
	free(answer);
	ctl_reopen(&b, &out);
	json_write_open(&out, "networks", '[');
	for (size_t i = 0; i < policy->n_networks - policy->n_draining; i++)
		json_write_string(&out, NULL, policy->networks[i].name);
	json_write_close(&out, ']');
	json_write_close(&out, '}');
	return buf_steal(&b);
}

static bool changes_networks(enum request_action action)
{
	return action == REQUEST_APPLY || action == REQUEST_SET_NETWORK ||
	       action == REQUEST_REMOVE_NETWORK;
}

static bool adds_members(enum request_action action)
{
	return action == REQUEST_SET_IPSET || action == REQUEST_ADD_IPSET;
}

/* bridge: of a network that is to drain, or NULL. Whether it does is known when Docker has been asked. */
static struct waiter edit_waiter(const struct services *s, struct ctl_request *ctl_request,
				 const char *bridge, const char *message, const struct diags *diags)
{
	const struct request *request = ctl_request_get(ctl_request);
	const struct policy *policy = &s->enforcer->running->policy;
	const char *name = request_string(request, "name");
	const struct draining *network = bridge ? drain_find(&s->enforcer->drain, bridge) : NULL;
	struct waiter waiter = {
		.kind = WAITER_EDIT,
		.request = ctl_request,
		.answer = ctl_ok_json(message ? message : "enforced and saved", diags),
		.tells_names = request->action == REQUEST_APPLY ||
			       request->action == REQUEST_SET_NETWORK ||
			       adds_members(request->action),
		.ipset = adds_members(request->action) ? xstrdup(name) : NULL,
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
static bool refuse_edit(const struct services *s, struct ctl_request *ctl_request)
{
	if (!daemon_files_alarm(s->files) || ctl_request_get(ctl_request)->action == REQUEST_APPLY)
		return false;
	ctl_answer_error(ctl_request,
			 "the configuration files have errors, and the last accepted ones are "
			 "enforced: correct the files and reload, or replace both with apply",
			 NULL);
	return true;
}

/* After a change that failed the policy from before runs on, mostly: the last load is still the last one. */
static void note_edit(const struct services *s, const struct request *request, const char *trouble,
		      const struct running *before)
{
	if (!trouble) {
		daemon_load_note(s->load, false, NULL);
		return;
	}
	log_warning("%s: %s%s", request_action_name(request->action), trouble,
		    s->enforcer->running == before ? "; what ran before runs on" : "");
	loop_post(s->loop, NOTE_STATUS);
}

static void answer_edit(const struct services *s, struct ctl_request *ctl_request)
{
	const struct request *request = ctl_request_get(ctl_request);
	const struct running *before = s->enforcer->running; /* it may be freed */
	const struct policy *policy = &before->policy;
	struct running *candidate = running_new();
	struct diags diags = { 0 };
	struct reach *reach = daemon_reach_begin(s->enforcer, request);
	struct edit edit = { 0 };
	struct err err = { 0 };
	struct waiter waiter;
	cleanup(cleanup_free) char *drained = NULL; /* a bridge */
	int r = -EINVAL;

	if (edit_files(request, policy, &edit, &diags)) {
		set_source(&candidate->policy.network_src, s->network_config, edit.network_text,
			   &policy->network_src);
		set_source(&candidate->policy.firewall_src, s->firewall_config, edit.firewall_text,
			   &policy->firewall_src);
		if (config_parse(&candidate->policy, &diags))
			r = 0;
		if (r >= 0)
			sites_apply(&s->enforcer->placing.sites, &candidate->policy);
	}
	if (r < 0) {
		ctl_answer_error(ctl_request, NULL, &diags);
		daemon_reach_free(reach);
		diags_free(&diags);
		running_free(candidate);
	} else {
		/* A warning may point into the candidate. */
		drained = begin_draining(s, request);
		if (request->action == REQUEST_APPLY)
			daemon_drain_missing(s->drain, &candidate->policy);
		r = enforce_and_save(s, candidate, &edit, request->action == REQUEST_APPLY, &err);
		if (r < 0) /* what was to drain is configured still */
			drain_remove_configured(&s->enforcer->drain, &s->enforcer->running->policy);
		if (r < 0) {
			ctl_answer_error(ctl_request, err.text, NULL);
			daemon_reach_free(reach);
		} else {
			waiter = edit_waiter(s, ctl_request, drained, edit.message, &diags);
			waiter.reach = reach;
			daemon_wait_answer(s->wait, waiter);
		}
		diags_free(&diags);
		note_edit(s, request, r < 0 ? err.text : NULL, before);
	}
	edit_free(&edit);
	err_free(&err);
}

void daemon_edit(const struct services *s, struct ctl_request *request)
{
	if (!release_forced(s, request) && !refuse_edit(s, request))
		answer_edit(s, request);
}
