/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon_scrape.h"

#include "daemon_metrics.h"

static void make_text(const void *data, struct buf *b)
{
	daemon_metrics_now(data, b);
}

struct http *daemon_scrape_open(const struct services *services, const struct http_address *address)
{
	if (address->port == 0)
		return NULL;
	return http_open(loop_event(services->loop), address, &http_patience, make_text, services);
}
