/* base/version.h - what this is and which API it speaks. The API's numbers are explained in
 * docs/architecture.md. */
#ifndef BASE_VERSION_H
#define BASE_VERSION_H
#define KEEP_VERSION "0.1.0"
#define KEEP_API_VERSION "1.44"
#define KEEP_API_MIN_VERSION "1.24"
#endif
