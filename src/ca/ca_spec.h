/* ca/ca_spec.h - the settings of the cluster: defaults, and what is refused. Pure.
 *
 * Texts are the engine's. CA_SPEC_REFUSED is InvalidArgument to a client. */
#ifndef CA_CA_SPEC_H
#define CA_CA_SPEC_H
#include "base/err.h"
#include "proto/keep.pb-c.h"
#include "proto/swarm.pb-c.h"

enum { CA_SPEC_REFUSED = 1, CA_INIT_REFUSED };
enum { CA_DATA_PATH_PORT = 4789, CA_SUBNET_SIZE = 24, CA_SUBNET_SIZE_MAX = 29 };

/* Makes every part that the wire always carries, and sets what is absent or 0 to the engine's
 * default. Present parts are believed: orchestration with a limit of 0 means 0. */
void ca_spec_defaults(Pb__ClusterSpec *s);
/* 0 or CA_SPEC_REFUSED. For an update too. */
MUST_CHECK int ca_spec_check(const Pb__ClusterSpec *s, struct err *e);
/* Ports, pools and sizes of an init: 0 or CA_INIT_REFUSED (500 with the bare text, as the engine
 * answers). */
MUST_CHECK int ca_init_check(const Keep__InitRequest *r, struct err *e);
#endif
