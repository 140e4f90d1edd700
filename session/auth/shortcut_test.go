package auth

import (
	"reflect"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"
)

// taught returns a Verifier that has accepted a token of signClaims before.
func taught(t testing.TB) *Verifier {
	t.Helper()
	v := newVerifier(t, Config{Secret: testSecret, Algorithms: []string{"HS256", "HS384"}})
	if _, err := v.Verify(signClaims(t, `{"user_id":"teacher"}`)); err != nil {
		t.Fatalf("Verify() = %v, want nil", err)
	}
	return v
}

// takesShortcut reports whether v accepts token without the library's parser.
func takesShortcut(v *Verifier, token string) bool {
	done, err := v.shortcut.accept(token, func(*claims) error { return nil })
	return done && err == nil
}

func TestVerifier_TakesTheShortcutForAKnownHeaderOnly(t *testing.T) {
	t.Parallel()
	v := taught(t)
	good := signClaims(t, `{"user_id":"u1","exp":99999999999}`)
	parts := strings.Split(good, ".")
	other := signRaw(t, `{"typ":"JWT","alg":"HS256"}`, `{"user_id":"u1"}`, jwt.SigningMethodHS256, []byte(testSecret))
	tests := map[string]struct {
		token string
		want  bool
	}{
		"known header":           {good, true},
		"another header":         {other, false},
		"the header alone":       {parts[0], false},
		"the header and a dot":   {parts[0] + ".", false},
		"a longer header":        {parts[0] + "A." + parts[1] + "." + parts[2], false},
		"no signature":           {parts[0] + "." + parts[1], false},
		"an empty signature":     {parts[0] + "." + parts[1] + ".", false},
		"a part too many":        {good + ".x", false},
		"an empty part too many": {parts[0] + ".." + parts[1] + "." + parts[2], false},
		"another signature":      {parts[0] + "." + parts[1] + "." + parts[2][1:] + "A", false},
		"the secret of others":   {signRaw(t, `{"alg":"HS256","typ":"JWT"}`, `{}`, jwt.SigningMethodHS256, []byte("other")), false},
		"expired":                {signClaims(t, `{"user_id":"u1","exp":1}`), false},
		"broken claims":          {signClaims(t, `{"user_id":`), false},
		"claims and more":        {signClaims(t, `{"user_id":"u1"}"`), false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := takesShortcut(v, tt.token); got != tt.want {
				t.Errorf("shortcut = %v, want %v", got, tt.want)
			}
		})
	}
}

func TestVerifier_LearnsTheHeaderOfEachGoodToken(t *testing.T) {
	t.Parallel()
	v := taught(t)
	other := signRaw(t, `{"alg":"HS384"}`, `{"user_id":"u1"}`, jwt.SigningMethodHS384, []byte(testSecret))
	for range 2 {
		if id, err := v.Verify(other); err != nil || id.UserID != "u1" {
			t.Fatalf("Verify() = %+v, %v, want u1", id, err)
		}
	}
	if !takesShortcut(v, other) {
		t.Error("a second token under the same header takes the long way")
	}
}

// What one token leaves in a pooled state must not show in the next.
func TestVerifier_ShortcutKeepsNothingOfTheTokenBefore(t *testing.T) {
	t.Parallel()
	v := taught(t)
	full := signClaims(t, `{"user_id":"u1","username":"Ann","rooms":["a"],"caps":["b"],"exp":99999999999}`)
	first, err := v.Verify(full)
	if err != nil {
		t.Fatal(err)
	}
	second, err := v.Verify(signClaims(t, `{"user_id":"u2"}`))
	if err != nil {
		t.Fatal(err)
	}
	if want := (Identity{UserID: "u2", Name: "u2", Token: second.Token}); !reflect.DeepEqual(second, want) {
		t.Errorf("second token = %+v, want %+v", second, want)
	}
	if first.UserID != "u1" || first.Name != "Ann" || len(first.Rooms) != 1 || first.Rooms[0] != "a" {
		t.Errorf("first token became %+v", first)
	}
}

// FuzzVerifier_Shortcut signs whatever claims there are: with and without the
// shortcut the answer is the same.
func FuzzVerifier_Shortcut(f *testing.F) {
	long, short := newVerifier(f, Config{Secret: testSecret}), taught(f)
	for _, claims := range []string{
		`{"user_id":"u1","username":"Ann","exp":99999999999,"rooms":["a"],"caps":["*"]}`, `{"user_id":7,"nbf":1}`,
		`{"sub":"u\u0031","exp":1e10}`, `{"user_id":"u1","exp":-1}`, `{"user_id":"u1","aud":["x"],"iss":"y"}`, `null`, `{`, `{}"`,
	} {
		f.Add(claims)
	}
	f.Fuzz(func(t *testing.T, claims string) {
		token := signClaims(t, claims)
		long.shortcut.known.Store(nil)
		want, wantErr := long.Verify(token)
		got, err := short.Verify(token)
		if (err == nil) != (wantErr == nil) || err != nil && err.Error() != wantErr.Error() {
			t.Fatalf("claims %q: with the shortcut %v, without %v", claims, err, wantErr)
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("claims %q: with the shortcut %+v, without %+v", claims, got, want)
		}
	})
}
