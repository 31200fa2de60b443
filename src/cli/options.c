/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kinds of field that options have, and the options that several commands take. */
#include "dockside/cli/options.h"

#include <stdlib.h>
#include <string.h>

#include "dockside/base/err.h"
#include "dockside/base/text.h"
#include "dockside/ctl/ctl_server.h"
#include "dockside/docker/docker_client.h"
#include "dockside/system/state_dir.h"
#include "dockside/system/user.h"

#define AS_TEXT(number) AS_TEXT_UNEXPANDED(number)
#define AS_TEXT_UNEXPANDED(number) #number

#define INTERVAL_MAX (30 * 86400) /* OPTION_INTERVAL_WANTED says so, too */

/* ---- kinds of field ---- */

bool option_set_flag(void *field, const char *argument)
{
	(void)argument;
	*(bool *)field = true;
	return true;
}

bool option_set_text(void *field, const char *argument)
{
	*(const char **)field = argument;
	return true;
}

bool option_set_interval(void *field, const char *argument)
{
	uint64_t seconds;

	if (!parse_uint(argument, strlen(argument), 1, INTERVAL_MAX, &seconds))
		return false;
	*(unsigned *)field = (unsigned)seconds;
	return true;
}

/* A number with just one bit set, in hexadecimal (0x…) or decimal. */
static bool set_mark_bit(void *field, const char *argument)
{
	unsigned long long bit = 0;
	char *end = NULL;

	if (argument[0] >= '0' && argument[0] <= '9')
		bit = strtoull(argument, &end, strncmp(argument, "0x", 2) == 0 ? 16 : 10);
	if (!end || *end || bit == 0 || bit > UINT32_MAX || (bit & (bit - 1)) != 0)
		return false;
	*(uint32_t *)field = (uint32_t)bit;
	return true;
}

static bool set_forward_policy(void *field, const char *argument)
{
	enum forward_policy *policy = field;

	if (strcmp(argument, "drop") == 0)
		*policy = FORWARD_POLICY_DROP;
	else if (strcmp(argument, "allow-accept") == 0)
		*policy = FORWARD_POLICY_ALLOW_ACCEPT;
	else
		return false;
	return true;
}

static bool set_log_group(void *field, const char *argument)
{
	uint64_t group = 0;

	if (strcmp(argument, "none") != 0 &&
	    !parse_uint(argument, strlen(argument), 1, UINT16_MAX, &group))
		return false;
	*(uint16_t *)field = (uint16_t)group;
	return true;
}

/* A name or a number, and not root: whatever root's programs send would tell addresses. */
static bool set_gate_user(void *field, const char *argument)
{
	struct plan_options *plan = field;
	uint64_t uid;

	plan->has_gate_uid = true;
	if (!parse_uint(argument, strlen(argument), 0, UINT32_MAX - 1, &uid))
		return user_find(argument, &plan->gate_uid, NULL) >= 0 && plan->gate_uid != 0;
	plan->gate_uid = (uint32_t)uid;
	return uid != 0;
}

static bool set_output(void *field, const char *argument)
{
	*(const char **)field = strcmp(argument, "-") == 0 ? NULL : argument;
	return true;
}

static bool set_docker(void *field, const char *argument)
{
	struct err err = { 0 };
	bool ok = docker_socket_path(argument, field, &err) >= 0;

	err_free(&err); /* it says no more than our message about the argument */
	return ok;
}

static bool set_reset(void *field, const char *argument)
{
	*(bool *)field = strcmp(argument, "1") == 0;
	return *(bool *)field || !argument[0] || strcmp(argument, "0") == 0;
}

static bool set_directory(void *field, const char *argument)
{
	if (argument[0])
		*(const char **)field = argument;
	return !argument[0] || argument[0] == '/';
}

/* ---- what several commands take ---- */

