package auth

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

func TestVerifier_Verify(t *testing.T) {
	t.Parallel()
	v := newVerifier(t, Config{Secret: testSecret, Algorithms: []string{"HS256", "HS384"}})
	good := signClaims(t, `{"user_id":"u1"}`)
	long := signClaims(t, `{"user_id":"u1","x":"`+strings.Repeat("x", maxTokenBytes)+`"}`)
	parts := strings.Split(good, ".")
	tests := map[string]struct {
		token string
		want  error
		text  string
	}{
		"good":              {good, nil, ""},
		"empty":             {"", ErrMissing, "auth: no token"},
		"too long":          {long, ErrInvalid, "auth: invalid token: longer than 8192 bytes"},
		"text":              {"not-a-token-at-all", ErrInvalid, "auth: invalid token: malformed"},
		"two parts":         {parts[0] + "." + parts[1], ErrInvalid, "auth: invalid token: malformed"},
		"four parts":        {good + ".x", ErrInvalid, "auth: invalid token: malformed"},
		"space around":      {" " + good, ErrInvalid, "auth: invalid token: malformed"},
		"no signature":      {parts[0] + "." + parts[1] + ".", ErrInvalid, "auth: invalid token: wrong signature or algorithm"},
		"other claims":      {parts[0] + "." + strings.Split(signClaims(t, `{"user_id":"u2"}`), ".")[1] + "." + parts[2], ErrInvalid, "auth: invalid token: wrong signature or algorithm"},
		"other secret":      {signRaw(t, `{"alg":"HS256"}`, `{"user_id":"u1"}`, jwt.SigningMethodHS256, []byte("other")), ErrInvalid, "auth: invalid token: wrong signature or algorithm"},
		"second algorithm":  {signRaw(t, `{"alg":"HS384"}`, `{"user_id":"u1"}`, jwt.SigningMethodHS384, []byte(testSecret)), nil, ""},
		"not in the list":   {signRaw(t, `{"alg":"HS512"}`, `{"user_id":"u1"}`, jwt.SigningMethodHS512, []byte(testSecret)), ErrInvalid, "auth: invalid token: wrong signature or algorithm"},
		"alg none":          {signRaw(t, `{"alg":"none"}`, `{"user_id":"u1"}`, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType), ErrInvalid, "auth: invalid token: wrong signature or algorithm"},
		"alg unknown":       {signRaw(t, `{"alg":"HS1"}`, `{"user_id":"u1"}`, jwt.SigningMethodHS256, []byte(testSecret)), ErrInvalid, "auth: invalid token: unknown algorithm"},
		"alg missing":       {signRaw(t, `{}`, `{"user_id":"u1"}`, jwt.SigningMethodHS256, []byte(testSecret)), ErrInvalid, "auth: invalid token: unknown algorithm"},
		"critical header":   {signRaw(t, `{"alg":"HS256","crit":["b64"],"b64":false}`, `{"user_id":"u1"}`, jwt.SigningMethodHS256, []byte(testSecret)), ErrInvalid, "auth: invalid token: critical header extension"},
		"claims not UTF-8":  {signClaims(t, "{\"user_id\":\"u\xff\"}"), ErrInvalid, "auth: invalid token: claims are not UTF-8"},
		"claims null":       {signClaims(t, `null`), ErrInvalid, "auth: invalid token: " + errUserID.Error()},
		"claims an array":   {signClaims(t, `["u1"]`), ErrInvalid, "auth: invalid token: malformed"},
		"claims broken":     {signClaims(t, `{"user_id":"u1"`), ErrInvalid, "auth: invalid token: malformed"},
		"exp not a date":    {signClaims(t, `{"user_id":"u1","exp":"soon"}`), ErrInvalid, "auth: invalid token: malformed"},
		"exp beyond floats": {signClaims(t, `{"user_id":"u1","exp":1e999}`), ErrInvalid, "auth: invalid token: malformed"},
		"exp in 1970":       {signClaims(t, `{"user_id":"u1","exp":0}`), ErrExpired, "auth: token expired"},
		"exp beyond ints":   {signClaims(t, `{"user_id":"u1","exp":1e300}`), ErrExpired, "auth: token expired"},
		"nbf far away":      {signClaims(t, `{"user_id":"u1","nbf":99999999999}`), ErrInvalid, "auth: invalid token: not valid yet"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			id, err := v.Verify(tt.token)
			if !errors.Is(err, tt.want) || (err != nil && err.Error() != tt.text) {
				t.Fatalf("Verify() = %v, want %s", err, tt.text)
			}
			if err == nil && id.UserID != "u1" {
				t.Errorf("UserID = %q, want u1", id.UserID)
			}
			if err != nil && holdsPartOf(err.Error(), tt.token) {
				t.Errorf("Verify() = %v, which repeats the token", err)
			}
		})
	}
}

