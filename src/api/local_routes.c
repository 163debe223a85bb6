/* api/local_routes.c - the table of this node's own routes. What the engine has and this version
 * has not refuses by name. */
#include "api/routes_local.h"

static void refuse(struct api_call *c)
{
    api_error(c, 501, "%s %s is not supported by this version of Keep", http_method(c->rq),
              http_raw_path(c->rq));
}

void api_not_yet(struct api_call *c)
{
    api_take_none(c, refuse);
}

const struct api_route api_local_routes[] = {
    {"GET", "/containers/json", api_container_list},
    {"GET", "/containers/{}/json", api_container_inspect},
    {"GET", "/containers/{}/logs", api_container_logs},
    {"GET", "/containers/{}/changes", api_container_changes},
    {"POST", "/containers/{}/start", api_container_start},
    {"POST", "/containers/{}/stop", api_container_stop},
    {"POST", "/containers/{}/kill", api_container_kill},
    {"POST", "/containers/{}/pause", api_container_pause},
    {"POST", "/containers/{}/unpause", api_container_unpause},
    {"POST", "/containers/{}/rename", api_container_rename},
    {"POST", "/containers/{}/wait", api_container_wait},
    {"POST", "/containers/{}/attach", api_container_attach},
    {"POST", "/containers/{}/resize", api_container_resize},
    {"POST", "/containers/{}/exec", api_exec_create},
    {"DELETE", "/containers/{}", api_container_remove},
    {"POST", "/exec/{}/start", api_exec_start},
    {"POST", "/exec/{}/resize", api_exec_resize},
    {"GET", "/exec/{}/json", api_exec_inspect},
    {"GET", "/images/json", api_image_list},
    {"POST", "/images/create", api_image_create},
    {"POST", "/images/load", api_image_load},
    {"GET", "/images/{*}/json", api_image_inspect},
    {"POST", "/images/{*}/tag", api_image_tag},
    {"DELETE", "/images/{*}", api_image_remove},
    /* known to the engine, not served by this version */
    {"POST", "/containers/create", api_not_yet},
    {"POST", "/containers/prune", api_not_yet},
    {"POST", "/containers/{}/restart", api_not_yet},
    {"POST", "/containers/{}/update", api_not_yet},
    {"GET", "/containers/{}/top", api_not_yet},
    {"GET", "/containers/{}/stats", api_not_yet},
    {"GET", "/containers/{}/export", api_not_yet},
    {"GET", "/containers/{}/archive", api_not_yet},
    {"HEAD", "/containers/{}/archive", api_not_yet},
    {"PUT", "/containers/{}/archive", api_not_yet},
    {"POST", "/commit", api_not_yet},
    {"POST", "/build", api_not_yet},
    {"GET", "/images/get", api_not_yet},
    {"GET", "/images/search", api_not_yet},
    {"POST", "/images/prune", api_not_yet},
    {"GET", "/images/{*}/get", api_not_yet},
    {"GET", "/images/{*}/history", api_not_yet},
    {"POST", "/images/{*}/push", api_not_yet},
    {NULL, NULL, NULL},
};
