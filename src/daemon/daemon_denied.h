/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DOCKSIDE_DAEMON_DAEMON_DENIED_H
#define DOCKSIDE_DAEMON_DAEMON_DENIED_H

#include <stdbool.h>

#include "daemon_docker.h"
#include "daemon_ports.h"
#include "daemon_view.h"
#include "dockside/ctl/request.h"
#include "dockside/enforce/enforcer.h"
#include "dockside/json/json_write.h"
#include "dockside/report/denied.h"
#include "loop.h"

/* Hears what was refused, and what containers have looked up. */
struct daemon_denied;

/* log_group 0: --log-group none, and nothing is heard. path: of a file for it, NULL: none; borrowed.
 * daemon_denied_close(NULL) is valid. */
struct daemon_denied *daemon_denied_open(struct loop *loop, const struct enforcer *enforcer,
					 struct daemon_docker *docker,
					 const struct daemon_ports *ports, uint16_t log_group,
					 const char *path);
void daemon_denied_close(struct daemon_denied *k);

/* Listens to what is refused, if it does not yet, and opens the file for it anew. */
void daemon_denied_reload(struct daemon_denied *k);
/* The DNS gate has given a container an address for a name, or, of a question, refused to. */
void daemon_denied_told(struct daemon_denied *k, const char *bridge, const char *name,
			const struct ipaddr *addr);
void daemon_denied_question(struct daemon_denied *k, const struct network *network,
			    const struct ipaddr *client, const char *name,
			    const struct denied_dns *question);
/* A policy is about to be enforced, and has been. */
void daemon_denied_before(struct daemon_denied *k);
void daemon_denied_enforced(struct daemon_denied *k);

struct denied_view daemon_denied_view(struct daemon_denied *k);
/* Whether a network has or can have events; if not, err says what may have been meant. */
bool daemon_denied_knows(const struct daemon_denied *k, const char *network, struct err *err);
/* For so long may the answer to `denied` wait for an event; 0: there is one, or the client does not wait. */
uint64_t daemon_denied_wait_ms(const struct daemon_denied *k, const struct request *request);
/* The answer to `denied`. */
void daemon_denied_answer(struct daemon_denied *k, const struct request *request,
			  struct json_writer *out);
/* The name under which the network last looked up the address; and up to max addresses that it looked up under
 * the name, in lower case. */
const char *daemon_denied_looked_up(const struct daemon_denied *k, const char *bridge,
				    const struct ipaddr *addr);
size_t daemon_denied_looked_up_name(const struct daemon_denied *k, const char *bridge,
				    const char *name, struct ipaddr *ret_addrs, size_t max);

#endif
