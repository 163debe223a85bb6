/* cli/cmd_swarm_keys.c - `keep swarm unlock`, `unlock-key`, `ca`. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "base/mem.h"
#include "base/secret.h"
#include "base/str.h"
#include "cli/api.h"
#include "cli/commands.h"
#include "cli/hijack.h"
#include "cli/js.h"
#include "cli/swarm_impl.h"
#include "cli/term.h"

enum { KEY_MAX = 256, PEM_MAX = 1 << 20, POLL_MS = 200 };

void swarm_print_key(const char *key)
{
    printf("To unlock a swarm manager after it restarts, run the `keep swarm unlock`\n"
           "command and provide the following key:\n\n    %s\n\n"
           "Remember to store this key in a password manager, since without it you\n"
           "will not be able to restart the manager.\n",
           key);
}

static int run_unlock_key(struct cli *c)
{
    AUTO_JSON json_t *swarm = NULL, *key = NULL;
    bool quiet = flag_bool(c, "quiet");
    int r = 0;
    if (flag_bool(c, "rotate")) {
        r = api_get(c, "/swarm", &swarm);
        if (!r && !js_bool(swarm, "Spec.EncryptionConfig.AutoLockManagers"))
            r = err_set(&c->err, -EINVAL, "cannot rotate because autolock is not turned on");
        if (!r)
            r = swarm_rotate(c, swarm, "key");
        if (!r && !quiet)
            printf("Successfully rotated manager unlock key.\n");
    }
    if (r)
        return r;
    r = api_get(c, "/swarm/unlockkey", &key);
    if (r)
        return err_wrap(&c->err, r, "could not fetch unlock key");
    const char *text = js_str(key, "UnlockKey");
    if (!*text)
        return err_set(&c->err, -ENOENT, "no unlock key is set");
    if (quiet)
        printf("%s\n", text);
    else
        swarm_print_key(text);
    return 0;
}

static const struct flag key_flags[] = {
    {.name = "quiet", .letter = 'q', .help = "Only show the key"},
    {.name = "rotate", .help = "Make a new key"},
    FLAG_END,
};
const struct command cmd_swarm_unlock_key = {.name = "unlock-key",
                                             .usage = "[OPTIONS]",
                                             .about = "Manage the unlock key",
                                             .flags = key_flags,
                                             .run = run_unlock_key};

/* --- unlock --- */

static int run_unlock(struct cli *c)
{
    AUTO_JSON json_t *info = NULL, *q = js_own(json_object());
    int r = api_get(c, "/info", &info);
    if (r)
        return r;
    const char *state = js_str(info, "Swarm.LocalNodeState");
    if (str_eq(state, "inactive"))
        return err_set(&c->err, -EINVAL, "Error: This node is not part of a swarm");
    if (!str_eq(state, "locked"))
        return err_set(&c->err, -EINVAL, "Error: swarm is not locked");
    AUTO_SECRET struct secret_buf *key = secret_buf_new(KEY_MAX);
    if (!key)
        return err_set(&c->err, -ENOMEM, "out of locked memory");
    r = isatty(0) ? prompt_hidden("Enter unlock key: ", key, &c->err)
                  : read_secret_line(key, &c->err);
    return r ? r : post_secret(c, "/swarm/unlock", q, "UnlockKey", false, key, NULL);
}

const struct command cmd_swarm_unlock = {
    .name = "unlock", .about = "Unlock swarm", .run = run_unlock, .locked = true};

/* --- ca --- */

static int check_ca_flags(struct cli *c)
{
    static const char *const with_rotate[] = {"ca-cert", "ca-key", "cert-expiry", "external-ca"};
    for (size_t i = 0; !flag_bool(c, "rotate") && i < 4; i++)
        if (flag_set(c, with_rotate[i]))
            return err_set(&c->err, -EINVAL,
                           "`--%s` flag requires the `--rotate` flag to update the CA",
                           with_rotate[i]);
    bool cert = flag_set(c, "ca-cert"), outside = flag_set(c, "external-ca");
    if (outside && !cert)
        return err_set(&c->err, -EINVAL,
                       "rotating to an external CA requires the `--ca-cert` flag to specify the "
                       "external CA's cert - to add "
                       "an external CA with the current root CA certificate, use the `update` "
                       "command instead");
    if (cert && !outside && !flag_set(c, "ca-key"))
        return err_set(&c->err, -EINVAL,
                       "the --ca-cert flag requires that a --ca-key flag and/or --external-ca flag "
                       "be provided as well");
    return 0;
}

