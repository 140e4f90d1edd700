package message

import "strconv"

// Fill is what the gateway adds to a payload from Redis before browsers get it. An
// offset or epoch of the payload's own is dropped in any case: they would be
// taken for the gateway's.
type Fill struct {
	Type           string // replaces the payload's type unless empty
	Room           string // of the channel; replaces the payload's unless empty
	Timestamp      int64  // Unix seconds, for a payload that has none
	NotificationID string // for data.notification_id, with data.read false, unless empty
	Offset         uint64 // in the log that keeps the message; 0: in none
	NoRoom         bool   // the payload's room is dropped
}

// AppendDelivery appends a decoded payload as browsers get it. When f changes
// nothing these are the bytes of the published envelope, without its wrapper;
// otherwise
//
//	{"offset":..,"type":..,"room":..,REST,"data":..,"timestamp":..}
//
// where only what has changed is written anew, and REST is everything else,
// byte for byte and in its order. A notification_id or read that is already in
// data stays as it is, as does data that is not an object. The decoded payload
// must not have been written to since.
func (e *Envelope) AppendDelivery(dst []byte, f Fill) []byte {
	var (
		replaced fieldSet
		patch    dataPatch
	)
	if f.Type != "" && f.Type != e.Type {
		replaced |= setOf(fieldType)
	}
	if f.Room != "" && f.Room != e.Room {
		replaced |= setOf(fieldRoom)
	}
	if f.NotificationID != "" {
		if patch = patchOf(e.Data); patch.needed() {
			replaced |= setOf(fieldData)
		}
	}
	if e.Timestamp == nil {
		replaced |= setOf(fieldTimestamp)
	}
	if f.Offset != 0 || e.last[fieldPosition] != 0 {
		replaced |= setOf(fieldPosition)
	}
	if f.NoRoom && e.last[fieldRoom] != 0 {
		replaced |= setOf(fieldRoom)
	}
	if replaced == 0 {
		return append(dst, e.object...)
	}
	return e.appendReplaced(dst, f, patch, replaced)
}

// appendReplaced writes the object with the members in replaced taken from f.
func (e *Envelope) appendReplaced(dst []byte, f Fill, patch dataPatch, replaced fieldSet) []byte {
	dst = append(dst, '{')
	if f.Offset != 0 {
		dst = strconv.AppendUint(appendName(dst, "offset"), f.Offset, 10)
	}
	if replaced.has(fieldType) {
		dst = appendStringMember(dst, "type", f.Type)
	}
	if replaced.has(fieldRoom) && !f.NoRoom {
		dst = appendStringMember(dst, "room", f.Room)
	}
	dst = e.appendRest(dst, replaced)
	if replaced.has(fieldData) {
		dst = patch.append(appendName(dst, "data"), e.Data, f.NotificationID)
	}
	if replaced.has(fieldTimestamp) {
		dst = appendTimestamp(dst, f.Timestamp)
	}
	return append(dst, '}')
}

// dataPatch says which members a notification's data lacks.
type dataPatch struct{ id, read bool }

func (p dataPatch) needed() bool { return p.id || p.read }

// patchOf looks for the members in data, which is nil when there is none.
func patchOf(data Raw) dataPatch {
	if data == nil {
		return dataPatch{id: true, read: true}
	}
	w, err := walk(data, maxDepth)
	if err != nil {
		return dataPatch{} // not an object
	}
	p := dataPatch{id: true, read: true}
	for {
		m, ok, _ := w.member() // Decode has checked it
		if !ok {
			return p
		}
		switch {
		case nameIs(w.name(m), "notification_id"):
			p.id = false
		case nameIs(w.name(m), "read"):
			p.read = false
		}
	}
}

// append writes data with what it lacks put in front.
func (p dataPatch) append(dst []byte, data Raw, id string) []byte {
	dst = append(dst, '{')
	if p.id {
		dst = appendStringMember(dst, "notification_id", id)
	}
	if p.read {
		dst = append(appendName(dst, "read"), "false"...)
	}
	if data == nil {
		return append(dst, '}')
	}
	rest := data[skipSpace(data, 1):]
	if rest[0] != '}' {
		dst = append(dst, ',')
	}
	return append(dst, rest...)
}
