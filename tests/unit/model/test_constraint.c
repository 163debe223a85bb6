/* unit/model/test_constraint.c - the grammar of placement constraints and what they match. */
#include "model/constraint.h"

#include "lib/check.h"
#include "model/node.h"
#include "model/pb.h"

static Pb__Node *node(void)
{
    Pb__Node *n = PB_NEW(Node, node);
    pb_str(&n->id, "nodeid");
    n->role = PB__NODE_ROLE__NODE_ROLE_MANAGER;
    n->spec = PB_NEW(NodeSpec, node_spec);
    n->spec->annotations = PB_NEW(Annotations, annotations);
    pb_label_set(n->spec->annotations, "zone", "East");
    n->status = PB_NEW(NodeStatus, node_status);
    pb_str(&n->status->addr, "10.1.2.3");
    n->description = PB_NEW(NodeDescription, node_description);
    pb_str(&n->description->hostname, "host1");
    n->description->platform = PB_NEW(Platform, platform);
    pb_str(&n->description->platform->os, "linux");
    pb_str(&n->description->platform->architecture, "x86_64");
    n->description->engine = PB_NEW(EngineDescription, engine_description);
    Pb__EngineDescription__LabelsEntry *e = NEW(Pb__EngineDescription__LabelsEntry);
    pb__engine_description__labels_entry__init(e);
    pb_str(&e->key, "disk");
    pb_str(&e->value, "ssd");
    PB_PUSH(n->description->engine->n_labels, n->description->engine->labels, e);
    return n;
}

static bool matches(const char *expr)
{
    Pb__Node *n = node();
    char *one = (char *)(uintptr_t)expr;
    bool m = constraint_match(&one, 1, n);
    pb_free(n);
    return m;
}

static void every_key_is_compared_without_regard_to_case(void)
{
    EXPECT(matches("node.id==NodeID"));
    EXPECT(!matches("node.id != nodeid"));
    EXPECT(matches("node.hostname == HOST1"));
    EXPECT(matches("NODE.ROLE == Manager"));
    EXPECT(!matches("node.role==worker"));
    EXPECT(matches("node.platform.os==linux"));
    EXPECT(matches("node.platform.arch==x86_64"));
    EXPECT(!matches("node.platform.arch==amd64"));
    EXPECT(matches("node.labels.zone==east"));
    EXPECT(!matches("node.labels.Zone==east")); /* the name of a label keeps its case */
    EXPECT(matches("engine.labels.disk==SSD"));
}

static void an_absent_label_is_empty_and_an_unknown_key_never_matches(void)
{
    EXPECT(matches("node.labels.rack!=1"));
    EXPECT(!matches("node.labels.rack==1"));
    EXPECT(!matches("node.color==red"));
    EXPECT(!matches("node.color!=red"));
    EXPECT(!matches("node.labels.==x"));
}

static void addresses_match_singly_and_by_network(void)
{
    EXPECT(matches("node.ip==10.1.2.3"));
    EXPECT(!matches("node.ip!=10.1.2.3"));
    EXPECT(matches("node.ip==10.1.0.0/16"));
    EXPECT(!matches("node.ip==10.2.0.0/16"));
    EXPECT(matches("node.ip!=10.2.0.0/16"));
    EXPECT(matches("node.ip==0.0.0.0/0"));
    EXPECT(!matches("node.ip==2001:db8::/32"));
    EXPECT(!matches("node.ip==10.1.0.0/33"));
    EXPECT(!matches("node.ip!=rubbish")); /* what is no address is never satisfied */
}

static void all_must_hold(void)
{
    Pb__Node *n = node();
    char *both[] = {(char *)(uintptr_t) "node.role==manager",
                    (char *)(uintptr_t) "node.labels.zone==west"};
    EXPECT(!constraint_match(both, 2, n));
    EXPECT(constraint_match(both, 1, n));
    EXPECT(constraint_match(NULL, 0, n));
    Pb__Node *bare = PB_NEW(Node, node);
    char *host = (char *)(uintptr_t) "node.hostname!=x";
    EXPECT(constraint_match(&host, 1, bare));
    pb_free(bare);
    pb_free(n);
}

static void bad_forms_are_told_in_the_known_words(void)
{
    struct err e;
    EXPECT(constraint_check("node.role = manager", &e) < 0);
    EXPECT_STR(e.text, "constraint expected one operator from ==, !=");
    EXPECT(constraint_check("x y == 1", &e) < 0);
    EXPECT_STR(e.text, "key 'x y' is invalid");
    EXPECT(constraint_check("node.id==a=b", &e) < 0);
    EXPECT_STR(e.text, "value 'a=b' is invalid");
    EXPECT(constraint_check("n == 1", &e) < 0); /* a key has at least two characters */
    EXPECT(constraint_check("node.id==", &e) < 0);
    EXPECT(constraint_check("== x", &e) < 0);
    EXPECT(constraint_check("", &e) < 0);
    EXPECT(constraint_check(NULL, &e) < 0);
    EXPECT_INT(constraint_check("  node.labels.a  !=  x y (z)* ", &e), 0);
}

int main(void)
{
    TEST(every_key_is_compared_without_regard_to_case);
    TEST(an_absent_label_is_empty_and_an_unknown_key_never_matches);
    TEST(addresses_match_singly_and_by_network);
    TEST(all_must_hold);
    TEST(bad_forms_are_told_in_the_known_words);
    return check_done();
}
