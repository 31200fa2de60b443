/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Layer 5: names to addresses through c-ares: (names) in, (addresses, TTLs) out. Nothing else knows
 * DNS.
 */
#ifndef DOCKSIDE_DNS_H
#define DOCKSIDE_DNS_H

#include "dockside/err.h"
#include "dockside/hosts.h"

/*
 * Asks for every HOST_UNASKED name of hosts at once, IPv4 and IPv6, /etc/hosts first, then DNS, as
 * resolv.conf says; returns when all have answered or timeout_ms has passed (a name without an answer by
 * then is HOST_FAILED). Both families failing makes a name HOST_FAILED; one family's addresses with
 * the other's "no data" is success. Returns 0, or -errno when c-ares cannot start.
 */
int dns_resolve_all(struct hosts *hosts, unsigned timeout_ms, struct err *err);

#endif
