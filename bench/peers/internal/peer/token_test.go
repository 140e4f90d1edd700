package peer

import (
	"errors"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

func TestVerifier_Verify(t *testing.T) {
	const secret = "a secret"
	user := jwt.MapClaims{"user_id": "u1", "username": "Ann", "exp": time.Now().Add(time.Hour).Unix()}
	tests := map[string]struct {
		claims  jwt.MapClaims
		method  jwt.SigningMethod
		key     any
		want    Identity
		wantErr error
	}{
		"good":        {claims: user, method: jwt.SigningMethodHS256, key: []byte(secret), want: Identity{"u1", "Ann"}},
		"other key":   {claims: user, method: jwt.SigningMethodHS256, key: []byte("other"), wantErr: jwt.ErrTokenSignatureInvalid},
		"other alg":   {claims: user, method: jwt.SigningMethodHS512, key: []byte(secret), wantErr: jwt.ErrTokenSignatureInvalid},
		"alg none":    {claims: user, method: jwt.SigningMethodNone, key: jwt.UnsafeAllowNoneSignatureType, wantErr: jwt.ErrTokenSignatureInvalid},
		"no user":     {claims: jwt.MapClaims{}, method: jwt.SigningMethodHS256, key: []byte(secret), wantErr: ErrNobody},
		"expired":     {claims: jwt.MapClaims{"user_id": "u1", "exp": 1}, method: jwt.SigningMethodHS256, key: []byte(secret), wantErr: jwt.ErrTokenExpired},
		"no username": {claims: jwt.MapClaims{"user_id": "u1"}, method: jwt.SigningMethodHS256, key: []byte(secret), want: Identity{"u1", ""}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			token, err := jwt.NewWithClaims(tt.method, tt.claims).SignedString(tt.key)
			if err != nil {
				t.Fatal(err)
			}
			got, err := NewVerifier(secret).Verify(token)
			if got != tt.want || !errors.Is(err, tt.wantErr) {
				t.Errorf("Verify() = %+v, %v, want %+v, %v", got, err, tt.want, tt.wantErr)
			}
		})
	}
}
