package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// clientFrames are the frames of PROTOCOL.md in every shape, and what the sender
// gets back besides the ack: frames of these types. USER is the sender itself;
// ROOM is a room that it is in.
var clientFrames = map[string]struct {
	frame   string
	answers []string
}{
	"ping":                           {`{"type":"ping"}`, []string{"pong"}},
	"ping with content":              {`{"type":"ping","content":{}}`, []string{"pong"}},
	"join, string":                   {`{"type":"join_room","content":"chat:2"}`, []string{"joined"}},
	"join, object":                   {`{"type":"join_room","content":{"room":"chat:3","x":1}}`, []string{"joined"}},
	"join, envelope":                 {`{"type":"join_room","room":"chat:4"}`, []string{"joined"}},
	"join, once more":                {`{"type":"join_room","content":"ROOM"}`, []string{"joined"}},
	"leave, string":                  {`{"type":"leave_room","content":"ROOM"}`, []string{"left"}},
	"leave, object":                  {`{"type":"leave_room","content":{"room":"ROOM"}}`, []string{"left"}},
	"leave, envelope":                {`{"type":"leave_room","room":"ROOM"}`, []string{"left"}},
	"room message, content":          {`{"type":"room_message","content":{"room":"ROOM","text":"hi"}}`, []string{"room_message"}},
	"room message, envelope":         {`{"type":"room_message","room":"ROOM","content":{"text":"hi"}}`, []string{"room_message"}},
	"room message, both":             {`{"type":"room_message","room":"ROOM","content":{"room":"ROOM"}}`, []string{"room_message"}},
	"room message, text":             {`{"type":"room_message","room":"ROOM","content":"hi"}`, []string{"room_message"}},
	"room message, no content":       {`{"type":"room_message","room":"ROOM"}`, []string{"room_message"}},
	"user message, content":          {`{"type":"user_message","content":{"to":"USER","text":"hi"}}`, []string{"user_message"}},
	"user message, envelope":         {`{"type":"user_message","to":"USER","content":{"text":"hi"}}`, []string{"user_message"}},
	"user message, both":             {`{"type":"user_message","to":"USER","content":{"to":"USER"}}`, []string{"user_message"}},
	"user message to nobody":         {`{"type":"user_message","to":"nobody-is-here","content":{"text":"hi"}}`, nil},
	"chat, to in content":            {`{"type":"chat","content":{"to":"USER","text":"hi"}}`, []string{"user_message"}},
	"chat, to in envelope":           {`{"type":"chat","to":"USER","content":{"text":"hi"}}`, []string{"user_message"}},
	"chat, room in content":          {`{"type":"chat","content":{"room":"ROOM","text":"hi"}}`, []string{"room_message"}},
	"chat, room in envelope":         {`{"type":"chat","room":"ROOM","content":{"text":"hi"}}`, []string{"room_message"}},
	"presence of a room":             {`{"type":"presence","content":{"room":"ROOM"}}`, []string{"presence"}},
	"presence of a room in envelope": {`{"type":"presence","room":"ROOM"}`, []string{"presence"}},
	"presence of users":              {`{"type":"presence","content":{"users":["1","2",3]}}`, []string{"presence"}},
	"watch":                          {`{"type":"watch","content":{"users":["1","2",3]}}`, nil},
	"unwatch":                        {`{"type":"unwatch","content":{"users":["1"]}}`, nil},
	"unwatch all":                    {`{"type":"unwatch","content":{"users":["1","2",3]}}`, nil},
}

// TestServe_EveryFrameIsAnswered sends each frame without an id, which is
// answered only by what it causes, and with one, which is acked as well.
func TestServe_EveryFrameIsAnswered(t *testing.T) {
	t.Parallel()
	s := startSystem(t, nil)
	for name, tt := range clientFrames {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			user, room := "user "+name, "chat:"+name
			text := strings.NewReplacer("USER", user, "ROOM", room).Replace(tt.frame)

			c := s.a.connect(t, user)
			c.join(room)
			c.sync()
			c.send(text)
			for _, typ := range tt.answers {
				if f := c.awaitType(typ); f.ID != "" {
					t.Errorf("without id: got %s, want no id", f.raw)
				}
			}
			c.nothingMore()
			c.leave()

			c = s.a.connect(t, user)
			c.join(room)
			c.sync()
			c.send(strings.TrimSuffix(text, "}") + `,"id":"i-1"}`)
			for _, typ := range append([]string{"ack"}, tt.answers...) {
				if f := c.awaitType(typ); f.ID != "i-1" {
					t.Errorf("with id: got %s, want it to name the id", f.raw)
				}
			}
			c.nothingMore()
		})
	}
}

