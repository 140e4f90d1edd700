package auth

import (
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestConfig_Validate(t *testing.T) {
	t.Parallel()
	k := testKeys()
	rsaFile, p256File := writePublicKey(t, k.rsa), writePublicKey(t, k.p256)
	privateDER, err := x509.MarshalPKCS8PrivateKey(k.rsa)
	if err != nil {
		t.Fatal(err)
	}
	private := writePEM(t, "PRIVATE KEY", privateDER)
	noPEM := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(noPEM, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	missing := filepath.Join(t.TempDir(), "missing.pem")
	tests := map[string]struct {
		cfg  Config
		want string // "" for none, else what the error begins with
	}{
		"secret":              {Config{Secret: testSecret}, ""},
		"secret, all of them": {Config{Secret: testSecret, Algorithms: []string{"HS256", "HS384", "HS512"}}, ""},
		"RSA":                 {Config{Algorithms: []string{"RS256", "PS384"}, PublicKeyFile: rsaFile}, ""},
		"ECDSA":               {Config{Algorithms: []string{"ES256"}, PublicKeyFile: p256File}, ""},
		"both families":       {Config{Secret: testSecret, Algorithms: []string{"HS256", "RS256"}, PublicKeyFile: rsaFile}, ""},
		"nothing":             {Config{}, "jwt.secret: empty; HS256 wants 32 bytes or more"},
		"short secret":        {Config{Secret: testSecret[1:]}, "jwt.secret: 31 bytes; want 32 or more"},
		"secret for nothing":  {Config{Secret: testSecret, Algorithms: []string{"RS256"}, PublicKeyFile: rsaFile}, "jwt.secret: set, but jwt.algorithms lists none of HS256"},
		"unknown algorithm":   {Config{Secret: testSecret, Algorithms: []string{"HS256", "hs512"}}, `jwt.algorithms: "hs512"; want some of HS256, HS384,`},
		"none":                {Config{Secret: testSecret, Algorithms: []string{"HS256", "none"}}, `jwt.algorithms: "none"; want some of HS256`},
		"no key file":         {Config{Algorithms: []string{"ES256"}}, "jwt.public_key_file: empty; ES256 wants a PEM file"},
		"key file for HS":     {Config{Secret: testSecret, PublicKeyFile: rsaFile}, `jwt.public_key_file: "` + rsaFile + `", but jwt.algorithms lists only HS`},
		"key of another kind": {Config{Algorithms: []string{"RS256"}, PublicKeyFile: p256File}, `jwt.public_key_file: "` + p256File + `" holds an ECDSA key on P-256; RS256 wants an RSA key`},
		"two kinds of key":    {Config{Algorithms: []string{"ES256", "EdDSA"}, PublicKeyFile: p256File}, `jwt.public_key_file: "` + p256File + `" holds an ECDSA key on P-256; EdDSA wants an Ed25519 key`},
		"another curve":       {Config{Algorithms: []string{"ES512"}, PublicKeyFile: p256File}, `jwt.public_key_file: "` + p256File + `" holds an ECDSA key on P-256; ES512 wants an ECDSA key on P-521`},
		"small RSA key":       {Config{Algorithms: []string{"RS256"}, PublicKeyFile: writePublicKey(t, k.small)}, "jwt.public_key_file: "},
		"private key":         {Config{Algorithms: []string{"RS256"}, PublicKeyFile: private}, `jwt.public_key_file: "` + private + `": holds a private key`},
		"other PEM":           {Config{Algorithms: []string{"RS256"}, PublicKeyFile: writePEM(t, "X", nil)}, "jwt.public_key_file: "},
		"broken PEM":          {Config{Algorithms: []string{"RS256"}, PublicKeyFile: writePEM(t, "PUBLIC KEY", []byte("x"))}, "jwt.public_key_file: "},
		"broken certificate":  {Config{Algorithms: []string{"RS256"}, PublicKeyFile: writePEM(t, "CERTIFICATE", []byte("x"))}, "jwt.public_key_file: "},
		"no PEM":              {Config{Algorithms: []string{"RS256"}, PublicKeyFile: noPEM}, `jwt.public_key_file: "` + noPEM + `" holds no PEM block`},
		"missing file":        {Config{Algorithms: []string{"RS256"}, PublicKeyFile: missing}, "jwt.public_key_file: open " + missing},
		"negative leeway":     {Config{Secret: testSecret, Leeway: -time.Second}, "jwt.leeway: -1s; want 0s or more"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := tt.cfg.Validate()
			if got := errorText(err); (tt.want == "") != (err == nil) || !strings.HasPrefix(got, tt.want) {
				t.Fatalf("Validate() = %q, want %q", got, tt.want)
			}
			if _, newErr := NewVerifier(tt.cfg); errorText(newErr) != errorText(err) {
				t.Errorf("NewVerifier() = %v, want %v", newErr, err)
			}
			if err != nil && tt.cfg.Secret != "" && holdsPartOf(err.Error(), tt.cfg.Secret) {
				t.Errorf("Validate() = %v, which repeats the secret", err)
			}
		})
	}
}

func TestConfig_ValidateReportsAll(t *testing.T) {
	t.Parallel()
	err := Config{Secret: "short", Algorithms: []string{"HS256", "RS256", "x"}, Leeway: -1}.Validate()
	for _, key := range []string{"jwt.secret", "jwt.algorithms", "jwt.public_key_file", "jwt.leeway"} {
		if !strings.Contains(errorText(err), key) {
			t.Errorf("Validate() = %v, which does not name %s", err, key)
		}
	}
}
