package auth

import (
	"bytes"
	"crypto"
	"crypto/hmac"
	"encoding/base64"
	"encoding/json"
	"hash"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/golang-jwt/jwt/v5"
)

// shortcut accepts tokens that are like one accepted before: signed with the
// secret, under a header of the same bytes. It only ever says yes; whatever it
// does not accept goes the library's way, which has the last word and the reason.
//
// A handshake costs a server about 60 µs, of which the library took 7 and most of
// the garbage: it decodes the header anew for each token, into a map, and derives
// the keys of the HMAC from the secret.
type shortcut struct {
	secret    []byte
	validator *jwt.Validator

	known atomic.Pointer[knownHeader] // of the last token that went the long way and was good
}

// knownHeader is a header that stands for an HMAC algorithm and nothing else
// that matters. It never changes.
type knownHeader struct {
	encoded string
	states  sync.Pool // of *macState
}

// macState is what checking one token needs, used again for the next.
type macState struct {
	mac              hash.Hash // keyed with the secret
	text             []byte    // the token
	plain, sig, want []byte
	claims           claims // spans of plain
}

// learn remembers the header of a token that the library has accepted.
func (s *shortcut) learn(token string, method jwt.SigningMethod) {
	hs, ok := method.(*jwt.SigningMethodHMAC)
	header, _, found := strings.Cut(token, ".")
	if !ok || !found {
		return
	}
	if old := s.known.Load(); old != nil && old.encoded == header {
		return
	}
	s.known.Store(newKnownHeader(strings.Clone(header), hs.Hash, s.secret))
}

func newKnownHeader(encoded string, h crypto.Hash, secret []byte) *knownHeader {
	k := &knownHeader{encoded: encoded}
	k.states.New = func() any { return &macState{mac: hmac.New(h.New, secret)} }
	return k
}

// accept returns the claims of a good token to use, and reports whether it is one.
func (s *shortcut) accept(token string, use func(*claims) error) (done bool, err error) {
	k := s.known.Load()
	if k == nil || len(token) <= len(k.encoded) || token[:len(k.encoded)] != k.encoded || token[len(k.encoded)] != '.' {
		return false, nil
	}
	state, ok := k.states.Get().(*macState)
	if !ok || !state.check(token, len(k.encoded)) || s.validator.Validate(&state.claims) != nil {
		return false, nil // state, which nobody needs, is left to the collector
	}
	err = use(&state.claims)
	k.states.Put(state)
	return true, err
}

// strict refuses encodings whose unused bits are not zero, so that a token has
// one spelling.
var strict = base64.RawURLEncoding.Strict()

// check verifies the signature and decodes the claims.
func (m *macState) check(token string, header int) bool {
	m.text = append(m.text[:0], token...)
	signed := bytes.LastIndexByte(m.text, '.')
	if signed <= header || bytes.IndexByte(m.text[header+1:signed], '.') >= 0 {
		return false
	}
	m.mac.Reset()
	m.mac.Write(m.text[:signed])
	m.want = m.mac.Sum(m.want[:0])
	var err error
	if m.sig, err = strict.AppendDecode(m.sig[:0], m.text[signed+1:]); err != nil || !hmac.Equal(m.sig, m.want) {
		return false
	}
	if m.plain, err = strict.AppendDecode(m.plain[:0], m.text[header+1:signed]); err != nil {
		return false
	}
	m.claims = claims{}
	// UnmarshalJSON relies on being given one whole value, as encoding/json does.
	return json.Valid(m.plain) && m.claims.UnmarshalJSON(m.plain) == nil
}
