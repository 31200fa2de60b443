/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation
 *
 * The kernel makes a dump piece by piece, one for each datagram that is read, so reading a little at a time
 * does not keep the processor for long, however many connections there are. It goes from bucket to bucket
 * of its table: what is opened meanwhile in one that it has left behind is not in the dump.
 *
 * An entry is ended by its original tuple, with its zone, and its number: one that was opened in its place is
 * spared. Requests go by a socket of their own, many in one datagram, and the kernel has carried them out
 * when sendto() returns. It answers only those that failed.
 */
#include "dockside/kernel/conntrack.h"

#include <endian.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>
#include <stdalign.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "dockside/base/err.h"
#include "dockside/base/util.h"
#include "dockside/table/plan.h"
#include "nft_attr.h"
#include "nft_talk.h"

#define READ_MAX 4 /* datagrams at once, some hundred entries each: others in the event loop wait */
#define BATCH_SIZE 16384u  /* bytes of requests in one datagram */
#define REQUEST_ROOM 512u  /* more than one takes */
#define LABELS_BYTES 16u   /* the kernel's NF_CT_LABELS_MAX_SIZE */
#define FAILURES_READ 1000 /* answers at once */

struct conntrack {
	struct mnl_socket *dump, *requests;
	uint32_t seq;
	size_t batch_len, n_batch;
	alignas(struct nlmsghdr) char batch[BATCH_SIZE];
	alignas(struct nlmsghdr) char datagram[DUMP_SIZE];
};

/* ------------------------------------------------------------------ entries */

static bool get_addr(const struct nlattr *attr, enum family family, struct ipaddr *ret)
{
	if (!attr || mnl_attr_get_payload_len(attr) != family_bytes(family))
		return false;
	*ret = ipaddr_from_bytes(family, mnl_attr_get_payload(attr));
	return true;
}

/* The source in a tuple. */
static bool get_source(const struct nlattr *tuple, struct ipaddr *ret)
{
	struct attrs parts, ip;

	if (!attrs_parse_nested(&parts, tuple) || !attrs_parse_nested(&ip, parts.at[CTA_TUPLE_IP]))
		return false;
	return get_addr(ip.at[CTA_IP_V4_SRC], FAMILY_IPV4, ret) ||
	       get_addr(ip.at[CTA_IP_V6_SRC], FAMILY_IPV6, ret);
}

/* One port of a tuple of TCP or UDP, by its attribute; 0: it has none. *ret_l4proto is the protocol. */
static uint16_t get_port(const struct nlattr *tuple, uint16_t attr, uint8_t *ret_l4proto)
{
	struct attrs parts, proto;
	uint16_t port = 0;

	*ret_l4proto = 0;
	if (!attrs_parse_nested(&parts, tuple) ||
	    !attrs_parse_nested(&proto, parts.at[CTA_TUPLE_PROTO]))
		return 0;
	if (proto.at[CTA_PROTO_NUM] && mnl_attr_get_payload_len(proto.at[CTA_PROTO_NUM]) == 1)
		*ret_l4proto = mnl_attr_get_u8(proto.at[CTA_PROTO_NUM]);
	if ((*ret_l4proto == IPPROTO_TCP || *ret_l4proto == IPPROTO_UDP) && proto.at[attr] &&
	    mnl_attr_get_payload_len(proto.at[attr]) == sizeof(port))
		port = ntohs(mnl_attr_get_u16(proto.at[attr]));
	return port;
}

/* Labels are one number of 128 bits in the host's byte order. An entry that has none set comes without. */
static bool has_label(const struct nlattr *labels, unsigned bit)
{
	size_t byte = __BYTE_ORDER == __LITTLE_ENDIAN ? bit / 8 : LABELS_BYTES - 1 - bit / 8;
	const uint8_t *bytes;

	if (!labels || mnl_attr_get_payload_len(labels) != LABELS_BYTES)
		return false;
	bytes = mnl_attr_get_payload(labels);
	return bytes[byte] & 1u << bit % 8;
}

