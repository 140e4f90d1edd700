package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/ginforge/gateway/pubsub/notification"
)

// audience is clients that each channel should reach or not: ann on both nodes
// and in the room, bob in the room on the second node, cleo neither.
type audience struct {
	annA, annB, bob, cleo *client
}

// backendRoom is the room of the audience; its name holds colons.
const backendRoom = "chat:room:001"

func newAudience(t *testing.T, s *system) audience {
	t.Helper()
	a := audience{s.a.connect(t, "ann"), s.b.connect(t, "ann"), s.b.connect(t, "bob"), s.a.connect(t, "cleo")}
	for _, c := range []*client{a.annA, a.annB, a.bob} {
		c.join(backendRoom)
	}
	told(t, s.nodes()...)
	a.settle()
	return a
}

func (a audience) all() []*client { return []*client{a.annA, a.annB, a.bob, a.cleo} }

// settle drops what joining has caused.
func (a audience) settle() {
	for _, c := range a.all() {
		c.sync()
	}
}

// members are those whom a channel reaches.
func (a audience) members(channel string) []*client {
	switch channel {
	case "websocket:broadcast":
		return a.all()
	case "websocket:room:" + backendRoom:
		return []*client{a.annA, a.annB, a.bob}
	default:
		return []*client{a.annA, a.annB}
	}
}

// channels are the four kinds.
var channels = []string{
	"websocket:broadcast", "websocket:user:ann", "websocket:notification:ann", "websocket:room:" + backendRoom,
}

// payloads are messages of backends, which each channel takes bare and wrapped.
var payloads = map[string]string{
	"system":       `{"type":"system","content":{"message":"maintenance in 30 minutes","level":"warning","code":1001}}`,
	"notification": `{"type":"notification","content":{"title":"T","body":"B","icon":"User","link":"/system/users","category":"c"}}`,
	"data update":  `{"type":"data_update","content":{"entity":"user","action":"create","id":"123","data":{"username":"new_user"}}}`,
	"user message": `{"type":"user_message","content":{"from":"user_123","to":"user_456","text":"Hello!"}}`,
	"room message": `{"type":"room_message","from":"u9","from_name":"Nine","content":{"text":"hi"}}`,
	"broadcast":    `{"type":"broadcast","content":"to everyone"}`,
	"unknown type": `{"type":"invented:here","content":[1,2.50,1e400]}`,
	"without":      `{"type":"system"}`,
	"odd spacing":  "{ \"content\" :\t{ \"text\":\"\\u00e9\\/ <&>\" }\n, \"type\":\"system\" , \"x\" : null }",
	"escaped type": `{"\u0074ype":"syst\u0065m","content":{}}`,
	"its own time": `{"type":"system","timestamp":1697356800,"content":{}}`,
	"null time":    `{"type":"system","timestamp":null,"content":1}`,
}

// TestServe_EveryChannelInBothShapes publishes with redis-cli.
func TestServe_EveryChannelInBothShapes(t *testing.T) {
	t.Parallel()
	s := startSystem(t, nil)
	a := newAudience(t, s)
	for _, channel := range channels {
		for name, payload := range payloads {
			for shape, text := range map[string]string{
				"bare": payload, "wrapped": `{"message":` + payload + `}`, "wrapped among others": `{"v":1, "message" : ` + payload + `,"id":"outside"}`,
			} {
				t.Run(channel+" "+name+" "+shape, func(t *testing.T) {
					within(t, a.all()...)
					s.publish(channel, text)
					var want map[string]any
					decodeNumbers(t, payload, &want)
					for _, c := range a.members(channel) {
						checkDelivery(t, c.read(), channel, want)
					}
				})
			}
		}
	}
	for _, c := range a.all() {
		c.nothingMore()
	}
}

