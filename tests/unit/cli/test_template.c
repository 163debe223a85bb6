/* unit/cli/test_template.c - the template language of --format. */
#include <jansson.h>
#include <stdlib.h>
#include "base/mem.h"
#include "cli/js.h"
#include "cli/template.h"
#include "lib/check.h"

static const char data[] =
    "{\"ID\":\"abc\",\"N\":3,\"Off\":false,\"Nil\":null,\"List\":[\"x\",\"y\"],\"Spec\":{"
    "\"Labels\":{\"b\":\"2\",\"a\":\"1\"}},"
    "\"Version\":{\"Index\":12},\"CreatedAt\":\"2026-11-22T01:24:02.209744705Z\"}";
static char *result;

/* The output, or the error after "! ". */
static const char *run_env(const char *text, const struct template_env *env)
{
    AUTO_JSON json_t *o = json_loads(data, 0, NULL);
    struct template *t;
    struct err e = {{0}};
    struct buf b = BUF_INIT(1 << 16);
    free(result);
    buf_str(&b, "");
    if (template_new(text, &t, &e)) {
        result = mem_printf("! %s", e.text);
    } else {
        int r = template_run(t, o, env, &b, &e);
        result = r ? mem_printf("! %s", e.text) : mem_str(b.p ? b.p : "");
        template_free(t);
    }
    buf_free(&b);
    return result;
}

static const char *run(const char *text)
{
    static const struct template_env env = {.times = true, .nils = true};
    return run_env(text, &env);
}

static void fields_and_text_are_printed(void)
{
    EXPECT_STR(run("a {{.ID}} b"), "a abc b");
    EXPECT_STR(run("{{.N}}{{.Off}}{{.Nil}}"), "3false<nil>");
    EXPECT_STR(run("{{.Spec.Labels}}"), "map[a:1 b:2]");
    EXPECT_STR(run("{{.Spec.Labels.a}} {{.Spec.Labels.zz}}"), "1 <no value>");
    EXPECT_STR(run("{{.List}}"), "[x y]");
    EXPECT_STR(run("{{.Version}}"), "12");
    EXPECT_STR(run("{{.CreatedAt}}"), "2026-11-22 01:24:02.209744705 +0000 UTC");
    EXPECT_STR(run("{{json .CreatedAt}}"), "\"2026-11-22T01:24:02.209744705Z\"");
    EXPECT_STR(run("{{/* nothing */}}x"), "x");
}

static void blanks_are_trimmed_where_a_dash_asks_for_it(void)
{
    EXPECT_STR(run("a  {{- .ID -}}  b"), "aabcb");
    EXPECT_STR(run("{{if .N -}}  y  {{- end}}."), "y.");
}

static void conditions_choose(void)
{
    EXPECT_STR(run("{{if .Off}}a{{else if .N}}b{{else}}c{{end}}"), "b");
    EXPECT_STR(run("{{if eq .ID \"abc\"}}same{{end}}"), "same");
    EXPECT_STR(run("{{if and .N (not .Off)}}both{{end}}"), "both");
    EXPECT_STR(run("{{if or .Off .Nil}}x{{else}}none{{end}}"), "none");
    EXPECT_STR(run("{{with .Spec}}{{.Labels.a}}{{end}}"), "1");
    EXPECT_STR(run("{{if gt .N 2}}more{{end}}{{if lt .N 2}}less{{end}}"), "more");
}

static void ranges_go_through_lists_and_maps(void)
{
    EXPECT_STR(run("{{range .List}}<{{.}}>{{end}}"), "<x><y>");
    EXPECT_STR(run("{{range $i, $v := .List}}{{$i}}={{$v}};{{end}}"), "0=x;1=y;");
    EXPECT_STR(run("{{range $k, $v := .Spec.Labels}}{{$k}}{{$v}}{{end}}"), "a1b2");
    EXPECT_STR(run("{{range .Spec.Labels}}{{$.ID}}{{end}}"), "abcabc");
    EXPECT_STR(run("{{$x := .ID}}{{$x}}{{$x = \"n\"}}{{$x}}"), "abcn");
    EXPECT_STR(run("{{range .Nil}}a{{else}}empty{{end}}"), "empty");
}

