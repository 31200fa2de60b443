/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/system/dns_reply.h"

#include <ctype.h>
#include <string.h>

#include "dockside/system/dns_message.h"

/* ------------------------------------------------------------------ the question */

/* Fit for terminals, JSON and configurations; an address as a name would only deceive. */
static bool take_name(const struct dns_name *name, char ret_name[HOSTNAME_MAX + 1])
{
	struct ipaddr addr;
	size_t n = 0;

	for (size_t at = 0; name->b[at] != 0; at += 1u + name->b[at]) {
		if (n > 0)
			ret_name[n++] = '.';
		for (size_t i = 1; i <= name->b[at]; i++) {
			unsigned char c = name->b[at + i];

			if (n == HOSTNAME_MAX || c > '~' || (!isalnum(c) && c != '-' && c != '_'))
				return false;
			ret_name[n++] = (char)c;
		}
	}
	ret_name[n] = '\0';
	return n > 0 && !ipaddr_parse(ret_name, n, &addr);
}

/* ------------------------------------------------------------------ the answers */

/* The question's name and its aliases; in a reply, an alias comes before what it leads to. */
struct aliases {
	struct dns_name names[DNS_ALIASES_MAX]; /* the first is the question's */
	size_t n;
};

static bool is_one_of(const struct aliases *aliases, const struct dns_name *name)
{
	for (size_t i = 0; i < aliases->n; i++)
		if (dns_name_equal(&aliases->names[i], name))
			return true;
	return false;
}

static bool add_alias(struct aliases *aliases, const struct dns_reader *r,
		      const struct dns_record *record)
{
	struct dns_name name;

	if (!dns_read_alias(r, record, &name))
		return false;
	if (aliases->n < DNS_ALIASES_MAX && !is_one_of(aliases, &name))
		aliases->names[aliases->n++] = name;
	return true;
}

static void add_addr(struct dns_reply *reply, enum family family, const uint8_t *bytes)
{
	struct ipaddr addr = ipaddr_from_bytes(family, bytes);

	if (reply->n_addrs < DNS_REPLY_ADDRS_MAX && !ipaddr_is_unspecified(&addr))
		reply->addrs[reply->n_addrs++] = addr;
}

static bool take_record(const struct dns_reader *r, const struct dns_record *record, unsigned type,
			struct aliases *aliases, struct dns_reply *reply)
{
	enum family family = type == DNS_TYPE_A ? FAMILY_IPV4 : FAMILY_IPV6;

	if (record->class != DNS_CLASS_IN || !is_one_of(aliases, &record->owner))
		return true;
	if (record->type == DNS_TYPE_CNAME)
		return add_alias(aliases, r, record);
	if (record->type != type)
		return true;
	if (record->len != family_bytes(family))
		return false;
	add_addr(reply, family, r->message + record->data);
	return true;
}

static bool take_answers(struct dns_reader *r, unsigned n, const struct dns_name *question,
			 unsigned type, struct dns_reply *reply)
{
	struct aliases aliases = { .n = 1 };
	struct dns_record record;

	aliases.names[0] = *question;
	for (unsigned i = 0; i < n; i++)
		if (!dns_read_record(r, &record) || !take_record(r, &record, type, &aliases, reply))
			return false;
	return true;
}

bool dns_reply_parse(const uint8_t *message, size_t len, struct dns_reply *ret_reply)
{
	struct dns_reader r = { .message = message, .len = len };
	struct dns_reply reply = { .n_addrs = 0 };
	struct dns_header header;
	struct dns_name question;
	unsigned type, class;

	if (!dns_read_header(&r, &header) || !header.is_reply || header.n_questions != 1 ||
	    !dns_read_name(&r, &question) || !dns_read_u16(&r, &type) || !dns_read_u16(&r, &class))
		return false;
	if (header.opcode == 0 && header.rcode == DNS_RCODE_OK && class == DNS_CLASS_IN &&
	    (type == DNS_TYPE_A || type == DNS_TYPE_AAAA) && take_name(&question, reply.name) &&
	    !take_answers(&r, header.n_answers, &question, type, &reply))
		return false;
	*ret_reply = reply;
	return true;
}
