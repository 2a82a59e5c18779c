#ifndef GREETING_H
#define GREETING_H

#include <stddef.h>

/* A text of its own with its length. */
struct greeting {
    char *text;
    size_t length;
};

#endif
