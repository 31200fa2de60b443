/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Addresses and prefixes by their texts. */
#ifndef ADDR_FIXTURE_H
#define ADDR_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "dockside/base/addr.h"

static inline struct ipaddr addr(const char *text)
{
	struct ipaddr a;

	assert_true(ipaddr_parse(text, strlen(text), &a));
	return a;
}

static inline struct prefix prefix(const char *text)
{
	struct prefix p;

	assert_true(prefix_parse(text, strlen(text), &p));
	return p;
}

#endif
