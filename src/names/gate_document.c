/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/names/gate_document.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dockside/base/text.h"
#include "dockside/base/util.h"
#include "dockside/json/json_write.h"

static void put_names(struct json_writer *out, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		json_write_string(out, NULL, names[i]);
}

static void put_upstream(struct json_writer *out, const struct ipaddr *servers, size_t n)
{
	char text[ADDR_STRLEN];

	json_write_open(out, "upstream", '[');
	for (size_t i = 0; i < n && i < GATE_UPSTREAM_MAX; i++)
		json_write_string(out, NULL, ipaddr_format(&servers[i], text));
	json_write_close(out, ']');
}

static void open_list(struct json_writer *out, unsigned slot, const struct gate_list *list)
{
	cleanup(cleanup_free) char *set = list ? xasprintf("%s%s", list->prefix, list->name) : NULL;

	json_write_open(out, NULL, '{');
	json_write_int(out, "slot", slot);
	if (set)
		json_write_string(out, "set", set);
	json_write_open(out, "names", '[');
}

static void close_list(struct json_writer *out)
{
	json_write_close(out, ']');
	json_write_close(out, '}');
}

/* Those that open come first, in the order of gate_lists; then those of networks that open nothing. */
static void put_lists(struct json_writer *out, const struct policy *policy,
		      const struct gate_lists *lists)
{
	json_write_open(out, "lists", '[');
	for (size_t i = 0; i < lists->n; i++) {
		const struct gate_list *list = &lists->items[i];

		open_list(out, list->slot, list);
		if (list->ipset) {
			put_names(out, list->ipset->hostnames, list->ipset->n_hostnames);
			put_names(out, list->ipset->patterns, list->ipset->n_patterns);
		} else {
			json_write_string(out, NULL, list->entry);
		}
		close_list(out);
	}
	for (size_t i = 0; i < policy->n_networks; i++) {
		const struct network_dns *dns = &policy->networks[i].dns;

		if (!dns->gated || dns->n_names == 0)
			continue;
		open_list(out, 0, NULL);
		put_names(out, dns->names, dns->n_names);
		close_list(out);
	}
	json_write_close(out, ']');
}

/* The places of lists by network: they are collected list by list. */
struct places {
	size_t *items;
	size_t n, cap;
	size_t room; /* how many addresses a network may have in the fullest of these lists */
};

static void add_place(struct places *places, size_t place, size_t room)
{
	places->items = array_grow(places->items, &places->cap, places->n, sizeof(*places->items));
	places->items[places->n++] = place;
	if (places->n == 1 || room < places->room)
		places->room = room;
}

static struct places *collect_places(const struct policy *policy, const struct gate_lists *lists)
{
	struct places *places = xcalloc(policy->n_networks + 1, sizeof(*places));
	size_t next = lists->n;

	for (size_t i = 0; i < lists->n; i++)
		for (size_t k = 0; k < lists->items[i].n_networks; k++)
			add_place(&places[lists->items[i].networks[k] - policy->networks], i,
				  GATE_SET_SIZE / lists->items[i].n_networks);
	for (size_t i = 0; i < policy->n_networks; i++)
		if (policy->networks[i].dns.gated && policy->networks[i].dns.n_names > 0)
			add_place(&places[i], next++, GATE_SET_SIZE);
	return places;
}

static void put_network(struct json_writer *out, const struct network *network,
			const struct places *places)
{
	const struct network_dns *dns = &network->dns;
	size_t room =
		places->n > 0 && places->room < GATE_NETWORK_MAX ? places->room : GATE_NETWORK_MAX;
	char text[ADDR_STRLEN];

	json_write_open(out, NULL, '{');
	json_write_string(out, "name", network->name);
	json_write_string(out, "bridge", network->bridge);
	json_write_open(out, "lists", '[');
	for (size_t i = 0; i < places->n; i++)
		json_write_int(out, NULL, (int64_t)places->items[i]);
	json_write_close(out, ']');
	json_write_bool(out, "ipv6", network->has_subnet6);
	json_write_int(out, "life", gate_life_s(network));
	json_write_open(out, "types", '[');
	put_names(out, dns->types, dns->n_types);
	json_write_close(out, ']');
	json_write_open(out, "private", '[');
	for (size_t i = 0; i < dns->n_private; i++)
		json_write_string(out, NULL, prefix_format(&dns->private[i], text));
	json_write_close(out, ']');
	json_write_int(out, "size", (int64_t)room);
	json_write_bool(out, "audit", network->audit);
	json_write_close(out, '}');
}

static void put_networks(struct json_writer *out, const struct policy *policy,
			 const struct gate_lists *lists)
{
	struct places *places = collect_places(policy, lists);

	json_write_open(out, "networks", '[');
	for (size_t i = 0; i < policy->n_networks; i++) {
		if (policy->networks[i].dns.gated && policy->networks[i].placed)
			put_network(out, &policy->networks[i], &places[i]);
		free(places[i].items);
	}
	json_write_close(out, ']');
	free(places);
}

static void put_rest(struct json_writer *out, const struct policy *policy, uint32_t tag,
		     const struct ipaddr *upstream, size_t n, const struct gate_lists *lists)
{
	if (tag != 0)
		json_write_int(out, "tag", tag);
	put_upstream(out, upstream, n);
	put_lists(out, policy, lists);
	put_networks(out, policy, lists);
}

void gate_document_write(const struct policy *policy, uint32_t tag,
			 const struct ipaddr *host_upstream, size_t n_host_upstream,
			 struct buf *ret_text, char ret_generation[GATE_GENERATION_SIZE])
{
	const struct ipaddr *upstream = policy->n_upstream > 0 ? policy->upstream : host_upstream;
	size_t n = policy->n_upstream > 0 ? policy->n_upstream : n_host_upstream;
	struct json_writer out = { .b = ret_text };
	struct gate_lists lists;
	struct buf rest = { 0 };
	struct json_writer rest_out = { .b = &rest };
	char generation[GATE_GENERATION_SIZE];

	gate_lists_collect(policy, &lists);
	put_rest(&rest_out, policy, tag, upstream, n, &lists);
	snprintf(generation, sizeof(generation), "%016llx",
		 (unsigned long long)hash64(HASH_SEED, buf_str(&rest), rest.len));
	buf_free(&rest);
	if (ret_generation)
		memcpy(ret_generation, generation, sizeof(generation));
	json_write_open(&out, NULL, '{');
	json_write_int(&out, "version", GATE_DOCUMENT_VERSION);
	json_write_string(&out, "generation", generation);
	put_rest(&out, policy, tag, upstream, n, &lists);
	json_write_close(&out, '}');
	gate_lists_free(&lists);
}
