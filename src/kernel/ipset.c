/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/kernel/ipset.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/ipset/ip_set.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dockside/base/err.h"
#include "dockside/base/util.h"
#include "dockside/kernel/nft_read.h"
#include "nft_attr.h"
#include "nft_talk.h"

/* Rules let go of their sets only after a grace period of the kernel (RCU). */
#define BUSY_TRIES 20
#define BUSY_WAIT_NS 10000000l

static struct nlmsghdr *request(struct nft_reader *reader, char *buf, int cmd, uint16_t flags)
{
	struct nlmsghdr *nlh = nft_request(reader, buf, NFPROTO_IPV4, 0, flags);

	nlh->nlmsg_type = (uint16_t)(NFNL_SUBSYS_IPSET << 8 | cmd);
	mnl_attr_put_u8(nlh, IPSET_ATTR_PROTOCOL, IPSET_PROTOCOL_MIN);
	return nlh;
}

struct names {
	char **items;
	size_t n, cap;
};

static int on_set(const struct nlmsghdr *nlh, void *data)
{
	struct names *names = data;
	struct attrs a = attrs_of_message(nlh);

	if (!a.at[IPSET_ATTR_SETNAME])
		return MNL_CB_OK;
	names->items = array_grow(names->items, &names->cap, names->n, sizeof(*names->items));
	names->items[names->n++] = xstrdup(mnl_attr_get_str(a.at[IPSET_ATTR_SETNAME]));
	return MNL_CB_OK;
}

/* The error of nfnetlink where nobody has registered the subsystem. */
static bool no_ipset(int r)
{
	return r == -EINVAL || r == -EOPNOTSUPP || r == -ENOENT;
}

int ipset_list(char ***ret_names, size_t *ret_n, struct err *err)
{
	char buf[REQUEST_SIZE] = { 0 };
	struct nft_reader *reader = NULL;
	struct names names = { 0 };
	struct nlmsghdr *nlh;
	int r;

	r = nft_reader_open(&reader, err);
	if (r < 0)
		return r;
	nlh = request(reader, buf, IPSET_CMD_LIST, NLM_F_DUMP);
	mnl_attr_put_u32(nlh, IPSET_ATTR_FLAGS, htonl(IPSET_FLAG_LIST_SETNAME));
	r = nft_talk(reader, nlh, on_set, &names);
	nft_reader_close(reader);
	if (r < 0 && !no_ipset(r)) {
		for (size_t i = 0; i < names.n; i++)
			free(names.items[i]);
		free(names.items);
		return err_errno(err, -r, "list ipsets");
	}
	*ret_names = names.items;
	*ret_n = names.n;
	return 0;
}

static int destroy_once(struct nft_reader *reader, const char *name)
{
	char buf[REQUEST_SIZE] = { 0 };
	struct nlmsghdr *nlh = request(reader, buf, IPSET_CMD_DESTROY, NLM_F_ACK);

	mnl_attr_put_strz(nlh, IPSET_ATTR_SETNAME, name);
	return nft_talk(reader, nlh, NULL, NULL);
}

int ipset_destroy(const char *name, struct err *err)
{
	struct nft_reader *reader = NULL;
	int r;

	r = nft_reader_open(&reader, err);
	if (r < 0)
		return r;
	r = destroy_once(reader, name);
	for (int i = 0; i < BUSY_TRIES && (r == -EBUSY || r == -IPSET_ERR_BUSY); i++) {
		nanosleep(&(struct timespec){ .tv_nsec = BUSY_WAIT_NS }, NULL);
		r = destroy_once(reader, name);
	}
	nft_reader_close(reader);
	if (r == -IPSET_ERR_BUSY || r == -EBUSY)
		return err_set(err, EBUSY, "ipset %s: a rule still uses it", name);
	return r < 0 && r != -ENOENT ? err_errno(err, -r, "destroy ipset %s", name) : 0;
}
