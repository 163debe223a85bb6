/* control/in_use.h - which services use a secret, a config or a network, and the sentence that says
 * so. */
#ifndef CONTROL_IN_USE_H
#define CONTROL_IN_USE_H
#include <stdbool.h>
#include "base/buf.h"
#include "store/store.h"

bool service_spec_uses_secret(const Pb__ServiceSpec *spec, const char *id);
bool service_spec_uses_config(const Pb__ServiceSpec *spec,
                              const char *id); /* the credential spec's too */
bool service_spec_uses_network(const Pb__ServiceSpec *spec, const char *id);
typedef bool (*in_use_fn)(const Pb__ServiceSpec *spec, const char *id);
/* "service: a" or "services: a, b" in order of id, into names; how many. */
size_t in_use_services(const struct store *s, in_use_fn uses, const char *id, struct buf *names);
#endif
