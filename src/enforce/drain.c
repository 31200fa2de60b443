/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation
 *
 * The last policy of a network that is no longer configured stays in force while it drains. We write its
 * objects from the files to draining.json before the kernel gets a policy without it, and merge them into each
 * policy that is enforced while it drains: from there on it is a network like any other.
 *
 * A network that the kernel still has, and of which we have kept nothing, is closed, as nobody knows what its
 * policy was: a version before this one removed it, or draining.json could not be written or is damaged.
 */
#include "dockside/enforce/drain.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dockside/base/buf.h"
#include "dockside/base/err.h"
#include "dockside/base/text.h"
#include "dockside/base/util.h"
#include "dockside/json/json_parse.h"
#include "dockside/policy/config.h"
#include "dockside/policy/sites.h"
#include "dockside/system/log.h"

#define HEAD "// dsfw-nft draining 1, not for editing, checksum "

/* ------------------------------------------------------------------ the list */

struct draining *drain_find(const struct drain *drain, const char *bridge)
{
	for (size_t i = 0; i < drain->n; i++)
		if (strcmp(drain->items[i].bridge, bridge) == 0)
			return &drain->items[i];
	return NULL;
}

static struct draining *add_item(struct drain *drain, const char *bridge)
{
	drain->items = xreallocarray(drain->items, drain->n + 1, sizeof(*drain->items));
	drain->items[drain->n] = (struct draining){ .bridge = xstrdup(bridge) };
	return &drain->items[drain->n++];
}

/* files: that have what the documents lack; or NULL. */
static void make_docs(struct drain *drain, const struct policy *files)
{
	cleanup(cleanup_free) const char **bridges = xcalloc(drain->n + 1, sizeof(*bridges));
	struct draining_docs docs;

	for (size_t i = 0; i < drain->n; i++)
		bridges[i] = drain->items[i].bridge;
	draining_docs_make(&drain->docs, files, bridges, drain->n, &docs);
	draining_docs_free(&drain->docs);
	drain->docs = docs;
	drain->docs_stale = false;
}

void drain_add(struct drain *drain, const struct policy *files, const char *const *bridges,
	       size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!drain_find(drain, bridges[i]))
			add_item(drain, bridges[i]);
	if (n > 0)
		make_docs(drain, files);
}

void drain_remove(struct drain *drain, const char *bridge)
{
	struct draining *item = drain_find(drain, bridge);

	if (!item)
		return;
	free(item->bridge); /* which bridge may be */
	*item = drain->items[--drain->n];
	drain->docs_stale = true;
}

static bool is_configured(const struct policy *policy, const char *bridge)
{
	const struct network *network = policy_find_bridge(policy, bridge);

	return network && !network->draining;
}

void drain_remove_configured(struct drain *drain, const struct policy *policy)
{
	for (size_t i = drain->n; i-- > 0;)
		if (is_configured(policy, drain->items[i].bridge))
			drain_remove(drain, drain->items[i].bridge);
}

int drain_merge(struct drain *drain, struct policy *policy, struct err *err)
{
	if (drain->docs_stale)
		make_docs(drain, NULL);
	return draining_merge(policy, &drain->docs, err);
}

/* ------------------------------------------------------------------ the state directory */

/* Once for each kind of trouble. */
static void note_trouble(struct drain *drain, const struct err *err)
{
	if (!drain->trouble || strcmp(drain->trouble, err->text) != 0)
		log_error("%s; the policies of networks that are draining are not kept: if this "
			  "program ends before their containers have left, these networks are "
			  "closed when it starts again, and open after a reboot",
			  err->text);
	free(drain->trouble);
	drain->trouble = xstrdup(err->text);
}

void drain_save(struct drain *drain)
{
	struct buf text = { 0 };
	struct err err = { 0 };
	uint64_t hash = 0;
	int r;

	if (drain->docs_stale)
		make_docs(drain, NULL);
	if (drain->n > 0) {
		draining_docs_write(&drain->docs, &text);
		hash = hash64(HASH_SEED, text.data, text.len);
	}
	if (!drain->dir || (drain->has_kept && drain->kept == hash)) {
		buf_free(&text);
		return;
	}
	r = drain->n > 0 ? state_dir_write(drain->dir, DRAINING_FILE, HEAD, &text, &err)
			 : state_dir_remove(drain->dir, DRAINING_FILE, &err);
	drain->has_kept = r >= 0;
	drain->kept = hash;
	if (r < 0 && drain->n > 0) {
		note_trouble(drain, &err);
	} else if (r >= 0) {
		free(drain->trouble);
		drain->trouble = NULL;
	}
	buf_free(&text);
	err_free(&err);
}

