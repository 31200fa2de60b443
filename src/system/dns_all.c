/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Resolves names for callers that have no event loop. */
#include <assert.h>
#include <errno.h>
#include <poll.h>

#include "dockside/base/err.h"
#include "dockside/base/util.h"
#include "dockside/system/clock.h"
#include "dockside/system/dns.h"

static void take_answer(void *data, const struct answer *answer)
{
	struct resolved_name *host = resolved_find(data, answer->name);

	if (host)
		resolved_answer(host, answer);
}

static void give_up(struct resolved *resolved, unsigned timeout_ms)
{
	cleanup(cleanup_free) char *error = xasprintf("no answer within %u ms", timeout_ms);

	for (size_t i = 0; i < N_FAMILIES * resolved->n; i++) {
		struct resolved_name *host = &resolved->items[i / N_FAMILIES];
		enum family family = (enum family)(i % N_FAMILIES);

		if (host->states[family] == RESOLVED_UNASKED)
			resolved_answer(host, &(struct answer){ .family = family,
								.state = RESOLVED_FAILED,
								.error = error });
	}
}

static int wait_for_answers(struct dns *dns, uint64_t deadline)
{
	while (dns_pending(dns)) {
		struct pollfd pollfd = { .fd = dns_fd(dns), .events = POLLIN };
		uint64_t now = monotonic_ms();
		int wait = dns_wait_ms(dns);

		if (now >= deadline)
			return 0;
		if (wait < 0 || (uint64_t)wait > deadline - now)
			wait = (int)(deadline - now);
		if (poll(&pollfd, 1, wait) < 0 && errno != EINTR)
			return -errno;
		dns_process(dns);
	}
	return 0;
}

int dns_resolve_all(struct resolved *resolved, unsigned timeout_ms, struct err *err)
{
	uint64_t deadline = monotonic_ms() + timeout_ms;
	struct dns *dns = NULL;
	int r;

	if (resolved->n == 0)
		return 0;
	r = dns_open(timeout_ms, take_answer, resolved, &dns, err);
	if (r < 0)
		return r;
	assert(dns);
	for (size_t i = 0; i < N_FAMILIES * resolved->n; i++) {
		const struct resolved_name *host = &resolved->items[i / N_FAMILIES];
		enum family family = (enum family)(i % N_FAMILIES);

		if (host->states[family] == RESOLVED_UNASKED)
			dns_ask(dns, host->name, family);
	}
	r = wait_for_answers(dns, deadline);
	dns_close(dns);
	give_up(resolved, timeout_ms);
	return r < 0 ? err_errno(err, -r, "wait for DNS") : 0;
}
