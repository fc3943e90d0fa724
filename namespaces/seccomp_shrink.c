/* SPDX-License-Identifier: GPL-2.0-or-later */
/* seccomp_shrink.c - the same filter in fewer instructions
 *
 * What loading a filter costs grows with its length alone: the kernel translates every instruction.
 * libseccomp writes a comparison for each system call; but neighbours mostly share their fate, and a search
 * among the ranges needs a third of the length. Pure; done once for a profile, since the result is cached.
 *
 * The program is run with the architecture and the number known and all else unknown. It can tell numbers
 * apart only by the constants it compares them with: these cut the 32-bit numbers into ranges, of each of
 * which one number speaks for all. What a run leaves undecided (tests of arguments, and what follows) is a
 * graph; ranges with the same graph are joined. Then code is written: find the architecture, find the range,
 * walk the graph. Last, both programs are asked about every range; should they ever differ, the old one is
 * kept. It is kept as well if it contains anything that is not understood here. */
#include "namespaces/seccomp_stages.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/base/cleanup.h"
#include "runtime/base/str.h"

enum {
	NODES_MAX = 4096,
	RANGES_MAX = 8192,
	CUTS_MAX = 8192,
	MEMO_MAX = 1024,
	WORDS = sizeof(struct seccomp_data) / 4
};

#define NR   offsetof(struct seccomp_data, nr)
#define ARCH offsetof(struct seccomp_data, arch)
#define NONE UINT16_MAX

/* What the accumulator holds: a word of the data, masked. */
struct word {
	uint32_t offset, mask;
};

enum node_kind { NODE_RETURN, NODE_TEST, NODE_SEARCH };

struct node {
	enum node_kind kind;
	struct word word;	  /* TEST, SEARCH: what is looked at */
	uint16_t op;		  /* TEST: BPF_JEQ, … */
	uint32_t k;		  /* TEST, RETURN */
	uint16_t yes, no;	  /* TEST: nodes */
	size_t first, count;	  /* SEARCH: ranges */
	size_t label, label_load; /* where its code is, counted from the end; 0: not written yet */
};

struct range {
	uint32_t start;
	uint16_t node;
};

struct cuts {
	uint32_t at[CUTS_MAX];
	size_t n;
};

struct shrinker {
	const struct sock_filter *in;
	size_t n_in;
	bool failed; /* not understood, or too large */
	struct cuts nr, arch;
	bool seen[BPF_MAXINSNS][WORDS];
	struct node nodes[NODES_MAX];
	size_t n_nodes;
	struct range ranges[RANGES_MAX];
	size_t n_ranges;
	struct {
		size_t pc;
		struct word word;
		uint16_t node;
	} memo[MEMO_MAX];
	size_t n_memo;
	struct sock_filter out[BPF_MAXINSNS]; /* from its end to its start */
	size_t n_out;
};

/* ---- where the program tells numbers apart ---- */

static void cut(struct shrinker *s, struct cuts *c, uint64_t at)
{
	if (at > UINT32_MAX)
		return;
	if (c->n == CUTS_MAX)
		s->failed = true;
	else
		c->at[c->n++] = (uint32_t)at;
}

static void cut_at_test(struct shrinker *s, struct cuts *c, const struct sock_filter *i)
{
	switch (BPF_OP(i->code)) {
	case BPF_JEQ:
		cut(s, c, i->k);
		cut(s, c, (uint64_t)i->k + 1);
		break;
	case BPF_JGE:
		cut(s, c, i->k);
		break;
	case BPF_JGT:
		cut(s, c, (uint64_t)i->k + 1);
		break;
	case BPF_JSET: /* changes at every multiple of its lowest bit; x32's is the second highest */
		if ((i->k & -i->k) < UINT32_C(1) << 28)
			s->failed = true;
		else
			for (uint64_t at = 0; at <= UINT32_MAX; at += i->k & -i->k)
				cut(s, c, at);
		break;
	}
}

static bool is_test(const struct sock_filter *i)
{
	return BPF_CLASS(i->code) == BPF_JMP && BPF_SRC(i->code) == BPF_K &&
	       (BPF_OP(i->code) == BPF_JEQ || BPF_OP(i->code) == BPF_JGE || BPF_OP(i->code) == BPF_JGT ||
		BPF_OP(i->code) == BPF_JSET);
}

