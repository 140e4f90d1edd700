package api

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/ginforge/gateway/session/auth"
)

// How long a revocation is kept: unless the request or the token says, and at most.
const (
	revokedFor    = 24 * time.Hour
	maxRevokedFor = 400 * 24 * time.Hour
)

// revocation is the body of a revoke call: exactly one of Token, JTI and User.
type revocation struct {
	Token  string `json:"token"`
	JTI    string `json:"jti"`
	User   string `json:"user"`
	Device string `json:"device"`
	TTL    int64  `json:"ttl_seconds"`
}

// revoke makes a token void, or those that a user has got until now, on all its
// devices or on one.
func (s *Server) revoke(r *http.Request) (any, error) {
	var body revocation
	if err := decode(r, &body); err != nil {
		return nil, err
	}
	what, err := s.revocation(body, time.Now())
	if err != nil {
		return nil, err
	}
	if err := s.backend.Revoker.Revoke(r.Context(), what); err != nil {
		return nil, err
	}
	return map[string]any{"until": what.Until.Unix()}, nil
}

func (s *Server) revocation(body revocation, now time.Time) (what auth.Revocation, err error) {
	ttl := time.Duration(body.TTL) * time.Second
	if body.TTL < 0 || body.TTL > int64(maxRevokedFor/time.Second) {
		return what, badRequest(fmt.Sprintf("ttl_seconds: want 1 to %d, or 0 for a day", maxRevokedFor/time.Second))
	}
	named := 0
	for _, text := range []string{body.Token, body.JTI, body.User} {
		if text != "" {
			named++
		}
	}
	if named != 1 || body.Device != "" && body.User == "" {
		return what, badRequest("want one of token, jti and user; with user perhaps device")
	}
	what.Until = now.Add(revokedFor)
	switch {
	case body.Token != "":
		who, err := s.backend.Revoker.Verify(body.Token)
		if errors.Is(err, auth.ErrExpired) {
			return what, failure(http.StatusConflict, "token: has expired already")
		} else if err != nil {
			return what, badRequest("token: is not one that this gateway takes")
		}
		what.Token = who.Token.String()
		if !who.Expires.IsZero() {
			what.Until = who.Expires
		}
	case body.JTI != "":
		what.Token = auth.TokenIDOf(body.JTI).String()
	default:
		what.User, what.Device, what.Issued = body.User, body.Device, now.Unix()
	}
	if ttl > 0 {
		what.Until = now.Add(ttl)
	}
	if what.Validate() != nil {
		return what, badRequest("user: want an id of 1 to 128 bytes, device: one of 1 to 64, without control characters")
	}
	return what, nil
}
