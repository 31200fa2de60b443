/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Limits how much one name server is asked. Pure: time is a parameter, in milliseconds.
 *
 * Theory of operation. A single name that fails, or gets no answer, says nothing about the server: DNS_PACE_ROW
 * of them in a row do, with no answer in between. Then there are three limits:
 *
 * - The window is how many questions may wait for its answer, DNS_PACE_WINDOW at most. REFUSED and SERVFAIL
 *   halve it, for the questions of one moment once (SERVFAIL down to a few only, while others are answered);
 *   answers make it grow again, as in TCP.
 * - The pause. A server that refuses with a window of one, or that is silent, is left alone for a second, then two,
 *   up to ten; then it gets one question, and the answer to that ends it.
 * - The rate. A server that refuses down to a pause, although it has answered others within the minute, counts
 *   questions over time, and perhaps those that it refuses, too. From then on we ask it, evenly,
 *   three quarters of the questions that it answered in that minute. Every ten minutes without a
 *   refusal add a tenth.
 */
#ifndef DOCKSIDE_SYSTEM_DNS_PACE_H
#define DOCKSIDE_SYSTEM_DNS_PACE_H

#include <stdbool.h>
#include <stdint.h>

#define DNS_PACE_WINDOW 100u
#define DNS_PACE_PAUSE_MAX_MS 10000u
#define DNS_PACE_ROW 8u
#define DNS_PACE_SLICES 12u /* of the last minute */

struct dns_pace {
	unsigned under_way;
	unsigned window;
	unsigned
		threshold; /* the window grows by one an answer up to there, then by one a window */
	unsigned grown;	   /* answers since it last did */
	uint64_t cut_ms;   /* questions from before then do not make it smaller again */
	uint64_t answer_ms;	     /* the last one of any use */
	unsigned failures, silences; /* in a row */
	unsigned pauses;	     /* likewise */
	bool silent;		     /* why: it says nothing; else it refuses */
	uint64_t pause_ms;	     /* until then */
	unsigned answered[DNS_PACE_SLICES];
	uint64_t slice;	     /* number of the newest */
	unsigned per_minute; /* 0: no limit */
	uint64_t rate_ms;    /* when that was last changed */
	uint64_t next_ms;    /* the next question */
};

void dns_pace_init(struct dns_pace *pace);
/* The time from which it may be asked the next question; UINT64_MAX: not before it has answered one. */
uint64_t dns_pace_when(const struct dns_pace *pace);
/* The number of questions that it may be asked now. */
unsigned dns_pace_room(const struct dns_pace *pace, uint64_t now_ms);

/* A question is put for the first time; or again, while the first is under way. */
void dns_pace_asked(struct dns_pace *pace, uint64_t now_ms);
void dns_pace_repeated(struct dns_pace *pace, uint64_t now_ms);
/* A question is under way no longer, with any outcome. */
void dns_pace_done(struct dns_pace *pace);

enum dns_pace_outcome {
	DNS_PACE_ANSWERED,
	DNS_PACE_FAILED,  /* SERVFAIL */
	DNS_PACE_REFUSED, /* REFUSED */
	DNS_PACE_SILENT,  /* nothing came in time; something still may */
};

/* The outcome of a question that was put at asked_ms. */
void dns_pace_outcome(struct dns_pace *pace, enum dns_pace_outcome outcome, uint64_t asked_ms,
		      uint64_t now_ms);

/* Whether questions that can wait should: it is left alone, has answered nothing since it was, or its rate is
 * limited. */
bool dns_pace_scarce(const struct dns_pace *pace);

#endif
