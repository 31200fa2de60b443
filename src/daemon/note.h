/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A note tells other services of something that happened in one. on_note() of daemon.c lists who
 * handles which. */
#ifndef DOCKSIDE_DAEMON_NOTE_H
#define DOCKSIDE_DAEMON_NOTE_H

/*
 * Notes that wait are handled in this order, not in that in which they were posted: a cause comes
 * before its effects, and the answers to requests come after all that they tell.
 */
enum note {
	NOTE_OPENED,	   /* packets may have passed that nobody judged; the rules are back */
	NOTE_SETS_FAILED,  /* the kernel did not take addresses of names */
	NOTE_DRAIN_FAILED, /* it did not let go of a network that has drained */
	NOTE_OWN,	   /* this host has other addresses, and names have some of them */
	NOTE_SOURCES_FAILED, /* it has others in managed networks, and the kernel did not take the rules for them */
	NOTE_DOCKER_LOST, /* Docker was asked who is attached, and did not answer */
	NOTE_SITES,	  /* an external network is elsewhere than it was */
	NOTE_ATTACHED,	  /* who is attached to a network is known, or known anew */
	NOTE_DOCKER_MADE, /* Docker has made networks */
	NOTE_DOCKER,	  /* what Docker says is another */
	NOTE_LINKS,	  /* interfaces have changed */
	NOTE_DOUBT,	  /* Docker's last word may be too old to judge by */
	NOTE_DOUBT_OVER,  /* it has not answered in time */
	NOTE_PORTS,	  /* who is on which port is known, or known anew */
	NOTE_FILLED,	  /* somebody else may have put addresses into such sets */
	NOTE_TOLD,	  /* sets may have lost addresses that the DNS gate has told the kernel */
	NOTE_SERVERS,	  /* the host has other name servers */
	NOTE_SETTLED,	  /* a question was answered that READY or a request may wait for */
	NOTE_DENIED,	  /* a packet was refused, and is known */
	NOTE_STATUS,	  /* STATUS= is no longer true */
	N_NOTES,
};

#endif
