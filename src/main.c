/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dockside/base/err.h"
#include "dockside/base/suggest.h"
#include "dockside/base/text.h"
#include "dockside/base/util.h"
#include "dockside/cli/cmd_client.h"
#include "dockside/cli/command.h"
#include "dockside/daemon/daemon.h"
#include "dockside/docker/docker_client.h"
#include "dockside/system/log.h"
#include "dockside/system/state_dir.h"

/* Seconds, SPEC §4. */
#define STALE_TTL_DEFAULT 300
#define REFRESH_DEFAULT 60
#define INTERVAL_MAX (30 * 86400)
#define MARK_BIT_DEFAULT 0x10000000 /* SPEC §13 */
#define LOG_GROUP_DEFAULT 20

#define WAIT_DEFAULT 60 /* seconds, of --wait-networks */
#define WAIT_MAX 86400

enum {
	OPT_NETWORK_CONFIG = 1 << 0,
	OPT_FIREWALL_CONFIG = 1 << 1,
	OPT_OUTPUT = 1 << 2,
	OPT_RESOLVE = 1 << 3,
	OPT_KERNEL = 1 << 4,
	OPT_SOCKET = 1 << 5,
	OPT_JSON = 1 << 6,
	OPT_FORCE = 1 << 7,
	OPT_NETWORK = 1 << 8,
	OPT_FIREWALL = 1 << 9,
	OPT_MARK_BIT = 1 << 10,
	OPT_FORWARD_POLICY = 1 << 11,
	OPERANDS = 1 << 12, /* it takes arguments that are no options */
	OPT_FROM = 1 << 13,
	OPT_TO = 1 << 14,
	OPT_PROTO = 1 << 15,
	OPT_PORT = 1 << 16,
	OPT_TYPE = 1 << 17,
	OPT_SRC = 1 << 18,
	OPT_MAC = 1 << 19,
	OPT_OFFLINE = 1 << 20,
	OPT_NO_RESOLVE = 1 << 21,
	OPT_LOG_GROUP = 1 << 22,
	OPT_DENIED_LOG = 1 << 23,
	OPT_FOLLOW = 1 << 24,
	OPT_SINCE = 1 << 25,
	OPT_WAIT_NETWORKS = 1 << 26,
};

#define OPT_FILES (OPT_NETWORK_CONFIG | OPT_FIREWALL_CONFIG)
#define OPT_ENFORCE (OPT_FILES | OPT_MARK_BIT | OPT_FORWARD_POLICY | OPT_LOG_GROUP)
#define OPT_CLIENT (OPT_SOCKET | OPT_JSON)
#define OPT_EXPLAIN                                                                              \
	(OPT_FROM | OPT_TO | OPT_PROTO | OPT_PORT | OPT_TYPE | OPT_SRC | OPT_MAC | OPT_OFFLINE | \
	 OPT_NO_RESOLVE)

static int cmd_version(const struct options *options)
{
	(void)options;
	printf("dsfw-nft " PACKAGE_VERSION "\n");
	return EXIT_DONE;
}

static int cmd_help(const struct options *options);

/* The commands that ask the daemon are named as its socket's actions. */
static int ask_daemon(const struct options *options)
{
	struct client_options client = {
		.socket = options->socket,
		.json = options->json,
		.force = options->force,
		.wait = options->wait,
		.wait_s = options->wait_s,
		.network = options->network,
		.firewall = options->firewall,
		.operands = options->operands,
		.n_operands = options->n_operands,
	};

	if (!request_action_find(options->command, &client.action))
		abort(); /* the table below names one that does not exist */
	return client.wait ? client_wait_networks(&client) : cmd_client(&client);
}

static int cmd_daemon(const struct options *options)
{
	struct daemon_options daemon = {
		.network_config = options->network_config,
		.firewall_config = options->firewall_config,
		.plan = options->plan,
		.stale_ttl_s = options->stale_ttl_s,
		.refresh_s = options->refresh_s,
		.socket = options->socket,
		.docker = options->docker,
		.state_directory = options->state_directory,
		.denied_log = options->denied_log,
		.reset = options->reset,
	};

	return daemon_run(&daemon);
}

