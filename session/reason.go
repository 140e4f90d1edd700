package session

import (
	"encoding/json"
	"math/rand/v2"
	"time"

	"github.com/ginforge/gateway/engine"
)

// reason is why the gateway closes a connection. The code says what the client
// should do: its first two digits are 40 stop, 41 try again after the delay, 42
// try again within the window, 43 get a fresh token.
type reason struct {
	code engine.CloseCode
	name string
	// A client waits between minDelay and maxDelay; both zero for codes that
	// say stop or get a token.
	minDelay, maxDelay time.Duration
}

// The table of everything a client may be told. Delays of the 42xx family come
// from Config.ReconnectWindow.
var (
	reasonBadToken     = reason{code: 4001, name: "bad token"}
	reasonAbuse        = reason{code: 4005, name: "protocol error"}
	reasonOverCapacity = reason{4100, "over capacity", 5 * time.Second, 15 * time.Second}
	reasonRate         = reason{4101, "rate limit", 2 * time.Second, 10 * time.Second}
	reasonSlow         = reason{4102, "too slow", time.Second, 5 * time.Second}
	reasonDraining     = reason{code: 4200, name: "draining"}
	reasonNoPong       = reason{code: 4201, name: "no pong"}
	reasonRebalance    = reason{code: 4203, name: "rebalance"}
	reasonExpired      = reason{code: 4300, name: "expired"}
	reasonRevoked      = reason{code: 4301, name: "revoked"}
	reasonBinary       = reason{code: engine.CloseUnsupported, name: "text frames only"}
)

// close makes the close frame of a reason: {"reason":"..","delay_ms":..}.
func (r reason) close(window time.Duration) engine.CloseReason {
	low, high := r.minDelay, r.maxDelay
	if r.code/100 == 42 {
		low, high = 0, window
	}
	text := struct {
		Reason  string `json:"reason"`
		DelayMS int64  `json:"delay_ms,omitempty"`
	}{Reason: r.name}
	if high > 0 {
		text.DelayMS = max(1, (low + rand.N(high-low+1)).Milliseconds())
	}
	b, err := json.Marshal(text)
	if err != nil { // a string and a number always marshal
		panic(err)
	}
	return engine.CloseReason{Code: r.code, Text: string(b)}
}

// NoPong is the close frame for a peer that went silent; its delay is chosen
// once, since nobody is expected to read it.
func NoPong(window time.Duration) engine.CloseReason { return reasonNoPong.close(window) }
