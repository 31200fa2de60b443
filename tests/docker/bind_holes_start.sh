#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A container that restarts all the time, on a busy machine, sends at once what no port may. TAP.
# shellcheck disable=SC2317 # what others call
# shellcheck source=tests/docker/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/netns/daemon_lib.sh
. "$here/daemon_lib.sh"
# shellcheck source=tests/docker/bind_lib.sh
. "$lab/bind_lib.sh"

cat >$t/early.c <<'C'
#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
int main(void)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex("eth0") };
	unsigned char f[80] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 1, 0x15, 0x08, 0x06,
		0, 1, 8, 0, 6, 4, 0, 2, 0, 0, 0, 0, 0, 0, 10, 66, 0, 1, 0, 0, 0, 0, 0, 0, 172, 30, 1, 12 };
	int fd = socket(AF_PACKET, SOCK_RAW, 0);
	struct timespec begin, now;
	struct ifreq r = { .ifr_name = "eth0" };
	ioctl(fd, SIOCGIFHWADDR, &r);
	memcpy(f + 6, r.ifr_hwaddr.sa_data, 6);
	memcpy(f + 22, r.ifr_hwaddr.sa_data, 6);
	clock_gettime(CLOCK_MONOTONIC, &begin);
	for (;;) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		long us = (now.tv_sec - begin.tv_sec) * 1000000 + (now.tv_nsec - begin.tv_nsec) / 1000;
		if (us > 500000)
			return 1;
		memset(f + 42, 0, 36);
		sprintf((char *)f + 42, "early after %08ld us.", us);
		sendto(fd, f, sizeof(f), 0, (struct sockaddr *)&to, sizeof(to));
		usleep(200);
	}
}
C
"${CC:-cc}" -O2 -static -o $t/early $t/early.c || bail "no compiler"
cat >$t/listen.py <<'P'
import re, select, socket, sys, time
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0806))
s.setsockopt(socket.SOL_SOCKET, 33, 8 << 20)
s.bind(("eth0", 0x0806))
while True:
    d = s.recv(2000)
    m = re.search(rb"early after (\d+)", d)
    if m:
        print(int(m[1]), flush=True)
P
outside 198.51.100.1/32 || bail "cannot build the network"
bind_config strict
firewall_config <<<'{"networks": {"ds-a": {"egress": [{"action": "drop"}]}}}'
dockerd_start
busybox_image || bail "no image"
start_listening
start_daemon
bind_containers || bail "no containers"
tree=$t/early-image
mkdir -p $tree/bin && cp $t/early $tree/bin/early
image_from $tree early:1 'CMD ["/bin/early"]'
nsenter --net=/run/netns/c2 python3 $t/listen.py >$t/heard &
listener=$!
rounds() # WHAT
{
	local i
	: >$t/heard
	for ((i = 0; i < ${ROUNDS:-20}; i++)); do
		docker run --rm --network ds-a early:1
	done
	echo "$1: $(wc -l <$t/heard) frames arrived in ${ROUNDS:-20} starts; the latest after $(sort -n $t/heard | tail -1) us" | comment
}
rounds "calm"
docker exec -d c1 sh -c 'for i in $(seq 60); do while :; do :; done & done; wait'
rounds "60 processes of another container busy"
docker restart -t 0 c1 >/dev/null
kill -STOP $daemon_pid
ROUNDS=3 rounds "the daemon stopped (control)"
kill -CONT $daemon_pid
kill $listener
finish
