/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DOCKSIDE_DAEMON_DAEMON_WAIT_H
#define DOCKSIDE_DAEMON_DAEMON_WAIT_H

#include "daemon_docker.h"
#include "daemon_judged.h"
#include "daemon_names.h"
#include "daemon_reach.h"
#include "dockside/ctl/ctl_server.h"

/* The kinds of request that wait for their answer. */
enum waiter_kind {
	WAITER_NAMES,
	WAITER_EDIT,   /* another policy */
	WAITER_RELOAD, /* the policy of the files */
};

/* A request whose answer is made but for the names. */
struct waiter {
	enum waiter_kind kind;
	struct ctl_request *request; /* NULL: a free place */
	char *answer;
	uint64_t since_ms;   /* waits for what was asked by then, not later by others */
	char *drained;	     /* NULL; or the bridge that drains, if it has drained at once ... */
	char *otherwise;     /* ... the answer then */
	bool tells_names;    /* the answer lists names that did not resolve ... */
	char *ipset;	     /* ... of that ipset; NULL: of the configuration */
	struct reach *reach; /* allow and deny: what the answer says of the name; or NULL */
};

/* Answers that wait until DNS and Docker have answered what a request made the daemon ask. */
struct daemon_wait;

/* daemon_wait_close(NULL) is valid. */
struct daemon_wait *daemon_wait_open(struct loop *loop, struct enforcer *enforcer,
				     struct daemon_names *names, const struct daemon_docker *docker,
				     const struct daemon_judged *judged);
void daemon_wait_close(struct daemon_wait *w);

/*
 * Answers once every name has been asked and Docker has made the missing networks; takes over the
 * waiter's members. There are as many places as connections.
 */
void daemon_wait_answer(struct daemon_wait *w, struct waiter waiter);
/* Answers the requests that wait for nothing any more. */
void daemon_wait_settled(struct daemon_wait *w);
/* The client of a request has left. */
void daemon_wait_gone(struct daemon_wait *w, const struct ctl_request *request);

#endif
