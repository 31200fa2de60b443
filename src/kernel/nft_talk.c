/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "nft_talk.h"

#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "dockside/base/err.h"
#include "dockside/base/util.h"
#include "dockside/kernel/nft_read.h"

uint8_t table_nfproto(enum table_family family)
{
	return family == TABLE_BRIDGE ? NFPROTO_BRIDGE : NFPROTO_INET;
}

int netlink_open(int flags, struct mnl_socket **ret_socket, struct err *err)
{
	struct mnl_socket *socket = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC | flags);

	if (!socket || mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) < 0) {
		int r = err_errno(err, errno, "open a netlink socket");

		if (socket)
			mnl_socket_close(socket);
		return r;
	}
	*ret_socket = socket;
	return 0;
}

int netlink_read(struct mnl_socket *socket, void *buf, size_t size, unsigned max, netlink_fn fn,
		 void *data, bool *ret_lost)
{
	int r = 1;

	for (unsigned i = 0; r > 0 && i < max; i++) {
		ssize_t n = mnl_socket_recvfrom(socket, buf, size);

		if (n >= 0)
			r = fn(data, buf, (size_t)n);
		else if (errno == EAGAIN)
			r = 0;
		else if (errno == ENOBUFS || errno == ENOSPC) /* the latter: larger than buf */
			*ret_lost = true;
		else if (errno != EINTR)
			r = -errno;
	}
	return r;
}

int nft_reader_open(struct nft_reader **ret_reader, struct err *err)
{
	struct mnl_socket *socket = NULL;
	int r = netlink_open(0, &socket, err);

	if (r < 0)
		return r;
	*ret_reader = xcalloc(1, sizeof(**ret_reader));
	(*ret_reader)->socket = socket;
	return 0;
}

void nft_reader_close(struct nft_reader *reader)
{
	if (!reader)
		return;
	mnl_socket_close(reader->socket);
	free(reader);
}

struct nlmsghdr *nft_request(struct nft_reader *reader, char *buf, uint8_t family, int type,
			     uint16_t flags)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct nfgenmsg *nfg;

	nlh->nlmsg_type = (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type);
	nlh->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	nlh->nlmsg_seq = ++reader->seq;
	nfg = mnl_nlmsg_put_extra_header(nlh, sizeof(*nfg));
	nfg->nfgen_family = family;
	nfg->version = NFNETLINK_V0;
	return nlh;
}

/*
 * Whether the kernel has refused the request, so that nothing more is to come. It does where the table is gone, and
 * then time matters: closing a socket of netfilter takes some 10 ms while the kernel frees what was deleted.
 */
static bool is_refusal(const struct nft_reader *reader, ssize_t n)
{
	const struct nlmsghdr *nlh = (const void *)reader->buf;

	return n > 0 && mnl_nlmsg_ok(nlh, (int)n) && nlh->nlmsg_type == NLMSG_ERROR &&
	       nlh->nlmsg_seq == reader->seq;
}

/* After another error the rest of the answers may still be to come: start afresh. */
static void reopen(struct nft_reader *reader)
{
	struct mnl_socket *fresh = NULL;

	if (netlink_open(0, &fresh, NULL) < 0)
		return;
	mnl_socket_close(reader->socket);
	reader->socket = fresh;
}

int nft_talk(struct nft_reader *reader, const struct nlmsghdr *nlh, mnl_cb_t cb, void *data)
{
	uint32_t portid = mnl_socket_get_portid(reader->socket);
	ssize_t n = 0;
	int r = 1;

	if (mnl_socket_sendto(reader->socket, nlh, nlh->nlmsg_len) < 0)
		r = -errno;
	while (r > 0) {
		n = mnl_socket_recvfrom(reader->socket, reader->buf, sizeof(reader->buf));
		if (n < 0)
			r = -errno;
		else if ((r = mnl_cb_run(reader->buf, (size_t)n, reader->seq, portid, cb, data)) <
			 0)
			r = errno ? -errno : -EBADMSG;
	}
	if (r < 0 && !is_refusal(reader, n))
		reopen(reader);
	return r;
}
