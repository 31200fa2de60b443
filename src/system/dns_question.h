/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A question on its way through the servers: what is asked next and when, and how it ends. */
#ifndef DOCKSIDE_SYSTEM_DNS_QUESTION_H
#define DOCKSIDE_SYSTEM_DNS_QUESTION_H

#include <sys/queue.h>

#include "dns_attempt.h"
#include "dns_servers.h"
#include "dockside/base/heap.h"
#include "dockside/system/dns_upstream.h"

TAILQ_HEAD(dns_question_list, dns_question);

/* All that are open, and what they share. */
struct dns_questions {
	struct dns_servers servers;
	bool paced;
	struct heap timers;
	struct dns_question_list done; /* not freed yet */
	uint64_t sockets_ms;	       /* none could be had; not before then */
	struct dns_random random;
	struct dns_answer answer; /* the last one that was read */
};

struct dns_question {
	struct heap_node timer;
	TAILQ_ENTRY(dns_question) entry; /* among those that are done */
	struct dns_questions *all;
	struct dns_asked asked;
	dns_upstream_fn fn;
	void *data;
	uint64_t until_ms, next_ms; /* the deadline, the next step */
	unsigned step;
	enum dns_upstream_status failure; /* the last one */
	uint8_t order[DNS_UPSTREAM_SERVERS_MAX];
	bool gone[DNS_UPSTREAM_SERVERS_MAX]; /* not to be asked again */
	struct dns_attempt attempts[];	     /* at each server */
};

/* Whether an error (-errno) is for want of sockets or memory, and says nothing about the server. */
bool dns_no_resources(int r);

/* Asks the next server that can be asked. False: there is nothing left to wait for. */
bool dns_question_step(struct dns_question *q, uint64_t now_ms);
/* A server has failed: it is the next one's turn, or after a moment the next round's. */
void dns_question_failed(struct dns_question *q, struct dns_attempt *a,
			 enum dns_upstream_status why, uint64_t now_ms);

/* Each ends the question: the caller hears of it, and dns_questions_sweep() frees it, as more events of it may be in the
 * same bunch. */
void dns_question_finish(struct dns_question *q, const struct dns_upstream_result *result);
void dns_question_fail(struct dns_question *q, enum dns_upstream_status status);
/* Nobody hears of that, nor is it freed. */
void dns_question_close(struct dns_question *q);

/*
 * Whether an error of the network means that a server is not asked again. Anybody can forge ICMP errors, to all ports of a
 * server that has many questions at a socket, and not an answer. So the gate asks it again in the later rounds, by another
 * socket: a forger has to hit each round.
 */
bool dns_questions_give_up(const struct dns_questions *all);
/* Takes the steps that are due, and ends what is past its deadline. */
void dns_questions_time(struct dns_questions *all, uint64_t now_ms);
/* Frees those that have ended. */
void dns_questions_sweep(struct dns_questions *all);

#endif
