package notification_test

import (
	"context"
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	"github.com/ginforge/gateway/message"
	"github.com/ginforge/gateway/pubsub"
	"github.com/ginforge/gateway/pubsub/notification"
)

const patience = time.Minute

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newRedis returns a client of a new Redis.
func newRedis(t *testing.T) *redis.Client {
	t.Helper()
	r := redis.NewClient(&redis.Options{Addr: miniredis.RunT(t).Addr()})
	t.Cleanup(func() { _ = r.Close() })
	return r
}

// listen returns a function that waits for the next message on any channel.
func listen(t *testing.T, r *redis.Client) (next func() *redis.Message) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	sub := r.PSubscribe(ctx, "*")
	t.Cleanup(func() { _ = sub.Close() })
	if _, err := sub.Receive(ctx); err != nil {
		t.Fatalf("subscribe: %v", err)
	}
	return func() *redis.Message {
		t.Helper()
		m, err := sub.ReceiveMessage(ctx)
		if err != nil {
			t.Fatalf("receive: %v", err)
		}
		return m
	}
}

func TestClient_Publishes(t *testing.T) {
	r := newRedis(t)
	next := listen(t, r)
	c := notification.NewClient(r)
	ctx := context.Background()
	for name, tt := range map[string]struct {
		send func() error
		want string // the channel and the payload, with ID and TIME in place of what differs each time
	}{
		"system notification": {
			func() error {
				return c.SendSystemNotification(ctx, &notification.SystemNotificationRequest{Title: "T", Body: "<b>", Icon: "User", Link: "/a?b&c", Category: "news"})
			},
			`websocket:broadcast {"type":"notification","id":"ID","content":{"title":"T","body":"<b>","icon":"User","link":"/a?b&c","category":"news"},"data":{"notification_id":"ID","read":false},"timestamp":TIME}`,
		},
		"user notification": {
			func() error {
				return c.SendUserNotification(ctx, &notification.UserNotificationRequest{UserID: "42", Title: "T"})
			},
			`websocket:notification:42 {"type":"notification","id":"ID","content":{"title":"T"},"data":{"notification_id":"ID","read":false},"timestamp":TIME}`,
		},
		"system message": {
			func() error {
				return c.SendSystemMessage(ctx, &notification.SystemMessageRequest{Message: "m", Level: "warning", Code: 1001})
			},
			`websocket:broadcast {"type":"system","id":"ID","content":{"message":"m","level":"warning","code":1001},"timestamp":TIME}`,
		},
		"system message without a level": {
			func() error { return c.SendSystemMessage(ctx, &notification.SystemMessageRequest{Message: "m"}) },
			`websocket:broadcast {"type":"system","id":"ID","content":{"message":"m","level":"info","code":0},"timestamp":TIME}`,
		},
		"user message of text": {
			func() error {
				return c.SendUserMessage(ctx, &notification.UserMessageRequest{From: "1", FromName: "Ann", To: "2", Text: "hi"})
			},
			`websocket:user:2 {"type":"user_message","id":"ID","from":"1","from_name":"Ann","to":"2","content":{"from":"1","to":"2","text":"hi"},"timestamp":TIME}`,
		},
		"user message of any content": {
			func() error {
				return c.SendUserMessage(ctx, &notification.UserMessageRequest{To: "2", Content: map[string]int{"x": 1}})
			},
			`websocket:user:2 {"type":"user_message","id":"ID","to":"2","content":{"x":1},"timestamp":TIME}`,
		},
		"room message of text": {
			func() error {
				return c.SendToRoom(ctx, &notification.RoomMessageRequest{Room: "chat:1", From: "1", FromName: "Ann", Text: "hi"})
			},
			`websocket:room:chat:1 {"type":"room_message","id":"ID","from":"1","from_name":"Ann","room":"chat:1","content":{"text":"hi"},"timestamp":TIME}`,
		},
		"room message of any content": {
			func() error {
				return c.SendToRoom(ctx, &notification.RoomMessageRequest{Room: "r", Content: json.RawMessage(`[1,2]`)})
			},
			`websocket:room:r {"type":"room_message","id":"ID","room":"r","content":[1,2],"timestamp":TIME}`,
		},
		"data update": {
			func() error { return c.BroadcastDataUpdate(ctx, "user", "create", "123", map[string]string{"n": "x"}) },
			`websocket:broadcast {"type":"data_update","id":"ID","content":{"entity":"user","action":"create","id":"123","data":{"n":"x"}},"timestamp":TIME}`,
		},
		"data update of many": {
			func() error { return c.BroadcastDataUpdate(ctx, "user", "import", "", nil) },
			`websocket:broadcast {"type":"data_update","id":"ID","content":{"entity":"user","action":"import"},"timestamp":TIME}`,
		},
		"broadcast": {
			func() error { return c.Broadcast(ctx, "reload", nil) },
			`websocket:broadcast {"type":"reload","id":"ID","content":null,"timestamp":TIME}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			if err := tt.send(); err != nil {
				t.Fatal(err)
			}
			m := next()
			var decoded message.Envelope
			if err := message.DefaultLimits().DecodePayload([]byte(m.Payload), &decoded); err != nil {
				t.Errorf("the gateway would drop %s: %v", m.Payload, err)
			}
			if got := m.Channel + " " + withoutChance(m.Payload); got != tt.want {
				t.Errorf("published\n %s\nwant\n %s", got, tt.want)
			}
		})
	}
}

var (
	idPattern   = regexp.MustCompile(`id":"[0-9a-f]{32}"`)
	timePattern = regexp.MustCompile(`"timestamp":\d{10}}`)
)

// withoutChance replaces the parts of a payload that differ each time.
func withoutChance(payload string) string {
	payload = idPattern.ReplaceAllString(payload, `id":"ID"`)
	return timePattern.ReplaceAllString(payload, `"timestamp":TIME}`)
}

func TestClient_NamesTheWrongField(t *testing.T) {
	r := newRedis(t)
	c := notification.NewClient(r)
	ctx := context.Background()
	long := strings.Repeat("x", 256)
	type (
		sysNote = notification.SystemNotificationRequest
		note    = notification.UserNotificationRequest
		system  = notification.SystemMessageRequest
		toUser  = notification.UserMessageRequest
		toRoom  = notification.RoomMessageRequest
	)
	for name, tt := range map[string]struct {
		err  error
		want string // the field
	}{
		"no title":            {c.SendSystemNotification(ctx, &sysNote{Body: "b"}), "title"},
		"no title for a user": {c.SendUserNotification(ctx, &note{UserID: "1"}), "title"},
		"no user":             {c.SendUserNotification(ctx, &note{Title: "t"}), "user_id"},
		"a long user":         {c.SendUserNotification(ctx, &note{UserID: long, Title: "t"}), "user_id"},
		"control characters":  {c.SendUserNotification(ctx, &note{UserID: "a\n", Title: "t"}), "user_id"},
		"no message":          {c.SendSystemMessage(ctx, &system{}), "message"},
		"an unknown level":    {c.SendSystemMessage(ctx, &system{Message: "m", Level: "loud"}), "level"},
		"no receiver":         {c.SendUserMessage(ctx, &toUser{Text: "x"}), "to"},
		"nothing to say":      {c.SendUserMessage(ctx, &toUser{To: "1"}), "text"},
		"said twice":          {c.SendUserMessage(ctx, &toUser{To: "1", Text: "x", Content: 1}), "content"},
		"no room":             {c.SendToRoom(ctx, &toRoom{Text: "x"}), "room"},
		"a long room":         {c.SendToRoom(ctx, &toRoom{Room: long, Text: "x"}), "room"},
		"not UTF-8":           {c.SendToRoom(ctx, &toRoom{Room: "\xff", Text: "x"}), "room"},
		"nothing to tell":     {c.SendToRoom(ctx, &toRoom{Room: "r"}), "text"},
		"no JSON":             {c.SendToRoom(ctx, &toRoom{Room: "r", Content: func() {}}), "content"},
		"no entity":           {c.BroadcastDataUpdate(ctx, "", "create", "1", nil), "entity"},
		"no action":           {c.BroadcastDataUpdate(ctx, "user", "", "1", nil), "action"},
		"no type":             {c.Broadcast(ctx, "", nil), "type"},
	} {
		t.Run(name, func(t *testing.T) {
			var field *notification.FieldError
			if !errors.As(tt.err, &field) || field.Field != tt.want || field.Problem == "" {
				t.Errorf("got %v, want a FieldError about %q", tt.err, tt.want)
			}
		})
	}
	if err := c.SendToRoom(ctx, nil); err == nil {
		t.Error("SendToRoom(nil) = nil, want an error")
	}
}

func TestClient_RefusesWhatGatewaysWouldDrop(t *testing.T) {
	c := notification.NewClient(newRedis(t), notification.WithMaxBytes(200))
	if err := c.Broadcast(context.Background(), "x", strings.Repeat("y", 200)); !errors.Is(err, notification.ErrTooLarge) {
		t.Errorf("Broadcast of 200 bytes = %v, want ErrTooLarge", err)
	}
	if err := c.Broadcast(context.Background(), "x", strings.Repeat("y", 50)); err != nil {
		t.Errorf("Broadcast of 50 bytes = %v", err)
	}
}

func TestClient_TellsWhenRedisIsAway(t *testing.T) {
	r := newRedis(t)
	_ = r.Close()
	err := notification.NewClient(r).Broadcast(context.Background(), "x", nil)
	if !errors.Is(err, redis.ErrClosed) || !strings.Contains(err.Error(), "websocket:broadcast") {
		t.Errorf("Broadcast = %v, want go-redis's error and the channel", err)
	}
}

// TestClient_ReachesTheBus checks that both sides mean the same channels.
func TestClient_ReachesTheBus(t *testing.T) {
	type arrival struct {
		kind pubsub.Kind
		name string
	}
	arrived := make(chan arrival, 4)
	bus, err := pubsub.Open(pubsub.Config{URL: "embedded", EmbeddedListen: "127.0.0.1:0", Prefix: "ws/"},
		func(d pubsub.Delivery) { arrived <- arrival{d.Kind, d.Name} }, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	ran := make(chan error, 1)
	go func() { ran <- bus.Run(context.Background()) }()
	t.Cleanup(func() {
		if err := errors.Join(bus.Close(), <-ran); err != nil {
			t.Error(err)
		}
	})
	confirmed := make(chan struct{}, 2)
	for _, kind := range []pubsub.Kind{pubsub.KindUser, pubsub.KindRoom} {
		bus.Subscribe(kind, "7", func() { confirmed <- struct{}{} })
		<-confirmed
	}

	r := redis.NewClient(&redis.Options{Addr: bus.Addr()})
	t.Cleanup(func() { _ = r.Close() })
	c := notification.NewClient(r, notification.WithPrefix("ws/"))
	ctx := context.Background()
	for want, send := range map[arrival]func() error{
		{pubsub.KindBroadcast, ""}: func() error { return c.Broadcast(ctx, "x", nil) },
		{pubsub.KindUser, "7"}: func() error {
			return c.SendUserMessage(ctx, &notification.UserMessageRequest{To: "7", Text: "x"})
		},
		{pubsub.KindNotification, "7"}: func() error {
			return c.SendUserNotification(ctx, &notification.UserNotificationRequest{UserID: "7", Title: "x"})
		},
		{pubsub.KindRoom, "7"}: func() error {
			return c.SendToRoom(ctx, &notification.RoomMessageRequest{Room: "7", Text: "x"})
		},
	} {
		if err := send(); err != nil {
			t.Fatal(err)
		}
		if got := <-arrived; got != want {
			t.Errorf("arrived as %+v, want %+v", got, want)
		}
	}
}

func TestClient_DurableMessagesWaitInTheStream(t *testing.T) {
	r := newRedis(t)
	c := notification.NewClient(r, notification.WithDurable(), notification.WithPrefix("p:"))
	ctx := context.Background()
	for name, err := range map[string]error{
		"notification": c.SendUserNotification(ctx, &notification.UserNotificationRequest{ID: "a", UserID: "1", Title: "T"}),
		"broadcast":    c.Broadcast(ctx, "hello", 1),
	} {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	entries, err := r.XRange(ctx, "p:publish", "-", "+").Result()
	if err != nil || len(entries) != 2 {
		t.Fatalf("the stream has %v, %v; want 2 entries", entries, err)
	}
	for _, e := range entries {
		var env struct{ ID string }
		if err := json.Unmarshal([]byte(e.Values["message"].(string)), &env); err != nil {
			t.Fatal(err)
		}
		if env.ID == "" || e.Values["id"] != env.ID {
			t.Errorf("entry %v: its id is not that of the message", e.Values)
		}
	}
	if e := entries[0].Values; e["channel"] != "notification:1" && entries[1].Values["channel"] != "notification:1" {
		t.Errorf("no entry is for notification:1: %v", entries)
	}
	var wrong *notification.FieldError
	err = c.SendToRoom(ctx, &notification.RoomMessageRequest{ID: strings.Repeat("x", 129), Room: "r", Text: "t"})
	if !errors.As(err, &wrong) || wrong.Field != "id" {
		t.Errorf("with a long id: %v", err)
	}
}
