package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/ginforge/gateway/pubsub/redistest"
)

// inAnHour is an exp that does not matter.
func inAnHour() int64 { return time.Now().Add(time.Hour).Unix() }

func TestServe_TokenIsTakenFromFourPlaces(t *testing.T) {
	t.Parallel()
	s := startSystem(t, func(c *Config) {
		c.JWT.Cookie = "session_token"
		c.Engine.Subprotocols = []string{"chat.v1"}
	})
	token := tokenOf("ann")
	for name, tt := range map[string]struct {
		query        string
		header       http.Header
		subprotocols []string
		confirmed    string
	}{
		"query":                     {query: "?token=" + token},
		"query among others":        {query: "?v=1&token=" + token + "&x=y"},
		"Authorization":             {header: header("Authorization", "Bearer "+token)},
		"Authorization, lower case": {header: header("Authorization", "bearer "+token)},
		"subprotocol":               {subprotocols: []string{"bearer", token}, confirmed: "bearer"},
		"cookie":                    {header: header("Cookie", "other=1; session_token="+token)},
		"query and a subprotocol":   {query: "?token=" + token, subprotocols: []string{"chat.v2", "chat.v1"}, confirmed: "chat.v1"},
		"query, unknown protocol":   {query: "?token=" + token, subprotocols: []string{"soap"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := s.a.mustDial(t, tt.query, &websocket.DialOptions{HTTPHeader: tt.header, Subprotocols: tt.subprotocols})
			c.greeted()
			if got := c.conn.Subprotocol(); c.user != "ann" || got != tt.confirmed {
				t.Errorf("connected as %q with subprotocol %q, want ann with %q", c.user, got, tt.confirmed)
			}
		})
	}
}

func TestServe_ClaimsSayWhoSomeoneIs(t *testing.T) {
	t.Parallel()
	s := startSystem(t, nil)
	for name, tt := range map[string]struct{ claims, user, userName string }{
		"user_id and username": {`{"user_id":"u1","username":"Ann"}`, "u1", "Ann"},
		"user_id before sub":   {`{"sub":"x","user_id":"u2"}`, "u2", "u2"},
		"sub":                  {`{"sub":"u3","name":"Bo"}`, "u3", "Bo"},
		"username before name": {`{"sub":"u4","name":"no","username":"Cy"}`, "u4", "Cy"},
		"number":               {`{"user_id":42}`, "42", "42"},
		"large number":         {`{"user_id":12345678901234567890}`, "12345678901234567890", "12345678901234567890"},
		"sub as a number":      {`{"sub":7,"username":"Di"}`, "7", "Di"},
		"number as others say": {`{"user_id":1.0e6}`, "1000000", "1000000"},
		"of all scripts":       {`{"user_id":"Zoë:我","username":"Zo\u00eb \ud83d\ude00"}`, "Zoë:我", "Zoë 😀"},
		"all times":            {`{"user_id":"u5","iat":1,"nbf":1,"exp":32503680000}`, "u5", "u5"},
	} {
		t.Run(name, func(t *testing.T) {
			c := s.a.connectWith(t, signRaw(`{"alg":"HS256"}`, tt.claims, jwtSecret))
			c.send(`{"type":"user_message","content":{"to":` + quote(tt.user) + `}}`)
			f := c.awaitType("user_message")
			if c.user != tt.user || f.From != tt.user || f.FromName != tt.userName {
				t.Errorf("welcome is for %q, messages are from %q (%q), want %q (%q)", c.user, f.From, f.FromName, tt.user, tt.userName)
			}
		})
	}
}

