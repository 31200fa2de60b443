/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Datagrams as the kernel sends them, and as it never would, to transactions. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "dockside/base/buf.h"
#include "dockside/base/util.h"
#include "dockside/kernel/nft_events.h"

/* ------------------------------------------------------------------ making them */

struct datagram {
	alignas(struct nlmsghdr) char data[32768];
	size_t len;
	struct nlmsghdr *nlh; /* the last message */
};

static void begin(struct datagram *d, int type, uint8_t family)
{
	struct nfgenmsg *nfg;

	d->nlh = mnl_nlmsg_put_header(d->data + d->len);
	d->nlh->nlmsg_type = (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type);
	d->nlh->nlmsg_pid = 4711;
	nfg = mnl_nlmsg_put_extra_header(d->nlh, sizeof(*nfg));
	nfg->nfgen_family = family;
}

static void end(struct datagram *d)
{
	d->len += d->nlh->nlmsg_len;
	assert_true(d->len <= sizeof(d->data));
}

/* name_attr 0: a message about the table itself. */
static void add(struct datagram *d, int type, uint8_t family, const char *table, uint16_t name_attr,
		const char *name)
{
	begin(d, type, family);
	mnl_attr_put_strz(d->nlh, 1, table);
	if (name_attr != 0)
		mnl_attr_put_strz(d->nlh, name_attr, name);
	end(d);
}

static void add_rule(struct datagram *d, const char *chain)
{
	add(d, NFT_MSG_NEWRULE, NFPROTO_INET, "dockside", NFTA_RULE_CHAIN, chain);
}

static void add_generation(struct datagram *d, uint32_t genid, const char *process)
{
	begin(d, NFT_MSG_NEWGEN, NFPROTO_UNSPEC);
	mnl_attr_put_u32(d->nlh, NFTA_GEN_ID, htonl(genid));
	mnl_attr_put_u32(d->nlh, NFTA_GEN_PROC_PID, htonl(99));
	mnl_attr_put_strz(d->nlh, NFTA_GEN_PROC_NAME, process);
	end(d);
}

/* ------------------------------------------------------------------ printing what comes out */

static void print_transaction(void *data, const struct nft_transaction *t)
{
	static const char *const kinds[] = { "chain", "set", "other" };
	struct buf *b = data;

	buf_printf(b, "%u %u %u %s:", t->genid, t->portid, t->pid, t->process);
	for (size_t i = 0; i < N_WATCHED; i++) {
		if (t->tables[i] != 0)
			buf_printf(b, " table%zu=%x", i, t->tables[i]);
	}
	for (size_t i = 0; i < t->n_touched; i++)
		buf_printf(b, " %u/%s/%s=%x", (unsigned)t->touched[i].table,
			   kinds[t->touched[i].kind], t->touched[i].name, t->touched[i].how);
	buf_puts(b, t->overflow ? " more\n" : "\n");
}

/* Parses a copy of exactly that size, so that a read past its end is seen. */
static bool parse(struct nft_transaction *pending, const void *data, size_t len, struct buf *b)
{
	char *copy = xmalloc(len);
	bool good;

	memcpy(copy, data, len);
	good = nft_events_parse(pending, copy, len, print_transaction, b);
	free(copy);
	return good;
}

static void expect(const struct datagram *d, const char *wanted)
{
	struct nft_transaction pending = { 0 };
	struct buf b = { 0 };

	assert_true(parse(&pending, d->data, d->len, &b));
	assert_string_equal(buf_str(&b), wanted);
	buf_free(&b);
}

static void expect_malformed(const struct datagram *d)
{
	struct nft_transaction pending = { 0 };
	struct buf b = { 0 };

	assert_false(parse(&pending, d->data, d->len, &b));
	assert_string_equal(buf_str(&b), "");
	assert_int_equal(pending.n_touched, 0);
	buf_free(&b);
}

/* ------------------------------------------------------------------ tests */

