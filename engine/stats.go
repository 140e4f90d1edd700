package engine

import "sync/atomic"

// Stats is a snapshot of an engine's counters since its start.
type Stats struct {
	Open          int64  // TCP connections, upgraded or not
	WebSockets    int64  // upgraded connections
	Accepted      uint64 // TCP connections ever accepted
	AcceptErrors  uint64 // failed accepts, such as out of files
	FramesIn      uint64 // data messages and control frames received
	BytesIn       uint64 // bytes read from upgraded connections
	WritesOut     uint64 // writes to upgraded connections
	BytesOut      uint64 // bytes sent or queued to upgraded connections
	PendingBytes  int64  // bytes that wait for slow peers, in all connections
	Behind        int64  // connections with frames that wait
	Crowded       int64  // and those with more than half of what may wait
	PingsMissed   uint64 // connections closed because they went silent
	ProtocolFails uint64 // connections closed because their peer broke the protocol
	ClosesSent    map[CloseCode]uint64
	ClosesSeen    map[CloseCode]uint64 // codes chosen by peers; unknown ones are under 0
	Losses        []Loss               // what became of messages that waited and were not sent
}

// Loss is how many messages that waited for slow peers were not sent, by class and
// cause. Which pairs there are is fixed.
type Loss struct {
	Class Class
	Cause string
	Count uint64
}

// counters are the live counters behind Stats.
type counters struct {
	open, webSockets, pending          atomic.Int64
	behind, crowded                    atomic.Int64
	crowdings                          atomic.Uint64 // times that a connection became crowded
	losses                             [numClasses][numLosses]atomic.Uint64
	accepted, acceptErrors             atomic.Uint64
	framesIn, bytesIn                  atomic.Uint64
	writesOut, bytesOut                atomic.Uint64
	pingsMissed, protocolFails         atomic.Uint64
	closesSentCodes, closesByPeerCodes codeCounters
}

// codeCounters count the codes of RFC 6455 and of this protocol (4000–4399);
// every other code shares one place, so that a peer cannot make new ones.
type codeCounters struct {
	standard [16]atomic.Uint64
	private  [400]atomic.Uint64
	other    atomic.Uint64
}

func (c *codeCounters) of(code CloseCode) *atomic.Uint64 {
	switch {
	case code >= 1000 && code < 1016:
		return &c.standard[code-1000]
	case code >= 4000 && code < 4400:
		return &c.private[code-4000]
	default:
		return &c.other
	}
}

func (c *codeCounters) snapshot() map[CloseCode]uint64 {
	m := map[CloseCode]uint64{}
	put := func(code CloseCode, n uint64) {
		if n > 0 {
			m[code] = n
		}
	}
	for i := range c.standard {
		put(CloseCode(1000+i), c.standard[i].Load())
	}
	for i := range c.private {
		put(CloseCode(4000+i), c.private[i].Load())
	}
	put(0, c.other.Load())
	return m
}

func (s *counters) closeSent(code CloseCode) { s.closesSentCodes.of(code).Add(1) }

// lost counts messages that waited and are not sent.
func (s *counters) lost(class Class, why int, n uint64) {
	if class == classOwn {
		class = ClassMust
	}
	s.losses[class][why].Add(n)
}

func (s *counters) lossesSnapshot() (list []Loss) {
	only := [numLosses]Class{lostSuperseded: ClassLatest, lostExpired: ClassDrop, lostEvicted: ClassDrop}
	for class := range numClasses {
		for why, name := range lossNames {
			if of := only[why]; of == ClassMust || of == class { // the others are refused or gone, of any class
				list = append(list, Loss{class, name, s.losses[class][why].Load()})
			}
		}
	}
	return list
}

func (s *counters) sent(bytes int) {
	s.writesOut.Add(1)
	s.bytesOut.Add(uint64(bytes))
}

// Stats returns the engine's counters. Safe from any goroutine.
func (e *Engine) Stats() Stats {
	s := &e.stats
	return Stats{
		Open:          s.open.Load(),
		WebSockets:    s.webSockets.Load(),
		Accepted:      s.accepted.Load(),
		AcceptErrors:  s.acceptErrors.Load(),
		FramesIn:      s.framesIn.Load(),
		BytesIn:       s.bytesIn.Load(),
		WritesOut:     s.writesOut.Load(),
		BytesOut:      s.bytesOut.Load(),
		PendingBytes:  s.pending.Load(),
		Behind:        s.behind.Load(),
		Crowded:       s.crowded.Load(),
		Losses:        s.lossesSnapshot(),
		PingsMissed:   s.pingsMissed.Load(),
		ProtocolFails: s.protocolFails.Load(),
		ClosesSent:    s.closesSentCodes.snapshot(),
		ClosesSeen:    s.closesByPeerCodes.snapshot(),
	}
}