// refusedTokens are tokens that open nothing, by what a client is told.
func refusedTokens() map[string]struct {
	token string
	code  websocket.StatusCode
} {
	type refused = struct {
		token string
		code  websocket.StatusCode
	}
	good := tokenOf("mallory")
	head, signature := good[:strings.LastIndexByte(good, '.')+1], good[strings.LastIndexByte(good, '.')+1:]
	other := tokenOf("other")
	return map[string]refused{
		"none at all":        {"", 4001},
		"garbage":            {remember("this-is-not-a-token-at-all"), 4001},
		"two parts":          {remember(strings.TrimSuffix(head, ".")), 4001},
		"no signature":       {remember(head), 4001},
		"foreign signature":  {remember(head + other[strings.LastIndexByte(other, '.')+1:]), 4001},
		"foreign claims":     {remember(other[:strings.LastIndexByte(other, '.')+1] + signature), 4001},
		"other secret":       {signRaw(`{"alg":"HS256"}`, `{"user_id":"m"}`, "another-secret-of-at-least-32-bytes!"), 4001},
		"alg none":           {remember(unsigned(`{"alg":"none"}`, `{"user_id":"m"}`)), 4001},
		"alg NONE, signed":   {signRaw(`{"alg":"NONE"}`, `{"user_id":"m"}`, jwtSecret), 4001},
		"alg not configured": {signRaw(`{"alg":"HS512"}`, `{"user_id":"m"}`, jwtSecret), 4001},
		"no alg":             {signRaw(`{"typ":"JWT"}`, `{"user_id":"m"}`, jwtSecret), 4001},
		"too long":           {signRaw(`{"alg":"HS256"}`, `{"user_id":"m","x":"`+strings.Repeat("x", 9000)+`"}`, jwtSecret), 4001},
		"nobody":             {sign(map[string]any{"exp": inAnHour()}), 4001},
		"empty user":         {sign(map[string]any{"user_id": ""}), 4001},
		"user is an object":  {sign(map[string]any{"user_id": map[string]string{"id": "m"}}), 4001},
		"user is too long":   {sign(map[string]any{"user_id": strings.Repeat("m", 129)}), 4001},
		"user with newline":  {sign(map[string]any{"user_id": "m\nm"}), 4001},
		"not yet valid":      {sign(map[string]any{"user_id": "m", "nbf": inAnHour()}), 4001},
		"bad rooms":          {sign(map[string]any{"user_id": "m", "rooms": "chat:1"}), 4001},
		"bad caps":           {sign(map[string]any{"user_id": "m", "caps": 1}), 4001},
		"expired":            {sign(map[string]any{"user_id": "m", "exp": time.Now().Add(-time.Minute).Unix()}), 4300},
		"expired, forged":    {signRaw(`{"alg":"HS256"}`, `{"user_id":"m","exp":1}`, "another-secret-of-at-least-32-bytes!"), 4001},
	}
}

// unsigned makes a token without a signature.
func unsigned(header, claims string) string {
	enc := base64.RawURLEncoding
	return enc.EncodeToString([]byte(header)) + "." + enc.EncodeToString([]byte(claims)) + "."
}

// TestServe_RefusedTokens shows both answers to each: a WebSocket client is
// upgraded and told by a close code, a plain one by a status.
func TestServe_RefusedTokens(t *testing.T) {
	t.Parallel()
	s := startSystem(t, nil)
	for name, tt := range refusedTokens() {
		t.Run(name, func(t *testing.T) {
			c := s.a.mustDial(t, "?token="+tt.token, nil)
			if r := c.closed(tt.code); r.Reason == "" || r.DelayMS != nil {
				t.Errorf("the close reason is %+v, want a reason and no delay", r)
			}
			if len(c.pending) > 0 {
				t.Errorf("got %s before the close", listed(c.pending))
			}
			checkJSONError(t, s.a.get(t, "/ws?token="+tt.token), http.StatusUnauthorized)
			checkJSONError(t, s.a.get(t, "/ws", "Authorization", "Bearer "+tt.token), http.StatusUnauthorized)
		})
	}
	if got := s.a.metric(t, `gateway_handshakes_total{result="expired"}`); got < 1 {
		t.Errorf("%v expired tokens are counted, want some", got)
	}
}

// TestServe_RefusalConfirmsTheSubprotocol matters to browsers: they give up a
// handshake that takes none of their subprotocols, and would not see the code.
func TestServe_RefusalConfirmsTheSubprotocol(t *testing.T) {
	t.Parallel()
	s := startSystem(t, nil)
	c := s.a.mustDial(t, "", &websocket.DialOptions{Subprotocols: []string{"bearer", remember("an.expired-or-mistyped.token-of-some-kind")}})
	if got := c.conn.Subprotocol(); got != "bearer" {
		t.Errorf("the subprotocol is %q, want bearer", got)
	}
	c.closed(4001)
}

