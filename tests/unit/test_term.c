/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/term.h"
#include "dockside/base/util.h"

static void assert_table(struct term term, unsigned right, const char *const *cells, size_t n,
			 size_t columns, const char *expected)
{
	struct term_table table = { .columns = columns, .right = right };
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	for (size_t i = 0; i < n; i++)
		term_table_add(&table, i < columns ? TERM_TITLE : TERM_PLAIN, cells[i]);
	term_table_finish(&table, &term, out);
	fclose(out);
	assert_string_equal(text, expected);
	free(text);
}

static void test_tables(void **state)
{
	static const char *const cells[] = { "NAME", "N",    "WHAT",
					     "ünï",  "7",    "one",
					     "b",    "1234", "an address, another address" };

	(void)state;
	assert_table((struct term){ 0 }, 2, cells, 9, 3,
		     "NAME     N  WHAT\n"
		     "ünï      7  one\n"
		     "b     1234  an address, another address\n");
	assert_table((struct term){ .width = 31 }, 2, cells, 9, 3,
		     "NAME     N  WHAT\n"
		     "ünï      7  one\n"
		     "b     1234  an address, anothe…\n");
	assert_table((struct term){ .width = 39 }, 2, cells, 9, 3,
		     "NAME     N  WHAT\n"
		     "ünï      7  one\n"
		     "b     1234  an address, another address\n");
	/* Narrower than that it does not get. */
	assert_table((struct term){ .width = 3 }, 2, cells, 9, 3,
		     "NAME     N  WHAT\n"
		     "ünï      7  one\n"
		     "b     1234  an addr…\n");
	assert_table((struct term){ .colour = true }, 0, cells, 6, 3,
		     "\033[1mNAME\033[0m  \033[1mN\033[0m  \033[1mWHAT\033[0m\n"
		     "ünï   7  one\n");
	assert_table((struct term){ 0 }, 0, cells, 3, 3, "");
}

/* Cut between characters, and every row as wide as the next. */
static void test_cut(void **state)
{
	static const char *const cells[] = {
		"A", "B", "ééééééééééééééé", "|", "\377\377aaaaaaaaaaaa", "|"
	};

	(void)state;
	assert_table((struct term){ .width = 12 }, 0, cells, 6, 2,
		     "A          B\n"
		     "éééééééé…  |\n"
		     "\377\377aaaaaa…  |\n");
	assert_int_equal(term_length("é中😀"), 3);
	assert_int_equal(term_length("\xc3"), 1);
	assert_int_equal(term_length(""), 0);
}

/* Rows that come one at a time. */
static void test_rows(void **state)
{
	const struct term terminal = { .width = 40 }, none = { 0 };
	size_t widths[] = { 8, 15, 28 };
	char *text = term_cut(&terminal, "ééé", 3);

	(void)state;
	assert_string_equal(text, "ééé");
	free(text);
	text = term_cut(&terminal, "éééé", 3);
	assert_string_equal(text, "éé…");
	free(text);
	text = term_cut(&none, "éééé", 3);
	assert_string_equal(text, "éééé");
	free(text);
	term_narrow(&none, widths, ARRAY_SIZE(widths));
	assert_int_equal(widths[2], 28);
	term_narrow(&terminal, widths, ARRAY_SIZE(widths));
	assert_int_equal(widths[0] + widths[1] + widths[2], 36);
	assert_int_equal(widths[0], 8);
}

/* A terminal of 50 columns. */
static FILE *open_terminal(int *ret_master)
{
	struct winsize size = { .ws_col = 50, .ws_row = 24 };
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), slave;

	if (master < 0)
		return NULL;
	assert_int_equal(grantpt(master), 0);
	assert_int_equal(unlockpt(master), 0);
	slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_true(slave >= 0);
	assert_int_equal(ioctl(slave, TIOCSWINSZ, &size), 0);
	*ret_master = master;
	return fdopen(slave, "r+");
}

static void test_terminals(void **state)
{
	FILE *null = fopen("/dev/null", "we"), *terminal;
	int master = -1;

	(void)state;
	setenv("TERM", "xterm", 1);
	unsetenv("NO_COLOR");
	assert_false(term_of(null).colour);
	assert_int_equal(term_of(null).width, 0);
	fclose(null);
	terminal = open_terminal(&master);
	if (!terminal)
		skip();
	assert_true(term_of(terminal).colour);
	assert_int_equal(term_of(terminal).width, 50);
	setenv("NO_COLOR", "1", 1);
	assert_false(term_of(terminal).colour);
	assert_int_equal(term_of(terminal).width, 50);
	setenv("NO_COLOR", "", 1);
	assert_true(term_of(terminal).colour);
	setenv("TERM", "dumb", 1);
	assert_false(term_of(terminal).colour);
	unsetenv("TERM");
	assert_false(term_of(terminal).colour);
	fclose(terminal);
	close(master);
}

/* Standard error is the terminal meanwhile. Returns what came out there. */
static char *wait_for(unsigned ms, char text[256])
{
	int master = -1, saved = dup(STDERR_FILENO);
	FILE *terminal = open_terminal(&master);
	size_t len = 0;
	ssize_t n;

	if (!terminal)
		skip();
	dup2(fileno(terminal), STDERR_FILENO);
	term_progress("waiting for Godot");
	for (unsigned i = 0; i < ms; i += 50)
		usleep(50000);
	term_progress_end();
	dup2(saved, STDERR_FILENO);
	close(saved);
	fcntl(master, F_SETFL, O_NONBLOCK);
	while (len < 255 && (n = read(master, text + len, 255 - len)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	fclose(terminal);
	close(master);
	return text;
}

static void test_progress(void **state)
{
	char text[256];

	(void)state;
	assert_string_equal(wait_for(50, text), "");
	assert_string_equal(wait_for(1300, text), "waiting for Godot …\r\033[K");
	assert_string_equal(wait_for(0, text), "");
	term_progress_end(); /* without a beginning */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tables),	 cmocka_unit_test(test_cut),
		cmocka_unit_test(test_rows),	 cmocka_unit_test(test_terminals),
		cmocka_unit_test(test_progress),
	};

	return cmocka_run_group_tests_name("term", tests, NULL, NULL);
}