static void functions_work_with_arguments_and_pipes(void)
{
    EXPECT_STR(run("{{join .List \"-\"}}"), "x-y");
    EXPECT_STR(run("{{.ID | upper | printf \"%5s|\"}}"), "  ABC|");
    EXPECT_STR(run("{{len .List}}{{len .ID}}"), "23");
    EXPECT_STR(run("{{index .List 1}}{{index .Spec.Labels \"b\"}}"), "y2");
    EXPECT_STR(run("{{json .List}}{{json .Spec}}"),
               "[\"x\",\"y\"]{\"Labels\":{\"b\":\"2\",\"a\":\"1\"}}");
    EXPECT_STR(run("{{printf \"%q %03d %v\" .ID .N .Off}}"), "\"abc\" 003 false");
    EXPECT_STR(run("{{println .ID}}"), "abc\n");
    EXPECT_STR(run("{{truncate .ID 2}}{{title \"ab cd\"}}{{lower \"AB\"}}"), "abAb Cdab");
    EXPECT_STR(run("{{range split \"a,b\" \",\"}}{{.}};{{end}}"), "a;b;");
    EXPECT_STR(run("{{slice .ID 1 2}}"), "b");
    EXPECT_STR(run("{{eq .N 0x3}} {{-2}} {{1.5}}"), "true -2 1.5");
    EXPECT_STR(run("{{12ab}}"), "! template: :1: bad number syntax: \"12ab\"");
}

static void mistakes_are_told_in_the_words_of_the_language(void)
{
    EXPECT_STR(run("{{.ID"), "! template: :1: unclosed action");
    EXPECT_STR(run("{{foo .ID}}"), "! template: :1: function \"foo\" not defined");
    EXPECT_STR(run("{{end}}"), "! template: :1: unexpected {{end}}");
    EXPECT_STR(run("{{if .ID}}"), "! template: :1: unexpected EOF");
    EXPECT_STR(run("{{\"x"), "! template: :1: unterminated quoted string");
    EXPECT_STR(run("{{.Nope}}"),
               "! template: :1:2: executing \"\" at <.Nope>: map has no entry for key \"Nope\"");
    EXPECT_STR(
        run("{{.Spec.Nope}}"),
        "! template: :1:7: executing \"\" at <.Spec.Nope>: map has no entry for key \"Nope\"");
    EXPECT_STR(
        run("{{.ID.X}}"),
        "! template: :1:5: executing \"\" at <.ID.X>: can't evaluate field X in type string");
    EXPECT_STR(run("{{range .ID}}{{end}}"),
               "! template: :1:8: executing \"\" at <.ID>: range can't iterate over abc");
    EXPECT_STR(run("{{index .List 9}}"), "! template: :1:2: executing \"\" at <index .List 9>: "
                                         "error calling index: reflect: slice index out of range");
    EXPECT_STR(run("{{$y}}"),
               "! template: :1:2: executing \"\" at <$y>: undefined variable \"$y\"");
    EXPECT(strncmp(run("{{len .N}}"), "! ", 2) == 0);
    EXPECT(strncmp(run("{{(.ID}}"), "! ", 2) == 0);
    EXPECT(strncmp(run("{{}}"), "! ", 2) == 0);
}

static void a_typed_object_is_named_in_the_error(void)
{
    static const struct template_env env = {.type = "*x.context"};
    EXPECT_STR(run_env("{{.Nope}}", &env), "! template: :1:2: executing \"\" at <.Nope>: can't "
                                           "evaluate field Nope in type *x.context");
}

static void hostile_templates_end(void)
{
    AUTO_BUF struct buf b = BUF_INIT(1 << 20);
    for (int i = 0; i < 300; i++)
        buf_str(&b, "{{if .ID}}");
    EXPECT(strncmp(run(b.p), "! ", 2) == 0);
    buf_clear(&b);
    for (int i = 0; i < 300; i++)
        buf_char(&b, '(');
    AUTO_FREE char *nested = mem_printf("{{%s}}", b.p);
    EXPECT(strncmp(run(nested), "! ", 2) == 0);
    EXPECT(strncmp(run("{{printf \"%99999999d\" .N}}"), "! ", 2) != 0);
    EXPECT_STR(run("{{printf \"%d\"}}"), "%!d(MISSING)");
}

int main(void)
{
    TEST(fields_and_text_are_printed);
    TEST(blanks_are_trimmed_where_a_dash_asks_for_it);
    TEST(conditions_choose);
    TEST(ranges_go_through_lists_and_maps);
    TEST(functions_work_with_arguments_and_pipes);
    TEST(mistakes_are_told_in_the_words_of_the_language);
    TEST(a_typed_object_is_named_in_the_error);
    TEST(hostile_templates_end);
    free(result);
    return check_done();
}
