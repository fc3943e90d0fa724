/* SPDX-License-Identifier: GPL-2.0-or-later */
/* weights.c - the config's weights, which are cgroup v1's, in the scales of cgroup v2; pure
 *
 * The formula for processor shares wants a logarithm and a power. They are computed here, in a few series
 * terms each, for libm would be one more library to load for every container. */
#include "cgroups/internal.h"

static const double ln2 = 0.693147180559945309417, ln10 = 2.302585092994045684018;

/* log2(x) = k + 2/ln2 · atanh((m - 1) / (m + 1)) with x = 2^k · m, 1 <= m < 2 */
static double log2_of(uint64_t x)
{
	int k = 63 - __builtin_clzll(x);
	double m = (double)x / (double)(1ULL << k), z = (m - 1) / (m + 1), power = z, sum = 0;

	for (int i = 1; i < 40; i += 2, power *= z * z)
		sum += power / i;
	return k + 2 / ln2 * sum;
}

/* e^(x·ln10) by its series, the argument halved eight times and the result squared as often */
static double power_of_10(double x)
{
	double y = x * ln10 / 256, term = 1, sum = 1;

	for (int i = 1; i < 20; i++) {
		term *= y / i;
		sum += term;
	}
	for (int i = 0; i < 8; i++)
		sum *= sum;
	return sum;
}

uint64_t cpu_weight_of_shares(uint64_t shares)
{
	if (shares == 0)
		return 0;
	if (shares <= 2)
		return 1;
	if (shares >= 262144)
		return 10000;
	double l = log2_of(shares);
	double weight = power_of_10((l * l + 125 * l) / 612 - 7.0 / 34);
	/* rounded up, but not for the last digits' noise: 1024 is 100 */
	uint64_t down = (uint64_t)weight;
	return weight - (double)down > 1e-8 ? down + 1 : down;
}

uint64_t io_weight_of_blkio(uint64_t weight)
{
	return weight == 0 ? 0 : 1 + (weight - 10) * 9999 / 990;
}
