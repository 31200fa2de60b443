/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Writes to the log when a port becomes known, is contested, or stays unknown for long. */
#ifndef DOCKSIDE_DAEMON_PORTS_LOG_H
#define DOCKSIDE_DAEMON_PORTS_LOG_H

#include <stdint.h>

#include "dockside/names/ports.h"

#define PORTS_LOG_LONG_MS 10000

struct daemon_docker;

/* A port that is not known. */
struct ports_log_item {
	char name[16];
	uint64_t since_ms;
	enum port_doubt warned; /* of this doubt; PORT_NO_DOUBT: of none */
	bool told;		/* that it stays unknown */
};

/* Sorted by name. Zero-initialise; ports_log_free(). */
struct ports_log {
	struct ports_log_item *items;
	size_t n;
};

/* Compares the ports with those of before. Returns when to call again, as nothing may happen until then; 0: never. */
uint64_t ports_log_update(struct ports_log *log, const struct daemon_docker *docker,
			  const struct ports *before, const struct ports *now, uint64_t now_ms);
void ports_log_free(struct ports_log *log);

#endif
