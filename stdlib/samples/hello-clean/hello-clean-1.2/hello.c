/* A greeting that frees once: a sample without defects. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "greeting.h"

struct greeting *greeting_new(const char *text)
{
    struct greeting *greeting = malloc(sizeof *greeting);
    if (greeting == NULL)
        return NULL;
    greeting->length = strlen(text);
    greeting->text = malloc(greeting->length + 1);
    if (greeting->text == NULL) {
        free(greeting);
        return NULL;
    }
    memcpy(greeting->text, text, greeting->length + 1);
    return greeting;
}

void greeting_free(struct greeting *greeting)
{
    free(greeting->text);
    free(greeting);
}

size_t first_length(const struct greeting *const *greetings, size_t count)
{
    return count > 0 ? greetings[0]->length : 0;
}

int main(void)
{
    struct greeting *greeting = greeting_new("hello");
    if (greeting == NULL)
        return 1;
    puts(greeting->text);
    greeting_free(greeting);
    return 0;
}
