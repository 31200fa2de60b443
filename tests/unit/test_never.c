/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Addresses that names never open, and what becomes of them in sets and NAT maps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dockside/alarms.h"
#include "dockside/compile.h"
#include "dockside/never.h"
#include "policy_fixture.h"

static struct ipaddr addr(const char *s)
{
	struct ipaddr a;

	/* The parser of the configuration refuses these. */
	if (strncmp(s, "::ffff:", 7) == 0) {
		assert_true(ipaddr_parse(s + 7, strlen(s) - 7, &a));
		memmove(a.b + 12, a.b, 4);
		memset(a.b, 0, 10);
		a.b[10] = a.b[11] = 0xff;
		a.family = FAMILY_IPV6;
		return a;
	}
	assert_true(ipaddr_parse(s, strlen(s), &a));
	return a;
}
