package message

// maxDepth bounds the recursion of the scanner whatever the limits say.
const maxDepth = 10_000

// member is where one member of an object lies in the bytes of that object.
//
//	"content" : {"text":"hi"}
//	^start  ^nameEnd         ^end
//	            ^value
type member struct {
	start, nameEnd, value, end int
	field                      field
}

// walker goes through the members of one object. It checks every byte that it
// passes.
type walker struct {
	object []byte
	next   int // offset of the next member, behind the object when done
	depth  int // levels that a member's value may open
	done   bool
}

// walk begins at the opening brace that b must start with.
func walk(b []byte, depth int) (walker, error) {
	depth = min(depth, maxDepth)
	if len(b) == 0 || b[0] != '{' {
		return walker{}, &SyntaxError{Offset: 0, Reason: "an object was expected"}
	}
	if depth <= 0 {
		return walker{}, ErrTooDeep
	}
	w := walker{object: b, next: skipSpace(b, 1), depth: depth - 1}
	if w.next < len(b) && b[w.next] == '}' {
		w.next++
		w.done = true
	}
	return w, nil
}

// member reads the next member. It returns false when there is none, or when
// the object is broken.
func (w *walker) member() (m member, ok bool, err error) {
	if w.done {
		return m, false, nil
	}
	m.start = w.next
	if m.nameEnd, m.value, err = skipName(w.object, m.start); err != nil {
		return m, false, err
	}
	if m.end, err = skipValue(w.object, m.value, w.depth); err != nil {
		return m, false, err
	}
	w.next, w.done, err = skipSeparator(w.object, m.end, '}')
	return m, err == nil, err
}

// name returns the name of m without its quotes, escapes undecoded.
func (w *walker) name(m member) []byte { return w.object[m.start+1 : m.nameEnd-1] }

// raw returns the value of m.
func (w *walker) raw(m member) Raw { return w.object[m.value:m.end] }
