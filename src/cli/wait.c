/* SPDX-License-Identifier: GPL-2.0-or-later */
/* status --wait-networks: for units that start containers once their networks are there. */
#include "wait.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dockside/base/diag.h"
#include "dockside/base/err.h"
#include "dockside/base/exit_status.h"
#include "dockside/base/util.h"
#include "dockside/ctl/ctl_server.h"
#include "dockside/json/json_parse.h"
#include "dockside/system/clock.h"
#include "dockside/system/log.h"
#include "term.h"

#define ASK_TIMEOUT_MS 5000
#define PAUSE_MS 100

static bool is_one_of(const char *text, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(text, words[i]) == 0)
			return true;
	return false;
}

/* NULL: the network is there, and its packets are judged if they are to be. The caller frees it. */
static char *why_not_network(const struct json_node *network)
{
	static const char *const good[] = { "enforced", "audit", "unmanaged" };
	static const char *const there[] = { "present", "differs" };
	const char *state = json_text(network, "state", "unknown");
	const char *docker = json_text(network, "docker", "unknown");

	if (strcmp(state, "draining") == 0) /* not configured */
		return NULL;
	/* Others make it, and perhaps wait for us. */
	if (json_is_true(network, "external") && strcmp(docker, "absent") == 0)
		return NULL;
	if (!is_one_of(docker, there, ARRAY_SIZE(there)))
		return xasprintf("network %s is %s in Docker", network->key, docker);
	if (!is_one_of(state, good, ARRAY_SIZE(good)))
		return xasprintf("network %s is %s", network->key, state);
	return NULL;
}

/* By an answer to status (NULL: none), as above: of all networks. */
static char *why_not_networks(const struct json_node *answer)
{
	const struct json_node *networks = json_member(answer, "network_details", JSON_OBJECT);
	const struct json_node *unjudged = json_member(answer, "not_judged", JSON_ARRAY);
	char *why = NULL;

	if (!networks)
		return xstrdup("what answers at the socket is no dsfw-nft daemon");
	for (size_t i = 0; !why && i < networks->u.children.n; i++)
		why = why_not_network(&networks->u.children.items[i]);
	/* An answer lists all of these, even where it has no room for all networks. */
	if (!why && unjudged && unjudged->u.children.n > 0)
		why = xstrdup("a network is not judged");
	return why;
}

static char *ask(const char *path)
{
	cleanup(json_tree_free) struct json_tree tree = { 0 };
	struct diags diags = { 0 };
	struct err err = { 0 };
	struct src src = { 0 };
	char *why;

	if (ctl_call(path, "{\"action\":\"status\"}", ASK_TIMEOUT_MS, &src.text, &err) < 0) {
		why = xstrdup(err.text);
		err_free(&err);
		return why;
	}
	src.len = strlen(src.text);
	if (json_parse(&src, &tree, &diags) && tree.root->kind == JSON_OBJECT)
		why = why_not_networks(tree.root);
	else
		why = why_not_networks(NULL);
	diags_free(&diags);
	src_free(&src);
	return why;
}

int wait_networks(const char *socket, unsigned seconds)
{
	static const struct timespec pause = { .tv_nsec = PAUSE_MS * 1000000L };
	uint64_t end_ms = monotonic_ms() + seconds * 1000ull;
	cleanup(cleanup_free) char *why = NULL;

	term_progress("waiting for the networks");
	for (;;) {
		free(why);
		why = ask(socket);
		if (!why || monotonic_ms() >= end_ms)
			break;
		nanosleep(&pause, NULL);
	}
	term_progress_end();
	if (why)
		log_error("status: not all networks are there after %u s: %s", seconds, why);
	return why ? EXIT_FAILED : EXIT_DONE;
}
