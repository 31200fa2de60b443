/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sets_probe COMMAND: what nft_sets.h and nft_events.h do, for sets.sh.
 *
 *	renewal              how this kernel renews elements
 *	commit RENEWAL       does the operations on standard input, one transaction up to each line
 *	                     "commit": "KIND SET TYPE ELEMENT TIMEOUT-MS [COMMENT]"
 *	fire RENEWAL N ADDRESS
 *	                     N renewals of ADDRESS in set v4 while packets are sent to it
 *	generation           of the ruleset
 *	events               prints transactions until it is killed
 *	own RENEWAL          as commit, and says what is heard of each transaction
 *	storm BYTES N        N transactions of 10,000 elements each into a queue of BYTES for events
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dockside/base/arena.h"
#include "dockside/base/err.h"
#include "dockside/base/text.h"
#include "dockside/base/util.h"
#include "dockside/kernel/nft_events.h"
#include "dockside/kernel/nft_read.h"
#include "dockside/kernel/nft_sets.h"

static _Noreturn void fail(struct err *err)
{
	printf("error: %s\n", err->text);
	exit(1);
}

/* ------------------------------------------------------------------ operations as text */

static size_t find_word(const char *word, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (word && strcmp(words[i], word) == 0)
			return i;
	}
	fprintf(stderr, "sets_probe: what is \"%s\"?\n", word ? word : "");
	exit(2);
}

static enum renewal find_renewal(const char *word)
{
	static const char *const words[] = { "probe", "in-place", "replace" };

	return (enum renewal)find_word(word, words, ARRAY_SIZE(words));
}

static uint64_t number(const char *s)
{
	uint64_t n = 0;

	if (!s || !parse_uint(s, strlen(s), 0, UINT64_MAX, &n)) {
		fprintf(stderr, "sets_probe: \"%s\" is no number\n", s ? s : "");
		exit(2);
	}
	return n;
}

static void put_port(uint8_t *p, const char *s)
{
	uint16_t port = htons((uint16_t)number(s));

	memcpy(p, &port, sizeof(port));
}

/* "PORT/MAC/ADDRESS", "PORT/MAC" or "PORT/ADDRESS", as the type has them. */
static void parse_port_elem(enum set_type type, char *text, struct elem *elem)
{
	bool mac = type == SET_PORT_MAC || set_type_has_mac_and_ip(type);
	uint8_t *at = elem->key + IFNAME_KEY_LEN;
	char *save = NULL, *word = strtok_r(text, "/", &save);
	struct ipaddr addr;

	memcpy(elem->key, word, strnlen(word, IFNAME_KEY_LEN));
	if (mac &&
	    ((word = strtok_r(NULL, "/", &save)) == NULL || !mac_parse(word, strlen(word), at)))
		exit(2);
	if (type != SET_PORT_MAC) {
		word = strtok_r(NULL, "/", &save);
		if (!word || !ipaddr_parse(word, strlen(word), &addr))
			exit(2);
		memcpy(at + (mac ? MAC_KEY_LEN : 0), addr.b, family_bytes(addr.family));
	}
	memcpy(elem->last, elem->key, sizeof(elem->key));
}

/* "ADDRESS", or of maps "PORT/ADDRESS/PORT", all tcp. */
static void parse_elem(enum set_type type, char *text, struct elem *elem)
{
	bool v6 = type == SET_IPV6 || type == MAP_NAT6;
	uint8_t *address = elem->key;
	char *save = NULL;

	if (set_type_has_ifname(type)) {
		parse_port_elem(type, text, elem);
		return;
	}
	if (set_type_is_map(type)) {
		elem->key[0] = IPPROTO_TCP;
		put_port(elem->key + 4, strtok_r(text, "/", &save));
		text = strtok_r(NULL, "/", &save);
		put_port(elem->data + (v6 ? 16 : 4), strtok_r(NULL, "/", &save));
		address = elem->data;
	}
	if (!text || inet_pton(v6 ? AF_INET6 : AF_INET, text, address) != 1) {
		fprintf(stderr, "sets_probe: \"%s\" is no address\n", text ? text : "");
		exit(2);
	}
	memcpy(elem->last, elem->key, sizeof(elem->key));
}