static bool parse_entry(const struct attrs *a, struct flow *ret_flow)
{
	uint8_t l4proto;

	*ret_flow = (struct flow){ .judged = has_label(a->at[CTA_LABELS], JUDGED_LABEL) };
	ret_flow->port = get_port(a->at[CTA_TUPLE_ORIG], CTA_PROTO_DST_PORT, &ret_flow->l4proto);
	ret_flow->reached_port = get_port(a->at[CTA_TUPLE_REPLY], CTA_PROTO_SRC_PORT, &l4proto);
	/* The answers come from where the packets go. */
	return get_source(a->at[CTA_TUPLE_ORIG], &ret_flow->src) &&
	       get_source(a->at[CTA_TUPLE_REPLY], &ret_flow->dst);
}

/* 0 is the acknowledgement of what asked for one, and the end of a dump. */
static int error_code(const struct nlmsghdr *nlh)
{
	const struct nlmsgerr *e = mnl_nlmsg_get_payload(nlh);

	if (mnl_nlmsg_get_payload_len(nlh) < sizeof(*e))
		return -EBADMSG;
	return e->error < 0 ? e->error : 0;
}

int conntrack_parse(const void *datagram, size_t len, conntrack_entry_fn on_entry, void *data)
{
	const struct nlmsghdr *nlh = datagram;
	int left = (int)len;

	for (; message_fits(nlh, left); nlh = mnl_nlmsg_next(nlh, &left)) {
		struct flow flow;
		struct attrs a;

		if (nlh->nlmsg_type == NLMSG_DONE)
			return 0;
		if (nlh->nlmsg_type == NLMSG_ERROR)
			return error_code(nlh);
		if (nlh->nlmsg_type != (NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW))
			continue;
		if (mnl_nlmsg_get_payload_len(nlh) < sizeof(struct nfgenmsg))
			return -EBADMSG;
		a = attrs_of_message(nlh);
		if (parse_entry(&a, &flow))
			on_entry(data, nlh, &flow);
	}
	return left <= 0 ? 1 : -EBADMSG; /* padding counts: the last message may lack it */
}

/* ------------------------------------------------------------------ requests */

static struct nlmsghdr *put_header(char *buf, int type, uint16_t flags, uint8_t family,
				   uint32_t seq)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct nfgenmsg *nfg;

	nlh->nlmsg_type = (uint16_t)(NFNL_SUBSYS_CTNETLINK << 8 | type);
	nlh->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	nlh->nlmsg_seq = seq;
	nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));
	nfg->nfgen_family = family;
	nfg->version = NFNETLINK_V0;
	return nlh;
}

/* An attribute without room is left out: then the kernel refuses the request. */
static void put_copy(struct nlmsghdr *nlh, const struct nlattr *attr)
{
	if (attr)
		mnl_attr_put_check(nlh, REQUEST_ROOM, attr->nla_type,
				   mnl_attr_get_payload_len(attr), mnl_attr_get_payload(attr));
}

struct pass {
	struct conntrack *conntrack;
	conntrack_ends_fn ends;
	void *data;
	struct conntrack_pass *done;
	int error;
};

struct failures {
	size_t n, n_failed; /* those that were there are among the former alone */
};

static int on_failure(void *data, const void *datagram, size_t len)
{
	const struct nlmsghdr *nlh = datagram;
	struct failures *failures = data;

	if (message_fits(nlh, (int)len) && nlh->nlmsg_type == NLMSG_ERROR) {
		failures->n++;
		failures->n_failed += error_code(nlh) != -ENOENT;
	}
	return 1;
}

static int send_batch(struct conntrack *ct, struct conntrack_pass *done)
{
	alignas(struct nlmsghdr) char answer[2048];
	struct failures failures = { 0 };
	size_t n = ct->n_batch;
	bool lost = false; /* then some are taken for ended */
	ssize_t r;

	if (n == 0)
		return 0;
	r = mnl_socket_sendto(ct->requests, ct->batch, ct->batch_len);
	ct->n_batch = ct->batch_len = 0;
	if (r < 0)
		return -errno;
	/* Counts the requests that the kernel could not do; it has answered all of them by now. */
	netlink_read(ct->requests, answer, sizeof(answer), FAILURES_READ, on_failure, &failures,
		     &lost);
	done->n_failed += failures.n_failed;
	done->n_ended += failures.n < n ? n - failures.n : 0;
	return 0;
}

