/* rpc/methods.h - every method that is spoken between our programs and on the swarm's wire: path,
 * messages, flags.
 *
 * One constant a method, shared by the client that calls it and the server that handles it, so that
 * the two cannot differ about which side is a stream and which message is secret. Names:
 * rpc_method_<service>_<method>. */
#ifndef RPC_METHODS_H
#define RPC_METHODS_H
#include "rpc/rpc.h"

/* docker.swarmkit.v1.Control */
extern const struct rpc_method rpc_method_control_get_node;
extern const struct rpc_method rpc_method_control_list_nodes;
extern const struct rpc_method rpc_method_control_update_node;
extern const struct rpc_method rpc_method_control_remove_node;
extern const struct rpc_method rpc_method_control_get_task;
extern const struct rpc_method rpc_method_control_list_tasks;
extern const struct rpc_method rpc_method_control_remove_task;
extern const struct rpc_method rpc_method_control_get_service;
extern const struct rpc_method rpc_method_control_list_services;
extern const struct rpc_method rpc_method_control_create_service;
extern const struct rpc_method rpc_method_control_update_service;
extern const struct rpc_method rpc_method_control_remove_service;
extern const struct rpc_method rpc_method_control_list_service_statuses;
extern const struct rpc_method rpc_method_control_get_network;
extern const struct rpc_method rpc_method_control_list_networks;
extern const struct rpc_method rpc_method_control_create_network;
extern const struct rpc_method rpc_method_control_remove_network;
extern const struct rpc_method rpc_method_control_get_cluster;
extern const struct rpc_method rpc_method_control_list_clusters;
extern const struct rpc_method rpc_method_control_update_cluster;
extern const struct rpc_method rpc_method_control_get_secret;
extern const struct rpc_method rpc_method_control_update_secret;
extern const struct rpc_method rpc_method_control_list_secrets;
extern const struct rpc_method rpc_method_control_create_secret;
extern const struct rpc_method rpc_method_control_remove_secret;
extern const struct rpc_method rpc_method_control_get_config;
extern const struct rpc_method rpc_method_control_update_config;
extern const struct rpc_method rpc_method_control_list_configs;
extern const struct rpc_method rpc_method_control_create_config;
extern const struct rpc_method rpc_method_control_remove_config;
extern const struct rpc_method rpc_method_control_get_extension;
extern const struct rpc_method rpc_method_control_create_extension;
extern const struct rpc_method rpc_method_control_remove_extension;
extern const struct rpc_method rpc_method_control_get_resource;
extern const struct rpc_method rpc_method_control_update_resource;
extern const struct rpc_method rpc_method_control_list_resources;
extern const struct rpc_method rpc_method_control_create_resource;
extern const struct rpc_method rpc_method_control_remove_resource;
extern const struct rpc_method rpc_method_control_create_volume;
extern const struct rpc_method rpc_method_control_get_volume;
extern const struct rpc_method rpc_method_control_update_volume;
extern const struct rpc_method rpc_method_control_list_volumes;
extern const struct rpc_method rpc_method_control_remove_volume;

/* docker.swarmkit.v1.Watch */
extern const struct rpc_method rpc_method_watch_watch;

/* docker.swarmkit.v1.Dispatcher */
extern const struct rpc_method rpc_method_dispatcher_session;
extern const struct rpc_method rpc_method_dispatcher_heartbeat;
extern const struct rpc_method rpc_method_dispatcher_update_task_status;
extern const struct rpc_method rpc_method_dispatcher_update_volume_status;
extern const struct rpc_method rpc_method_dispatcher_tasks;
extern const struct rpc_method rpc_method_dispatcher_assignments;

/* docker.swarmkit.v1.Logs */
extern const struct rpc_method rpc_method_logs_subscribe_logs;

/* docker.swarmkit.v1.LogBroker */
extern const struct rpc_method rpc_method_log_broker_listen_subscriptions;
extern const struct rpc_method rpc_method_log_broker_publish_logs;

/* docker.swarmkit.v1.CA */
extern const struct rpc_method rpc_method_ca_get_root_ca_certificate;
extern const struct rpc_method rpc_method_ca_get_unlock_key;

/* docker.swarmkit.v1.NodeCA */
extern const struct rpc_method rpc_method_node_ca_issue_node_certificate;
extern const struct rpc_method rpc_method_node_ca_node_certificate_status;

/* docker.swarmkit.v1.Health */
extern const struct rpc_method rpc_method_health_check;

/* keep.v1.Manager */
extern const struct rpc_method rpc_method_manager_init;
extern const struct rpc_method rpc_method_manager_status;

#endif
