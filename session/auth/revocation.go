package auth

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// maxDeviceBytes bounds the name of a device.
const maxDeviceBytes = 64

// errRevocation is returned for a revocation that names neither a token nor a user,
// or both.
var errRevocation = errors.New("auth: a revocation names either a token or a user, and with a user perhaps a device")

// Revocation makes tokens void before they expire: one token, all that a user
// holds, or all with which a user connects on one device. Of a user's tokens it
// means those issued up to the second of Issued; a token without iat counts as
// issued before any revocation.
type Revocation struct {
	Token  string    `json:"token,omitempty"` // a TokenID in digits, or
	User   string    `json:"user,omitempty"`
	Device string    `json:"device,omitempty"` // of User; empty for all
	Issued int64     `json:"issued,omitempty"` // Unix seconds; for a user and a device
	Until  time.Time `json:"-"`                // forgotten after that
}

// Encode is the revocation as nodes exchange it, without Until: equal ones are
// equal texts.
func (r Revocation) Encode() string {
	b, err := json.Marshal(r)
	if err != nil { // strings and a number always marshal
		panic(err)
	}
	return string(b)
}

// DecodeRevocation is the inverse of Encode, and checks what it finds.
func DecodeRevocation(text string, until time.Time) (r Revocation, err error) {
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		return Revocation{}, fmt.Errorf("auth: revocation: %w", err)
	}
	r.Until = until
	return r, r.Validate()
}

// Validate reports whether the revocation names something that can be revoked.
func (r Revocation) Validate() error {
	switch {
	case (r.Token == "") == (r.User == ""), r.Device != "" && r.User == "":
		return errRevocation
	case r.Token != "":
		_, err := ParseTokenID(r.Token)
		return err
	case !ValidUserID(r.User), r.Device != "" && !ValidDevice(r.Device):
		return errRevocation
	}
	return nil
}

// ValidDevice reports whether s can name a device: 1 to 64 bytes of UTF-8
// without control characters.
func ValidDevice(s string) bool { return isName(s, maxDeviceBytes) }

// Held is what a connection holds a token by.
type Held struct {
	User   string
	Device string // empty when the client gave none
	Token  TokenID
	Issued int64 // Unix seconds; 0 when the token does not say
}

// Revoked is the set of revocations that a node knows. Its methods may be called
// from any goroutine; Covers takes a read lock that is never held for long, and
// none while there are no revocations.
type Revoked struct {
	size atomic.Int64

	mu      sync.RWMutex
	tokens  map[TokenID]time.Time // until when; guarded by mu
	holders map[holder]mark       // guarded by mu
}

// holder is a user, or one of its devices.
type holder struct{ user, device string }

// mark is until when tokens issued up to a second are void.
type mark struct {
	issued int64
	until  time.Time
}

// Add takes revocations into the set; of those about the same user or device, the
// latest of each bound counts. What is not valid is left out.
func (s *Revoked) Add(revocations ...Revocation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tokens == nil {
		s.tokens, s.holders = map[TokenID]time.Time{}, map[holder]mark{}
	}
	for _, r := range revocations {
		s.addLocked(r)
	}
	s.countLocked()
}

func (s *Revoked) addLocked(r Revocation) {
	if r.Validate() != nil {
		return
	}
	if r.Token != "" {
		id, _ := ParseTokenID(r.Token) // Validate has
		if r.Until.After(s.tokens[id]) {
			s.tokens[id] = r.Until
		}
		return
	}
	at := holder{strings.Clone(r.User), strings.Clone(r.Device)}
	m := s.holders[at]
	m.issued = max(m.issued, r.Issued)
	if r.Until.After(m.until) {
		m.until = r.Until
	}
	s.holders[at] = m
}

func (s *Revoked) countLocked() { s.size.Store(int64(len(s.tokens) + len(s.holders))) }

// Covers reports whether what is held is void at the time now.
func (s *Revoked) Covers(h Held, now time.Time) bool {
	if s.size.Load() == 0 {
		return false
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	if now.Before(s.tokens[h.Token]) {
		return true
	}
	void := func(m mark) bool { return now.Before(m.until) && h.Issued <= m.issued }
	return void(s.holders[holder{user: h.User}]) ||
		h.Device != "" && void(s.holders[holder{h.User, h.Device}])
}

// Forget drops what is over at the time now.
func (s *Revoked) Forget(now time.Time) {
	if s.size.Load() == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for id, until := range s.tokens {
		if !now.Before(until) {
			delete(s.tokens, id)
		}
	}
	for at, m := range s.holders {
		if !now.Before(m.until) {
			delete(s.holders, at)
		}
	}
	s.countLocked()
}

// Len is the number of revocations in the set.
func (s *Revoked) Len() int { return int(s.size.Load()) }
