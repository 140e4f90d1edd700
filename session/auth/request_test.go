package auth

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestFromRequest(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		url                string
		header             http.Header
		cookie             string // the configured name
		token, subprotocol string
	}{
		"nothing":             {url: "/ws"},
		"query":               {url: "/ws?x=1&token=a.b.c", token: "a.b.c"},
		"query, escaped":      {url: "/ws?token=a%2Eb.c", token: "a.b.c"},
		"query, empty":        {url: "/ws?token=", header: http.Header{"Authorization": {"Bearer h"}}, token: "h"},
		"query before header": {url: "/ws?token=q", header: http.Header{"Authorization": {"Bearer h"}}, token: "q"},
		"header":              {url: "/ws", header: http.Header{"Authorization": {"Bearer a.b.c"}}, token: "a.b.c"},
		"header, spaced":      {url: "/ws", header: http.Header{"Authorization": {" BEARER   a.b.c "}}, token: "a.b.c"},
		"header, other":       {url: "/ws", header: http.Header{"Authorization": {"Basic a.b.c"}}},
		"header, scheme only": {url: "/ws", header: http.Header{"Authorization": {"Bearer"}}},
		"subprotocol":         {url: "/ws", header: http.Header{"Sec-Websocket-Protocol": {"bearer, a.b.c"}}, token: "a.b.c", subprotocol: "bearer"},
		"subprotocol among others": {
			url: "/ws", header: http.Header{"Sec-Websocket-Protocol": {"v1.chat,Bearer,a.b.c,v2.chat"}}, token: "a.b.c", subprotocol: "Bearer",
		},
		"subprotocol over two headers": {
			url: "/ws", header: http.Header{"Sec-Websocket-Protocol": {"v1.chat, bearer", "a.b.c"}}, token: "a.b.c", subprotocol: "bearer",
		},
		"subprotocol without a token": {url: "/ws", header: http.Header{"Sec-Websocket-Protocol": {"v1.chat, bearer"}}, subprotocol: "bearer"},
		"other subprotocols":          {url: "/ws", header: http.Header{"Sec-Websocket-Protocol": {"v1.chat, a.b.c"}}},
		"header and subprotocol": {
			url: "/ws", header: http.Header{"Authorization": {"Bearer h"}, "Sec-Websocket-Protocol": {"bearer, s"}}, token: "h", subprotocol: "bearer",
		},
		"cookie":          {url: "/ws", header: http.Header{"Cookie": {"x=1; session=a.b.c"}}, cookie: "session", token: "a.b.c"},
		"cookie, not set": {url: "/ws", header: http.Header{"Cookie": {"session=a.b.c"}}},
		"other cookie":    {url: "/ws", header: http.Header{"Cookie": {"x=a.b.c"}}, cookie: "session"},
		"cookie comes last": {
			url: "/ws", header: http.Header{"Cookie": {"session=c"}, "Sec-Websocket-Protocol": {"bearer, s"}}, cookie: "session", token: "s", subprotocol: "bearer",
		},
		"cookie beside an empty offer": {
			url: "/ws", header: http.Header{"Cookie": {"session=c"}, "Sec-Websocket-Protocol": {"bearer"}}, cookie: "session", token: "c", subprotocol: "bearer",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(http.MethodGet, tt.url, nil)
			for key, values := range tt.header {
				r.Header[key] = values
			}
			token, subprotocol := FromRequest(r, tt.cookie)
			if token != tt.token || subprotocol != tt.subprotocol {
				t.Errorf("FromRequest() = %q, %q, want %q, %q", token, subprotocol, tt.token, tt.subprotocol)
			}
		})
	}
}
