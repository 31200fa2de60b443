/* SPDX-License-Identifier: GPL-2.0-or-later */
/* init: writes the first two files, from what Docker says and what the operator answers. */
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dockside/base/diag.h"
#include "dockside/base/text.h"
#include "dockside/base/util.h"
#include "dockside/cli/command.h"
#include "dockside/ctl/gate_peer.h"
#include "dockside/enforce/preflight.h"
#include "dockside/policy/config.h"
#include "dockside/system/disk.h"
#include "dockside/system/log.h"
#include "init_plan.h"

#define DIRECTORY "/etc/dockside" /* where the daemon's unit looks */

/* ---- options ---- */

static bool set_network(void *field, const char *argument)
{
	struct init_given *given = field;

	if (given->n == INIT_GIVEN_MAX || !argument[0])
		return false;
	given->names[given->n++] = argument;
	return true;
}

/* Sets the subnet of the network before it. */
static bool set_subnet(void *field, const char *argument)
{
	struct init_given *given = field;
	size_t last = given->n - 1;
	struct prefix subnet;

	if (given->n == 0 || given->has_subnet[last] ||
	    !prefix_parse(argument, strlen(argument), &subnet) ||
	    subnet.addr.family != FAMILY_IPV4 || subnet.len < 8 || subnet.len > 30)
		return false;
	given->subnets[last] = subnet;
	given->has_subnet[last] = true;
	return true;
}

static bool set_preset(void *field, const char *argument)
{
	struct init_words *words = field;

	if (words->n == INIT_GIVEN_MAX)
		return false;
	words->items[words->n++] = argument;
	return true;
}

static bool set_dns(void *field, const char *argument)
{
	struct resolvers *resolvers = field;
	struct ipaddr addr;

	if (resolvers->n == RESOLVERS_MAX || !ipaddr_parse(argument, strlen(argument), &addr) ||
	    ipaddr_is_loopback(&addr) || ipaddr_is_unspecified(&addr) || ipaddr_is_multicast(&addr))
		return false;
	resolvers->items[resolvers->n++] = addr;
	return true;
}

static const struct option_row init_options[] = {
	{ .name = "directory",
	  .argument = "DIRECTORY",
	  .fallback = DIRECTORY,
	  .help = "write network-config.json and firewall-config.json there",
	  .set = option_set_text,
	  .offset = offsetof(struct init_options, directory) },
	{ .name = "network",
	  .argument = "NAME",
	  .help = "confine the containers of this network, which is made if Docker has none of "
		  "that "
		  "name; as often as there are networks",
	  .wanted = "a name, at most 64 times",
	  .set = set_network,
	  .offset = offsetof(struct init_options, networks) },
	{ .name = "subnet",
	  .argument = "CIDR",
	  .help = "the subnet of the network before it, if that is to be made; without it, a free "
		  "one",
	  .wanted = "behind --network NAME the IPv4 subnet of that network, such as 172.31.0.0/24",
	  .set = set_subnet,
	  .offset = offsetof(struct init_options, networks) },
	{ .name = "preset",
	  .argument = "NAME[,NAME]",
	  .help = "let containers reach what these services document; help lists them",
	  .wanted = "names of presets, at most 64 times",
	  .set = set_preset,
	  .offset = offsetof(struct init_options, presets) },
	{ .name = "dns",
	  .argument = "ADDRESS",
	  .help = "a name server for the DNS gate to ask, up to three times; without it, what this "
		  "host's files say",
	  .wanted = "up to three addresses of name servers, none of them on the loopback",
	  .set = set_dns,
	  .offset = offsetof(struct init_options, dns) },
	{ .name = "yes",
	  .help = "ask nothing: all bridge networks of Docker but its default one, or a new "
		  "network if "
		  "there are none, and no preset that is not given",
	  .set = option_set_flag,
	  .offset = offsetof(struct init_options, yes) },
	{ .name = "list-presets",
	  .help = "print all presets with their names, sources and dates",
	  .set = option_set_flag,
	  .offset = offsetof(struct init_options, list_presets) },
	{ 0 },
};

/* ---- the files ---- */

struct init_files {
	char *network_path, *firewall_path;
	struct buf network, firewall;
};

static void files_free(struct init_files *files)
{
	free(files->network_path);
	free(files->firewall_path);
	buf_free(&files->network);
	buf_free(&files->firewall);
}

/* Before the first question, so that nobody answers them in vain. */
static bool is_free(const char *path)
{
	if (!disk_exists(path))
		return true;
	log_error("init: %s is there already, and init writes over nothing: edit it, or move it "
		  "away, or "
		  "give another --directory",
		  path);
	return false;
}

/* The files have to pass check: a mistake of ours shows here, and not in the daemon's log. */
static bool is_valid(const struct init_files *files)
{
	struct diags diags = { 0 };
	struct policy policy = {
		.network_src = { xstrdup(files->network_path), xstrdup(buf_str(&files->network)),
				 files->network.len },
		.firewall_src = { xstrdup(files->firewall_path), xstrdup(buf_str(&files->firewall)),
				  files->firewall.len },
	};
	bool ok = config_parse(&policy, &diags);

	if (!ok) {
		diags_print(&diags, stderr);
		log_error("init: these files would have faults; nothing was written");
	}
	diags_free(&diags);
	policy_free(&policy);
	return ok;
}

static void put_date(char date[32])
{
	time_t now = time(NULL);
	struct tm tm;

	localtime_r(&now, &tm);
	strftime(date, 32, "%Y-%m-%d", &tm);
}

