/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/names/ports_past.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dockside/base/util.h"

/* "veth0" to "veth9", of which there are those whose digits are in `there`; known: those that have a container. */
static void update(struct ports_past *past, const char *there, const char *known, uint64_t now_ms)
{
	struct port_link items[10] = { { .index = 0 } };
	struct port_links links = { .items = items };
	struct ports ports = { 0 };

	for (const char *s = there; *s; s++) {
		struct port_link *link = &items[links.n++];
		struct port *port = ports_add(&ports);

		snprintf(link->name, sizeof(link->name), "veth%c", *s);
		snprintf(link->bridge, sizeof(link->bridge), "ds-a");
		/* Indexes are in another order than names. */
		link->index = 100 - (unsigned)(*s - '0');
		memcpy(port->name, link->name, sizeof(port->name));
		port->known = strchr(known, *s) != NULL;
		port->container = port->known ? xasprintf("web-%c", *s) : NULL;
	}
	ports_sort(&ports);
	ports_past_update(past, &links, &ports, now_ms);
	ports_free(&ports);
}

/* "PORT CONTAINER", or "-" */
static void assert_is(const struct ports_past *past, char digit, const char *expected)
{
	const struct port_past *port = ports_past_find(past, 100 - (unsigned)(digit - '0'));
	char *text = port ? xasprintf("%s %s", port->name, port->container ? port->container : "?")
			  : xstrdup("-");

	assert_string_equal(text, expected);
	if (port)
		assert_string_equal(port->bridge, "ds-a");
	free(text);
}

static void test_gone(void **state)
{
	struct ports_past past = { 0 };

	(void)state;
	assert_is(&past, '1', "-");
	update(&past, "123", "12", 1000);
	assert_is(&past, '1', "veth1 web-1");
	assert_is(&past, '3', "veth3 ?");
	update(&past, "2", "2", 3600000); /* hours later */
	assert_is(&past, '1', "veth1 web-1");
	assert_is(&past, '2', "veth2 web-2");
	assert_is(&past, '3', "veth3 ?");
	update(&past, "24", "24", 3600000 + PORTS_PAST_KEEP_MS - 1);
	assert_is(&past, '1', "veth1 web-1");
	update(&past, "4", "4", 3600000 + PORTS_PAST_KEEP_MS);
	assert_is(&past, '1', "-");
	assert_is(&past, '2', "veth2 web-2");
	assert_is(&past, '3', "-");
	assert_is(&past, '4', "veth4 web-4");
	ports_past_free(&past);
}

/* Docker says that a container has left, before its port has gone. */
static void test_no_longer_known(void **state)
{
	struct ports_past past = { 0 };

	(void)state;
	update(&past, "1", "1", 1000);
	update(&past, "1", "", 5000);
	assert_is(&past, '1', "veth1 web-1");
	update(&past, "", "", 6000);
	assert_is(&past, '1', "veth1 web-1");
	update(&past, "", "", 5000 + PORTS_PAST_KEEP_MS);
	assert_is(&past, '1', "-");
	update(&past, "2", "2", 20000);
	update(&past, "2", "", 20001);
	update(&past, "2", "",
	       20001 + PORTS_PAST_KEEP_MS); /* it stays, and nobody is known there */
	assert_is(&past, '2', "veth2 ?");
	update(&past, "2", "2", 40000);
	assert_is(&past, '2', "veth2 web-2");
	ports_past_free(&past);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gone),
		cmocka_unit_test(test_no_longer_known),
	};

	return cmocka_run_group_tests_name("ports that have gone", tests, NULL, NULL);
}
