package message

import (
	"cmp"
	"strconv"
	"unicode/utf8"
)

// Raw is one JSON value as it was written: a span of somebody's buffer.
type Raw = []byte

// Limits bounds what is decoded. A field that is zero has its default.
type Limits struct {
	Bytes   int // size of the whole message (64 KiB)
	Depth   int // levels of arrays and objects, the envelope being one (32)
	IDBytes int // size of a client's id (128)
}

// DefaultLimits returns the limits that stand for zero fields.
func DefaultLimits() Limits { return Limits{Bytes: 64 << 10, Depth: 32, IDBytes: 128} }

func (l Limits) orDefault() Limits {
	d := DefaultLimits()
	return Limits{
		Bytes:   cmp.Or(l.Bytes, d.Bytes),
		Depth:   cmp.Or(l.Depth, d.Depth),
		IDBytes: cmp.Or(l.IDBytes, d.IDBytes),
	}
}

// Envelope is a message of which only the top level has been read. Decoding
// into the same Envelope again reuses its memory; it is not safe for
// concurrent use.
//
// The strings are copies and may be kept. Content, Data and Timestamp, and
// what the Append methods read, are spans of the decoded input: they are valid
// until that buffer is written to. A member that is null counts as absent,
// except that Content is then the four bytes of null.
type Envelope struct {
	Type, ID, To, Room       string
	Content, Data, Timestamp Raw // nil when absent

	object  []byte         // the envelope's object, without space around it
	members []member       // in the order of the input
	last    [numFields]int // one past the index of the last such member: it has the meaning
}

// Decode reads a client's frame, which must be valid UTF-8, into e. It returns
// ErrTooLarge, ErrTooDeep, a *SyntaxError or a *FieldError. After a FieldError
// e.ID is the frame's id if that can be used, so that the refusal can name it,
// and nothing else of e is to be relied upon.
//
// A client's from and from_name may be of any kind: AppendForward drops them.
func (l Limits) Decode(b []byte, e *Envelope) error {
	l = l.orDefault()
	if err := l.scan(b, e); err != nil {
		return err
	}
	if err := e.readStrings(); err != nil {
		return err
	}
	if len(e.ID) > l.IDBytes {
		e.ID = ""
		return &FieldError{Field: "id", Problem: "is longer than " + strconv.Itoa(l.IDBytes) + " bytes"}
	}
	return e.readRest()
}

// DecodePayload reads what a backend or a node has published, either an
// envelope or {"message":ENVELOPE}, into e. Its errors are those of Decode, or
// ErrNotUTF8. A payload is taken as wrapped when it has no type of its own and
// its message is an object; what stands beside that message is dropped.
func (l Limits) DecodePayload(b []byte, e *Envelope) error {
	l = l.orDefault()
	if err := l.scan(b, e); err != nil {
		return err
	}
	if !utf8.Valid(b) {
		return ErrNotUTF8
	}
	if inner := e.value(fieldMessage); e.value(fieldType) == nil && len(inner) > 0 && inner[0] == '{' {
		if err := l.scan(inner, e); err != nil {
			return err
		}
	}
	if err := e.readStrings(); err != nil {
		return err
	}
	if v := e.value(fieldFrom); v != nil && v[0] != '"' {
		return &FieldError{Field: "from", Problem: problemString}
	}
	if v := e.value(fieldFromName); v != nil && v[0] != '"' {
		return &FieldError{Field: "from_name", Problem: problemString}
	}
	return e.readRest()
}

// keptMembers is how many member positions an Envelope holds on to between
// messages; the memory of a bigger, probably hostile one is let go.
const keptMembers = 64

// scan notes where the members of the one object in b lie.
func (l Limits) scan(b []byte, e *Envelope) error {
	if cap(e.members) > keptMembers {
		e.members = nil
	}
	*e = Envelope{members: e.members[:0]}
	if len(b) > l.Bytes {
		return ErrTooLarge
	}
	start := skipSpace(b, 0)
	w, err := walk(b[start:], l.Depth)
	for ok := err == nil; ok; {
		var m member
		if m, ok, err = w.member(); ok {
			m.field = fieldOf(w.name(m))
			e.members = append(e.members, m)
			e.last[m.field] = len(e.members)
		}
	}
	if err == nil && skipSpace(w.object, w.next) != len(w.object) {
		err = &SyntaxError{Offset: w.next, Reason: "nothing more was expected"}
	}
	if err != nil {
		return atOffset(err, start)
	}
	e.object = w.object[:w.next]
	return nil
}

// atOffset moves the offset of a SyntaxError that was counted from start.
func atOffset(err error, start int) error {
	if syntax, ok := err.(*SyntaxError); ok { //nolint:errorlint // made by the scanner, never wrapped
		syntax.Offset += start
	}
	return err
}

// From returns who sent a message, as it is written: nil when that is not there.
func (e *Envelope) From() Raw { return e.value(fieldFrom) }

// value returns the value that has the meaning of f: the last one. It returns
// nil when there is none or it is null.
func (e *Envelope) value(f field) Raw {
	if e.last[f] == 0 {
		return nil
	}
	m := e.members[e.last[f]-1]
	if e.object[m.value] == 'n' {
		return nil
	}
	return e.object[m.value:m.end]
}

// readStrings copies the members that route a message. The id comes first,
// because refusing one of the others may need it.
func (e *Envelope) readStrings() (err error) {
	if e.ID, err = stringField("id", e.value(fieldID)); err != nil {
		return err
	}
	if e.Type, err = typeField(e.value(fieldType)); err != nil {
		return err
	}
	if e.To, err = stringField("to", e.value(fieldTo)); err != nil {
		return err
	}
	e.Room, err = stringField("room", e.value(fieldRoom))
	return err
}

// readRest notes the members that are passed on as they are.
func (e *Envelope) readRest() error {
	if at := e.last[fieldContent]; at > 0 {
		m := e.members[at-1]
		e.Content = e.object[m.value:m.end]
	}
	e.Data = e.value(fieldData)
	e.Timestamp = e.value(fieldTimestamp)
	if t := e.Timestamp; t != nil && t[0] != '-' && !isDigit(t[0]) {
		return &FieldError{Field: "timestamp", Problem: problemNumber}
	}
	return nil
}
