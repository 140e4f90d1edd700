package main

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// useCases is docs/USE-CASES.md, whose commands are to work as they stand.
type useCases struct {
	client   string              // the Go snippet that makes the client
	commands map[string][]string // Go calls, and lines for a shell, by section and in order
}

// Commands stand in backticks within text and tables, and in blocks.
var (
	useCaseCommand = regexp.MustCompile("(?m)`((?:c\\.|redis-cli |curl )[^`\n]*)`|^(curl .*)$")
	useCaseClient  = regexp.MustCompile("(?s)```go\n(.*?)```")
)

func readUseCases(t *testing.T) useCases {
	t.Helper()
	text, err := os.ReadFile("../../docs/USE-CASES.md")
	if err != nil {
		t.Fatal(err)
	}
	page := useCases{client: useCaseClient.FindStringSubmatch(string(text))[1], commands: map[string][]string{}}
	for _, section := range strings.Split(string(text), "\n## ")[1:] {
		title, _, _ := strings.Cut(section, "\n")
		for _, m := range useCaseCommand.FindAllStringSubmatch(section, -1) {
			page.commands[title] = append(page.commands[title], m[1]+m[2])
		}
	}
	return page
}

// backendOfPage runs the commands of the page against a gateway in development mode
// that has other ports than the page says.
type backendOfPage struct {
	t     *testing.T
	ports *strings.Replacer
	calls map[string]int // which of the Go program's calls a command is
	goBin string
}

// build makes one program of all the Go that is on the page.
func (b *backendOfPage) build(page useCases) {
	b.t.Helper()
	var calls []string
	b.calls = map[string]int{}
	for _, commands := range page.commands {
		for _, c := range commands {
			if strings.HasPrefix(c, "c.") {
				b.calls[c] = len(calls)
				calls = append(calls, "func() error { return "+c+" },\n")
			}
		}
	}
	dir := b.t.TempDir()
	program := fmt.Sprintf(`package main

import (
	"context"
	"log"
	"os"
	"strconv"

	"github.com/redis/go-redis/v9"

	"github.com/ginforge/gateway/pubsub/notification"
)

func main() {
	ctx := context.Background()
	%s
	calls := []func() error{
	%s
	}
	n, err := strconv.Atoi(os.Args[1])
	if err == nil {
		err = calls[n]()
	}
	if err != nil {
		log.Fatal(err)
	}
}
`, b.ports.Replace(page.client), strings.Join(calls, ""))
	source := filepath.Join(dir, "main.go")
	if err := os.WriteFile(source, []byte(program), 0o600); err != nil {
		b.t.Fatal(err)
	}
	b.goBin = filepath.Join(dir, "backend")
	if out, err := exec.Command("go", "build", "-o", b.goBin, source).CombinedOutput(); err != nil {
		b.t.Fatalf("the Go of the page does not build: %v\n%s\n%s", err, out, program)
	}
}

// run runs one command and returns what it prints.
func (b *backendOfPage) run(command string) string {
	b.t.Helper()
	cmd := exec.Command("sh", "-c", b.ports.Replace(command))
	if n, ok := b.calls[command]; ok {
		cmd = exec.Command(b.goBin, strconv.Itoa(n))
	}
	out, err := cmd.Output()
	if err != nil {
		b.t.Fatalf("%s: %v, %s", command, err, out)
	}
	if strings.HasPrefix(command, "curl") && !strings.HasPrefix(string(out), `{"code":0,`) {
		b.t.Fatalf("%s answers %s", command, out)
	}
	return string(out)
}

// TestServe_UseCases does what docs/USE-CASES.md says, with the configuration that it
// names, and looks at what arrives.
func TestServe_UseCases(t *testing.T) {
	t.Parallel()
	for _, tool := range []string{"curl", "redis-cli", "go"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("the page's commands need %s: %v", tool, err)
		}
	}
	p := startProcess(t, nil, "--config", "../../configs/development.yaml", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0",
		"--set", "redis.embedded_listen=127.0.0.1:0")
	hint := p.hint()
	p.logged("redis is connected")
	public := find(t, hint, `http://(\S+)/\n`)
	redis := find(t, hint, `Redis is at (\S+);`)
	connect := func(user string) *client {
		token := fetch(t, "http://"+public+"/dev/token?user="+user)
		return dialURL(t, "ws://"+public+"/ws?device=page&token="+url.QueryEscape(remember(tokenIn(t, token.body))))
	}
	customer, seven := connect("42"), connect("7")
	customer.join("case:1007")

	page := readUseCases(t)
	_, port, _ := strings.Cut(redis, ":")
	backend := &backendOfPage{t: t, ports: strings.NewReplacer("127.0.0.1:6379", redis, "redis-cli ", "redis-cli -p "+port+" ",
		"127.0.0.1:8088", find(t, hint, `http://(\S+)/console/`))}
	backend.build(page)
	arrives := map[string]func(frame) bool{
		"A notice of maintenance to everybody": func(f frame) bool {
			return f.Type == "system" && strings.Contains(f.raw, "maintenance in 30 minutes")
		},
		"An order is shipped: one user is told": func(f frame) bool {
			return f.Type == "notification" && strings.Contains(f.raw, "Order shipped")
		},
		"A list of users refreshes when one is added": func(f frame) bool {
			return f.Type == "data_update" && strings.Contains(f.raw, `"entity":"user","action":"create","id":"123"`)
		},
		"A chat with customer service": func(f frame) bool {
			return f.Room == "case:1007" && strings.Contains(f.raw, "Mia is with you in a minute.")
		},
	}
	for title, check := range arrives {
		commands := page.commands[title]
		if len(commands) < 3 {
			t.Errorf("%s: found are the commands %q, want those of Go, Redis and HTTP", title, commands)
		}
		for _, command := range commands {
			out := backend.run(command)
			switch {
			case strings.HasSuffix(command, "/history"):
				if n := strings.Count(out, "Mia is with you in a minute."); n != 3 {
					t.Errorf("%s answers %s, want what three backends have said", command, out)
				}
			case strings.Contains(out, `"duplicate":true`): // it came by XADD, which is on the page before
				if !strings.Contains(command, "order-7-shipped") {
					t.Errorf("%s answers %s", command, out)
				}
			default:
				customer.await(title, check)
			}
		}
	}
	online := page.commands["Who is online"]
	if len(online) != 2 {
		t.Fatalf("who is online is asked by %q", online)
	}
	if out := backend.run(online[0]); !strings.Contains(out, `[{"user_id":"7","online":true},{"user_id":"8","online":false}]`) {
		t.Errorf("%s answers %s", online[0], out)
	}
	if out := backend.run(online[1]); !strings.Contains(out, `"device_id":"page"`) {
		t.Errorf("%s answers %s, want the device of %s", online[1], out, seven.user)
	}
}

// tokenIn is the token in an answer of /dev/token.
func tokenIn(t *testing.T, body string) string {
	t.Helper()
	var answer struct{ Data struct{ Token string } }
	if err := json.Unmarshal([]byte(body), &answer); err != nil || answer.Data.Token == "" {
		t.Fatalf("/dev/token answers %s: %v", body, err)
	}
	return answer.Data.Token
}
