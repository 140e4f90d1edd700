package session

import (
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/ginforge/gateway/engine"
)

// reason is why the gateway closes a connection. The code says what the client
// should do: its first two digits are 40 stop, 41 try again after the delay, 42
// try again within the window, 43 get a fresh token.
type reason struct {
	code engine.CloseCode
	name string
	// wait is how long a client of the 41xx family is sent away at least.
	wait time.Duration
}

// The table of everything a client may be told.
var (
	reasonBadToken     = reason{code: 4001, name: "bad token"}
	reasonAbuse        = reason{code: 4005, name: "protocol error"}
	reasonBadDevice    = reason{code: 4005, name: "bad device name"}
	reasonReplaced     = reason{code: 4008, name: "replaced"}
	reasonDeviceLimit  = reason{code: 4009, name: "device limit"}
	reasonDisconnected = reason{code: 4010, name: "disconnected"}
	reasonOverCapacity = reason{4100, "over capacity", 5 * time.Second}
	reasonRate         = reason{4101, "rate limit", 2 * time.Second}
	reasonSlow         = reason{4102, "too slow", time.Second}
	reasonDraining     = reason{code: 4200, name: "draining"}
	reasonNoPong       = reason{code: 4201, name: "no pong"}
	reasonRebalance    = reason{code: 4203, name: "rebalance"}
	reasonExpired      = reason{code: 4300, name: "expired"}
	reasonRevoked      = reason{code: 4301, name: "revoked"}
	reasonBinary       = reason{code: engine.CloseUnsupported, name: "text frames only"}
)

// delay is when a client that is sent away for r should come again. Those of the
// 41xx family are given their place in the queue of this node, those of the 42xx
// family go elsewhere and are spread over the window.
func (m *Manager) delay(r reason) time.Duration {
	switch r.code / 100 {
	case 41:
		return m.gate.Delay(r.wait)
	case 42:
		return spread(m.nodes.Window())
	default:
		return 0
	}
}

// spread is a time up to window, 0 only when that is.
func spread(window time.Duration) time.Duration {
	if window <= 0 {
		return 0
	}
	return 1 + rand.N(window)
}

// close makes the close frame of a reason: {"reason":"..","delay_ms":..}, without a
// delay when it is 0.
func (r reason) close(delay time.Duration) engine.CloseReason {
	text := struct {
		Reason  string `json:"reason"`
		DelayMS int64  `json:"delay_ms,omitempty"`
	}{Reason: r.name}
	if delay > 0 {
		text.DelayMS = max(1, delay.Milliseconds())
	}
	b, err := json.Marshal(text)
	if err != nil { // a string and a number always marshal
		panic(err)
	}
	return engine.CloseReason{Code: r.code, Text: string(b)}
}

// status is what a plain request is answered with that is refused for r, which is
// neither a bad token nor an expired one.
func (r reason) status() int {
	if r.code == reasonRate.code {
		return http.StatusTooManyRequests
	}
	return http.StatusServiceUnavailable
}

// NoPong is the close frame for a peer that went silent; its delay is chosen
// once, since nobody is expected to read it.
func NoPong(window time.Duration) engine.CloseReason { return reasonNoPong.close(spread(window)) }
