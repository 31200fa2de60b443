/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A terminal as a screen for pages. However the program ends, by a signal, too, the terminal is then as it was before: what
 * was on it is there again, and what is typed appears. Only one is open at a time.
 */
#ifndef DOCKSIDE_CLI_SCREEN_H
#define DOCKSIDE_CLI_SCREEN_H

#include <stdbool.h>
#include <stdint.h>

#include "term.h"

enum screen_event {
	SCREEN_TIMEOUT,
	SCREEN_RESIZED,
	SCREEN_END, /* "q", or there is no terminal any more */
};

/* Whether standard output is a terminal that has what a screen needs. */
bool screen_is_possible(void);
/* Returns 0, or -errno: nothing has changed then. */
int screen_open(void);
void screen_close(void);

/* The size as it is now. */
struct term screen_size(size_t *ret_height);
/* Shows lines of text, each with its line feed. Returns 0 or -errno. */
int screen_show(const char *page);
/* Waits for so long, or until something happens. */
enum screen_event screen_wait(uint64_t ms);

#endif
