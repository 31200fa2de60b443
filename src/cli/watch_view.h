/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The content of the page of `status --watch`, gathered from answers of the daemon. Rates are the difference between two
 * answers. Pure: times are parameters.
 */
#ifndef DOCKSIDE_CLI_WATCH_VIEW_H
#define DOCKSIDE_CLI_WATCH_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dockside/base/arena.h"
#include "dockside/json/json_parse.h"
#include "show_denied.h"

enum watch_count {
	WATCH_PASSED,
	WATCH_PASSED_BYTES,
	WATCH_REFUSED,
	WATCH_REFUSED_BYTES,
	WATCH_COUNTS
};

struct watch_network {
	const char *name, *state;
	const char *containers, *ports; /* as text */
	bool bad, known_ports;		/* it is not judged; all its ports are known */
	int64_t counts[WATCH_COUNTS];
	bool rated; /* false: there is nothing to compare with, or the counters have begun anew */
	double rates[WATCH_COUNTS]; /* a second */
};

/* A name that no address is known of. */
struct watch_name {
	const char *name, *why;
};

struct watch_strings {
	char **items;
	size_t n, cap;
};

/* Zero-initialise; watch_view_free(). */
struct watch_view {
	struct arena arena;   /* of the last answer's texts */
	bool answered;	      /* ever */
	uint64_t answered_ms; /* since 1970 */
	char *error;	      /* why the daemon does not answer; NULL: it does */
	uint64_t now_ms;      /* since 1970 */

	bool ready;
	const char *version;
	struct watch_strings alarms, notes; /* notes: what else is not as it should be */
	struct watch_network *networks;
	size_t n_networks;
	struct watch_name *names;
	size_t n_names;
	int64_t counted_ms; /* the daemon's time of the counts; 0: it does not say */
	struct denied_rows denied;
	const char *no_denied; /* why nothing is known of refused packets; NULL */
};

/* An answer to status. now_ms: since 1970. */
void watch_view_status(struct watch_view *view, const struct json_node *answer, uint64_t now_ms);
/* There was none. The text is copied. */
void watch_view_lost(struct watch_view *view, const char *error, uint64_t now_ms);
void watch_view_free(struct watch_view *view);

#endif