/* All paths, whatever the data; `offset` is the word last loaded. */
static void find_cuts(struct shrinker *s, size_t pc, uint32_t offset)
{
	while (pc < s->n_in && !s->failed && !s->seen[pc][offset / 4]) {
		const struct sock_filter *i = &s->in[pc];

		s->seen[pc][offset / 4] = true;
		if (i->code == (BPF_RET | BPF_K))
			return;
		if (i->code == (BPF_LD | BPF_W | BPF_ABS) && i->k < sizeof(struct seccomp_data) &&
		    i->k % 4 == 0) {
			offset = i->k;
			pc++;
		} else if (i->code == (BPF_ALU | BPF_AND | BPF_K) && offset != NR && offset != ARCH) {
			pc++;
		} else if (i->code == (BPF_JMP | BPF_JA)) {
			pc += (size_t)i->k + 1;
		} else if (is_test(i)) {
			if (offset == NR || offset == ARCH)
				cut_at_test(s, offset == NR ? &s->nr : &s->arch, i);
			find_cuts(s, pc + 1 + i->jt, offset);
			pc += (size_t)1 + i->jf;
		} else {
			s->failed = true;
		}
	}
	s->failed |= pc >= s->n_in;
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static void sort_cuts(struct shrinker *s, struct cuts *c)
{
	size_t n = 0;

	cut(s, c, 0);
	qsort(c->at, c->n, sizeof(c->at[0]), by_number);
	for (size_t i = 0; i < c->n; i++)
		if (n == 0 || c->at[n - 1] != c->at[i])
			c->at[n++] = c->at[i];
	c->n = n;
}

/* ---- what the program does with a known architecture and number ---- */

static bool test_holds(uint16_t op, uint32_t value, uint32_t k)
{
	switch (op) {
	case BPF_JEQ:
		return value == k;
	case BPF_JGE:
		return value >= k;
	case BPF_JGT:
		return value > k;
	default:
		return (value & k) != 0;
	}
}

static bool word_equal(const struct word *a, const struct word *b)
{
	return a->offset == b->offset && a->mask == b->mask;
}

/* The same node is made once, so that equal graphs have equal numbers. */
static uint16_t make_node(struct shrinker *s, const struct node *n)
{
	for (size_t i = 0; i < s->n_nodes; i++) {
		const struct node *o = &s->nodes[i];
		bool equal = o->kind == n->kind && word_equal(&o->word, &n->word) && o->op == n->op &&
			     o->k == n->k && o->yes == n->yes && o->no == n->no && o->count == n->count;
		if (equal &&
		    memcmp(&s->ranges[o->first], &s->ranges[n->first], n->count * sizeof(s->ranges[0])) == 0)
			return (uint16_t)i;
	}
	if (s->n_nodes == NODES_MAX) {
		s->failed = true;
		return 0;
	}
	s->nodes[s->n_nodes] = *n;
	return (uint16_t)s->n_nodes++;
}

static uint16_t make_test(struct shrinker *s, const struct sock_filter *i, struct word word, uint16_t yes,
			  uint16_t no)
{
	if (yes == no)
		return yes;
	return make_node(s, &(struct node){ .kind = NODE_TEST,
					    .word = word,
					    .op = BPF_OP(i->code),
					    .k = i->k,
					    .yes = yes,
					    .no = no });
}

static uint16_t recall(const struct shrinker *s, size_t pc, const struct word *word)
{
	for (size_t i = 0; i < s->n_memo; i++)
		if (s->memo[i].pc == pc && word_equal(&s->memo[i].word, word))
			return s->memo[i].node;
	return NONE;
}

static void remember(struct shrinker *s, size_t pc, const struct word *word, uint16_t node)
{
	if (s->n_memo == MEMO_MAX) {
		s->failed = true;
		return;
	}
	s->memo[s->n_memo].pc = pc;
	s->memo[s->n_memo].word = *word;
	s->memo[s->n_memo++].node = node;
}

/* find_cuts has seen every instruction that is reached here, and only jumps forward exist. */
static uint16_t run_partly(struct shrinker *s, size_t pc, struct word word, uint32_t arch, uint32_t nr)
{
	while (!s->failed) {
		const struct sock_filter *i = &s->in[pc];

		if (i->code == (BPF_RET | BPF_K))
			return make_node(s, &(struct node){ .kind = NODE_RETURN, .k = i->k });
		if (i->code == (BPF_LD | BPF_W | BPF_ABS)) {
			word = (struct word){ i->k, UINT32_MAX };
			pc++;
		} else if (i->code == (BPF_ALU | BPF_AND | BPF_K)) {
			word.mask &= i->k;
			pc++;
		} else if (i->code == (BPF_JMP | BPF_JA)) {
			pc += (size_t)i->k + 1;
		} else if (word.offset == NR || word.offset == ARCH) {
			pc += (size_t)1 + (test_holds(BPF_OP(i->code), word.offset == NR ? nr : arch, i->k)
						   ? i->jt
						   : i->jf);
		} else {
			uint16_t known = recall(s, pc, &word);
			if (known != NONE)
				return known;
			uint16_t yes = run_partly(s, pc + 1 + i->jt, word, arch, nr);
			uint16_t no = run_partly(s, pc + 1 + i->jf, word, arch, nr);
			uint16_t node = make_test(s, i, word, yes, no);
			remember(s, pc, &word, node);
			return node;
		}
	}
	return 0;
}

/* ---- ranges ---- */

static void add_range(struct shrinker *s, size_t first, uint32_t start, uint16_t node)
{
	if (s->n_ranges > first && s->ranges[s->n_ranges - 1].node == node)
		return;
	if (s->n_ranges == RANGES_MAX)
		s->failed = true;
	else
		s->ranges[s->n_ranges++] = (struct range){ start, node };
}

static uint16_t make_search(struct shrinker *s, size_t first, uint32_t offset)
{
	size_t count = s->n_ranges - first;

	if (count == 1)
		return s->ranges[first].node;
	return make_node(s, &(struct node){ .kind = NODE_SEARCH,
					    .word = { offset, UINT32_MAX },
					    .first = first,
					    .count = count });
}

static uint16_t numbers_of(struct shrinker *s, uint32_t arch)
{
	size_t first = s->n_ranges;

	for (size_t i = 0; i < s->nr.n && !s->failed; i++) {
		s->n_memo = 0;
		add_range(s, first, s->nr.at[i],
			  run_partly(s, 0, (struct word){ NR, UINT32_MAX }, arch, s->nr.at[i]));
	}
	return make_search(s, first, NR);
}

static uint16_t architectures(struct shrinker *s)
{
	uint16_t nodes[CUTS_MAX];
	size_t n = s->arch.n;

	for (size_t i = 0; i < n && !s->failed; i++)
		nodes[i] = numbers_of(s, s->arch.at[i]);
	size_t first = s->n_ranges;
	for (size_t i = 0; i < n && !s->failed; i++)
		add_range(s, first, s->arch.at[i], nodes[i]);
	return s->failed ? 0 : make_search(s, first, ARCH);
}

/* ---- code, from the end to the start: where a jump leads is known when it is written ---- */

/* The label of an instruction is the length of the code from it to the end. */
static size_t emit(struct shrinker *s, uint16_t code, uint32_t k, uint8_t jump_true, uint8_t jump_false)
{
	if (s->n_out == BPF_MAXINSNS) {
		s->failed = true;
		return s->n_out;
	}
	s->out[s->n_out++] = (struct sock_filter){ code, jump_true, jump_false, k };
	return s->n_out;
}

static size_t emit_test(struct shrinker *s, uint16_t op, uint32_t k, size_t yes, size_t no)
{
	/* a condition reaches 255 instructions far: further by a stepping stone */
	if (s->n_out - yes > UINT8_MAX - 1)
		yes = emit(s, BPF_JMP | BPF_JA, (uint32_t)(s->n_out - yes), 0, 0);
	if (s->n_out - no > UINT8_MAX)
		no = emit(s, BPF_JMP | BPF_JA, (uint32_t)(s->n_out - no), 0, 0);
	return emit(s, BPF_JMP | op | BPF_K, k, (uint8_t)(s->n_out - yes), (uint8_t)(s->n_out - no));
}

static size_t emit_load(struct shrinker *s, const struct word *word, size_t next)
{
	if (next != s->n_out)
		emit(s, BPF_JMP | BPF_JA, (uint32_t)(s->n_out - next), 0, 0);
	if (word->mask != UINT32_MAX)
		emit(s, BPF_ALU | BPF_AND | BPF_K, word->mask, 0, 0);
	return emit(s, BPF_LD | BPF_W | BPF_ABS, word->offset, 0, 0);
}

static size_t emit_node(struct shrinker *s, uint16_t number, const struct word *loaded);

static size_t emit_search(struct shrinker *s, const struct node *n, size_t from, size_t to)
{
	const struct range *r = s->ranges;

	if (to - from == 1 || s->failed)
		return emit_node(s, r[from].node, &n->word);
	/* one number that differs from those around it */
	if (to - from == 3 && r[from].node == r[from + 2].node &&
	    r[from + 1].start + 1 == r[from + 2].start) {
		size_t others = emit_node(s, r[from].node, &n->word);
		size_t it = emit_node(s, r[from + 1].node, &n->word);
		return emit_test(s, BPF_JEQ, r[from + 1].start, it, others);
	}
	size_t middle = from + (to - from) / 2;
	size_t above = emit_search(s, n, middle, to);
	size_t below = emit_search(s, n, from, middle);
	return emit_test(s, BPF_JGE, r[middle].start, above, below);
}

/* The label of a node's code, for a jump from where `loaded` is in the accumulator. */
static size_t emit_node(struct shrinker *s, uint16_t number, const struct word *loaded)
{
	struct node *n = &s->nodes[number];

	if (s->failed)
		return s->n_out;
	if (n->kind == NODE_RETURN) { /* as cheap as a stepping stone */
		if (!n->label || s->n_out - n->label > UINT8_MAX - 2)
			n->label = emit(s, BPF_RET | BPF_K, n->k, 0, 0);
		return n->label;
	}
	if (!n->label && n->kind == NODE_SEARCH)
		n->label = emit_search(s, n, n->first, n->first + n->count);
	if (!n->label) {
		size_t yes = emit_node(s, n->yes, &n->word), no = emit_node(s, n->no, &n->word);
		n->label = emit_test(s, n->op, n->k, yes, no);
	}
	if (loaded && word_equal(loaded, &n->word))
		return n->label;
	if (!n->label_load)
		n->label_load = emit_load(s, &n->word, n->label);
	return n->label_load;
}

static void turn_round(struct sock_filter *program, size_t n)
{
	for (size_t i = 0; i < n / 2; i++) {
		struct sock_filter other = program[n - 1 - i];

		program[n - 1 - i] = program[i];
		program[i] = other;
	}
}

/* ---- the last check ---- */

static uint32_t answer(const struct sock_filter *program, size_t n, const struct seccomp_data *data)
{
	uint32_t a = 0;

	for (size_t pc = 0; pc < n; pc++) {
		const struct sock_filter *i = &program[pc];

		if (i->code == (BPF_RET | BPF_K))
			return i->k;
		if (i->code == (BPF_LD | BPF_W | BPF_ABS))
			memcpy(&a, (const char *)data + i->k, sizeof(a));
		else if (i->code == (BPF_ALU | BPF_AND | BPF_K))
			a &= i->k;
		else if (i->code == (BPF_JMP | BPF_JA))
			pc += i->k;
		else
			pc += test_holds(BPF_OP(i->code), a, i->k) ? i->jt : i->jf;
	}
	return SECCOMP_RET_KILL_PROCESS;
}

/* Arguments: the constants of the program itself, and one beside each. */
static bool same_answers(const struct shrinker *s, struct seccomp_data *data)
{
	for (unsigned int round = 0; round < 16; round++) {
		for (size_t i = 0; i < COUNT_OF(data->args); i++) {
			size_t at = (round * 7919 + i * 104729 + data->nr * UINT32_C(31)) % s->n_in;
			data->args[i] = s->in[at].k + round % 3 - 1;
			if (round % 4 == 3)
				data->args[i] |= (uint64_t)s->in[at / 2].k << 32;
		}
		if (answer(s->in, s->n_in, data) != answer(s->out, s->n_out, data))
			return false;
	}
	return true;
}

static bool same_everywhere(const struct shrinker *s)
{
	for (size_t a = 0; a < s->arch.n; a++)
		for (size_t n = 0; n < s->nr.n; n++) {
			struct seccomp_data data = { .arch = s->arch.at[a], .nr = (int)s->nr.at[n] };
			if (!same_answers(s, &data))
				return false;
		}
	return true;
}

int seccomp_shrink(struct seccomp_filter *f)
{
	auto_free struct shrinker *s = calloc(1, sizeof(*s));
	size_t n = f->size / sizeof(struct sock_filter);

	if (!s)
		return -ENOMEM;
	if (n == 0 || n > BPF_MAXINSNS)
		return -EINVAL;
	s->in = f->program;
	s->n_in = n;
	find_cuts(s, 0, NR); /* before a load the accumulator is 0, and no program asks it */
	sort_cuts(s, &s->nr);
	sort_cuts(s, &s->arch);
	uint16_t root = s->failed ? 0 : architectures(s);
	if (s->failed)
		return -EINVAL;
	emit_node(s, root, NULL);
	if (s->failed || s->n_out >= n)
		return 0;
	turn_round(s->out, s->n_out);
	if (!same_everywhere(s))
		return -EILSEQ;
	f->size = s->n_out * sizeof(s->out[0]);
	memcpy(f->program, s->out, f->size);
	return (int)(n - s->n_out);
}
