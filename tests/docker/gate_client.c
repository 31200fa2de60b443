/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A container's program that looks up names as its C library does, and connects at once to every address it gets. gate.sh
 * builds it static, with glibc and with musl.
 *
 * usage: gate_client PORT NAME...
 *
 * Prints for each name a line: "NAME: ADDRESS open, ADDRESS refused, ...", or "NAME: unknown in N ms" with what is not
 * "unknown" where the library says something else than that there is no such name.
 */
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static const char *dial(const struct addrinfo *ai)
{
	struct timeval limit = { .tv_sec = 3 };
	int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0), r;

	if (fd < 0)
		return "no socket";
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	r = connect(fd, ai->ai_addr, ai->ai_addrlen) < 0 ? errno : 0;
	close(fd);
	return r == 0		   ? "open"
	       : r == ECONNREFUSED ? "refused"
	       : r == EINPROGRESS  ? "silent"
				   : strerror(r);
}

static void look_up(const char *name, const char *port)
{
	const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
	struct addrinfo *list = NULL;
	long begin = now_ms();
	int r = getaddrinfo(name, port, &hints, &list);

	printf("%s:", name);
	/* Libraries choose one of the two for a name that does not exist. */
	if (r == EAI_NONAME || r == -5 /* EAI_NODATA */)
		printf(" unknown in %ld ms", now_ms() - begin);
	else if (r != 0)
		printf(" %s in %ld ms", gai_strerror(r), now_ms() - begin);
	for (const struct addrinfo *ai = list; ai; ai = ai->ai_next) {
		char text[64] = "?";

		getnameinfo(ai->ai_addr, ai->ai_addrlen, text, sizeof(text), NULL, 0,
			    NI_NUMERICHOST);
		printf("%s %s %s", ai == list ? "" : ",", text, dial(ai));
	}
	printf("\n");
	if (list)
		freeaddrinfo(list);
}

int main(int argc, char **argv)
{
	for (int i = 2; i < argc; i++)
		look_up(argv[i], argv[1]);
	return 0;
}
