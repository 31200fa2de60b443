/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bind_probe NETWORK-CONFIG FIREWALL-CONFIG LOG-GROUP: prints table bridge dockside for these files and the ports on standard
 * input, one a line:
 *	asked				the kernel has been
 *	answered BRIDGE			by Docker
 *	PORT BRIDGE CONTAINER MAC ADDRESS…	CONTAINER "-": it is not known; MAC "-": nor is that
 */
#include <stdlib.h>
#include <string.h>

#include "dockside/base/diag.h"
#include "dockside/base/text.h"
#include "dockside/base/util.h"
#include "dockside/policy/config.h"
#include "dockside/table/compile_bind.h"
#include "dockside/table/nft_script.h"
#include "dockside/table/nft_text.h"

static _Noreturn void fail_at(const char *what, const char *text)
{
	fprintf(stderr, "bind_probe: %s: %s\n", what, text ? text : "missing");
	exit(1);
}

static void take_name(const char *word, char ret_name[16])
{
	if (!word || strlen(word) > 15)
		fail_at("name", word);
	memcpy(ret_name, word, strlen(word) + 1);
}

static void take_addrs(struct port *port, char **rest)
{
	const char *word;

	while ((word = strtok_r(NULL, " \n", rest)) != NULL) {
		port->addrs = xreallocarray(port->addrs, port->n_addrs + 1, sizeof(*port->addrs));
		if (!ipaddr_parse(word, strlen(word), &port->addrs[port->n_addrs++]))
			fail_at("address", word);
	}
}

static void take_port(struct ports *ports, const char *name, char **rest)
{
	struct port *port = ports_add(ports);
	const char *word;

	take_name(name, port->name);
	take_name(strtok_r(NULL, " \n", rest), port->bridge);
	word = strtok_r(NULL, " \n", rest);
	port->known = word && strcmp(word, "-") != 0;
	port->container = port->known ? xstrdup(word) : NULL;
	word = strtok_r(NULL, " \n", rest);
	port->has_mac = word && strcmp(word, "-") != 0;
	if (port->has_mac && !mac_parse(word, strlen(word), port->mac))
		fail_at("MAC address", word);
	take_addrs(port, rest);
}

static void take_line(struct ports *ports, char *line)
{
	char *rest, *word = strtok_r(line, " \n", &rest);

	if (!word)
		return;
	if (strcmp(word, "asked") == 0) {
		ports->asked = ports->followed = true;
	} else if (strcmp(word, "answered") == 0) {
		ports->answered = xreallocarray(ports->answered, ports->n_answered + 1,
						sizeof(*ports->answered));
		take_name(strtok_r(NULL, " \n", &rest), ports->answered[ports->n_answered++]);
	} else {
		take_port(ports, word, &rest);
	}
}

static void read_policy(char **argv, struct policy *policy)
{
	struct diags diags = { 0 };

	if (!config_load(argv[1], argv[2], policy, &diags)) {
		diags_print(&diags, stderr);
		exit(1);
	}
	diags_free(&diags);
}

int main(int argc, char **argv)
{
	struct plan_options options = { .mark_bit = 1u << 30 };
	struct policy policy = { 0 };
	struct ports ports = { 0 };
	struct script script = { 0 };
	struct plan plan;
	char line[1024];

	if (argc != 4)
		fail_at("arguments", NULL);
	read_policy(argv, &policy);
	options.log_group = (uint16_t)strtoul(argv[3], NULL, 10);
	while (fgets(line, sizeof(line), stdin))
		take_line(&ports, line);
	ports_sort(&ports);
	compile_bind(&policy, &ports, &options, &plan);
	nft_text_plan(&plan, &script);
	fputs(buf_str(&script.text), stdout);
	script_free(&script);
	plan_free(&plan);
	ports_free(&ports);
	policy_free(&policy);
	return 0;
}