static const struct command {
	const char *name;
	int (*run)(const struct options *options);
	unsigned allowed;
	const char *help;
} commands[] = {
	{ "compile", cmd_compile,
	  OPT_FILES | OPT_OUTPUT | OPT_RESOLVE | OPT_MARK_BIT | OPT_LOG_GROUP,
	  "write the nft script of both files to standard output" },
	{ "check", cmd_check, OPT_ENFORCE | OPT_KERNEL, "validate both files" },
	{ "apply", cmd_apply, OPT_ENFORCE, "make the kernel enforce them, once" },
	{ "diff", cmd_diff, OPT_ENFORCE,
	  "show what apply would change; exit status 1 if anything" },
	{ "graph", cmd_graph, OPT_FILES | OPT_OUTPUT,
	  "draw the policy of both files: text for Graphviz' dot" },
	{ "daemon", cmd_daemon, OPT_ENFORCE | OPT_SOCKET | OPT_DENIED_LOG,
	  "keep it enforced and its names true to DNS, until stopped" },
	{ "teardown", cmd_teardown, OPT_FILES, "remove everything that apply has added" },
	{ "status", ask_daemon, OPT_CLIENT | OPT_WAIT_NETWORKS,
	  "what the daemon enforces, and how it fares" },
	{ "explain", cmd_explain, OPT_CLIENT | OPT_FILES | OPT_MARK_BIT | OPT_EXPLAIN,
	  "which rules a container's packet meets, and what comes of it" },
	{ "metrics", cmd_metrics, OPT_SOCKET | OPT_OUTPUT,
	  "what the daemon has measured, in Prometheus' text format" },
	{ "reload", ask_daemon, OPT_CLIENT, "have the daemon read both files again" },
	{ "refresh", ask_daemon, OPT_CLIENT, "have it ask DNS for every name now" },
	{ "reconcile", ask_daemon, OPT_CLIENT, "have it compare the kernel with its policy" },
	{ "denied", cmd_denied, OPT_CLIENT | OPT_FOLLOW | OPT_NETWORK | OPT_SINCE,
	  "what was refused of late: whose, to where, by which rule" },
	{ "learn", cmd_learn, OPT_SOCKET | OPT_SINCE | OPERANDS,
	  "NETWORK: the rules that would have allowed what was refused" },
	{ "set-network", ask_daemon, OPT_CLIENT | OPT_NETWORK | OPT_FIREWALL | OPERANDS,
	  "NAME: add or change a network, and save" },
	{ "remove-network", ask_daemon, OPT_CLIENT | OPT_FORCE | OPERANDS,
	  "NAME: remove a network, and save" },
	{ "set-ipset", ask_daemon, OPT_CLIENT | OPERANDS,
	  "NAME MEMBER…: add or replace an ipset, and save" },
	{ "remove-ipset", ask_daemon, OPT_CLIENT | OPERANDS, "NAME: remove an ipset, and save" },
	{ "version", cmd_version, 0, "print the version" },
	{ "help", cmd_help, 0, "print this" },
};

