/* fuzz/fuzz_control_validate.c - specs that reach the manager as messages: the rules must say yes
 * or why not, whatever is in them.
 *
 * fuzz-room: control
 * The first byte chooses the kind of spec; the rest is the message as a peer sends it, unpacked as
 * the server does. */
#include <stdint.h>
#include <stdlib.h>

#include "control/validate_cluster.h"
#include "control/validate_secret.h"
#include "control/validate_service.h"
#include "rpc/rpc_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void judge(unsigned kind, const ProtobufCMessage *m)
{
    struct rpc_status why = RPC_STATUS_OK;
    enum rpc_code code = RPC_OK;
    if (kind == 0)
        code = validate_secret_spec((const Pb__SecretSpec *)m, &why);
    else if (kind == 1)
        code = validate_config_spec((const Pb__ConfigSpec *)m, &why);
    else if (kind == 2)
        code = validate_cluster_spec((const Pb__ClusterSpec *)m, NULL, &why);
    else
        code = validate_service_spec((const Pb__ServiceSpec *)m, &why);
    if (code != RPC_OK && !why.message[0])
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const ProtobufCMessageDescriptor *const kinds[] = {
        &pb__secret_spec__descriptor, &pb__config_spec__descriptor, &pb__cluster_spec__descriptor,
        &pb__service_spec__descriptor};
    ProtobufCMessage *m = NULL;
    struct rpc_chunk *memory = NULL;
    if (size < 1)
        return 0;
    unsigned kind = data[0] & 7;
    kind = kind > 3 ? 3 : kind;
    if (rpc_unpack(kinds[kind], data + 1, size - 1, false, &m, &memory) == 0) {
        judge(kind, m);
        rpc_chunks_free(memory);
    }
    return 0;
}
