package peer

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/golang-jwt/jwt/v5"
)

// ErrNobody is returned for a token that is valid but names no user.
var ErrNobody = errors.New("peer: token without user_id")

// Identity is who a connection belongs to. Every peer keeps it with the
// connection for as long as that lives.
type Identity struct {
	UserID string
	Name   string
}

// Verifier checks tokens signed with one HS256 key.
type Verifier struct {
	parser *jwt.Parser
	key    []byte
}

// NewVerifier returns a Verifier of tokens signed with secret.
func NewVerifier(secret string) *Verifier {
	return &Verifier{
		parser: jwt.NewParser(jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Name})),
		key:    []byte(secret),
	}
}

type claims struct {
	UserID string `json:"user_id"`
	Name   string `json:"username"`
	jwt.RegisteredClaims
}

// Verify returns whom token was issued to.
func (v *Verifier) Verify(token string) (Identity, error) {
	var c claims
	_, err := v.parser.ParseWithClaims(token, &c, func(*jwt.Token) (any, error) { return v.key, nil })
	if err != nil {
		return Identity{}, fmt.Errorf("peer: %w", err)
	}
	if c.UserID == "" {
		return Identity{}, ErrNobody
	}
	return Identity{UserID: c.UserID, Name: c.Name}, nil
}

// Handler serves /ws with next for requests whose token parameter is valid, and
// answers the others with 401.
func (v *Verifier) Handler(next func(w http.ResponseWriter, r *http.Request, id Identity)) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ws", func(w http.ResponseWriter, r *http.Request) {
		id, err := v.Verify(r.URL.Query().Get("token"))
		if err != nil {
			http.Error(w, "a valid token is needed", http.StatusUnauthorized)
			return
		}
		next(w, r, id)
	})
	return mux
}
