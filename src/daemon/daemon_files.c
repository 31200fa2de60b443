/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The two configuration files over time: the last pair that was accepted is kept in the state directory
 * (last_good.h) and enforced where the files have errors at the start; and whether the files on the disk
 * still say what runs. A state directory that we cannot use stops nothing; the log and `status` say why.
 */
#include "daemon_files.h"

#include "dockside/base/diag.h"
#include "dockside/base/err.h"
#include "dockside/base/file.h"
#include "dockside/base/util.h"

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

struct daemon_files {
	struct loop *loop;
	const struct enforcer *enforcer;
	struct last_good state;
	char *paths[2]; /* absolute: network-config, firewall-config */
	char *trouble;	/* why the accepted pair is not kept; NULL: it is */

	/* The last accepted pair is enforced instead of the files. */
	bool fallen_back;
	uint64_t since_ms;
	char *alarm;

	/* The result of our last look at the files. */
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

struct daemon_files *daemon_files_open(struct loop *loop, struct enforcer *enforcer,
				       const char *network_config, const char *firewall_config,
				       const char *state_directory)
{
	struct daemon_files *f = xcalloc(1, sizeof(*f));
	struct err err = { 0 };

	f->loop = loop;
	f->enforcer = enforcer;
	f->paths[0] = path_absolute(network_config);
	f->paths[1] = path_absolute(firewall_config);
	if (last_good_open(&f->state, state_directory, &err) < 0)
		note_trouble(f, &err);
	placing_open(&enforcer->placing, &f->state.dir);
	drain_open(&enforcer->drain, &f->state, f->paths[0], f->paths[1]);
	sites_apply(&enforcer->placing.sites, &enforcer->drain.last);
	err_free(&err);
	return f;
}

void daemon_files_accepted(struct daemon_files *f)
{
	const struct policy *policy = &f->enforcer->running->policy;
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

int daemon_files_last_good(struct daemon_files *f, struct last_good_pair *ret, struct err *err)
{
	return last_good_read(&f->state, f->paths[0], f->paths[1], ret, err);
}

void daemon_files_fallen_back(struct daemon_files *f, uint64_t accepted_s, const char *why)
{
	char accepted[TIME_SIZE], now[TIME_SIZE];

	format_time(accepted, accepted_s);
	format_time(now, unix_ms() / 1000);
	f->fallen_back = true;
	f->since_ms = loop_now_ms(f->loop);
	f->alarm = xasprintf("since %s the last accepted configuration, of %s, is enforced instead "
			     "of the files, which could not be enforced (%s): correct them, then "
			     "reload",
			     now, accepted, why);
	log_error("ALARM: %s", f->alarm);
	loop_post(f->loop, NOTE_STATUS);
}

const char *daemon_files_alarm(const struct daemon_files *f)
{
	return f->alarm;
}

/* ------------------------------------------------------------------ the files on the disk */

/* Compares their stat with that of the last look, and keeps it. Without this, a user of the socket could keep
 * us busy with reading files. */
static bool untouched(struct daemon_files *f)
{
	bool same = f->looked && f->n_policies == f->enforcer->n_policies;
	time_t now = time(NULL);

	for (size_t i = 0; i < ARRAY_SIZE(f->paths); i++) {
		struct stat st = { 0 };

		/* One that is missing has no stat, and is looked for each time. */
		same = stat(f->paths[i], &st) == 0 && disk_same_file(&st, &f->stats[i]) && same &&
		       (st.st_ctim.tv_sec < now - STAMP_UNSURE_S || st.st_ctim.tv_sec > now);
		f->stats[i] = st;
	}
	f->looked = true;
	f->n_policies = f->enforcer->n_policies;
	return same;
}

static bool same_text(const struct src *a, const struct src *b)
{
	return a->text && a->len == b->len && memcmp(a->text, b->text, a->len) == 0;
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

static void compare(struct daemon_files *f, struct running *files)
{
	const struct policy *policy = &f->enforcer->running->policy;
	struct policy *read = &files->policy;
	struct diags *diags = &files->diags;
	bool ok = config_read_files(f->paths[0], f->paths[1], read, diags);
	bool network_same = same_text(&read->network_src, &policy->network_src);
	bool firewall_same = same_text(&read->firewall_src, &policy->firewall_src);

	free(f->message);
	f->message = NULL;
	if (network_same && firewall_same) {
		f->files_state = FILES_CURRENT;
	} else if (ok && config_parse(read, diags)) {
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

const char *files_state_name(enum files_state state)
{
	switch (state) {
	case FILES_CURRENT:
		return "current";
	case FILES_EDITED:
		return "edited";
	case FILES_FAULTY:
		return "faulty";
	case N_FILES_STATES:
		break;
	}
	abort();
}

void daemon_files_look(struct daemon_files *f)
{
	struct running *files;

	if (untouched(f))
		return;
	files = running_new();
	compare(f, files);
	running_free(files);
}

struct files_view daemon_files_view(const struct daemon_files *f)
{
	return (struct files_view){
		.state = f->files_state,
		.message = f->message,
		.drift = f->looked && f->files_state != FILES_CURRENT,
		.alarm = f->alarm,
		.since_ms = f->since_ms,
		.trouble = f->trouble,
	};
}

void daemon_files_close(struct daemon_files *f)
{
	if (!f)
		return;
	last_good_close(&f->state);
	for (size_t i = 0; i < ARRAY_SIZE(f->paths); i++)
		free(f->paths[i]);
	free(f->trouble);
	free(f->alarm);
	free(f->message);
	free(f);
}
