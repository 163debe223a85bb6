/* network/subnet.h - an IPv4 subnet and which of its addresses are taken. Pure; addresses in host
 * order.
 *
 * Addresses are given round and round, so that one just freed is not somebody else's at once: peers
 * may remember it. */
#ifndef NETWORK_SUBNET_H
#define NETWORK_SUBNET_H
#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"

enum { SUBNET_PREFIX_MIN = 16, SUBNET_PREFIX_MAX = 29, SUBNET_TEXT_SIZE = 24 };
struct subnet {
    uint32_t net;
    unsigned prefix_len;
    uint32_t cursor;     /* offset of the address given last */
    uint8_t taken[8192]; /* a bit for each address of a /16 */
};
MUST_CHECK int subnet_parse(const char *s, struct subnet *ret,
                            struct err *e); /* "172.29.0.0/16"; 0 or -EINVAL */
void subnet_text(const struct subnet *s, char ret[SUBNET_TEXT_SIZE]);
uint32_t subnet_gateway(const struct subnet *s); /* the first address; never given */
bool subnet_overlaps(const struct subnet *s, uint32_t net, unsigned prefix_len);
bool subnet_has(const struct subnet *s, uint32_t ip);
MUST_CHECK int subnet_take(struct subnet *s, uint32_t *ret_ip); /* 0 or -EADDRNOTAVAIL */
void subnet_mark(struct subnet *s, uint32_t ip, bool taken);    /* outside: nothing */
void ip_text(uint32_t ip, char ret[16]);
MUST_CHECK int ip_parse(const char *s, uint32_t *ret);
#endif
