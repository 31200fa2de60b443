/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One of the two kinds of trouble: an *error* is an operation that failed. It is made once, each caller
 * prepends what it tried, and it is printed once at the top. The other kind is in diag.h.
 */
#ifndef DOCKSIDE_BASE_ERR_H
#define DOCKSIDE_BASE_ERR_H

#include "dockside/base/util.h"

/* Zero-initialise; err_free() when done. A NULL struct err * is accepted everywhere. */
struct err {
	int code;   /* errno value, 0 while unset */
	char *text; /* "apply network ds-prod: load ruleset: Operation not permitted" */
};

/* Sets a message; returns -code. An earlier message is replaced. */
int err_set(struct err *err, int code, const char *fmt, ...) printf_like(3, 4);
/* As err_set(), with ": " and strerror(code) appended. */
int err_errno(struct err *err, int code, const char *fmt, ...) printf_like(3, 4);
/* Prepends "phrase: " to the message; returns -code. Without an err there is no code to return: -EIO
 * then, so that a failure never turns into 0. */
int err_prefix(struct err *err, const char *fmt, ...) printf_like(2, 3);
void err_free(struct err *err);

#endif