static const struct option long_options[] = {
	{ "network-config", required_argument, NULL, OPT_NETWORK_CONFIG },
	{ "firewall-config", required_argument, NULL, OPT_FIREWALL_CONFIG },
	{ "output", required_argument, NULL, OPT_OUTPUT },
	{ "resolve", no_argument, NULL, OPT_RESOLVE },
	{ "kernel", no_argument, NULL, OPT_KERNEL },
	{ "socket", required_argument, NULL, OPT_SOCKET },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "force", no_argument, NULL, OPT_FORCE },
	{ "network", required_argument, NULL, OPT_NETWORK },
	{ "firewall", required_argument, NULL, OPT_FIREWALL },
	{ "mark-bit", required_argument, NULL, OPT_MARK_BIT },
	{ "forward-policy", required_argument, NULL, OPT_FORWARD_POLICY },
	{ "from", required_argument, NULL, OPT_FROM },
	{ "to", required_argument, NULL, OPT_TO },
	{ "proto", required_argument, NULL, OPT_PROTO },
	{ "port", required_argument, NULL, OPT_PORT },
	{ "type", required_argument, NULL, OPT_TYPE },
	{ "src", required_argument, NULL, OPT_SRC },
	{ "mac", required_argument, NULL, OPT_MAC },
	{ "offline", no_argument, NULL, OPT_OFFLINE },
	{ "no-resolve", no_argument, NULL, OPT_NO_RESOLVE },
	{ "log-group", required_argument, NULL, OPT_LOG_GROUP },
	{ "denied-log", required_argument, NULL, OPT_DENIED_LOG },
	{ "follow", no_argument, NULL, OPT_FOLLOW },
	{ "since", required_argument, NULL, OPT_SINCE },
	{ "wait-networks", optional_argument, NULL, OPT_WAIT_NETWORKS },
	{ 0 },
};

static int cmd_help(const struct options *options)
{
	(void)options;
	printf("usage: dsfw-nft COMMAND [OPTIONS]\n\ncommands:\n");
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		printf("  %-14s %s\n", commands[i].name, commands[i].help);
	printf("\noptions:\n"
	       "  --network-config FILE    default /etc/dockside/network-config.json\n"
	       "  --firewall-config FILE   default /etc/dockside/firewall-config.json\n"
	       "  -o, --output FILE        compile, graph, metrics: write there instead, "
	       "atomically\n"
	       "  --resolve                compile: fill hostname sets from DNS\n"
	       "  --kernel                 check: have the kernel validate the transaction too\n"
	       "  --mark-bit BIT           the bit of the packet mark that tells Docker's table "
	       "that a\n"
	       "                           packet was judged (default 0x10000000)\n"
	       "  --forward-policy=POLICY  drop (default): where iptables' FORWARD policy is "
	       "ACCEPT,\n"
	       "                           make it DROP; allow-accept: leave it\n"
	       "  --log-group N            the nflog group by which the daemon learns what was "
	       "refused\n"
	       "                           (default 20); none: nothing is told of\n"
	       "  --socket PATH            daemon: listen there; the commands that ask it: where\n"
	       "                           it listens (default /run/dockside/firewall.sock)\n"
	       "  --denied-log FILE        daemon: append what was refused to this file, too, as "
	       "JSON\n"
	       "                           lines; it is opened anew by a reload\n"
	       "  --json                   print the daemon's answer as it came; denied: JSON "
	       "lines\n"
	       "  --follow                 denied: go on, until interrupted\n"
	       "  --since TIME             denied, learn: from then on: 30s, 10m, 2h or 1d ago, or "
	       "a\n"
	       "                           time as denied shows it or as 2026-01-02T03:04:05Z\n"
	       "  --wait-networks[=SECONDS]  status: wait until Docker has all networks, and they "
	       "are\n"
	       "                           judged (default 60), printing nothing\n"
	       "  --network JSON|@FILE     set-network: what to set of the network's topology;\n"
	       "                           denied: the NAME of the only network of interest\n"
	       "  --firewall JSON|@FILE    set-network: its rules\n"
	       "  --from NETWORK           explain: a container of it opens a connection\n"
	       "  --to ADDRESS|NAME|host   explain: to there\n"
	       "  --proto PROTOCOL         explain: tcp, udp, icmp or a number\n"
	       "  --port PORT              explain: with tcp and udp\n"
	       "  --type TYPE[/CODE]       explain: with icmp (default echo-request)\n"
	       "  --src ADDRESS            explain: the container's own (default: one that is "
	       "free)\n"
	       "  --mac MAC                explain: the container's own (default: some)\n"
	       "  --offline                explain: by both files instead of by the daemon's "
	       "policy\n"
	       "  --no-resolve             explain --offline: names have no addresses\n"
	       "  --force                  remove-network: even while containers are attached\n"
	       "\nenvironment:\n"
	       "  IPSET_STALE_TTL          seconds that an address stays once DNS has stopped\n"
	       "                           returning it (default 300)\n"
	       "  IPSET_REFRESH_INTERVAL   seconds within which the daemon asks a name again\n"
	       "                           (default 60)\n"
	       "  DOCKSIDE_FIREWALL_SOCKET as --socket\n"
	       "  STATE_DIRECTORY          where the last accepted configuration is kept, and the\n"
	       "                           policies of networks that are draining\n"
	       "                           (default " STATE_DIR_DEFAULT ")\n"
	       "  DOCKER_HOST              unix:///PATH of Docker's socket\n"
	       "                           (default unix:///var/run/docker.sock)\n"
	       "  RESET=1                  apply, daemon: remove and make anew the Docker "
	       "networks\n"
	       "\nexit status: 0 done, 1 failed (diff: differences), 2 bad usage, 3 bad "
	       "configuration\n");
	return EXIT_DONE;
}

