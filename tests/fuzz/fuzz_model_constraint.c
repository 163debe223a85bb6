/* fuzz/fuzz_model_constraint.c - placement constraints as users write them, against a node.
 *
 * fuzz-room: model
 * Each line of the input is one expression. What constraint_check refuses must never match. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "model/constraint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const Pb__Node *a_node(void)
{
    static Pb__Platform platform = PB__PLATFORM__INIT;
    static Pb__EngineDescription engine = PB__ENGINE_DESCRIPTION__INIT;
    static Pb__NodeDescription description = PB__NODE_DESCRIPTION__INIT;
    static Pb__NodeStatus status = PB__NODE_STATUS__INIT;
    static Pb__Node node = PB__NODE__INIT;
    platform.os = (char *)(uintptr_t) "linux";
    platform.architecture = (char *)(uintptr_t) "x86_64";
    description.hostname = (char *)(uintptr_t) "web-1.example.org";
    description.platform = &platform;
    description.engine = &engine;
    status.addr = (char *)(uintptr_t) "10.1.2.3";
    node.id = (char *)(uintptr_t) "y2k0ylagn2hhnbfd3z1wv9fvf";
    node.description = &description;
    node.status = &status;
    return &node;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_FREE char *text = mem_strn((const char *)data, size);
    char *save = NULL, *all[16];
    size_t n = 0;
    bool every = true;
    for (char *line = strtok_r(text, "\n", &save); line && n < 16;
         line = strtok_r(NULL, "\n", &save)) {
        struct err e = {0};
        int r = constraint_check(line, &e);
        bool matches = constraint_match(&line, 1, a_node());
        if (r < 0 && (matches || !e.text[0]))
            abort();
        every = every && matches;
        all[n++] = line;
    }
    if (constraint_match(all, n, a_node()) != every)
        abort();
    Pb__Node bare = PB__NODE__INIT;
    (void)constraint_match(all, n, &bare);
    return 0;
}
