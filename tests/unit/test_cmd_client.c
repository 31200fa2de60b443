/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The commands that ask the daemon: arguments to requests, answers to text and exit status.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include "ctl_fixture.h"

#include "dockside/base/diag.h"
#include "dockside/base/util.h"
#include "dockside/cli/cmd_client.h"
#include "dockside/cli/command.h"

/* ---- requests ---- */

static void assert_request(struct client_options options, const char *expected)
{
	cleanup(cleanup_free) char *request = client_request(&options);

	if (!expected) {
		assert_null(request);
		return;
	}
	assert_non_null(request);
	assert_string_equal(request, expected);
}

static char *name_only[] = { (char *)"amber" };
static char *name_and_hosts[] = { (char *)"web", (char *)"a.example", (char *)"192.0.2.0/24" };

static void test_requests(void **state)
{
	(void)state;
	assert_request((struct client_options){ .action = REQUEST_STATUS },
		       "{\"action\":\"status\"}");
	assert_request((struct client_options){ .action = REQUEST_REMOVE_NETWORK,
						.force = true,
						.operands = name_only,
						.n_operands = 1 },
		       "{\"action\":\"remove-network\",\"name\":\"amber\",\"force\":true}");
	assert_request((struct client_options){ .action = REQUEST_SET_IPSET,
						.operands = name_and_hosts,
						.n_operands = 3 },
		       "{\"action\":\"set-ipset\",\"name\":\"web\",\"hostnames\":[\"a.example\","
		       "\"192.0.2.0/24\"]}");
	assert_request((struct client_options){ .action = REQUEST_SET_NETWORK,
						.network = "{\"subnet\": \"192.0.2.0/24\" // x\n}",
						.firewall = "null",
						.operands = name_only,
						.n_operands = 1 },
		       "{\"action\":\"set-network\",\"name\":\"amber\",\"network\":{\"subnet\":"
		       "\"192.0.2.0/24\"},\"firewall\":null}");
}