static const struct command *find_command(const char *name)
{
	const char *names[ARRAY_SIZE(commands)], *near;

	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
		name = "help";
	if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0)
		name = "version";
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
		names[i] = commands[i].name;
	}
	if (name[0] == '-') {
		log_error("the command comes first, before %s; see dsfw-nft help", name);
		return NULL;
	}
	near = nearest_word(name, names, ARRAY_SIZE(names));
	log_error("unknown command \"%s\"%s%s%s; see dsfw-nft help", name,
		  near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
	return NULL;
}

/* A number with just one bit set, in hexadecimal (0x…) or decimal. */
static bool read_mark_bit(const char *text, uint32_t *ret_bit)
{
	unsigned long long bit = 0;
	char *end = NULL;

	if (text[0] >= '0' && text[0] <= '9')
		bit = strtoull(text, &end, strncmp(text, "0x", 2) == 0 ? 16 : 10);
	if (!end || *end || bit == 0 || bit > UINT32_MAX || (bit & (bit - 1)) != 0) {
		log_error("--mark-bit is \"%s\": wanted one bit of 32, such as 0x10000000", text);
		return false;
	}
	*ret_bit = (uint32_t)bit;
	return true;
}

static bool read_forward_policy(const char *text, enum forward_policy *ret_policy)
{
	if (strcmp(text, "drop") == 0) {
		*ret_policy = FORWARD_POLICY_DROP;
	} else if (strcmp(text, "allow-accept") == 0) {
		*ret_policy = FORWARD_POLICY_ALLOW_ACCEPT;
	} else {
		log_error("--forward-policy is \"%s\": wanted drop or allow-accept", text);
		return false;
	}
	return true;
}

static bool set_explain_option(int option, struct explain_options *explain)
{
	switch (option) {
	case OPT_FROM:
		explain->from = optarg;
		return true;
	case OPT_TO:
		explain->to = optarg;
		return true;
	case OPT_PROTO:
		explain->protocol = optarg;
		return true;
	case OPT_PORT:
		explain->port = optarg;
		return true;
	case OPT_TYPE:
		explain->type = optarg;
		return true;
	case OPT_SRC:
		explain->src = optarg;
		return true;
	case OPT_MAC:
		explain->mac = optarg;
		return true;
	case OPT_OFFLINE:
		explain->offline = true;
		return true;
	case OPT_NO_RESOLVE:
		explain->no_resolve = true;
		return true;
	default:
		return false;
	}
}

static bool read_log_group(const char *text, uint16_t *ret_group)
{
	uint64_t group = 0;

	if (strcmp(text, "none") != 0 && !parse_uint(text, strlen(text), 1, UINT16_MAX, &group)) {
		log_error("--log-group is \"%s\": wanted a number from 1 to %d, or none", text,
			  UINT16_MAX);
		return false;
	}
	*ret_group = (uint16_t)group;
	return true;
}

