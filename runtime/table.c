/* SPDX-License-Identifier: GPL-2.0-or-later */
/* table.c - the commands of a program, in the order of the help
 *
 * Compiled twice: for coracle, in which a command that needs more libraries is a name and a sentence and is
 * carried out by coracle-node (node.h), and with CORACLE_NODE for that, in which all of them are. */
#include "cgroups/systemd.h"
#include "runtime/commands.h"
#include "runtime/node.h"

#ifdef CORACLE_NODE
#define NODE(entry, word, sentence) &cmd_##entry
const bool program_is_node = true;
const struct cgroup_driver *const cgroup_systemd = &systemd_driver;
#else
#define NODE(entry, word, sentence)                                                                         \
	&(const struct command)                                                                             \
	{                                                                                                   \
		.name = (word), .arguments = "", .summary = (sentence), .options = no_options, .node = true \
	}
const bool program_is_node = false;
const struct cgroup_driver *const cgroup_systemd = NULL;
#endif

const struct command *const commands[] = {
	&cmd_run,
	&cmd_create,
	&cmd_start,
	&cmd_exec,
	&cmd_kill,
	&cmd_delete,
	&cmd_state,
	&cmd_list,
	&cmd_ps,
	&cmd_pause,
	&cmd_resume,
	&cmd_update,
	&cmd_events,
	&cmd_spec,
	&cmd_features,
	NODE(switch, "switch", SUMMARY_SWITCH),
	NODE(checkpoint, "checkpoint", SUMMARY_CHECKPOINT),
	NODE(restore, "restore", SUMMARY_RESTORE),
	NODE(migrate, "migrate", SUMMARY_MIGRATE),
	NODE(receive, "receive", SUMMARY_RECEIVE),
	NULL,
};
