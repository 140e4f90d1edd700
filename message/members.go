package message

// Members calls each with the name and the value of every member of the one
// JSON object in b, in order, for those who read other objects than envelopes
// by exact names. Values may nest depth levels deep, the object being one. The
// slices are valid as long as b; a name with escapes is decoded.
//
// It returns ErrTooDeep, a *SyntaxError, or the first error of each.
func Members(b []byte, depth int, each func(name []byte, value Raw) error) error {
	start := skipSpace(b, 0)
	w, err := walk(b[start:], depth)
	if err != nil {
		return err
	}
	var buf [maxNameBytes]byte
	for {
		m, ok, err := w.member()
		if err != nil || !ok {
			return err
		}
		if err := each(plainName(w.name(m), &buf), w.raw(m)); err != nil {
			return err
		}
	}
}
