/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation
 *
 * A table is read by a handful of dumps: chains, rules, sets, the elements of each set, objects and
 * flowtables. They are of one state only if the ruleset's generation is the same before and after.
 * Rules never change in the kernel; a replaced rule is a new one. All that is kept of a rule is a
 * hash of its expressions as they come (names and data; values of counters aside) and of its user
 * data, which is where the comment is.
 */
#include "dockside/kernel/nft_read.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "nft_attr.h"
#include "nft_talk.h"

#include "dockside/base/arena.h"
#include "dockside/base/err.h"
#include "dockside/base/util.h"

/* Somebody who changes the ruleset all the time must not keep us here for ever. */
#define READ_TRIES 50

static int dump(struct nft_reader *reader, enum table_family family, int type, uint16_t table_attr,
		uint16_t name_attr, const char *name, mnl_cb_t cb, void *data)
{
	char buf[REQUEST_SIZE] = { 0 };
	struct nlmsghdr *nlh = nft_request(reader, buf, table_nfproto(family), type, NLM_F_DUMP);

	if (table_attr)
		mnl_attr_put_strz(nlh, table_attr, TABLE_NAME);
	if (name)
		mnl_attr_put_strz(nlh, name_attr, name);
	return nft_talk(reader, nlh, cb, data);
}

static int on_gen(const struct nlmsghdr *nlh, void *data)
{
	struct attrs a = attrs_of_message(nlh);

	if (a.at[NFTA_GEN_ID])
		*(uint32_t *)data = attr_u32(a.at[NFTA_GEN_ID]);
	return MNL_CB_OK;
}

int nft_read_genid(struct nft_reader *reader, uint32_t *ret_genid, struct err *err)
{
	char buf[REQUEST_SIZE] = { 0 };
	struct nlmsghdr *nlh = nft_request(reader, buf, NFPROTO_INET, NFT_MSG_GETGEN, NLM_F_ACK);
	int r = nft_talk(reader, nlh, on_gen, ret_genid);

	return r < 0 ? err_errno(err, -r, "ask for the ruleset's generation") : 0;
}

int nft_read_settled(struct nft_reader *reader, nft_read_fn read, void *data, const char *what,
		     uint32_t *ret_genid, struct err *err)
{
	for (int i = 0; i < READ_TRIES; i++) {
		uint32_t before = 0, after = 0;
		int r = nft_read_genid(reader, &before, err);

		if (r < 0)
			return r;
		r = read(reader, data);
		if (r < 0 && r != -EINTR && r != -ENOENT)
			return err_errno(err, -r, "read %s", what);
		if (r >= 0) /* else changed under the dump, or a set went before its elements */
			r = nft_read_genid(reader, &after, err);
		if (r >= 0 && after == before) {
			*ret_genid = after;
			return 0;
		}
		nanosleep(&(struct timespec){ .tv_nsec = 1000000l * i }, NULL);
	}
	return err_set(err, EAGAIN, "read %s: somebody keeps changing the ruleset", what);
}

/* ------------------------------------------------------------------ the table */

struct reading {
	struct actual *actual;
	struct actual_chain *chain; /* whose rules are being read */
	struct actual_set *set;	    /* whose elements are being read */
	struct interval_reader interval;
};

static int on_table(const struct nlmsghdr *nlh, void *data)
{
	struct actual *actual = ((struct reading *)data)->actual;
	struct attrs a = attrs_of_message(nlh);

	actual->exists = true;
	actual->dormant = attr_u32(a.at[NFTA_TABLE_FLAGS]) & NFT_TABLE_F_DORMANT;
	actual->owned = a.at[NFTA_TABLE_OWNER] != NULL;
	return MNL_CB_OK;
}

static int read_table_itself(struct nft_reader *reader, struct reading *reading)
{
	char buf[REQUEST_SIZE] = { 0 };
	struct nlmsghdr *nlh = nft_request(reader, buf, table_nfproto(reading->actual->family),
					   NFT_MSG_GETTABLE, NLM_F_ACK);
	int r;

	mnl_attr_put_strz(nlh, NFTA_TABLE_NAME, TABLE_NAME);
	r = nft_talk(reader, nlh, on_table, reading);
	return r == -ENOENT ? 0 : r;
}

static struct actual_chain *add_chain(struct actual *actual, const char *name)
{
	actual->chains = array_grow(actual->chains, &actual->cap_chains, actual->n_chains,
				    sizeof(*actual->chains));
	actual->chains[actual->n_chains] =
		(struct actual_chain){ .name = arena_strdup(&actual->arena, name) };
	return &actual->chains[actual->n_chains++];
}

