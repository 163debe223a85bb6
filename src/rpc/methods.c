/* rpc/methods.c - the table of methods. */
#include "rpc/methods.h"

#include "proto/ca.pb-c.h"
#include "proto/control.pb-c.h"
#include "proto/dispatcher.pb-c.h"
#include "proto/health.pb-c.h"
#include "proto/keep.pb-c.h"
#include "proto/logs.pb-c.h"
#include "proto/watch.pb-c.h"

/* clang-format off */
#define METHOD(name, service, method, req, res, bits)       \
    const struct rpc_method rpc_method_##name = {           \
        .path = "/" service "/" method,                     \
        .request = &req##__descriptor,                      \
        .response = &res##__descriptor,                     \
        .flags = (bits),                                    \
    }

/* docker.swarmkit.v1.Control */
METHOD(control_get_node, "docker.swarmkit.v1.Control", "GetNode", pb__get_node_request, pb__get_node_response, 0);
METHOD(control_list_nodes, "docker.swarmkit.v1.Control", "ListNodes", pb__list_nodes_request, pb__list_nodes_response, 0);
METHOD(control_update_node, "docker.swarmkit.v1.Control", "UpdateNode", pb__update_node_request, pb__update_node_response, 0);
METHOD(control_remove_node, "docker.swarmkit.v1.Control", "RemoveNode", pb__remove_node_request, pb__remove_node_response, 0);
METHOD(control_get_task, "docker.swarmkit.v1.Control", "GetTask", pb__get_task_request, pb__get_task_response, 0);
METHOD(control_list_tasks, "docker.swarmkit.v1.Control", "ListTasks", pb__list_tasks_request, pb__list_tasks_response, 0);
METHOD(control_remove_task, "docker.swarmkit.v1.Control", "RemoveTask", pb__remove_task_request, pb__remove_task_response, 0);
METHOD(control_get_service, "docker.swarmkit.v1.Control", "GetService", pb__get_service_request, pb__get_service_response, 0);
METHOD(control_list_services, "docker.swarmkit.v1.Control", "ListServices", pb__list_services_request, pb__list_services_response, 0);
METHOD(control_create_service, "docker.swarmkit.v1.Control", "CreateService", pb__create_service_request, pb__create_service_response, 0);
METHOD(control_update_service, "docker.swarmkit.v1.Control", "UpdateService", pb__update_service_request, pb__update_service_response, 0);
METHOD(control_remove_service, "docker.swarmkit.v1.Control", "RemoveService", pb__remove_service_request, pb__remove_service_response, 0);
METHOD(control_list_service_statuses, "docker.swarmkit.v1.Control", "ListServiceStatuses", pb__list_service_statuses_request, pb__list_service_statuses_response, 0);
METHOD(control_get_network, "docker.swarmkit.v1.Control", "GetNetwork", pb__get_network_request, pb__get_network_response, 0);
METHOD(control_list_networks, "docker.swarmkit.v1.Control", "ListNetworks", pb__list_networks_request, pb__list_networks_response, 0);
METHOD(control_create_network, "docker.swarmkit.v1.Control", "CreateNetwork", pb__create_network_request, pb__create_network_response, 0);
METHOD(control_remove_network, "docker.swarmkit.v1.Control", "RemoveNetwork", pb__remove_network_request, pb__remove_network_response, 0);
METHOD(control_get_cluster, "docker.swarmkit.v1.Control", "GetCluster", pb__get_cluster_request, pb__get_cluster_response, 0);
METHOD(control_list_clusters, "docker.swarmkit.v1.Control", "ListClusters", pb__list_clusters_request, pb__list_clusters_response, 0);
METHOD(control_update_cluster, "docker.swarmkit.v1.Control", "UpdateCluster", pb__update_cluster_request, pb__update_cluster_response, RPC_SECRET_REQUEST);
METHOD(control_get_secret, "docker.swarmkit.v1.Control", "GetSecret", pb__get_secret_request, pb__get_secret_response, 0);
METHOD(control_update_secret, "docker.swarmkit.v1.Control", "UpdateSecret", pb__update_secret_request, pb__update_secret_response, RPC_SECRET_REQUEST);
METHOD(control_list_secrets, "docker.swarmkit.v1.Control", "ListSecrets", pb__list_secrets_request, pb__list_secrets_response, 0);
METHOD(control_create_secret, "docker.swarmkit.v1.Control", "CreateSecret", pb__create_secret_request, pb__create_secret_response, RPC_SECRET_REQUEST);
METHOD(control_remove_secret, "docker.swarmkit.v1.Control", "RemoveSecret", pb__remove_secret_request, pb__remove_secret_response, 0);
METHOD(control_get_config, "docker.swarmkit.v1.Control", "GetConfig", pb__get_config_request, pb__get_config_response, 0);
METHOD(control_update_config, "docker.swarmkit.v1.Control", "UpdateConfig", pb__update_config_request, pb__update_config_response, 0);
METHOD(control_list_configs, "docker.swarmkit.v1.Control", "ListConfigs", pb__list_configs_request, pb__list_configs_response, 0);
METHOD(control_create_config, "docker.swarmkit.v1.Control", "CreateConfig", pb__create_config_request, pb__create_config_response, 0);
METHOD(control_remove_config, "docker.swarmkit.v1.Control", "RemoveConfig", pb__remove_config_request, pb__remove_config_response, 0);
METHOD(control_get_extension, "docker.swarmkit.v1.Control", "GetExtension", pb__get_extension_request, pb__get_extension_response, 0);
METHOD(control_create_extension, "docker.swarmkit.v1.Control", "CreateExtension", pb__create_extension_request, pb__create_extension_response, 0);
METHOD(control_remove_extension, "docker.swarmkit.v1.Control", "RemoveExtension", pb__remove_extension_request, pb__remove_extension_response, 0);
METHOD(control_get_resource, "docker.swarmkit.v1.Control", "GetResource", pb__get_resource_request, pb__get_resource_response, 0);
METHOD(control_update_resource, "docker.swarmkit.v1.Control", "UpdateResource", pb__update_resource_request, pb__update_resource_response, 0);
METHOD(control_list_resources, "docker.swarmkit.v1.Control", "ListResources", pb__list_resources_request, pb__list_resources_response, 0);
METHOD(control_create_resource, "docker.swarmkit.v1.Control", "CreateResource", pb__create_resource_request, pb__create_resource_response, 0);
METHOD(control_remove_resource, "docker.swarmkit.v1.Control", "RemoveResource", pb__remove_resource_request, pb__remove_resource_response, 0);
METHOD(control_create_volume, "docker.swarmkit.v1.Control", "CreateVolume", pb__create_volume_request, pb__create_volume_response, 0);
METHOD(control_get_volume, "docker.swarmkit.v1.Control", "GetVolume", pb__get_volume_request, pb__get_volume_response, 0);
METHOD(control_update_volume, "docker.swarmkit.v1.Control", "UpdateVolume", pb__update_volume_request, pb__update_volume_response, 0);
METHOD(control_list_volumes, "docker.swarmkit.v1.Control", "ListVolumes", pb__list_volumes_request, pb__list_volumes_response, 0);
METHOD(control_remove_volume, "docker.swarmkit.v1.Control", "RemoveVolume", pb__remove_volume_request, pb__remove_volume_response, 0);

