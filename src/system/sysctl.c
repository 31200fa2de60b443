/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dockside/system/sysctl.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "dockside/base/err.h"
#include "dockside/base/text.h"
#include "dockside/base/util.h"

/* Paths below /proc/sys, which shows the network namespace of the process that reads it. */
static const char *const bridge_settings[] = {
	"net/bridge/bridge-nf-call-iptables",
	"net/bridge/bridge-nf-call-ip6tables",
	"net/bridge/bridge-nf-filter-vlan-tagged",
};

#define SETTING_LEN 32 /* bytes of an integer setting's text, more than enough */

static int setting_open(const char *path, int flags, struct err *err)
{
	char *full = xasprintf("/proc/sys/%s", path);
	int fd = open(full, flags | O_CLOEXEC);
	int r = fd;

	if (fd < 0 && errno == ENOENT && strncmp(path, "net/bridge/", 11) == 0)
		r = err_set(err, ENOENT,
			    "%s does not exist: load the kernel module br_netfilter "
			    "(modprobe br_netfilter)",
			    full);
	else if (fd < 0)
		r = err_errno(err, errno, "open %s", full);
	cleanup_free(&full);
	return r;
}

static int setting_read(const char *path, uint64_t *ret_value, struct err *err)
{
	char text[SETTING_LEN];
	cleanup(cleanup_close) int fd = setting_open(path, O_RDONLY, err);
	ssize_t n;

	if (fd < 0)
		return fd;
	n = read(fd, text, sizeof(text));
	if (n < 0)
		return err_errno(err, errno, "read /proc/sys/%s", path);
	if (n > 0 && text[n - 1] == '\n')
		n--;
	if (!parse_uint(text, (size_t)n, 0, UINT64_MAX, ret_value))
		return err_set(err, EINVAL, "/proc/sys/%s is not a number: %.*s", path, (int)n,
			       text);
	return 0;
}

static int setting_write(const char *path, uint64_t value, struct err *err)
{
	char text[SETTING_LEN];
	cleanup(cleanup_close) int fd = setting_open(path, O_WRONLY, err);
	int len = snprintf(text, sizeof(text), "%llu\n", (unsigned long long)value);

	if (fd < 0)
		return fd;
	if (write(fd, text, (size_t)len) != len)
		return err_errno(err, errno, "write %llu to /proc/sys/%s",
				 (unsigned long long)value, path);
	return 0;
}

/* Writes nothing where the value is there already. */
static int setting_make_one(const char *path, bool *changed, struct err *err)
{
	uint64_t value = 0;
	int r = setting_read(path, &value, err);

	if (r < 0 || value == 1)
		return r;
	r = setting_write(path, 1, err);
	if (r < 0)
		return r;
	*changed = true;
	r = setting_read(path, &value, err);
	if (r == 0 && value != 1)
		r = err_set(err, EIO, "/proc/sys/%s is still %llu after writing 1", path,
			    (unsigned long long)value);
	return r;
}

int sysctl_bridge_netfilter(bool *ret_changed, struct err *err)
{
	bool changed = false;

	for (size_t i = 0; i < ARRAY_SIZE(bridge_settings); i++) {
		int r = setting_make_one(bridge_settings[i], &changed, err);
		if (r < 0)
			return err_prefix(err, "make bridged packets pass the firewall");
	}
	*ret_changed = changed;
	return 0;
}

int sysctl_bridge_netfilter_check(struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(bridge_settings); i++) {
		uint64_t value = 0;
		int r = setting_read(bridge_settings[i], &value, err);
		if (r < 0)
			return r;
		if (value != 1)
			return err_set(err, EINVAL, "/proc/sys/%s is %llu, not 1",
				       bridge_settings[i], (unsigned long long)value);
	}
	return 0;
}

/* ------------------------------------------------------------------ source routes */

static const struct {
	const char *family, *name;
} source_routes[] = {
	{ "ipv4", "accept_source_route" },
	{ "ipv6", "seg6_enabled" },
	{ "ipv6", "rpl_seg_enabled" },
};

/* *ret_on: false where there is no such setting, or no such interface. */
static int source_route_read(size_t i, const char *interface, char **ret_path, bool *ret_on,
			     struct err *err)
{
	char *path = xasprintf("net/%s/conf/%s/%s", source_routes[i].family, interface,
			       source_routes[i].name);
	uint64_t value = 0;
	int r = setting_read(path, &value, err);

	if (r == -ENOENT) {
		err_free(err);
		r = 0;
	}
	*ret_on = value != 0;
	*ret_path = path;
	return r;
}

int sysctl_source_routes(unsigned *ret_kinds, struct err *err)
{
	*ret_kinds = 0;
	for (size_t i = 0; i < ARRAY_SIZE(source_routes); i++) {
		cleanup(cleanup_free) char *path = NULL;
		bool on;
		int r = source_route_read(i, "all", &path, &on, err);

		if (r < 0)
			return r;
		*ret_kinds |= (unsigned)on << i;
	}
	return 0;
}

int sysctl_refuse_source_routes(const char *interface, unsigned kinds, size_t *changed,
				struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(source_routes); i++) {
		cleanup(cleanup_free) char *path = NULL;
		bool on;
		int r = 0;

		if (!(kinds & 1u << i))
			continue;
		r = source_route_read(i, interface, &path, &on, err);
		if (r >= 0 && on) {
			r = setting_write(path, 0, err);
			*changed += r >= 0;
		}
		if (r < 0)
			return r;
	}
	return 0;
}

int sysctl_raise(const char *path, uint64_t value, struct err *err)
{
	uint64_t old = 0;
	int r = setting_read(path, &old, err);

	if (r < 0 || old >= value)
		return r;
	return setting_write(path, value, err);
}
