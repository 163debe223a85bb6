/* api/routes_image.c - images of this node: list, inspect, tag, remove. */
#include "api/routes_local.h"

#include <stdlib.h>
#include <string.h>
#include <fnmatch.h>

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

void api_error_image(struct api_call *c, int r, const struct err *e, const char *ref)
{
    const char *text = err_text(e);
    switch (r) {
    case IMAGE_NOT_FOUND:
        if (*text)
            api_error(c, 404, "%s", text);
        else
            api_error(c, 404, "No such image: %s", ref);
        return;
    case IMAGE_AMBIGUOUS:
        api_error(c, 400, "%s", *text ? text : "ambiguous image id: give more of it");
        return;
    case IMAGE_BAD_REFERENCE:
        api_error(c, 400, "%s", *text ? text : "invalid reference format");
        return;
    case IMAGE_IN_USE:
    case IMAGE_MULTIPLE_TAGS:
        api_error(c, 409, "%s", text);
        return;
    default:
        api_error_unexpected(c, e);
    }
}

/* "redis" for the tag "redis:alpine" when the engine would show "redis:latest" for "redis" */
static const char *with_tag(const char *ref, char out[600])
{
    struct image_ref r;
    if (image_ref_parse(ref, &r, NULL) != 0)
        return ref;
    image_ref_familiar(&r, out, 600);
    return out;
}

/* ---- list ---- */

static const char *const known[] = {"before", "dangling", "label", "reference",
                                    "since",  "until",    NULL};

struct image_listing {
    struct jw w;
    struct api_filters *f;
    int64_t before_ns, since_ns;
};

static const char *label_of(void *arg, const char *key)
{
    const struct image *img = arg;
    size_t n = strlen(key);
    for (char **l = img->config.labels; l && *l; l++)
        if (strncmp(*l, key, n) == 0 && (*l)[n] == '=')
            return *l + n + 1;
    return NULL;
}

/* "redis", "redis:al*": a pattern without a tag fits any tag */
static bool reference_fits(const struct image *img, const char *pattern)
{
    for (char **t = img->tags; t && *t; t++) {
        AUTO_FREE char *repo = mem_str(*t);
        char *colon = strrchr(repo, ':');
        if (fnmatch(pattern, *t, FNM_PATHNAME) == 0)
            return true;
        if (colon && !strchr(colon, '/')) {
            *colon = '\0';
            if (fnmatch(pattern, repo, FNM_PATHNAME) == 0)
                return true;
        }
    }
    return false;
}

static bool image_fits(const struct image_listing *l, const struct image *img)
{
    if ((l->before_ns && img->created_ns >= l->before_ns) ||
        (l->since_ns && img->created_ns <= l->since_ns))
        return false;
    if (!l->f)
        return true;
    const char *const *v = api_filters_values(l->f, "dangling");
    if (*v && (str_ieq(*v, "true") || str_eq(*v, "1")) != (!img->tags || !img->tags[0]))
        return false;
    v = api_filters_values(l->f, "reference");
    bool fits = !*v;
    for (; *v && !fits; v++)
        fits = reference_fits(img, *v);
    return fits && api_filters_labels(l->f, "label", label_of, (void *)(uintptr_t)img);
}

static void label_object(struct jw *w, char *const *v)
{
    if (!v) {
        jw_null(w, "Labels");
        return;
    }
    jw_object(w, "Labels");
    for (; *v; v++) {
        const char *eq = strchr(*v, '=');
        AUTO_FREE char *key = eq ? mem_strn(*v, (size_t)(eq - *v)) : mem_str(*v);
        jw_str(w, key, eq ? eq + 1 : "");
    }
    jw_end_object(w);
}

static void names(struct jw *w, const char *key, char *const *v)
{
    static const char *const none[] = {NULL};
    jw_strv(w, key, v ? (const char *const *)v : none);
}

static int list_one(void *arg, const struct image *img)
{
    struct image_listing *l = arg;
    if (!image_fits(l, img))
        return 0;
    struct jw *w = &l->w;
    jw_object(w, NULL);
    jw_int(w, "Containers", -1);
    jw_int(w, "Created", img->created_ns / NS_PER_SEC);
    jw_str(w, "Id", img->id);
    label_object(w, img->config.labels);
    jw_str(w, "ParentId", str_or(img->parent, ""));
    names(w, "RepoDigests", img->digests);
    names(w, "RepoTags", img->tags);
    jw_int(w, "SharedSize", -1);
    jw_uint(w, "Size", img->size);
    jw_uint(w, "VirtualSize", img->size);
    jw_end_object(w);
    return 0;
}

static int take_bound(struct api_call *c, struct api_filters *f, const char *key, int64_t *ret)
{
    const char *const *v = api_filters_values(f, key);
    const struct image *img;
    if (!*v)
        return 0;
    int r = image_find(api_images(c->api), *v, &img);
    if (r != 0) {
        api_error_image(c, r, NULL, *v);
        return 1;
    }
    *ret = img->created_ns;
    return 0;
}

static void on_list(struct api_call *c)
{
    AUTO_BUF struct buf out = API_OUT();
    struct image_listing l = {.w = JW_INIT(&out)};
    if (api_filters_get(c, known, &l.f) != 0)
        return;
    if (!l.f || (take_bound(c, l.f, "before", &l.before_ns) == 0 &&
                 take_bound(c, l.f, "since", &l.since_ns) == 0)) {
        jw_array(&l.w, NULL);
        image_each(api_images(c->api), list_one, &l);
        jw_end_array(&l.w);
        api_reply_json(c, 200, &out);
    }
    api_filters_free(l.f);
}

