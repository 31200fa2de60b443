/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bind_engine_probe NETWORK-CONFIG FIREWALL-CONFIG: enforces a policy, and carries out the lines of standard input:
 *
 *	port NAME BRIDGE MAC ADDRESS…	a known port, to be told with the next "tell"
 *	tell				these ports and no others are there, by enforcer_ports()
 *	again				enforcer_again()
 *	no-bridge			from now on as on a kernel without the bridge family
 *
 * It answers "ok" with the transactions that were committed, or the error.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dockside/base/err.h"
#include "dockside/base/util.h"
#include "dockside/enforce/enforcer.h"
#include "dockside/kernel/nft_read.h"
#include "dockside/policy/config.h"
#include "dockside/system/clock.h"

struct probe {
	struct enforcer enforcer;
	struct ports ports;
};

static int fail(const char *what, const struct err *err)
{
	printf("%s: %s\n", what, err->text ? err->text : "failed");
	return 1;
}

static void add_port(struct probe *probe, char *save)
{
	struct port *port = ports_add(&probe->ports);
	const char *text;
	unsigned mac[6];

	port->known = port->has_mac = true;
	snprintf(port->name, sizeof(port->name), "%s", strtok_r(NULL, " \n", &save));
	snprintf(port->bridge, sizeof(port->bridge), "%s", strtok_r(NULL, " \n", &save));
	text = strtok_r(NULL, " \n", &save);
	if (sscanf(text, "%x:%x:%x:%x:%x:%x", &mac[0], &mac[1], &mac[2], &mac[3], &mac[4],
		   &mac[5]) != 6)
		exit(2);
	for (int i = 0; i < 6; i++)
		port->mac[i] = (uint8_t)mac[i];
	port->container = xstrdup(port->name);
	while ((text = strtok_r(NULL, " \n", &save)) != NULL) {
		size_t cap = port->n_addrs;

		port->addrs = array_grow(port->addrs, &cap, port->n_addrs, sizeof(*port->addrs));
		if (!ipaddr_parse(text, strlen(text), &port->addrs[port->n_addrs++]))
			exit(2);
	}
}

static int do_line(struct probe *probe, char *line, struct err *err)
{
	char *save = NULL, *word = strtok_r(line, " \n", &save);
	struct reconcile_result result;
	int r = 0;

	if (strcmp(word, "port") == 0) {
		add_port(probe, save);
		return 1;
	}
	if (strcmp(word, "tell") == 0) {
		probe->ports.asked = probe->ports.followed = true;
		ports_sort(&probe->ports);
		r = enforcer_ports(&probe->enforcer, &probe->ports, err);
		ports_free(&probe->ports);
	} else if (strcmp(word, "again") == 0) {
		r = enforcer_again(&probe->enforcer, monotonic_ms(), &result, err);
	} else if (strcmp(word, "no-bridge") == 0) {
		probe->enforcer.no_bridge = xstrdup("the test says so");
		return 1;
	} else {
		exit(2);
	}
	return r;
}

static int run(struct probe *probe, struct running *candidate)
{
	struct reconcile_result result;
	struct running *before = NULL;
	struct err err = { 0 };
	char line[1024];

	if (enforcer_policy(&probe->enforcer, candidate, monotonic_ms(), &before, &result, &err) <
	    0)
		return fail("policy", &err);
	while (fgets(line, sizeof(line), stdin)) {
		uint32_t begin = 0, end = 0;
		uint64_t start_us = monotonic_us();
		int r;

		nft_read_genid(probe->enforcer.reader, &begin, NULL);
		r = do_line(probe, line, &err);
		nft_read_genid(probe->enforcer.reader, &end, NULL);
		if (r == 0)
			printf("ok %u\n", end - begin);
		else if (r < 0)
			printf("%s\n", err.text);
		fprintf(stderr, "%llu us\n", (unsigned long long)(monotonic_us() - start_us));
		fflush(stdout);
		err_free(&err);
	}
	return 0;
}

int main(int argc, char **argv)
{
	const struct plan_options options = { .mark_bit = 0x10000000 };
	struct running *candidate = running_new();
	struct probe probe = { 0 };
	struct err err = { 0 };
	int r;

	if (argc != 3)
		return 2;
	if (!config_read_files(argv[1], argv[2], &candidate->policy, &candidate->diags) ||
	    !config_parse(&candidate->policy, &candidate->diags)) {
		diags_print(&candidate->diags, stderr);
		return 2;
	}
	if (enforcer_open(&probe.enforcer, 60, 60, &options, "/nonexistent", &err) < 0)
		return fail("open", &err);
	r = run(&probe, candidate);
	enforcer_close(&probe.enforcer);
	ports_free(&probe.ports);
	err_free(&err);
	return r;
}
