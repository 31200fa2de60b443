/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation
 *
 * Rules are read for what our own could say: interface name, mark, verdict, comment. Both spellings of
 * each are understood, nft's and that of iptables-nft, which takes the place of ours after a save
 * and restore. Anything else in a rule makes it somebody else's.
 */
#include "dockside/kernel/nft_read_shim.h"

#include <errno.h>
#include <libnftnl/udata.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include "nft_attr.h"
#include "nft_talk.h"

#include "dockside/base/arena.h"
#include "dockside/base/err.h"
#include "dockside/base/util.h"

#define DOCKER_TABLE "docker-bridges" /* doc/kernel.md, "Docker's own rules" */
#define N_REGISTERS 20 /* NFT_REG_1 … and the 4-byte ones; more than iptables uses */

static const struct {
	uint8_t family;
	const char *table;
} tables[N_SHIM_TABLES] = {
	[SHIM_FILTER4] = { NFPROTO_IPV4, "filter" },
	[SHIM_FILTER6] = { NFPROTO_IPV6, "filter" },
	[SHIM_NAT4] = { NFPROTO_IPV4, "nat" },
};

struct reading {
	struct shim_kernel *actual;
	uint8_t family;
	enum shim_table table; /* whose rules are being read */
	size_t chain;	       /* of the last rule: the dump goes through them in order */
};

/* ------------------------------------------------------------------ one rule */

/* The contents of the registers while a rule's expressions are read. */
enum content {
	CONTENT_UNKNOWN,
	CONTENT_IIFNAME,
	CONTENT_MARK,
};

struct rule_reader {
	struct shim_kernel *actual;
	struct shim_rule *rule;
	enum content content;
	uint32_t mask;
};

static void read_meta(struct rule_reader *r, const struct attrs *a)
{
	uint32_t key = attr_u32(a->at[NFTA_META_KEY]);

	r->content = CONTENT_UNKNOWN;
	r->mask = UINT32_MAX;
	if (!a->at[NFTA_META_DREG]) {
		r->rule->other = true;
		return;
	}
	if (key == NFT_META_IIFNAME)
		r->content = CONTENT_IIFNAME;
	else if (key == NFT_META_MARK)
		r->content = CONTENT_MARK;
}

static const void *get_value(const struct nlattr *attr, size_t *ret_len)
{
	struct attrs data;

	if (!attrs_parse_nested(&data, attr) || !data.at[NFTA_DATA_VALUE])
		return NULL;
	*ret_len = mnl_attr_get_payload_len(data.at[NFTA_DATA_VALUE]);
	return mnl_attr_get_payload(data.at[NFTA_DATA_VALUE]);
}

/* mark & mask, and nothing xored */
static void read_bitwise(struct rule_reader *r, const struct attrs *a)
{
	size_t mask_len = 0, xor_len = 0;
	const void *mask = get_value(a->at[NFTA_BITWISE_MASK], &mask_len);
	const void *flips = get_value(a->at[NFTA_BITWISE_XOR], &xor_len);
	static const uint32_t none;

	if (r->content == CONTENT_MARK && mask && mask_len == sizeof(r->mask) && flips &&
	    xor_len == sizeof(none) && memcmp(flips, &none, sizeof(none)) == 0)
		memcpy(&r->mask, mask, sizeof(r->mask));
	else
		r->rule->other = true;
}

static void read_cmp(struct rule_reader *r, const struct attrs *a)
{
	size_t len = 0;
	const char *value = get_value(a->at[NFTA_CMP_DATA], &len);
	bool equal = attr_u32(a->at[NFTA_CMP_OP]) == NFT_CMP_EQ;
	struct shim_rule *rule = r->rule;

	if (!value || !equal) {
		rule->other = true;
	} else if (r->content == CONTENT_IIFNAME && !rule->iifname && memchr(value, '\0', len)) {
		/* Without its NUL it is a prefix: "br-+", as iptables has it. */
		rule->iifname = arena_strdup(&r->actual->arena, value);
	} else if (r->content == CONTENT_MARK && !rule->has_mark &&
		   len == sizeof(rule->mark_value)) {
		rule->has_mark = true;
		rule->mark_mask = r->mask;
		memcpy(&rule->mark_value, value, len);
	} else {
		rule->other = true;
	}
}

