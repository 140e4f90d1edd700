package engine

import (
	"fmt"
	"runtime/debug"
	"sync/atomic"
	"time"

	"github.com/lesismal/nbio/logging"
	"github.com/rs/zerolog"
)

// logEvery is the least time between two lines about the same kind of trouble.
const logEvery = 10 * time.Second

// limitedLog writes at most one line per logEvery and says how many it left out.
type limitedLog struct {
	log     zerolog.Logger
	last    atomic.Int64 // Unix nanoseconds of the last line
	skipped atomic.Int64
}

func newLimitedLog(log zerolog.Logger) *limitedLog { return &limitedLog{log: log} }

func (l *limitedLog) warn(err error, msg string) {
	now := time.Now().UnixNano()
	last := l.last.Load()
	if now-last < int64(logEvery) || !l.last.CompareAndSwap(last, now) {
		l.skipped.Add(1)
		return
	}
	l.log.Warn().Err(err).Int64("skipped", l.skipped.Swap(0)).Msg(msg)
}

func (e *Engine) logPanic(r any) {
	e.log.Error().Str("panic", fmt.Sprint(r)).Bytes("stack", debug.Stack()).Msg("connection handler panicked; its connection is closed")
}

// nbioLog passes what nbio says on at debug level, errors as warnings; by
// itself nbio prints to standard output.
type nbioLog struct{ log zerolog.Logger }

func silenceNbio(log zerolog.Logger) {
	logging.SetLogger(nbioLog{log.With().Str("library", "nbio").Logger()})
}

func (l nbioLog) Debug(string, ...any)          {}
func (l nbioLog) Info(format string, v ...any)  { l.log.Debug().Msgf(format, v...) }
func (l nbioLog) Warn(format string, v ...any)  { l.log.Warn().Msgf(format, v...) }
func (l nbioLog) Error(format string, v ...any) { l.log.Warn().Msgf(format, v...) }
