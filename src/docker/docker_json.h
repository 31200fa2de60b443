/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The answers of Docker's Engine API as json-c trees, for the files that parse them. Each function returns 0,
 * or -EPROTO with a message that says what makes no sense.
 */
#ifndef DOCKSIDE_DOCKER_DOCKER_JSON_H
#define DOCKSIDE_DOCKER_DOCKER_JSON_H

#include <json-c/json.h>

#include "dockside/base/arena.h"
#include "dockside/base/err.h"
#include "dockside/docker/docker_parse.h"

int docker_json_nonsense(struct err *err, const char *what);

/* The whole text is one value of that type; docker_json_put(). */
int docker_json_parse(const char *text, size_t len, enum json_type type, struct json_object **ret,
		      struct err *err);
/* For cleanup(). */
void docker_json_put(struct json_object **object);

/* A member of that type; NULL where it is absent or null. Returns -EPROTO for any other type. */
int docker_json_member(struct json_object *object, const char *key, enum json_type type,
		       struct json_object **ret, struct err *err);
/* A string that must be there and not be empty. */
int docker_json_needed(struct json_object *object, const char *key, struct json_object **ret,
		       struct err *err);
/* Such a string that can be a part of a path. */
int docker_json_id(struct json_object *object, const char *key, struct json_object **ret,
		   struct err *err);

/* Texts without control characters, of DOCKER_TEXT_MAX bytes at most: fit for a message, a log and a
 * terminal. The caller frees them. */
char *docker_json_clean_text(const char *s, size_t len);
char *docker_json_clean(struct json_object *string);
/* Such a text in an arena; "" for NULL. */
const char *docker_json_text(struct arena *arena, struct json_object *string);

#endif
