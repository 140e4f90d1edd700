package session

import (
	"time"

	"github.com/rs/zerolog"
)

// dropEvery is the least time between two lines about dropped payloads.
const dropEvery = 10 * time.Second

// dropLog writes of dropped payloads once in a while. Owned by the reader of the
// bus.
type dropLog struct {
	last    time.Time // of the last line
	skipped int       // drops since then
}

// warn writes which channel brought a payload that was dropped, and why, or only
// counts it. No part of the payload is written.
func (d *dropLog) warn(log zerolog.Logger, to Target, name string, err error) {
	now := time.Now()
	if now.Sub(d.last) < dropEvery {
		d.skipped++
		return
	}
	log.Warn().Err(err).Stringer("channel", to).Str("name", name).Int("skipped", d.skipped).
		Msg("payload from Redis dropped")
	d.last, d.skipped = now, 0
}
