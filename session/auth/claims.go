package auth

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/golang-jwt/jwt/v5"

	"github.com/ginforge/gateway/message"
)

// claims is the part of a token that the gateway reads. The registered claims
// are decoded at once; the others are kept as they were written until the
// signature has been checked.
type claims struct {
	jwt.RegisteredClaims // Subject stays empty: sub may be a number

	raw [numClaims]json.RawMessage // spans of the decoded token; nil when absent or null
}

// The claims that are read, as indices of claims.raw.
const (
	claimUserID = iota
	claimSubject
	claimUsername
	claimName
	claimRooms
	claimCaps
	claimIssuer
	claimAudience
	claimExpires
	claimNotBefore
	claimIssuedAt
	claimTokenID
	numClaims
)

// claimOf returns the index of a claim by its exact name, or -1. Decoding into a
// struct would take SUB for sub.
func claimOf(name []byte) int {
	switch string(name) {
	case "user_id":
		return claimUserID
	case "sub":
		return claimSubject
	case "username":
		return claimUsername
	case "name":
		return claimName
	case "rooms":
		return claimRooms
	case "caps":
		return claimCaps
	case "iss":
		return claimIssuer
	case "aud":
		return claimAudience
	case "exp":
		return claimExpires
	case "nbf":
		return claimNotBefore
	case "iat":
		return claimIssuedAt
	case "jti":
		return claimTokenID
	default:
		return -1
	}
}

var (
	errNotUTF8 = errors.New("the claims are not UTF-8")
	errUserID  = errors.New("user_id (or sub) is not a string of 1 to 128 bytes without control characters, or an integer")
	errJTI     = errors.New("jti is not a string or an integer")
	errRooms   = errors.New("rooms is not a list of at most 100 room names")
)

// maxClaimDepth bounds the nesting of a token's claims.
const maxClaimDepth = 32

// UnmarshalJSON keeps the claims that are read, the last of those that occur
// twice, and decodes the registered ones.
func (c *claims) UnmarshalJSON(b []byte) error {
	if !utf8.Valid(b) {
		return errNotUTF8
	}
	err := message.Members(b, maxClaimDepth, func(name []byte, value message.Raw) error {
		if i := claimOf(name); i >= 0 {
			c.raw[i] = value
			if string(value) == "null" {
				c.raw[i] = nil
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return c.register()
}

// register decodes the registered claims: the comparison with now is the
// library's, which takes them decoded.
func (c *claims) register() (err error) {
	if c.ExpiresAt, err = date(c.raw[claimExpires]); err != nil {
		return err
	}
	if c.NotBefore, err = date(c.raw[claimNotBefore]); err != nil {
		return err
	}
	if c.IssuedAt, err = date(c.raw[claimIssuedAt]); err != nil {
		return err
	}
	if raw := c.raw[claimIssuer]; raw != nil {
		if err := json.Unmarshal(raw, &c.Issuer); err != nil {
			return err
		}
	}
	if raw := c.raw[claimAudience]; raw != nil {
		return json.Unmarshal(raw, &c.Audience)
	}
	return nil
}

// date decodes a NumericDate (RFC 7519 section 2), nil when there is none.
func date(raw json.RawMessage) (*jwt.NumericDate, error) {
	if raw == nil {
		return nil, nil
	}
	if seconds, err := strconv.ParseInt(string(raw), 10, 64); err == nil {
		return jwt.NewNumericDate(time.Unix(seconds, 0)), nil
	}
	d := new(jwt.NumericDate)
	return d, json.Unmarshal(raw, d)
}

// identity turns the claims of a checked token into who holds it.
func (c *claims) identity(leeway time.Duration) (id Identity, err error) {
	if id.UserID, err = c.userID(); err != nil {
		return Identity{}, err
	}
	id.Name = c.name(id.UserID)
	if id.Rooms, err = c.rooms(); err != nil {
		return Identity{}, err
	}
	if id.Caps, err = parseCaps(c.raw[claimCaps]); err != nil {
		return Identity{}, err
	}
	if c.ExpiresAt != nil {
		id.Expires = c.ExpiresAt.Add(leeway)
	}
	if c.IssuedAt != nil {
		id.Issued = c.IssuedAt.Time
	}
	if c.raw[claimTokenID] != nil {
		jti, ok := text(c.raw[claimTokenID])
		if !ok {
			return Identity{}, errJTI
		}
		id.Token = TokenIDOf(jti)
	}
	return id, nil
}

func (c *claims) userID() (string, error) {
	raw := c.raw[claimUserID]
	if raw == nil {
		raw = c.raw[claimSubject]
	}
	id, ok := text(raw)
	if !ok || !ValidUserID(id) {
		return "", errUserID
	}
	return id, nil
}

// name returns what the user is called, which is not worth refusing a token.
func (c *claims) name(userID string) string {
	for _, claim := range [...]int{claimUsername, claimName} {
		if name, ok := text(c.raw[claim]); ok && name != "" {
			return shorten(name, maxNameBytes)
		}
	}
	return userID
}

func (c *claims) rooms() (rooms []string, err error) {
	raw := c.raw[claimRooms]
	if raw == nil {
		return nil, nil
	}
	if err := json.Unmarshal(raw, &rooms); err != nil || len(rooms) > maxRooms {
		return nil, errRooms
	}
	for _, room := range rooms {
		if !isName(room, maxRoomBytes) {
			return nil, errRooms
		}
	}
	return rooms, nil
}

// text returns a claim that is a string, or an integer, as a string.
func text(raw json.RawMessage) (string, bool) {
	if len(raw) == 0 {
		return "", false
	}
	if raw[0] == '"' {
		if inside := raw[1 : len(raw)-1]; bytes.IndexByte(inside, '\\') < 0 {
			return string(inside), true
		}
		var s string
		err := json.Unmarshal(raw, &s)
		return s, err == nil
	}
	return integer(string(raw))
}

// maxExactInteger is the largest up to which a float64 holds every integer.
const maxExactInteger = 1 << 53

// integer returns the digits of a JSON number that is an integer. Digits are
// taken as they are, of any size; 1e6 and 1.0, which some encoders write for
// integers, are 1000000 and 1.
func integer(number string) (string, bool) {
	if isDigits(number) {
		return number, true
	}
	f, err := strconv.ParseFloat(number, 64)
	if err != nil || f != math.Trunc(f) || math.Abs(f) > maxExactInteger {
		return "", false
	}
	return strconv.FormatInt(int64(f), 10), true
}

func isDigits(s string) bool {
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return s != ""
}
