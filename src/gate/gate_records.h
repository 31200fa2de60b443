/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Records other than addresses, for networks whose `dns.types` has them: parsed, and written anew. Pure. */
#ifndef DOCKSIDE_GATE_GATE_RECORDS_H
#define DOCKSIDE_GATE_GATE_RECORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dockside/base/buf.h"
#include "dockside/system/dns_message.h"

#define GATE_RECORDS_MAX 64u		   /* of one answer; further ones are left out */
#define GATE_RECORDS_BYTES_MAX (24u << 10) /* so are those that would make it longer */

/* The types that a policy can name: a bit in a mask for each, in the order of their names. */
#define GATE_N_TYPES 10u
/* The bit of a type's name ("MX"), of upper case, or of its number; 0: not one of them. */
uint32_t gate_type_bit(const char *name);
uint32_t gate_type_bit_of(unsigned type);
/* "A", "TXT", "TYPE64", for reports. Returns s. */
#define GATE_TYPE_TEXT_MAX 12
char *gate_type_text(unsigned type, char s[GATE_TYPE_TEXT_MAX]);

/*
 * Reads the records of the type that an answer has for the name, aliases followed: reader is at the answer section, with
 * n records. Appends each to ret_records as two bytes of length, and the data with names in full and in lower case.
 * Returns false for what is malformed. *ret_ttl_s is the smallest, untouched if there is no record.
 */
bool gate_records_read(const struct dns_reader *reader, unsigned n, const struct dns_name *name,
		       unsigned type, struct buf *ret_records, uint32_t *ret_ttl_s);

#endif
