/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The socket of the daemon, its server on sd-event and its client.
 *
 * The daemon's answers; "status" and, when that is "error", "message" are always there:
 *
 * any failure     {"status":"error", "message":"…", "errors":[ERROR…]}; the faults of a configuration
 *                 or request are in errors, which may be empty or absent.
 * ERROR           {"message":"…", "hint":"…", "pointer":"/networks/0/subnet", "file":"…", "line":3,
 *                 "column":14}; only message is always there.
 * any success     {"status":"ok", …, "message":"…", "warnings":[ERROR…]}: what was done, in words, and
 *                 what is odd about the configuration; both may be absent.
 * either          "ignored":["nmae"], "note":"…" where the request had members that its action does not
 *                 know: it was answered as if they were not there.
 * status          see below.
 * reload, apply, set-network, remove-network, set-ipset, add-ipset, del-ipset, remove-ipset, allow, deny, refresh
 *                 The answer waits for DNS. apply, set-network and remove-network have "networks":
 *                 [NAME…], those of the configuration now; remove-network "draining": true where
 *                 containers are still attached; reload, apply, set-network, and set-ipset and add-ipset, of that
 *                 ipset, "unresolved":[{"name":"…", "message":"…", "addresses":0}…]: names that DNS
 *                 has no answer for, why, and how many addresses they keep; absent if there are none.
 *                 All but refresh have "not_judged": [NAME…] where the packets of networks reach no rule, and
 *                 reload is an error then.
 * allow, deny     Besides, of a hostname: "lookup": {"name":"…", "addresses":["192.0.2.1"…], "message":"no such name",
 *                 "hint":"did you mean …?"}, the last two where it has no address; absent if the daemon does not ask
 *                 for it. allow: "refused":["…"], sentences about addresses that other rules refuse. deny:
 *                 "reachable":["…"], about addresses that other rules allow: then it is not denied wholly.
 * denied          see below.
 * reconcile       "removed_chains":[NAME…], "removed_ipsets":[NAME…], "repaired":[WHAT…],
 *                 "docker_orphans":[NAME…]; "message" where Docker does not answer.
 * explain         see below, behind status.
 *
 * metrics         {"status":"ok", "length":70000}, a line feed, and that many bytes in Prometheus' text
 *                 format. It is the only answer that may be longer than 1 MiB.
 *
 * denied: what was refused, or passed where it would have been (denied.h). The request may have "network": NAME,
 * "since_ms": MILLISECONDS since 1970, "after": SEQ; an answer has what its size allows. A client
 * that wants everything asks again with "after" of "next" as long as "more" is true; one that
 * follows adds "wait_ms": MILLISECONDS, at most 5000: if there is nothing after "after", the answer waits for so long,
 * or until there is something.
 * {"status": "ok",
 *  "listening": true,                      the kernel tells us; false: --log-group none, or a failure
 *  "network": "ds-prod",                   as the files spell it; absent unless it was asked for
 *  "base": "0123456789abcdef",             the hash of firewall-config by which the daemon runs, for "base" of
 *                                          set-network (edit.h); absent without "network"
 *  "events": [EVENT…],                     in order; see denied.h
 *  "next": 17,                             seq of the last event that was looked at
 *  "more": false,                          there are later ones already
 *  "missed": 0,                            events after "after" that are no longer in memory
 *  "packets": {"ds-prod": 100}}            all that the network's rules have refused, or would have in audit mode,
 *                                          as the kernel counts: there are events of some of them; absent where
 *                                          it is 0
 *
 * status:
 * {"status": "ok",
 *  "ready": true,                          the policy is enforced, between containers, too, and on every
 *                                          network that is there, and no repair has failed; names that have not been answered yet are no
 *                                          reason against it
 *  "settings": "…",                        which host setting is missing; null: none
 *  "counted_ms": 81000,                    when the packets were counted, by the host's CLOCK_MONOTONIC: of a large
 *                                          table that may be 3 s ago
 *  "networks": ["ds-prod"],                names, in the order of the file
 *  "ipsets": {"web": ["192.0.2.1"]},       name → sorted live addresses
 *  "unused_ipsets": ["spare"],             that no rule uses: the kernel has no set of them
 *  "truncated": true,                      addresses, names, or details of networks were left out:
 *                                          there are too many for an answer
 *  "alarms": ["…"],                        what is not as safe as the files read (daemon_alarms.c), a line each; of more
 *                                          than 100 the rest is a number
 *  "resolver": "…",                        which name servers are spared, and why; null: none
 *  "not_judged": ["ds-prod"],              networks whose packets reach no rule: an alarm each
 *  "legs": ["…"],                          containers of managed networks that are on others, too, where
 *                                          nothing is judged: a line each
 *  "network_details": {"ds-prod": {
 *      "state": "enforced",                or "audit" (nothing is refused), "unmanaged", "draining",
 *                                          "pending" (there is no such network yet), "not judged"
 *      "reason": "…",                      of "not judged", perhaps of others; null: nothing to say
 *      "mend": "…",                        what mends "not judged", commands in quotes; null otherwise
 *      "bridge": "ds-prod",
 *      "mode": "enforce",                  or "audit": nothing is refused
 *      "bind": "learn",                    or "strict", "off": what a port may send while its container is unknown
 *      "bound": true,                      the ports of known containers are bound to them; false: "off", or
 *                                          unmanaged, or the kernel has no bridge family (an alarm)
 *      "rules": 3,                         egress, nat and host rules
 *      "passed": 10, "refused": 2,         packets judged since the rules were last written
 *      "passed_bytes": 600, "refused_bytes": 120,  bytes of these; of a connection that passes the rules see the
 *                                          first packet alone
 *      "docker": "present",                or "absent", "differs", "unknown"
 *      "containers": 2,                    attached, the dockside container among them; null: unknown
 *      "docker_message": "…",              what differs (as the dockside container's MAC address, or an address of
 *                                          its that is in no subnet), or why it could not be created; null
 *      "known_port_count": 2,              ports of its bridge whose container is known
 *      "unknown_port_count": 1,            others
 *      "unknown_ports": ["veth1: …"],      the first 20 of these, and why
 *      "net_raw_count": 1,                 containers with the capability NET_RAW; null: Docker has not told
 *      "net_raw": ["web"]}},               the first 20 of them
 *  "names": {"db.example.com": {
 *      "addresses": ["192.0.2.1"],         sorted; in "ipsets" too where an ipset has the name
 *      "age": 12,                          seconds since DNS last answered; null: it never has
 *      "error": "IPv6: timeout"}},         why the last question failed, of one family or both; null:
 *                                          both were answered
 *  "reload": {
 *      "result": "ok",                     or "error"
 *      "age": 300,                         seconds ago
 *      "message": "…"},                    of the last reload, apply or start; null: nothing to say
 *  "files": {
 *      "state": "current",                 they say what runs; or "edited": they do, once reloaded;
 *                                          "faulty": a reload would refuse them
 *      "message": "…",                     what was edited, or the first error; null
 *      "last_accepted_enforced": false,    true: the files could not be enforced at the start, and what
 *                                          runs is the last configuration that was accepted
 *      "age": null,                        seconds since then; null: not so
 *      "kept": true,                       what runs is in the state directory, for such a start
 *      "not_kept": null},                  why not, in words
 *  "shim": {
 *      "state": "installed",               or "absent", "differs" (soon put right), "not needed"
 *      "message": "…",                     why it is absent; null otherwise
 *      "ip": "installed",                  in table ip filter; or "no DOCKER-USER", …
 *      "ip6": "no DOCKER-USER",
 *      "rules": "iptables-nft",            how Docker has its own, by what the kernel holds: or
 *                                          "iptables-legacy", "nftables"; "none"
 *      "legacy": "…",                      what the iptables version has in the tables of iptables-legacy, and
 *                                          what removes it; null: nothing
 *      "forward_policy": "drop",           of ip filter FORWARD; null: there is no such chain
 *      "forward6_policy": "drop"},         of ip6 filter FORWARD
 *  "docker": {
 *      "state": "connected",               or "absent" (none runs), "refused" (no permission),
 *                                          "failing" (it does not answer as it should), "unknown" (yet)
 *      "message": "…",                     why it cannot be asked; null
 *      "version": "20.10.24", "api": "1.41", null unless connected
 *      "backend": "iptables",              its firewall backend; null: it does not tell
 *      "events": true},                    it tells what happens; else it is asked at intervals
 *  "gate": {
 *      "wanted": true,                     a network of the policy has a DNS gate
 *      "socket": true,                     the daemon listens for it
 *      "connected": true, "pid": 123,      null: it is not
 *      "policy": "taken",                  or "given" (it has not answered yet), "refused", "none"
 *      "message": "…",                     why it refused it; null
 *      "queries": 20, …                    gate_count_names of gate_state.c; absent: it has not reported yet
 *      "upstream": [{"address": "192.0.2.53", "ok": true, "message": null}],
 *      "networks": {"ds-prod": {           those with a gate
 *          "redirected": 20,               first packets of questions that the kernel has sent to it since the
 *                                          rules were last written; null: unknown
 *          "received": 20, "refused": 2}}},    questions, since the gate's start
 *  "drift": {
 *      "repairs": 0,                       since the start
 *      "age": null,                        seconds since the last repair; null: there was none
 *      "limited": false,                   repairs are too many: at most one every 5 s
 *      "ended": 0,                         connections that were opened without our rules, since the start
 *      "message": "…",                     what was missing last and who did it; null
 *      "files": null},                     how those on the disk differ from what runs: their state, see above
 *  "versions": {"dsfw-nft": "0.2.0", "kernel": "6.1.0"}}
 *
 * explain: what becomes of the first packet of a connection from a container of a network. The request:
 * {"action": "explain",
 *  "from": NETWORK | CONTAINER,            a container that is on one managed network, or has the "source"
 *  "to": ADDRESS | NAME | CONTAINER | "host",  of a name each of its addresses that rules have; a container of the
 *                                          network before a name, one of another network after it
 *  "protocol": "tcp",                      or "udp", "icmp", or a number as a string
 *  "port": 443,                            with tcp and udp, required there
 *  "type": "echo-request",                 with icmp: a type by name or number, or type/code; a number is
 *                                          that of the destination's family
 *  "source": ADDRESS, "mac": MAC}          the container's; default: an address that is free, and a MAC
 *                                          address that no rule names
 * The answer:
 * {"status": "ok",
 *  "network": "ds-prod", "bridge": "ds-prod",
 *  "managed": true,
 *  "audit": false,                         true: what its rules refuse passes
 *  "draining": false,                      it is no longer configured: this is its last policy
 *  "explanations": [{                      one for each address
 *      "source": ADDRESS, "mac": MAC,      mac null: not given
 *      "container": "web-1",               that "from" named; null: it named a network
 *      "dockside": false,                  it is the dockside container
 *      "destination": ADDRESS,
 *      "to_container": "db-1",             that "to" named, or null
 *      "protocol": "tcp",                  or "udp", "icmp", "icmpv6", or a number as a string
 *      "port": 443,                        tcp and udp only
 *      "type": 8, "code": 0,               icmp and icmpv6 only
 *      "state": "new",                     conntrack's; or "invalid", "untracked"
 *      "bridge_table": {                   what table bridge dockside makes of it, before; null: unmanaged
 *          "verdict": "bound",             or "depends on the port", "not bound", "drop": then there are no steps
 *          "text": "…"},                   with whose address it is, as far as that is known
 *      "steps": [{                         a chain each, in the order in which they are met
 *          "hook": "forward",              or "prerouting", "input"
 *          "chain": "ds-prod-OUT",
 *          "rules": 4,                     that it has
 *          "rule": 3,                      which of them matched, from 1; absent: none, and what follows
 *          "text": "…", "comment": "…",    as nft has it; comment null: none
 *          "entry": "egress[1]",           of the configuration, "file", "line", "column" where known
 *          "lookups": [{                   what matched in which set
 *              "set": "ipset-web-v4", "of": "ipset web",
 *              "element": "192.0.2.1",     or "192.0.2.0/25", "192.0.2.1-192.0.2.5"
 *              "comment": "a.example"}],   the names that it is of; null
 *          "destination": ADDRESS, "port": 3306}],     what address translation makes of it
 *      "to": "elsewhere",                  where it goes; or "same network", "host"
 *      "mark": 268435456,                  bits that are set in the packet's mark
 *      "verdict": "pass",                  to those who come after us; or "drop", "reset"; "not judged":
 *                                          it meets no rule, for the reason in "next"
 *      "next": "…",                        who decides then, in words
 *      "notes": ["…"]}],
 *  "notes": ["…"]}                         addresses that were left out, and why
 */
