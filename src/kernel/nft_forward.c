/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <libnftnl/chain.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <libnftnl/udata.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/xt_conntrack.h>
#include <stdlib.h>
#include <string.h>

#include "dockside/base/err.h"
#include "dockside/base/util.h"
#include "dockside/kernel/nft_read_shim.h"
#include "nft_batch.h"

#define FILTER "filter"
#define ROOM 2048 /* bytes; enough for the one rule and its headers */

static struct nftnl_expr *expr_new(const char *name)
{
	struct nftnl_expr *expr = nftnl_expr_alloc(name);

	if (!expr)
		abort(); /* out of memory */
	return expr;
}

/*
 * -m conntrack --ctstate ESTABLISHED: struct xt_conntrack_mtinfo3, libnftnl takes it over. RELATED is left out: an
 * ICMP error from a container would pass Docker's rules, with any connection that it quotes. ICMP errors to
 * containers pass by Docker's own rules for each bridge.
 */
static struct nftnl_expr *known_connections(void)
{
	struct nftnl_expr *expr = expr_new("match");
	struct xt_conntrack_mtinfo3 *info = xcalloc(1, sizeof(*info));

	info->match_flags = XT_CONNTRACK_STATE;
	info->state_mask = XT_CONNTRACK_STATE_BIT(IP_CT_ESTABLISHED);
	nftnl_expr_set_str(expr, NFTNL_EXPR_MT_NAME, "conntrack");
	nftnl_expr_set_u32(expr, NFTNL_EXPR_MT_REV, 3);
	nftnl_expr_set(expr, NFTNL_EXPR_MT_INFO, info, sizeof(*info));
	return expr;
}

static struct nftnl_expr *accept_verdict(void)
{
	struct nftnl_expr *expr = expr_new("immediate");

	nftnl_expr_set_u32(expr, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
	nftnl_expr_set_u32(expr, NFTNL_EXPR_IMM_VERDICT, NF_ACCEPT);
	return expr;
}

static void set_comment(struct nftnl_rule *rule)
{
	struct nftnl_udata_buf *udata = nftnl_udata_buf_alloc(NFT_USERDATA_MAXLEN);

	if (!udata)
		abort();
	nftnl_udata_put_strz(udata, NFTNL_UDATA_RULE_COMMENT, SHIM_FORWARD_COMMENT);
	nftnl_rule_set_data(rule, NFTNL_RULE_USERDATA, nftnl_udata_buf_data(udata),
			    nftnl_udata_buf_len(udata));
	nftnl_udata_buf_free(udata);
}

/* Messages for one of the filter tables. */
struct forward_batch {
	struct nft_batch *batch;
	uint8_t family;
};

static struct nlmsghdr *put(const struct forward_batch *f, int type, int flags)
{
	return nft_batch_put(f->batch, f->family, type, flags, 1, ROOM);
}

static struct nftnl_rule *rule_new(void)
{
	struct nftnl_rule *rule = nftnl_rule_alloc();