// TestServe_JoinAnswersBeforeItAcks pins the order of the two answers, and what
// they say.
func TestServe_JoinAnswersBeforeItAcks(t *testing.T) {
	t.Parallel()
	s := startSystem(t, nil)
	c := s.a.connect(t, "ann")
	for _, tt := range []struct{ frame, first, second string }{
		{`{"type":"join_room","id":"1","content":"chat:1"}`, `{"type":"joined","id":"1","room":"chat:1"}`, `{"type":"ack","id":"1"}`},
		{`{"type":"leave_room","id":"2","content":"chat:1"}`, `{"type":"left","id":"2","room":"chat:1"}`, `{"type":"ack","id":"2"}`},
		{`{"type":"ping","id":"3"}`, `{"type":"pong","id":"3"}`, `{"type":"ack","id":"3"}`},
	} {
		c.send(tt.frame)
		if first, second := c.read().raw, c.read().raw; first != tt.first || second != tt.second {
			t.Errorf("%s is answered by\n%s\n%s\nwant\n%s\n%s", tt.frame, first, second, tt.first, tt.second)
		}
	}
}

func TestServe_WelcomeSaysWhereOneIs(t *testing.T) {
	t.Parallel()
	s := startSystem(t, func(c *Config) { c.Engine = DefaultConfig().Engine })
	first, second := s.a.connect(t, "ann"), s.b.connect(t, "ann")
	var content struct {
		Code           *int
		Message, Level string
	}
	type data struct {
		ClientID          string    `json:"client_id"`
		UserID            string    `json:"user_id"`
		Node              string    `json:"node"`
		ServerTime        time.Time `json:"server_time"`
		PingInterval      int       `json:"ping_interval"`
		ReconnectWindowMS int       `json:"reconnect_window_ms"`
		Protocol          int       `json:"protocol"`
	}
	var one, two data
	decode(t, first.welcome.Content, &content)
	decode(t, first.welcome.Data, &one)
	decode(t, second.welcome.Data, &two)
	if content.Code == nil || *content.Code != 0 || content.Message == "" || content.Level != "info" {
		t.Errorf("the content of welcome is %s", first.welcome.Content)
	}
	if one.ClientID == "" || one.ClientID == two.ClientID || one.Node != "node-a" || two.Node != "node-b" {
		t.Errorf("welcome says %+v and %+v, want two clients on two nodes", one, two)
	}
	if one.UserID != "ann" || one.PingInterval != 25 || one.ReconnectWindowMS != 5000 || one.Protocol != 1 {
		t.Errorf("welcome says %+v", one)
	}
	if age := time.Since(one.ServerTime).Abs(); age > time.Minute || !recent(first.welcome.Timestamp) {
		t.Errorf("welcome says it is %v, %d, want now", one.ServerTime, first.welcome.Timestamp)
	}
}

// recent reports whether a Unix time is about now.
func recent(unix int64) bool { return time.Since(time.Unix(unix, 0)).Abs() < time.Minute }

