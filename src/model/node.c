/* model/node.c - see model/node.h. */
#include "model/node.h"

#include "model/pb.h"

int node_state(const Pb__Node *n)
{
    return n->status ? (int)n->status->state : NODE_UNKNOWN;
}

int node_availability(const Pb__Node *n)
{
    return n->spec ? (int)n->spec->availability : NODE_ACTIVE;
}

bool node_takes_tasks(const Pb__Node *n)
{
    return node_state(n) == NODE_READY && node_availability(n) == NODE_ACTIVE;
}

bool node_lost(const Pb__Node *n)
{
    return !n || node_state(n) == NODE_DOWN || node_availability(n) == NODE_DRAIN;
}

const char *node_hostname(const Pb__Node *n)
{
    return n->description && n->description->hostname ? n->description->hostname : "";
}

const char *node_state_name(int state)
{
    switch (state) {
    case NODE_DOWN:
        return "down";
    case NODE_READY:
        return "ready";
    case NODE_DISCONNECTED:
        return "disconnected";
    default:
        return "unknown";
    }
}

const char *node_availability_name(int a)
{
    switch (a) {
    case NODE_PAUSE:
        return "pause";
    case NODE_DRAIN:
        return "drain";
    default:
        return "active";
    }
}

const char *node_role_name(int role)
{
    return role == NODE_MANAGER ? "manager" : "worker";
}

const char *node_label(const Pb__Node *n, const char *key)
{
    const Pb__Annotations *a = n->spec ? n->spec->annotations : NULL;

    return a ? pb_map_get(PB_MAP(a, labels), key) : NULL;
}

const char *node_engine_label(const Pb__Node *n, const char *key)
{
    const Pb__EngineDescription *e = n->description ? n->description->engine : NULL;

    return e ? pb_map_get(PB_MAP(e, labels), key) : NULL;
}