/* Reads an operation from a line; its texts stay in the line's memory. */
static struct set_op parse_op(char *line)
{
	static const char *const kinds[] = { "present", "renew", "absent" };
	static const char *const types[] = { [SET_IPV4] = "v4",
					     [SET_IPV6] = "v6",
					     [SET_PORTS] = "ports",
					     [SET_BRIDGES] = "bridges",
					     [SET_MARKS] = "marks",
					     [SET_MAC] = "mac",
					     [SET_PORT_MAC] = "portmac",
					     [SET_PORT_IPV4] = "port4",
					     [SET_PORT_IPV6] = "port6",
					     [SET_PORT_MAC_IPV4] = "portmac4",
					     [SET_PORT_MAC_IPV6] = "portmac6",
					     [SET_ND_TARGET] = "nd",
					     [SET_PORT_ND_TARGET] = "portnd",
					     [MAP_DISPATCH] = "vmap",
					     [MAP_TELL] = "tell",
					     [MAP_NAT4] = "nat4",
					     [MAP_NAT6] = "nat6" };
	struct set_op op = { 0 };
	char *save = NULL;

	op.kind = (enum set_op_kind)find_word(strtok_r(line, " ", &save), kinds, ARRAY_SIZE(kinds));
	op.set = strtok_r(NULL, " ", &save);
	op.type = (enum set_type)find_word(strtok_r(NULL, " ", &save), types, ARRAY_SIZE(types));
	parse_elem(op.type, strtok_r(NULL, " ", &save), &op.elem);
	op.elem.timeout_ms = number(strtok_r(NULL, " ", &save));
	op.elem.comment = strtok_r(NULL, "", &save);
	return op;
}

struct ops {
	struct set_op *items;
	size_t n, cap;
	struct arena lines;
};

static void ops_free(struct ops *ops)
{
	free(ops->items);
	arena_free(&ops->lines);
}

static void add_op(struct ops *ops, const char *line)
{
	ops->items = array_grow(ops->items, &ops->cap, ops->n, sizeof(*ops->items));
	ops->items[ops->n++] = parse_op(arena_strdup(&ops->lines, line));
}

/* Up to "commit" or the end; false if there was neither an operation nor "commit". */
static bool read_ops(struct ops *ops)
{
	char line[1024];

	ops->n = 0;
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		if (strcmp(line, "commit") == 0)
			return true;
		add_op(ops, line);
	}
	return ops->n > 0;
}

static struct nft_sets *open_sets(const char *renewal)
{
	struct nft_sets *sets;
	struct err err = { 0 };

	if (nft_sets_open(&sets, find_renewal(renewal), &err) < 0)
		fail(&err);
	return sets;
}

/* ------------------------------------------------------------------ commands */

static void print_renewal(void)
{
	struct nft_sets *sets = open_sets("probe");

	puts(nft_sets_renewal(sets) == RENEWAL_IN_PLACE ? "in-place" : "replace");
	nft_sets_close(sets);
}

static uint32_t generation(void)
{
	struct nft_reader *reader;
	struct err err = { 0 };
	uint32_t genid;

	if (nft_reader_open(&reader, &err) < 0 || nft_read_genid(reader, &genid, &err) < 0)
		fail(&err);
	nft_reader_close(reader);
	return genid;
}

/* Each line: "committed", "unchanged" or the error. */
static void commit(const char *renewal)
{
	struct nft_sets *sets = open_sets(renewal);
	struct ops ops = { 0 };

	while (read_ops(&ops)) {
		uint32_t before = generation();
		struct err err = { 0 };

		if (nft_sets_commit(sets, ops.items, ops.n, &err) == 0)
			puts(generation() != before ? "committed" : "unchanged");
		else
			printf("%s\n", err.text);
		err_free(&err);
	}
	nft_sets_close(sets);
	ops_free(&ops);
}

