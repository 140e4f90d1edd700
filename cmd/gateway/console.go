package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/ginforge/gateway/api"
	"github.com/ginforge/gateway/engine"
	"github.com/ginforge/gateway/pubsub"
	"github.com/ginforge/gateway/pubsub/nodes"
	"github.com/ginforge/gateway/room"
	"github.com/ginforge/gateway/session/auth"
)

const (
	// consoleTokenTTL is how long a page may take to connect with its token; it
	// asks for another before.
	consoleTokenTTL = 10 * time.Minute
	// consoleBeat is how often consoles get figures.
	consoleBeat = time.Second
	// consoleKey is the key of frames with figures: a newer one takes the place of
	// one that a slow console has not got.
	consoleKey = 0x636f6e736f6c65
	// consoleIssuer and consoleAlgorithm tell the tokens of consoles from those of
	// users, which are checked with other keys.
	consoleIssuer    = "gateway-console"
	consoleAlgorithm = "HS512"
)

// console is what the console page gets of this node: a way in, and figures of all
// nodes each second. Its pages are devices of a user of this process that nobody
// else can be, so that figures go to them and only to them.
type console struct {
	node     *node
	user     string
	secret   string // of this process
	header   string // that a token of a console begins with
	verifier *auth.Verifier
	probes   *probes
	past     past

	known []string // owned by run: the nodes that were there when all could be asked
}

func newConsole(n *node) (*console, error) {
	c := &console{node: n, user: "console:" + strings.ToLower(rand.Text()), secret: rand.Text() + rand.Text(), probes: newProbes()}
	var err error
	c.verifier, err = auth.NewVerifier(auth.Config{Secret: c.secret, Algorithms: []string{consoleAlgorithm}, Issuer: consoleIssuer})
	if err != nil {
		return nil, fmt.Errorf("console: %w", err)
	}
	token, err := c.token()
	if err != nil {
		return nil, err
	}
	c.header, _, _ = strings.Cut(token, ".")
	return c, nil
}

// token makes a token for a page. Its holder is in no room, and may enter none.
func (c *console) token() (string, error) {
	nothing, err := auth.NewCaps(nil, nil)
	if err != nil {
		return "", fmt.Errorf("console: %w", err)
	}
	id := auth.Identity{UserID: c.user, Name: "Console", Caps: nothing}
	token, err := auth.Sign(c.secret, consoleAlgorithm, id, consoleTokenTTL, consoleIssuer, "")
	if err != nil {
		return "", fmt.Errorf("console: %w", err)
	}
	return token, nil
}

// verifiers knows the tokens of users and of consoles.
type verifiers struct {
	users   *auth.Verifier
	console *console
}

// Verify implements session.Verifier.
func (v verifiers) Verify(token string) (auth.Identity, error) {
	if strings.HasPrefix(token, v.console.header) {
		if id, err := v.console.verifier.Verify(token); err == nil {
			return id, nil
		}
	}
	return v.users.Verify(token)
}

// OpenConsole implements api.Console.
func (c *console) OpenConsole(origin, host string) (api.ConsoleAccess, error) {
	token, err := c.token()
	if err != nil {
		return api.ConsoleAccess{}, err
	}
	if !c.node.engine.LetIn(origin) {
		return api.ConsoleAccess{}, &api.Error{Status: http.StatusBadRequest, Message: "this page has no origin"}
	}
	return api.ConsoleAccess{URL: c.url(origin, host), Token: token, ExpiresAt: time.Now().Add(consoleTokenTTL).UTC()}, nil
}

// url is where the page reaches this node: what is configured, or else the public
// listener at the name by which the page was reached.
func (c *console) url(origin, host string) string {
	if url := c.node.cfg.Console.URL; url != "" {
		return url
	}
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	_, port, err := net.SplitHostPort(c.node.engine.Addr().String())
	if err == nil {
		host = net.JoinHostPort(strings.Trim(host, "[]"), port)
	}
	if strings.HasPrefix(origin, "https:") {
		return "wss://" + host + "/ws"
	}
	return "ws://" + host + "/ws"
}

// opFigures has a node tell its figures, and measure for the next time.
const opFigures = "figures"

// watch has nodes answer each other's consoles. Called before the registry runs.
func (c *console) watch() {
	c.node.together.nodes.Handle(opPast, func(context.Context, json.RawMessage) (any, error) {
		return c.past.all(), nil
	})
	c.node.together.nodes.Handle(opFigures, func(context.Context, json.RawMessage) (any, error) {
		return c.figures(), nil
	})
}

