/* agent/description.c - see description.h. The scheduler needs platform, resources and plugin names
 * to place tasks. */
#include "agent/description.h"

#include <stdlib.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/version.h"

static Pb__PluginDescription *plugin(const char *type, const char *name)
{
    Pb__PluginDescription *p = NEW(Pb__PluginDescription);
    pb__plugin_description__init(p);
    p->type = mem_str(type);
    p->name = mem_str(name);
    return p;
}

static Pb__EngineDescription *engine(void)
{
    static const char *const plugins[][2] = {
        {"Log", "json-file"}, {"Log", "none"},     {"Network", "bridge"},
        {"Network", "host"},  {"Network", "null"}, {"Volume", "local"},
    };
    const size_t n = sizeof(plugins) / sizeof(plugins[0]);
    Pb__EngineDescription *e = NEW(Pb__EngineDescription);
    pb__engine_description__init(e);
    e->engine_version = mem_str(KEEP_VERSION);
    e->plugins = mem_array(n, sizeof(*e->plugins));
    for (size_t i = 0; i < n; i++)
        e->plugins[e->n_plugins++] = plugin(plugins[i][0], plugins[i][1]);
    return e;
}

Pb__NodeDescription *node_description_new(void)
{
    struct utsname u;
    struct sysinfo si;
    if (uname(&u) < 0 || sysinfo(&si) < 0)
        abort(); /* neither can fail with valid pointers */
    Pb__NodeDescription *d = NEW(Pb__NodeDescription);
    pb__node_description__init(d);
    d->hostname = mem_str(u.nodename);
    d->platform = NEW(Pb__Platform);
    pb__platform__init(d->platform);
    d->platform->architecture = mem_str(u.machine);
    d->platform->os = mem_str("linux");
    d->resources = NEW(Pb__Resources);
    pb__resources__init(d->resources);
    d->resources->nano_cpus = sysconf(_SC_NPROCESSORS_ONLN) * 1000000000L;
    d->resources->memory_bytes = (int64_t)(si.totalram * si.mem_unit);
    d->engine = engine();
    return d;
}
