package auth

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"strconv"
	"strings"
)

// TokenID tells one token from all others, for revoking it: a digest of its jti
// or, when it has none, of what its signature covers. The signature itself is
// left out, since some algorithms let a holder make another valid one.
//
// Sixty-four bits are enough: nobody who could choose colliding ones gets
// anything for it, and with a million tokens revoked the chance that a given
// other one is hit is below one in 10¹³.
type TokenID uint64

// errTokenID is returned for a text that is no TokenID.
var errTokenID = errors.New("auth: a token's id has 16 hexadecimal digits")

// TokenIDOf returns the id of tokens with this jti.
func TokenIDOf(jti string) TokenID { return digest("jti\x00", jti) }

// tokenID returns the id of a token that has no jti.
func tokenID(token string) TokenID {
	if end := strings.LastIndexByte(token, '.'); end >= 0 {
		token = token[:end]
	}
	return digest("token\x00", token)
}

func digest(kind, text string) TokenID {
	var scratch [1024]byte // most tokens fit, and nothing is allocated
	sum := sha256.Sum256(append(append(scratch[:0], kind...), text...))
	return TokenID(binary.BigEndian.Uint64(sum[:]))
}

// String is the id in 16 hexadecimal digits.
func (id TokenID) String() string {
	const digits = "0123456789abcdef"
	var b [16]byte
	for i := range b {
		b[i] = digits[id>>(60-4*i)&15]
	}
	return string(b[:])
}

// ParseTokenID is the inverse of String.
func ParseTokenID(text string) (TokenID, error) {
	id, err := strconv.ParseUint(text, 16, 64)
	if err != nil || len(text) != 16 {
		return 0, errTokenID
	}
	return TokenID(id), nil
}
