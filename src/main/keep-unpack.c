/* main/keep-unpack.c - the child that reads archives of strangers (image/unpack.h), as a program of
 * its own: keepd neither maps nor runs libarchive and what comes with it, and what an archive might
 * break has none of keepd's memory. Started by keepd only. */
#include "image/image.h"

int main(int argc, char **argv)
{
    return image_unpack_main(argc, argv);
}