func TestVerifier_Times(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		v := newVerifier(t, Config{Secret: testSecret, Leeway: 5 * time.Second})
		token, err := Sign(testSecret, "HS256", Identity{UserID: "u1"}, time.Minute, "", "")
		if err != nil {
			t.Fatal(err)
		}
		id, err := v.Verify(token)
		if err != nil {
			t.Fatalf("Verify() = %v, want nil", err)
		}
		if got := time.Until(id.Expires); got != 65*time.Second {
			t.Errorf("expires in %v, want 1m5s: what is left and the leeway", got)
		}
		time.Sleep(time.Until(id.Expires) - time.Nanosecond) // the bubble's clock
		if _, err := v.Verify(token); err != nil {
			t.Errorf("just before the end Verify() = %v, want nil", err)
		}
		time.Sleep(time.Nanosecond)
		if _, err := v.Verify(token); !errors.Is(err, ErrExpired) || errors.Is(err, ErrInvalid) {
			t.Errorf("at the end Verify() = %v, want ErrExpired alone", err)
		}

		future := signClaims(t, toJSON(t, map[string]any{"user_id": "u1", "nbf": time.Now().Add(6 * time.Second).Unix()}))
		if _, err := v.Verify(future); !errors.Is(err, ErrInvalid) {
			t.Errorf("before nbf Verify() = %v, want ErrInvalid", err)
		}
		time.Sleep(time.Second)
		if id, err := v.Verify(future); err != nil || !id.Expires.IsZero() {
			t.Errorf("Verify() = %v, %v, want no error and no end", id, err)
		}
	})
}