func TestServe_PlainRequestWithATokenIsAskedToUpgrade(t *testing.T) {
	t.Parallel()
	s := startSystem(t, nil)
	got := s.a.get(t, "/ws?token="+tokenOf("ann"))
	checkJSONError(t, got, http.StatusUpgradeRequired)
	if got.header.Get("Upgrade") != "websocket" {
		t.Errorf("426 comes with Upgrade: %q, want websocket", got.header.Get("Upgrade"))
	}
}

// checkJSONError checks an answer of the kind {"code":401,"message":".."}.
func checkJSONError(t *testing.T, got answer, status int) {
	t.Helper()
	var body struct {
		Code    int
		Message string
	}
	if err := json.Unmarshal([]byte(got.body), &body); err != nil {
		t.Fatalf("the body %q is not JSON: %v", got.body, err)
	}
	if got.status != status || body.Code != status || body.Message == "" {
		t.Errorf("the answer is %d %s, want %d twice and a message", got.status, got.body, status)
	}
	if typ := got.header.Get("Content-Type"); typ != "application/json" {
		t.Errorf("the answer is %s, want application/json", typ)
	}
}

func TestServe_ExpiryEndsTheConnection(t *testing.T) {
	t.Parallel()
	s := startSystem(t, nil)
	staying := s.a.connectWith(t, sign(map[string]any{"user_id": "ann", "exp": inAnHour()}))
	redistest.InTime(t, 5*time.Second, func(t *redistest.Attempt, life time.Duration) {
		exp := time.Now().Add(life).Truncate(time.Second)
		t.By(exp)
		expiring := s.a.connectWith(t, sign(map[string]any{"user_id": "ann", "exp": exp.Unix()}))
		expiring.join("chat:1")
		t.InTime()

		expiring.longer = life
		if r := expiring.closed(4300); r.Reason != "expired" {
			t.Errorf("the close reason is %+v, want expired", r)
		}
		if late := time.Since(exp); late < 0 || late > patience {
			t.Errorf("the connection was closed %v after exp, want soon after", late)
		}
	})
	staying.alive()
}

// TestServe_PublicKeysIssuerAndAudience runs a node that can check tokens but
// not make them.
func TestServe_PublicKeysIssuerAndAudience(t *testing.T) {
	t.Parallel()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	key := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	file := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(file, key, 0o600); err != nil {
		t.Fatal(err)
	}
	s := startSystem(t, func(c *Config) {
		c.JWT = JWTConfig{Algorithms: []string{"EdDSA"}, PublicKeyFile: file, Issuer: "https://login.example.com", Audience: "gateway"}
	})
	signed := func(claims string) string {
		text := strings.TrimSuffix(unsigned(`{"alg":"EdDSA"}`, claims), ".")
		return remember(text + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(private, []byte(text))))
	}

	c := s.a.connectWith(t, signed(`{"user_id":"ann","iss":"https://login.example.com","aud":["web","gateway"]}`))
	if c.user != "ann" {
		t.Errorf("connected as %q, want ann", c.user)
	}
	const good = `{"user_id":"m","iss":"https://login.example.com","aud":"gateway"}`
	for name, token := range map[string]string{
		"other issuer":      signed(`{"user_id":"m","iss":"https://evil.example.com","aud":"gateway"}`),
		"no issuer":         signed(`{"user_id":"m","aud":"gateway"}`),
		"other audience":    signed(`{"user_id":"m","iss":"https://login.example.com","aud":["web"]}`),
		"the key as secret": signRaw(`{"alg":"HS256"}`, good, string(key)),
		"key bytes as one":  signRaw(`{"alg":"HS256"}`, good, string(public)),
		"a secret":          signRaw(`{"alg":"HS256"}`, good, jwtSecret),
	} {
		t.Run(name, func(t *testing.T) {
			s.b.mustDial(t, "?token="+token, nil).closed(4001)
		})
	}
}
