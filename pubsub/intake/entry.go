package intake

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/ginforge/gateway/pubsub/stream"
)

// lane is that of entries in the logs.
const lane = "i"

// maxIDBytes bounds a dedupe key.
const maxIDBytes = 512

// The fields of an entry.
const (
	fieldChannel = "channel"
	fieldMessage = "message"
	fieldID      = "id"
)

// entry is one entry of the stream, read.
type entry struct {
	id      string // of the entry
	place   string // the id as logs compare it
	channel string // without the prefix
	dedupe  string // "" for none
	message Message
	raw     map[string]any
	poison  error  // why it cannot be delivered
	behind  string // a later place that was taken already, before this one
}

// The reasons for which an entry is poison before anybody looks at its message.
var (
	errNoChannel = errors.New("it has no channel")
	errNoMessage = errors.New("it has no message")
	errLongID    = fmt.Errorf("its id has more than %d bytes", maxIDBytes)
)

// read makes sense of an entry.
func (i *Intake) read(m redis.XMessage) (e entry) {
	e = entry{id: m.ID, raw: m.Values}
	if e.place, e.poison = placeOf(m.ID); e.poison != nil {
		return e
	}
	text := func(name string) string {
		s, _ := m.Values[name].(string)
		return s
	}
	e.channel = strings.TrimPrefix(text(fieldChannel), i.cfg.Prefix)
	e.dedupe = text(fieldID)
	message := text(fieldMessage)
	switch {
	case e.channel == "":
		e.poison = errNoChannel
	case message == "":
		e.poison = errNoMessage
	case len(e.dedupe) > maxIDBytes:
		e.poison = errLongID
	default:
		e.message, e.poison = i.cfg.Resolve(e.channel, message, timeOf(m.ID))
	}
	if e.dedupe == "" {
		e.dedupe = e.message.ID
	}
	return e
}

// placeOf writes an entry's id, two numbers, in one length.
func placeOf(id string) (string, error) {
	ms, seq, _ := strings.Cut(id, "-")
	a, err1 := strconv.ParseUint(ms, 10, 64)
	b, err2 := strconv.ParseUint(seq, 10, 64)
	if err := errors.Join(err1, err2); err != nil {
		return "", fmt.Errorf("its id %.50q: %w", id, err)
	}
	return fmt.Sprintf("%016x.%016x", a, b), nil
}

// ownIDs is below the time of any entry whose id Redis has made, Unix ms.
const ownIDs = 1e12

// timeOf returns when an entry was published, as its id says.
func timeOf(id string) time.Time {
	text, _, _ := strings.Cut(id, "-")
	ms, err := strconv.ParseInt(text, 10, 64)
	if err != nil || ms < ownIDs {
		return time.Now()
	}
	return time.UnixMilli(ms)
}

// append returns the append for a message that has a log.
func (i *Intake) append(e entry) stream.Append {
	a := stream.Append{
		Key: e.message.Log, Rules: e.message.Rules, Payload: e.message.Payload,
		Dedupe: e.key(), DedupeWindow: i.cfg.DedupeWindow, Order: stream.Order{Lane: lane, Place: e.place},
	}
	return a
}

// key is by what an entry is known again: also when a failover has lost the lane,
// or the clock of the new master is behind.
func (e entry) key() string {
	if e.dedupe == "" {
		return "x." + e.place
	}
	return e.dedupe
}
