/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "parse.h"

#include <assert.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "dockside/base/buf.h"
#include "dockside/base/diag.h"
#include "dockside/base/suggest.h"
#include "dockside/base/util.h"
#include "dockside/system/log.h"

/* ---- tables ---- */

void parse_collect(const struct command *command, struct parse_rows *ret)
{
	ret->n = 0;
	for (const struct option_use *use = command->takes; use->rows; use++) {
		for (const struct option_row *row = use->rows; row->name || row->variable; row++) {
			assert(ret->n < PARSE_ROWS_MAX);
			ret->items[ret->n].row = row;
			ret->items[ret->n++].offset = use->offset + row->offset;
		}
	}
}

bool parse_argument_optional(const struct option_row *row)
{
	return row->argument && row->argument[0] == '[';
}

/* The place of an option among the rows, or their number. */
static size_t find_row(const struct parse_rows *rows, const char *name)
{
	size_t i = 0;

	while (i < rows->n &&
	       !(rows->items[i].row->name && strcmp(rows->items[i].row->name, name) == 0))
		i++;
	return i;
}

/* ---- getopt's view: the options of all commands, so that one of another command is known as such ---- */

#define FIRST_LONG 256 /* no letter has such a number */

struct known {
	struct option *longs;		/* as many as rows, "help", and the end */
	const struct option_row **rows; /* each name once */
	size_t n, cap;
	struct buf letters;
};

static bool is_known(const struct known *known, const struct option_row *row)
{
	for (size_t i = 0; i < known->n; i++)
		if (strcmp(known->rows[i]->name, row->name) == 0)
			return true;
	return false;
}

static void know(struct known *known, const struct option_row *row)
{
	if (!row->name || is_known(known, row))
		return;
	known->rows = array_grow(known->rows, &known->cap, known->n, sizeof(*known->rows));
	known->rows[known->n++] = row;
	if (row->letter)
		buf_printf(&known->letters, "%c%s", row->letter, row->argument ? ":" : "");
}

static void known_make(const struct program *program, struct known *ret)
{
	*ret = (struct known){ 0 };
	buf_puts(&ret->letters, ":h");
	for (size_t i = 0; i < program->n; i++) {
		struct parse_rows rows;

		parse_collect(program->commands[i], &rows);
		for (size_t k = 0; k < rows.n; k++)
			know(ret, rows.items[k].row);
	}
	ret->longs = xcalloc(ret->n + 2, sizeof(*ret->longs));
	for (size_t i = 0; i < ret->n; i++)
		ret->longs[i] = (struct option){
			.name = ret->rows[i]->name,
			.has_arg = parse_argument_optional(ret->rows[i]) ? optional_argument
				   : ret->rows[i]->argument		 ? required_argument
									 : no_argument,
			.val = FIRST_LONG + (int)i,
		};
	ret->longs[ret->n] = (struct option){ .name = "help", .val = FIRST_LONG + (int)ret->n };
}

static void known_free(struct known *known)
{
	free(known->longs);
	free(known->rows);
	buf_free(&known->letters);
}

/* -h, or --help, which stands after all others. */
static bool is_help(const struct known *known, int option)
{
	return option == 'h' || option == FIRST_LONG + (int)known->n;
}

/* The option that getopt_long() means; NULL: none, or help. */
static const struct option_row *known_row(const struct known *known, int option)
{
	if (option >= FIRST_LONG)
		return is_help(known, option) ? NULL : known->rows[option - FIRST_LONG];
	for (size_t i = 0; option > 0 && i < known->n; i++)
		if (known->rows[i]->letter == option)
			return known->rows[i];
	return NULL;
}

/* ---- complaints ---- */

static bool refuse(const struct command *command, const struct buf *why)
{
	log_error("%s: %s; see dsfw-nft help %s", command->name, buf_str(why), command->name);
	return false;
}

