/* unit/cli/test_parse.c - from argv to a command, its flags and its arguments; and the whole table
 * at once. */
#include <stdlib.h>
#include <unistd.h>
#include "base/mem.h"
#include "base/str.h"
#include "cli/command.h"
#include "lib/check.h"

static int nothing(struct cli *c)
{
    (void)c;
    return 0;
}

static const struct flag flags[] = {
    {.name = "all", .letter = 'a', .help = "x"},
    {.name = "label", .letter = 'l', .type = "list", .help = "x"},
    {.name = "name", .letter = 'n', .type = "string", .help = "x"},
    {.name = "count", .type = "uint", .help = "x"},
    {.name = "wait", .type = "duration", .help = "x"},
    {.name = "on", .help = "x", .def = "true"},
    {.name = NULL},
};
static const struct command leaf = {.name = "leaf",
                                    .aliases = "blatt feuille",
                                    .usage = "X",
                                    .about = "x",
                                    .flags = flags,
                                    .run = nothing,
                                    .max = 2};
static const struct command line = {.name = "line",
                                    .usage = "X",
                                    .about = "x",
                                    .flags = flags,
                                    .run = nothing,
                                    .min = 1,
                                    .max = -1,
                                    .greedy = true};
static const struct command *const group_subs[] = {&leaf, &line, NULL};
static const struct command group = {.name = "group", .about = "x", .subs = group_subs};
static const struct command *const root_subs[] = {&group, NULL};
static const struct flag root_flags[] = {
    {.name = "host", .letter = 'H', .type = "string", .help = "x"},
    {.name = "version", .help = "x"},
    {.name = NULL}};
static const struct command root = {
    .name = "keep", .about = "x", .flags = root_flags, .subs = root_subs};

static struct cli c;
static int code;

static void forget(void)
{
    const struct flag_value *sets[] = {c.values, c.globals};
    size_t counts[] = {c.values ? sizeof flags / sizeof *flags : 0,
                       c.globals ? sizeof root_flags / sizeof *root_flags : 0};
    for (size_t s = 0; s < 2; s++)
        for (size_t i = 0; i < counts[s]; i++)
            strv_free(sets[s][i].v);
    free(c.values);
    free(c.globals);
    free(c.args);
    free(c.path);
    memset(&c, 0, sizeof c);
}

/* Words after "keep"; what goes to standard error is not looked at here. */
static int parse(const char *words)
{
    static char buffer[256];
    static char *argv[32];
    int argc = 0, keep = dup(2);
    forget();
    c.root = &root;
    str_copy(buffer, sizeof buffer, words);
    argv[argc++] = mem_str("keep");
    AUTO_FREE char *first = argv[0];
    for (char *w = strtok(buffer, " "); w; w = strtok(NULL, " "))
        argv[argc++] = w;
    fflush(stderr);
    if (!freopen("/dev/null", "w", stderr))
        abort();
    code = -1;
    int r = parse_line(&c, argc, argv, &code);
    fflush(stderr);
    dup2(keep, 2);
    close(keep);
    return r;
}

static void a_leaf_gets_flags_and_arguments_in_any_order(void)
{
    REQUIRE(parse("-H unix:///x group leaf one -l a=b --name=n two --label c -a") == 1);
    EXPECT_STR(c.path, "keep group leaf");
    EXPECT_INT(c.nargs, 2);
    EXPECT_STR(c.args[1], "two");
    EXPECT_STR(flag_str(&c, "name"), "n");
    EXPECT_INT(strv_len(flag_list(&c, "label")), 2);
    EXPECT_STR(flag_list(&c, "label")[1], "c");
    EXPECT(flag_bool(&c, "all"));
    EXPECT_STR(global_str(&c, "host"), "unix:///x");
}

static void short_flags_may_be_joined(void)
{
    REQUIRE(parse("group leaf -an name -lx=y") == 1);
    EXPECT(flag_bool(&c, "all"));
    EXPECT_STR(flag_str(&c, "name"), "name");
    EXPECT_STR(flag_list(&c, "label")[0], "x=y");
}

