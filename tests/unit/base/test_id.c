/* unit/base/test_id.c - identities. */
#include "lib/check.h"
#include "base/id.h"

static void known_bytes_give_the_known_digits(void)
{
    /* 2^135 and 2^136-1 in base 36, first and last digit dropped; computed with Python. */
    uint8_t zero[17] = {0}, ones[17];
    char id[ID_SIZE];
    memset(ones, 0xff, sizeof(ones));
    id_from_bytes(zero, id);
    EXPECT_STR(id, "hvy0lj3x0b883f8e30fyp2172");
    id_from_bytes(ones, id);
    EXPECT_STR(id, "zrw1727u0mgg6ugs60vxe42e4");
    uint8_t count[17];
    for (uint8_t i = 0; i < 17; i++)
        count[i] = (uint8_t)(i * 13);
    id_from_bytes(count, id);
    EXPECT_STR(id, "hwpxvn0l1i5wek7khjzlun5n8");
}

static void new_ids_are_valid_and_differ(void)
{
    char a[ID_SIZE], b[ID_SIZE];
    for (int i = 0; i < 1000; i++) {
        id_new(a);
        id_new(b);
        EXPECT(id_valid(a) && strcmp(a, b) != 0);
    }
}

static void other_texts_are_not_ids(void)
{
    EXPECT(id_valid("0123456789abcdefghijklmno"));
    EXPECT(!id_valid("0123456789abcdefghijklmn"));
    EXPECT(!id_valid("0123456789abcdefghijklmnop"));
    EXPECT(!id_valid("0123456789Abcdefghijklmno"));
    EXPECT(!id_valid("0123456789/bcdefghijklmno"));
    EXPECT(!id_valid("") && !id_valid(NULL));
}

static void hex_is_lower_case(void)
{
    char t[7], h[ID_HEX_SIZE], g[ID_HEX_SIZE];
    hex_encode((const uint8_t *)"\x00\xab\xff", 3, t);
    EXPECT_STR(t, "00abff");
    id_hex_new(h);
    id_hex_new(g);
    EXPECT_INT(strspn(h, "0123456789abcdef"), 64);
    EXPECT(strlen(h) == 64 && strcmp(h, g) != 0);
}

static void random_bytes_fill_all_of_a_large_buffer(void)
{
    static uint8_t p[100000]; /* past what one call of getrandom gives without interruption */
    int zeros = 0;
    random_bytes(p, sizeof(p));
    for (size_t i = 0; i < sizeof(p); i++)
        zeros += p[i] == 0;
    EXPECT(zeros > 200 && zeros < 700); /* 391 expected; 16 deviations either way */
    EXPECT(random_u64() != random_u64());
}

int main(void)
{
    TEST(known_bytes_give_the_known_digits);
    TEST(new_ids_are_valid_and_differ);
    TEST(other_texts_are_not_ids);
    TEST(hex_is_lower_case);
    TEST(random_bytes_fill_all_of_a_large_buffer);
    return check_done();
}
