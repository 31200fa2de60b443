/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dns_pace.h"

#include <string.h>

#define MINUTE_MS 60000u
#define SLICE_MS (MINUTE_MS / DNS_PACE_SLICES)
#define PAUSE_MS 1000u
#define FAILED_WINDOW 8u     /* a server that fails has no less ... */
#define FAILED_MS 10000u     /* ... unless it has answered nothing for so long */
#define RATE_MIN 30u	     /* questions a minute */
#define RATE_MAX 60000u	     /* a limit beyond that is none */
#define RATE_WAIT_MS 600000u /* without a refusal, before it rises */

void dns_pace_init(struct dns_pace *pace)
{
	*pace = (struct dns_pace){ .window = DNS_PACE_WINDOW, .threshold = DNS_PACE_WINDOW };
}

uint64_t dns_pace_when(const struct dns_pace *pace)
{
	if (pace->under_way >= pace->window)
		return UINT64_MAX;
	return pace->pause_ms > pace->next_ms ? pace->pause_ms : pace->next_ms;
}

unsigned dns_pace_room(const struct dns_pace *pace, uint64_t now_ms)
{
	uint64_t when = dns_pace_when(pace);

	if (when == UINT64_MAX || when > now_ms)
		return 0;
	return pace->per_minute > 0 ? 1 : pace->window - pace->under_way;
}

/* ------------------------------------------------------------------ the last minute */

/* Slices that have gone by without anything hold nothing. */
static void turn(struct dns_pace *pace, uint64_t now_ms)
{
	uint64_t slice = now_ms / SLICE_MS;

	if (slice - pace->slice >= DNS_PACE_SLICES)
		memset(pace->answered, 0, sizeof(pace->answered));
	else
		while (pace->slice < slice)
			pace->answered[++pace->slice % DNS_PACE_SLICES] = 0;
	pace->slice = slice;
}

static unsigned answered_of_late(struct dns_pace *pace, uint64_t now_ms)
{
	unsigned n = 0;

	turn(pace, now_ms);
	for (unsigned i = 0; i < DNS_PACE_SLICES; i++)
		n += pace->answered[i];
	return n;
}

/* ------------------------------------------------------------------ the rate */

static void spend(struct dns_pace *pace, uint64_t now_ms)
{
	if (pace->per_minute > 0)
		pace->next_ms = now_ms + MINUTE_MS / pace->per_minute;
}

static void limit_rate(struct dns_pace *pace, uint64_t now_ms)
{
	unsigned n = answered_of_late(pace, now_ms) / 4 * 3;

	/* A refusal of the first questions after a pause still counts for the same minute. */
	if (pace->per_minute > 0 && now_ms < pace->rate_ms + MINUTE_MS)
		return;
	if (n < RATE_MIN || (pace->per_minute > 0 && n >= pace->per_minute))
		n = pace->per_minute > 0 ? pace->per_minute / 4 * 3 : RATE_MIN;
	pace->per_minute = n > RATE_MIN ? n : RATE_MIN;
	pace->rate_ms = now_ms;
}

static void raise_rate(struct dns_pace *pace, uint64_t now_ms)
{
	if (pace->per_minute == 0 || now_ms < pace->rate_ms + RATE_WAIT_MS)
		return;
	pace->per_minute += pace->per_minute / 10;
	pace->rate_ms = now_ms;
	if (pace->per_minute > RATE_MAX)
		pace->per_minute = 0;
}

/* ------------------------------------------------------------------ questions */

void dns_pace_asked(struct dns_pace *pace, uint64_t now_ms)
{
	pace->under_way++;
	spend(pace, now_ms);
}

void dns_pace_repeated(struct dns_pace *pace, uint64_t now_ms)
{
	spend(pace, now_ms);
}

void dns_pace_done(struct dns_pace *pace)
{
	pace->under_way--;
}

static void leave_alone(struct dns_pace *pace, bool silent, uint64_t now_ms)
{
	uint64_t wait_ms = PAUSE_MS;

	for (unsigned i = 0; i < pace->pauses && wait_ms < DNS_PACE_PAUSE_MAX_MS; i++)
		wait_ms *= 2;
	if (wait_ms > DNS_PACE_PAUSE_MAX_MS)
		wait_ms = DNS_PACE_PAUSE_MAX_MS;
	pace->window = 1;
	/* One that comes back may be asked as before; one that has had enough, carefully. */
	pace->threshold = silent ? DNS_PACE_WINDOW : DNS_PACE_WINDOW / 4;
	pace->silent = silent;
	pace->pauses++;
	pace->cut_ms = now_ms + 1; /* whatever is under way says nothing new */
	pace->pause_ms = now_ms + wait_ms;
}

static void on_answer(struct dns_pace *pace, uint64_t now_ms)
{
	turn(pace, now_ms);
	pace->answered[pace->slice % DNS_PACE_SLICES]++;
	pace->answer_ms = now_ms;
	pace->pauses = pace->silences = pace->failures = 0;
	pace->pause_ms = 0;
	raise_rate(pace, now_ms);
	if (pace->window >= DNS_PACE_WINDOW)
		return;
	if (pace->window >= pace->threshold && ++pace->grown < pace->window)
		return;
	pace->grown = 0;
	pace->window++;
}

static void on_refusal(struct dns_pace *pace, bool refused, uint64_t asked_ms, uint64_t now_ms)
{
	if (++pace->failures < DNS_PACE_ROW || asked_ms < pace->cut_ms)
		return;
	/* SERVFAIL may be about the names, however many fail; there is room for others. */
	if (!refused && pace->window <= FAILED_WINDOW && now_ms < pace->answer_ms + FAILED_MS)
		return;
	if (pace->window == 1) {
		if (refused && answered_of_late(pace, now_ms) > 0)
			limit_rate(pace, now_ms);
		leave_alone(pace, false, now_ms);
		return;
	}
	pace->window /= 2;
	pace->threshold = pace->window;
	pace->grown = 0;
	pace->cut_ms = now_ms + 1;
}

void dns_pace_outcome(struct dns_pace *pace, enum dns_pace_outcome outcome, uint64_t asked_ms,
		      uint64_t now_ms)
{
	switch (outcome) {
	case DNS_PACE_ANSWERED:
		on_answer(pace, now_ms);
		return;
	case DNS_PACE_FAILED:
	case DNS_PACE_REFUSED:
		on_refusal(pace, outcome == DNS_PACE_REFUSED, asked_ms, now_ms);
		return;
	case DNS_PACE_SILENT:
		if (pace->answer_ms >= asked_ms || asked_ms < pace->cut_ms ||
		    ++pace->silences < DNS_PACE_ROW)
			return;
		leave_alone(pace, true, now_ms);
		return;
	}
}

bool dns_pace_scarce(const struct dns_pace *pace)
{
	return pace->pauses > 0 || pace->per_minute > 0;
}
