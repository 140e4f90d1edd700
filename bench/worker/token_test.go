package worker

import (
	"testing"
	"time"

	"github.com/ginforge/gateway/session/auth"
)

// The signer is written anew, so the gateway's own verifier is the judge.
func TestSigner_Token(t *testing.T) {
	const secret = "a-secret-of-at-least-thirty-two-bytes"
	v, err := auth.NewVerifier(auth.Config{Secret: secret, Algorithms: []string{"HS256"}})
	if err != nil {
		t.Fatal(err)
	}
	s := NewSigner(secret, time.Hour)
	for _, i := range []int{0, 1, 999_999} {
		id, err := v.Verify(string(s.Token(i)))
		if want := string(AppendUser(nil, i)); err != nil || id.UserID != want {
			t.Errorf("token of user %d is for %q, %v, want %q", i, id.UserID, err, want)
		}
	}
}

func BenchmarkSigner_Token(b *testing.B) {
	s := NewSigner("a-secret-of-at-least-thirty-two-bytes", time.Hour)
	b.ReportAllocs()
	for i := range b.N {
		s.Token(i)
	}
}
