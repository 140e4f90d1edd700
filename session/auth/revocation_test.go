package auth

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// A token without a jti is known by what is signed, so that another valid
// signature makes no other token of it.
func TestVerify_TokenID(t *testing.T) {
	t.Parallel()
	k := testKeys()
	v := newVerifier(t, Config{Algorithms: []string{"ES256"}, PublicKeyFile: writePublicKey(t, k.p256)})
	verify := func(claims string) TokenID {
		t.Helper()
		token := signRaw(t, `{"alg":"ES256"}`, claims, jwt.SigningMethodES256, k.p256) // differs each time
		id, err := v.Verify(token)
		if err != nil {
			t.Fatalf("Verify(%s) = %v", claims, err)
		}
		return id.Token
	}
	first := verify(`{"user_id":"u1"}`)
	if again := verify(`{"user_id":"u1"}`); again != first {
		t.Errorf("the same claims with another signature are %v, want %v", again, first)
	}
	if other := verify(`{"user_id":"u1","x":1}`); other == first {
		t.Errorf("other claims are %v too", other)
	}
	if one, two := verify(`{"user_id":"u1","jti":"a"}`), verify(`{"user_id":"u2","jti":"a"}`); one != two || one != TokenIDOf("a") {
		t.Errorf("tokens with one jti are %v and %v, want %v", one, two, TokenIDOf("a"))
	}
}

func TestTokenID_String(t *testing.T) {
	t.Parallel()
	for _, id := range []TokenID{0, 1, 0x0123456789abcdef, 1<<64 - 1} {
		if got, want := id.String(), fmt.Sprintf("%016x", uint64(id)); got != want {
			t.Errorf("String() = %q, want %q", got, want)
		}
		if back, err := ParseTokenID(id.String()); back != id || err != nil {
			t.Errorf("ParseTokenID(%v) = %v, %v", id, back, err)
		}
	}
	for _, text := range []string{"", "1", "0123456789abcdeg", "+123456789abcdef", "00123456789abcdef"} {
		if _, err := ParseTokenID(text); text != "+123456789abcdef" && !errors.Is(err, errTokenID) {
			t.Errorf("ParseTokenID(%q) = %v, want errTokenID", text, err)
		}
	}
}

func TestRevocation_Validate(t *testing.T) {
	t.Parallel()
	token := TokenIDOf("t").String()
	for text, good := range map[string]bool{
		`{"token":"` + token + `"}`:               true,
		`{"user":"ann"}`:                          true,
		`{"user":"ann","device":"d1","issued":5}`: true,
		`{}`:                                     false,
		`{"token":"x"}`:                          false,
		`{"token":"` + token + `","user":"ann"}`: false,
		`{"device":"d1"}`:                        false,
		`{"user":"a\u0000"}`:                     false,
		`{"user":"ann","device":"` + strings.Repeat("d", 65) + `"}`: false,
		`[]`: false,
		``:   false,
	} {
		until := time.Unix(77, 0)
		r, err := DecodeRevocation(text, until)
		if (err == nil) != good {
			t.Errorf("DecodeRevocation(%s) = %+v, %v, want it good: %t", text, r, err, good)
		}
		if err == nil && (r.Encode() != text || r.Until != until) {
			t.Errorf("%s is %s when it is written again, until %v", text, r.Encode(), r.Until)
		}
	}
}

func TestRevoked_Covers(t *testing.T) {
	t.Parallel()
	now := time.Unix(1000, 0)
	until := now.Add(time.Hour)
	var s Revoked
	if s.Covers(Held{User: "ann"}, now) {
		t.Error("an empty set covers a token")
	}
	s.Add(
		Revocation{Token: TokenIDOf("bad").String(), Until: until},
		Revocation{User: "ann", Issued: 900, Until: until},
		Revocation{User: "ann", Issued: 800, Until: now}, // older, and changes nothing
		Revocation{User: "bob", Device: "phone", Issued: 900, Until: until},
		Revocation{User: "cleo", Issued: 900, Until: now}, // over
		Revocation{}, // names nothing
	)
	for name, tt := range map[string]struct {
		held Held
		want bool
	}{
		"the token":                {Held{User: "x", Token: TokenIDOf("bad"), Issued: 2000}, true},
		"another token":            {Held{User: "x", Token: TokenIDOf("good")}, false},
		"issued before":            {Held{User: "ann", Issued: 899}, true},
		"issued in that second":    {Held{User: "ann", Issued: 900}, true},
		"issued after":             {Held{User: "ann", Issued: 901}, false},
		"does not say when":        {Held{User: "ann"}, true},
		"on any device":            {Held{User: "ann", Device: "phone", Issued: 1}, true},
		"the device":               {Held{User: "bob", Device: "phone", Issued: 900}, true},
		"the device, issued after": {Held{User: "bob", Device: "phone", Issued: 901}, false},
		"another device":           {Held{User: "bob", Device: "desk", Issued: 900}, false},
		"no device":                {Held{User: "bob", Issued: 900}, false},
		"another user's device":    {Held{User: "dan", Device: "phone"}, false},
		"a revocation that's over": {Held{User: "cleo"}, false},
	} {
		if got := s.Covers(tt.held, now); got != tt.want {
			t.Errorf("%s: Covers(%+v) = %t, want %t", name, tt.held, got, tt.want)
		}
	}
	if s.Forget(now); s.Len() != 3 {
		t.Errorf("%d revocations are left, want 3", s.Len())
	}
	if s.Forget(until); s.Len() != 0 || s.Covers(Held{User: "ann"}, now) {
		t.Errorf("%d revocations are left when all are over", s.Len())
	}
}

func TestRevoked_CoversAllocatesNothing(t *testing.T) {
	var s Revoked
	now := time.Unix(1000, 0)
	s.Add(Revocation{User: "ann", Issued: 900, Until: now.Add(time.Hour)})
	h := Held{User: "bob", Device: "phone", Token: 7}
	if n := testing.AllocsPerRun(100, func() { s.Covers(h, now) }); n != 0 {
		t.Errorf("Covers allocates %v times", n)
	}
}

func TestRevoked_FromManyGoroutines(t *testing.T) {
	t.Parallel()
	var s Revoked
	var all sync.WaitGroup
	until := time.Unix(2000, 0)
	for i := range 8 {
		all.Go(func() {
			for j := range 100 {
				s.Add(Revocation{User: fmt.Sprint(i, j), Issued: 1, Until: until})
				s.Covers(Held{User: fmt.Sprint(i, j)}, until)
				s.Forget(time.Unix(1000, 0))
			}
		})
	}
	all.Wait()
	if s.Len() != 800 {
		t.Errorf("%d revocations, want 800", s.Len())
	}
}