const struct option_row files_options[] = {
	{ .name = "network-config",
	  .argument = "FILE",
	  .fallback = "/etc/dockside/network-config.json",
	  .help = "the networks",
	  .set = option_set_text,
	  .offset = offsetof(struct files_options, network_config) },
	{ .name = "firewall-config",
	  .argument = "FILE",
	  .fallback = "/etc/dockside/firewall-config.json",
	  .help = "their rules, and the ipsets",
	  .set = option_set_text,
	  .offset = offsetof(struct files_options, firewall_config) },
	{ 0 },
};

const struct option_row mark_bit_option[] = {
	{ .name = "mark-bit",
	  .argument = "BIT",
	  .fallback = "0x10000000",
	  .help = "the bit of the packet mark that tells Docker's table that a packet was judged",
	  .wanted = "one bit of 32, such as 0x10000000",
	  .set = set_mark_bit,
	  .offset = offsetof(struct plan_options, mark_bit) },
	{ 0 },
};

const struct option_row forward_policy_option[] = {
	{ .name = "forward-policy",
	  .argument = "POLICY",
	  .fallback = "drop",
	  .help = "drop: where iptables' FORWARD policy is ACCEPT, make it DROP; "
		  "allow-accept: leave it",
	  .wanted = "drop or allow-accept",
	  .set = set_forward_policy,
	  .offset = offsetof(struct plan_options, forward_policy) },
	{ 0 },
};

const struct option_row log_group_option[] = {
	{ .name = "log-group",
	  .argument = "NUMBER",
	  .fallback = AS_TEXT(LOG_GROUP_DEFAULT),
	  .help = "the nflog group by which the kernel tells the daemon what was refused; "
		  "none: it tells nothing",
	  .wanted = "a number from 1 to 65535, or none",
	  .set = set_log_group,
	  .offset = offsetof(struct plan_options, log_group) },
	{ 0 },
};

const struct option_row gate_user_option[] = {
	{ .name = "gate-user",
	  .argument = "USER",
	  .help = "the user that the DNS gate runs as, by name or number; default dsfw-gate",
	  .wanted = "the name or number of a user that exists and is not root",
	  .set = set_gate_user },
	{ 0 },
};

const struct option_row stale_ttl_option[] = {
	{ .variable = "IPSET_STALE_TTL",
	  .fallback = "300",
	  .help = "seconds that an address stays once DNS has stopped returning it",
	  .wanted = OPTION_INTERVAL_WANTED,
	  .set = option_set_interval },
	{ 0 },
};

const struct option_row docker_option[] = {
	{ .variable = "DOCKER_HOST",
	  .fallback = "unix:///var/run/docker.sock",
	  .help = "Docker's socket, as unix:///PATH",
	  .wanted = "unix:///PATH with an absolute path of at most 107 bytes; Docker is asked on "
		    "the Unix socket of this host only, whose networks are policed",
	  .set = set_docker },
	{ 0 },
};

const struct option_row reset_option[] = {
	{ .variable = "RESET",
	  .help = "1: remove the Docker networks of the configuration, and make them anew",
	  .wanted = "1 or 0",
	  .set = set_reset },
	{ 0 },
};

const struct option_row state_directory_option[] = {
	{ .variable = "STATE_DIRECTORY",
	  .fallback = STATE_DIR_DEFAULT,
	  .help = "where the last accepted configuration is kept, and the policies of networks "
		  "that "
		  "are draining",
	  .wanted = "an absolute path",
	  .set = set_directory },
	{ 0 },
};

const struct option_row output_option[] = {
	{ .name = "output",
	  .letter = 'o',
	  .argument = "FILE",
	  .fallback = "-",
	  .help = "write there, in one step; - is standard output",
	  .set = set_output },
	{ 0 },
};

const struct option_row socket_option[] = {
	{ .name = "socket",
	  .argument = "PATH",
	  .variable = "DOCKSIDE_FIREWALL_SOCKET",
	  .fallback = CTL_DEFAULT_PATH,
	  .help = "where the daemon listens",
	  .set = option_set_text },
	{ 0 },
};
