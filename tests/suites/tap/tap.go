// SPDX-License-Identifier: GPL-2.0-or-later

// Package tap writes what the Test Anything Protocol asks for: as much as runtime-tools' validation programs call, for
// the package that they import is not in Debian.
package tap

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
)

// T counts the results of one program.
type T struct {
	Writer io.Writer
	done   *int
	todo   string
}

// New makes a T that writes to standard output.
func New() *T { return &T{Writer: os.Stdout, done: new(int)} }

// Todo is a T whose failures are expected.
func (t *T) Todo() *T { return &T{Writer: t.Writer, done: t.done, todo: " # TODO"} }

func (t *T) say(format string, words ...interface{}) { fmt.Fprintf(t.Writer, format+"\n", words...) }

// Header names the version, and the plan if it is known.
func (t *T) Header(count int) {
	t.say("TAP version 13")
	if count > 0 {
		t.say("1..%d", count)
	}
}

// Ok tells a result.
func (t *T) Ok(passed bool, what string) {
	*t.done++
	how := "ok"
	if !passed {
		how = "not ok"
	}
	t.say("%s %d - %s%s", how, *t.done, what, t.todo)
}

// Pass and Fail are Ok of a known result.
func (t *T) Pass(what string) { t.Ok(true, what) }

// Fail tells a failure.
func (t *T) Fail(what string) { t.Ok(false, what) }

// Skip tells that `count` tests are left out.
func (t *T) Skip(count int, why string) {
	for i := 0; i < count; i++ {
		*t.done++
		t.say("ok %d # SKIP %s", *t.done, why)
	}
}

// AutoPlan tells the plan at the end.
func (t *T) AutoPlan() { t.say("1..%d", *t.done) }

// Diagnostic tells something for people.
func (t *T) Diagnostic(text string) { t.say("# %s", strings.ReplaceAll(text, "\n", "\n# ")) }

// Diagnosticf does so with a format.
func (t *T) Diagnosticf(format string, words ...interface{}) { t.Diagnostic(fmt.Sprintf(format, words...)) }

// YAML tells a structure: JSON is YAML.
func (t *T) YAML(what interface{}) error {
	text, err := json.MarshalIndent(what, "  ", "  ")
	if err == nil {
		t.say("  ---\n  %s\n  ...", text)
	}
	return err
}
