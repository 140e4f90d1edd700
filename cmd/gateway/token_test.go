package main

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ginforge/gateway/session/auth"
)

// verify checks a token as a gateway with the configuration would.
func verify(t *testing.T, cfg Config, token string) auth.Identity {
	t.Helper()
	v, err := auth.NewVerifier(authConfig(cfg))
	if err != nil {
		t.Fatal(err)
	}
	id, err := v.Verify(token)
	if err != nil {
		t.Fatalf("Verify: %v", err)
	}
	return id
}

func TestToken_IsTakenByAGatewayOfTheSameConfiguration(t *testing.T) {
	for name, set := range map[string][]string{
		"default":             nil,
		"other algorithm":     {"jwt.algorithms=HS512,HS256"},
		"issuer and audience": {"jwt.issuer=https://login.example.com", "jwt.audience=gateway"},
	} {
		t.Run(name, func(t *testing.T) {
			args := []string{"token", "--user", "u1", "--name", "Ann", "--ttl", "5m", "--room", "chat:1", "--room", "chat:2"}
			src := sources{environ: []string{testSecret}}
			for _, s := range set {
				args = append(args, "--set", s)
				key, value, _ := strings.Cut(s, "=")
				src.flags = append(src.flags, setting{"--set", key, value})
			}
			r := command(t, src.environ, "", args...)
			if r.err != nil || r.errOut != "" {
				t.Fatalf("token = %+v", r)
			}
			cfg, _, err := src.load()
			if err != nil {
				t.Fatal(err)
			}
			id := verify(t, cfg, strings.TrimSuffix(r.out, "\n"))
			if id.UserID != "u1" || id.Name != "Ann" || !slices.Equal(id.Rooms, []string{"chat:1", "chat:2"}) {
				t.Errorf("the token is %+v's", id)
			}
			if left := time.Until(id.Expires); left < 4*time.Minute || left > 5*time.Minute+cfg.JWT.Leeway {
				t.Errorf("the token expires in %v, want 5m", left)
			}
		})
	}
}

func TestToken_DevelopmentSecretIsKnownToAllProcesses(t *testing.T) {
	r := command(t, nil, "", "token", "--development", "--user", "u1")
	if r.err != nil || !strings.Contains(r.errOut, "development secret") {
		t.Fatalf("token = %+v, want a note about the secret", r)
	}
	cfg := DefaultConfig()
	cfg.Development = true
	if id := verify(t, cfg, strings.TrimSuffix(r.out, "\n")); id.UserID != "u1" || id.Name != "u1" {
		t.Errorf("the token is %+v's, want u1's", id)
	}
}

func TestToken_Refuses(t *testing.T) {
	for name, tt := range map[string]struct {
		environ []string
		args    []string
		want    string
	}{
		"no user":    {[]string{testSecret}, nil, `required flag(s) "user" not set`},
		"empty user": {[]string{testSecret}, []string{"--user", ""}, "signing the token"},
		"no secret":  {nil, []string{"--user", "u1"}, "jwt.secret must be set"},
		"past":       {[]string{testSecret}, []string{"--user", "u1", "--ttl", "-1s"}, "--ttl must be 0s"},
	} {
		t.Run(name, func(t *testing.T) {
			r := command(t, tt.environ, "", append([]string{"token"}, tt.args...)...)
			if r.err == nil || !strings.Contains(r.err.Error(), tt.want) || r.out != "" {
				t.Errorf("token = %+v, want an error with %q", r, tt.want)
			}
		})
	}
}

func TestSignToken_NeedsASharedSecret(t *testing.T) {
	cfg := DefaultConfig()
	cfg.JWT.Algorithms = []string{"ES256"}
	if _, err := signToken(cfg, auth.Identity{UserID: "u1"}, time.Minute); !errors.Is(err, errNoSigningKey) {
		t.Errorf("signToken = %v, want %v", err, errNoSigningKey)
	}
}
