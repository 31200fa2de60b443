/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dns_conf.h"

#include <stdlib.h>
#include <string.h>

#include "dockside/base/text.h"
#include "dockside/base/util.h"

#define NDOTS 1
#define NDOTS_MAX 15u
#define TIMEOUT_S 5
#define TIMEOUT_MAX_S 30u
#define ATTEMPTS 2
#define ATTEMPTS_MAX 5u

struct word {
	const char *s;
	size_t len;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* The next word of a line, which it is cut from. */
static bool next_word(struct word *line, struct word *ret)
{
	while (line->len > 0 && is_blank(*line->s)) {
		line->s++;
		line->len--;
	}
	ret->s = line->s;
	ret->len = 0;
	while (ret->len < line->len && !is_blank(line->s[ret->len]))
		ret->len++;
	line->s += ret->len;
	line->len -= ret->len;
	return ret->len > 0;
}

static bool word_is(const struct word *word, const char *s)
{
	return word->len == strlen(s) && memcmp(word->s, s, word->len) == 0;
}

/* ------------------------------------------------------------------ lines */

static void read_server(struct dns_conf *conf, struct word line)
{
	struct dns_upstream_server server = { .zone = "" };
	const char *percent;
	struct word word;
	size_t len;

	if (conf->n_servers == DNS_SERVERS_MAX || !next_word(&line, &word))
		return;
	percent = memchr(word.s, '%', word.len);
	len = percent ? (size_t)(percent - word.s) : word.len;
	if (!ipaddr_parse(word.s, len, &server.addr))
		return;
	if (percent) {
		size_t zone_len = word.len - len - 1;

		if (zone_len == 0 || zone_len > DNS_ZONE_MAX || server.addr.family != FAMILY_IPV6)
			return;
		memcpy(server.zone, percent + 1, zone_len);
	}
	conf->servers[conf->n_servers++] = server;
}

static void forget_search(struct dns_conf *conf)
{
	for (size_t i = 0; i < conf->n_search; i++)
		free(conf->search[i]);
	conf->n_search = 0;
}

/* The last such line counts, whether it is `search` or `domain`. */
static void read_search(struct dns_conf *conf, struct word line, size_t max)
{
	struct word word;

	forget_search(conf);
	while (conf->n_search < max && next_word(&line, &word)) {
		if (word.len > 1 && word.s[word.len - 1] == '.')
			word.len--;
		if (word.len <= HOSTNAME_MAX && !memchr(word.s, '\0', word.len))
			conf->search[conf->n_search++] = lower_case(xstrndup(word.s, word.len));
	}
}

/* "name:number"; a number beyond max is max. */
static void read_option(const struct word *word, const char *name, unsigned min, unsigned max,
			unsigned *value)
{
	size_t len = strlen(name);
	uint64_t n;

	if (word->len <= len || memcmp(word->s, name, len) != 0 || word->s[len] != ':' ||
	    !parse_uint(word->s + len + 1, word->len - len - 1, 0, UINT32_MAX, &n))
		return;
	*value = n > max ? max : n < min ? min : (unsigned)n;
}

static void read_options(struct dns_conf *conf, struct word line)
{
	struct word word;

	while (next_word(&line, &word)) {
		read_option(&word, "ndots", 0, NDOTS_MAX, &conf->ndots);
		read_option(&word, "timeout", 1, TIMEOUT_MAX_S, &conf->timeout_s);
		read_option(&word, "attempts", 1, ATTEMPTS_MAX, &conf->attempts);
	}
}

static void read_line(struct dns_conf *conf, struct word line)
{
	struct word keyword;

	if (line.len == 0 || is_blank(*line.s) || *line.s == '#' || *line.s == ';' ||
	    !next_word(&line, &keyword))
		return;
	if (word_is(&keyword, "nameserver"))
		read_server(conf, line);
	else if (word_is(&keyword, "search"))
		read_search(conf, line, DNS_SEARCH_MAX);
	else if (word_is(&keyword, "domain"))
		read_search(conf, line, 1);
	else if (word_is(&keyword, "options"))
		read_options(conf, line);
}

void dns_conf_parse(const char *text, size_t len, const char *hostname, struct dns_conf *ret_conf)
{
	static const uint8_t localhost[] = { 127, 0, 0, 1 };
	struct dns_conf conf = { .ndots = NDOTS, .timeout_s = TIMEOUT_S, .attempts = ATTEMPTS };
	const char *dot = strchr(hostname, '.');

	if (dot)
		read_search(&conf, (struct word){ dot + 1, strlen(dot + 1) }, 1);
	while (len > 0) {
		const char *end = memchr(text, '\n', len);
		size_t n = end ? (size_t)(end - text) : len;

		read_line(&conf, (struct word){ text, n });
		n += end != NULL;
		text += n;
		len -= n;
	}
	if (conf.n_servers == 0)
		conf.servers[conf.n_servers++].addr = ipaddr_from_bytes(FAMILY_IPV4, localhost);
	*ret_conf = conf;
}

void dns_conf_free(struct dns_conf *conf)
{
	forget_search(conf);
}

/* ------------------------------------------------------------------ search domains */

size_t dns_conf_candidates(const struct dns_conf *conf)
{
	return 1 + conf->n_search;
}

/* A name with enough dots in it is tried as it is before the domains, others after them. */
char *dns_conf_candidate(const struct dns_conf *conf, const char *name, size_t i)
{
	size_t last = conf->n_search, dots = 0;

	for (const char *p = name; *p; p++)
		dots += *p == '.';
	if (dots >= conf->ndots)
		i = i == 0 ? last : i - 1;
	if (i >= last || strcmp(conf->search[i], ".") == 0)
		return xstrdup(name);
	return xasprintf("%s.%s", name, conf->search[i]);
}
