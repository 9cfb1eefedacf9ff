#include "plugin/parent.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

static pid_t parent;

static void
on_signal(int number)
{
	(void)number;
	if (getppid() != parent)
		_exit(EXIT_FAILURE);
}

void
parent_follow(void)
{
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};

	parent = getppid();
	(void)sigemptyset(&action.sa_mask);
	/* neither can fail with these arguments */
	(void)sigaction(SIGUSR1, &action, NULL);
	(void)prctl(PR_SET_PDEATHSIG, SIGUSR1);
	on_signal(SIGUSR1); /* it may have ended just before */
}
