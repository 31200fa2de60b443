/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What happens in one service and matters to others. daemon.c says who handles which. */
#ifndef DOCKSIDE_DAEMON_NOTE_H
#define DOCKSIDE_DAEMON_NOTE_H

/*
 * In the order in which those that wait are handled, whatever was posted first: a cause comes before what
 * follows from it, and the answers to requests come after all that they tell.
 */
enum note {
	NOTE_OWN,     /* this host has other addresses, and names have some of them */
	NOTE_LINKS,   /* interfaces have changed */
	NOTE_DOCKER,  /* what Docker says is another */
	NOTE_SETTLED, /* a question was answered that READY or a request may wait for */
	NOTE_STATUS,  /* STATUS= is no longer true */
	N_NOTES,
};

#endif
