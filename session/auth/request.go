package auth

import (
	"net/http"
	"net/url"
	"strings"
)

// bearer announces a token, in the Authorization header as its scheme and in
// the list of subprotocols as the name before it.
const bearer = "bearer"

// FromRequest finds the token of a handshake: in ?token=, in the header
// "Authorization: Bearer JWT", in "Sec-WebSocket-Protocol: bearer, JWT", or in
// the named cookie unless that name is empty. The first that is not empty
// counts; token is empty when there is none.
//
// subprotocol is what the answer to the handshake has to name when the client
// offers bearer, as the client spells it, wherever the token was found: a
// browser gives up a connection that takes none of its subprotocols.
func FromRequest(r *http.Request, cookie string) (token, subprotocol string) {
	subprotocol, offered := fromSubprotocols(r.Header["Sec-Websocket-Protocol"]) // as net/http spells it
	if token = fromQuery(r.URL.RawQuery); token != "" {
		return token, subprotocol
	}
	if token = fromAuthorization(r.Header.Get("Authorization")); token != "" {
		return token, subprotocol
	}
	if offered != "" || cookie == "" {
		return offered, subprotocol
	}
	if c, err := r.Cookie(cookie); err == nil {
		return c.Value, subprotocol
	}
	return "", subprotocol
}

// fromQuery returns the first parameter called token, as url.ParseQuery would,
// but keeps nothing of the others.
func fromQuery(query string) string {
	for parameter := range strings.SplitSeq(query, "&") {
		value, ok := strings.CutPrefix(parameter, "token=")
		if !ok || strings.ContainsRune(parameter, ';') {
			continue
		}
		if token, err := url.QueryUnescape(value); err == nil {
			return token
		}
	}
	return ""
}

// fromAuthorization returns the token of "Bearer JWT". Schemes are compared
// without case (RFC 9110 section 11.1).
func fromAuthorization(header string) string {
	scheme, token, _ := strings.Cut(strings.TrimSpace(header), " ")
	if !strings.EqualFold(scheme, bearer) {
		return ""
	}
	return strings.TrimSpace(token)
}

// fromSubprotocols looks for bearer and the token behind it in the list, which
// may be spread over several headers.
func fromSubprotocols(headers []string) (subprotocol, token string) {
	for _, header := range headers {
		for name := range strings.SplitSeq(header, ",") {
			name = strings.TrimSpace(name)
			switch {
			case subprotocol != "":
				return subprotocol, name
			case strings.EqualFold(name, bearer):
				subprotocol = name
			}
		}
	}
	return subprotocol, ""
}
