/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/system/port_owner.h"

#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dockside/base/util.h"

/* The kernel alone knows for sure: /proc/net/udp is read in pieces, and sockets that come and go can hide one in it. */
static bool is_free(unsigned port)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool is = fd >= 0 && bind(fd, (const struct sockaddr *)&addr, sizeof(addr)) == 0;

	if (fd >= 0)
		close(fd);
	return is;
}

/* Adds to *others whether the file has a socket of another user's at the port. Returns whether it has one of the user's. */
static bool look_for(const char *path, unsigned port, uint32_t uid, bool *others)
{
	cleanup(cleanup_fclose) FILE *f = fopen(path, "re");
	char line[512];

	while (f && fgets(line, sizeof(line), f)) {
		unsigned its_port, its_uid;

		if (sscanf(line, " %*[0-9]: %*[0-9A-F]:%x %*s %*s %*s %*s %*s %u", &its_port,
			   &its_uid) != 2 ||
		    its_port != port)
			continue;
		if (its_uid == uid)
			return true;
		*others = true;
	}
	return false;
}

/* Beside a socket of another user's none can have the port of all addresses (ip(7), SO_REUSEADDR; ipv6(7),
 * IPV6_V6ONLY). */
static bool is_of_others(unsigned port, uint32_t uid)
{
	bool others = false;

	return !look_for("/proc/net/udp", port, uid, &others) &&
	       !look_for("/proc/net/udp6", port, uid, &others) && others;
}

bool port_may_be_of(unsigned port, uint32_t uid)
{
	return !is_free(port) && !is_of_others(port, uid);
}
