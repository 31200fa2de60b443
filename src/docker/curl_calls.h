/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libcurl's functions, of a library that is loaded when Docker is first asked. It brings some thirty others, which
 * take most of the time that the program takes to start: compile, check, the DNS gate and most others never ask Docker.
 */
#ifndef DOCKSIDE_DOCKER_CURL_CALLS_H
#define DOCKSIDE_DOCKER_CURL_CALLS_H

#include <curl/curl.h>

#include "dockside/base/err.h"

struct curl_calls {
	typeof(curl_easy_cleanup) *easy_cleanup;
	typeof(curl_easy_getinfo) *easy_getinfo;
	typeof(curl_easy_init) *easy_init;
	typeof(curl_easy_setopt) *easy_setopt;
	typeof(curl_easy_strerror) *easy_strerror;
	typeof(curl_global_cleanup) *global_cleanup;
	typeof(curl_global_init) *global_init;
	typeof(curl_multi_add_handle) *multi_add_handle;
	typeof(curl_multi_cleanup) *multi_cleanup;
	typeof(curl_multi_info_read) *multi_info_read;
	typeof(curl_multi_init) *multi_init;
	typeof(curl_multi_remove_handle) *multi_remove_handle;
	typeof(curl_multi_setopt) *multi_setopt;
	typeof(curl_multi_socket_action) *multi_socket_action;
	typeof(curl_slist_append) *slist_append;
	typeof(curl_slist_free_all) *slist_free_all;
};

/* Loads the library unless it is there; it stays. Returns 0 or -ELIBACC, which does not mean that there is no Docker; err
 * says what is missing. The calls are the same ones each time, and are valid after the first 0. */
int curl_calls_load(struct err *err);
extern struct curl_calls curl;

#endif
