package main

import (
	"strings"
	"testing"

	"github.com/ginforge/gateway/pubsub/redistest"
)

func TestPublish_ReachesASubscriber(t *testing.T) {
	redis := redistest.Start(t)
	const payload = `{"type":"system","content":{"message":"hi"}}`
	for name, tt := range map[string]struct{ channel, argument, in, want string }{
		"short channel":  {"room:chat:1", payload, "", "published to websocket:room:chat:1, received by 0 gateways\n"},
		"full channel":   {"websocket:user:u1", payload, "", "published to websocket:user:u1, received by 0 gateways\n"},
		"wrapped":        {"broadcast", `{"message":` + payload + `}`, "", "published to websocket:broadcast, received by 0 gateways\n"},
		"standard input": {"notification:u1", "-", payload, "published to websocket:notification:u1, received by 0 gateways\n"},
	} {
		t.Run(name, func(t *testing.T) {
			// No jwt.secret: a backend's machine need not know it.
			r := command(t, nil, tt.in, "publish", "--redis-url", redis.URL(), tt.channel, tt.argument)
			if r.err != nil || r.out != tt.want {
				t.Errorf("publish = %+v, want %q", r, tt.want)
			}
		})
	}
}

// TestPublish_FindsTheEmbeddedRedis stands a real one where a gateway's own
// would be.
func TestPublish_FindsTheEmbeddedRedis(t *testing.T) {
	redis := redistest.Start(t)
	r := command(t, nil, "", "publish", "--set", "redis.embedded_listen="+redis.Addr(), "broadcast", `{"type":"x"}`)
	if r.err != nil || !strings.HasPrefix(r.out, "published to websocket:broadcast") {
		t.Errorf("publish = %+v", r)
	}
}

func TestPublish_Refuses(t *testing.T) {
	const away = "redis://127.0.0.1:1" // nobody listens there
	for name, tt := range map[string]struct {
		args []string
		want string
	}{
		"redis away":    {[]string{"broadcast", `{"type":"x"}`}, "publishing to websocket:broadcast: "},
		"not a channel": {[]string{"chat:1", `{"type":"x"}`}, `"chat:1" is no channel: want broadcast, user:ID`},
		"no name":       {[]string{"websocket:user:", `{"type":"x"}`}, `"websocket:user:" is no channel`},
		"not JSON":      {[]string{"broadcast", `{"type":`}, "the message: "},
		"no type":       {[]string{"broadcast", `{"content":1}`}, "the message: "},
		"too large": {
			[]string{"--set", "limits.message_bytes=256", "broadcast", `{"type":"` + strings.Repeat("x", 256) + `"}`},
			"the message: ",
		},
		"bad configuration": {[]string{"--set", "redis.linger=-1s", "broadcast", `{"type":"x"}`}, "redis.linger must be"},
	} {
		t.Run(name, func(t *testing.T) {
			r := command(t, nil, "", append([]string{"publish", "--redis-url", away}, tt.args...)...)
			if r.err == nil || !strings.Contains(r.err.Error(), tt.want) || r.out != "" {
				t.Errorf("publish = %+v, want an error with %q", r, tt.want)
			}
		})
	}
}