/* "check takes --network-config and --firewall-config" */
static void put_takes(struct buf *b, const struct command *command, const struct parse_rows *rows)
{
	size_t n = 0, seen = 0;

	for (size_t i = 0; i < rows->n; i++)
		n += rows->items[i].row->name != NULL;
	buf_printf(b, "%s takes %s", command->name, n == 0 ? "no options" : "");
	for (size_t i = 0; i < rows->n; i++) {
		const char *name = rows->items[i].row->name;

		if (!name)
			continue;
		buf_printf(b, "%s--%s", seen == 0 ? "" : seen + 1 == n ? " and " : ", ", name);
		seen++;
	}
}

static bool refuse_foreign(const struct call *call, const struct parse_rows *rows, const char *name)
{
	cleanup(buf_free) struct buf b = { 0 };
	size_t n = 0;

	buf_printf(&b, "--%s is an option of ", name);
	for (size_t i = 0; i < call->program->n; i++) {
		struct parse_rows others;

		parse_collect(call->program->commands[i], &others);
		if (find_row(&others, name) < others.n)
			buf_printf(&b, "%s%s", n++ > 0 ? ", " : "",
				   call->program->commands[i]->name);
	}
	buf_puts(&b, "; ");
	put_takes(&b, call->command, rows);
	return refuse(call->command, &b);
}

/* The option that getopt_long() stopped at, as it was given but for its argument; owned. */
static char *given_option(const struct known *known, char *const *argv)
{
	if (optopt > ' ' && optopt <= '~' && !known_row(known, optopt))
		return xasprintf("-%c", optopt);
	return xstrndup(argv[optind - 1], strcspn(argv[optind - 1], "="));
}

static bool refuse_unknown(const struct call *call, const struct parse_rows *rows,
			   const char *given)
{
	const char *names[PARSE_ROWS_MAX], *near = NULL;
	cleanup(buf_free) struct buf b = { 0 };
	size_t n = 0;

	for (size_t i = 0; i < rows->n; i++)
		if (rows->items[i].row->name)
			names[n++] = rows->items[i].row->name;
	if (strncmp(given, "--", 2) == 0)
		near = nearest_word(given + 2, names, n);
	buf_printf(&b, "unknown option %s; ", given);
	if (near)
		buf_printf(&b, "did you mean --%s?", near);
	else
		put_takes(&b, call->command, rows);
	return refuse(call->command, &b);
}

static bool refuse_option(const struct call *call, const struct parse_rows *rows,
			  const struct known *known, char *const *argv)
{
	cleanup(cleanup_free) char *given = given_option(known, argv);
	const struct option_row *row = known_row(known, optopt);
	size_t i = row ? find_row(rows, row->name) : rows->n;
	cleanup(buf_free) struct buf b = { 0 };

	if (!row && !is_help(known, optopt))
		return refuse_unknown(call, rows, given);
	if (row && i == rows->n)
		return refuse_foreign(call, rows, row->name);
	if (row && row->argument && !parse_argument_optional(row))
		buf_printf(&b, "%s needs an argument: %s %s", given, given,
			   rows->items[i].row->argument);
	else
		buf_printf(&b, "%s takes no argument", given);
	return refuse(call->command, &b);
}

static bool check_operands(const struct call *call, const struct parse_rows *rows)
{
	const struct command *command = call->command;
	const char *wanted = command->operands.wanted;
	cleanup(buf_free) struct buf b = { 0 };
	size_t max = command->operands.max;

	if (call->n_operands >= command->operands.min && call->n_operands <= max)
		return true;
	if (call->n_operands > max) {
		buf_puts(&b, "unexpected argument ");
		quote_found(&b, call->operands[max], strlen(call->operands[max]));
		buf_puts(&b, "; ");
	}
	if (!wanted)
		wanted = rows->n > 0 ? "options alone" : "no arguments";
	buf_printf(&b, "%s takes %s", command->name, wanted);
	return refuse(command, &b);
}

/* ---- reading ---- */

static bool set(const struct option_row *row, void *field, const char *argument, const char *where)
{
	cleanup(buf_free) struct buf found = { 0 };

	if (row->set(field, argument))
		return true;
	quote_found(&found, argument, strlen(argument));
	log_error("%s is %s: wanted %s", where, buf_str(&found), row->wanted);
	return false;
}

