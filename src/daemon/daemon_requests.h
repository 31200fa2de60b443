/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DOCKSIDE_DAEMON_DAEMON_REQUESTS_H
#define DOCKSIDE_DAEMON_DAEMON_REQUESTS_H

#include "services.h"

/* The requests of the socket. */
struct daemon_requests;

/* Borrows services. path NULL: there is no socket. Returns 0 or -errno. daemon_requests_close(NULL) is valid. */
int daemon_requests_open(const struct services *services, const char *path,
			 struct daemon_requests **ret_requests, struct err *err);
/* For NOTE_DENIED: answers those that wait for a refused packet. */
void daemon_requests_denied(struct daemon_requests *r);
/* Closes the socket: no service is asked from now on. */
void daemon_requests_stop(struct daemon_requests *r);
/* Call it after Docker is closed: a request may still wait for Docker's answer. */
void daemon_requests_close(struct daemon_requests *r);

#endif
