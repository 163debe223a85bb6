/* agent/description.h - what this node says of itself to its manager: name, platform, resources,
 * engine. */
#ifndef AGENT_DESCRIPTION_H
#define AGENT_DESCRIPTION_H
#include "proto/swarm.pb-c.h"

Pb__NodeDescription *node_description_new(void); /* free with pb__node_description__free_unpacked */
#endif