static void on_entry(void *data, const struct nlmsghdr *entry, const struct flow *flow)
{
	const struct nfgenmsg *nfg = mnl_nlmsg_get_payload(entry);
	struct pass *pass = data;
	struct conntrack *ct = pass->conntrack;
	struct nlmsghdr *nlh;
	struct attrs a;

	pass->done->n_seen++;
	if (pass->error < 0 || !pass->ends(pass->data, flow))
		return;
	a = attrs_of_message(entry);
	memset(ct->batch + ct->batch_len, 0, REQUEST_ROOM);
	nlh = put_header(ct->batch + ct->batch_len, IPCTNL_MSG_CT_DELETE, 0, nfg->nfgen_family,
			 ++ct->seq);
	put_copy(nlh, a.at[CTA_TUPLE_ORIG]);
	put_copy(nlh, a.at[CTA_ZONE]);
	put_copy(nlh, a.at[CTA_ID]);
	ct->batch_len += nlh->nlmsg_len; /* attributes are padded */
	ct->n_batch++;
	if (ct->batch_len + REQUEST_ROOM > sizeof(ct->batch))
		pass->error = send_batch(ct, pass->done);
}

/* ------------------------------------------------------------------ the sockets */

int conntrack_open(struct conntrack **ret_conntrack, struct err *err)
{
	struct conntrack *ct = xcalloc(1, sizeof(*ct));
	int r = netlink_open(SOCK_NONBLOCK, &ct->dump, err);

	if (r >= 0)
		r = netlink_open(SOCK_NONBLOCK, &ct->requests, err);
	if (r < 0) {
		conntrack_close(ct);
		return r;
	}
	*ret_conntrack = ct;
	return 0;
}

void conntrack_close(struct conntrack *ct)
{
	if (!ct)
		return;
	if (ct->dump)
		mnl_socket_close(ct->dump);
	if (ct->requests)
		mnl_socket_close(ct->requests);
	free(ct);
}

int conntrack_fd(const struct conntrack *ct)
{
	return mnl_socket_get_fd(ct->dump);
}

int conntrack_begin(struct conntrack *ct, struct err *err)
{
	alignas(struct nlmsghdr) char buf[REQUEST_SIZE] = { 0 };
	const struct nlmsghdr *nlh =
		put_header(buf, IPCTNL_MSG_CT_GET, NLM_F_DUMP, AF_UNSPEC, ++ct->seq);

	ct->n_batch = ct->batch_len = 0;
	if (mnl_socket_sendto(ct->dump, nlh, nlh->nlmsg_len) < 0)
		return err_errno(err, errno, "ask the kernel for the connections");
	return 0;
}

static int on_entries(void *data, const void *datagram, size_t len)
{
	struct pass *pass = data;
	int r = conntrack_parse(datagram, len, on_entry, pass);

	pass->done->done = r == 0;
	return r >= 0 && pass->error < 0 ? pass->error : r;
}

int conntrack_read(struct conntrack *ct, conntrack_ends_fn ends, void *data,
		   struct conntrack_pass *done, struct err *err)
{
	struct pass pass = { ct, ends, data, done, 0 };
	bool lost = false;
	int r;

	done->done = false;
	r = netlink_read(ct->dump, ct->datagram, sizeof(ct->datagram), READ_MAX, on_entries, &pass,
			 &lost);
	if (r >= 0 && lost)
		r = -ENOBUFS;
	if (r < 0)
		return err_errno(err, -r, "read the kernel's connections");
	r = send_batch(ct, done);
	return r < 0 ? err_errno(err, -r, "end connections") : 0;
}
