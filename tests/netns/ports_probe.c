/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ports_probe kernel: prints what the kernel says of the ports of bridges.
 * ports_probe look: for each line on standard input, the name of a file, looks at the ports once more and prints who is on
 * which, and a dot. The file stands for Docker: "BRIDGE CONTAINER MAC ADDRESS…" a line.
 * ports_probe watch SOCKET NETWORK BRIDGE FILE: asks Docker when interfaces change, keeps who is on which port in FILE, and
 * prints a line for each port that becomes known, with the time in milliseconds since 1970. Ends with standard input.
 * ports_probe ask SOCKET NETWORK-CONFIG FIREWALL-CONFIG: asks kernel and Docker once, as commands without a daemon do, and
 * prints who is on which port, and of which bridges Docker has told.
 * ports_probe caps: prints what Docker's answer on standard input gives a container of NET_RAW and NET_ADMIN: "1 0".
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dockside/base/err.h"
#include "dockside/base/util.h"
#include "dockside/docker/docker_caps.h"
#include "dockside/docker/docker_client.h"
#include "dockside/docker/docker_ports.h"
#include "dockside/enforce/ports_ask.h"
#include "dockside/policy/config.h"
#include "dockside/system/clock.h"
#include "dockside/system/link_peers.h"
#include "dockside/system/link_watch.h"

struct probe {
	struct ports_history history;
	uint64_t asked;
	struct port_word *words;
	size_t n_words;
	struct ports ports;
	struct docker *docker;
	const char *network, *bridge, *file;
};

static void print_port(FILE *out, const struct port *port)
{
	char s[ADDR_STRLEN];

	if (port->doubt == PORT_UNMANAGED)
		return;
	fprintf(out, "%s %s %s", port->name, port->bridge, port->known ? port->container : "-");
	for (size_t i = 0; i < port->n_addrs; i++)
		fprintf(out, " %s", ipaddr_format(&port->addrs[i], s));
	fprintf(out, "%s%s\n", port->known ? " " : ": ",
		port->known ? mac_format(port->mac, s) : port_doubt_text(port->doubt));
}

/* ---- kernel ---- */

static int probe_kernel(struct err *err)
{
	struct port_links links = { 0 };
	char s[ADDR_STRLEN];
	int r = link_peers_read(&(struct ports_history){ 0 }, 1, &links, err);

	for (size_t i = 0; r == 0 && i < links.n; i++) {
		const struct port_link *link = &links.items[i];

		printf("%s %s %s %s %s\n", link->name, link->bridge,
		       link->peer ? "peer" : "no-peer", link->up ? "up" : "down",
		       link->has_mac ? mac_format(link->mac, s) : "-");
	}
	port_links_free(&links);
	return r;
}

/* ---- look ---- */

static struct port_word *word_of(struct probe *probe, const char *bridge)
{
	struct port_word *word;

	for (size_t i = 0; i < probe->n_words; i++)
		if (strcmp(probe->words[i].bridge, bridge) == 0)
			return &probe->words[i];
	probe->words = xreallocarray(probe->words, probe->n_words + 1, sizeof(*probe->words));
	word = &probe->words[probe->n_words++];
	*word = (struct port_word){ .at = probe->asked };
	snprintf(word->bridge, sizeof(word->bridge), "%s", bridge);
	return word;
}

static void forget_words(struct probe *probe)
{
	for (size_t i = 0; i < probe->n_words; i++)
		port_word_free(&probe->words[i]);
	probe->n_words = 0;
}

static void take_line(struct probe *probe, char *line)
{
	char *rest, *bridge = strtok_r(line, " \n", &rest), *name = strtok_r(NULL, " \n", &rest);
	char *mac = strtok_r(NULL, " \n", &rest), *addr;
	struct port_word *word;
	struct port_owner *owner;

	if (!bridge)
		return;
	word = word_of(probe, bridge);
	if (!mac)
		return; /* a network with nobody */
	word->owners = array_grow(word->owners, &word->cap, word->n, sizeof(*word->owners));
	owner = &word->owners[word->n++];
	*owner = (struct port_owner){ .container = xstrdup(name) };
	mac_parse(mac, strlen(mac), owner->mac);
	while (owner->n_addrs < 2 && (addr = strtok_r(NULL, " \n", &rest)))
		ipaddr_parse(addr, strlen(addr), &owner->addrs[owner->n_addrs++]);
}

static int read_words(struct probe *probe, const char *path, struct err *err)
{
	cleanup(cleanup_fclose) FILE *file = fopen(path, "re");
	char line[512];

	if (!file)
		return err_errno(err, errno, "read %s", path);
	forget_words(probe);
	probe->asked++;
	while (fgets(line, sizeof(line), file))
		take_line(probe, line);
	return 0;
}

static int join(struct probe *probe, struct err *err)
{
	struct port_links links = { 0 };
	int r = link_peers_read(&probe->history, ++probe->asked, &links, err);

	if (r < 0)
		return r;
	ports_free(&probe->ports);
	ports_join(&probe->history, &links, probe->words, probe->n_words, &probe->ports);
	port_links_free(&links);
	return 0;
}

