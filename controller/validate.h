/* What must hold inside one allocation: the rules V7 to V13 of DESIGN.md. What
 * two allocations do to each other is arbiter.h's. */
#ifndef CONTROLLER_VALIDATE_H
#define CONTROLLER_VALIDATE_H

#include "controller/allocation.h"

/* 0, or -EINVAL: field, value, rule and way out in one sentence. */
int validate(const struct allocation *allocation, struct err *err);

#endif