static void test_kinds(void **state)
{
	struct datagram d = { .len = 0 };

	(void)state;
	add(&d, NFT_MSG_NEWTABLE, NFPROTO_INET, "dockside", 0, NULL);
	add(&d, NFT_MSG_NEWCHAIN, NFPROTO_INET, "dockside", NFTA_CHAIN_NAME, "made");
	add(&d, NFT_MSG_DELCHAIN, NFPROTO_INET, "dockside", NFTA_CHAIN_NAME, "gone");
	add(&d, NFT_MSG_NEWRULE, NFPROTO_INET, "dockside", NFTA_RULE_CHAIN, "more");
	add(&d, NFT_MSG_DELRULE, NFPROTO_INET, "dockside", NFTA_RULE_CHAIN, "less");
	add(&d, NFT_MSG_NEWSET, NFPROTO_INET, "dockside", NFTA_SET_NAME, "made");
	add(&d, NFT_MSG_DELSET, NFPROTO_INET, "dockside", NFTA_SET_NAME, "gone");
	add(&d, NFT_MSG_NEWSETELEM, NFPROTO_INET, "dockside", NFTA_SET_ELEM_LIST_SET, "more");
	add(&d, NFT_MSG_DELSETELEM, NFPROTO_INET, "dockside", NFTA_SET_ELEM_LIST_SET, "less");
	add(&d, NFT_MSG_NEWOBJ, NFPROTO_INET, "dockside", NFTA_OBJ_NAME, "o");
	add(&d, NFT_MSG_DELOBJ, NFPROTO_INET, "dockside", NFTA_OBJ_NAME, "p");
	add(&d, NFT_MSG_NEWFLOWTABLE, NFPROTO_INET, "dockside", NFTA_FLOWTABLE_NAME, "f");
	add(&d, NFT_MSG_DELFLOWTABLE, NFPROTO_INET, "dockside", NFTA_FLOWTABLE_NAME, "g");
	add_generation(&d, 7, "nft");
	expect(&d, "7 4711 99 nft: table0=1 0/chain/made=1 0/chain/gone=2 0/chain/more=4 "
		   "0/chain/less=8 0/set/made=1 0/set/gone=2 0/set/more=4 0/set/less=8 0/other/o=1 "
		   "0/other/p=2 0/other/f=1 0/other/g=2\n");
}

static void test_watched(void **state)
{
	struct datagram d = { .len = 0 };

	(void)state;
	add(&d, NFT_MSG_DELTABLE, NFPROTO_IPV4, "dockside", 0, NULL);
	add(&d, NFT_MSG_DELTABLE, NFPROTO_INET, "docksides", 0, NULL);
	add(&d, NFT_MSG_DELTABLE, NFPROTO_BRIDGE, "filter", 0, NULL);
	add(&d, NFT_MSG_DELTABLE, NFPROTO_INET, "filter", 0, NULL);
	add(&d, NFT_MSG_NEWRULE, NFPROTO_INET, "filter", NFTA_RULE_CHAIN, "DOCKER-USER");
	add(&d, NFT_MSG_NEWRULE, NFPROTO_IPV4, "nat", NFTA_RULE_CHAIN, "DOCKER-USER");
	add(&d, NFT_MSG_NEWRULE, NFPROTO_IPV4, "filter", NFTA_RULE_CHAIN, "DOCKER");
	add(&d, NFT_MSG_NEWSET, NFPROTO_IPV4, "filter", NFTA_SET_NAME, "DOCKER-USER");
	add_generation(&d, 1, "iptables");
	add(&d, NFT_MSG_DELTABLE, NFPROTO_IPV6, "filter", 0, NULL);
	add(&d, NFT_MSG_DELRULE, NFPROTO_IPV4, "filter", NFTA_RULE_CHAIN, "DOCKER-USER");
	add(&d, NFT_MSG_NEWCHAIN, NFPROTO_IPV4, "filter", NFTA_CHAIN_NAME, "FORWARD");
	add(&d, NFT_MSG_DELCHAIN, NFPROTO_IPV6, "filter", NFTA_CHAIN_NAME, "DOCKSIDE-DISPATCH");
	add_generation(&d, 2, "iptables");
	add(&d, NFT_MSG_DELTABLE, NFPROTO_BRIDGE, "dockside", 0, NULL);
	add(&d, NFT_MSG_NEWRULE, NFPROTO_INET, "dockside", NFTA_RULE_CHAIN, "bind");
	add(&d, NFT_MSG_NEWRULE, NFPROTO_BRIDGE, "dockside", NFTA_RULE_CHAIN, "bind");
	add(&d, NFT_MSG_DELSETELEM, NFPROTO_BRIDGE, "dockside", NFTA_SET_ELEM_LIST_SET, "macs");
	add_generation(&d, 3, "nft");
	expect(&d, "1 4711 99 iptables:\n"
		   "2 4711 99 iptables: table2=2 1/chain/DOCKER-USER=8 1/chain/FORWARD=1 "
		   "2/chain/DOCKSIDE-DISPATCH=2\n"
		   "3 4711 99 nft: table3=2 0/chain/bind=4 3/chain/bind=4 3/set/macs=8\n");
}