static bool set_option(const struct call *call, const struct option_row *row, void *field)
{
	cleanup(cleanup_free) char *where = xasprintf("%s: --%s", call->command->name, row->name);

	return set(row, field, optarg, where);
}

static bool read_option(const struct call *call, const struct parse_rows *rows,
			const struct known *known, int option, char *options, bool *given)
{
	const struct option_row *row = known_row(known, option);
	size_t i = find_row(rows, row->name);

	if (i == rows->n)
		return refuse_foreign(call, rows, row->name);
	given[i] = true;
	return set_option(call, rows->items[i].row, options + rows->items[i].offset);
}

static enum parse_result read_options(const struct call *call, const struct parse_rows *rows,
				      int argc, char **argv, char *options, bool *given)
{
	enum parse_result result = PARSE_DONE;
	struct known known;

	known_make(call->program, &known);
	opterr = 0;
	optind = 0; /* from the start, even if there was another line before */
	while (result == PARSE_DONE) {
		int option = getopt_long(argc, argv, buf_str(&known.letters), known.longs, NULL);
		bool ok = true;

		if (option == -1)
			break;
		if (is_help(&known, option))
			result = PARSE_HELP;
		else if (option == '?' || option == ':')
			ok = refuse_option(call, rows, &known, argv);
		else
			ok = read_option(call, rows, &known, option, options, given);
		if (!ok)
			result = PARSE_BAD;
	}
	known_free(&known);
	return result;
}

static bool check_required(const struct call *call, const struct parse_rows *rows,
			   const bool *given)
{
	for (size_t i = 0; i < rows->n; i++) {
		const struct option_row *row = rows->items[i].row;

		if (!row->required || given[i])
			continue;
		log_error("%s needs --%s %s; see dsfw-nft help %s", call->command->name, row->name,
			  row->argument, call->command->name);
		return false;
	}
	return true;
}

static void set_defaults(const struct parse_rows *rows, char *options)
{
	for (size_t i = 0; i < rows->n; i++) {
		const struct option_row *row = rows->items[i].row;
		bool ok =
			!row->fallback || row->set(options + rows->items[i].offset, row->fallback);

		assert(ok);
		(void)ok;
	}
}

/* A bad value is an error, not a default. An empty one is no value, but where only some are right. */
static bool read_environment(const struct parse_rows *rows, char *options, const bool *given)
{
	for (size_t i = 0; i < rows->n; i++) {
		const struct option_row *row = rows->items[i].row;
		const char *value = row->variable && !given[i] ? getenv(row->variable) : NULL;

		if (!value || (!value[0] && !row->wanted))
			continue;
		if (!set(row, options + rows->items[i].offset, value, row->variable))
			return false;
	}
	return true;
}

enum parse_result parse_call(struct call *call, int argc, char **argv, void *options)
{
	bool given[PARSE_ROWS_MAX] = { 0 };
	enum parse_result result;
	struct parse_rows rows;

	parse_collect(call->command, &rows);
	set_defaults(&rows, options);
	result = read_options(call, &rows, argc, argv, options, given);
	if (result != PARSE_DONE)
		return result;
	call->options = options;
	call->operands = argv + optind;
	call->n_operands = (size_t)(argc - optind);
	if (!check_operands(call, &rows) || !check_required(call, &rows, given) ||
	    !read_environment(&rows, options, given))
		return PARSE_BAD;
	return PARSE_DONE;
}

const struct command *parse_command(const struct program *program, const char *name)
{
	const char **names = xcalloc(program->n, sizeof(*names)), *near;
	const struct command *found = NULL;

	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
		name = "help";
	if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0)
		name = "version";
	for (size_t i = 0; i < program->n; i++) {
		names[i] = program->commands[i]->name;
		if (strcmp(names[i], name) == 0)
			found = program->commands[i];
	}
	near = found || name[0] == '-' ? NULL : nearest_word(name, names, program->n);
	if (!found && name[0] == '-')
		log_error("the command comes first, before %s; see dsfw-nft help", name);
	else if (!found)
		log_error("unknown command \"%s\"%s%s%s; see dsfw-nft help", name,
			  near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
	free(names);
	return found;
}
