/* api/routes_system.c - the daemon itself: /_ping, /version, /auth, /distribution, /system/df, and
 * what this engine has none of: volumes and plugins. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include "api/state.h"
#include "base/clock.h"
#include "base/str.h"
#include "base/version.h"

/* ---- ping ---- */

static void ping_ready(struct api_call *c)
{
    http_reply_header(c->rq, "Cache-Control", "no-cache, no-store, must-revalidate");
    http_reply_header(c->rq, "Pragma", "no-cache");
    http_reply_header(c->rq, "Swarm", c->api->swarm_header);
    c->answered = true;
    http_reply_text(c->rq, 200, "text/plain; charset=utf-8",
                    strcmp(http_method(c->rq), "HEAD") == 0 ? "" : "OK");
}

void api_ping(struct api_call *c)
{
    api_take_none(c, ping_ready);
}

/* ---- version ---- */

#ifndef KEEP_COMMIT
#define KEEP_COMMIT "unknown"
#endif
#define MADE_WITH "C, gcc " __VERSION__ /* where clients show the version of Go */

/* When this program was installed; the build itself has no date in it, so that it can be repeated.
 */
static const char *build_time(char ret[TIME_TEXT_SIZE])
{
    struct stat st;
    if (stat("/proc/self/exe", &st) != 0)
        st.st_mtim.tv_sec = 0;
    return time_text((int64_t)st.st_mtim.tv_sec * NS_PER_SEC, ret);
}

static const char *arch_of(const struct utsname *u)
{
    if (strcmp(u->machine, "x86_64") == 0)
        return "amd64";
    return strcmp(u->machine, "aarch64") == 0 ? "arm64" : u->machine;
}

static void component(struct jw *w, const char *name, const char *version, const struct utsname *u)
{
    char at[TIME_TEXT_SIZE];
    jw_object(w, NULL);
    jw_str(w, "Name", name);
    jw_str(w, "Version", version);
    jw_object(w, "Details");
    if (u) {
        jw_str(w, "ApiVersion", API_VERSION);
        jw_str(w, "Arch", arch_of(u));
        jw_str(w, "BuildTime", build_time(at));
        jw_str(w, "Experimental", "false");
        jw_str(w, "GitCommit", KEEP_COMMIT);
        jw_str(w, "GoVersion", MADE_WITH);
        jw_str(w, "KernelVersion", u->release);
        jw_str(w, "MinAPIVersion", API_VERSION_MIN);
        jw_str(w, "Os", "linux");
    } else {
        jw_str(w, "GitCommit", "");
    }
    jw_end_object(w);
    jw_end_object(w);
}

static void version_ready(struct api_call *c)
{
    struct utsname u;
    char at[TIME_TEXT_SIZE];
    struct buf b = API_OUT();
    struct jw w = JW_INIT(&b);
    uname(&u);
    jw_object(&w, NULL);
    jw_raw(&w, "Platform",
           "{\"Name\":\"\"}"); /* clients print it behind "Server:", where the engine has nothing */
    jw_array(&w, "Components");
    component(&w, "Engine", KEEP_VERSION, &u);
    if (c->api->o.runtime)
        component(&w, runtime_name(c->api->o.runtime), runtime_version(c->api->o.runtime), NULL);
    jw_end_array(&w);
    jw_str(&w, "Version", KEEP_VERSION);
    jw_str(&w, "ApiVersion", API_VERSION);
    jw_str(&w, "MinAPIVersion", API_VERSION_MIN);
    jw_str(&w, "GitCommit", KEEP_COMMIT);
    jw_str(&w, "GoVersion", MADE_WITH);
    jw_str(&w, "Os", "linux");
    jw_str(&w, "Arch", arch_of(&u));
    jw_str(&w, "KernelVersion", u.release);
    jw_str(&w, "BuildTime", build_time(at));
    jw_end_object(&w);
    api_reply_json(c, 200, &b);
}

void api_version(struct api_call *c)
{
    api_take_none(c, version_ready);
}

/* ---- credentials ---- */

static void auth_json(struct api_call *c, json_t *body)
{
    (void)body; /* a password: not looked at, not kept */
    api_error(c, 501, "logging in to registries is not supported; give credentials with each pull");
}

void api_auth(struct api_call *c)
{
    api_take_json(c, "registry.AuthConfig", auth_json);
}

/* ---- disk usage ---- */

static int df_image(void *arg, const struct image *img)
{
    struct jw *w = arg;
    jw_object(w, NULL);
    jw_int(w, "Containers", img->users);
    jw_int(w, "Created", img->created_ns / 1000000000);
    jw_str(w, "Id", img->id);
    jw_null(w, "Labels");
    jw_str(w, "ParentId", img->parent);
    jw_strv(w, "RepoDigests", (const char *const *)img->digests);
    jw_strv(w, "RepoTags", (const char *const *)img->tags);
    jw_int(w, "SharedSize", -1);
    jw_uint(w, "Size", img->size);
    jw_end_object(w);
    return 0;
}

static void df_ready(struct api_call *c)
{
    struct buf b = API_OUT();
    struct jw w = JW_INIT(&b);
    jw_object(&w, NULL);
    jw_uint(&w, "LayersSize", c->api->o.images ? image_disk_usage(c->api->o.images) : 0);
    jw_array(&w, "Images");
    if (c->api->o.images)
        image_each(c->api->o.images, df_image, &w);
    jw_end_array(&w);
    jw_raw(&w, "Containers", "[]");
    jw_raw(&w, "Volumes", "[]");
    jw_raw(&w, "BuildCache", "[]");
    jw_int(&w, "BuilderSize", 0);
    jw_end_object(&w);
    api_reply_json(c, 200, &b);
}

void api_df(struct api_call *c)
{
    api_take_none(c, df_ready);
}

/* ---- volumes and plugins: there are none ---- */

static void reply_raw(struct api_call *c, const char *json)
{
    struct buf b = API_OUT();
    buf_str(&b, json);
    api_reply_json(c, 200, &b);
}

static void volumes_ready(struct api_call *c)
{
    reply_raw(c, "{\"Volumes\":[],\"Warnings\":null}");
}

void api_volume_list(struct api_call *c)
{
    api_take_none(c, volumes_ready);
}

static void no_volume(struct api_call *c)
{
    api_error(c, 404, "get %s: no such volume", c->param[0]);
}

void api_volume_get(struct api_call *c)
{
    api_take_none(c, no_volume);
}

static void refuse_volume(struct api_call *c)
{
    api_error(c, 501, "volumes are not supported; use a bind mount or a tmpfs");
}

void api_volume_other(struct api_call *c)
{
    api_take_none(c, refuse_volume);
}

static void plugins_ready(struct api_call *c)
{
    reply_raw(c, "[]");
}

void api_plugin_list(struct api_call *c)
{
    api_take_none(c, plugins_ready);
}

static void no_plugin(struct api_call *c)
{
    api_error(c, 404, "plugin \"%s\" not found", c->param[0]);
}

void api_plugin_get(struct api_call *c)
{
    api_take_none(c, no_plugin);
}
