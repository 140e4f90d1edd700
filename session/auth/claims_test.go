package auth

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestVerify_Identity(t *testing.T) {
	t.Parallel()
	v := newVerifier(t, Config{Secret: testSecret})
	long := strings.Repeat("ü", 64) // 128 bytes
	tests := map[string]struct {
		claims string
		want   Identity
	}{
		"user_id":              {`{"user_id":"u1"}`, Identity{UserID: "u1", Name: "u1"}},
		"sub":                  {`{"sub":"u2"}`, Identity{UserID: "u2", Name: "u2"}},
		"user_id before sub":   {`{"sub":"u2","user_id":"u1"}`, Identity{UserID: "u1", Name: "u1"}},
		"user_id null":         {`{"sub":"u2","user_id":null}`, Identity{UserID: "u2", Name: "u2"}},
		"integer":              {`{"user_id":42}`, Identity{UserID: "42", Name: "42"}},
		"sub an integer":       {`{"sub":0}`, Identity{UserID: "0", Name: "0"}},
		"negative":             {`{"user_id":-7}`, Identity{UserID: "-7", Name: "-7"}},
		"beyond a float":       {`{"user_id":9007199254740993}`, Identity{UserID: "9007199254740993", Name: "9007199254740993"}},
		"with an exponent":     {`{"user_id":1e+06}`, Identity{UserID: "1000000", Name: "1000000"}},
		"with a zero fraction": {`{"user_id":1.0}`, Identity{UserID: "1", Name: "1"}},
		"other case":           {`{"USER_ID":"x","Sub":"y","sub":"u1"}`, Identity{UserID: "u1", Name: "u1"}},
		"longest id":           {`{"user_id":"` + long + `"}`, Identity{UserID: long, Name: long}},
		"username":             {`{"user_id":"u1","username":"Ann","name":"Other"}`, Identity{UserID: "u1", Name: "Ann"}},
		"name":                 {`{"user_id":"u1","name":"Ann","username":""}`, Identity{UserID: "u1", Name: "Ann"}},
		"useless names":        {`{"user_id":"u1","username":{},"name":null}`, Identity{UserID: "u1", Name: "u1"}},
		"long name":            {`{"user_id":"u1","name":"` + long + `x"}`, Identity{UserID: "u1", Name: long}},
		"cut before a rune":    {`{"user_id":"u1","name":"x` + long + `"}`, Identity{UserID: "u1", Name: "x" + long[:126]}},
		"rooms":                {`{"user_id":"u1","rooms":["chat:a","b"]}`, Identity{UserID: "u1", Name: "u1", Rooms: []string{"chat:a", "b"}}},
		"rooms null":           {`{"user_id":"u1","rooms":null}`, Identity{UserID: "u1", Name: "u1"}},
		"expires":              {`{"user_id":"u1","exp":99999999999}`, Identity{UserID: "u1", Name: "u1", Expires: time.Unix(99999999999, 0)}},
		"iat is only noted":    {`{"user_id":"u1","iat":99999999999}`, Identity{UserID: "u1", Name: "u1", Issued: time.Unix(99999999999, 0)}},
		"jti":                  {`{"user_id":"u1","jti":"t1"}`, Identity{UserID: "u1", Name: "u1", Token: TokenIDOf("t1")}},
		"jti an integer":       {`{"user_id":"u1","jti":7}`, Identity{UserID: "u1", Name: "u1", Token: TokenIDOf("7")}},
		"caps":                 {`{"user_id":"u1","caps":["a"]}`, Identity{UserID: "u1", Name: "u1", Caps: &Caps{join: patterns{"a"}, publish: patterns{"a"}}}},
		"caps null":            {`{"user_id":"u1","caps":null}`, Identity{UserID: "u1", Name: "u1"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := v.Verify(signClaims(t, tt.claims))
			if err != nil {
				t.Fatalf("Verify(%s) = %v, want nil", tt.claims, err)
			}
			if tt.want.Token == 0 {
				tt.want.Token = got.Token // see TestVerify_TokenID
			}
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("Verify(%s) = %+v, want %+v", tt.claims, got, tt.want)
			}
		})
	}
}