void api_image_list(struct api_call *c)
{
    api_take_none(c, on_list);
}

/* ---- inspect ---- */

static void config_object(struct jw *w, const struct image_config *f)
{
    jw_object(w, "Config");
    jw_str(w, "Hostname", "");
    jw_str(w, "Domainname", "");
    jw_str(w, "User", str_or(f->user, ""));
    jw_bool(w, "AttachStdin", false);
    jw_bool(w, "AttachStdout", false);
    jw_bool(w, "AttachStderr", false);
    if (f->ports) {
        jw_object(w, "ExposedPorts");
        for (char **p = f->ports; *p; p++) {
            jw_object(w, *p);
            jw_end_object(w);
        }
        jw_end_object(w);
    }
    jw_bool(w, "Tty", false);
    jw_bool(w, "OpenStdin", false);
    jw_bool(w, "StdinOnce", false);
    jw_strv(w, "Env", (const char *const *)f->env);
    jw_strv(w, "Cmd", (const char *const *)f->cmd);
    if (f->healthcheck_json)
        jw_raw(w, "Healthcheck", f->healthcheck_json);
    jw_str(w, "Image", "");
    if (f->volumes) {
        jw_object(w, "Volumes");
        for (char **p = f->volumes; *p; p++) {
            jw_object(w, *p);
            jw_end_object(w);
        }
        jw_end_object(w);
    } else {
        jw_null(w, "Volumes");
    }
    jw_str(w, "WorkingDir", str_or(f->workdir, ""));
    jw_strv(w, "Entrypoint", (const char *const *)f->entrypoint);
    jw_strv(w, "OnBuild", (const char *const *)f->onbuild);
    label_object(w, f->labels);
    jw_str_opt(w, "StopSignal", f->stop_signal);
    jw_end_object(w);
}

static void on_inspect(struct api_call *c)
{
    const struct image *img;
    const char *ref = c->param[0];
    char full[600];
    int r = image_find(api_images(c->api), ref, &img);
    if (r == IMAGE_NOT_FOUND || r == IMAGE_BAD_REFERENCE) {
        api_error(c, r == IMAGE_NOT_FOUND ? 404 : 400,
                  r == IMAGE_NOT_FOUND ? "No such image: %s" : "invalid reference format: %s",
                  with_tag(ref, full));
        return;
    }
    if (r != 0) {
        api_error_image(c, r, NULL, ref);
        return;
    }
    AUTO_BUF struct buf out = API_OUT();
    struct jw w = JW_INIT(&out);
    jw_object(&w, NULL);
    jw_str(&w, "Id", img->id);
    names(&w, "RepoTags", img->tags);
    names(&w, "RepoDigests", img->digests);
    jw_str(&w, "Parent", str_or(img->parent, ""));
    jw_str(&w, "Comment", "");
    jw_time(&w, "Created", img->created_ns);
    jw_str(&w, "DockerVersion", "");
    jw_str(&w, "Author", str_or(img->config.author, ""));
    config_object(&w, &img->config);
    jw_str(&w, "Architecture", str_or(img->config.architecture, ""));
    jw_str(&w, "Os", str_or(img->config.os, ""));
    jw_uint(&w, "Size", img->size);
    jw_uint(&w, "VirtualSize", img->size);
    jw_object(&w, "GraphDriver");
    jw_null(&w, "Data");
    jw_str(&w, "Name", "overlay2");
    jw_end_object(&w);
    jw_object(&w, "RootFS");
    jw_str(&w, "Type", "layers");
    names(&w, "Layers", img->diff_ids);
    jw_end_object(&w);
    jw_object(&w, "Metadata");
    jw_time(&w, "LastTagTime", 0);
    jw_end_object(&w);
    jw_end_object(&w);
    api_reply_json(c, 200, &out);
}

void api_image_inspect(struct api_call *c)
{
    api_take_none(c, on_inspect);
}

/* ---- tag and remove ---- */

static void on_tag(struct api_call *c)
{
    struct err e = {0};
    char full[600];
    const char *repo = str_or(http_query(c->rq, "repo"), ""),
               *tag = str_or(http_query(c->rq, "tag"), "");
    int r = image_tag(api_images(c->api), c->param[0], repo, tag, &e);
    if (r == 0)
        api_reply_empty(c, 201);
    else
        api_error_image(c, r, &e, with_tag(c->param[0], full));
}

void api_image_tag(struct api_call *c)
{
    api_take_none(c, on_tag);
}

static void on_removed(void *arg, const char *untagged, const char *deleted)
{
    struct jw *w = arg;
    jw_object(w, NULL);
    jw_str(w, untagged ? "Untagged" : "Deleted", untagged ? untagged : deleted);
    jw_end_object(w);
}

static void on_remove(struct api_call *c)
{
    AUTO_BUF struct buf out = API_OUT();
    struct jw w = JW_INIT(&out);
    struct err e = {0};
    char full[600];
    jw_array(&w, NULL);
    int r = image_remove(api_images(c->api), c->param[0], http_query_bool(c->rq, "force"),
                         http_query_bool(c->rq, "noprune"), on_removed, &w, &e);
    jw_end_array(&w);
    if (r == 0)
        api_reply_json(c, 200, &out);
    else
        api_error_image(c, r, &e, with_tag(c->param[0], full));
}

void api_image_remove(struct api_call *c)
{
    api_take_none(c, on_remove);
}
