package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"
	"github.com/spf13/pflag"
	"go.uber.org/goleak"

	"github.com/ginforge/gateway/pubsub/notification"
	"github.com/ginforge/gateway/pubsub/redistest"
)

const patience = time.Minute

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newServer returns the API over a new Redis, and that.
func newServer(t *testing.T, options ...notification.Option) (*httptest.Server, *redis.Client) {
	t.Helper()
	r := redis.NewClient(&redis.Options{Addr: miniredis.RunT(t).Addr(), MaxRetries: -1, DialerRetries: 1})
	t.Cleanup(func() { _ = r.Close() })
	s := httptest.NewServer(newHandler(notification.NewClient(r, options...), zerolog.Nop()))
	t.Cleanup(s.Close)
	return s, r
}

// post returns the status and the body's code and message.
func post(t *testing.T, url, contentType, body string) (status, code int, message string) {
	t.Helper()
	resp, err := http.Post(url, contentType, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer := struct {
		Code    *int
		Message string
	}{}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || answer.Code == nil {
		t.Fatalf("the answer is no JSON with a code: %v", err)
	}
	return resp.StatusCode, *answer.Code, answer.Message
}

func TestAPI_Publishes(t *testing.T) {
	s, r := newServer(t)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	sub := r.PSubscribe(ctx, "*")
	defer sub.Close()
	if _, err := sub.Receive(ctx); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct{ path, body, channel, content string }{
		"user":   {"/notify/user", `{"user_id":"42","title":"T"}`, "websocket:notification:42", `{"title":"T"}`},
		"system": {"/notify/system", `{"title":"T","icon":"I"}`, "websocket:broadcast", `{"title":"T","icon":"I"}`},
		"text":   {"/message/room", `{"room":"a:b","text":"hi"}`, "websocket:room:a:b", `{"text":"hi"}`},
		"content": {
			"/message/room", `{"room":"r","content":{"n":9007199254740993}}`, "websocket:room:r", `{"n":9007199254740993}`,
		},
		"update": {
			"/data-update", `{"entity":"user","action":"create","id":"1","data":{"a": 1}}`, "websocket:broadcast",
			`{"entity":"user","action":"create","id":"1","data":{"a":1}}`,
		},
		"update without data": {
			"/data-update", `{"entity":"user","action":"clear"}`, "websocket:broadcast", `{"entity":"user","action":"clear"}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			status, code, message := post(t, s.URL+tt.path, "application/json; charset=utf-8", tt.body)
			if status != 200 || code != 0 || message != "success" {
				t.Fatalf("answer %d, %d, %q, want success", status, code, message)
			}
			m, err := sub.ReceiveMessage(ctx)
			if err != nil {
				t.Fatal(err)
			}
			var envelope struct{ Content json.RawMessage }
			if err := json.Unmarshal([]byte(m.Payload), &envelope); err != nil {
				t.Fatal(err)
			}
			if m.Channel != tt.channel || string(envelope.Content) != tt.content {
				t.Errorf("published %s on %s, want content %s on %s", m.Payload, m.Channel, tt.content, tt.channel)
			}
		})
	}
}

func TestAPI_SaysWhatIsWrong(t *testing.T) {
	s, _ := newServer(t, notification.WithMaxBytes(400))
	const kind = "application/json"
	for name, tt := range map[string]struct {
		path, kind, body string
		status           int
		message          string
	}{
		"field":         {"/notify/user", kind, `{"title":"x"}`, 400, "user_id: is missing"},
		"unknown field": {"/notify/user", kind, `{"user":"x"}`, 400, `unknown field "user"`},
		"wrong type":    {"/notify/user", kind, `{"title":7}`, 400, "title"},
		"no JSON":       {"/notify/user", kind, `title=x`, 400, "not the JSON object"},
		"empty":         {"/notify/user", kind, ``, 400, "not the JSON object"},
		"two objects":   {"/notify/system", kind, `{"title":"x"} {}`, 400, "more follows"},
		"content type":  {"/notify/user", "text/plain", `{}`, 415, "application/json"},
		"too large": {
			"/message/room", kind, `{"room":"r","text":"` + strings.Repeat("x", 400) + `"}`, 413, "too large",
		},
		"huge": {"/message/room", kind, `{"room":"` + strings.Repeat("x", maxBodyBytes) + `"}`, 413, "larger than 131072"},
		"path": {"/notify", kind, `{}`, 404, "POST /notify/user"},
	} {
		t.Run(name, func(t *testing.T) {
			status, code, message := post(t, s.URL+tt.path, tt.kind, tt.body)
			if status != tt.status || code != tt.status || !strings.Contains(message, tt.message) {
				t.Errorf("answer %d, %d, %q, want %d and %q", status, code, message, tt.status, tt.message)
			}
		})
	}
}

func TestAPI_TellsWhenRedisIsAway(t *testing.T) {
	s, r := newServer(t)
	_ = r.Close()
	status, _, message := post(t, s.URL+"/notify/system", "application/json", `{"title":"x"}`)
	if status != 503 || !strings.Contains(message, "try again") {
		t.Errorf("answer %d, %q, want 503 and advice", status, message)
	}
}

// syncBuffer is a writer for run that a test may read meanwhile.
type syncBuffer struct {
	mu  sync.Mutex // guards buf
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func TestRun_ServesUntilStopped(t *testing.T) {
	server := miniredis.RunT(t)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	out := new(syncBuffer)
	ran := make(chan error, 1)
	go func() {
		ran <- run(ctx, []string{"--listen", "127.0.0.1:0", "--redis", "redis://" + server.Addr()}, out)
	}()

	var addr []string
	redistest.Eventually(t, patience, func() error {
		if addr = regexp.MustCompile(`"addr":"([^"]+)"`).FindStringSubmatch(out.String()); addr == nil {
			return fmt.Errorf("no address in %q", out)
		}
		return nil
	})
	status, _, _ := post(t, "http://"+addr[1]+"/notify/system", "application/json", `{"title":"x"}`)
	if status != 200 {
		t.Errorf("status %d, want 200", status)
	}
	http.DefaultClient.CloseIdleConnections()
	cancel()
	select {
	case err := <-ran:
		if err != nil {
			t.Errorf("run = %v, want nil", err)
		}
	case <-time.After(patience):
		t.Fatalf("run has not returned %v after its context ended", patience)
	}
}

func TestRun_ExplainsItself(t *testing.T) {
	var out bytes.Buffer
	err := run(context.Background(), []string{"--help"}, &out)
	if !errors.Is(err, pflag.ErrHelp) {
		t.Errorf("run(--help) = %v, want pflag.ErrHelp", err)
	}
	for _, want := range []string{"/notify/user", "--listen", "127.0.0.1:8090", "--redis", "--prefix"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the help does not say %q:\n%s", want, out.String())
		}
	}
}

func TestRun_RefusesABadCommandLine(t *testing.T) {
	for name, tt := range map[string]struct {
		args []string
		want string
	}{
		"redis":    {[]string{"--redis", "http://u:s3cret@h"}, "--redis: not a URL of the form"},
		"listen":   {[]string{"--listen", "nowhere"}, "--listen"},
		"argument": {[]string{"serve"}, `unexpected argument "serve"`},
		"flag":     {[]string{"--color"}, "unknown flag"},
	} {
		t.Run(name, func(t *testing.T) {
			err := run(context.Background(), tt.args, io.Discard)
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("run(%q) = %v, want %q", tt.args, err, tt.want)
			}
		})
	}
}
