/* api/swarm_addr.h - the addresses of swarm init, checked and completed in the engine's words.
 *
 * Pure but for the machine's interfaces, which are read by getifaddrs. -EINVAL: the words, and
 * whether the answer is 400 or 500. */
#ifndef API_SWARM_ADDR_H
#define API_SWARM_ADDR_H
#include <stdint.h>
#include "base/err.h"

enum { SWARM_ADDR_SIZE = 80, SWARM_PORT = 2377 };
/* "0.0.0.0:2377", "eth0", "192.0.2.1" -> "ip:port" */
MUST_CHECK int swarm_addr_listen(const char *text, char ret[SWARM_ADDR_SIZE], unsigned *ret_status,
                                 struct err *e);
/* "" takes the listening address, or, when that is every address, the only one of this machine. */
MUST_CHECK int swarm_addr_advertise(const char *text, const char *listen, char ret[SWARM_ADDR_SIZE],
                                    unsigned *ret_status, struct err *e);
/* "" stays "". No port allowed. */
MUST_CHECK int swarm_addr_data_path(const char *text, char ret[SWARM_ADDR_SIZE],
                                    unsigned *ret_status, struct err *e);
#endif
