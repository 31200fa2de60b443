/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * frames DEVICE: sends raw Ethernet frames and prints those that arrive, as any process of a container can that has
 * NET_RAW, one of Docker's default capabilities. It reads lines: "HEX" is a frame; "v HEX" one with a struct
 * virtio_net_hdr before it. Each is answered by "sent" or "failed: REASON". A frame that arrives is "< HEX".
 */
#include <arpa/inet.h>
#include <errno.h>
#include <error.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static unsigned char frame[65536];
static char line[2 * sizeof(frame) + 16];

static int raw_socket(const char *device, int protocol)
{
	struct sockaddr_ll address = { .sll_family = AF_PACKET,
				       .sll_protocol = htons(protocol),
				       .sll_ifindex = (int)if_nametoindex(device) };
	int fd = socket(AF_PACKET, SOCK_RAW, htons(protocol));

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		error(1, errno, "%s", device);
	return fd;
}

static size_t from_hex(const char *hex)
{
	size_t len = 0;

	while (len < sizeof(frame) && sscanf(hex + 2 * len, "%2hhx", &frame[len]) == 1)
		len++;
	return len;
}

static void print_frame(int fd)
{
	struct sockaddr_ll from = { 0 };
	socklen_t size = sizeof(from);
	ssize_t len = recvfrom(fd, frame, sizeof(frame), 0, (struct sockaddr *)&from, &size);

	if (len < 0 || from.sll_pkttype == PACKET_OUTGOING)
		return;
	printf("< ");
	for (ssize_t i = 0; i < len; i++)
		printf("%02x", frame[i]);
	printf("\n");
}

static void send_line(int plain, int with_header)
{
	int fd = line[0] == 'v' ? with_header : plain;
	size_t len = from_hex(line[0] == 'v' ? line + 2 : line);

	if (send(fd, frame, len, 0) == (ssize_t)len)
		printf("sent\n");
	else
		printf("failed: %s\n", strerror(errno));
}

int main(int argc, char **argv)
{
	struct pollfd fds[2] = { { .fd = STDIN_FILENO, .events = POLLIN }, { .events = POLLIN } };
	int with_header, on = 1;

	if (argc != 2)
		error(2, 0, "usage: frames DEVICE");
	fds[1].fd = raw_socket(argv[1], ETH_P_ALL);
	with_header = raw_socket(argv[1], 0);
	if (setsockopt(with_header, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)) < 0)
		error(1, errno, "PACKET_VNET_HDR");
	setvbuf(stdin, NULL, _IONBF, 0);
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("ready\n");
	while (poll(fds, 2, -1) > 0) {
		if (fds[1].revents)
			print_frame(fds[1].fd);
		if (!fds[0].revents)
			continue;
		if (!fgets(line, sizeof(line), stdin))
			break;
		send_line(fds[1].fd, with_header);
	}
	return 0;
}
