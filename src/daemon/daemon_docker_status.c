/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/daemon_docker_status.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "daemon_docker.h"
#include "dockside/base/buf.h"
#include "dockside/base/util.h"

enum docker_state { UNKNOWN, CONNECTED, ABSENT, REFUSED, FAILING };

static const char *const state_names[] = { "unknown", "connected", "absent", "refused", "failing" };
static_assert(ARRAY_SIZE(state_names) == FAILING + 1, "a name for each state");

static enum docker_state docker_state(const struct daemon_docker *k)
{
	if (!k || !k->asked)
		return UNKNOWN;
	if (k->error.code == 0)
		return CONNECTED;
	if (docker_socket_absent(k->error.code))
		return ABSENT;
	return k->error.code == EACCES ? REFUSED : FAILING;
}

struct state_of daemon_docker_state(const struct daemon_docker *k)
{
	return (struct state_of){ state_names, ARRAY_SIZE(state_names), docker_state(k) };
}

void daemon_docker_status(const struct daemon_docker *k, struct json_writer *out)
{
	bool connected = k && k->asked && k->error.code == 0;
	cleanup(cleanup_free) char *api = connected ? xasprintf("1.%u", k->about.api) : NULL;

	json_write_open(out, "docker", '{');
	json_write_string(out, "state", state_names[docker_state(k)]);
	json_write_string(out, "message", k && k->error.code ? k->error.text : NULL);
	json_write_string(out, "version", connected ? k->about.version : NULL);
	json_write_string(out, "api", api);
	json_write_string(out, "backend", connected ? k->backend : NULL);
	json_write_bool(out, "events", k && k->following);
	json_write_close(out, '}');
}

void daemon_docker_status_network(const struct daemon_docker *k, struct json_writer *out,
				  const char *bridge, const struct judged *judged)
{
	const struct seen *seen = k ? daemon_docker_seen_bridge(k, bridge) : NULL;
	bool connected = k && k->asked && k->error.code == 0;
	struct buf b = { 0 };

	for (size_t i = 0; seen && i < k->n_notes; i++)
		if (strcmp(k->notes[i].network, seen->name) == 0)
			buf_printf(&b, "%s%s", b.len ? "; " : "", k->notes[i].text);
	if (seen && seen->other_mac)
		buf_printf(&b, "%snetwork %s: %s", b.len ? "; " : "", seen->name, seen->other_mac);
	json_write_string(out, "docker",
			  !seen || !connected				    ? "unknown"
			  : !seen->id					    ? "absent"
			  : b.len > 0 || (judged && judged->docker_differs) ? "differs"
									    : "present");
	if (seen && connected && seen->id && seen->known)
		json_write_int(out, "containers", (int64_t)seen->containers.n);
	else
		json_write_string(out, "containers", NULL);
	json_write_string(out, "docker_message", b.len ? buf_str(&b) : NULL);
	buf_free(&b);
}
