/* What a person gets who starts the plugin by hand. */
#ifndef PLUGIN_ABOUT_H
#define PLUGIN_ABOUT_H

#include <stdio.h>

/* One line of what this is, and the protocol versions. */
void about_print(FILE *to);
/* The same with what to do with it. */
void about_help(FILE *to);

#endif
