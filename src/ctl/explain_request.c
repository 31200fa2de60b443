/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/ctl/explain_request.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "dockside/base/err.h"
#include "dockside/base/text.h"
#include "dockside/policy/fields.h"

static int read_proto(struct explain_question *q, const char *text, struct err *err)
{
	uint64_t number;

	if (strcmp(text, "tcp") == 0)
		q->l4proto = IPPROTO_TCP;
	else if (strcmp(text, "udp") == 0)
		q->l4proto = IPPROTO_UDP;
	else if (strcmp(text, "icmp") == 0 || strcmp(text, "icmpv6") == 0)
		q->icmp = true;
	else if (parse_uint(text, strlen(text), 1, UINT8_MAX, &number))
		q->l4proto = (uint8_t)number;
	else
		return err_set(err, EINVAL,
			       "the protocol must be tcp, udp, icmp or a number from 1 to 255, "
			       "found \"%.40s\"",
			       text);
	if (q->l4proto == IPPROTO_ICMP || q->l4proto == IPPROTO_ICMPV6)
		q->icmp = true;
	return 0;
}

static int read_port_and_type(struct explain_question *q, const struct request *request,
			      struct err *err)
{
	const struct json_node *port = request_field(request, "port");
	bool ports = !q->icmp && (q->l4proto == IPPROTO_TCP || q->l4proto == IPPROTO_UDP);

	q->type = request_string(request, "type");
	if (q->type && !q->icmp)
		return err_set(err, EINVAL, "a type is for icmp only");
	if (port && !ports)
		return err_set(err, EINVAL, "a port is for tcp and udp only");
	if (!port && ports)
		return err_set(err, EINVAL, "tcp and udp need a port: rules are on ports");
	if (!port)
		return 0;
	if (port->u.integer < 1 || port->u.integer > UINT16_MAX)
		return err_set(err, EINVAL, "the port must be a number from 1 to 65535");
	q->port = (uint16_t)port->u.integer;
	return 0;
}

static int read_source(struct explain_question *q, const struct request *request, struct err *err)
{
	const char *src = request_string(request, "source"), *mac = request_string(request, "mac");

	q->has_src = src;
	q->has_mac = mac;
	if (src && !ipaddr_parse(src, strlen(src), &q->src))
		return err_set(err, EINVAL, "the source must be an address, found \"%.64s\"", src);
	if (mac && !mac_parse(mac, strlen(mac), q->mac))
		return err_set(err, EINVAL,
			       "the MAC address must be xx:xx:xx:xx:xx:xx, found \"%.40s\"", mac);
	return 0;
}

/* Whether a packet to it would reach one receiver, by the network. */
static bool is_sendable(const struct ipaddr *addr)
{
	static const struct ipaddr broadcast = { FAMILY_IPV4, { 255, 255, 255, 255 } };

	return !ipaddr_is_unspecified(addr) && !ipaddr_is_multicast(addr) &&
	       !ipaddr_is_loopback(addr) && ipaddr_cmp(addr, &broadcast) != 0;
}

static int read_destination(struct explain_question *q, struct err *err)
{
	size_t len = strlen(q->to);

	q->to_addr = ipaddr_parse(q->to, len, &q->addr);
	if (q->to_addr && !is_sendable(&q->addr))
		return explain_one_receiver(q->to, err);
	if (!q->to_addr && !hostname_valid(q->to, len) &&
	    !(strncmp(q->to, "*.", 2) == 0 && hostname_valid(q->to + 2, len - 2)))
		return err_set(
			err, EINVAL,
			"the destination must be an address, a name, a wildcard or host, found "
			"\"%.64s\"",
			q->to);
	if (q->to_addr && q->has_src && q->addr.family != q->src.family)
		return err_set(err, EINVAL, "source and destination are not of one family");
	return 0;
}

int explain_request_read(const struct request *request, struct explain_question *ret_question,
			 struct err *err)
{
	struct explain_question q = {
		.from = request_string(request, "from"),
		.to = request_string(request, "to"),
	};
	int r = read_proto(&q, request_string(request, "protocol"), err);

	if (r >= 0)
		r = read_port_and_type(&q, request, err);
	if (r >= 0)
		r = read_source(&q, request, err);
	if (r >= 0)
		r = read_destination(&q, err);
	if (r >= 0)
		*ret_question = q;
	return r;
}