// figures returns the numbers of this node. A node that is asked for them measures
// how long messages take.
func (c *console) figures() nodeStats {
	if number, due := c.probes.plan(time.Now()); due {
		time.AfterFunc(probeDelay(c.node.cfg.Redis.Coalesce), func() { c.probe(number) })
	}
	s := c.sample(time.Now())
	s.Slow = c.node.slow()
	return s
}

// sample is what figures are of, without a measurement of its own.
func (c *console) sample(now time.Time) nodeStats {
	s := c.node.stats()
	s.Latency = &latencyStats{c.node.transit.recent.quantiles(now, transitWindow), c.probes.latency(now)}
	s.Process = processFigures()
	return s
}

// probe sends a message through Redis to this node itself.
func (c *console) probe(number uint64) {
	to, payload := c.node.together.nodes.ID(), probePayload(number)
	c.probes.begin(time.Now())
	if err := c.node.bus.Publish(pubsub.KindControl, to, payload, nil); err != nil {
		c.node.log.Debug().Err(err).Msg("latency not measured")
	}
}

// heard takes a probe that has come back; it reports false for anything else.
// Called by the reader of the bus.
func (c *console) heard(payload string) bool {
	number, ok := readProbe(payload)
	if ok {
		c.probes.end(number, time.Now())
	}
	return ok
}

// run gives consoles figures each second while there are any, and keeps some for
// those that come later.
func (c *console) run(ctx context.Context) error {
	tick := time.NewTicker(consoleBeat)
	defer tick.Stop()
	key := room.User(c.user)
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-tick.C:
			if c.inUse() {
				c.past.keep(now, c.sample)
			}
		}
		if c.node.hub.OnlineEach([]string{c.user})[0] {
			c.node.hub.Deliver(key, c.frame(c.collect(ctx)))
		}
	}
}

// inUse reports whether anybody can open a console.
func (c *console) inUse() bool { return c.node.cfg.Development || len(c.node.cfg.Admin.APIKeys) > 0 }

// overview is the figures of all nodes, this one's first.
type overview struct {
	At    int64             `json:"at_ms"` // by this node's clock
	Nodes []json.RawMessage `json:"nodes"` // nodeStats
	// Missing are the ids of nodes that live and did not answer in time.
	Missing []string `json:"missing_nodes,omitempty"`
	// Partial says that the others could not be asked, since Redis is away. Missing are
	// those that were there before.
	Partial bool `json:"partial,omitempty"`
}

// collect asks the nodes. Without Redis it has what this node knows of itself.
func (c *console) collect(ctx context.Context) overview {
	registry := c.node.together.nodes
	got, err := registry.AskAll(ctx, opFigures, nil)
	if err != nil && ctx.Err() == nil {
		c.node.log.Debug().Err(err).Msg("figures of other nodes not asked for")
	}
	partial := err != nil || !c.node.bus.State().Connected
	c.recall(&got, partial)
	own := slices.IndexFunc(got.Answers, func(a nodes.Answer) bool { return a.Node == registry.ID() && a.Err == nil })
	all := overview{At: time.Now().UnixMilli(), Missing: got.Missing, Partial: partial}
	if own < 0 {
		text, err := json.Marshal(c.figures())
		if err != nil {
			c.node.log.Error().Err(err).Msg("figures of this node are not JSON")
			return all
		}
		all.Nodes = append(all.Nodes, text)
		all.Missing = slices.DeleteFunc(all.Missing, func(id string) bool { return id == registry.ID() })
	} else {
		all.Nodes = append(all.Nodes, got.Answers[own].Data)
	}
	for i, a := range got.Answers {
		if i != own && a.Err == nil {
			all.Nodes = append(all.Nodes, a.Data)
		}
	}
	return all
}

// recall notes which nodes there are, or when they could not be asked, adds those
// that were there before and have not answered.
func (c *console) recall(got *nodes.Answers, partial bool) {
	there := slices.Clone(got.Missing)
	for _, a := range got.Answers {
		there = append(there, a.Node)
	}
	if !partial {
		c.known = there
		return
	}
	for _, id := range c.known {
		if !slices.Contains(there, id) {
			got.Missing = append(got.Missing, id)
		}
	}
}

// frame is the message that consoles get.
func (c *console) frame(o overview) *engine.Frame {
	text, err := json.Marshal(struct {
		Type      string `json:"type"`
		Content   any    `json:"content"`
		Timestamp int64  `json:"timestamp"`
	}{"data_update", map[string]any{"entity": "console", "action": "figures", "data": o}, o.At / 1000})
	if err != nil {
		panic(errors.Join(errors.New("console: figures that were JSON are none"), err))
	}
	return engine.NewFrame(engine.OpText, text).Latest(consoleKey)
}
