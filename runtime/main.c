/* SPDX-License-Identifier: GPL-2.0-or-later */
/* main.c - parse, dispatch, print the error */
#include <stdio.h>

int main(void)
{
	puts("coracle " PACKAGE_VERSION);
	return 0;
}
