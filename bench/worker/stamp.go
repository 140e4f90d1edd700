package worker

import (
	"bytes"
	"strconv"
)

// Stamp is what every measured message carries in its content:
//
//	"content":{"bench":[WINDOW,STREAM,SEQ,SENT],"pad":"..."}
//
// so that who receives it can tell what is missing, what came twice, and how
// long it took since it should have been sent.
type Stamp struct {
	Window uint32 // which measurement it belongs to
	Stream uint32 // whose sequence: a room's, a sender's or a receiver's
	Seq    uint32 // 0, 1, 2 … within window and stream
	Sent   int64  // when it was to be sent, in nanoseconds of fleet.Now
}

const stampKey = `"bench":[`

// AppendMessage appends what a backend publishes: a message of about size bytes
// that carries the stamp, to a room or, when room is empty, to a user or to all.
// It is a complete envelope, which leaves a server nothing to fill in.
func AppendMessage(dst []byte, s Stamp, room string, size int) []byte {
	from := len(dst)
	if room == "" {
		dst = append(dst, `{"type":"user_message"`...)
	} else {
		dst = append(dst, `{"type":"room_message","room":"`...)
		dst = append(append(dst, room...), '"')
	}
	dst = append(dst, `,"timestamp":1697356800,"content":`...)
	dst = appendContent(dst, s, size-(len(dst)-from)-1)
	return append(dst, '}')
}

// appendContent appends the content with the stamp, padded to about size bytes.
func appendContent(dst []byte, s Stamp, size int) []byte {
	from := len(dst)
	dst = append(dst, '{')
	dst = append(dst, stampKey...)
	dst = strconv.AppendUint(dst, uint64(s.Window), 10)
	dst = strconv.AppendUint(append(dst, ','), uint64(s.Stream), 10)
	dst = strconv.AppendUint(append(dst, ','), uint64(s.Seq), 10)
	dst = strconv.AppendInt(append(dst, ','), s.Sent, 10)
	dst = append(dst, `],"pad":"`...)
	for pad := size - (len(dst) - from) - 2; pad > 0; pad-- {
		dst = append(dst, 'x')
	}
	return append(dst, `"}`...)
}

// CutStamp finds the first stamp in a message, and returns what follows it.
func CutStamp(message []byte) (s Stamp, rest []byte, ok bool) {
	at := bytes.Index(message, []byte(stampKey))
	if at < 0 {
		return Stamp{}, nil, false
	}
	rest = message[at+len(stampKey):]
	var n [4]int64
	for i := range n {
		end := byte(',')
		if i == len(n)-1 {
			end = ']'
		}
		if n[i], rest, ok = cutNumber(rest, end); !ok {
			return Stamp{}, nil, false
		}
	}
	return Stamp{Window: uint32(n[0]), Stream: uint32(n[1]), Seq: uint32(n[2]), Sent: n[3]}, rest, true
}

// cutNumber reads the decimal digits before end.
func cutNumber(b []byte, end byte) (n int64, rest []byte, ok bool) {
	for i, c := range b {
		if c == end {
			return n, b[i+1:], i > 0
		}
		if c < '0' || c > '9' || i > 18 {
			break
		}
		n = n*10 + int64(c-'0')
	}
	return 0, nil, false
}