	if (!rule)
		abort();
	nftnl_rule_set_str(rule, NFTNL_RULE_TABLE, FILTER);
	nftnl_rule_set_str(rule, NFTNL_RULE_CHAIN, SHIM_USER_CHAIN);
	return rule;
}

/* Right after our jump, which is the first rule; first where there is none. */
static void put_accept(const struct forward_batch *f, const struct shim_chain *user)
{
	bool jump = user->n_rules > 0 && user->rules[0].verdict == SHIM_JUMP &&
		    strcmp(user->rules[0].target, SHIM_CHAIN) == 0;
	struct nftnl_rule *rule;
	struct nlmsghdr *nlh;

	if (shim_has_forward_rule(user))
		return;
	rule = rule_new();
	if (jump)
		nftnl_rule_set_u64(rule, NFTNL_RULE_POSITION, user->rules[0].handle);
	nftnl_rule_add_expr(rule, known_connections());
	nftnl_rule_add_expr(rule, expr_new("counter"));
	nftnl_rule_add_expr(rule, accept_verdict());
	set_comment(rule);
	nlh = put(f, NFT_MSG_NEWRULE, NLM_F_CREATE | (jump ? NLM_F_APPEND : 0));
	nftnl_rule_nlmsg_build_payload(nlh, rule);
	nft_batch_end_message(f->batch, nlh);
	nftnl_rule_free(rule);
}

static void delete_accept(const struct forward_batch *f, const struct shim_chain *user)
{
	for (size_t i = 0; i < user->n_rules; i++) {
		const struct shim_rule *old = &user->rules[i];
		struct nftnl_rule *rule;
		struct nlmsghdr *nlh;

		if (!old->comment || strcmp(old->comment, SHIM_FORWARD_COMMENT) != 0)
			continue;
		rule = rule_new();
		nftnl_rule_set_u64(rule, NFTNL_RULE_HANDLE, old->handle);
		nlh = put(f, NFT_MSG_DELRULE, 0);
		nftnl_rule_nlmsg_build_payload(nlh, rule);
		nft_batch_end_message(f->batch, nlh);
		nftnl_rule_free(rule);
	}
}

static void put_policy(const struct forward_batch *f, uint32_t policy)
{
	struct nlmsghdr *nlh = put(f, NFT_MSG_NEWCHAIN, NLM_F_CREATE);

	mnl_attr_put_strz(nlh, NFTA_CHAIN_TABLE, FILTER);
	mnl_attr_put_strz(nlh, NFTA_CHAIN_NAME, "FORWARD");
	mnl_attr_put_u32(nlh, NFTA_CHAIN_POLICY, htonl(policy));
	nft_batch_end_message(f->batch, nlh);
}

static void put_record(const struct forward_batch *f, int type, int flags)
{
	struct nlmsghdr *nlh = put(f, type, flags);

	mnl_attr_put_strz(nlh, NFTA_CHAIN_TABLE, FILTER);
	mnl_attr_put_strz(nlh, NFTA_CHAIN_NAME, SHIM_FORWARD_CHAIN);
	nft_batch_end_message(f->batch, nlh);
}

/* user: DOCKER-USER, which ip6 filter does not have before Docker 23. */
static void put_changes(const struct forward_batch *f, enum shim_forward forward,
			const struct shim_chain *user, bool recorded)
{
	switch (forward) {
	case FORWARD_LEAVE:
		break;
	case FORWARD_DROP:
		if (user)
			put_accept(f, user);
		else
			put_record(f, NFT_MSG_NEWCHAIN, NLM_F_CREATE);
		put_policy(f, NF_DROP);
		break;
	case FORWARD_ACCEPT:
		put_accept(f, user);
		break;
	case FORWARD_RESTORE:
		if (user)
			delete_accept(f, user);
		if (recorded)
			put_record(f, NFT_MSG_DELCHAIN, 0);
		put_policy(f, NF_ACCEPT);
		break;
	}
}

int nft_set_forward(enum shim_table table, enum shim_forward forward,
		    const struct shim_kernel *actual, struct err *err)
{
	const struct shim_chain *user = shim_find_chain(actual, table, SHIM_USER_CHAIN);
	struct forward_batch f = { .family = table == SHIM_FILTER6 ? NFPROTO_IPV6 : NFPROTO_IPV4 };
	struct batch_answers answers;
	int r;

	/* Somebody may have taken them away since. */
	if (forward == FORWARD_LEAVE || !shim_find_chain(actual, table, "FORWARD") ||
	    (!user &&
	     (forward == FORWARD_ACCEPT || (forward == FORWARD_DROP && table == SHIM_FILTER4))))
		return 0;
	r = nft_batch_open(&f.batch, err);
	if (r < 0)
		return r;
	nft_batch_begin(f.batch);
	put_changes(&f, forward, user, shim_find_chain(actual, table, SHIM_FORWARD_CHAIN) != NULL);
	r = nft_batch_send(f.batch, NULL, NULL, &answers);
	if (r >= 0 && answers.error)
		r = -answers.error;
	nft_batch_close(f.batch);
	return r < 0 ? err_errno(err, -r, "change the policy of %s FORWARD", shim_table_name(table))
		     : 0;
}