static void the_last_of_several_single_values_counts(void)
{
    REQUIRE(parse("group leaf --name a --name b") == 1);
    EXPECT_STR(flag_str(&c, "name"), "b");
}

static void what_is_not_given_has_its_default(void)
{
    REQUIRE(parse("group leaf") == 1);
    EXPECT(!flag_set(&c, "count"));
    EXPECT_INT(flag_uint(&c, "count", 7), 7);
    EXPECT(flag_bool(&c, "on"));
    EXPECT(flag_str(&c, "name") == NULL);
    EXPECT(flag_list(&c, "label")[0] == NULL);
    REQUIRE(parse("group leaf --on=false --wait 1m30s --count 0x10") == 1);
    EXPECT(!flag_bool(&c, "on"));
    EXPECT_INT(flag_duration(&c, "wait", 0), 90000000000LL);
    EXPECT_INT(flag_uint(&c, "count", 0), 16);
}

static void a_command_line_behind_a_command_is_left_alone(void)
{
    REQUIRE(parse("group line -a img -l --all --name") == 1);
    EXPECT_INT(c.nargs, 4);
    EXPECT_STR(c.args[1], "-l");
    EXPECT(flag_bool(&c, "all"));
    EXPECT(!flag_set(&c, "name"));
}

static void two_dashes_end_the_flags(void)
{
    REQUIRE(parse("group leaf -a -- -l") == 1);
    EXPECT_INT(c.nargs, 1);
    EXPECT_STR(c.args[0], "-l");
}

static void other_names_of_a_command_are_known(void)
{
    EXPECT(parse("group feuille") == 1);
    EXPECT(parse("group blatt") == 1);
    EXPECT(parse("group bla") == 0);
    EXPECT_INT(code, 1);
}

static void mistakes_in_flags_end_with_125(void)
{
    static const char *const bad[] = {"group leaf --nope",     "group leaf -z",
                                      "group leaf --name",     "group leaf -n",
                                      "group leaf --count x",  "group leaf --count -1",
                                      "group leaf --wait 5 s", "group leaf --all=maybe",
                                      "--nope group leaf",     "group --name x leaf"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        EXPECT(parse(bad[i]) == 0);
        EXPECT_INT(code, 125);
    }
}

static void mistakes_in_words_end_with_1(void)
{
    static const char *const bad[] = {"nope", "group nope", "group leaf 1 2 3", "group line",
                                      "help nope"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        EXPECT(parse(bad[i]) == 0);
        EXPECT_INT(code, 1);
    }
}

/* --- the real table --- */

static void check_command(const struct command *m, const char *path)
{
    EXPECT((m->subs != NULL) != (m->run != NULL));
    EXPECT(!str_empty(m->about));
    for (const struct flag *f = m->flags; f && f->name; f++) {
        for (const struct flag *g = m->flags; g < f; g++) {
            bool twice = str_eq(f->name, g->name) || (f->letter && f->letter == g->letter);
            if (twice)
                fprintf(stderr, "# %s: --%s and --%s\n", path, f->name, g->name);
            EXPECT(!twice);
        }
    }
    for (size_t i = 0; m->subs && m->subs[i]; i++) {
        AUTO_FREE char *sub = mem_printf("%s %s", path, m->subs[i]->name);
        check_command(m->subs[i], sub);
        for (size_t k = 0; k < i; k++)
            EXPECT(!str_eq(m->subs[i]->name, m->subs[k]->name));
    }
}

static void every_command_of_the_table_is_well_formed(void)
{
    check_command(&cmd_root, "keep");
}

int main(void)
{
    TEST(a_leaf_gets_flags_and_arguments_in_any_order);
    TEST(short_flags_may_be_joined);
    TEST(the_last_of_several_single_values_counts);
    TEST(what_is_not_given_has_its_default);
    TEST(a_command_line_behind_a_command_is_left_alone);
    TEST(two_dashes_end_the_flags);
    TEST(other_names_of_a_command_are_known);
    TEST(mistakes_in_flags_end_with_125);
    TEST(mistakes_in_words_end_with_1);
    TEST(every_command_of_the_table_is_well_formed);
    forget();
    return check_done();
}