func TestVerify_RefusesClaims(t *testing.T) {
	t.Parallel()
	v := newVerifier(t, Config{Secret: testSecret})
	rooms := func(n int) string { return `{"user_id":"u1","rooms":["r"` + strings.Repeat(`,"r"`, n-1) + `]}` }
	if _, err := v.Verify(signClaims(t, rooms(100))); err != nil {
		t.Errorf("Verify() of 100 rooms = %v, want nil", err)
	}
	tests := map[string]struct {
		claims string
		want   error
	}{
		"nobody":               {`{}`, errUserID},
		"empty id":             {`{"user_id":""}`, errUserID},
		"empty id, but a sub":  {`{"user_id":"","sub":"u1"}`, errUserID},
		"id an object":         {`{"user_id":{},"sub":"u1"}`, errUserID},
		"id a list":            {`{"user_id":["u1"]}`, errUserID},
		"id a bool":            {`{"user_id":true}`, errUserID},
		"id a fraction":        {`{"user_id":1.5}`, errUserID},
		"id a huge exponent":   {`{"user_id":1e999999999}`, errUserID},
		"id not exact":         {`{"user_id":1e17}`, errUserID},
		"id too long":          {`{"user_id":"` + strings.Repeat("u", 129) + `"}`, errUserID},
		"id of many digits":    {`{"user_id":` + strings.Repeat("1", 129) + `}`, errUserID},
		"id with a control":    {`{"user_id":"a\nb"}`, errUserID},
		"id with a C1 control": {`{"user_id":"a\u0085b"}`, errUserID},
		"id with half a pair":  {`{"user_id":"a\ud800"}`, errUserID},
		"rooms a string":       {`{"user_id":"u1","rooms":"r"}`, errRooms},
		"rooms of numbers":     {`{"user_id":"u1","rooms":[1]}`, errRooms},
		"rooms with null":      {`{"user_id":"u1","rooms":[null]}`, errRooms},
		"room without a name":  {`{"user_id":"u1","rooms":[""]}`, errRooms},
		"room with a control":  {`{"user_id":"u1","rooms":["a\u0000"]}`, errRooms},
		"room name too long":   {`{"user_id":"u1","rooms":["` + strings.Repeat("r", 256) + `"]}`, errRooms},
		"too many rooms":       {rooms(101), errRooms},
		"jti an object":        {`{"user_id":"u1","jti":{}}`, errJTI},
		"caps a string":        {`{"user_id":"u1","caps":"*"}`, errCaps},
		"caps of numbers":      {`{"user_id":"u1","caps":[1]}`, errCaps},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := v.Verify(signClaims(t, tt.claims))
			if !errors.Is(err, tt.want) || !errors.Is(err, ErrInvalid) {
				t.Errorf("Verify(%s) = %v, want %v", tt.claims, err, tt.want)
			}
		})
	}
}

func FuzzVerify_SignedClaims(f *testing.F) {
	for _, claims := range []string{
		`{"user_id":"u1","username":"Ann","rooms":["a","b:c"],"caps":{"join":["a:*"],"publish":[]},"exp":99999999999}`,
		`{"sub":12345678901234567890,"name":"x\ud800","caps":["*"]}`,
		`{"user_id":1.0e2,"iss":null,"aud":[],"nbf":0}`,
		`null`,
	} {
		f.Add([]byte(claims))
	}
	v := newVerifier(f, Config{Secret: testSecret})
	f.Fuzz(func(t *testing.T, claims []byte) {
		id, err := v.Verify(signClaims(t, string(claims)))
		if err != nil {
			return
		}
		if !ValidUserID(id.UserID) {
			t.Errorf("Verify(%s): user id %q", claims, id.UserID)
		}
		if id.Name == "" || len(id.Name) > maxNameBytes || !utf8.ValidString(id.Name) {
			t.Errorf("Verify(%s): name %q", claims, id.Name)
		}
		if len(id.Rooms) > maxRooms {
			t.Errorf("Verify(%s): %d rooms", claims, len(id.Rooms))
		}
		if id.Caps != nil && (!id.Caps.join.valid() || !id.Caps.publish.valid()) {
			t.Errorf("Verify(%s): caps %+v", claims, id.Caps)
		}
	})
}
