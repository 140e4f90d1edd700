package auth

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestSign_RoundTrip(t *testing.T) {
	t.Parallel()
	caps, err := NewCaps([]string{"chat:*"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := Identity{UserID: "u1", Name: "Ann <ü>", Rooms: []string{"chat:lobby"}, Caps: caps}
	for _, alg := range []string{"HS256", "HS384", "HS512"} {
		token, err := Sign(testSecret, alg, want, 0, "login", "gateway")
		if err != nil {
			t.Fatalf("Sign(%s) = %v, want nil", alg, err)
		}
		v := newVerifier(t, Config{Secret: testSecret, Algorithms: []string{alg}, Issuer: "login", Audience: "gateway"})
		got, err := v.Verify(token)
		if err != nil {
			t.Fatalf("Verify(%s) = %v, want nil", alg, err)
		}
		if got.Caps == nil || !got.Caps.CanJoin("chat:a") || got.Caps.CanPublish("chat:a") {
			t.Errorf("Verify(%s): caps %+v, want %+v", alg, got.Caps, caps)
		}
		if since := time.Since(got.Issued); since < 0 || since > time.Minute || got.Token == 0 {
			t.Errorf("Verify(%s): issued at %v with id %v, want just now and an id", alg, got.Issued, got.Token)
		}
		got.Issued, got.Token = time.Time{}, 0
		if got.Caps = caps; !reflect.DeepEqual(got, want) {
			t.Errorf("Verify(%s) = %+v, want %+v", alg, got, want)
		}
	}
}

func TestSign_Refuses(t *testing.T) {
	t.Parallel()
	ann := Identity{UserID: "u1"}
	tests := map[string]struct {
		secret, alg string
		id          Identity
		ttl         time.Duration
		want        string
	}{
		"public-key algorithm": {testSecret, "RS256", ann, 0, `auth: "RS256" does not sign with a secret`},
		"none":                 {testSecret, "none", ann, 0, `auth: "none" does not sign with a secret`},
		"unknown HS":           {testSecret, "HS1", ann, 0, `jwt.algorithms: "HS1"`},
		"short secret":         {"short", "HS256", ann, 0, "jwt.secret: 5 bytes"},
		"negative ttl":         {testSecret, "HS256", ann, -time.Second, "auth: a token cannot live for -1s"},
		"nobody":               {testSecret, "HS256", Identity{}, 0, "auth: invalid token: user_id"},
		"bad room":             {testSecret, "HS256", Identity{UserID: "u1", Rooms: []string{""}}, 0, "auth: invalid token: rooms"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			token, err := Sign(tt.secret, tt.alg, tt.id, tt.ttl, "", "")
			if token != "" || !strings.HasPrefix(errorText(err), tt.want) {
				t.Errorf("Sign() = %q, %v, want %s", token, err, tt.want)
			}
		})
	}
	if _, err := Sign(testSecret, "HS256", Identity{UserID: "u1"}, time.Nanosecond, "", ""); !errors.Is(err, ErrExpired) {
		t.Errorf("Sign() for a nanosecond = %v, want ErrExpired", err)
	}
}
