/* cli/image_impl.h - what other commands use of the image commands. */
#ifndef CLI_IMAGE_IMPL_H
#define CLI_IMAGE_IMPL_H
#include <stdio.h>
#include "cli/command.h"

int image_pull(struct cli *c, const char *image, bool quiet,
               FILE *out);             /* draws the progress on out */
char *image_tagged(const char *image); /* with ":latest" if there is no tag */
#endif
