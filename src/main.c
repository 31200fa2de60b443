/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dockside/command.h"
#include "dockside/log.h"

#define STALE_TTL_DEFAULT 300 /* seconds, SPEC §4 */
#define STALE_TTL_MAX (30 * 86400)

enum {
	OPT_NETWORK_CONFIG = 1 << 0,
	OPT_FIREWALL_CONFIG = 1 << 1,
	OPT_OUTPUT = 1 << 2,
	OPT_RESOLVE = 1 << 3,
	OPT_KERNEL = 1 << 4,
};

#define OPT_FILES (OPT_NETWORK_CONFIG | OPT_FIREWALL_CONFIG)

static int cmd_version(const struct options *options)
{
	(void)options;
	printf("dsfw-nft " PACKAGE_VERSION "\n");
	return EXIT_DONE;
}

static int cmd_help(const struct options *options);

static const struct command {
	const char *name;
	int (*run)(const struct options *options);
	unsigned allowed;
	const char *help;
} commands[] = {
	{ "compile", cmd_compile, OPT_FILES | OPT_OUTPUT | OPT_RESOLVE,
	  "write the nft script of both files to standard output" },
	{ "check", cmd_check, OPT_FILES | OPT_KERNEL, "validate both files" },
	{ "apply", cmd_apply, OPT_FILES, "make the kernel enforce them, once" },
	{ "diff", cmd_diff, OPT_FILES, "show what apply would change; exit status 1 if anything" },
	{ "teardown", cmd_teardown, OPT_FILES, "remove everything that apply has added" },
	{ "version", cmd_version, 0, "print the version" },
	{ "help", cmd_help, 0, "print this" },
};

static const struct option long_options[] = {
	{ "network-config", required_argument, NULL, OPT_NETWORK_CONFIG },
	{ "firewall-config", required_argument, NULL, OPT_FIREWALL_CONFIG },
	{ "output", required_argument, NULL, OPT_OUTPUT },
	{ "resolve", no_argument, NULL, OPT_RESOLVE },
	{ "kernel", no_argument, NULL, OPT_KERNEL },
	{ 0 },
};

static int cmd_help(const struct options *options)
{
	(void)options;
	printf("usage: dsfw-nft COMMAND [OPTIONS]\n\ncommands:\n");
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		printf("  %-10s %s\n", commands[i].name, commands[i].help);
	printf("\noptions:\n"
	       "  --network-config FILE    default /etc/dockside/network-config.json\n"
	       "  --firewall-config FILE   default /etc/dockside/firewall-config.json\n"
	       "  -o, --output FILE        compile: write there instead, atomically\n"
	       "  --resolve                compile: fill hostname sets from DNS\n"
	       "  --kernel                 check: have the kernel validate the transaction too\n"
	       "\nenvironment:\n"
	       "  IPSET_STALE_TTL          seconds that an address stays once DNS has stopped\n"
	       "                           returning it (default 300)\n"
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
	near = nearest_word(name, names, ARRAY_SIZE(names));
	log_error("unknown command \"%s\"%s%s%s; see dsfw-nft help", name,
		  near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
	return NULL;
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
	default:
		return false;
	}
}

static const char *option_name(int option)
{
	for (const struct option *o = long_options; o->name; o++)
		if (o->val == option)
			return o->name;
	return "";
}

static bool parse_options(const struct command *command, int argc, char **argv,
			  struct options *options)
{
	int option;

	opterr = 0;
	while ((option = getopt_long(argc, argv, "o:", long_options, NULL)) != -1) {
		if (option == 'o')
			option = OPT_OUTPUT;
		if (option == '?') {
			log_error("%s: bad option or missing argument: %s; see dsfw-nft help",
				  command->name, argv[optind - 1]);
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
	if (optind < argc) {
		log_error("%s: unexpected argument \"%s\"; see dsfw-nft help", command->name,
			  argv[optind]);
		return false;
	}
	return true;
}

/* A bad value is an error, not a default (SPEC §5). */
static bool read_environment(struct options *options)
{
	const char *text = getenv("IPSET_STALE_TTL");
	uint64_t value;

	if (!text)
		return true;
	if (!parse_uint(text, strlen(text), 1, STALE_TTL_MAX, &value)) {
		log_error("IPSET_STALE_TTL is \"%s\": wanted a number of seconds from 1 to %d",
			  text, STALE_TTL_MAX);
		return false;
	}
	options->stale_ttl_s = (unsigned)value;
	return true;
}

int main(int argc, char **argv)
{
	struct options options = {
		.network_config = "/etc/dockside/network-config.json",
		.firewall_config = "/etc/dockside/firewall-config.json",
		.stale_ttl_s = STALE_TTL_DEFAULT,
	};
	const struct command *command;
	int status;

	if (argc < 2) {
		log_error("no command given; see dsfw-nft help");
		return EXIT_USAGE;
	}
	command = find_command(argv[1]);
	if (!command || !parse_options(command, argc - 1, argv + 1, &options) ||
	    !read_environment(&options))
		return EXIT_USAGE;
	status = command->run(&options);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		log_error("%s: write to standard output: %s", command->name, strerror(errno));
		return EXIT_FAILED;
	}
	return status;
}