static int set_pem(struct cli *c, json_t *ca, const char *flag, const char *key)
{
    AUTO_BUF struct buf b = BUF_INIT(PEM_MAX);
    if (!flag_set(c, flag)) {
        js_set_str(ca, key, "");
        return 0;
    }
    int r = buf_read_file(&b, flag_str(c, flag), &c->err);
    if (!r)
        js_set_str(ca, key, b.p);
    return r;
}

static int wait_rotation(struct cli *c)
{
    for (;;) {
        AUTO_JSON json_t *swarm = NULL;
        struct timespec nap = {.tv_nsec = POLL_MS * 1000000L};
        int r = api_get(c, "/swarm", &swarm);
        if (r || !js_bool(swarm, "RootRotationInProgress"))
            return r;
        nanosleep(&nap, NULL);
    }
}

static int rotate_ca(struct cli *c, json_t *swarm)
{
    json_t *ca = js_sub(js_sub(swarm, "Spec"), "CAConfig");
    json_object_set_new(ca, "ForceRotate", js_own(json_integer(js_int(ca, "ForceRotate") + 1)));
    if (flag_set(c, "cert-expiry"))
        json_object_set_new(ca, "NodeCertExpiry",
                            js_own(json_integer(flag_duration(c, "cert-expiry", 0))));
    int r = set_pem(c, ca, "ca-cert", "SigningCACert");
    if (!r)
        r = set_pem(c, ca, "ca-key", "SigningCAKey");
    if (!r && flag_set(c, "external-ca"))
        r = swarm_merge_cas(c, ca);
    return r ? r : swarm_rotate(c, swarm, "");
}

static void put_root(const char *pem)
{
    printf("%s%s", pem, str_ends(pem, "\n") ? "" : "\n");
}

static int run_ca(struct cli *c)
{
    AUTO_JSON json_t *swarm = NULL, *after = NULL;
    int r = check_ca_flags(c);
    if (!r)
        r = api_get(c, "/swarm", &swarm);
    if (r)
        return r;
    if (!flag_bool(c, "rotate")) {
        const char *root = js_str(swarm, "TLSInfo.TrustRoot");
        if (!*root)
            return err_set(&c->err, -ENOENT, "No CA information available");
        put_root(root);
        return 0;
    }
    r = rotate_ca(c, swarm);
    if (r || flag_bool(c, "detach"))
        return r;
    r = wait_rotation(c);
    if (!r)
        r = api_get(c, "/swarm", &after);
    if (!r && !flag_bool(c, "quiet"))
        put_root(js_str(after, "TLSInfo.TrustRoot"));
    return r;
}

static const struct flag ca_flags[] = {
    {.name = "ca-cert",
     .type = "pem-file",
     .help = "Root certificate (PEM) that the swarm is to use from now on"},
    {.name = "ca-key", .type = "pem-file", .help = "Key (PEM) of that root"},
    {.name = "cert-expiry", .type = "duration", .help = HELP_CERT_EXPIRY, .def = "2160h0m0s"},
    {.name = "detach",
     .letter = 'd',
     .help = "Do not wait until every node has its new certificate"},
    {.name = "external-ca", .type = "external-ca", .help = HELP_EXTERNAL_CA},
    {.name = "quiet", .letter = 'q', .help = "Print nothing while waiting"},
    {.name = "rotate", .help = "Change the root; a new one is made when none is given"},
    FLAG_END,
};
const struct command cmd_swarm_ca = {.name = "ca",
                                     .usage = "[OPTIONS]",
                                     .about = "Display and rotate the root CA",
                                     .flags = ca_flags,
                                     .run = run_ca};
