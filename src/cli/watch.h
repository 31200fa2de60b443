/* SPDX-License-Identifier: GPL-2.0-or-later */
/* status --watch: a page that shows how the daemon fares, again and again. */
#ifndef DOCKSIDE_CLI_WATCH_H
#define DOCKSIDE_CLI_WATCH_H

/* Until "q" or a signal; on a terminal one page in place, elsewhere page after page. Returns an exit status. */
int watch(const char *socket, unsigned interval_s);

#endif
