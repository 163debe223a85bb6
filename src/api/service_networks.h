/* api/service_networks.h - the networks that a service's spec names: taken out as words, put back
 * as ids. Pure. */
#ifndef API_SERVICE_NETWORKS_H
#define API_SERVICE_NETWORKS_H
#include "proto/swarm.pb-c.h"

/* The targets of all network attachments, in order; malloc'ed. The spec's older list of networks is
 * dropped: from API 1.44 it is ignored. */
char **service_networks_take(Pb__ServiceSpec *spec);
void service_networks_put(Pb__ServiceSpec *spec, char *const *ids); /* parallel to what was taken */
#endif