#ifndef DOCKSIDE_CTL_CTL_SERVER_H
#define DOCKSIDE_CTL_CTL_SERVER_H

#include <sys/socket.h>
#include <sys/stat.h>
#include <systemd/sd-event.h>

#include "dockside/base/buf.h"
#include "dockside/base/diag.h"
#include "dockside/base/err.h"
#include "dockside/ctl/request.h"
#include "dockside/json/json_write.h"

#define CTL_CONNECTIONS_MAX 32
#define CTL_TIMEOUT_MS 5000
/* Bytes of texts that users other than root may leave waiting, of all of them together: 1,000 networks of 20 rules
 * with the longest comments have 17 MB. One text that is longer waits alone. */
#define CTL_TEXTS_MAX (64u << 20)
#define CTL_DEFAULT_PATH "/run/dockside/firewall.sock"

/* ---- server ---- */

/* All sources of the socket have it: the daemon's own work goes first. */
#define CTL_PRIORITY (SD_EVENT_PRIORITY_NORMAL + 10)

struct ctl;
struct ctl_request;

struct ctl_handler {
	/*
	 * Takes a checked request. It is answered with one call of ctl_answer(),
	 * ctl_answer_text() or ctl_answer_error(), from within here or at any later time; until then it can be used.
	 */
	void (*request)(struct ctl_request *request, void *data);
	/*
	 * The client of an unanswered request is gone (or the socket is closed): the request is no
	 * longer to be used or answered once this returns. The handler decides whether the work for
	 * it goes on. NULL if every request is answered from within request().
	 */
	void (*gone)(struct ctl_request *request, void *data);
};