static bool read_wait(const char *text, unsigned *ret_s)
{
	uint64_t seconds;

	if (!parse_uint(text, strlen(text), 0, WAIT_MAX, &seconds)) {
		log_error("--wait-networks is \"%s\": wanted a number of seconds from 0 to %d",
			  text, WAIT_MAX);
		return false;
	}
	*ret_s = (unsigned)seconds;
	return true;
}

static bool set_option(int option, struct options *options)
{
	switch (option) {
	case OPT_NETWORK_CONFIG:
		options->network_config = optarg;
		return true;
	case OPT_FIREWALL_CONFIG:
		options->firewall_config = optarg;
		return true;
	case OPT_OUTPUT:
		options->output = strcmp(optarg, "-") == 0 ? NULL : optarg;
		return true;
	case OPT_RESOLVE:
		options->resolve = true;
		return true;
	case OPT_KERNEL:
		options->kernel = true;
		return true;
	case OPT_SOCKET:
		options->socket = optarg;
		return true;
	case OPT_JSON:
		options->json = true;
		return true;
	case OPT_MARK_BIT:
		return read_mark_bit(optarg, &options->plan.mark_bit);
	case OPT_FORWARD_POLICY:
		return read_forward_policy(optarg, &options->plan.forward_policy);
	case OPT_LOG_GROUP:
		return read_log_group(optarg, &options->plan.log_group);
	case OPT_FORCE:
		options->force = true;
		return true;
	case OPT_NETWORK:
		options->network = optarg;
		return true;
	case OPT_FIREWALL:
		options->firewall = optarg;
		return true;
	case OPT_DENIED_LOG:
		options->denied_log = optarg;
		return true;
	case OPT_FOLLOW:
		options->follow = true;
		return true;
	case OPT_SINCE:
		options->since = optarg;
		return true;
	case OPT_WAIT_NETWORKS:
		options->wait = true;
		return !optarg || read_wait(optarg, &options->wait_s);
	default:
		return set_explain_option(option, &options->explain);
	}
}

static const char *option_name(int option)
{
	for (const struct option *o = long_options; o->name; o++)
		if (o->val == option)
			return o->name;
	return "";
}

/* The option that getopt_long() stopped at, as it was given but for its argument; owned. */
static char *given_option(char *const *argv)
{
	if (optopt > ' ' && optopt <= '~' && !option_name(optopt)[0])
		return xasprintf("-%c", optopt);
	return xstrndup(argv[optind - 1], strcspn(argv[optind - 1], "="));
}

static void bad_option(const struct command *command, bool lacks_argument, char *const *argv)
{
	const char *names[ARRAY_SIZE(long_options)], *near = NULL;
	cleanup(cleanup_free) char *name = given_option(argv);
	bool is_known = option_name(optopt)[0] != '\0';
	size_t n = 0;

	if (lacks_argument || is_known) {
		log_error("%s: %s %s argument; see dsfw-nft help", command->name, name,
			  lacks_argument ? "needs an" : "takes no");
		return;
	}
	for (const struct option *o = long_options; o->name; o++)
		if ((unsigned)o->val & command->allowed)
			names[n++] = o->name;
	if (strncmp(name, "--", 2) == 0)
		near = nearest_word(name + 2, names, n);
	log_error("%s: unknown option %s%s%s%s; see dsfw-nft help", command->name, name,
		  near ? "; did you mean --" : "", near ? near : "", near ? "?" : "");
}

static bool parse_options(const struct command *command, int argc, char **argv,
			  struct options *options)
{
	int option;

	opterr = 0;
	while ((option = getopt_long(argc, argv, ":o:", long_options, NULL)) != -1) {
		if (option == 'o')
			option = OPT_OUTPUT;
		if (option == '?' || option == ':') {
			bad_option(command, option == ':', argv);
			return false;
		}
		if (!((unsigned)option & command->allowed)) {
			log_error("%s: --%s does not belong to this command; see dsfw-nft help",
				  command->name, option_name(option));
			return false;
		}
		if (!set_option(option, options))
			return false;
	}
	options->operands = argv + optind;
	options->n_operands = (size_t)(argc - optind);
	if (optind < argc && !(command->allowed & OPERANDS)) {
		log_error("%s: unexpected argument \"%s\"; see dsfw-nft help", command->name,
			  argv[optind]);
		return false;
	}
	return true;
}

