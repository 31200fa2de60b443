/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "docker_outcome.h"

#include <errno.h>

#include "curl_calls.h"
#include "dockside/base/util.h"
#include "dockside/docker/docker_parse.h"

bool docker_is_success(long status)
{
	return status >= 200 && status < 300;
}

int docker_no_socket(struct err *err)
{
	return err_set(err, ENOENT,
		       "there is no such socket: Docker is not installed or does not run, or "
		       "DOCKER_HOST is another");
}

static int connect_failure(int code, struct err *err)
{
	switch (code) {
	case ENOENT:
	case ENOTDIR:
		return docker_no_socket(err);
	case ECONNREFUSED:
		return err_set(
			err, ECONNREFUSED,
			"nothing listens there: Docker does not run (systemctl start docker)");
	case EACCES:
	case EPERM:
		return err_set(err, EACCES,
			       "no permission: run as root, or as a member of the socket's group");
	case 0: /* libcurl has tried again to finish a connect() that said EAGAIN */
	case EAGAIN:
		return err_set(err, ETIMEDOUT, "it does not accept connections: it hangs");
	default:
		return err_errno(err, code, "cannot connect");
	}
}

static int transport_failure(const struct docker_outcome *o, struct err *err)
{
	if (o->result == CURLE_COULDNT_CONNECT)
		return connect_failure(o->connect_errno, err);
	if (o->too_big)
		return err_set(err, EPROTO, "the answer is larger than any that Docker gives");
	if (o->result == CURLE_OPERATION_TIMEDOUT)
		return err_set(err, ETIMEDOUT, "no answer within %u s: it hangs or is overloaded",
			       o->timeout_s);
	if (o->result == CURLE_GOT_NOTHING || o->result == CURLE_PARTIAL_FILE ||
	    o->result == CURLE_SEND_ERROR || o->result == CURLE_RECV_ERROR || o->result == CURLE_OK)
		return err_set(err, ECONNRESET, "the connection broke off");
	return err_set(err, EPROTO, "what answers does not speak HTTP: %s",
		       curl.easy_strerror(o->result));
}

int docker_outcome_judge(const struct docker_outcome *o, struct err *err)
{
	cleanup(cleanup_free) char *refusal = NULL;

	if (o->result != CURLE_OK || o->stream)
		return transport_failure(o, err);
	if (docker_is_success(o->status))
		return 0;
	if (o->status < 400)
		return err_set(err, EPROTO, "the answer makes no sense: HTTP status %ld",
			       o->status);
	refusal = docker_refusal(o->body, o->len);
	return err_set(err, EREMOTEIO, "%s (HTTP status %ld)",
		       refusal[0] ? refusal : "it refuses without a word", o->status);
}
