package sequencer

import (
	"encoding/json"
	"errors"
	"fmt"
)

// errMark is returned for what stands on the mark channel and is no mark.
var errMark = errors.New("sequencer: not a mark")

// Mark is a message of the nodes among themselves, on the mark channel. Redis
// brings it to all who follow at the same place between the messages, and so it
// is what they can count from:
//
//	{"id":"k3v9a.7","node":"a","partition":3,"term":1697356800123,
//	 "chain":1697356800123,"from":"k3v9a.6","count":41,"done":40}
//
// says: I lead partition 3, and of the chain 1697356800123 there were 41
// messages before the mark k3v9a.6, of which the first 40 are in their logs.
// A mark without a term is a probe: somebody has begun to follow and wants to
// know where it is.
type Mark struct {
	ID        string `json:"id"` // no two marks have the same
	Node      string `json:"node"`
	Partition int    `json:"partition"`
	Term      uint64 `json:"term,omitempty"`  // of the leader who speaks; 0 for a probe
	Chain     uint64 `json:"chain,omitempty"` // the chain that is counted in
	From      string `json:"from,omitempty"`  // the mark that Count is counted up to
	Count     uint64 `json:"count,omitempty"` // messages of the chain before From
	Done      uint64 `json:"done,omitempty"`  // of them and those after, up to here, all are in their logs
	Where     string `json:"where,omitempty"` // what is counted: see Machine.Begin
	Over      bool   `json:"over,omitempty"`  // the leader has released its lease
}

// encode returns m as it is published.
func (m Mark) encode() string {
	b, err := json.Marshal(m)
	if err != nil {
		panic(err) // strings, numbers and a bool
	}
	return string(b)
}

// decodeMark reads a mark for one of so many partitions.
func decodeMark(payload string, partitions int) (m Mark, err error) {
	if err := json.Unmarshal([]byte(payload), &m); err != nil {
		return Mark{}, fmt.Errorf("%w: %w", errMark, err)
	}
	if m.ID == "" || m.Partition < 0 || m.Partition >= partitions {
		return Mark{}, fmt.Errorf("%w: id %.40q, partition %d", errMark, m.ID, m.Partition)
	}
	return m, nil
}