/* Sends to the discard port as fast as it goes, counting. */
static _Noreturn void send_packets(const char *address, atomic_ulong *sent)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	inet_pton(AF_INET, address, &to.sin_addr);
	for (;;) {
		(void)sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof(to));
		atomic_fetch_add(sent, 1);
	}
}

static void fire(const char *renewal, const char *count, const char *address)
{
	char *line = xasprintf("renew v4 v4 %s 60000 fire", address);
	struct set_op op = parse_op(line);
	struct nft_sets *sets = open_sets(renewal);
	struct err err = { 0 };
	uint64_t n = number(count), i = 0;
	atomic_ulong *sent = mmap(NULL, sizeof(*sent), PROT_READ | PROT_WRITE,
				  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t sender;

	if (sent == MAP_FAILED || nft_sets_commit(sets, &op, 1, &err) < 0)
		fail(&err);
	sender = fork();
	if (sender == 0)
		send_packets(address, sent);
	while (sender > 0 && atomic_load(sent) == 0)
		usleep(1000);
	for (; i < n; i++) {
		if (nft_sets_commit(sets, &op, 1, &err) < 0)
			break;
	}
	kill(sender, SIGKILL);
	waitpid(sender, NULL, 0);
	if (i < n)
		fail(&err);
	fprintf(stderr, "%llu renewals, %lu packets\n", (unsigned long long)n, atomic_load(sent));
	printf("%llu renewals\n", (unsigned long long)n);
	nft_sets_close(sets);
	free(line);
}

/* ------------------------------------------------------------------ events */

static void print_touch(unsigned how)
{
	static const char *const words[] = { "declared", "deleted", "added-to", "removed-from" };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (how & 1u << i)
			printf(" %s", words[i]);
	}
}

static void print_transaction(void *data, const struct nft_transaction *t)
{
	static const char *const tables[] = { "dockside", "filter4", "filter6", "bridge" };
	static const char *const kinds[] = { "chain", "set", "other" };

	(void)data;
	printf("%s", t->process);
	for (size_t i = 0; i < N_WATCHED; i++) {
		if (t->tables[i] != 0) {
			printf(" | %s", tables[i]);
			print_touch(t->tables[i]);
		}
	}
	for (size_t i = 0; i < t->n_touched; i++) {
		printf(" | %s %s %s", tables[t->touched[i].table], kinds[t->touched[i].kind],
		       t->touched[i].name);
		print_touch(t->touched[i].how);
	}
	puts(t->overflow ? " | and more" : "");
}

static struct nft_events *open_events(void)
{
	struct nft_events *events;
	struct err err = { 0 };

	if (nft_events_open(&events, &err) < 0)
		fail(&err);
	return events;
}

static void print_events(void)
{
	struct nft_events *events = open_events();
	struct pollfd fd = { .fd = nft_events_fd(events), .events = POLLIN };
	struct nft_events_state state;
	struct err err = { 0 };

	puts("ready");
	fflush(stdout);
	while (poll(&fd, 1, -1) > 0) {
		if (nft_events_read(events, print_transaction, NULL, &state, &err) < 0)
			fail(&err);
		if (state.lost)
			puts("lost");
		fflush(stdout);
	}
	nft_events_close(events);
}

struct heard {
	const struct nft_sets *sets;
	uint32_t genid; /* that the transaction has made */
	uint32_t pid;	/* ours, as the kernel numbers us; 0 until it has said so */
	size_t own, foreign, wrong;
};

/*
 * Our pid as the kernel's messages have it, which is that of the first pid namespace: getpid() where
 * we are in that one, otherwise 0, as a process in another namespace cannot know it. The inode of the
 * first one is a constant of the kernel's, PROC_PID_INIT_INO.
 */
