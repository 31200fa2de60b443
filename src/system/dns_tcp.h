/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One question to a name server over TCP. */
#ifndef DOCKSIDE_SYSTEM_DNS_TCP_H
#define DOCKSIDE_SYSTEM_DNS_TCP_H

#include <sys/types.h>

#include "dns_server.h"

struct dns_tcp {
	struct dns_watch watch;
	void *owner;
	struct dns_try *try; /* whose query it is */
	bool sent;
	uint8_t *in; /* two bytes of length, and the message */
	size_t n_in, size_in;
};

void dns_tcp_init(struct dns_tcp *tcp);
bool dns_tcp_is_open(const struct dns_tcp *tcp);
void dns_tcp_close(struct dns_tcp *tcp);
/* Connects to the try's server, to put its query. Returns 0 or -errno. */
int dns_tcp_open(struct dns_tcp *tcp, struct dns_try *try, void *owner);
/* To be called when epoll reports it. Returns the length of a message, which is borrowed and not checked; 0 if there is none
 * yet; or -errno. */
ssize_t dns_tcp_process(struct dns_tcp *tcp, const uint8_t **ret_message);

#endif
