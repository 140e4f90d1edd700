package auth

import (
	"crypto"
	"errors"
	"fmt"

	"github.com/golang-jwt/jwt/v5"
)

// maxTokenBytes bounds the work that an unsigned token can cause.
const maxTokenBytes = 8 << 10

var (
	// ErrMissing is returned when there is no token.
	ErrMissing = errors.New("auth: no token")
	// ErrInvalid is returned for a token that will never be good.
	ErrInvalid = errors.New("auth: invalid token")
	// ErrExpired is returned for a token that has been good.
	ErrExpired = errors.New("auth: token expired")
)

// errCritical is returned for a token whose header says that it must not be
// used by who does not know an extension (RFC 7515 section 4.1.11).
var errCritical = errors.New("critical header extension")

// Verifier checks tokens. Any goroutine may use it.
type Verifier struct {
	cfg       Config
	parser    *jwt.Parser
	secret    []byte           // for the HS algorithms alone
	publicKey crypto.PublicKey // for the others alone
	shortcut  shortcut
}

// NewVerifier returns a Verifier for cfg, or what Validate says of it.
func NewVerifier(cfg Config) (*Verifier, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	key, err := cfg.publicKey()
	if err != nil {
		return nil, err
	}
	options := []jwt.ParserOption{
		jwt.WithValidMethods(cfg.allowed()), jwt.WithLeeway(cfg.Leeway), jwt.WithStrictDecoding(),
	}
	if cfg.Issuer != "" {
		options = append(options, jwt.WithIssuer(cfg.Issuer))
	}
	if cfg.Audience != "" {
		options = append(options, jwt.WithAudience(cfg.Audience))
	}
	v := &Verifier{cfg: cfg, parser: jwt.NewParser(options...), secret: []byte(cfg.Secret), publicKey: key}
	v.shortcut.secret, v.shortcut.validator = v.secret, jwt.NewValidator(options...)
	return v, nil
}

// Verify returns who holds the token. Its errors are ErrMissing, ErrExpired or
// ErrInvalid, the last two only for a token within 8 KiB, and say why in words
// that are fit for a log but hold nothing of the token.
func (v *Verifier) Verify(token string) (Identity, error) {
	if token == "" {
		return Identity{}, ErrMissing
	}
	if len(token) > maxTokenBytes {
		return Identity{}, fmt.Errorf("%w: longer than %d bytes", ErrInvalid, maxTokenBytes)
	}
	var id Identity
	use := func(c *claims) (err error) {
		id, err = c.identity(v.cfg.Leeway)
		return err
	}
	done, err := v.shortcut.accept(token, use)
	if !done {
		var c claims
		parsed, parseErr := v.parser.ParseWithClaims(token, &c, v.key)
		if parseErr != nil {
			return Identity{}, refusal(parseErr)
		}
		v.shortcut.learn(token, parsed.Method)
		err = use(&c)
	}
	if err != nil {
		return Identity{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	if id.Token == 0 {
		id.Token = tokenID(token)
	}
	return id, nil
}

// key returns the key for a token whose algorithm is one of the allowed ones.
// The families have a key each, so that a public key is never taken for a
// secret.
func (v *Verifier) key(token *jwt.Token) (any, error) {
	if _, ok := token.Header["crit"]; ok {
		return nil, errCritical
	}
	if _, ok := token.Method.(*jwt.SigningMethodHMAC); ok {
		return v.secret, nil
	}
	return v.publicKey, nil
}

// reasons are what a token is refused for, in words of our own: the library's
// may quote from the token. ErrTokenExpired is not among them.
var reasons = []struct {
	err  error
	text string
}{
	{errCritical, "critical header extension"},
	{errNotUTF8, "claims are not UTF-8"},
	{jwt.ErrTokenMalformed, "malformed"},
	{jwt.ErrTokenUnverifiable, "unknown algorithm"},
	{jwt.ErrTokenSignatureInvalid, "wrong signature or algorithm"},
	{jwt.ErrTokenInvalidIssuer, "wrong issuer"},
	{jwt.ErrTokenInvalidAudience, "wrong audience"},
	{jwt.ErrTokenRequiredClaimMissing, "no issuer or audience"},
	{jwt.ErrTokenNotValidYet, "not valid yet"},
}

// refusal turns an error of the library into one of ours. A token that is
// expired and wrong as well is wrong: a fresh one would not help.
func refusal(err error) error {
	for _, reason := range reasons {
		if errors.Is(err, reason.err) {
			return fmt.Errorf("%w: %s", ErrInvalid, reason.text)
		}
	}
	if errors.Is(err, jwt.ErrTokenExpired) {
		return ErrExpired
	}
	return ErrInvalid
}