// checkDelivery compares what arrives with what was published, and with what
// the gateway is to add.
func checkDelivery(t *testing.T, f frame, channel string, want map[string]any) {
	t.Helper()
	var got map[string]any
	decodeNumbers(t, f.raw, &got)
	sameTime := want["timestamp"] != nil && fmt.Sprint(got["timestamp"]) == fmt.Sprint(want["timestamp"])
	if !sameTime && !(want["timestamp"] == nil && recent(f.Timestamp)) {
		t.Errorf("%s has the wrong time", f.raw)
	}
	wantType := want["type"]
	if strings.Contains(channel, ":notification:") {
		wantType = "notification"
		checkNotification(t, f)
		delete(got, "data")
	}
	if got["type"] != wantType {
		t.Errorf("%s has the wrong type, want %v", f.raw, wantType)
	}
	if room, isRoom := strings.CutPrefix(channel, "websocket:room:"); isRoom && got["room"] != room {
		t.Errorf("%s has the wrong room, want %v", f.raw, room)
	}
	for _, set := range []string{"timestamp", "type", "room"} {
		delete(got, set)
	}
	for name, value := range want {
		if name != "timestamp" && name != "type" && fmt.Sprint(got[name]) != fmt.Sprint(value) {
			t.Errorf("%s has lost %s, want %v", f.raw, name, value)
		}
		delete(got, name)
	}
	if len(got) > 0 {
		t.Errorf("%s has %v besides what was published", f.raw, got)
	}
}

