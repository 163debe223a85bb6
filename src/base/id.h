/* base/id.h - identities. Cluster objects: 25 digits of base 36 (swarm-semantics: 17 random bytes,
 * top bit set, the most significant digit dropped). Containers, execs: 64 hex digits. Random bytes
 * come from the kernel. */
#ifndef BASE_ID_H
#define BASE_ID_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ID_LEN = 25, ID_SIZE = 26, ID_HEX_LEN = 64, ID_HEX_SIZE = 65 };
void id_new(char ret[ID_SIZE]);
void id_hex_new(char ret[ID_HEX_SIZE]);
void id_from_bytes(const uint8_t bytes[17], char ret[ID_SIZE]); /* the pure half of id_new */
bool id_valid(const char *s);                                   /* exactly 25 of [0-9a-z] */
void hex_encode(const uint8_t *p, size_t n, char *ret);         /* 2n+1 bytes */
void random_bytes(void *p, size_t n); /* aborts when the kernel has none */
uint64_t random_u64(void);
#endif
