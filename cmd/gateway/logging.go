package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/rs/zerolog"
)

// The values of log.format.
const (
	formatAuto    = "auto"
	formatJSON    = "json"
	formatConsole = "console"
)

// logLevels are the values of log.level, from all to little.
var logLevels = []string{"trace", "debug", "info", "warn", "error"}

// logTime has milliseconds, which zerolog's own timestamps lack.
const logTime = "2006-01-02T15:04:05.000Z07:00"

// newLogger returns the process's logger, from which every component's is
// derived. It writes lines of JSON, or coloured text for a person at a terminal.
func newLogger(cfg LogConfig, out io.Writer) (zerolog.Logger, error) {
	level, err := zerolog.ParseLevel(cfg.Level)
	if err != nil {
		return zerolog.Logger{}, fmt.Errorf("log.level: %w", err)
	}
	if cfg.Format == formatConsole || cfg.Format == formatAuto && isTerminal(out) {
		out = zerolog.ConsoleWriter{Out: out, TimeFormat: "15:04:05.000", NoColor: !isTerminal(out)}
	}
	return zerolog.New(out).Level(level).Hook(zerolog.HookFunc(addTime)), nil
}

func addTime(e *zerolog.Event, _ zerolog.Level, _ string) {
	e.Str(zerolog.TimestampFieldName, time.Now().Format(logTime))
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}

// warnDevelopment says loudly what development mode gives away.
func warnDevelopment(cfg Config, log zerolog.Logger) {
	if !cfg.Development {
		return
	}
	log.Warn().Str("listen", cfg.Listen).
		Msg("DEVELOPMENT MODE: the demo page is open; not for a machine that strangers can reach")
	if cfg.usesDevelopmentSecret() {
		log.Warn().
			Msg("DEVELOPMENT MODE: tokens are checked against a secret that everybody knows: anyone can sign in as anyone; set jwt.secret to end this")
	}
}
