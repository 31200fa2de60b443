/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "since.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dockside/base/text.h"
#include "dockside/base/util.h"
#include "dockside/system/clock.h"

#define DAY_MS 86400000

/* "10m" */
static bool read_ago(const char *text, uint64_t now_ms, uint64_t *ret_ms)
{
	static const struct {
		char unit;
		uint64_t ms;
	} units[] = { { 's', 1000 }, { 'm', 60000 }, { 'h', 3600000 }, { 'd', DAY_MS } };
	size_t len = strlen(text);
	uint64_t number;

	if (len < 2 || !parse_uint(text, len - 1, 0, 1000000, &number))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		uint64_t ago = number * units[i].ms;

		if (units[i].unit != text[len - 1])
			continue;
		*ret_ms = ago < now_ms ? now_ms - ago : 0;
		return true;
	}
	return false;
}

static bool take(time_t seconds, uint64_t *ret_ms)
{
	if (seconds < 0)
		return false;
	*ret_ms = (uint64_t)seconds * 1000;
	return true;
}

static bool read_utc(const char *text, uint64_t *ret_ms)
{
	struct tm tm = { 0 };
	const char *end = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);

	if (end && *end == '.')
		end += 1 + strspn(end + 1, "0123456789");
	return end && strcmp(end, "Z") == 0 && take(timegm(&tm), ret_ms);
}

static bool read_local(const char *text, uint64_t *ret_ms)
{
	struct tm tm = { .tm_isdst = -1 };
	const char *end = strptime(text, "%Y-%m-%d %H:%M:%S", &tm);

	return end && !*end && take(mktime(&tm), ret_ms);
}

static bool read_clock(const char *text, uint64_t now_ms, uint64_t *ret_ms)
{
	time_t now = (time_t)(now_ms / 1000);
	struct tm tm;
	const char *end;

	if (!localtime_r(&now, &tm))
		return false;
	tm.tm_isdst = -1;
	end = strptime(text, "%H:%M:%S", &tm);
	if (!end || *end || !take(mktime(&tm), ret_ms))
		return false;
	if (*ret_ms > now_ms) {
		tm.tm_mday--;
		tm.tm_isdst = -1;
		return take(mktime(&tm), ret_ms);
	}
	return true;
}

bool since_parse(const char *text, uint64_t now_ms, uint64_t *ret_ms)
{
	return read_ago(text, now_ms, ret_ms) || read_utc(text, ret_ms) ||
	       read_local(text, ret_ms) || read_clock(text, now_ms, ret_ms);
}

static bool set_since(void *field, const char *argument)
{
	return since_parse(argument, unix_ms(), field);
}

const struct option_row since_option[] = {
	{ .name = "since",
	  .argument = "TIME",
	  .help = "from then on: 30s, 10m, 2h or 1d ago, or a time as denied shows it or as "
		  "2026-01-02T03:04:05Z",
	  .wanted = SINCE_ALLOWED,
	  .set = set_since },
	{ 0 },
};