/* docker.swarmkit.v1.Watch */
METHOD(watch_watch, "docker.swarmkit.v1.Watch", "Watch", pb__watch_request, pb__watch_message, RPC_SERVER_STREAM);

/* docker.swarmkit.v1.Dispatcher */
METHOD(dispatcher_session, "docker.swarmkit.v1.Dispatcher", "Session", pb__session_request, pb__session_message, RPC_SERVER_STREAM);
METHOD(dispatcher_heartbeat, "docker.swarmkit.v1.Dispatcher", "Heartbeat", pb__heartbeat_request, pb__heartbeat_response, 0);
METHOD(dispatcher_update_task_status, "docker.swarmkit.v1.Dispatcher", "UpdateTaskStatus", pb__update_task_status_request, pb__update_task_status_response, 0);
METHOD(dispatcher_update_volume_status, "docker.swarmkit.v1.Dispatcher", "UpdateVolumeStatus", pb__update_volume_status_request, pb__update_volume_status_response, 0);
METHOD(dispatcher_tasks, "docker.swarmkit.v1.Dispatcher", "Tasks", pb__tasks_request, pb__tasks_message, RPC_SERVER_STREAM);
METHOD(dispatcher_assignments, "docker.swarmkit.v1.Dispatcher", "Assignments", pb__assignments_request, pb__assignments_message, RPC_SERVER_STREAM | RPC_SECRET_RESPONSE);

/* docker.swarmkit.v1.Logs */
METHOD(logs_subscribe_logs, "docker.swarmkit.v1.Logs", "SubscribeLogs", pb__subscribe_logs_request, pb__subscribe_logs_message, RPC_SERVER_STREAM);

/* docker.swarmkit.v1.LogBroker */
METHOD(log_broker_listen_subscriptions, "docker.swarmkit.v1.LogBroker", "ListenSubscriptions", pb__listen_subscriptions_request, pb__subscription_message, RPC_SERVER_STREAM);
METHOD(log_broker_publish_logs, "docker.swarmkit.v1.LogBroker", "PublishLogs", pb__publish_logs_message, pb__publish_logs_response, RPC_CLIENT_STREAM);

/* docker.swarmkit.v1.CA */
METHOD(ca_get_root_ca_certificate, "docker.swarmkit.v1.CA", "GetRootCACertificate", pb__get_root_cacertificate_request, pb__get_root_cacertificate_response, 0);
METHOD(ca_get_unlock_key, "docker.swarmkit.v1.CA", "GetUnlockKey", pb__get_unlock_key_request, pb__get_unlock_key_response, RPC_SECRET_RESPONSE);

/* docker.swarmkit.v1.NodeCA */
METHOD(node_ca_issue_node_certificate, "docker.swarmkit.v1.NodeCA", "IssueNodeCertificate", pb__issue_node_certificate_request, pb__issue_node_certificate_response, 0);
METHOD(node_ca_node_certificate_status, "docker.swarmkit.v1.NodeCA", "NodeCertificateStatus", pb__node_certificate_status_request, pb__node_certificate_status_response, 0);

/* docker.swarmkit.v1.Health */
METHOD(health_check, "docker.swarmkit.v1.Health", "Check", pb__health_check_request, pb__health_check_response, 0);

/* keep.v1.Manager */
METHOD(manager_init, "keep.v1.Manager", "Init", keep__init_request, keep__init_response, 0);
METHOD(manager_status, "keep.v1.Manager", "Status", keep__status_request, keep__status_response, 0);
/* clang-format on */