static void test_request_from_file(void **state)
{
	struct fixture *f = *state;
	cleanup(cleanup_free) char *argument = xasprintf("@%s/rules.json", f->dir);
	int fd = open(argument + 1, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	assert_int_equal(write(fd, "{\n  \"egress\": [ ]\n}\n", 20), 20);
	close(fd);
	assert_request((struct client_options){ .action = REQUEST_SET_NETWORK,
						.firewall = argument,
						.operands = name_only,
						.n_operands = 1 },
		       "{\"action\":\"set-network\",\"name\":\"amber\",\"firewall\":{\"egress\":[]}"
		       "}");
	unlink(argument + 1);
}

/* The messages are for people; they are not shown here. */
static int silence(int fd)
{
	int saved = dup(fd), null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	dup2(null, fd);
	close(null);
	return saved;
}

static void test_bad_usage(void **state)
{
	int saved = silence(STDERR_FILENO);

	(void)state;
	assert_request((struct client_options){ .action = REQUEST_STATUS,
						.operands = name_only,
						.n_operands = 1 },
		       NULL);
	assert_request((struct client_options){ .action = REQUEST_SET_IPSET }, NULL);
	/* A forgotten member would empty the set. */
	assert_request((struct client_options){ .action = REQUEST_SET_IPSET,
						.operands = name_only,
						.n_operands = 1 },
		       NULL);
	assert_request((struct client_options){ .action = REQUEST_REMOVE_IPSET,
						.operands = name_and_hosts,
						.n_operands = 2 },
		       NULL);
	assert_request((struct client_options){ .action = REQUEST_SET_NETWORK,
						.operands = name_only,
						.n_operands = 1 },
		       NULL);
	assert_request((struct client_options){ .action = REQUEST_SET_NETWORK,
						.network = "{\"subnet\":}",
						.operands = name_only,
						.n_operands = 1 },
		       NULL);
	assert_request((struct client_options){ .action = REQUEST_SET_NETWORK,
						.network = "@/nonexistent/file",
						.operands = name_only,
						.n_operands = 1 },
		       NULL);
	dup2(saved, STDERR_FILENO);
	close(saved);
}

/* ---- status ---- */

static void assert_status_on(struct term term, const char *json, const char *expected)
{
	struct src src = { .text = xstrdup(json), .len = strlen(json) };
	struct json_tree tree = { 0 };
	struct diags diags = { 0 };
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	assert_true(json_parse(&src, &tree, &diags));
	client_print_status(tree.root, &term, out);
	fclose(out);
	assert_string_equal(text, expected);
	free(text);
	json_tree_free(&tree);
	src_free(&src);
}

static void assert_status(const char *json, const char *expected)
{
	assert_status_on((struct term){ 0 }, json, expected);
}

static void test_status_on_terminal(void **state)
{
	(void)state;
	assert_status_on((struct term){ .width = 40, .colour = true },
			 "{\"ready\":false,\"networks\":[],\"ipsets\":{\"web\":["
			 "\"192.0.2.1\",\"192.0.2.2\",\"192.0.2.3\",\"192.0.2.4\"]},"
			 "\"names\":{\"a.example\":{\"age\":3,\"error\":\"no\"}},"
			 "\"shim\":{\"state\":\"installed\"}}",
			 "\033[1;31mNOT READY\033[0m: 0 networks; dsfw-nft of unknown version\n"
			 "shim: \033[32minstalled\033[0m\n"
			 "\n"
			 "\033[1mNAME\033[0m       \033[1mLAST ANSWER\033[0m       "
			 "\033[1mADDRESSES\033[0m\n"
			 "a.example  \033[33m3 s ago (now no)\033[0m  none\n"
			 "\n"
			 "\033[1mIPSET\033[0m  \033[1mADDRESSES\033[0m\n"
			 "web    192.0.2.1, 192.0.2.2, 192.0.2.3,…\n");
}

static void test_status(void **state)
{
	(void)state;
	assert_status(
		"{\"status\":\"ok\",\"ready\":true,\"networks\":[\"amber\",\"ds-blue\"],"
		"\"ipsets\":{\"web\":[\"192.0.2.1\",\"192.0.2.2\",\"192.0.2.3\",\"192.0.2.4\","
		"\"192.0.2.5\"],\"db\":[]},"
		"\"network_details\":{\"amber\":{\"state\":\"enforced\",\"bridge\":\"amber\","
		"\"rules\":12,\"passed\":1234567,\"refused\":3,"
		"\"docker\":\"present\","
		"\"containers\":14},"
		"\"ds-blue\":{\"state\":\"unmanaged\",\"bridge\":\"ds-blue\",\"rules\":0,"
		"\"docker\":\"absent\",\"containers\":null,\"docker_message\":\"network ds-blue: "
		"no\"}},"
		"\"names\":{\"a.example\":{\"addresses\":[\"192.0.2.1\",\"2001:db8::1\"],\"age\":"
		"12,"
		"\"error\":null},\"b.example\":{\"addresses\":[],\"age\":null,\"error\":"
		"\"NXDOMAIN\"}},"
		"\"reload\":{\"result\":\"ok\",\"age\":300,\"message\":null},"
		"\"shim\":{\"state\":\"absent\",\"message\":\"there is no DOCKER-USER\"},"
		"\"docker\":{\"state\":\"connected\",\"message\":null,\"version\":\"28.1\","
		"\"api\":\"1.49\",\"backend\":\"iptables\",\"events\":false},"
		"\"drift\":{\"repairs\":2,\"age\":7300,\"limited\":false,\"ended\":311,\"message\":"
		"\"chain "
		"amber-OUT, by iptables (pid 7)\"},"
		"\"versions\":{\"dsfw-nft\":\"0.1.0\"}}",
		"ready: 2 networks; dsfw-nft 0.1.0\n"
		"last reload: ok, 5 min ago\n"
		"shim: absent: there is no DOCKER-USER\n"
		"docker: connected, version 28.1, API 1.49, firewall backend iptables; without "
		"events\n"
		"drift: repaired 2 times, last 2 h ago, ended 311 connections opened meanwhile: "
		"chain amber-OUT, by iptables (pid 7)\n"
		"\n"
		"NETWORK  STATE      RULES   PASSED  REFUSED  DOCKER   CONTAINERS\n"
		"amber    enforced      12  1234567        3  present          14\n"
		"ds-blue  unmanaged      0        -        -  absent            -\n"
		"network ds-blue: no\n"
		"\n"
		"NAME       LAST ANSWER           ADDRESSES\n"
		"a.example  12 s ago              192.0.2.1, 2001:db8::1\n"
		"b.example  never (now NXDOMAIN)  none\n"
		"\n"
		"IPSET  ADDRESSES\n"
		"web    192.0.2.1, 192.0.2.2, 192.0.2.3, 192.0.2.4 and 1 more\n"
		"db     none\n");
}

/* Files that are not what runs, and an ipset without a rule. */
static void test_status_of_files(void **state)
{
	(void)state;
	assert_status(
		"{\"ready\":true,\"networks\":[],\"files\":{\"state\":\"current\",\"message\":null,"
		"\"last_accepted_enforced\":false,\"age\":null,\"kept\":true,\"not_kept\":null}}",
		"ready: 0 networks; dsfw-nft of unknown version\n"
		"files: current\n");
	assert_status(
		"{\"ready\":true,\"networks\":[],\"alarms\":[\"since then\"],\"files\":{\"state\":"
		"\"faulty\",\"message\":\"f.json:1:2: "
		"no\",\"last_accepted_enforced\":true,\"age\":7300,"
		"\"kept\":false,\"not_kept\":\"disk full\"},\"ipsets\":{\"x\":[\"192.0.2.1\"]},"
		"\"unused_ipsets\":[\"x\"],\"drift\":{\"repairs\":0,\"files\":\"faulty\"}}",
		"ready: 0 networks; dsfw-nft of unknown version\n"
		"ALARM: since then\n"
		"files: faulty: f.json:1:2: no\n"
		"enforced: the last accepted configuration, since 2 h ago\n"
		"the accepted configuration is not kept: disk full\n"
		"drift: the files are not what runs: faulty\n"
		"\n"
		"IPSET  ADDRESSES\n"
		"x      192.0.2.1 (no rule uses it)\n");
}

/* What nobody must overlook. */
static void test_not_judged(void **state)
{
	(void)state;
	assert_status(
		"{\"status\":\"ok\",\"ready\":false,\"networks\":[\"a\",\"b\"],\"not_judged\":["
		"\"a\"],"
		"\"legs\":[\"network b: its container c1 is on network x, too\"],"
		"\"alarms\":[\"network a: why: its packets are NOT JUDGED; to mend it: so\"],"
		"\"network_details\":{\"a\":{\"state\":\"not judged\",\"reason\":\"why\","
		"\"mend\":\"so\",\"rules\":1,\"docker\":\"differs\"},"
		"\"b\":{\"state\":\"pending\",\"reason\":\"it waits\",\"rules\":1,"
		"\"docker\":\"present\"}}}",
		"NOT READY: 2 networks; dsfw-nft of unknown version\n"
		"ALARM: network a: why: its packets are NOT JUDGED; to mend it: so\n"
		"\n"
		"NETWORK  STATE       RULES  PASSED  REFUSED  DOCKER   CONTAINERS\n"
		"a        NOT JUDGED      1       -        -  differs           -\n"
		"b        pending         1       -        -  present           -\n"
		"network b: it waits\n"
		"warning: network b: its container c1 is on network x, too\n");
}

/* Whatever answers, there is no harm in printing it. */
static void test_odd_status(void **state)
{
	(void)state;
	assert_status("{}", "NOT READY: 0 networks; dsfw-nft of unknown version\n");
	assert_status("{\"ready\":1,\"networks\":[7],\"network_details\":[],\"names\":{\"a\":3},"
		      "\"ipsets\":{\"x\":{}},\"reload\":[],\"shim\":{},\"drift\":{\"repairs\":0},"
		      "\"docker\":{\"message\":\"no\"},\"truncated\":true}",
		      "NOT READY: 1 network; dsfw-nft of unknown version\n"
		      "shim: ?\n"
		      "docker: ?: no\n"
		      "drift: none\n"
		      "\n"
		      "NAME  LAST ANSWER  ADDRESSES\n"
		      "a     never        none\n"
		      "\n"
		      "IPSET  ADDRESSES\n"
		      "x      none\n"
		      "\n"
		      "There is more than one answer holds.\n");
}

/* ---- the whole ---- */

/* Runs a command in a child; returns its exit status, and what it printed. */
static int run_command(struct fixture *f, struct client_options options, char *output, size_t size)
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
		status = cmd_client(&options);
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
	const struct client_options refresh = { .action = REQUEST_REFRESH };
	const struct client_options raw = { .action = REQUEST_REFRESH, .json = true };
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
	assert_int_equal(run_command(f, (struct client_options){ .action = REQUEST_SET_NETWORK },
				     output, sizeof(output)),
			 EXIT_USAGE);
	assert_int_equal(f->n_requests, 7);
}

static void test_no_daemon(void **state)
{
	struct fixture *f = *state;
	char output[64];

	ctl_close(f->ctl);
	f->ctl = NULL;
	assert_int_equal(run_command(f, (struct client_options){ .action = REQUEST_STATUS }, output,
				     sizeof(output)),
			 EXIT_FAILED);
	assert_string_equal(output, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_requests),	    TEST(test_request_from_file),
		TEST(test_bad_usage),	    TEST(test_status),
		TEST(test_status_of_files), TEST(test_odd_status),
		TEST(test_not_judged),	    TEST(test_commands),
		TEST(test_no_daemon),	    TEST(test_status_on_terminal),
	};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
