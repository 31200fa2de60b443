/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "curl_calls.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "dockside/base/util.h"

#define LIBRARY \
	"libcurl.so.4" /* the one of the header that this was built with: libcurl's ABI has not changed since 2006 */

struct curl_calls curl;

#define CALL(name)                                               \
	{                                                        \
		"curl_" #name, offsetof(struct curl_calls, name) \
	}

static const struct {
	const char *name;
	size_t offset;
} calls[] = {
	CALL(easy_cleanup),    CALL(easy_getinfo),	  CALL(easy_init),
	CALL(easy_setopt),     CALL(easy_strerror),	  CALL(global_cleanup),
	CALL(global_init),     CALL(multi_add_handle),	  CALL(multi_cleanup),
	CALL(multi_info_read), CALL(multi_init),	  CALL(multi_remove_handle),
	CALL(multi_setopt),    CALL(multi_socket_action), CALL(slist_append),
	CALL(slist_free_all),
};

int curl_calls_load(struct err *err)
{
	static void *library;

	if (library)
		return 0;
	library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
	if (!library)
		return err_set(err, ELIBACC, "Docker is asked by way of libcurl: %s", dlerror());
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		void *call = dlsym(library, calls[i].name);

		if (!call) {
			dlclose(library);
			library = NULL;
			return err_set(err, ELIBACC,
				       "Docker is asked by way of libcurl: " LIBRARY " has no %s",
				       calls[i].name);
		}
		/* A pointer to data cannot be cast to one to a function in C; POSIX says that they are alike. */
		memcpy((char *)&curl + calls[i].offset, &call, sizeof(call));
	}
	return 0;
}
