/* api/service_networks.c - see the header. */
#include "api/service_networks.h"

#include "model/pb.h"

char **service_networks_take(Pb__ServiceSpec *spec)
{
    char **out = mem_array(1, sizeof(char *));
    for (size_t i = 0; spec->task && i < spec->task->n_networks; i++)
        strv_push(&out, mem_str(spec->task->networks[i]->target));
    return out;
}

void service_networks_put(Pb__ServiceSpec *spec, char *const *ids)
{
    for (size_t i = 0; spec->task && i < spec->task->n_networks && ids[i]; i++)
        pb_str(&spec->task->networks[i]->target, ids[i]);
}