/* ---- what was done, and what comes next ---- */

static void warn_of_wildcards(const struct init_plan *plan)
{
	for (size_t i = 0; !init_all_gated(plan) && i < plan->n_presets; i++) {
		const struct preset *preset = plan->presets[i];
		struct buf b = { 0 };

		for (size_t k = 0; k < preset->wildcards.n; k++)
			buf_printf(&b, "%s%s", k ? ", " : "", preset->wildcards.items[k]);
		if (b.len > 0)
			log_warning("preset %s: left out, as wildcards need a DNS gate in each "
				    "network: %s; add the names behind them that you need",
				    preset->name, buf_str(&b));
		buf_free(&b);
	}
}

static void warn_of_resolvers(const struct init_plan *plan)
{
	bool asked = false;

	for (size_t i = 0; i < plan->n_networks; i++)
		asked = asked || !init_is_default(&plan->networks[i]);
	if (asked && plan->resolvers.loopback[0])
		log_warning("Docker asks the name server %s from the host itself, where no rule "
			    "judges it: "
			    "any name can leave as a DNS question; give Docker name servers that "
			    "are not on "
			    "the loopback (\"dns\" in /etc/docker/daemon.json), restart it, and "
			    "run init "
			    "again",
			    plan->resolvers.loopback);
}

static void print_next(const struct init_options *options, const struct init_plan *plan,
		       const struct init_files *files)
{
	bool usual = strcmp(options->directory, DIRECTORY) == 0;
	cleanup(cleanup_free) char *where =
		usual ? xstrdup("")
		      : xasprintf(" --network-config %s --firewall-config %s", files->network_path,
				  files->firewall_path);

	printf("wrote %s and %s: %zu network%s,", files->network_path, files->firewall_path,
	       plan->n_networks, plural(plan->n_networks));
	for (size_t i = 0; i < plan->n_networks; i++)
		printf("%s %s", i ? "," : "", plan->networks[i].name);
	printf("\nnothing is enforced yet; read them, and then\n"
	       "    dsfw-nft check%s\n"
	       "    dsfw-nft diff%s\n",
	       where, where);
	if (init_any_gated(plan) && !getpwnam(GATE_USER))
		printf("    adduser --system --group --no-create-home " GATE_USER "\n");
	if (usual)
		printf("    systemctl enable --now dsfw-nft\n");
	else if (!init_any_gated(plan))
		printf("    dsfw-nft apply%s\n", where);
	else
		printf("    dsfw-nft gate --user " GATE_USER
		       " --gate-socket " GATE_PEER_DEFAULT_PATH " &\n"
		       "    dsfw-nft daemon%s --gate-socket " GATE_PEER_DEFAULT_PATH "\n",
		       where);
	printf("and start a container: docker run --rm -it --network %s IMAGE\n",
	       plan->networks[0].name);
}

/* ---- the whole ---- */

static int plan_files(const struct init_options *options, struct init_plan *plan)
{
	int status = EXIT_DONE;

	for (size_t i = 0; status == EXIT_DONE && i < options->presets.n; i++)
		if (!init_add_presets(plan, options->presets.items[i]))
			status = EXIT_USAGE;
	if (status == EXIT_DONE)
		status = init_ask_docker(options, plan);
	if (status == EXIT_DONE)
		status = init_find_resolvers(options, plan);
	if (status == EXIT_DONE)
		status = init_choose_networks(options, plan);
	if (status == EXIT_DONE)
		status = init_choose_presets(options, plan);
	return status;
}

static int write_files(const struct init_plan *plan, struct init_files *files)
{
	char date[32];

	put_date(date);
	init_network_text(plan, date, &files->network);
	init_firewall_text(plan, date, &files->firewall);
	if (!is_valid(files))
		return EXIT_FAILED;
	return init_write(files->network_path, files->firewall_path, &files->network,
			  &files->firewall);
}

void init_plan_free(struct init_plan *plan)
{
	free(plan->networks);
	free(plan->docker_version);
	free(plan->docker_error);
	docker_networks_free(&plan->docker);
	own_addrs_free(&plan->own);
	arena_free(&plan->arena);
}

static int init_in(const struct init_options *options, struct init_plan *plan)
{
	struct init_files files = {
		.network_path = xasprintf("%s/network-config.json", options->directory),
		.firewall_path = xasprintf("%s/firewall-config.json", options->directory),
	};
	int status = EXIT_FAILED;

	if (is_free(files.network_path) && is_free(files.firewall_path))
		status = plan_files(options, plan);
	if (status == EXIT_DONE)
		status = write_files(plan, &files);
	if (status == EXIT_DONE) {
		warn_of_wildcards(plan);
		warn_of_resolvers(plan);
		print_next(options, plan, &files);
	}
	files_free(&files);
	return status;
}

static bool asks_for_list(const struct init_options *options)
{
	return options->list_presets ||
	       (options->presets.n == 1 && strcmp(options->presets.items[0], "help") == 0);
}

static int init(const struct call *call)
{
	const struct init_options *options = call->options;
	struct init_plan plan = { 0 };
	int status = EXIT_DONE;

	presets_read(&plan.arena, &plan.all);
	if (asks_for_list(options))
		init_print_presets(&plan.all);
	else
		status = init_in(options, &plan);
	init_plan_free(&plan);
	return status;
}

const struct command cmd_init = {
	.name = "init",
	.summary = "write the first two files, from what Docker has",
	.takes = { { init_options, 0 }, { docker_option, offsetof(struct init_options, docker) } },
	.size = sizeof(struct init_options),
	.run = init,
};
