/* unit/rpc/test_rpc_status.c - codes and texts. */
#include "lib/check.h"
#include "rpc/methods.h"
#include "rpc/rpc_status.h"

static void codes_have_the_names_that_clients_print(void)
{
    EXPECT_STR(rpc_code_name(RPC_OK), "OK");
    EXPECT_STR(rpc_code_name(RPC_INVALID_ARGUMENT), "InvalidArgument");
    EXPECT_STR(rpc_code_name(RPC_CANCELLED), "Canceled");
    EXPECT_STR(rpc_code_name(RPC_UNAUTHENTICATED), "Unauthenticated");
    EXPECT_STR(rpc_code_name((enum rpc_code)77), "Unknown");
}

static void text_is_encoded_as_the_standard_says(void)
{
    char out[RPC_TEXT_ENCODED], back[ERR_TEXT_MAX];
    EXPECT_INT(rpc_text_encode("a%b\n\xc3\xa9~", out), 15);
    EXPECT_STR(out, "a%25b%0A%C3%A9~");
    rpc_text_decode(out, strlen(out), back);
    EXPECT_STR(back, "a%b\n\xc3\xa9~");
}

static void broken_escapes_stay_as_they_are(void)
{
    char back[ERR_TEXT_MAX];
    rpc_text_decode("%zz%4", 5, back);
    EXPECT_STR(back, "%zz%4");
    rpc_text_decode("%e2%98%83", 9, back); /* small letters too */
    EXPECT_STR(back, "\xe2\x98\x83");
    rpc_text_decode("a%00b", 5, back); /* no hidden end */
    EXPECT_STR(back, "a%00b");
}

static void a_cut_text_ends_with_a_whole_character(void)
{
    char text[3 * 2000 + 1], back[ERR_TEXT_MAX];
    for (int i = 0; i < 2000; i++)
        memcpy(text + 3 * i, i % 2 ? "%A9" : "%C3", 3);
    rpc_text_decode(text, 6000, back);
    EXPECT_INT(strlen(back), ERR_TEXT_MAX - 2);
    EXPECT_INT((unsigned char)back[strlen(back) - 1], 0xa9);
}

static void a_timeout_has_at_most_eight_digits(void)
{
    char t[RPC_TIMEOUT_TEXT];
    rpc_timeout_text(1500, t);
    EXPECT_STR(t, "1500m");
    rpc_timeout_text(123456789, t);
    EXPECT_STR(t, "123456S");
    rpc_timeout_text(UINT64_MAX, t);
    EXPECT_STR(t, "99999999S");
}

static void the_table_knows_what_is_secret_and_what_streams(void)
{
    EXPECT_STR(rpc_method_control_create_secret.path, "/docker.swarmkit.v1.Control/CreateSecret");
    EXPECT_INT(rpc_method_control_create_secret.flags, RPC_SECRET_REQUEST);
    EXPECT_INT(rpc_method_control_update_secret.flags, RPC_SECRET_REQUEST);
    EXPECT_INT(rpc_method_dispatcher_assignments.flags, RPC_SERVER_STREAM | RPC_SECRET_RESPONSE);
    EXPECT_INT(rpc_method_log_broker_publish_logs.flags, RPC_CLIENT_STREAM);
    EXPECT_STR(rpc_method_manager_init.path, "/keep.v1.Manager/Init");
    EXPECT_STR(rpc_method_manager_init.request->name, "keep.v1.InitRequest");
}

int main(void)
{
    TEST(codes_have_the_names_that_clients_print);
    TEST(text_is_encoded_as_the_standard_says);
    TEST(broken_escapes_stay_as_they_are);
    TEST(a_cut_text_ends_with_a_whole_character);
    TEST(a_timeout_has_at_most_eight_digits);
    TEST(the_table_knows_what_is_secret_and_what_streams);
    return check_done();
}
