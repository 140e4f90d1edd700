package message

import "bytes"

// field says which of the envelope's members a name means.
type field uint8

const (
	fieldOther field = iota // a member that the gateway does not know
	fieldType
	fieldID
	fieldTo
	fieldRoom
	fieldFrom
	fieldFromName
	fieldContent
	fieldData
	fieldTimestamp
	fieldMessage  // the wrapper of a backend's payload
	fieldReserved // a client may not say it, see reserved
	fieldPosition // offset and epoch: nobody but the gateway may say them
	numFields
)

// maxNameBytes is the longest spelling of a name that the package looks for:
// the 15 characters of notification_id, each written as a six-byte escape.
const maxNameBytes = 15 * 6

// plainName decodes the escapes of a member name into buf. A name that is too
// long to be any that the package looks for comes back as it is, which is none
// of them either, because of its backslash.
func plainName(name []byte, buf *[maxNameBytes]byte) []byte {
	if len(name) > maxNameBytes || bytes.IndexByte(name, '\\') < 0 {
		return name
	}
	plain, _ := appendUnquoted(buf[:0], name)
	return plain
}

// nameIs reports whether a member name, without its quotes, is want.
func nameIs(name []byte, want string) bool {
	var buf [maxNameBytes]byte
	return string(plainName(name, &buf)) == want
}

// fieldOf returns the field that a member name, without its quotes, stands
// for. Names are compared after decoding their escapes, as every JSON parser
// does: "fr\u006fm" is from. Unlike in encoding/json their case matters.
func fieldOf(name []byte) field {
	var buf [maxNameBytes]byte
	switch string(plainName(name, &buf)) {
	case "type":
		return fieldType
	case "id":
		return fieldID
	case "to":
		return fieldTo
	case "room":
		return fieldRoom
	case "from":
		return fieldFrom
	case "from_name":
		return fieldFromName
	case "content":
		return fieldContent
	case "data":
		return fieldData
	case "timestamp":
		return fieldTimestamp
	case "message":
		return fieldMessage
	case "offset", "epoch":
		return fieldPosition
	}
	if reserved(plainName(name, &buf)) {
		return fieldReserved
	}
	return fieldOther
}

// reserved reports whether a name is one that a client may not say, besides those
// that the gateway always replaces: other spellings of who sent a message. A reader who matches names without case,
// as encoding/json does, would take From for from.
func reserved(name []byte) bool {
	if len(name) > len("from_name") {
		return false
	}
	return bytes.EqualFold(name, []byte("from")) || bytes.EqualFold(name, []byte("from_name"))
}

// fieldSet is a set of fields, one bit for each.
type fieldSet uint16

func setOf(fields ...field) (s fieldSet) {
	for _, f := range fields {
		s |= 1 << f
	}
	return s
}

func (s fieldSet) has(f field) bool { return s&(1<<f) != 0 }