// decodeNumbers decodes JSON and keeps numbers as they are written.
func decodeNumbers(t *testing.T, text string, v any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.UseNumber()
	if err := d.Decode(v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
}

// notificationData is what the gateway adds to notifications.
type notificationData struct {
	NotificationID string `json:"notification_id"`
	Read           *bool  `json:"read"`
	Kept           string `json:"kept"`
}

func checkNotification(t *testing.T, f frame) (data notificationData) {
	t.Helper()
	decode(t, f.Data, &data)
	if data.NotificationID == "" || data.Read == nil {
		t.Errorf("%s lacks data.notification_id or data.read", f.raw)
	}
	return data
}

// TestServe_NotificationsAreNumbered: the id that the gateway adds must be the
// same on all devices, or marking one as read would not mark the others.
func TestServe_NotificationsAreNumbered(t *testing.T) {
	t.Parallel()
	s := startSystem(t, nil)
	first, second := s.a.connect(t, "ann"), s.b.connect(t, "ann")
	seen := map[string]bool{}
	for name, tt := range map[string]struct {
		data string
		id   string
		read bool
	}{
		"none":      {``, "", false},
		"null":      {`,"data":null`, "", false},
		"empty":     {`,"data":{}`, "", false},
		"others":    {`,"data":{"kept":"k"}`, "", false},
		"has an id": {`,"data":{"notification_id":"n-1"}`, "n-1", false},
		"is read":   {`,"data":{"read":true,"kept":"k"}`, "", true},
		"has both":  {`,"data":{"read":true,"notification_id":"n-2","kept":"k"}`, "n-2", true},
		"message":   {`,"id":"m-1"`, "m-1", false},
	} {
		t.Run(name, func(t *testing.T) {
			within(t, first, second)
			s.publish("websocket:notification:ann", `{"type":"notification","content":{"title":`+quote(name)+`}`+tt.data+`}`)
			one, two := checkNotification(t, first.read()), checkNotification(t, second.read())
			if one.NotificationID != two.NotificationID || (tt.id != "" && one.NotificationID != tt.id) || seen[one.NotificationID] {
				t.Errorf("the ids are %q and %q, want the same new one or %q", one.NotificationID, two.NotificationID, tt.id)
			}
			seen[one.NotificationID] = true
			if *one.Read != tt.read || (one.Kept == "k") != strings.Contains(tt.data, "kept") {
				t.Errorf("data is %+v, read %v, want it read %v", one, *one.Read, tt.read)
			}
		})
	}
}

// TestServe_GatewayPublish uses the command in place of redis-cli.
func TestServe_GatewayPublish(t *testing.T) {
	t.Parallel()
	s := startSystem(t, nil)
	a := newAudience(t, s)
	for _, channel := range channels {
		short := strings.TrimPrefix(channel, "websocket:")
		r := command(t, nil, "", "publish", "--redis-url", s.redis.URL(), short, `{"type":"system","content":"by command"}`)
		nodes := 2
		if r.err != nil || r.out != fmt.Sprintf("published to %s, received by %d gateways\n", channel, nodes) {
			t.Errorf("publish %s = %+v", short, r)
		}
		for _, c := range a.members(channel) {
			c.awaitText("by command")
		}
	}
}

// TestServe_OtherPrefix has nodes that share Redis with others.
func TestServe_OtherPrefix(t *testing.T) {
	t.Parallel()
	s := startSystem(t, func(c *Config) { c.Redis.Prefix = "prod/ws:" })
	c := s.a.connect(t, "ann")
	s.publish("websocket:broadcast", `{"type":"system","content":"not ours"}`)
	s.publish("prod/ws:user:ann", `{"type":"system","content":"ours"}`)
	c.awaitText(`"ours"`)
	c.nothingMore()
}

// TestServe_NotificationClient sends with the Go client for backends.
func TestServe_NotificationClient(t *testing.T) {
	t.Parallel()
	s := startSystem(t, nil)
	a := newAudience(t, s)
	rdb := redis.NewClient(&redis.Options{Addr: s.redis.Addr()})
	t.Cleanup(func() { _ = rdb.Close() })
	backend := notification.NewClient(rdb)
	ctx := t.Context()
	annOnly, inRoom := []*client{a.annA, a.annB}, []*client{a.annA, a.annB, a.bob}
	for name, tt := range map[string]struct {
		err  error
		typ  string
		to   []*client
		want string
	}{
		"SendSystemNotification": {
			backend.SendSystemNotification(ctx, &notification.SystemNotificationRequest{Title: "one", Body: "b", Icon: "User", Link: "/x"}),
			"notification", a.all(), `"title":"one"`,
		},
		"SendUserNotification": {
			backend.SendUserNotification(ctx, &notification.UserNotificationRequest{UserID: "ann", Title: "two", Body: "b"}),
			"notification", annOnly, `"title":"two"`,
		},
		"SendSystemMessage": {
			backend.SendSystemMessage(ctx, &notification.SystemMessageRequest{Message: "three", Level: "warning", Code: 1001}),
			"system", a.all(), `"message":"three"`,
		},
		"SendUserMessage": {
			backend.SendUserMessage(ctx, &notification.UserMessageRequest{From: "desk", To: "ann", Text: "four"}),
			"user_message", annOnly, `"text":"four"`,
		},
		"SendToRoom": {
			backend.SendToRoom(ctx, &notification.RoomMessageRequest{Room: backendRoom, From: "desk", Text: "five"}),
			"room_message", inRoom, `"text":"five"`,
		},
		"BroadcastDataUpdate": {
			backend.BroadcastDataUpdate(ctx, "user", "create", "six", map[string]any{"username": "new_user"}),
			"data_update", a.all(), `"id":"six"`,
		},
		"Broadcast": {
			backend.Broadcast(ctx, "broadcast", map[string]any{"seven": 7}),
			"broadcast", a.all(), `"seven":7`,
		},
	} {
		if tt.err != nil {
			t.Errorf("%s: %v", name, tt.err)
			continue
		}
		for _, c := range a.all() {
			if !slices.Contains(tt.to, c) {
				continue
			}
			if f := c.awaitText(tt.want); f.Type != tt.typ || f.ID == "" || !recent(f.Timestamp) {
				t.Errorf("%s: %s got %s, want type %s", name, c.user, f.raw, tt.typ)
			}
		}
	}
	for _, c := range a.all() {
		c.nothingMore()
	}
}