static uint32_t pid_of_messages(void)
{
	struct stat st;

	return stat("/proc/self/ns/pid", &st) == 0 && st.st_ino == 0xEFFFFFFCu ? (uint32_t)getpid()
									       : 0;
}

/* All transactions here are of this process, by one socket or another. */
static void on_heard(void *data, const struct nft_transaction *t)
{
	struct heard *heard = data;

	if (heard->pid == 0)
		heard->pid = t->pid;
	if (t->genid != heard->genid || t->pid == 0 || t->pid != heard->pid)
		heard->wrong++;
	else if (t->portid != nft_sets_portid(heard->sets))
		heard->foreign++;
	else
		heard->own++;
}

static void own(const char *renewal)
{
	struct nft_events *events = open_events();
	struct nft_sets *sets = open_sets(renewal), *other = open_sets(renewal);
	struct ops ops = { 0 };
	uint32_t pid = pid_of_messages();

	for (bool others = false; read_ops(&ops); others = !others) {
		struct heard heard = { .sets = sets, .pid = pid };
		struct nft_events_state state = { 0 };
		struct err err = { 0 };

		if (nft_sets_commit(others ? other : sets, ops.items, ops.n, &err) < 0)
			fail(&err);
		heard.genid = generation();
		if (nft_events_read(events, on_heard, &heard, &state, &err) < 0)
			fail(&err);
		printf("%zu own, %zu foreign, %zu wrong%s\n", heard.own, heard.foreign, heard.wrong,
		       state.lost ? ", lost" : "");
		pid = heard.pid;
	}
	nft_events_close(events);
	nft_sets_close(sets);
	nft_sets_close(other);
	ops_free(&ops);
}

static void drain(struct nft_events *events, struct nft_sets *sets)
{
	struct heard heard = { .sets = sets };
	struct nft_events_state state = { .more = true };
	struct err err = { 0 };
	bool lost = false;

	while (state.more) {
		if (nft_events_read(events, on_heard, &heard, &state, &err) < 0)
			fail(&err);
		/* Lost means lost until nothing is left to read. */
		if (lost && !state.lost)
			puts("forgot the loss");
		lost = state.lost;
	}
	printf("%zu transactions%s\n", heard.own + heard.wrong, lost ? ", lost" : "");
}

static void storm(const char *bytes, const char *count)
{
	struct nft_events *events = open_events();
	struct nft_sets *sets = open_sets("replace");
	int size = (int)number(bytes);
	uint64_t n = number(count);
	struct err err = { 0 };
	struct ops ops = { 0 };

	if (setsockopt(nft_events_fd(events), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) < 0)
		exit(1);
	for (int i = 0; i < 10000; i++) {
		char line[64];

		snprintf(line, sizeof(line), "present many v4 10.9.%d.%d 60000", i / 256, i % 256);
		add_op(&ops, line);
	}
	for (; n > 0; n--) {
		if (nft_sets_commit(sets, ops.items, ops.n, &err) < 0)
			fail(&err);
	}
	drain(events, sets);
	if (nft_sets_commit(sets, ops.items, 1, &err) < 0)
		fail(&err);
	drain(events, sets);
	nft_events_close(events);
	nft_sets_close(sets);
	ops_free(&ops);
}

int main(int argc, char **argv)
{
	const char *command = argc > 1 ? argv[1] : "";

	if (strcmp(command, "renewal") == 0)
		print_renewal();
	else if (strcmp(command, "commit") == 0 && argc == 3)
		commit(argv[2]);
	else if (strcmp(command, "fire") == 0 && argc == 5)
		fire(argv[2], argv[3], argv[4]);
	else if (strcmp(command, "generation") == 0)
		printf("%u\n", generation());
	else if (strcmp(command, "events") == 0)
		print_events();
	else if (strcmp(command, "own") == 0 && argc == 3)
		own(argv[2]);
	else if (strcmp(command, "storm") == 0 && argc == 4)
		storm(argv[2], argv[3]);
	else
		return fputs("usage: at the top of sets_probe.c\n", stderr), 2;
	return 0;
}
