/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Docker's Engine API over libcurl, on its Unix socket and nowhere else. Knows HTTP; what
 * the answers say is docker_parse.h's.
 */
#ifndef DOCKSIDE_DOCKER_DOCKER_CLIENT_H
#define DOCKSIDE_DOCKER_DOCKER_CLIENT_H

#include "dockside/base/err.h"
#include "dockside/docker/docker_parse.h"

#define DOCKER_ANSWER_MAX (16u << 20) /* bytes of an answer */
#define DOCKER_LINE_MAX (1u << 20)    /* of an event */
#define DOCKER_ASK_MS 5000	      /* for an answer to a question */
#define DOCKER_CHANGE_MS 20000	      /* to creating or removing a network */

/*
 * The socket's path from a value of DOCKER_HOST: "unix:///PATH"; NULL and "" are Docker's own default.
 * *ret_path points into value or is static. Returns 0, or -EINVAL for anything else.
 */
int docker_socket_path(const char *value, const char **ret_path, struct err *err);

/* A client for an event loop. */
struct docker;

/*
 * The outcome of a request. error.code tells failures apart:
 *   ENOENT, ECONNREFUSED  there is no socket, or nothing listens there: no Docker runs
 *   EACCES                no permission
 *   ETIMEDOUT             no answer in time
 *   ECONNRESET            the connection broke off
 *   EREMOTEIO             Docker refused; http is the status, error.text has Docker's own words
 *   EPROTO                what came is no answer of Docker's
 *   EOPNOTSUPP            there is no API version that both speak
 *   ECANCELED             docker_close()
 * All of it is borrowed for the time of the call.
 */
struct docker_answer {
	struct err error; /* code 0: there is an answer */
	unsigned http;	  /* 0: none came */
	const char *body;
	size_t len;
};

/* Whether no Docker runs, so that no container does. */
bool docker_socket_absent(int code);
/* Whether somebody listens there, so that Docker may run. Does not wait. */
bool docker_socket_listens(const char *path);

/* Called once for each request, from docker_process(), docker_wait() or docker_close(); never before
 * the request has returned. May start further ones, must not close the client. */
typedef void (*docker_answer_fn)(void *data, const struct docker_answer *answer);

/* A clock that never goes back, in milliseconds. */
typedef uint64_t (*docker_clock_fn)(void);

/* path is copied. Touches no socket. Returns 0 or -errno. */
int docker_open(const char *path, docker_clock_fn now_ms, struct docker **ret_docker,
		struct err *err);
/* Open requests end with ECANCELED; those that they start in turn are dropped unanswered. */
void docker_close(struct docker *docker);

/* A descriptor that is readable when docker_process() has something to do, and how long to wait for
 * that at most, in milliseconds; -1: for ever. */
int docker_fd(const struct docker *docker);
int docker_wait_ms(const struct docker *docker);
void docker_process(struct docker *docker);
/* Processes until no request but the event stream is open. They all end in time by themselves. */
int docker_wait(struct docker *docker, struct err *err);

/* Sends a request. what is for messages, "list the networks", and static; path and body (or NULL) are copied. */
void docker_ask(struct docker *docker, const char *method, const char *path, const char *body,
		unsigned timeout_ms, const char *what, docker_answer_fn fn, void *data);
/* GET /version. A good answer sets the API version of the requests that follow. */
void docker_ask_version(struct docker *docker, docker_answer_fn fn, void *data);
void docker_ask_info(struct docker *docker, docker_answer_fn fn, void *data);
void docker_list(struct docker *docker, docker_answer_fn fn, void *data);
/* id: as docker_parse_networks() returned it. */
void docker_inspect(struct docker *docker, const char *id, docker_answer_fn fn, void *data);
/* id: as docker_parse_containers() returned it. For docker_caps_parse(). */
void docker_inspect_container(struct docker *docker, const char *id, docker_answer_fn fn,
			      void *data);
/* Every running container, with the networks that it is on: docker_parse_legs(). */
void docker_list_containers(struct docker *docker, docker_answer_fn fn, void *data);
/* Containers of a network that Docker is about to start again: they are not attached, and will be. */
void docker_list_restarting(struct docker *docker, const char *id, docker_answer_fn fn, void *data);
void docker_remove(struct docker *docker, const char *id, docker_answer_fn fn, void *data);
/* body: docker_wanted_creation(). */
void docker_create(struct docker *docker, const char *body, docker_answer_fn fn, void *data);

struct docker_events {
	void (*opened)(void *data); /* what happens from now on will be told */
	void (*line)(void *data, const char *text, size_t len);
	docker_answer_fn end; /* always an error, and the last call */
};

/* The stream of events of networks. It has to open within DOCKER_ASK_MS, and may then be silent for
 * ever. One at a time. Borrows handler. */
void docker_follow(struct docker *docker, const struct docker_events *handler, void *data);
/* Ends the stream without a further call; valid where there is none. */
void docker_unfollow(struct docker *docker);

#endif
