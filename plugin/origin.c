#include "plugin/origin.h"

#include <stdint.h>

const char *
origin_unknown(void)
{
	return (const char *)(intptr_t)-1;
}
