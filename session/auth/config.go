package auth

import (
	"crypto"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// minSecretBytes is the size of the output of SHA-256. RFC 7518 section 3.2
// asks for a secret that is no shorter than that of HS256.
const minSecretBytes = 32

// algorithms are all that Config.Algorithms may list.
var algorithms = []string{
	"HS256", "HS384", "HS512",
	"RS256", "RS384", "RS512", "PS256", "PS384", "PS512",
	"ES256", "ES384", "ES512", "EdDSA",
}

// Config says which tokens are good. Its errors call the fields by their
// configuration keys, such as jwt.public_key_file.
type Config struct {
	Secret        string        // of the HS algorithms, at least 32 bytes
	Algorithms    []string      // that tokens may be signed with; empty means HS256
	PublicKeyFile string        // PEM file with the key of the other algorithms
	Issuer        string        // that iss must be, unless empty
	Audience      string        // that aud must contain, unless empty
	Leeway        time.Duration // by which clocks may differ, for exp and nbf
	Cookie        string        // that may carry the token, for FromRequest; empty: none
}

// Validate reports everything that is wrong with c. It reads the key file.
func (c Config) Validate() error {
	_, err := c.publicKey()
	return errors.Join(c.validateAlgorithms(), c.validateSecret(), err, c.validateLeeway())
}

func (c Config) validateAlgorithms() error {
	for _, alg := range c.Algorithms {
		if !slices.Contains(algorithms, alg) {
			return fmt.Errorf("jwt.algorithms: %q; want some of %s", alg, strings.Join(algorithms, ", "))
		}
	}
	return nil
}

func (c Config) validateSecret() error {
	switch n := len(c.Secret); {
	case c.hmacAlgorithm() == "" && n > 0:
		return errors.New("jwt.secret: set, but jwt.algorithms lists none of HS256, HS384, HS512 that it is for")
	case c.hmacAlgorithm() != "" && n == 0:
		return fmt.Errorf("jwt.secret: empty; %s wants %d bytes or more", c.hmacAlgorithm(), minSecretBytes)
	case n > 0 && n < minSecretBytes:
		return fmt.Errorf("jwt.secret: %d bytes; want %d or more", n, minSecretBytes)
	}
	return nil
}

func (c Config) validateLeeway() error {
	if c.Leeway < 0 {
		return fmt.Errorf("jwt.leeway: %v; want 0s or more", c.Leeway)
	}
	return nil
}

// publicKey reads the key of the algorithms that need one, and checks that it
// is of their kind. It is nil when there are no such algorithms.
func (c Config) publicKey() (crypto.PublicKey, error) {
	var wanted []string
	for _, alg := range c.allowed() {
		if slices.Contains(algorithms, alg) && !isHMAC(alg) {
			wanted = append(wanted, alg)
		}
	}
	switch {
	case len(wanted) == 0 && c.PublicKeyFile == "":
		return nil, nil
	case len(wanted) == 0:
		return nil, fmt.Errorf("jwt.public_key_file: %q, but jwt.algorithms lists only HS algorithms; "+
			"want the key's there, such as RS256, ES256 or EdDSA", c.PublicKeyFile)
	case c.PublicKeyFile == "":
		return nil, fmt.Errorf("jwt.public_key_file: empty; %s wants a PEM file with the public key", wanted[0])
	}
	key, err := readPublicKey(c.PublicKeyFile)
	if err != nil {
		return nil, fmt.Errorf("jwt.public_key_file: %w", err)
	}
	for _, alg := range wanted {
		if want := keyKind(alg); kindOf(key) != want {
			return nil, fmt.Errorf("jwt.public_key_file: %q holds %s; %s wants %s", c.PublicKeyFile, kindOf(key), alg, want)
		}
	}
	return key, nil
}

// allowed returns the algorithms, which are never none.
func (c Config) allowed() []string {
	if len(c.Algorithms) == 0 {
		return []string{jwt.SigningMethodHS256.Alg()}
	}
	return c.Algorithms
}

// hmacAlgorithm returns the first algorithm that the secret is for, or "".
func (c Config) hmacAlgorithm() string {
	i := slices.IndexFunc(c.allowed(), isHMAC)
	if i < 0 {
		return ""
	}
	return c.allowed()[i]
}

func isHMAC(alg string) bool { return strings.HasPrefix(alg, "HS") }