static void read_verdict(struct rule_reader *r, const struct attrs *a)
{
	struct shim_rule *rule = r->rule;
	struct attrs data, verdict;

	if (!attrs_parse_nested(&data, a->at[NFTA_IMMEDIATE_DATA]) ||
	    !attrs_parse_nested(&verdict, data.at[NFTA_DATA_VERDICT])) {
		rule->other = true;
		return;
	}
	switch ((int)attr_u32(verdict.at[NFTA_VERDICT_CODE])) {
	case NF_ACCEPT:
		rule->verdict = SHIM_ACCEPT;
		break;
	case NF_DROP:
		rule->verdict = SHIM_DROP;
		break;
	case NFT_RETURN:
		rule->verdict = SHIM_RETURN;
		break;
	case NFT_JUMP:
	case NFT_GOTO:
		if (!verdict.at[NFTA_VERDICT_CHAIN])
			break;
		rule->verdict = SHIM_JUMP;
		rule->is_goto = (int)attr_u32(verdict.at[NFTA_VERDICT_CODE]) == NFT_GOTO;
		rule->target = arena_strdup(&r->actual->arena,
					    mnl_attr_get_str(verdict.at[NFTA_VERDICT_CHAIN]));
		break;
	default:
		break;
	}
}

/* An xt match: iptables' comment is one (struct xt_comment_info: text and NUL), others are not ours. */
static void read_match(struct rule_reader *r, const struct attrs *a)
{
	const struct nlattr *info = a->at[NFTA_MATCH_INFO];

	if (!a->at[NFTA_MATCH_NAME] || !info ||
	    strcmp(mnl_attr_get_str(a->at[NFTA_MATCH_NAME]), "comment") != 0)
		r->rule->other = true;
	else
		r->rule->comment = arena_strndup(
			&r->actual->arena, mnl_attr_get_payload(info),
			strnlen(mnl_attr_get_payload(info), mnl_attr_get_payload_len(info)));
}

static void read_expression(struct rule_reader *r, const struct nlattr *expression)
{
	static const struct {
		const char *name;
		void (*read)(struct rule_reader *r, const struct attrs *a);
	} readers[] = {
		{ "meta", read_meta },	       { "bitwise", read_bitwise }, { "cmp", read_cmp },
		{ "immediate", read_verdict }, { "match", read_match },
	};
	struct attrs e, a;
	const char *name;

	if (!attrs_parse_nested(&e, expression) || !e.at[NFTA_EXPR_NAME]) {
		r->rule->other = true;
		return;
	}
	name = mnl_attr_get_str(e.at[NFTA_EXPR_NAME]);
	if (strcmp(name, "counter") == 0)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(readers); i++) {
		if (strcmp(name, readers[i].name) != 0)
			continue;
		if (attrs_parse_nested(&a, e.at[NFTA_EXPR_DATA]))
			readers[i].read(r, &a);
		return;
	}
	r->rule->other = true;
}

/* nft's own comment: type, length, string with its NUL (libnftnl/udata.h). */
static const char *udata_comment(const struct nlattr *attr, struct arena *arena)
{
	const uint8_t *data = mnl_attr_get_payload(attr);
	size_t len = mnl_attr_get_payload_len(attr);

	if (len < 2 || data[0] != NFTNL_UDATA_RULE_COMMENT || len < 2u + data[1])
		return NULL;
	return arena_printf(arena, "%.*s", data[1], (const char *)data + 2);
}

/* From the last one on: a table may have thousands of chains. */
static struct shim_chain *next_chain(struct reading *reading, const char *name)
{
	struct shim_kernel *actual = reading->actual;

	for (size_t i = 0; i < actual->n_chains; i++) {
		size_t at = (reading->chain + i) % actual->n_chains;

		if (actual->chains[at].table != reading->table ||
		    strcmp(actual->chains[at].name, name) != 0)
			continue;
		reading->chain = at;
		return &actual->chains[at];
	}
	return NULL;
}

