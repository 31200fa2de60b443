/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The first process of a container: sends a datagram at once to each address and port that is named, again and again for
 * so many milliseconds. Static: nothing comes before it.
 *
 * usage: first MILLISECONDS ADDRESS PORT...
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	long left = argc > 1 ? atol(argv[1]) : 0;

	do {
		for (int i = 2; i + 1 < argc; i += 2) {
			struct sockaddr_in to = { .sin_family = AF_INET };

			to.sin_port = htons((unsigned short)atoi(argv[i + 1]));
			inet_pton(AF_INET, argv[i], &to.sin_addr);
			sendto(fd, "now", 3, 0, (struct sockaddr *)&to, sizeof(to));
		}
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	} while (left-- > 0);
	return 0;
}
