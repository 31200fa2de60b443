/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A request of the socket as a checked JSON object. The one table of actions is
 * in request.c.
 */
#ifndef DOCKSIDE_CTL_REQUEST_H
#define DOCKSIDE_CTL_REQUEST_H

#include <stdbool.h>
#include <sys/types.h>

#include "dockside/base/diag.h"
#include "dockside/json/json_parse.h"

#define REQUEST_MAX (1u << 20) /* bytes of a request, and of an answer */
/* A user other than root can only ask for status, metrics and refresh, which say nothing more. */
#define REQUEST_MAX_OTHERS 4096u

enum request_action {
	REQUEST_STATUS,
	REQUEST_RELOAD,
	REQUEST_APPLY,
	REQUEST_REFRESH,
	REQUEST_SET_NETWORK,
	REQUEST_REMOVE_NETWORK,
	REQUEST_SET_IPSET,
	REQUEST_ADD_IPSET,
	REQUEST_DEL_IPSET,
	REQUEST_REMOVE_IPSET,
	REQUEST_ALLOW,
	REQUEST_DENY,
	REQUEST_RECONCILE,
	REQUEST_EXPLAIN,
	REQUEST_METRICS,
	REQUEST_DENIED,
};

#define REQUEST_IGNORED_MAX 10

#define REQUEST_FILE "request" /* the name of its text in diagnostics */

/* Locations point into it: it stays where it was parsed. request_free() when done. */
struct request {
	struct src src;
	struct json_tree tree;
	enum request_action action;
	/* Members that the action does not know, up to REQUEST_IGNORED_MAX; and a sentence about them for
	 * the answer, or NULL. */
	const char *ignored[REQUEST_IGNORED_MAX];
	size_t n_ignored;
	const char *note;
};

/*
 * Parses request->src, which the caller has filled in, and checks it: a known action that uid may ask for, with its
 * fields, of the right kinds. Members that it does not know are ignored, and the note names them; "comment" and keys
 * that begin with "_" are free text. Returns false after reporting; the caller calls request_free() either way.
 */
bool request_parse(struct request *request, uid_t uid, struct diags *diags);
void request_free(struct request *request);

/* A field of the request, or NULL. A field that is null counts as absent, but for "firewall": there null removes the
 * rules. One that the action requires is there. */
const struct json_node *request_field(const struct request *request, const char *key);
/* A field that is a string, or NULL. */
const char *request_string(const struct request *request, const char *key);
/* Whether the field is there and true. */
bool request_flag(const struct request *request, const char *key);

/* "set-network"; request_action_find() returns false for an unknown one. */
const char *request_action_name(enum request_action action);
/* It changes nothing, and has nobody asked: monitoring does so all the time. */
bool request_only_reads(enum request_action action);
bool request_action_find(const char *name, enum request_action *ret_action);

#endif
