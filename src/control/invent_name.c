/* control/invent_name.c - names out of two lists. */
#include "control/invent_name.h"

#include <stdio.h>

static const char *const adjectives[] = {
    "airy",   "amber",  "ample",  "balmy",  "brisk",   "bright", "candid",  "civil",
    "cosmic", "crisp",  "dapper", "early",  "earnest", "fabled", "fertile", "fleet",
    "frank",  "gentle", "golden", "hardy",  "humble",  "ideal",  "jolly",   "keen",
    "lively", "lucid",  "mellow", "modest", "nimble",  "noble",  "patient", "plucky",
    "quiet",  "rapid",  "serene", "steady", "sunny",   "tidy",   "vivid",   "witty",
};
static const char *const surnames[] = {
    "abel",    "ampere",  "avogadro", "banach", "bernoulli", "bohr",     "boole",    "boyle",
    "cantor",  "cauchy",  "celsius",  "curie",  "dalton",    "darwin",   "dirac",    "euler",
    "faraday", "fermi",   "fourier",  "galois", "gauss",     "germain",  "hamilton", "hertz",
    "hilbert", "hopper",  "huygens",  "kepler", "kelvin",    "lagrange", "lovelace", "maxwell",
    "mendel",  "noether", "ohm",      "pascal", "planck",    "riemann",  "turing",   "volta",
};

void invent_name(uint64_t random, unsigned attempt, char ret[INVENTED_NAME_SIZE])
{
    const char *a = adjectives[random % (sizeof(adjectives) / sizeof(*adjectives))];
    const char *s = surnames[(random >> 32) % (sizeof(surnames) / sizeof(*surnames))];
    if (attempt == 0)
        snprintf(ret, INVENTED_NAME_SIZE, "%s_%s", a, s);
    else
        snprintf(ret, INVENTED_NAME_SIZE, "%s_%s%u", a, s, attempt - 1);
}
