/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/docker/docker_caps.h"

#include <string.h>
#include <strings.h>

#include "docker_json.h"

/* A container's capabilities as somebody asked for them: "NET_RAW", "cap_net_raw", "ALL". */
struct wish {
	struct json_object *add, *drop;
	bool privileged;
};

static bool has(struct json_object *list, const char *name)
{
	for (size_t i = 0; list && i < json_object_array_length(list); i++) {
		struct json_object *item = json_object_array_get_idx(list, i);
		const char *s = json_object_get_string(item);

		if (!json_object_is_type(item, json_type_string))
			continue;
		if (strncasecmp(s, "CAP_", 4) == 0)
			s += 4;
		if (strcasecmp(s, name) == 0)
			return true;
	}
	return false;
}

/* Docker's order: everything was added; or everything was dropped; or its defaults were changed, where adding comes last. */
static bool is_given(const struct wish *wish, const char *name, bool by_default)
{
	if (wish->privileged)
		return true;
	if (has(wish->add, "ALL"))
		return !has(wish->drop, name);
	if (has(wish->add, name))
		return true;
	return by_default && !has(wish->drop, "ALL") && !has(wish->drop, name);
}

int docker_caps_parse(const char *text, size_t len, struct docker_caps *ret, struct err *err)
{
	cleanup(docker_json_put) struct json_object *root = NULL;
	struct json_object *id, *config = NULL, *privileged = NULL;
	struct wish wish = { 0 };
	int r = docker_json_parse(text, len, json_type_object, &root, err);

	if (r >= 0)
		r = docker_json_id(root, "Id", &id, err);
	if (r >= 0)
		r = docker_json_member(root, "HostConfig", json_type_object, &config, err);
	if (r >= 0 && !config)
		r = docker_json_nonsense(err, "it has no HostConfig");
	if (r >= 0)
		r = docker_json_member(config, "Privileged", json_type_boolean, &privileged, err);
	if (r >= 0)
		r = docker_json_member(config, "CapAdd", json_type_array, &wish.add, err);
	if (r >= 0)
		r = docker_json_member(config, "CapDrop", json_type_array, &wish.drop, err);
	if (r < 0)
		return r;
	wish.privileged = privileged && json_object_get_boolean(privileged);
	ret->net_raw = is_given(&wish, "NET_RAW", true);
	ret->net_admin = is_given(&wish, "NET_ADMIN", false);
	return 0;
}
