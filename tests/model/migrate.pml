/* SPDX-License-Identifier: GPL-2.0-or-later */
/* migrate.pml - the end of a migration: two nodes, their journals, a wire that may be cut, deaths at any moment
 *
 * What runtime/migrate_source.c, migrate_target.c and migrate_resolve.c do from the freeze on, each atomic step
 * one that the code makes atomic (a journal entry is on the disk or it is not; a process is let run or it is
 * not). Anything may happen between two steps: the connection is cut, a message is lost with it, either story
 * is killed, either node is restarted with all that is in its memory. Resolving goes on until it has an answer,
 * and a node that was restarted comes back.
 *
 *	never two	assert: at no moment do both nodes run the container (assertion in every step that lets it run)
 *	never none	assert: when nothing can move any more, exactly one runs; or none, if the node that had it in
 *			its memory was restarted (memory is lost with the machine)
 *
 * Checked by tests/model/check: spin -a, every state searched. */

#define FROZEN	1 /* in memory, stands still */
#define RUNS	2
#define NONE	0

mtype = { preparing, granting, released, kept, claimed, granted, running, refused };
mtype = { grant, yes, no, ask };

byte here = RUNS, there = NONE;	/* the container's copies */
mtype source = preparing;	/* the journals: they survive everything */
mtype target = claimed;
bool lost = false;		/* a node went down with the copy in its memory */
bool source_story = true, target_story = true; /* the processes of the two stories */
bool wire = true;
byte troubles = 0;		/* how often something went wrong; bounded, so that there is an end */
#define TROUBLES_MAX 3

chan to_target = [1] of { mtype };
chan to_source = [1] of { mtype };

inline never_two() { assert(!(here == RUNS && there == RUNS)) }

/* What the guard of a killed source does: thaw, unless it was told not to (dump_stay_frozen). */
bool guard = true;

active proctype Source()
{
	mtype answer;

	/* freeze, dump, transfer; the target restores and waits in post-restore */
	atomic { source_story -> here = FROZEN }
	if
	:: atomic { source_story && there == NONE && target == claimed && target_story && wire -> there = FROZEN }
	:: atomic { source_story && !wire -> here = RUNS; never_two(); source = kept; goto end }
	fi;
	/* the grant: the guard is told, the journal written, the message sent */
	if
	:: atomic { source_story && wire -> guard = false }
	:: atomic { source_story && !wire -> here = RUNS; never_two(); source = kept; goto end }
	fi;
	atomic { source_story -> source = granting }
	if
	:: atomic { source_story && wire -> to_target!grant }
	:: atomic { source_story && !wire -> skip }
	fi;
	/* the answer, or none */
	if
	:: atomic { source_story && to_source?[yes] -> to_source?yes; here = NONE; source = released }
	:: atomic { source_story && to_source?[no] -> to_source?no; source = kept; here = RUNS; never_two() }
	:: atomic { source_story && !wire && empty(to_source) -> skip } /* stays frozen: resolve */
	fi;
end:	skip
}

active proctype Target()
{
	/* restored, waits for the grant */
	if
	:: atomic { target_story && there == FROZEN -> skip }
	:: atomic { target_story && !wire && there == NONE -> target = refused; goto end }
	fi;
	if
	:: atomic { target_story && to_target?[grant] && target == claimed -> to_target?grant; target = granted }
	:: atomic { target_story && !wire && empty(to_target) && target == claimed ->
		/* cut before the grant came: nothing of it stays */
		there = NONE; target = refused; goto end }
	fi;
	if
	:: atomic { target_story && target == granted && there == FROZEN -> there = RUNS; never_two() }
	:: atomic { target_story && target == granted -> /* pre-resume: a check failed, nothing ran */
		there = NONE; target = refused;
		if :: wire -> to_source!no :: else fi;
		goto end }
	fi;
	atomic { target_story && target == granted -> target = running }
	if
	:: atomic { target_story && wire -> to_source!yes }
	:: atomic { target_story && !wire -> skip }
	fi;
end:	skip
}

/* The source's administrator: when its story is gone, or has given up, asks until there is an answer. */
active proctype Resolve()
{
	end_resolve:
	do
	:: atomic { source == released || source == kept -> break }
	:: atomic { !source_story && source == preparing -> /* never granted */
		source = kept;
		if :: here == FROZEN -> here = RUNS; never_two() :: else fi }
	:: atomic { source == granting && (!wire || !source_story) && target == running -> /* the other side says so */
		here = NONE; source = released }
	/* The target, asked: a story that lives and was granted holds the lock, and is waited for. */
	:: atomic { source == granting && (!wire || !source_story) && target == granted && !target_story ->
		if
		:: there == RUNS -> target = running
		:: else -> there = NONE; target = refused
		fi }
	:: atomic { source == granting && (!wire || !source_story) && target == claimed && !target_story ->
		there = NONE; target = refused }
	:: atomic { source == granting && (!wire || !source_story) && target == refused ->
		source = kept;
		if :: here == FROZEN -> here = RUNS; never_two() :: else fi }
	od
}

/* A restored copy that waits dies with its story: CRIU kills it. One that runs does not. */
inline target_dies()
{
	target_story = false; wire = false;
	if :: there == FROZEN -> there = NONE :: else fi
}

/* A frozen copy outlives its story; the guard thaws it unless the grant is out. */
inline source_dies()
{
	source_story = false; wire = false;
	if :: here == FROZEN && guard -> here = RUNS; never_two() :: else fi
}

active proctype Trouble()
{
	end_trouble:
	do
	:: break /* nothing more goes wrong */
	:: atomic { troubles < TROUBLES_MAX && wire -> troubles++; wire = false;
		/* what was under way is lost, or not */
		if :: to_target?[grant] -> to_target?grant :: true fi;
		if :: nempty(to_source) -> to_source?_ :: true fi }
	:: atomic { troubles < TROUBLES_MAX && source_story -> troubles++; source_dies() }
	:: atomic { troubles < TROUBLES_MAX && target_story -> troubles++; target_dies() }
	:: atomic { troubles < TROUBLES_MAX && !lost -> troubles++; /* the source's machine restarts */
		source_dies();
		if :: here != NONE -> here = NONE; lost = true :: else fi }
	:: atomic { troubles < TROUBLES_MAX && !lost -> troubles++; /* the target's does */
		target_dies();
		if :: there != NONE -> there = NONE; lost = true :: else fi }
	od
}

/* When nothing can move any more: exactly one runs, or it was lost with a machine. */
active proctype Over()
{
	timeout -> assert(lost || (here == RUNS && there != RUNS) || (there == RUNS && here != RUNS))
}
