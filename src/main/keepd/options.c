/* main/keepd/options.c - see options.h. */
#include "main/keepd/options.h"

#include <errno.h>
#include <getopt.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"

const char keepd_usage[] =
    "Usage:  keepd [OPTIONS]\n"
    "\n"
    "The node of a Keep cluster: serves the Docker Engine API and runs containers.\n"
    "\n"
    "Options:\n"
    "      --bip string            The bridge's subnet (CIDR); default: the first free of a list\n"
    "      --cgroup-parent string  Parent cgroup of the containers (default \"/keep\")\n"
    "      --config-file string    Daemon configuration file (default \"/etc/keep/daemon.json\")\n"
    "      --data-root string      Root directory of persistent state (default \"/var/lib/keep\")\n"
    "  -D, --debug                 Log more\n"
    "      --exec-root string      Root directory of execution state (default \"/run/keep\")\n"
    "  -G, --group string          Group of the unix socket (default: root, mode 0600)\n"
    "  -H, --host list             Where to listen: unix://PATH or fd:// (default "
    "unix://EXEC-ROOT/keep.sock)\n"
    "      --manager-user string   User of keep-manager (default \"keep\")\n"
    "  -p, --pidfile string        File with the daemon's process id (default "
    "\"EXEC-ROOT/keepd.pid\")\n"
    "  -v, --version               Print the version and end\n"
    "      --help                  Print this and end\n";

enum { CONFIG_FILE_MAX = 1 << 20, PATH_LEN_MAX = 90 };

enum { OPT_BIP = 256, OPT_CGROUP, OPT_CONFIG, OPT_DATA, OPT_EXEC, OPT_USER, OPT_HELP, OPT_TLS };
static const struct option long_options[] = {
    {"bip", required_argument, NULL, OPT_BIP},
    {"cgroup-parent", required_argument, NULL, OPT_CGROUP},
    {"config-file", required_argument, NULL, OPT_CONFIG},
    {"data-root", required_argument, NULL, OPT_DATA},
    {"debug", no_argument, NULL, 'D'},
    {"exec-root", required_argument, NULL, OPT_EXEC},
    {"group", required_argument, NULL, 'G'},
    {"host", required_argument, NULL, 'H'},
    {"manager-user", required_argument, NULL, OPT_USER},
    {"pidfile", required_argument, NULL, 'p'},
    {"version", no_argument, NULL, 'v'},
    {"help", no_argument, NULL, OPT_HELP},
    {"tlsverify", no_argument, NULL, OPT_TLS},
    {"tlscacert", required_argument, NULL, OPT_TLS},
    {"tlscert", required_argument, NULL, OPT_TLS},
    {"tlskey", required_argument, NULL, OPT_TLS},
    {NULL, 0, NULL, 0},
};

static void replace(char **field, const char *value)
{
    free(*field);
    *field = mem_str(value);
}

static int take_flag(struct keepd_options *o, int opt, struct err *e)
{
    switch (opt) {
    case OPT_BIP:
        replace(&o->subnet, optarg);
        return 0;
    case OPT_CGROUP:
        replace(&o->cgroup_parent, optarg);
        return 0;
    case OPT_CONFIG:
        replace(&o->config_file, optarg);
        return 0;
    case OPT_DATA:
        replace(&o->data_root, optarg);
        return 0;
    case OPT_EXEC:
        replace(&o->exec_root, optarg);
        return 0;
    case OPT_USER:
        replace(&o->manager_user, optarg);
        return 0;
    case 'G':
        replace(&o->group, optarg);
        return 0;
    case 'p':
        replace(&o->pidfile, optarg);
        return 0;
    case 'D':
        o->debug = true;
        return 0;
    case 'H':
        if (strv_len((const char *const *)o->hosts) == KEEPD_HOSTS_MAX)
            return err_set(e, -E2BIG, "at most %d --host are possible", KEEPD_HOSTS_MAX);
        strv_push(&o->hosts, mem_str(optarg));
        return 0;
    case 'v':
        return OPTIONS_VERSION;
    case OPT_HELP:
        return OPTIONS_HELP;
    case OPT_TLS:
        return err_set(e, -ENOSYS, "TLS is not served by this version: listen on a unix socket");
    default:
        return err_set(e, -EINVAL, "unknown flag or missing value: %s",
                       optind > 0 ? "see keepd --help" : "");
    }
}

/* ---- the file ---- */

static int text_key(const char *key, json_t *v, char **field, struct err *e)
{
    if (!json_is_string(v))
        return err_set(e, -EINVAL, "the value of \"%s\" must be a string", key);
    if (*field)
        return err_set(e, -EINVAL, "\"%s\" is given both as a flag and in the file", key);
    *field = mem_str(json_string_value(v));
    return 0;
}

static int hosts_key(json_t *v, struct keepd_options *o, struct err *e)
{
    if (!json_is_array(v) || json_array_size(v) > KEEPD_HOSTS_MAX)
        return err_set(e, -EINVAL, "the value of \"hosts\" must be a list of at most %d strings",
                       KEEPD_HOSTS_MAX);
    if (o->hosts)
        return err_set(e, -EINVAL, "\"hosts\" is given both as a flag and in the file");
    for (size_t i = 0; i < json_array_size(v); i++) {
        const char *s = json_string_value(json_array_get(v, i));
        if (!s)
            return err_set(e, -EINVAL, "the value of \"hosts\" must be a list of strings");
        strv_push(&o->hosts, mem_str(s));
    }
    return 0;
}