static int on_rule(const struct nlmsghdr *nlh, void *data)
{
	struct reading *reading = data;
	struct rule_reader r = { .actual = reading->actual };
	const struct nlattr *expression;
	struct shim_chain *chain;
	struct attrs a = attrs_of_message(nlh);

	if (!a.at[NFTA_RULE_HANDLE] || !a.at[NFTA_RULE_CHAIN])
		return MNL_CB_OK;
	chain = next_chain(reading, mnl_attr_get_str(a.at[NFTA_RULE_CHAIN]));
	if (!chain)
		return MNL_CB_OK; /* made since: the generation tells */
	r.rule = shim_add_rule(chain);
	r.rule->handle = attr_u64(a.at[NFTA_RULE_HANDLE]);
	if (a.at[NFTA_RULE_EXPRESSIONS])
		attr_for_each_nested(expression, a.at[NFTA_RULE_EXPRESSIONS])
			read_expression(&r, expression);
	if (a.at[NFTA_RULE_USERDATA] && !r.rule->comment)
		r.rule->comment = udata_comment(a.at[NFTA_RULE_USERDATA], &reading->actual->arena);
	return MNL_CB_OK;
}

/* ------------------------------------------------------------------ tables */

static int on_chain(const struct nlmsghdr *nlh, void *data)
{
	const struct reading *reading = data;
	const char *table;
	struct attrs a = attrs_of_message(nlh);

	if (!a.at[NFTA_CHAIN_NAME] || !a.at[NFTA_CHAIN_TABLE])
		return MNL_CB_OK;
	table = mnl_attr_get_str(a.at[NFTA_CHAIN_TABLE]);
	if (reading->family == NFPROTO_IPV4 && strcmp(table, DOCKER_TABLE) == 0)
		reading->actual->docker_tables = true;
	for (int i = 0; i < N_SHIM_TABLES; i++) {
		struct shim_chain *chain;

		if (tables[i].family != reading->family || strcmp(tables[i].table, table) != 0)
			continue;
		chain = shim_add_chain(reading->actual, (enum shim_table)i,
				       mnl_attr_get_str(a.at[NFTA_CHAIN_NAME]));
		chain->base = a.at[NFTA_CHAIN_HOOK] != NULL;
		chain->accepts = attr_u32(a.at[NFTA_CHAIN_POLICY]) == NF_ACCEPT;
	}
	return MNL_CB_OK;
}

static int read_chains(struct nft_reader *reader, struct shim_kernel *actual, uint8_t family)
{
	struct reading reading = { .actual = actual, .family = family };
	char buf[REQUEST_SIZE] = { 0 };
	struct nlmsghdr *nlh = nft_request(reader, buf, family, NFT_MSG_GETCHAIN, NLM_F_DUMP);

	return nft_talk(reader, nlh, on_chain, &reading);
}

static int read_rules(struct nft_reader *reader, struct shim_kernel *actual, enum shim_table table)
{
	struct reading reading = { .actual = actual, .table = table };
	char buf[REQUEST_SIZE] = { 0 };
	struct nlmsghdr *nlh =
		nft_request(reader, buf, tables[table].family, NFT_MSG_GETRULE, NLM_F_DUMP);

	mnl_attr_put_strz(nlh, NFTA_RULE_TABLE, tables[table].table);
	return nft_talk(reader, nlh, on_rule, &reading);
}

/* In ip nat only the chains matter that the iptables version may have left there. */
static bool matters(const struct shim_kernel *actual, enum shim_table table)
{
	for (size_t i = 0; i < actual->n_chains; i++)
		if (actual->chains[i].table == table &&
		    (table != SHIM_NAT4 ||
		     strncmp(actual->chains[i].name, SHIM_PREFIX, strlen(SHIM_PREFIX)) == 0))
			return true;
	return false;
}

static int read_all(struct nft_reader *reader, struct shim_kernel *actual)
{
	int r = read_chains(reader, actual, NFPROTO_IPV4);

	if (r >= 0)
		r = read_chains(reader, actual, NFPROTO_IPV6);
	for (int i = 0; r >= 0 && i < N_SHIM_TABLES; i++)
		if (matters(actual, (enum shim_table)i))
			r = read_rules(reader, actual, (enum shim_table)i);
	return r;
}

static int read_afresh(struct nft_reader *reader, void *data)
{
	struct shim_kernel *actual = data;

	shim_kernel_free(actual);
	return read_all(reader, actual);
}

int nft_read_shim(struct nft_reader *reader, struct shim_kernel *ret_actual, struct err *err)
{
	struct shim_kernel actual = { 0 };
	uint32_t genid = 0;
	int r = nft_read_settled(reader, read_afresh, &actual, "the tables of iptables", &genid,
				 err);

	if (r < 0)
		shim_kernel_free(&actual);
	else
		*ret_actual = actual;
	return r;
}
