/* base/trim.h - gives back what only the start needed.
 *
 * Starting runs code of every library once; the pages of that code stay
 * mapped, and with locked memory they stay for good. This unmaps the pages of program text: what is
 * used again comes back from the page cache at the next call, a few microseconds each, once.
 * Nothing that was ever written to is touched. */
#ifndef BASE_TRIM_H
#define BASE_TRIM_H
void memory_trim(void);
#endif
