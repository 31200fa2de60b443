/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/docker/docker_ports.h"

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
