/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The two configuration files over time: the last pair that was accepted is kept in the state directory
 * (last_good.h) and enforced where the files have errors at the start; and whether the files on the disk
 * still say what runs. A state directory that we cannot use stops nothing; the log and `status` say why.
 */
#include "dockside/base/diag.h"
#include "dockside/base/err.h"
#include "dockside/base/file.h"
#include "dockside/base/util.h"
#include "dockside/daemon/daemon.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "dockside/policy/config.h"
#include "dockside/system/clock.h"
#include "dockside/system/disk.h"
#include "dockside/system/last_good.h"
#include "dockside/system/log.h"

#define TIME_SIZE 32
/* Within that of its last change a file may change again with the same time stamps. */
#define STAMP_UNSURE_S 2

enum files_state {
	FILES_CURRENT, /* they say what runs */
	FILES_EDITED,  /* they do not, and a reload would take them */
	FILES_FAULTY,  /* nor would a reload take them */
};

struct daemon_files {
	struct last_good state;
	char *paths[2]; /* absolute: network-config, firewall-config */
	char *trouble;	/* why the accepted pair is not kept; NULL: it is */

	/* The last accepted pair is enforced instead of the files. */
	bool fallen_back;
	uint64_t since_ms;
	char *alarm;

	/* What was found when the files were last looked at. */
	bool looked;
	struct stat stats[2];
	uint64_t n_policies;
	enum files_state files_state;
	char *message;
};

static void format_time(char text[TIME_SIZE], uint64_t unix_s)
{
	time_t t = (time_t)unix_s;
	struct tm tm;

	if (!gmtime_r(&t, &tm) || strftime(text, TIME_SIZE, "%Y-%m-%d %H:%M:%S UTC", &tm) == 0)
		snprintf(text, TIME_SIZE, "unknown date");
}

/* ------------------------------------------------------------------ the last accepted pair */

/* Once for each kind of trouble, not at each reload. */
static void note_trouble(struct daemon_files *f, const struct err *err)
{
	if (!f->trouble || strcmp(f->trouble, err->text) != 0)
		log_warning("%s; the accepted configuration is not kept: if the files have errors "
			    "at the next start, nothing is enforced",
			    err->text);
	free(f->trouble);
	f->trouble = xstrdup(err->text);
}

static void forget_trouble(struct daemon_files *f)
{
	if (f->trouble)
		log_info("the accepted configuration is kept in %s again", f->state.dir.path);
	free(f->trouble);
	f->trouble = NULL;
}

static void forget_fall_back(struct daemon_files *f)
{
	if (f->fallen_back)
		log_info("the configuration files are enforced again, no longer the last accepted "
			 "ones");
	f->fallen_back = false;
	free(f->alarm);
	f->alarm = NULL;
}

void daemon_files_start(struct daemon *d)
{
	struct daemon_files *f = xcalloc(1, sizeof(*f));
	struct err err = { 0 };

	d->files = f;
	f->paths[0] = path_absolute(d->options->network_config);
	f->paths[1] = path_absolute(d->options->firewall_config);
	if (last_good_open(&f->state, d->options->state_directory, &err) < 0)
		note_trouble(f, &err);
	drain_open(&d->enforcer.drain, &f->state, f->paths[0], f->paths[1]);
	err_free(&err);
}

void daemon_files_accepted(struct daemon *d)
{
	const struct policy *policy = &d->enforcer.running->policy;
	struct daemon_files *f = d->files;
	const struct last_good_pair pair = {
		.network = { f->paths[0], policy->network_src.text, policy->network_src.len },
		.firewall = { f->paths[1], policy->firewall_src.text, policy->firewall_src.len },
		.at_s = unix_ms() / 1000,
	};
	struct err err = { 0 };

	forget_fall_back(f);
	if (last_good_keep(&f->state, &pair, &err) < 0)
		note_trouble(f, &err);
	else
		forget_trouble(f);
	err_free(&err);
}

/* Its places are in a text that is in no file. */
static void take_src(struct src *src, struct src *from)
{
	*src = (struct src){
		.name = xasprintf("%s (last accepted)", from->name),
		.text = from->text,
		.len = from->len,
	};
	from->text = NULL;
}

static int enforce_pair(struct daemon *d, struct last_good_pair *pair, struct err *err)
{
	struct running *candidate = running_new(), *before = NULL;
	int r;

	take_src(&candidate->policy.network_src, &pair->network);
	take_src(&candidate->policy.firewall_src, &pair->firewall);
	if (!config_parse(&candidate->policy, &candidate->diags)) {
		running_free(candidate);
		return err_set(err, EINVAL, "this version of dsfw-nft finds errors in it");
	}
	r = daemon_enforce(d, candidate, &before, err);
	running_free(before);
	return r;
}

static void sound_alarm(struct daemon *d, uint64_t accepted_s, const char *why)
{
	struct daemon_files *f = d->files;
	char accepted[TIME_SIZE], now[TIME_SIZE];

	format_time(accepted, accepted_s);
	format_time(now, unix_ms() / 1000);
	f->fallen_back = true;
	f->since_ms = daemon_now_ms(d);
	f->alarm = xasprintf("since %s the last accepted configuration, of %s, is enforced instead "
			     "of the files, which could not be enforced (%s): correct them, then "
			     "reload",
			     now, accepted, why);
	log_error("ALARM: %s", f->alarm);
	daemon_notify_status(d);
}