static void take_bridges(struct drain *drain)
{
	struct policy policy = { 0 };

	if (draining_merge(&policy, &drain->docs, NULL) >= 0)
		for (size_t i = 0; i < policy.n_networks; i++)
			add_item(drain, policy.networks[i].bridge)->occupied = true;
	policy_free(&policy);
}

static int read_kept(struct drain *drain, struct err *err)
{
	struct buf text = { 0 };
	int r = state_dir_read(drain->dir, DRAINING_FILE, HEAD, JSON_SIZE_MAX, &text, err);

	if (r >= 0) {
		r = draining_docs_read(buf_str(&text), text.len, &drain->docs, err);
		if (r < 0)
			err_prefix(err, "%s/" DRAINING_FILE, drain->dir->path);
	}
	if (r >= 0) {
		take_bridges(drain);
		drain->kept = hash64(HASH_SEED, text.data, text.len);
	}
	drain->has_kept = r >= 0 || r == -ENOENT;
	buf_free(&text);
	return r;
}

static void read_last(struct drain *drain, struct last_good *state, const char *network_path,
		      const char *firewall_path)
{
	struct last_good_pair pair = { 0 };
	struct diags diags = { 0 };

	if (last_good_read(state, network_path, firewall_path, &pair, NULL) >= 0) {
		drain->last.network_src = pair.network;
		drain->last.firewall_src = pair.firewall;
		config_parse_unchecked(&drain->last, &diags);
	}
	diags_free(&diags);
}

void drain_open(struct drain *drain, struct last_good *state, const char *network_path,
		const char *firewall_path)
{
	struct err err = { 0 };
	int r;

	drain->dir = &state->dir;
	r = read_kept(drain, &err);
	/* A directory that cannot be used is said where the accepted files are to be kept, too. */
	if (r < 0 && r != -ENOENT) {
		cleanup(cleanup_free) char *aside = state_dir_set_aside(drain->dir, DRAINING_FILE);

		log_error("%s%s%s; which networks are draining is not known: those that the kernel "
			  "still has are CLOSED until their containers have left",
			  err.text, aside ? "; it is now " : "", aside ? aside : "");
	}
	err_free(&err);
	read_last(drain, state, network_path, firewall_path);
}

void drain_adopted(struct drain *drain)
{
	policy_free(&drain->last);
}

void drain_close(struct drain *drain)
{
	while (drain->n > 0)
		drain_remove(drain, drain->items[0].bridge);
	free(drain->items);
	draining_docs_free(&drain->docs);
	policy_free(&drain->last);
	free(drain->trouble);
	*drain = (struct drain){ 0 };
}

/* ------------------------------------------------------------------ what the kernel has */

void drain_tell_closed(const struct drain *drain)
{
	for (size_t i = 0; i < drain->docs.n_closed; i++)
		log_error("the network with bridge %s is not configured, and its policy is lost: "
			  "everything from it is refused until no container is attached, or until "
			  "remove-network --force releases it",
			  drain->docs.closed[i]);
}

void drain_tell(const struct drain *drain)
{
	drain_tell_closed(drain);
	for (size_t i = 0; i < drain->n; i++)
		log_info("network with bridge %s is not configured; its policy stays until no "
			 "container is attached",
			 drain->items[i].bridge);
}

/* An external network that the files have is where Docker has it, and drains nowhere. Where the files say its bridge, its
 * containers may still be on the one before. */
static bool has_moved(const struct drain *drain, const char *bridge, const struct policy *policy)
{
	const struct network *before = policy_find_bridge(&drain->last, bridge), *now;

	if (!before || !before->external || before->bridge_given ||
	    !sites_wanted(policy, before->name))
		return false;
	now = policy_find_network(policy, before->name, NULL);
	return now && !now->bridge_given;
}

/* Without the mark it was configured when a daemon or `apply` was last at work. */
static void adopt_elem(struct drain *drain, const struct elem *elem, const struct policy *policy,
		       bool docker_runs)
{
	bool marked = elem->comment && strcmp(elem->comment, DRAINING_COMMENT) == 0;
	char bridge[IFNAME_KEY_LEN + 1] = "";

	memcpy(bridge, elem->key, IFNAME_KEY_LEN);
	if (!marked && (!docker_runs || has_moved(drain, bridge, policy)))
		return;
	if (!is_configured(policy, bridge) && !drain_find(drain, bridge))
		add_item(drain, bridge)->occupied = marked;
}

void drain_adopt(struct drain *drain, const struct actual *actual, const struct policy *policy,
		 bool docker_runs)
{
	const struct actual_set *map = actual_find_set(actual, "dispatch");

	drain_remove_configured(drain, policy);
	for (size_t i = 0; map && map->set.type == MAP_DISPATCH && i < map->set.n_elems; i++)
		adopt_elem(drain, &map->set.elems[i], policy, docker_runs);
	make_docs(drain, &drain->last);
}