/*
 * Listens at path. A socket file on which nobody answers is replaced; one that is in use, and
 * anything that is not a socket, is an error. Requests are logged with who sent them. Nothing here
 * blocks, and dispatching has a lower priority than SD_EVENT_PRIORITY_NORMAL. Borrows event and
 * handler, and data, which the handler's functions get. Returns 0 or -errno.
 */
int ctl_open(sd_event *event, const char *path, const struct ctl_handler *handler, void *data,
	     struct ctl **ret_ctl, struct err *err);
/*
 * Closes the socket and every connection, having sent what of given answers their sockets take at
 * once, and removes the socket file if it is still ours. Not from within the handler's functions.
 */
void ctl_close(struct ctl *ctl);
/* The time that a client may take for its whole request, and again for taking each MiB of the answer; the time
 * that the handler takes does not count. CTL_TIMEOUT_MS but in tests. */
void ctl_set_timeout(struct ctl *ctl, unsigned timeout_ms);
/* The number of open connections. */
size_t ctl_connections(const struct ctl *ctl);

/* The question. Borrowed until the request is answered. */
const struct request *ctl_request_get(const struct ctl_request *request);

/* Answers with a JSON object as json_write makes it: without line feeds. One that is too long becomes
 * an error. The request is not to be used any more. */
