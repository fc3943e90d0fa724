/* SPDX-License-Identifier: GPL-2.0-or-later */
/* payload.c - what the benchmark's containers run: static, so that nothing but the runtime is measured
 * Installed as /bin/true in the bundle's root. With an argument it sleeps until it is killed (the container
 * that `exec` enters). */
#include <unistd.h>

int main(int argc, char **argv)
{
	(void)argv;
	while (argc > 1)
		pause();
	return 0;
}
