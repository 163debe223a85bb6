/* cli/about.h - what the CLI says of itself, and the newest API version that it asks for. */
#ifndef CLI_ABOUT_H
#define CLI_ABOUT_H
#include "base/version.h"
#ifndef KEEP_BUILD
#define KEEP_BUILD "source"
#endif
#define CLI_API_VERSION "1.50"
#endif
