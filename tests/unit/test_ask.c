/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Asking the daemon: answers to text and exit status. */
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "ctl_fixture.h"

#include "cli/ask.h"
#include "dockside/base/diag.h"
#include "dockside/base/exit_status.h"
#include "dockside/base/util.h"

/* The messages are for people; they are not shown here. */
static int silence(int fd)
{
	int saved = dup(fd), null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	dup2(null, fd);
	close(null);
	return saved;
}

/* Runs a command in a child; returns its exit status, and what it printed. */
static int run_command(struct fixture *f, struct ask_options options, char *output, size_t size)
{
	int out[2], status = 0;
	ssize_t n;
	pid_t pid;

	options.socket = f->path;
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		dup2(out[1], STDOUT_FILENO);
		silence(STDERR_FILENO);
		status = ask_daemon(&options, "{\"action\":\"refresh\"}");
		fflush(stdout);
		_exit(status);
	}
	close(out[1]);
	for (int i = 0; waitpid(pid, &status, WNOHANG) != pid; i++) {
		assert_true(i < LONG_ENOUGH_MS);
		turn(f);
	}
	n = read(out[0], output, size - 1);
	output[n > 0 ? n : 0] = '\0';
	close(out[0]);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 100;
}

static void test_commands(void **state)
{
	struct fixture *f = *state;
	const struct ask_options refresh = { .action = REQUEST_REFRESH };
	const struct ask_options raw = { .action = REQUEST_REFRESH, .json = true };
	char output[4096];

	assert_int_equal(run_command(f, refresh, output, sizeof(output)), EXIT_DONE);
	assert_string_equal(output, "done\n");
	f->answer = "{\"status\":\"ok\",\"message\":\"3 names\",\"docker_orphans\":[\"ds-x\"]}";
	assert_int_equal(run_command(f, refresh, output, sizeof(output)), EXIT_DONE);
	assert_string_equal(output, "3 names\nDocker networks that the configuration does not have "
				    "(left alone):\n  ds-x\n");
	assert_int_equal(run_command(f, raw, output, sizeof(output)), EXIT_DONE);
	assert_string_equal(output,
			    "{\"status\":\"ok\",\"message\":\"3 names\",\"docker_orphans\":["
			    "\"ds-x\"]}\n");
	f->answer =
		"{\"status\":\"error\",\"message\":\"no\",\"errors\":[3,{},{\"message\":\"x\"}]}";
	assert_int_equal(run_command(f, refresh, output, sizeof(output)), EXIT_FAILED);
	assert_string_equal(output, "");
	assert_int_equal(run_command(f, raw, output, sizeof(output)), EXIT_FAILED);
	assert_non_null(strstr(output, "\"message\":\"no\""));
	f->answer = "[\"status\"]";
	assert_int_equal(run_command(f, refresh, output, sizeof(output)), EXIT_FAILED);
	f->answer = "HTTP/1.1 200 OK";
	assert_int_equal(run_command(f, refresh, output, sizeof(output)), EXIT_FAILED);
	assert_int_equal(f->n_requests, 7);
}

static void test_no_daemon(void **state)
{
	struct fixture *f = *state;
	char output[64];

	ctl_close(f->ctl);
	f->ctl = NULL;
	assert_int_equal(run_command(f, (struct ask_options){ .action = REQUEST_STATUS }, output,
				     sizeof(output)),
			 EXIT_FAILED);
	assert_string_equal(output, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = { TEST(test_commands), TEST(test_no_daemon) };

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
