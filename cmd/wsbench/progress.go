package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/schollz/progressbar/v3"

	"github.com/ginforge/gateway/bench"
)

// newReporter shows bars on a terminal and plain lines elsewhere.
func newReporter(w io.Writer) bench.Reporter {
	if f, ok := w.(*os.File); ok && isatty.IsTerminal(f.Fd()) {
		return &bars{w: w}
	}
	return &lines{w: w}
}

// bars shows progress as bars.
type bars struct {
	w   io.Writer
	bar *progressbar.ProgressBar
}

// Say shows a line, above the bar if there is one.
func (b *bars) Say(format string, args ...any) {
	if b.bar != nil && !b.bar.IsFinished() {
		_ = b.bar.Clear() // of a terminal
	}
	fmt.Fprintf(b.w, format+"\n", args...)
}

// Begin starts a bar.
func (b *bars) Begin(what string, total int64) {
	b.bar = progressbar.NewOptions64(total,
		progressbar.OptionSetWriter(b.w), progressbar.OptionSetDescription(fmt.Sprintf("  %-20s", what)),
		progressbar.OptionSetWidth(30), progressbar.OptionThrottle(50*time.Millisecond),
		progressbar.OptionShowCount(), progressbar.OptionClearOnFinish())
}

// Set moves it.
func (b *bars) Set(done int64) { _ = b.bar.Set64(done) } // it only complains of too much

// End ends it.
func (b *bars) End() { _ = b.bar.Finish() }

// lines shows progress as a line every few seconds.
type lines struct {
	w           io.Writer
	what        string
	total, done int64
	began, last time.Time
}

// lineInterval is how often something under way is told of.
const lineInterval = 5 * time.Second

// Say shows a line.
func (l *lines) Say(format string, args ...any) { fmt.Fprintf(l.w, format+"\n", args...) }

// Begin notes when something began.
func (l *lines) Begin(what string, total int64) {
	l.what, l.total, l.done, l.began, l.last = what, total, 0, time.Now(), time.Now()
}

// Set shows a line when there was none for a while.
func (l *lines) Set(done int64) {
	l.done = done
	if time.Since(l.last) >= lineInterval {
		l.last = time.Now()
		fmt.Fprintf(l.w, "  %s: %d of %d\n", l.what, done, l.total)
	}
}

// End shows a last line.
func (l *lines) End() {
	fmt.Fprintf(l.w, "  %s: %d of %d after %.1fs\n", l.what, l.done, l.total, time.Since(l.began).Seconds())
}
