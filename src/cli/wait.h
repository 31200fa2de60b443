/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DOCKSIDE_CLI_WAIT_H
#define DOCKSIDE_CLI_WAIT_H

/* Waits until every configured network is in Docker, and those that are managed are judged; logs why not after
 * that many seconds. Returns an exit status. */
int wait_networks(const char *socket, unsigned seconds);

#endif