static int look(struct probe *probe, const char *path, struct err *err)
{
	int r = join(probe, err);

	if (r >= 0)
		r = read_words(probe, path, err);
	if (r >= 0)
		r = join(probe, err);
	for (size_t i = 0; r >= 0 && i < probe->ports.n; i++)
		print_port(stdout, &probe->ports.ports[i]);
	puts(".");
	fflush(stdout);
	return r;
}

static int probe_look(struct probe *probe, struct err *err)
{
	char line[512];
	int r = 0;

	while (r >= 0 && fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		r = look(probe, line, err);
	}
	return r;
}

/* ---- watch ---- */

static void on_containers(void *data, const struct docker_answer *answer)
{
	struct docker_containers containers = { 0 };
	struct probe *probe = data;

	if (answer->error.code != 0 ||
	    docker_parse_containers(answer->body, answer->len, &containers, NULL) < 0)
		return;
	forget_words(probe);
	docker_port_word(&containers, probe->bridge, probe->asked, word_of(probe, probe->bridge));
	docker_containers_free(&containers);
}

static void on_version(void *data, const struct docker_answer *answer)
{
	(void)data;
	(void)answer;
}

static int write_ports(const struct probe *probe, struct err *err)
{
	cleanup(cleanup_free) char *path = xasprintf("%s.new", probe->file);
	FILE *out = fopen(path, "we");

	if (!out)
		return err_errno(err, errno, "write %s", path);
	for (size_t i = 0; i < probe->ports.n; i++)
		print_port(out, &probe->ports.ports[i]);
	fclose(out);
	return rename(path, probe->file) < 0 ? err_errno(err, errno, "write %s", path) : 0;
}

static void tell(const struct ports *before, const struct ports *ports)
{
	for (size_t i = 0; i < ports->n; i++) {
		const struct port *was = ports_find(before, ports->ports[i].name);

		if (!ports->ports[i].known || (was && was->known))
			continue;
		printf("%llu ", (unsigned long long)unix_ms());
		print_port(stdout, &ports->ports[i]);
	}
	fflush(stdout);
}

static int update(struct probe *probe, struct err *err)
{
	struct ports before = probe->ports;
	int r;

	probe->ports = (struct ports){ 0 };
	r = join(probe, err);
	probe->asked++;
	docker_inspect(probe->docker, probe->network, on_containers, probe);
	if (r >= 0)
		r = docker_wait(probe->docker, err);
	if (r >= 0)
		r = join(probe, err);
	if (r >= 0)
		r = write_ports(probe, err);
	if (r >= 0)
		tell(&before, &probe->ports);
	ports_free(&before);
	return r;
}

static int probe_watch(struct probe *probe, char **args, struct err *err)
{
	struct pollfd fds[2] = { { .fd = STDIN_FILENO }, { .events = POLLIN } };
	int r = docker_open(args[0], monotonic_ms, &probe->docker, err);

	probe->network = args[1];
	probe->bridge = args[2];
	probe->file = args[3];
	fds[1].fd = link_watch(LINK_WATCH_LINKS, err);
	if (r < 0 || fds[1].fd < 0)
		return -1;
	docker_ask_version(probe->docker, on_version, NULL);
	do {
		link_watch_drain(fds[1].fd);
		r = update(probe, err);
	} while (r >= 0 && poll(fds, 2, -1) > 0 && !fds[0].revents);
	docker_close(probe->docker);
	close(fds[1].fd);
	return r;
}

/* ---- ask ---- */

static int probe_ask(char **args, struct err *err)
{
	struct policy policy = { 0 };
	struct diags diags = { 0 };
	struct ports ports = { 0 };
	int r = -EINVAL;

	if (config_load(args[1], args[2], &policy, &diags))
		r = ports_ask(&policy, args[0], PORTS_ASK_MS, NULL, &ports, err);
	for (size_t i = 0; i < ports.n; i++)
		print_port(stdout, &ports.ports[i]);
	for (size_t i = 0; i < ports.n_answered; i++)
		printf("answered %s\n", ports.answered[i]);
	ports_free(&ports);
	diags_free(&diags);
	policy_free(&policy);
	return r;
}

/* ---- caps ---- */

static int probe_caps(struct err *err)
{
	char text[65536];
	struct docker_caps caps;
	int r = docker_caps_parse(text, fread(text, 1, sizeof(text), stdin), &caps, err);

	if (r == 0)
		printf("%d %d\n", caps.net_raw, caps.net_admin);
	return r;
}

int main(int argc, char **argv)
{
	struct probe probe = { 0 };
	struct err err = { 0 };
	int r = -EINVAL;

	if (argc == 2 && strcmp(argv[1], "kernel") == 0)
		r = probe_kernel(&err);
	else if (argc == 2 && strcmp(argv[1], "look") == 0)
		r = probe_look(&probe, &err);
	else if (argc == 6 && strcmp(argv[1], "watch") == 0)
		r = probe_watch(&probe, argv + 2, &err);
	else if (argc == 5 && strcmp(argv[1], "ask") == 0)
		r = probe_ask(argv + 2, &err);
	else if (argc == 2 && strcmp(argv[1], "caps") == 0)
		r = probe_caps(&err);
	if (r < 0)
		fprintf(stderr, "%s\n", err.code ? err.text : "see the comment of ports_probe.c");
	forget_words(&probe);
	free(probe.words);
	ports_free(&probe.ports);
	ports_history_free(&probe.history);
	err_free(&err);
	return r < 0;
}