static int take_key(const char *key, json_t *v, struct keepd_options *o, struct err *e)
{
    const struct {
        const char *key;
        char **field;
    } texts[] = {
        {"data-root", &o->data_root},
        {"exec-root", &o->exec_root},
        {"pidfile", &o->pidfile},
        {"group", &o->group},
        {"bip", &o->subnet},
        {"manager-user", &o->manager_user},
        {"cgroup-parent", &o->cgroup_parent},
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (str_eq(key, texts[i].key))
            return text_key(key, v, texts[i].field, e);
    if (str_eq(key, "hosts"))
        return hosts_key(v, o, e);
    if (str_eq(key, "debug")) {
        if (!json_is_boolean(v))
            return err_set(e, -EINVAL, "the value of \"debug\" must be true or false");
        o->debug = o->debug || json_is_true(v);
        return 0;
    }
    return err_set(e, -EINVAL, "the following directives don't match any configuration option: %s",
                   key);
}

static int take_file(struct keepd_options *o, bool must_exist, struct err *e)
{
    AUTO_BUF struct buf b = BUF_INIT(CONFIG_FILE_MAX);
    int r = buf_read_file(&b, o->config_file, e);
    if (r == -ENOENT && !must_exist)
        return 0;
    if (r < 0)
        return r;
    json_error_t je;
    json_t *root = json_loadb(b.p, b.len, JSON_REJECT_DUPLICATES, &je);
    if (!json_is_object(root)) {
        json_decref(root);
        return err_set(e, -EINVAL, "%s: line %d: %s", o->config_file, je.line,
                       root ? "not an object" : je.text);
    }
    const char *key;
    json_t *v;
    json_object_foreach(root, key, v)
    {
        r = take_key(key, v, o, e);
        if (r < 0) {
            err_wrap(e, r, "%s", o->config_file);
            break;
        }
    }
    json_decref(root);
    return r;
}

/* ---- what follows from what ---- */

static int check_path(const char *flag, const char *path, struct err *e)
{
    if (path[0] != '/')
        return err_set(e, -EINVAL, "--%s %s: give an absolute path", flag, path);
    if (strlen(path) > PATH_LEN_MAX)
        return err_set(e, -ENAMETOOLONG,
                       "--%s %s: longer than %d characters; sockets below it would not fit in a "
                       "socket address",
                       flag, path, PATH_LEN_MAX);
    return 0;
}

static int fill_in(struct keepd_options *o, struct err *e)
{
    if (!o->data_root)
        o->data_root = mem_str("/var/lib/keep");
    if (!o->exec_root)
        o->exec_root = mem_str("/run/keep");
    if (!o->pidfile)
        o->pidfile = mem_printf("%s/keepd.pid", o->exec_root);
    if (!o->manager_user)
        o->manager_user = mem_str("keep");
    if (!o->cgroup_parent)
        o->cgroup_parent = mem_str("/keep");
    if (!o->hosts)
        strv_push(&o->hosts, mem_printf("unix://%s/keep.sock", o->exec_root));
    int r = check_path("data-root", o->data_root, e);
    if (r == 0)
        r = check_path("exec-root", o->exec_root, e);
    if (r == 0)
        r = check_path("cgroup-parent", o->cgroup_parent, e);
    for (char **h = o->hosts; r == 0 && *h; h++) {
        if (str_starts(*h, "tcp://"))
            r = err_set(
                e, -ENOSYS,
                "--host %s: TCP with TLS is not served by this version: use unix:// or fd://", *h);
        else if (!str_starts(*h, "unix://") && !str_eq(*h, "fd://"))
            r = err_set(e, -EINVAL, "--host %s: must be unix://PATH or fd://", *h);
        else if (str_starts(*h, "unix://"))
            r = check_path("host", *h + strlen("unix://"), e);
    }
    return r;
}

int keepd_options_parse(int argc, char **argv, struct keepd_options *ret, struct err *e)
{
    struct keepd_options o = {0};
    int opt, r = 0;
    opterr = 0;
    optind = 1;
    while (r == 0 && (opt = getopt_long(argc, argv, "DG:H:p:v", long_options, NULL)) != -1)
        r = opt == '?' ? err_set(e, -EINVAL, "unknown flag or missing value: %s", argv[optind - 1])
                       : take_flag(&o, opt, e);
    if (r == 0 && optind < argc)
        r = err_set(e, -EINVAL, "keepd takes no arguments: %s", argv[optind]);
    if (r == 0) {
        bool given = o.config_file != NULL;
        if (!given)
            o.config_file = mem_str("/etc/keep/daemon.json");
        r = take_file(&o, given, e);
    }
    if (r == 0)
        r = fill_in(&o, e);
    if (r != 0) {
        keepd_options_done(&o);
        return r;
    }
    *ret = o;
    return 0;
}

void keepd_options_done(struct keepd_options *o)
{
    strv_free(o->hosts);
    free(o->data_root);
    free(o->exec_root);
    free(o->pidfile);
    free(o->config_file);
    free(o->group);
    free(o->subnet);
    free(o->manager_user);
    free(o->cgroup_parent);
    *o = (struct keepd_options){0};
}
