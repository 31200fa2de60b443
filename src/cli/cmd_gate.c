/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gate: the DNS gate's process. */
#include <string.h>

#include "dockside/base/text.h"
#include "dockside/cli/command.h"
#include "dockside/gate/gate.h"
#include "dockside/names/gate.h"

static bool set_port(void *field, const char *argument)
{
	uint64_t port;

	if (!parse_uint(argument, strlen(argument), 1, UINT16_MAX, &port))
		return false;
	*(unsigned *)field = (unsigned)port;
	return true;
}

static const struct option_row gate_options[] = {
	{ .name = "gate-socket",
	  .argument = "PATH",
	  .help = "where the daemon listens, which sends the policy and takes reports",
	  .set = option_set_text,
	  .offset = offsetof(struct gate_options, socket) },
	{ .name = "gate-port",
	  .argument = "NUMBER",
	  .help = "the UDP and TCP port for redirected questions, unless systemd hands over "
		  "sockets; 5300 by default",
	  .wanted = "a number from 1 to 65535",
	  .set = set_port,
	  .offset = offsetof(struct gate_options, port) },
	{ .name = "policy",
	  .argument = "FILE",
	  .help = "read the policy from there, and again on SIGHUP; for use without a daemon",
	  .set = option_set_text,
	  .offset = offsetof(struct gate_options, policy) },
	{ .name = "user",
	  .argument = "NAME",
	  .help = "whom the gate becomes if root starts it",
	  .set = option_set_text,
	  .offset = offsetof(struct gate_options, user) },
	{ 0 },
};

static const struct gate_options initial = { .port = GATE_PORT };

static int gate(const struct call *call)
{
	return gate_run(call->options);
}

const struct command cmd_gate = {
	.name = "gate",
	.summary = "answer containers' DNS for the names that the policy allows",
	.takes = { { gate_options, 0 } },
	.size = sizeof(struct gate_options),
	.initial = &initial,
	.run = gate,
};
