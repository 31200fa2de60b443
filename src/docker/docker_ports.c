/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/docker/docker_ports.h"

#include <stdlib.h>
#include <string.h>

#include "dockside/base/util.h"

static bool is_unicast(const uint8_t mac[6])
{
	static const uint8_t none[6];

	return !(mac[0] & 1) && memcmp(mac, none, sizeof(none)) != 0;
}

static void take_owner(struct port_owner *owner, const struct docker_container *container)
{
	*owner = (struct port_owner){
		.container = xstrdup(container->name[0] ? container->name : container->id),
	};
	memcpy(owner->mac, container->mac, sizeof(owner->mac));
	if (container->has_ip)
		owner->addrs[owner->n_addrs++] = container->ip;
	if (container->has_ip6)
		owner->addrs[owner->n_addrs++] = container->ip6;
}

void docker_port_word(const struct docker_containers *containers, const char *bridge, uint64_t at,
		      struct port_word *ret_word)
{
	struct port_word word = { .at = at };

	snprintf(word.bridge, sizeof(word.bridge), "%s", bridge);
	word.owners = xcalloc(containers->n + 1, sizeof(*word.owners));
	word.cap = containers->n + 1;
	for (size_t i = 0; i < containers->n; i++)
		if (containers->items[i].has_mac && is_unicast(containers->items[i].mac))
			take_owner(&word.owners[word.n++], &containers->items[i]);
	*ret_word = word;
}

struct port_owner *docker_port_configured(const struct docker_wanted_identity *identity)
{
	struct port_owner *owner;

	if (!identity->has_mac || !is_unicast(identity->mac))
		return NULL;
	owner = xcalloc(1, sizeof(*owner));
	owner->container = xstrdup("dockside");
	memcpy(owner->mac, identity->mac, sizeof(owner->mac));
	if (identity->has_ip)
		owner->addrs[owner->n_addrs++] = identity->ip;
	if (identity->has_ip6)
		owner->addrs[owner->n_addrs++] = identity->ip6;
	return owner;
}

void docker_port_silence(const struct policy *policy, struct port_word **ret_words)
{
	struct port_word *words = xcalloc(policy->n_networks + 1, sizeof(*words));

	for (size_t i = 0; i < policy->n_networks; i++) {
		struct docker_wanted_identity identity =
			docker_wanted_identity_of(&policy->networks[i]);

		snprintf(words[i].bridge, sizeof(words[i].bridge), "%s",
			 policy->networks[i].bridge);
		words[i].configured = docker_port_configured(&identity);
	}
	*ret_words = words;
}
