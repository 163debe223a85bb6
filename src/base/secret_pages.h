/* base/secret_pages.h - which pages of the arena are free: for base/secret.c alone.
 *
 * Free runs are kept in lists by the power of two of their length and joined with free neighbours.
 * Numbers only: it never touches the arena itself. */
#ifndef BASE_SECRET_PAGES_H
#define BASE_SECRET_PAGES_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SECRET_PAGES_MAX = 1 << 22 }; /* 16 GiB: page numbers stay well inside 32 bits */

void secret_pages_init(size_t pages);
bool secret_pages_take(uint32_t count, uint32_t *ret_page); /* false when no run is long enough */
uint32_t secret_pages_run(uint32_t page); /* length of the taken run that begins here, or 0 */
void secret_pages_give(uint32_t page, uint32_t count);
#endif