func TestVerifier_IssuerAndAudience(t *testing.T) {
	t.Parallel()
	v := newVerifier(t, Config{Secret: testSecret, Issuer: "login", Audience: "gateway"})
	tests := map[string]struct{ claims, want string }{
		"both":              {`{"user_id":"u1","iss":"login","aud":"gateway"}`, ""},
		"one of several":    {`{"user_id":"u1","iss":"login","aud":["api","gateway"]}`, ""},
		"other issuer":      {`{"user_id":"u1","iss":"x","aud":"gateway"}`, "auth: invalid token: wrong issuer"},
		"other audience":    {`{"user_id":"u1","iss":"login","aud":"api"}`, "auth: invalid token: wrong audience"},
		"no issuer":         {`{"user_id":"u1","aud":"gateway"}`, "auth: invalid token: no issuer or audience"},
		"no audience":       {`{"user_id":"u1","iss":"login"}`, "auth: invalid token: no issuer or audience"},
		"names differ":      {`{"user_id":"u1","ISS":"login","AUD":"gateway"}`, "auth: invalid token: no issuer or audience"},
		"expired and wrong": {`{"user_id":"u1","iss":"x","aud":"gateway","exp":1}`, "auth: invalid token: wrong issuer"},
		"expired":           {`{"user_id":"u1","iss":"login","aud":"gateway","exp":1}`, "auth: token expired"},
		"aud a number":      {`{"user_id":"u1","iss":"login","aud":7}`, "auth: invalid token: malformed"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := v.Verify(signClaims(t, tt.claims))
			if got := errorText(err); got != tt.want {
				t.Errorf("Verify(%s) = %q, want %q", tt.claims, got, tt.want)
			}
		})
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestVerifier_PublicKeys(t *testing.T) {
	t.Parallel()
	k := testKeys()
	tests := map[string]struct {
		file   string
		method jwt.SigningMethod
		key    any
	}{
		"RS256": {writePublicKey(t, k.rsa), jwt.SigningMethodRS256, k.rsa},
		"PS512": {writePublicKey(t, k.rsa), jwt.SigningMethodPS512, k.rsa},
		"PKCS1": {writePEM(t, "RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&k.rsa.PublicKey)), jwt.SigningMethodRS256, k.rsa},
		"ES256": {writePublicKey(t, k.p256), jwt.SigningMethodES256, k.p256},
		"ES384": {writePublicKey(t, k.p384), jwt.SigningMethodES384, k.p384},
		"EdDSA": {writePublicKey(t, k.ed), jwt.SigningMethodEdDSA, k.ed},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			alg := tt.method.Alg()
			v := newVerifier(t, Config{Algorithms: []string{alg}, PublicKeyFile: tt.file})
			token := signRaw(t, `{"alg":"`+alg+`"}`, `{"user_id":"u1"}`, tt.method, tt.key)
			if id, err := v.Verify(token); err != nil || id.UserID != "u1" {
				t.Errorf("Verify() = %v, %v, want u1", id, err)
			}
			if _, err := v.Verify(signClaims(t, `{"user_id":"u1"}`)); !errors.Is(err, ErrInvalid) {
				t.Errorf("Verify(HS256) = %v, want ErrInvalid", err)
			}
		})
	}
}

// TestVerifier_AlgorithmConfusion signs with the public key, which everybody
// may have, as if it were the secret.
func TestVerifier_AlgorithmConfusion(t *testing.T) {
	t.Parallel()
	k := testKeys()
	file := writePublicKey(t, k.rsa)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	for name, cfg := range map[string]Config{
		"public key alone": {Algorithms: []string{"RS256"}, PublicKeyFile: file},
		"both families":    {Algorithms: []string{"RS256", "HS256"}, PublicKeyFile: file, Secret: testSecret},
	} {
		v := newVerifier(t, cfg)
		for _, key := range [][]byte{text, block.Bytes, k.rsa.N.Bytes(), {}} {
			token := signRaw(t, `{"alg":"HS256"}`, `{"user_id":"root"}`, jwt.SigningMethodHS256, key)
			if _, err := v.Verify(token); !errors.Is(err, ErrInvalid) {
				t.Errorf("%s: Verify() = %v, want ErrInvalid", name, err)
			}
		}
	}
}

func TestVerifier_BothFamilies(t *testing.T) {
	t.Parallel()
	k := testKeys()
	v := newVerifier(t, Config{Algorithms: []string{"ES256", "HS256"}, PublicKeyFile: writePublicKey(t, k.p256), Secret: testSecret})
	for _, token := range []string{
		signClaims(t, `{"user_id":"u1"}`),
		signRaw(t, `{"alg":"ES256"}`, `{"user_id":"u1"}`, jwt.SigningMethodES256, k.p256),
	} {
		if _, err := v.Verify(token); err != nil {
			t.Errorf("Verify() = %v, want nil", err)
		}
	}
}

func FuzzVerifier_Verify(f *testing.F) {
	v := newVerifier(f, Config{Secret: testSecret})
	f.Add(signClaims(f, `{"user_id":"u1","rooms":["a"],"caps":["*"]}`))
	f.Add("a.b.c")
	f.Add(signRaw(f, `{"alg":"none"}`, `{"user_id":"u1"}`, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType))
	f.Fuzz(func(t *testing.T, token string) {
		id, err := v.Verify(token)
		switch {
		case err == nil && !ValidUserID(id.UserID):
			t.Errorf("Verify() = %+v", id)
		case err != nil && !errors.Is(err, ErrInvalid) && !errors.Is(err, ErrMissing) && !errors.Is(err, ErrExpired):
			t.Errorf("Verify() = %v, want one of the package's errors", err)
		}
	})
}

func BenchmarkVerifier_Verify(b *testing.B) {
	v := newVerifier(b, Config{Secret: testSecret})
	token := signClaims(b, `{"user_id":"user_123","username":"Ann","exp":99999999999,"rooms":["chat:lobby"]}`)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.Verify(token); err != nil {
			b.Fatal(err)
		}
	}
}