static int on_chain(const struct nlmsghdr *nlh, void *data)
{
	struct actual *actual = ((struct reading *)data)->actual;
	struct actual_chain *chain;
	struct attrs a = attrs_of_message(nlh);

	if (!a.at[NFTA_CHAIN_NAME] || !a.at[NFTA_CHAIN_TABLE])
		return MNL_CB_OK;
	if (strcmp(mnl_attr_get_str(a.at[NFTA_CHAIN_TABLE]), TABLE_NAME) != 0)
		return MNL_CB_OK; /* this dump knows no filter */
	chain = add_chain(actual, mnl_attr_get_str(a.at[NFTA_CHAIN_NAME]));
	read_base_chain(actual->family, &a, chain);
	return MNL_CB_OK;
}

static int on_rule(const struct nlmsghdr *nlh, void *data)
{
	struct reading *reading = data;
	struct actual_chain *chain = reading->chain;
	struct actual_rule *rule;
	struct attrs a = attrs_of_message(nlh);

	if (!a.at[NFTA_RULE_HANDLE])
		return MNL_CB_OK;
	chain->rules =
		array_grow(chain->rules, &chain->cap_rules, chain->n_rules, sizeof(*chain->rules));
	rule = &chain->rules[chain->n_rules++];
	*rule = (struct actual_rule){ 0 };
	rule->hash = hash_rule(&a);
	rule_counter(&a, rule);
	return MNL_CB_OK;
}

static int on_set(const struct nlmsghdr *nlh, void *data)
{
	struct actual *actual = ((struct reading *)data)->actual;
	struct actual_set *set;
	struct attrs a = attrs_of_message(nlh);

	if (!a.at[NFTA_SET_NAME])
		return MNL_CB_OK;
	actual->sets =
		array_grow(actual->sets, &actual->cap_sets, actual->n_sets, sizeof(*actual->sets));
	set = &actual->sets[actual->n_sets++];
	*set = (struct actual_set){ 0 };
	set->set.name = arena_strdup(&actual->arena, mnl_attr_get_str(a.at[NFTA_SET_NAME]));
	read_set(&a, set);
	return MNL_CB_OK;
}

static int on_elems(const struct nlmsghdr *nlh, void *data)
{
	struct reading *reading = data;
	struct plan_set *set = &reading->set->set;
	const struct nlattr *item;
	struct attrs a = attrs_of_message(nlh);

	if (!a.at[NFTA_SET_ELEM_LIST_ELEMENTS])
		return MNL_CB_OK;
	attr_for_each_nested(item, a.at[NFTA_SET_ELEM_LIST_ELEMENTS])
	{
		struct elem elem;
		bool end = false;

		if (!read_elem(item, set->type, &reading->actual->arena, &elem, &end))
			set->type = SET_UNKNOWN; /* nothing of ours: to be replaced */
		else if (set->interval)
			interval_add(&reading->interval, &elem, end);
		else
			*set_add_elem(set, NULL) = elem;
	}
	return MNL_CB_OK;
}

static void add_other(struct actual *actual, const char *word, const char *name)
{
	actual->others = array_grow(actual->others, &actual->cap_others, actual->n_others,
				    sizeof(*actual->others));
	actual->others[actual->n_others++] =
		(struct actual_other){ word, arena_strdup(&actual->arena, name) };
}

static int on_object(const struct nlmsghdr *nlh, void *data)
{
	struct actual *actual = ((struct reading *)data)->actual;
	struct actual_object object = { 0 };
	const char *name, *word = NULL;
	struct attrs a = attrs_of_message(nlh);

	if (!a.at[NFTA_OBJ_NAME] || !a.at[NFTA_OBJ_TYPE])
		return MNL_CB_OK;
	name = mnl_attr_get_str(a.at[NFTA_OBJ_NAME]);
	if (read_object(&a, &object)) {
		object.name = arena_strdup(&actual->arena, name);
		actual->objects = array_grow(actual->objects, &actual->cap_objects,
					     actual->n_objects, sizeof(*actual->objects));
		actual->objects[actual->n_objects++] = object;
		return MNL_CB_OK;
	}
	word = object_word(attr_u32(a.at[NFTA_OBJ_TYPE]));
	if (word) /* else a kind that nft 1.0.6 cannot name, let alone delete */
		add_other(actual, word, name);
	return MNL_CB_OK;
}

static int on_flowtable(const struct nlmsghdr *nlh, void *data)
{
	struct attrs a = attrs_of_message(nlh);

	if (a.at[NFTA_FLOWTABLE_NAME])
		add_other(((struct reading *)data)->actual, "flowtable",
			  mnl_attr_get_str(a.at[NFTA_FLOWTABLE_NAME]));
	return MNL_CB_OK;
}

static bool is_of_marks(const struct actual_set *set)
{
	return set->set.type == SET_MARKS && !set->anonymous;
}

