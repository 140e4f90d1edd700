package auth

import (
	"crypto/rand"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// signedClaims is what Sign writes.
type signedClaims struct {
	UserID   string   `json:"user_id"`
	Username string   `json:"username,omitempty"`
	Rooms    []string `json:"rooms,omitempty"`
	Caps     *Caps    `json:"caps,omitempty"`
	jwt.RegisteredClaims
}

// Sign returns a token for id, signed with secret by one of the HS algorithms.
// It expires after ttl, or never when ttl is zero; id.Expires does not matter.
// An issuer or audience that is empty is left out. It is an error when a
// Verifier with the same values would refuse the token, so that no useless one
// is handed out.
func Sign(secret, alg string, id Identity, ttl time.Duration, issuer, audience string) (string, error) {
	if !isHMAC(alg) {
		return "", fmt.Errorf("auth: %q does not sign with a secret; want HS256, HS384 or HS512", alg)
	}
	if ttl < 0 {
		return "", fmt.Errorf("auth: a token cannot live for %v", ttl)
	}
	verifier, err := NewVerifier(Config{Secret: secret, Algorithms: []string{alg}, Issuer: issuer, Audience: audience})
	if err != nil {
		return "", err
	}
	token, err := jwt.NewWithClaims(jwt.GetSigningMethod(alg), claimsOf(id, ttl, issuer, audience)).SignedString([]byte(secret))
	if err != nil {
		return "", fmt.Errorf("auth: sign token: %w", err)
	}
	if _, err := verifier.Verify(token); err != nil {
		return "", err
	}
	return token, nil
}

func claimsOf(id Identity, ttl time.Duration, issuer, audience string) signedClaims {
	now := time.Now()
	c := signedClaims{UserID: id.UserID, Username: id.Name, Rooms: id.Rooms, Caps: id.Caps}
	c.IssuedAt = jwt.NewNumericDate(now)
	c.ID = rand.Text()
	c.Issuer = issuer
	if audience != "" {
		c.Audience = jwt.ClaimStrings{audience}
	}
	if ttl > 0 {
		c.ExpiresAt = jwt.NewNumericDate(now.Add(ttl))
	}
	return c
}