/* A bad value is an error, not a default (SPEC §5). */
static bool read_seconds(const char *variable, unsigned *value)
{
	const char *text = getenv(variable);
	uint64_t seconds;

	if (!text)
		return true;
	if (!parse_uint(text, strlen(text), 1, INTERVAL_MAX, &seconds)) {
		log_error("%s is \"%s\": wanted a number of seconds from 1 to %d", variable, text,
			  INTERVAL_MAX);
		return false;
	}
	*value = (unsigned)seconds;
	return true;
}

/* Of the commands that talk to Docker. */
static bool read_docker_environment(struct options *options)
{
	const char *reset = getenv("RESET");
	struct err err = { 0 };

	if (strcmp(options->command, "apply") != 0 && strcmp(options->command, "daemon") != 0 &&
	    strcmp(options->command, "diff") != 0)
		return true;
	options->reset = reset && strcmp(reset, "1") == 0;
	if (reset && reset[0] && !options->reset && strcmp(reset, "0") != 0) {
		log_error("RESET is \"%s\": wanted 1 or 0", reset);
		return false;
	}
	if (docker_socket_path(getenv("DOCKER_HOST"), &options->docker, &err) >= 0)
		return true;
	log_error("%s", err.text);
	err_free(&err);
	return false;
}

/* Of the commands that know of networks that are draining. */
static bool read_state_directory(struct options *options)
{
	static const char *const users[] = { "apply", "daemon", "diff", "teardown" };
	const char *text = getenv("STATE_DIRECTORY");
	bool used = false;

	for (size_t i = 0; i < ARRAY_SIZE(users); i++)
		used |= strcmp(options->command, users[i]) == 0;
	if (!used || !text || !text[0])
		return true;
	options->state_directory = text;
	if (text[0] == '/')
		return true;
	log_error("STATE_DIRECTORY is \"%s\": wanted an absolute path", text);
	return false;
}

static bool read_environment(struct options *options)
{
	const char *socket = getenv("DOCKSIDE_FIREWALL_SOCKET");

	if (!options->socket && socket && socket[0])
		options->socket = socket;
	return read_docker_environment(options) && read_state_directory(options) &&
	       read_seconds("IPSET_STALE_TTL", &options->stale_ttl_s) &&
	       read_seconds("IPSET_REFRESH_INTERVAL", &options->refresh_s);
}

int main(int argc, char **argv)
{
	struct options options = {
		.network_config = "/etc/dockside/network-config.json",
		.firewall_config = "/etc/dockside/firewall-config.json",
		.state_directory = STATE_DIR_DEFAULT,
		.plan = { .mark_bit = MARK_BIT_DEFAULT,
			  .forward_policy = FORWARD_POLICY_DROP,
			  .log_group = LOG_GROUP_DEFAULT },
		.stale_ttl_s = STALE_TTL_DEFAULT,
		.refresh_s = REFRESH_DEFAULT,
		.wait_s = WAIT_DEFAULT,
	};
	const struct command *command;
	int status;

	if (argc < 2) {
		log_error("no command given; see dsfw-nft help");
		return EXIT_USAGE;
	}
	command = find_command(argv[1]);
	if (!command)
		return EXIT_USAGE;
	if (argc > 2 && (strcmp(argv[2], "--help") == 0 || strcmp(argv[2], "-h") == 0)) {
		command = find_command("help");
		argc = 2;
	}
	options.command = command->name;
	if (!parse_options(command, argc - 1, argv + 1, &options) || !read_environment(&options))
		return EXIT_USAGE;
	status = command->run(&options);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		log_error("%s: write to standard output: %s", command->name, strerror(errno));
		return EXIT_FAILED;
	}
	return status;
}
