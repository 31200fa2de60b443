/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Command lines by tables: two commands made for it. tests/commands has the messages about wrong
 * ones. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/parse.h"
#include "dockside/base/util.h"

#define VARIABLE "TEST_PARSE_COLOUR"
#define ARGUMENTS_MAX 8

struct paint_options {
	bool dry;
	const char *colour, *tool;
	unsigned seconds;
	struct plan_options plan;
};

static const struct option_row paint_rows[] = {
	{ .name = "dry", .set = option_set_flag, .offset = offsetof(struct paint_options, dry) },
	{ .name = "colour",
	  .letter = 'c',
	  .argument = "COLOUR",
	  .variable = VARIABLE,
	  .fallback = "white",
	  .set = option_set_text,
	  .offset = offsetof(struct paint_options, colour) },
	{ .name = "tool",
	  .argument = "[=TOOL]",
	  .set = option_set_text,
	  .offset = offsetof(struct paint_options, tool) },
	{ .variable = "TEST_PARSE_SECONDS",
	  .fallback = "7",
	  .wanted = OPTION_INTERVAL_WANTED,
	  .set = option_set_interval,
	  .offset = offsetof(struct paint_options, seconds) },
	{ 0 },
};

static const struct command paint = {
	.name = "paint",
	.operands = { "WALL…", "one WALL or two", 1, 2 },
	.takes = { { paint_rows, 0 }, { mark_bit_option, offsetof(struct paint_options, plan) } },
	.size = sizeof(struct paint_options),
	.initial = &(const struct paint_options){ .tool = "brush" },
};

static const struct option_row wash_rows[] = {
	{ .name = "from",
	  .argument = "WELL",
	  .required = true,
	  .set = option_set_text,
	  .offset = 0 },
	{ 0 },
};

static const struct command wash = {
	.name = "wash",
	.takes = { { wash_rows, 0 } },
	.size = sizeof(const char *),
};

static const struct command *const commands[] = { &paint, &wash };
static const struct program program = { commands, ARRAY_SIZE(commands) };

static enum parse_result parse(const struct command *command, const char *const *arguments,
			       struct call *ret_call, void *options)
{
	static char *argv[ARGUMENTS_MAX + 1];
	int saved = dup(STDERR_FILENO), null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	enum parse_result result;
	int argc = 1;

	argv[0] = (char *)command->name;
	for (; arguments[argc - 1]; argc++)
		argv[argc] = (char *)arguments[argc - 1];
	if (command->initial)
		memcpy(options, command->initial, command->size);
	*ret_call = (struct call){ .program = &program, .command = command };
	dup2(null, STDERR_FILENO);
	result = parse_call(ret_call, argc, argv, options);
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(null);
	return result;
}

#define PARSE(...) parse(&paint, (const char *const[ARGUMENTS_MAX]){ __VA_ARGS__ }, &call, &options)
#define PARSE_WASH(...) \
	parse(&wash, (const char *const[ARGUMENTS_MAX]){ __VA_ARGS__ }, &call, &well)

static void test_defaults(void **state)
{
	struct paint_options options = { 0 };
	struct call call;

	(void)state;
	assert_int_equal(PARSE("north"), PARSE_DONE);
	assert_false(options.dry);
	assert_string_equal(options.colour, "white");
	assert_string_equal(options.tool, "brush");
	assert_int_equal(options.seconds, 7);
	assert_int_equal(options.plan.mark_bit, 0x10000000);
	assert_ptr_equal(call.options, &options);
	assert_int_equal(call.n_operands, 1);
	assert_string_equal(call.operands[0], "north");
}

static void test_given(void **state)
{
	struct paint_options options = { 0 };
	struct call call;

	(void)state;
	assert_int_equal(
		PARSE("north", "--dry", "-cred", "south", "--tool=roll", "--mark-bit", "1"),
		PARSE_DONE);
	assert_true(options.dry);
	assert_string_equal(options.colour, "red");
	assert_string_equal(options.tool, "roll");
	assert_int_equal(options.plan.mark_bit, 1);
	assert_int_equal(call.n_operands, 2);
	assert_string_equal(call.operands[1], "south");
	/* Without its argument where that may be left out; and operands that look like options. */
	assert_int_equal(PARSE("--tool", "--", "--dry"), PARSE_DONE);
	assert_null(options.tool);
	assert_string_equal(call.operands[0], "--dry");
}

static void test_environment(void **state)
{
	struct paint_options options = { 0 };
	struct call call;

	(void)state;
	setenv(VARIABLE, "blue", 1);
	assert_int_equal(PARSE("north"), PARSE_DONE);
	assert_string_equal(options.colour, "blue");
	assert_int_equal(PARSE("north", "--colour=red"), PARSE_DONE);
	assert_string_equal(options.colour, "red");
	setenv(VARIABLE, "", 1);
	assert_int_equal(PARSE("north"), PARSE_DONE);
	assert_string_equal(options.colour, "white");
	unsetenv(VARIABLE);

	setenv("TEST_PARSE_SECONDS", "9", 1);
	assert_int_equal(PARSE("north"), PARSE_DONE);
	assert_int_equal(options.seconds, 9);
	setenv("TEST_PARSE_SECONDS", "", 1);
	assert_int_equal(PARSE("north"), PARSE_BAD);
	setenv("TEST_PARSE_SECONDS", "x", 1);
	assert_int_equal(PARSE("north"), PARSE_BAD);
	assert_int_equal(PARSE("--help"), PARSE_HELP);
	unsetenv("TEST_PARSE_SECONDS");
}

static void test_bad(void **state)
{
	struct paint_options options = { 0 };
	const char *well = NULL;
	struct call call;

	(void)state;
	assert_int_equal(PARSE(NULL), PARSE_BAD);
	assert_int_equal(PARSE("a", "b", "c"), PARSE_BAD);
	assert_int_equal(PARSE("a", "--nonesuch"), PARSE_BAD);
	assert_int_equal(PARSE("a", "-x"), PARSE_BAD);
	assert_int_equal(PARSE("a", "--from", "here"), PARSE_BAD);
	/* It is no abbreviation of an option of ours, as another command has it. */
	assert_int_equal(PARSE("a", "--fro", "here"), PARSE_BAD);
	assert_int_equal(PARSE("a", "--colour"), PARSE_BAD);
	assert_int_equal(PARSE("a", "--dry=1"), PARSE_BAD);
	assert_int_equal(PARSE("a", "--mark-bit=3"), PARSE_BAD);
	assert_int_equal(PARSE_WASH(NULL), PARSE_BAD);
	assert_int_equal(PARSE_WASH("--from", "x", "y"), PARSE_BAD);
	assert_int_equal(PARSE_WASH("-c", "red"), PARSE_BAD);
	assert_int_equal(PARSE_WASH("--from", "x"), PARSE_DONE);
	assert_string_equal(well, "x");
}

static void test_help(void **state)
{
	struct paint_options options = { 0 };
	struct call call;

	(void)state;
	assert_int_equal(PARSE("--help"), PARSE_HELP);
	assert_int_equal(PARSE("--dry", "a", "b", "c", "-h"), PARSE_HELP);
	assert_int_equal(PARSE("--nonesuch", "--help"), PARSE_BAD);
	assert_int_equal(PARSE("--help=x"), PARSE_BAD);
	assert_int_equal(PARSE("--colour", "--help"), PARSE_BAD); /* that is the colour */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),    cmocka_unit_test(test_given),
		cmocka_unit_test(test_environment), cmocka_unit_test(test_bad),
		cmocka_unit_test(test_help),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
