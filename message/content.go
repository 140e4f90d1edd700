package message

import "strconv"

// The functions below look into the content of a client's frame, at the names
// that they are asked for and nothing else. They take the Content of a decoded
// Envelope. Of a name that occurs twice the last one counts, null is the same
// as absent, and errors are *FieldError.

// RoomOf returns the room that the content of join_room or leave_room names, as
// "chat:1" or as {"room":"chat:1"}. It is empty when the content names none.
func RoomOf(content Raw) (room string, err error) {
	if len(content) > 0 && content[0] == '"' {
		return stringField("content", content)
	}
	v, err := lookUp(content, "room")
	if err != nil {
		return "", err
	}
	return stringField("content.room", v[0])
}

// TokenOf returns the token in the content of refresh, which is {"token":"JWT"} or
// the token itself. It is empty when there is none.
func TokenOf(content Raw) (token string, err error) {
	if len(content) > 0 && content[0] == '"' {
		return stringField("content", content)
	}
	v, err := lookUp(content, "token")
	if err != nil {
		return "", err
	}
	return stringField("content.token", v[0])
}

// SinceOf returns the position that the content of join_room names in
// {"since":{"epoch":"x","offset":41}}; nil when it names none.
func SinceOf(content Raw) (*Position, error) {
	v, err := lookUp(content, "since")
	if err != nil || v[0] == nil {
		return nil, err
	}
	if v[0][0] != '{' {
		return nil, &FieldError{Field: "content.since", Problem: "must be an object"}
	}
	if v, err = lookUp(v[0], "epoch", "offset"); err != nil {
		return nil, err
	}
	var p Position
	if p.Epoch, err = stringField("content.since.epoch", v[0]); err != nil {
		return nil, err
	}
	if p.Offset, err = offsetField("content.since.offset", v[1]); err != nil {
		return nil, err
	}
	return &p, nil
}

// AckOf returns what the content of ack names: in {"offset":41} the offset up to
// which everything has arrived, in {"id":"x"} the id of the message up to which
// it has; nil and "" for what it does not name.
func AckOf(content Raw) (offset *uint64, id string, err error) {
	v, err := lookUp(content, "offset", "id")
	if err != nil {
		return nil, "", err
	}
	if v[0] != nil {
		n, err := offsetField("content.offset", v[0])
		if err != nil {
			return nil, "", err
		}
		offset = &n
	}
	id, err = stringField("content.id", v[1])
	return offset, id, err
}

// NotificationID returns data.notification_id, empty when it is not there or no
// string.
func NotificationID(data Raw) string {
	v, err := lookUp(data, "notification_id")
	if err != nil {
		return ""
	}
	id, _ := stringField("data.notification_id", v[0])
	return id
}

// maxOffset is the greatest integer that every JSON parser reads exactly.
const maxOffset = 1<<53 - 1

// offsetField reads an offset; one that is not there is 0.
func offsetField(field string, v Raw) (uint64, error) {
	if v == nil {
		return 0, nil
	}
	n, err := strconv.ParseUint(string(v), 10, 64)
	if err != nil || n > maxOffset {
		return 0, &FieldError{Field: field, Problem: "must be a whole number from 0 to 2^53 - 1"}
	}
	return n, nil
}

// EntityOf returns what a data_update tells of, {"entity":"user","id":"123"}, as
// it is written; nil for what is not there.
func EntityOf(content Raw) (entity, id Raw) {
	v, err := lookUp(content, "entity", "id")
	if err != nil {
		return nil, nil
	}
	return v[0], v[1]
}

// TargetOf returns the user and the room that the content of a message is
// addressed to, in {"to":"u1"} or {"room":"chat:1"}. Either is empty when it is
// not there; content that is not an object has no target.
func TargetOf(content Raw) (to, room string, err error) {
	v, err := lookUp(content, "to", "room")
	if err != nil {
		return "", "", err
	}
	if to, err = stringField("content.to", v[0]); err != nil {
		return "", "", err
	}
	room, err = stringField("content.room", v[1])
	return to, room, err
}

// UsersOf returns the users of {"users":["u1",2]} and the room of
// {"room":"chat:1"}; content may name both or neither. Users may be strings or
// integers. More than limit of them, or an empty one, is an error.
func UsersOf(content Raw, limit int) (users []string, room string, err error) {
	v, err := lookUp(content, "users", "room")
	if err != nil {
		return nil, "", err
	}
	if users, err = usersField(v[0], limit); err != nil {
		return nil, "", err
	}
	room, err = stringField("content.room", v[1])
	return users, room, err
}

// usersField reads the array of user ids.
func usersField(v Raw, limit int) (users []string, err error) {
	if v == nil {
		return nil, nil
	}
	if v[0] != '[' {
		return nil, &FieldError{Field: "content.users", Problem: "must be an array"}
	}
	i := skipSpace(v, 1)
	for done := v[i] == ']'; !done; {
		if len(users) == limit {
			return nil, &FieldError{Field: "content.users", Problem: "holds more than " + strconv.Itoa(limit) + " users"}
		}
		end, err := skipValue(v, i, maxDepth)
		if err != nil {
			return nil, err
		}
		user, err := userOf(v[i:end])
		if err != nil {
			return nil, err
		}
		users = append(users, user)
		if i, done, err = skipSeparator(v, end, ']'); err != nil {
			return nil, err
		}
	}
	return users, nil
}

// userOf reads one user id, a string or an integer.
func userOf(v Raw) (user string, err error) {
	switch {
	case v[0] == '"':
		user, err = stringField("content.users", v)
	case isDigit(v[0]) && skipDigits(v, 0) == len(v):
		user = string(v)
	}
	if err == nil && user == "" {
		err = &FieldError{Field: "content.users", Problem: "must hold strings or integers, none of them empty"}
	}
	return user, err
}

// lookUp returns the values of at most two members of content, nil for what is
// not there. Content that is not an object has no members.
func lookUp(content Raw, names ...string) (values [2]Raw, err error) {
	if len(content) == 0 || content[0] != '{' {
		return values, nil
	}
	w, err := walk(content, maxDepth)
	for err == nil {
		m, ok, broken := w.member()
		if !ok {
			return values, broken
		}
		for i, name := range names {
			if nameIs(w.name(m), name) {
				values[i] = notNull(w.raw(m))
			}
		}
	}
	return values, err
}

func notNull(v Raw) Raw {
	if v[0] == 'n' {
		return nil
	}
	return v
}
