/* api/routes_swarm_table.c - every path of the cluster's half of the API and of the daemon itself.
 * Containers and images: local_routes.c. */
#include "api/state.h"

const struct api_route api_swarm_routes[] = {
    {"HEAD", "/_ping", api_ping},
    {"GET", "/_ping", api_ping},
    {"GET", "/version", api_version},
    {"GET", "/info", api_info},
    {"GET", "/events", api_events_route},
    {"GET", "/system/df", api_df},
    {"POST", "/auth", api_auth},
    {"GET", "/distribution/{*}/json", api_distribution},

    {"GET", "/secrets", api_secret_list},
    {"POST", "/secrets/create", api_secret_create},
    {"GET", "/secrets/{}", api_secret_get},
    {"DELETE", "/secrets/{}", api_secret_remove},
    {"POST", "/secrets/{}/update", api_secret_update},

    {"GET", "/configs", api_config_list},
    {"POST", "/configs/create", api_config_create},
    {"GET", "/configs/{}", api_config_get},
    {"DELETE", "/configs/{}", api_config_remove},
    {"POST", "/configs/{}/update", api_config_update},

    {"GET", "/services", api_service_list},
    {"POST", "/services/create", api_service_create},
    {"GET", "/services/{}", api_service_get},
    {"DELETE", "/services/{}", api_service_remove},
    {"POST", "/services/{}/update", api_service_update},
    {"GET", "/services/{}/logs", api_service_logs},

    {"GET", "/tasks", api_task_list},
    {"GET", "/tasks/{}", api_task_get},
    {"GET", "/tasks/{}/logs", api_task_logs},

    {"GET", "/nodes", api_node_list},
    {"GET", "/nodes/{}", api_node_get},
    {"POST", "/nodes/{}/update", api_node_update},
    {"DELETE", "/nodes/{}", api_node_remove},

    {"GET", "/swarm", api_swarm_get},
    {"POST", "/swarm/init", api_swarm_init},
    {"POST", "/swarm/join", api_swarm_join},
    {"POST", "/swarm/leave", api_swarm_leave},
    {"POST", "/swarm/update", api_swarm_update},
    {"GET", "/swarm/unlockkey", api_swarm_unlockkey},
    {"POST", "/swarm/unlock", api_swarm_unlock},

    {"GET", "/networks", api_network_list},
    {"GET", "/networks/", api_network_list},
    {"GET", "/networks/{}", api_network_get},
    {"POST", "/networks/create", api_network_create},
    {"DELETE", "/networks/{}", api_network_remove},

    {"GET", "/volumes", api_volume_list},
    {"GET", "/volumes/{}", api_volume_get},
    {"POST", "/volumes/create", api_volume_other},
    {"DELETE", "/volumes/{}", api_volume_get},

    {"GET", "/plugins", api_plugin_list},
    {"GET", "/plugins/{}/json", api_plugin_get},
    {NULL, NULL, NULL},
};