// TestServe_IdentityIsTheGateways tries to speak as someone else.
func TestServe_IdentityIsTheGateways(t *testing.T) {
	t.Parallel()
	s := startSystem(t, nil)
	victim, mallory := s.b.connect(t, "victim"), s.a.connect(t, "mallory")
	victim.join("chat:1")
	mallory.join("chat:1")
	for name, members := range map[string]string{
		"plainly":       `"from":"root","from_name":"Root"`,
		"escaped":       `"fr\u006fm":"root","from\u005fname":"Root","\u0066\u0072\u006f\u006d":"root"`,
		"twice":         `"from":"root","from":"root","from_name":"a","from_name":"b"`,
		"as objects":    `"from":{"id":"root"},"from_name":["Root"]`,
		"as null":       `"from":null,"from_name":null`,
		"the time":      `"timestamp":1,"time\u0073tamp":2`,
		"the type":      `"ty\u0070e":"room_message"`,
		"the room":      `"\u0072oom":"chat:1"`,
		"behind spaces": "\n\t\"from\" :  \"root\" , \"from_name\"\r\n: \"Root\"",
	} {
		t.Run(name, func(t *testing.T) {
			within(t, victim, mallory)
			for _, frame := range []string{
				`{"type":"room_message","room":"chat:1",` + members + `,"content":{"from":"inside","text":"MARK"}}`,
				`{` + members + `,"content":{"from":"inside","text":"MARK"},"room":"chat:1","type":"room_message"}`,
			} {
				mark := nextID()
				mallory.send(strings.ReplaceAll(frame, "MARK", mark))
				got := victim.awaitText(mark)
				if got.From != "mallory" || got.FromName != nameOf("mallory") || got.Room != "chat:1" ||
					got.Type != "room_message" || !recent(got.Timestamp) {
					t.Errorf("%s arrives as %s", frame, got.raw)
				}
				names := topLevelNames(t, got.raw)
				slices.Sort(names)
				if want := []string{"content", "from", "from_name", "room", "timestamp", "type"}; !slices.Equal(names, want) {
					t.Errorf("%s arrives with the members %q, want %q", frame, names, want)
				}
				if want := `{"from":"inside","text":"` + mark + `"}`; string(got.Content) != want {
					t.Errorf("the content arrives as %s, want %s", got.Content, want)
				}
			}
		})
	}
}

// topLevelNames lists the names of an object's members, each as often as it
// occurs, which decoding into a map would hide.
func topLevelNames(t *testing.T, object string) (names []string) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader([]byte(object)))
	if _, err := d.Token(); err != nil {
		t.Fatal(err)
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, fmt.Sprint(name))
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			t.Fatal(err)
		}
	}
	return names
}

// TestServe_ContentPassesByteForByte sends what decoding and encoding again
// would change.
func TestServe_ContentPassesByteForByte(t *testing.T) {
	t.Parallel()
	s := startSystem(t, nil)
	ann, bob := s.a.connect(t, "ann"), s.b.connect(t, "bob")
	ann.join("chat:1")
	bob.join("chat:1")
	for name, content := range map[string]string{
		"spaces":            "{ \"text\" :\t\"MARK\" ,\n\r \"a\":[ 1 ,2 ] }",
		"unicode escapes":   `{"text":"MARK \u00e9\ud83d\ude00\u2028\/ <&>"}`,
		"control escapes":   `{"text":"MARK \b\f\n\r\t\u0000\u001f"}`,
		"plain UTF-8":       "{\"text\":\"MARK é😀\u2028 <&>\"}",
		"large numbers":     `{"text":"MARK","n":[12345678901234567890123,1e400,-0,0.10,1E+2]}`,
		"duplicate members": `{"text":"MARK","a":1,"a":2}`,
		"empty members":     `{"":"MARK","b":{},"c":[]}`,
		"string":            `"MARK"`,
		"array":             `["MARK",null,true,false]`,
		"nested":            `{"text":"MARK","a":` + strings.Repeat("[", 20) + strings.Repeat("]", 20) + `}`,
	} {
		t.Run(name, func(t *testing.T) {
			within(t, ann, bob)
			mark := nextID()
			content := strings.ReplaceAll(content, "MARK", mark)
			ann.send(`{"type":"room_message","room":"chat:1","id":"` + mark + `", "x_unknown" : {"a" :1e400,"a":[ ]},` +
				`"\u0079":null,"data":{ "k":1.0 },"content":` + content + `}`)
			ann.await("ack", func(f frame) bool { return f.Type == "ack" && f.ID == mark })
			for _, c := range []*client{ann, bob} {
				got := c.await("message", func(f frame) bool { return f.Type == "room_message" && f.ID == mark })
				if string(got.Content) != content {
					t.Errorf("content arrives as %s, want %s", got.Content, content)
				}
				for _, member := range []string{`"x_unknown" : {"a" :1e400,"a":[ ]}`, `"\u0079":null`, `"data":{ "k":1.0 }`} {
					if !strings.Contains(got.raw, member) {
						t.Errorf("%s arrives without %s", got.raw, member)
					}
				}
			}
		})
	}
}