/* One entry a name, however many messages, in however many datagrams. */
static void test_merging(void **state)
{
	struct datagram first = { .len = 0 }, second = { .len = 0 };
	struct nft_transaction pending = { 0 };
	struct buf b = { 0 };

	(void)state;
	for (int i = 0; i < 100; i++) {
		add_rule(&first, i % 2 ? "a" : "b");
		add(&second, NFT_MSG_DELRULE, NFPROTO_INET, "dockside", NFTA_RULE_CHAIN, "a");
	}
	add(&second, NFT_MSG_NEWSET, NFPROTO_INET, "dockside", NFTA_SET_NAME, "a");
	add_generation(&second, 5, "x");
	add_generation(&second, 6, "y");
	assert_true(parse(&pending, first.data, first.len, &b));
	assert_string_equal(buf_str(&b), "");
	assert_true(parse(&pending, second.data, second.len, &b));
	assert_string_equal(buf_str(&b), "5 4711 99 x: 0/chain/b=4 0/chain/a=c 0/set/a=1\n"
					 "6 4711 99 y:\n");
	buf_free(&b);
}

static void count_names(void *data, const struct nft_transaction *t)
{
	*(size_t *)data = t->n_touched;
	assert_true(t->overflow);
	assert_int_equal(t->tables[WATCHED_DOCKSIDE], TOUCH_DELETED);
	assert_int_equal(t->touched[0].how, TOUCH_ADDED_TO | TOUCH_REMOVED_FROM);
}

static void test_overflow(void **state)
{
	struct nft_transaction pending = { 0 };
	struct datagram d = { .len = 0 };
	size_t n = 0;

	(void)state;
	for (int i = 0; i < 500; i++) {
		char name[16];

		snprintf(name, sizeof(name), "c%d", i);
		add_rule(&d, name);
	}
	add(&d, NFT_MSG_DELRULE, NFPROTO_INET, "dockside", NFTA_RULE_CHAIN, "c0");
	add(&d, NFT_MSG_DELTABLE, NFPROTO_INET, "dockside", 0, NULL);
	add_generation(&d, 1, "nft");
	assert_true(nft_events_parse(&pending, d.data, d.len, count_names, &n));
	assert_int_equal(n, TOUCHED_MAX);
	assert_false(pending.overflow); /* the next one begins afresh */
}

static void test_who(void **state)
{
	struct datagram d = { .len = 0 };

	(void)state;
	add_generation(&d, UINT32_MAX, "evil\n\033[2Jname that is long");
	begin(&d, NFT_MSG_NEWGEN, NFPROTO_UNSPEC); /* old kernels do not say */
	mnl_attr_put_u32(d.nlh, NFTA_GEN_ID, htonl(1));
	end(&d);
	begin(&d, NFT_MSG_NEWGEN, NFPROTO_UNSPEC);
	mnl_attr_put_u32(d.nlh, NFTA_GEN_ID, htonl(2));
	mnl_attr_put_u16(d.nlh, NFTA_GEN_PROC_PID, 1);
	mnl_attr_put(d.nlh, NFTA_GEN_PROC_NAME, 3, "abc"); /* without its NUL */
	end(&d);
	expect(&d, "4294967295 4711 99 evil??[2Jname t:\n1 4711 0 :\n2 4711 0 :\n");
}

static void test_ignored(void **state)
{
	struct datagram d = { .len = 0 };

	(void)state;
	begin(&d, NFT_MSG_NEWRULE, NFPROTO_INET); /* of another subsystem */
	d.nlh->nlmsg_type = NFNL_SUBSYS_IPSET << 8 | NFT_MSG_NEWRULE;
	end(&d);
	begin(&d, 200, NFPROTO_INET); /* of the future */
	end(&d);
	d.nlh = mnl_nlmsg_put_header(d.data + d.len);
	d.nlh->nlmsg_type = NLMSG_NOOP;
	end(&d);
	add_generation(&d, 1, "nft");
	expect(&d, "1 4711 99 nft:\n");
}