void ctl_answer(struct ctl_request *request, const char *json);
/* Answers with {"status":"ok","length":N} and, behind its line feed, a text of N bytes, which may be longer than
 * other answers. */
void ctl_answer_text(struct ctl_request *request, const struct buf *text);
/* {"status":"ok"}, with a message unless that is NULL. */
void ctl_answer_ok(struct ctl_request *request, const char *message);
/* message NULL: the first error of diags, which may be NULL otherwise. */
void ctl_answer_error(struct ctl_request *request, const char *message, const struct diags *diags);

/* The text of a good answer, with the warnings of diags, which may be NULL. The caller frees it. */
char *ctl_ok_json(const char *message, const struct diags *diags);
/* A list of ERRORs: the diagnostics of that severity, none where diags is NULL. */
void ctl_put_diags(struct json_writer *out, const char *key, const struct diags *diags,
		   enum severity severity);
/* For building answers: goes on with an object that is complete, its closing brace taken off. */
void ctl_reopen(struct buf *json, struct json_writer *ret_out);
/* The same answer, and what of the request was ignored. The caller frees it. */
char *ctl_add_ignored(const char *json, const struct request *request);

/* ---- client ---- */

/*
 * Sends a request (one line of JSON, no line feed) and waits for the answer: its text without the
 * line feed, which the caller frees. Returns 0 or -errno, also 0 for an answer that is not
 * "ok".
 */
int ctl_call(const char *path, const char *request, unsigned timeout_ms, char **ret_answer,
	     struct err *err);
/* The same where a text follows the line: take() gets it as it comes, and ends the call with -errno. The daemon
 * may be silent for timeout_ms; how long take() takes does not count. */
int ctl_call_text(const char *path, const char *request, unsigned timeout_ms,
		  int (*take)(void *data, const char *text, size_t len, struct err *err),
		  void *data, char **ret_answer, struct err *err);

/* ---- private to ctl*.c ---- */

/* The text of an error answer, never too long; the first error of diags and their number. Both owned. */
char *ctl_error_json(const char *message, const struct diags *diags);
char *ctl_sum_up(const struct diags *diags);

/* A listening socket at path with mode 0660, and the file's identity. Returns it or -errno. */
int ctl_listen(const char *path, struct stat *ret_st, struct err *err);
/* The same for packets, with mode 0666: the daemon may not give the file to the DNS gate's user (CAP_CHOWN), and so it
 * looks at the peer's credentials instead. */
int ctl_listen_gate(const char *path, struct stat *ret_st, struct err *err);

#endif
