/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A command owns its options, as tables. One row is one option: its name, its argument, its help,
 * and how to store it. The parser and the help read the same rows; tests/commands compares the
 * manual and the completions with them.
 */
#ifndef DOCKSIDE_CLI_OPTIONS_H
#define DOCKSIDE_CLI_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "dockside/table/plan.h"

/* An option, a variable of the environment, or an option that has such a variable besides. */
struct option_row {
	const char *name;     /* without "--"; NULL: the variable alone */
	char letter;	      /* of the short form; 0: none */
	const char *argument; /* "FILE"; "[=SECONDS]": it may be left out; NULL: there is none */
	const char *variable; /* counts where the option is not given; NULL: none */
	const char
		*fallback; /* the argument where nothing is given; NULL: what command.initial has */
	const char *help;
	const char *wanted; /* which arguments are right, for messages; NULL: all are */
	bool required;
	/* Stores the argument (NULL: there is none) in a field of the command's struct. False: it is not as wanted. */
	bool (*set)(void *field, const char *argument);
	size_t offset; /* of the field */
};

/* A command takes a table, with its rows' fields in the part of its struct that begins at offset. */
struct option_use {
	const struct option_row *rows; /* the last one is empty */
	size_t offset;
};

/* ---- what several commands take: a struct, and the table that fills it ---- */

struct files_options {
	const char *network_config, *firewall_config;
};
extern const struct option_row files_options[];

/* These fill fields of a struct plan_options. */
extern const struct option_row mark_bit_option[];
extern const struct option_row forward_policy_option[];
extern const struct option_row log_group_option[];
extern const struct option_row gate_user_option[];
#define LOG_GROUP_DEFAULT 20 /* for commands that do not take the option */

/* The commands that compare the kernel with the files take these. */
struct enforce_options {
	struct files_options files;
	struct plan_options plan;
	unsigned stale_ttl_s;
};
extern const struct option_row stale_ttl_option[];
/* Six of command.takes; the field is a struct enforce_options. */
#define TAKES_ENFORCE_OPTIONS(type, field)                             \
	{ files_options, offsetof(type, field.files) },                \
		{ mark_bit_option, offsetof(type, field.plan) },       \
		{ forward_policy_option, offsetof(type, field.plan) }, \
		{ log_group_option, offsetof(type, field.plan) },      \
		{ gate_user_option, offsetof(type, field.plan) },      \
	{                                                              \
		stale_ttl_option, offsetof(type, field.stale_ttl_s)    \
	}

extern const struct option_row docker_option[]; /* const char *: the path of Docker's socket */
extern const struct option_row reset_option[];	/* bool */
extern const struct option_row
	state_directory_option[];		/* const char *, colons may separate several */
extern const struct option_row output_option[]; /* const char *; NULL: standard output */
extern const struct option_row socket_option[]; /* const char *: where the daemon listens */

/* ---- kinds of field ---- */

bool option_set_flag(void *field, const char *argument);     /* bool */
bool option_set_text(void *field, const char *argument);     /* const char *, borrowed */
bool option_set_interval(void *field, const char *argument); /* unsigned, seconds */
#define OPTION_INTERVAL_WANTED "a number of seconds from 1 to 2592000"

#endif
