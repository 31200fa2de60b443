/* SPDX-License-Identifier: GPL-2.0-or-later */
/* set-network and the like: command lines to requests. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/cmd_allow.h"
#include "cli/cmd_edit.h"
#include "cli/parse.h"
#include "dockside/base/util.h"

#define ARGUMENTS_MAX 8

/* Compares the request that a command line makes to the daemon; NULL: it is refused. */
static void assert_request(const struct command *command, const char *const *arguments,
			   const char *expected)
{
	const struct command *const commands[] = { command };
	const struct program program = { commands, 1 };
	cleanup(cleanup_free) char *options = xcalloc(1, command->size);
	cleanup(cleanup_free) char *request = NULL;
	struct call call = { .program = &program, .command = command };
	char *argv[ARGUMENTS_MAX + 1] = { (char *)command->name };
	int argc = 1;

	for (; arguments[argc - 1]; argc++)
		argv[argc] = (char *)arguments[argc - 1];
	memcpy(options, command->initial, command->size);
	if (parse_call(&call, argc, argv, options) == PARSE_DONE)
		request = command == &cmd_allow || command == &cmd_deny ? allow_request(&call)
									: edit_request(&call);
	if (!expected && request)
		fail_msg("%s is taken: %s", command->name, request);
	if (!expected)
		return;
	assert_non_null(request);
	assert_string_equal(request, expected);
}

#define ARGUMENTS(...) ((const char *const[ARGUMENTS_MAX]){ __VA_ARGS__ })

static void test_requests(void **state)
{
	(void)state;
	assert_request(&cmd_remove_network, ARGUMENTS("amber"),
		       "{\"action\":\"remove-network\",\"name\":\"amber\"}");
	assert_request(&cmd_remove_network, ARGUMENTS("amber", "--force"),
		       "{\"action\":\"remove-network\",\"name\":\"amber\",\"force\":true}");
	assert_request(&cmd_set_ipset, ARGUMENTS("web", "a.example", "192.0.2.0/24"),
		       "{\"action\":\"set-ipset\",\"name\":\"web\",\"hostnames\":[\"a.example\","
		       "\"192.0.2.0/24\"],\"replace\":false}");
	assert_request(&cmd_set_ipset, ARGUMENTS("web", "--replace", "a.example"),
		       "{\"action\":\"set-ipset\",\"name\":\"web\",\"hostnames\":[\"a.example\"],"
		       "\"replace\":true}");
	assert_request(&cmd_add_ipset, ARGUMENTS("web", "a.example"),
		       "{\"action\":\"add-ipset\",\"name\":\"web\",\"hostnames\":[\"a.example\"]}");
	assert_request(&cmd_del_ipset, ARGUMENTS("web", "a.example", "::1"),
		       "{\"action\":\"del-ipset\",\"name\":\"web\",\"hostnames\":[\"a.example\","
		       "\"::1\"]}");
	assert_request(&cmd_remove_ipset, ARGUMENTS("web"),
		       "{\"action\":\"remove-ipset\",\"name\":\"web\"}");
	assert_request(&cmd_set_network,
		       ARGUMENTS("--network", "{\"subnet\": \"192.0.2.0/24\" // x\n}", "--firewall",
				 "null", "amber"),
		       "{\"action\":\"set-network\",\"name\":\"amber\",\"network\":{\"subnet\":"
		       "\"192.0.2.0/24\"},\"firewall\":null}");
}

#define TO(to) "{\"action\":\"allow\",\"name\":\"amber\",\"to\":\"" to "\""

static void test_destinations(void **state)
{
	(void)state;
	assert_request(&cmd_allow, ARGUMENTS("amber", "a.example"), TO("a.example") "}");
	assert_request(&cmd_allow, ARGUMENTS("amber", "a.example:443"),
		       TO("a.example") ",\"ports\":[443]}");
	assert_request(&cmd_allow, ARGUMENTS("amber", "a.example:22,8000-8010/udp"),
		       TO("a.example") ",\"proto\":\"udp\",\"ports\":[22,\"8000-8010\"]}");
	assert_request(&cmd_allow, ARGUMENTS("amber", "10.0.0.0/8"), TO("10.0.0.0/8") "}");
	assert_request(&cmd_allow, ARGUMENTS("amber", "10.0.0.0/8:22/tcp"),
		       TO("10.0.0.0/8") ",\"proto\":\"tcp\",\"ports\":[22]}");
	assert_request(&cmd_allow, ARGUMENTS("amber", "2001:db8::1"), TO("2001:db8::1") "}");
	assert_request(&cmd_allow, ARGUMENTS("amber", "[2001:db8::/32]:22"),
		       TO("2001:db8::/32") ",\"ports\":[22]}");
	assert_request(&cmd_allow, ARGUMENTS("amber", "[::1]"), TO("::1") "}");
	assert_request(&cmd_deny, ARGUMENTS("amber", "a.example"),
		       "{\"action\":\"deny\",\"name\":\"amber\",\"to\":\"a.example\"}");
}

static void test_request_from_file(void **state)
{
	char path[] = "/tmp/test_cmd_edit.XXXXXX";
	int fd = mkstemp(path);
	cleanup(cleanup_free) char *argument = xasprintf("@%s", path);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "{\n  \"egress\": [ ]\n}\n", 20), 20);
	close(fd);
	assert_request(&cmd_set_network, ARGUMENTS("amber", "--firewall", argument),
		       "{\"action\":\"set-network\",\"name\":\"amber\",\"firewall\":{\"egress\":[]}"
		       "}");
	unlink(path);
}

/* The messages are for people; tests/commands has them. */
static void test_bad_usage(void **state)
{
	int saved = dup(STDERR_FILENO), null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	(void)state;
	dup2(null, STDERR_FILENO);
	close(null);
	assert_request(&cmd_allow, ARGUMENTS("amber"), NULL);
	assert_request(&cmd_allow, ARGUMENTS("amber", ""), NULL);
	assert_request(&cmd_allow, ARGUMENTS("amber", "a.example:"), NULL);
	assert_request(&cmd_allow, ARGUMENTS("amber", "a.example:https"), NULL);
	assert_request(&cmd_allow, ARGUMENTS("amber", "a.example:22,"), NULL);
	assert_request(&cmd_allow, ARGUMENTS("amber", "a.example:0"), NULL);
	assert_request(&cmd_allow, ARGUMENTS("amber", ":443"), NULL);
	assert_request(&cmd_allow, ARGUMENTS("amber", "[::1"), NULL);
	assert_request(&cmd_allow, ARGUMENTS("amber", "[::1]443"), NULL);
	assert_request(&cmd_deny, ARGUMENTS("amber", "a.example:443"), NULL);
	assert_request(&cmd_set_ipset, ARGUMENTS(NULL), NULL);
	/* A forgotten member would empty the set. */
	assert_request(&cmd_set_ipset, ARGUMENTS("amber"), NULL);
	assert_request(&cmd_remove_ipset, ARGUMENTS("web", "a.example"), NULL);
	assert_request(&cmd_set_network, ARGUMENTS("amber", "--network", "{\"subnet\":}"), NULL);
	assert_request(&cmd_set_network, ARGUMENTS("amber", "--network", "@/nonexistent/file"),
		       NULL);
	dup2(saved, STDERR_FILENO);
	close(saved);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_destinations),
		cmocka_unit_test(test_request_from_file),
		cmocka_unit_test(test_bad_usage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
