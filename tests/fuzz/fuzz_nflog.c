/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The packet that we read from any bytes of a log message is sound, and its event is JSON. */
#include <net/ethernet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "dockside/base/buf.h"
#include "dockside/base/diag.h"
#include "dockside/kernel/nflog.h"
#include "dockside/report/denied.h"
#include "dockside/system/dns_reply.h"

#include "must.h"

static void check(void *data, const struct nflog_packet *packet)
{
	struct src src = { .name = NULL };
	struct denied_prefix prefix;
	struct dns_reply reply;
	struct json_tree tree = { 0 };
	struct diags diags = { 0 };
	struct buf b = { 0 };

	++*(size_t *)data;
	must(strnlen(packet->prefix, NFLOG_PREFIX_SIZE) < NFLOG_PREFIX_SIZE && packet->prefix[0]);
	must(packet->src.family == packet->dst.family);
	must(packet->is_frame || !packet->frame.has_addrs);
	must(!packet->frame.has_sender || packet->frame.protocol == ETHERTYPE_ARP);
	must(!packet->frame.has_target || packet->l4proto == IPPROTO_ICMPV6);
	must(!packet->has_ports || !packet->has_icmp);
	must(!packet->data || (packet->l4proto == IPPROTO_UDP && packet->n_data > 0));
	if (packet->data)
		(void)dns_reply_parse(packet->data, packet->n_data, &reply);
	if (denied_prefix_parse(packet->prefix, &prefix))
		must((prefix.bridge[0] || prefix.table == TABLE_BRIDGE) && prefix.kind[0]);
	denied_event_json(&b, &(struct denied_event){ .time_ms = packet->time_ms,
						      .network = packet->prefix,
						      .bridge = packet->prefix,
						      .kind = "OUT",
						      .src = packet->src,
						      .dst = packet->dst,
						      .l4proto = packet->l4proto,
						      .has_ports = packet->has_ports,
						      .has_icmp = packet->has_icmp,
						      .sport = packet->sport,
						      .dport = packet->dport });
	src.text = b.data;
	src.len = b.len;
	must(json_parse(&src, &tree, &diags));
	json_tree_free(&tree);
	diags_free(&diags);
	buf_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* A copy of the exact size, so that ASan sees a read past the end. */
	char *copy = malloc(size ? size : 1);
	size_t n = 0;

	must(copy);
	if (size)
		memcpy(copy, data, size);
	(void)nflog_parse(copy, size, check, &n);
	must(n <= size / 20);
	free(copy);
	return 0;
}
