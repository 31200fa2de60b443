/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ICMPv6 types that <netinet/icmp6.h> lacks. <linux/icmpv6.h> has them, and the two cannot be included together. */
#ifndef DOCKSIDE_BASE_ICMP6_H
#define DOCKSIDE_BASE_ICMP6_H

#include <netinet/icmp6.h>

#define NI_QUERY 139	/* RFC 4620 */
#define MLD2_REPORT 143 /* RFC 3810 */
#define MRDISC_ADV 151	/* RFC 4286, and the next */
#define MRDISC_SOL 152

#endif
