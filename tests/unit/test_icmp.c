/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ICMP types by name and number, and their ICMPv6 twins.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "dockside/base/buf.h"
#include "dockside/base/util.h"
#include "dockside/policy/config.h"

/* "set type[/code]" of both families as text: "8 128", "3/3 1/4", "13 -", "any any". */
static void icmp_text(struct buf *b, const struct icmp_type *type)
{
	if (!type->set)
		buf_puts(b, "-");
	else if (type->any)
		buf_puts(b, "any");
	else if (type->has_code)
		buf_printf(b, "%u/%u", type->type, type->code);
	else
		buf_printf(b, "%u", type->type);
}

static void test_icmp_types(void **state)
{
	static const struct {
		const char *text, *types;
	} cases[] = {
		{ "any", "any any" },
		{ "echo-request", "8 128" },
		{ "ping", "8 128" },
		{ "Echo-Reply", "0 129" },
		{ "pong", "0 129" },
		{ "8", "8 128" },
		{ "8/0", "8/0 128/0" },
		{ "8/7", "8/7 128/7" },
		{ "echo-request/0", "8/0 128/0" },
		{ "destination-unreachable", "3 1" },
		{ "network-unreachable", "3/0 1/0" },
		{ "net-unreachable", "3/0 1/0" },
		{ "host-unreachable", "3/1 1/3" },
		{ "protocol-unreachable", "3/2 -" },
		{ "prot-unreachable", "3/2 -" },
		{ "port-unreachable", "3/3 1/4" },
		{ "destination-unreachable/3", "3/3 1/4" },
		{ "fragmentation-needed", "3/4 -" },
		{ "frag-needed", "3/4 -" },
		{ "precedence-cutoff", "3/15 -" },
		{ "tos-host-unreachable", "3/12 -" },
		{ "communication-prohibited", "3/13 1/1" },
		{ "admin-prohibited", "3/13 1/1" },
		{ "source-quench", "4 -" },
		{ "redirect", "5 137" },
		{ "host-redirect", "5/1 -" },
		{ "router-advertisement", "9 134" },
		{ "router-solicitation", "10 133" },
		{ "time-exceeded", "11 3" },
		{ "ttl-zero-during-reassembly", "11/1 3/1" },
		{ "parameter-problem", "12 4" },
		{ "ip-header-bad", "12/0 4/0" },
		{ "required-option-missing", "12/1 -" },
		{ "timestamp-request", "13 -" },
		{ "info-reply", "16 -" },
		{ "address-mask-request", "17 -" },
		{ "255", "255 -" },
		{ "128", "128 -" },
		{ "0/255", "0/255 129/255" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct icmp_type v4, v6;
		struct buf b = { 0 };

		assert_true(icmp_type_parse(cases[i].text, strlen(cases[i].text), &v4, &v6));
		icmp_text(&b, &v4);
		buf_puts(&b, " ");
		icmp_text(&b, &v6);
		assert_string_equal(buf_str(&b), cases[i].types);
		buf_free(&b);
	}
}

static void test_icmp_refused(void **state)
{
	static const char *const texts[] = {
		"",
		"/",
		"8/",
		"/0",
		"256",
		"8/256",
		"08",
		"-1",
		"echo-req",
		"any/0",
		"port-unreachable/3",
		"8 ",
		"8/0/0",
		"nd-router-advert",
		"echo-request\n",
	};
	struct icmp_type v4, v6;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		assert_false(icmp_type_parse(texts[i], strlen(texts[i]), &v4, &v6));
	assert_string_equal(icmp_type_nearest("echo-reqest"), "echo-request");
	assert_null(icmp_type_nearest("something else"));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_icmp_types),
		cmocka_unit_test(test_icmp_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