int daemon_files_fall_back(struct daemon *d, const char *why)
{
	struct daemon_files *f = d->files;
	struct last_good_pair pair = { 0 };
	struct err err = { 0 };
	int r = last_good_read(&f->state, f->paths[0], f->paths[1], &pair, &err);

	if (r >= 0)
		r = enforce_pair(d, &pair, &err);
	if (r >= 0)
		sound_alarm(d, pair.at_s, why);
	else
		log_error("the last accepted configuration cannot be enforced either: %s",
			  err.text);
	last_good_pair_free(&pair);
	err_free(&err);
	return r;
}

const char *daemon_files_alarm(const struct daemon *d)
{
	return d->files ? d->files->alarm : NULL;
}

/* ------------------------------------------------------------------ the files on the disk */

/* Compares their stat with that of the last look, and keeps it. Without this, a user of the socket could keep
 * us busy with reading files. */
static bool untouched(struct daemon *d)
{
	struct daemon_files *f = d->files;
	bool same = f->looked && f->n_policies == d->n_policies;
	time_t now = time(NULL);

	for (size_t i = 0; i < ARRAY_SIZE(f->paths); i++) {
		struct stat st = { 0 };

		/* One that is missing has no stat, and is looked for each time. */
		same = stat(f->paths[i], &st) == 0 && disk_same_file(&st, &f->stats[i]) && same &&
		       (st.st_ctim.tv_sec < now - STAMP_UNSURE_S || st.st_ctim.tv_sec > now);
		f->stats[i] = st;
	}
	f->looked = true;
	f->n_policies = d->n_policies;
	return same;
}

static bool same_text(const struct src *a, const struct src *b)
{
	return a->len == b->len && memcmp(a->text, b->text, a->len) == 0;
}

/* The first error, and where it is. */
static char *first_error(const struct diags *diags)
{
	for (size_t i = 0; i < diags->n; i++) {
		const struct diag *diag = &diags->items[i];
		unsigned line, column;

		if (diag->severity != SEVERITY_ERROR)
			continue;
		loc_line_column(diag->loc, &line, &column);
		if (line == 0)
			return xasprintf("%s: %s", diag->loc.src ? diag->loc.src->name : "files",
					 diag->message);
		return xasprintf("%s:%u:%u: %s", diag->loc.src->name, line, column, diag->message);
	}
	return xstrdup("they have errors");
}

static void compare(struct daemon *d, struct running *files)
{
	const struct policy *policy = &d->enforcer.running->policy;
	struct daemon_files *f = d->files;
	struct policy *read = &files->policy;
	struct diags *diags = &files->diags;
	bool network_ok = src_read(f->paths[0], &read->network_src, diags);
	bool firewall_ok = src_read(f->paths[1], &read->firewall_src, diags);
	bool network_same = network_ok && same_text(&read->network_src, &policy->network_src);
	bool firewall_same = firewall_ok && same_text(&read->firewall_src, &policy->firewall_src);

	free(f->message);
	f->message = NULL;
	if (network_same && firewall_same) {
		f->files_state = FILES_CURRENT;
	} else if (network_ok && firewall_ok && config_parse(read, diags)) {
		f->files_state = FILES_EDITED;
		f->message = xasprintf("%s%s%s changed since what runs was read: reload enforces "
				       "that",
				       network_same ? "" : f->paths[0],
				       network_same || firewall_same ? "" : " and ",
				       firewall_same ? "" : f->paths[1]);
	} else {
		f->files_state = FILES_FAULTY;
		f->message = first_error(diags);
	}
}

static void look(struct daemon *d)
{
	struct running *files;

	if (untouched(d))
		return;
	files = running_new();
	compare(d, files);
	running_free(files);
}

static const char *state_name(enum files_state state)
{
	switch (state) {
	case FILES_CURRENT:
		return "current";
	case FILES_EDITED:
		return "edited";
	case FILES_FAULTY:
		return "faulty";
	}
	abort();
}

void daemon_files_status(struct daemon *d, struct json_writer *out)
{
	struct daemon_files *f = d->files;

	if (!f)
		return;
	look(d);
	json_write_open(out, "files", '{');
	json_write_string(out, "state", state_name(f->files_state));
	json_write_string(out, "message", f->message);
	json_write_bool(out, "last_accepted_enforced", f->fallen_back);
	if (f->fallen_back)
		json_write_int(out, "age", (int64_t)((daemon_now_ms(d) - f->since_ms) / 1000));
	else
		json_write_string(out, "age", NULL);
	json_write_bool(out, "kept", !f->trouble);
	json_write_string(out, "not_kept", f->trouble);
	json_write_close(out, '}');
}

const char *daemon_files_drift(const struct daemon *d)
{
	const struct daemon_files *f = d->files;

	return f && f->looked && f->files_state != FILES_CURRENT ? state_name(f->files_state)
								 : NULL;
}

void daemon_files_stop(struct daemon *d)
{
	struct daemon_files *f = d->files;

	if (!f)
		return;
	last_good_close(&f->state);
	for (size_t i = 0; i < ARRAY_SIZE(f->paths); i++)
		free(f->paths[i]);
	free(f->trouble);
	free(f->alarm);
	free(f->message);
	free(f);
	d->files = NULL;
}
