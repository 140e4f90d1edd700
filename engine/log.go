package engine

import (
	"fmt"
	"runtime/debug"
	"sync"
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
// itself nbio prints to standard output. nbio has one logger for the whole
// process: the engine that was made last gets the lines of all.
type nbioLog struct {
	target atomic.Pointer[zerolog.Logger]
}

var nbioLogger nbioLog

// takeNbioLog is called once, since engines that run already read nbio's logger.
var takeNbioLog = sync.OnceFunc(func() { logging.SetLogger(&nbioLogger) })

func silenceNbio(log zerolog.Logger) {
	log = log.With().Str("library", "nbio").Logger()
	nbioLogger.target.Store(&log)
	takeNbioLog()
}

func (l *nbioLog) Debug(string, ...any)          {}
func (l *nbioLog) Info(format string, v ...any)  { l.target.Load().Debug().Msgf(format, v...) }
func (l *nbioLog) Warn(format string, v ...any)  { l.target.Load().Warn().Msgf(format, v...) }
func (l *nbioLog) Error(format string, v ...any) { l.target.Load().Warn().Msgf(format, v...) }
