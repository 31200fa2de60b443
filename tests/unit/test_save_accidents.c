/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Saving both files with every single operation failing, and with the process ending right before every operation,
 * then again during the recovery from that.
 */
#include "save_fixture.h"

#include <errno.h>
#include <sys/wait.h>

#define DEAD 42 /* exit status of a child that ended on purpose */
#define OPERATIONS_MAX 100

/* Lets operation number `at` fail, or the process end before it; 0: neither. */
struct accident {
	int n, fail_at, fail_code, die_at;
};

static int count_operations(void *data, const char *operation)
{
	struct accident *a = data;

	(void)operation;
	a->n++;
	if (a->n == a->die_at)
		_exit(DEAD);
	return a->n == a->fail_at ? a->fail_code : 0;
}

static int operations_of_save(struct fixture *f)
{
	struct accident a = { 0 };
	struct disk_hook hook = { count_operations, &a };

	reset(f);
	assert_int_equal(save(f, &hook, NULL), 0);
	assert_true(a.n > 15 && a.n < OPERATIONS_MAX);
	return a.n;
}

static void test_failures(void **state)
{
	static const int codes[] = { EIO, ENOSPC, EPERM };
	struct fixture *f = *state;
	int n = operations_of_save(f), n_saved = 0;

	for (int at = 1; at <= n; at++) {
		for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
			struct accident a = { .fail_at = at, .fail_code = codes[i] };
			struct disk_hook hook = { count_operations, &a };
			struct err err = { 0 };
			int r;

			reset(f);
			r = save(f, &hook, &err);
			assert_int_equal(r < 0, err.text != NULL);
			err_free(&err);
			/* recover() tidies up all that a successful save leaves. */
			if (r == 0)
				recover(f);
			else
				assert_int_equal(recover(f), SAVE_CLEAN);
			assert_int_equal(assert_pair(f), r == 0);
			n_saved += r == 0;
		}
	}
	assert_true(n_saved > 3 && n_saved < n);
}

/* Runs a save, or a recovery, in a child; returns whether it came to its end. */
static bool in_child(const struct fixture *f, bool saving, struct accident a)
{
	struct disk_hook hook = { count_operations, &a };
	enum save_recovery recovery;
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		if (saving)
			save(f, &hook, NULL);
		else
			save_recover(f->network, f->firewall, &hook, &recovery, NULL);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_true(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == DEAD);
	return WEXITSTATUS(status) == 0;
}

static void test_deaths(void **state)
{
	struct fixture *f = *state;
	int n = operations_of_save(f), n_new = 0;
	bool was_new = false;

	for (int at = 1; at <= n; at++) {
		bool new;

		reset(f);
		assert_false(in_child(f, true, (struct accident){ .die_at = at }));
		recover(f);
		assert_int_equal(recover(f), SAVE_CLEAN);
		new = assert_pair(f);
		/* There is one point where it turns. */
		assert_true(new || !was_new);
		was_new = new;
		n_new += new;
	}
	assert_true(n_new > 3 && n_new < n - 3);
}

static bool saved_firewall(const struct fixture *f)
{
	cleanup(cleanup_free) char *text = text_of(f->firewall);

	return strcmp(text, NEW_FIREWALL) == 0;
}

/* The next save repairs too. */
static void test_save_after_death(void **state)
{
	struct fixture *f = *state;
	int n = operations_of_save(f), pending = 0;

	for (int at = 1; at <= n; at++) {
		const struct save_file files[SAVE_FILES] = {
			[SAVE_NETWORK] = { f->network, "[3]", NULL },
			[SAVE_FIREWALL] = { f->firewall, NULL, NULL },
		};
		bool finished;

		reset(f);
		assert_false(in_child(f, true, (struct accident){ .die_at = at }));
		pending += save_pending(f->network, f->firewall);
		assert_int_equal(save_files(files, NULL, NULL), 0);
		assert_false(save_pending(f->network, f->firewall));
		assert_text(f->network, "[3]");
		assert_sibling(f->network, ".orig", OLD_NETWORK);
		finished = saved_firewall(f);
		assert_sibling(f->firewall, ".orig", finished ? OLD_FIREWALL : "(missing)");
		assert_int_equal(remove_tree(f->dir), finished ? 4 : 3);
	}
	assert_true(pending > n / 2);
}

/* Dies in the save, again in each step of the recovery, and then recovers. */
static void test_deaths_while_recovering(void **state)
{
	struct fixture *f = *state;
	int n = operations_of_save(f);

	for (int at = 1; at <= n; at++) {
		bool complete = false;

		for (int again = 1; !complete; again++) {
			assert_true(again < OPERATIONS_MAX);
			reset(f);
			in_child(f, true, (struct accident){ .die_at = at });
			complete = in_child(f, false, (struct accident){ .die_at = again });
			recover(f);
			assert_pair(f);
		}
	}
}

/* One operation of the save fails, and the process dies while that is being undone. */
static void test_deaths_while_undoing(void **state)
{
	struct fixture *f = *state;
	int n = operations_of_save(f);

	for (int at = 1; at <= n; at++) {
		bool complete = false;

		for (int die = at + 1; !complete; die++) {
			struct accident a = { .fail_at = at, .fail_code = EIO, .die_at = die };

			assert_true(die < OPERATIONS_MAX);
			reset(f);
			complete = in_child(f, true, a);
			recover(f);
			assert_pair(f);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_failures),
		TEST(test_deaths),
		TEST(test_save_after_death),
		TEST(test_deaths_while_recovering),
		TEST(test_deaths_while_undoing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