static void test_malformed(void **state)
{
	char name[300];
	struct datagram d;

	(void)state;
	memset(name, 'n', sizeof(name));
	name[sizeof(name) - 1] = '\0';

	d = (struct datagram){ .len = 0 }; /* no table */
	begin(&d, NFT_MSG_NEWRULE, NFPROTO_INET);
	mnl_attr_put_strz(d.nlh, NFTA_RULE_CHAIN, "c");
	end(&d);
	expect_malformed(&d);

	d = (struct datagram){ .len = 0 }; /* no name */
	add(&d, NFT_MSG_NEWRULE, NFPROTO_INET, "dockside", 0, NULL);
	expect_malformed(&d);

	d = (struct datagram){ .len = 0 }; /* names without an end, too long, empty */
	begin(&d, NFT_MSG_NEWRULE, NFPROTO_INET);
	mnl_attr_put(d.nlh, NFTA_RULE_TABLE, 8, "dockside");
	end(&d);
	expect_malformed(&d);
	d = (struct datagram){ .len = 0 };
	add_rule(&d, name);
	expect_malformed(&d);
	d = (struct datagram){ .len = 0 };
	begin(&d, NFT_MSG_DELTABLE, NFPROTO_INET);
	mnl_attr_put(d.nlh, NFTA_TABLE_NAME, 0, "");
	end(&d);
	expect_malformed(&d);

	d = (struct datagram){ .len = 0 }; /* an attribute longer than its message */
	begin(&d, NFT_MSG_DELTABLE, NFPROTO_INET);
	mnl_attr_put_strz(d.nlh, NFTA_TABLE_NAME, "dockside");
	((struct nlattr *)mnl_nlmsg_get_payload_offset(d.nlh, sizeof(struct nfgenmsg)))->nla_len =
		200;
	end(&d);
	expect_malformed(&d);

	d = (struct datagram){ .len = 0 }; /* a generation without a number */
	begin(&d, NFT_MSG_NEWGEN, NFPROTO_UNSPEC);
	mnl_attr_put_u16(d.nlh, NFTA_GEN_ID, 1);
	end(&d);
	expect_malformed(&d);

	d = (struct datagram){ .len = 0 }; /* no generic header */
	begin(&d, NFT_MSG_DELTABLE, NFPROTO_INET);
	d.nlh->nlmsg_len = sizeof(struct nlmsghdr);
	end(&d);
	expect_malformed(&d);

	d = (struct datagram){ .len = 0 }; /* less than a header, and lengths that are none */
	begin(&d, NFT_MSG_DELTABLE, NFPROTO_INET);
	d.len = 7;
	expect_malformed(&d);
	for (uint32_t len = 0; len < sizeof(struct nlmsghdr); len++) {
		d.nlh->nlmsg_len = len;
		d.len = 64;
		expect_malformed(&d);
	}
	d.nlh->nlmsg_len = 65;
	expect_malformed(&d);
	d.nlh->nlmsg_type = NLMSG_NOOP;
	for (uint32_t len = UINT32_MAX; len > UINT32_MAX - 64; len--) {
		d.nlh->nlmsg_len = len;
		expect_malformed(&d);
	}
}

/* Cut anywhere, and with any byte changed, it is still read without a fault. */
static void test_damaged(void **state)
{
	struct nft_transaction pending = { 0 };
	struct datagram d = { .len = 0 };
	struct buf b = { 0 };

	(void)state;
	add(&d, NFT_MSG_DELTABLE, NFPROTO_INET, "dockside", 0, NULL);
	add_rule(&d, "chain");
	add_generation(&d, 1, "nft");
	for (size_t len = 0; len <= d.len; len++)
		(void)parse(&pending, d.data, len, &b);
	for (size_t i = 0; i < d.len; i++) {
		char saved = d.data[i];

		for (int value = 0; value < 256; value++) {
			d.data[i] = (char)value;
			(void)parse(&pending, d.data, d.len, &b);
			buf_reset(&b);
		}
		d.data[i] = saved;
	}
	buf_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),	  cmocka_unit_test(test_watched),
		cmocka_unit_test(test_merging),	  cmocka_unit_test(test_overflow),
		cmocka_unit_test(test_who),	  cmocka_unit_test(test_ignored),
		cmocka_unit_test(test_malformed), cmocka_unit_test(test_damaged),
	};

	return cmocka_run_group_tests_name("nft_events", tests, NULL, NULL);
}
