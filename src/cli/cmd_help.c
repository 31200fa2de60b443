/* SPDX-License-Identifier: GPL-2.0-or-later */
/* help, version: what the program is, and what its commands take, by their tables. */
#include "cmd_help.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dockside/base/buf.h"
#include "dockside/base/util.h"
#include "parse.h"
#include "term.h"

#define WIDTH 80
#define TEXT_COLUMN_MAX 32 /* what is longer on the left has a line of its own */

/* ---- two columns ---- */

struct columns {
	size_t left; /* where the text begins */
};

/* Room for the longest on the left that is not too long. */
static void columns_fit(struct columns *columns, const char *left)
{
	size_t wanted = 2 + term_length(left) + 2;

	if (wanted <= TEXT_COLUMN_MAX && wanted > columns->left)
		columns->left = wanted;
}

/* The text word by word, in lines that begin below each other. */
static void columns_print(const struct columns *columns, const char *left, const char *text)
{
	size_t at = 2 + term_length(left);

	printf("  %s", left);
	if (at + 2 > columns->left) {
		putchar('\n');
		at = 0;
	}
	for (const char *word = text; *word; word += strspn(word, " ")) {
		cleanup(cleanup_free) char *one = xstrndup(word, strcspn(word, " "));

		if (at > columns->left && at + 1 + term_length(one) > WIDTH) {
			putchar('\n');
			at = 0;
		}
		if (at < columns->left)
			printf("%*s%s", (int)(columns->left - at), "", one);
		else
			printf(" %s", one);
		at = (at < columns->left ? columns->left : at + 1) + term_length(one);
		word += strlen(one);
	}
	putchar('\n');
}

/* ---- a command ---- */

/* "-o, --output FILE"; the caller frees it. */
static char *option_text(const struct option_row *row)
{
	struct buf b = { 0 };

	if (row->letter)
		buf_printf(&b, "-%c, ", row->letter);
	buf_printf(&b, "--%s", row->name);
	if (row->argument)
		buf_printf(&b, "%s%s", parse_argument_optional(row) ? "" : " ", row->argument);
	return buf_steal(&b);
}

static char *help_text(const struct option_row *row)
{
	return row->fallback ? xasprintf("%s (default %s)", row->help, row->fallback)
			     : xstrdup(row->help);
}

static void print_usage(const struct command *command, const struct parse_rows *rows)
{
	bool others = false;

	printf("usage: dsfw-nft %s", command->name);
	for (size_t i = 0; i < rows->n; i++) {
		const struct option_row *row = rows->items[i].row;

		if (row->name && row->required)
			printf(" --%s %s", row->name, row->argument);
		others = others || (row->name && !row->required);
	}
	if (others)
		printf(" [OPTIONS]");
	if (command->operands.text)
		printf(" %s", command->operands.text);
	printf("\n\n%s: %s\n", command->name, command->summary);
}

static void print_options(const struct parse_rows *rows)
{
	struct columns columns = { 0 };
	size_t n = 0;

	for (size_t i = 0; i < rows->n; i++) {
		cleanup(cleanup_free) char *left =
			rows->items[i].row->name ? option_text(rows->items[i].row) : NULL;

		if (left)
			columns_fit(&columns, left);
	}
	for (size_t i = 0; i < rows->n; i++) {
		const struct option_row *row = rows->items[i].row;
		cleanup(cleanup_free) char *left = row->name ? option_text(row) : NULL;
		cleanup(cleanup_free) char *text = help_text(row);

		if (!left)
			continue;
		printf("%s", n++ == 0 ? "\noptions:\n" : "");
		columns_print(&columns, left, text);
	}
}

static void print_variables(const struct parse_rows *rows)
{
	struct columns columns = { 0 };
	size_t n = 0;

	for (size_t i = 0; i < rows->n; i++)
		if (rows->items[i].row->variable)
			columns_fit(&columns, rows->items[i].row->variable);
	for (size_t i = 0; i < rows->n; i++) {
		const struct option_row *row = rows->items[i].row;
		cleanup(cleanup_free) char *text =
			row->name ? xasprintf("as --%s", row->name) : help_text(row);

		if (!row->variable)
			continue;
		printf("%s", n++ == 0 ? "\nenvironment:\n" : "");
		columns_print(&columns, row->variable, text);
	}
}

void help_print(const struct command *command)
{
	struct parse_rows rows;

	parse_collect(command, &rows);
	print_usage(command, &rows);
	print_options(&rows);
	print_variables(&rows);
}

/* ---- the commands ---- */

static int help(const struct call *call)
{
	const struct command *command;

	if (call->n_operands > 0) {
		command = parse_command(call->program, call->operands[0]);
		if (!command)
			return EXIT_USAGE;
		help_print(command);
		return EXIT_DONE;
	}
	printf("usage: dsfw-nft COMMAND [OPTIONS]\n\ncommands:\n");
	for (size_t i = 0; i < call->program->n; i++)
		printf("  %-14s %s\n", call->program->commands[i]->name,
		       call->program->commands[i]->summary);
	printf("\n\"dsfw-nft help COMMAND\" prints what a command takes.\n"
	       "\nexit status: 0 done, 1 failed (diff: differences), 2 bad usage, 3 bad "
	       "configuration\n");
	return EXIT_DONE;
}

const struct command cmd_help = {
	.name = "help",
	.summary = "print this, or what a command takes",
	.operands = { .text = "[COMMAND]", .wanted = "one COMMAND, or none", .max = 1 },
	.run = help,
};

static int version(const struct call *call)
{
	(void)call;
	printf("dsfw-nft " PACKAGE_VERSION "\n");
	return EXIT_DONE;
}

const struct command cmd_version = {
	.name = "version",
	.summary = "print the version",
	.run = version,
};
