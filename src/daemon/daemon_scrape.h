/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DOCKSIDE_DAEMON_DAEMON_SCRAPE_H
#define DOCKSIDE_DAEMON_DAEMON_SCRAPE_H

#include "dockside/ctl/http_server.h"
#include "services.h"

/* Answers Prometheus at that address; NULL where there is none. Borrows services. http_close(). */
struct http *daemon_scrape_open(const struct services *services,
				const struct http_address *address);

#endif
