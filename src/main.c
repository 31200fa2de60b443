/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The commands. The daemon's is here, as cli and daemon do not know each other. */
#include <string.h>

#include "dockside/base/util.h"
#include "dockside/cli/command.h"
#include "dockside/ctl/ctl_server.h"
#include "dockside/ctl/http_server.h"
#include "dockside/daemon/daemon.h"
#include "dockside/system/log.h"

struct daemon_command {
	struct enforce_options enforce;
	const char *socket, *gate_socket, *denied_log, *docker, *state_directory;
	struct http_address metrics;
	unsigned refresh_s;
	bool reset, verbose;
};

static bool set_socket(void *field, const char *argument)
{
	*(const char **)field = strcmp(argument, "none") == 0 ? NULL : argument;
	return true;
}

static bool set_metrics(void *field, const char *argument)
{
	if (strcmp(argument, "none") != 0)
		return http_address_parse(argument, field);
	*(struct http_address *)field = (struct http_address){ 0 };
	return true;
}

static const struct option_row daemon_options[] = {
	{ .name = "socket",
	  .argument = "PATH",
	  .variable = "DOCKSIDE_FIREWALL_SOCKET",
	  .fallback = CTL_DEFAULT_PATH,
	  .help = "listen there for the commands that ask the daemon; none: nowhere",
	  .set = set_socket,
	  .offset = offsetof(struct daemon_command, socket) },
	{ .name = "denied-log",
	  .argument = "FILE",
	  .help = "append what was refused to this file, too, as JSON lines; a reload opens it "
		  "anew",
	  .set = option_set_text,
	  .offset = offsetof(struct daemon_command, denied_log) },
	{ .name = "gate-socket",
	  .argument = "PATH",
	  .help = "listen there for the DNS gate, which takes its policy from the daemon",
	  .set = option_set_text,
	  .offset = offsetof(struct daemon_command, gate_socket) },
	{ .name = "metrics-listen",
	  .argument = "ADDRESS:PORT",
	  .variable = "DOCKSIDE_METRICS_LISTEN",
	  .help = "answer GET /metrics there, over HTTP, for Prometheus; none: nowhere",
	  .wanted = "an address and a port, such as 127.0.0.1:9853 or [::1]:9853, or none",
	  .set = set_metrics,
	  .offset = offsetof(struct daemon_command, metrics) },
	{ .name = "verbose",
	  .help = "log requests that only read, too",
	  .set = option_set_flag,
	  .offset = offsetof(struct daemon_command, verbose) },
	{ .variable = "IPSET_REFRESH_INTERVAL",
	  .fallback = "60",
	  .help = "seconds within which the daemon asks a name again",
	  .wanted = OPTION_INTERVAL_WANTED,
	  .set = option_set_interval,
	  .offset = offsetof(struct daemon_command, refresh_s) },
	{ 0 },
};

static int run_daemon(const struct call *call)
{
	const struct daemon_command *command = call->options;
	struct daemon_options options = {
		.network_config = command->enforce.files.network_config,
		.firewall_config = command->enforce.files.firewall_config,
		.plan = command->enforce.plan,
		.stale_ttl_s = command->enforce.stale_ttl_s,
		.refresh_s = command->refresh_s,
		.socket = command->socket,
		.gate_socket = command->gate_socket,
		.docker = command->docker,
		.state_directory = command->state_directory,
		.denied_log = command->denied_log,
		.metrics = command->metrics,
		.reset = command->reset,
	};

	if (command->verbose)
		log_set_level(LOG_LEVEL_DEBUG);
	return daemon_run(&options);
}

static const struct command cmd_daemon = {
	.name = "daemon",
	.summary = "keep both files enforced and their names true to DNS, until stopped",
	.takes = { TAKES_ENFORCE_OPTIONS(struct daemon_command, enforce),
		   { daemon_options, 0 },
		   { docker_option, offsetof(struct daemon_command, docker) },
		   { reset_option, offsetof(struct daemon_command, reset) },
		   { state_directory_option, offsetof(struct daemon_command, state_directory) } },
	.size = sizeof(struct daemon_command),
	.run = run_daemon,
};

int main(int argc, char **argv)
{
	static const struct command *const commands[] = {
		&cmd_init,	     &cmd_compile,   &cmd_check,     &cmd_apply,
		&cmd_diff,	     &cmd_graph,     &cmd_daemon,    &cmd_gate,
		&cmd_teardown,	     &cmd_status,    &cmd_explain,   &cmd_metrics,
		&cmd_reload,	     &cmd_refresh,   &cmd_reconcile, &cmd_denied,
		&cmd_learn,	     &cmd_allow,     &cmd_deny,	     &cmd_set_network,
		&cmd_remove_network, &cmd_set_ipset, &cmd_add_ipset, &cmd_del_ipset,
		&cmd_remove_ipset,   &cmd_version,   &cmd_help,
	};
	static const struct program program = { commands, ARRAY_SIZE(commands) };

	return command_line(&program, argc, argv);
}