/* A dynamic set of addresses may have a million, which are nobody's plan. */
static bool is_ours(const struct actual_set *set)
{
	return is_of_marks(set) ||
	       (set->set.type != SET_UNKNOWN && !set->anonymous && !set->set.dynamic);
}

static int read_elems(struct nft_reader *reader, struct reading *reading,
		      bool (*is_wanted)(const struct actual_set *set))
{
	struct actual *actual = reading->actual;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < actual->n_sets; i++) {
		struct actual_set *set = &actual->sets[i];

		if (!is_wanted(set))
			continue;
		reading->set = set;
		r = dump(reader, actual->family, NFT_MSG_GETSETELEM, NFTA_SET_ELEM_LIST_TABLE,
			 NFTA_SET_ELEM_LIST_SET, set->set.name, on_elems, reading);
		interval_finish(&reading->interval, &set->set);
	}
	return r;
}

static int read_chain(struct nft_reader *reader, struct reading *reading,
		      struct actual_chain *chain)
{
	chain->n_rules = 0;
	reading->chain = chain;
	return dump(reader, reading->actual->family, NFT_MSG_GETRULE, NFTA_RULE_TABLE,
		    NFTA_RULE_CHAIN, chain->name, on_rule, reading);
}

/* Chain by chain: for each buffer of a dump of all rules the kernel walks from the first rule on to
 * where the last buffer ended. */
static int read_rules(struct nft_reader *reader, struct reading *reading)
{
	struct actual *actual = reading->actual;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < actual->n_chains; i++)
		r = read_chain(reader, reading, &actual->chains[i]);
	return r;
}

static int read_objects(struct nft_reader *reader, struct reading *reading)
{
	return dump(reader, reading->actual->family, NFT_MSG_GETOBJ, NFTA_OBJ_TABLE, 0, NULL,
		    on_object, reading);
}

static int read_sets(struct nft_reader *reader, struct reading *reading)
{
	return dump(reader, reading->actual->family, NFT_MSG_GETSET, NFTA_SET_TABLE, 0, NULL,
		    on_set, reading);
}

static int read_all(struct nft_reader *reader, struct actual *actual)
{
	struct reading reading = { .actual = actual };
	int r;

	r = read_table_itself(reader, &reading);
	if (r < 0 || !actual->exists)
		return r;
	r = dump(reader, actual->family, NFT_MSG_GETCHAIN, 0, 0, NULL, on_chain, &reading);
	if (r >= 0)
		r = read_rules(reader, &reading);
	if (r >= 0)
		r = read_sets(reader, &reading);
	if (r >= 0)
		r = read_elems(reader, &reading, is_ours);
	if (r >= 0)
		r = read_objects(reader, &reading);
	if (r >= 0)
		r = dump(reader, actual->family, NFT_MSG_GETFLOWTABLE, NFTA_FLOWTABLE_TABLE, 0,
			 NULL, on_flowtable, &reading);
	interval_free(&reading.interval);
	actual_finish(actual);
	return r;
}

/* Empties it, but for its family. */
static void begin(struct actual *actual)
{
	enum table_family family = actual->family;

	actual_free(actual);
	actual->family = family;
}

static int read_afresh(struct nft_reader *reader, void *data)
{
	begin(data);
	return read_all(reader, data);
}

static int read_both_afresh(struct nft_reader *reader, void *data)
{
	struct actual *actual = data;
	int r = 0;

	for (int i = 0; r >= 0 && i < N_TABLES; i++)
		r = read_afresh(reader, &actual[i]);
	return r;
}

static int read_objects_afresh(struct nft_reader *reader, void *data)
{
	struct reading reading = { .actual = data };
	int r;

	begin(data);
	r = read_objects(reader, &reading);
	actual_finish(data);
	return r;
}

static int read_sets_afresh(struct nft_reader *reader, void *data)
{
	struct reading reading = { .actual = data };
	int r;

	begin(data);
	r = read_sets(reader, &reading);
	if (r >= 0)
		r = read_elems(reader, &reading, is_of_marks);
	interval_free(&reading.interval);
	actual_finish(data);
	return r == -ENOENT ? 0 : r; /* there is no table */
}

static int read_kernel(struct nft_reader *reader, enum table_family family, nft_read_fn read,
		       const char *what, struct actual *ret_actual, struct err *err)
{
	struct actual actual = { .family = family };
	char text[64];
	uint32_t genid = 0;
	int r;

	snprintf(text, sizeof(text), "%stable %s", what, table_text(family));
	r = nft_read_settled(reader, read, &actual, text, &genid, err);
	if (r < 0) {
		actual_free(&actual);
		return r;
	}
	actual.genid = genid;
	*ret_actual = actual;
	return 0;
}

int nft_read_table(struct nft_reader *reader, enum table_family family, struct actual *ret_actual,
		   struct err *err)
{
	return read_kernel(reader, family, read_afresh, "", ret_actual, err);
}

