package api

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"sync"

	"golang.org/x/time/rate"
)

// KeyHeader is the header that carries the key.
const KeyHeader = "X-API-Key"

const (
	// wrongPerSecond and wrongBurst are how often one address may be wrong. Who
	// has been wrong more often is refused unheard, so that nobody can try keys.
	wrongPerSecond = 1
	wrongBurst     = 10
	// maxWrong bounds the addresses that are remembered.
	maxWrong = 1024
)

// keyring is the keys, and who has come with a wrong one.
type keyring struct {
	sums [][sha256.Size]byte

	mu    *sync.Mutex
	wrong map[string]*rate.Limiter // by address; guarded by mu
}

func newKeyring(keys []string) keyring {
	k := keyring{mu: new(sync.Mutex), wrong: map[string]*rate.Limiter{}}
	for _, key := range keys {
		k.sums = append(k.sums, sha256.Sum256([]byte(key)))
	}
	return k
}

// has reports whether key is one of the keys. The time it takes says nothing of
// them: digests of equal length are compared, and always all.
func (k *keyring) has(key string) bool {
	sum := sha256.Sum256([]byte(key))
	found := 0
	for i := range k.sums {
		found |= subtle.ConstantTimeCompare(sum[:], k.sums[i][:])
	}
	return found == 1
}

// heard reports whether an address has been wrong so often that it is not heard.
func (k *keyring) heard(address string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	l := k.wrong[address]
	return l == nil || l.Tokens() >= 1
}

// blame notes that an address came with a wrong key.
func (k *keyring) blame(address string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	l := k.wrong[address]
	if l == nil {
		if len(k.wrong) >= maxWrong {
			k.forgetLocked()
		}
		l = rate.NewLimiter(wrongPerSecond, wrongBurst)
		k.wrong[address] = l
	}
	l.Allow()
}

// forgetLocked drops the addresses that have been quiet or, when there are none,
// any one.
func (k *keyring) forgetLocked() {
	for address, l := range k.wrong {
		if l.Tokens() >= wrongBurst {
			delete(k.wrong, address)
		}
	}
	for address := range k.wrong {
		if len(k.wrong) < maxWrong {
			return
		}
		delete(k.wrong, address)
	}
}

// admit checks the caller's key.
func (s *Server) admit(w http.ResponseWriter, r *http.Request) error {
	if len(s.keys.sums) == 0 {
		if s.cfg.Open {
			return nil
		}
		return failure(http.StatusForbidden, "the API is off: admin.api_keys has no key")
	}
	address, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		address = r.RemoteAddr
	}
	if !s.keys.heard(address) {
		w.Header().Set("Retry-After", "10")
		return failure(http.StatusTooManyRequests, "too many wrong keys: wait a little")
	}
	if !s.keys.has(r.Header.Get(KeyHeader)) {
		s.keys.blame(address)
		return failure(http.StatusUnauthorized, KeyHeader+" is missing or wrong")
	}
	return nil
}
