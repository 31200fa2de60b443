/* SPDX-License-Identifier: GPL-2.0-or-later */
/* epoll, and who is to be called. The gate has some dozen descriptors, and one tick a second. */
#ifndef DOCKSIDE_GATE_GATE_LOOP_H
#define DOCKSIDE_GATE_GATE_LOOP_H

#include <stdint.h>

/* One of these lives as long as its descriptor is watched, and after that until the end of the round. */
struct gate_watch {
	int fd; /* -1: closed */
	void (*ready)(void *data, uint32_t events);
	void *data;
};

/* Returns a descriptor, or -errno. */
int gate_loop_open(void);
/* events: EPOLLIN and so on; of a descriptor that is watched already, its new ones. Returns 0 or -errno. */
int gate_loop_watch(int epoll, struct gate_watch *watch, uint32_t events);
/* Waits for at most so long, -1: for ever; calls. Returns 0 or -errno. */
int gate_loop_round(int epoll, int wait_ms);

#endif