int nft_read_objects(struct nft_reader *reader, enum table_family family, struct actual *ret_actual,
		     struct err *err)
{
	return read_kernel(reader, family, read_objects_afresh, "the objects of ", ret_actual, err);
}

int nft_read_sets(struct nft_reader *reader, enum table_family family, struct actual *ret_actual,
		  struct err *err)
{
	return read_kernel(reader, family, read_sets_afresh, "the sets of ", ret_actual, err);
}

int nft_read_tables(struct nft_reader *reader, struct actual ret_tables[N_TABLES], struct err *err)
{
	struct actual tables[N_TABLES] = { { .family = TABLE_INET }, { .family = TABLE_BRIDGE } };
	uint32_t genid = 0;
	int r = nft_read_settled(reader, read_both_afresh, tables,
				 "tables inet and bridge " TABLE_NAME, &genid, err);

	for (int i = 0; i < N_TABLES; i++) {
		tables[i].genid = genid;
		if (r >= 0)
			ret_tables[i] = tables[i];
		else
			actual_free(&tables[i]);
	}
	return r < 0 ? r : 0;
}

int nft_read_chains(struct nft_reader *reader, const char *const *names, size_t n,
		    struct actual *actual, struct err *err)
{
	struct reading reading = { .actual = actual };
	int r = 0;

	for (size_t i = 0; r >= 0 && i < n; i++)
		r = read_chain(reader, &reading, actual_find_chain(actual, names[i]));
	/* If it has changed meanwhile, the generation tells. */
	if (r < 0 && r != -EINTR && r != -ENOENT)
		return err_errno(err, -r, "read table %s", table_text(actual->family));
	return nft_read_genid(reader, &actual->genid, err);
}

int nft_read_rules(struct nft_reader *reader, enum table_family family, const char *const *names,
		   size_t n, struct actual *ret_actual, struct err *err)
{
	struct actual actual = { .family = family };
	struct reading reading = { .actual = &actual };
	int r = 0;

	for (size_t i = 0; r >= 0 && i < n; i++) {
		struct actual_chain *chain = add_chain(&actual, names[i]);

		r = read_chain(reader, &reading, chain);
		if (chain->n_rules == 0)
			actual.n_chains--;
		if (r == -ENOENT)
			r = 0;
	}
	if (r < 0) {
		actual_free(&actual);
		return err_errno(err, -r, "read rules of table %s", table_text(family));
	}
	actual_finish(&actual);
	*ret_actual = actual;
	return 0;
}

/* ------------------------------------------------------------------ expressions of a chain */

static int zero_counter(struct nftnl_expr *expr, void *data)
{
	(void)data;
	if (strcmp(nftnl_expr_get_str(expr, NFTNL_EXPR_NAME), "counter") == 0) {
		nftnl_expr_set_u64(expr, NFTNL_EXPR_CTR_PACKETS, 0);
		nftnl_expr_set_u64(expr, NFTNL_EXPR_CTR_BYTES, 0);
	}
	return 0;
}

static int on_rule_text(const struct nlmsghdr *nlh, void *data)
{
	struct nftnl_rule *rule = nftnl_rule_alloc();
	char small[2048], *text = small;
	const char *body;
	int n;

	if (!rule || nftnl_rule_nlmsg_parse(nlh, rule) < 0) {
		nftnl_rule_free(rule);
		return MNL_CB_ERROR;
	}
	nftnl_expr_foreach(rule, zero_counter, NULL);
	n = nftnl_rule_snprintf(small, sizeof(small), rule, NFTNL_OUTPUT_DEFAULT, 0);
	if (n >= (int)sizeof(small)) {
		text = xmalloc((size_t)n + 1);
		nftnl_rule_snprintf(text, (size_t)n + 1, rule, NFTNL_OUTPUT_DEFAULT, 0);
	}
	/* After a line that names the rule, as in libnftables' debug output. */
	body = strstr(text, "\n  ");
	body = body ? body + 1 : "";
	rule_texts_add_kernel(data, body, rule_text_length(body));
	if (text != small)
		free(text);
	nftnl_rule_free(rule);
	return MNL_CB_OK;
}

int nft_read_expressions(struct nft_reader *reader, enum table_family family, const char *chain,
			 struct rule_texts *ret_texts, struct err *err)
{
	struct rule_texts texts = { 0 };
	int r;

	r = dump(reader, family, NFT_MSG_GETRULE, NFTA_RULE_TABLE, NFTA_RULE_CHAIN, chain,
		 on_rule_text, &texts);
	if (r < 0) {
		rule_texts_free(&texts);
		return err_errno(err, -r, "read chain %s", chain);
	}
	*ret_texts = texts;
	return 0;
}
