/* SPDX-License-Identifier: GPL-2.0-or-later */
/* allow, deny: one name in or out of the daemon's configuration and the files. */
#include "cmd_allow.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ask.h"
#include "dockside/base/addr.h"
#include "dockside/base/buf.h"
#include "dockside/base/util.h"
#include "dockside/cli/command.h"
#include "dockside/json/json_write.h"
#include "dockside/system/log.h"

/* A destination as it is typed: NAME[:PORT[,PORT]][/udp]. */
struct destination {
	char *text; /* the parts below are in it */
	const char *name;
	char *ports; /* NULL: none were given */
	const char *proto;
};

/* Cuts off "/tcp" or "/udp"; what else follows a slash is the length of a network. */
static void cut_proto(struct destination *d)
{
	char *slash = strrchr(d->text, '/');

	if (!slash || (strcmp(slash, "/tcp") != 0 && strcmp(slash, "/udp") != 0))
		return;
	*slash = '\0';
	d->proto = slash + 1;
}

/* An IPv6 address with ports stands in brackets; without brackets it is all address. */
static bool cut_ports(struct destination *d)
{
	char *colon = strchr(d->text, ':'), *close;

	d->name = d->text;
	if (d->text[0] != '[') {
		if (!colon || strchr(colon + 1, ':'))
			return true;
		*colon = '\0';
		d->ports = colon + 1;
		return d->ports[0] != '\0';
	}
	close = strchr(d->text, ']');
	if (!close || (close[1] && close[1] != ':'))
		return false;
	d->name = d->text + 1;
	*close = '\0';
	if (close[1])
		d->ports = close + 2;
	return !close[1] || d->ports[0] != '\0';
}

static bool put_port(struct json_writer *out, const char *port)
{
	struct portrange range;

	if (!portrange_parse(port, strlen(port), &range)) {
		log_error("allow: \"%s\" is no port: a port is a number from 1 to 65535, or two of "
			  "them as FROM-TO; see dsfw-nft help allow",
			  port);
		return false;
	}
	if (range.lo == range.hi)
		json_write_int(out, NULL, range.lo);
	else
		json_write_string(out, NULL, port);
	return true;
}

static bool put_ports(struct json_writer *out, char *ports)
{
	char *rest = ports, *port;
	bool ok = true;

	json_write_open(out, "ports", '[');
	while (ok && (port = strsep(&rest, ",")))
		ok = put_port(out, port);
	json_write_close(out, ']');
	return ok;
}

static bool put_destination(struct json_writer *out, const char *given, bool alone)
{
	struct destination d = { .text = xstrdup(given) };
	bool ok;

	cut_proto(&d);
	ok = cut_ports(&d) && d.name[0] && !(alone && (d.ports || d.proto));
	if (!ok && alone)
		log_error("deny: \"%s\" is no NAME alone: deny is about all ports of it; see "
			  "dsfw-nft help deny",
			  given);
	else if (!ok)
		log_error("allow: \"%s\" is no NAME[:PORT[,PORT]][/udp], such as example.com:443; "
			  "ports of an IPv6 address stand behind brackets: [2001:db8::1]:443; "
			  "see dsfw-nft help allow",
			  given);
	if (ok) {
		json_write_string(out, "to", d.name);
		if (d.proto)
			json_write_string(out, "proto", d.proto);
		if (d.ports)
			ok = put_ports(out, d.ports);
	}
	free(d.text);
	return ok;
}

char *allow_request(const struct call *call)
{
	const struct ask_options *options = call->options;
	struct buf b = { 0 };
	struct json_writer out = { .b = &b };
	bool ok;

	json_write_open(&out, NULL, '{');
	json_write_string(&out, "action", request_action_name(options->action));
	json_write_string(&out, "name", call->operands[0]);
	ok = put_destination(&out, call->operands[1], options->action == REQUEST_DENY);
	json_write_close(&out, '}');
	if (ok)
		return buf_steal(&b);
	buf_free(&b);
	return NULL;
}

static int allow(const struct call *call)
{
	cleanup(cleanup_free) char *request = allow_request(call);

	return request ? ask_daemon(call->options, request) : EXIT_USAGE;
}

const struct command cmd_allow = {
	.name = "allow",
	.summary = "let a network reach a name, and save",
	.operands = { "NETWORK NAME[:PORT[,PORT]][/udp]", "a NETWORK and a NAME", 2, 2 },
	.takes = { { ask_options, 0 } },
	.size = sizeof(struct ask_options),
	.initial = &(const struct ask_options){ .action = REQUEST_ALLOW },
	.run = allow,
};

const struct command cmd_deny = {
	.name = "deny",
	.summary = "no longer let a network reach a name, and save",
	.operands = { "NETWORK NAME", "a NETWORK and a NAME", 2, 2 },
	.takes = { { ask_options, 0 } },
	.size = sizeof(struct ask_options),
	.initial = &(const struct ask_options){ .action = REQUEST_DENY },
	.run = allow,
};
