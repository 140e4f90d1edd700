package message

// Stamp is what the gateway says about a client's message, whatever the client
// has said.
type Stamp struct {
	Type      string
	Room, To  string // where it goes; an empty one is left out
	From      string // the sender's user id
	FromName  string // left out when empty
	Timestamp int64  // Unix seconds
}

// stamped are the members that are the gateway's to set in a client's message.
var stamped = setOf(fieldType, fieldRoom, fieldTo, fieldFrom, fieldFromName, fieldTimestamp, fieldReserved, fieldPosition)

// AppendForward appends a client's message as it is published:
//
//	{"type":..,"room":..,"to":..,"from":..,"from_name":..,REST,"timestamp":..}
//
// REST is every other member of the frame (id, content, data and what the
// gateway does not know), byte for byte and in the client's order. What the
// client wrote for the members of s is dropped however it was spelled and as
// often as it occurred. The decoded frame must not have been written to since.
func (e *Envelope) AppendForward(dst []byte, s Stamp) []byte {
	dst = append(dst, '{')
	dst = appendStringMember(dst, "type", s.Type)
	if s.Room != "" {
		dst = appendStringMember(dst, "room", s.Room)
	}
	if s.To != "" {
		dst = appendStringMember(dst, "to", s.To)
	}
	dst = appendStringMember(dst, "from", s.From)
	if s.FromName != "" {
		dst = appendStringMember(dst, "from_name", s.FromName)
	}
	dst = e.appendRest(dst, stamped)
	dst = appendTimestamp(dst, s.Timestamp)
	return append(dst, '}')
}

// appendRest appends the members that are not in without, as they were written.
func (e *Envelope) appendRest(dst []byte, without fieldSet) []byte {
	for _, m := range e.members {
		if !without.has(m.field) {
			dst = appendComma(dst)
			dst = append(dst, e.object[m.start:m.end]...)
		}
	}
	return dst
}

func appendTimestamp(dst []byte, unix int64) []byte {
	return appendIntMember(dst, "timestamp", unix)
}
