/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Theory of operation
 *
 * To ares_parse_a_reply() any alias in a reply stands for the name that was asked for (1.18.1). So the walk
 * over the records is ours, and checks whose they are; what is dangerous in it, names that point into each
 * other, is left to ares_expand_name(), which escapes what is odd in a name by a backslash.
 */
#include "dockside/dns_reply.h"

#include <ares.h>
#include <ctype.h>
#include <limits.h>
#include <string.h>

#define HEADER_SIZE 12u
#define QR 0x80u     /* of byte 2: a reply */
#define OPCODE 0x78u /* of byte 2: 0 is a question for records */
#define RCODE 0x0fu  /* of byte 3: 0 is success */
#define TYPE_A 1u
#define TYPE_CNAME 5u
#define TYPE_AAAA 28u
#define CLASS_IN 1u
#define ALIASES_MAX 16 /* resolvers follow about as many */

struct reader {
	const uint8_t *message;
	size_t len, at;
};

struct record {
	char *owner; /* of c-ares */
	unsigned type, class;
	size_t data, len; /* where its data is */
};

static bool read_u16(struct reader *r, unsigned *ret)
{
	if (r->len - r->at < 2)
		return false;
	*ret = (unsigned)r->message[r->at] << 8 | r->message[r->at + 1];
	r->at += 2;
	return true;
}

/* *ret_name: ares_free_string() it. */
static bool read_name(struct reader *r, char **ret_name)
{
	long used;

	if (r->at >= r->len || ares_expand_name(r->message + r->at, r->message, (int)r->len,
						ret_name, &used) != ARES_SUCCESS)
		return false;
	r->at += (size_t)used;
	return true;
}

/* Leaves the reader behind the record. */
static bool read_record(struct reader *r, struct record *ret)
{
	unsigned len = 0;

	*ret = (struct record){ 0 };
	if (!read_name(r, &ret->owner))
		return false;
	if (!read_u16(r, &ret->type) || !read_u16(r, &ret->class) || r->len - r->at < 4) {
		ares_free_string(ret->owner);
		return false;
	}
	r->at += 4; /* the TTL */
	if (!read_u16(r, &len) || r->len - r->at < len) {
		ares_free_string(ret->owner);
		return false;
	}
	ret->data = r->at;
	ret->len = len;
	r->at += len;
	return true;
}

/* ------------------------------------------------------------------ the question */

struct question {
	char *name; /* of c-ares */
	unsigned type, class, n_answers;
};

static bool read_question(struct reader *r, struct question *ret)
{
	unsigned n_questions = 0;

	if (r->len < HEADER_SIZE || r->len > INT_MAX || !(r->message[2] & QR))
		return false;
	r->at = 4;
	if (!read_u16(r, &n_questions) || n_questions != 1 || !read_u16(r, &ret->n_answers))
		return false;
	r->at = HEADER_SIZE;
	if (!read_name(r, &ret->name))
		return false;
	if (read_u16(r, &ret->type) && read_u16(r, &ret->class))
		return true;
	ares_free_string(ret->name);
	ret->name = NULL;
	return false;
}

/* Fit for terminals, JSON and configurations; an address as a name would only deceive. */
static bool take_name(const char *name, char ret_name[HOSTNAME_MAX + 1])
{
	size_t len = strlen(name);
	struct ipaddr addr;

	if (len == 0 || len > HOSTNAME_MAX || ipaddr_parse(name, len, &addr))
		return false;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)name[i];

		if (c > '~' || (!isalnum(c) && !strchr("-_.", c)))
			return false;
		ret_name[i] = (char)tolower(c);
	}
	ret_name[len] = '\0';
	return true;
}

/* ------------------------------------------------------------------ the answers */

/* The names that the question's has turned out to be; aliases come before what they lead to. */
struct aliases {
	char *names[ALIASES_MAX]; /* of c-ares; the first is the question's */
	size_t n;
};

static bool is_one_of(const struct aliases *aliases, const char *name)
{
	for (size_t i = 0; i < aliases->n; i++)
		if (strcasecmp(aliases->names[i], name) == 0)
			return true;
	return false;
}

static bool add_alias(struct aliases *aliases, const struct reader *r, const struct record *record)
{
	struct reader data = { r->message, r->len, record->data };
	char *name;

	if (!read_name(&data, &name))
		return false;
	if (data.at != record->data + record->len) {
		ares_free_string(name);
		return false;
	}
	if (aliases->n == ALIASES_MAX || is_one_of(aliases, name))
		ares_free_string(name);
	else
		aliases->names[aliases->n++] = name;
	return true;
}

static void add_addr(struct dns_reply *reply, enum family family, const uint8_t *bytes)
{
	struct ipaddr addr = ipaddr_from_bytes(family, bytes);

	if (reply->n_addrs < DNS_REPLY_ADDRS_MAX && !ipaddr_is_unspecified(&addr))
		reply->addrs[reply->n_addrs++] = addr;
}

static bool take_record(const struct reader *r, const struct record *record, unsigned type,
			struct aliases *aliases, struct dns_reply *reply)
{
	enum family family = type == TYPE_A ? FAMILY_IPV4 : FAMILY_IPV6;

	if (record->class != CLASS_IN || !is_one_of(aliases, record->owner))
		return true;
	if (record->type == TYPE_CNAME)
		return add_alias(aliases, r, record);
	if (record->type != type)
		return true;
	if (record->len != family_bytes(family))
		return false;
	add_addr(reply, family, r->message + record->data);
	return true;
}

static bool take_answers(struct reader *r, struct question *question, struct dns_reply *reply)
{
	struct aliases aliases = { .names = { question->name }, .n = 1 };
	bool good = true;

	for (unsigned i = 0; good && i < question->n_answers; i++) {
		struct record record;

		good = read_record(r, &record);
		if (!good)
			break;
		good = take_record(r, &record, question->type, &aliases, reply);
		ares_free_string(record.owner);
	}
	for (size_t i = 1; i < aliases.n; i++)
		ares_free_string(aliases.names[i]);
	return good;
}

bool dns_reply_parse(const uint8_t *message, size_t len, struct dns_reply *ret_reply)
{
	struct reader r = { .message = message, .len = len };
	struct dns_reply reply = { .n_addrs = 0 };
	struct question question = { 0 };
	bool good = true;

	if (!read_question(&r, &question))
		return false;
	if ((message[2] & OPCODE) == 0 && (message[3] & RCODE) == 0 && question.class == CLASS_IN &&
	    (question.type == TYPE_A || question.type == TYPE_AAAA) &&
	    take_name(question.name, reply.name))
		good = take_answers(&r, &question, &reply);
	ares_free_string(question.name);
	if (good)
		*ret_reply = reply;
	return good;
}
