/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Addresses and events of what was denied. */
#ifndef DENIED_FIXTURE_H
#define DENIED_FIXTURE_H

#include "policy_fixture.h"

#include "dockside/base/buf.h"
#include "dockside/report/denied.h"

static inline struct ipaddr address(const char *text)
{
	struct ipaddr addr;

	assert_true(ipaddr_parse(text, strlen(text), &addr));
	return addr;
}

static inline void assert_json(const struct denied_event *event, const char *expected)
{
	struct buf b = { 0 };

	denied_event_json(&b, event);
	assert_string_equal(buf_str(&b), expected);
	buf_free(&b);
}

#endif
