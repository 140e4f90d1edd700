package auth

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/golang-jwt/jwt/v5"
)

const testSecret = "0123456789abcdef0123456789abcdef"

func newVerifier(t testing.TB, cfg Config) *Verifier {
	t.Helper()
	v, err := NewVerifier(cfg)
	if err != nil {
		t.Fatalf("NewVerifier() = %v, want nil", err)
	}
	return v
}

// signRaw signs header and claims as they are given, whatever they hold.
func signRaw(t testing.TB, header, claims string, method jwt.SigningMethod, key any) string {
	t.Helper()
	enc := base64.RawURLEncoding
	text := enc.EncodeToString([]byte(header)) + "." + enc.EncodeToString([]byte(claims))
	signature, err := method.Sign(text, key)
	if err != nil {
		t.Fatalf("sign %s: %v", claims, err)
	}
	return text + "." + enc.EncodeToString(signature)
}

// signClaims signs claims with HS256 and testSecret.
func signClaims(t testing.TB, claims string) string {
	t.Helper()
	return signRaw(t, `{"alg":"HS256","typ":"JWT"}`, claims, jwt.SigningMethodHS256, []byte(testSecret))
}

// keys are one private key of each kind, and one that is too small.
type keys struct {
	rsa, small *rsa.PrivateKey
	p256, p384 *ecdsa.PrivateKey
	ed         ed25519.PrivateKey
}

// testKeys makes the keys once, as that takes a while.
var testKeys = sync.OnceValue(func() (k keys) {
	var errs [5]error
	k.rsa, errs[0] = rsa.GenerateKey(rand.Reader, 2048)
	k.small, errs[1] = rsa.GenerateKey(rand.Reader, 1024)
	k.p256, errs[2] = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	k.p384, errs[3] = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	_, k.ed, errs[4] = ed25519.GenerateKey(rand.Reader)
	for _, err := range errs {
		if err != nil {
			panic(err)
		}
	}
	return k
})

// writePEM writes one block to a file of the test and returns its name.
func writePEM(t testing.TB, blockType string, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "key.pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: blockType, Bytes: content}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func writePublicKey(t testing.TB, key crypto.Signer) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return writePEM(t, "PUBLIC KEY", der)
}

func toJSON(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// holdsPartOf reports whether text repeats 12 bytes or more of token.
func holdsPartOf(text, token string) bool {
	for i := 0; i+12 <= len(token); i++ {
		if strings.Contains(text, token[i:i+12]) {
			return true
		}
	}
	return false
}
